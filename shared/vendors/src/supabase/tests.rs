use std::sync::{Arc, Mutex};

use super::*;

/// A client whose requests are answered with this, and what it asked.
fn answered_with(status: u16, body: &str) -> (Supabase, Arc<Mutex<Vec<Request<Bytes>>>>) {
    let (asked, body) = (Arc::new(Mutex::new(Vec::new())), Bytes::from(body.to_owned()));
    let kept = Arc::clone(&asked);
    let http = Http::Sandbox(Arc::new(move |request| {
        kept.lock().unwrap().push(request);
        let answer = Response::builder().status(status).body(body.clone()).unwrap();
        Box::pin(async move { Ok(answer) })
    }));
    (Supabase::new(http, "https://auth.example/auth/v1/".into(), "key".to_owned().into()), asked)
}

fn ada() -> EmailAddress {
    EmailAddress::parse("Ada@example.com").unwrap()
}

const MEMBERSHIP: Membership<'static> = Membership { org_id: "org-1", role: "owner" };

#[tokio::test]
async fn what_is_sent_is_what_gotrue_documents() {
    let (supabase, asked) = answered_with(200, r#"{"id": "u-1", "users": [], "disable_signup": true}"#);
    supabase.create(&ada(), &MEMBERSHIP).await.unwrap();
    supabase.invite(&ada(), Some("https://console.example/welcome?a=b")).await.unwrap();
    supabase.get(&UserId::parse("u-1").unwrap()).await.unwrap();
    supabase.find(&ada()).await.unwrap();
    supabase.set_membership(&UserId::parse("u-1").unwrap(), None).await.unwrap();
    supabase.delete(&UserId::parse("u-1").unwrap()).await.unwrap();
    assert!(!supabase.takes_sign_ups().await.unwrap());
    let asked = asked.lock().unwrap();
    let told: Vec<String> = asked
        .iter()
        .map(|request| {
            let place = request.uri().path_and_query().unwrap();
            format!("{} {place} {}", request.method(), String::from_utf8_lossy(request.body()))
        })
        .collect();
    assert_eq!(
        told,
        [
            r#"POST /auth/v1/admin/users {"app_metadata":{"org_id":"org-1","role":"owner"},"email":"Ada@example.com"}"#,
            r#"POST /auth/v1/invite?redirect_to=https%3A%2F%2Fconsole.example%2Fwelcome%3Fa%3Db {"email":"Ada@example.com"}"#,
            "GET /auth/v1/admin/users/u-1 ",
            "GET /auth/v1/admin/users?page=1&per_page=50&filter=ada%40example.com ",
            r#"PUT /auth/v1/admin/users/u-1 {"app_metadata":{"org_id":null,"role":null}}"#,
            "DELETE /auth/v1/admin/users/u-1 ",
            "GET /auth/v1/settings ",
        ]
    );
    for request in &*asked {
        assert_eq!(request.headers()["apikey"], "key");
        assert_eq!(request.headers()["authorization"], "Bearer key");
    }
}

#[tokio::test]
async fn each_refusal_is_what_it_is_called() {
    let word = |error: SupabaseError| match error {
        SupabaseError::Unreachable(_) => "unreachable",
        SupabaseError::EmailExists => "exists",
        SupabaseError::NotFound => "not_found",
        SupabaseError::TooOften { .. } => "too_often",
        SupabaseError::Unauthorized { .. } => "unauthorized",
        SupabaseError::Refused { .. } => "refused",
        SupabaseError::Trouble { .. } => "trouble",
        SupabaseError::TooMany => "too_many",
        SupabaseError::Unreadable(_) => "unreadable",
    };
    for (status, body, wanted, passes) in [
        (422, r#"{"code":422,"error_code":"email_exists","msg":"A user …"}"#, "exists", false),
        (422, r#"{"code":"email_exists","message":"A user …"}"#, "exists", false),
        (
            422,
            r#"{"code":422,"msg":"A user with this email address has already been registered"}"#,
            "exists",
            false,
        ),
        (422, r#"{"code":422,"error_code":"validation_failed","msg":"x"}"#, "refused", false),
        (404, r#"{"code":404,"error_code":"user_not_found","msg":"User not found"}"#, "not_found", false),
        (429, r#"{"code":429,"error_code":"over_email_send_rate_limit","msg":"x"}"#, "too_often", true),
        (401, r#"{"message":"Invalid API key"}"#, "unauthorized", false),
        (403, r#"{"code":403,"error_code":"not_admin","msg":"User not allowed"}"#, "unauthorized", false),
        (500, "", "trouble", true),
        (503, "<html>", "trouble", true),
        (200, "<html>", "unreadable", false),
        (204, "", "refused", false),
    ] {
        let (supabase, _) = answered_with(status, body);
        let error = supabase.create(&ada(), &MEMBERSHIP).await.unwrap_err();
        assert_eq!(error.is_transient(), passes, "{status} {body}");
        assert_eq!(word(error), wanted, "{status} {body}");
    }
}

#[tokio::test]
async fn an_address_is_found_among_those_that_contain_it() {
    let list = |users: &[(&str, &str)]| {
        let users: Vec<_> = users.iter().map(|(id, email)| json!({"id": id, "email": email})).collect();
        json!({"users": users, "aud": "authenticated"}).to_string()
    };
    let (supabase, _) = answered_with(200, &list(&[("u-1", "nada@example.com"), ("u-2", "ada@example.com")]));
    assert_eq!(supabase.find(&ada()).await.unwrap().unwrap().id.as_str(), "u-2");
    let (supabase, _) = answered_with(200, &list(&[("u-1", "nada@example.com")]));
    assert_eq!(supabase.find(&ada()).await.unwrap(), None);
    // A list that always has another page is not believed to have nobody.
    let (supabase, _) = answered_with(200, &list(&[("u-1", "nada@example.com"); 50]));
    assert!(matches!(supabase.find(&ada()).await, Err(SupabaseError::TooMany)));
}

#[test]
fn what_is_known_of_an_account_is_what_its_tokens_say() {
    let account: Account =
        serde_json::from_value(json!({"id": "u-1", "aud": "authenticated", "role": "authenticated",
        "email": "ada@example.com", "email_confirmed_at": "2026-01-01T00:00:00Z",
        "app_metadata": {"provider": "email", "org_id": "org-1", "role": "owner"}}))
        .unwrap();
    assert!(account.is_confirmed() && account.is(&MEMBERSHIP) && !account.app_metadata.operator);
    assert!(!account.is(&Membership { role: "admin", ..MEMBERSHIP }));
    assert!(!account.is(&Membership { org_id: "org-2", ..MEMBERSHIP }));
}
