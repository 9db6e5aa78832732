//! Who may do what: tokens, roles, orgs.

use bytes::Bytes;
use http::Request;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use local::stack::{JWT_ISSUER, JWT_SECRET};
use serde_json::{Value, json};
use shared::domain::clock::Clock;
use tests::{Harness, ORG, OTHER_ORG, parts};

/// Every route of the template that needs a token, with a body that would do something.
const ROUTES: [(&str, &str, &str); 4] = [
    ("GET", "/api/billing/wallet", ""),
    ("GET", "/api/billing/wallet/transactions", ""),
    ("GET", "/api/billing/wallet/statement", ""),
    ("POST", "/api/billing/wallet/topup", r#"{"amount_pence": 2500}"#),
];
/// Those that need a signature.
const MACHINE_ROUTES: [(&str, &str); 2] = [("POST", "/api/vapi/webhook"), ("POST", "/api/webhooks/stripe")];

async fn call(
    harness: &Harness,
    method: &str,
    path: &str,
    body: &'static str,
    token: Option<&str>,
) -> (u16, Value) {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    parts(&harness.send(request.body(Bytes::from(body)).unwrap()).await)
}

fn claims(harness: &Harness) -> Value {
    json!({"iss": JWT_ISSUER, "aud": "authenticated", "sub": "user-1", "exp": harness.clock.now().as_second() + 60,
        "app_metadata": {"org_id": ORG, "role": "owner"}})
}

fn signed(claims: &Value) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(JWT_SECRET.as_bytes())).unwrap()
}

#[tokio::test]
async fn every_route_of_the_template_is_in_these_lists() {
    let harness = Harness::empty(vec![]).await;
    for route in &harness.stack.template.routes {
        let known = ROUTES.iter().any(|(method, path, _)| (*method, *path) == (&*route.method, &*route.path))
            || MACHINE_ROUTES.contains(&(&*route.method, &*route.path));
        assert!(known, "{} {} is called as nobody and as another org by no test", route.method, route.path);
    }
}

