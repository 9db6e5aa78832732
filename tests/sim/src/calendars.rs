//! Clinics that keep their time in Google's calendars: which of a world's do, how they connect them, and what people have asked of
//! appointments there and at the desk, so that nothing else may come of it.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use domain::{
    calendar::{calendar_id, event_id},
    ids::{AppointmentId, OrgId},
};
use http::{Request, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{rng::Stream, world::World};

/// How many worlds of a thousand have calendars, and in how many of those two clinics do.
const CONNECTED: u64 = 333;
const TWO: u64 = 250;
/// How many clinics of a thousand with two practitioners keep the time of both in one calendar, and how many read another besides, in
/// which they may write nothing.
const SHARED: u64 = 350;
const READS_ANOTHER: u64 = 400;
/// In how many worlds of a thousand Google tells of so few events at a time.
const TELLS_LITTLE: u64 = 300;
const LITTLE: usize = 3;
/// How often an event of ours may have been made anew before its ids are not known here.
const GENERATIONS: u32 = 40;
/// The property by which an event of ours says whose it is.
pub const MARK: &str = "voxanne_appointment";

/// The calendars of a world's clinics.
#[derive(Debug, Default)]
pub struct Calendars {
    /// What each clinic's calendars are called at Google.
    pub of: BTreeMap<usize, Vec<String>>,
    /// What people have asked for.
    pub wishes: Wishes,
    /// Whether Google tells little at a time, so that what was done at once is not read at once.
    pub tells_little: bool,
}

/// What people have asked of appointments, and what they have entered into calendars, whether anything came of it or not.
#[derive(Debug, Default)]
pub struct Wishes {
    /// When an appointment was to begin, and to end where it was dragged.
    moves: BTreeMap<String, Vec<(Timestamp, Option<Timestamp>)>>,
    /// What was to be cancelled, and of that what was deleted in a calendar.
    cancels: BTreeSet<String>,
    deleted: BTreeSet<String>,
    /// Whose events somebody has touched.
    touched: BTreeSet<String>,
    /// When something of others ever stood in a calendar.
    others: Vec<(String, Timestamp, Timestamp)>,
}

impl Wishes {
    /// An appointment is to be at this time: of its own length, or dragged to this end.
    pub fn moves(&mut self, appointment: &str, from: Timestamp, to: Option<Timestamp>) {
        self.moves.entry(appointment.to_owned()).or_default().push((from, to));
    }

    /// An appointment is not to be.
    pub fn cancels(&mut self, appointment: &str) {
        self.cancels.insert(appointment.to_owned());
    }

    /// An appointment's event is deleted.
    pub fn deletes(&mut self, appointment: &str) {
        self.touches(appointment);
        self.cancels(appointment);
        self.deleted.insert(appointment.to_owned());
    }

    /// Somebody has touched an event of an appointment's.
    pub fn touches(&mut self, appointment: &str) {
        self.touched.insert(appointment.to_owned());
    }

    /// Something of others stands in a calendar.
    pub fn enters(&mut self, calendar: &str, from: Timestamp, to: Timestamp) {
        self.others.push((calendar.to_owned(), from, to));
    }

    /// Whether somebody asked that an appointment be at this time.
    pub fn has_moved(&self, appointment: &str, from: Timestamp, to: Timestamp) -> bool {
        let asked = self.moves.get(appointment).into_iter().flatten();
        asked.into_iter().any(|(start, end)| *start == from && end.is_none_or(|end| end == to))
    }

    /// Whether somebody dragged an appointment's event to this time.
    pub fn has_dragged(&self, appointment: &str, from: Timestamp, to: Timestamp) -> bool {
        let asked = self.moves.get(appointment).into_iter().flatten();
        asked.into_iter().any(|(start, end)| *start == from && *end == Some(to))
    }

    /// Whether somebody asked that an appointment be cancelled.
    pub fn has_cancelled(&self, appointment: &str) -> bool {
        self.cancels.contains(appointment)
    }

    /// Whether somebody deleted an appointment's event.
    pub fn has_deleted(&self, appointment: &str) -> bool {
        self.deleted.contains(appointment)
    }

    /// Whether somebody has touched an event of an appointment's.
    pub fn has_touched(&self, appointment: &str) -> bool {
        self.touched.contains(appointment)
    }

    /// Whether anything of others ever lay over this time in a calendar.
    pub fn has_entered(&self, calendar: &str, from: Timestamp, to: Timestamp) -> bool {
        self.others.iter().any(|(name, start, end)| name == calendar && *start < to && from < *end)
    }
}

impl Calendars {
    /// Whether a clinic keeps its time in calendars.
    pub fn has(&self, clinic: usize) -> bool {
        self.of.contains_key(&clinic)
    }
}

/// Has the clinics of some worlds connect calendars, after all else is set up and while nothing goes wrong.
pub async fn set_up(world: &mut World, seed: u64) {
    let mut chance = Stream::of(seed, "calendars");
    if world.is_crowded() || world.is_long || !chance.chance(CONNECTED) {
        return;
    }
    if chance.chance(TELLS_LITTLE) {
        world.calendars.tells_little = true;
        world.stack.google.with_faults(|faults| faults.page = Some(LITTLE));
    }
    let count = if chance.chance(TWO) { 2 } else { 1 };
    for at in 0..count {
        let kept = connect(world, at, &mut chance).await;
        world.calendars.of.insert(at, kept);
    }
    world.pass(60).await;
}

/// A clinic makes its calendars, connects them, and says whose time each is.
async fn connect(world: &World, at: usize, chance: &mut Stream) -> Vec<String> {
    let zone = chance.pick(&["Europe/London", "America/New_York", "Asia/Kolkata"]).unwrap_or("Europe/London");
    let (account, google) = (account(at), &world.stack.google);
    google.add_account(&account, zone);
    let listed = ask(world, at, "GET", "/api/resources", &Value::Null).await;
    let resources: Vec<Value> =
        listed["resources"].as_array().into_iter().flatten().map(|one| one["id"].clone()).collect();
    let is_shared = chance.chance(SHARED);
    let mut wanted: Vec<(String, Vec<Value>)> = Vec::new();
    for (nth, resource) in resources.iter().enumerate() {
        match wanted.first_mut() {
            None => wanted.push((account.clone(), vec![resource.clone()])),
            Some((_, of_first)) if is_shared => of_first.push(resource.clone()),
            Some(_) => {
                let name = format!("practitioner-{nth}-of-{at}@group.calendar.example");
                google.add_calendar(&account, &name, &name, zone);
                wanted.push((name, vec![resource.clone()]));
            }
        }
    }
    if chance.chance(READS_ANOTHER) {
        let name = format!("private-of-{at}@example.com");
        google.add_account(&name, zone);
        google.share(&name, &account, Some("reader"));
        wanted.push((name, resources.into_iter().take(1).collect()));
    }
    let page = world.stack.request(world.request(at, "GET", AUTHORIZE, &Value::Null));
    let back = consented(world, at, &Box::pin(page).await).expect("a consent is asked for");
    Box::pin(world.stack.request(back)).await;
    let listed = ask(world, at, "GET", "/api/calendars", &Value::Null).await;
    for (name, resource_ids) in &wanted {
        let all = listed["calendars"].as_array().into_iter().flatten();
        let id = calendar_id(name).to_string();
        let there =
            all.into_iter().find(|one| one["id"] == id.as_str()).expect("a calendar of the account's");
        let body = json!({"version": there["version"], "resource_ids": resource_ids});
        ask(world, at, "PATCH", &format!("/api/calendars/{id}"), &body).await;
    }
    wanted.into_iter().map(|(name, _)| name).collect()
}

async fn ask(world: &World, at: usize, method: &str, path: &str, body: &Value) -> Value {
    let answer = Box::pin(world.stack.request(world.request(at, method, path, body))).await;
    serde_json::from_slice(answer.body()).unwrap_or_default()
}

/// Where a clinic is told where to consent.
pub const AUTHORIZE: &str = "/api/google-oauth/authorize";

/// A clinic's account at Google.
pub fn account(clinic: usize) -> String {
    format!("desk-of-{clinic}@example.com")
}

/// The clinic consents to what it was asked for. Returns how its browser comes back.
pub fn consented(world: &World, clinic: usize, page: &Response<Bytes>) -> Option<Request<Bytes>> {
    let asked: Value = serde_json::from_slice(page.body()).ok()?;
    let back = world.stack.google.consent(asked["url"].as_str()?, Some(&account(clinic)), &[]).ok()?;
    let path = back.split_once("://")?.1.split_once('/')?.1;
    let cookie = page.headers().get("set-cookie")?.to_str().ok()?.split(';').next()?;
    Request::get(format!("/{path}")).header("cookie", cookie).body(Bytes::new()).ok()
}

/// The appointment whose event this is, where it is one that we have put into this calendar: a copy is none, nor is one that was moved
/// here from another.
pub fn of_ours(org: OrgId, calendar: &str, event: &Value) -> Option<String> {
    let mark = event["extendedProperties"]["private"][MARK].as_str()?;
    let appointment = AppointmentId::parse(mark).ok()?;
    let calendar = calendar_id(calendar);
    let is_it = |generation| event["id"] == event_id(org, &appointment, &calendar, generation).as_str();
    (0..GENERATIONS).any(is_it).then(|| mark.to_owned())
}

/// When an event is, where it says so to the second.
pub fn times(event: &Value) -> Option<(Timestamp, Timestamp)> {
    let at = |name: &str| event[name]["dateTime"].as_str()?.parse().ok();
    Some((at("start")?, at("end")?))
}
