//! What patients are told of their appointments, and clinics of emergencies. A message is due from the write that causes it
//! ([`Due`]), is sent once for each revision, kind and address ([`Message`]), and only if what it says is still so when it goes
//! ([`fate`]).

mod due;
mod text;
mod word;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use crate::{
    booking::appointment::Appointment,
    email::EmailAddress,
    ids::{AppointmentId, ContactId, MessageId, OrgId},
    texting::Text,
    time::whole_millis,
};

pub use due::{Cause, DELAY, Due, Fate, GIVEN_UP, LOOKED_FOR, Matter, SHARDS, fate, slot};
pub use text::{Letter, VERSION, alert, letter, text};
pub use word::{Effect, Word};

/// What a patient is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// That an appointment is booked.
    Confirmation,
    /// That it is at another time, or with somebody else.
    Change,
    /// That it will not be.
    Cancellation,
    /// That it is tomorrow.
    DayBefore,
    /// That it is soon.
    TwoHoursBefore,
}

/// When a patient is reminded of an appointment, as the clinic chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reminder {
    /// The day before, when the clock shows the same.
    DayBefore,
    /// Two hours before; the evening before where that is in the quiet hours.
    TwoHoursBefore,
}

impl Reminder {
    /// Returns both.
    pub const ALL: [Self; 2] = [Self::DayBefore, Self::TwoHoursBefore];

    /// Returns what a clinic wants that has not said.
    pub fn of_unsaved() -> Vec<Self> {
        vec![Self::DayBefore]
    }

    /// Returns what the patient is told then.
    pub const fn kind(self) -> Kind {
        match self {
            Self::DayBefore => Kind::DayBefore,
            Self::TwoHoursBefore => Kind::TwoHoursBefore,
        }
    }
}

impl Kind {
    /// Returns every kind.
    pub const ALL: [Self; 5] =
        [Self::Confirmation, Self::Change, Self::Cancellation, Self::DayBefore, Self::TwoHoursBefore];

    /// Returns the word under which it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confirmation => "confirmation",
            Self::Change => "change",
            Self::Cancellation => "cancellation",
            Self::DayBefore => "day_before",
            Self::TwoHoursBefore => "two_hours_before",
        }
    }

    /// Returns which reminder it is; none for what tells of a write.
    pub fn reminder(self) -> Option<Reminder> {
        Reminder::ALL.into_iter().find(|reminder| reminder.kind() == self)
    }
}

/// By which way a patient is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// By mail.
    Email,
    /// By a text to the telephone.
    Sms,
}

impl Channel {
    /// Returns the word under which it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
        }
    }

    /// Returns the ways by which the patient of an appointment may be reached. Whether the clinic can send a text there is known when
    /// it is due ([`crate::texting::sender`]).
    pub fn of(appointment: &Appointment) -> Vec<Self> {
        let mail = appointment.email.iter().map(|_| Self::Email);
        let number = appointment.phone_number.iter().filter(|_| appointment.may_text != Some(false));
        mail.chain(number.map(|_| Self::Sms)).collect()
    }
}

/// How a message stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// It is about to be sent, or was when the process died.
    Sending,
    /// The vendor has taken it.
    Sent {
        /// How the vendor calls it.
        vendor_id: String,
    },
    /// The carrier says that the telephone has it.
    Delivered {
        /// How the vendor calls it.
        vendor_id: String,
    },
    /// The vendor took it, and the telephone does not have it.
    Undelivered {
        /// How the vendor calls it.
        vendor_id: String,
        /// Why, in the vendor's word for it.
        why: String,
    },
    /// The vendor will not take it: nothing was sent.
    Refused {
        /// Why, in the vendor's word for it.
        why: String,
    },
    /// The vendor did not answer. It may have been sent, so it is not sent again.
    Unknown,
    /// The vendor took nothing at that moment: it is tried again. A text is paid for.
    Waiting,
    /// The clinic had not the money for it: nothing was sent.
    Unpaid,
    /// The vendor did not answer, and has no trace of it: nothing was sent, and its price was given back.
    NotSent,
}

impl State {
    /// Returns the word that the dashboard has for it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Sent { .. } => "sent",
            Self::Delivered { .. } => "delivered",
            Self::Undelivered { .. } => "undelivered",
            Self::Refused { .. } => "refused",
            Self::Unknown => "unknown",
            Self::Waiting => "waiting",
            Self::Unpaid => "unpaid",
            Self::NotSent => "not_sent",
        }
    }
}

/// A message, as the store holds it: one for each matter and way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The clinic's org.
    pub org_id: OrgId,
    /// What it is of and to whom, which makes it exist once: `sent#<appointment>#<revision>#<kind>#<channel>`,
    /// `alert#<notification>#<channel>#<half of a SHA-256 of the address>`.
    pub item: String,
    /// Which sending it is: who began it knows it by this, although the answer to the claim was lost.
    pub message_id: MessageId,
    /// What is told, and of what.
    #[serde(flatten)]
    pub matter: Matter,
    /// By which way.
    pub channel: Channel,
    /// To which patient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<ContactId>,
    /// The version of the text.
    pub text_version: u32,
    /// What a message by text is and costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Text>,
    /// How it stands.
    #[serde(flatten)]
    pub state: State,
    /// When its sending was begun.
    #[serde(with = "crate::time::millis")]
    pub at: Timestamp,
}

impl Message {
    /// Returns the message to the patient of an appointment that is about to be sent because `due` is.
    pub fn claimed(
        message_id: MessageId,
        (due, appointment): (&Due, &Appointment),
        channel: Channel,
        now: Timestamp,
    ) -> Self {
        let contact_id = appointment.contact_id.clone();
        Self { contact_id, ..Self::of(message_id, due, channel.as_str(), channel, now) }
    }

    /// Returns it as it is sent by text.
    #[must_use]
    pub fn by_text(self, text: Text) -> Self {
        Self { text: Some(text), ..self }
    }

    /// Returns it as it is about to be sent anew at `now`, by this attempt: the same message, and paid for once.
    #[must_use]
    pub fn again(&self, attempt: &MessageId, now: Timestamp) -> Self {
        let text = self.text.as_ref().map(|text| Text { attempt: attempt.clone(), ..text.clone() });
        Self { state: State::Sending, at: whole_millis(now), text, ..self.clone() }
    }

    /// Returns whether this attempt has it in hand.
    pub fn is_in_hand_of(&self, attempt: &MessageId) -> bool {
        self.state == State::Sending && self.text.as_ref().is_some_and(|text| text.attempt == *attempt)
    }

    /// Returns the message to one address of the clinic's that is about to be sent because `due` is.
    pub fn alerting(message_id: MessageId, due: &Due, to: &EmailAddress, now: Timestamp) -> Self {
        let channel = Channel::Email;
        let digest: String = hex::encode(Sha256::digest(to.reveal())).chars().take(32).collect();
        Self::of(message_id, due, &format!("{}#{digest}", channel.as_str()), channel, now)
    }

    fn of(message_id: MessageId, due: &Due, way: &str, channel: Channel, now: Timestamp) -> Self {
        Self {
            org_id: due.org_id,
            item: format!("{}#{way}", due.matter.name()),
            message_id,
            matter: due.matter.clone(),
            channel,
            contact_id: None,
            text_version: VERSION,
            text: None,
            state: State::Sending,
            at: whole_millis(now),
        }
    }
}

/// Returns how the names of all messages of an appointment begin.
pub fn prefix(appointment: &AppointmentId) -> String {
    format!("sent#{appointment}#")
}

#[cfg(test)]
mod tests;
