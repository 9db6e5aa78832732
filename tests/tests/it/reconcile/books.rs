//! Every wallet against its ledger: what is wrong is found whatever it is, frozen at the second look, and never put right.

mod anchors;
mod anew;

use std::sync::Arc;

use base::clock::Clock;
use domain::{
    amount::Balance,
    call::{RefusalReason, State},
    ids::OrgId,
};
use futures::future::{Either, join, select};
use jiff::SignedDuration;
use local::aws::Outcome;
use serde_json::{Value, json};
use store::{
    runs::{Checked, Runs, Verified},
    table::Table,
};
use tests::{Harness, ORG, OTHER_ORG, bodies, web_report};
use uuid::Uuid;

use super::{alarms, count, ids, kinds, run, tamper};

/// A clinic with three entries, of which none was verified yet, and a call that rings.
async fn clinic() -> Harness {
    let harness = Harness::with_wallet(2_500, 600).await;
    harness.vapi(&web_report("web-1", "2025-12-17T00:00:00Z", "2025-12-17T00:01:40Z")).await;
    harness.top_up(ORG, "pi_second", 1_000).await;
    harness.vapi(&bodies::request("call-1")).await;
    assert_eq!((harness.money().await, harness.entries().await.len()), ((3_126, 280), 3));
    harness.assert_books(ORG).await;
    harness
}

/// Changes the clinic's wallet behind the system's back.
async fn change_wallet(harness: &Harness, change: &str, values: Value) {
    let request = json!({"Key": {"org_id": {"S": ORG.to_string()}}, "UpdateExpression": change,
        "ExpressionAttributeValues": values});
    tamper(harness, "UpdateItem", Table::Wallets, request).await;
}

fn entry(key: &str) -> Value {
    json!({"org_id": {"S": ORG.to_string()}, "entry_key": {"S": key}})
}

async fn change_entry(harness: &Harness, key: &str, change: &str, value: Value) {
    let request = json!({"Key": entry(key), "UpdateExpression": change,
        "ExpressionAttributeValues": {":value": value}});
    tamper(harness, "UpdateItem", Table::LedgerEntries, request).await;
}

async fn remove_entry(harness: &Harness, key: &str) {
    tamper(harness, "DeleteItem", Table::LedgerEntries, json!({"Key": entry(key)})).await;
}

/// Puts a second entry beside one, with all that it says but its key and its number. Every guard lets it pass: it is new.
async fn copy_entry(harness: &Harness, key: &str, seq: u64) {
    let text = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
    let client = &harness.stack.unguarded();
    let table = harness.stack.db().table_name(Table::LedgerEntries);
    let read = client.get_item().table_name(&table).key("org_id", text(&ORG.to_string()));
    let mut item = read.key("entry_key", text(key)).send().await.unwrap().item.unwrap();
    item.insert("entry_key".to_owned(), text("topup#pi_copy"));
    item.insert("seq".to_owned(), aws_sdk_dynamodb::types::AttributeValue::N(seq.to_string()));
    let put = client.put_item().table_name(&table).set_item(Some(item));
    put.condition_expression("attribute_not_exists(entry_key)").send().await.unwrap();
}

/// Sets 50p aside for this call, as an authorization would.
async fn hold_for(harness: &Harness, call: &str) {
    let hold = json!({"M": {"amount": {"N": "50"}, "tariff": {"N": "1"}, "step": {"N": "0"},
        "provider_limit_secs": {"N": "598"}}});
    let request = json!({"Key": {"org_id": {"S": ORG.to_string()}},
        "UpdateExpression": "SET available = available - :pence, held = held + :pence, holds.#call = :hold",
        "ExpressionAttributeNames": {"#call": call},
        "ExpressionAttributeValues": {":pence": {"N": "50"}, ":hold": hold}});
    tamper(harness, "UpdateItem", Table::Wallets, request).await;
}

const CORRUPTIONS: [&str; 12] = [
    "the amount of an entry",
    "the words of an entry",
    "an entry after the last",
    "the first entry is gone",
    "an entry is gone",
    "the last entry is gone",
    "an entry is there twice",
    "available",
    "held",
    "available and held",
    "a hold for a call that is over",
    "a hold for a call that never was",
];

