//! The conditions of texts: one is paid for once, sent once, and its price goes back once, if it was not sent.

use domain::{
    ids::{AccountSid, MessageId},
    message::{Channel, Message, State},
    notification::Notification,
    personal::Personal,
    texting::Text,
};
use jiff::SignedDuration;
use local::stack::test_epoch;
use store::messages::Messages;

use super::{messages, numbers::CHARGE, *};

const NEW: &str = "attribute_not_exists(item)";
const NEW_DUE: &str = "attribute_not_exists(due)";
const CLAIM: &str = "message_id = :claim AND #state = :state";

pub(super) fn guards() -> Vec<Guard> {
    guards! {
        "charge text", "wallets", CHARGE, "ledger_seq = :read" => a_texts_charge_follows_the_last_entry;
        "charge text", "wallets", CHARGE, "available >= :cost" => no_text_without_the_money;
        "charge text", "wallets", CHARGE, "attribute_not_exists(frozen)" => no_text_of_a_frozen_wallet;
        "charge text", "ledger_entries", NEW_ENTRY, "attribute_not_exists(entry_key)" => one_charge_a_text;
        "charge text", "messages sent#", NEW, NEW => one_text_a_message;
        "charge text", "due_messages sent#", NEW_DUE, NEW_DUE => a_text_is_looked_for_in_nobodys_place;
        "refund text", "wallets", "ledger_seq = :read", "ledger_seq = :read" => a_texts_refund_follows_the_last_entry;
        "refund text", "ledger_entries", NEW_ENTRY, "attribute_not_exists(entry_key)" => one_refund_a_text;
        "refund text", "messages sent#", CLAIM, "message_id = :claim" => only_the_text_that_was_paid_for_is_given_back;
        "refund text", "messages sent#", CLAIM, "#state = :state" => what_was_sent_is_not_refunded;
        "refund text", "messages", CLAIM, "message_id = :claim" => only_its_own_claim_is_given_back;
        "refund text", "messages", CLAIM, "#state = :state" => what_was_sent_keeps_its_claim;
        "claim text", "messages sent#", NEW, NEW => a_free_text_is_claimed_once;
        "claim text", "messages sent#", CLAIM, "message_id = :claim" => another_text_is_not_claimed_again;
        "claim text", "messages sent#", CLAIM, "#state = :state" => a_text_is_claimed_again_once;
        "claim text", "due_messages sent#", NEW_DUE, NEW_DUE => a_free_text_is_looked_for_in_nobodys_place;
        "note unpaid", "messages sent#", NEW, NEW => what_was_sent_is_not_unpaid;
        "note unpaid", "notifications", "attribute_not_exists(notification_id)", "attribute_not_exists(notification_id)" => a_clinic_is_told_of_unpaid_texts_once;
    }
}

/// Which write of a text a transaction is, if it is one.
pub(super) fn transaction_of(items: &[Value]) -> Option<&'static str> {
    let is_of = |item: &Value, table: &str| {
        is_put_to(item, table)
            || item["Delete"]["TableName"].as_str().is_some_and(|name| name.rsplit('-').next() == Some(table))
    };
    if !items.iter().any(|item| is_of(item, "messages")) {
        return None;
    }
    let change = items.iter().find_map(|item| item["Update"]["UpdateExpression"].as_str());
    Some(match change {
        Some(change) if change.contains("available - :cost") => "charge text",
        Some(_) => "refund text",
        None if items.iter().any(|item| is_put_to(item, "due_messages")) => "claim text",
        None => "note unpaid",
    })
}

/// A text that costs so much.
fn text(id: &str, pence: u32) -> Message {
    let text = Text {
        to: Personal::new(PhoneNumber::parse("+447700900101").unwrap()),
        from: "Hill Street".to_owned(),
        account_sid: AccountSid::parse(format!("AC{}", "1".repeat(32))).unwrap(),
        segments: 1,
        price: Amount::from_pence(pence),
        attempt: MessageId::parse(id).unwrap(),
    };
    let due = (&messages::due(), &messages::appointment());
    Message::claimed(MessageId::parse(id).unwrap(), due, Channel::Sms, test_epoch()).by_text(text)
}

