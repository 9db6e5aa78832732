//! What Twilio posts: what became of texts, and what people write to a number. Form-encoded, signed with the account's token, in no
//! certain order, and not again by itself.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{State, Text, TwilioSandbox};

/// How long the carriers take: until they have a text, and until the telephone has it.
const TAKEN: SignedDuration = SignedDuration::from_millis(900);
const DELIVERED: SignedDuration = SignedDuration::from_secs(3);
/// The words by which a person opts out of what a number sends, and in again (Twilio's own list).
const STOPS: [&str; 8] = ["STOP", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "REVOKE", "OPTOUT", "CANCEL"];
const STARTS: [&str; 3] = ["START", "YES", "UNSTOP"];

/// What a step needs posted.
#[derive(Clone, Debug)]
pub struct Post {
    /// The text that it is about.
    pub sid: String,
    /// The request, for the path of the address that it goes to.
    pub request: Request<Bytes>,
}

/// Something that Twilio is to post.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Word {
    account: String,
    url: String,
    form: Vec<(String, String)>,
}

impl TwilioSandbox {
    /// A person writes from `from` to a number of the sandbox's. The words by which one opts out and in count at the carrier, too.
    /// Returns the SID of the text; none where no account has the number, or it has no address for texts.
    pub fn say(&self, from: &str, to: &str, body: &str) -> Option<String> {
        let (sid, now) = (self.sid("SM"), self.clock.now());
        let mut state = self.lock();
        let owned = state.numbers.values().find(|owned| owned.number == to)?.clone();
        let word = body.trim().to_uppercase();
        let pair = format!("{to}>{from}");
        if STOPS.contains(&word.as_str()) {
            state.opted_out.insert(pair);
        } else if STARTS.contains(&word.as_str()) {
            state.opted_out.remove(&pair);
        }
        let form = [
            ("ToCountry", "GB"),
            ("MessageSid", &sid),
            ("SmsSid", &sid),
            ("SmsMessageSid", &sid),
            ("NumMedia", "0"),
            ("NumSegments", "1"),
            ("SmsStatus", "received"),
            ("Body", body),
            ("To", to),
            ("From", from),
            ("AccountSid", &owned.account),
            ("ApiVersion", "2010-04-01"),
        ];
        let form = owned_pairs(&form);
        let url = owned.sms_url?;
        state.agenda.enter(now, Word { account: owned.account, url, form });
        Some(sid)
    }

    /// Somebody who got a text writes to a number of the account that it came from. Returns the SID of what was written; none where that
    /// account has no number that takes texts.
    pub fn write_back(&self, text: &Text, body: &str) -> Option<String> {
        let is_its = |owned: &&super::Owned| owned.account == text.account && owned.sms_url.is_some();
        let to = self.lock().numbers.values().find(is_its)?.number.clone();
        self.say(&text.to, &to, body)
    }

    /// When the next word is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.lock().agenda.next_due()
    }

    /// Takes the next thing that is due; none when nothing is, and within it none where it is lost.
    pub fn step(&self) -> Option<Option<Post>> {
        let now = self.clock.now();
        {
            // Looked at before it is touched: what is touched is written to disk.
            let state = self.lock();
            state.agenda.next_due().filter(|due| *due <= now)?;
        }
        let mut state = self.lock();
        let word = state.agenda.take_due(now)?;
        if state.faults.loses_words {
            return Some(None);
        }
        let sid = word.form.iter().find(|(name, _)| name == "MessageSid").map(|(_, sid)| sid.clone());
        let request = state.signed(&word.account, &word.url, &word.form);
        Some(request.map(|request| Post { sid: sid.unwrap_or_default(), request }))
    }

    /// A request as an account's would be that Twilio posts to an address.
    pub fn signed(&self, account: &str, url: &str, form: &[(&str, &str)]) -> Option<Request<Bytes>> {
        self.lock().signed(account, url, &owned_pairs(form))
    }
}

impl State {
    /// Plans what is said of a text that was taken, where it has an address for that.
    pub(super) fn tell(&mut self, sid: &str, now: Timestamp) {
        let Some(text) = self.texts.iter().find(|text| text.sid == sid).cloned() else { return };
        let Some(url) = text.status_url else { return };
        let code = self.faults.undelivered.get(&text.to).copied();
        let ends = match code {
            Some(code) if (30_003..=30_007).contains(&code) => "undelivered",
            Some(_) => "failed",
            None => "delivered",
        };
        let mut planned = vec![(TAKEN, "sent"), (DELIVERED, ends)];
        if ends == "failed" {
            planned.remove(0);
        }
        for (after, status) in planned {
            let code = code.filter(|_| status == ends).map(|code| code.to_string());
            let mut form = vec![
                ("SmsSid", text.sid.as_str()),
                ("SmsStatus", status),
                ("MessageStatus", status),
                ("To", &text.to),
                ("MessageSid", &text.sid),
                ("AccountSid", &text.account),
                ("From", &text.from),
                ("ApiVersion", "2010-04-01"),
            ];
            form.extend(code.as_deref().map(|code| ("ErrorCode", code)));
            let word = Word { account: text.account.clone(), url: url.clone(), form: owned_pairs(&form) };
            self.agenda.enter(now + after, word);
        }
    }

    fn signed(&self, account: &str, url: &str, form: &[(String, String)]) -> Option<Request<Bytes>> {
        let account = self.accounts.get(account)?;
        let mut sorted = form.to_vec();
        sorted.sort();
        sorted.dedup();
        let text: String = std::iter::once(url.to_owned())
            .chain(sorted.into_iter().flat_map(|(name, value)| [name, value]))
            .collect();
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, account.auth_token.as_bytes());
        let signature = STANDARD.encode(hmac::sign(&key, text.as_bytes()));
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let path = url.split_once("://")?.1.split_once('/')?.1;
        let mut request = Request::new(Bytes::from(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = format!("/{path}").parse().ok()?;
        let headers = request.headers_mut();
        headers.insert("x-twilio-signature", HeaderValue::from_str(&signature).ok()?);
        let form = HeaderValue::from_static("application/x-www-form-urlencoded; charset=UTF-8");
        headers.insert(header::CONTENT_TYPE, form);
        Some(request)
    }
}

fn owned_pairs(form: &[(&str, &str)]) -> Vec<(String, String)> {
    form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
