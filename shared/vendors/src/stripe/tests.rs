use std::sync::{Arc, Mutex};

use http::{HeaderMap, HeaderValue, StatusCode};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{
    event::{Event, Kind, Payment},
    events::TYPES,
    *,
};
use crate::signature::hmac_sha256;
use domain::ids::{EpisodeId, EventId, StackMark};

const NOW: i64 = 1_800_000_000;

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn tag(secret: &str, at: i64, body: &[u8]) -> String {
    hex::encode(hmac_sha256(&SecretString::from(secret), &[at.to_string().as_bytes(), b".", body]))
}

fn header(value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(SIGNATURE_HEADER, HeaderValue::from_str(value).unwrap());
    headers
}

#[test]
fn any_v1_of_any_secret_is_believed_within_five_minutes_either_way() {
    let webhook = StripeWebhook { secrets: vec!["new".into(), "old".into()] };
    let good = |at: i64| format!("t={at},v1={}", tag("old", at, b"{}"));
    let cases = [
        (good(NOW), Ok(())),
        (good(NOW - 300), Ok(())),
        (good(NOW + 300), Ok(())),
        (good(NOW - 301), Err(Unverified::Stale)),
        (good(NOW + 301), Err(Unverified::Stale)),
        (format!("t={NOW},v1={},v1={},v0=x", "00".repeat(32), tag("new", NOW, b"{}")), Ok(())),
        (format!("t={NOW},v1={}", tag("new", NOW, b"{ }")), Err(Unverified::Mismatch)),
        (format!("t={NOW},v1={}", tag("other", NOW, b"{}")), Err(Unverified::Mismatch)),
        (format!("t={NOW},v0={}", tag("new", NOW, b"{}")), Err(Unverified::Malformed)),
        (format!("v1={}", tag("new", NOW, b"{}")), Err(Unverified::Malformed)),
        (format!("t={NOW},v1=abc"), Err(Unverified::Malformed)),
        ("nonsense".into(), Err(Unverified::Malformed)),
    ];
    for (value, expected) in cases {
        assert_eq!(webhook.verify(&header(&value), b"{}", now()), expected, "{value}");
    }
    assert_eq!(webhook.verify(&HeaderMap::new(), b"{}", now()), Err(Unverified::Unsigned));
    let unset = StripeWebhook { secrets: vec!["".into()] };
    assert_eq!(unset.verify(&header(&good(NOW)), b"{}", now()), Err(Unverified::NoSecret));
}

fn kind(type_name: &str, object: &serde_json::Value) -> Kind {
    let body = json!({"id": "evt_1", "type": type_name, "data": {"object": object}});
    Event::parse(body.to_string().as_bytes()).unwrap().kind
}

#[test]
fn events_name_their_payment_wherever_it_stands() {
    let intent = || PaymentIntentId::parse("pi_1").unwrap();
    let paid = json!({"payment_status": "paid", "payment_intent": "pi_1"});
    let unpaid = json!({"payment_status": "unpaid", "payment_intent": "pi_1"});
    assert_eq!(kind("checkout.session.completed", &paid), Kind::SessionPaid(intent()));
    assert_eq!(kind("checkout.session.completed", &unpaid), Kind::Other, "W9: not paid yet");
    assert_eq!(kind("checkout.session.async_payment_succeeded", &paid), Kind::SessionPaid(intent()));
    assert_eq!(kind("checkout.session.async_payment_failed", &paid), Kind::Other);
    let by_intent = Kind::Reversed(Payment::Intent(intent()));
    assert_eq!(
        kind("charge.refunded", &json!({"object": "charge", "id": "ch_1", "payment_intent": "pi_1"})),
        by_intent
    );
    assert_eq!(kind("refund.updated", &json!({"payment_intent": {"id": "pi_1"}})), by_intent);
    let by_charge = Kind::Reversed(Payment::Charge("ch_1".into()));
    assert_eq!(
        kind("charge.dispute.created", &json!({"charge": {"id": "ch_1"}, "payment_intent": null})),
        by_charge
    );
    assert_eq!(kind("charge.refunded", &json!({"object": "charge", "id": "ch_1"})), by_charge);
    assert_eq!(kind("invoice.paid", &json!({})), Kind::Other);
    let warning = json!({"object": "radar.early_fraud_warning", "id": "issfr_1", "charge": "ch_1",
        "payment_intent": "pi_1"});
    let warned = Kind::Warned { warning: "issfr_1".into(), payment: Payment::Intent(intent()) };
    assert_eq!(kind("radar.early_fraud_warning.created", &warning), warned);
}

