//! When a message is due, and what becomes of it then.

use jiff::{
    SignedDuration, Timestamp, ToSpan as _,
    civil::{Date, Time},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Channel, Kind, Message, Reminder, prefix};
use crate::{
    booking::appointment::{Appointment, Status},
    clinic::ClinicZone,
    ids::{AppointmentId, MessageId, NotificationId, OrgId},
    notification::Notification,
    time::{rfc3339_millis, whole_millis},
};

/// How long after the write a message is due: who corrects a name or takes another time at once is told once.
pub const DELAY: SignedDuration = SignedDuration::from_mins(3);
/// An appointment that begins so soon is told of at once: later would be too late.
const AT_ONCE: SignedDuration = SignedDuration::from_mins(15);
/// What the clinic changes by night is told in the morning, unless the appointment is nearer than this.
const NEAR: SignedDuration = SignedDuration::from_hours(12);
/// Before how much time a patient is not reminded of what was just written: the message of the write says the same.
const JUST_TOLD: SignedDuration = SignedDuration::from_hours(2);
/// When the last reminders of an evening go.
const EVENING: Time = Time::constant(19, 30, 0, 0);
/// How long after a text was paid for it is looked for at the carrier, if no answer is noted by then: longer than its sending takes.
pub const LOOKED_FOR: SignedDuration = SignedDuration::from_mins(2);
/// How long after it was paid for a text that the carrier has no trace of is given up: the carrier lists a text long before.
pub const GIVEN_UP: SignedDuration = SignedDuration::from_mins(10);
/// From when to when the clinic disturbs nobody, on its own wall clock.
pub(super) const QUIET: (Time, Time) = (Time::constant(20, 0, 0, 0), Time::constant(8, 0, 0, 0));
/// Over how many partitions the due messages of an hour are spread.
pub const SHARDS: u8 = 8;

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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
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
    /// Of nothing: a text that was paid for is to have an outcome by now, and is looked for at the carrier where it has none.
    Lookup {
        /// The text's record.
        item: String,
        /// Which sending of it.
        message_id: MessageId,
    },
}

impl Matter {
    /// Returns that this is told of an appointment as it is.
    fn of(appointment: &Appointment, kind: Kind) -> Self {
        let (appointment_id, revision) = (appointment.appointment_id.clone(), appointment.revision);
        Self::Appointment { appointment_id, revision, kind }
    }

    /// Returns what all messages of it, and no others, have in common.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Lookup { message_id, .. } => format!("look#{message_id}"),
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
        Some(Self::at(due_at, appointment.org_id, Matter::of(appointment, kind)))
    }

    /// Returns all that a write of an appointment, as it is after, makes due: that the patient is told of it ([`Due::after`]), and is
    /// reminded, at both times that a clinic may choose. What the clinic has chosen, and whether the appointment is still at this time,
    /// is looked at when a reminder goes: one of an older revision says nothing, so a move needs to take none out.
    pub fn of(appointment: &Appointment, kind: Kind, cause: Cause, now: Timestamp) -> Vec<Self> {
        let Some(told) = Self::after(appointment, kind, cause, now) else { return Vec::new() };
        let reminders =
            Reminder::ALL.into_iter().filter(|_| kind != Kind::Cancellation).filter_map(|reminder| {
                let due_at = reminded_at(reminder, appointment)?;
                let is_news = due_at.duration_since(now) >= JUST_TOLD && due_at < appointment.interval.from;
                let matter = Matter::of(appointment, reminder.kind());
                is_news.then(|| Self::at(due_at, appointment.org_id, matter))
            });
        std::iter::once(told).chain(reminders).collect()
    }

    /// Returns the message that tells the clinic's people of an emergency, at once.
    pub fn of_emergency(notification: &Notification) -> Self {
        let matter = Matter::Emergency { notification_id: notification.notification_id.clone() };
        Self::at(notification.at, notification.org_id, matter)
    }

    /// Returns when a text that is paid for at its `at` is looked for: a first time, and one after which it is given up.
    pub fn lookups(message: &Message) -> [Self; 2] {
        [LOOKED_FOR, GIVEN_UP].map(|after| {
            let due_at = message.at.saturating_add(after).unwrap_or(message.at);
            let (item, message_id) = (message.item.clone(), message.message_id.clone());
            Self::at(due_at, message.org_id, Matter::Lookup { item, message_id })
        })
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
        Kind::Confirmation | Kind::Change | Kind::DayBefore | Kind::TwoHoursBefore => {
            appointment.status == Status::Confirmed
        }
        Kind::Cancellation => appointment.status == Status::Cancelled,
    };
    if !is_so || appointment.revision != revision {
        Fate::Overtaken
    } else if appointment.interval.from <= now {
        // Nobody waits for a reminder.
        if kind.reminder().is_some() { Fate::Overtaken } else { Fate::TooLate }
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

/// Returns when a patient is reminded of an appointment, by the clock of its own zone; none where that clock shows no such time.
fn reminded_at(reminder: Reminder, appointment: &Appointment) -> Option<Timestamp> {
    let zone = &appointment.time_zone;
    match reminder {
        Reminder::DayBefore => {
            let the_same = appointment.wall_clock.checked_sub(1.day()).ok()?;
            // Where the clocks go on over that time, it is when they do.
            Some(after_quiet(zone.first_instant_from(the_same)?, zone))
        }
        Reminder::TwoHoursBefore => {
            let at = appointment.interval.from.checked_sub(2.hours()).ok()?;
            match night_of(at, zone) {
                Some((evening, _)) => zone.first_instant(evening.to_datetime(EVENING)),
                None => Some(at),
            }
        }
    }
}

/// Returns `at`, or the end of the quiet hours that it lies in.
fn after_quiet(at: Timestamp, zone: &ClinicZone) -> Timestamp {
    let morning = night_of(at, zone).map(|(_, morning)| morning);
    morning.and_then(|day| zone.first_instant(day.to_datetime(QUIET.1))).unwrap_or(at)
}

/// The days on which the quiet hours begin and end that an instant lies in; none where it lies in none.
fn night_of(at: Timestamp, zone: &ClinicZone) -> Option<(Date, Date)> {
    let shown = zone.wall_clock(at);
    let day = shown.date();
    if shown.time() < QUIET.1 {
        day.yesterday().ok().map(|evening| (evening, day))
    } else if shown.time() >= QUIET.0 {
        day.tomorrow().ok().map(|morning| (day, morning))
    } else {
        None
    }
}
