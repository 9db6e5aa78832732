//! The same for numbers, agents, what is made once, and calls that we start.

use aws_sdk_dynamodb::types::AttributeValue;
use base::clock::Clock;
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    agent::Agent,
    amount::Amount,
    call::{Call, Direction},
    ids::{AccountSid, CallId, NumberSid, OrgId, PurchaseId, StackMark, VapiAssistantId, VapiPhoneId},
    ledger::{Posting, Reason},
    number::{Country, NUMBER_COST, NumberType},
    phone_number::PhoneNumber,
    purchase::{NumberRequest, Purchase, Source, State},
    sealed::Sealed,
    wallet::Wallet,
};
use jiff::SignedDuration;
use local::stack::test_epoch;
use sandbox::faults::Mode;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use services::provisioning::{Provisioning, Settings};
use store::{
    ChangeError,
    agents::Agents,
    calls::{DayLimit, DialClaim, DialError, DialKey},
    made_once::MadeOnce,
    mappings::{AssistantMapping, PhoneNumberMapping},
    numbers::{ManagedNumber, Numbers, OrgNumber, Status, provider_type},
    purchases::Purchases,
    stack::Stack,
    table::Table,
};
use tests::{Harness, NUMBER, ORG, OTHER_ORG};
use uuid::Uuid;

use super::{
    Guard, NEW_ENTRY, VERSION, broken, freeze, interrupted, is_moved, parties, place_of, rung, top_up,
};

pub(super) const CHARGE: &str = "ledger_seq = :read AND available >= :cost AND attribute_not_exists(frozen)";
const REFUND: &str = "ledger_seq = :read";
const REVISION: &str = "revision = :read";
const OWN: &str = "org_id = :org";
pub(super) const NEW_ITEM: &str = "attribute_not_exists(item)";
const NEW_CALL: &str = "attribute_not_exists(call_id)";
const DAY: &str = "attribute_not_exists(begun) OR begun < :most";

pub(super) fn guards() -> Vec<Guard> {
    guards! {
        "claim", "number_purchases", NEW_ITEM, "attribute_not_exists(item)" => a_direction_is_claimed_once;
        "claim", "number_purchases", VERSION, "version = :read" => a_claim_takes_the_place_of_the_one_it_saw;
        "claim", "number_purchases key#", NEW_ITEM, "attribute_not_exists(item)" => a_key_names_one_purchase;
        "put", "number_purchases", VERSION, "version = :read" => an_older_purchase_changes_nothing;
        "charge number", "wallets", CHARGE, "ledger_seq = :read" => a_charge_follows_the_last_entry;
        "charge number", "wallets", CHARGE, "available >= :cost" => no_charge_without_the_money;
        "charge number", "wallets", CHARGE, "attribute_not_exists(frozen)" => no_charge_of_a_frozen_wallet;
        "charge number", "ledger_entries", NEW_ENTRY, "attribute_not_exists(entry_key)" => one_charge_a_purchase;
        "charge number", "number_purchases", VERSION, "version = :read" => no_charge_for_a_purchase_that_moved;
        "refund number", "wallets", REFUND, "ledger_seq = :read" => a_refund_follows_the_last_entry;
        "refund number", "ledger_entries", NEW_ENTRY, "attribute_not_exists(entry_key)" => one_refund_a_purchase;
        "refund number", "number_purchases", VERSION, "version = :read" => no_refund_of_a_purchase_that_moved;
        "activate", "number_purchases", VERSION, "version = :read" => no_number_of_a_purchase_that_moved;
        "activate", "org_credentials", "attribute_not_exists(provider_type)", "attribute_not_exists(provider_type)" => one_number_a_direction;
        "activate", "phone_number_mapping", "attribute_not_exists(vapi_phone_id)", "attribute_not_exists(vapi_phone_id)" => no_number_that_is_anothers;
        "activate", "agents", REVISION, "revision = :read" => no_number_for_an_agent_that_moved;
        "activate", "managed_phone_numbers", "attribute_not_exists(number_id)", "attribute_not_exists(number_id)" => the_history_has_a_number_once;
        "give up", "org_credentials", VERSION, "version = :read" => a_number_that_moved_is_not_given_up;
        "give up", "agents", REVISION, "revision = :read" => no_agent_that_moved_is_taken_off_its_number;
        "give up", "phone_number_mapping", OWN, "org_id = :org" => giving_up_leads_no_number_of_anothers_astray;
        "give up", "managed_phone_numbers", VERSION, "version = :read" => giving_up_undoes_nothing_of_the_history;
        "release number", "number_purchases", VERSION, "version = :read" => no_release_over_a_claim_that_moved;
        "release number", "org_credentials", VERSION, "version = :read" => no_release_of_a_number_that_moved;
        "release number", "phone_number_mapping", OWN, "org_id = :org" => no_release_of_anothers_mapping;
        "release number", "managed_phone_numbers", VERSION, "version = :read" => a_release_undoes_nothing_of_the_history;
        "put", "managed_phone_numbers", VERSION, "version = :read" => a_note_undoes_nothing_of_the_history;
        "link agents", "agents", REVISION, "revision = :read" => no_agent_that_moved_is_linked;
        "link agents", "org_credentials", VERSION, "version = :read" => no_agent_is_linked_to_a_number_that_moved;
        "put", "org_credentials", VERSION, "version = :read" => an_older_number_is_not_sealed_anew;
        "put", "agents", "attribute_not_exists(role)", "attribute_not_exists(role)" => an_agent_is_made_once;
        "save agents", "agents", REVISION, "revision = :read" => an_older_agent_changes_nothing;
        "save agent with assistant", "agents", REVISION, "revision = :read" => no_assistant_for_an_agent_that_moved;
        "save agent with assistant", "assistant_mapping", "attribute_not_exists(vapi_assistant_id)", "attribute_not_exists(vapi_assistant_id)" => no_agent_has_anothers_assistant;
        "put", "twilio_subaccounts", "attribute_not_exists(org_id)", "attribute_not_exists(org_id)" => a_subaccount_is_made_by_one;
        "put", "twilio_subaccounts", VERSION, "version = :read" => an_older_subaccount_changes_nothing;
        "put", "vapi_objects", "attribute_not_exists(name)", "attribute_not_exists(name)" => a_shared_object_is_made_by_one;
        "put", "vapi_objects", VERSION, "version = :read" => an_older_shared_object_changes_nothing;
        "put", "stack", "attribute_not_exists(item)", "attribute_not_exists(item)" => a_stack_has_one_mark;
        "point number", "phone_number_mapping", OWN, "org_id = :org" => nobody_repoints_anothers_number;
        "point number", "org_credentials", VERSION, "version = :read" => no_number_that_moved_is_pointed_anywhere;
        "put", "assistant_mapping", OWN, "org_id = :org" => nobody_renews_anothers_assistant;
        "dial", "calls dial#", NEW_CALL, "attribute_not_exists(call_id)" => one_first_call_to_a_number;
        "dial", "calls dial#", "dialled = :read", "dialled = :read" => one_call_follows_another;
        "dial", "calls", NEW_CALL, "attribute_not_exists(call_id)" => a_call_begins_once;
        "dial", "calls", DAY, DAY => a_day_has_so_many_calls;
        "dial", "calls key#", NEW_CALL, "attribute_not_exists(call_id)" => a_key_begins_one_call;
        "dial", "calls key#", "dialled = :read", "dialled = :read" => one_call_follows_another_under_a_key;
    }
}

