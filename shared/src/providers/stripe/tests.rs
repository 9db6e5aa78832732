use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::json;

use super::{
    event::{Event, Kind, Payment},
    *,
};
use crate::providers::signature::hmac_sha256;

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
}
