use http::{HeaderMap, HeaderValue};
use jiff::Timestamp;
use secrecy::SecretString;

use super::*;
use crate::signature::hmac_sha256;

const NOW: i64 = 1_800_000_000;

fn webhook(secrets: &[&str]) -> VapiWebhook {
    VapiWebhook { secrets: secrets.iter().map(|secret| SecretString::from(*secret)).collect() }
}

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

fn signed(secret: &str, stamp: &str, body: &[u8]) -> HeaderMap {
    let tag = hmac_sha256(&SecretString::from(secret), &[stamp.as_bytes(), b".", body]);
    let mut headers = HeaderMap::new();
    headers.insert(SIGNATURE_HEADER, HeaderValue::from_str(&hex::encode(tag)).unwrap());
    headers.insert(TIMESTAMP_HEADER, HeaderValue::from_str(stamp).unwrap());
    headers
}

#[test]
fn a_signature_is_believed_in_seconds_and_milliseconds_and_under_either_secret() {
    let webhook = webhook(&["new", "old"]);
    for stamp in [NOW.to_string(), (NOW * 1_000).to_string()] {
        for secret in ["new", "old"] {
            assert_eq!(webhook.verify(&signed(secret, &stamp, b"{}"), b"{}", now()), Ok(()));
        }
    }
}

#[test]
fn a_signature_that_is_old_future_forged_or_truncated_is_not_believed() {
    let webhook = webhook(&["new"]);
    let stamped = |offset: i64| signed("new", &(NOW + offset).to_string(), b"{}");
    assert_eq!(webhook.verify(&stamped(-300), b"{}", now()), Ok(()), "exactly five minutes is inside");
    assert_eq!(webhook.verify(&stamped(300), b"{}", now()), Ok(()));
    assert_eq!(webhook.verify(&stamped(-301), b"{}", now()), Err(Unverified::Stale));
    assert_eq!(webhook.verify(&stamped(301), b"{}", now()), Err(Unverified::Stale));
    assert_eq!(webhook.verify(&stamped(0), b"{ }", now()), Err(Unverified::Mismatch), "tampered");
    let wrong = signed("other", &NOW.to_string(), b"{}");
    assert_eq!(webhook.verify(&wrong, b"{}", now()), Err(Unverified::Mismatch));
    assert_eq!(webhook.verify(&HeaderMap::new(), b"{}", now()), Err(Unverified::Unsigned));
    let mut truncated = stamped(0);
    truncated.insert(SIGNATURE_HEADER, HeaderValue::from_static("abc"));
    assert_eq!(webhook.verify(&truncated, b"{}", now()), Err(Unverified::Malformed));
    truncated.insert(SIGNATURE_HEADER, HeaderValue::from_static("abcd"));
    assert_eq!(webhook.verify(&truncated, b"{}", now()), Err(Unverified::Mismatch));
    let mut undated = stamped(0);
    undated.remove(TIMESTAMP_HEADER);
    assert_eq!(webhook.verify(&undated, b"{}", now()), Err(Unverified::Malformed));
}

#[test]
fn the_plain_secret_is_believed_and_a_wrong_signature_is_not_saved_by_it() {
    let webhook = webhook(&["new", "old"]);
    let plain = |secret| {
        HeaderMap::from_iter([(
            http::HeaderName::from_static(SECRET_HEADER),
            HeaderValue::from_static(secret),
        )])
    };
    assert_eq!(webhook.verify(&plain("old"), b"{}", now()), Ok(()));
    assert_eq!(webhook.verify(&plain("nope"), b"{}", now()), Err(Unverified::Mismatch));
    let mut both = signed("other", &NOW.to_string(), b"{}");
    both.insert(SECRET_HEADER, HeaderValue::from_static("new"));
    assert_eq!(webhook.verify(&both, b"{}", now()), Err(Unverified::Mismatch));
}

#[test]
fn without_a_secret_nothing_is_believed() {
    for secrets in [&[][..], &[""], &[" "]] {
        let webhook = webhook(secrets);
        assert_eq!(
            webhook.verify(&signed("", &NOW.to_string(), b"{}"), b"{}", now()),
            Err(Unverified::NoSecret)
        );
    }
}

#[test]
fn only_vapis_own_urls_take_commands() {
    let http = Http::Sandbox(std::sync::Arc::new(|_| Box::pin(async { Err(HttpError::TimedOut) })));
    let vapi = Vapi::new(http, "https://api.vapi.ai", "key".into()).with_local_control_host("127.0.0.1:3000");
    for (url, ours) in [
        ("https://phone-call-websocket.aws-us-west-2-backend-production2.vapi.ai/c/control", true),
        ("https://vapi.ai/c", true),
        ("http://vapi.ai/c", false),
        ("https://evil.example/vapi.ai", false),
        ("https://notvapi.ai/c", false),
        ("https://vapi.ai.evil.example/c", false),
        ("https://vapi.ai@evil.example/c", false),
        ("https://user@vapi.ai/c", false),
        ("http://127.0.0.1:3000/c", true),
        ("http://127.0.0.1:3001/c", false),
        ("http://169.254.169.254/latest", false),
        ("not a url", false),
    ] {
        assert_eq!(vapi.is_ours_to_command(url), ours, "{url}");
    }
}

