//! Signing in to the console: by password and by link, a session that goes on, and its end.

use base::clock::Clock;
use bytes::Bytes;
use http::{Request, Response};
use jiff::SignedDuration;
use sandbox::{faults::Mode, supabase::Letter};
use serde_json::{Value, json};
use tests::{Harness, ORG, parts};
use vendors::supabase::Membership;

use crate::webhooks::Captured;

const ADA: &str = "ada@hill-street.example";
const PASSWORD: &str = "correct horse battery";
const NOBODY: &str = "nobody@hill-street.example";
const OWN: &str = "http://127.0.0.1:3000";
const EVERY: [&str; 6] = ["password", "magic-link", "verify", "refresh", "sign-out", "set-password"];

/// A stack on which Ada has an account, has shown that it is hers, and has a password.
async fn with_ada() -> Harness {
    with_ada_and(vec![]).await
}

async fn with_ada_and(settings: Vec<(String, String)>) -> Harness {
    let harness = Harness::empty(settings).await;
    harness.wallets.ensure(ORG).await.unwrap();
    harness.stack.supabase.add_account(ADA, PASSWORD, &json!({"org_id": ORG, "role": "owner"}));
    harness
}

/// A browser: it keeps the cookie that it is given, and sends it along.
#[derive(Default)]
struct Browser {
    cookie: Option<String>,
}

impl Browser {
    async fn posts(&mut self, harness: &Harness, route: &str, body: &Value) -> Response<Bytes> {
        self.posts_as(harness, route, "", body).await
    }

    /// The same, with an access token.
    async fn posts_as(
        &mut self,
        harness: &Harness,
        route: &str,
        token: &str,
        body: &Value,
    ) -> Response<Bytes> {
        let mut request = Request::post(format!("/api/session/{route}"))
            .header("content-type", "application/json")
            .header("origin", OWN);
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", format!("other=1; {cookie}"));
        }
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let answer = harness.send(request.body(Bytes::from(body.to_string())).unwrap()).await;
        assert_eq!(answer.headers()["cache-control"], "no-store", "{route}");
        if let Some(kept) = answer.headers().get("set-cookie") {
            let pair = kept.to_str().unwrap().split(';').next().unwrap();
            self.cookie = (!pair.ends_with('=')).then(|| pair.to_owned());
        }
        answer
    }

    async fn signs_in(&mut self, harness: &Harness) -> String {
        let answer = self.posts(harness, "password", &json!({"email": ADA, "password": PASSWORD})).await;
        access(&answer)
    }
}

/// The access token of an answer.
fn access(answer: &Response<Bytes>) -> String {
    let (status, body) = parts(answer);
    assert_eq!(status, 200, "{body}");
    body["access_token"].as_str().unwrap().to_owned()
}

