//! What patients are told of their appointments, and clinics of emergencies. A message is due from the write that causes it
//! ([`Due`]), is sent once for each revision, kind and address ([`Message`]), and only if what it says is still so when it goes
//! ([`fate`]).

mod text;

use jiff::{SignedDuration, Timestamp, civil::Time};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    booking::appointment::{Appointment, Status},
    clinic::ClinicZone,
    email::EmailAddress,
    ids::{AppointmentId, ContactId, MessageId, NotificationId, OrgId},
    notification::Notification,
    time::{rfc3339_millis, whole_millis},
};

pub use text::{Letter, VERSION, alert, letter};

/// How long after the write a message is due: who corrects a name or takes another time at once is told once.
pub const DELAY: SignedDuration = SignedDuration::from_mins(3);
/// An appointment that begins so soon is told of at once: later would be too late.
const AT_ONCE: SignedDuration = SignedDuration::from_mins(15);
/// What the clinic changes by night is told in the morning, unless the appointment is nearer than this.
const NEAR: SignedDuration = SignedDuration::from_hours(12);
/// From when to when the clinic disturbs nobody, on its own wall clock.
const QUIET: (Time, Time) = (Time::constant(20, 0, 0, 0), Time::constant(8, 0, 0, 0));
/// Over how many partitions the due messages of an hour are spread.
pub const SHARDS: u8 = 8;

/// What a patient is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// That an appointment is booked.
    Confirmation,
    /// That it is at another time, or with somebody else.
    Change,
    /// That it will not be.
    Cancellation,
}

impl Kind {
    /// Returns every kind.
    pub const ALL: [Self; 3] = [Self::Confirmation, Self::Change, Self::Cancellation];

    /// Returns the word under which it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confirmation => "confirmation",
            Self::Change => "change",
            Self::Cancellation => "cancellation",
        }
    }
}

/// By which way a patient is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// By mail.
    Email,
}

impl Channel {
    /// Returns the word under which it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
        }
    }

    /// Returns the ways by which the patient of an appointment can be told of it.
    pub fn of(appointment: &Appointment) -> Vec<Self> {
        appointment.email.iter().map(|_| Self::Email).collect()
    }
}

/// Whose doing a message tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The patient's own, who is awake.
    Patient,
    /// The clinic's. The patient would have come at this time: the earlier of the two, where it was moved.
    Clinic {
        /// When.
        expected: Timestamp,
    },
}

impl Cause {
    /// Returns that the clinic moved an appointment from one start to another.
    pub fn moved_by_clinic(from: &Appointment, to: &Appointment) -> Self {
        Self::Clinic { expected: from.interval.from.min(to.interval.from) }
    }

    /// Returns that the clinic made or cancelled this one.
    pub const fn of_clinic(appointment: &Appointment) -> Self {
        Self::Clinic { expected: appointment.interval.from }
    }
}

/// A message that is due, as the store holds it until the queue has it. It names what to look at and says nothing itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// The hour of UTC in which it is due, and one of the [`SHARDS`] by org: `2026-11-28T09#3`.
    pub slot: String,
    /// When it is due, of what, and what tells it from every other: they sort by their times.
    pub due: String,
    /// The clinic's org.
    pub org_id: OrgId,
    /// When it is due.
    #[serde(with = "crate::time::millis")]
    pub due_at: Timestamp,
    /// What is told, and of what.
    #[serde(flatten)]
    pub matter: Matter,
}

/// What a message tells of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "matter", rename_all = "snake_case")]
pub enum Matter {
    /// Of an appointment, to its patient.
    Appointment {
        /// Which.
        appointment_id: AppointmentId,
        /// Which revision of it.
        revision: u64,
        /// What is told.
        kind: Kind,
    },
    /// Of an emergency, to the clinic's people.
    Emergency {
        /// What the clinic's bell has of it.
        notification_id: NotificationId,
    },
}

impl Matter {
    /// Returns what all messages of it, and no others, have in common.
    fn name(&self) -> String {
        match self {
            Self::Appointment { appointment_id, revision, kind } => {
                format!("{}{revision}#{}", prefix(appointment_id), kind.as_str())
            }
            Self::Emergency { notification_id } => format!("alert#{notification_id}"),
        }
    }
}