#[test]
fn vapis_own_record_of_a_call_is_whole_once_it_has_ended() {
    let call = |body: Value| serde_json::from_value::<VapiCall>(body).unwrap();
    let ended =
        call(json!({"id": "c", "status": "ended", "startedAt": null, "endedReason": "customer-busy"}));
    assert!(ended.testimony().is_record && ended.talks_since(now()).is_none());
    let live = call(json!({"id": "c", "status": "in-progress", "startedAt": "2026-01-01T00:00:00.000Z",
        "monitor": {"controlUrl": "https://x.vapi.ai/c"}}));
    assert!(!live.testimony().is_record && !live.is_ended());
    assert_eq!(live.control_url().as_deref(), Some("https://x.vapi.ai/c"));
    assert_eq!(live.talks_since(now()), Some("2026-01-01T00:00:00Z".parse().unwrap()));
    let undated = call(json!({"id": "c", "status": "in-progress"}));
    assert_eq!(undated.talks_since(now()), Some(now()), "it says that they talk, and not since when");
}

#[test]
fn a_refusals_message_is_one_short_line_without_phone_numbers() {
    let long = format!(r#"{{"message": "{}"}}"#, "x".repeat(500));
    for (body, expected) in [
        (r#"{"message": "Bad Request", "statusCode": 400}"#, "Bad Request"),
        (r#"{"message": ["name is too long", "x\nmust be set"]}"#, "name is too long x must be set"),
        (r#"{"message": "Number +15557266724 is taken"}"#, "Number +… is taken"),
        (r#"{"message": 7}"#, ""),
        (r#"["message"]"#, ""),
        ("<html>", ""),
        (long.as_str(), &"x".repeat(200)),
    ] {
        assert_eq!(refusal(body.as_bytes()), expected);
    }
}

#[test]
fn what_vapi_refuses_is_final_and_what_it_could_not_do_is_not() {
    let refused = VapiError::Refused { status: StatusCode::BAD_REQUEST, message: "no".into() };
    assert_eq!(refused.to_string(), "Vapi refused with status 400 Bad Request: no");
    for error in [refused, VapiError::NotFound, VapiError::ForeignControlUrl] {
        assert!(error.is_final(), "{error}");
    }
    let trouble = VapiError::Trouble { status: StatusCode::BAD_GATEWAY };
    for error in [trouble, VapiError::Unreachable(HttpError::TimedOut), VapiError::AnotherObject] {
        assert!(!error.is_final(), "{error}");
    }
}

#[test]
fn a_calls_carrier_sid_is_read_when_it_is_sound() {
    let call = |body: Value| serde_json::from_value::<VapiCall>(body).unwrap();
    let ours = call(json!({"id": "c", "phoneCallProviderId": "CA12"}));
    assert_eq!(ours.carrier_sid().as_deref(), Some("CA12"));
    for provider_id in [json!(null), json!(7), json!(""), json!("CA/12"), json!("C".repeat(65))] {
        let odd = call(json!({"id": "c", "phoneCallProviderId": provider_id}));
        assert_eq!(odd.carrier_sid(), None);
    }
}

#[test]
fn a_page_after_the_first_asks_for_what_is_older() {
    assert_eq!(page_query(&[], None), "limit=100");
    let second = page_query(&[("createdAtGe", "2026-01-01")], Some("2026-01-02T00:00:00.000Z"));
    assert_eq!(second, "limit=100&createdAtGe=2026-01-01&createdAtLe=2026-01-02T00%3A00%3A00.000Z");
}

#[test]
fn only_an_outbound_call_says_which_call_of_ours_it_is() {
    let intent = |kind: &str, call_id: Value| {
        let call = json!({"id": "c", "type": kind, "assistantOverrides": {"metadata": {"call_id": call_id}}});
        let body = json!({"message": {"type": "hang", "call": call}});
        message::Message::parse(&body).unwrap().call.unwrap().intent
    };
    let ours = domain::ids::CallId::parse("0ce83208").unwrap();
    assert_eq!(intent("outboundPhoneCall", json!("0ce83208")), Some(ours));
    assert_eq!(intent("inboundPhoneCall", json!("0ce83208")), None);
    for odd in [json!(null), json!(7), json!("a b"), json!("")] {
        assert_eq!(intent("outboundPhoneCall", odd), None);
    }
}
