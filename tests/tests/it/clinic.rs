//! What a clinic says about itself, and what follows its time zone.

use base::clock::Clock;
use local::aws::Outcome;
use serde_json::{Value, json};
use tests::{Harness, ORG, OTHER_ORG, bodies};

const CLINIC: &str = "/api/clinic";
const STATS: &str = "/api/calls-dashboard/stats?timeWindow=24h";

async fn saved(harness: &Harness, body: &Value, role: &str) -> (u16, Value) {
    harness.call_api(("PATCH", CLINIC), &harness.token(ORG, role), None, body).await
}

/// How many calls are listed of one day.
async fn of_day(harness: &Harness, day: &str) -> u64 {
    let path = format!("/api/calls-dashboard?startDate={day}&endDate={day}");
    let (status, page) = harness.get(&path, &harness.owner()).await;
    assert_eq!(status, 200, "{page}");
    page["pagination"]["total"].as_u64().unwrap()
}

async fn calls_today(harness: &Harness) -> u64 {
    let (status, figures) = harness.get(STATS, &harness.owner()).await;
    assert_eq!(status, 200, "{figures}");
    figures["callsToday"].as_u64().unwrap()
}

/// A stack at `time`, with a call that begins then.
async fn rung_at(time: &str) -> Harness {
    let harness = Harness::with_wallet(5_000, 600).await;
    harness.clock.turn_to(time.parse().unwrap());
    assert_eq!(harness.vapi_as_it_is(&bodies::request("call-1")).await.0, 200);
    harness
}

#[tokio::test]
async fn a_clinic_is_in_london_until_an_admin_says_where_it_is() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let viewer = harness.token(ORG, "viewer");
    let shown = |zone: &str| json!({"time_zone": zone, "name": null, "address": null, "notice": null, "sender_name": null, "alert_emails": []});
    let unsaid = shown("Europe/London");
    assert_eq!(harness.get(CLINIC, &viewer).await, (200, unsaid));
    let (status, problem) = saved(&harness, &json!({"time_zone": "America/New_York"}), "viewer").await;
    assert_eq!((status, problem["code"].as_str()), (403, Some("forbidden")));
    for unknown in ["Europe/Londn", "+01:00", "", "BST", "../../etc/passwd"] {
        let (status, problem) = saved(&harness, &json!({ "time_zone": unknown }), "admin").await;
        assert_eq!((status, problem["code"].as_str()), (400, Some("invalid_value")), "{unknown}");
        assert!(problem["detail"].as_str().unwrap().starts_with("time_zone"), "{problem}");
    }
    assert_eq!(saved(&harness, &json!({"colour": "red"}), "admin").await.0, 400);
    // Who has an emergency is told the number of where the clinic is: it says so before anything else.
    for first in [json!({}), json!({"name": "Hill Street Dental"})] {
        let (status, problem) = saved(&harness, &first, "admin").await;
        assert_eq!((status, problem["code"].as_str()), (400, Some("invalid_value")), "{problem}");
    }
    for (body, zone) in [
        (json!({"time_zone": "america/new_york"}), "America/New_York"),
        (json!({}), "America/New_York"),
        (json!({"time_zone": "Australia/Sydney"}), "Australia/Sydney"),
    ] {
        assert_eq!(saved(&harness, &body, "admin").await, (200, shown(zone)));
        assert_eq!(harness.get(CLINIC, &viewer).await.1["time_zone"], zone);
    }
    let (status, named) = saved(&harness, &json!({"name": " Hill  Street Dental"}), "admin").await;
    assert_eq!(
        (status, &named["name"], &named["time_zone"]),
        (200, &json!("Hill Street Dental"), &json!("Australia/Sydney"))
    );
    for bad in ["", "A", "<b>Clinic</b>", &"x".repeat(61)] {
        assert_eq!(saved(&harness, &json!({ "name": bad }), "admin").await.0, 400, "{bad}");
    }
    let theirs = harness.get(CLINIC, &harness.token(OTHER_ORG, "owner")).await;
    assert_eq!(theirs.1["time_zone"], "Europe/London", "it is the org's own");
}

