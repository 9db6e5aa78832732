//! Live calls, every minute: found without webhooks and without the meter, and looked at once by however many.

use base::clock::Clock;
use domain::{call::State, time::rfc3339_millis};
use futures::future::join;
use jiff::{SignedDuration, Timestamp};
use local::aws::Outcome;
use serde_json::json;
use store::table::Table;
use tests::{Harness, ORG, bodies, crashed_after};

use super::{
    alarms, count, ids, kill_the_meter, kinds, lose, lose_everything, price_of, run, tamper,
    without_the_meter,
};

const OVER: [&str; 2] = ["status-update:ended", "end-of-call-report"];

/// How many seconds have passed since the clocks began.
fn passed(harness: &Harness) -> i64 {
    harness.clock.now().duration_since(local::stack::test_epoch()).as_secs()
}

/// Whether a call is among those that are looked through for due ones.
async fn is_listed(harness: &Harness, call: &str) -> bool {
    let far = harness.clock.now() + SignedDuration::from_hours(24 * 365);
    let (open, over) =
        (harness.calls.due(far, 1_000).await.unwrap(), harness.calls.over(far, 1_000).await.unwrap());
    open.calls.iter().chain(&over.calls).any(|due| due.call_id.as_str() == call)
}

#[tokio::test]
async fn a_call_whose_start_and_meter_are_lost_is_extended_and_ended_within_75_seconds_of_its_money() {
    // B8, R2
    let mut worst = 0;
    for offset in [0, 13, 29, 44, 58] {
        let harness = Harness::with_wallet(1_000, 3_600).await;
        kill_the_meter(&harness);
        lose(&harness, &["status-update:in-progress"]);
        let call = harness.ring(3_000);
        harness.pass(offset).await;
        let mut most_held = 0;
        for _ in 0..22 {
            run(&harness, "calls").await;
            harness.pass(60).await;
            most_held = most_held.max(harness.money().await.1);
        }
        assert_eq!(most_held, 1_000, "all there is was set aside for it");
        let ended = harness.stack.vapi.call(&call).unwrap();
        assert_eq!(ended.ended_reason.as_deref(), Some("manually-canceled"), "run at {offset} s");
        let talked = ended.ended_at.unwrap().duration_since(ended.started_at.unwrap()).as_secs();
        assert!(talked >= 1_069, "1,000p pay 1,071 s, and it was ended after {talked}");
        worst = worst.max(talked - 1_071);
        assert_eq!(harness.bills_of(&call).await, [price_of(&harness, &call)]);
        harness.assert_books(ORG).await;
    }
    assert!((1..=75).contains(&worst), "{worst} s were not paid for");
}

#[tokio::test]
async fn a_call_whose_end_report_and_meter_are_lost_is_settled_by_the_minute() {
    // B1, B7, R2
    for talk in [0, 40, 400] {
        let harness = Harness::with_wallet(2_500, 600).await;
        kill_the_meter(&harness);
        lose(&harness, &OVER);
        let call = harness.ring(talk);
        let mut settled = Vec::new();
        for _ in 0..12 {
            harness.pass(60).await;
            let report = run(&harness, "calls").await;
            // What lasted no second is released.
            let state = if talk == 0 { "released" } else { "settled" };
            if !ids(&report.repaired, state).is_empty() {
                assert_eq!(ids(&report.repaired, state), [call.as_str()]);
                settled.push(harness.clock.now());
            }
        }
        let ended_at = harness.stack.vapi.call(&call).unwrap().ended_at.unwrap();
        assert_eq!(settled.len(), 1, "{talk} s: once");
        let late = settled[0].duration_since(ended_at).as_secs();
        // Ninety seconds until its look, fifteen for a meter that is late, and a minute for the schedule.
        assert!(late <= 90 + 15 + 60, "{talk} s: settled {late} s after its end");
        assert_eq!(harness.net_of(&call).await, price_of(&harness, &call), "{talk} s");
        assert_eq!(harness.money().await.1, 0);
        harness.assert_books(ORG).await;
    }
}

#[tokio::test]
async fn a_look_that_the_meter_may_still_do_is_left_to_it() {
    let harness = Harness::with_wallet(2_500, 600).await;
    kill_the_meter(&harness);
    harness.ring(300);
    harness.pass(60).await;
    assert_eq!(run(&harness, "calls").await.checked, 0, "it is due, and has been for no time");
    harness.pass(14).await;
    assert_eq!(run(&harness, "calls").await.checked, 0);
    harness.pass(1).await;
    let report = run(&harness, "calls").await;
    assert_eq!((report.checked, kinds(&report.repaired)), (1, vec!["looked_at"]));
    assert_eq!(run(&harness, "calls").await.checked, 0, "it has been looked at");
}

