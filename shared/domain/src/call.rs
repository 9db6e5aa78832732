//! One conversation, from the first ring to the bill: its states, and which event moves it where.

mod bound;
mod ending;
mod testimony;
mod tool_use;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::{
    bound::{Weighed, whole_seconds},
    ending::{Ending, Outcome, Price, Upstream},
    testimony::{Talk, Testimony, Verdict},
    tool_use::ToolUse,
};
use super::{
    amount::Amount,
    ids::{CallId, OrgId, VapiAssistantId, VapiCallId, VapiPhoneId},
    personal::{Number, Personal},
    phone_number::PhoneNumber,
    tariff::{Tariff, TariffVersion},
    wallet::Grant,
};

/// Which party rang the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// A caller rang the clinic, by phone or from a web page.
    Inbound,
    /// The clinic's agent rang a person.
    Outbound,
}

impl Direction {
    /// Both directions, in the order they are shown.
    pub const ALL: [Self; 2] = [Self::Inbound, Self::Outbound];

    /// Returns the direction of this name, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|direction| direction.as_str() == name)
    }

    /// Returns the name under which the direction is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// The parties of a call, as the first message about it names them. None of this moves money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parties {
    /// Which party rang the other.
    pub direction: Direction,
    /// The call as Vapi names it; absent for a call of ours that Vapi has not named yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vapi_call_id: Option<VapiCallId>,
    /// The clinic's number, as Vapi names it; absent when Vapi names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vapi_phone_id: Option<VapiPhoneId>,
    /// The assistant that talks, as Vapi names it; absent when Vapi names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vapi_assistant_id: Option<VapiAssistantId>,
    /// The other party's number; absent when it is withheld or not written in E.164.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer_number: Option<Personal<PhoneNumber, Number>>,
    /// The carrier's handle of the call (Twilio's `CA…`), by which the carrier can be told to hang up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier_sid: Option<String>,
}

/// Why a call was not let through, as its record keeps it.
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
    /// The call belongs to another org.
    NotOurs,
    /// The call is over already, so it can no longer be let through.
    CallOver,
    /// The org has as many calls as it may have at a time.
    TooManyCalls,
    /// The lines that all orgs share are taken, or the caller, the number or the org has its share of them.
    LinesBusy,
    /// It was put through to the clinic's own line: the receptionist does not answer at this time.
    PutThrough,
}

impl RefusalReason {
    /// Returns the code under which the reason is stored, logged and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InsufficientFunds => "insufficient_funds",
            Self::WalletFrozen => "wallet_frozen",
            Self::NoWallet => "no_wallet",
            Self::NoAgent => "no_agent",
            Self::NotOurs => "not_ours",
            Self::CallOver => "call_over",
            Self::TooManyCalls => "too_many_calls",
            Self::LinesBusy => "lines_busy",
            Self::PutThrough => "put_through",
        }
    }

    /// Returns what the caller hears. It does not tell a stranger about the clinic's money.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::CallOver => "This call has already ended. Please ring again.",
            Self::TooManyCalls | Self::LinesBusy => {
                "We're sorry, all our lines are busy at the moment. Please ring again in a few minutes."
            }
            Self::InsufficientFunds
            | Self::WalletFrozen
            | Self::NoWallet
            | Self::NoAgent
            | Self::NotOurs
            | Self::PutThrough => {
                "We're sorry, our phone assistant is not available at the moment. Please try again later."
            }
        }
    }
}

/// How far a call has come, from the first ring to the bill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// The call rings, and no money is set aside yet.
    Authorizing,
    /// The call rings, and money is set aside.
    Authorized,
    /// The parties are talking.
    InProgress {
        /// When they started to talk.
        #[serde(with = "super::time::millis")]
        started_at: Timestamp,
    },
    /// Vapi says that the call is over; how long the parties talked is not known yet.
    Ended {
        /// When they started to talk, if they did.
        #[serde(default, with = "super::time::millis::option", skip_serializing_if = "Option::is_none")]
        started_at: Option<Timestamp>,
    },
    /// The call was billed, which is final.
    Settled(Bill),
    /// The call is over and the parties never talked: the hold went back, and nothing was charged.
    Released,
    /// The call was not let through.
    Refused {
        /// The reason that was found when the call asked to start.
        reason: RefusalReason,
    },
}

impl State {
    /// Returns the name under which the state is stored.
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
    /// How long the parties talked, in whole seconds, rounded up.
    pub duration_secs: u32,
    /// The price of those seconds.
    pub charged: Amount,
    /// The version of the price list that the call was billed by.
    pub tariff: TariffVersion,
    /// When the parties started to talk, if that is known.
    #[serde(default, with = "super::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When the parties stopped, if that is known.
    #[serde(default, with = "super::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Whether the duration is our own estimate, because no vendor stated one.
    #[serde(default)]
    pub estimated: bool,
    /// The seconds that a source states beyond those that were billed: a doubt, which a person decides about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubted_secs: Option<u32>,
    /// How often the bill was corrected since the call was first billed.
    #[serde(default)]
    pub corrections: u32,
    /// What was set aside for the call when it was first billed; absent when nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<SetAside>,
}