#[test]
fn an_event_of_a_list_reads_as_one_that_was_posted() {
    for type_name in ["payment_intent.payment_failed", "payment_intent.canceled"] {
        let event = json!({"id": "evt_1", "type": type_name, "data": {"object":
            {"id": "pi_1", "status": "canceled", "currency": "gbp", "metadata": {"voxanne_episode": "ep_1"},
                "last_payment_error": {"code": "card_declined", "decline_code": "insufficient_funds"}}}});
        let read = Event::of(&event).unwrap();
        assert_eq!(read, Event::parse(event.to_string().as_bytes()).unwrap());
        let Kind::PaymentFailed(payment) = read.kind else { panic!("{type_name}") };
        assert_eq!(payment.episode(), EpisodeId::parse("ep_1").ok());
        assert_eq!(payment.failure_code(), "insufficient_funds");
        assert_eq!(payment.action_url(), None);
    }
    assert!(Event::of(&json!({"id": "evt_1"})).is_err());
}

#[test]
fn every_type_we_ask_for_is_one_that_we_read() {
    let object = json!({"id": "pi_1", "status": "succeeded", "currency": "gbp", "payment_status": "paid",
        "payment_intent": "pi_1"});
    for type_name in TYPES {
        assert_ne!(kind(type_name, &object), Kind::Other, "{type_name}");
    }
}

#[test]
fn a_refusal_says_whether_asking_again_can_help() {
    let card = json!({"error": {"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds",
        "payment_intent": {"id": "pi_1", "status": "requires_payment_method"}}});
    let bank = json!({"error": {"type": "card_error", "code": "authentication_required"}});
    let parameter = json!({"error": {"type": "invalid_request_error", "code": "resource_missing"}});
    let key = json!({"error": {"type": "idempotency_error"}});
    let cases = [
        (402, &card, "the card was declined: insufficient_funds", false, true),
        (402, &bank, "the card was declined: authentication_required", false, true),
        (400, &parameter, "Stripe refused with status 400 Bad Request: resource_missing", false, true),
        (400, &key, "Stripe refused with status 400 Bad Request: idempotency_error", false, false),
        (404, &parameter, "Stripe does not know it", false, true),
        (409, &key, "Stripe answered with status 409 Conflict", true, false),
        (500, &json!("?"), "Stripe answered with status 500 Internal Server Error", true, false),
    ];
    for (status, body, sentence, is_transient, is_final) in cases {
        let error = refusal(StatusCode::from_u16(status).unwrap(), body.to_string().as_bytes());
        assert_eq!(error.to_string(), sentence);
        assert_eq!((error.is_transient(), error.is_final()), (is_transient, is_final), "{sentence}");
    }
    let declined = refusal(StatusCode::PAYMENT_REQUIRED, card.to_string().as_bytes());
    let StripeError::Declined { payment_intent, .. } = declined else { panic!("{declined}") };
    assert_eq!(payment_intent.unwrap().as_str(), "pi_1");
}

#[test]
fn only_what_stripe_says_of_the_card_its_method_or_its_customer_is_of_the_card() {
    // V10. `None` is a refusal without a code.
    let refused = |code: Option<&str>, param: Option<&str>| {
        let body = json!({"error": {"type": "invalid_request_error", "code": code, "param": param}});
        refusal(StatusCode::BAD_REQUEST, body.to_string().as_bytes())
    };
    for (code, param) in [
        ("resource_missing", Some("payment_method")),
        ("resource_missing", Some("customer")),
        ("payment_method_unexpected_state", None),
        ("payment_method_provider_decline", None),
        ("payment_method_customer_decline", None),
        ("payment_intent_authentication_failure", None),
        ("authentication_required", None),
        ("expired_card", Some("exp_year")),
        ("card_declined", None),
        ("missing", None),
    ] {
        let error = refused(Some(code), param);
        assert!(error.is_of_the_card(), "{error}");
        assert_eq!(error.is_customer_gone(), param == Some("customer"), "{error}");
    }
    for (code, param) in [
        (None, None),
        (Some("resource_missing"), None),
        (Some("resource_missing"), Some("return_url")),
        (Some("amount_too_small"), Some("amount")),
        (Some("amount_too_large"), Some("amount")),
        (Some("parameter_unknown"), Some("payment_method")),
        (Some("parameter_missing"), Some("payment_method")),
        (Some("url_invalid"), Some("return_url")),
        (Some("payment_method_unactivated"), Some("payment_method_types")),
        (Some("testmode_charges_only"), None),
        (Some("processing_error"), None),
        (Some("idempotency_error"), None),
    ] {
        let error = refused(code, param);
        assert!(!error.is_of_the_card() && !error.is_customer_gone(), "{error}");
    }
    let key = refusal(StatusCode::UNAUTHORIZED, b"{}");
    assert!(!key.is_of_the_card(), "{key}");
}

