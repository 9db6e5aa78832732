//! The event that stands for an appointment in a calendar: its id, its title, and the marks by which it is known when it comes back.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::{
    booking::{
        appointment::{Appointment, PatientName},
        diary::Interval,
    },
    clinic::ClinicZone,
    ids::{AppointmentId, CalendarEventId, CalendarId, ExternalId, OrgId},
};

/// The digits of base32hex (RFC 4648, section 7), small, as Google takes them in ids.
const DIGITS: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// What our event bears so that it is known when it comes back: in Google's private extended properties.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The appointment that it stands for.
    pub appointment_id: AppointmentId,
    /// The revision of the appointment that it shows.
    pub revision: u64,
    /// The environment that put it there: another of ours may use the same calendar.
    pub environment: String,
}

/// What the title of an event shows to whoever sees the calendar. Never a treatment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Title {
    /// A reference that says nothing to others.
    #[default]
    Reference,
    /// The patient's first name, and the first letter of the last.
    FirstName,
}

/// An event as we put it into a calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Its id.
    pub id: CalendarEventId,
    /// Its title.
    pub summary: String,
    /// When the patient is there: without buffers, which are ours to keep.
    pub interval: Interval,
    /// The zone of its wall clock.
    pub time_zone: ClinicZone,
    /// What it bears.
    pub mark: Mark,
}

impl Draft {
    /// Returns the event of an appointment in a calendar. `generation` is raised when the id before it was deleted, because a
    /// deleted id stays taken.
    pub fn of(
        appointment: &Appointment,
        calendar: &CalendarId,
        generation: u32,
        (title, environment): (Title, &str),
    ) -> Self {
        let id = &appointment.appointment_id;
        Self {
            id: event_id(appointment.org_id, id, calendar, generation),
            summary: summary(title, id, &appointment.patient_name),
            interval: appointment.interval,
            time_zone: appointment.time_zone.clone(),
            mark: Mark {
                appointment_id: id.clone(),
                revision: appointment.revision,
                environment: environment.to_owned(),
            },
        }
    }
}

/// Returns the id of our event for an appointment in a calendar: the same whenever it is asked for, so that an insertion whose answer
/// was lost is found instead of repeated.
pub fn event_id(
    org: OrgId,
    appointment: &AppointmentId,
    calendar: &CalendarId,
    generation: u32,
) -> CalendarEventId {
    let parts = [&org.to_string(), appointment.as_str(), calendar.as_str(), &generation.to_string()];
    let hash = hashed(&parts);
    // 20 bytes are 32 digits without a rest.
    let digits: String = hash.chunks_exact(5).take(4).flat_map(digits).collect();
    CalendarEventId::parse(digits).unwrap_or_else(|_| unreachable!("32 digits are an id"))
}

/// Returns our name for the calendar that the vendor names so.
pub fn calendar_id(vendor_id: &str) -> CalendarId {
    CalendarId::parse(short(&["calendar", vendor_id]))
        .unwrap_or_else(|_| unreachable!("hexadecimal digits are an id"))
}

/// Returns our name for an event that the vendor names so.
pub fn external_id(vendor_id: &str) -> ExternalId {
    ExternalId::parse(short(&["event", vendor_id]))
        .unwrap_or_else(|_| unreachable!("hexadecimal digits are an id"))
}

/// Returns the title of an event: a reference, or the patient's first name and an initial.
pub fn summary(title: Title, id: &AppointmentId, patient: &PatientName) -> String {
    match title {
        Title::Reference => {
            let letters: Vec<char> = id.as_str().chars().filter(char::is_ascii_alphanumeric).collect();
            let last = letters.iter().skip(letters.len().saturating_sub(6)).collect::<String>();
            format!("Appointment {}", last.to_uppercase())
        }
        Title::FirstName => {
            let mut words = patient.reveal().split_whitespace();
            let first = words.next().unwrap_or_default();
            let initial = words.next_back().and_then(|last| last.chars().next());
            initial.map_or_else(|| first.to_owned(), |initial| format!("{first} {initial}."))
        }
    }
}

fn hashed(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_string());
        hash.update(":");
        hash.update(part);
    }
    hash.finalize().into()
}

fn short(parts: &[&str]) -> String {
    hex::encode(hashed(parts)).chars().take(32).collect()
}

/// Five bytes as eight digits.
fn digits(bytes: &[u8]) -> impl Iterator<Item = char> + use<> {
    let number = bytes.iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    [35_u32, 30, 25, 20, 15, 10, 5, 0].into_iter().filter_map(move |shift| {
        let place = usize::try_from(number.checked_shr(shift)? & 31).ok()?;
        DIGITS.get(place).copied().map(char::from)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn id(org: u128, appointment: &str, calendar: &str, generation: u32) -> CalendarEventId {
        let appointment = AppointmentId::parse(appointment).unwrap();
        let org = OrgId::new(uuid::Uuid::from_u128(org));
        event_id(org, &appointment, &CalendarId::parse(calendar).unwrap(), generation)
    }

    #[test]
    fn an_events_id_is_one_that_google_takes_and_another_for_each_of_its_parts() {
        let ids = [
            id(1, "a1", "c1", 0),
            id(2, "a1", "c1", 0),
            id(1, "a2", "c1", 0),
            id(1, "a1", "c2", 0),
            id(1, "a1", "c1", 1),
            id(1, "a1c", "1", 0),
        ];
        for id in &ids {
            assert_eq!(id.as_str().len(), 32);
            assert!(id.as_str().bytes().all(|c| DIGITS.contains(&c)), "{id}");
        }
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
        assert_eq!(id(1, "a1", "c1", 0), ids[0], "asked for again");
        let tested: String = digits(b"fooba").collect();
        assert_eq!(tested, "cpnmuoj1", "RFC 4648, section 10");
    }

    #[test]
    fn a_title_never_says_what_for() {
        let id = AppointmentId::parse("0198c0de-0000-7000-8000-0000000abc12").unwrap();
        let name = |text: &str| PatientName::parse(text).unwrap();
        assert_eq!(summary(Title::Reference, &id, &name("Ada Lovelace")), "Appointment 0ABC12");
        assert_eq!(summary(Title::FirstName, &id, &name("Ada King Lovelace")), "Ada L.");
        assert_eq!(summary(Title::FirstName, &id, &name("Ada")), "Ada");
    }

    #[test]
    fn what_a_vendor_calls_something_is_not_kept_in_our_name_for_it() {
        let calendar = calendar_id("dr.rahman@example.com");
        assert!(!calendar.as_str().contains("rahman") && calendar.as_str().len() == 32);
        assert_ne!(calendar.as_str(), external_id("dr.rahman@example.com").as_str());
    }
}
