//! Numbers: bought, brought, listed, given up; whatever fails or dies, one of two ends.

mod faults;
pub(crate) mod own;
pub(crate) mod papers;

use std::sync::{Arc, Mutex};

use domain::{call::Direction, ids::OrgId, ledger::Kind};
use futures::future::join_all;
use local::{aws::Outcome, stack::TWILIO_SID};
use sandbox::faults::Mode;
use serde_json::{Value, json};
use tests::{Harness, ORG, OTHER_ORG};

pub(crate) use faults::one_fault;
use own::{OWN_SID, own};
pub(crate) fn us(direction: &str) -> Value {
    json!({"country": "US", "numberType": "local", "direction": direction})
}

pub(crate) async fn rich() -> Harness {
    let harness = Harness::empty(vec![]).await;
    harness.wallets.ensure(ORG).await.unwrap();
    harness.top_up(ORG, "pi_first", 5_000).await;
    harness
}

/// What numbers have cost an org so far.
pub(crate) async fn paid(harness: &Harness, org: OrgId) -> i64 {
    let entries = harness.entries_of(org).await;
    entries
        .iter()
        .filter(|entry| entry.kind == Kind::PhoneNumber)
        .fold(0, |sum, entry| sum + entry.balance_before.pence() - entry.balance_after.pence())
}

/// The numbers that the carrier has for us, in subaccounts.
pub(crate) fn at_twilio(harness: &Harness) -> Vec<String> {
    harness.stack.twilio.numbers().into_iter().map(|(_, number, _)| number).collect()
}

pub(crate) fn at_vapi(harness: &Harness) -> Vec<String> {
    let numbers = harness.stack.vapi.numbers();
    numbers.iter().map(|number| number["number"].as_str().unwrap().to_owned()).collect()
}

/// Fails unless the clinic's inbound direction is at one of the two ends: its number active everywhere and charged once, or
/// nowhere and nothing charged.
pub(crate) async fn assert_one_of_two(harness: &Harness, what: &str) -> bool {
    let listed = harness.dropdown_of(ORG).await;
    let is_active = !listed.is_empty();
    let price = if is_active { 1_000 } else { 0 };
    assert_eq!(paid(harness, ORG).await, price, "{what}: what was paid");
    assert_eq!(at_twilio(harness), listed, "{what}: at the carrier");
    assert_eq!(at_vapi(harness), listed, "{what}: at Vapi");
    let (_, status) = harness.get("/api/managed-telephony/phone-status", &harness.owner()).await;
    assert_eq!(status["purchases"], json!([]), "{what}: nothing is underway");
    assert_eq!(status["numbers"].as_array().unwrap().len(), listed.len(), "{what}");
    let history = harness.provisioning().numbers.managed(ORG).await.unwrap();
    let live = history.iter().filter(|number| number.status.as_str() != "released").count();
    assert_eq!(live, listed.len(), "{what}: the history");
    harness.assert_books(ORG).await;
    is_active
}

/// What reconciliation will do: go on with whatever is open, as time passes.
pub(crate) async fn resume(harness: &Harness) {
    for _ in 0..3 {
        harness.pass(70).await;
        let provisioning = harness.provisioning();
        for direction in [Direction::Inbound, Direction::Outbound] {
            provisioning.resume(ORG, direction).await.unwrap();
            provisioning.resume_release(ORG, direction).await.unwrap();
        }
    }
}