#[tokio::test]
async fn a_call_is_of_the_clinics_day_across_the_change_of_the_clocks() {
    // Half past midnight in London on the first night of summer time.
    let harness = rung_at("2026-03-29T23:30:00.000Z").await;
    assert_eq!((of_day(&harness, "2026-03-29").await, of_day(&harness, "2026-03-30").await), (0, 1));
    assert_eq!(calls_today(&harness).await, 1);
    // Midnight in UTC is no midnight of the clinic's; its own is.
    harness.clock.turn_to("2026-03-30T00:02:00.000Z".parse().unwrap());
    assert_eq!(calls_today(&harness).await, 1);
    harness.clock.turn_to("2026-03-30T23:00:00.000Z".parse().unwrap());
    assert_eq!(calls_today(&harness).await, 0);
    // The night before, the same hour was still of the day before.
    let harness = rung_at("2026-03-28T23:30:00.000Z").await;
    assert_eq!((of_day(&harness, "2026-03-28").await, of_day(&harness, "2026-03-29").await), (1, 0));
}

#[tokio::test]
async fn a_clinic_in_new_york_has_the_days_of_new_york() {
    let harness = rung_at("2026-06-16T03:30:00.000Z").await;
    assert_eq!(of_day(&harness, "2026-06-16").await, 1, "London");
    assert_eq!(saved(&harness, &json!({"time_zone": "America/New_York"}), "owner").await.0, 200);
    assert_eq!((of_day(&harness, "2026-06-15").await, of_day(&harness, "2026-06-16").await), (1, 0));
    assert_eq!(calls_today(&harness).await, 1);
    harness.clock.turn_to("2026-06-16T04:00:00.000Z".parse().unwrap());
    assert_eq!(calls_today(&harness).await, 0);
    // The statement's days are the same.
    harness.top_up(ORG, "pi_late", 2_500).await;
    for (day, count) in [("2026-06-15", 0), ("2026-06-16", 1)] {
        let path = format!("/api/billing/wallet/statement?from={day}&to={day}");
        let (status, statement) = harness.get(&path, &harness.owner()).await;
        assert_eq!(status, 200, "{statement}");
        assert_eq!(statement["entries"].as_array().unwrap().len(), count, "{day} {}", harness.clock.now());
    }
}

#[tokio::test]
async fn a_call_begins_with_what_is_so_of_the_clinic_and_waits_for_none_of_it() {
    let harness = crate::booking::clinic().await;
    let body = json!({"time_zone": "Europe/London", "name": "Hill Street Dental", "address": "12 Hill Street",
        "notice": {"text": "We are closed on Friday.", "until": "2026-01-09"}});
    let (status, saved_clinic) = saved(&harness, &body, "admin").await;
    assert_eq!((status, &saved_clinic["notice"]), (200, &body["notice"]), "{saved_clinic}");
    let told = |answer: &Value| answer["assistantOverrides"]["variableValues"]["clinic_facts"].clone();
    let (_, answer) = harness.vapi(&bodies::request("call-1")).await;
    let facts = told(&answer);
    for known in [
        "Monday 5 January 2026, 09:00 (Europe/London)",
        "Hill Street Dental",
        "12 Hill Street",
        "closed on Friday",
        "Dr Rahman: Monday, Tuesday, Wednesday, Thursday, Friday 09:00 to 12:00",
        "Check-up: 30 minutes",
    ] {
        assert!(facts.as_str().unwrap().contains(known), "{known} in {facts}");
    }
    // Nobody who rings waits for it, and none is refused.
    harness.stack.aws.set_plan(|sent| {
        let table = sent.body["TableName"].as_str().unwrap_or_default();
        let fails = table.ends_with("-clinics") || table.ends_with("-booking_catalog");
        if fails { Outcome::Fail("InternalServerError") } else { Outcome::Pass }
    });
    let before = harness.clock.now();
    let (status, answer) = harness.vapi(&bodies::request("call-2")).await;
    assert_eq!((status, told(&answer)), (200, json!("")), "{answer}");
    assert!(answer["assistantId"].is_string(), "{answer}");
    assert!(harness.clock.now().duration_since(before).as_secs() < 1, "it rang no second longer");
    for bad in [
        json!({"address": "x".repeat(201)}),
        json!({"notice": {"text": "Closed."}}),
        json!({"notice": {"text": "Closed.", "until": "Friday"}}),
        json!({"notice": {"text": "x".repeat(301), "until": "2026-01-09"}}),
    ] {
        harness.stack.aws.clear_plan();
        assert_eq!(saved(&harness, &bad, "admin").await.0, 400, "{bad}");
    }
    let gone = json!({"address": "", "notice": {"text": ""}});
    let (status, without) = saved(&harness, &gone, "admin").await;
    assert_eq!((status, &without["address"], &without["notice"]), (200, &Value::Null, &Value::Null));
}
