//! The issuer of the dashboard's tokens: our client on its sandbox, what the sandbox does as `GoTrue` does, and that its tokens are the
//! ones that our API takes.

use base::clock::Clock;
use base::config::SupabaseSettings;
use bytes::Bytes;
use domain::{
    email::EmailAddress,
    ids::{OrgId, UserId},
};
use http::{Request, Response};
use jiff::SignedDuration;
use local::stack::PUBLISHABLE_KEY;
use sandbox::faults::{Fault, Mode};
use serde_json::{Value, json};
use tests::{Harness, ORG, parts};
use vendors::supabase::{Membership, Supabase, SupabaseError};

const ADA: &str = "ada@hill-street.example";
const PASSWORD: &str = "correct horse battery";
/// The example of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(crate) fn client(harness: &Harness) -> Supabase {
    let platform = &harness.stack.platform;
    let mut reader = platform.environment.reader();
    let settings = SupabaseSettings::read(&mut reader);
    reader.finish().unwrap();
    platform.supabase(&settings)
}

pub(crate) fn address(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

/// Sends a request to the issuer, as a browser or the console would.
fn ask(harness: &Harness, (method, place): (&str, &str), token: &str, body: &Value) -> Response<Bytes> {
    let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    let request = Request::builder()
        .method(method)
        .uri(format!("http://auth.supabase.sandbox/auth/v1/{place}"))
        .header("apikey", PUBLISHABLE_KEY)
        .header("authorization", format!("Bearer {token}"))
        .body(body);
    harness.stack.supabase.answer(&request.unwrap())
}

fn post(harness: &Harness, place: &str, body: &Value) -> (u16, Value) {
    parts(&ask(harness, ("POST", place), "", body))
}

fn refresh(harness: &Harness, token: &Value) -> (u16, Value) {
    post(harness, "token?grant_type=refresh_token", &json!({ "refresh_token": token }))
}

fn by_password(harness: &Harness, email: &str, password: &str) -> (u16, Value) {
    post(harness, "token?grant_type=password", &json!({"email": email, "password": password}))
}

/// What the issuer's word for a refusal was.
fn word((status, body): &(u16, Value)) -> (u16, &str) {
    (*status, body["error_code"].as_str().unwrap_or("none"))
}

/// A stack on which Ada has an account, has shown that it is hers, and has a password.
async fn with_ada(role: &str) -> Harness {
    let harness = Harness::with_wallet(2_500, 600).await;
    harness.stack.supabase.add_account(ADA, PASSWORD, &json!({"org_id": ORG, "role": role}));
    harness
}

fn location(answer: &Response<Bytes>) -> String {
    assert_eq!(answer.status(), 303);
    answer.headers()["location"].to_str().unwrap().to_owned()
}

fn value_of(address: &str, name: &str) -> String {
    let (_, pairs) = address.split_once(['#', '?']).unwrap();
    let found = url::form_urlencoded::parse(pairs.as_bytes()).find(|(key, _)| key == name);
    found.unwrap_or_else(|| panic!("{name} in {address}")).1.into_owned()
}

#[tokio::test]
async fn an_account_is_made_invited_takes_the_invitation_and_is_let_in() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let (client, ada) = (client(&harness), address(ADA));
    let org = ORG.to_string();
    let membership = Membership { org_id: &org, role: "owner" };
    assert_eq!(client.find(&ada).await.unwrap(), None);
    let made = client.create(&ada, &membership).await.unwrap();
    assert!(made.is(&membership) && !made.is_confirmed() && made.invited_at.is_none(), "{made:?}");
    assert!(harness.stack.supabase.letters().is_empty(), "nobody was told yet");
    let again = client.create(&ada, &membership).await;
    assert!(matches!(again, Err(SupabaseError::EmailExists)), "{again:?}");
    // Nothing signs her in before she has shown that the address is hers.
    let link = json!({"type": "invite", "token_hash": "guessed"});
    assert_eq!(word(&post(&harness, "verify", &link)), (403, "otp_expired"));

    let invited = client.invite(&ada, Some("https://console.example/welcome")).await.unwrap();
    assert!(invited.invited_at.is_some() && invited.id == made.id && invited.is(&membership));
    let letter = harness.stack.supabase.letters().pop().unwrap();
    assert_eq!((letter.to.as_str(), letter.kind.as_str()), (ADA, "invite"));
    let followed = Request::get(&letter.link).body(Bytes::new()).unwrap();
    let path = letter.link.split_once("/_sandbox/supabase/auth/v1/").unwrap().1.to_owned();
    assert_eq!(followed.uri().host(), Some("127.0.0.1"));
    let place = location(&ask(&harness, ("GET", &path), "", &Value::Null));
    assert!(place.starts_with("https://console.example/welcome#"), "{place}");
    let token = value_of(&place, "access_token");
    let (status, wallet) = harness.get("/api/billing/wallet", &token).await;
    assert_eq!((status, &wallet["available_pence"]), (200, &json!(2_500)), "{wallet}");
    // A link is good once.
    let place = location(&ask(&harness, ("GET", &path), "", &Value::Null));
    assert_eq!(value_of(&place, "error_code"), "otp_expired");
    // She chooses a password, and signs in by it.
    let (status, _) = parts(&ask(&harness, ("PUT", "user"), &token, &json!({"password": PASSWORD})));
    assert_eq!(status, 200);
    assert_eq!(by_password(&harness, ADA, PASSWORD).0, 200);
    let found = client.find(&address("ADA@hill-street.example")).await.unwrap().unwrap();
    assert!(found.is_confirmed() && found.last_sign_in_at.is_some());
    // Who has confirmed is not invited.
    assert!(matches!(client.invite(&ada, None).await, Err(SupabaseError::EmailExists)));
}

