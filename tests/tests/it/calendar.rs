//! Google Calendar: connected, pushed to, read, dragged in, down, and never believed when it says nothing. The rows are those of the
//! pitfalls that each test shows.

mod at_random;
mod connecting;
mod faults;
mod hand;
mod vendor;

use std::{collections::BTreeMap, sync::Mutex};

use domain::{
    booking::diary::Taken,
    calendar::Mirror,
    ids::{AppointmentId, OrgId, ResourceId},
};
use jiff::civil::Date;
use sandbox::google::Hand;
use serde_json::{Value, json};
use store::{booking::Bookings, calendars::Calendars};
use tests::{Harness, ORG};

use crate::booking::{appointments, clinic};

/// The clinic's account, and its first calendar.
pub(crate) const ACCOUNT: &str = "front.desk@rahman-clinic.example";
const MONDAY_TEN: &str = "2026-01-12T10:00:00Z";
const TUESDAY_TEN: &str = "2026-01-13T10:00:00Z";

/// Lets an org connect an account, as its owner does by the browser. Returns where the browser is sent in the end.
async fn consent(harness: &Harness, org: OrgId, account: Option<&str>, unticked: &[&str]) -> String {
    let url = authorize(harness, org).await;
    let back = harness.stack.google.consent(&url, account, unticked).unwrap();
    returns(harness, &back).await
}

/// What the browsers keep that have asked for a consent, by its state.
static COOKIES: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());

fn state_of(url: &str) -> String {
    url.split("state=").nth(1).unwrap_or_default().split('&').next().unwrap().to_owned()
}

/// Where an org's owner is sent to consent. The browser keeps what it is told to.
async fn authorize(harness: &Harness, org: OrgId) -> String {
    let request = http::Request::get("/api/google-oauth/authorize")
        .header("authorization", format!("Bearer {}", harness.token(org, "owner")))
        .body(bytes::Bytes::new());
    let response = harness.send(request.unwrap()).await;
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    assert!(
        cookie.ends_with("; Path=/api/google-oauth; Max-Age=600; HttpOnly; Secure; SameSite=Lax"),
        "{cookie}"
    );
    let kept = cookie.split(';').next().unwrap().to_owned();
    let (status, answer) = tests::parts(&response);
    assert_eq!(status, 200, "{answer}");
    let url = answer["url"].as_str().unwrap().to_owned();
    COOKIES.lock().unwrap().insert(state_of(&url), kept);
    url
}

/// Sends the browser that asked to our callback. Returns what the dashboard is told.
async fn returns(harness: &Harness, back: &str) -> String {
    let cookie = COOKIES.lock().unwrap().get(&state_of(back)).cloned();
    returns_with(harness, back, cookie.as_deref()).await
}

/// Sends a browser that keeps this to our callback. Returns what the dashboard is told.
async fn returns_with(harness: &Harness, back: &str, cookie: Option<&str>) -> String {
    let path = back.split_once("://").and_then(|(_, rest)| rest.split_once('/')).unwrap().1;
    let request = http::Request::get(format!("/{path}")).header("cookie", cookie.unwrap_or("other=1"));
    let answer = harness.send(request.body(bytes::Bytes::new()).unwrap()).await;
    assert_eq!(answer.status(), 302, "{answer:?}");
    let to = answer.headers()["location"].to_str().unwrap();
    to.split_once('?').unwrap().1.to_owned()
}

/// Keeps the time of an org's first practitioner in a calendar.
async fn map(harness: &Harness, org: OrgId, calendar: &str, resources: &[Value]) -> Value {
    let owner = harness.token(org, "owner");
    let (_, listed) = harness.get("/api/calendars", &owner).await;
    let all = listed["calendars"].as_array().unwrap();
    let one = all.iter().find(|one| one["name"] == calendar).unwrap_or_else(|| panic!("{listed}"));
    let path = format!("/api/calendars/{}", one["id"].as_str().unwrap());
    let body = json!({"version": one["version"], "resource_ids": resources});
    let (status, saved) = harness.call_api(("PATCH", &path), &owner, None, &body).await;
    assert_eq!(status, 200, "{saved}");
    harness.pass(60).await;
    saved
}