/// What becomes of a message when its time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It says what is so.
    Send,
    /// Something came after it, which has a message of its own or needs none.
    Overtaken,
    /// The appointment has begun.
    TooLate,
}

impl Due {
    /// Returns the message that a write of an appointment, as it is after, makes due; none where the patient cannot be told.
    ///
    /// A confirmation, and whatever the patient did, is told at any hour; what the clinic did in the quiet hours of its zone waits
    /// until eight in the morning, unless the patient was to come within twelve hours. Where that is within a quarter of an hour, it is
    /// due at once.
    pub fn after(appointment: &Appointment, kind: Kind, cause: Cause, now: Timestamp) -> Option<Self> {
        if Channel::of(appointment).is_empty() || appointment.interval.from <= now {
            return None;
        }
        let expected = match cause {
            Cause::Patient => appointment.interval.from,
            Cause::Clinic { expected } => expected,
        };
        let delay = if expected.duration_since(now) > AT_ONCE { DELAY } else { SignedDuration::ZERO };
        let soon = whole_millis(now.saturating_add(delay).unwrap_or(now));
        let waits =
            cause != Cause::Patient && kind != Kind::Confirmation && expected.duration_since(now) > NEAR;
        let due_at = if waits { after_quiet(soon, &appointment.time_zone) } else { soon };
        let (appointment_id, revision) = (appointment.appointment_id.clone(), appointment.revision);
        let matter = Matter::Appointment { appointment_id, revision, kind };
        Some(Self::at(due_at, appointment.org_id, matter))
    }

    /// Returns the message that tells the clinic's people of an emergency, at once.
    pub fn of_emergency(notification: &Notification) -> Self {
        let matter = Matter::Emergency { notification_id: notification.notification_id.clone() };
        Self::at(notification.at, notification.org_id, matter)
    }

    fn at(due_at: Timestamp, org_id: OrgId, matter: Matter) -> Self {
        Self {
            slot: slot(due_at, shard_of(org_id)),
            due: format!("{}#{}", rfc3339_millis(due_at), matter.name()),
            org_id,
            due_at,
            matter,
        }
    }
}

/// Returns what is to become of what is due of this revision of an appointment, now that it stands so.
pub fn fate((kind, revision): (Kind, u64), appointment: &Appointment, now: Timestamp) -> Fate {
    let is_so = match kind {
        Kind::Confirmation | Kind::Change => appointment.status == Status::Confirmed,
        Kind::Cancellation => appointment.status == Status::Cancelled,
    };
    if !is_so || appointment.revision != revision {
        Fate::Overtaken
    } else if appointment.interval.from <= now {
        Fate::TooLate
    } else {
        Fate::Send
    }
}

/// Returns the partition of what is due then, of one shard.
pub fn slot(at: Timestamp, shard: u8) -> String {
    format!("{}#{shard}", at.strftime("%Y-%m-%dT%H"))
}

/// Returns the shard of an org: its id's last digit, which is chance.
fn shard_of(org: OrgId) -> u8 {
    let last = org.to_string().chars().last().and_then(|digit| digit.to_digit(16)).unwrap_or_default();
    u8::try_from(last).unwrap_or_default().checked_rem(SHARDS).unwrap_or_default()
}

/// Returns `at`, or the end of the quiet hours that it lies in.
fn after_quiet(at: Timestamp, zone: &ClinicZone) -> Timestamp {
    let shown = zone.wall_clock(at);
    let morning = if shown.time() < QUIET.1 {
        Some(shown.date())
    } else if shown.time() >= QUIET.0 {
        shown.date().tomorrow().ok()
    } else {
        None
    };
    morning.and_then(|day| zone.first_instant(day.to_datetime(QUIET.1))).unwrap_or(at)
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
    /// The vendor will not take it: nothing was sent.
    Refused {
        /// Why, in the vendor's word for it.
        why: String,
    },
    /// The vendor did not answer. It may have been sent, so it is not sent again.
    Unknown,
}

impl State {
    /// Returns the word that the dashboard has for it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Sending => "sending",
            Self::Sent { .. } => "sent",
            Self::Refused { .. } => "refused",
            Self::Unknown => "unknown",
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