#[tokio::test]
async fn what_an_accounts_tokens_say_changes_with_the_next_that_it_is_given() {
    let harness = with_ada("owner").await;
    let client = client(&harness);
    let (_, session) = by_password(&harness, ADA, PASSWORD);
    let id = UserId::parse(session["user"]["id"].as_str().unwrap()).unwrap();
    let org = ORG.to_string();
    let staff = Membership { org_id: &org, role: "staff" };
    let changed = client.set_membership(&id, Some(&staff)).await.unwrap();
    assert!(changed.is(&staff), "{changed:?}");
    let (_, session) = refresh(&harness, &session["refresh_token"]);
    let (status, problem) =
        harness.get("/api/billing/wallet", session["access_token"].as_str().unwrap()).await;
    assert_eq!((status, &problem["code"]), (403, &json!("forbidden")), "staff sees no money");
    client.set_membership(&id, None).await.unwrap();
    let (_, session) = refresh(&harness, &session["refresh_token"]);
    let (status, problem) = harness.get("/api/appointments", session["access_token"].as_str().unwrap()).await;
    assert_eq!((status, &problem["code"]), (403, &json!("no_org")));
    client.delete(&id).await.unwrap();
    client.delete(&id).await.unwrap();
    assert_eq!(client.get(&id).await.unwrap(), None);
    assert_eq!(word(&refresh(&harness, &session["refresh_token"])), (400, "refresh_token_not_found"));
    let gone = client.set_membership(&id, Some(&staff)).await;
    assert!(matches!(gone, Err(SupabaseError::NotFound)), "{gone:?}");
}

#[tokio::test]
async fn a_refresh_token_is_good_once_and_one_that_was_stolen_ends_the_session() {
    let harness = with_ada("owner").await;
    let (_, first) = by_password(&harness, ADA, PASSWORD);
    let (status, second) = refresh(&harness, &first["refresh_token"]);
    assert_eq!(status, 200);
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    // The answer was lost: the same one again gives the same successor, however late.
    harness.clock.turn_to(harness.clock.now() + SignedDuration::from_mins(5));
    let (status, again) = refresh(&harness, &first["refresh_token"]);
    assert_eq!((status, &again["refresh_token"]), (200, &second["refresh_token"]));
    // Its successor has been used since: whoever shows it now has stolen it, or was stolen from.
    let (_, third) = refresh(&harness, &second["refresh_token"]);
    harness.clock.turn_to(harness.clock.now() + SignedDuration::from_secs(11));
    assert_eq!(word(&refresh(&harness, &first["refresh_token"])), (400, "refresh_token_already_used"));
    assert_eq!(word(&refresh(&harness, &third["refresh_token"])).0, 400, "nobody keeps the session");
    assert_eq!(word(&refresh(&harness, &json!("made-up"))), (400, "refresh_token_not_found"));
}

