//! The endpoint that Stripe posts to, and the secrets that webhooks are signed with: made, put right, replaced, lost, changed
//! under a running function.

use std::{
    collections::BTreeSet,
    fmt::Write,
    sync::{Arc, Mutex},
};

use base::clock::Clock;
use bytes::Bytes;
use http::{Request, Response};
use local::aws::Outcome;
use platform::Platform;
use sandbox::faults::Mode;
use serde_json::{Value, json};
use stripe_endpoint::{Change, Deps, RegisterError, handle, register};
use tests::{Harness, alarms, parts};
use vendors::{
    http::Http,
    signature::hmac_sha256,
    stripe::{API_VERSION, events::TYPES},
};

use crate::conditions::numbers::forget_the_mark;

const URL: &str = "https://voxanne.sandbox/api/webhooks/stripe";
/// Where CloudFormation wants its answers.
const ANSWERS: &str = "https://responses-eu.s3.eu-west-2.amazonaws.com/arn%3Aaws%3Astack?X-Amz-Signature=1";

/// The names of the deployment's secret, and of the one that the endpoint is kept in.
pub(crate) fn secret_ids(harness: &Harness) -> [String; 2] {
    let environment = environment(harness);
    [format!("voxanne/{environment}/vapi-webhook"), format!("voxanne/{environment}/stripe-webhook")]
}

fn environment(harness: &Harness) -> String {
    harness.mark()["voxanne_environment"].as_str().unwrap().to_owned()
}

fn deps(harness: &Harness) -> Deps {
    Deps::new(harness.stack.platform.clone()).unwrap()
}

async fn registered(harness: &Harness) -> Change {
    register(&deps(harness)).await.unwrap().change
}

