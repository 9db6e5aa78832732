//! What the end of a call means: to the clinic, for the bill, and for the account that all calls share.

/// What the reason of a call's end says. The words are the vendor's; what they mean is listed where the vendor
/// is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// What the clinic is shown.
    pub outcome: Outcome,
    /// Whether talk on the call costs anything.
    pub price: Price,
    /// The trouble of our own account at the vendor that ended the call, if that did.
    pub upstream: Option<Upstream>,
}

/// What became of a call, as the clinic is shown it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The parties talked, and one of them, or a limit, ended it.
    Completed,
    /// The parties never talked: one did not answer, was busy, or hung up before.
    Missed,
    /// Something broke.
    Failed,
    /// The assistant put the caller through.
    Transferred,
}

/// Whether talk on a call costs anything, by the reason of its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Price {
    /// All talk is charged.
    Charged,
    /// The reason says that the parties never talked: charged only if we saw them talk.
    IfSeenTalking,
    /// The vendor broke the call: the clinic does not pay for it.
    Waived,
}

/// Trouble of our own account at the vendor. It ends every clinic's calls, not one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// The account has no credit left.
    NoCredit,
    /// The account has no slot left for another call at once.
    NoSlot,
    /// The vendor has stopped the account.
    Stopped,
}

impl Upstream {
    /// Returns a stable word for logs and alarms.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoCredit => "no_credit",
            Self::NoSlot => "no_slot",
            Self::Stopped => "stopped",
        }
    }
}

impl Ending {
    /// Returns the ending of a call that a party, or a limit, ended.
    pub const fn ordinary() -> Self {
        Self { outcome: Outcome::Completed, price: Price::Charged, upstream: None }
    }
}