/// Which transaction it is that does nothing to a wallet, by what it does and which tables it changes.
pub(super) fn transaction_of(items: &[Value]) -> &'static str {
    let does = |verb: &str| items.iter().any(|item| item.get(verb).is_some());
    let changes = |table: &str| {
        let mut requests = items.iter().filter_map(Value::as_object).flat_map(serde_json::Map::values);
        requests.any(|request| place_of(request).starts_with(table))
    };
    if does("Delete") {
        "release number"
    } else if does("ConditionCheck") && changes("phone_number_mapping") {
        "point number"
    } else if does("ConditionCheck") {
        "link agents"
    } else if changes("phone_number_mapping") && changes("number_purchases") {
        "activate"
    } else if changes("org_credentials") {
        "give up"
    } else if changes("number_purchases") {
        "claim"
    } else if changes("assistant_mapping") {
        "save agent with assistant"
    } else if changes("agents") {
        "save agents"
    } else if changes("calls") {
        "dial"
    } else {
        "unknown"
    }
}

/// Buys, fails to buy, brings, links, rings with, gives up and seals anew: whatever can be written about numbers is written.
pub(super) async fn use_everything(harness: &Harness) {
    forget_the_mark(harness).await;
    Stack::new(harness.stack.db()).mark(StackMark::new(Uuid::nil()), test_epoch()).await.unwrap();
    harness.wallets.ensure(ORG).await.unwrap();
    harness.top_up(ORG, "pi_numbers", 10_000).await;
    let inbound = json!({"country": "US", "numberType": "local", "direction": "inbound"});
    harness.fault(("vapi", "import_number"), Mode::Refuse, 10);
    let (status, answer) = harness.buy_for(ORG, &inbound, None).await;
    assert_ne!(status, 201, "{answer}");
    harness.stack.faults.clear();
    harness.pass(100).await;
    harness.provisioning().resume(ORG, Direction::Inbound).await.unwrap();
    assert_eq!(harness.money().await, (10_000, 0), "it came back");
    let (status, answer) = harness.buy_for(ORG, &inbound, Some("key-1")).await;
    assert_eq!(status, 201, "{answer}");
    harness.pass(10).await;
    harness.has_number("outbound").await;
    link_agent(harness).await;
    harness.stack.vapi.set_outbound_talk_secs(60);
    for key in [None, Some("call-1")] {
        let body = json!({"phoneNumber": "+447700900456"});
        let (status, answer) = harness.call_api(("POST", "/api/calls"), &harness.owner(), key, &body).await;
        assert_eq!(status, 201, "{answer}");
        harness.pass(300).await;
    }
    let began = harness.calls.dial_key(ORG, "call-1").await.unwrap();
    let anew = DialKey { key: "call-1", before: began.as_ref() };
    dial(harness, "anew", "+447700900457", None, Some(anew)).await.unwrap();
    let history = numbers(harness).managed(ORG).await.unwrap();
    numbers(harness).note_missing(&history[0], Some(harness.clock.now())).await.unwrap();
    let (status, given_up) = harness.give_up(answer["phoneNumber"].as_str().unwrap()).await;
    assert_eq!(status, 200, "{given_up}");
    bring(harness).await;
    let rotated = with_a_new_key(harness).rotate_keys().await.unwrap();
    assert!(rotated.resealed >= 3 && rotated.missed == 0, "two numbers, a subaccount: {rotated:?}");
}