async fn corrupt(harness: &Harness, what: &str) {
    let one = || json!({":one": {"N": "1"}});
    match what {
        "the amount of an entry" => {
            change_entry(harness, "topup#pi_first", "SET amount = :value", json!({"N": "2501"})).await;
        }
        "the words of an entry" => {
            change_entry(harness, "call#web-1", "SET description = :value", json!({"S": "A gift"})).await;
        }
        "an entry after the last" => copy_entry(harness, "topup#pi_second", 4).await,
        "the first entry is gone" => remove_entry(harness, "topup#pi_first").await,
        "an entry is gone" => remove_entry(harness, "call#web-1").await,
        "the last entry is gone" => remove_entry(harness, "topup#pi_second").await,
        "an entry is there twice" => copy_entry(harness, "topup#pi_first", 1).await,
        "available" => change_wallet(harness, "SET available = available + :one", one()).await,
        "held" => change_wallet(harness, "SET held = held + :one", one()).await,
        "available and held" => {
            change_wallet(harness, "SET available = available - :one, held = held + :one", one()).await;
        }
        "a hold for a call that is over" => hold_for(harness, "web-1").await,
        "a hold for a call that never was" => hold_for(harness, "nobodys").await,
        _ => panic!("{what} is not a corruption of these tests"),
    }
}

async fn verified(harness: &Harness, org: OrgId) -> Checked {
    Runs::new(harness.stack.db()).verified(org).await.unwrap().expect("the books of this org were looked at")
}

async fn frozen(harness: &Harness) -> Option<String> {
    harness.wallet().await.frozen
}

#[tokio::test]
async fn right_books_are_verified_from_where_the_last_run_ended() {
    let harness = clinic().await;
    let runs = Runs::new(harness.stack.db());
    let report = run(&harness, "books").await;
    assert_eq!((report.checked, kinds(&report.left), report.complete), (1, vec![], true), "{report:?}");
    for _ in 0..2 {
        let (wallet, verified) = (harness.wallet().await, verified(&harness, ORG).await.verified);
        assert_eq!((verified.head, verified.balance), (wallet.ledger, wallet.balance()));
        harness.vapi(&bodies::report("call-1", 60)).await;
        assert_eq!(kinds(&run(&harness, "books").await.left), Vec::<&str>::new());
    }
    let noted = verified(&harness, ORG).await;
    assert_eq!(noted.verified.head.seq, 4);
    // What was noted is what the next run rests on: a note that is not so is no right beginning.
    let entries = harness.entries().await;
    let wrong = Verified { head: entries[1].head(), balance: Balance::from_pence(1) };
    runs.note_verified(ORG, &Checked { verified: wrong, ..noted }).await.unwrap();
    assert_eq!(kinds(&run(&harness, "books").await.left), ["books_wrong"]);
    let right = Verified { balance: entries[1].balance_after, ..wrong };
    runs.note_verified(ORG, &Checked { verified: right, ..noted }).await.unwrap();
    assert_eq!(kinds(&run(&harness, "books").await.left), Vec::<&str>::new());
    assert!(runs.failing().await.unwrap().is_empty());
    assert_eq!(frozen(&harness).await, None);
}

#[tokio::test]
async fn whatever_is_wrong_is_found_and_frozen_at_the_second_look_a_minute_later() {
    for what in CORRUPTIONS {
        let (alarms, _guard) = alarms();
        let harness = clinic().await;
        corrupt(&harness, what).await;
        for (passed, looks) in [(0, 1), (59, 2)] {
            harness.pass(passed).await;
            let report = run(&harness, "books").await;
            assert_eq!(ids(&report.left, "books_wrong"), [ORG.to_string().as_str()], "{what}: {report:?}");
            assert_eq!((count(&alarms, "books_wrong"), frozen(&harness).await), (looks, None), "{what}");
            let early = run(&harness, "calls").await;
            assert!(ids(&early.left, "wallet_frozen").is_empty(), "{what}: {early:?}");
            assert_eq!(frozen(&harness).await, None, "{what}");
        }
        let noted = verified(&harness, ORG).await;
        assert_eq!(
            noted.rota.unwrap().verified_at,
            harness.clock.now() - SignedDuration::from_secs(59),
            "{what}"
        );
        harness.pass(1).await;
        let report = run(&harness, "calls").await;
        assert_eq!(ids(&report.left, "wallet_frozen"), [ORG.to_string().as_str()], "{what}: {report:?}");
        assert_eq!(frozen(&harness).await.as_deref(), Some("books"), "{what}");
        assert_eq!(count(&alarms, "books_wrong"), 3, "{what}");
    }
}

