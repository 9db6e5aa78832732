//! An appointment: what was booked, for whom, and how it stands.

use jiff::{Timestamp, civil::DateTime};
use serde::{Deserialize, Serialize};

use super::{
    availability::Slot,
    catalog::Service,
    diary::{Entry, Interval, Taken},
    intake::Answered,
};
use crate::{
    clinic::ClinicZone,
    email::EmailAddress,
    ids::{AppointmentId, CallId, ContactId, OrgId, ResourceId, ServiceId, UserId},
    personal::{Name, Number, Personal, Words, plain},
    phone_number::PhoneNumber,
};

/// The longest name of a patient, in characters.
pub const LONGEST_NAME: usize = 80;

/// The name of a patient: some letters, and nothing that is no name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PatientName(Personal<String, Name>);

/// Why a text is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name is 2 to {LONGEST_NAME} characters, with letters and without figures")]
pub struct NotAName;

impl PatientName {
    /// Takes a name as a person or a model writes it. A telephone number, a sentence and an empty text are no names.
    ///
    /// # Errors
    /// [`NotAName`] when it is none.
    pub fn parse(text: &str) -> Result<Self, NotAName> {
        let name = plain(text.get(..text.floor_char_boundary(2_000)).unwrap_or_default());
        let length = name.chars().count();
        let is_name = (2..=LONGEST_NAME).contains(&length)
            && name.chars().filter(|c| c.is_alphabetic()).count() >= 2
            && !name.chars().any(|c| c.is_numeric() || matches!(c, '<' | '>' | '{' | '}' | '@' | '/' | '\\'));
        if is_name { Ok(Self(Personal::new(name))) } else { Err(NotAName) }
    }

    /// Returns the name as it is shown and spoken.
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }

    /// Returns the name in the one spelling that all of its spellings share: small letters, words apart by one space.
    pub fn folded(&self) -> String {
        let letters = self.reveal().to_lowercase();
        let words = letters.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join(" ")
    }

    /// Returns whether the two are one name, however they are spelled: capitals, accents' case and dots aside.
    pub fn is_same(&self, other: &Self) -> bool {
        self.folded() == other.folded()
    }

    /// Returns whether it is a whole name: two words at least.
    pub fn is_whole(&self) -> bool {
        self.folded().contains(' ')
    }
}

/// How an appointment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It will be.
    Confirmed,
    /// The patient is there.
    Arrived,
    /// It has been.
    Completed,
    /// The patient did not come.
    NoShow,
    /// It will not be.
    Cancelled,
}

impl Status {
    /// Returns the word that the dashboard has for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Arrived => "arrived",
            Self::Completed => "completed",
            Self::NoShow => "no_show",
            Self::Cancelled => "cancelled",
        }
    }

    /// Returns whether an appointment that stands so may stand like `next`. What was cancelled stays so: its time may be another's.
    /// The others are what a person at the desk sees, who may have been mistaken.
    pub fn may_become(self, next: Self) -> bool {
        match self {
            Self::Cancelled => false,
            Self::Confirmed | Self::Arrived => self != next,
            Self::Completed => next == Self::Arrived,
            Self::NoShow => matches!(next, Self::Arrived | Self::Confirmed),
        }
    }

    /// Returns every status.
    pub const fn all() -> [Self; 5] {
        [Self::Confirmed, Self::Arrived, Self::Completed, Self::NoShow, Self::Cancelled]
    }
}

/// Who made an appointment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum MadeBy {
    /// A caller, on this call.
    Caller {
        /// Which.
        call_id: CallId,
    },
    /// A person of the clinic's.
    Staff {
        /// Who.
        user_id: UserId,
    },
}

/// An appointment, as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appointment {
    /// The clinic's org.
    pub org_id: OrgId,
    /// Which it is, through all its changes.
    pub appointment_id: AppointmentId,
    /// Raised by every write; 0 for one that is not written yet. A write names the one that it read.
    pub version: u64,
    /// Raised when its time, its resources or its service change: what patients are told of.
    pub revision: u64,
    /// How it stands.
    pub status: Status,
    /// What was booked.
    pub service_id: ServiceId,
    /// How that was called when it was booked.
    pub service_name: String,
    /// What it takes.
    pub resource_ids: Vec<ResourceId>,
    /// When the patient is there.
    #[serde(flatten)]
    pub interval: Interval,
    /// The same with its buffers: what is taken of each resource.
    pub blocked: Interval,
    /// The zone of its wall clock.
    pub time_zone: ClinicZone,
    /// What the wall clock shows when it begins: this is what was agreed, whatever becomes of the zone.
    pub wall_clock: DateTime,
    /// For whom.
    pub patient_name: PatientName,
    /// The patient's number: the one that the network showed of the caller who booked it, or the one that staff noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<Personal<PhoneNumber, Number>>,
    /// Where mail about it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<EmailAddress>,
    /// Whether the patient said that texts may be sent to the number, or that none may; none where nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_text: Option<bool>,
    /// Who the patient is to the clinic; none in an appointment from before there were contacts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<ContactId>,
    /// Why staff laid it over other times; none where they did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overbooked: Option<Personal<String, Words>>,
    /// What the patient answered to the questions of its service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answered>,
    /// What staff noted of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<Personal<String, Words>>,
    /// Who made it.
    pub made: MadeBy,
    /// When it was made.
    #[serde(with = "crate::time::millis")]
    pub created_at: Timestamp,
}

