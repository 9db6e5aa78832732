//! Appointments against the times they take.

use base::clock::Clock as _;
use domain::{
    booking::{appointment::Appointment, diary::ResourceDay},
    ids::AppointmentId,
};
use jiff::SignedDuration;
use serde_json::{Value, json};
use store::{
    booking::{Booking, Bookings},
    runs::Runs,
};
use tests::{Harness, ORG, OTHER_ORG, alarms};

use super::{count, ids, run};
use crate::{
    booking::{clinic, offers},
    messages::MONDAY_TEN,
};

/// Staff books for somebody at this time.
async fn booked(harness: &Harness, at: &str) -> Appointment {
    let (_, listed) = harness.get("/api/services", &harness.owner()).await;
    let body = json!({"service_id": listed["services"][0]["id"], "scheduled_at": at, "contact": {"name": "Ada Lovelace"}});
    let (status, made) = harness.call_api(("POST", "/api/appointments"), &harness.owner(), None, &body).await;
    assert_eq!(status, 201, "{made}");
    let id = AppointmentId::parse(made["id"].as_str().unwrap()).unwrap();
    Bookings::new(harness.stack.db()).appointment(ORG, &id).await.unwrap().unwrap()
}

async fn days_of(harness: &Harness, one: &Appointment) -> Vec<ResourceDay> {
    let bookings = Bookings::new(harness.stack.db());
    bookings.diary(ORG, &[&one.resource_ids[0]], &one.blocked.days()).await.unwrap().days
}

/// Somebody's hand writes the days of an appointment.
async fn rewrite(harness: &Harness, one: &Appointment, change: impl Fn(&mut ResourceDay)) {
    let mut days = days_of(harness, one).await;
    days.iter_mut().for_each(change);
    let booking = Booking { days: &days, ..Booking::default() };
    Bookings::new(harness.stack.db()).book(ORG, &booking).await.unwrap();
}

#[tokio::test]
async fn a_diary_that_does_not_agree_is_told_of_when_it_still_does_not_a_minute_later() {
    // A1
    let harness = clinic().await;
    offers(&harness, OTHER_ORG, &["Dr Osei"]).await;
    harness.wallets.ensure(OTHER_ORG).await.unwrap();
    let (kept, lost) = (booked(&harness, MONDAY_TEN).await, booked(&harness, "2026-01-13T10:00:00Z").await);
    let gone = booked(&harness, "2026-01-14T10:00:00Z").await;
    let (heard, guard) = alarms();
    let report = run(&harness, "appointments").await;
    assert_eq!((report.checked, report.left.len(), report.complete), (2, 0, true));
    // One loses its time; another is taken by an appointment that is nowhere, and its own is lost.
    rewrite(&harness, &lost, |day| day.entries.clear()).await;
    let nobody = AppointmentId::parse("nobody").unwrap();
    let taken = Appointment { appointment_id: nobody, ..gone.clone() }.entry();
    rewrite(&harness, &gone, |day| day.entries = vec![taken.clone()]).await;
    run(&harness, "appointments").await;
    assert_eq!(run(&harness, "calls").await.left, [], "the first look says nothing");
    harness.clock.turn_to(harness.clock.now() + SignedDuration::from_secs(60));
    let report = run(&harness, "calls").await;
    let resource = &kept.resource_ids[0];
    let expected = [
        format!("{ORG}#not_taken#{}#{resource}", lost.appointment_id),
        format!("{ORG}#not_taken#{}#{resource}", gone.appointment_id),
        format!("{ORG}#taken_by_none#nobody#{resource}"),
    ];
    let mut found = ids(&report.left, "appointments_differ");
    found.sort_unstable();
    let mut expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(count(&heard, "appointments_differ"), 3);
    // It is told of once a day.
    harness.clock.turn_to(harness.clock.now() + SignedDuration::from_secs(60));
    assert!(run(&harness, "calls").await.left.is_empty());
    drop(guard);
}

#[tokio::test]
async fn what_has_been_put_right_by_the_second_look_is_forgotten() {
    let harness = clinic().await;
    let one = booked(&harness, MONDAY_TEN).await;
    rewrite(&harness, &one, |day| day.entries.clear()).await;
    let (heard, guard) = alarms();
    run(&harness, "appointments").await;
    rewrite(&harness, &one, |day| day.entries = vec![one.entry()]).await;
    harness.clock.turn_to(harness.clock.now() + SignedDuration::from_secs(60));
    assert!(run(&harness, "calls").await.left.is_empty());
    assert_eq!(Runs::new(harness.stack.db()).seen("appointments_differing", "").await.unwrap(), []);
    drop(guard);
    assert_eq!(count(&heard, "appointments_differ"), 0);
}

#[tokio::test]
async fn bookings_moves_and_cancellations_leave_nothing_that_differs() {
    let harness = clinic().await;
    let (moved, cancelled) =
        (booked(&harness, MONDAY_TEN).await, booked(&harness, "2026-01-13T10:00:00Z").await);
    let path = |one: &Appointment| format!("/api/appointments/{}", one.appointment_id);
    let to = json!({"revision": 1, "scheduled_at": "2026-01-15T11:00:00Z"});
    let (status, _) = harness.call_api(("PATCH", &path(&moved)), &harness.owner(), None, &to).await;
    assert_eq!(status, 200);
    let gone = format!("{}?revision=1", path(&cancelled));
    let (status, _) = harness.call_api(("DELETE", &gone), &harness.owner(), None, &Value::Null).await;
    assert_eq!(status, 200);
    run(&harness, "appointments").await;
    assert_eq!(Runs::new(harness.stack.db()).seen("appointments_differing", "").await.unwrap(), []);
}
