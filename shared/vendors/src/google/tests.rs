use std::sync::{Arc, Mutex};

use domain::calendar::When;
use http::StatusCode;
use serde_json::{Value, json};

use super::*;

/// A client whose every request is answered so, and the requests.
fn answering(status: u16, body: &Value) -> (Google, Arc<Mutex<Vec<Request<Bytes>>>>) {
    let asked: Arc<Mutex<Vec<Request<Bytes>>>> = Arc::default();
    let (noted, body) = (Arc::clone(&asked), body.to_string());
    let http = Http::Sandbox(Arc::new(move |request| {
        noted.lock().unwrap().push(request);
        let body = Bytes::from(body.clone());
        Box::pin(async move { Ok(Response::builder().status(status).body(body).unwrap()) })
    }));
    let address = |host: &str| format!("http://{host}.sandbox");
    let addresses =
        Addresses { accounts: address("accounts"), tokens: address("oauth2"), api: address("www") };
    (Google::new(http, addresses, "client".into(), "secret".to_owned().into()), asked)
}

fn token() -> AccessToken {
    AccessToken("token-1".to_owned().into())
}

#[test]
fn each_refusal_has_its_own_meaning() {
    let body = |reason: &str, domain: &str| json!({"error": {"errors": [{"reason": reason, "domain": domain}], "code": 1}});
    let said = |status: u16, body: &Value| {
        let error = refusal(StatusCode::from_u16(status).unwrap(), body.to_string().as_bytes());
        let word = format!("{error:?}").split([' ', '(']).next().unwrap_or_default().to_owned();
        (word, error.is_transient())
    };
    let table = [
        (401, body("authError", "global"), "Unauthorized", true),
        (
            400,
            json!({"error": "invalid_grant", "error_description": "Token has been revoked."}),
            "InvalidGrant",
            false,
        ),
        (400, json!({"error": "invalid_request"}), "Refused", false),
        (400, body("timeRangeEmpty", "calendar"), "Refused", false),
        (403, body("rateLimitExceeded", "usageLimits"), "TooOften", true),
        (403, body("userRateLimitExceeded", "usageLimits"), "TooOften", true),
        (403, body("quotaExceeded", "usageLimits"), "TooOften", true),
        (403, body("insufficientPermissions", "global"), "Forbidden", false),
        (403, body("requiredAccessLevel", "calendar"), "Forbidden", false),
        (404, body("notFound", "global"), "NotFound", false),
        (409, body("duplicate", "global"), "AlreadyThere", false),
        (410, body("fullSyncRequired", "calendar"), "Gone", false),
        (412, body("conditionNotMet", "global"), "Changed", true),
        (429, body("rateLimitExceeded", "usageLimits"), "TooOften", true),
        (500, body("backendError", "global"), "Trouble", true),
        (503, json!("no JSON of theirs"), "Trouble", true),
    ];
    for (status, body, word, is_transient) in table {
        assert_eq!(said(status, &body), (word.to_owned(), is_transient), "{status} {body}");
    }
}

#[tokio::test]
async fn a_name_never_leads_to_another_path() {
    let (google, asked) = answering(200, &json!({"id": "e1"}));
    let calendar = "a/b?c#d@group.calendar.google.com";
    google.event(At { token: &token(), calendar }, "../x y").await.unwrap();
    let uri = asked.lock().unwrap()[0].uri().to_string();
    assert_eq!(
        uri,
        "http://www.sandbox/calendar/v3/calendars/a%2Fb%3Fc%23d%40group.calendar.google.com/events/..%2Fx%20y"
    );
}

#[tokio::test]
async fn an_event_is_read_with_what_makes_it_busy() {
    let told = |event: Value| async move {
        let (google, _) = answering(200, &event);
        google.event(At { token: &token(), calendar: "c" }, "e1").await.unwrap().unwrap()
    };
    let event = told(json!({"id": "e1", "etag": "\"1\"", "status": "confirmed", "eventType": "default",
        "start": {"dateTime": "2026-01-05T10:00:00+10:30"}, "end": {"dateTime": "2026-01-05T11:00:00+10:30"},
        "attendees": [{"self": true, "responseStatus": "declined"}, {"responseStatus": "accepted"}],
        "extendedProperties": {"private": {"voxanne_appointment": "a1", "voxanne_revision": "3", "voxanne_environment": "test"},
            "shared": {"x": "y"}}, "whatever": 1}))
    .await;
    assert!(event.is_declined && !event.is_cancelled && event.mark.unwrap().revision == 3);
    let When::Timed(interval) = event.when else { panic!("{:?}", event.when) };
    assert_eq!(interval.from, "2026-01-04T23:30:00Z".parse().unwrap());
    let event = told(json!({"id": "e1", "start": {"date": "2026-01-05"}, "end": {"date": "2026-01-07"},
        "transparency": "transparent", "recurrence": ["RRULE:FREQ=DAILY"], "recurringEventId": "m1",
        "extendedProperties": {"private": {"voxanne_appointment": "a/1"}}}))
    .await;
    assert!(event.is_transparent && event.is_series && event.series.as_deref() == Some("m1"));
    assert!(event.mark.is_none() && matches!(event.when, When::Days { .. }));
    let event = told(json!({"id": "e1", "status": "cancelled"})).await;
    assert!(event.is_cancelled && event.when == When::Unknown);
    let event = told(json!({"id": "e1", "start": {"dateTime": "soon"}, "end": {"date": "2026-01-07"}})).await;
    assert_eq!(event.when, When::Unknown);
}

#[test]
fn a_consent_is_asked_offline_anew_and_with_the_hash_of_its_verifier() {
    let (google, _) = answering(200, &json!({}));
    let verifier: SecretString = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned().into();
    let consent = Consent { state: "s 1", verifier: &verifier, redirect_uri: "https://api.example.com/cb" };
    let url = google.consent_url(&consent);
    // The challenge of RFC 7636, appendix B.
    assert!(
        url.contains("code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"),
        "{url}"
    );
    assert!(url.contains("access_type=offline&prompt=consent") && url.contains("state=s+1"), "{url}");
    assert!(!url.contains("dBjftJeZ4CVP"), "the verifier stays here");
}