/// The money that was set aside for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// How much it was in the end.
    pub amount: Amount,
    /// How often more was added while they talked.
    pub extensions: u32,
}

impl Bill {
    /// Returns whether a source states another duration than the bill knows of: the one that was billed, or the
    /// one that is in doubt.
    pub fn differs_from(&self, testimony: &Testimony) -> bool {
        let known_secs = self.doubted_secs.unwrap_or(self.duration_secs);
        testimony.stated_secs().is_some_and(|stated_secs| stated_secs != known_secs)
    }

    /// Returns the bill of the same call when it is taken to have lasted `duration_secs`.
    #[must_use]
    pub fn corrected(&self, duration_secs: u32) -> Self {
        Self {
            duration_secs,
            charged: self.tariff.tariff().charge(duration_secs),
            doubted_secs: None,
            corrections: self.corrections.saturating_add(1),
            ..self.clone()
        }
    }
}

/// The record of a call: everything about it that decides something. Its text is kept apart, as
/// [`Content`](super::content::Content).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The org that pays for the call.
    pub org_id: OrgId,
    /// The id of the call, the same in its hold, its record and its ledger entry.
    pub call_id: CallId,
    /// The parties of the call.
    #[serde(flatten)]
    pub parties: Parties,
    /// How far the call has come.
    #[serde(flatten)]
    pub state: State,
    /// Raised by every write; a write names the version that it read.
    pub version: u64,
    /// When the call was first heard of, or asked for.
    #[serde(with = "super::time::millis")]
    pub created_at: Timestamp,
    /// When the meter, or else reconciliation, must check the call again.
    #[serde(with = "super::time::millis")]
    pub due_at: Timestamp,
    /// When a vendor last gave a sign of the call; an estimated bill rests on it.
    #[serde(with = "super::time::millis")]
    pub last_seen_at: Timestamp,
    /// The longest that its agent may talk, in seconds.
    pub agent_limit_secs: u32,
    /// The limit that Vapi was told, in seconds; absent until it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider_limit_secs: Option<u32>,
    /// When Vapi was asked to start the call, if we make it. This is written before Vapi is asked, so that
    /// Vapi is asked once.
    #[serde(default, with = "super::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub dialled_at: Option<Timestamp>,
    /// When Vapi first asked us whether the call may start; absent for a call that began without us, and for
    /// one of ours.
    #[serde(default, with = "super::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<Timestamp>,
    /// When Vapi made the call, by its own record; absent until that was read.
    #[serde(default, with = "super::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub vendor_created_at: Option<Timestamp>,
    /// When the first message came that says the call is over. What is billed rests on it, so a message that
    /// the record of the call contradicts is forgotten.
    #[serde(default, with = "super::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub end_heard_at: Option<Timestamp>,
    /// Until when a signed message has shown that the call goes on, after one said that it is over and Vapi's
    /// record showed it live; absent while nothing contradicts anything.
    #[serde(default, with = "super::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub shown_until: Option<Timestamp>,
    /// The URL where the live call takes commands. A party that has it can end the call, so it is never
    /// logged nor shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_url: Option<String>,
    /// The end of the money that the parties were last warned of, so that they are warned of it once.
    #[serde(default, with = "super::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub warned_for: Option<Timestamp>,
    /// Since when we have been trying to end the call; absent while it may go on.
    #[serde(default, with = "super::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub ending_at: Option<Timestamp>,
    /// Whether somebody of the clinic asked for its end: then no money lets it go on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub end_asked: bool,
    /// Why the call is over, in Vapi's words; absent until its end was heard of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_reason: Option<String>,
    /// The clinic's line that it was put through to, so that a repeat of the question is answered the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub put_through_to: Option<PhoneNumber>,
}

/// What was heard about a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Money was set aside for the call.
    Authorized(Grant),
    /// The call may not start.
    Refused {
        /// The reason, which the call's record keeps.
        reason: RefusalReason,
    },
    /// The parties talk.
    Started {
        /// When they started to talk.
        at: Timestamp,
        /// The URL where the call takes commands, if it is known.
        control_url: Option<String>,
    },
    /// Vapi says that the call is over.
    Ended {
        /// The reason in Vapi's words, if Vapi gives one.
        reason: Option<String>,
    },
    /// The call was billed.
    Settled(Bill),
    /// The call is over, and the parties never talked.
    Released,
    /// The call is over, and its talk costs nothing: there was no whole millisecond of it, or the vendor broke
    /// the call.
    Waived,
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
            Self::Waived => "waived",
        }
    }
}

