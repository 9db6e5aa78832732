//! Auto-recharge: one shortage, one charge of the card, one credit, whatever fails or dies; and a low balance is told once.

mod asked_back;
mod refused;

use std::collections::BTreeSet;

use base::clock::Clock;
use domain::{amount::Amount, ids::EpisodeId, recharge::Episode, tariff::Tariff, time::plus_secs};
use futures::future::join_all;
use sandbox::{
    faults::Mode,
    stripe::{Act, Card},
};
use serde_json::{Value, json};
use tests::{ASSISTANT_ID, Harness, NUMBER, ORG, PHONE_ID, alarms, crashed_after, web_report};

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;
const ROUTE: &str = "/api/billing/wallet/auto-recharge";
const QUEUE: &str = "RechargeQueue";
const MODES: [Mode; 4] = [Mode::Error, Mode::TimeoutBefore, Mode::TimeoutAfter, Mode::Slow];
const CARDS: [Card; 5] =
    [Card::Good, Card::Declined, Card::NeedsAuthentication, Card::RequiresAction, Card::Processing];

fn terms() -> Value {
    json!({"enabled": true, "amount_pence": 2_500, "threshold_pence": 500})
}

/// A clinic with 2,500p, paid by a card that is kept, and charged 2,500p whenever less than 500p is available.
async fn carded() -> Harness {
    let harness = Harness::with_wallet(0, 3_600).await;
    harness.pay(2_500).await;
    set(&harness, &terms()).await;
    harness
}

/// The same, with 400p left, and a message that says so.
pub(crate) async fn low() -> Harness {
    let harness = carded().await;
    spend(&harness, "web-low", 2_100).await;
    harness
}

/// The same, with an attempt written down that never came to Stripe, and no process that goes on with it.
pub(crate) async fn sent_and_lost() -> Harness {
    let harness = low().await;
    harness.fault(("stripe", "rest"), Mode::TimeoutBefore, 1);
    harness.pass(0).await;
    forget_messages(&harness);
    assert_eq!((attempt(&harness).await, charges(&harness).len()), (Some(1), 0));
    harness
}

