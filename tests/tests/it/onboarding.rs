//! What a clinic has still to do, and the test of its diversion.

use base::clock::Clock;
use jiff::SignedDuration;
use sandbox::vapi::Placing;
use serde_json::{Value, json};
use tests::{Harness, NUMBER, ORG};

const STATUS: &str = "/api/onboarding/status";
const TEST: &str = "/api/onboarding/diversion-test";
const LINE: &str = "+442079460000";
const MOBILE: &str = "+447700900123";

async fn status(harness: &Harness) -> Value {
    let (status, shown) = harness.get(STATUS, &harness.owner()).await;
    assert_eq!(status, 200, "{shown}");
    shown
}

/// The steps that are not done.
async fn left(harness: &Harness) -> Vec<String> {
    let shown = status(harness).await;
    let steps = shown["steps"].as_array().unwrap().clone();
    for step in &steps {
        assert_eq!(step["done"] == false, step["what_to_do"].is_string(), "{step}");
    }
    let open = steps.iter().filter(|step| step["done"] == false);
    open.map(|step| step["step"].as_str().unwrap().to_owned()).collect()
}

async fn begin(harness: &Harness, main_line: &str, from: &str) -> (u16, Value) {
    harness.post(TEST, &harness.owner(), json!({"main_line": main_line, "from": from}).to_string()).await
}

async fn test_of(harness: &Harness) -> Value {
    status(harness).await["diversion"]["test"].clone()
}

fn ring_from(harness: &Harness, from: &str) {
    harness.place(&Placing {
        to: Some(NUMBER.into()),
        from: from.into(),
        talk_seconds: 30,
        web_assistant_id: None,
        max_duration_seconds: None,
        says: vec![],
    });
}

async fn says_where_it_is(harness: &Harness) {
    let body = json!({"time_zone": "Europe/London", "name": "Hill Street Dental"});
    let saved = harness.call_api(("PATCH", "/api/clinic"), &harness.owner(), None, &body).await;
    assert_eq!(saved.0, 200, "{saved:?}");
}

#[tokio::test]
async fn a_clinic_sees_step_by_step_what_is_left_and_then_nothing() {
    let harness = Harness::empty(vec![]).await;
    let all = ["money", "number", "agent", "services_and_hours", "calendar", "diversion", "first_call"];
    assert_eq!(left(&harness).await, all);
    let shown = status(&harness).await;
    assert_eq!((&shown["complete"], &shown["diversion"]["number"]), (&json!(false), &Value::Null));
    assert_eq!(shown["diversion"]["codes"].as_array().unwrap().len(), 14, "of every country, with no number");
    harness.wallets.ensure(ORG).await.unwrap();
    harness.top_up(ORG, "pi_1", 55).await;
    assert_eq!(left(&harness).await, all, "not even a minute");
    harness.top_up(ORG, "pi_2", 5_000).await;
    assert_eq!(left(&harness).await, all[1..]);
    harness.has_number("inbound").await;
    harness.pass(30).await;
    let without = |steps: &[&str]| -> Vec<String> {
        all.iter().filter(|step| !steps.contains(step)).map(|step| (*step).to_owned()).collect()
    };
    assert_eq!(left(&harness).await, without(&["money", "number", "agent"]));
    let (status_code, resource) = harness
        .post(
            "/api/resources",
            &harness.owner(),
            r#"{"name": "Dr Rahman", "time_zone": "Europe/London", "weekly": {"monday": [{"from": "09:00", "to": "12:00"}]}}"#,
        )
        .await;
    assert_eq!(status_code, 201, "{resource}");
    let service = json!({"name": "Check-up", "duration_mins": 30, "needs": [[resource["id"]]], "callers_may_book": true});
    let (status_code, service) = harness.post("/api/services", &harness.owner(), service.to_string()).await;
    assert_eq!(status_code, 201, "{service}");
    assert_eq!(left(&harness).await, ["calendar", "diversion", "first_call"]);
    for role in ["viewer", "admin"] {
        assert_eq!(harness.get(STATUS, &harness.token(ORG, role)).await.0, 200, "{role}");
    }
    assert_eq!(harness.get(STATUS, &harness.token(ORG, "staff")).await.0, 403);
}