/// Saves the inbound agent with its number and another limit, and lets the vendor have it.
async fn link_agent(harness: &Harness) {
    let number = numbers(harness).of_direction(ORG, Direction::Inbound).await.unwrap().unwrap();
    let body = json!({"inbound": {"name": "A", "systemPrompt": "B", "firstMessage": "C", "voiceId": "Elliot",
        "voiceProvider": "vapi", "language": "en", "maxDurationSeconds": 700,
        "vapiPhoneNumberId": number.vapi_phone_id}});
    let route = ("POST", "/api/founder-console/agent/behavior");
    let body = harness.as_loaded(&body).await;
    let (status, answer) = harness.call_api(route, &harness.owner(), None, &body).await;
    assert_eq!(status, 200, "{answer}");
    harness.pass(10).await;
}

/// Connects an inbound number of the clinic's own.
async fn bring(harness: &Harness) {
    let account = "AC0123456789abcdef0123456789abcdef";
    harness.stack.twilio.add_account(account, "own-token", &["+14155550177"]);
    let body = json!({"accountSid": account, "authToken": "own-token", "phoneNumber": "+14155550177",
        "type": "inbound"});
    let route = ("POST", "/api/integrations/twilio");
    let (status, answer) = harness.call_api(route, &harness.owner(), None, &body).await;
    assert_eq!(status, 201, "{answer}");
    harness.pass(10).await;
}

fn with_a_new_key(harness: &Harness) -> Provisioning {
    let mut world = harness.stack.platform.clone();
    let old = world.environment.reader().optional("CREDENTIAL_KEYS").unwrap();
    let both = format!("new:{},{old}", STANDARD.encode([9; 32]));
    world.environment = world.environment.with("CREDENTIAL_KEYS", &both);
    let environment = world.environment.clone();
    let mut reader = environment.reader();
    let settings = Settings::read(&mut reader, &world);
    reader.finish().unwrap();
    Provisioning::deployed(&world, settings)
}

fn purchases(harness: &Harness) -> Purchases {
    Purchases::new(harness.stack.db())
}

fn numbers(harness: &Harness) -> Numbers {
    Numbers::new(harness.stack.db())
}

fn agents(harness: &Harness) -> Agents {
    Agents::new(harness.stack.db())
}

/// An org of its own for each try.
fn org_of(polls: usize) -> OrgId {
    OrgId::new(Uuid::from_u128(0x100 + u128::try_from(polls).unwrap()))
}

fn sealed(text: &str) -> Sealed {
    Sealed { key_id: "key".into(), nonce: "nonce".into(), ciphertext: text.into() }
}

fn purchase(org_id: OrgId, direction: Direction, id: &str) -> Purchase {
    let wanted = NumberRequest {
        country: Country::UnitedStates,
        number_type: NumberType::Local,
        area_code: None,
        phone_number: None,
        address: None,
        fallback_number: None,
    };
    Purchase {
        org_id,
        direction,
        purchase_id: PurchaseId::parse(id).unwrap(),
        source: Source::Managed(wanted),
        body_hash: "body".into(),
        state: State::Claimed,
        version: 0,
        lease_until: test_epoch(),
        created_at: test_epoch(),
        active_at: None,
        charged: None,
        phone_number: None,
        tried: vec![],
        account_sid: None,
        bundle_sid: None,
        bundle_address_sid: None,
        number_sid: None,
        vapi_phone_id: None,
        quiet_until: None,
        failed: None,
    }
}

async fn claimed(harness: &Harness, org: OrgId, direction: Direction, id: &str) -> Purchase {
    let purchase = purchase(org, direction, id);
    purchases(harness).claim(&purchase, None, None).await.unwrap();
    purchase
}

/// The purchase moves on, and nothing else does: what was read of it is old.
async fn purchase_moves_on(harness: &Harness, purchase: &Purchase) {
    purchases(harness).save(purchase, purchase.clone()).await.unwrap();
}

/// The agent moves on, and nothing else does.
async fn agent_moves_on(harness: &Harness, agent: &Agent) {
    agents(harness).save(agent).await.unwrap();
}

/// The number moves on, and nothing else does.
async fn number_moves_on(harness: &Harness, number: &OrgNumber) {
    numbers(harness).reseal(number, sealed("anew")).await.unwrap();
}

/// All that an activation writes.
struct Parts {
    purchase: Purchase,
    number: OrgNumber,
    managed: ManagedNumber,
    mapping: PhoneNumberMapping,
    agent: Agent,
}