#[tokio::test]
async fn both_directions_are_bought_used_released_and_bought_again() {
    // N1, N2, N3
    let harness = rich().await;
    let (status, inbound) = harness.buy_for(ORG, &us("inbound"), None).await;
    assert_eq!(status, 201, "{inbound}");
    assert_eq!((&inbound["success"], &inbound["costPence"]), (&json!(true), &json!(1_000)));
    let (status, outbound) = harness.buy_for(ORG, &us("outbound"), None).await;
    assert_eq!(status, 201, "{outbound}");
    let numbers = [&inbound, &outbound].map(|answer| answer["phoneNumber"].as_str().unwrap().to_owned());
    assert_eq!(harness.dropdown_of(ORG).await, numbers);
    assert_eq!(paid(&harness, ORG).await, 2_000);
    harness.pass(10).await;
    let (_, agents) = harness.get("/api/agents", &harness.owner()).await;
    for agent in agents["agents"].as_array().unwrap() {
        assert_eq!(agent["sync"], "synced", "{agent}");
        assert!(agent["vapiPhoneNumberId"].is_string() && agent["vapiAssistantId"].is_string(), "{agent}");
    }
    // It rings.
    let call = harness.stack.vapi.place(&placing(&numbers[0])).unwrap();
    harness.pass(100).await;
    assert_eq!(harness.bills_of(&call).await, [56]);

    let (status, answer) = harness.give_up(&numbers[0]).await;
    assert_eq!((status, &answer["status"]), (200, &json!("released")), "{answer}");
    assert_eq!(harness.dropdown_of(ORG).await, [numbers[1].clone()]);
    for path in [
        "/api/managed-telephony/phone-status",
        "/api/phone-settings/status",
        "/api/integrations/vapi/numbers",
        "/api/agents",
        "/api/founder-console/agent/config",
        "/api/billing/wallet/statement",
    ] {
        let (_, answer) = harness.get(path, &harness.owner()).await;
        assert!(
            !answer.to_string().contains(&numbers[0]),
            "{path} mentions the number that is gone: {answer}"
        );
    }
    assert_eq!(at_twilio(&harness), [numbers[1].clone()]);
    assert_eq!(harness.give_up(&numbers[0]).await.0, 200, "a repeat is a success");
    let (status, again) = harness.buy_for(ORG, &us("inbound"), None).await;
    assert_eq!(status, 201, "{again}");
    assert_eq!(paid(&harness, ORG).await, 3_000, "buying again is charged again");
    assert_eq!(harness.dropdown_of(ORG).await.len(), 2);
    harness.assert_books(ORG).await;
}

pub(crate) fn placing(to: &str) -> sandbox::vapi::Placing {
    sandbox::vapi::Placing {
        to: Some(to.to_owned()),
        from: "+447700900123".into(),
        talk_seconds: 60,
        web_assistant_id: None,
        max_duration_seconds: None,
        says: vec![],
    }
}

#[tokio::test]
async fn twenty_purchases_at_once_are_one_number_and_one_charge() {
    // N5
    let harness = rich().await;
    let body = us("inbound");
    let answers = join_all((0..20).map(|_| harness.buy_for(ORG, &body, None))).await;
    assert!(answers.iter().all(|(status, _)| [201, 202].contains(status)), "{answers:?}");
    resume(&harness).await;
    assert!(assert_one_of_two(&harness, "twenty at once").await);
    let (status, later) = harness.buy_for(ORG, &body, None).await;
    assert_eq!((status, later["phoneNumber"].is_string()), (201, true), "the same request, soon after");
    harness.pass(700).await;
    let (status, later) = harness.buy_for(ORG, &body, None).await;
    assert_eq!((status, later["existingNumber"].is_string()), (409, true), "{later}");
}

#[tokio::test]
async fn a_hundred_purchases_with_the_money_of_one_are_one_number() {
    // B4
    let harness = Harness::empty(vec![]).await;
    harness.wallets.ensure(ORG).await.unwrap();
    harness.top_up(ORG, "pi_first", 1_999).await;
    let answers = join_all((0..100).map(|i| {
        let harness = &harness;
        let body = us(if i % 2 == 0 { "inbound" } else { "outbound" });
        async move { harness.buy_for(ORG, &body, Some(&format!("key-{i}"))).await }
    }))
    .await;
    let bought = answers.iter().filter(|(status, _)| *status == 201).count();
    let refused = answers.iter().filter(|(status, _)| [402, 409].contains(status)).count();
    assert_eq!((bought, refused), (1, 99), "{answers:?}");
    assert_eq!(harness.money().await, (999, 0));
    assert_eq!(harness.dropdown_of(ORG).await.len(), 1);
}

#[tokio::test]
async fn the_clients_key_names_one_purchase_for_ever() {
    // N5
    let harness = rich().await;
    let (status, first) = harness.buy_for(ORG, &us("inbound"), Some("key-1")).await;
    assert_eq!(status, 201);
    harness.pass(100_000).await;
    assert_eq!(harness.buy_for(ORG, &us("inbound"), Some("key-1")).await, (201, first.clone()));
    let (status, problem) = harness.buy_for(ORG, &us("outbound"), Some("key-1")).await;
    assert_eq!((status, problem["code"].as_str()), (422, Some("idempotency_key_reused")));
    let (status, problem) = harness.buy_for(ORG, &us("inbound"), Some("key-2")).await;
    assert_eq!((status, problem["existingNumber"].as_str()), (409, first["phoneNumber"].as_str()));
    harness.give_up(first["phoneNumber"].as_str().unwrap()).await;
    let (status, second) = harness.buy_for(ORG, &us("inbound"), Some("key-2")).await;
    assert_eq!(status, 201, "{second}");
    assert_eq!(
        harness.buy_for(ORG, &us("inbound"), Some("key-1")).await,
        (201, first),
        "an older purchase too"
    );
    for bad in ["", "a b", &"k".repeat(256)] {
        assert_eq!(harness.buy_for(ORG, &us("inbound"), Some(bad)).await.0, 400, "{bad:?}");
    }
    assert_eq!(paid(&harness, ORG).await, 2_000);
}

