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
    for path in ["/api", "/api/", "/api/none", "/api/session", "/assets/app.js", "/favicon.ico"] {
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