#[tokio::test]
async fn the_test_of_a_diversion_ticks_when_the_call_arrives_and_says_when_it_does_not() {
    let harness = Harness::with_wallet(5_000, 600).await;
    says_where_it_is(&harness).await;
    let (status_code, test) = begin(&harness, LINE, MOBILE).await;
    assert_eq!((status_code, &test["status"]), (201, &json!("waiting")), "{test}");
    assert_eq!(begin(&harness, LINE, MOBILE).await.0, 200, "a repeat finds it");
    // Somebody else rings.
    ring_from(&harness, "+447700900999");
    harness.pass(60).await;
    assert_eq!(test_of(&harness).await["status"], "waiting");
    // Her own telephone, which rang the clinic's line.
    ring_from(&harness, MOBILE);
    harness.pass(60).await;
    let seen = test_of(&harness).await;
    assert_eq!((&seen["status"], seen["seen_at"].is_string()), (&json!("seen"), true), "{seen}");
    let steps = left(&harness).await;
    assert!(
        !steps.contains(&"diversion".to_owned()) && !steps.contains(&"first_call".to_owned()),
        "{steps:?}"
    );
    // What was seen holds while it is tried again, until that shows nothing; of another line it says nothing.
    harness.clock.turn_to(harness.clock.now() + SignedDuration::from_hours(1));
    assert_eq!(begin(&harness, LINE, MOBILE).await.0, 201);
    let again = test_of(&harness).await;
    assert_eq!((&again["status"], &again["seen_at"]), (&json!("waiting"), &Value::Null), "{again}");
    assert!(!left(&harness).await.contains(&"diversion".to_owned()));
    harness.clock.turn_to(harness.clock.now() + SignedDuration::from_mins(15));
    assert_eq!(test_of(&harness).await["status"], "not_seen");
    assert!(left(&harness).await.contains(&"diversion".to_owned()));
    assert_eq!(begin(&harness, "+442079460001", MOBILE).await.0, 201);
    assert_eq!(test_of(&harness).await["status"], "waiting");
    harness.clock.turn_to(harness.clock.now() + SignedDuration::from_mins(15));
    let not_seen = test_of(&harness).await;
    assert_eq!(not_seen["status"], "not_seen");
    assert!(not_seen["what_to_do"].as_str().unwrap().contains("begin the test anew"), "{not_seen}");
    assert!(left(&harness).await.contains(&"diversion".to_owned()));
}

#[tokio::test]
async fn a_line_that_is_only_tried_takes_no_calls_until_the_clinic_says_that_it_is_its_own() {
    let harness = Harness::with_wallet(5_000, 600).await;
    says_where_it_is(&harness).await;
    let main_line = async || harness.get("/api/clinic", &harness.owner()).await.1["main_line"].clone();
    let says = async |line: &str| {
        let body = json!({ "main_line": line });
        assert_eq!(harness.call_api(("PATCH", "/api/clinic"), &harness.owner(), None, &body).await.0, 200);
    };
    let other = "+442079460001";
    says(LINE).await;
    // Mistyped, or to be tried first.
    assert_eq!(begin(&harness, other, MOBILE).await.0, 201);
    assert_eq!(main_line().await, LINE);
    status(&harness).await;
    assert_eq!(main_line().await, LINE);
    ring_from(&harness, MOBILE);
    harness.pass(60).await;
    // Whoever held that telephone may have rung our number itself: to look changes nothing.
    let seen = test_of(&harness).await;
    assert_eq!((&seen["status"], main_line().await), (&json!("seen"), json!(LINE)));
    assert!(seen["what_to_do"].as_str().unwrap().contains("it is the clinic's main_line"), "{seen}");
    assert!(left(&harness).await.contains(&"diversion".to_owned()));
    says(other).await;
    assert!(!left(&harness).await.contains(&"diversion".to_owned()));
    // The clinic has another line: nothing was seen of that.
    says(LINE).await;
    assert!(left(&harness).await.contains(&"diversion".to_owned()));
    assert_eq!((main_line().await, test_of(&harness).await), (json!(LINE), Value::Null));
}

#[tokio::test]
async fn a_test_that_can_show_nothing_does_not_begin() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let (status_code, problem) = begin(&harness, LINE, MOBILE).await;
    assert_eq!((status_code, &problem["code"]), (400, &json!("invalid_value")));
    assert!(problem["detail"].as_str().unwrap().contains("time_zone"), "{problem}");
    says_where_it_is(&harness).await;
    for (main_line, from) in
        [(LINE, LINE), ("02079460000", MOBILE), (LINE, ""), ("", MOBILE), ("+881612345678", MOBILE)]
    {
        let (status_code, problem) = begin(&harness, main_line, from).await;
        assert_eq!((status_code, &problem["code"]), (400, &json!("invalid_value")), "{main_line} {from}");
    }
    let body = json!({"main_line": LINE, "from": MOBILE}).to_string();
    for role in ["viewer", "staff"] {
        assert_eq!(harness.post(TEST, &harness.token(ORG, role), body.clone()).await.0, 403, "{role}");
    }
    assert_eq!(test_of(&harness).await, Value::Null);
}
