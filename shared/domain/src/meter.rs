//! What the meter does next with a live call: a pure function of the record, the wallet and the time.

use jiff::{SignedDuration, Timestamp};

use super::{
    call::{Call, State},
    hold::END_MARGIN_SECS,
    time::plus_secs,
    wallet::{Extension, Wallet},
};

/// How many seconds after a call was first heard of its first check comes.
pub const FIRST_CHECK_SECS: i64 = 60;
/// How many seconds before the money ends the hold is extended: one failed delivery of the message (60 s)
/// still precedes the end.
pub const EXTEND_LEAD_SECS: i64 = 75;
/// How many seconds before the money ends the parties are warned.
pub const WARN_LEAD_SECS: i64 = 30;
/// The longest that a live call goes without a check, in seconds, so that a lost end is found within two
/// minutes.
pub const LONGEST_SLEEP_SECS: i64 = 90;
/// How many seconds after a reported end the end-of-call report is waited for.
pub const REPORT_WAIT_SECS: i64 = 30;
/// How many seconds after the provider limit a call must have ended by itself.
const PROVIDER_GRACE_SECS: i64 = 5;
/// The queue's delays are whole seconds, so what is due within one second is due now.
const SLACK: SignedDuration = SignedDuration::from_secs(1);

/// What the meter does next with a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: the call is over.
    Nothing,
    /// Check the call again later.
    Sleep {
        /// When the next check comes.
        until: Timestamp,
    },
    /// Ask Vapi for its record of the call.
    Ask,
    /// Set more money aside for the call.
    Extend(Extension),
    /// Warn the parties that the call will end, and check it again then.
    Warn {
        /// When the money ends.
        paid_until: Timestamp,
        /// When the next check comes.
        until: Timestamp,
    },
    /// End the call now, for this reason.
    End(EndReason),
}

/// Why we end a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The money set aside is used up, and there is none to add.
    HoldUsedUp,
    /// The wallet's balance is zero or below.
    NoMoney,
    /// The call talks without a hold.
    NotAuthorized,
    /// The call is past the limit that Vapi was given.
    PastProviderLimit,
    /// The call was told to end before, and goes on.
    StillGoing,
    /// Somebody of the clinic asked for it.
    Asked,
}

impl EndReason {
    /// Returns a stable word for logs and alarms.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HoldUsedUp => "hold_used_up",
            Self::NoMoney => "no_money",
            Self::NotAuthorized => "not_authorized",
            Self::PastProviderLimit => "past_provider_limit",
            Self::StillGoing => "still_going",
            Self::Asked => "asked",
        }
    }
}

/// Returns what is due for `call` at `now`.
pub fn next(call: &Call, wallet: &Wallet, now: Timestamp) -> Next {
    let due = |at: Timestamp| now.saturating_add(SLACK).is_ok_and(|soon| soon > at);
    match &call.state {
        State::Settled(_) | State::Released | State::Refused { .. } => Next::Nothing,
        State::Authorizing | State::Authorized if due(plus_secs(call.created_at, FIRST_CHECK_SECS)) => {
            Next::Ask
        }
        State::Authorizing | State::Authorized => {
            Next::Sleep { until: plus_secs(call.created_at, FIRST_CHECK_SECS) }
        }
        State::Ended { .. } if due(call.due_at) => Next::Ask,
        State::Ended { .. } => Next::Sleep { until: call.due_at },
        State::InProgress { started_at } => next_of_live(call, *started_at, wallet, now, due),
    }
}

fn next_of_live(
    call: &Call,
    started_at: Timestamp,
    wallet: &Wallet,
    now: Timestamp,
    due: impl Fn(Timestamp) -> bool,
) -> Next {
    let Some(hold) = wallet.holds.get(&call.call_id) else { return Next::End(EndReason::NotAuthorized) };
    if !wallet.balance().is_positive() {
        return Next::End(EndReason::NoMoney);
    }
    if call.end_asked {
        return Next::End(EndReason::Asked);
    }
    let end_at = plus_secs(hold.paid_until(started_at), i64::from(END_MARGIN_SECS).saturating_neg());
    if call.ending_at.is_some() {
        // A top-up that comes between two tries to end the call lets it go on: by an extension, or by the
        // time that is paid already.
        let extension = wallet.extension(hold);
        let is_paid = !extension.amount.is_zero() || !due(end_at);
        let is_saved = is_paid && !due(hold.provider_end(started_at));
        return if is_saved { Next::Extend(extension) } else { Next::End(EndReason::StillGoing) };
    }
    let sleep = |until: Timestamp| Next::Sleep { until: until.min(plus_secs(now, LONGEST_SLEEP_SECS)) };
    let paid_until = hold.paid_until(started_at);
    if hold.amount >= hold.most() {
        let over = plus_secs(hold.provider_end(started_at), PROVIDER_GRACE_SECS);
        return if due(over) { Next::End(EndReason::PastProviderLimit) } else { sleep(over) };
    }
    let extend_at = plus_secs(paid_until, EXTEND_LEAD_SECS.saturating_neg());
    if !due(extend_at) {
        return sleep(extend_at);
    }
    let extension = wallet.extension(hold);
    if !extension.amount.is_zero() {
        return Next::Extend(extension);
    }
    let warn_at = plus_secs(paid_until, WARN_LEAD_SECS.saturating_neg());
    if due(end_at) {
        Next::End(EndReason::HoldUsedUp)
    } else if !due(warn_at) {
        sleep(warn_at)
    } else if call.warned_for == Some(paid_until) {
        sleep(end_at)
    } else {
        Next::Warn { paid_until, until: end_at }
    }
}

/// What is due for a call that does not end when told to. Vapi is told again at every rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rung {
    /// Whether the carrier is told too, which hangs up whatever Vapi does.
    pub carrier: bool,
    /// Whether an alarm tells the operator what the call costs by now.
    pub alarms: bool,
    /// How many seconds later the next check comes.
    pub next_check_secs: i64,
}

/// Returns the rung that is due at `now` for a call that we have been ending since `ending_at`: at once, at
/// 3, 8 and 15 seconds, then every 15. From 8 seconds on the carrier is told too, from 15 on there is an
/// alarm.
pub fn rung(ending_at: Timestamp, now: Timestamp) -> Rung {
    match now.duration_since(ending_at).as_secs() {
        ..3 => Rung { carrier: false, alarms: false, next_check_secs: 3 },
        3..8 => Rung { carrier: false, alarms: false, next_check_secs: 5 },
        8..15 => Rung { carrier: true, alarms: false, next_check_secs: 7 },
        _ => Rung { carrier: true, alarms: true, next_check_secs: 15 },
    }
}