#[tokio::test]
async fn a_second_daily_run_freezes_too() {
    let harness = clinic().await;
    corrupt(&harness, "available").await;
    run(&harness, "books").await;
    harness.pass(60).await;
    let report = run(&harness, "books").await;
    assert_eq!(kinds(&report.left), ["wallet_frozen"], "{report:?}");
    assert_eq!(frozen(&harness).await.as_deref(), Some("books"));
    assert_eq!(Runs::new(harness.stack.db()).last("books", 1).await.unwrap(), [report]);
}

#[tokio::test]
async fn a_frozen_wallet_spends_nothing_new_and_settles_what_is_going_on() {
    let harness = clinic().await;
    corrupt(&harness, "available").await;
    run(&harness, "books").await;
    harness.pass(60).await;
    run(&harness, "calls").await;
    assert_eq!(harness.money().await, (3_127, 280), "nothing was put right");

    let (_, answer) = harness.vapi(&bodies::request("call-2")).await;
    assert!(answer["error"].is_string(), "{answer}");
    let state = harness.call("call-2").await.state;
    assert!(
        matches!(&state, State::Refused { reason } if *reason == RefusalReason::WalletFrozen),
        "{state:?}"
    );
    let (status, problem) = harness.buy_for(ORG, &crate::numbers::us("inbound"), None).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("wallet_frozen")), "{problem}");
    assert_eq!(harness.money().await, (3_127, 280));

    assert_eq!(harness.vapi(&bodies::report("call-1", 60)).await.0, 200);
    assert_eq!(harness.bills_of("call-1").await, [56]);
    harness.pay(2_500).await;
    harness.top_up(ORG, "pi_third", 100).await;
    assert_eq!(harness.money().await, (3_127 + 280 - 56 + 2_600, 0));
    // Only a person lifts it.
    harness.pass(24 * 3_600).await;
    run(&harness, "books").await;
    assert_eq!(frozen(&harness).await.as_deref(), Some("books"));
}

#[tokio::test]
async fn what_is_right_at_the_second_look_is_forgotten() {
    let harness = clinic().await;
    let runs = Runs::new(harness.stack.db());
    for _ in 0..2 {
        corrupt(&harness, "available").await;
        assert_eq!(kinds(&run(&harness, "books").await.left), ["books_wrong"]);
        assert_eq!(runs.failing().await.unwrap(), [(ORG, harness.clock.now())]);
        change_wallet(&harness, "SET available = available - :one", json!({":one": {"N": "1"}})).await;
        harness.pass(60).await;
        let report = run(&harness, "calls").await;
        assert!(report.left.is_empty() && report.checked >= 1, "{report:?}");
        assert!(runs.failing().await.unwrap().is_empty());
        assert_eq!(frozen(&harness).await, None, "the next time is a first time again");
        harness.pass(60).await;
    }
}

#[tokio::test]
async fn one_wrong_wallet_hides_no_other_and_is_nobody_elses() {
    let harness = clinic().await;
    harness.wallets.ensure(OTHER_ORG).await.unwrap();
    harness.top_up(OTHER_ORG, "pi_other", 1_000).await;
    corrupt(&harness, "available").await;
    for kind in ["books_wrong", "wallet_frozen"] {
        let report = run(&harness, "books").await;
        assert_eq!(ids(&report.left, kind), [ORG.to_string().as_str()], "{report:?}");
        assert_eq!((report.checked, report.left.len(), report.complete), (2, 1, true), "{report:?}");
        harness.pass(60).await;
    }
    assert_eq!(harness.wallet_of(OTHER_ORG).await.frozen, None);
    assert_eq!(verified(&harness, OTHER_ORG).await.verified.balance, Balance::from_pence(1_000));
}