/// The status and the code of a problem.
fn code(answer: &Response<Bytes>) -> (u16, String) {
    let (status, body) = parts(answer);
    (status, body["code"].as_str().unwrap_or("none").to_owned())
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

async fn is_let_in(harness: &Harness, token: &str) -> bool {
    harness.get("/api/billing/wallet", token).await.0 == 200
}

fn letter(harness: &Harness) -> Letter {
    harness.stack.supabase.letters().pop().expect("a letter")
}

/// What stands in the address that the issuer's own link leads to.
fn fragment(harness: &Harness, letter: &Letter, name: &str) -> String {
    let (_, place) = letter.link.split_once("/_sandbox/supabase").unwrap();
    let followed = Request::get(place).body(Bytes::new()).unwrap();
    let answer = harness.stack.supabase.answer(&followed);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    let (before, fragment) = location.split_once('#').unwrap();
    assert_eq!(before, format!("{OWN}/"), "it leads to the console");
    let pairs = url::form_urlencoded::parse(fragment.as_bytes());
    pairs.into_owned().find(|(key, _)| key == name).unwrap_or_else(|| panic!("{name} in {location}")).1
}

#[tokio::test]
async fn a_person_signs_in_goes_on_and_signs_out() {
    let (harness, mut browser) = (with_ada().await, Browser::default());
    let answer = browser
        .posts(&harness, "password", &json!({"email": " ADA@Hill-Street.example", "password": PASSWORD}))
        .await;
    let (status, body) = parts(&answer);
    assert_eq!(status, 200, "{body}");
    let now = harness.clock.now();
    let until = domain::time::rfc3339_millis(now + SignedDuration::from_hours(1));
    assert_eq!((&body["expires_in_secs"], &body["expires_at"]), (&json!(3_600), &json!(until)));
    assert_eq!(body.as_object().unwrap().len(), 3, "the refresh token is in the cookie alone: {body}");
    let token = access(&answer);
    assert!(is_let_in(&harness, &token).await);
    let first = browser.cookie.clone().unwrap();
    harness.clock.turn_to(now + SignedDuration::from_mins(61));
    assert!(!is_let_in(&harness, &token).await, "it has run out");
    let next = access(&browser.posts(&harness, "refresh", &json!({})).await);
    assert!(is_let_in(&harness, &next).await);
    assert_ne!(browser.cookie.clone().unwrap(), first, "it is replaced");
    let answer = browser.posts_as(&harness, "sign-out", &next, &json!({})).await;
    assert_eq!(parts(&answer), (200, json!({"revoked": true})));
    assert_eq!(browser.cookie, None);
    assert_eq!(code(&browser.posts(&harness, "refresh", &json!({})).await), is(401, "session_ended"));
    // Nor has whoever kept the cookie.
    let mut other = Browser { cookie: Some(first) };
    let answer = other.posts(&harness, "refresh", &json!({})).await;
    assert_eq!((code(&answer), other.cookie), (is(401, "session_ended"), None));
}

#[tokio::test]
async fn the_cookie_is_for_the_session_alone_and_no_script_reads_it() {
    let cookie = async |settings: Vec<(String, String)>| {
        let harness = with_ada_and(settings).await;
        let body = json!({"email": ADA, "password": PASSWORD}).to_string();
        let request = Request::post("/api/session/password").header("content-type", "application/json");
        let answer = harness.send(request.body(Bytes::from(body)).unwrap()).await;
        let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
        let (pair, kept) = cookie.split_once("; ").unwrap();
        let (name, value) = pair.split_once('=').unwrap();
        assert!(!value.is_empty());
        (name.to_owned(), kept.to_owned())
    };
    let plain = "Path=/api/session; Max-Age=2592000; HttpOnly; SameSite=Strict";
    assert_eq!(cookie(vec![]).await, ("session".to_owned(), plain.to_owned()));
    let deployed =
        vec![("API_ORIGIN".into(), String::new()), ("PUBLIC_URL".into(), "https://api.example.com".into())];
    assert_eq!(cookie(deployed).await, ("__Secure-session".to_owned(), format!("{plain}; Secure")));
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_are_answered_alike() {
    let (harness, mut browser) = (with_ada().await, Browser::default());
    let mut answers = Vec::new();
    for (email, password) in [(ADA, "wrong"), (NOBODY, PASSWORD)] {
        let answer =
            browser.posts(&harness, "password", &json!({"email": email, "password": password})).await;
        assert!(answer.headers().get("set-cookie").is_none());
        let (status, mut body) = parts(&answer);
        body["request_id"] = json!("any");
        answers.push((status, body));
    }
    assert_eq!((answers[0].0, &answers[0].1["code"]), (401, &json!("sign_in_refused")));
    assert_eq!(answers[0], answers[1]);
    // Whoever has the password, and has not shown the address to be theirs, is told what to do.
    harness.stack.supabase.add_unconfirmed("eve@hill-street.example", PASSWORD);
    let answer = browser
        .posts(&harness, "password", &json!({"email": "eve@hill-street.example", "password": PASSWORD}))
        .await;
    let (_, body) = parts(&answer);
    assert_eq!(code(&answer), is(401, "sign_in_refused"));
    assert!(body["detail"].as_str().unwrap().contains("not been confirmed"), "{body}");
    for (body, refused) in [
        (json!({"email": "ada", "password": PASSWORD}), "invalid_value"),
        (json!({"email": ADA, "password": ""}), "invalid_value"),
        (json!({"email": ADA, "password": "x".repeat(73)}), "invalid_value"),
        (json!({"email": ADA}), "invalid_value"),
        (json!({"email": ADA, "password": PASSWORD, "org_id": ORG}), "invalid_value"),
        (json!([]), "invalid_body"),
    ] {
        assert_eq!(code(&browser.posts(&harness, "password", &body).await), is(400, refused), "{body}");
    }
}

#[tokio::test]
async fn whether_an_address_has_an_account_is_not_told_by_asking_for_a_link() {
    let (harness, mut browser) = (with_ada().await, Browser::default());
    let mut told = Vec::new();
    // The second letter to Ada would come too soon, and is not sent.
    for email in [ADA, ADA, NOBODY] {
        told.push(parts(&browser.posts(&harness, "magic-link", &json!({"email": email})).await));
    }
    harness.fault(("supabase", "otp"), Mode::Error, 1);
    told.push(parts(&browser.posts(&harness, "magic-link", &json!({"email": ADA})).await));
    assert_eq!(told[0].0, 202, "{told:?}");
    assert!(told.iter().all(|answer| *answer == told[0]), "{told:?}");
    assert_eq!(harness.stack.supabase.letters().len(), 1);
    assert_eq!(harness.stack.supabase.accounts().len(), 1, "nobody signs up");
    // What is so whatever the address is said.
    harness.fault(("supabase", "otp"), Mode::TimeoutBefore, 1);
    let answer = browser.posts(&harness, "magic-link", &json!({"email": ADA})).await;
    assert_eq!(code(&answer), is(502, "sign_in_unavailable"));
}

#[tokio::test]
async fn a_link_signs_in_once_within_a_day() {
    let (harness, mut browser) = (with_ada().await, Browser::default());
    let sent = async |browser: &mut Browser| {
        harness.clock.turn_to(harness.clock.now() + SignedDuration::from_mins(2));
        browser.posts(&harness, "magic-link", &json!({"email": ADA})).await;
        letter(&harness)
    };
    let by_hash = |hash: &str, kind: &str| json!({"token_hash": hash, "type": kind});
    for kind in ["magiclink", "email", "recovery"] {
        let letter = sent(&mut browser).await;
        let token = access(&browser.posts(&harness, "verify", &by_hash(&letter.token_hash, kind)).await);
        assert!(is_let_in(&harness, &token).await);
        let again = browser.posts(&harness, "verify", &by_hash(&letter.token_hash, kind)).await;
        assert_eq!(code(&again), is(401, "link_refused"));
        assert!(browser.cookie.is_some(), "who is signed in stays so");
    }
    // The issuer's own letter leads to an address with tokens in it, which are replaced at once.
    let letter_ = sent(&mut browser).await;
    let shown = fragment(&harness, &letter_, "refresh_token");
    let token = access(&browser.posts(&harness, "verify", &json!({"refresh_token": shown})).await);
    assert!(is_let_in(&harness, &token).await);
    assert_ne!(browser.cookie.clone().unwrap(), format!("session={shown}"));
    let letter = sent(&mut browser).await;
    harness.clock.turn_to(harness.clock.now() + SignedDuration::from_hours(25));
    let answer = browser.posts(&harness, "verify", &by_hash(&letter.token_hash, "magiclink")).await;
    assert_eq!(code(&answer), is(401, "link_refused"));
    for body in [
        json!({}),
        json!({"token_hash": "x"}),
        json!({"token_hash": "", "type": "invite"}),
        json!({"token_hash": "x", "type": "signup"}),
        json!({"token_hash": "x", "type": "invite", "refresh_token": "y"}),
        json!({"refresh_token": "x".repeat(1_025)}),
    ] {
        assert_eq!(code(&browser.posts(&harness, "verify", &body).await), is(400, "invalid_value"), "{body}");
    }
}

#[tokio::test]
async fn who_is_invited_takes_the_invitation_and_chooses_a_password() {
    let (harness, mut browser) = (with_ada().await, Browser::default());
    let org = ORG.to_string();
    let client = crate::issuer::client(&harness);
    let grace = crate::issuer::address("grace@hill-street.example");
    client.create(&grace, &Membership { org_id: &org, role: "viewer" }).await.unwrap();
    client.invite(&grace, None).await.unwrap();
    let invitation = json!({"token_hash": letter(&harness).token_hash, "type": "invite"});
    let token = access(&browser.posts(&harness, "verify", &invitation).await);
    assert!(is_let_in(&harness, &token).await);
    let mut set = async |token: &str, password: &str| {
        code(&browser.posts_as(&harness, "set-password", token, &json!({"password": password})).await)
    };
    assert_eq!(set("", PASSWORD).await, is(401, "missing_token"));
    assert_eq!(set("a.b.c", PASSWORD).await, is(401, "invalid_token"));
    assert_eq!(set(&token, "short").await, is(422, "password_refused"));
    assert_eq!(set(&token, &"x".repeat(73)).await, is(400, "invalid_value"));
    assert_eq!(set(&token, PASSWORD).await, is(200, "none"));
    assert_eq!(set(&token, PASSWORD).await, is(422, "password_refused"), "it is the same");
    let body = json!({"email": "grace@hill-street.example", "password": PASSWORD});
    let mut elsewhere = Browser::default();
    access(&elsewhere.posts(&harness, "password", &body).await);
    // Another password ends what was signed in by the old one.
    assert_eq!(set(&token, "another horse battery").await, is(200, "none"));
    assert_eq!(code(&elsewhere.posts(&harness, "refresh", &json!({})).await), is(401, "session_ended"));
    access(&browser.posts(&harness, "refresh", &json!({})).await);
}

#[tokio::test]
async fn an_answer_that_was_lost_is_given_again_and_a_token_that_was_stolen_ends_the_session() {
    let (harness, mut browser) = (with_ada().await, Browser::default());
    browser.signs_in(&harness).await;
    let first = browser.cookie.clone();
    harness.fault(("supabase", "token"), Mode::TimeoutAfter, 1);
    let lost = browser.posts(&harness, "refresh", &json!({})).await;
    assert_eq!(code(&lost), is(502, "sign_in_unavailable"));
    assert_eq!(browser.cookie, first, "what may still be good is kept");
    access(&browser.posts(&harness, "refresh", &json!({})).await);
    // Two pages of one browser at once.
    let mut other = Browser { cookie: browser.cookie.clone() };
    let (one, two) = (
        access(&browser.posts(&harness, "refresh", &json!({})).await),
        access(&other.posts(&harness, "refresh", &json!({})).await),
    );
    assert!(is_let_in(&harness, &one).await && is_let_in(&harness, &two).await);
    assert_eq!(browser.cookie, other.cookie);
    access(&browser.posts(&harness, "refresh", &json!({})).await);
    // Long after, somebody shows the first one.
    harness.clock.turn_to(harness.clock.now() + SignedDuration::from_mins(1));
    let mut thief = Browser { cookie: first };
    let answer = thief.posts(&harness, "refresh", &json!({})).await;
    assert_eq!((code(&answer), thief.cookie), (is(401, "session_ended"), None));
    assert_eq!(code(&browser.posts(&harness, "refresh", &json!({})).await), is(401, "session_ended"));
}

#[tokio::test]
async fn who_signs_out_is_out_here_whatever_the_issuer_does_and_is_told_what_is_so() {
    let harness = with_ada().await;
    for (faulty, operation, mode, has_token, revoked) in [
        (false, "logout", Mode::Error, true, true),
        (false, "logout", Mode::Error, false, true),
        (true, "logout", Mode::Error, true, false),
        (true, "logout", Mode::TimeoutBefore, false, false),
        (true, "token", Mode::Hang, false, false),
        (true, "logout", Mode::Hang, true, false),
    ] {
        let mut browser = Browser::default();
        let token = browser.signs_in(&harness).await;
        let kept = browser.cookie.clone();
        if faulty {
            harness.fault(("supabase", operation), mode, 1);
        }
        let shown = if has_token { token.as_str() } else { "" };
        let answer = browser.posts_as(&harness, "sign-out", shown, &json!({})).await;
        assert_eq!(parts(&answer), (200, json!({ "revoked": revoked })), "{operation} {mode:?} {has_token}");
        assert_eq!(browser.cookie, None);
        let mut other = Browser { cookie: kept };
        let goes_on = other.posts(&harness, "refresh", &json!({})).await.status() == 200;
        assert_eq!(goes_on, !revoked);
        harness.stack.faults.clear();
    }
    // A token that has run out: by the cookie. And nobody at all.
    let mut browser = Browser::default();
    let token = browser.signs_in(&harness).await;
    harness.clock.turn_to(harness.clock.now() + SignedDuration::from_hours(2));
    let answer = browser.posts_as(&harness, "sign-out", &token, &json!({})).await;
    assert_eq!(parts(&answer), (200, json!({"revoked": true})));
    let answer = Browser::default().posts(&harness, "sign-out", &json!({})).await;
    assert_eq!(parts(&answer), (200, json!({"revoked": true})));
}

#[tokio::test]
async fn another_origins_page_and_what_no_page_sends_are_refused_before_anything_is_done() {
    let harness = with_ada().await;
    let mut browser = Browser::default();
    let token = browser.signs_in(&harness).await;
    let kept = browser.cookie.clone().unwrap();
    let json_kind = Some("application/json");
    for (kind, origin, wanted) in [
        (json_kind, Some("https://evil.example"), is(403, "forbidden")),
        (json_kind, Some("null"), is(403, "forbidden")),
        (json_kind, Some("http://127.0.0.1:3000.evil.example"), is(403, "forbidden")),
        (Some("text/plain"), Some(OWN), is(400, "invalid_body")),
        (Some("application/x-www-form-urlencoded"), None, is(400, "invalid_body")),
        (None, None, is(400, "invalid_body")),
    ] {
        for route in EVERY {
            let body = match route {
                "password" => json!({"email": ADA, "password": PASSWORD}),
                "magic-link" => json!({"email": ADA}),
                "verify" => json!({"token_hash": "x", "type": "invite"}),
                "set-password" => json!({"password": "another horse battery"}),
                _ => json!({}),
            };
            let mut request = Request::post(format!("/api/session/{route}"))
                .header("cookie", &kept)
                .header("authorization", format!("Bearer {token}"));
            for (name, value) in [("content-type", kind), ("origin", origin)] {
                if let Some(value) = value {
                    request = request.header(name, value);
                }
            }
            let answer = harness.send(request.body(Bytes::from(body.to_string())).unwrap()).await;
            assert_eq!(code(&answer), wanted, "{route} {kind:?} {origin:?}");
            assert!(answer.headers().get("set-cookie").is_none(), "{route}");
        }
    }
    assert!(harness.stack.supabase.letters().is_empty());
    access(&browser.posts(&harness, "refresh", &json!({})).await);
}

#[tokio::test]
async fn an_issuer_in_trouble_is_nobodys_wrong_password_and_ends_no_session() {
    let (harness, mut browser) = (with_ada().await, Browser::default());
    browser.signs_in(&harness).await;
    let kept = browser.cookie.clone();
    let password = json!({"email": ADA, "password": PASSWORD});
    let link = json!({"token_hash": "x", "type": "magiclink"});
    for (route, body, operation) in
        [("password", &password, "token"), ("refresh", &json!({}), "token"), ("verify", &link, "verify")]
    {
        for (mode, wanted) in [
            (Mode::Error, is(502, "sign_in_unavailable")),
            (Mode::TimeoutBefore, is(502, "sign_in_unavailable")),
            (Mode::Hang, is(502, "sign_in_unavailable")),
            (Mode::TooMany, is(429, "too_many_requests")),
        ] {
            harness.fault(("supabase", operation), mode, 1);
            let answer = browser.posts(&harness, route, body).await;
            assert_eq!(code(&answer), wanted, "{route} {mode:?}");
            assert_eq!(browser.cookie, kept, "{route} {mode:?}");
            assert_eq!(wanted.0 == 429, answer.headers().contains_key("retry-after"));
            harness.stack.faults.clear();
        }
    }
    let wrong_key = vec![("SUPABASE_PUBLISHABLE_KEY".into(), "sb_publishable_wrong".into())];
    let harness = with_ada_and(wrong_key).await;
    for (route, body) in [("password", &password), ("magic-link", &json!({"email": ADA}))] {
        let answer = Browser::default().posts(&harness, route, body).await;
        assert_eq!(code(&answer), is(502, "sign_in_unavailable"), "{route}");
    }
}

#[tokio::test]
async fn an_address_tries_thirty_times_in_five_minutes() {
    let (harness, mut browser) = (with_ada().await, Browser::default());
    let wrong = json!({"email": ADA, "password": "wrong"});
    for _ in 0..30 {
        assert_eq!(code(&browser.posts(&harness, "password", &wrong).await), is(401, "sign_in_refused"));
    }
    let right = json!({"email": ADA, "password": PASSWORD});
    let answer = browser.posts(&harness, "password", &right).await;
    assert_eq!(
        (code(&answer), &answer.headers()["retry-after"]),
        (is(429, "too_many_requests"), &"300".parse().unwrap())
    );
    assert_eq!(code(&browser.posts(&harness, "magic-link", &json!({"email": ADA})).await).0, 429);
    harness.clock.turn_to(harness.clock.now() + SignedDuration::from_mins(5));
    access(&browser.posts(&harness, "password", &right).await);
}

#[tokio::test]
async fn no_address_password_or_token_of_who_signs_in_reaches_the_log() {
    let (captured, _guard) = Captured::start();
    let (harness, mut browser) = (with_ada().await, Browser::default());
    let token = browser.signs_in(&harness).await;
    let kept = browser.cookie.clone().unwrap();
    browser.posts(&harness, "magic-link", &json!({"email": ADA})).await;
    let hash = letter(&harness).token_hash;
    for (route, body) in [
        ("password", json!({"email": ADA, "password": "SEEDED-WORD"})),
        ("password", json!({"email": "SEEDED-WORD", "password": PASSWORD})),
        ("password", json!({"email": ADA, "password": 5, "SEEDED-WORD": 1})),
        ("magic-link", json!({"email": NOBODY})),
        ("magic-link", json!({"email": ADA})),
        ("verify", json!({"token_hash": "SEEDED-WORD", "type": "invite"})),
        ("verify", json!({"token_hash": hash, "type": "magiclink"})),
        ("verify", json!({"refresh_token": "SEEDED-WORD"})),
    ] {
        browser.posts(&harness, route, &body).await;
    }
    harness.fault(("supabase", "logout"), Mode::Error, 1);
    browser.posts_as(&harness, "sign-out", &token, &json!({})).await;
    let mut thief = Browser { cookie: Some("session=SEEDED-WORD".into()) };
    thief.posts(&harness, "refresh", &json!({})).await;
    thief.posts_as(&harness, "set-password", "SEEDED-WORD", &json!({"password": "SEEDED-WORD"})).await;
    let lines = captured.our_lines();
    assert!(
        lines.iter().any(|line| line.contains("invalid_credentials")),
        "the issuer's word is there: {lines:?}"
    );
    let (_, refresh_token) = kept.split_once('=').unwrap();
    for word in ["SEEDED-WORD", ADA, NOBODY, PASSWORD, &token, refresh_token, &hash] {
        assert!(!lines.iter().any(|line| line.contains(word)), "{word}: {lines:?}");
    }
}
