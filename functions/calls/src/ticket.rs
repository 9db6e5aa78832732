//! A ticket: the right to hear one recording for five minutes. A player sends no token, so the address itself is the proof.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    ids::{CallId, OrgId},
    time::plus_secs,
};
use jiff::Timestamp;
use secrecy::SecretString;
use vendors::signature::{hmac_sha256, is_hmac_sha256};

/// How long a ticket is good, in seconds.
const LASTS_SECS: i64 = 300;
/// What tells these signatures from any other that is made with the same key.
const PURPOSE: &[u8] = b"voxanne recording ticket\n";

/// Whose recording of which call may be heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Whose it is.
    pub org: OrgId,
    /// The call.
    pub call: CallId,
}

impl Ticket {
    /// Returns the ticket as one segment of an address, good for five minutes from `now`.
    pub fn issue(&self, key: &SecretString, now: Timestamp) -> String {
        let until = plus_secs(now, LASTS_SECS).as_second();
        let claims = format!("{} {until} {}", self.org, self.call);
        let tag = hmac_sha256(key, &[PURPOSE, claims.as_bytes()]);
        format!("{}.{}", URL_SAFE_NO_PAD.encode(claims), URL_SAFE_NO_PAD.encode(tag))
    }

    /// Reads a ticket of ours that is still good; nothing else is one.
    pub fn read(text: &str, key: &SecretString, now: Timestamp) -> Option<Self> {
        let (claims, tag) = text.split_once('.')?;
        let (claims, tag) = (URL_SAFE_NO_PAD.decode(claims).ok()?, URL_SAFE_NO_PAD.decode(tag).ok()?);
        if !is_hmac_sha256(key, &[PURPOSE, &claims], &tag) {
            return None;
        }
        let claims = String::from_utf8(claims).ok()?;
        let mut parts = claims.splitn(3, ' ');
        let (org, until, call) = (parts.next()?, parts.next()?, parts.next()?);
        let is_good = now.as_second() < until.parse().ok()?;
        let ticket = Self { org: org.parse().ok()?, call: CallId::parse(call).ok()? };
        is_good.then_some(ticket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_for_five_minutes_and_for_what_it_was_made_for() {
        let (key, now) = (SecretString::from("key"), Timestamp::UNIX_EPOCH);
        let org = "00000000-0000-0000-0000-00000000000a".parse().unwrap();
        let ticket = Ticket { org, call: CallId::parse("call-1").unwrap() };
        let text = ticket.issue(&key, now);
        assert_eq!(Ticket::read(&text, &key, now), Some(ticket.clone()));
        assert_eq!(Ticket::read(&text, &key, plus_secs(now, 299)), Some(ticket.clone()));
        assert_eq!(Ticket::read(&text, &key, plus_secs(now, 300)), None, "it is over");
        assert_eq!(Ticket::read(&text, &SecretString::from("other"), now), None, "another's signature");
        let other = Ticket { call: CallId::parse("call-2").unwrap(), ..ticket }.issue(&key, now);
        let (claims, _) = other.split_once('.').unwrap();
        let (_, tag) = text.split_once('.').unwrap();
        for forged in
            [format!("{claims}.{tag}"), claims.to_owned(), format!("{claims}."), ".".into(), String::new()]
        {
            assert_eq!(Ticket::read(&forged, &key, now), None, "{forged}");
        }
    }
}
