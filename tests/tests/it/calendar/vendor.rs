//! Every body that we send to Google is one that its API describes, and the sandbox refuses what Google refuses.

use super::*;
use bytes::Bytes;
use http::Request;
use jsonschema::Validator;
use sandbox::google::Received;
use tests::{papers, parts};

/// Our own schemas.
const SCHEMAS: &str = include_str!("../../../schemas/google.json");

fn kind_of(received: &Received) -> &'static str {
    let path = received.path.split('?').next().unwrap_or_default();
    match received.method.as_str() {
        "POST" if path.ends_with("/watch") => "Channel",
        "POST" if path.ends_with("/channels/stop") => "ChannelStop",
        "POST" if path.ends_with("/events") => "Event",
        "PATCH" => "EventChange",
        other => panic!("there is no schema for {other} {path}: write one in tests/schemas"),
    }
}

fn validator(kind: &str) -> Validator {
    let mut schema: Value = serde_json::from_str(SCHEMAS).unwrap();
    assert!(schema["$defs"][kind].is_object(), "{kind}");
    schema["$ref"] = json!(format!("#/$defs/{kind}"));
    jsonschema::validator_for(&schema).unwrap()
}

fn flaws(validator: &Validator, body: &Value) -> Vec<String> {
    validator.iter_errors(body).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// A flow that sends a body of each kind.
async fn everything_sent() -> Vec<Received> {
    let harness = connected().await;
    let one = book(&harness, MONDAY_TEN, "Ada Lovelace").await;
    harness.pass(60).await;
    move_to(&harness, &one, TUESDAY_TEN).await;
    harness.pass(60).await;
    harness.post("/api/google-oauth/revoke", &harness.owner(), "").await;
    harness.stack.google.received()
}

#[tokio::test]
async fn every_body_that_we_send_is_one_that_googles_api_describes() {
    let sent = everything_sent().await;
    for received in &sent {
        let kind = kind_of(received);
        assert_eq!(
            flaws(&validator(kind), &received.body),
            Vec::<String>::new(),
            "{kind}: {:#}",
            received.body
        );
        let is_event = kind.starts_with("Event");
        assert!(!is_event || received.path.contains("sendUpdates=none"), "{}", received.path);
    }
    for kind in ["Event", "EventChange", "Channel", "ChannelStop"] {
        assert!(sent.iter().any(|received| kind_of(received) == kind), "no {kind} was sent in this flow");
    }
}

#[tokio::test]
#[ignore = "needs the vendor's specification: VOXANNE_OPENAPI"]
async fn every_body_that_we_send_is_one_that_googles_own_specification_describes() {
    let mut specification = papers("VOXANNE_OPENAPI", "google-calendar.trimmed.json");
    for schema in specification["components"]["schemas"].as_object_mut().unwrap().values_mut() {
        if schema["properties"].is_object() && schema.get("additionalProperties").is_none() {
            schema["additionalProperties"] = json!(false);
        }
    }
    for received in everything_sent().await {
        let name = match kind_of(&received) {
            "Event" | "EventChange" => "Event",
            _ => "Channel",
        };
        let schema = json!({"$ref": format!("#/components/schemas/{name}"), "components": specification["components"]});
        let validator = jsonschema::validator_for(&schema).unwrap();
        // A null takes a field away in a change, which the specification does not say.
        let mut body = received.body.clone();
        for time in ["start", "end"] {
            if let Some(time) = body.get_mut(time).and_then(Value::as_object_mut) {
                time.retain(|_, value| !value.is_null());
            }
        }
        assert_eq!(flaws(&validator, &body), Vec::<String>::new(), "{name}: {body:#}");
    }
}

/// Asks the sandbox as the clinic's account does.
fn ask(
    harness: &Harness,
    token: &str,
    (method, path): (&str, &str),
    body: &Value,
    etag: Option<&str>,
) -> (u16, Value) {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("http://www.googleapis.sandbox/calendar/v3/{path}"))
        .header("authorization", format!("Bearer {token}"));
    if let Some(etag) = etag {
        request = request.header("if-match", etag);
    }
    let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    parts(&harness.stack.google.answer(&request.body(body).unwrap()))
}

