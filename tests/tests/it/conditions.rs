//! Every condition the store sends is needed: taken out one at a time, in the transport, a promise breaks.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    task::Poll,
};

use aws_sdk_dynamodb::types::AttributeValue;
use base::clock::Clock;
use domain::{
    amount::Amount,
    audit::{Action, Actor, ActorRole, AuditEntry, RecordId},
    call::{Bill, Call, Direction, Event, Parties, RefusalReason, State},
    clinic::Clinic,
    hold::Hold,
    ids::{
        AdjustmentId, CallId, CustomerId, OrgId, PaymentIntentId, UserId, VapiAssistantId, VapiCallId,
        VapiPhoneId,
    },
    ledger::{EntrySide, Posting, Reason},
    phone_number::PhoneNumber,
    rate::Costly,
    slots::{Lease, Slots},
    tariff::Tariff,
    wallet::{Extension, Grant, Wallet},
};
use futures::future::BoxFuture;
use local::aws::{Outcome, Sent};
use serde_json::Value;
use store::{
    ChangeError,
    audit::AuditLog,
    calls::CallMapping,
    clinics::Clinics,
    customers::Customers,
    mappings::{AssistantMapping, PhoneNumberMapping},
    rates::Rates,
    slots::CallSlots,
    wallets::AuthorizeError,
};
use tests::{Harness, NUMBER, ORG, OTHER_ORG, bodies};

/// A condition of one of the store's writes, a part of it, and what must hold because of that part.
struct Guard {
    write: &'static str,
    place: &'static str,
    condition: &'static str,
    part: &'static str,
    promise: fn(Harness) -> BoxFuture<'static, Result<(), String>>,
}

macro_rules! guards {
    ($($write:literal, $place:literal, $condition:expr, $part:expr => $promise:ident;)+) => {
        vec![$(Guard {
            write: $write,
            place: $place,
            condition: $condition,
            part: $part,
            promise: |harness| Box::pin($promise(harness)),
        }),+]
    };
}

// After the macro, which they use.
mod booking;
mod calendar;
mod messages;
mod notifications;
pub(crate) mod numbers;
mod recharge;
mod teams;
mod texts;

const AUTHORIZE: &str = "available >= :basis AND size(holds) < :org_limit AND attribute_not_exists(holds.#call) \
                         AND attribute_not_exists(frozen)";
const EXTEND: &str = "holds.#call.step = :step AND available >= :more AND attribute_not_exists(frozen)";
const SETTLE: &str = "ledger_seq = :read AND holds.#call.amount = :held";
const SETTLE_BARE: &str = "ledger_seq = :read AND attribute_not_exists(holds.#call)";
const VERSION: &str = "version = :read";
const NEW_ENTRY: &str = "attribute_not_exists(entry_key)";
const BELOW_RATE: &str = "attribute_not_exists(used) OR used < :most";
const NEW_ACT: &str = "attribute_not_exists(entry_id)";

fn guards() -> Vec<Guard> {
    of_calls()
        .into_iter()
        .chain(booking::guards())
        .chain(calendar::guards())
        .chain(messages::guards())
        .chain(notifications::guards())
        .chain(numbers::guards())
        .chain(recharge::guards())
        .chain(texts::guards())
        .chain(teams::guards())
        .collect()
}

