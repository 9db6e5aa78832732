//! Bugs that can be switched on at run time, to show that the simulation finds them, and a second tariff. Without the feature
//! `planted`, which only the simulation's build has, none of them is ever on.

#[cfg(feature = "planted")]
use std::cell::Cell;

#[cfg(feature = "planted")]
use jiff::Timestamp;

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// An event of Stripe's is taken for done by its record, which is written before its effect.
    MarkerBeforeEffect,
    /// A hold is given back while its call goes on.
    ReleaseUnderLiveCall,
    /// The price of a number is given back before it is known to be gone.
    RefundBeforeAbsence,
    /// Seconds are rounded down.
    RoundsDown,
    /// The caller's number is logged.
    LogsTheCaller,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::MarkerBeforeEffect,
        Self::ReleaseUnderLiveCall,
        Self::RefundBeforeAbsence,
        Self::RoundsDown,
        Self::LogsTheCaller,
    ];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MarkerBeforeEffect => "marker_before_effect",
            Self::ReleaseUnderLiveCall => "release_under_live_call",
            Self::RefundBeforeAbsence => "refund_before_absence",
            Self::RoundsDown => "rounds_down",
            Self::LogsTheCaller => "logs_the_caller",
        }
    }

    /// Where it is.
    pub const fn place(self) -> &'static str {
        match self {
            Self::MarkerBeforeEffect => "payments::events: take",
            Self::ReleaseUnderLiveCall => "charging::meter: look",
            Self::RefundBeforeAbsence => "provisioning::undo: undo",
            Self::RoundsDown => "domain::call: credible",
            Self::LogsTheCaller => "charging::authorize: authorize",
        }
    }
}

/// Whether this bug is planted: never, in this build.
#[cfg(not(feature = "planted"))]
pub const fn is(_: Bug) -> bool {
    false
}

#[cfg(feature = "planted")]
thread_local! {
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    static TARIFF_CHANGE_AT: Cell<Option<Timestamp>> = const { Cell::new(None) };
}

/// Plants a bug in what this thread runs, or takes it out.
#[cfg(feature = "planted")]
pub fn set(bug: Option<Bug>) {
    PLANTED.set(bug);
}

/// Whether this bug is planted.
#[cfg(feature = "planted")]
pub fn is(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

/// Puts a second tariff in force from `at` on, for what this thread runs.
#[cfg(feature = "planted")]
pub fn set_tariff_change_at(at: Option<Timestamp>) {
    TARIFF_CHANGE_AT.set(at);
}

/// From when the second tariff is in force, if it ever is.
#[cfg(feature = "planted")]
pub fn tariff_change_at() -> Option<Timestamp> {
    TARIFF_CHANGE_AT.get()
}