#[tokio::test]
async fn what_cannot_be_bought_is_refused_before_a_penny_moves() {
    // N9
    let harness = rich().await;
    let address = json!({"customerName": "Clinic", "street": "1 High St", "city": "London", "region": "London",
        "postalCode": "W1 1AA"});
    let cases = [
        (json!({"country": "GB", "direction": "inbound"}), 400, "address_required"),
        (json!({"country": "AU", "direction": "inbound"}), 400, "address_required"),
        (json!({"country": "FR", "direction": "inbound"}), 400, "invalid_value"),
        (json!({"country": "US"}), 400, "invalid_value"),
        (json!({"country": "US", "direction": "sideways"}), 400, "invalid_value"),
        (json!({"country": "US", "direction": "inbound", "numberType": "mobile"}), 400, "invalid_value"),
        (json!({"country": "US", "direction": "inbound", "areaCode": "x"}), 400, "invalid_value"),
        (json!({"country": "US", "direction": "inbound", "phoneNumber": "415"}), 400, "invalid_value"),
        (
            json!({"country": "US", "direction": "inbound", "phoneNumber": "+442079460123"}),
            400,
            "invalid_value",
        ),
        (json!({"country": "GB", "direction": "inbound", "address": {"street": "1"}}), 400, "invalid_value"),
        (json!([]), 400, "invalid_body"),
        (json!({"country": "US", "direction": "inbound", "areaCode": "999"}), 409, "no_number_available"),
    ];
    for (body, status, code) in cases {
        let (got, problem) = harness.buy_for(ORG, &body, None).await;
        assert_eq!((got, problem["code"].as_str()), (status, Some(code)), "{body}: {problem}");
        assert_eq!(harness.money().await, (5_000, 0), "{body}");
    }
    let with_address = json!({"country": "GB", "direction": "inbound", "address": address});
    let (status, answer) = harness.buy_for(ORG, &with_address, None).await;
    assert_eq!(status, 201, "{answer}");
    assert!(answer["phoneNumber"].as_str().unwrap().starts_with("+44"));
    harness.top_up(OTHER_ORG, "pi_other", 0).await;
    let (status, problem) = harness.buy_for(OTHER_ORG, &us("inbound"), Some("key-1")).await;
    let (required, current, short) = (&problem["required"], &problem["current"], &problem["shortfallPence"]);
    assert_eq!(
        (status, required, current, short),
        (402, &json!(1_000), &json!(0), &json!(1_000)),
        "{problem}"
    );
    harness.top_up(OTHER_ORG, "pi_other", 1_000).await;
    let (status, answer) = harness.buy_for(OTHER_ORG, &us("inbound"), Some("key-1")).await;
    assert_eq!(status, 201, "topped up, the same key buys: {answer}");
}

#[tokio::test]
async fn the_number_that_was_shown_is_bought_or_none() {
    let harness = rich().await;
    let token = harness.owner();
    let path = "/api/managed-telephony/available-numbers?country=US&areaCode=415&numberType=local&limit=3";
    let (status, found) = harness.get(path, &token).await;
    assert_eq!((status, found["numbers"].as_array().unwrap().len()), (200, 3), "{found}");
    let shown = |i: usize| found["numbers"][i]["phoneNumber"].as_str().unwrap().to_owned();
    let body = |number: &str| json!({"country": "US", "numberType": "local", "direction": "inbound", "phoneNumber": number});
    harness.stack.twilio.take_away(&shown(0));
    let (status, problem) = harness.buy_for(ORG, &body(&shown(0)), None).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("number_taken")), "{problem}");
    assert!(!assert_one_of_two(&harness, "taken away").await);
    let (status, answer) = harness.buy_for(ORG, &body(&shown(1)), None).await;
    assert_eq!((status, answer["phoneNumber"].as_str()), (201, Some(shown(1).as_str())), "{answer}");
    for bad in ["limit=21", "limit=x", "country=FR", "numberType=x", "areaCode=abc", "page=2"] {
        let path = format!("/api/managed-telephony/available-numbers?{bad}");
        assert_eq!(harness.get(&path, &token).await.0, 400, "{bad}");
    }
}