fn of_calls() -> Vec<Guard> {
    guards! {
        "authorize", "wallets", AUTHORIZE, "available >= :basis" => no_hold_without_the_money;
        "authorize", "wallets", AUTHORIZE, "size(holds) < :org_limit" => no_more_holds_than_calls_at_a_time;
        "authorize", "wallets", AUTHORIZE, "attribute_not_exists(holds.#call)" => one_hold_a_call;
        "authorize", "wallets", AUTHORIZE, "attribute_not_exists(frozen)" => no_hold_on_a_frozen_wallet;
        "authorize", "calls", VERSION, "version = :read" => no_hold_for_a_record_that_moved;
        "start", "wallets", "holds.#call.step = :step", "holds.#call.step = :step" => a_start_does_not_undo_an_extension;
        "start", "calls", VERSION, "version = :read" => no_start_of_a_record_that_moved;
        "extend", "wallets", EXTEND, "holds.#call.step = :step" => one_extension_a_step;
        "extend", "wallets", EXTEND, "available >= :more" => no_extension_without_the_money;
        "extend", "wallets", EXTEND, "attribute_not_exists(frozen)" => no_extension_on_a_frozen_wallet;
        "settle", "wallets", SETTLE, "ledger_seq = :read" => a_settlement_follows_the_last_entry;
        "settle", "wallets", SETTLE, "holds.#call.amount = :held" => a_settlement_takes_out_the_hold_that_is_there;
        "settle", "ledger_entries", NEW_ENTRY, "attribute_not_exists(entry_key)" => one_bill_a_call;
        "settle", "calls", VERSION, "version = :read" => no_settlement_of_a_record_that_moved;
        "settle without a hold", "wallets", SETTLE_BARE, "ledger_seq = :read" => a_settlement_without_a_hold_follows_the_last_entry;
        "settle without a hold", "wallets", SETTLE_BARE, "attribute_not_exists(holds.#call)" => a_settlement_without_a_hold_finds_none;
        "settle without a hold", "ledger_entries", NEW_ENTRY, "attribute_not_exists(entry_key)" => one_bill_a_call_without_a_hold;
        "settle without a hold", "calls", VERSION, "version = :read" => no_settlement_without_a_hold_of_a_record_that_moved;
        "release", "wallets", "holds.#call.amount = :held", "holds.#call.amount = :held" => a_release_gives_back_the_hold_that_is_there;
        "release", "calls", VERSION, "version = :read" => no_release_of_a_record_that_moved;
        "book", "wallets", "ledger_seq = :read", "ledger_seq = :read" => a_movement_follows_the_last_entry;
        "book", "ledger_entries", NEW_ENTRY, "attribute_not_exists(entry_key)" => one_entry_a_key;
        "note", "wallets", "attribute_exists(org_id)", "attribute_exists(org_id)" => a_note_makes_no_wallet;
        "correct", "wallets", "ledger_seq = :read", "ledger_seq = :read" => a_correction_follows_the_last_entry;
        "correct", "ledger_entries", NEW_ENTRY, "attribute_not_exists(entry_key)" => one_entry_a_correction;
        "correct", "calls", VERSION, "version = :read" => no_correction_of_a_record_that_moved;
        "correct", "audit_log", NEW_ACT, "attribute_not_exists(entry_id)" => a_correction_overwrites_no_act;
        "adjust", "wallets", "ledger_seq = :read", "ledger_seq = :read" => an_adjustment_follows_the_last_entry;
        "adjust", "ledger_entries", NEW_ENTRY, "attribute_not_exists(entry_key)" => one_entry_an_adjustment;
        "adjust", "audit_log", NEW_ACT, "attribute_not_exists(entry_id)" => an_adjustment_overwrites_no_act;
        "doubt", "calls", VERSION, "version = :read" => no_doubt_about_a_record_that_moved;
        "name", "call_mapping", "attribute_not_exists(vapi_call_id)", "attribute_not_exists(vapi_call_id)" => one_record_a_vapi_call;
        "name", "calls", VERSION, "version = :read" => no_name_for_a_record_that_moved;
        "rate", "rates", BELOW_RATE, BELOW_RATE => no_more_than_the_rate_is_counted;
        "limit calls", "wallets", "attribute_exists(org_id)", "attribute_exists(org_id)" => a_limit_makes_no_wallet;
        "limit calls", "audit_log", NEW_ACT, "attribute_not_exists(entry_id)" => a_limit_overwrites_no_act;
        "unfreeze", "wallets", "attribute_exists(org_id)", "attribute_exists(org_id)" => unfreezing_makes_no_wallet;
        "put", "audit_log", NEW_ACT, "attribute_not_exists(entry_id)" => a_noted_act_overwrites_none;
        "unfreeze", "audit_log", NEW_ACT, "attribute_not_exists(entry_id)" => unfreezing_overwrites_no_act;
        "put", "calls", VERSION, "version = :read" => an_older_record_changes_nothing;
        "put", "clinics", "attribute_not_exists(org_id)", "attribute_not_exists(org_id)" => a_clinics_first_save_is_one;
        "put", "clinics", VERSION, "version = :read" => an_older_clinic_changes_nothing;
        "put", "wallets", "attribute_not_exists(org_id)", "attribute_not_exists(org_id)" => a_wallet_is_made_once;
        "put", "call_slots", "attribute_not_exists(name)", "attribute_not_exists(name)" => the_first_slot_is_taken_by_one;
        "put", "call_slots", VERSION, "version = :read" => a_slot_is_taken_as_the_slots_were_read;
        "put", "calls", "attribute_not_exists(call_id)", "attribute_not_exists(call_id)" => a_record_is_opened_once;
        "put", "call_mapping", "attribute_not_exists(vapi_call_id)", "attribute_not_exists(vapi_call_id)" => a_call_is_one_orgs;
        "put", "stripe_customers", "attribute_not_exists(customer_id)", "attribute_not_exists(customer_id)" => a_customer_is_one_orgs;
        "put", "phone_number_mapping", "attribute_not_exists(vapi_phone_id)", "attribute_not_exists(vapi_phone_id)" => a_number_is_one_orgs;
        "put", "assistant_mapping", "attribute_not_exists(vapi_assistant_id)", "attribute_not_exists(vapi_assistant_id)" => an_assistant_is_one_orgs;
    }
}