/// An event that cannot happen to a call in this state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a call that is {from} cannot be {event}")]
pub struct IllegalTransition {
    /// The name of the call's state.
    pub from: &'static str,
    /// The name of the event that was heard.
    pub event: &'static str,
}

impl Call {
    /// Returns the record of a call that was first heard of at `at`.
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
            asked_at: None,
            vendor_created_at: None,
            end_heard_at: None,
            shown_until: None,
            control_url: None,
            warned_for: None,
            ending_at: None,
            end_asked: false,
            ended_reason: None,
            put_through_to: None,
        }
    }

    /// Returns when the parties started to talk, if that is known.
    pub fn started_at(&self) -> Option<Timestamp> {
        match &self.state {
            State::InProgress { started_at } => Some(*started_at),
            State::Ended { started_at } => *started_at,
            State::Settled(bill) => bill.started_at,
            State::Authorizing | State::Authorized | State::Released | State::Refused { .. } => None,
        }
    }

    /// Returns whether the call still awaits its bill, its release or its refusal.
    pub const fn is_open(&self) -> bool {
        match self.state {
            State::Authorizing | State::Authorized | State::InProgress { .. } | State::Ended { .. } => true,
            State::Settled(_) | State::Released | State::Refused { .. } => false,
        }
    }

    /// Returns the prices that this call is billed by: those in force when it was authorized, which its hold
    /// bears; for a call that began without us, those in force when Vapi made it.
    pub fn tariff(&self, held_under: Option<TariffVersion>) -> Tariff {
        let began_with_us = self.asked_at.is_some() || self.dialled_at.is_some();
        let authorized_under = held_under.filter(|_| began_with_us);
        authorized_under.map_or_else(|| Tariff::at(self.begun_at()), TariffVersion::tariff)
    }

    /// Returns when the call began: when we were asked or dialled, else when Vapi made it, else when it was
    /// first heard of.
    pub fn begun_at(&self) -> Timestamp {
        self.dialled_at.or(self.asked_at).or(self.vendor_created_at).unwrap_or(self.created_at)
    }

    /// Returns the call once Vapi's own record shows it live although its end was heard of: that was a stray
    /// word, and the call is metered on. `started_at` is when the parties started to talk, as the record says.
    /// A call whose end was not heard of stays as it is.
    #[must_use]
    pub fn found_live(&self, started_at: Timestamp) -> Self {
        let State::Ended { started_at: known } = &self.state else { return self.clone() };
        Self {
            state: State::InProgress { started_at: known.unwrap_or(started_at) },
            shown_until: self.end_heard_at,
            end_heard_at: None,
            ended_reason: None,
            ..self.clone()
        }
    }

    /// Returns the call after `event`. Messages come twice, late and out of order, so an event that is behind
    /// the call's state changes nothing.
    ///
    /// # Errors
    /// When the event contradicts what is known: money for a call that is over, a release of a call that
    /// talked.
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
            // The clinic's own people talk: nothing of ours is on the line.
            (State::Refused { reason: RefusalReason::PutThrough }, Event::Started { .. }) => {}
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
            // The call was released before its end was heard of, and it talks after all: it is ended or paid
            // like any other.
            (State::Released, Event::Started { at, control_url }) if self.ended_reason.is_none() => {
                next.state = State::InProgress { started_at: at };
                next.control_url = next.control_url.or(control_url);
            }
            // The start comes after the end: the parties did talk, and Vapi must be asked for how long.
            (State::Ended { started_at: None } | State::Released, Event::Started { at, .. }) => {
                next.state = State::Ended { started_at: Some(at) };
            }
            (State::Ended { started_at: Some(_) } | State::Settled(_), Event::Started { .. }) => {}
            (State::Authorizing | State::Authorized | State::InProgress { .. }, Event::Ended { reason }) => {
                next.state = State::Ended { started_at: self.started_at() };
                next.shown_until = None;
                next.ended_reason = Some(reason.unwrap_or_else(|| "unknown".to_owned()));
            }
            (
                State::Refused { .. } | State::Ended { .. } | State::Settled(_) | State::Released,
                Event::Ended { reason },
            ) => {
                next.ended_reason = next.ended_reason.or(reason).or(Some("unknown".to_owned()));
            }
            (State::Settled(_), Event::Settled(_) | Event::Released | Event::Waived) => {}
            (_, Event::Settled(bill)) => next.state = State::Settled(bill),
            (State::Refused { .. }, Event::Waived) => {}
            (_, Event::Waived) => next.state = State::Released,
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

#[cfg(test)]
mod tests;
