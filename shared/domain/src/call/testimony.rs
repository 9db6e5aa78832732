//! What one source says about how long a call lasted, and what follows from it for the bill.

use jiff::Timestamp;
use rust_decimal::{Decimal, dec, prelude::ToPrimitive};

/// What one source says about how long a call lasted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Testimony {
    /// When the parties started to talk, if the source states it.
    pub started_at: Option<Timestamp>,
    /// When the parties stopped, if the source states it.
    pub ended_at: Option<Timestamp>,
    /// How long the parties talked, in seconds, which may be fractional; absent when it is not stated.
    pub duration_secs: Option<Decimal>,
    /// Why the call ended, in Vapi's words.
    pub ended_reason: Option<String>,
    /// Whether a missing start means that the parties never talked. A report may just leave it out; Vapi's
    /// own record of an ended call does not.
    pub is_whole: bool,
}

/// What follows from a testimony for the bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The parties talked, so the call is billed.
    Talked {
        /// How long they talked, in whole seconds, rounded up.
        duration_secs: u32,
        /// When they started, if the source states it.
        started_at: Option<Timestamp>,
        /// When they stopped, if the source states it.
        ended_at: Option<Timestamp>,
    },
    /// No assistant of ours ever talked, so nothing is charged.
    NeverTalked,
    /// This source does not say, so another must be asked.
    Unstated,
}

/// Seconds that no call can reach (Vapi ends a call at 43,200 s): a source that says more is not believed.
const LONGEST_CREDIBLE_SECS: i64 = 86_400;

impl Testimony {
    /// Returns what follows from this source, given whether we have seen the call start.
    ///
    /// Both times come first, then the stated duration. Nothing is charged only when the source says that
    /// there was no start and we never saw one, or when our own answer to Vapi (a refusal, or none) ended the
    /// call.
    pub fn verdict(&self, seen_started: bool) -> Verdict {
        if !seen_started
            && self.ended_reason.as_deref().is_some_and(|why| why.starts_with("assistant-request-"))
        {
            return Verdict::NeverTalked;
        }
        let by_times = self.started_at.zip(self.ended_at).and_then(|(start, end)| {
            let millis = Decimal::from(end.as_millisecond().checked_sub(start.as_millisecond())?);
            credible(millis / dec!(1000))
        });
        // A stated duration of zero is believed only of a call that was not seen to start.
        let by_duration = || self.duration_secs.and_then(credible).filter(|secs| *secs > 0);
        if let Some(duration_secs) = by_times.or_else(by_duration) {
            return Verdict::Talked { duration_secs, started_at: self.started_at, ended_at: self.ended_at };
        }
        let says_nobody_talked = self.is_whole || self.duration_secs.is_some_and(|secs| secs.is_zero());
        if says_nobody_talked && self.started_at.is_none() && !seen_started {
            return Verdict::NeverTalked;
        }
        Verdict::Unstated
    }
}

fn credible(secs: Decimal) -> Option<u32> {
    let whole = secs.ceil();
    let whole = whole.to_i64().filter(|secs| (0..=LONGEST_CREDIBLE_SECS).contains(secs))?;
    if secs.is_sign_negative() && !secs.is_zero() { None } else { u32::try_from(whole).ok() }
}
