//! Vapi's list of calls: what we never heard of is billed once, and what is old or another's changes nothing.

use base::clock::Clock;
use bytes::Bytes;
use domain::{call::State, ids::EventId, time::plus_secs};
use futures::future::join;
use http::Request;
use jiff::SignedDuration;
use local::{
    aws::{Outcome, Sent},
    stack::test_epoch,
};
use sandbox::vapi::Placing;
use serde_json::json;
use store::{runs::Runs, webhook_events::WebhookEvents};
use tests::{ASSISTANT_ID, Harness, ORG, PHONE_ID, bodies, crashed_after, web_report};

use super::{alarms, count, ids, kill_the_meter, kinds, lose_everything, run};

/// A clinic of which Vapi posts nothing but questions.
async fn unheard() -> Harness {
    let harness = Harness::with_wallet(2_500, 600).await;
    lose_everything(&harness);
    harness
}

/// A call from the web to another customer's assistant.
fn ring_from_the_web(harness: &Harness, assistant: &str) -> String {
    let placing = Placing {
        to: None,
        from: "web".into(),
        talk_seconds: 60,
        web_assistant_id: Some(assistant.to_owned()),
        max_duration_seconds: None,
        says: vec![],
    };
    harness.stack.vapi.place(&placing).unwrap()
}

/// A call to a number that a stranger's assistant answers without asking us; the number is called `name` at Vapi.
fn ring_a_strangers(harness: &Harness, id: &str, number: &str, name: &str) -> String {
    harness.stack.vapi.add_number(id, number, None);
    let patch = json!({"name": name, "assistantId": "a-stranger"});
    harness.vapi_patch(&format!("/phone-number/{id}"), &patch);
    harness.stack.vapi.place(&crate::numbers::placing(number)).unwrap()
}

/// How many calls are kept that no org is known for.
async fn dead_letters(harness: &Harness) -> usize {
    WebhookEvents::vapi(harness.stack.db()).dead_letters(100).await.unwrap().len()
}

