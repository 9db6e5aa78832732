//! The same for auto-recharge, and for what reconciliation writes.

use aws_sdk_dynamodb::types::AttributeValue;
use base::clock::Clock;
use domain::{
    amount::Amount,
    ids::{CustomerId, EpisodeId, PurchaseId, UserId},
    ledger::Reason,
    recharge::{Card, Episode},
    time::plus_secs,
    wallet::Wallet,
};
use jiff::{SignedDuration, Timestamp};
use local::stack::test_epoch;
use serde_json::json;
use store::{
    ChangeError,
    runs::{Runs, Word},
    table::Table,
};
use tests::{Harness, ORG, OTHER_ORG, web_report};

use super::{
    Guard, NEW_ENTRY, VERSION, broken, freeze, is_moved, moved_on,
    numbers::{CHARGE, NEW_ITEM, posting},
    rung, top_up,
};

const SAME: &str = "(attribute_not_exists(auto_recharge) OR auto_recharge.version = :version)";
const OPEN: &str = "(attribute_not_exists(auto_recharge) OR auto_recharge.version = :version) AND \
     attribute_not_exists(auto_recharge.episode) AND available <= :available AND payment_method = :card AND \
     attribute_not_exists(frozen)";
const CREDIT: &str =
    "ledger_seq = :read AND (attribute_not_exists(auto_recharge) OR auto_recharge.version = :version)";
const NEWER_CARD: &str = "(attribute_not_exists(card_since) OR card_since <= :since)";
const CARD_NOTE: &str =
    "attribute_exists(org_id) AND (attribute_not_exists(card_since) OR card_since <= :since)";
const LATER: &str = "attribute_not_exists(#at) OR #at < :at";
const NEW_WORD: &str = "attribute_not_exists(orphan_since) OR orphan_since <> :since";

const CARD: &str = "pm_1";
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

pub(super) fn guards() -> Vec<Guard> {
    guards! {
        "open episode", "wallets", OPEN, SAME => no_episode_on_terms_that_moved;
        "open episode", "wallets", OPEN, "attribute_not_exists(auto_recharge.episode)" => one_episode_at_a_time;
        "open episode", "wallets", OPEN, "available <= :available" => no_episode_on_money_that_has_come;
        "open episode", "wallets", OPEN, "payment_method = :card" => no_episode_on_a_card_that_was_replaced;
        "open episode", "wallets", OPEN, "attribute_not_exists(frozen)" => no_episode_on_a_frozen_wallet;
        "save recharge", "wallets", SAME, SAME => a_save_does_not_undo_an_episode;
        "book with recharge", "wallets", CREDIT, "ledger_seq = :read" => a_credit_follows_the_last_entry;
        "book with recharge", "wallets", CREDIT, SAME => a_credit_does_not_undo_what_became_of_an_episode;
        "book with recharge", "ledger_entries", NEW_ENTRY, "attribute_not_exists(entry_key)" => one_credit_a_payment;
        "charge rental", "wallets", CHARGE, "ledger_seq = :read" => a_rental_follows_the_last_entry;
        "charge rental", "wallets", CHARGE, "available >= :cost" => a_rental_makes_no_debt;
        "charge rental", "wallets", CHARGE, "attribute_not_exists(frozen)" => no_rental_of_a_frozen_wallet;
        "charge rental", "ledger_entries", NEW_ENTRY, "attribute_not_exists(entry_key)" => one_rental_a_month;
        "freeze", "wallets", "attribute_exists(org_id)", "attribute_exists(org_id)" => a_freeze_makes_no_wallet;
        "note card", "wallets", CARD_NOTE, "attribute_exists(org_id)" => a_card_makes_no_wallet;
        "note card", "wallets", CARD_NOTE, NEWER_CARD => an_older_payment_does_not_put_an_older_card_back;
        "replace customer", "wallets", "stripe_customer = :gone", "stripe_customer = :gone" => a_customer_is_replaced_once;
        "retire", "calls", VERSION, "version = :read" => a_call_that_moved_stays_in_the_index;
        "put", "reconciliation", LATER, LATER => a_watermark_never_goes_back;
        "put", "reconciliation", NEW_ITEM, "attribute_not_exists(item)" => what_was_seen_was_seen_first_when_it_was;
        "put", "reconciliation", NEW_WORD, NEW_WORD => the_first_word_of_an_orphan_stands;
    }
}

