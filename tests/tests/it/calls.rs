//! Calls: authorized, metered, ended, billed once.

use base::clock::Clock;
use domain::{call::State, tariff::Tariff};
use sandbox::vapi::Placing;
use tests::{Harness, ORG, alarms, bodies, fixture, web_report};

#[tokio::test]
async fn a_web_report_is_billed_by_its_own_times() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let (status, _) = harness.vapi(&fixture("end-of-call-report.web")).await;
    assert_eq!(status, 200);
    assert_eq!(harness.bills_of("5b0c9d1e-77aa-4a3f-8f10-2c4b6d8e0a12").await, [32], "34 s");
    assert_eq!(harness.money().await, (2_468, 0));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_call_whose_report_has_no_times_is_authorized_and_billed_by_a_look_up() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let call = "7f1c2a90-0b5e-4c6d-9b7a-51f0d2a3c401";
    let (status, answer) = harness.vapi(&fixture("assistant-request")).await;
    assert_eq!(status, 200);
    assert_eq!(answer["assistantOverrides"]["maxDurationSeconds"], 598);
    assert_eq!(harness.money().await, (2_220, 280));

    // Vapi's own record of the call has them.
    let start = harness.clock.now();
    harness.pass(37).await;
    harness.stack.vapi.add_past_call(call, Some(start), harness.clock.now());
    let (status, _) = harness.vapi(&fixture("end-of-call-report.inbound.without-times")).await;
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
async fn a_long_call_is_extended_and_charged_whole() {
    let harness = Harness::with_wallet(2_500, 3_600).await;
    let call = harness.ring(1_200);
    harness.pass(1_300).await;
    assert_eq!(harness.bills_of(&call).await, [1_120]);
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_20_minute_call_on_a_5_minute_hold_costs_1120p() {
    // B3: the meter never came, so the hold stayed at 280p.
    let harness = Harness::with_wallet(2_500, 3_600).await;
    harness.vapi(&bodies::request("call-1")).await;
    harness.vapi(&bodies::in_progress("call-1")).await;
    assert_eq!(harness.money().await, (2_220, 280));
    assert_eq!(harness.vapi(&bodies::report("call-1", 1_200)).await.0, 200);
    assert_eq!(harness.bills_of("call-1").await, [1_120]);
    assert_eq!(harness.money().await, (1_380, 0));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_top_up_between_two_tries_to_end_it_saves_a_call() {
    let harness = Harness::with_wallet(280, 3_600).await;
    harness.stack.vapi.with_faults(|faults| faults.ignores_end_call = true);
    let call = harness.ring(500);
    harness.pass(303).await;
    assert!(harness.call(&call).await.ending_at.is_some(), "it has been told to end");
    harness.top_up(ORG, "pi_second", 2_500).await;
    harness.pass(10).await;
    let record = harness.call(&call).await;
    assert_eq!(record.ending_at, None, "it goes on");
    harness.stack.vapi.with_faults(|faults| faults.ignores_end_call = false);
    harness.pass(300).await;
    assert_eq!(harness.stack.vapi.call(&call).unwrap().ended_reason.as_deref(), Some("customer-ended-call"));
    assert_eq!(harness.bills_of(&call).await, [467]);
}

#[tokio::test]
async fn an_end_that_vapi_did_not_take_is_sent_until_it_does() {
    let harness = Harness::with_wallet(280, 3_600).await;
    harness.stack.vapi.with_faults(|faults| faults.ignores_end_call = true);
    let call = harness.ring(3_000);
    harness.pass(340).await;
    harness.stack.vapi.with_faults(|faults| faults.ignores_end_call = false);
    harness.pass(20).await;
    let ended = harness.stack.vapi.call(&call).unwrap();
    assert_eq!(
        ended.ended_reason.as_deref(),
        Some("manually-canceled"),
        "forty seconds later it is told again"
    );
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_call_that_vapi_does_not_know_is_metered_on_by_its_own_money() {
    // Our key is of another account: every question is answered 404, and the call goes on all the same.
    let harness = Harness::with_wallet(1_500, 3_600).await;
    harness.vapi(&bodies::request("call-1")).await;
    harness.vapi(&bodies::in_progress("call-1")).await;
    harness.pass(1_200).await;
    let call = harness.call("call-1").await;
    assert!(
        matches!(call.state, State::InProgress { .. }),
        "not billed while it may be live: {:?}",
        call.state
    );
    assert!(harness.money().await.1 >= 1_120, "and held for");
    assert_eq!(harness.vapi(&bodies::report("call-1", 1_300)).await.0, 200);
    assert_eq!(harness.bills_of("call-1").await, [1_214]);
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_call_whose_control_url_nobody_tells_does_not_multiply_its_looks() {
    let harness = Harness::with_wallet(100, 600).await;
    let start = local::stack::test_epoch();
    harness.stack.vapi.add_past_call("call-1", Some(start), start + jiff::SignedDuration::from_secs(10_000));
    harness.vapi(&bodies::request("call-1")).await;
    let mut started = bodies::in_progress("call-1");
    started["message"]["call"].as_object_mut().unwrap().remove("monitor");
    harness.vapi(&started).await;
    harness.vapi(&started).await;
    harness.stack.aws.take_spent();
    harness.pass(50).await;
    let sent = harness.stack.aws.take_spent().iter().filter(|spent| spent.operation == "SendMessage").count();
    assert!(sent < 20, "{sent} messages in 50 seconds");
}

#[tokio::test]
async fn a_start_that_only_the_report_tells_is_not_forgotten() {
    // The report says when they began and not when they stopped, and Vapi's record says no more.
    let harness = Harness::with_wallet(2_500, 600).await;
    harness.vapi(&bodies::request("call-1")).await;
    let mut report = bodies::report("call-1", 60);
    report["message"].as_object_mut().unwrap().remove("endedAt");
    harness.pass(45).await;
    assert_eq!(harness.vapi(&report).await.0, 200);
    assert!(matches!(harness.call("call-1").await.state, State::Ended { started_at: Some(_) }));
    assert_eq!(harness.money().await, (2_220, 280), "held until somebody says");
    harness.pass(3_000).await;
    assert_eq!(harness.bills_of("call-1").await, [42], "45 s, by our own times");
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn nothing_a_vendor_says_can_block_a_debit() {
    let harness = Harness::with_wallet(2_500, 600).await;
    harness.vapi(&bodies::request("call-1")).await;
    let mut report = bodies::report("call-1", 60);
    report["message"]["endedReason"] = serde_json::json!("é".repeat(500_000));
    report["message"]["transcript"] = serde_json::json!("x".repeat(2_000_000));
    assert_eq!(harness.vapi(&report).await.0, 200);
    assert_eq!(harness.bills_of("call-1").await, [56]);
    assert_eq!(harness.call("call-1").await.ended_reason.unwrap().chars().count(), 200);
}

#[tokio::test]
async fn a_start_that_cannot_be_is_the_moment_we_hear_of_it() {
    for started_at in ["1970-01-01T00:00:00Z", "2199-01-01T00:00:00Z", "0001-01-01T00:00:00Z"] {
        let harness = Harness::with_wallet(2_500, 600).await;
        harness.vapi(&bodies::request("call-1")).await;
        let mut started = bodies::in_progress("call-1");
        started["message"]["startedAt"] = serde_json::json!(started_at);
        harness.pass(5).await;
        assert_eq!(harness.vapi(&started).await.0, 200);
        assert_eq!(harness.call("call-1").await.started_at(), Some(harness.clock.now()), "{started_at}");
    }
}

#[tokio::test]
async fn a_web_call_of_an_org_that_never_signed_in_is_ended_and_charged() {
    let harness = Harness::empty(vec![]).await;
    harness.add_mappings(ORG, tests::PHONE_ID, tests::NUMBER, tests::ASSISTANT_ID, 600).await;
    let call = harness.ring_from_the_web(500);
    harness.pass(20).await;
    assert_eq!(harness.stack.vapi.call(&call).unwrap().ended_reason.as_deref(), Some("manually-canceled"));
    let bills = harness.bills_of(&call).await;
    assert!(bills.iter().sum::<i64>() <= 4, "{bills:?}");
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_bare_put_to_the_ledger_does_not_leave_the_client() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let table = harness.stack.db().table_name(store::table::Table::LedgerEntries);
    let entry = aws_sdk_dynamodb::types::AttributeValue::S("topup#pi_first".into());
    harness.stack.aws.take_spent();
    let put =
        harness.stack.platform.dynamodb.put_item().table_name(table).item("entry_key", entry).send().await;
    assert!(web::problem::chain(&put.unwrap_err()).contains("only ever added to"));
    assert_eq!(harness.stack.aws.take_spent(), []);
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
    let report = web_report("web-1", "2025-12-17T00:00:00.000Z", "2025-12-17T00:03:30.000Z");
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

#[tokio::test]
async fn a_top_up_saves_a_call_whose_hold_already_pays_for_all_it_may_talk() {
    // The agent may talk five minutes, and all of it is held for: a debt elsewhere begins to end it, a top-up saves it.
    let harness = Harness::with_wallet(280, 300).await;
    harness.stack.vapi.with_faults(|faults| faults.ignores_end_call = true);
    let call = harness.ring(200);
    harness.pass(20).await;
    harness.vapi(&web_report("web-1", "2025-12-17T00:00:00Z", "2025-12-17T00:10:00Z")).await;
    assert_eq!(harness.money().await, (-560, 280));
    harness.pass(2).await;
    assert!(harness.call(&call).await.ending_at.is_some());
    harness.top_up(ORG, "pi_second", 2_500).await;
    harness.pass(10).await;
    assert_eq!(harness.call(&call).await.ending_at, None, "what is held pays for all of it");
    harness.stack.vapi.with_faults(|faults| faults.ignores_end_call = false);
    harness.pass(300).await;
    assert_eq!(harness.stack.vapi.call(&call).unwrap().ended_reason.as_deref(), Some("customer-ended-call"));
    assert_eq!(harness.bills_of(&call).await, [187], "200 s");
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_dispute_that_empties_the_wallet_ends_the_live_calls() {
    let harness = Harness::with_wallet(0, 3_600).await;
    let payment = harness.pay(2_500).await;
    let call = harness.ring(3_000);
    harness.pass(100).await;
    harness.stack.stripe.dispute(&payment, None).unwrap();
    harness.pass(10).await;
    let ended = harness.stack.vapi.call(&call).unwrap();
    assert_eq!(ended.ended_reason.as_deref(), Some("manually-canceled"));
    assert_eq!(harness.bills_of(&call).await, [93], "99 s");
    assert_eq!(harness.money().await, (-93, 0));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn another_calls_bill_that_empties_the_wallet_ends_the_live_calls() {
    let harness = Harness::with_wallet(2_500, 3_600).await;
    let call = harness.ring(3_000);
    harness.pass(100).await;
    harness.vapi(&web_report("web-1", "2025-12-17T00:00:00Z", "2025-12-17T00:50:00Z")).await;
    assert_eq!(harness.bills_of("web-1").await, [2_800], "50 minutes, for which nothing was held");
    harness.pass(10).await;
    let ended = harness.stack.vapi.call(&call).unwrap();
    assert_eq!(ended.ended_reason.as_deref(), Some("manually-canceled"));
    assert_eq!(harness.bills_of(&call).await, [93], "99 s");
    assert_eq!(harness.money().await, (2_500 - 2_800 - 93, 0));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn many_live_calls_on_an_emptied_wallet_are_ended_without_a_flood_of_looks() {
    let harness = Harness::with_many_lines(2_800, 600).await;
    harness.limit_calls(tests::ORG, 15).await;
    let calls: Vec<String> = (0..9).map(|_| harness.ring(3_000)).collect();
    harness.pass(30).await;
    harness.stack.aws.take_spent();
    // One long call without a hold takes the wallet far below nothing.
    harness.vapi(&web_report("web-1", "2025-12-17T00:00:00Z", "2025-12-17T01:00:00Z")).await;
    harness.pass(60).await;
    let sent = harness.stack.aws.take_spent().iter().filter(|spent| spent.operation == "SendMessage").count();
    assert!(sent < 200, "{sent} messages to end nine calls");
    for call in &calls {
        let ended = harness.stack.vapi.call(call).unwrap();
        assert_eq!(ended.ended_reason.as_deref(), Some("manually-canceled"));
        assert_eq!(harness.bills_of(call).await.len(), 1);
    }
    assert!(harness.wallet().await.holds.is_empty());
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_call_counts_as_ended_when_the_carrier_says_so() {
    let (alarms, _guard) = alarms();
    let harness = Harness::empty(vec![]).await;
    harness.wallets.ensure(ORG).await.unwrap();
    harness.top_up(ORG, "pi_first", 1_056).await;
    let number = harness.has_number("inbound").await;
    harness.stack.vapi.with_faults(|faults| {
        faults.ignores_end_call = true;
        faults.lost.insert("status-update:ended".into());
        faults.lost.insert("end-of-call-report".into());
    });
    let placing = Placing { talk_seconds: 3_000, ..crate::numbers::placing(&number) };
    let call = harness.stack.vapi.place(&placing).unwrap();
    harness.pass(10).await;
    assert_eq!(harness.money().await, (0, 56));
    harness.stack.vapi.with_faults(|faults| faults.rest_is_down = true);
    harness.pass(300).await;
    let there = harness.stack.vapi.call(&call).unwrap();
    let talked = there.ended_at.unwrap().duration_since(there.started_at.unwrap()).as_secs();
    assert!((64..=70).contains(&talked), "the carrier hung up after {talked} s");
    let record = harness.call(&call).await;
    assert!(matches!(record.state, State::Ended { started_at: Some(_) }), "{record:?}");
    assert_eq!(record.ended_reason.as_deref(), Some("carrier-completed"));
    assert!(!alarms.names().contains(&"call_will_not_end".to_owned()), "{:?}", alarms.raised());
    assert_eq!(harness.money().await, (0, 56), "how long it was is Vapi's to say");
    harness.stack.vapi.with_faults(|faults| faults.rest_is_down = false);
    harness.pass(300).await;
    let price = Tariff::at(harness.clock.now()).charge(u32::try_from(talked).unwrap()).pence();
    assert_eq!(harness.bills_of(&call).await, [price]);
    assert_eq!(harness.money().await, (56 - price, 0));
    harness.assert_books(ORG).await;
}
