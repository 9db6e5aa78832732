//! One conversation, from the first ring to the bill: its states, and which event moves it where.

use jiff::Timestamp;
use rust_decimal::{Decimal, dec, prelude::ToPrimitive};
use serde::{Deserialize, Serialize};

use super::{
    amount::Amount,
    ids::{CallId, OrgId, VapiAssistantId, VapiCallId, VapiPhoneId},
    personal::{Number, Personal},
    phone_number::PhoneNumber,
    tariff::{Tariff, TariffVersion},
    wallet::Grant,
};

/// Who rang whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// A caller rang the clinic, by phone or from a web page.
    Inbound,
    /// The clinic's agent rang a person.
    Outbound,
}

impl Direction {
    /// Both, in the order they are shown.
    pub const ALL: [Self; 2] = [Self::Inbound, Self::Outbound];

    /// The direction of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|direction| direction.as_str() == name)
    }

    /// As it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// Who is talking to whom, as the first message about the call says. None of it moves money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parties {
    /// Who rang whom.
    pub direction: Direction,
    /// The call as Vapi names it; none for a call of ours that Vapi has not given a name yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vapi_call_id: Option<VapiCallId>,
    /// Our number, as Vapi names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vapi_phone_id: Option<VapiPhoneId>,
    /// The assistant that talks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vapi_assistant_id: Option<VapiAssistantId>,
    /// The other side's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_number: Option<Personal<PhoneNumber, Number>>,
    /// The carrier's handle of the call (Twilio's `CA…`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier_sid: Option<String>,
}

/// Why a call was not let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalReason {
    /// Less than one minute is available.
    InsufficientFunds,
    /// The books check stopped the wallet.
    WalletFrozen,
    /// The org has never had a wallet.
    NoWallet,
    /// No agent answers the number.
    NoAgent,
    /// Another org has this call.
    NotOurs,
    /// The call is over already.
    CallOver,
}

impl RefusalReason {
    /// As it is stored, logged and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InsufficientFunds => "insufficient_funds",
            Self::WalletFrozen => "wallet_frozen",
            Self::NoWallet => "no_wallet",
            Self::NoAgent => "no_agent",
            Self::NotOurs => "not_ours",
            Self::CallOver => "call_over",
        }
    }

    /// What the caller hears. It does not tell a stranger about the clinic's money.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::CallOver => "This call has already ended. Please ring again.",
            Self::InsufficientFunds | Self::WalletFrozen | Self::NoWallet | Self::NoAgent | Self::NotOurs => {
                "We're sorry, our phone assistant is not available at the moment. Please try again later."
            }
        }
    }
}

/// How far a call has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// It rings; no money is set aside yet.
    Authorizing,
    /// It rings; money is set aside.
    Authorized,
    /// They are talking.
    InProgress {
        /// Since when.
        #[serde(with = "super::time::millis")]
        started_at: Timestamp,
    },
    /// Vapi says it is over; for how long they talked is not known yet.
    Ended {
        /// Since when they talked, if they did.
        #[serde(default, with = "super::time::millis::option", skip_serializing_if = "Option::is_none")]
        started_at: Option<Timestamp>,
    },
    /// Billed.
    Settled(Bill),
    /// There was no talk: the hold went back, nothing was charged.
    Released,
    /// It was not let through.
    Refused {
        /// Why not.
        reason: RefusalReason,
    },
}

impl State {
    /// Its name, as it is stored.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Authorizing => "authorizing",
            Self::Authorized => "authorized",
            Self::InProgress { .. } => "in_progress",
            Self::Ended { .. } => "ended",
            Self::Settled(_) => "settled",
            Self::Released => "released",
            Self::Refused { .. } => "refused",
        }
    }
}

/// What a finished call cost, and on what evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bill {
    /// Whole seconds, rounded up.
    pub duration_secs: u32,
    /// The price of those seconds.
    pub charged: Amount,
    /// The prices it was billed by.
    pub tariff: TariffVersion,
    /// When they started to talk.
    #[serde(default, with = "super::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When they stopped.
    #[serde(default, with = "super::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Whether no vendor stated the duration, and ours stands in for it.
    #[serde(default)]
    pub estimated: bool,
}

