//! What was really sent: bodies that others recorded, which lie beside the project and not in it. These tests are ignored where
//! they are not; `VOXANNE_FIXTURES` names their folder, and `.ci/run` sets it where there is one.

use domain::ids::CallId;
use jiff::Timestamp;
use serde_json::Value;
use tests::{Harness, ORG, alarms, papers};

use crate::webhooks::assert_each_is_answered;

fn recorded(name: &str) -> Value {
    papers("VOXANNE_FIXTURES", name)
}

#[tokio::test]
#[ignore = "needs the recorded bodies: VOXANNE_FIXTURES"]
async fn the_recorded_web_report_is_billed_26_seconds() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let (status, _) = harness.vapi(&recorded("vapi/captured/end-of-call-report.web.2025-06.json")).await;
    assert_eq!(status, 200);
    assert_eq!(harness.bills_of("ede2ddef-006b-42a1-89d6-badc72c6ff7d").await, [25]);
    assert_eq!(harness.money().await, (2_475, 0));
    harness.assert_books(ORG).await;
}

#[tokio::test]
#[ignore = "needs the recorded bodies: VOXANNE_FIXTURES"]
async fn the_recorded_inbound_pair_is_authorized_and_billed_by_a_look_up() {
    let request = recorded("vapi/captured/assistant-request.inbound.2024-07.json");
    let report = recorded("vapi/captured/end-of-call-report.inbound-squad.2024-07.json");
    let harness = Harness::with_wallet(2_500, 600).await;
    let call = "0ce83208-5124-4e47-8d91-d5eddd2d78bb";

    let (status, answer) = harness.vapi(&request).await;
    assert_eq!(status, 200);
    assert_eq!(answer["assistantOverrides"]["maxDurationSeconds"], 598);
    assert_eq!(harness.money().await, (2_220, 280));

    // The report carries no times: Vapi's own record of the call has them.
    harness.pass(37).await;
    let start: Timestamp = "2024-07-27T21:23:27.100Z".parse().unwrap();
    let end: Timestamp = "2024-07-27T21:24:03.568Z".parse().unwrap();
    harness.stack.vapi.add_past_call(call, Some(start), end);
    let (status, _) = harness.vapi(&report).await;
    assert_eq!(status, 200);
    assert_eq!(harness.bills_of(call).await, [35], "37 s");
    assert_eq!(harness.money().await, (2_465, 0));
    harness.assert_books(ORG).await;
}

#[tokio::test]
#[ignore = "needs the recorded bodies: VOXANNE_FIXTURES"]
async fn the_recorded_event_of_a_stranger_moves_no_money() {
    let harness = Harness::with_wallet(0, 600).await;
    let event = recorded("stripe/payment_intent.succeeded.2026-08-26.json");
    assert_eq!(harness.stripe(&event).await.0, 200);
    assert_eq!(harness.money().await, (0, 0));
}

#[tokio::test]
#[ignore = "needs the recorded bodies: VOXANNE_FIXTURES"]
async fn the_recorded_status_without_a_call_is_a_dead_letter() {
    let (alarms, _guard) = alarms();
    let harness = Harness::with_wallet(2_500, 600).await;
    let status = recorded("vapi/captured/status-update.ended.assistant-request-error.2025-01.json");
    assert_eq!(harness.vapi(&status).await.0, 200);
    assert_eq!(alarms.names(), ["vapi_dead_letter"]);
}

#[tokio::test]
#[ignore = "needs the recorded bodies: VOXANNE_FIXTURES"]
async fn every_recorded_body_is_understood() {
    // W7
    let harness = Harness::with_wallet(2_500, 600).await;
    let names = [
        "assistant-request.inbound.2024-07",
        "status-update.in-progress.web.2025-06",
        "end-of-call-report.web.2025-06",
        "tool-calls.1.2024-07",
        "tool-calls.2.2024-07",
        "tool-calls.3.2024-07",
        "tool-calls.4.2024-07",
        "tool-calls.live.2025-11",
        "end-of-call-report.inbound-squad.2024-07",
    ];
    for name in names {
        let body = recorded(&format!("vapi/captured/{name}.json"));
        if name.starts_with("end-of-call-report.inbound") {
            let start = local::stack::test_epoch();
            harness.pass(37).await;
            let end = start + jiff::SignedDuration::from_secs(37);
            harness.stack.vapi.add_past_call("0ce83208-5124-4e47-8d91-d5eddd2d78bb", Some(start), end);
        }
        let (status, answer) = harness.vapi(&body).await;
        assert_eq!(status, 200, "{name}: {answer}");
        if name.starts_with("tool-calls") {
            assert_each_is_answered(name, &body, &answer);
        }
    }
    let call = harness.call("ede2ddef-006b-42a1-89d6-badc72c6ff7d").await;
    assert_eq!(call.ended_reason.as_deref(), Some("customer-ended-call"));
    let content = harness.calls.content(ORG, &call.call_id).await.unwrap().unwrap();
    assert!(content.transcript.unwrap().reveal().starts_with("AI: Hello?"));
    assert_eq!(content.vendor_cost_usd.as_deref(), Some("0.0394"), "apart from what the customer pays");
    let squad = CallId::parse("0ce83208-5124-4e47-8d91-d5eddd2d78bb").unwrap();
    let content = harness.calls.content(ORG, &squad).await.unwrap().unwrap();
    assert!(!content.tools_used.is_empty(), "{content:?}");
}