#[tokio::test]
async fn a_number_of_our_own_choice_that_is_gone_is_replaced_by_the_next() {
    let harness = rich().await;
    let (_, found) =
        harness.get("/api/managed-telephony/available-numbers?country=US&limit=1", &harness.owner()).await;
    harness.fault(("twilio", "buy"), Mode::Refuse, 1);
    let (status, answer) = harness.buy_for(ORG, &us("inbound"), None).await;
    assert_eq!(status, 201, "{answer}");
    assert_ne!(answer["phoneNumber"], found["numbers"][0]["phoneNumber"]);
    assert!(assert_one_of_two(&harness, "the next").await);
}

#[tokio::test]
async fn a_number_that_the_vendors_have_lost_is_released() {
    // N6: a vendor's 404 is "already gone".
    let harness = rich().await;
    let number = harness.has_number("inbound").await;
    harness.stack.vapi.remove_number(&number);
    harness.stack.twilio.lose(&number);
    assert_eq!(harness.give_up(&number).await.0, 200);
    assert_eq!(harness.dropdown_of(ORG).await.len(), 0);
}

#[tokio::test]
async fn the_dropdown_reads_one_table() {
    // A list from anywhere else shows what is gone, or another's.
    let harness = rich().await;
    harness.has_number("inbound").await;
    let read = Arc::new(Mutex::new(Vec::new()));
    let tables = Arc::clone(&read);
    harness.stack.aws.set_plan(move |sent| {
        tables.lock().unwrap().push(sent.body["TableName"].as_str().unwrap_or("?").to_owned());
        Outcome::Pass
    });
    assert_eq!(harness.dropdown_of(ORG).await.len(), 1);
    assert_eq!(*read.lock().unwrap(), [harness.table("org_credentials")]);
}

#[tokio::test]
async fn a_number_is_handed_to_vapi_with_our_webhook_and_the_clinics_own_line() {
    let harness = rich().await;
    let mut body = us("inbound");
    body["fallbackNumber"] = json!("+442079460000");
    assert_eq!(harness.buy_for(ORG, &body, None).await.0, 201);
    let imported = harness.stack.vapi.numbers().remove(0);
    assert_eq!(imported["fallbackDestination"], json!({"type": "number", "number": "+442079460000"}));
    assert_eq!((&imported["smsEnabled"], imported.get("assistantId")), (&json!(false), None), "{imported}");
    assert_eq!(imported["server"]["url"], "https://voxanne.sandbox/api/vapi/webhook");
    assert_eq!(imported["server"]["backoffPlan"]["type"], "exponential");
    assert!(imported["server"]["credentialId"].is_string());
    let (account, _, friendly_name) = harness.stack.twilio.numbers().remove(0);
    assert_ne!(account, TWILIO_SID, "in the org's subaccount");
    assert_eq!(imported["twilioAccountSid"], json!(account));
    let (_, answer) = harness.buy_for(ORG, &body, None).await;
    assert_eq!(friendly_name, format!("voxanne/test/{}", answer["purchaseId"].as_str().unwrap()));
    for bad in ["020 7946 0000", "+449098790123", "+19005550100", "+1234567", "+33123456789"] {
        body["fallbackNumber"] = json!(bad);
        assert_eq!(harness.buy_for(ORG, &body, None).await.0, 400, "{bad} is nobody's own line");
    }
}

#[tokio::test]
async fn without_a_credential_of_our_making_the_configured_one_is_used_and_a_refusal_says_where_to_make_it() {
    let harness = rich().await;
    harness.fault(("vapi", "create_credential"), Mode::Refuse, 1);
    let (captured, guard) = crate::webhooks::Captured::start();
    let (status, problem) = harness.buy_for(ORG, &us("inbound"), None).await;
    drop(guard);
    assert_eq!((status, problem["code"].as_str()), (422, Some("purchase_failed")), "{problem}");
    assert!(!assert_one_of_two(&harness, "refused").await);
    let said = |line: &String| {
        line.contains("vapi_credential_refused") && line.contains("VAPI_WEBHOOK_CREDENTIAL_ID")
    };
    assert!(captured.our_lines().iter().any(said));
    let settings = vec![("VAPI_WEBHOOK_CREDENTIAL_ID".to_owned(), "made-by-hand".to_owned())];
    let harness = Harness::empty(settings).await;
    harness.wallets.ensure(ORG).await.unwrap();
    harness.top_up(ORG, "pi_first", 1_000).await;
    assert_eq!(harness.buy_for(ORG, &us("inbound"), None).await.0, 201);
    assert_eq!(harness.stack.vapi.numbers()[0]["server"]["credentialId"], "made-by-hand");
    assert!(harness.stack.vapi.credentials().is_empty());
}