async fn resources(harness: &Harness, org: OrgId) -> Vec<Value> {
    let (_, listed) = harness.get("/api/resources", &harness.token(org, "owner")).await;
    listed["resources"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect()
}

/// A clinic on a Monday at nine, whose practitioner's time is kept in the account's first calendar.
async fn connected() -> Harness {
    let harness = clinic().await;
    harness.stack.google.add_account(ACCOUNT, "Europe/London");
    assert_eq!(consent(&harness, ORG, Some(ACCOUNT), &[]).await, "success=calendar_connected");
    let all = resources(&harness, ORG).await;
    map(&harness, ORG, ACCOUNT, &all).await;
    harness
}

/// Books a check-up at `at`, as staff do.
async fn book(harness: &Harness, at: &str, name: &str) -> Value {
    let (status, made) = try_to_book(harness, at, name).await;
    assert_eq!(status, 201, "{made}");
    made
}

async fn try_to_book(harness: &Harness, at: &str, name: &str) -> (u16, Value) {
    let owner = harness.owner();
    let (_, listed) = harness.get("/api/services", &owner).await;
    let body =
        json!({"service_id": listed["services"][0]["id"], "scheduled_at": at, "contact": {"name": name}});
    harness.post("/api/appointments", &owner, body.to_string()).await
}

/// An appointment as the dashboard shows it now.
async fn shown(harness: &Harness, one: &Value) -> Value {
    let path = format!("/api/appointments/{}", one["id"].as_str().unwrap());
    let (status, shown) = harness.get(&path, &harness.owner()).await;
    assert_eq!(status, 200, "{shown}");
    shown
}

async fn move_to(harness: &Harness, one: &Value, at: &str) -> Value {
    let path = format!("/api/appointments/{}", one["id"].as_str().unwrap());
    let body = json!({"revision": one["revision"], "scheduled_at": at});
    let (status, moved) = harness.call_api(("PATCH", &path), &harness.owner(), None, &body).await;
    assert_eq!(status, 200, "{moved}");
    moved
}

async fn cancel(harness: &Harness, one: &Value) -> Value {
    let path = format!("/api/appointments/{}?revision={}", one["id"].as_str().unwrap(), one["revision"]);
    let (status, cancelled) = harness.call_api(("DELETE", &path), &harness.owner(), None, &Value::Null).await;
    assert_eq!(status, 200, "{cancelled}");
    cancelled
}

/// The events of the account's first calendar.
fn events(harness: &Harness) -> Vec<Value> {
    harness.stack.google.events(ACCOUNT)
}

/// When the events of the calendar begin, in order.
fn starts(harness: &Harness) -> Vec<String> {
    let mut starts: Vec<String> = events(harness)
        .iter()
        .map(|event| event["start"]["dateTime"].as_str().unwrap().replace(".000Z", "Z"))
        .collect();
    starts.sort();
    starts
}

fn hand(harness: &Harness, act: Value) -> Value {
    let act: Hand = serde_json::from_value(act).unwrap();
    harness.stack.google.act(&act).unwrap()
}

/// Somebody enters an event of their own.
fn enter(harness: &Harness, from: &str, to: &str) -> Value {
    let event =
        json!({"summary": "Dentists' congress", "start": {"dateTime": from}, "end": {"dateTime": to}});
    hand(harness, json!({"act": "create", "calendar": ACCOUNT, "event": event}))
}

/// What is kept of an appointment in calendars.
async fn mirrors(harness: &Harness, one: &Value) -> Vec<Mirror> {
    let id = AppointmentId::parse(one["id"].as_str().unwrap()).unwrap();
    Calendars::new(harness.stack.db()).mirrors(ORG, &id).await.unwrap()
}

/// When the practitioner's time is taken by others on a day, in order.
async fn busy(harness: &Harness, day: &str) -> Vec<String> {
    busy_of(harness, &resources(harness, ORG).await[0], day).await
}

/// The same of a practitioner.
async fn busy_of(harness: &Harness, resource: &Value, day: &str) -> Vec<String> {
    let resource = ResourceId::parse(resource.as_str().unwrap()).unwrap();
    let day: Date = day.parse().unwrap();
    let diary = Bookings::new(harness.stack.db()).diary(ORG, &[&resource], &[day]).await.unwrap();
    let entries = diary.days.iter().flat_map(|day| &day.entries);
    let others = entries.filter(|entry| matches!(entry.taken, Taken::External { .. }));
    let mut times: Vec<String> =
        others.map(|entry| format!("{}/{}", entry.interval.from, entry.interval.to)).collect();
    times.sort();
    times
}

/// What the clinic was told of its calendar.
async fn told(harness: &Harness) -> Vec<String> {
    let (_, page) = harness.get("/api/notifications?type=calendar_problem", &harness.owner()).await;
    let all = page["notifications"].as_array().unwrap();
    all.iter().map(|one| one["message"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_nobody_had_told_us_of_is_found_when_the_appointment_gets_there() {
    // C10
    let harness = connected().await;
    harness.stack.google.with_faults(|faults| faults.loses_notices = true);
    enter(&harness, "2026-01-12T10:15:00Z", "2026-01-12T11:00:00Z");
    harness.fault(("google", "list_events"), sandbox::faults::Mode::Error, 1);
    let one = book(&harness, MONDAY_TEN, "Ada Lovelace").await;
    harness.pass(20).await;
    assert_eq!(shown(&harness, &one).await["calendar"], "unverified");
    harness.pass(600).await;
    assert_eq!(shown(&harness, &one).await["calendar"], "attention");
    assert_eq!(told(&harness).await.len(), 1);
    let (_, other) = try_to_book(&harness, TUESDAY_TEN, "Grace Hopper").await;
    harness.pass(60).await;
    assert_eq!(shown(&harness, &other).await["calendar"], "synced");
}

async fn schedule(harness: &Harness, task: &str) {
    harness.stack.invoke("calendar-watch", &json!({ "task": task })).await.unwrap();
    harness.pass(5).await;
}

#[tokio::test]
async fn an_appointment_is_in_the_calendar_follows_its_moves_and_goes_when_it_is_cancelled() {
    // C8: what is sent says neither what for nor for whom.
    let harness = connected().await;
    let one = book(&harness, MONDAY_TEN, "Ada Lovelace").await;
    assert_eq!(one["calendar"], "pending");
    harness.pass(60).await;
    assert_eq!(shown(&harness, &one).await["calendar"], "synced");
    let all = events(&harness);
    let [event] = &all[..] else { panic!("{all:?}") };
    assert_eq!(event["start"]["dateTime"], "2026-01-12T10:00:00.000Z");
    assert_eq!((&event["visibility"], &event["transparency"]), (&json!("private"), &json!("opaque")));
    assert!(event["summary"].as_str().unwrap().starts_with("Appointment "), "{event}");
    for word in ["Ada", "Lovelace", "Check-up"] {
        assert!(!event.to_string().contains(word), "{event}");
    }
    let moved = move_to(&harness, &one, TUESDAY_TEN).await;
    harness.pass(60).await;
    assert_eq!(starts(&harness), [TUESDAY_TEN]);
    assert_eq!(shown(&harness, &one).await["calendar"], "synced");
    let cancelled = cancel(&harness, &moved).await;
    harness.pass(60).await;
    assert_eq!(starts(&harness), Vec::<String>::new());
    assert_eq!(shown(&harness, &cancelled).await["calendar"], "none");
    assert_eq!(appointments(&harness, ORG).await.len(), 1);
    assert_eq!(told(&harness).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_was_booked_before_is_in_the_calendar_and_a_title_says_as_much_as_the_clinic_wants() {
    let harness = clinic().await;
    book(&harness, MONDAY_TEN, "Ada Lovelace").await;
    harness.stack.google.add_account(ACCOUNT, "Europe/London");
    consent(&harness, ORG, Some(ACCOUNT), &[]).await;
    let title = json!({"title": "first_name"});
    let (status, answer) =
        harness.call_api(("PATCH", "/api/calendars"), &harness.owner(), None, &title).await;
    assert_eq!((status, &answer["title"]), (200, &json!("first_name")), "{answer}");
    let all = resources(&harness, ORG).await;
    map(&harness, ORG, ACCOUNT, &all).await;
    assert_eq!(events(&harness)[0]["summary"], "Ada L.");
}

#[tokio::test]
async fn a_caller_who_books_is_in_the_calendar_too() {
    let harness = connected().await;
    let turns = [
        ("checkAvailability", json!({"service": "a check-up", "when": "tomorrow"})),
        ("bookClinicAppointment", json!({"option": "A", "patient_name": "Ada Lovelace"})),
    ];
    harness.ring_and_ask("+447700900101", &turns);
    harness.pass(120).await;
    assert_eq!(starts(&harness), ["2026-01-06T09:00:00Z"]);
}

#[tokio::test]
async fn what_others_keep_busy_is_not_booked_and_is_free_again_when_it_goes() {
    let harness = connected().await;
    let event = enter(&harness, "2026-01-12T10:00:00Z", "2026-01-12T11:00:00Z");
    harness.pass(5).await;
    assert_eq!(busy(&harness, "2026-01-12").await, ["2026-01-12T10:00:00Z/2026-01-12T11:00:00Z"]);
    let (status, problem) = try_to_book(&harness, MONDAY_TEN, "Ada Lovelace").await;
    assert_eq!((status, &problem["code"]), (409, &json!("time_not_free")), "{problem}");
    hand(
        &harness,
        json!({"act": "move", "calendar": ACCOUNT, "id": event["id"], "start": TUESDAY_TEN, "end": "2026-01-13T11:00:00Z"}),
    );
    harness.pass(5).await;
    assert_eq!(busy(&harness, "2026-01-12").await, Vec::<String>::new());
    book(&harness, MONDAY_TEN, "Ada Lovelace").await;
    assert_eq!(try_to_book(&harness, TUESDAY_TEN, "Grace Hopper").await.0, 409);
    let free = json!({"act": "change", "calendar": ACCOUNT, "id": event["id"], "fields": {"transparency": "transparent"}});
    hand(&harness, free);
    harness.pass(5).await;
    book(&harness, TUESDAY_TEN, "Grace Hopper").await;
}

#[tokio::test]
async fn a_series_takes_each_of_its_days_and_whole_days_are_the_calendars() {
    // C6
    let harness = connected().await;
    let series = json!({"summary": "Ward round", "start": {"dateTime": "2026-01-06T09:30:00Z", "timeZone": "Europe/London"},
        "end": {"dateTime": "2026-01-06T10:30:00Z", "timeZone": "Europe/London"}, "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"]});
    let series = hand(&harness, json!({"act": "create", "calendar": ACCOUNT, "event": series}));
    let holiday =
        json!({"summary": "Holiday", "start": {"date": "2026-01-15"}, "end": {"date": "2026-01-16"}});
    hand(&harness, json!({"act": "create", "calendar": ACCOUNT, "event": holiday}));
    let id = series["id"].as_str().unwrap();
    harness.pass(5).await;
    assert_eq!(busy(&harness, "2026-01-13").await, ["2026-01-13T09:30:00Z/2026-01-13T10:30:00Z"]);
    assert_eq!(busy(&harness, "2026-01-15").await, ["2026-01-15T00:00:00Z/2026-01-16T00:00:00Z"]);
    // One instance is dragged, another deleted.
    let instance = format!("{id}_20260113T093000Z");
    hand(
        &harness,
        json!({"act": "move", "calendar": ACCOUNT, "id": instance, "start": "2026-01-14T09:30:00Z", "end": "2026-01-14T10:30:00Z"}),
    );
    hand(&harness, json!({"act": "delete", "calendar": ACCOUNT, "id": format!("{id}_20260120T093000Z")}));
    harness.pass(5).await;
    assert_eq!(busy(&harness, "2026-01-13").await, Vec::<String>::new());
    assert_eq!(busy(&harness, "2026-01-14").await, ["2026-01-14T09:30:00Z/2026-01-14T10:30:00Z"]);
    assert_eq!(busy(&harness, "2026-01-20").await, Vec::<String>::new());
    assert_eq!(busy(&harness, "2026-01-27").await.len(), 1);
    hand(&harness, json!({"act": "delete", "calendar": ACCOUNT, "id": id}));
    harness.pass(5).await;
    for day in ["2026-01-06", "2026-01-14", "2026-01-27"] {
        assert_eq!(busy(&harness, day).await, Vec::<String>::new(), "{day}");
    }
}

#[tokio::test]
async fn a_series_goes_on_a_day_further_each_day() {
    // C6
    let harness = connected().await;
    let series = json!({"start": {"dateTime": "2026-01-06T09:30:00Z", "timeZone": "Europe/London"},
        "end": {"dateTime": "2026-01-06T10:30:00Z", "timeZone": "Europe/London"}, "recurrence": ["RRULE:FREQ=DAILY"]});
    hand(&harness, json!({"act": "create", "calendar": ACCOUNT, "event": series}));
    harness.pass(5).await;
    assert_eq!(busy(&harness, "2026-04-06").await.len(), 1);
    assert_eq!(busy(&harness, "2026-04-20").await.len(), 0, "further than can be booked");
    harness.pass(20 * 24 * 3_600).await;
    schedule(&harness, "compare").await;
    assert_eq!(busy(&harness, "2026-04-20").await.len(), 1);
}

#[tokio::test]
async fn what_lands_on_an_appointment_is_for_a_person_and_is_told_once() {
    let harness = connected().await;
    let one = book(&harness, MONDAY_TEN, "Ada Lovelace").await;
    harness.pass(60).await;
    let event = enter(&harness, "2026-01-12T09:00:00Z", "2026-01-12T12:00:00Z");
    harness.pass(5).await;
    assert_eq!(shown(&harness, &one).await["calendar"], "attention");
    assert_eq!(shown(&harness, &one).await["status"], "confirmed");
    let longer = json!({"act": "move", "calendar": ACCOUNT, "id": event["id"], "start": "2026-01-12T09:00:00Z", "end": "2026-01-12T12:30:00Z"});
    hand(&harness, longer);
    harness.pass(5).await;
    let all = told(&harness).await;
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(all[0].contains("Ada Lovelace"), "{all:?}");
    // A person moves it: then there is nothing to look at any more.
    move_to(&harness, &one, TUESDAY_TEN).await;
    harness.pass(60).await;
    assert_eq!(shown(&harness, &one).await["calendar"], "synced");
}
