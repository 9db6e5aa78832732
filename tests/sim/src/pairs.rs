//! What must hold of clinics' calendars when all is at rest: each appointment that stands has one event in each of its calendars, at its
//! time, and each that was cancelled has none, unless a person is to look; a person is to look only where somebody did something; and
//! what others keep busy there is what is kept of it here.

use std::collections::BTreeSet;

use domain::{
    booking::{
        appointment::{Appointment, Status},
        diary::{Interval, ResourceDay, Taken},
    },
    calendar::{Access, Calendar, Connection, ConnectionState, Mirror, Stance},
    clinic::ClinicZone,
    ids::{OrgId, ResourceId},
};
use jiff::{SignedDuration, Timestamp, civil::Date};
use serde_json::Value;

use crate::{
    calendars::{of_ours, times},
    items,
    world::World,
};

type Checked = Result<(), String>;

/// How far ahead what others keep busy is compared: less than is kept of it.
const AHEAD: SignedDuration = SignedDuration::from_hours(24 * 20);

/// What is kept of one clinic's calendars.
struct Records {
    org: OrgId,
    connected_at: Timestamp,
    appointments: Vec<Appointment>,
    calendars: Vec<Calendar>,
    mirrors: Vec<Mirror>,
    days: Vec<ResourceDay>,
}

impl Records {
    fn read(world: &World, clinic: usize) -> Result<Option<Self>, String> {
        let Some(clinic) = world.clinics.get(clinic) else { return Ok(None) };
        let of = |table: &str| {
            let rows = items::all(&world.stack.aws, table).into_iter();
            rows.filter(|row| row["org_id"] == clinic.id.as_str()).collect::<Vec<Value>>()
        };
        let key = |row: &&Value, beginning: &str| {
            row["item"].as_str().is_some_and(|key| key.starts_with(beginning))
        };
        let rows = of("calendars");
        let connection = rows.iter().find(|row| row["item"] == "connection").map(items::typed::<Connection>);
        let connection = connection.transpose()?.filter(|there| there.state == ConnectionState::Connected);
        let Some(connection) = connection else { return Err("a clinic's calendar is not connected".into()) };
        let appointments = of("appointments");
        let is_one = |row: &&Value| row["item"].as_str().is_some_and(|key| !key.contains('#'));
        let calendars = rows.iter().filter(|row| key(row, "calendar#")).map(items::typed);
        let mirrors = rows.iter().filter(|row| key(row, "event#")).map(items::typed);
        Ok(Some(Self {
            org: clinic.org,
            connected_at: connection.connected_at,
            appointments: appointments.iter().filter(is_one).map(items::typed).collect::<Result<_, _>>()?,
            calendars: calendars.collect::<Result<_, _>>()?,
            mirrors: mirrors.collect::<Result<_, _>>()?,
            days: of("resource_days").iter().map(items::typed).collect::<Result<_, _>>()?,
        }))
    }

    /// Whether a person is to look at an appointment as it is.
    fn is_looked_at(&self, appointment: &Appointment) -> bool {
        self.mirrors.iter().any(|mirror| {
            mirror.appointment_id == appointment.appointment_id
                && mirror.attention == Some(appointment.revision)
        })
    }
}

/// Checks all of it.
///
/// # Errors
/// What does not hold: a sentence.
pub fn at_rest(world: &World) -> Checked {
    for clinic in world.calendars.of.keys() {
        let Some(records) = Records::read(world, *clinic)? else { continue };
        attention(world, &records)?;
        for calendar in records.calendars.iter().filter(|calendar| calendar.stance == Stance::Active) {
            pairs(world, &records, calendar)?;
            others(world, &records, calendar)?;
        }
    }
    Ok(())
}

/// How many appointments of a world a person is to look at, as they are.
pub fn looked_at(world: &World) -> u64 {
    let records = world.calendars.of.keys().filter_map(|clinic| Records::read(world, *clinic).ok()?);
    let count = |records: Records| {
        records.appointments.iter().filter(|appointment| records.is_looked_at(appointment)).count()
    };
    u64::try_from(records.map(count).sum::<usize>()).unwrap_or_default()
}