/// The golden record of a call: everything about it that decides something. Its text is kept apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Whose call it is.
    pub org_id: OrgId,
    /// One id through hold, record and ledger.
    pub call_id: CallId,
    /// Who talks to whom.
    #[serde(flatten)]
    pub parties: Parties,
    /// How far it has come.
    #[serde(flatten)]
    pub state: State,
    /// Raised by every write; a write names the one it read.
    pub version: u64,
    /// When it was first heard of.
    #[serde(with = "super::time::millis")]
    pub created_at: Timestamp,
    /// When the meter, or else reconciliation, must check it again.
    #[serde(with = "super::time::millis")]
    pub due_at: Timestamp,
    /// When a vendor last gave a sign of it.
    #[serde(with = "super::time::millis")]
    pub last_seen_at: Timestamp,
    /// The longest its agent may talk, in seconds.
    pub agent_limit_secs: u32,
    /// What Vapi was told, once it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_limit_secs: Option<u32>,
    /// When Vapi was asked to start it, for a call of ours: written before it is asked, so that it is asked once.
    #[serde(default, with = "super::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub dialled_at: Option<Timestamp>,
    /// Where a live call takes commands. A holder of it can end the call: it is never logged nor shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_url: Option<String>,
    /// The `paid_until` that the callers have been warned of.
    #[serde(default, with = "super::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub warned_for: Option<Timestamp>,
    /// Since when we have been trying to end it.
    #[serde(default, with = "super::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub ending_at: Option<Timestamp>,
    /// Why it is over, in Vapi's words. Present once its end was heard of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_reason: Option<String>,
}

/// Something that was heard about a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Money was set aside.
    Authorized(Grant),
    /// It may not start, for this reason.
    Refused {
        /// Why not.
        reason: RefusalReason,
    },
    /// They talk.
    Started {
        /// Since when.
        at: Timestamp,
        /// Where it takes commands.
        control_url: Option<String>,
    },
    /// Vapi says it is over.
    Ended {
        /// Why, in Vapi's words.
        reason: Option<String>,
    },
    /// It was billed.
    Settled(Bill),
    /// It is over, and there was no talk.
    Released,
}

impl Event {
    const fn name(&self) -> &'static str {
        match self {
            Self::Authorized(_) => "authorized",
            Self::Refused { .. } => "refused",
            Self::Started { .. } => "started",
            Self::Ended { .. } => "ended",
            Self::Settled(_) => "settled",
            Self::Released => "released",
        }
    }
}

/// An event that cannot happen to a call in this state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a call that is {from} cannot be {event}")]
pub struct IllegalTransition {
    /// The call's state.
    pub from: &'static str,
    /// What was heard.
    pub event: &'static str,
}

impl Call {
    /// A call that has just been heard of.
    pub fn first_heard(
        org_id: OrgId,
        call_id: CallId,
        parties: Parties,
        agent_limit_secs: u32,
        at: Timestamp,
    ) -> Self {
        Self {
            org_id,
            call_id,
            parties,
            state: State::Authorizing,
            version: 0,
            created_at: at,
            due_at: at,
            last_seen_at: at,
            agent_limit_secs,
            provider_limit_secs: None,
            dialled_at: None,
            control_url: None,
            warned_for: None,
            ending_at: None,
            ended_reason: None,
        }
    }

    /// When they started to talk, if that is known.
    pub fn started_at(&self) -> Option<Timestamp> {
        match &self.state {
            State::InProgress { started_at } => Some(*started_at),
            State::Ended { started_at } => *started_at,
            State::Settled(bill) => bill.started_at,
            State::Authorizing | State::Authorized | State::Released | State::Refused { .. } => None,
        }
    }

    /// Whether the call may still be going on.
    pub const fn is_open(&self) -> bool {
        match self.state {
            State::Authorizing | State::Authorized | State::InProgress { .. } | State::Ended { .. } => true,
            State::Settled(_) | State::Released | State::Refused { .. } => false,
        }
    }

    /// The prices this call is billed by: its hold's, or those in force when it started.
    pub fn tariff(&self, held_under: Option<TariffVersion>) -> Tariff {
        held_under
            .map_or_else(|| Tariff::at(self.started_at().unwrap_or(self.created_at)), TariffVersion::tariff)
    }