/// Which of the store's writes a request is: by what it does to the wallet, else by what else it changes.
fn write_of(sent: &Sent) -> &'static str {
    let items = sent.body["TransactItems"].as_array().map_or::<&[Value], _>(&[], Vec::as_slice);
    let change = items.iter().find_map(|item| item["Update"]["UpdateExpression"].as_str());
    let condition = sent.body["ConditionExpression"].as_str().unwrap_or_default();
    if let Some(write) = texts::transaction_of(items) {
        return write;
    }
    match (sent.operation.as_str(), change.or(sent.body["UpdateExpression"].as_str())) {
        (_, Some(change)) if change.contains("holds.#call = :hold") => "authorize",
        (_, Some(change)) if change.contains("step = :next") => "extend",
        (_, Some("SET holds.#call.granted_until = :until")) => "start",
        (_, Some("SET auto_recharge = :recharge")) if condition.contains("auto_recharge.episode") => {
            "open episode"
        }
        (_, Some("SET auto_recharge = :recharge")) => "save recharge",
        (_, Some(change)) if change.contains("auto_recharge = :recharge") => "book with recharge",
        (_, Some("SET frozen = :value")) => "freeze",
        (_, Some(change)) if change.starts_with("SET payment_method = :value") => "note card",
        (_, Some("SET stripe_customer = :fresh REMOVE payment_method, card_fingerprint")) => {
            "replace customer"
        }
        (_, Some("SET call_limit = :calls")) => "limit calls",
        (_, Some("ADD begun :one")) => "dial",
        (_, Some("REMOVE live")) => "retire",
        (_, Some("REMOVE unread")) => "read",
        (_, Some("REMOVE frozen")) => "unfreeze",
        (_, Some(_)) if items.iter().any(|item| item.get("Delete").is_some()) => "correct",
        (_, Some(change)) if change.contains("ledger_seq") && change.contains("REMOVE") => "settle",
        (_, Some(change)) if change.contains("REMOVE") => "release",
        (_, Some(change)) if change.contains("available - :cost") && items.len() == 2 => "charge rental",
        (_, Some(change)) if change.contains("available - :cost") => "charge number",
        (_, Some(change)) if change.contains("available + :cost") => "refund number",
        ("UpdateItem", Some(change)) if change.starts_with("ADD used") => "rate",
        ("UpdateItem", Some(_)) => "note",
        (_, Some(_)) if items.iter().any(|item| is_put_to(item, "audit_log")) => "adjust",
        (_, Some(_)) if items.iter().any(|item| is_put_to(item, "calls")) => "settle without a hold",
        (_, Some(_)) => "book",
        ("DeleteItem", None) => "take out",
        (_, None) if items.is_empty() => "put",
        (_, None) if items.iter().any(|item| is_put_to(item, "call_mapping")) => "name",
        (_, None) if items.iter().any(is_about_a_doubt) => "doubt",
        (_, None) => messages::transaction_of(items)
            .or_else(|| calendar::transaction_of(items))
            .or_else(|| teams::transaction_of(items))
            .or_else(|| notifications::transaction_of(items))
            .or_else(|| booking::transaction_of(items))
            .unwrap_or_else(|| numbers::transaction_of(items)),
    }
}

fn is_put_to(item: &Value, table: &str) -> bool {
    item["Put"]["TableName"].as_str().is_some_and(|name| name.rsplit('-').next() == Some(table))
}

fn is_about_a_doubt(item: &Value) -> bool {
    let tables = [&item["Put"]["TableName"], &item["Delete"]["TableName"]];
    tables.into_iter().filter_map(Value::as_str).any(|name| name.ends_with("-doubts"))
}

/// The table that a request of a write changes, without the environment in front; where different kinds of records lie in one
/// table, the kind too: `calls dial#`. What reconciliation has seen is of one kind, whatever it is named.
fn place_of(request: &Value) -> String {
    let name = request["TableName"].as_str().unwrap_or_default();
    let table = name.rsplit('-').next().unwrap_or(name);
    let item = if table == "booking_catalog" && request["Item"].is_null() {
        &request["Key"]
    } else {
        &request["Item"]
    };
    let key = item["item"]["S"].as_str().or(item["call_id"]["S"].as_str()).unwrap_or_default();
    match key.split_once('#') {
        Some((kind, _)) if !["reconciliation", "resource_days"].contains(&table) => {
            format!("{table} {kind}#")
        }
        Some(_) | None => table.to_owned(),
    }
}

/// Does something to each condition of a request: alone, or in a transaction.
fn each_condition(sent: &mut Sent, mut act: impl FnMut(&mut Value)) {
    if sent.body.get("ConditionExpression").is_some() {
        act(&mut sent.body);
    }
    for item in sent.body["TransactItems"].as_array_mut().into_iter().flatten() {
        for request in item.as_object_mut().into_iter().flat_map(|item| item.values_mut()) {
            if request.get("ConditionExpression").is_some() {
                act(request);
            }
        }
    }
}

/// A request's condition, with the one name that stands for different keys written out.
fn condition_of(request: &Value) -> String {
    let written = request["ConditionExpression"].as_str().unwrap_or_default();
    match request["ExpressionAttributeNames"]["#key"].as_str() {
        Some(key) => written.replace("#key", key),
        None => written.to_owned(),
    }
}

/// Makes `part` of `condition` true whatever is there, using the same names and values.
fn taken_out(guard: &Guard) -> impl FnMut(&mut Sent) -> Outcome + Send + 'static {
    let (write, place, condition, part) = (guard.write, guard.place, guard.condition, guard.part);
    move |sent| {
        if write_of(sent) != write {
            return Outcome::Pass;
        }
        each_condition(sent, |request| {
            if place_of(request) == place && condition_of(request) == condition {
                let always = condition.replace(part, &format!("({part} OR NOT {part})"));
                let key = request["ExpressionAttributeNames"]["#key"].as_str().map(str::to_owned);
                let always = key.map_or(always.clone(), |key| always.replace(&key, "#key"));
                request["ConditionExpression"] = Value::String(always);
            }
        });
        Outcome::Pass
    }
}

#[tokio::test]
async fn each_condition_taken_out_breaks_a_promise() {
    for guard in guards() {
        let name = format!("{} in {} of {}, {}", guard.part, guard.condition, guard.write, guard.place);
        (guard.promise)(Harness::with_wallet(2_500, 600).await)
            .await
            .unwrap_or_else(|broken| panic!("{name} is in place, and: {broken}"));
        let harness = Harness::with_wallet(2_500, 600).await;
        harness.stack.aws.set_plan(taken_out(&guard));
        assert!((guard.promise)(harness).await.is_err(), "{name} was taken out and nothing broke");
    }
}

