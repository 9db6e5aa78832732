//! Calls: authorized, metered, ended, billed once.

use jiff::Timestamp;
use shared::domain::{call::State, clock::Clock};
use tests::{Harness, ORG, recorded, web_report};

#[tokio::test]
async fn the_recorded_web_report_is_billed_26_seconds() {
    let Some(report) = recorded("vapi/captured/end-of-call-report.web.2025-06.json") else { return };
    let harness = Harness::with_wallet(2_500, 600).await;
    let (status, _) = harness.vapi(&report).await;
    assert_eq!(status, 200);
    assert_eq!(harness.bills_of("ede2ddef-006b-42a1-89d6-badc72c6ff7d").await, [25]);
    assert_eq!(harness.money().await, (2_475, 0));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn the_recorded_inbound_pair_is_authorized_and_billed_by_a_look_up() {
    let request = recorded("vapi/captured/assistant-request.inbound.2024-07.json");
    let report = recorded("vapi/captured/end-of-call-report.inbound-squad.2024-07.json");
    let (Some(request), Some(report)) = (request, report) else { return };
    let harness = Harness::with_wallet(2_500, 600).await;
    let call = "0ce83208-5124-4e47-8d91-d5eddd2d78bb";

    let (status, answer) = harness.vapi(&request).await;
    assert_eq!(status, 200);
    assert_eq!(answer["assistantOverrides"]["maxDurationSeconds"], 598);
    assert_eq!(harness.money().await, (2_220, 280));

    // The report carries no times: Vapi's own record of the call has them.
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
async fn a_call_is_played_through_and_billed_by_the_second() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let call = harness.ring(91);
    harness.pass(30).await;
    assert_eq!(harness.money().await, (2_220, 280));
    harness.pass(90).await;
    assert_eq!(harness.bills_of(&call).await, [85]);
    assert_eq!(harness.money().await, (2_415, 0));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_call_longer_than_its_hold_is_charged_whole() {
    // B3: a 20-minute call costs 1,120p, and is extended on the way.
    let harness = Harness::with_wallet(2_500, 3_600).await;
    let call = harness.ring(1_200);
    harness.pass(1_300).await;
    assert_eq!(harness.bills_of(&call).await, [1_120]);
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_wallet_of_exactly_280p_is_warned_and_ended_by_minute_five() {
    // B8
    let harness = Harness::with_wallet(280, 3_600).await;
    let call = harness.ring(3_600);
    harness.pass(62).await;
    assert_eq!(harness.stack.vapi.call(&call).unwrap().status, "in-progress", "alive at minute one");
    harness.pass(280 - 62).await;
    let heard = harness.stack.vapi.call(&call).unwrap().heard;
    assert!(heard.iter().any(|said| said.contains("about thirty seconds")), "{heard:?}");
    assert_eq!(harness.stack.vapi.call(&call).unwrap().status, "in-progress");
    harness.pass(30).await;
    let ended = harness.stack.vapi.call(&call).unwrap();
    assert_eq!(ended.ended_reason.as_deref(), Some("manually-canceled"));
    let talked = ended.ended_at.unwrap().duration_since(ended.started_at.unwrap()).as_secs();
    assert!((295..=300).contains(&talked), "{talked} s");
    let bills = harness.bills_of(&call).await;
    assert!(bills.len() == 1 && bills[0] <= 280, "{bills:?}");
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_top_up_lets_a_running_call_go_on() {
    let harness = Harness::with_wallet(280, 3_600).await;
    let call = harness.ring(500);
    harness.pass(290).await;
    harness.top_up(ORG, "pi_second", 2_500).await;
    harness.pass(300).await;
    let ended = harness.stack.vapi.call(&call).unwrap();
    assert_eq!(ended.ended_reason.as_deref(), Some("customer-ended-call"));
    assert_eq!(harness.bills_of(&call).await, [467], "500 s");
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn an_empty_wallet_refuses_and_the_caller_hears_why() {
    // W12, B11 inbound
    let harness = Harness::with_wallet(55, 600).await;
    let call = harness.ring(60);
    harness.pass(120).await;
    let call_there = harness.stack.vapi.call(&call).unwrap();
    assert_eq!(call_there.answer_status, Some(200));
    assert!(call_there.heard[0].contains("not available"), "{:?}", call_there.heard);
    assert!(matches!(harness.call(&call).await.state, State::Refused { .. }));
    assert_eq!(harness.money().await, (55, 0));
    assert_eq!(harness.entries().await.len(), 1, "only the top-up");
}

#[tokio::test]
async fn start_status_and_end_each_twice_are_billed_once() {
    // W3, the simplest order; the property test has them all.
    let harness = Harness::with_wallet(2_500, 600).await;
    harness.stack.vapi.with_faults(|faults| faults.extra_copies = 1);
    let call = harness.ring(60);
    harness.pass(120).await;
    assert_eq!(harness.bills_of(&call).await, [56]);
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_web_call_is_billed_with_its_own_times() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let report = web_report("web-1", "2026-01-01T00:00:00.000Z", "2026-01-01T00:03:30.000Z");
    assert_eq!(harness.vapi(&report).await.0, 200);
    assert_eq!(harness.bills_of("web-1").await, [196]);
    assert!(harness.call("web-1").await.due_at <= harness.clock.now() + jiff::SignedDuration::from_mins(2));
}

#[tokio::test]
async fn with_everything_of_ours_dead_a_call_costs_no_more_than_the_money_and_the_credit() {
    let harness = Harness::with_wallet(280, 3_600).await;
    let call = harness.ring(3_600);
    harness.pass(5).await;
    // The meter is gone: its messages are lost, for ever.
    for _ in 0..200 {
        let queues = harness.stack.aws.queues();
        queues.messages().iter().for_each(|message| queues.delete(&message.id));
        harness.pass(5).await;
    }
    let ended = harness.stack.vapi.call(&call).unwrap();
    assert_eq!(ended.ended_reason.as_deref(), Some("exceeded-max-duration"));
    let talked = ended.ended_at.unwrap().duration_since(ended.started_at.unwrap()).as_secs();
    assert_eq!(talked, 833, "280p and the credit of 500p pay 835 s, less two");
    assert_eq!(harness.bills_of(&call).await, [778], "and it is charged whole, when the report comes");
    harness.assert_books(ORG).await;
}
