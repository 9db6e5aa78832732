//! Numbers that a clinic brings, and the secrets that open accounts.

use domain::call::Direction;
use local::stack::Keys;
use sandbox::faults::Mode;
use serde_json::{Value, json};
use tests::{ORG, OTHER_ORG};

use super::{at_vapi, placing, resume, rich, us};

pub(crate) const OWN_SID: &str = "AC0123456789abcdef0123456789abcdef";

pub(crate) fn own(token: &str, number: &str) -> Value {
    json!({"accountSid": OWN_SID, "authToken": token, "phoneNumber": number, "type": "inbound"})
}

#[tokio::test]
async fn a_clinics_own_number_is_checked_connected_and_left_to_it() {
    let harness = rich().await;
    let owner = harness.owner();
    let route = ("POST", "/api/integrations/twilio");
    harness.stack.twilio.add_account(OWN_SID, "own-token", &["+14155550177"]);
    let cases = [
        (own("wrong", "+14155550177"), "credentials_refused"),
        (own("own-token", "+14155550178"), "invalid_value"),
        (own("own-token", "415"), "invalid_value"),
        (own("", "+14155550177"), "invalid_value"),
        (
            json!({"accountSid": "AC1", "authToken": "x", "phoneNumber": "+14155550177", "type": "inbound"}),
            "invalid_value",
        ),
    ];
    for (body, code) in cases {
        let (status, problem) = harness.call_api(route, &owner, None, &body).await;
        assert_eq!((status, problem["code"].as_str()), (400, Some(code)), "{body}: {problem}");
    }
    let body = own("own-token", "+14155550177");
    let (status, answer) = harness.call_api(route, &owner, None, &body).await;
    assert_eq!((status, &answer["costPence"]), (201, &json!(0)), "{answer}");
    assert_eq!(harness.call_api(route, &owner, None, &body).await.0, 201, "a repeat");
    assert_eq!(harness.dropdown_of(ORG).await, ["+14155550177"]);
    let (_, settings) = harness.get("/api/phone-settings/status", &owner).await;
    assert_eq!(settings["mode"], "byoc");
    assert_eq!(harness.money().await, (5_000, 0));
    // A managed and an own number of one direction exclude each other; the other direction is free.
    assert_eq!(harness.buy_for(ORG, &us("inbound"), None).await.0, 409);
    assert_eq!(harness.buy_for(ORG, &us("outbound"), None).await.0, 201);
    let (status, problem) = harness.call_api(route, &harness.token(OTHER_ORG, "owner"), None, &body).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("number_taken")), "{problem}");
    harness.pass(10).await;
    let call = harness.stack.vapi.place(&placing("+14155550177")).unwrap();
    harness.pass(100).await;
    assert_eq!(harness.bills_of(&call).await, [56]);
    assert_eq!(harness.give_up("+14155550177").await.0, 200);
    assert!(harness.stack.twilio.numbers().iter().any(|(sid, _, _)| sid == OWN_SID), "it stays the clinic's");
    assert!(!at_vapi(&harness).contains(&"+14155550177".to_owned()));
    assert_eq!(harness.buy_for(ORG, &us("inbound"), None).await.0, 201);
}

#[tokio::test]
async fn a_connection_that_fails_touches_no_other_number_and_blocks_nothing() {
    let harness = rich().await;
    harness.stack.twilio.add_account(OWN_SID, "own-token", &["+14155550177", "+14155550178"]);
    let route = ("POST", "/api/integrations/twilio");
    let mut body = own("own-token", "+14155550177");
    assert_eq!(harness.call_api(route, &harness.owner(), None, &body).await.0, 201);
    harness.pass(10).await;
    // The same number for the other direction, and of another org, with trouble on the way.
    for (org, direction) in [(ORG, "outbound"), (OTHER_ORG, "inbound")] {
        for mode in [None, Some(Mode::Error), Some(Mode::TimeoutAfter)] {
            body["type"] = json!(direction);
            if let Some(mode) = mode {
                harness.fault(("vapi", "list_numbers"), mode, 2);
            }
            let token = harness.token(org, "owner");
            let (status, answer) = harness.call_api(route, &token, None, &body).await;
            assert!([202, 409, 422].contains(&status), "{direction} {mode:?}: {status} {answer}");
            harness.stack.faults.clear();
            resume(&harness).await;
            harness.pass(100).await;
            let provisioning = harness.provisioning();
            let way = if direction == "inbound" { Direction::Inbound } else { Direction::Outbound };
            provisioning.resume(org, way).await.unwrap();
            assert_eq!(
                at_vapi(&harness),
                ["+14155550177"],
                "{direction} {mode:?}: the number that works is there"
            );
            assert_eq!(harness.dropdown_of(ORG).await, ["+14155550177"]);
        }
    }
    let call = harness.stack.vapi.place(&placing("+14155550177")).unwrap();
    harness.pass(100).await;
    assert_eq!(harness.bills_of(&call).await, [56], "and it rings");
    assert_eq!(harness.buy_for(ORG, &us("outbound"), None).await.0, 201, "the other direction is free");
    let mut another = own("own-token", "+14155550178");
    another["type"] = json!("inbound");
    let (status, answer) = harness.call_api(route, &harness.token(OTHER_ORG, "owner"), None, &another).await;
    assert_eq!(status, 201, "the other org too: {answer}");
}