/// A write, a place, a condition and a part of it.
type Seen = BTreeSet<(&'static str, String, String, String)>;

/// Notes each condition that is sent from now on.
fn watch(harness: &Harness, seen: &Arc<Mutex<Seen>>) {
    let seen = Arc::clone(seen);
    harness.stack.aws.set_plan(move |sent| {
        let write = write_of(sent);
        each_condition(sent, |request| {
            let (place, condition) = (place_of(request), condition_of(request));
            for part in condition.split(" AND ") {
                seen.lock().unwrap().insert((write, place.clone(), condition.clone(), part.to_owned()));
            }
        });
        Outcome::Pass
    });
}

#[tokio::test]
async fn every_condition_that_is_sent_is_in_the_list() {
    let seen = Arc::default();
    let harness = Harness::with_wallet(0, 3_600).await;
    watch(&harness, &seen);
    harness.add_clinic(OTHER_ORG, "other-phone", "+442079460999", "other-assistant", 600).await;
    let payment = harness.pay(2_500).await;
    harness.ring(700);
    harness.vapi(&bodies::request("released")).await;
    harness.vapi(&tests::web_report("web-1", "2025-12-17T00:00:00Z", "2025-12-17T00:01:00Z")).await;
    harness.pass(1_500).await;
    harness.stripe_post("/v1/refunds", &format!("payment_intent={payment}&amount=100"));
    harness.pass(10).await;
    let call = harness.call("web-1").await;
    harness.wallets.doubt(&call, &call, None).await.unwrap();
    correct(&harness, &harness.wallet().await, &harness.call("web-1").await).await.unwrap();
    harness.wallets.unfreeze(&act(ORG, "request-a")).await.unwrap();
    adjust(&harness, &harness.wallet().await, "adj-1", "request-b").await.unwrap();
    harness.wallets.limit_calls(5, &act(ORG, "request-c")).await.unwrap();
    AuditLog::new(harness.stack.db()).note(&act(ORG, "request-d")).await.unwrap();
    let clinics = Clinics::new(harness.stack.db());
    let clinic = clinics.save(&Clinic::unsaved(ORG)).await.unwrap();
    clinics.save(&clinic).await.unwrap();
    let harness = Harness::empty(vec![]).await;
    watch(&harness, &seen);
    Box::pin(numbers::use_everything(&harness)).await;
    let harness = Harness::with_wallet(0, 3_600).await;
    watch(&harness, &seen);
    Box::pin(recharge::use_everything(&harness)).await;
    Box::pin(booking::use_everything(&harness)).await;
    Box::pin(messages::use_everything(&harness)).await;
    Box::pin(notifications::use_everything(&harness)).await;
    Box::pin(calendar::use_everything(&harness)).await;
    let harness = Harness::with_wallet(2_500, 3_600).await;
    watch(&harness, &seen);
    Box::pin(texts::use_everything(&harness)).await;
    let harness = Harness::empty(vec![]).await;
    watch(&harness, &seen);
    Box::pin(teams::use_everything(&harness)).await;
    let listed: Seen = guards()
        .into_iter()
        .map(|guard| (guard.write, guard.place.to_owned(), guard.condition.to_owned(), guard.part.to_owned()))
        .collect();
    assert_eq!(*seen.lock().unwrap(), listed);
}

fn broken(what: impl std::fmt::Debug) -> Result<(), String> {
    Err(format!("{what:?}"))
}

fn parties(call: &str) -> Parties {
    Parties {
        direction: Direction::Inbound,
        vapi_call_id: Some(VapiCallId::parse(call).unwrap()),
        vapi_phone_id: None,
        vapi_assistant_id: None,
        customer_number: None,
        carrier_sid: None,
    }
}

fn grant(pence: u32) -> Grant {
    let amount = Amount::from_pence(pence);
    let tariff = Tariff::at(local::stack::test_epoch()).version;
    Grant { amount, tariff, provider_limit_secs: 3_598, basis: amount, most_calls: 5 }
}

async fn rung(harness: &Harness, call: &str) -> Call {
    let record =
        Call::first_heard(ORG, CallId::parse(call).unwrap(), parties(call), 3_600, harness.clock.now());
    harness.calls.open(&record).await.unwrap();
    record
}

/// A call with a hold of 280p; its record and hold as they are.
async fn held(harness: &Harness, call: &str) -> (Call, Hold) {
    let record = rung(harness, call).await;
    let after = record.after(Event::Authorized(grant(280))).unwrap();
    let hold = harness.wallets.authorize(&record, &after, &grant(280)).await.unwrap();
    (harness.call(call).await, hold)
}

async fn freeze(harness: &Harness) {
    let client = &harness.stack.unguarded();
    client
        .update_item()
        .table_name(harness.stack.db().table_name(store::table::Table::Wallets))
        .key("org_id", AttributeValue::S(ORG.to_string()))
        .update_expression("SET frozen = :why")
        .expression_attribute_values(":why", AttributeValue::S("books".into()))
        .send()
        .await
        .unwrap();
}

fn more(pence: u32) -> Extension {
    Extension { amount: Amount::from_pence(pence), full: true }
}

async fn extend(harness: &Harness, hold: &Hold, pence: u32) -> Result<Hold, ChangeError> {
    let call = harness.call("call-1").await;
    harness.wallets.extend(&call, hold, harness.clock.now(), &more(pence)).await
}

fn bill(call: &Call) -> (Bill, Posting) {
    let tariff = Tariff::at(call.created_at);
    let bill = Bill {
        duration_secs: 60,
        charged: tariff.charge(60),
        tariff: tariff.version,
        started_at: None,
        ended_at: None,
        estimated: false,
        doubted_secs: None,
        corrections: 0,
        set_aside: None,
    };
    let posting = Posting {
        reason: Reason::Call { call_id: call.call_id.clone(), tariff: bill.tariff },
        amount: bill.charged,
        description: "call".into(),
        at: call.created_at,
    };
    (bill, posting)
}

async fn settle(harness: &Harness, wallet: &Wallet, call: &Call) -> Result<Wallet, ChangeError> {
    let (bill, posting) = bill(call);
    let after = call.after(Event::Settled(bill)).unwrap();
    harness.wallets.settle(wallet, call, &after, &posting, None).await
}

/// Corrects a settled call to half of its time.
async fn correct(harness: &Harness, wallet: &Wallet, call: &Call) -> Result<Wallet, ChangeError> {
    let State::Settled(bill) = &call.state else { panic!("not settled: {call:?}") };
    let corrected = bill.corrected(30);
    let posting = Posting {
        reason: Reason::CallCorrection {
            call_id: call.call_id.clone(),
            tariff: bill.tariff,
            nth: 1,
            direction: EntrySide::Credit,
        },
        amount: bill.charged.minus_or_zero(corrected.charged),
        description: "correction".into(),
        at: call.created_at,
    };
    let after = Call { state: State::Settled(corrected), ..call.clone() };
    let act = act(ORG, &format!("request-{}", wallet.ledger.seq));
    harness.wallets.correct(wallet, call, &after, &posting, Some(&act)).await
}

/// What an operator did, in a request of this id.
fn act(org: OrgId, request: &str) -> AuditEntry {
    let actor = Actor {
        user: UserId::parse("operator").unwrap(),
        role: ActorRole::Operator,
        source: None,
        request_id: request.into(),
    };
    let act = (Action::UnfreezeWallet, RecordId::Wallet(None));
    AuditEntry::granted(org, actor, act, None, local::stack::test_epoch())
}

async fn adjust(harness: &Harness, wallet: &Wallet, id: &str, request: &str) -> Result<Wallet, ChangeError> {
    let id = AdjustmentId::parse(id).unwrap();
    let posting =
        Posting { reason: Reason::Adjustment { id, direction: EntrySide::Credit }, ..top_up("unused") };
    harness.wallets.adjust(wallet, &posting, &act(ORG, request)).await
}

/// A call that is billed, and the wallet after.
async fn settled(harness: &Harness) -> (Call, Wallet) {
    let call = rung(harness, "call-1").await;
    settle(harness, &harness.wallet().await, &call).await.unwrap();
    (harness.call("call-1").await, harness.wallet().await)
}

async fn a_correction_follows_the_last_entry(harness: Harness) -> Result<(), String> {
    let (call, wallet) = settled(&harness).await;
    harness.wallets.book(&wallet, &top_up("pi_other")).await.unwrap();
    is_moved(correct(&harness, &wallet, &call).await)
}

async fn one_entry_a_correction(harness: Harness) -> Result<(), String> {
    let (call, wallet) = settled(&harness).await;
    correct(&harness, &wallet, &call).await.unwrap();
    // Another process corrects it once more, with everything fresh but the entry.
    is_moved(correct(&harness, &harness.wallet().await, &harness.call("call-1").await).await)
}

async fn no_correction_of_a_record_that_moved(harness: Harness) -> Result<(), String> {
    let (call, wallet) = settled(&harness).await;
    moved_on(&harness, &call).await;
    is_moved(correct(&harness, &wallet, &call).await)
}

async fn no_doubt_about_a_record_that_moved(harness: Harness) -> Result<(), String> {
    let (call, _) = settled(&harness).await;
    moved_on(&harness, &call).await;
    is_moved(harness.wallets.doubt(&call, &call, None).await)
}

fn mapping_of(call: &Call) -> CallMapping {
    CallMapping {
        vapi_call_id: VapiCallId::parse("vapi-1").unwrap(),
        org_id: call.org_id,
        call_id: call.call_id.clone(),
    }
}

async fn one_record_a_vapi_call(harness: Harness) -> Result<(), String> {
    let (one, other) = (rung(&harness, "call-1").await, rung(&harness, "call-2").await);
    harness.calls.name(&one, &one, &mapping_of(&one)).await.unwrap();
    is_moved(harness.calls.name(&other, &other, &mapping_of(&other)).await)
}

async fn no_name_for_a_record_that_moved(harness: Harness) -> Result<(), String> {
    let call = rung(&harness, "call-1").await;
    moved_on(&harness, &call).await;
    is_moved(harness.calls.name(&call, &call, &mapping_of(&call)).await)
}

async fn unfreezing_makes_no_wallet(harness: Harness) -> Result<(), String> {
    let stranger = OrgId::new(uuid::Uuid::from_u128(0xE));
    is_moved(harness.wallets.unfreeze(&act(stranger, "request-1")).await)
}

async fn no_more_than_the_rate_is_counted(harness: Harness) -> Result<(), String> {
    let (rates, now) = (Rates::new(harness.stack.db()), harness.clock.now());
    let what = Costly::PurchaseAfterFailure;
    for _ in 0..what.rate().most {
        assert_eq!(rates.take(ORG, what, now).await.unwrap(), None);
    }
    match rates.take(ORG, what, now).await.unwrap() {
        Some(_) => Ok(()),
        None => broken("one more was let through"),
    }
}

fn slots_of(version: u64, calls: &[&str]) -> Slots {
    let lease = |call: &&str| Lease {
        org_id: ORG,
        call_id: CallId::parse(*call).unwrap(),
        direction: Direction::Inbound,
        caller: None,
        dialled: None,
        until: Lease::lapses_at(local::stack::test_epoch(), 600),
    };
    Slots { version, leases: calls.iter().map(lease).collect() }
}

async fn the_first_slot_is_taken_by_one(harness: Harness) -> Result<(), String> {
    let (slots, now) = (CallSlots::new(harness.stack.db()), harness.clock.now());
    slots.save(&slots_of(0, &["call-1"]), now).await.unwrap();
    is_moved(slots.save(&slots_of(0, &["call-2"]), now).await)
}

async fn a_slot_is_taken_as_the_slots_were_read(harness: Harness) -> Result<(), String> {
    let (slots, now) = (CallSlots::new(harness.stack.db()), harness.clock.now());
    slots.save(&slots_of(0, &["call-1"]), now).await.unwrap();
    slots.save(&slots_of(1, &["call-1", "call-2"]), now).await.unwrap();
    is_moved(slots.save(&slots_of(1, &["call-1", "call-3"]), now).await)
}

async fn unfreezing_overwrites_no_act(harness: Harness) -> Result<(), String> {
    adjust(&harness, &harness.wallet().await, "adj-1", "request-1").await.unwrap();
    is_moved(harness.wallets.unfreeze(&act(ORG, "request-1")).await)
}

async fn an_adjustment_follows_the_last_entry(harness: Harness) -> Result<(), String> {
    let read = harness.wallet().await;
    adjust(&harness, &read, "adj-1", "request-1").await.unwrap();
    is_moved(adjust(&harness, &read, "adj-2", "request-2").await)
}

async fn one_entry_an_adjustment(harness: Harness) -> Result<(), String> {
    adjust(&harness, &harness.wallet().await, "adj-1", "request-1").await.unwrap();
    is_moved(adjust(&harness, &harness.wallet().await, "adj-1", "request-2").await)
}

async fn an_adjustment_overwrites_no_act(harness: Harness) -> Result<(), String> {
    adjust(&harness, &harness.wallet().await, "adj-1", "request-1").await.unwrap();
    is_moved(adjust(&harness, &harness.wallet().await, "adj-2", "request-1").await)
}

async fn a_correction_overwrites_no_act(harness: Harness) -> Result<(), String> {
    let (call, _) = settled(&harness).await;
    let wallet = harness.wallet().await;
    harness.wallets.unfreeze(&act(ORG, &format!("request-{}", wallet.ledger.seq))).await.unwrap();
    is_moved(correct(&harness, &wallet, &call).await)
}

async fn a_limit_makes_no_wallet(harness: Harness) -> Result<(), String> {
    let stranger = OrgId::new(uuid::Uuid::from_u128(0xE));
    is_moved(harness.wallets.limit_calls(5, &act(stranger, "request-1")).await)
}

async fn a_noted_act_overwrites_none(harness: Harness) -> Result<(), String> {
    let (log, first) = (AuditLog::new(harness.stack.db()), act(ORG, "request-1"));
    log.note(&first).await.unwrap();
    log.note(&AuditEntry { purpose: Some("Another.".into()), ..first.clone() }).await.unwrap();
    let kept = log.last(ORG, None, 10).await.unwrap();
    if kept == [first] { Ok(()) } else { broken(kept) }
}

async fn a_limit_overwrites_no_act(harness: Harness) -> Result<(), String> {
    harness.wallets.unfreeze(&act(ORG, "request-1")).await.unwrap();
    is_moved(harness.wallets.limit_calls(5, &act(ORG, "request-1")).await)
}

fn top_up(payment: &str) -> Posting {
    Posting {
        reason: Reason::TopUp { payment_intent: PaymentIntentId::parse(payment).unwrap() },
        amount: Amount::from_pence(100),
        description: "Top-up".into(),
        at: local::stack::test_epoch(),
    }
}

fn is_moved<T: std::fmt::Debug>(outcome: Result<T, ChangeError>) -> Result<(), String> {
    match outcome {
        Err(ChangeError::Moved) => Ok(()),
        other => broken(other),
    }
}

async fn no_hold_without_the_money(harness: Harness) -> Result<(), String> {
    let call = rung(&harness, "call-1").await;
    let grant = grant(2_501);
    let after = call.after(Event::Authorized(grant)).unwrap();
    match harness.wallets.authorize(&call, &after, &grant).await {
        Err(AuthorizeError::WalletMoved(_)) => Ok(()),
        other => broken(other),
    }
}

async fn no_more_holds_than_calls_at_a_time(harness: Harness) -> Result<(), String> {
    for call in ["call-1", "call-2", "call-3", "call-4", "call-5"] {
        held(&harness, call).await;
    }
    let call = rung(&harness, "call-6").await;
    let after = call.after(Event::Authorized(grant(280))).unwrap();
    match harness.wallets.authorize(&call, &after, &grant(280)).await {
        Err(AuthorizeError::WalletMoved(_)) => Ok(()),
        other => broken(other),
    }
}

async fn one_hold_a_call(harness: Harness) -> Result<(), String> {
    let (call, _) = held(&harness, "call-1").await;
    match harness.wallets.authorize(&call, &call, &grant(280)).await {
        Err(AuthorizeError::AlreadyHeld(_)) => Ok(()),
        other => broken(other),
    }
}

async fn no_hold_on_a_frozen_wallet(harness: Harness) -> Result<(), String> {
    let call = rung(&harness, "call-1").await;
    freeze(&harness).await;
    let after = call.after(Event::Authorized(grant(280))).unwrap();
    match harness.wallets.authorize(&call, &after, &grant(280)).await {
        Err(AuthorizeError::WalletMoved(wallet)) if wallet.frozen.is_some() => Ok(()),
        other => broken(other),
    }
}

async fn an_older_record_changes_nothing(harness: Harness) -> Result<(), String> {
    let old = rung(&harness, "call-1").await;
    held_again(&harness, &old).await;
    let after = old.after(Event::Refused { reason: RefusalReason::InsufficientFunds }).unwrap();
    match harness.calls.save(&old, &after).await {
        Err(ChangeError::Moved) => Ok(()),
        other => broken(other),
    }
}

async fn held_again(harness: &Harness, call: &Call) {
    let after = call.after(Event::Authorized(grant(280))).unwrap();
    harness.wallets.authorize(call, &after, &grant(280)).await.unwrap();
}

/// The record moves on, without a change of the wallet: what was read of it is old.
async fn moved_on(harness: &Harness, call: &Call) {
    harness.calls.save(call, call).await.unwrap();
}

async fn no_hold_for_a_record_that_moved(harness: Harness) -> Result<(), String> {
    let call = rung(&harness, "call-1").await;
    moved_on(&harness, &call).await;
    let after = call.after(Event::Authorized(grant(280))).unwrap();
    match harness.wallets.authorize(&call, &after, &grant(280)).await {
        Err(AuthorizeError::CallMoved) => Ok(()),
        other => broken(other),
    }
}

async fn no_start_of_a_record_that_moved(harness: Harness) -> Result<(), String> {
    let (call, hold) = held(&harness, "call-1").await;
    moved_on(&harness, &call).await;
    let after = call.after(Event::Started { at: harness.clock.now(), control_url: None }).unwrap();
    is_moved(harness.wallets.start(&call, &after, &hold).await)
}

async fn no_settlement_of_a_record_that_moved(harness: Harness) -> Result<(), String> {
    let (call, _) = held(&harness, "call-1").await;
    moved_on(&harness, &call).await;
    is_moved(settle(&harness, &harness.wallet().await, &call).await)
}

async fn no_settlement_without_a_hold_of_a_record_that_moved(harness: Harness) -> Result<(), String> {
    let call = rung(&harness, "call-1").await;
    moved_on(&harness, &call).await;
    is_moved(settle(&harness, &harness.wallet().await, &call).await)
}

async fn no_release_of_a_record_that_moved(harness: Harness) -> Result<(), String> {
    let (call, hold) = held(&harness, "call-1").await;
    moved_on(&harness, &call).await;
    let after = call.after(Event::Released).unwrap();
    is_moved(harness.wallets.release(&call, &after, &hold).await)
}

async fn one_bill_a_call(harness: Harness) -> Result<(), String> {
    let (call, _) = held(&harness, "call-1").await;
    settle(&harness, &harness.wallet().await, &call).await.unwrap();
    // Another process holds for it once more, and settles it once more, with everything fresh but the entry.
    let call = harness.call("call-1").await;
    harness.wallets.authorize(&call, &call, &grant(280)).await.unwrap();
    let call = harness.call("call-1").await;
    is_moved(settle(&harness, &harness.wallet().await, &call).await)
}

async fn one_bill_a_call_without_a_hold(harness: Harness) -> Result<(), String> {
    let call = rung(&harness, "call-1").await;
    settle(&harness, &harness.wallet().await, &call).await.unwrap();
    let call = harness.call("call-1").await;
    is_moved(settle(&harness, &harness.wallet().await, &call).await)
}

async fn a_start_does_not_undo_an_extension(harness: Harness) -> Result<(), String> {
    let (call, hold) = held(&harness, "call-1").await;
    extend(&harness, &hold, 280).await.unwrap();
    let after = call.after(Event::Started { at: harness.clock.now(), control_url: None }).unwrap();
    is_moved(harness.wallets.start(&call, &after, &hold).await)
}

async fn one_extension_a_step(harness: Harness) -> Result<(), String> {
    let (_, hold) = held(&harness, "call-1").await;
    extend(&harness, &hold, 280).await.unwrap();
    is_moved(extend(&harness, &hold, 280).await)
}

async fn no_extension_without_the_money(harness: Harness) -> Result<(), String> {
    let (_, hold) = held(&harness, "call-1").await;
    is_moved(extend(&harness, &hold, 2_221).await)
}

async fn no_extension_on_a_frozen_wallet(harness: Harness) -> Result<(), String> {
    let (_, hold) = held(&harness, "call-1").await;
    freeze(&harness).await;
    is_moved(extend(&harness, &hold, 280).await)
}

async fn a_settlement_follows_the_last_entry(harness: Harness) -> Result<(), String> {
    let (call, _) = held(&harness, "call-1").await;
    let stale = harness.wallet().await;
    harness.wallets.book(&stale, &top_up("pi_2")).await.unwrap();
    is_moved(settle(&harness, &stale, &call).await)
}

async fn a_settlement_takes_out_the_hold_that_is_there(harness: Harness) -> Result<(), String> {
    let (call, hold) = held(&harness, "call-1").await;
    let stale = harness.wallet().await;
    extend(&harness, &hold, 280).await.unwrap();
    is_moved(settle(&harness, &stale, &call).await)
}

async fn a_settlement_without_a_hold_follows_the_last_entry(harness: Harness) -> Result<(), String> {
    let call = rung(&harness, "call-1").await;
    let stale = harness.wallet().await;
    harness.wallets.book(&stale, &top_up("pi_2")).await.unwrap();
    is_moved(settle(&harness, &stale, &call).await)
}

async fn a_settlement_without_a_hold_finds_none(harness: Harness) -> Result<(), String> {
    let stale = harness.wallet().await;
    let (call, _) = held(&harness, "call-1").await;
    is_moved(settle(&harness, &stale, &call).await)
}

async fn a_release_gives_back_the_hold_that_is_there(harness: Harness) -> Result<(), String> {
    let (call, hold) = held(&harness, "call-1").await;
    extend(&harness, &hold, 280).await.unwrap();
    let after = call.after(Event::Released).unwrap();
    is_moved(harness.wallets.release(&call, &after, &hold).await)
}

async fn a_movement_follows_the_last_entry(harness: Harness) -> Result<(), String> {
    let stale = harness.wallet().await;
    harness.wallets.book(&stale, &top_up("pi_2")).await.unwrap();
    is_moved(harness.wallets.book(&stale, &top_up("pi_3")).await)
}

async fn one_entry_a_key(harness: Harness) -> Result<(), String> {
    let wallet = harness.wallets.book(&harness.wallet().await, &top_up("pi_2")).await.unwrap();
    is_moved(harness.wallets.book(&wallet, &top_up("pi_2")).await)
}

async fn a_note_makes_no_wallet(harness: Harness) -> Result<(), String> {
    let noted = harness.wallets.note_customer(OTHER_ORG, &CustomerId::parse("cus_1").unwrap()).await;
    match (noted, harness.wallets.get(OTHER_ORG).await) {
        (Err(_), Ok(None)) => Ok(()),
        other => broken(other),
    }
}

/// Polls `first` so many times, does all of `second`, then the rest of `first`.
async fn interrupted<T>(polls: usize, first: impl Future<Output = T>, second: impl Future<Output = ()>) -> T {
    let mut first = Box::pin(first);
    for _ in 0..polls {
        if let Poll::Ready(output) = futures::poll!(&mut first) {
            second.await;
            return output;
        }
    }
    second.await;
    first.await
}

async fn a_wallet_is_made_once(harness: Harness) -> Result<(), String> {
    for polls in 0..8 {
        let org = OrgId::new(uuid::Uuid::from_u128(0x100 + u128::try_from(polls).unwrap()));
        let other = async {
            let wallet = harness.wallets.ensure(org).await.unwrap();
            harness.wallets.book(&wallet, &top_up("pi_2")).await.unwrap();
        };
        interrupted(polls, harness.wallets.ensure(org), other).await.unwrap();
        let balance = harness.wallet_of(org).await.balance().pence();
        if balance != 100 {
            return broken(balance);
        }
    }
    Ok(())
}

async fn a_record_is_opened_once(harness: Harness) -> Result<(), String> {
    let (call, _) = held(&harness, "call-1").await;
    let fresh = Call::first_heard(ORG, call.call_id.clone(), parties("call-1"), 600, harness.clock.now());
    match harness.calls.open(&fresh).await.unwrap() {
        Some(there) if there == call && harness.call("call-1").await == call => Ok(()),
        other => broken(other),
    }
}

async fn a_call_is_one_orgs(harness: Harness) -> Result<(), String> {
    let mapping = |org_id| CallMapping {
        vapi_call_id: VapiCallId::parse("call-1").unwrap(),
        org_id,
        call_id: CallId::parse("call-1").unwrap(),
    };
    harness.calls.map(&mapping(ORG)).await.unwrap();
    let noted = harness.calls.map(&mapping(OTHER_ORG)).await.unwrap();
    if noted == mapping(ORG) { Ok(()) } else { broken(noted) }
}

async fn a_clinics_first_save_is_one(harness: Harness) -> Result<(), String> {
    let clinics = Clinics::new(harness.stack.db());
    clinics.save(&Clinic::unsaved(ORG)).await.unwrap();
    is_moved(clinics.save(&Clinic::unsaved(ORG)).await)
}

async fn an_older_clinic_changes_nothing(harness: Harness) -> Result<(), String> {
    let clinics = Clinics::new(harness.stack.db());
    let first = clinics.save(&Clinic::unsaved(ORG)).await.unwrap();
    clinics.save(&first).await.unwrap();
    is_moved(clinics.save(&first).await)
}

async fn a_customer_is_one_orgs(harness: Harness) -> Result<(), String> {
    let customers = Customers::new(harness.stack.db());
    let customer = CustomerId::parse("cus_1").unwrap();
    customers.add(&customer, ORG).await.unwrap();
    customers.add(&customer, OTHER_ORG).await.unwrap();
    let org = customers.org(&customer).await.unwrap();
    if org == Some(ORG) { Ok(()) } else { broken(org) }
}

async fn a_number_is_one_orgs(harness: Harness) -> Result<(), String> {
    let theirs = PhoneNumberMapping {
        vapi_phone_id: VapiPhoneId::parse(tests::PHONE_ID).unwrap(),
        org_id: OTHER_ORG,
        phone_number: PhoneNumber::parse(NUMBER).unwrap(),
        direction: Direction::Inbound,
        vapi_assistant_id: Some(VapiAssistantId::parse("theirs").unwrap()),
        agent_limit_secs: 600,
    };
    let added = harness.mappings.add_phone_number(&theirs).await.unwrap();
    if added { broken("the number changed hands") } else { Ok(()) }
}

async fn an_assistant_is_one_orgs(harness: Harness) -> Result<(), String> {
    let theirs = AssistantMapping {
        vapi_assistant_id: VapiAssistantId::parse(tests::ASSISTANT_ID).unwrap(),
        org_id: OTHER_ORG,
        role: Direction::Inbound,
        agent_limit_secs: 600,
    };
    let added = harness.mappings.add_assistant(&theirs).await.unwrap();
    if added { broken("the assistant changed hands") } else { Ok(()) }
}
