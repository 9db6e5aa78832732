//! Stripe's events: what was lost is booked exactly, what is there changes nothing, and no card is forgotten.

use std::collections::BTreeSet;

use base::clock::Clock;
use domain::{
    amount::Amount,
    ids::EpisodeId,
    ledger::Kind,
    recharge::{Episode, Settings},
};
use local::aws::Outcome;
use sandbox::{faults::Mode, stripe::Act};
use serde_json::Value;
use services::reconcile::{Report, Task};
use store::{runs::Runs, webhook_events::WebhookEvents};
use tests::{Harness, ORG, crashed_after, web_report};
use vendors::stripe::events::TYPES;

use super::{alarms, count, ids, is_message_for, kinds, run};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// No event arrives from now on.
fn lose_events(harness: &Harness) {
    harness.stack.stripe.with_faults(|faults| faults.lost.extend(TYPES.map(str::to_owned)));
}

/// A clinic without money, to which no event arrives.
async fn unheard() -> Harness {
    let harness = Harness::with_wallet(0, 600).await;
    lose_events(&harness);
    harness
}

/// Charges a card of no org in particular, with this environment's mark. Returns the payment.
fn charge(harness: &Harness, customer: &str, pence: u32) -> String {
    let mark = harness.mark();
    let environment = mark["voxanne_environment"].as_str().unwrap();
    let form = format!(
        "amount={pence}&currency=gbp&customer={customer}&payment_method=pm_card_visa&confirm=true\
         &off_session=true&metadata[voxanne_environment]={environment}"
    );
    let payment = harness.stripe_post("/v1/payment_intents", &form);
    assert_eq!(payment["status"], "succeeded", "{payment}");
    payment["id"].as_str().unwrap().to_owned()
}