fn number_of(purchase: &Purchase) -> OrgNumber {
    OrgNumber {
        org_id: purchase.org_id,
        direction: purchase.direction,
        version: 0,
        phone_number: PhoneNumber::parse(NUMBER).unwrap(),
        vapi_phone_id: VapiPhoneId::parse(format!("phone-{}", purchase.purchase_id)).unwrap(),
        is_managed: true,
        status: Status::Active,
        account_sid: AccountSid::parse("AC1").unwrap(),
        token: sealed("token"),
        number_sid: NumberSid::parse("PN1").unwrap(),
        purchase_id: purchase.purchase_id.clone(),
        cost: NUMBER_COST,
        created_at: test_epoch(),
    }
}

fn history_of(number: &OrgNumber) -> ManagedNumber {
    ManagedNumber {
        org_id: number.org_id,
        number_id: number.purchase_id.clone(),
        version: 0,
        phone_number: number.phone_number.clone(),
        direction: number.direction,
        status: Status::Active,
        account_sid: number.account_sid.clone(),
        number_sid: number.number_sid.clone(),
        vapi_phone_id: number.vapi_phone_id.clone(),
        country: Country::UnitedStates,
        number_type: NumberType::Local,
        cost: NUMBER_COST,
        created_at: test_epoch(),
        released_at: None,
        missing_since: None,
    }
}

fn mapping_of(number: &OrgNumber) -> PhoneNumberMapping {
    PhoneNumberMapping {
        vapi_phone_id: number.vapi_phone_id.clone(),
        org_id: number.org_id,
        phone_number: number.phone_number.clone(),
        direction: number.direction,
        vapi_assistant_id: None,
        agent_limit_secs: 600,
    }
}

async fn parts_of(harness: &Harness, purchase: Purchase) -> Parts {
    let number = number_of(&purchase);
    let agent = agents(harness).ensure(purchase.org_id, purchase.direction, test_epoch()).await.unwrap();
    Parts { managed: history_of(&number), mapping: mapping_of(&number), purchase, number, agent }
}

/// A claim that is ready to become a number.
async fn ready(harness: &Harness, direction: Direction, id: &str) -> Parts {
    let purchase = claimed(harness, ORG, direction, id).await;
    parts_of(harness, purchase).await
}

async fn activate(harness: &Harness, parts: &Parts) -> Result<Purchase, ChangeError> {
    let Parts { purchase, number, managed, mapping, agent } = parts;
    let after = Purchase { state: State::Active, ..purchase.clone() };
    numbers(harness).activate((purchase, after), number, Some(managed), mapping, agent).await
}

/// An inbound number that an org has, and everything around it as it is.
async fn in_use(harness: &Harness, org: OrgId) -> Parts {
    let purchase = claimed(harness, org, Direction::Inbound, &format!("purchase-{org}")).await;
    let parts = parts_of(harness, purchase).await;
    let purchase = activate(harness, &parts).await.unwrap();
    let agent = agents(harness).get(org, Direction::Inbound).await.unwrap().unwrap();
    Parts { purchase, agent, ..parts }
}

async fn release(harness: &Harness, number: &OrgNumber, claim: &Purchase) -> Result<(), ChangeError> {
    let after = Purchase { state: State::Released, ..claim.clone() };
    numbers(harness).release(number, (claim, after), test_epoch()).await
}

/// Other writes to the history of a number: nothing but giving up and releasing does so by a method.
async fn others_note(harness: &Harness, managed: &ManagedNumber) {
    let client = &harness.stack.unguarded();
    client
        .update_item()
        .table_name(harness.stack.db().table_name(Table::ManagedPhoneNumbers))
        .key("org_id", AttributeValue::S(managed.org_id.to_string()))
        .key("number_id", AttributeValue::S(managed.number_id.to_string()))
        .update_expression("SET version = version + :one, cost = :one")
        .expression_attribute_values(":one", AttributeValue::N("1".into()))
        .send()
        .await
        .unwrap();
}

async fn is_still_noted(harness: &Harness, managed: &ManagedNumber) -> Result<(), String> {
    let history = numbers(harness).managed(managed.org_id).await.unwrap();
    match history.first() {
        Some(there) if there.cost == Amount::from_pence(1) => Ok(()),
        other => broken(other),
    }
}

async fn a_direction_is_claimed_once(harness: Harness) -> Result<(), String> {
    claimed(&harness, ORG, Direction::Inbound, "one").await;
    let two = purchase(ORG, Direction::Inbound, "two");
    is_moved(purchases(&harness).claim(&two, None, None).await)
}

async fn a_claim_takes_the_place_of_the_one_it_saw(harness: Harness) -> Result<(), String> {
    let one = claimed(&harness, ORG, Direction::Inbound, "one").await;
    let released = Purchase { state: State::Released, ..one.clone() };
    let over = purchases(&harness).save(&one, released).await.unwrap();
    let [two, three] = ["two", "three"].map(|id| purchase(ORG, Direction::Inbound, id));
    let two = Purchase { version: over.version + 1, ..two };
    purchases(&harness).claim(&two, Some(&over), None).await.unwrap();
    is_moved(purchases(&harness).claim(&three, Some(&over), None).await)
}

