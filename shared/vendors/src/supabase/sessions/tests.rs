use std::sync::{Arc, Mutex};

use super::*;
use crate::supabase::PasswordFault;

/// A client whose requests are answered with this, and what it asked.
fn answered_with(status: u16, body: &str) -> (Sessions, Arc<Mutex<Vec<Request<Bytes>>>>) {
    let (asked, body) = (Arc::new(Mutex::new(Vec::new())), Bytes::from(body.to_owned()));
    let kept = Arc::clone(&asked);
    let http = Http::Sandbox(Arc::new(move |request| {
        kept.lock().unwrap().push(request);
        let answer = Response::builder().status(status).body(body.clone()).unwrap();
        Box::pin(async move { Ok(answer) })
    }));
    (Sessions::new(http, "https://auth.example/auth/v1/".into(), "sb_publishable_x".into()), asked)
}

fn secret(text: &str) -> SecretString {
    text.to_owned().into()
}

fn ada() -> EmailAddress {
    EmailAddress::parse("ada@example.com").unwrap()
}

const GRANTED: &str = r#"{"access_token":"a.b.c","token_type":"bearer","expires_in":3600,"expires_at":1,
    "refresh_token":"r-1","user":{"id":"u-1","email":"ada@example.com"}}"#;

#[tokio::test]
async fn what_is_sent_is_what_gotrue_documents_and_the_key_is_no_bearer_token() {
    let (sessions, asked) = answered_with(200, GRANTED);
    let session = sessions.by_password(&ada(), &secret("p")).await.unwrap();
    assert_eq!(session.access_token.expose_secret(), "a.b.c");
    assert_eq!((session.refresh_token.expose_secret(), session.lasts.as_secs()), ("r-1", 3_600));
    assert!(!format!("{session:?}").contains("r-1"));
    sessions.by_link(LinkKind::Invite, "h").await.unwrap();
    sessions.refresh(&secret("r-1")).await.unwrap();
    sessions.send_link(&ada(), "https://console.example/").await.unwrap();
    sessions.sign_out(&secret("a.b.c")).await.unwrap();
    sessions.set_password(&secret("a.b.c"), &secret("q")).await.unwrap();
    let asked = asked.lock().unwrap();
    let told: Vec<String> = asked
        .iter()
        .map(|request| {
            let bearer = request.headers().get("authorization").map_or("", |value| value.to_str().unwrap());
            let place = request.uri().path_and_query().unwrap();
            assert_eq!(request.headers()["apikey"], "sb_publishable_x");
            format!("{} {place} {bearer} {}", request.method(), String::from_utf8_lossy(request.body()))
        })
        .collect();
    assert_eq!(
        told,
        [
            r#"POST /auth/v1/token?grant_type=password  {"email":"ada@example.com","password":"p"}"#,
            r#"POST /auth/v1/verify  {"token_hash":"h","type":"invite"}"#,
            r#"POST /auth/v1/token?grant_type=refresh_token  {"refresh_token":"r-1"}"#,
            r#"POST /auth/v1/otp?redirect_to=https%3A%2F%2Fconsole.example%2F  {"create_user":false,"email":"ada@example.com"}"#,
            "POST /auth/v1/logout?scope=local Bearer a.b.c ",
            r#"PUT /auth/v1/user Bearer a.b.c {"password":"q"}"#,
        ]
    );
}

#[tokio::test]
async fn each_refusal_is_what_it_is_called() {
    let word = |error: SessionError| match error {
        SessionError::Unreachable(_) => "unreachable",
        SessionError::Refused { .. } => "refused",
        SessionError::Unconfirmed => "unconfirmed",
        SessionError::Password(PasswordFault::Weak) => "weak",
        SessionError::Password(PasswordFault::Same) => "same",
        SessionError::Password(PasswordFault::Stale) => "stale",
        SessionError::TooOften { .. } => "too_often",
        SessionError::Key => "key",
        SessionError::Trouble { .. } => "trouble",
        SessionError::Unreadable => "unreadable",
    };
    for (status, body, wanted) in [
        (
            400,
            r#"{"code":400,"error_code":"invalid_credentials","msg":"Invalid login credentials"}"#,
            "refused",
        ),
        (400, r#"{"code":"invalid_credentials","message":"Invalid login credentials"}"#, "refused"),
        // The form of OAuth, of an older issuer.
        (400, r#"{"error":"invalid_grant","error_description":"Invalid login credentials"}"#, "refused"),
        (
            400,
            r#"{"code":400,"error_code":"email_not_confirmed","msg":"Email not confirmed"}"#,
            "unconfirmed",
        ),
        (400, r#"{"code":400,"error_code":"refresh_token_not_found","msg":"x"}"#, "refused"),
        (
            403,
            r#"{"code":403,"error_code":"otp_expired","msg":"Token has expired or is invalid"}"#,
            "refused",
        ),
        (422, r#"{"code":422,"error_code":"otp_disabled","msg":"Signups not allowed for otp"}"#, "refused"),
        (
            422,
            r#"{"code":422,"error_code":"weak_password","msg":"x","weak_password":{"reasons":["length"]}}"#,
            "weak",
        ),
        (422, r#"{"code":422,"error_code":"same_password","msg":"x"}"#, "same"),
        (400, r#"{"code":400,"error_code":"reauthentication_needed","msg":"x"}"#, "stale"),
        (429, r#"{"code":429,"error_code":"over_email_send_rate_limit","msg":"x"}"#, "too_often"),
        (401, r#"{"message":"Invalid API key","hint":"Double check your key."}"#, "key"),
        (401, r#"{"code":401,"error_code":"no_authorization","msg":"x"}"#, "refused"),
        (500, r#"{"code":500,"error_code":"unexpected_failure","msg":"x"}"#, "trouble"),
        (503, "<html>", "trouble"),
        (302, "", "trouble"),
        (200, "<html>", "unreadable"),
        (200, r#"{"access_token":"SEEDED-WORD","expires_in":"soon"}"#, "unreadable"),
    ] {
        let (sessions, _) = answered_with(status, body);
        let error = sessions.by_password(&ada(), &secret("p")).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("SEEDED-WORD"));
        assert_eq!(word(error), wanted, "{status} {body}");
    }
}