/// Says what the clinic wants.
async fn set(harness: &Harness, body: &Value) -> Value {
    let (status, answer) = harness.post(ROUTE, &harness.owner(), body.to_string()).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

/// Has the clinic's card behave like this.
async fn give(harness: &Harness, card: Card) {
    let method = harness.wallet().await.payment_method.unwrap();
    harness.stack.stripe.set_card(&method, card);
}

/// Spends exactly so much, on a call that is over.
async fn spend(harness: &Harness, call: &str, pence: u32) {
    let now = harness.clock.now();
    let secs = Tariff::at(now).affordable_seconds(Amount::from_pence(pence));
    let report = web_report(call, &plus_secs(now, -i64::from(secs)).to_string(), &now.to_string());
    // Of many at once, some may be told to come again.
    for _ in 0..5 {
        if harness.vapi(&report).await.0 == 200 {
            break;
        }
    }
    assert_eq!(harness.bills_of(call).await, [i64::from(pence)]);
}

/// The payments that were made by themselves, oldest first, whatever became of them.
fn charges(harness: &Harness) -> Vec<Value> {
    let payments = harness.stack.stripe.all("payment_intent");
    payments.into_iter().filter(|payment| payment["metadata"]["voxanne_episode"].is_string()).collect()
}

fn episodes(harness: &Harness) -> BTreeSet<String> {
    let of_charges = charges(harness);
    let names = of_charges.iter().map(|charge| charge["metadata"]["voxanne_episode"].as_str().unwrap());
    names.map(str::to_owned).collect()
}

/// How many of them are credited.
async fn credits(harness: &Harness) -> usize {
    let charges = charges(harness);
    let keys: BTreeSet<String> =
        charges.iter().map(|charge| format!("topup#{}", charge["id"].as_str().unwrap())).collect();
    let entries = harness.entries().await;
    entries.iter().filter(|entry| keys.contains(entry.entry_key.as_str())).count()
}

/// How often the open episode was attempted. None when none is open.
async fn attempt(harness: &Harness) -> Option<u32> {
    harness.wallet().await.auto_recharge.episode.map(|episode| episode.attempt)
}

/// What the dashboard shows of it.
async fn shown(harness: &Harness) -> Value {
    let (status, wallet) = harness.get("/api/billing/wallet", &harness.owner()).await;
    assert_eq!(status, 200, "{wallet}");
    wallet["auto_recharge"].clone()
}

/// What was told to the clinic, in no order.
fn told(harness: &Harness) -> Vec<Value> {
    let messages = harness.stack.aws.queues().messages();
    let of_queue = messages.iter().filter(|message| message.queue == "NotificationsQueue");
    of_queue.map(|message| serde_json::from_str(&message.body).unwrap()).collect()
}

/// The names of what was told, each once.
fn told_ids(harness: &Harness) -> BTreeSet<String> {
    told(harness).iter().map(|told| told["event_id"].as_str().unwrap().to_owned()).collect()
}

fn forget_messages(harness: &Harness) {
    let queues = harness.stack.aws.queues();
    let messages = queues.messages();
    messages.iter().filter(|message| message.queue == QUEUE).for_each(|message| queues.delete(&message.id));
}

/// No event tells us what became of a charge.
fn lose_events(harness: &Harness) {
    harness.stack.stripe.with_faults(|faults| {
        let names = ["payment_intent.succeeded", "payment_intent.payment_failed", "payment_intent.canceled"];
        faults.lost.extend(names.map(str::to_owned));
    });
}

async fn reconcile(harness: &Harness) {
    Box::pin(harness.reconcile("payments")).await;
    harness.pass(0).await;
}

/// Lets the queue's messages come again until they are taken, and then reconciliation.
async fn come_again(harness: &Harness) {
    harness.pass(1_600).await;
    harness.stack.faults.clear();
    harness.pass(400).await;
    reconcile(harness).await;
}

/// The customer does what the bank asks, where it asks.
async fn act_if_asked(harness: &Harness) {
    for charge in charges(harness).iter().filter(|charge| charge["status"] == "requires_action") {
        harness.stack.stripe.authenticate(charge["id"].as_str().unwrap(), true).unwrap();
    }
    reconcile(harness).await;
}

/// Opens an episode that has sent nothing, with nobody who goes on with it.
async fn open_unsent(harness: &Harness) {
    forget_messages(harness);
    let wallet = harness.wallet().await;
    let episode = Episode {
        id: EpisodeId::parse("episode-1").unwrap(),
        amount: Amount::from_pence(2_500),
        customer: wallet.stripe_customer.clone().unwrap(),
        payment_method: wallet.payment_method.clone().unwrap(),
        opened_at: harness.clock.now(),
        attempt: 0,
        sent_at: None,
        attempt_at: None,
        payment_intent: None,
        action_url: None,
    };
    let after = wallet.auto_recharge.opened(episode);
    harness.wallets.open_episode(&wallet, after).await.unwrap();
}

fn is_paid_by(card: Card) -> bool {
    match card {
        Card::Good | Card::RequiresAction | Card::Processing => true,
        Card::Declined | Card::NeedsAuthentication => false,
    }
}

/// Fails unless a shortage of 400p has come to its end: one payment, credited once; or one that can never be paid, and the
/// card is left alone.
async fn assert_at_rest(harness: &Harness, card: Card, what: &str) {
    let is_paid = is_paid_by(card);
    let payments = charges(harness);
    assert_eq!(payments.len(), 1, "{what}: {payments:?}");
    assert_eq!(payments[0]["status"], if is_paid { "succeeded" } else { "canceled" }, "{what}");
    assert_eq!(credits(harness).await, usize::from(is_paid), "{what}");
    let recharge = harness.wallet().await.auto_recharge;
    assert_eq!(recharge.episode, None, "{what}");
    let reason = recharge.suspended.map(|suspended| suspended.reason.as_str().to_owned());
    let wanted = match card {
        Card::Good | Card::RequiresAction | Card::Processing => None,
        Card::Declined => Some("insufficient_funds".to_owned()),
        Card::NeedsAuthentication => Some("authentication_required".to_owned()),
    };
    assert_eq!(reason, wanted, "{what}");
    let charged = if is_paid { 2_500 } else { 0 };
    assert_eq!(harness.money().await, (400 + charged, 0), "{what}");
    let in_month = recharge.month.map(|month| month.charged.pence());
    assert_eq!(in_month, Some(charged), "{what}: what counts in the month");
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn twenty_calls_that_end_together_below_the_threshold_are_one_payment_and_spent_again_a_second() {
    // B9
    let harness = Harness::with_wallet(0, 600).await;
    harness.pay(6_000).await;
    set(&harness, &json!({"enabled": true, "amount_pence": 2_500, "threshold_pence": 6_000})).await;
    let calls: Vec<String> = (0..20).map(|i| format!("web-{i}")).collect();
    join_all(calls.iter().map(|call| spend(&harness, call, 280))).await;
    assert_eq!(harness.money().await, (400, 0));

    // All that was ordered is done at once.
    let messages = harness.stack.aws.queues().receive(QUEUE, 100);
    assert!(messages.len() >= 20, "{} messages", messages.len());
    let looks = messages.into_iter().map(|message| harness.stack.consume("auto-recharge", message));
    join_all(looks.map(Box::pin)).await;
    harness.pass(HOUR).await;
    reconcile(&harness).await;
    let first = charges(&harness);
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!((&first[0]["amount"], &first[0]["status"]), (&json!(7_500), &json!("succeeded")));
    assert_eq!(credits(&harness).await, 1);
    assert_eq!(harness.money().await, (7_900, 0));

    spend(&harness, "web-again", 2_000).await;
    harness.pass(HOUR).await;
    assert_eq!((charges(&harness).len(), credits(&harness).await), (2, 2));
    assert_eq!(episodes(&harness).len(), 2, "another shortage is another episode");
    assert_eq!(harness.money().await, (8_400, 0));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn every_way_to_fall_below_the_threshold_charges_the_card() {
    // B9
    for (way, threshold) in [("call", 1_600), ("hold", 2_300), ("extension", 2_100), ("number", 1_600)] {
        let harness = Harness::with_wallet(0, 3_600).await;
        harness.pay(2_500).await;
        set(&harness, &json!({"enabled": true, "amount_pence": 2_500, "threshold_pence": threshold})).await;
        harness.pass(10).await;
        assert_eq!(charges(&harness).len(), 0, "{way}");
        match way {
            "call" => spend(&harness, "web-1", 1_000).await,
            "number" => {
                harness.has_number("outbound").await;
            }
            _ => {
                harness.ring(3_000);
            }
        }
        harness.pass(if way == "extension" { 300 } else { 20 }).await;
        assert_eq!((charges(&harness).len(), credits(&harness).await), (1, 1), "{way}");
        harness.assert_books(ORG).await;
    }
}

#[tokio::test]
async fn an_hours_call_on_a_small_wallet_with_a_good_card_is_not_cut_and_without_one_is_ended() {
    for card in [Some(Card::Good), Some(Card::Declined), None] {
        let harness = Harness::empty(vec![]).await;
        harness.add_clinic(ORG, PHONE_ID, NUMBER, ASSISTANT_ID, 7_200).await;
        if let Some(card) = card {
            harness.pay(2_500).await;
            give(&harness, card).await;
            set(&harness, &terms()).await;
        } else {
            harness.top_up(ORG, "pi_first", 2_500).await;
        }
        spend(&harness, "web-1", 1_900).await;
        harness.pass(0).await;
        assert_eq!(charges(&harness).len(), 0, "600p is enough");

        let call = harness.ring(3_600);
        harness.pass(3_800).await;
        let reason = harness.stack.vapi.call(&call).unwrap().ended_reason;
        let bills = harness.bills_of(&call).await;
        let charged = charges(&harness).len();
        if card == Some(Card::Good) {
            assert_eq!(reason.as_deref(), Some("customer-ended-call"));
            assert_eq!(bills, [3_360], "it is billed whole");
            assert_eq!((episodes(&harness).len(), credits(&harness).await), (charged, charged));
            let credited = 2_500 * i64::try_from(charged).unwrap();
            assert_eq!(harness.money().await, (600 + credited - 3_360, 0));
        } else {
            assert_eq!(reason.as_deref(), Some("manually-canceled"), "{card:?}");
            assert!(bills.len() == 1 && (550..=600).contains(&bills[0]), "{card:?}: {bills:?}");
            assert_eq!(charged, usize::from(card.is_some()), "{card:?}: a declined card is asked once");
        }
        harness.assert_books(ORG).await;
    }
}

#[tokio::test]
async fn a_debt_is_charged_by_the_smallest_multiple_that_brings_the_threshold() {
    for (spent, charged) in [(2_001, 2_500), (4_500, 2_500), (4_501, 5_000), (5_000, 5_000)] {
        let harness = carded().await;
        spend(&harness, "web-0", 1_900).await;
        spend(&harness, "web-1", spent - 1_900).await;
        harness.pass(0).await;
        let payments = charges(&harness);
        assert_eq!(payments.len(), 1, "{spent}p spent");
        assert_eq!(payments[0]["amount"], json!(charged), "{spent}p spent");
        assert_eq!(harness.money().await, (2_500 - i64::from(spent) + charged, 0));
        harness.assert_books(ORG).await;
    }
}

#[tokio::test]
async fn every_fault_at_every_request_to_stripe_is_one_charge_one_credit_and_a_closed_episode() {
    for card in CARDS {
        let harness = carded().await;
        give(&harness, card).await;
        harness.stack.faults.forget_log();
        spend(&harness, "web-low", 2_100).await;
        harness.pass(0).await;
        let log = harness.stack.faults.log();
        let requests = log.iter().filter(|(vendor, _)| vendor == "stripe").count();
        let least = match card {
            Card::Good | Card::RequiresAction | Card::Processing => 1,
            Card::Declined => 3,
            Card::NeedsAuthentication => 4,
        };
        assert!(requests >= least, "{card:?}: {log:?}");
        let modes = MODES.into_iter().flat_map(|mode| [1, 5].map(|times| (mode, times)));
        let kinds = modes.flat_map(|(mode, times)| [true, false].map(|is_told| (mode, times, is_told)));
        let cases = kinds.flat_map(|kind| (0..requests).map(move |after| (kind, after)));
        for ((mode, times, is_told), after) in cases {
            let what = format!("{card:?}: {mode:?} after {after}, {times} times, told: {is_told}");
            let harness = carded().await;
            give(&harness, card).await;
            if !is_told {
                lose_events(&harness);
            }
            harness.fault_after(("stripe", "rest"), after, mode, times);
            spend(&harness, "web-low", 2_100).await;
            come_again(&harness).await;
            act_if_asked(&harness).await;
            assert_at_rest(&harness, card, &what).await;
        }
    }
}

#[tokio::test]
async fn a_look_that_dies_after_any_await_is_one_charge() {
    for card in [Card::Good, Card::Declined, Card::NeedsAuthentication, Card::RequiresAction] {
        for polls in 0.. {
            let harness = carded().await;
            give(&harness, card).await;
            // Half of the time no event helps: the queue's message alone does.
            if polls % 2 == 0 {
                lose_events(&harness);
            }
            spend(&harness, "web-low", 2_100).await;
            let message = harness.stack.aws.queues().receive(QUEUE, 1).remove(0);
            let look = Box::pin(harness.stack.consume("auto-recharge", message));
            let outcome = crashed_after(polls, look).await;
            harness.pass(400).await;
            act_if_asked(&harness).await;
            assert_at_rest(&harness, card, &format!("{card:?}: died at its poll {polls}")).await;
            if outcome.is_some() {
                assert!(polls > 20, "there was something to die in: {polls}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_message_that_is_lost_is_made_good_by_reconciliation() {
    let harness = low().await;
    forget_messages(&harness);
    harness.pass(10).await;
    assert_eq!(charges(&harness).len(), 0);
    reconcile(&harness).await;
    assert_at_rest(&harness, Card::Good, "its message is lost").await;
    assert_eq!(told(&harness).len(), 1, "and the clinic is told");
}

#[tokio::test]
async fn a_declined_card_is_left_alone_until_there_is_another() {
    let harness = carded().await;
    give(&harness, Card::Declined).await;
    spend(&harness, "web-1", 2_100).await;
    harness.pass(0).await;
    let recharge = shown(&harness).await;
    assert_eq!(recharge["suspended_reason"], "insufficient_funds", "{recharge}");
    assert_eq!(recharge["skipped_reason"], "card_declined", "{recharge}");
    assert!(recharge["underway_pence"].is_null() && recharge["action_url"].is_null(), "{recharge}");
    for call in ["web-2", "web-3", "web-4"] {
        spend(&harness, call, 100).await;
        harness.pass(HOUR).await;
        reconcile(&harness).await;
    }
    set(&harness, &terms()).await;
    harness.pass(HOUR).await;
    let tried = charges(&harness);
    assert_eq!(tried.len(), 1, "{tried:?}");
    assert_eq!(tried[0]["status"], "canceled", "it can never be paid");

    harness.pay(2_500).await;
    let recharge = shown(&harness).await;
    assert!(recharge["suspended_reason"].is_null() && recharge["skipped_reason"].is_null(), "{recharge}");
    spend(&harness, "web-5", 2_200).await;
    harness.pass(0).await;
    assert_eq!((charges(&harness).len(), credits(&harness).await), (2, 1), "the new card pays");
    assert_eq!(harness.money().await, (2_900, 0));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_card_whose_bank_wants_the_customer_shows_a_page_and_its_payment_ends_the_suspension() {
    let harness = carded().await;
    give(&harness, Card::NeedsAuthentication).await;
    spend(&harness, "web-low", 2_100).await;
    harness.pass(0).await;
    let recharge = shown(&harness).await;
    assert_eq!(recharge["suspended_reason"], "authentication_required", "{recharge}");
    let page = recharge["action_url"].as_str().unwrap();
    let session = page.rsplit('/').next().unwrap();
    harness.stack.stripe.act(session, Act::Pay).unwrap();
    harness.pass(0).await;
    assert_eq!(harness.money().await, (2_900, 0), "what the card was to pay");
    let recharge = shown(&harness).await;
    assert!(recharge["suspended_reason"].is_null() && recharge["action_url"].is_null(), "{recharge}");
    assert_eq!(charges(&harness).len(), 1);
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_payment_that_waits_for_the_customer_is_credited_or_given_up_as_the_customer_acts() {
    for acts in [Some(true), Some(false), None] {
        let harness = carded().await;
        give(&harness, Card::RequiresAction).await;
        spend(&harness, "web-low", 2_100).await;
        harness.pass(0).await;
        let recharge = shown(&harness).await;
        assert_eq!(recharge["underway_pence"], 2_500, "{recharge}");
        let charge = charges(&harness).remove(0)["id"].as_str().unwrap().to_owned();
        assert!(recharge["action_url"].as_str().unwrap().ends_with(&charge), "{recharge}");
        spend(&harness, "web-2", 100).await;
        harness.pass(HOUR).await;
        reconcile(&harness).await;
        assert_eq!(charges(&harness).len(), 1, "nothing else is charged meanwhile");
        if let Some(succeeds) = acts {
            harness.stack.stripe.authenticate(&charge, succeeds).unwrap();
        } else {
            harness.pass(DAY).await;
            reconcile(&harness).await;
        }
        harness.pass(0).await;
        let is_paid = acts == Some(true);
        let status = charges(&harness).remove(0)["status"].clone();
        assert_eq!(status, if is_paid { "succeeded" } else { "canceled" }, "{acts:?}");
        let recharge = shown(&harness).await;
        assert!(recharge["underway_pence"].is_null(), "{recharge}");
        assert!(!is_paid || recharge["action_url"].is_null(), "{recharge}");
        assert_eq!(recharge["suspended_reason"].is_string(), !is_paid, "{recharge}");
        assert_eq!(recharge["charged_this_month_pence"], if is_paid { 2_500 } else { 0 }, "{recharge}");
        assert_eq!(credits(&harness).await, usize::from(is_paid));
        assert_eq!((charges(&harness).len(), attempt(&harness).await), (1, None));
        harness.assert_books(ORG).await;
    }
}

#[tokio::test]
async fn no_more_than_the_limit_is_charged_in_a_month_and_the_next_month_again() {
    let harness = carded().await;
    let mut limited = terms();
    limited["monthly_limit"] = json!(4_000);
    set(&harness, &limited).await;
    spend(&harness, "web-1", 2_100).await;
    harness.pass(0).await;
    assert_eq!(harness.money().await, (2_900, 0));
    spend(&harness, "web-2", 2_500).await;
    harness.pass(HOUR).await;
    reconcile(&harness).await;
    let recharge = shown(&harness).await;
    assert_eq!(recharge["skipped_reason"], "monthly_limit", "{recharge}");
    assert_eq!(recharge["month"], "2025-12");
    assert_eq!(recharge["charged_this_month_pence"], 2_500);
    assert_eq!(charges(&harness).len(), 1);

    harness.pass(15 * DAY).await;
    reconcile(&harness).await;
    assert_eq!((charges(&harness).len(), credits(&harness).await), (2, 2));
    let recharge = shown(&harness).await;
    assert!(recharge["skipped_reason"].is_null(), "{recharge}");
    assert_eq!(recharge["month"], "2026-01");
    assert_eq!(recharge["charged_this_month_pence"], 2_500, "each month counts for itself");
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn nothing_is_charged_while_a_dispute_is_open() {
    let harness = Harness::with_wallet(0, 600).await;
    let payment = harness.pay(3_000).await;
    harness.pass(60).await;
    harness.pay(2_500).await;
    set(&harness, &terms()).await;
    let dispute = harness.stack.stripe.dispute(&payment, Some(500)).unwrap();
    harness.pass(0).await;
    spend(&harness, "web-1", 2_100).await;
    spend(&harness, "web-2", 2_500).await;
    harness.pass(HOUR).await;
    reconcile(&harness).await;
    assert_eq!(harness.money().await, (400, 0));
    assert_eq!(shown(&harness).await["skipped_reason"], "dispute_open");
    assert_eq!(charges(&harness).len(), 0);
    harness.stack.stripe.decide_dispute(&dispute, false).unwrap();
    harness.pass(0).await;
    assert_at_rest(&harness, Card::Good, "the dispute is decided, and was not over the present card").await;
}

#[tokio::test]
async fn another_top_up_closes_an_episode_that_has_sent_nothing_and_leaves_one_that_has() {
    let harness = low().await;
    open_unsent(&harness).await;
    harness.pay(2_500).await;
    assert_eq!(attempt(&harness).await, None, "it is over");
    come_again(&harness).await;
    assert_eq!(charges(&harness).len(), 0);
    assert_eq!(shown(&harness).await["charged_this_month_pence"], 0, "and does not count");
    assert_eq!(harness.money().await, (2_900, 0));
    harness.assert_books(ORG).await;

    let harness = low().await;
    harness.fault(("stripe", "rest"), Mode::TimeoutBefore, 1);
    harness.pass(0).await;
    harness.pay(2_500).await;
    come_again(&harness).await;
    assert_eq!(attempt(&harness).await, Some(1), "what was sent may yet be paid, and is not sent again");
    assert_eq!((charges(&harness).len(), credits(&harness).await), (0, 0));
    spend(&harness, "web-short-again", 2_600).await;
    reconcile(&harness).await;
    assert_eq!(attempt(&harness).await, None, "it is wanted again");
    assert_eq!((charges(&harness).len(), credits(&harness).await), (1, 1));
    assert_eq!(harness.money().await, (2_800, 0));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn an_episode_that_has_sent_nothing_is_gone_on_with_only_while_it_is_needed() {
    let harness = low().await;
    open_unsent(&harness).await;
    reconcile(&harness).await;
    assert_at_rest(&harness, Card::Good, "still needed").await;
    assert_eq!(episodes(&harness), BTreeSet::from(["episode-1".to_owned()]));

    let harness = low().await;
    open_unsent(&harness).await;
    set(&harness, &json!({"enabled": false})).await;
    reconcile(&harness).await;
    assert_eq!((attempt(&harness).await, charges(&harness).len()), (None, 0), "it was turned off");
}

#[tokio::test]
async fn an_attempt_of_23_hours_ago_is_only_looked_for_and_after_25_given_up_with_an_alarm() {
    for hours in [1, 22, 23, 24] {
        let harness = Box::pin(sent_and_lost()).await;
        let before = harness.wallet().await.auto_recharge.episode.unwrap().id;
        harness.pass(hours * HOUR).await;
        harness.stack.faults.forget_log();
        reconcile(&harness).await;
        assert!(harness.stack.faults.log().len() >= 2, "its payment is looked for");
        if hours < 23 {
            assert_at_rest(&harness, Card::Good, &format!("{hours} hours later")).await;
            assert_eq!(episodes(&harness), BTreeSet::from([before.to_string()]));
        } else {
            let open = harness.wallet().await.auto_recharge.episode.map(|episode| episode.id);
            assert_eq!((charges(&harness).len(), open), (0, Some(before)), "{hours} hours later");
        }
    }
    let (alarms, _guard) = alarms();
    let harness = Box::pin(sent_and_lost()).await;
    let before = harness.wallet().await.auto_recharge.episode.unwrap().id;
    harness.pass(25 * HOUR).await;
    reconcile(&harness).await;
    assert!(alarms.names().contains(&"recharge_never_came".to_owned()), "{:?}", alarms.names());
    assert!(!episodes(&harness).contains(before.as_str()), "never sent again under its old name");
    assert_at_rest(&harness, Card::Good, "the shortage is still there").await;
}

#[tokio::test]
async fn a_charge_that_nobody_told_of_is_found_and_credited_a_day_later() {
    let harness = low().await;
    lose_events(&harness);
    harness.fault(("stripe", "rest"), Mode::TimeoutAfter, 1);
    harness.pass(0).await;
    forget_messages(&harness);
    assert_eq!((charges(&harness).len(), credits(&harness).await), (1, 0));
    harness.pass(26 * HOUR).await;
    reconcile(&harness).await;
    assert_at_rest(&harness, Card::Good, "a day later").await;
}

#[tokio::test]
async fn a_webhook_that_comes_before_the_vendors_own_answer_credits_and_closes_once() {
    let harness = low().await;
    harness.fault(("stripe", "rest"), Mode::TimeoutAfter, 1);
    harness.pass(0).await;
    assert_at_rest(&harness, Card::Good, "by the webhook").await;
    come_again(&harness).await;
    assert_at_rest(&harness, Card::Good, "and its message comes again").await;
}

#[tokio::test]
async fn a_credited_payment_has_closed_its_episode_wherever_the_webhook_dies() {
    for polls in 0.. {
        let harness = low().await;
        lose_events(&harness);
        harness.fault(("stripe", "rest"), Mode::TimeoutAfter, 1);
        harness.pass(0).await;
        assert_eq!(attempt(&harness).await, Some(1));
        let charge = charges(&harness).remove(0);
        let event = harness.stack.stripe.event("payment_intent.succeeded", &charge);
        let outcome = crashed_after(polls, harness.stripe(&event)).await;
        let is_closed = attempt(&harness).await.is_none();
        assert_eq!(credits(&harness).await, usize::from(is_closed), "died at its poll {polls}");
        assert_eq!(harness.stripe(&event).await.0, 200);
        assert_at_rest(&harness, Card::Good, &format!("died at its poll {polls}")).await;
        if outcome.is_some() {
            assert!(polls > 5, "there was something to die in: {polls}");
            break;
        }
    }
}

#[tokio::test]
async fn a_frozen_wallet_is_not_charged() {
    let harness = carded().await;
    harness.wallets.freeze(ORG, "books").await.unwrap();
    spend(&harness, "web-1", 2_100).await;
    harness.pass(HOUR).await;
    reconcile(&harness).await;
    assert_eq!(shown(&harness).await["skipped_reason"], "wallet_frozen");
    assert_eq!((attempt(&harness).await, charges(&harness).len()), (None, 0));

    // Nor when it is frozen between the episode and its first attempt.
    let harness = low().await;
    open_unsent(&harness).await;
    harness.wallets.freeze(ORG, "books").await.unwrap();
    reconcile(&harness).await;
    assert_eq!((attempt(&harness).await, charges(&harness).len()), (None, 0));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn each_setting_that_cannot_be_used_has_its_own_sentence() {
    let harness = Harness::with_wallet(0, 600).await;
    harness.pay(2_500).await;
    let with = |name: &str, value: Value| {
        let mut body = terms();
        body[name] = value;
        body
    };
    let cases = [
        (json!({}), "invalid_value", "enabled must be true or false."),
        (json!({"amount_pence": 1_000, "threshold_pence": 500}), "invalid_value", "enabled must be"),
        (with("enabled", json!("yes")), "invalid_value", "enabled must be true or false."),
        (with("amount_pence", json!(null)), "invalid_amount", "amount_pence is missing"),
        (with("threshold_pence", json!(null)), "invalid_amount", "threshold_pence is missing"),
        (with("amount_pence", json!(2_499)), "invalid_amount", "amount_pence is less than 2500 (£25.00)."),
        (with("amount_pence", json!(0)), "invalid_amount", "amount_pence is less than 2500"),
        (with("threshold_pence", json!(99)), "invalid_amount", "threshold_pence is less than 100 (£1.00)."),
        (with("amount_pence", json!(-1)), "invalid_amount", "amount_pence is negative."),
        (with("threshold_pence", json!(-500)), "invalid_amount", "threshold_pence is negative."),
        (with("amount_pence", json!(1_000.5)), "invalid_amount", "amount_pence must be whole pence"),
        (with("threshold_pence", json!("500")), "invalid_amount", "threshold_pence must be whole pence"),
        (with("amount_pence", json!(100_001)), "invalid_amount", "amount_pence is more than 100000"),
        (with("threshold_pence", json!(9_000_000_000_i64)), "invalid_amount", "threshold_pence is more than"),
        (with("monthly_limit", json!(2_499)), "invalid_amount", "monthly_limit is less than 2500"),
        (with("max_charge_pence", json!(2_499)), "invalid_amount", "max_charge_pence is less than 2500"),
        (with("max_charge_pence", json!("5000")), "invalid_amount", "max_charge_pence must be whole pence"),
        (with("monthly_limit", json!([])), "invalid_amount", "monthly_limit must be whole pence"),
        (
            json!({"enabled": true, "amount_pence": 3_000, "threshold_pence": 500, "monthly_limit": 2_999}),
            "invalid_amount",
            "monthly_limit is less than amount_pence",
        ),
        (
            json!({"enabled": true, "amount_pence": 3_000, "threshold_pence": 500, "max_charge_pence": 2_999}),
            "invalid_amount",
            "max_charge_pence is less than amount_pence",
        ),
        (with("ceiling", json!(1)), "invalid_value", "ceiling: unknown field"),
        (json!([]), "invalid_body", "The body is not the JSON object"),
    ];
    for (body, code, sentence) in cases {
        let (status, answer) = harness.post(ROUTE, &harness.owner(), body.to_string()).await;
        assert_eq!((status, &answer["code"]), (400, &json!(code)), "{body}: {answer}");
        assert!(answer["detail"].as_str().unwrap().starts_with(sentence), "{body}: {answer}");
    }
    assert_eq!(harness.wallet().await.auto_recharge.settings, None, "none of them was kept");
}

#[tokio::test]
async fn a_setting_is_for_who_may_pay_and_has_a_card_and_is_kept_and_shown() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let (status, answer) = harness.post(ROUTE, &harness.token(ORG, "viewer"), terms().to_string()).await;
    assert_eq!((status, &answer["code"]), (403, &json!("forbidden")));
    let (status, answer) = harness.post(ROUTE, &harness.owner(), terms().to_string()).await;
    assert_eq!((status, &answer["code"]), (409, &json!("no_payment_method")));
    assert_eq!(harness.wallet().await.auto_recharge.settings, None);

    harness.pay(2_500).await;
    let first = set(&harness, &terms()).await;
    assert_eq!(first["auto_recharge_enabled"], true, "{first}");
    assert_eq!(first["will_charge_now"], false, "{first}");
    assert_eq!(set(&harness, &terms()).await, first, "said again, it is the same");
    let (_, wallet) = harness.get("/api/billing/wallet", &harness.owner()).await;
    assert_eq!(wallet["auto_recharge_enabled"], true);
    assert_eq!(wallet["has_payment_method"], true);
    assert_eq!(wallet["auto_recharge"], first["auto_recharge"]);
    assert_eq!(wallet["auto_recharge"]["amount_pence"], 2_500);
    assert_eq!(wallet["auto_recharge"]["threshold_pence"], 500);
    // Where the clinic sets no limits, there are some.
    assert_eq!(wallet["auto_recharge"]["monthly_limit"], 25_000);
    assert_eq!(wallet["auto_recharge"]["max_charge_pence"], 10_000);

    // What is left out stays.
    let limits = json!({"enabled": true, "monthly_limit": 5_000, "max_charge_pence": 3_000});
    let limited = set(&harness, &limits).await;
    assert_eq!(limited["auto_recharge"]["amount_pence"], 2_500, "{limited}");
    let off = set(&harness, &json!({"enabled": false})).await;
    assert_eq!(off["auto_recharge_enabled"], false);
    assert_eq!(off["auto_recharge"]["monthly_limit"], 5_000);
    assert_eq!(off["auto_recharge"]["max_charge_pence"], 3_000);
    let lifts = json!({"enabled": true, "monthly_limit": null, "max_charge_pence": null});
    let lifted = set(&harness, &lifts).await;
    assert_eq!(lifted["auto_recharge"]["monthly_limit"], 25_000, "{lifted}");
    assert_eq!(lifted["auto_recharge"]["max_charge_pence"], 10_000, "{lifted}");
    harness.pass(HOUR).await;
    assert_eq!(charges(&harness).len(), 0, "there was always enough");
}

#[tokio::test]
async fn turned_on_below_the_threshold_it_charges_at_once_and_turned_off_never() {
    let harness = Harness::with_wallet(0, 600).await;
    harness.pay(2_500).await;
    let mut off = terms();
    off["enabled"] = json!(false);
    set(&harness, &off).await;
    spend(&harness, "web-low", 2_100).await;
    harness.pass(HOUR).await;
    reconcile(&harness).await;
    assert_eq!(shown(&harness).await["skipped_reason"], "off");
    assert_eq!(charges(&harness).len(), 0);
    let answer = set(&harness, &terms()).await;
    assert_eq!(answer["will_charge_now"], true, "{answer}");
    harness.pass(0).await;
    assert_at_rest(&harness, Card::Good, "turned on").await;
}

#[tokio::test]
async fn a_wallet_from_before_there_was_auto_recharge_is_charged_like_any_other() {
    let harness = Harness::with_wallet(0, 600).await;
    harness.pay(2_500).await;
    let table = harness.stack.db().table_name(store::table::Table::Wallets);
    let org = aws_sdk_dynamodb::types::AttributeValue::S(ORG.to_string());
    let update = harness.stack.unguarded().update_item().table_name(table).key("org_id", org);
    update.update_expression("REMOVE auto_recharge").send().await.unwrap();
    set(&harness, &terms()).await;
    spend(&harness, "web-low", 2_100).await;
    harness.pass(0).await;
    assert_at_rest(&harness, Card::Good, "an older wallet").await;
}

#[tokio::test]
async fn a_low_balance_is_told_once_each_time_it_is_crossed() {
    let harness = Harness::with_wallet(2_500, 600).await;
    harness.pass(10).await;
    assert_eq!(told(&harness).len(), 0);
    for (call, pence) in [("web-1", 2_100), ("web-2", 100), ("web-3", 100)] {
        spend(&harness, call, pence).await;
        harness.pass(HOUR).await;
        reconcile(&harness).await;
    }
    let first = told(&harness);
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!((&first[0]["kind"], &first[0]["org_id"]), (&json!("low_balance"), &json!(ORG.to_string())));
    assert_eq!((&first[0]["available_pence"], &first[0]["auto_recharge"]), (&json!(400), &json!(false)));

    harness.pay(2_500).await;
    assert_eq!(told(&harness).len(), 1, "a top-up is nothing to be told of");
    spend(&harness, "web-4", 2_400).await;
    harness.pass(HOUR).await;
    assert_eq!((told(&harness).len(), told_ids(&harness).len()), (2, 2), "another crossing has another name");
}

#[tokio::test]
async fn a_low_balance_is_told_under_one_name_wherever_the_look_dies() {
    for polls in 0.. {
        let harness = Harness::with_wallet(2_500, 600).await;
        spend(&harness, "web-1", 2_100).await;
        let message = harness.stack.aws.queues().receive(QUEUE, 1).remove(0);
        let look = Box::pin(harness.stack.consume("auto-recharge", message));
        let outcome = crashed_after(polls, look).await;
        harness.pass(400).await;
        reconcile(&harness).await;
        assert_eq!(told_ids(&harness).len(), 1, "died at its poll {polls}: {:?}", told(&harness));
        if outcome.is_some() {
            assert_eq!(told(&harness).len(), 1);
            assert!(polls > 5, "there was something to die in: {polls}");
            break;
        }
    }
}