/// Charges a card by itself, pays a rental, retires a call, and freezes a wallet whose books are wrong.
pub(super) async fn use_everything(harness: &Harness) {
    harness.pay(2_500).await;
    let terms = json!({"enabled": true, "amount_pence": 2_500, "threshold_pence": 500});
    let route = "/api/billing/wallet/auto-recharge";
    let (status, answer) = harness.post(route, &harness.owner(), terms.to_string()).await;
    assert_eq!(status, 200, "{answer}");
    let now = harness.clock.now();
    let report = web_report("web-1", &plus_secs(now, -2_250).to_string(), &now.to_string());
    let (status, answer) = harness.vapi(&report).await;
    assert_eq!(status, 200, "{answer}");
    harness.pass(10).await;
    assert_eq!(harness.money().await, (2_900, 0), "2,100p were spent, and 2,500p came by themselves");
    rent(harness, &harness.wallet().await, 100).await.unwrap();
    let customer = harness.wallet().await.stripe_customer.unwrap();
    harness.stripe_delete(&format!("/v1/customers/{customer}"));
    harness.begin_top_up(3_000).await;

    harness.pass(3_600).await;
    Box::pin(harness.reconcile("calls")).await;
    let now = harness.clock.now();
    assert!(harness.calls.due(now, 10).await.unwrap().calls.is_empty(), "the call is long over");
    Box::pin(harness.reconcile("payments")).await;
    assert!(runs(harness).watermark("payments").await.unwrap().is_some());
    say(harness, "operator-1", test_epoch()).await.unwrap();
    change(harness, "SET available = available + low_balance").await;
    Box::pin(harness.reconcile("books")).await;
    harness.pass(60).await;
    Box::pin(harness.reconcile("calls")).await;
    assert!(harness.wallet().await.frozen.is_some(), "it is wrong a minute later too");
}

#[tokio::test]
async fn a_wallet_from_before_there_was_auto_recharge_is_written_by_one_at_a_time() {
    let harness = Harness::with_wallet(2_500, 600).await;
    change(&harness, "REMOVE auto_recharge").await;
    let old = carded(&harness).await;
    let saved = harness.wallets.save_recharge(&old, old.auto_recharge.clone()).await.unwrap();
    assert_eq!(saved.auto_recharge.version, 1);
    is_moved(harness.wallets.save_recharge(&old, old.auto_recharge.clone()).await).unwrap();
    change(&harness, "REMOVE auto_recharge").await;
    open(&harness, &old, "one").await.unwrap();
    is_moved(open(&harness, &old, "two").await).unwrap();
    change(&harness, "REMOVE auto_recharge").await;
    credit(&harness, &old, "pi_2").await.unwrap();
    assert_eq!(harness.money().await, (2_600, 0));
}

/// Changes the clinic's wallet behind the system's back.
async fn change(harness: &Harness, change: &str) {
    let client = &harness.stack.unguarded();
    client
        .update_item()
        .table_name(harness.stack.db().table_name(Table::Wallets))
        .key("org_id", AttributeValue::S(ORG.to_string()))
        .update_expression(change)
        .send()
        .await
        .unwrap();
}

fn runs(harness: &Harness) -> Runs {
    Runs::new(harness.stack.db())
}

fn card(id: &str) -> Card<'_> {
    Card { id, fingerprint: None }
}

/// The clinic's wallet as it is, with a card that may be charged.
async fn carded(harness: &Harness) -> Wallet {
    harness.wallets.note_payment_method(ORG, card(CARD), 0).await.unwrap();
    harness.wallet().await
}

async fn open(harness: &Harness, wallet: &Wallet, id: &str) -> Result<Wallet, ChangeError> {
    let episode = Episode {
        id: EpisodeId::parse(id).unwrap(),
        amount: Amount::from_pence(1_000),
        customer: CustomerId::parse("cus_1").unwrap(),
        payment_method: CARD.into(),
        opened_at: test_epoch(),
        attempt: 0,
        sent_at: None,
        attempt_at: None,
        payment_intent: None,
        action_url: None,
    };
    harness.wallets.open_episode(wallet, wallet.auto_recharge.opened(episode)).await
}