/// What is kept of the endpoint.
fn stored(harness: &Harness) -> Value {
    let text = harness.stack.aws.secrets().get(&secret_ids(harness)[1]).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The endpoints at Stripe, as it keeps them itself: with their secrets.
fn endpoints(harness: &Harness) -> Vec<Value> {
    harness.stack.stripe.all("webhook_endpoint")
}

/// The one endpoint at Stripe.
fn endpoint(harness: &Harness) -> Value {
    let mut all = endpoints(harness);
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

/// Fails unless there is one endpoint, as it should be, and what is kept is its secret.
fn assert_registered(harness: &Harness) {
    let (endpoint, stored) = (endpoint(harness), stored(harness));
    assert_eq!((endpoint["url"].as_str(), endpoint["status"].as_str()), (Some(URL), Some("enabled")));
    assert_eq!(endpoint["api_version"], API_VERSION);
    assert_eq!(endpoint["metadata"]["voxanne_environment"], environment(harness));
    assert!(endpoint["metadata"]["voxanne_stack"].is_string(), "{endpoint}");
    let events = endpoint["enabled_events"].as_array().unwrap().iter();
    let events: BTreeSet<&str> = events.map(|name| name.as_str().unwrap()).collect();
    assert_eq!(events, BTreeSet::from(TYPES));
    assert_eq!((&stored["endpoint_id"], &stored["secret"]), (&endpoint["id"], &endpoint["secret"]));
}

fn delete_at_stripe(harness: &Harness) {
    let id = endpoint(harness)["id"].as_str().unwrap().to_owned();
    let request = Request::delete(format!("http://api.stripe.sandbox/v1/webhook_endpoints/{id}"))
        .header("authorization", "Bearer sk_test_sandbox")
        .body(Bytes::new());
    assert_eq!(harness.stack.stripe.answer(&request.unwrap()).status(), 200);
}

/// An event about nothing of ours, signed with `secret`. Returns the status.
async fn post_signed(harness: &Harness, secret: &str) -> u16 {
    let body = json!({"id": "evt_1", "type": "invoice.paid", "data": {"object": {}}}).to_string();
    let stamp = harness.clock.now().as_second().to_string();
    let tag = hmac_sha256(&secret.into(), &[stamp.as_bytes(), b".", body.as_bytes()]);
    let mut signature = format!("t={stamp},v1=");
    for byte in tag.as_ref() {
        write!(signature, "{byte:02x}").unwrap();
    }
    let request = Request::post("/api/webhooks/stripe").header("stripe-signature", signature);
    parts(&harness.send(request.body(Bytes::from(body)).unwrap()).await).0
}

#[tokio::test]
async fn the_first_registration_makes_the_endpoint_and_the_next_ones_change_nothing() {
    let harness = Harness::with_wallet(0, 600).await;
    assert_registered(&harness);
    assert_eq!(stored(&harness)["previous"], json!([]));
    let before = (endpoint(&harness), stored(&harness));
    for _ in 0..3 {
        assert_eq!(registered(&harness).await, Change::Nothing);
        harness.pass(86_400).await;
    }
    assert_eq!((endpoint(&harness), stored(&harness)), before);
    harness.pay(2_500).await;
    assert_eq!(harness.money().await, (2_500, 0), "events come, and are believed");
}

#[tokio::test]
async fn a_lost_secret_heals() {
    for text in [None, Some("{"), Some(r#"{"endpoint_id": "we_1", "secret": ""}"#)] {
        let harness = Harness::with_wallet(0, 600).await;
        harness.pay(2_500).await;
        let old = endpoint(&harness);
        let id = &secret_ids(&harness)[1];
        match text {
            Some(text) => harness.stack.aws.secrets().put(id, text),
            None => harness.stack.aws.secrets().delete(id),
        }
        harness.pass(10).await;
        assert_eq!(registered(&harness).await, Change::Made, "{text:?}");
        assert_registered(&harness);
        assert_ne!(endpoint(&harness)["id"], old["id"], "the old one is gone");
        harness.pay(2_600).await;
        assert_eq!(harness.money().await, (5_100, 0), "the function that knew the old one reads the new one");
    }
}

#[tokio::test]
async fn what_somebody_changed_by_hand_is_put_back() {
    let harness = Harness::with_wallet(0, 600).await;
    let before = (endpoint(&harness)["id"].clone(), stored(&harness));
    let changes =
        ["url=https%3A%2F%2Felsewhere.example%2Fhook", "enabled_events[]=charge.refunded", "disabled=true"];
    for change in changes {
        let id = endpoint(&harness)["id"].as_str().unwrap().to_owned();
        let answer = harness.stripe_post(&format!("/v1/webhook_endpoints/{id}"), change);
        assert_eq!(answer["id"], *id, "{answer}");
        assert_eq!(registered(&harness).await, Change::Updated, "{change}");
        assert_registered(&harness);
        assert_eq!((endpoint(&harness)["id"].clone(), stored(&harness)), before, "{change}");
    }
}

#[tokio::test]
async fn another_api_version_is_replaced_and_the_old_secret_is_believed_for_three_days() {
    let harness = Harness::with_wallet(0, 600).await;
    delete_at_stripe(&harness);
    let form = format!(
        "url={URL}&api_version=2020-08-27&enabled_events[]=*&metadata[voxanne_environment]={}",
        environment(&harness)
    );
    let old = harness.stripe_post("/v1/webhook_endpoints", &form);
    let old_secret = old["secret"].as_str().unwrap();
    let record = json!({"endpoint_id": old["id"], "secret": old_secret, "previous": []}).to_string();
    harness.stack.aws.secrets().put(&secret_ids(&harness)[1], &record);
    assert_eq!(post_signed(&harness, old_secret).await, 200);
    assert_eq!(registered(&harness).await, Change::Made);
    assert_registered(&harness);
    let until = harness.clock.now() + jiff::SignedDuration::from_hours(72);
    let new_secret = stored(&harness)["secret"].as_str().unwrap().to_owned();
    assert_eq!(post_signed(&harness, old_secret).await, 200);
    harness.pass(10).await;
    assert_eq!(post_signed(&harness, &new_secret).await, 200);
    harness.run_until(until - jiff::SignedDuration::from_millis(1)).await;
    assert_eq!(post_signed(&harness, old_secret).await, 200, "Stripe may still be delivering");
    harness.run_until(until).await;
    assert_eq!(post_signed(&harness, old_secret).await, 401, "its time is over");
    assert_eq!(post_signed(&harness, &new_secret).await, 200);
    assert_eq!(registered(&harness).await, Change::Nothing);
    assert_eq!(stored(&harness)["previous"], json!([]), "and it is forgotten");
    assert_registered(&harness);
}

#[tokio::test]
async fn an_endpoint_that_was_deleted_at_stripe_comes_back_and_its_secret_is_withdrawn() {
    let harness = Harness::with_wallet(0, 600).await;
    let old_secret = stored(&harness)["secret"].as_str().unwrap().to_owned();
    delete_at_stripe(&harness);
    assert_eq!(registered(&harness).await, Change::Made);
    assert_registered(&harness);
    assert_eq!(post_signed(&harness, &old_secret).await, 401);
    harness.pay(2_500).await;
    assert_eq!(harness.money().await, (2_500, 0));
}

#[tokio::test]
async fn an_endpoint_whose_secret_cannot_be_stored_is_not_left_behind() {
    for fate in [Outcome::Fail("InternalServiceError"), Outcome::LoseRequest, Outcome::LoseAnswer] {
        let harness = Harness::with_wallet(0, 600).await;
        let before = endpoints(&harness);
        harness.stack.aws.secrets().put(&secret_ids(&harness)[1], "{");
        harness.stack.aws.set_plan(move |sent| {
            let is_write = matches!(sent.operation.as_str(), "PutSecretValue" | "CreateSecret");
            if is_write { fate } else { Outcome::Pass }
        });
        register(&deps(&harness)).await.unwrap_err();
        assert_eq!(endpoints(&harness), before, "{fate:?}");
        harness.stack.aws.clear_plan();
        assert_eq!(registered(&harness).await, Change::Made);
        assert_registered(&harness);
        harness.pay(2_500).await;
        assert_eq!(harness.money().await, (2_500, 0));
    }
}

#[tokio::test]
async fn whatever_goes_wrong_at_stripe_the_next_registration_leaves_one() {
    for mode in [Mode::Error, Mode::TimeoutBefore, Mode::TimeoutAfter, Mode::Refuse] {
        for after in 0..5 {
            for times in [1, 10] {
                let harness = Harness::with_wallet(0, 600).await;
                harness.stack.aws.secrets().delete(&secret_ids(&harness)[1]);
                harness.fault_after(("stripe", "*"), after, mode, times);
                let _ = register(&deps(&harness)).await;
                harness.stack.faults.clear();
                register(&deps(&harness)).await.unwrap();
                assert_registered(&harness);
            }
        }
    }
}

#[tokio::test]
async fn two_registrations_at_once_and_the_next_leaves_one_that_works() {
    for is_secret_lost in [true, false] {
        let harness = Harness::with_wallet(0, 600).await;
        if is_secret_lost {
            harness.stack.aws.secrets().delete(&secret_ids(&harness)[1]);
        } else {
            delete_at_stripe(&harness);
        }
        let (one, other) = (deps(&harness), deps(&harness));
        let (one, other) = tokio::join!(register(&one), register(&other));
        assert!(one.is_ok() || other.is_ok());
        let stored = stored(&harness);
        assert!(endpoints(&harness).iter().any(|endpoint| endpoint["id"] == stored["endpoint_id"]));
        register(&deps(&harness)).await.unwrap();
        assert_registered(&harness);
    }
}

/// What a deployment begins with that has the name of another one: empty tables, and no secret.
async fn begin_anew(harness: &Harness) {
    forget_the_mark(harness).await;
    harness.stack.aws.secrets().delete(&secret_ids(harness)[1]);
}

#[tokio::test]
async fn a_second_stack_of_the_same_name_neither_makes_nor_deletes_an_endpoint() {
    // R19
    let harness = Harness::with_wallet(0, 600).await;
    let (first, its_secret) = (endpoints(&harness), stored(&harness));
    begin_anew(&harness).await;
    let error = register(&deps(&harness)).await.unwrap_err();
    assert!(matches!(error, RegisterError::AnotherStack { .. }), "{error:?}");
    let id = first[0]["id"].as_str().unwrap();
    assert!(error.to_string().contains(id), "it says which endpoint: {error}");
    assert_eq!(endpoints(&harness), first);
    // Taking the second one away leaves the first as it was.
    let (puts, network) = cloudformation(0);
    let own = deps(&harness);
    let deps = Deps { platform: Platform { vendors: network, ..own.platform.clone() }, ..own };
    handle(&deps, asked("Delete", None)).await.unwrap();
    assert_eq!(answer(&puts)["Status"], "SUCCESS");
    assert_eq!(endpoints(&harness), first);
    // Once its deployment and its endpoint are gone, the name is free.
    delete_at_stripe(&harness);
    assert_eq!(registered(&harness).await, Change::Made);
    assert_registered(&harness);
    assert_ne!(stored(&harness), its_secret);
}

#[tokio::test]
async fn an_endpoint_without_a_mark_whose_secret_is_lost_is_said_to_be_one() {
    // R19
    let harness = Harness::with_wallet(0, 600).await;
    delete_at_stripe(&harness);
    harness.stack.aws.secrets().delete(&secret_ids(&harness)[1]);
    let form = format!(
        "url={URL}&api_version={API_VERSION}&enabled_events[]=*&metadata[voxanne_environment]={}",
        environment(&harness)
    );
    let old = harness.stripe_post("/v1/webhook_endpoints", &form);
    let before = endpoints(&harness);
    let error = register(&deps(&harness)).await.unwrap_err();
    let id = old["id"].as_str().unwrap();
    assert!(matches!(&error, RegisterError::Unmarked { endpoint_id } if endpoint_id == id), "{error:?}");
    let sentence = error.to_string();
    for part in [id, "bears no deployment's mark", "delete it at Stripe"] {
        assert!(sentence.contains(part), "{part}: {sentence}");
    }
    assert_eq!(endpoints(&harness), before);
    // Done as it says, the deployment comes up.
    delete_at_stripe(&harness);
    assert_eq!(registered(&harness).await, Change::Made);
    assert_registered(&harness);
}

#[tokio::test]
async fn another_stacks_endpoint_beside_ours_is_told_of_and_left_alone() {
    // R19
    let harness = Harness::with_wallet(0, 600).await;
    let form = format!(
        "url=https://second.example/api/webhooks/stripe&enabled_events[]=*&metadata[voxanne_environment]={}\
         &metadata[voxanne_stack]=another",
        environment(&harness)
    );
    let other = harness.stripe_post("/v1/webhook_endpoints", &form);
    let before = endpoints(&harness);
    let (alarms, _guard) = alarms();
    assert_eq!(registered(&harness).await, Change::Nothing);
    assert_eq!(alarms.names(), ["stripe_endpoint_of_another_stack"]);
    assert_eq!(endpoints(&harness), before);
    // Also when ours is to be made anew.
    harness.stack.aws.secrets().delete(&secret_ids(&harness)[1]);
    assert_eq!(registered(&harness).await, Change::Made);
    assert!(endpoints(&harness).iter().any(|endpoint| endpoint["id"] == other["id"]));
    assert_eq!(endpoints(&harness).len(), 2);
}

#[tokio::test]
async fn an_endpoint_that_an_earlier_release_made_gets_the_mark() {
    let harness = Harness::with_wallet(0, 600).await;
    delete_at_stripe(&harness);
    let form = format!(
        "url={URL}&api_version={API_VERSION}&enabled_events[]=*&metadata[voxanne_environment]={}",
        environment(&harness)
    );
    let old = harness.stripe_post("/v1/webhook_endpoints", &form);
    let record = json!({"endpoint_id": old["id"], "secret": old["secret"], "previous": []}).to_string();
    harness.stack.aws.secrets().put(&secret_ids(&harness)[1], &record);
    assert_eq!(registered(&harness).await, Change::Updated);
    assert_registered(&harness);
    assert_eq!(endpoint(&harness)["id"], old["id"]);
    assert_eq!(registered(&harness).await, Change::Nothing);
}

#[tokio::test]
async fn other_environments_endpoints_are_left_alone() {
    let harness = Harness::with_wallet(0, 600).await;
    let strangers: Vec<Value> =
        ["&metadata[voxanne_environment]=production", "&metadata[owner]=somebody", ""]
            .into_iter()
            .map(|mark| {
                let form = format!("url=https://example.com/hook&enabled_events[]=*{mark}");
                let made = harness.stripe_post("/v1/webhook_endpoints", &form);
                harness.stack.stripe.object(made["id"].as_str().unwrap()).unwrap()
            })
            .collect();
    harness.stack.aws.secrets().delete(&secret_ids(&harness)[1]);
    assert_eq!(registered(&harness).await, Change::Made);
    let others = || -> Vec<Value> {
        let is_other = |endpoint: &Value| endpoint["url"] != URL;
        endpoints(&harness).into_iter().filter(is_other).collect()
    };
    assert_eq!(others(), strangers);
    assert_eq!(endpoints(&harness).len(), 4);
}

/// The requests that CloudFormation got.
type Puts = Arc<Mutex<Vec<Request<Bytes>>>>;

/// Something that takes CloudFormation's answers, but not the first ones.
fn cloudformation(refused: usize) -> (Puts, Http) {
    let puts = Puts::default();
    let kept = Arc::clone(&puts);
    let left = Mutex::new(refused);
    let network = Http::Sandbox(Arc::new(move |request: Request<Bytes>| {
        let mut left = left.lock().unwrap();
        let status: u16 = if *left > 0 { 503 } else { 200 };
        *left = left.saturating_sub(1);
        kept.lock().unwrap().push(request);
        let answer = Response::builder().status(status).body(Bytes::new()).unwrap();
        Box::pin(async move { Ok(answer) })
    }));
    (puts, network)
}

fn asked(request_type: &str, name: Option<&str>) -> Value {
    let mut event = json!({"RequestType": request_type, "ResponseURL": ANSWERS, "StackId": "arn:stack",
        "RequestId": "request-1", "LogicalResourceId": "StripeEndpoint", "ResourceType": "Custom::StripeEndpoint"});
    if let Some(name) = name {
        event["PhysicalResourceId"] = json!(name);
    }
    event
}

/// The last answer that CloudFormation got.
fn answer(puts: &Puts) -> Value {
    let puts = puts.lock().unwrap();
    let last = puts.last().unwrap();
    assert_eq!((last.method().as_str(), last.uri().to_string().as_str()), ("PUT", ANSWERS));
    assert_eq!(last.headers()["content-type"], "");
    serde_json::from_slice(last.body()).unwrap()
}

#[tokio::test]
async fn cloudformation_is_answered_whatever_it_asks() {
    let (puts, network) = cloudformation(0);
    let harness = Harness::with_network(vec![], Some(network)).await;
    let deps = deps(&harness);
    let name = format!("voxanne-{}-stripe-endpoint", environment(&harness));
    for (request_type, given) in [("Create", None), ("Update", Some(name.as_str()))] {
        handle(&deps, asked(request_type, given)).await.unwrap();
        let said = answer(&puts);
        assert_eq!((&said["Status"], &said["PhysicalResourceId"]), (&json!("SUCCESS"), &json!(name)));
        let ids = (&said["StackId"], &said["RequestId"], &said["LogicalResourceId"]);
        assert_eq!(ids, (&json!("arn:stack"), &json!("request-1"), &json!("StripeEndpoint")));
        assert_registered(&harness);
    }
    harness.fault(("stripe", "*"), Mode::Refuse, 100);
    for request_type in ["Create", "Update", "Delete"] {
        handle(&deps, asked(request_type, None)).await.unwrap();
        let said = answer(&puts);
        assert_eq!((&said["Status"], &said["PhysicalResourceId"]), (&json!("FAILED"), &json!(name)));
        let reason = said["Reason"].as_str().unwrap();
        assert!(!reason.is_empty() && !reason.contains("400"), "{reason}");
    }
    harness.stack.faults.clear();
    handle(&deps, asked("Something", Some("theirs"))).await.unwrap();
    let said = answer(&puts);
    assert_eq!((&said["Status"], &said["PhysicalResourceId"]), (&json!("FAILED"), &json!("theirs")));
    let kept = stored(&harness);
    handle(&deps, asked("Delete", Some(&name))).await.unwrap();
    assert_eq!(answer(&puts)["Status"], "SUCCESS");
    assert_eq!((endpoints(&harness), stored(&harness)), (vec![], kept), "the secret stays");
    handle(&deps, asked("Delete", Some(&name))).await.unwrap();
    assert_eq!(answer(&puts)["Status"], "SUCCESS", "deleted twice");
    handle(&deps, asked("Create", None)).await.unwrap();
    assert_registered(&harness);
}

#[tokio::test]
async fn an_answer_that_is_not_taken_is_given_again_and_one_to_a_stranger_is_not_given() {
    let (puts, network) = cloudformation(2);
    let harness = Harness::with_network(vec![], Some(network)).await;
    handle(&deps(&harness), asked("Create", None)).await.unwrap();
    assert_eq!(puts.lock().unwrap().len(), 3);
    for url in
        ["https://example.com/x", "http://s3.amazonaws.com/x", "https://s3.amazonaws.com.evil.example/x", ""]
    {
        let mut event = asked("Delete", None);
        event["ResponseURL"] = json!(url);
        handle(&deps(&harness), event).await.unwrap_err();
    }
    assert_eq!(puts.lock().unwrap().len(), 3);
    assert_registered(&harness);
}

#[tokio::test]
async fn the_daily_check_heals_and_alarms_when_it_cannot() {
    let (alarms, _guard) = alarms();
    let harness = Harness::with_wallet(0, 600).await;
    check(&harness).await.unwrap();
    delete_at_stripe(&harness);
    check(&harness).await.unwrap();
    assert_registered(&harness);
    assert_eq!(alarms.names(), Vec::<String>::new());
    harness.fault(("stripe", "*"), Mode::Error, 100);
    check(&harness).await.unwrap_err();
    assert_eq!(alarms.names(), ["stripe_endpoint_failed"]);
    handle(&deps(&harness), json!({"task": "something"})).await.unwrap_err();
}

async fn check(harness: &Harness) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    handle(&deps(harness), json!({"task": "check"})).await
}

/// Counts the reads of secrets from now on.
fn count_reads(harness: &Harness) -> Arc<Mutex<usize>> {
    let reads = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&reads);
    harness.stack.aws.set_plan(move |sent| {
        if sent.operation == "GetSecretValue" {
            *counted.lock().unwrap() += 1;
        }
        Outcome::Pass
    });
    reads
}

#[tokio::test]
async fn a_changed_secret_is_known_with_the_first_message_it_signs_and_forgeries_read_nothing_more() {
    let harness = Harness::with_wallet(0, 600).await;
    let reads = count_reads(&harness);
    let reads = || *reads.lock().unwrap();
    let first = stored(&harness)["secret"].as_str().unwrap().to_owned();
    for _ in 0..10 {
        assert_eq!(post_signed(&harness, &first).await, 200);
    }
    assert_eq!(reads(), 1, "kept");
    for _ in 0..100 {
        assert_eq!(post_signed(&harness, "forged").await, 401);
    }
    assert_eq!(reads(), 1, "just read");
    harness.pass(5).await;
    for _ in 0..100 {
        assert_eq!(post_signed(&harness, "forged").await, 401);
    }
    assert_eq!(reads(), 2, "once in five seconds");
    harness.pass(5).await;
    let record = json!({"endpoint_id": "we_1", "secret": "whsec_next", "previous": []}).to_string();
    harness.stack.aws.secrets().put(&secret_ids(&harness)[1], &record);
    assert_eq!(post_signed(&harness, &first).await, 200, "nobody asked yet");
    assert_eq!(post_signed(&harness, "whsec_next").await, 200);
    assert_eq!(reads(), 3);
    assert_eq!(post_signed(&harness, &first).await, 401);
    harness.pass(300).await;
    assert_eq!(post_signed(&harness, "whsec_next").await, 200);
    assert_eq!(reads(), 4, "five minutes later");
}

#[tokio::test]
async fn vapis_secrets_are_read_again_too() {
    let harness = Harness::with_wallet(0, 600).await;
    let message = json!({"message": {"type": "speech-update"}});
    let [id, _] = secret_ids(&harness);
    let good = harness.stack.aws.secrets().get(&id).unwrap();
    harness.stack.aws.secrets().put(&id, r#"{"VAPI_WEBHOOK_SECRETS": "another"}"#);
    assert_eq!(harness.vapi(&message).await.0, 401);
    harness.stack.aws.secrets().put(&id, &good);
    assert_eq!(harness.vapi(&message).await.0, 401, "just read");
    harness.pass(5).await;
    assert_eq!(harness.vapi(&message).await.0, 200);
}

#[tokio::test]
async fn while_secrets_cannot_be_read_the_known_ones_serve_for_an_hour() {
    let harness = Harness::with_wallet(0, 600).await;
    let message = json!({"message": {"type": "speech-update"}});
    assert_eq!(harness.vapi(&message).await.0, 200);
    harness.stack.aws.set_plan(|sent| match sent.service.as_str() {
        "secretsmanager" => Outcome::Fail("InternalServiceError"),
        _ => Outcome::Pass,
    });
    harness.pass(3_599).await;
    assert_eq!(harness.vapi(&message).await.0, 200);
    harness.pass(1).await;
    let (status, problem) = harness.vapi(&message).await;
    assert_eq!((status, problem["code"].as_str()), (503, Some("webhook_not_configured")));
    harness.stack.aws.clear_plan();
    harness.pass(5).await;
    assert_eq!(harness.vapi(&message).await.0, 200);
}

#[test]
fn a_deployment_registers_anew_when_the_codes_version_changes() {
    let template = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml")).unwrap();
    assert!(template.contains(&format!("ApiVersion: \"{}\"", vendors::stripe::API_VERSION)));
}
