//! The console's pages, and what no other route takes.

use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;
use tests::Harness;

async fn ask(harness: &Harness, method: &str, path: &str, accept: &str) -> Response<Bytes> {
    let request = Request::builder().method(method).uri(path).header("accept", accept);
    harness.stack.request(request.body(Bytes::new()).unwrap()).await
}

fn problem(response: &Response<Bytes>) -> Value {
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    serde_json::from_slice(response.body()).unwrap()
}

#[tokio::test]
async fn a_browser_gets_the_page_and_with_it_every_file_that_the_page_names() {
    let harness = Harness::empty(vec![]).await;
    let page = ask(&harness, "GET", "/calls/call-1", "text/html").await;
    assert_eq!(page.status(), 200);
    assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'self'"));
    let text = String::from_utf8(page.body().to_vec()).unwrap();
    let named: Vec<&str> = text.split('"').filter(|part| part.starts_with("/assets/")).collect();
    assert!(named.len() >= 2, "{text}");
    for path in named {
        let file = ask(&harness, "GET", path, "*/*").await;
        assert_eq!(file.status(), 200, "{path}");
        assert!(file.headers()["cache-control"].to_str().unwrap().contains("immutable"), "{path}");
    }
    let head = ask(&harness, "HEAD", "/", "text/html").await;
    assert_eq!((head.status().as_u16(), head.body().len()), (200, 0));
    assert_eq!(head.headers()["etag"], page.headers()["etag"]);
}

#[tokio::test]
async fn what_is_nowhere_is_a_problem_and_no_page() {
    let harness = Harness::empty(vec![]).await;
    let nowhere =
        ["/api", "/api/", "/api/none", "/api/session", "/api/calls/1/2", "/assets/app.js", "/favicon.ico"];
    for path in nowhere {
        let answer = ask(&harness, "GET", path, "text/html").await;
        assert_eq!(
            (answer.status().as_u16(), &problem(&answer)["code"]),
            (404, &"not_found".into()),
            "{path}"
        );
    }
    let answer = ask(&harness, "GET", "/wallet", "application/json").await;
    assert_eq!(problem(&answer)["code"], "not_found");
    for (method, path, allowed) in [
        ("DELETE", "/", "GET, HEAD"),
        ("POST", "/wallet", "GET, HEAD"),
        ("POST", "/api/session/config", "GET, HEAD"),
        ("PUT", "/api/contacts/contact-1", "GET, HEAD, PATCH"),
        ("GET", "/api/calls", "POST"),
        ("PATCH", "/api/recordings/ticket", "GET, HEAD"),
    ] {
        let answer = ask(&harness, method, path, "text/html").await;
        assert_eq!(
            (answer.status().as_u16(), &problem(&answer)["code"]),
            (405, &"method_not_allowed".into())
        );
        assert_eq!(answer.headers()["allow"], allowed, "{path}");
    }
}

#[tokio::test]
async fn a_page_learns_how_one_signs_in_before_anybody_has() {
    let harness = Harness::empty(vec![]).await;
    let answer = ask(&harness, "GET", "/api/session/config", "*/*").await;
    let config: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!((&config["environment"], &config["sign_in"]), (&"sandbox".into(), &"local".into()));
    assert_eq!(config["issuer"], local::stack::JWT_ISSUER);
    let unknown = ask(&harness, "GET", "/api/session/config?a=b", "*/*").await;
    assert_eq!(unknown.status(), 400);

    let mut production = harness.stack.platform.clone();
    production.environment =
        production.environment.with("VOXANNE_ENVIRONMENT", "production").without("CONSOLE_SIGN_IN");
    let config = serde_json::to_value(console::Deps::new(production).unwrap().sign_in).unwrap();
    assert_eq!((&config["environment"], &config["sign_in"]), (&"production".into(), &"password".into()));
}

