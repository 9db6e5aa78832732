//! Whether appointments and the days of practitioners and rooms say the same. They are written together, so that they always should.

use std::fmt;

use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{
    appointment::{Appointment, Status},
    diary::{Entry, ResourceDay, Taken},
};
use crate::ids::{AppointmentId, ResourceId};

/// Something in which they differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// An appointment does not have its time of a resource on a day: somebody else may be booked for it.
    NotTaken(AppointmentId, ResourceId),
    /// A time is taken by an appointment that is cancelled, elsewhere, or none: nobody can book it.
    TakenByNone(AppointmentId, ResourceId),
    /// Two appointments have one time of a resource, and neither was laid over the other by staff.
    Overlap(AppointmentId, AppointmentId, ResourceId),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTaken(appointment, resource) => write!(f, "not_taken#{appointment}#{resource}"),
            Self::TakenByNone(appointment, resource) => write!(f, "taken_by_none#{appointment}#{resource}"),
            Self::Overlap(one, other, resource) => write!(f, "overlap#{one}#{other}#{resource}"),
        }
    }
}

/// Returns in what the two differ, of what is not over at `now`: all `appointments` that are not, and all `days` from that of `now` on.
///
/// What was written between two reads makes them differ too, so only what differs in two looks means something.
pub fn differences(appointments: &[Appointment], days: &[ResourceDay], now: Timestamp) -> Vec<Difference> {
    let mut found = Vec::new();
    let ahead = |one: &&Appointment| one.status != Status::Cancelled && now < one.blocked.to;
    for one in appointments.iter().filter(ahead) {
        let not_taken = one.resource_ids.iter().filter(|resource| !is_taken(one, resource, days, now));
        found.extend(
            not_taken.map(|resource| Difference::NotTaken(one.appointment_id.clone(), resource.clone())),
        );
    }
    for day in days {
        let entries =
            || day.entries.iter().filter(|entry| now < entry.interval.to).filter_map(appointment_of);
        for (id, _, entry) in entries() {
            let is_its =
                |one: &Appointment| one.entry() == *entry && one.resource_ids.contains(&day.resource_id);
            let of_id = appointments.iter().filter(ahead).find(|one| one.appointment_id == *id);
            if !of_id.is_some_and(is_its) {
                found.push(Difference::TakenByNone(id.clone(), day.resource_id.clone()));
            }
        }
        for (nth, (id, overbooked, entry)) in entries().enumerate() {
            let over = entries().skip(nth.saturating_add(1)).filter(|(other, laid_over, later)| {
                other != &id && !overbooked && !laid_over && later.interval.overlaps(&entry.interval)
            });
            found.extend(over.map(|(other, _, _)| {
                let (one, other) = if id < other { (id, other) } else { (other, id) };
                Difference::Overlap(one.clone(), other.clone(), day.resource_id.clone())
            }));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Whether an appointment has its time of a resource on each day from that of `now` on.
fn is_taken(one: &Appointment, resource: &ResourceId, days: &[ResourceDay], now: Timestamp) -> bool {
    let entry = one.entry();
    let today = day_of(now);
    let of_resource = |day: &&ResourceDay| day.resource_id == *resource;
    one.blocked.days().into_iter().filter(|day| *day >= today).all(|date| {
        days.iter().filter(of_resource).any(|day| day.day == date && day.entries.contains(&entry))
    })
}

/// The day of UTC that an instant lies in.
fn day_of(now: Timestamp) -> Date {
    now.to_zoned_datetime(TimeZone::UTC).date()
}

fn appointment_of(entry: &Entry) -> Option<(&AppointmentId, bool, &Entry)> {
    match &entry.taken {
        Taken::Appointment { appointment_id, overbooked } => Some((appointment_id, *overbooked, entry)),
        Taken::Hold { .. } | Taken::External { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, ToSpan as _};

    use super::*;
    use crate::{
        booking::{
            appointment::{MadeBy, PatientName},
            diary::Interval,
        },
        clinic::ClinicZone,
        ids::{CallId, OrgId, ServiceId},
    };

    const NOW: &str = "2026-12-07T09:00:00Z";

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// An appointment of an hour with buffers around it.
    fn appointment(id: &str, starts_at: &str) -> Appointment {
        let from = at(starts_at);
        let interval = Interval { from, to: from + SignedDuration::from_hours(1) };
        let blocked = Interval { from: from.saturating_sub(10.minutes()).unwrap(), to: interval.to };
        let time_zone = ClinicZone::default();
        Appointment {
            org_id: OrgId::new(uuid::Uuid::nil()),
            appointment_id: AppointmentId::parse(id).unwrap(),
            version: 1,
            revision: 1,
            status: Status::Confirmed,
            service_id: ServiceId::parse("s1").unwrap(),
            service_name: "Check-up".to_owned(),
            resource_ids: vec![ResourceId::parse("r1").unwrap()],
            interval,
            blocked,
            wall_clock: time_zone.wall_clock(from),
            time_zone,
            patient_name: PatientName::parse("Ada Lovelace").unwrap(),
            phone_number: None,
            email: None,
            may_text: None,
            contact_id: None,
            overbooked: None,
            answers: vec![],
            notes: None,
            made: MadeBy::Caller { call_id: CallId::parse("call-1").unwrap() },
            created_at: from,
        }
    }

    /// The days that these take of each of their resources.
    fn days(appointments: &[&Appointment]) -> Vec<ResourceDay> {
        let mut days: Vec<ResourceDay> = Vec::new();
        for one in appointments {
            for resource in &one.resource_ids {
                for date in one.blocked.days() {
                    let there = days.iter().position(|day| day.day == date && day.resource_id == *resource);
                    let day = there.map_or_else(
                        || ResourceDay::untouched(one.org_id, resource.clone(), date),
                        |there| days.remove(there),
                    );
                    days.push(day.with(one.entry()));
                }
            }
        }
        days
    }

    fn said(appointments: &[Appointment], days: &[ResourceDay]) -> Vec<String> {
        differences(appointments, days, at(NOW)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_was_written_together_agrees_and_what_is_over_is_not_looked_at() {
        let across = appointment("a1", "2026-12-07T23:50:00Z");
        let over = appointment("a2", "2026-12-07T07:30:00Z");
        let running = appointment("a3", "2026-12-07T08:50:00Z");
        let all = [across.clone(), over.clone(), running.clone()];
        assert_eq!(said(&all, &days(&[&across, &running])), Vec::<String>::new());
        assert_eq!(said(std::slice::from_ref(&across), &days(&[&across, &over])), Vec::<String>::new());
    }

    #[test]
    fn a_time_that_an_appointment_lacks_is_found_on_either_side_of_midnight() {
        let across = appointment("a1", "2026-12-07T23:50:00Z");
        for missing in 0..2 {
            let mut there = days(&[&across]);
            there.remove(missing);
            assert_eq!(said(std::slice::from_ref(&across), &there), ["not_taken#a1#r1"]);
        }
        let cancelled = Appointment { status: Status::Cancelled, ..across.clone() };
        assert_eq!(said(&[cancelled], &[]), Vec::<String>::new());
    }

    #[test]
    fn a_time_that_nobody_has_any_more_is_found() {
        let one = appointment("a1", "2026-12-08T10:00:00Z");
        let there = days(&[&one]);
        let moved = appointment("a1", "2026-12-08T12:00:00Z");
        let cancelled = Appointment { status: Status::Cancelled, ..one.clone() };
        let elsewhere = Appointment { resource_ids: vec![ResourceId::parse("r2").unwrap()], ..one.clone() };
        assert_eq!(said(&[], &there), ["taken_by_none#a1#r1"]);
        assert_eq!(said(&[cancelled], &there), ["taken_by_none#a1#r1"]);
        assert_eq!(said(&[moved], &there), ["not_taken#a1#r1", "taken_by_none#a1#r1"]);
        assert_eq!(said(&[elsewhere], &there), ["not_taken#a1#r2", "taken_by_none#a1#r1"]);
    }

    #[test]
    fn two_at_one_time_are_found_unless_staff_laid_one_over_the_other() {
        let one = appointment("a1", "2026-12-08T10:00:00Z");
        // It begins as the first ends: its buffer lies over that.
        let other = appointment("a2", "2026-12-08T11:00:00Z");
        let both = [one.clone(), other.clone()];
        assert_eq!(said(&both, &days(&[&one, &other])), ["overlap#a1#a2#r1"]);
        let laid =
            Appointment { overbooked: Some(crate::personal::Personal::new("urgent".to_owned())), ..other };
        assert_eq!(said(&[one.clone(), laid.clone()], &days(&[&one, &laid])), Vec::<String>::new());
    }
}
