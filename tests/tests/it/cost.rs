//! What authorize and settle ask of the store: requests, sequential trips, capacity units, as `docs/performance.md`
//! says.

use base::clock::Clock;
use tests::{Harness, bodies};

/// Requests, trips, read units, write units.
type Cost = (usize, usize, f64, f64);

fn cost(harness: &Harness) -> Cost {
    let spent = harness.stack.aws.take_spent();
    let trips = spent.iter().map(|request| request.trip).max().unwrap_or_default();
    let is_read = |operation: &str| operation.starts_with("Get") || operation == "Query";
    let units = |reads: bool| {
        spent.iter().filter(|request| is_read(&request.operation) == reads).map(|r| r.units).sum()
    };
    (spent.len(), trips, units(true), units(false))
}

/// The row of the table in `docs/performance.md` that begins with `step`.
fn documented(step: &str) -> Cost {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/performance.md")).unwrap();
    let row = page.lines().find(|line| line.starts_with(&format!("| {step} |")));
    let cells: Vec<&str> =
        row.unwrap_or_else(|| panic!("no row for {step}")).split('|').map(str::trim).collect();
    (
        cells[2].parse().unwrap(),
        cells[3].parse().unwrap(),
        cells[4].parse().unwrap(),
        cells[5].parse().unwrap(),
    )
}

/// What one engine counts for a write of an index in a transaction another does not: over another endpoint the units are left out.
fn comparable(harness: &Harness, (requests, trips, reads, writes): Cost) -> Cost {
    if harness.is_embedded() { (requests, trips, reads, writes) } else { (requests, trips, 0.0, 0.0) }
}

/// Compares what a step cost with the row of the table.
fn assert_cost(harness: &Harness, step: &str) {
    let spent = cost(harness);
    assert_eq!(comparable(harness, spent), comparable(harness, documented(step)), "{step}");
}

#[tokio::test]
async fn authorize_and_settle_cost_what_is_documented() {
    let harness = Harness::with_wallet(2_500, 600).await;
    harness.vapi(&bodies::request("warm-up")).await;
    harness.vapi(&bodies::report("warm-up", 30)).await;
    cost(&harness);
    harness.vapi(&bodies::request("call-1")).await;
    assert_cost(&harness, "authorize");
    harness.vapi(&bodies::in_progress("call-1")).await;
    assert_cost(&harness, "start");
    let mut report = bodies::report("call-1", 60);
    report["message"]["transcript"] = "AI: Hello.".into();
    harness.clock.turn_to(harness.clock.now() + jiff::SignedDuration::from_secs(60));
    harness.vapi_as_it_is(&report).await;
    assert_cost(&harness, "settle");
    harness.vapi_as_it_is(&report).await;
    assert_cost(&harness, "settle, again");
}

#[tokio::test]
async fn what_a_caller_does_with_the_diary_costs_what_is_documented() {
    use crate::booking::{caller, clinic, reception, uses};
    use serde_json::{Value, json};

    let harness = clinic().await;
    let reception = reception(&harness);
    let line = caller("call-1", "+447700900101");
    let check = |arguments: Value| ("checkAvailability", arguments);
    let book = |arguments: Value| ("bookClinicAppointment", arguments);
    cost(&harness);
    for (step, tool, begins) in [
        ("check availability", check(json!({"service": "check-up", "when": "tomorrow"})), "FREE"),
        ("hold a time", book(json!({"option": "A"})), "HELD"),
        ("book it", book(json!({"option": "A", "patient_name": "Ada Lovelace"})), "BOOKED"),
        ("find it", ("findMyAppointments", json!({"patient_name": "Ada Lovelace"})), "FOUND. D"),
        ("check for a move", check(json!({"which": "D", "when": "Thursday"})), "FREE. E"),
        ("move it", ("rescheduleAppointment", json!({"which": "D", "option": "E"})), "MOVED"),
        ("cancel it", ("cancelAppointment", json!({"which": "D"})), "CANCELLED"),
        ("take a message", ("takeMessage", json!({"text": "Please ring back."})), "NOTED"),
    ] {
        let answer = uses(&reception, &line, tool).await;
        assert!(answer.starts_with(begins), "{step}: {answer}");
        assert_cost(&harness, step);
    }
}

#[tokio::test]
async fn a_credit_reads_the_wallet_and_its_key_twice() {
    let harness = Harness::with_wallet(0, 600).await;
    harness.pay(2_500).await;
    let session = harness.begin_top_up(2_500).await;
    cost(&harness);
    harness.stack.stripe.act(&session, sandbox::stripe::Act::Pay).unwrap();
    harness.pass(0).await;
    let spent = harness.stack.aws.take_spent();
    let operations: Vec<&str> = spent.iter().map(|request| request.operation.as_str()).collect();
    // Whose the customer is, the wallet and the key; the card; the wallet and the key again; both written; the event noted. The next
    // event of the same payment begins with the customer.
    let (read, written) = (["GetItem"; 3], ["TransactWriteItems", "PutItem"]);
    let expected = [&read[..], &["UpdateItem"], &read[..2], &written].concat();
    assert!(operations.starts_with(&expected), "{operations:?}");
}