/// The clinic's wallet as it is, with an episode that is open.
async fn opened(harness: &Harness) -> Wallet {
    let wallet = carded(harness).await;
    open(harness, &wallet, "one").await.unwrap()
}

/// Its auto-recharge moves on, and nothing else does: what was read of it is old.
async fn recharge_moves_on(harness: &Harness, wallet: &Wallet) {
    harness.wallets.save_recharge(wallet, wallet.auto_recharge.clone()).await.unwrap();
}

/// Books a payment of the episode `one`.
async fn credit(harness: &Harness, wallet: &Wallet, payment: &str) -> Result<Wallet, ChangeError> {
    let (episode, posting) = (EpisodeId::parse("one").unwrap(), top_up(payment));
    let after = wallet.auto_recharge.credited(Some(&episode), posting.amount, posting.at).unwrap();
    harness.wallets.book_with(wallet, &posting, Some(after)).await
}

async fn rent(harness: &Harness, wallet: &Wallet, pence: u32) -> Result<Wallet, ChangeError> {
    let number = PurchaseId::parse("one").unwrap();
    let posting = posting(Reason::Rental { number, month: "2026-02".into() }, pence);
    harness.wallets.charge_rental(wallet, &posting).await
}

async fn no_episode_on_terms_that_moved(harness: Harness) -> Result<(), String> {
    let stale = carded(&harness).await;
    recharge_moves_on(&harness, &stale).await;
    is_moved(open(&harness, &stale, "one").await)
}

async fn one_episode_at_a_time(harness: Harness) -> Result<(), String> {
    let there = opened(&harness).await;
    is_moved(open(&harness, &there, "two").await)
}

async fn no_episode_on_money_that_has_come(harness: Harness) -> Result<(), String> {
    let stale = carded(&harness).await;
    harness.wallets.book(&stale, &top_up("pi_2")).await.unwrap();
    is_moved(open(&harness, &stale, "one").await)
}

async fn no_episode_on_a_card_that_was_replaced(harness: Harness) -> Result<(), String> {
    let stale = carded(&harness).await;
    harness.wallets.note_payment_method(ORG, card("pm_2"), 1).await.unwrap();
    is_moved(open(&harness, &stale, "one").await)
}

async fn no_episode_on_a_frozen_wallet(harness: Harness) -> Result<(), String> {
    let stale = carded(&harness).await;
    freeze(&harness).await;
    is_moved(open(&harness, &stale, "one").await)
}

async fn a_save_does_not_undo_an_episode(harness: Harness) -> Result<(), String> {
    let stale = carded(&harness).await;
    open(&harness, &stale, "one").await.unwrap();
    is_moved(harness.wallets.save_recharge(&stale, stale.auto_recharge.clone()).await)
}

async fn a_credit_follows_the_last_entry(harness: Harness) -> Result<(), String> {
    let stale = opened(&harness).await;
    harness.wallets.book(&stale, &top_up("pi_2")).await.unwrap();
    is_moved(credit(&harness, &stale, "pi_3").await)
}

async fn a_credit_does_not_undo_what_became_of_an_episode(harness: Harness) -> Result<(), String> {
    let stale = opened(&harness).await;
    recharge_moves_on(&harness, &stale).await;
    is_moved(credit(&harness, &stale, "pi_2").await)
}

async fn one_credit_a_payment(harness: Harness) -> Result<(), String> {
    let credited = credit(&harness, &opened(&harness).await, "pi_2").await.unwrap();
    is_moved(credit(&harness, &credited, "pi_2").await)
}

async fn a_rental_follows_the_last_entry(harness: Harness) -> Result<(), String> {
    let stale = harness.wallet().await;
    harness.wallets.book(&stale, &top_up("pi_2")).await.unwrap();
    is_moved(rent(&harness, &stale, 100).await)
}

async fn a_rental_makes_no_debt(harness: Harness) -> Result<(), String> {
    is_moved(rent(&harness, &harness.wallet().await, 2_501).await)
}

