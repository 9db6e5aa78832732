//! How often those at one address may try to sign in, and go on with their sessions. The issuer counts, too, but by the address that it sees, which is ours: one
//! who guesses would use up what all others have.

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use web::problem::Problem;

/// How many tries an address has, within [`WITHIN`]: as many as the issuer gives one (`GOTRUE_RATE_LIMIT_VERIFY`).
const MOST: usize = 30;
/// How often those at an address may go on with their sessions: a clinic's people are behind one.
const MOST_OF_SESSIONS: usize = 120;
/// How long a try counts.
const WITHIN: SignedDuration = SignedDuration::from_mins(5);
/// How many addresses are remembered.
const REMEMBERED: usize = 10_000;

/// The tries of the last minutes, by where they came from. They are this process's own: a container of the function remembers what
/// it saw, and the route's throttle bounds how many containers there are.
#[derive(Debug)]
pub struct Throttle {
    most: usize,
    tries: Mutex<BTreeMap<String, VecDeque<Timestamp>>>,
}

impl Throttle {
    /// Returns what counts tries to sign in.
    pub fn of_sign_ins() -> Self {
        Self { most: MOST, tries: Mutex::default() }
    }

    /// Returns what counts how often sessions are gone on with, and ended.
    pub fn of_sessions() -> Self {
        Self { most: MOST_OF_SESSIONS, tries: Mutex::default() }
    }

    /// Counts a try from an address, if it has one left.
    ///
    /// # Errors
    /// A problem that says when to try again.
    pub fn admit(&self, source: Option<&str>, now: Timestamp) -> Result<(), Problem> {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        let since = now - WITHIN;
        if tries.len() >= REMEMBERED {
            tries.retain(|_, tries| tries.back().is_some_and(|last| *last > since));
        }
        if tries.len() >= REMEMBERED {
            // So many at once are no people. What is forgotten here the issuer still counts.
            tries.clear();
        }
        let tries = tries.entry(neighbourhood(source.unwrap_or_default())).or_default();
        while tries.front().is_some_and(|at| *at <= since) {
            tries.pop_front();
        }
        match tries.front() {
            Some(first) if tries.len() >= self.most => Err(Problem::too_often(first.duration_since(since))),
            Some(_) | None => {
                tries.push_back(now);
                Ok(())
            }
        }
    }
}

/// What one customer of a provider has: an address of IPv4, or the half of one of IPv6 that its network chooses (RFC 6177).
fn neighbourhood(source: &str) -> String {
    match source.parse() {
        Ok(IpAddr::V6(address)) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}")
        }
        Ok(IpAddr::V4(_)) | Err(_) => source.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_thirty_tries_in_five_minutes_and_others_have_theirs() {
        let (throttle, start) = (Throttle::of_sign_ins(), Timestamp::UNIX_EPOCH);
        let is_let_in = |source: &str, secs| {
            throttle.admit(Some(source), start + SignedDuration::from_secs(secs)).is_ok()
        };
        for secs in 0..30 {
            assert!(is_let_in("192.0.2.1", secs), "{secs}");
        }
        assert!(!is_let_in("192.0.2.1", 30) && is_let_in("192.0.2.2", 30));
        // The first was at 0.
        assert!(!is_let_in("192.0.2.1", 299) && is_let_in("192.0.2.1", 300) && !is_let_in("192.0.2.1", 300));
        for nth in 0..30 {
            assert!(is_let_in(&format!("2001:db8::{nth:x}"), 0), "{nth}");
        }
        assert!(!is_let_in("2001:db8::ffff:1", 0) && is_let_in("2001:db8:0:1::1", 0));
        assert!(throttle.admit(None, start).is_ok());
    }

    #[test]
    fn what_is_remembered_has_an_end() {
        let (throttle, start) = (Throttle::of_sign_ins(), Timestamp::UNIX_EPOCH);
        for nth in 0..REMEMBERED.saturating_mul(2) {
            throttle.admit(Some(&nth.to_string()), start).unwrap();
        }
        assert!(throttle.tries.lock().unwrap().len() <= REMEMBERED);
    }
}