#[tokio::test]
async fn the_document_of_the_api_is_there_for_everybody_and_is_asked_for_once() {
    let harness = Harness::empty(vec![]).await;
    let answer = ask(&harness, "GET", "/api/openapi.json", "*/*").await;
    let document: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/api/billing/wallet"]["get"].is_object());
    let tag = answer.headers()["etag"].clone();
    let again = Request::get("/api/openapi.json").header("if-none-match", tag).body(Bytes::new()).unwrap();
    let again = harness.stack.request(again).await;
    assert_eq!((again.status().as_u16(), again.body().len()), (304, 0));
}

#[tokio::test]
async fn head_is_answered_as_get_is_without_the_body() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let of = async |method: &str, path: &str, token: Option<String>| {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        harness.send(request.body(Bytes::new()).unwrap()).await
    };
    for path in [
        "/api/billing/wallet",
        "/api/calls-dashboard",
        "/api/contacts/nobody",
        "/api/openapi.json",
        "/api/none",
    ] {
        for token in [None, Some(harness.owner())] {
            let (get, head) = (of("GET", path, token.clone()).await, of("HEAD", path, token).await);
            assert_eq!(head.status(), get.status(), "{path}");
            assert_eq!(head.headers()["content-type"], get.headers()["content-type"], "{path}");
            assert!(head.body().is_empty() && !get.body().is_empty(), "{path}");
        }
    }
}

#[tokio::test]
async fn every_answer_has_the_requests_id_and_a_401_says_what_it_wants() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let shown = async |path: &str, token: Option<&str>| {
        let mut request = Request::get(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        harness.send(request.body(Bytes::new()).unwrap()).await
    };
    for (path, token, challenge) in [
        ("/api/billing/wallet", None, "Bearer"),
        ("/api/billing/wallet", Some("a.b.c"), "Bearer error=\"invalid_token\""),
    ] {
        let answer = shown(path, token).await;
        assert_eq!(
            (answer.status().as_u16(), answer.headers()["www-authenticate"].to_str().unwrap()),
            (401, challenge)
        );
        assert_eq!(problem(&answer)["request_id"], answer.headers()["x-request-id"].to_str().unwrap());
    }
    let webhook = Request::post("/api/vapi/webhook").body(Bytes::from("{}")).unwrap();
    let webhook = harness.send(webhook).await;
    assert_eq!(
        (webhook.status().as_u16(), webhook.headers()["www-authenticate"].to_str().unwrap()),
        (401, "Signature")
    );
    for path in ["/api/billing/wallet", "/", "/api/none"] {
        let answer = shown(path, Some(&harness.owner())).await;
        assert!(!answer.headers()["x-request-id"].is_empty(), "{path}");
    }
}

#[tokio::test]
async fn what_a_route_does_not_know_is_refused_by_its_name() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let owner = harness.owner();
    let paths = tests::contract::document()["paths"].as_object().unwrap();
    let mut asked = 0;
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            if operation["x-roles"] == serde_json::json!([]) {
                continue;
            }
            let operator = local::token::issue_operator(base::clock::Clock::now(&*harness.clock)).unwrap();
            let is_operators = operation["x-roles"][0] == "operator";
            let token = if is_operators { &operator } else { &owner };
            let path = path.replace("{orgId}", &tests::ORG.to_string()).replace(['{', '}'], "");
            let send = async |query: &str, body: &'static str| {
                let request =
                    Request::builder().method(method.to_uppercase().as_str()).uri(format!("{path}{query}"));
                let request =
                    request.header("authorization", format!("Bearer {token}")).body(Bytes::from(body));
                let answer = harness.send(request.unwrap()).await;
                (answer.status().as_u16(), problem(&answer))
            };
            let (status, said) = send("?surprise=1", "").await;
            let names = said["detail"].as_str().unwrap_or_default().contains("surprise");
            assert!(status == 400 && names, "{method} {path}: {said}");
            if method != "get" {
                let (status, said) = send("", r#"{"surprise": 1}"#).await;
                let names = said["detail"].as_str().unwrap_or_default().contains("surprise");
                assert!(status == 400 && names, "{method} {path}: {said}");
            }
            asked += 1;
        }
    }
    assert!(asked > 55, "{asked} routes");
}