async fn a_key_names_one_purchase(harness: Harness) -> Result<(), String> {
    let one = purchase(ORG, Direction::Inbound, "one");
    purchases(&harness).claim(&one, None, Some("key-1")).await.unwrap();
    let two = purchase(ORG, Direction::Outbound, "two");
    is_moved(purchases(&harness).claim(&two, None, Some("key-1")).await)
}

async fn an_older_purchase_changes_nothing(harness: Harness) -> Result<(), String> {
    let old = claimed(&harness, ORG, Direction::Inbound, "one").await;
    purchase_moves_on(&harness, &old).await;
    is_moved(purchases(&harness).save(&old, old.clone()).await)
}

pub(super) fn posting(reason: Reason, pence: u32) -> Posting {
    Posting { reason, amount: Amount::from_pence(pence), description: "Number".into(), at: test_epoch() }
}

async fn charge(
    harness: &Harness,
    wallet: &Wallet,
    purchase: &Purchase,
    pence: u32,
) -> Result<Purchase, ChangeError> {
    let posting = posting(Reason::Number { purchase: purchase.purchase_id.clone() }, pence);
    let after = Purchase { state: State::Charged, charged: Some(NUMBER_COST), ..purchase.clone() };
    harness.wallets.charge_number(wallet, &posting, purchase, after).await
}

async fn refund(harness: &Harness, wallet: &Wallet, purchase: &Purchase) -> Result<Purchase, ChangeError> {
    let posting = posting(Reason::NumberRefund { purchase: purchase.purchase_id.clone() }, 1_000);
    let after = Purchase { state: State::Refunded, ..purchase.clone() };
    harness.wallets.refund_number(wallet, &posting, purchase, after).await
}

async fn a_charge_follows_the_last_entry(harness: Harness) -> Result<(), String> {
    let purchase = claimed(&harness, ORG, Direction::Inbound, "one").await;
    let stale = harness.wallet().await;
    harness.wallets.book(&stale, &top_up("pi_2")).await.unwrap();
    is_moved(charge(&harness, &stale, &purchase, 1_000).await)
}

async fn no_charge_without_the_money(harness: Harness) -> Result<(), String> {
    let purchase = claimed(&harness, ORG, Direction::Inbound, "one").await;
    is_moved(charge(&harness, &harness.wallet().await, &purchase, 2_501).await)
}

async fn no_charge_of_a_frozen_wallet(harness: Harness) -> Result<(), String> {
    let purchase = claimed(&harness, ORG, Direction::Inbound, "one").await;
    let stale = harness.wallet().await;
    freeze(&harness).await;
    is_moved(charge(&harness, &stale, &purchase, 1_000).await)
}

async fn one_charge_a_purchase(harness: Harness) -> Result<(), String> {
    let purchase = claimed(&harness, ORG, Direction::Inbound, "one").await;
    let charged = charge(&harness, &harness.wallet().await, &purchase, 1_000).await.unwrap();
    is_moved(charge(&harness, &harness.wallet().await, &charged, 1_000).await)
}

async fn no_charge_for_a_purchase_that_moved(harness: Harness) -> Result<(), String> {
    let purchase = claimed(&harness, ORG, Direction::Inbound, "one").await;
    purchase_moves_on(&harness, &purchase).await;
    is_moved(charge(&harness, &harness.wallet().await, &purchase, 1_000).await)
}

async fn a_refund_follows_the_last_entry(harness: Harness) -> Result<(), String> {
    let purchase = claimed(&harness, ORG, Direction::Inbound, "one").await;
    let stale = harness.wallet().await;
    harness.wallets.book(&stale, &top_up("pi_2")).await.unwrap();
    is_moved(refund(&harness, &stale, &purchase).await)
}

async fn one_refund_a_purchase(harness: Harness) -> Result<(), String> {
    let purchase = claimed(&harness, ORG, Direction::Inbound, "one").await;
    let refunded = refund(&harness, &harness.wallet().await, &purchase).await.unwrap();
    is_moved(refund(&harness, &harness.wallet().await, &refunded).await)
}

async fn no_refund_of_a_purchase_that_moved(harness: Harness) -> Result<(), String> {
    let purchase = claimed(&harness, ORG, Direction::Inbound, "one").await;
    purchase_moves_on(&harness, &purchase).await;
    is_moved(refund(&harness, &harness.wallet().await, &purchase).await)
}

async fn no_number_of_a_purchase_that_moved(harness: Harness) -> Result<(), String> {
    let parts = ready(&harness, Direction::Inbound, "one").await;
    purchase_moves_on(&harness, &parts.purchase).await;
    is_moved(activate(&harness, &parts).await)
}

async fn one_number_a_direction(harness: Harness) -> Result<(), String> {
    let there = in_use(&harness, ORG).await;
    // Another purchase of the direction, with everything fresh but the direction.
    let two = purchase(ORG, Direction::Inbound, "two");
    let two = Purchase { version: there.purchase.version + 1, ..two };
    purchases(&harness).claim(&two, Some(&there.purchase), None).await.unwrap();
    let parts = parts_of(&harness, two).await;
    is_moved(activate(&harness, &parts).await)
}