#[test]
fn what_a_dispute_moved_is_told_in_the_payments_pence() {
    let moved = |id: &str, amount: i64, currency: Currency| BalanceTransaction {
        id: domain::ids::BalanceTransactionId::parse(id).unwrap(),
        amount,
        currency,
    };
    let dispute = |currency: Option<Currency>, moved: &[BalanceTransaction]| Dispute {
        id: domain::ids::DisputeId::parse("dp_1").unwrap(),
        status: DisputeStatus::Lost,
        amount: 2_000,
        currency,
        balance_transactions: moved.to_vec(),
    };
    let told = |dispute: &Dispute| -> Vec<Option<i64>> {
        dispute.balance_transactions.iter().map(|moved| dispute.pence_of(moved)).collect()
    };
    let pounds = dispute(None, &[moved("txn_1", -1_900, Currency::Gbp), moved("txn_2", 700, Currency::Gbp)]);
    assert_eq!(told(&pounds), [Some(-1_900), Some(700)], "as it is");
    let elsewhere = [moved("txn_1", -2_400, Currency::Other), moved("txn_2", 1_200, Currency::Other)];
    assert_eq!(told(&dispute(Some(Currency::Gbp), &elsewhere)), [Some(-2_000), Some(1_000)], "by its share");
    assert_eq!(told(&dispute(Some(Currency::Other), &elsewhere)), [None, None]);
    let given = [moved("txn_1", -2_400, Currency::Other), moved("txn_2", 2_500, Currency::Other)];
    assert_eq!(told(&dispute(Some(Currency::Gbp), &given))[1], Some(2_000), "no more than was disputed");
    let nothing = [moved("txn_1", 500, Currency::Other)];
    assert_eq!(told(&dispute(Some(Currency::Gbp), &nothing)), [None], "nothing was taken");
}

#[tokio::test]
async fn checkout_is_by_card_and_asks_for_an_invoice() {
    let made = json!({"id": "cs_1", "status": "open", "url": "https://pay.example/1", "created": NOW});
    let (stripe, asked) = answered(&[(200, made)]);
    let top_up = TopUp {
        customer: &CustomerId::parse("cus_1").unwrap(),
        amount: Amount::from_pence(2_500),
        success_url: "https://app.example/ok",
        cancel_url: "https://app.example/no",
        fingerprint: "f",
        idempotency_key: "k",
    };
    stripe.create_session(&top_up).await.unwrap();
    let body = asked.lock().unwrap()[0].2.clone();
    for part in ["payment_method_types%5B%5D=card", "invoice_creation%5Benabled%5D=true", "customer=cus_1"] {
        assert!(body.split('&').any(|pair| pair == part), "{part}: {body}");
    }
}

/// A request that was sent: its method, its path with query, its body.
type Asked = Arc<Mutex<Vec<(Method, String, String)>>>;

/// Returns a client of a server that gives `answers`, one after another.
fn answered(answers: &[(u16, Value)]) -> (Stripe, Asked) {
    let asked = Asked::default();
    let left = Arc::new(Mutex::new(answers.to_vec()));
    let notes = Arc::clone(&asked);
    let http = Http::Sandbox(Arc::new(move |request| {
        let path = request.uri().path_and_query().unwrap().to_string();
        let body = String::from_utf8(request.body().to_vec()).unwrap();
        notes.lock().unwrap().push((request.method().clone(), path, body));
        let (status, body) = left.lock().unwrap().remove(0);
        let mut answer = http::Response::new(Bytes::from(body.to_string()));
        *answer.status_mut() = StatusCode::from_u16(status).unwrap();
        Box::pin(async move { Ok(answer) })
    }));
    (Stripe::new(http, "https://api.stripe.com", "key".into(), "test"), asked)
}

#[tokio::test]
async fn events_are_listed_page_by_page() {
    let page = |ids: &[&str], has_more: bool| {
        let events: Vec<Value> = ids.iter().map(|id| json!({"id": id})).collect();
        (200, json!({"data": events, "has_more": has_more}))
    };
    let (stripe, asked) =
        answered(&[page(&["evt_3", "evt_2"], true), page(&["evt_1"], false), page(&["no id"], true)]);
    let first = stripe.events(now(), None).await.unwrap();
    assert_eq!(first.events.len(), 2);
    assert_eq!(first.next, EventId::parse("evt_2").ok());
    let second = stripe.events(now(), first.next.as_ref()).await.unwrap();
    assert_eq!((second.events.len(), second.next), (1, None));
    assert!(stripe.events(now(), None).await.is_err(), "the older ones are not passed over");
    let asked = asked.lock().unwrap();
    assert!(asked[0].1.starts_with("/v1/events?created%5Bgte%5D=1800000000&limit=100&types%5B%5D=checkout."));
    assert!(!asked[0].1.contains("starting_after") && asked[1].1.ends_with("&starting_after=evt_2"));
}