#[tokio::test]
async fn a_wallet_that_changes_all_the_time_is_verified_all_the_same() {
    let (alarms, _guard) = alarms();
    let harness = clinic().await;
    for round in 1..=3_u64 {
        let restless = async {
            for i in 0..10_000 {
                let id = format!("pm_{i}");
                let card = domain::recharge::Card { id: &id, fingerprint: None };
                harness.wallets.note_payment_method(ORG, card, 0).await.unwrap();
                harness.top_up(ORG, &format!("pi_{round}_{i}"), 1).await;
            }
        };
        let both = select(Box::pin(run(&harness, "books")), Box::pin(restless)).await;
        let Either::Left((report, _)) = both else { panic!("the run never ends") };
        assert!(report.left.is_empty() && report.complete, "{report:?}");
        let noted = verified(&harness, ORG).await;
        assert!(noted.verified.head.seq >= 2 + round, "what was there when it began: {noted:?}");
        assert_eq!(noted.rota.unwrap().verified_at, harness.clock.now());
        harness.pass(70).await;
    }
    assert_eq!((count(&alarms, "books_wrong"), frozen(&harness).await), (0, None));
}

#[tokio::test]
async fn money_that_moves_during_a_run_is_never_taken_for_a_flaw() {
    // Set aside, credited and charged between any two reads of it.
    for head_start in 0..6 {
        let harness = clinic().await;
        let moves = async {
            for i in 0..6 {
                let call = format!("call-{}", i + 10);
                harness.vapi(&bodies::request(&call)).await;
                harness.top_up(ORG, &format!("pi_more_{i}"), 100).await;
                harness.vapi(&bodies::report(&call, 30 + i)).await;
            }
        };
        let runs = async {
            let mut left = Vec::new();
            for _ in 0..head_start {
                tokio::task::yield_now().await;
            }
            for _ in 0..12 {
                left.extend(run(&harness, "books").await.left);
            }
            left
        };
        let (left, ()) = join(runs, moves).await;
        assert!(left.is_empty(), "{left:?}");
        assert!(run(&harness, "books").await.left.is_empty());
        harness.assert_books(ORG).await;
    }
}

#[tokio::test]
async fn a_run_that_is_cut_off_goes_on_where_it_was() {
    let harness = clinic().await;
    let third = OrgId::new(Uuid::from_u128(0xC));
    for org in [OTHER_ORG, third] {
        harness.wallets.ensure(org).await.unwrap();
        harness.top_up(org, &format!("pi_{org}"), 1_000).await;
    }
    let (clock, ledger) = (Arc::clone(&harness.clock), harness.stack.db().table_name(Table::LedgerEntries));
    harness.stack.aws.set_plan(move |sent| {
        if sent.operation == "Query" && sent.body["TableName"] == ledger {
            // Each ledger takes all the time of a run.
            clock.turn_to(clock.now() + SignedDuration::from_secs(101));
        }
        Outcome::Pass
    });
    let runs = Runs::new(harness.stack.db());
    let mut cursors = Vec::new();
    for is_last in [false, false, true] {
        let report = run(&harness, "books").await;
        assert_eq!((report.checked, report.complete), (1, is_last), "{report:?}");
        assert!(report.left.is_empty(), "{report:?}");
        cursors.extend(runs.cursor("books").await.unwrap());
    }
    harness.stack.aws.clear_plan();
    cursors.sort();
    cursors.dedup();
    assert_eq!(cursors.len(), 2, "it went on each time: {cursors:?}");
    for org in [ORG, OTHER_ORG, third] {
        assert!(runs.verified(org).await.unwrap().is_some(), "{org}");
    }
    assert_eq!(runs.cursor("books").await.unwrap(), None, "the next run begins anew");
    assert_eq!(run(&harness, "books").await.checked, 3);
}