/// The tokens that Vapi was given for numbers that it had already.
fn given_to_vapi(harness: &tests::Harness) -> Vec<String> {
    let received = harness.stack.vapi.received();
    let changes = received.iter().filter(|sent| sent.method == "PATCH" && sent.path.contains("phone-number"));
    changes.map(|sent| sent.body["twilioAuthToken"].as_str().unwrap().to_owned()).collect()
}

/// The token that our records have of the clinic's inbound number.
async fn kept(harness: &tests::Harness) -> String {
    use secrecy::ExposeSecret;
    let provisioning = harness.provisioning();
    let number = provisioning.numbers.of_direction(ORG, Direction::Inbound).await.unwrap().unwrap();
    let record = store::numbers::provider_type(Direction::Inbound);
    provisioning.keyring.open(ORG, &record, &number.token).unwrap().expose_secret().to_owned()
}

#[tokio::test]
async fn a_rotated_token_takes_the_place_of_the_old_one() {
    let harness = rich().await;
    let route = ("POST", "/api/integrations/twilio");
    harness.stack.twilio.add_account(OWN_SID, "first-token", &["+14155550177"]);
    let connect = async |token: &str| {
        let body = own(token, "+14155550177");
        harness.call_api(route, &harness.owner(), None, &body).await
    };
    let (status, first) = connect("first-token").await;
    assert_eq!(status, 201, "{first}");
    harness.pass(10).await;
    harness.stack.twilio.add_account(OWN_SID, "second-token", &[]);
    let (status, problem) = connect("first-token").await;
    assert_eq!((status, problem["code"].as_str()), (400, Some("credentials_refused")), "{problem}");
    assert_eq!(kept(&harness).await, "first-token");
    // Vapi does not answer: nothing of ours has changed, and the same request again does it.
    harness.fault(("vapi", "update_number"), Mode::Error, 1);
    let (status, problem) = connect("second-token").await;
    assert_eq!((status, problem["code"].as_str()), (503, Some("voice_unavailable")), "{problem}");
    assert_eq!(kept(&harness).await, "first-token");
    let (status, second) = connect("second-token").await;
    assert_eq!((status, &second["vapiPhoneId"]), (201, &first["vapiPhoneId"]), "{second}");
    assert_eq!(kept(&harness).await, "second-token");
    assert_eq!(given_to_vapi(&harness).last().map(String::as_str), Some("second-token"));
    assert_eq!((at_vapi(&harness).len(), harness.dropdown_of(ORG).await.len()), (1, 1));
    // Another's account of the same number stays refused, and the number rings as before.
    let call = harness.stack.vapi.place(&placing("+14155550177")).unwrap();
    harness.pass(100).await;
    assert_eq!(harness.bills_of(&call).await, [56]);
}

#[tokio::test]
async fn the_token_that_is_kept_is_the_one_that_vapi_was_given_last() {
    for polls in 0..40 {
        let harness = rich().await;
        harness.stack.twilio.add_account(OWN_SID, "first-token", &["+14155550177"]);
        let route = ("POST", "/api/integrations/twilio");
        let body = own("first-token", "+14155550177");
        assert_eq!(harness.call_api(route, &harness.owner(), None, &body).await.0, 201);
        harness.stack.twilio.add_account(OWN_SID, "second-token", &[]);
        let body = own("second-token", "+14155550177");
        let owner = harness.owner();
        let done = tests::crashed_after(polls, harness.call_api(route, &owner, None, &body)).await;
        let is_given = given_to_vapi(&harness).last().is_some_and(|token| token == "second-token");
        assert!(kept(&harness).await == "first-token" || is_given, "{polls}: what is kept, Vapi has");
        assert_eq!(harness.call_api(route, &owner, None, &body).await.0, 201, "{polls}");
        assert_eq!(kept(&harness).await, "second-token", "{polls}");
        if done.is_some() {
            assert!(polls > 0);
            return;
        }
    }
    panic!("it never came to its end");
}

