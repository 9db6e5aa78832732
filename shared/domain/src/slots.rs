//! The calls that the one account at Vapi has at a time, which all orgs share: who has a slot, and whether another call may
//! have one. Slots are leases that lapse by themselves: there is no counter that could drift.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    call::Direction,
    ids::{CallId, OrgId},
    time::plus_secs,
};

/// How long after its provider limit a call's lease still lasts, in seconds: it rings before that limit begins.
const RINGING_SECS: i64 = 120;

/// What stands for a telephone number or a line where it is only to be told whether two are the same: a keyed hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mark(String);

impl Mark {
    /// Wraps a keyed hash, as text.
    pub const fn new(hash: String) -> Self {
        Self(hash)
    }
}

/// One call's slot, as long as the call can last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The org that pays for the call.
    pub org_id: OrgId,
    /// The call.
    pub call_id: CallId,
    /// Which party rang the other.
    pub direction: Direction,
    /// Who rang a clinic; those who withhold their number are one caller for each number that is dialled. Absent for a
    /// call that a clinic begins, and for one from a web page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<Mark>,
    /// The number that was dialled: a clinic's, or the person's that a clinic rings. For a call from a web page it is the
    /// assistant. Absent where Vapi names neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialled: Option<Mark>,
    /// When the call is surely over, and the lease counts no more.
    #[serde(with = "super::time::millis")]
    pub until: Timestamp,
}

impl Lease {
    /// Returns until when a call keeps its slot that is authorized at `now`, if nothing is heard of its end.
    pub fn lapses_at(now: Timestamp, provider_limit_secs: u32) -> Timestamp {
        plus_secs(now, i64::from(provider_limit_secs).saturating_add(RINGING_SECS))
    }

    fn is_of(&self, org: OrgId, call: &CallId) -> bool {
        self.org_id == org && self.call_id == *call
    }
}

/// How many calls there may be at a time, across all orgs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many the account at Vapi has in all.
    pub slots: u32,
    /// How many of them no call that a clinic begins may take: they are kept for those who ring a clinic.
    pub for_inbound: u32,
    /// How many one org may have.
    pub per_org: u32,
    /// How many one caller may have, to whichever clinics.
    pub per_caller: u32,
    /// How many may be to one number.
    pub per_number: u32,
}

/// Why a call may not have a slot now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Full {
    /// Its caller has as many calls as one caller may have.
    Caller,
    /// There are as many calls to its number as there may be to one.
    Number,
    /// Its org has as many calls as one org may have.
    Org,
    /// A clinic would begin it, and the slots that are left are kept for those who ring a clinic.
    KeptForInbound,
    /// Every slot is taken.
    Slots,
}

impl Full {
    /// Returns the name of the limit, as the log has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Number => "number",
            Self::Org => "org",
            Self::KeptForInbound => "kept_for_inbound",
            Self::Slots => "slots",
        }
    }
}

/// Decides whether the call of `request` may have a slot beside those that have `leases` at `now`.
///
/// Leases that have lapsed do not count, nor does one that this call has already: what was let in stays in.
///
/// # Errors
/// The first limit that would be exceeded, from the narrowest to the widest.
pub fn admit(leases: &[Lease], request: &Lease, limits: &Limits, now: Timestamp) -> Result<(), Full> {
    let is_own = |lease: &&Lease| lease.is_of(request.org_id, &request.call_id);
    let live = || leases.iter().filter(|lease| lease.until > now);
    if live().any(|lease| is_own(&lease)) {
        return Ok(());
    }
    let count = |counts: &dyn Fn(&Lease) -> bool| {
        u32::try_from(live().filter(|lease| counts(lease)).count()).unwrap_or(u32::MAX)
    };
    let is_same = |one: &Option<Mark>, other: &Option<Mark>| one.is_some() && one == other;
    let taken = count(&|_| true);
    let is_outbound = request.direction == Direction::Outbound;
    if count(&|lease| is_same(&lease.caller, &request.caller)) >= limits.per_caller {
        Err(Full::Caller)
    } else if count(&|lease| is_same(&lease.dialled, &request.dialled)) >= limits.per_number {
        Err(Full::Number)
    } else if count(&|lease| lease.org_id == request.org_id) >= limits.per_org {
        Err(Full::Org)
    } else if taken >= limits.slots {
        Err(Full::Slots)
    } else if is_outbound && taken.saturating_add(limits.for_inbound) >= limits.slots {
        Err(Full::KeptForInbound)
    } else {
        Ok(())
    }
}

/// The slots that are taken, as the store holds them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slots {
    /// Raised by every write, which names the version that it read; 0 before the first.
    pub version: u64,
    /// Whose they are, in the order in which they were taken; some may have lapsed.
    pub leases: Vec<Lease>,
}

impl Slots {
    /// Returns the slots once `lease` is one of them, without those that have lapsed at `now`; none when its call has one
    /// already.
    ///
    /// # Errors
    /// As [`admit`].
    pub fn with(&self, lease: &Lease, limits: &Limits, now: Timestamp) -> Result<Option<Self>, Full> {
        admit(&self.leases, lease, limits, now)?;
        let live = self.live(now);
        if live.iter().any(|there| there.is_of(lease.org_id, &lease.call_id)) {
            return Ok(None);
        }
        let leases = live.into_iter().chain([lease.clone()]).collect();
        Ok(Some(Self { version: self.version, leases }))
    }

    /// Returns the slots without those that `is_over` of, and without those that have lapsed at `now`; none when all stay.
    pub fn without(&self, now: Timestamp, is_over: impl Fn(&Lease) -> bool) -> Option<Self> {
        let mut leases = self.live(now);
        leases.retain(|lease| !is_over(lease));
        (leases.len() < self.leases.len()).then_some(Self { version: self.version, leases })
    }

    /// Returns the slots without that of one call, likewise.
    pub fn without_call(&self, org: OrgId, call: &CallId, now: Timestamp) -> Option<Self> {
        self.without(now, |lease| lease.is_of(org, call))
    }

    fn live(&self, now: Timestamp) -> Vec<Lease> {
        self.leases.iter().filter(|lease| lease.until > now).cloned().collect()
    }
}

#[cfg(test)]
mod tests;