#[tokio::test]
async fn a_link_to_sign_in_by_is_for_the_browser_that_asked_and_for_a_day() {
    let harness = with_ada("admin").await;
    let otp = |body: Value| post(&harness, "otp", &body);
    let asked = json!({"email": ADA, "code_challenge": CHALLENGE, "code_challenge_method": "s256", "create_user": false});
    assert_eq!(otp(asked.clone()).0, 200);
    let (status, problem) = otp(asked.clone());
    assert_eq!(
        (status, problem["msg"].as_str().unwrap()),
        (429, "For security purposes, you can only request this after 60 seconds.")
    );
    let path = |letter: &sandbox::supabase::Letter| letter.link.split_once("/auth/v1/").unwrap().1.to_owned();
    let letter = harness.stack.supabase.letters().pop().unwrap();
    let place = location(&ask(&harness, ("GET", &path(&letter)), "", &Value::Null));
    let code = value_of(&place, "code");
    let exchange = |code: &str, verifier: &str| {
        post(&harness, "token?grant_type=pkce", &json!({"auth_code": code, "code_verifier": verifier}))
    };
    // Another browser has the code and not the verifier; then nobody has it.
    assert_eq!(word(&exchange(&code, "another")), (400, "bad_code_verifier"));
    assert_eq!(word(&exchange(&code, VERIFIER)), (404, "flow_state_not_found"));
    harness.clock.turn_to(harness.clock.now() + SignedDuration::from_secs(60));
    assert_eq!(otp(asked.clone()).0, 200);
    let letter = harness.stack.supabase.letters().pop().unwrap();
    let code = value_of(&location(&ask(&harness, ("GET", &path(&letter)), "", &Value::Null)), "code");
    let (status, session) = exchange(&code, VERIFIER);
    assert_eq!(status, 200, "{session}");
    let token = session["access_token"].as_str().unwrap();
    assert_eq!(harness.get("/api/billing/wallet", token).await.0, 200);
    // A day later the link is old, and so is the token.
    harness.clock.turn_to(harness.clock.now() + SignedDuration::from_secs(60));
    assert_eq!(otp(json!({"email": ADA})).0, 200);
    let letter = harness.stack.supabase.letters().pop().unwrap();
    let by_code = json!({"type": "email", "email": ADA, "token": letter.code});
    harness.clock.turn_to(harness.clock.now() + SignedDuration::from_hours(25));
    assert_eq!(word(&post(&harness, "verify", &by_code)), (403, "otp_expired"));
    assert_eq!(harness.get("/api/billing/wallet", token).await.0, 401);
    // The six digits do as well as the link.
    assert_eq!(otp(json!({"email": ADA})).0, 200);
    let letter = harness.stack.supabase.letters().pop().unwrap();
    let by_code = json!({"type": "email", "email": ADA, "token": letter.code});
    assert_eq!(post(&harness, "verify", &by_code).0, 200);
    // Nobody signs up.
    let stranger = json!({"email": "nobody@example.com", "create_user": false});
    assert_eq!(word(&otp(stranger)), (422, "otp_disabled"));
    assert_eq!(word(&otp(json!({"email": "nobody@example.com"}))), (422, "signup_disabled"));
}