    /// Moves the call by one event. Messages come twice, late and out of order, so an event that is behind the
    /// call's state changes nothing.
    ///
    /// # Errors
    /// When the event contradicts what is known: money for a call that is over, a release of one that talked.
    #[expect(clippy::match_same_arms, reason = "the arms are in the order of a call's life")]
    pub fn after(&self, event: Event) -> Result<Self, IllegalTransition> {
        let illegal = IllegalTransition { from: self.state.name(), event: event.name() };
        let mut next = self.clone();
        match (&self.state, event) {
            (State::Authorizing, Event::Authorized(grant)) => {
                next.state = State::Authorized;
                next.provider_limit_secs = Some(grant.provider_limit_secs);
            }
            // A call that came without asking (a web call) gets its hold while it is already talking.
            (State::InProgress { .. }, Event::Authorized(grant)) => {
                next.provider_limit_secs.get_or_insert(grant.provider_limit_secs);
            }
            (State::Authorizing, Event::Refused { reason }) => {
                next.state = State::Refused { reason };
            }
            (State::Authorized, Event::Authorized(_))
            | (State::Refused { .. }, Event::Refused { .. } | Event::Released) => {}
            (State::Refused { .. }, Event::Started { .. }) if self.ended_reason.is_some() => {}
            (
                State::Authorizing | State::Authorized | State::Refused { .. },
                Event::Started { at, control_url },
            ) => {
                next.state = State::InProgress { started_at: at };
                next.control_url = next.control_url.or(control_url);
            }
            (State::InProgress { .. }, Event::Started { control_url, .. }) => {
                next.control_url = next.control_url.or(control_url);
            }
            // It was given up without a word of its end, and rings after all: it is ended or paid like any other.
            (State::Released, Event::Started { at, control_url }) if self.ended_reason.is_none() => {
                next.state = State::InProgress { started_at: at };
                next.control_url = next.control_url.or(control_url);
            }
            // The start comes after the end: they did talk, and for how long is to be asked.
            (State::Ended { started_at: None } | State::Released, Event::Started { at, .. }) => {
                next.state = State::Ended { started_at: Some(at) };
            }
            (State::Ended { started_at: Some(_) } | State::Settled(_), Event::Started { .. }) => {}
            (State::Authorizing | State::Authorized | State::InProgress { .. }, Event::Ended { reason }) => {
                next.state = State::Ended { started_at: self.started_at() };
                next.ended_reason = Some(reason.unwrap_or_else(|| "unknown".to_owned()));
            }
            (
                State::Refused { .. } | State::Ended { .. } | State::Settled(_) | State::Released,
                Event::Ended { reason },
            ) => {
                next.ended_reason = next.ended_reason.or(reason).or(Some("unknown".to_owned()));
            }
            (State::Settled(_), Event::Settled(_) | Event::Released) => {}
            (_, Event::Settled(bill)) => next.state = State::Settled(bill),
            (
                State::Authorizing | State::Authorized | State::Ended { started_at: None } | State::Released,
                Event::Released,
            ) => next.state = State::Released,
            (
                State::InProgress { .. }
                | State::Ended { .. }
                | State::Settled(_)
                | State::Released
                | State::Refused { .. },
                Event::Authorized(_) | Event::Refused { .. } | Event::Released,
            )
            | (State::Authorized, Event::Refused { .. }) => return Err(illegal),
        }
        Ok(next)
    }
}

/// What one source says about how long a call was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Testimony {
    /// When they started to talk.
    pub started_at: Option<Timestamp>,
    /// When they stopped.
    pub ended_at: Option<Timestamp>,
    /// How long they talked, in seconds.
    pub duration_secs: Option<Decimal>,
    /// Why it ended, in Vapi's words.
    pub ended_reason: Option<String>,
    /// Whether a missing start means that there was none. A report may just leave it out; Vapi's own record of the
    /// call does not.
    pub is_whole: bool,
}

/// What follows from a testimony.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They talked for so many seconds, rounded up.
    Talked {
        /// How long.
        duration_secs: u32,
        /// From when, if stated.
        started_at: Option<Timestamp>,
        /// Until when, if stated.
        ended_at: Option<Timestamp>,
    },
    /// No assistant of ours ever talked: nothing is charged.
    NeverTalked,
    /// This source does not say. Another must be asked.
    Unstated,
}

/// Longer than any call can be (Vapi ends them at 43,200 s): a source that says more is not believed.
const LONGEST_CREDIBLE_SECS: i64 = 86_400;

impl Testimony {
    /// Weighs what this source says, given whether we have seen the call start.
    ///
    /// Both times come first, then the stated duration. Nothing is charged only when the source says there was no
    /// start and we never saw one, or when our own answer to Vapi (a refusal, or none) ended the call.
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
        // A stated duration of nothing is believed only of a call that was not seen to start.
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

#[cfg(test)]
mod tests;