#[tokio::test]
async fn a_call_that_never_began_gives_its_hold_back_ten_minutes_after_it_rang_and_not_before() {
    let harness = Harness::with_wallet(2_500, 600).await;
    kill_the_meter(&harness);
    harness.vapi(&bodies::request("call-1")).await;
    let mut released = Vec::new();
    for _ in 0..14 {
        harness.pass(60).await;
        let report = run(&harness, "calls").await;
        if kinds(&report.repaired).contains(&"released") {
            released.push(passed(&harness));
        } else if released.is_empty() {
            assert_eq!(harness.money().await, (2_220, 280), "after {} s", passed(&harness));
        }
    }
    assert_eq!(released.len(), 1, "{released:?}");
    assert!((600..=735).contains(&released[0]), "after {} s", released[0]);
    assert_eq!(harness.money().await, (2_500, 0));
    assert_eq!(harness.call("call-1").await.state, State::Released);
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn while_vapi_is_silent_nothing_is_released_and_somebody_is_told_after_ten_minutes() {
    let (alarms, _guard) = alarms();
    let harness = Harness::with_wallet(2_500, 600).await;
    kill_the_meter(&harness);
    harness.stack.vapi.with_faults(|faults| faults.rest_is_down = true);
    harness.vapi(&bodies::request("call-1")).await;
    for _ in 0..30 {
        harness.pass(60).await;
        run(&harness, "calls").await;
        assert_eq!(harness.money().await, (2_220, 280), "after {} s", passed(&harness));
        let told = count(&alarms, "call_out_of_sight");
        assert!(passed(&harness) >= 600 || told == 0, "told after {} s", passed(&harness));
        assert!(passed(&harness) <= 735 || told > 0, "not told after {} s", passed(&harness));
    }
    harness.stack.vapi.with_faults(|faults| faults.rest_is_down = false);
    for _ in 0..3 {
        harness.pass(60).await;
        run(&harness, "calls").await;
    }
    assert_eq!(harness.money().await, (2_500, 0), "Vapi says that it knows of no such call");
}

#[tokio::test]
async fn a_call_leaves_the_index_15_minutes_after_its_end() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let call = harness.ring(60);
    harness.pass(70).await;
    assert_eq!(harness.bills_of(&call).await, [56]);
    let over = harness.stack.vapi.call(&call).unwrap().ended_at.unwrap();
    while harness.clock.now() < over + SignedDuration::from_mins(15) {
        run(&harness, "calls").await;
        assert!(is_listed(&harness, &call).await, "after {} s", passed(&harness));
        harness.pass(60).await;
    }
    harness.run_until(over + SignedDuration::from_mins(17)).await;
    let report = run(&harness, "calls").await;
    assert_eq!((kinds(&report.repaired), kinds(&report.left)), (vec![], vec![]), "{report:?}");
    assert!(!is_listed(&harness, &call).await);
    assert!(matches!(harness.call(&call).await.state, State::Settled(_)), "its record stays");
    assert_eq!(run(&harness, "calls").await.checked, 0);
}

#[tokio::test]
async fn a_call_does_not_leave_the_index_while_money_is_set_aside_for_it() {
    let (alarms, _guard) = alarms();
    let harness = Harness::with_wallet(2_500, 600).await;
    let call = harness.ring(60);
    harness.pass(70).await;
    let change = |change: &str| {
        json!({"Key": {"org_id": {"S": ORG.to_string()}}, "UpdateExpression": change,
            "ExpressionAttributeNames": {"#call": call}})
    };
    let mut put = change("SET holds.#call = :hold");
    put["ExpressionAttributeValues"] = json!({":hold": {"M": {"amount": {"N": "50"}, "tariff": {"N": "1"},
        "step": {"N": "0"}, "provider_limit_secs": {"N": "598"}}}});
    tamper(&harness, "UpdateItem", Table::Wallets, put).await;
    harness.pass(20 * 60).await;
    for told in 1..=2 {
        let report = run(&harness, "calls").await;
        assert_eq!(ids(&report.left, "hold_without_call"), [call.as_str()], "{report:?}");
        assert_eq!(count(&alarms, "hold_without_call"), told);
        assert!(is_listed(&harness, &call).await);
    }
    tamper(&harness, "UpdateItem", Table::Wallets, change("REMOVE holds.#call")).await;
    assert!(run(&harness, "calls").await.left.is_empty());
    assert!(!is_listed(&harness, &call).await);
}

/// A call of 40 seconds and one of 400, of which nothing is heard once they have rung. The meter is dead.
fn two_calls(harness: &Harness) -> (String, String) {
    kill_the_meter(harness);
    lose_everything(harness);
    (harness.ring(40), harness.ring(400))
}