async fn no_number_that_is_anothers(harness: Harness) -> Result<(), String> {
    let parts = ready(&harness, Direction::Inbound, "one").await;
    let theirs = PhoneNumberMapping { org_id: OTHER_ORG, ..parts.mapping.clone() };
    assert!(harness.mappings.add_phone_number(&theirs).await.unwrap());
    is_moved(activate(&harness, &parts).await)
}

async fn no_number_for_an_agent_that_moved(harness: Harness) -> Result<(), String> {
    let parts = ready(&harness, Direction::Inbound, "one").await;
    agent_moves_on(&harness, &parts.agent).await;
    is_moved(activate(&harness, &parts).await)
}

async fn the_history_has_a_number_once(harness: Harness) -> Result<(), String> {
    let there = in_use(&harness, ORG).await;
    let mut parts = ready(&harness, Direction::Outbound, "two").await;
    parts.managed.number_id = there.managed.number_id;
    is_moved(activate(&harness, &parts).await)
}

async fn a_number_that_moved_is_not_given_up(harness: Harness) -> Result<(), String> {
    let parts = in_use(&harness, ORG).await;
    number_moves_on(&harness, &parts.number).await;
    is_moved(numbers(&harness).give_up(&parts.number, &parts.agent).await)
}

async fn no_agent_that_moved_is_taken_off_its_number(harness: Harness) -> Result<(), String> {
    let parts = in_use(&harness, ORG).await;
    agent_moves_on(&harness, &parts.agent).await;
    is_moved(numbers(&harness).give_up(&parts.number, &parts.agent).await)
}

async fn giving_up_leads_no_number_of_anothers_astray(harness: Harness) -> Result<(), String> {
    let parts = in_use(&harness, ORG).await;
    let theirs = VapiPhoneId::parse("their-phone").unwrap();
    let mapping = PhoneNumberMapping { vapi_phone_id: theirs.clone(), org_id: OTHER_ORG, ..parts.mapping };
    assert!(harness.mappings.add_phone_number(&mapping).await.unwrap());
    let number = OrgNumber { vapi_phone_id: theirs, ..parts.number };
    is_moved(numbers(&harness).give_up(&number, &parts.agent).await)
}

async fn giving_up_undoes_nothing_of_the_history(harness: Harness) -> Result<(), String> {
    let store = numbers(&harness);
    for polls in 0..8 {
        let parts = in_use(&harness, org_of(polls)).await;
        let other = others_note(&harness, &parts.managed);
        let outcome = interrupted(polls, store.give_up(&parts.number, &parts.agent), other).await;
        if let Err(error @ ChangeError::Store(_)) = outcome {
            return broken(error);
        }
        is_still_noted(&harness, &parts.managed).await?;
    }
    Ok(())
}

async fn no_release_over_a_claim_that_moved(harness: Harness) -> Result<(), String> {
    let parts = in_use(&harness, ORG).await;
    purchase_moves_on(&harness, &parts.purchase).await;
    is_moved(release(&harness, &parts.number, &parts.purchase).await)
}

async fn no_release_of_a_number_that_moved(harness: Harness) -> Result<(), String> {
    let parts = in_use(&harness, ORG).await;
    number_moves_on(&harness, &parts.number).await;
    is_moved(release(&harness, &parts.number, &parts.purchase).await)
}

async fn no_release_of_anothers_mapping(harness: Harness) -> Result<(), String> {
    let parts = in_use(&harness, ORG).await;
    let theirs = VapiPhoneId::parse("their-phone").unwrap();
    let mapping = PhoneNumberMapping { vapi_phone_id: theirs.clone(), org_id: OTHER_ORG, ..parts.mapping };
    assert!(harness.mappings.add_phone_number(&mapping).await.unwrap());
    let number = OrgNumber { vapi_phone_id: theirs, ..parts.number };
    is_moved(release(&harness, &number, &parts.purchase).await)
}

async fn a_release_undoes_nothing_of_the_history(harness: Harness) -> Result<(), String> {
    for polls in 0..8 {
        let parts = in_use(&harness, org_of(polls)).await;
        let other = others_note(&harness, &parts.managed);
        let outcome = interrupted(polls, release(&harness, &parts.number, &parts.purchase), other).await;
        if let Err(error @ ChangeError::Store(_)) = outcome {
            return broken(error);
        }
        is_still_noted(&harness, &parts.managed).await?;
    }
    Ok(())
}

async fn a_note_undoes_nothing_of_the_history(harness: Harness) -> Result<(), String> {
    let parts = in_use(&harness, ORG).await;
    others_note(&harness, &parts.managed).await;
    let written = numbers(&harness).note_missing(&parts.managed, Some(test_epoch())).await;
    if written.is_ok() {
        broken("an older history was written")
    } else {
        is_still_noted(&harness, &parts.managed).await
    }
}

async fn no_agent_that_moved_is_linked(harness: Harness) -> Result<(), String> {
    let parts = in_use(&harness, ORG).await;
    agent_moves_on(&harness, &parts.agent).await;
    is_moved(numbers(&harness).save_agents(ORG, &[parts.agent], &[&parts.number]).await)
}

