//! What one source says about how long a call lasted, and what follows from it for the bill.

use jiff::Timestamp;
use rust_decimal::{Decimal, dec, prelude::ToPrimitive};

use super::ending::{Ending, Price};

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
    /// What those words mean; absent when no reason is given.
    pub ending: Option<Ending>,
    /// When Vapi made the call, by Vapi's clock. Only its own record says so.
    pub created_at: Option<Timestamp>,
    /// Whether the source is Vapi's own record of the call, read by our key. There, a missing start means that
    /// the parties never talked; a report may just leave it out.
    pub is_record: bool,
}

/// What follows from a testimony for the bill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The parties talked, so the call is billed, as far as our own records can confirm it.
    Talked(Talk),
    /// No assistant of ours ever talked, so nothing is charged.
    NeverTalked,
    /// They talked and nothing is charged: less than a millisecond, or the vendor broke the call.
    Free,
    /// This source does not say, so another must be asked.
    Unstated,
}

/// A talk, as a source states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Talk {
    /// How long it was, in whole seconds, rounded up.
    pub duration_secs: u32,
    /// When it started, if the source states it.
    pub started_at: Option<Timestamp>,
    /// When it stopped, if the source states it.
    pub ended_at: Option<Timestamp>,
}

/// Seconds that no call can reach (Vapi ends a call at 43,200 s): a source that says more says nothing.
const LONGEST_CREDIBLE_SECS: i64 = 86_400;

impl Testimony {
    /// Returns what follows from this source, given whether we have seen the call start.
    ///
    /// The reason of the end comes first: a call that the vendor broke is free, and one that its reason says was
    /// not answered is charged only if we saw the parties talk. Then both times, then the stated duration.
    /// Without any, nothing is charged only when the source says that there was no start and we never saw one.
    pub fn verdict(&self, seen_started: bool) -> Verdict {
        match self.ending.map(|ending| ending.price) {
            Some(Price::Waived) => return if seen_started { Verdict::Free } else { Verdict::NeverTalked },
            Some(Price::IfSeenTalking) if !seen_started => return Verdict::NeverTalked,
            Some(Price::IfSeenTalking | Price::Charged) | None => {}
        }
        if let Some(duration_secs) = self.stated_secs() {
            let talk = Talk { duration_secs, started_at: self.started_at, ended_at: self.ended_at };
            return match (duration_secs, seen_started) {
                (0, true) => Verdict::Free,
                (0, false) => Verdict::NeverTalked,
                _ => Verdict::Talked(talk),
            };
        }
        let says_never_talked = self.is_record || self.duration_secs.is_some_and(|secs| secs.is_zero());
        if says_never_talked && self.started_at.is_none() && !seen_started {
            return Verdict::NeverTalked;
        }
        Verdict::Unstated
    }

    /// Returns how long the source says that the parties talked, in whole seconds, rounded up: by both times,
    /// else by the stated duration, of which zero counts as not stated.
    pub fn stated_secs(&self) -> Option<u32> {
        let by_times = self.started_at.zip(self.ended_at).and_then(|(start, end)| {
            let millis = Decimal::from(end.as_millisecond().checked_sub(start.as_millisecond())?);
            credible(millis / dec!(1000))
        });
        by_times.or_else(|| self.duration_secs.and_then(credible).filter(|secs| *secs > 0))
    }
}

fn credible(secs: Decimal) -> Option<u32> {
    let whole = secs.ceil();
    let whole = whole.to_i64().filter(|secs| (0..=LONGEST_CREDIBLE_SECS).contains(secs))?;
    if secs.is_sign_negative() && !secs.is_zero() { None } else { u32::try_from(whole).ok() }
}