#[tokio::test]
async fn two_runs_at_once_do_the_work_once() {
    let harness = Harness::with_wallet(2_500, 3_600).await;
    let (over, live) = two_calls(&harness);
    harness.pass(120).await;
    join(run(&harness, "calls"), run(&harness, "calls")).await;
    assert_eq!(harness.bills_of(&over).await, [38]);
    assert!(matches!(harness.call(&live).await.state, State::InProgress { .. }));
    assert_eq!(harness.money().await, (2_500 - 38 - 280, 280));
    harness.pass(120).await;
    join(run(&harness, "calls"), run(&harness, "calls")).await;
    assert_eq!(harness.money().await, (2_500 - 38 - 560, 560), "extended once");
    for _ in 0..4 {
        harness.pass(60).await;
        join(run(&harness, "calls"), run(&harness, "calls")).await;
    }
    assert_eq!(harness.bills_of(&live).await, [374]);
    assert_eq!(harness.money().await, (2_500 - 38 - 374, 0));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_run_that_dies_after_any_await_is_finished_by_the_next() {
    for polls in 0.. {
        let harness = Harness::with_wallet(2_500, 3_600).await;
        let (over, live) = two_calls(&harness);
        harness.pass(120).await;
        let outcome = crashed_after(polls, harness.reconcile("calls")).await;
        for _ in 0..3 {
            harness.pass(60).await;
            run(&harness, "calls").await;
        }
        assert_eq!(harness.bills_of(&over).await, [38], "died at its poll {polls}");
        let state = harness.call(&live).await.state;
        assert!(matches!(state, State::InProgress { .. }), "died at its poll {polls}: {state:?}");
        for _ in 0..4 {
            harness.pass(60).await;
            run(&harness, "calls").await;
        }
        assert_eq!(harness.bills_of(&live).await, [374], "died at its poll {polls}");
        assert_eq!(harness.money().await, (2_500 - 38 - 374, 0), "died at its poll {polls}");
        harness.assert_books(ORG).await;
        if outcome.is_some() {
            assert!(polls > 10, "there was something to die in");
            break;
        }
    }
}

#[tokio::test]
async fn one_call_that_cannot_be_looked_at_does_not_keep_the_others() {
    let (alarms, _guard) = alarms();
    let harness = Harness::with_many_lines(2_500, 600).await;
    kill_the_meter(&harness);
    lose(&harness, &OVER);
    let calls: Vec<String> = (0..4).map(|_| harness.ring(60)).collect();
    harness.pass(120).await;
    let broken = calls[1].clone();
    harness.stack.aws.set_plan(move |sent| {
        let is_broken = sent.operation == "GetItem" && sent.body["Key"]["call_id"]["S"] == broken;
        if is_broken { Outcome::Fail("ValidationException") } else { without_the_meter(sent) }
    });
    let report = run(&harness, "calls").await;
    kill_the_meter(&harness);
    assert_eq!(ids(&report.left, "look_failed"), [calls[1].as_str()], "{report:?}");
    assert_eq!(count(&alarms, "call_look_failed"), 1);
    assert_eq!((report.checked, report.complete), (4, true), "{report:?}");
    for call in &calls {
        let bill = if *call == calls[1] { vec![] } else { vec![56] };
        assert_eq!(harness.bills_of(call).await, bill);
    }
    let report = run(&harness, "calls").await;
    assert_eq!(ids(&report.repaired, "settled"), [calls[1].as_str()], "{report:?}");
    assert_eq!(harness.bills_of(&calls[1]).await, [56]);
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_run_ends_in_time_and_the_next_goes_on() {
    let harness = Harness::with_many_lines(10_000, 600).await;
    harness.limit_calls(ORG, 15).await;
    harness.stack.vapi.set_slots(15);
    kill_the_meter(&harness);
    lose(&harness, &OVER);
    let calls: Vec<String> = (0..15).map(|_| harness.ring(10)).collect();
    harness.pass(120).await;
    let clock = std::sync::Arc::clone(&harness.clock);
    let mut end: Option<Timestamp> = None;
    harness.stack.aws.set_plan(move |sent| {
        if sent.operation == "TransactWriteItems" {
            // The first settlement takes all the time there is.
            clock.turn_to(*end.get_or_insert(clock.now() + SignedDuration::from_secs(46)));
        }
        without_the_meter(sent)
    });
    let report = run(&harness, "calls").await;
    kill_the_meter(&harness);
    assert!(!report.complete && (1..15).contains(&report.checked), "{report:?}");
    for _ in 0..2 {
        harness.pass(60).await;
        run(&harness, "calls").await;
    }
    for call in &calls {
        assert_eq!(harness.bills_of(call).await, [10]);
    }
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn an_overdue_call_is_looked_at_in_the_first_run_however_many_are_over() {
    // G1
    let harness = Harness::with_wallet(2_500, 600).await;
    let call = harness.ring(60);
    harness.pass(5).await;
    let live = harness.call(&call).await;
    let table = harness.table("calls");
    for nth in 0..5_000 {
        let id = format!("over-{nth}");
        let item = json!({"org_id": {"S": ORG}, "call_id": {"S": id}, "state": {"S": "released"},
            "live": {"S": format!("closed#{}", nth % 4)}, "due_at": {"S": rfc3339_millis(live.created_at)}});
        harness.stack.aws.peek("PutItem", json!({"TableName": table, "Item": item}));
    }
    kill_the_meter(&harness);
    lose(&harness, &OVER);
    harness.pass(300).await;
    let report = run(&harness, "calls").await;
    assert_eq!(
        harness.bills_of(&call).await.len(),
        1,
        "looked at before the 5,000 that are over: {report:?}"
    );
    let due = harness.calls.over(harness.clock.now(), 1_000).await.unwrap();
    assert_eq!((due.calls.len(), due.is_cut), (1_000, true), "and what is left out is said");
}