async fn no_agent_is_linked_to_a_number_that_moved(harness: Harness) -> Result<(), String> {
    let parts = in_use(&harness, ORG).await;
    number_moves_on(&harness, &parts.number).await;
    is_moved(numbers(&harness).save_agents(ORG, &[parts.agent], &[&parts.number]).await)
}

async fn an_older_number_is_not_sealed_anew(harness: Harness) -> Result<(), String> {
    let parts = in_use(&harness, ORG).await;
    number_moves_on(&harness, &parts.number).await;
    is_moved(numbers(&harness).reseal(&parts.number, sealed("older")).await)
}

async fn an_agent_is_made_once(harness: Harness) -> Result<(), String> {
    let store = agents(&harness);
    for polls in 0..8 {
        let org = org_of(polls);
        let ensure = || store.ensure(org, Direction::Inbound, test_epoch());
        let other = async {
            let agent = ensure().await.unwrap();
            store.save(&agent).await.unwrap();
        };
        interrupted(polls, ensure(), other).await.unwrap();
        let there = store.get(org, Direction::Inbound).await.unwrap().unwrap();
        if there.revision != 1 {
            return broken(there);
        }
    }
    Ok(())
}

async fn an_older_agent_changes_nothing(harness: Harness) -> Result<(), String> {
    let agent = agents(&harness).ensure(ORG, Direction::Inbound, test_epoch()).await.unwrap();
    agent_moves_on(&harness, &agent).await;
    is_moved(agents(&harness).save(&agent).await)
}

fn assistant(org_id: OrgId, id: &str) -> AssistantMapping {
    AssistantMapping {
        vapi_assistant_id: VapiAssistantId::parse(id).unwrap(),
        org_id,
        role: Direction::Inbound,
        agent_limit_secs: 600,
    }
}

async fn no_assistant_for_an_agent_that_moved(harness: Harness) -> Result<(), String> {
    let agent = agents(&harness).ensure(ORG, Direction::Inbound, test_epoch()).await.unwrap();
    agent_moves_on(&harness, &agent).await;
    is_moved(agents(&harness).save_with_assistant(&agent, &assistant(ORG, "new")).await)
}

async fn no_agent_has_anothers_assistant(harness: Harness) -> Result<(), String> {
    let agent = agents(&harness).ensure(ORG, Direction::Inbound, test_epoch()).await.unwrap();
    assert!(harness.mappings.add_assistant(&assistant(OTHER_ORG, "theirs")).await.unwrap());
    is_moved(agents(&harness).save_with_assistant(&agent, &assistant(ORG, "theirs")).await)
}

const LEASE: SignedDuration = SignedDuration::from_secs(20);

/// Of two who come in the same moment, one makes it.
async fn is_made_by_one<T>(things: &MadeOnce<T>) -> Result<(), String>
where
    T: Clone + Serialize + DeserializeOwned + Send + Sync,
{
    let now = test_epoch();
    for polls in 0..8 {
        let key = org_of(polls).to_string();
        let mut theirs = None;
        let other = async {
            theirs = things.lease(&key, now, now + LEASE).await.unwrap();
        };
        let ours = interrupted(polls, things.lease(&key, now, now + LEASE), other).await.unwrap();
        if ours.is_some() == theirs.is_some() {
            return broken((ours.is_some(), theirs.is_some()));
        }
    }
    Ok(())
}

async fn an_older_slot_changes_nothing<T>(things: &MadeOnce<T>) -> Result<(), String>
where
    T: Clone + Serialize + DeserializeOwned + Send + Sync,
{
    let key = ORG.to_string();
    let slot = things.lease(&key, test_epoch(), test_epoch() + LEASE).await.unwrap().unwrap();
    things.save(&key, &slot).await.unwrap();
    is_moved(things.save(&key, &slot).await.map(|written| written.version))
}

async fn a_subaccount_is_made_by_one(harness: Harness) -> Result<(), String> {
    is_made_by_one(&MadeOnce::subaccounts(harness.stack.db())).await
}

async fn an_older_subaccount_changes_nothing(harness: Harness) -> Result<(), String> {
    an_older_slot_changes_nothing(&MadeOnce::subaccounts(harness.stack.db())).await
}

async fn a_shared_object_is_made_by_one(harness: Harness) -> Result<(), String> {
    is_made_by_one(&MadeOnce::vapi_objects(harness.stack.db())).await
}

/// Makes the tables those of a deployment that begins.
pub(crate) async fn forget_the_mark(harness: &Harness) {
    let owner = AttributeValue::S("owner".into());
    let table = harness.stack.db().table_name(Table::Stack);
    harness.stack.unguarded().delete_item().table_name(table).key("item", owner).send().await.unwrap();
}

/// Of two processes that find no mark, the first to write decides.
async fn a_stack_has_one_mark(harness: Harness) -> Result<(), String> {
    let stack = Stack::new(harness.stack.db());
    let mark = |number| stack.mark(StackMark::new(Uuid::from_u128(number)), test_epoch());
    for polls in 0..8 {
        forget_the_mark(&harness).await;
        let mut theirs = None;
        let other = async { theirs = Some(mark(2).await.unwrap()) };
        let ours = interrupted(polls, mark(1), other).await.unwrap();
        if Some(ours) != theirs {
            return broken((ours, theirs));
        }
    }
    Ok(())
}