async fn no_rental_of_a_frozen_wallet(harness: Harness) -> Result<(), String> {
    let stale = harness.wallet().await;
    freeze(&harness).await;
    is_moved(rent(&harness, &stale, 100).await)
}

async fn one_rental_a_month(harness: Harness) -> Result<(), String> {
    let charged = rent(&harness, &harness.wallet().await, 100).await.unwrap();
    is_moved(rent(&harness, &charged, 100).await)
}

async fn a_card_makes_no_wallet(harness: Harness) -> Result<(), String> {
    let noted = harness.wallets.note_payment_method(OTHER_ORG, card(CARD), 0).await;
    if noted.is_err() { Ok(()) } else { broken("a card was noted for an org without a wallet") }
}

async fn an_older_payment_does_not_put_an_older_card_back(harness: Harness) -> Result<(), String> {
    harness.wallets.note_payment_method(ORG, card("pm_new"), 20).await.unwrap();
    harness.wallets.note_payment_method(ORG, card("pm_old"), 10).await.unwrap();
    let card = harness.wallet().await.payment_method;
    if card.as_deref() == Some("pm_new") { Ok(()) } else { broken("an older card is back") }
}

async fn a_customer_is_replaced_once(harness: Harness) -> Result<(), String> {
    let customer = |id: &str| CustomerId::parse(id).unwrap();
    let gone = harness.wallets.note_customer(ORG, &customer("cus_gone")).await.unwrap();
    for fresh in ["cus_first", "cus_second"] {
        harness.wallets.replace_customer(ORG, &gone, &customer(fresh)).await.unwrap();
    }
    let noted = harness.wallet().await.stripe_customer;
    if noted == Some(customer("cus_first")) { Ok(()) } else { broken(noted) }
}

async fn a_freeze_makes_no_wallet(harness: Harness) -> Result<(), String> {
    let frozen = harness.wallets.freeze(OTHER_ORG, "books").await;
    match (frozen, harness.wallets.get(OTHER_ORG).await) {
        (Err(_), Ok(None)) => Ok(()),
        other => broken(other),
    }
}

async fn a_call_that_moved_stays_in_the_index(harness: Harness) -> Result<(), String> {
    let stale = rung(&harness, "call-1").await;
    moved_on(&harness, &stale).await;
    match harness.calls.retire(&stale).await {
        Err(ChangeError::Moved) => Ok(()),
        other => broken(other),
    }
}

async fn a_watermark_never_goes_back(harness: Harness) -> Result<(), String> {
    let (runs, late) = (runs(&harness), test_epoch() + MINUTE);
    for at in [late, test_epoch()] {
        runs.advance("payments", at).await.unwrap();
    }
    let watermark = runs.watermark("payments").await.unwrap();
    if watermark == Some(late) { Ok(()) } else { broken(watermark) }
}

/// Has an operator let an orphan go that is known since then.
async fn say(harness: &Harness, user: &str, since: Timestamp) -> Result<(), ChangeError> {
    let word = Word {
        orphan_since: Some(since),
        said_at: harness.clock.now(),
        user: UserId::parse(user).unwrap(),
        reason: "Looked up.".into(),
    };
    runs(harness).keep_word("numbers", "vapi#1", &word).await
}

async fn the_first_word_of_an_orphan_stands(harness: Harness) -> Result<(), String> {
    say(&harness, "operator-1", test_epoch()).await.unwrap();
    is_moved(say(&harness, "operator-2", test_epoch()).await)?;
    // Of another orphan at that place it is another word.
    say(&harness, "operator-3", test_epoch() + MINUTE).await.map_err(|error| error.to_string())
}

async fn what_was_seen_was_seen_first_when_it_was(harness: Harness) -> Result<(), String> {
    let (runs, late) = (runs(&harness), test_epoch() + MINUTE);
    runs.note_seen("numbers", "orphan#1", test_epoch()).await.unwrap();
    let first_seen = runs.note_seen("numbers", "orphan#1", late).await.unwrap();
    if first_seen == test_epoch() { Ok(()) } else { broken(first_seen) }
}
