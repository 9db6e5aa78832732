//! What must hold of appointments after every step: no two overlap, what is taken is booked and what is booked is taken, one intent is
//! one appointment, and nothing is booked by what the clinic no longer offers. And when all is at rest: what a caller was told is so.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    booking::{
        appointment::{Appointment, MadeBy, Status},
        catalog::Service,
        diary::{ResourceDay, Taken},
    },
    ids::AppointmentId,
};
use serde_json::Value;

use crate::{items, world::World};

/// What the clinics' services took when they were last looked at, and the appointments that are known.
#[derive(Debug, Default)]
pub struct Diaries {
    minutes: BTreeMap<String, u32>,
    known: BTreeSet<AppointmentId>,
}

/// Something that does not hold: what, and what was found instead.
pub type Broken = (&'static str, String);

/// The records of appointments.
struct Records {
    appointments: Vec<Appointment>,
    intents: Vec<Value>,
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
        let services = items::all(aws, "booking_catalog");
        let services = services.iter().filter(|row| key(row).starts_with("service#"));
        Ok(Self {
            appointments: appointments.map(items::typed).collect::<Result<_, _>>().map_err(unreadable)?,
            intents,
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
        self.offered(&records)
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

/// One intent is one appointment.
fn intents(records: &Records) -> Result<(), Broken> {
    const ONE: &str = "one intent is one appointment";
    let of = |intent: &Value| intent["appointment_id"].as_str().unwrap_or_default().to_owned();
    let booked: BTreeSet<String> = records.intents.iter().map(of).collect();
    let made: BTreeSet<String> =
        records.appointments.iter().map(|appointment| appointment.appointment_id.to_string()).collect();
    if booked == made && records.intents.len() == made.len() {
        return Ok(());
    }
    Err((ONE, format!("{} intents became {booked:?}, and there are {made:?}", records.intents.len())))
}

/// What callers were told is so: each "BOOKED" has its appointment, of that call and for that patient. Returns how often it was said.
///
/// # Errors
/// A sentence that says which has none.
pub fn told(world: &World) -> Result<usize, String> {
    let records = Records::read(world).map_err(|(_, detail)| detail)?;
    let mut count = 0;
    for call in world.stack.vapi.calls() {
        for heard in call.heard.iter().filter(|heard| heard.starts_with("BOOKED")) {
            count += 1;
            let is_it = |appointment: &&Appointment| {
                matches!(&appointment.made, MadeBy::Caller { call_id } if call_id.as_str() == call.id)
                    && heard.contains(appointment.patient_name.reveal())
            };
            if !records.appointments.iter().any(|appointment| is_it(&appointment)) {
                return Err(format!(
                    "on call {} a caller heard {heard:?}, and there is no such appointment",
                    call.id
                ));
            }
        }
    }
    Ok(count)
}
