//! What must hold of appointments after every step: no two overlap, what is taken is booked and what is booked is taken, one intent is
//! one appointment, each change is noted on the call that made it, and nothing is booked by what the clinic no longer offers. And when
//! all is at rest: what a caller was told is so.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    booking::{
        appointment::{Appointment, MadeBy, Status},
        catalog::Service,
        conversation::{Conversation, Letter},
        diary::{ResourceDay, Taken},
        spoken,
    },
    ids::AppointmentId,
};
use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use serde_json::Value;

use crate::{items, world::World};

/// What the clinics' services took when they were last looked at, and the appointments that are known.
#[derive(Debug, Default)]
pub struct Diaries {
    minutes: BTreeMap<String, u32>,
    known: BTreeSet<AppointmentId>,
    /// What each appointment was, and since when.
    versions: BTreeMap<AppointmentId, Vec<(Timestamp, Appointment)>>,
}

/// Something that does not hold: what, and what was found instead.
pub type Broken = (&'static str, String);

/// The records of appointments.
struct Records {
    appointments: Vec<Appointment>,
    intents: Vec<Value>,
    conversations: Vec<Conversation>,
    days: Vec<ResourceDay>,
    services: Vec<Service>,
}

impl Records {
    fn read(world: &World) -> Result<Self, Broken> {
        let unreadable = |error: String| ("every record can be read", error);
        let aws = &world.stack.aws;
        let key = |row: &Value| row["item"].as_str().unwrap_or_default().to_owned();
        let rows = items::all(aws, "appointments");
        let (intents, others): (Vec<Value>, Vec<Value>) =
            rows.into_iter().partition(|row| key(row).starts_with("intent#"));
        let appointments = others.iter().filter(|row| !key(row).contains('#'));
        let conversations = others.iter().filter(|row| key(row).starts_with("call#"));
        let services = items::all(aws, "booking_catalog");
        let services = services.iter().filter(|row| key(row).starts_with("service#"));
        Ok(Self {
            appointments: appointments.map(items::typed).collect::<Result<_, _>>().map_err(unreadable)?,
            intents,
            conversations: conversations.map(items::typed).collect::<Result<_, _>>().map_err(unreadable)?,
            days: items::all(aws, "resource_days")
                .iter()
                .map(items::typed)
                .collect::<Result<_, _>>()
                .map_err(unreadable)?,
            services: services.map(items::typed).collect::<Result<_, _>>().map_err(unreadable)?,
        })
    }

    fn standing(&self) -> impl Iterator<Item = &Appointment> {
        self.appointments.iter().filter(|appointment| appointment.status != Status::Cancelled)
    }
}

impl Diaries {
    /// Checks all clinics' diaries.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn check(&mut self, world: &World) -> Result<(), Broken> {
        let records = Records::read(world)?;
        overlaps(&records)?;
        taken(&records)?;
        intents(&records)?;
        changes(&records)?;
        for appointment in &records.appointments {
            let versions = self.versions.entry(appointment.appointment_id.clone()).or_default();
            let is_known = |(_, last): &(Timestamp, Appointment)| {
                last.revision == appointment.revision && last.status == appointment.status
            };
            if !versions.last().is_some_and(is_known) {
                versions.push((world.time(), appointment.clone()));
            }
        }
        self.offered(&records)
    }

    /// What a caller was told of a change is so: the appointment that the letter means on that call was cancelled, or stood at the time
    /// that was said, at some moment from the question to the answer.
    ///
    /// # Errors
    /// When it was not.
    pub fn told(
        &self,
        world: &World,
        (call, which): (&str, &Letter),
        told: &str,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<(), Broken> {
        let wrong = || {
            let detail = format!("on call {call} a caller heard {told:?}, and it was not so: {which:?}");
            Err(("what a caller is told of a change is so", detail))
        };
        let rows = items::all(&world.stack.aws, "appointments");
        let key = format!("call#{call}");
        let Some(row) = rows.iter().find(|row| row["item"] == key.as_str()) else { return wrong() };
        let conversation: Conversation =
            items::typed(row).map_err(|error| ("every record can be read", error))?;
        let Some(found) = conversation.found(which) else { return wrong() };
        let versions = self.versions.get(&found.appointment_id).map(Vec::as_slice).unwrap_or_default();
        let ends = versions.iter().skip(1).map(|(since, _)| *since).chain([Timestamp::MAX]);
        let mut during = versions.iter().zip(ends).filter(|((since, _), end)| *since <= to && *end >= from);
        if during.any(|((_, appointment), _)| is_as_told(appointment, told, to)) { Ok(()) } else { wrong() }
    }

    /// What is new is as the clinic offers it, or did a step ago.
    fn offered(&mut self, records: &Records) -> Result<(), Broken> {
        let minutes = |service: &Service| (service.service_id.to_string(), service.terms.duration_mins);
        let now: BTreeMap<String, u32> = records.services.iter().map(minutes).collect();
        for appointment in &records.appointments {
            let is_new = self.known.insert(appointment.appointment_id.clone());
            let length = appointment.interval.to.duration_since(appointment.interval.from).as_mins();
            let id = appointment.service_id.to_string();
            let mut offered = [&now, &self.minutes].into_iter().filter_map(|minutes| minutes.get(&id));
            if is_new && !offered.any(|minutes| i64::from(*minutes) == length) {
                return Err(("nothing is booked by what is no longer offered", format!("{appointment:?}")));
            }
        }
        self.minutes = now;
        Ok(())
    }

    /// How many appointments were made.
    pub fn count(&self) -> usize {
        self.known.len()
    }
}

/// Whether a sentence about a change says what an appointment is; "today" is a day of some zone.
fn is_as_told(appointment: &Appointment, told: &str, now: Timestamp) -> bool {
    let is_cancelled = appointment.status == Status::Cancelled;
    let days = [-24, 0, 24].map(|hours| now + SignedDuration::from_hours(hours));
    let mut whens = days.iter().map(|at| {
        let today = TimeZone::UTC.to_datetime(*at).date();
        spoken::instant(appointment.wall_clock, today)
    });
    told.starts_with("CANCELLED") == is_cancelled && whens.any(|when| told.contains(&format!(" on {when}")))
}

/// No two appointments of a resource overlap, buffers counted.
fn overlaps(records: &Records) -> Result<(), Broken> {
    let mut last: BTreeMap<String, &Appointment> = BTreeMap::new();
    let mut all: Vec<&Appointment> = records.standing().collect();
    all.sort_by_key(|appointment| appointment.blocked.from);
    for appointment in all {
        for resource in &appointment.resource_ids {
            let before = last.insert(resource.to_string(), appointment);
            if let Some(before) = before.filter(|before| before.blocked.overlaps(&appointment.blocked)) {
                return Err(("no two appointments overlap", format!("{before:?} and {appointment:?}")));
            }
        }
    }
    Ok(())
}

/// What is booked is taken, on each day that it touches; what is taken is booked.
fn taken(records: &Records) -> Result<(), Broken> {
    const PAIRED: &str = "what is booked is taken, and what is taken is booked";
    let mut entries: BTreeSet<(String, String, AppointmentId)> = BTreeSet::new();
    for day in &records.days {
        for entry in &day.entries {
            if let Taken::Appointment { appointment_id, .. } = &entry.taken {
                entries.insert((day.resource_id.to_string(), day.day.to_string(), appointment_id.clone()));
            }
        }
    }
    for appointment in records.standing() {
        for resource in &appointment.resource_ids {
            for day in appointment.blocked.days() {
                let entry = (resource.to_string(), day.to_string(), appointment.appointment_id.clone());
                if !entries.remove(&entry) {
                    return Err((PAIRED, format!("on {day} {appointment:?} is taken of nobody")));
                }
            }
        }
    }
    match entries.first() {
        Some(entry) => Err((PAIRED, format!("{entry:?} is taken by no appointment"))),
        None => Ok(()),
    }
}

/// One intent is one appointment; one that was cancelled may have given its intent to another.
fn intents(records: &Records) -> Result<(), Broken> {
    const ONE: &str = "one intent is one appointment";
    let of = |intent: &Value| intent["appointment_id"].as_str().unwrap_or_default().to_owned();
    let booked: BTreeSet<String> = records.intents.iter().map(of).collect();
    let made = |appointment: &Appointment| appointment.appointment_id.to_string();
    let all: BTreeSet<String> = records.appointments.iter().map(made).collect();
    let standing: BTreeSet<String> = records.standing().map(made).collect();
    if booked.len() == records.intents.len() && booked.is_subset(&all) && standing.is_subset(&booked) {
        return Ok(());
    }
    Err((ONE, format!("{} intents became {booked:?}, and there are {all:?}", records.intents.len())))
}

/// Each move and each cancellation is noted on the call that made it, once: in these worlds only callers change appointments.
fn changes(records: &Records) -> Result<(), Broken> {
    for appointment in &records.appointments {
        let is_it = |conversation: &Conversation, which| {
            let found = conversation.found(which);
            found.is_some_and(|found| found.appointment_id == appointment.appointment_id)
        };
        let noted: usize = records
            .conversations
            .iter()
            .map(|call| call.changed.iter().filter(|changed| is_it(call, &changed.which)).count())
            .sum();
        let moved = usize::try_from(appointment.revision.saturating_sub(1)).unwrap_or(usize::MAX);
        let made = moved + usize::from(appointment.status == Status::Cancelled);
        if noted != made {
            return Err((
                "each change is noted on its call",
                format!("{noted} are noted of {made} of {appointment:?}"),
            ));
        }
    }
    Ok(())
}

/// What callers were told is so: each "BOOKED" has its appointment, of that call and for that patient. What they heard of changes was
/// held against the diary when they heard it: [`Diaries::told`].
///
/// # Errors
/// A sentence that says which has none.
pub fn told(world: &World) -> Result<(), String> {
    let records = Records::read(world).map_err(|(_, detail)| detail)?;
    for call in world.stack.vapi.calls() {
        let wrong =
            |heard: &String| Err(format!("on call {} a caller heard {heard:?}, and it is not so", call.id));
        for heard in call.heard.iter().filter(|heard| heard.starts_with("BOOKED")) {
            let is_it = |appointment: &Appointment| {
                matches!(&appointment.made, MadeBy::Caller { call_id } if call_id.as_str() == call.id)
                    && heard.contains(appointment.patient_name.reveal())
            };
            if !records.appointments.iter().any(is_it) {
                return wrong(heard);
            }
        }
    }
    Ok(())
}