#[tokio::test]
async fn a_call_that_we_never_heard_of_is_billed_once_at_the_tariff() {
    let harness = unheard().await;
    harness.vapi_patch(&format!("/phone-number/{PHONE_ID}"), &json!({"assistantId": ASSISTANT_ID}));
    let (web, phone) = (harness.ring_from_the_web(210), harness.ring(91));
    harness.pass(300).await;
    assert_eq!(harness.money().await, (2_500, 0), "nobody has told us of them");
    let report = run(&harness, "listing").await;
    assert_eq!((report.checked, ids(&report.repaired, "call_billed").len()), (2, 2), "{report:?}");
    for _ in 0..3 {
        assert_eq!((harness.bills_of(&web).await, harness.bills_of(&phone).await), (vec![196], vec![85]));
        assert_eq!(harness.money().await, (2_500 - 196 - 85, 0));
        harness.pass(15 * 60).await;
        let report = run(&harness, "listing").await;
        assert_eq!((kinds(&report.repaired), kinds(&report.left)), (vec![], vec![]), "{report:?}");
    }
    assert!(matches!(harness.call(&web).await.state, State::Settled(_)));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn two_runs_at_once_bill_a_call_once() {
    let harness = unheard().await;
    let calls: Vec<String> = (0..3).map(|_| harness.ring_from_the_web(60)).collect();
    harness.pass(100).await;
    join(run(&harness, "listing"), run(&harness, "listing")).await;
    run(&harness, "listing").await;
    for call in &calls {
        assert_eq!(harness.bills_of(call).await, [56]);
    }
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_run_that_dies_after_any_await_bills_a_call_once() {
    for polls in 0.. {
        let harness = unheard().await;
        let call = harness.ring_from_the_web(60);
        harness.pass(100).await;
        let outcome = crashed_after(polls, harness.reconcile("listing")).await;
        harness.pass(15 * 60).await;
        run(&harness, "listing").await;
        assert_eq!(harness.bills_of(&call).await, [56], "died at its poll {polls}");
        assert_eq!(harness.money().await, (2_444, 0), "died at its poll {polls}");
        harness.assert_books(ORG).await;
        if outcome.is_some() {
            assert!(polls > 10, "there was something to die in");
            break;
        }
    }
}

#[tokio::test]
async fn a_call_that_is_found_talking_is_held_for_and_metered() {
    let harness = unheard().await;
    let call = harness.ring_from_the_web(500);
    harness.pass(100).await;
    let report = run(&harness, "listing").await;
    assert_eq!(ids(&report.repaired, "call_found_live"), [call.as_str()], "{report:?}");
    assert_eq!(harness.money().await, (2_220, 280));
    let again = run(&harness, "listing").await;
    assert_eq!(kinds(&again.repaired), Vec::<&str>::new());
    harness.pass(700).await;
    assert_eq!(harness.bills_of(&call).await, [467]);
    assert_eq!(harness.money().await, (2_500 - 467, 0));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_call_of_nobodys_is_one_dead_letter_with_one_alarm() {
    let (alarms, _guard) = alarms();
    let harness = unheard().await;
    let call = ring_from_the_web(&harness, "a-stranger");
    harness.pass(100).await;
    for nth in 1..=4 {
        let report = run(&harness, "listing").await;
        let told = ids(&report.repaired, "dead_letter");
        assert_eq!(told, if nth == 1 { vec![call.as_str()] } else { vec![] }, "{report:?}");
        assert!(report.left.is_empty(), "it is nothing that the next run could do: {report:?}");
        assert_eq!((count(&alarms, "vapi_dead_letter"), dead_letters(&harness).await), (1, 1));
        harness.pass(15 * 60).await;
    }
    let key = EventId::parse(format!("{call}:listed")).unwrap();
    let letter = WebhookEvents::vapi(harness.stack.db()).get(&key).await.unwrap().unwrap();
    assert!(letter.payload.unwrap().contains(&call));
    assert_eq!(harness.money().await, (2_500, 0));
}

#[tokio::test]
async fn a_call_of_another_environment_is_ignored() {
    let (alarms, _guard) = alarms();
    let harness = unheard().await;
    ring_a_strangers(&harness, "others", "+442079460111", "voxanne/other/00000000001");
    harness.stack.vapi.add_number("unnamed", "+442079460112", None);
    let body = json!({"assistant": {"name": "A"}, "phoneNumberId": "unnamed",
        "customer": {"number": "+447700900123"},
        "assistantOverrides": {"metadata": {"voxanne_environment": "other"}}});
    let dial = Request::post("http://api.vapi.sandbox/call")
        .header("authorization", "Bearer sandbox-vapi-key")
        .body(Bytes::from(body.to_string()))
        .unwrap();
    assert_eq!(harness.stack.vapi.answer(&dial).status(), 201);
    harness.pass(100).await;
    let report = run(&harness, "listing").await;
    assert_eq!(report.checked, 2, "{report:?}");
    assert_eq!((kinds(&report.repaired), kinds(&report.left)), (vec![], vec![]), "{report:?}");
    assert_eq!((count(&alarms, "vapi_dead_letter"), dead_letters(&harness).await), (0, 0));

    // One that bears our own mark, and that no record of ours knows.
    let environment = harness.mark()["voxanne_environment"].as_str().unwrap().to_owned();
    let name = format!("voxanne/{environment}/00000000002");
    let ours = ring_a_strangers(&harness, "ours", "+442079460113", &name);
    harness.pass(100).await;
    let report = run(&harness, "listing").await;
    assert_eq!(ids(&report.repaired, "dead_letter"), [ours.as_str()], "{report:?}");
    assert_eq!((count(&alarms, "vapi_dead_letter"), dead_letters(&harness).await), (1, 1));
    assert_eq!(harness.money().await, (2_500, 0));
}

#[tokio::test]
async fn a_call_that_was_released_and_did_talk_is_billed() {
    let harness = Harness::with_wallet(2_500, 600).await;
    harness.vapi(&bodies::request("call-1")).await;
    harness.pass(700).await;
    assert_eq!(harness.call("call-1").await.state, State::Released);
    assert_eq!(harness.money().await, (2_500, 0));
    let start = plus_secs(test_epoch(), 10);
    harness.stack.vapi.add_past_call("call-1", Some(start), plus_secs(start, 60));
    let report = run(&harness, "listing").await;
    assert_eq!(ids(&report.repaired, "call_billed"), ["call-1"], "{report:?}");
    run(&harness, "listing").await;
    assert_eq!(harness.bills_of("call-1").await, [56]);
    assert_eq!(harness.money().await, (2_444, 0));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_call_that_nobody_talked_on_costs_nothing_however_often_it_is_listed() {
    let harness = Harness::with_wallet(55, 600).await;
    let refused = harness.ring(60);
    harness.pass(100).await;
    harness.vapi(&bodies::request("call-1")).await;
    harness.pass(700).await;
    harness.stack.vapi.add_past_call("call-1", None, harness.clock.now());
    for _ in 0..2 {
        let report = run(&harness, "listing").await;
        assert_eq!((kinds(&report.repaired), kinds(&report.left)), (vec![], vec![]), "{report:?}");
    }
    assert!(matches!(harness.call(&refused).await.state, State::Refused { .. }));
    assert_eq!((harness.money().await, harness.entries().await.len()), ((55, 0), 1));
}

/// A call that talks, and that a run of `task` is about to ask Vapi about.
async fn to_be_polled(harness: &Harness, task: &str) -> String {
    kill_the_meter(harness);
    let call = if task == "listing" {
        lose_everything(harness);
        harness.ring_from_the_web(3_000)
    } else {
        harness.ring(3_000)
    };
    harness.pass(100).await;
    call
}

#[tokio::test]
async fn an_older_poll_result_changes_nothing() {
    // W13: Vapi is asked and says that they talk. Before anything is made of that, or somewhere in the middle of it, the
    // report comes by webhook.
    for task in ["listing", "calls"] {
        for polls in 0.. {
            let harness = Harness::with_wallet(2_500, 600).await;
            let call = to_be_polled(&harness, task).await;
            let mut slow = Box::pin(harness.reconcile(task));
            let is_done = crashed_after(polls, &mut slow).await.is_some();
            let (start, end) = (test_epoch(), plus_secs(test_epoch(), 90));
            let report = if task == "listing" {
                web_report(&call, &start.to_string(), &end.to_string())
            } else {
                bodies::report(&call, 90)
            };
            harness.stack.vapi.add_past_call(&call, Some(start), end);
            assert_eq!(harness.vapi(&report).await.0, 200, "{task} paused at its poll {polls}");
            let settled = harness.call(&call).await;
            assert!(matches!(settled.state, State::Settled(_)), "{task} paused at its poll {polls}");
            if !is_done {
                slow.await;
            }
            assert_eq!(harness.call(&call).await, settled, "{task} paused at its poll {polls}");
            assert_eq!(harness.bills_of(&call).await, [84], "{task} paused at its poll {polls}");
            assert_eq!(harness.money().await, (2_416, 0), "{task} paused at its poll {polls}");
            harness.assert_books(ORG).await;
            if is_done {
                assert!(polls > 10, "{task} has many places to be slow at");
                break;
            }
        }
    }
}

/// Whether a request asks which call of ours a Vapi call is.
fn asks_for(sent: &Sent, vapi_call: &str) -> bool {
    sent.operation == "GetItem" && sent.body["Key"]["vapi_call_id"]["S"] == *vapi_call
}

#[tokio::test]
async fn a_call_that_cannot_be_dealt_with_keeps_the_watermark_where_it_was() {
    let harness = unheard().await;
    let runs = Runs::new(harness.stack.db());
    let mut watermark = None;
    for _ in 0..2 {
        let (broken, whole) = (harness.ring_from_the_web(60), harness.ring_from_the_web(60));
        harness.pass(100).await;
        let of_plan = broken.clone();
        harness.stack.aws.set_plan(move |sent| {
            if asks_for(sent, &of_plan) { Outcome::Fail("ValidationException") } else { Outcome::Pass }
        });
        let report = run(&harness, "listing").await;
        harness.stack.aws.clear_plan();
        assert_eq!(ids(&report.left, "call_not_reconciled"), [broken.as_str()], "{report:?}");
        assert_eq!(ids(&report.repaired, "call_billed"), [whole.as_str()], "the others are dealt with");
        assert_eq!(runs.watermark("listing").await.unwrap(), watermark);
        harness.pass(15 * 60).await;
        let report = run(&harness, "listing").await;
        assert_eq!(ids(&report.repaired, "call_billed"), [broken.as_str()], "{report:?}");
        watermark = Some(report.started_at);
        assert_eq!(runs.watermark("listing").await.unwrap(), watermark);
    }
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_list_that_vapi_does_not_give_is_asked_for_from_the_same_place() {
    let harness = unheard().await;
    let runs = Runs::new(harness.stack.db());
    let first = run(&harness, "listing").await;
    let call = harness.ring_from_the_web(60);
    harness.pass(100).await;
    harness.stack.vapi.with_faults(|faults| faults.rest_is_down = true);
    // Longer than the list is read back for, had the watermark moved.
    for _ in 0..3 {
        harness.pass(60 * 60).await;
        let outcome = harness.stack.reconcile(services::reconcile::Task::Listing).await;
        assert!(outcome.is_err(), "{outcome:?}");
        let report = runs.last("listing", 1).await.unwrap().remove(0);
        assert_eq!((kinds(&report.left), report.complete), (vec!["run_failed"], false));
    }
    assert_eq!(runs.watermark("listing").await.unwrap(), Some(first.started_at));
    harness.stack.vapi.with_faults(|faults| faults.rest_is_down = false);
    let last = run(&harness, "listing").await;
    assert_eq!(harness.bills_of(&call).await, [56]);
    assert_eq!(runs.watermark("listing").await.unwrap(), Some(last.started_at));
}

#[tokio::test]
async fn a_run_that_is_cut_off_leaves_the_rest_to_the_next() {
    let harness = unheard().await;
    let calls: Vec<String> = (0..4).map(|_| harness.ring_from_the_web(60)).collect();
    harness.pass(100).await;
    let clock = std::sync::Arc::clone(&harness.clock);
    harness.stack.aws.set_plan(move |sent| {
        if sent.operation == "TransactWriteItems" {
            // Each settlement takes all the time of a run.
            clock.turn_to(clock.now() + SignedDuration::from_secs(201));
        }
        Outcome::Pass
    });
    let runs = Runs::new(harness.stack.db());
    for billed in 1..=3 {
        let report = run(&harness, "listing").await;
        assert_eq!((report.complete, ids(&report.repaired, "call_billed").len()), (false, 1), "{report:?}");
        assert_eq!(harness.entries().await.len(), 1 + billed, "and the top-up");
        assert_eq!(runs.watermark("listing").await.unwrap(), None);
    }
    let last = run(&harness, "listing").await;
    assert!(last.complete, "there was nothing after the last: {last:?}");
    assert_eq!(runs.watermark("listing").await.unwrap(), Some(last.started_at));
    for call in &calls {
        assert_eq!(harness.bills_of(call).await, [56]);
    }
}