#[tokio::test]
async fn another_orgs_number_is_not_there_on_any_route() {
    // N13
    let harness = rich().await;
    let number = harness.has_number("inbound").await;
    let (_, agents) = harness.get("/api/agents", &harness.owner()).await;
    let id = agents["agents"][0]["vapiPhoneNumberId"].as_str().unwrap().to_owned();
    let other = harness.token(OTHER_ORG, "owner");
    let assign = json!({"vapiPhoneId": id, "role": "inbound"});
    let behavior = json!({"inbound": {"name": "A", "systemPrompt": "B", "firstMessage": "C", "voiceId": "Elliot",
        "voiceProvider": "vapi", "language": "en", "maxDurationSeconds": 60, "vapiPhoneNumberId": id}});
    let path = format!("/api/managed-telephony/numbers/{number}");
    for (route, body) in [
        (("POST", "/api/integrations/vapi/assign-number"), &assign),
        (("POST", "/api/founder-console/agent/behavior"), &behavior),
        (("DELETE", path.as_str()), &Value::Null),
    ] {
        let (status, problem) = harness.call_api(route, &other, None, body).await;
        assert_eq!((status, problem["code"].as_str()), (404, Some("not_found")), "{route:?}: {problem}");
    }
    assert_eq!(harness.dropdown_of(ORG).await, [number]);
    assert!(harness.dropdown_of(OTHER_ORG).await.is_empty());
    let wrong_way = json!({"vapiPhoneId": id, "role": "outbound"});
    let route = ("POST", "/api/integrations/vapi/assign-number");
    assert_eq!(harness.call_api(route, &harness.owner(), None, &wrong_way).await.0, 400);
    assert_eq!(harness.call_api(route, &harness.owner(), None, &assign).await.0, 200);
}

#[tokio::test]
async fn one_key_twice_at_once_is_one_answer() {
    // N5
    let harness = rich().await;
    let body = us("inbound");
    let answers = join_all((0..6).map(|_| harness.buy_for(ORG, &body, Some("key-1")))).await;
    assert!(answers.iter().all(|(status, _)| [201, 202].contains(status)), "{answers:?}");
    let ids: std::collections::BTreeSet<&str> =
        answers.iter().map(|(_, answer)| answer["purchaseId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 1);
    assert!(assert_one_of_two(&harness, "one key at once").await);
}

#[tokio::test]
async fn a_number_that_is_being_given_up_takes_no_call() {
    let harness = rich().await;
    let number = harness.has_number("inbound").await;
    harness.pass(70).await;
    harness.fault(("vapi", "delete_number"), Mode::Error, 1);
    assert_eq!(harness.give_up(&number).await.0, 202);
    harness.pass(70).await;
    let call = harness.stack.vapi.place(&placing(&number)).unwrap();
    harness.pass(100).await;
    let heard = harness.stack.vapi.call(&call).unwrap().heard;
    assert!(heard.iter().any(|said| said.contains("not available")), "{heard:?}");
    assert_eq!(harness.money().await, (4_000, 0));
}

#[tokio::test]
async fn each_org_has_one_subaccount_that_inherits_the_dialling_permissions() {
    let harness = rich().await;
    let (inbound, outbound) = (us("inbound"), us("outbound"));
    let both =
        futures::future::join(harness.buy_for(ORG, &inbound, None), harness.buy_for(ORG, &outbound, None));
    let (one, two) = both.await;
    assert!([201, 202].contains(&one.0) && [201, 202].contains(&two.0), "{one:?} {two:?}");
    resume(&harness).await;
    assert_eq!(harness.dropdown_of(ORG).await.len(), 2);
    let accounts = harness.stack.twilio.accounts();
    let ours: Vec<_> = accounts.iter().filter(|(sid, _, _)| sid != TWILIO_SID).collect();
    assert_eq!(ours.len(), 1, "{accounts:?}");
    assert_eq!(ours[0].1, format!("voxanne/test/{ORG}"));
    assert_eq!(harness.stack.twilio.inherits_dialling_permissions(&ours[0].0), Some(true));
}