#[tokio::test]
async fn a_saved_card_is_charged_and_its_payments_are_found_again() {
    let customer = CustomerId::parse("cus_1").unwrap();
    let episode = EpisodeId::parse("ep_1").unwrap();
    let payment = |id: &str, episode: &str| {
        json!({"id": id, "status": "requires_action", "currency": "gbp", "created": NOW,
            "next_action": {"type": "redirect_to_url", "redirect_to_url": {"url": "https://bank.example/1"}},
            "metadata": {"voxanne_environment": "test", "voxanne_episode": episode}})
    };
    let list =
        json!({"data": [payment("pi_2", "ep_2"), payment("pi_1", "ep_1"), payment("pi_0", "not an id")]});
    let (stripe, asked) = answered(&[(200, payment("pi_1", "ep_1")), (200, list)]);
    let charge = CardCharge {
        customer: &customer,
        payment_method: "pm_1",
        amount: Amount::from_pence(2_500),
        episode: &episode,
        return_url: "https://app.example/wallet",
        idempotency_key: "ep_1#1",
    };
    let made = stripe.charge_card(&charge).await.unwrap();
    assert_eq!(made.action_url(), Some("https://bank.example/1"));
    let found = stripe.episode_payments(&customer, &episode, now()).await.unwrap();
    assert_eq!(found, [made]);
    let asked = asked.lock().unwrap();
    assert_eq!(
        asked[0].2,
        "amount=2500&currency=gbp&customer=cus_1&payment_method=pm_1&payment_method_types%5B%5D=card&off_session=true&confirm=true\
         &return_url=https%3A%2F%2Fapp.example%2Fwallet&metadata%5Bvoxanne_environment%5D=test\
         &metadata%5Bvoxanne_episode%5D=ep_1"
    );
    assert_eq!(asked[1].1, "/v1/payment_intents?customer=cus_1&created%5Bgte%5D=1800000000&limit=100");
}

#[tokio::test]
async fn only_this_environments_endpoints_are_seen_and_one_that_is_gone_is_deleted() {
    let endpoint = |id: &str, environment: &str| {
        json!({"id": id, "url": "https://a.example/hook", "enabled_events": ["*"], "api_version": null,
            "status": "enabled", "metadata": {"voxanne_environment": environment}})
    };
    let mut made = endpoint("we_3", "test");
    made["secret"] = json!("whsec_1");
    let list = json!({"data": [endpoint("we_1", "test"), endpoint("we_2", "production")]});
    let gone = json!({"error": {"code": "resource_missing"}});
    let (stripe, asked) = answered(&[(200, list), (200, made), (404, gone)]);
    let found = stripe.webhook_endpoints().await.unwrap();
    assert_eq!(found.iter().map(|endpoint| endpoint.id.as_str()).collect::<Vec<_>>(), ["we_1"]);
    let stack = StackMark::new(uuid::Uuid::nil());
    let (made, secret) =
        stripe.create_webhook_endpoint("https://a.example/hook", stack, "key").await.unwrap();
    assert_eq!((made.id.as_str(), secret.expose_secret()), ("we_3", "whsec_1"));
    stripe.delete_webhook_endpoint("we_1").await.unwrap();
    let asked = asked.lock().unwrap();
    assert_eq!(asked[0].1, "/v1/webhook_endpoints?limit=100");
    assert_eq!(asked[1].2.matches("enabled_events%5B%5D=").count(), TYPES.len());
    assert!(asked[1].2.contains("metadata%5Bvoxanne_stack%5D=00000000-0000-0000-0000-000000000000"));
    assert_eq!((&asked[2].0, asked[2].1.as_str()), (&Method::DELETE, "/v1/webhook_endpoints/we_1"));
}

#[test]
fn a_header_of_many_tags_makes_no_more_work_than_one_of_ten() {
    // L1: what is no tag is left out, and of the others ten are compared with one hash of the body.
    let webhook = StripeWebhook { secrets: vec![SecretString::from("whsec_1")] };
    let body = b"{}";
    let verified = |tags: &[String]| {
        let text = tags.iter().fold(format!("t={NOW}"), |text, tag| format!("{text},v1={tag}"));
        webhook.verify(&header(&text), body, now())
    };
    let (right, wrong) = (tag("whsec_1", NOW, body), "0".repeat(64));
    let with_right_at = |at: usize| {
        let mut tags = vec![wrong.clone(); 1_600];
        tags[at].clone_from(&right);
        tags
    };
    assert_eq!(verified(&with_right_at(9)), Ok(()));
    assert_eq!(verified(&with_right_at(10)), Err(Unverified::Mismatch), "the eleventh is not looked at");
    let noise = vec!["v".to_owned(), "ab".repeat(5_000), right.clone()];
    assert_eq!(verified(&noise), Ok(()), "what is no tag takes no place");
    assert_eq!(crate::signature::tags(with_right_at(0).iter().map(String::as_str)).len(), 10);
}