/// Each appointment and its event in a calendar.
fn pairs(world: &World, records: &Records, calendar: &Calendar) -> Checked {
    if calendar.access != Access::Write {
        return Ok(());
    }
    let name = calendar.vendor_id.reveal();
    let events = world.stack.google.events(name);
    let ours: Vec<(String, &Value)> =
        events.iter().filter_map(|event| Some((of_ours(records.org, name, event)?, event))).collect();
    for appointment in &records.appointments {
        let id = appointment.appointment_id.as_str();
        let there: Vec<&Value> = ours.iter().filter(|(of, _)| of == id).map(|(_, event)| *event).collect();
        let is_in = appointment.resource_ids.iter().any(|one| calendar.resource_ids.contains(one));
        let is_wanted = is_in && appointment.status != Status::Cancelled;
        // What has been is not undone by who tidies a calendar up, nor put into one that is connected only then.
        let is_past = appointment.interval.from <= world.time();
        let is_before = appointment.created_at < records.connected_at;
        let may_differ = records.is_looked_at(appointment)
            || is_past && (is_before || world.calendars.wishes.has_touched(id));
        let is_right = match (&there[..], is_wanted) {
            ([_], true) if may_differ => true,
            ([], false) => true,
            ([event], true) => times(event) == Some((appointment.interval.from, appointment.interval.to)),
            ([], true) => may_differ,
            _ => false,
        };
        if !is_right {
            return Err(format!(
                "in the calendar {name} are {there:?} of {appointment:?}, of which is known {:?}",
                records
                    .mirrors
                    .iter()
                    .filter(|mirror| mirror.appointment_id.as_str() == id)
                    .collect::<Vec<_>>()
            ));
        }
    }
    Ok(())
}

/// A person is to look at what somebody touched in a calendar, or entered over it: our own echo is nothing to look at. Of a revision that
/// is past and never got there, nothing is known here.
fn attention(world: &World, records: &Records) -> Checked {
    let wishes = &world.calendars.wishes;
    for mirror in &records.mirrors {
        let Some(revision) = mirror.attention else { continue };
        let own = records.appointments.iter().filter(|one| one.appointment_id == mirror.appointment_id);
        let own = own.map(|one| (one.revision, one.interval));
        let pushed = mirror.pushed.iter().map(|pushed| (pushed.revision, pushed.interval));
        let known = own.chain(pushed).find(|(of, _)| *of == revision);
        let Some((_, Interval { from, to })) = known else { continue };
        let mut names = records.calendars.iter().map(|calendar| calendar.vendor_id.reveal());
        let is_under = names.any(|name| wishes.has_entered(name, from, to));
        if !is_under && !wishes.has_touched(mirror.appointment_id.as_str()) {
            return Err(format!("nobody did anything that a person is to look at: {mirror:?}"));
        }
    }
    Ok(())
}

/// What others keep busy in a calendar is what is taken of its resources, on each day that it touches.
fn others(world: &World, records: &Records, calendar: &Calendar) -> Checked {
    let (now, name) = (world.time(), calendar.vendor_id.reveal());
    let is_compared = |interval: &Interval| interval.from > now && interval.to < now + AHEAD;
    let mut wanted: BTreeSet<(ResourceId, Date, Timestamp, Timestamp)> = BTreeSet::new();
    for event in world.stack.google.within(name, (now, now + AHEAD)) {
        let is_busy = event["transparency"] != "transparent" && of_ours(records.org, name, &event).is_none();
        let interval = interval(&event, &calendar.time_zone).filter(is_compared);
        let Some(interval) = interval.filter(|_| is_busy) else { continue };
        for resource in &calendar.resource_ids {
            let days = interval.days().into_iter();
            wanted.extend(days.map(|day| (resource.clone(), day, interval.from, interval.to)));
        }
    }
    let mut kept = BTreeSet::new();
    for day in &records.days {
        let entries = day.entries.iter().filter(|entry| {
            let of = |id: &_| *id == calendar.calendar_id;
            matches!(&entry.taken, Taken::External { calendar_id, .. } if of(calendar_id))
                && is_compared(&entry.interval)
        });
        kept.extend(
            entries.map(|entry| (day.resource_id.clone(), day.day, entry.interval.from, entry.interval.to)),
        );
    }
    if kept == wanted {
        return Ok(());
    }
    let (missing, more): (Vec<_>, Vec<_>) =
        (wanted.difference(&kept).collect(), kept.difference(&wanted).collect());
    Err(format!("others keep busy in {name}, and it is not known: {missing:?}; or they do not: {more:?}"))
}

fn interval(event: &Value, zone: &ClinicZone) -> Option<Interval> {
    if let Some((from, to)) = times(event) {
        return Some(Interval { from, to });
    }
    let day = |name: &str| zone.start_of(event[name]["date"].as_str()?.parse().ok()?);
    Some(Interval { from: day("start")?, to: day("end")? })
}