#[tokio::test]
async fn no_token_is_told_logged_stored_in_clear_or_opened_elsewhere() {
    let (captured, _guard) = crate::webhooks::Captured::start();
    let harness = rich().await;
    harness.stack.twilio.add_account(OWN_SID, "own-token-in-clear", &["+14155550177"]);
    let body = own("own-token-in-clear", "+14155550177");
    let route = ("POST", "/api/integrations/twilio");
    let (status, answer) = harness.call_api(route, &harness.owner(), None, &body).await;
    assert_eq!(status, 201);
    assert!(!answer.to_string().contains("own-token"));
    let client = &harness.stack.unguarded();
    for table in &harness.stack.template.tables {
        let name = table["TableName"].as_str().unwrap();
        let items = client.scan().table_name(name).send().await.unwrap();
        assert!(!format!("{:?}", items.items()).contains("own-token"), "{name} holds a token in clear");
    }
    // Nor a number in full: a log shows two digits.
    let bought = harness.has_number("outbound").await;
    harness.fault(("twilio", "release"), Mode::Error, 1);
    harness.give_up(&bought).await;
    let subaccount = harness.stack.twilio.token_of(&harness.stack.twilio.accounts()[2].0).unwrap();
    let lines = captured.our_lines();
    for secret in
        ["own-token-in-clear", "+14155550177", &bought, &subaccount, &Keys::known().twilio_auth_token]
    {
        assert!(lines.iter().all(|line| !line.contains(secret)), "{secret} is in a log line");
    }
    assert!(!lines.is_empty());
    // The row, copied to another org, opens nothing.
    let db = harness.stack.db();
    let name = db.table_name(store::table::Table::OrgCredentials);
    let rows = client.scan().table_name(&name).send().await.unwrap();
    let mut row = rows.items()[0].clone();
    row.insert("org_id".into(), aws_sdk_dynamodb::types::AttributeValue::S(OTHER_ORG.to_string()));
    row.insert("is_managed".into(), aws_sdk_dynamodb::types::AttributeValue::Bool(true));
    client.put_item().table_name(&name).set_item(Some(row)).send().await.unwrap();
    let token = harness.token(OTHER_ORG, "owner");
    let path = "/api/managed-telephony/numbers/+14155550177";
    let (status, problem) = harness.call_api(("DELETE", path), &token, None, &Value::Null).await;
    assert_eq!((status, problem["code"].as_str()), (500, Some("internal")), "{problem}");
    assert!(
        harness.stack.twilio.numbers().iter().any(|(sid, _, _)| sid == OWN_SID),
        "nothing was done with it"
    );
}

#[tokio::test]
async fn secrets_are_sealed_anew_and_the_old_key_may_go() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let harness = rich().await;
    let number = harness.has_number("inbound").await;
    harness.stack.twilio.add_account(OWN_SID, "own-token", &["+14155550177"]);
    let mut body = own("own-token", "+14155550177");
    body["type"] = json!("outbound");
    assert_eq!(
        harness.call_api(("POST", "/api/integrations/twilio"), &harness.owner(), None, &body).await.0,
        201
    );
    let with_keys = |keys: &str| {
        let mut world = harness.stack.platform.clone();
        world.environment = world.environment.with("CREDENTIAL_KEYS", keys);
        let environment = world.environment.clone();
        let mut reader = environment.reader();
        let settings = services::provisioning::Settings::read(&mut reader, &world);
        reader.finish().unwrap();
        services::provisioning::Provisioning::deployed(&world, settings)
    };
    let old = harness.stack.platform.environment.reader().optional("CREDENTIAL_KEYS").unwrap();
    let new = format!("new:{}", STANDARD.encode([9; 32]));
    let both = with_keys(&format!("{new},{old}"));
    let rotated = both.rotate_keys().await.unwrap();
    assert_eq!(
        (rotated.resealed, rotated.current, rotated.missed),
        (3, 0, 0),
        "two numbers and a subaccount"
    );
    let rotated = both.rotate_keys().await.unwrap();
    assert_eq!((rotated.resealed, rotated.current, rotated.missed), (0, 3, 0));
    assert!(with_keys(&old).rotate_keys().await.is_err(), "the old key alone opens nothing any more");
    let only_new = with_keys(&new);
    let number = domain::phone_number::PhoneNumber::parse(number).unwrap();
    assert_eq!(only_new.release(ORG, &number).await.unwrap(), services::provisioning::Release::Released);
}
