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
    /// How often what is rare became of one.
    pub tallies: BTreeMap<&'static str, u64>,
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
        self.follow(world, &records)?;
        self.changes(world, &records)?;
        self.offered(&records)
    }

    /// Notes what has become of each appointment. Where it was not dragged there in a calendar, none comes to lie on what others keep
    /// busy and we know of.
    fn follow(&mut self, world: &World, records: &Records) -> Result<(), Broken> {
        for appointment in &records.appointments {
            let versions = self.versions.entry(appointment.appointment_id.clone()).or_default();
            let last = versions.last().map(|(_, last)| last);
            if last.is_some_and(|last| {
                last.revision == appointment.revision && last.status == appointment.status
            }) {
                continue;
            }
            let is_at_another = last.is_none_or(|last| last.interval != appointment.interval);
            let (id, interval) = (appointment.appointment_id.as_str(), appointment.interval);
            let is_dragged = world.calendars.wishes.has_dragged(id, interval.from, interval.to);
            if is_at_another && !is_dragged {
                on_others(records, appointment)?;
            }
            let by_hand = match last {
                Some(_) if is_at_another && is_dragged => Some("appointments moved by a hand"),
                Some(_) if world.calendars.wishes.has_deleted(id) => Some("appointments cancelled by a hand"),
                Some(_) | None => None,
            };
            if let Some(what) = by_hand {
                *self.tallies.entry(what).or_default() += 1;
            }
            versions.push((world.time(), appointment.clone()));
        }
        Ok(())
    }

    /// Each move and each cancellation is noted on the call that made it, once. Of a clinic with calendars, those that are not were asked
    /// for at the desk, or by a hand in a calendar: neither our own echo nor any error has changed an appointment.
    fn changes(&self, world: &World, records: &Records) -> Result<(), Broken> {
        for appointment in &records.appointments {
            let noted = noted(records, appointment);
            let moved = usize::try_from(appointment.revision.saturating_sub(1)).unwrap_or(usize::MAX);
            let made = moved + usize::from(appointment.status == Status::Cancelled);
            let has_calendars =
                world.clinic_of(&appointment.org_id.to_string()).is_some_and(|at| world.calendars.has(at));
            if noted > made || !has_calendars && noted < made {
                return Err((
                    "each change is noted on its call",
                    format!("{noted} are noted of {made} of {appointment:?}"),
                ));
            }
            if noted + self.asked_for(world, &appointment.appointment_id) < made {
                let versions = self.versions.get(&appointment.appointment_id);
                return Err((
                    "an appointment is changed by nobody but people",
                    format!("{noted} of {made} changes are noted on calls: {versions:?}"),
                ));
            }
        }
        Ok(())
    }

    /// How many of an appointment's changes were asked for at the desk or by a hand.
    fn asked_for(&self, world: &World, id: &AppointmentId) -> usize {
        let versions = self.versions.get(id).map(Vec::as_slice).unwrap_or_default();
        let wishes = &world.calendars.wishes;
        let is_asked_for = |pair: &&[(Timestamp, Appointment)]| match pair {
            [(_, before), (_, after)] if before.status != after.status => wishes.has_cancelled(id.as_str()),
            [_, (_, after)] => wishes.has_moved(id.as_str(), after.interval.from, after.interval.to),
            _ => false,
        };
        versions.windows(2).filter(is_asked_for).count()
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

/// One intent is one appointment; one that was cancelled may have given its intent to another, and what the desk asks for in the same words
/// ten minutes later is another.
fn intents(records: &Records) -> Result<(), Broken> {
    const ONE: &str = "one intent is one appointment";
    let of = |intent: &Value| intent["appointment_id"].as_str().unwrap_or_default().to_owned();
    let booked: BTreeSet<String> = records.intents.iter().map(of).collect();
    let made = |appointment: &Appointment| appointment.appointment_id.to_string();
    let all: BTreeSet<String> = records.appointments.iter().map(made).collect();
    let is_by_voice = |appointment: &&Appointment| matches!(appointment.made, MadeBy::Caller { .. });
    let standing: BTreeSet<String> = records.standing().filter(is_by_voice).map(made).collect();
    if booked.len() == records.intents.len() && booked.is_subset(&all) && standing.is_subset(&booked) {
        return Ok(());
    }
    Err((ONE, format!("{} intents became {booked:?}, and there are {all:?}", records.intents.len())))
}

/// How many moves and cancellations of an appointment are noted on calls.
fn noted(records: &Records, appointment: &Appointment) -> usize {
    let is_it = |conversation: &Conversation, which: &Letter| {
        let found = conversation.found(which);
        found.is_some_and(|found| found.appointment_id == appointment.appointment_id)
    };
    let of_call =
        |call: &Conversation| call.changed.iter().filter(|changed| is_it(call, &changed.which)).count();
    records.conversations.iter().map(of_call).sum()
}

/// An appointment does not lie on what others keep busy.
fn on_others(records: &Records, appointment: &Appointment) -> Result<(), Broken> {
    let days = records.days.iter().filter(|day| appointment.resource_ids.contains(&day.resource_id));
    let mut others =
        days.flat_map(|day| &day.entries).filter(|entry| matches!(entry.taken, Taken::External { .. }));
    match others.find(|entry| entry.interval.overlaps(&appointment.blocked)) {
        Some(entry) if appointment.status != Status::Cancelled => {
            Err(("nothing is booked onto what others keep busy", format!("{appointment:?} on {entry:?}")))
        }
        Some(_) | None => Ok(()),
    }
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