/// An access token for some scopes of the account.
fn access(harness: &Harness, scopes: &str) -> String {
    let secret = harness.stack.platform.environment.reader();
    let (id, secret) =
        (secret.optional("GOOGLE_CLIENT_ID").unwrap(), secret.optional("GOOGLE_CLIENT_SECRET").unwrap());
    // The challenge and its verifier are those of RFC 7636, appendix B.
    let url = format!(
        "https://x/auth?client_id={id}&response_type=code&code_challenge_method=S256&state=s&redirect_uri=https://x/cb&scope={scopes}\
         &code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    );
    let back = harness.stack.google.consent(&url, Some(ACCOUNT), &[]).unwrap();
    let code = back.split("code=").nth(1).unwrap().split('&').next().unwrap();
    let form = format!(
        "grant_type=authorization_code&client_id={id}&client_secret={secret}&redirect_uri=https://x/cb&code={code}\
         &code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
    let request = Request::post("http://oauth2.googleapis.sandbox/token").body(Bytes::from(form)).unwrap();
    let (status, answer) = parts(&harness.stack.google.token_endpoint(&request));
    assert_eq!(status, 200, "{answer}");
    answer["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_sandbox_refuses_what_google_refuses() {
    let harness = Harness::empty(vec![]).await;
    let google = &harness.stack.google;
    google.add_account(ACCOUNT, "Europe/London");
    let scope = "https://www.googleapis.com/auth/calendar";
    let token = access(&harness, &format!("{scope}.events {scope}.calendarlist.readonly"));
    let events = format!("calendars/{ACCOUNT}/events");
    let event = |id: &str| json!({"id": id, "start": {"dateTime": "2026-01-12T10:00:00Z"}, "end": {"dateTime": "2026-01-12T11:00:00Z"}});
    let reason = |(status, answer): (u16, Value)| {
        let reason = answer["error"]["errors"][0]["reason"].as_str().unwrap_or_default().to_owned();
        (status, reason)
    };
    let post = |body: &Value| ask(&harness, &token, ("POST", &events), body, None);
    let (status, first) = post(&event("abc01"));
    assert_eq!(status, 200, "{first}");
    assert_eq!(reason(post(&event("abc01"))), (409, "duplicate".into()));
    assert_eq!(reason(post(&event("with-dash"))), (400, "invalid".into()));
    assert_eq!(reason(post(&event("abc"))), (400, "invalid".into()), "too short");
    assert_eq!(
        reason(post(&json!({"start": {"dateTime": "2026-01-12T10:00:00Z"}}))),
        (400, "required".into())
    );
    let mut backwards = event("abc02");
    backwards["end"]["dateTime"] = json!("2026-01-12T09:00:00Z");
    assert_eq!(reason(post(&backwards)), (400, "timeRangeEmpty".into()));
    let one = format!("{events}/abc01");
    let etag = first["etag"].as_str().unwrap();
    let patch = |etag: &str| ask(&harness, &token, ("PATCH", &one), &json!({"summary": "x"}), Some(etag));
    let (status, second) = patch(etag);
    assert_eq!((status, second["etag"] != first["etag"]), (200, true));
    assert_eq!(reason(patch(etag)), (412, "conditionNotMet".into()));
    let (_, page) = ask(&harness, &token, ("GET", &events), &Value::Null, None);
    let sync = page["nextSyncToken"].as_str().unwrap();
    let with = |query: &str| ask(&harness, &token, ("GET", &format!("{events}?{query}")), &Value::Null, None);
    let filtered = format!("syncToken={sync}&timeMin=2026-01-01T00:00:00Z");
    assert_eq!(reason(with(&filtered)), (400, "badRequest".into()));
    assert_eq!(ask(&harness, &token, ("DELETE", &one), &Value::Null, None).0, 204);
    assert_eq!(reason(ask(&harness, &token, ("DELETE", &one), &Value::Null, None)), (410, "deleted".into()));
    assert_eq!(reason(post(&event("abc01"))), (409, "duplicate".into()), "a deleted id stays taken");
    let (_, changes) = with(&format!("syncToken={sync}"));
    assert_eq!(changes["items"][0]["status"], "cancelled", "{changes}");
    google.expire_sync_tokens(ACCOUNT);
    assert_eq!(reason(with(&format!("syncToken={sync}"))), (410, "fullSyncRequired".into()));
    assert_eq!(
        reason(with("timeMin=2026-01-02T00:00:00Z&timeMax=2026-01-01T00:00:00Z")),
        (400, "timeRangeEmpty".into())
    );
    let watch = json!({"id": "c1", "type": "web_hook", "address": "http://x/hook"});
    let watched = ask(&harness, &token, ("POST", &format!("{events}/watch")), &watch, None);
    assert_eq!(reason(watched), (400, "webhookUrlNotHttps".into()));
    assert_eq!(
        reason(ask(&harness, "another", ("GET", &events), &Value::Null, None)),
        (401, "authError".into())
    );
    let narrow = access(&harness, &format!("{scope}.calendarlist.readonly"));
    assert_eq!(
        reason(ask(&harness, &narrow, ("GET", &events), &Value::Null, None)),
        (403, "insufficientPermissions".into())
    );
    let other = ask(&harness, &token, ("GET", "calendars/nobody@x.example/events"), &Value::Null, None);
    assert_eq!(reason(other), (404, "notFound".into()));
    let mut refusals = (0..700).map(|_| reason(ask(&harness, &token, ("GET", &events), &Value::Null, None)));
    assert!(refusals.any(|refusal| refusal == (403, "rateLimitExceeded".into())), "600 a minute and account");
    harness.pass(3_700).await;
    assert_eq!(
        reason(ask(&harness, &token, ("GET", &events), &Value::Null, None)).0,
        401,
        "a token lasts an hour"
    );
}

#[tokio::test]
async fn the_sandboxs_page_shows_what_is_asked_for_and_takes_what_is_ticked() {
    let harness = clinic().await;
    let google = &harness.stack.google;
    google.add_account(ACCOUNT, "Europe/London");
    let url = authorize(&harness, ORG).await;
    assert!(url.starts_with("http://127.0.0.1:3000/_sandbox/google/o/oauth2/v2/auth?"), "{url}");
    let request = |method: &str, body: &str| {
        Request::builder().method(method).uri(&url).body(Bytes::from(body.to_owned())).unwrap()
    };
    let page = google.consent_page(&request("GET", ""));
    let text = String::from_utf8_lossy(page.body()).into_owned();
    assert!(text.contains(ACCOUNT) && text.matches("type=checkbox").count() == 2, "{text}");
    let ticked = "act=allow&account=front.desk%40rahman-clinic.example&scope=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcalendar.events";
    let back = google.consent_page(&request("POST", ticked));
    let to = back.headers()["location"].to_str().unwrap();
    assert!(to.starts_with("http://127.0.0.1:3000/api/google-oauth/callback?"), "a browser gets there: {to}");
    assert_eq!(returns(&harness, to).await, "error=scopes_missing");
    let denied = google.consent_page(&request("POST", "act=deny"));
    assert!(denied.headers()["location"].to_str().unwrap().contains("error=access_denied"));
    let foreign = url.replace("client_id=", "client_id=x");
    let request = Request::get(foreign).body(Bytes::new()).unwrap();
    assert_eq!(google.consent_page(&request).status(), 400);
}
