//! How many seconds of a call may go unpaid, by what went wrong. `docs/limits.md` states these numbers, and the simulation fails
//! above them.

use std::fmt;

/// How far two runs of a schedule of one minute may lie apart, in seconds: each comes within the minute that it is due in.
pub const MINUTELY_SECS: u32 = 119;
/// How late a look at a live call must be before reconciliation takes it for lost, in seconds: the meter's own message is on its way
/// until then.
pub const LOST_AFTER_SECS: u32 = 15;
/// How many runs of reconciliation, one after another, may fail or die before a call's look succeeds.
const RUNS_THAT_FAIL: u32 = 2;
/// How far two functions' clocks may differ, in seconds.
pub const SKEW_SECS: u32 = 480;
/// How long Vapi may take the end of calls and ignore it, in seconds.
pub const IGNORED_SECS: u32 = 900;
/// How long a call from a web page may last, by its own limit at Vapi, in seconds.
pub const WEB_LIMIT_SECS: u32 = 600;

/// Why seconds were talked that nothing paid for. Of several reasons, the last of these counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Nothing went wrong.
    Nothing,
    /// Something of ours was lost, late, failing, or died, or a vendor did not answer.
    Faults,
    /// Money went back to the card while the call was on.
    MoneyTaken,
    /// Vapi took the end of the call and did nothing.
    EndIgnored,
    /// The functions' clocks differ.
    Skew,
    /// It came from a web page: we were not asked before it began.
    Web,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Nothing, Self::Faults, Self::MoneyTaken, Self::EndIgnored, Self::Skew, Self::Web];

    /// The most seconds of one call that go unpaid for this cause.
    pub const fn most_secs(self) -> u32 {
        const FOUND: u32 = MINUTELY_SECS + LOST_AFTER_SECS;
        const FAULTS: u32 = FOUND + RUNS_THAT_FAIL * MINUTELY_SECS;
        match self {
            Self::Nothing => 0,
            // A call whose money is gone is ended at once, unless the look that is to end it is lost.
            Self::Faults | Self::MoneyTaken => FAULTS,
            Self::EndIgnored => IGNORED_SECS + FAULTS,
            Self::Skew => SKEW_SECS + FAULTS,
            Self::Web => WEB_LIMIT_SECS,
        }
    }
}

/// In the words of `docs/limits.md`.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Nothing => "nothing",
            Self::Faults => "losses, delays, failures and crashes",
            Self::MoneyTaken => "a refund or a dispute under the running call",
            Self::EndIgnored => "Vapi takes the end of the call and ignores it",
            Self::Skew => "the functions' clocks differ",
            Self::Web => "a web call, which asks nobody",
        })
    }
}