async fn an_older_shared_object_changes_nothing(harness: Harness) -> Result<(), String> {
    an_older_slot_changes_nothing(&MadeOnce::vapi_objects(harness.stack.db())).await
}

async fn nobody_repoints_anothers_number(harness: Harness) -> Result<(), String> {
    let parts = in_use(&harness, ORG).await;
    // The other org has a number of its own, and would let this one lead to itself.
    let other = PhoneNumberMapping { org_id: OTHER_ORG, ..parts.mapping.clone() };
    let number = OrgNumber { org_id: OTHER_ORG, ..parts.number };
    credential_exists(&harness, &number).await;
    let is_written = numbers(&harness).point(&number, &other).await.unwrap();
    if is_written { broken("the number changed hands") } else { Ok(()) }
}

/// Writes an org's number as if it had come by any way.
async fn credential_exists(harness: &Harness, number: &OrgNumber) {
    let text = |value: String| AttributeValue::S(value);
    let put = harness.stack.unguarded().put_item();
    put.table_name(harness.stack.db().table_name(Table::OrgCredentials))
        .item("org_id", text(number.org_id.to_string()))
        .item("provider_type", text(provider_type(number.direction)))
        .item("version", AttributeValue::N(number.version.to_string()))
        .send()
        .await
        .unwrap();
}

async fn no_number_that_moved_is_pointed_anywhere(harness: Harness) -> Result<(), String> {
    let parts = in_use(&harness, ORG).await;
    number_moves_on(&harness, &parts.number).await;
    let is_written = numbers(&harness).point(&parts.number, &parts.mapping).await.unwrap();
    if is_written { broken("a number that is given up leads somewhere") } else { Ok(()) }
}

async fn nobody_renews_anothers_assistant(harness: Harness) -> Result<(), String> {
    let theirs = assistant(OTHER_ORG, tests::ASSISTANT_ID);
    let is_written = harness.mappings.renew_assistant(&theirs).await.unwrap();
    if is_written { broken("the assistant changed hands") } else { Ok(()) }
}

const PATIENT: &str = "+447700900456";

async fn dial(
    harness: &Harness,
    call: &str,
    to: &str,
    before: Option<&DialClaim>,
    key: Option<DialKey<'_>>,
) -> Result<DialClaim, DialError> {
    let call_id = CallId::parse(call).unwrap();
    let record = Call::first_heard(ORG, call_id.clone(), parties(call), 600, harness.clock.now());
    let claim = DialClaim { dialled: call_id, body_hash: "body".into() };
    let to = PhoneNumber::parse(to).unwrap();
    let limit = DayLimit { day: jiff::civil::date(2026, 11, 27), most: 3 };
    harness.calls.claim_dial(&record, &claim, &to, before, key, limit).await?;
    Ok(claim)
}

fn is_not_begun(outcome: Result<DialClaim, DialError>) -> Result<(), String> {
    match outcome {
        Err(DialError::Moved) => Ok(()),
        other => broken(other),
    }
}

async fn a_day_has_so_many_calls(harness: Harness) -> Result<(), String> {
    for (call, to) in [("call-1", "+447700900451"), ("call-2", "+447700900452"), ("call-3", "+447700900453")]
    {
        dial(&harness, call, to, None, None).await.unwrap();
    }
    match dial(&harness, "call-4", "+447700900454", None, None).await {
        Err(DialError::DayIsFull) => Ok(()),
        other => broken(other),
    }
}

async fn one_first_call_to_a_number(harness: Harness) -> Result<(), String> {
    dial(&harness, "call-1", PATIENT, None, None).await.unwrap();
    is_not_begun(dial(&harness, "call-2", PATIENT, None, None).await)
}

async fn one_call_follows_another(harness: Harness) -> Result<(), String> {
    let first = dial(&harness, "call-1", PATIENT, None, None).await.unwrap();
    dial(&harness, "call-2", PATIENT, Some(&first), None).await.unwrap();
    is_not_begun(dial(&harness, "call-3", PATIENT, Some(&first), None).await)
}

async fn a_call_begins_once(harness: Harness) -> Result<(), String> {
    rung(&harness, "call-1").await;
    is_not_begun(dial(&harness, "call-1", PATIENT, None, None).await)
}

async fn a_key_begins_one_call(harness: Harness) -> Result<(), String> {
    let key = Some(DialKey { key: "key-1", before: None });
    dial(&harness, "call-1", PATIENT, None, key).await.unwrap();
    is_not_begun(dial(&harness, "call-2", "+447700900789", None, key).await)
}

async fn one_call_follows_another_under_a_key(harness: Harness) -> Result<(), String> {
    let first = DialKey { key: "key-1", before: None };
    let began = dial(&harness, "call-1", PATIENT, None, Some(first)).await.unwrap();
    let anew = Some(DialKey { before: Some(&began), ..first });
    dial(&harness, "call-2", "+447700900789", None, anew).await.unwrap();
    is_not_begun(dial(&harness, "call-3", "+447700900788", None, anew).await)
}