#[tokio::test]
async fn what_the_issuer_refuses_is_refused_in_its_own_words() {
    let harness = with_ada("owner").await;
    let client = client(&harness);
    let org = ORG.to_string();
    let membership = Membership { org_id: &org, role: "staff" };
    assert_eq!(word(&by_password(&harness, ADA, "wrong")), (400, "invalid_credentials"));
    assert_eq!(word(&by_password(&harness, "nobody@example.com", PASSWORD)), (400, "invalid_credentials"));
    let (_, session) = by_password(&harness, ADA, PASSWORD);
    let token = session["access_token"].as_str().unwrap();
    let put = |body: Value| parts(&ask(&harness, ("PUT", "user"), token, &body));
    assert_eq!(word(&put(json!({"password": "short"}))), (422, "weak_password"));
    assert_eq!(word(&put(json!({"password": PASSWORD}))), (422, "same_password"));
    let more = json!({"app_metadata": {"role": "owner", "operator": true}});
    assert_eq!(word(&put(more)), (403, "not_admin"), "nobody raises himself");
    // The admin API is the service key's alone.
    for key in ["", token] {
        let (status, _) = parts(&ask(&harness, ("GET", "admin/users"), key, &Value::Null));
        assert_eq!(status, 401, "without the gateway's key");
    }
    // The gateway lets nobody pass without a key of the project's.
    for key in [None, Some("sb_publishable_other")] {
        let mut request = Request::post("http://auth.supabase.sandbox/auth/v1/token?grant_type=password");
        if let Some(key) = key {
            request = request.header("apikey", key);
        }
        let body = json!({"email": ADA, "password": PASSWORD}).to_string();
        let answer = harness.stack.supabase.answer(&request.body(Bytes::from(body)).unwrap());
        let (status, body) = parts(&answer);
        assert_eq!((status, body["error_code"].as_str()), (401, None), "{body}");
    }
    // Signed out here, and everywhere.
    let (_, other) = by_password(&harness, ADA, PASSWORD);
    assert_eq!(ask(&harness, ("POST", "logout?scope=others"), token, &Value::Null).status(), 204);
    assert_eq!(refresh(&harness, &other["refresh_token"]).0, 400);
    assert_eq!(parts(&ask(&harness, ("GET", "user"), token, &Value::Null)).0, 200);
    assert_eq!(ask(&harness, ("POST", "logout"), token, &Value::Null).status(), 204);
    assert_eq!(
        word(&parts(&ask(&harness, ("GET", "user"), token, &Value::Null))),
        (403, "session_not_found")
    );
    // Letters have an end, and an account whose letter could not be sent is not left behind.
    for nth in 0..30 {
        client.invite(&address(&format!("n{nth}@example.com")), None).await.unwrap();
    }
    let last = address("n30@example.com");
    assert!(matches!(client.invite(&last, None).await, Err(SupabaseError::TooOften { .. })));
    assert_eq!(client.find(&last).await.unwrap(), None);
    // An account that was made first stays.
    client.create(&last, &membership).await.unwrap();
    assert!(client.invite(&last, None).await.is_err());
    assert!(client.find(&last).await.unwrap().is_some());
}

#[tokio::test]
async fn an_answer_of_the_issuers_that_is_lost_is_told_from_a_refusal() {
    let harness = Harness::empty(vec![]).await;
    let (client, ada) = (client(&harness), address(ADA));
    let org = ORG.to_string();
    let membership = Membership { org_id: &org, role: "owner" };
    let fault = |operation: &str, mode| {
        let fault =
            Fault { vendor: "supabase".into(), operation: operation.into(), mode, times: 1, after: 0 };
        fault.check().unwrap();
        harness.stack.faults.add(fault);
    };
    fault("create_user", Mode::TimeoutAfter);
    let lost = client.create(&ada, &membership).await;
    assert!(matches!(lost, Err(SupabaseError::Unreachable(_))), "{lost:?}");
    assert!(client.find(&ada).await.unwrap().is_some_and(|account| account.is(&membership)), "it is there");
    fault("invite", Mode::TooMany);
    assert!(client.invite(&ada, None).await.unwrap_err().is_transient());
    fault("list_users", Mode::Error);
    assert!(client.find(&ada).await.unwrap_err().is_transient());
    fault("update_user", Mode::Refuse);
    let account = client.find(&ada).await.unwrap().unwrap();
    assert!(!client.set_membership(&account.id, None).await.unwrap_err().is_transient());
}

#[tokio::test]
async fn tokens_that_are_signed_with_the_issuers_own_key_are_verified_by_what_it_shows() {
    let jwks = "https://auth.supabase.sandbox/auth/v1/.well-known/jwks.json";
    let harness = Harness::empty(vec![("JWT_JWKS_URL".into(), jwks.into())]).await;
    harness.stack.supabase.add_account(
        ADA,
        PASSWORD,
        &json!({"org_id": OrgId::new(uuid::Uuid::from_u128(5)), "role": "viewer"}),
    );
    let keys = || parts(&ask(&harness, ("GET", ".well-known/jwks.json"), "", &Value::Null)).1["keys"].clone();
    assert_eq!(keys(), json!([]), "a secret is shown to nobody");
    harness.stack.supabase.sign_with_a_key();
    let shown = keys();
    assert_eq!((&shown[0]["alg"], shown[0].get("d")), (&json!("ES256"), None));
    let (_, session) = by_password(&harness, ADA, PASSWORD);
    let token = session["access_token"].as_str().unwrap();
    assert_eq!(harness.get("/api/appointments", token).await.0, 200);
    let (text, _) = token.rsplit_once('.').unwrap();
    let forged = format!("{text}.{}", "A".repeat(86));
    assert_eq!(harness.get("/api/appointments", &forged).await.0, 401);
    assert_eq!(parts(&ask(&harness, ("GET", "user"), token, &Value::Null)).0, 200);
}
