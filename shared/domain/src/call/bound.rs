//! How long a call can have been by our own records: a vendor's word is believed up to that, and no further.
//!
//! Lengths are compared, never instants: the vendor's clock need not agree with ours.

use jiff::{SignedDuration, Timestamp};

use super::{Call, Talk};
use crate::{amount::Amount, tariff::Tariff};

/// How far our clock and a message may be apart, in seconds, for a call that we were asked about or started.
const SKEW_SECS: u32 = 5;
/// The same for a call that began without us, whose beginning the vendor's clock states.
const UNASKED_SKEW_SECS: u32 = 30;
/// How long after the limit that Vapi was told a call may go on, in seconds, until Vapi has ended it.
const LIMIT_GRACE_SECS: u32 = 20;

/// A stated talk, weighed against our own records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weighed {
    /// The seconds that our records can confirm: they are billed at once.
    pub believed_secs: u32,
    /// The seconds that the source states.
    pub stated_secs: u32,
}

impl Weighed {
    /// Returns the price of what is stated beyond what can be believed: a person decides about it.
    pub fn doubtful(&self, tariff: &Tariff) -> Amount {
        tariff.charge(self.stated_secs).minus_or_zero(tariff.charge(self.believed_secs))
    }

    /// Returns whether all that is stated is believed.
    pub const fn is_confirmed(&self) -> bool {
        self.believed_secs == self.stated_secs
    }
}

impl Call {
    /// Returns a stated talk with the part of it that our own records can confirm, for a call whose end was
    /// first heard of at `end_heard_at`.
    pub fn weighed(&self, talk: &Talk, end_heard_at: Timestamp) -> Weighed {
        let believed_secs = talk.duration_secs.min(self.most_secs(end_heard_at));
        Weighed { believed_secs, stated_secs: talk.duration_secs }
    }

    /// Returns whether our records, or Vapi's own record of the call, say when it began.
    pub fn is_beginning_known(&self) -> bool {
        self.dialled_at.is_some() || self.asked_at.is_some() || self.vendor_created_at.is_some()
    }

    /// Returns the most seconds that the parties can have talked until `end_heard_at`: since we were asked or
    /// dialled, else since Vapi made the call, else since the first message; and no longer than the limit that
    /// Vapi was told.
    fn most_secs(&self, end_heard_at: Timestamp) -> u32 {
        let (since, skew) = match (self.dialled_at.or(self.asked_at), self.vendor_created_at) {
            (Some(at), _) => (at, SKEW_SECS),
            (None, Some(at)) => (at, UNASKED_SKEW_SECS),
            (None, None) => (self.created_at, UNASKED_SKEW_SECS),
        };
        let seen = whole_seconds(end_heard_at.duration_since(since)).saturating_add(skew);
        let told = self.told_limit_secs().map_or(u32::MAX, |limit| limit.saturating_add(LIMIT_GRACE_SECS));
        seen.min(told)
    }

    /// Returns the limit that Vapi was told, in seconds. A call that began without us was told none.
    pub fn told_limit_secs(&self) -> Option<u32> {
        let is_told = self.dialled_at.is_some() || self.asked_at.is_some();
        self.provider_limit_secs.filter(|_| is_told)
    }
}

/// Returns whole seconds, rounded up; none when it is less than nothing.
pub fn whole_seconds(duration: SignedDuration) -> u32 {
    let millis = u64::try_from(duration.as_millis()).unwrap_or_default();
    u32::try_from(millis.div_ceil(1_000)).unwrap_or(u32::MAX)
}