/// Another try of sending one.
fn attempt() -> MessageId {
    MessageId::parse("attempt-2").unwrap()
}

/// The same message under another name of the appointment's: another record, the same sending.
fn elsewhere(message: &Message) -> Message {
    Message { item: message.item.replace("sent#a1", "sent#a2"), ..message.clone() }
}

fn posting(reason: Reason, message: &Message) -> Posting {
    let amount = message.text.as_ref().unwrap().price;
    Posting { reason, amount, description: "Text message to a patient".into(), at: test_epoch() }
}

async fn charge(harness: &Harness, wallet: &Wallet, message: &Message) -> Result<Wallet, ChangeError> {
    let reason = Reason::Text { message: message.message_id.clone() };
    harness.wallets.charge_text(wallet, &posting(reason, message), message).await
}

async fn refund(
    harness: &Harness,
    wallet: &Wallet,
    message: &Message,
    after: Option<State>,
) -> Result<(), ChangeError> {
    let reason = Reason::TextRefund { message: message.message_id.clone() };
    harness.wallets.refund_text(wallet, &posting(reason, message), message, after).await
}

fn store(harness: &Harness) -> Messages {
    Messages::new(harness.stack.db())
}

/// A text of 8p that is paid for.
async fn paid(harness: &Harness) -> Message {
    let message = text("m1", 8);
    charge(harness, &harness.wallet().await, &message).await.unwrap();
    message
}

fn sent() -> State {
    State::Sent { vendor_id: "SM1".to_owned() }
}

async fn a_texts_charge_follows_the_last_entry(harness: Harness) -> Result<(), String> {
    let stale = harness.wallet().await;
    harness.wallets.book(&stale, &top_up("pi_2")).await.unwrap();
    is_moved(charge(&harness, &stale, &text("m1", 8)).await)
}

async fn no_text_without_the_money(harness: Harness) -> Result<(), String> {
    is_moved(charge(&harness, &harness.wallet().await, &text("m1", 2_501)).await)
}

async fn no_text_of_a_frozen_wallet(harness: Harness) -> Result<(), String> {
    let stale = harness.wallet().await;
    freeze(&harness).await;
    is_moved(charge(&harness, &stale, &text("m1", 8)).await)
}

async fn one_charge_a_text(harness: Harness) -> Result<(), String> {
    let message = paid(&harness).await;
    let later = Message { at: test_epoch() + SignedDuration::from_mins(30), ..elsewhere(&message) };
    is_moved(charge(&harness, &harness.wallet().await, &later).await)
}

async fn one_text_a_message(harness: Harness) -> Result<(), String> {
    paid(&harness).await;
    is_moved(charge(&harness, &harness.wallet().await, &text("m2", 8)).await)
}

async fn a_text_is_looked_for_in_nobodys_place(harness: Harness) -> Result<(), String> {
    store(&harness).claim_text(&text("m1", 0)).await.unwrap();
    is_moved(charge(&harness, &harness.wallet().await, &elsewhere(&text("m1", 8))).await)
}

async fn a_texts_refund_follows_the_last_entry(harness: Harness) -> Result<(), String> {
    let message = paid(&harness).await;
    let stale = harness.wallet().await;
    harness.wallets.book(&stale, &top_up("pi_2")).await.unwrap();
    is_moved(refund(&harness, &stale, &message, Some(State::NotSent)).await)
}

async fn one_refund_a_text(harness: Harness) -> Result<(), String> {
    let message = paid(&harness).await;
    refund(&harness, &harness.wallet().await, &message, None).await.unwrap();
    let later = Message { at: test_epoch() + SignedDuration::from_mins(30), ..elsewhere(&message) };
    store(&harness).claim_text(&later).await.unwrap();
    is_moved(refund(&harness, &harness.wallet().await, &later, Some(State::NotSent)).await)
}

async fn only_the_text_that_was_paid_for_is_given_back(harness: Harness) -> Result<(), String> {
    paid(&harness).await;
    let other = text("m2", 8);
    is_moved(refund(&harness, &harness.wallet().await, &other, Some(State::NotSent)).await)
}