#[tokio::test]
async fn a_token_is_verified_on_every_route() {
    // S1
    let harness = Harness::with_wallet(2_500, 600).await;
    let good = signed(&claims(&harness));
    let with = |name: &str, value: Value| {
        let mut claims = claims(&harness);
        claims[name] = value;
        signed(&claims)
    };
    let tampered = {
        let mut parts: Vec<String> = good.split('.').map(str::to_owned).collect();
        let foreign = json!({"iss": JWT_ISSUER, "aud": "authenticated", "sub": "user-1",
            "exp": harness.clock.now().as_second() + 60, "app_metadata": {"org_id": OTHER_ORG, "role": "owner"}});
        parts[1] = base64_url(foreign.to_string().as_bytes());
        parts.join(".")
    };
    let unsigned = {
        let header = base64_url(br#"{"alg":"none","typ":"JWT"}"#);
        format!("{header}.{}.", good.split('.').nth(1).unwrap())
    };
    let other_key =
        encode(&Header::default(), &claims(&harness), &EncodingKey::from_secret(b"another secret")).unwrap();
    let other_algorithm = encode(
        &Header::new(Algorithm::HS512),
        &claims(&harness),
        &EncodingKey::from_secret(JWT_SECRET.as_bytes()),
    )
    .unwrap();
    let cases = [
        ("none", None, 401, "missing_token"),
        ("tampered org", Some(tampered), 401, "invalid_token"),
        ("alg none", Some(unsigned), 401, "invalid_token"),
        ("another key", Some(other_key), 401, "invalid_token"),
        ("another algorithm", Some(other_algorithm), 401, "invalid_token"),
        ("expired", Some(with("exp", json!(harness.clock.now().as_second()))), 401, "invalid_token"),
        (
            "not yet valid",
            Some(with("nbf", json!(harness.clock.now().as_second() + 60))),
            401,
            "invalid_token",
        ),
        ("wrong issuer", Some(with("iss", json!("https://evil.example"))), 401, "invalid_token"),
        ("wrong audience", Some(with("aud", json!("anon"))), 401, "invalid_token"),
        ("no org", Some(with("app_metadata", json!({"role": "owner"}))), 403, "no_org"),
        ("org in user metadata", Some(with("app_metadata", json!({}))), 403, "no_org"),
        ("operator", Some(with("app_metadata", json!({"operator": true, "org_id": ORG}))), 403, "forbidden"),
        ("rubbish", Some("a.b.c".into()), 401, "invalid_token"),
    ];
    for (method, path, body) in ROUTES {
        for (what, token, status, code) in &cases {
            let (got, problem) = call(&harness, method, path, body, token.as_deref()).await;
            assert_eq!(
                (got, problem["code"].as_str()),
                (*status, Some(*code)),
                "{what} at {path}: {problem}"
            );
        }
        let (status, answer) = call(&harness, method, path, body, Some(&good)).await;
        assert_eq!(status, 200, "{path}: {answer}");
    }
}

fn base64_url(bytes: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    URL_SAFE_NO_PAD.encode(bytes)
}

#[tokio::test]
async fn a_viewer_looks_and_does_not_pay() {
    let harness = Harness::with_wallet(2_500, 600).await;
    for role in ["viewer", "unheard-of", ""] {
        let token = harness.token(ORG, role);
        for (method, path, body) in ROUTES {
            let (status, _) = call(&harness, method, path, body, Some(&token)).await;
            assert_eq!(status, if method == "GET" { 200 } else { 403 }, "{role} at {path}");
        }
    }
    assert!(harness.stack.stripe.all("checkout.session").is_empty());
}

#[tokio::test]
async fn an_org_sees_nothing_of_another() {
    // S2
    let harness = Harness::with_wallet(2_500, 600).await;
    let other = harness.token(OTHER_ORG, "owner");
    let (_, wallet) = harness.get("/api/billing/wallet", &other).await;
    assert_eq!(wallet["balance_pence"], 0);
    let (_, page) = harness.get("/api/billing/wallet/transactions", &other).await;
    assert_eq!(page["transactions"], json!([]));
    let (_, statement) = harness.get("/api/billing/wallet/statement?from=2000-01-01", &other).await;
    assert_eq!(statement["entries"], json!([]));
    let (_, top_up) = harness.post("/api/billing/wallet/topup", &other, r#"{"amount_pence": 2500}"#).await;
    let session = top_up["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    harness.stack.stripe.act(&session, local::sandbox::stripe::Act::Pay).unwrap();
    harness.pass(0).await;
    assert_eq!(harness.money().await, (2_500, 0));
    assert_eq!(harness.wallet_of(OTHER_ORG).await.balance().pence(), 2_500);
}

#[tokio::test]
async fn machine_routes_have_signatures_and_no_browser_defences() {
    // W5 and W11
    let harness = Harness::with_wallet(2_500, 600).await;
    for (method, path) in MACHINE_ROUTES {
        let (status, problem) = call(&harness, method, path, r#"{"message": {"type": "x"}}"#, None).await;
        assert_eq!((status, problem["code"].as_str()), (401, Some("invalid_signature")));
    }
    for _ in 0..2_000 {
        assert_eq!(harness.vapi(&json!({"message": {"type": "speech-update"}})).await.0, 200);
    }
}

#[tokio::test]
async fn without_a_readable_secret_nothing_is_accepted_in_any_environment() {
    // W5
    for secret in ["", " , "] {
        let settings = ["VAPI_WEBHOOK_SECRETS", "STRIPE_WEBHOOK_SECRETS"]
            .map(|name| (name.to_owned(), secret.to_owned()));
        let harness = Harness::empty(settings.to_vec()).await;
        let (status, problem) = harness.vapi(&json!({"message": {"type": "status-update"}})).await;
        assert_eq!((status, problem["code"].as_str()), (503, Some("webhook_not_configured")));
        let (status, problem) = harness.stripe(&json!({"id": "evt_1"})).await;
        assert_eq!((status, problem["code"].as_str()), (503, Some("webhook_not_configured")));
    }
}