/// Lets the task run, which must book this one movement, and once more, which must do nothing.
async fn books_one(harness: &Harness, kind: Kind, pence: i64, available: i64) {
    let before = harness.entries().await;
    let report = run(harness, "payments").await;
    assert_eq!(ids(&report.repaired, "booked").len(), 1, "{kind:?}: {report:?}");
    assert!(report.left.is_empty() && report.complete, "{kind:?}: {report:?}");
    let after = harness.entries().await;
    let (last, old) = after.split_last().unwrap();
    assert_eq!(old, before, "{kind:?}");
    assert_eq!((last.kind, last.amount.pence()), (kind, pence));
    assert_eq!(harness.money().await, (available, 0), "{kind:?}");
    harness.pass(10 * MINUTE).await;
    let report = run(harness, "payments").await;
    assert_eq!((kinds(&report.repaired), kinds(&report.left)), (vec![], vec![]), "{kind:?}: {report:?}");
    assert_eq!(harness.entries().await, after, "{kind:?}");
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn every_kind_of_event_that_is_lost_is_booked_once() {
    let harness = unheard().await;
    let payment = harness.pay(2_500).await;
    books_one(&harness, Kind::TopUp, 2_500, 2_500).await;
    assert_eq!(harness.entries().await[0].entry_key.as_str(), format!("topup#{payment}"));

    let refund = harness.stripe_post("/v1/refunds", &format!("payment_intent={payment}&amount=500"));
    books_one(&harness, Kind::Refund, 500, 2_000).await;
    harness.stack.stripe.fail_refund(refund["id"].as_str().unwrap()).unwrap();
    books_one(&harness, Kind::Refund, 500, 2_500).await;

    let dispute = harness.stack.stripe.dispute(&payment, Some(900)).unwrap();
    books_one(&harness, Kind::Dispute, 900, 1_600).await;
    harness.stack.stripe.decide_dispute(&dispute, true).unwrap();
    books_one(&harness, Kind::DisputeReversal, 900, 2_500).await;

    // A method that takes its time: the session is paid a minute after it is completed.
    let session = harness.begin_top_up(3_000).await;
    harness.stack.stripe.act(&session, Act::PayLater).unwrap();
    let early = run(&harness, "payments").await;
    assert_eq!((kinds(&early.repaired), kinds(&early.left)), (vec![], vec![]), "{early:?}");
    harness.pass(MINUTE).await;
    books_one(&harness, Kind::TopUp, 3_000, 5_500).await;

    // A payment without a session.
    let customer = harness.wallet().await.stripe_customer.unwrap();
    let payment = charge(&harness, customer.as_str(), 700);
    books_one(&harness, Kind::TopUp, 700, 6_200).await;
    let last = harness.entries().await.pop().unwrap();
    assert_eq!(last.payment_intent.unwrap().as_str(), payment);
}

#[tokio::test]
async fn events_that_did_arrive_change_nothing() {
    let harness = Harness::with_wallet(0, 600).await;
    let payment = harness.pay(2_500).await;
    harness.stripe_post("/v1/refunds", &format!("payment_intent={payment}&amount=500"));
    harness.pass(0).await;
    let before = (harness.wallet().await, harness.entries().await);
    let report = run(&harness, "payments").await;
    assert_eq!((report.checked, kinds(&report.repaired)), (4, vec![]), "{report:?}");
    assert_eq!((harness.wallet().await, harness.entries().await), before);
}

#[tokio::test]
async fn an_event_older_than_the_last_run_less_an_hour_is_not_asked_for_again() {
    let harness = unheard().await;
    harness.pay(2_500).await;
    assert_eq!(run(&harness, "payments").await.checked, 2, "session and payment");
    for (passed, checked) in [(30 * MINUTE, 2), (90 * MINUTE, 2), (0, 0), (HOUR, 0)] {
        harness.pass(passed).await;
        harness.stack.faults.forget_log();
        assert_eq!(run(&harness, "payments").await.checked, checked, "{passed} s later");
        let asked = harness.stack.faults.log().len();
        assert_eq!(asked == 1, checked == 0, "{passed} s later, {asked} requests to Stripe");
    }
}

#[tokio::test]
async fn the_first_run_reads_thirty_days() {
    let harness = unheard().await;
    harness.pay(2_500).await;
    harness.pass(30 * DAY - HOUR).await;
    let report = run(&harness, "payments").await;
    assert_eq!(ids(&report.repaired, "booked").len(), 1, "{report:?}");
    assert_eq!(harness.money().await, (2_500, 0));
}

/// A run that does not come to its end, and the report of it.
async fn failed_run(harness: &Harness) -> Report {
    let outcome = harness.stack.reconcile(Task::Payments).await;
    assert!(outcome.is_err(), "{outcome:?}");
    Runs::new(harness.stack.db()).last("payments", 1).await.unwrap().remove(0)
}

#[tokio::test]
async fn while_stripe_is_down_the_watermark_stays_and_a_day_of_it_is_told() {
    let (alarms, _guard) = alarms();
    let harness = unheard().await;
    let runs = Runs::new(harness.stack.db());
    let first = run(&harness, "payments").await;
    assert_eq!(runs.watermark("payments").await.unwrap(), Some(first.started_at));
    harness.pay(2_500).await;
    harness.stack.stripe.with_faults(|faults| faults.rest_is_down = true);
    for (passed, behind) in [(HOUR, 0), (21 * HOUR, 0), (2 * HOUR, 1)] {
        harness.pass(passed).await;
        let report = failed_run(&harness).await;
        assert_eq!((kinds(&report.left), report.complete), (vec!["run_failed"], false), "{report:?}");
        assert_eq!(runs.watermark("payments").await.unwrap(), Some(first.started_at));
        assert_eq!(count(&alarms, "payments_behind"), behind, "{passed} s later");
    }
    assert_eq!(count(&alarms, "reconciliation_failed"), 3, "{:?}", alarms.names());
    assert_eq!(harness.money().await, (0, 0));
    harness.stack.stripe.with_faults(|faults| faults.rest_is_down = false);
    let last = run(&harness, "payments").await;
    assert_eq!(kinds(&last.repaired), ["booked"], "{last:?}");
    assert_eq!(harness.money().await, (2_500, 0));
    assert_eq!(runs.watermark("payments").await.unwrap(), Some(last.started_at));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn an_event_that_cannot_be_booked_now_keeps_the_watermark_where_it_was() {
    let harness = unheard().await;
    let runs = Runs::new(harness.stack.db());
    let payment = harness.pay(2_500).await;
    let first = run(&harness, "payments").await;
    harness.stripe_post("/v1/refunds", &format!("payment_intent={payment}&amount=500"));
    for _ in 0..3 {
        // Longer than events are read back for, had the watermark moved.
        harness.pass(2 * HOUR).await;
        // The list comes, and nothing after it.
        harness.fault_after(("stripe", "rest"), 1, Mode::Error, 1_000);
        let report = run(&harness, "payments").await;
        harness.stack.faults.clear();
        assert_eq!((kinds(&report.repaired), kinds(&report.left)), (vec![], vec!["event_not_booked"]));
        assert_eq!(runs.watermark("payments").await.unwrap(), Some(first.started_at));
    }
    let last = run(&harness, "payments").await;
    assert_eq!((kinds(&last.repaired), kinds(&last.left)), (vec!["booked"], vec![]), "{last:?}");
    assert_eq!(harness.money().await, (2_000, 0));
    assert_eq!(runs.watermark("payments").await.unwrap(), Some(last.started_at));
}

#[tokio::test]
async fn a_payment_of_nobodys_is_a_dead_letter_and_blocks_no_other() {
    let (alarms, _guard) = alarms();
    let harness = unheard().await;
    let stranger = harness.stripe_post("/v1/customers", "name=Stranger");
    charge(&harness, stranger["id"].as_str().unwrap(), 900);
    harness.pay(2_500).await;
    let report = run(&harness, "payments").await;
    assert_eq!((ids(&report.repaired, "booked").len(), kinds(&report.left)), (1, vec![]), "{report:?}");
    assert_eq!(harness.money().await, (2_500, 0));
    assert_eq!(count(&alarms, "stripe_dead_letter"), 1);
    let letters = WebhookEvents::stripe(harness.stack.db()).dead_letters(10).await.unwrap();
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert!(letters[0].reason.as_ref().unwrap().contains("customer"), "{letters:?}");
    let watermark = Runs::new(harness.stack.db()).watermark("payments").await.unwrap();
    assert_eq!(watermark, Some(report.started_at));
}

#[tokio::test]
async fn more_events_than_one_page_holds_are_all_booked() {
    let harness = unheard().await;
    harness.pay(2_500).await;
    let customer = harness.wallet().await.stripe_customer.unwrap();
    let payments: BTreeSet<String> = (0..205).map(|_| charge(&harness, customer.as_str(), 100)).collect();
    assert_eq!(payments.len(), 205);
    let report = run(&harness, "payments").await;
    assert_eq!(ids(&report.repaired, "booked").len(), 206, "{report:?}");
    assert_eq!(report.checked, 207, "and the other event of the session");
    assert_eq!(harness.money().await, (2_500 + 205 * 100, 0));
    harness.assert_books(ORG).await;
}

/// A clinic with 260p left and a card that is to be charged below 500p. Neither events nor messages about it arrive.
async fn short_of_money() -> Harness {
    let harness = Harness::with_wallet(0, 600).await;
    harness.pay(2_500).await;
    lose_events(&harness);
    let wallet = harness.wallet().await;
    assert!(wallet.payment_method.is_some(), "the card is kept");
    let mut after = wallet.auto_recharge.clone();
    after.settings = Some(Settings {
        enabled: true,
        amount: Amount::from_pence(1_000),
        threshold: Amount::from_pence(500),
        monthly_limit: None,
        max_charge: None,
    });
    harness.wallets.save_recharge(&wallet, after).await.unwrap();
    harness.stack.aws.set_plan(|sent| {
        if is_message_for(sent, "RechargeQueue") { Outcome::Pretend } else { Outcome::Pass }
    });
    harness.vapi(&web_report("web-1", "2025-12-17T00:00:00Z", "2025-12-17T00:40:00Z")).await;
    assert_eq!(harness.money().await, (260, 0));
    harness
}

/// The payments that were made of the card by itself.
fn recharges(harness: &Harness) -> Vec<Value> {
    let mut payments = harness.stack.stripe.all("payment_intent");
    payments.retain(|payment| payment["metadata"]["voxanne_episode"].is_string());
    payments
}

async fn assert_charged_once(harness: &Harness, what: &str) {
    assert_eq!(harness.money().await, (1_260, 0), "{what}");
    assert_eq!(recharges(harness).len(), 1, "{what}");
    assert_eq!(harness.wallet().await.auto_recharge.episode, None, "{what}");
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_card_whose_message_was_lost_is_charged_by_the_schedule() {
    let harness = short_of_money().await;
    for nth in 1..=3 {
        let report = run(&harness, "payments").await;
        assert!(report.left.is_empty(), "{report:?}");
        assert_charged_once(&harness, &format!("after run {nth}")).await;
        harness.pass(HOUR).await;
    }
}

#[tokio::test]
async fn an_open_recharge_whose_message_was_lost_is_resumed() {
    for attempt in [0, 1] {
        let harness = short_of_money().await;
        let (wallet, now) = (harness.wallet().await, harness.clock.now());
        let episode = Episode {
            id: EpisodeId::parse("episode-1").unwrap(),
            amount: Amount::from_pence(1_000),
            customer: wallet.stripe_customer.clone().unwrap(),
            payment_method: wallet.payment_method.clone().unwrap(),
            opened_at: now,
            attempt,
            sent_at: (attempt > 0).then_some(now),
            attempt_at: (attempt > 0).then_some(now),
            payment_intent: None,
            action_url: None,
        };
        harness.wallets.open_episode(&wallet, wallet.auto_recharge.opened(episode)).await.unwrap();
        let report = run(&harness, "payments").await;
        assert_eq!(ids(&report.repaired, "recharge_resumed"), [ORG.to_string().as_str()], "{report:?}");
        assert_charged_once(&harness, &format!("attempt {attempt}")).await;
        assert_eq!(recharges(&harness)[0]["metadata"]["voxanne_episode"], "episode-1");
        let report = run(&harness, "payments").await;
        assert_eq!(kinds(&report.repaired), Vec::<&str>::new(), "{report:?}");
        assert_charged_once(&harness, &format!("attempt {attempt}, again")).await;
    }
}

#[tokio::test]
async fn a_run_that_dies_anywhere_charges_the_card_once() {
    let mut was_resumed = false;
    for polls in (0..).step_by(3) {
        let harness = short_of_money().await;
        let outcome = crashed_after(polls, harness.reconcile("payments")).await;
        harness.pass(MINUTE).await;
        let report = run(&harness, "payments").await;
        was_resumed |= kinds(&report.repaired).contains(&"recharge_resumed");
        assert_charged_once(&harness, &format!("died at its poll {polls}")).await;
        if outcome.is_some() {
            assert!(polls > 10 && was_resumed, "there was something to die in");
            break;
        }
    }
}
