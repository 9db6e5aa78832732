//! What a page shows that watches, and ending a call by hand.

use base::clock::Clock;
use sandbox::faults::Mode;
use serde_json::{Value, json};
use tests::{Harness, ORG, OTHER_ORG, bodies};

async fn live(harness: &Harness, token: &str, since: &str) -> Value {
    let (status, live) = harness.get(&format!("/api/live?since={since}"), token).await;
    assert_eq!(status, 200, "{live}");
    live
}

async fn end(harness: &Harness, call: &str, token: &str) -> (u16, Value) {
    harness.post(&format!("/api/calls/{call}/end"), token, "").await
}

#[tokio::test]
async fn a_page_that_watches_is_shown_what_changed_and_told_when_to_ask_again() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let owner = harness.owner();
    let quiet = live(&harness, &owner, "").await;
    assert_eq!((&quiet["changed"], &quiet["next_poll_ms"]), (&json!(true), &json!(15_000)));
    assert_eq!(quiet["shown"]["calls"], json!([]));
    assert_eq!(quiet["shown"]["wallet"]["available_pence"], 2_500);
    let same = live(&harness, &owner, quiet["version"].as_str().unwrap()).await;
    assert_eq!((&same["changed"], &same["shown"]), (&json!(false), &Value::Null));

    let call = harness.ring(120);
    harness.pass(10).await;
    let talking = live(&harness, &owner, quiet["version"].as_str().unwrap()).await;
    assert_eq!((&talking["changed"], &talking["next_poll_ms"]), (&json!(true), &json!(2_000)));
    let shown = &talking["shown"]["calls"][0];
    assert_eq!((&shown["id"], &shown["phone_number"]), (&json!(call), &json!("+44…23")));
    assert_eq!((&shown["held_pence"], &shown["ending"]), (&json!(280), &json!(false)));
    let started: jiff::Timestamp = shown["started_at"].as_str().unwrap().parse().unwrap();
    let left = 300 - harness.clock.now().duration_since(started).as_secs();
    assert_eq!(shown["seconds_left"], left, "{shown}");
    assert_eq!(talking["shown"]["wallet"]["rate_per_minute_pence"], 56);
    harness.pass(5).await;
    let ticked = live(&harness, &owner, talking["version"].as_str().unwrap()).await;
    assert_eq!(ticked["changed"], json!(false), "a page counts on by itself: {ticked}");
    harness.pass(200).await;
    let over = live(&harness, &owner, talking["version"].as_str().unwrap()).await;
    assert_eq!((&over["changed"], &over["shown"]["calls"]), (&json!(true), &json!([])));
    assert_eq!(over["shown"]["wallet"]["balance_pence"], 2_500 - 112);
}

#[tokio::test]
async fn staff_watch_calls_and_the_diary_and_no_money() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let staff = harness.token(ORG, "staff");
    harness.ring(120);
    harness.pass(10).await;
    let shown = live(&harness, &staff, "").await["shown"].clone();
    assert_eq!(shown["wallet"], Value::Null);
    let call = &shown["calls"][0];
    assert!(call["held_pence"].is_null() && call["paid_until"].is_null() && call["seconds_left"].is_null());
    assert!(call["started_at"].is_string(), "{call}");
    let others = live(&harness, &harness.token(OTHER_ORG, "owner"), "").await;
    assert_eq!(others["shown"]["calls"], json!([]));
}

#[tokio::test]
async fn todays_appointments_are_shown_as_they_are_booked() {
    let harness = crate::booking::clinic().await;
    let reception = crate::booking::reception(&harness);
    let before = live(&harness, &harness.owner(), "").await;
    let line = crate::booking::caller("call-1", "+447700900101");
    let check = ("checkAvailability", json!({"service": "check-up", "when": "today"}));
    let found = crate::booking::uses(&reception, &line, check).await;
    let is_today = found.starts_with("FREE");
    let when = if is_today { "today" } else { "tomorrow" };
    let check = ("checkAvailability", json!({"service": "check-up", "when": when}));
    crate::booking::uses(&reception, &line, check).await;
    let book = ("bookClinicAppointment", json!({"option": "A", "patient_name": "Ada Lovelace"}));
    let booked = crate::booking::uses(&reception, &line, book).await;
    assert!(booked.starts_with("BOOKED"), "{booked}");
    if !is_today {
        harness.pass(86_400).await;
    }
    let after = live(&harness, &harness.owner(), before["version"].as_str().unwrap()).await;
    let shown = &after["shown"]["appointments"];
    assert_eq!(shown.as_array().map(Vec::len), Some(1), "{after}");
    assert_eq!((&shown[0]["contact_name"], &shown[0]["call_id"]), (&json!("Ada Lovelace"), &json!("call-1")));
}

#[tokio::test]
async fn somebody_of_the_clinic_ends_a_call_and_a_repeat_changes_nothing() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let call = harness.ring(300);
    harness.pass(20).await;
    let (status, _) = end(&harness, &call, &harness.token(OTHER_ORG, "owner")).await;
    assert_eq!(status, 404, "another org's");
    let (status, ending) = end(&harness, &call, &harness.token(ORG, "staff")).await;
    assert_eq!((status, &ending["over"], &ending["status"]), (200, &json!(false), &json!("in-progress")));
    assert_eq!(end(&harness, &call, &harness.owner()).await.0, 200);
    harness.pass(60).await;
    let record = harness.call(&call).await;
    assert!(!record.is_open() && record.end_asked, "{record:?}");
    let billed: i64 = harness.bills_of(&call).await.iter().sum();
    assert!((1..=40).contains(&billed), "some 20 seconds were talked: {billed}");
    let (status, over) = end(&harness, &call, &harness.owner()).await;
    assert_eq!((status, &over["over"]), (200, &json!(true)), "{over}");
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_call_that_does_not_take_its_end_is_told_again_whatever_money_there_is() {
    let harness = Harness::with_wallet(10_000, 600).await;
    let call = harness.ring(500);
    harness.pass(20).await;
    harness.fault(("vapi", "command"), Mode::TimeoutBefore, 1);
    assert_eq!(end(&harness, &call, &harness.owner()).await.0, 200);
    assert!(harness.call(&call).await.is_open(), "Vapi did not hear it");
    harness.pass(30).await;
    let record = harness.call(&call).await;
    assert!(!record.is_open(), "it is told again: {record:?}");
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_call_that_rings_cannot_be_ended_yet() {
    let harness = Harness::with_wallet(2_500, 600).await;
    harness.vapi(&bodies::request("call-1")).await;
    let (status, problem) = end(&harness, "call-1", &harness.owner()).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("call_not_begun")));
}