/// For whom an appointment is made, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patient {
    /// The name.
    pub name: PatientName,
    /// The number: as the network showed it, or as staff noted it.
    pub phone_number: Option<Personal<PhoneNumber, Number>>,
    /// Where mail reaches them, if they say so.
    pub email: Option<EmailAddress>,
    /// Whether texts may be sent to the number, if they say so.
    pub may_text: Option<bool>,
}

impl Appointment {
    /// Returns the appointment that takes `slot`, made at `now`.
    pub fn confirmed(
        id: AppointmentId,
        service: &Service,
        slot: &Slot,
        (patient, made): (Patient, MadeBy),
        now: Timestamp,
    ) -> Self {
        Self {
            org_id: service.org_id,
            appointment_id: id,
            version: 0,
            revision: 1,
            status: Status::Confirmed,
            service_id: service.service_id.clone(),
            service_name: service.terms.name.clone(),
            resource_ids: slot.resources.clone(),
            interval: slot.interval,
            blocked: slot.blocked,
            wall_clock: slot.wall_clock(),
            time_zone: slot.zone.clone(),
            patient_name: patient.name,
            phone_number: patient.phone_number,
            email: patient.email,
            may_text: patient.may_text,
            contact_id: None,
            overbooked: None,
            answers: Vec::new(),
            notes: None,
            made,
            created_at: crate::time::whole_millis(now),
        }
    }

    /// Returns it at another time, of the same service: the same appointment, in a revision of its own.
    #[must_use]
    pub fn moved(&self, slot: &Slot) -> Self {
        Self {
            revision: self.revision.saturating_add(1),
            resource_ids: slot.resources.clone(),
            interval: slot.interval,
            blocked: slot.blocked,
            wall_clock: slot.wall_clock(),
            time_zone: slot.zone.clone(),
            overbooked: None,
            ..self.clone()
        }
    }

    /// Returns whether it takes this time of these resources already.
    pub fn is_at(&self, starts_at: Timestamp, resources: &[ResourceId]) -> bool {
        self.interval.from == starts_at && self.resource_ids == resources
    }

    /// Returns it as the store has it once it is written.
    #[must_use]
    pub fn written(&self) -> Self {
        Self { version: self.version.saturating_add(1), ..self.clone() }
    }

    /// Returns whether a caller may still move or cancel it at `now`.
    pub fn is_ahead(&self, now: Timestamp) -> bool {
        self.status == Status::Confirmed && now < self.interval.from
    }

    /// Returns what it takes of each of its resources.
    pub fn entry(&self) -> Entry {
        let overbooked = self.overbooked.is_some();
        let taken = Taken::Appointment { appointment_id: self.appointment_id.clone(), overbooked };
        Entry { taken, interval: self.blocked }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_letters_and_no_figures() {
        for (text, name) in [
            ("  Ada   Lovelace\n", "Ada Lovelace"),
            ("José-María O'Neill", "José-María O'Neill"),
            ("محمد علي", "محمد علي"),
            ("Ada\u{202e} Lovelace", "Ada Lovelace"),
        ] {
            assert_eq!(PatientName::parse(text).unwrap().reveal(), name, "{text:?}");
        }
        for bad in
            ["", "A", "--", "+44 7700 900123", "Ada 2", "<b>Ada</b>", "ada@example.com", &"x".repeat(5_000)]
        {
            assert_eq!(PatientName::parse(bad), Err(NotAName), "{bad:?}");
        }
    }

    #[test]
    fn what_was_cancelled_stays_so_and_a_slip_at_the_desk_can_be_mended() {
        let may_become =
            |from: Status| Status::all().into_iter().filter(move |next| from.may_become(*next)).collect();
        let table: [(Status, Vec<Status>); 5] = [
            (Status::Confirmed, vec![Status::Arrived, Status::Completed, Status::NoShow, Status::Cancelled]),
            (Status::Arrived, vec![Status::Confirmed, Status::Completed, Status::NoShow, Status::Cancelled]),
            (Status::Completed, vec![Status::Arrived]),
            (Status::NoShow, vec![Status::Confirmed, Status::Arrived]),
            (Status::Cancelled, vec![]),
        ];
        for (from, next) in table {
            let may: Vec<Status> = may_become(from);
            assert_eq!(may, next, "{from:?}");
        }
    }

    #[test]
    fn one_name_in_two_spellings_is_one() {
        let name = |text: &str| PatientName::parse(text).unwrap();
        assert!(name("Ada Lovelace").is_same(&name("ADA  lovelace.")));
        assert!(name("O'Neill, José").is_same(&name("o'neill josé")));
        assert!(!name("Ada Lovelace").is_same(&name("Ida Lovelace")));
        assert!(name("Ada Lovelace").is_whole() && !name("Ada.").is_whole());
    }
}