async fn what_was_sent_is_not_refunded(harness: Harness) -> Result<(), String> {
    let message = paid(&harness).await;
    store(&harness).note(&message, sent()).await.unwrap();
    is_moved(refund(&harness, &harness.wallet().await, &message, Some(State::NotSent)).await)
}

async fn only_its_own_claim_is_given_back(harness: Harness) -> Result<(), String> {
    paid(&harness).await;
    is_moved(refund(&harness, &harness.wallet().await, &text("m2", 8), None).await)
}

async fn what_was_sent_keeps_its_claim(harness: Harness) -> Result<(), String> {
    let message = paid(&harness).await;
    store(&harness).note(&message, sent()).await.unwrap();
    is_moved(refund(&harness, &harness.wallet().await, &message, None).await)
}

async fn a_free_text_is_claimed_once(harness: Harness) -> Result<(), String> {
    store(&harness).claim_text(&text("m1", 0)).await.unwrap();
    is_moved(store(&harness).claim_text(&text("m2", 0)).await)
}

/// A text that waits, since the carrier took no more.
async fn waiting(harness: &Harness) -> (Message, Message) {
    let message = text("m1", 0);
    store(harness).claim_text(&message).await.unwrap();
    let waits = store(harness).note(&message, State::Waiting).await.unwrap();
    let again = waits.again(&attempt(), test_epoch() + SignedDuration::from_mins(1));
    (waits, again)
}

async fn another_text_is_not_claimed_again(harness: Harness) -> Result<(), String> {
    let (waits, again) = waiting(&harness).await;
    let other = MessageId::parse("m2").unwrap();
    let (waits, again) =
        (Message { message_id: other.clone(), ..waits }, Message { message_id: other, ..again });
    is_moved(store(&harness).claim_again(&waits, &again).await)
}

async fn a_text_is_claimed_again_once(harness: Harness) -> Result<(), String> {
    let (waits, again) = waiting(&harness).await;
    store(&harness).claim_again(&waits, &again).await.unwrap();
    let later = waits.again(&attempt(), test_epoch() + SignedDuration::from_mins(2));
    is_moved(store(&harness).claim_again(&waits, &later).await)
}

async fn a_free_text_is_looked_for_in_nobodys_place(harness: Harness) -> Result<(), String> {
    let message = text("m1", 0);
    store(&harness).claim_text(&message).await.unwrap();
    is_moved(store(&harness).claim_text(&elsewhere(&message)).await)
}

fn unpaid(id: &str) -> Message {
    Message { state: State::Unpaid, ..text(id, 8) }
}

async fn what_was_sent_is_not_unpaid(harness: Harness) -> Result<(), String> {
    paid(&harness).await;
    is_moved(store(&harness).unpaid(&unpaid("m2"), None).await)
}

async fn a_clinic_is_told_of_unpaid_texts_once(harness: Harness) -> Result<(), String> {
    let told = Notification::of_unpaid_texts(ORG, test_epoch());
    store(&harness).unpaid(&unpaid("m1"), Some(&told)).await.unwrap();
    is_moved(store(&harness).unpaid(&elsewhere(&unpaid("m2")), Some(&told)).await)
}

/// Does all that the store can do with texts.
pub(super) async fn use_everything(harness: &Harness) {
    let message = paid(harness).await;
    refund(harness, &harness.wallet().await, &message, None).await.unwrap();
    let message = text("m3", 8);
    charge(harness, &harness.wallet().await, &message).await.unwrap();
    refund(harness, &harness.wallet().await, &message, Some(State::NotSent)).await.unwrap();
    let free = elsewhere(&text("m4", 0));
    store(harness).claim_text(&free).await.unwrap();
    let waits = store(harness).note(&free, State::Waiting).await.unwrap();
    store(harness)
        .claim_again(&waits, &waits.again(&attempt(), test_epoch() + SignedDuration::from_mins(1)))
        .await
        .unwrap();
    let told = Notification::of_unpaid_texts(ORG, test_epoch());
    let other = Message { item: "sent#a3#1#confirmation#sms".to_owned(), ..unpaid("m5") };
    store(harness).unpaid(&other, Some(&told)).await.unwrap();
}
