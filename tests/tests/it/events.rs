//! `tests/events`: what `sam local invoke` gives each function. Each is handled by the real handler.

use bytes::Bytes;
use http::Request;
use local::{demo_clinic, template::Template, token};
use serde_json::{Value, json};
use tests::{Harness, ORG};

/// The event of a function, as it lies there.
fn event_of(binary: &str) -> Value {
    let file = format!("{}/events/{binary}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// An event that names an org and an account is given those that this stack has.
async fn of_this_stack(harness: &Harness, binary: &str, mut event: Value) -> Value {
    if binary == "twilio-webhook" {
        let numbers = store::numbers::Numbers::new(harness.stack.db()).of_org(ORG).await.unwrap();
        let body = event["body"].as_str().unwrap();
        let body = body.replace("AC00000000000000000000000000000001", numbers[0].account_sid.as_str());
        event["body"] = json!(body);
        event["rawQueryString"] = json!(format!("org={ORG}"));
    }
    event
}

/// Headers of a request that a sandbox signed.
fn signed(request: &Request<Bytes>, names: &[&'static str]) -> Vec<(&'static str, String)> {
    names.iter().map(|name| (*name, request.headers()[*name].to_str().unwrap().to_owned())).collect()
}

/// An event of API Gateway's, with what its sender would show in the place of `TOKEN` and `SIGNATURE`.
fn shown(harness: &Harness, binary: &str, event: &Value) -> Value {
    let now = harness.stack.clock.now();
    let body = event["body"].as_str().unwrap_or_default();
    let mut headers = event["headers"].clone();
    let given: Vec<(&str, String)> = match binary {
        "vapi-webhook" => signed(&harness.stack.vapi.signed(body), &["x-vapi-timestamp", "x-vapi-signature"]),
        "stripe-webhook" => signed(&harness.stack.stripe.signed(body), &["stripe-signature"]),
        "twilio-webhook" => {
            let url = format!(
                "https://voxanne.sandbox{}?{}",
                event["rawPath"].as_str().unwrap(),
                event["rawQueryString"].as_str().unwrap()
            );
            let form: Vec<(String, String)> =
                url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
            let form: Vec<(&str, &str)> =
                form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let account = form.iter().find(|(name, _)| *name == "AccountSid").unwrap().1;
            signed(&harness.stack.twilio.signed(account, &url, &form).unwrap(), &["x-twilio-signature"])
        }
        "operations" => vec![("authorization", format!("Bearer {}", token::issue_operator(now).unwrap()))],
        _ => {
            let token = token::issue(demo_clinic::ORG, "owner", now).unwrap();
            vec![("authorization", format!("Bearer {token}"))]
        }
    };
    for (name, value) in given {
        assert!(headers[name].is_string(), "{binary} has no {name} to be filled in");
        headers[name] = json!(value);
    }
    let mut event = event.clone();
    event["headers"] = headers;
    event
}

#[tokio::test]
async fn every_function_has_an_event_that_its_handler_deals_with() {
    let harness = Harness::with_wallet(5_000, 600).await;
    harness.has_number("inbound").await;
    let template = Template::read("test").unwrap();
    let mut seen = Vec::new();
    for function in template.functions.values() {
        let binary = function.binary.as_str();
        let event = of_this_stack(&harness, binary, event_of(binary)).await;
        let answer = harness.stack.invoke(binary, &event).await.unwrap();
        if event["routeKey"] == "$default" {
            assert_eq!(template.default_function.as_deref(), Some(binary));
            assert_eq!(answer["statusCode"], 200, "{binary}: {answer}");
        } else if event["version"] == "2.0" {
            assert_eq!(answer["statusCode"], 401, "{binary}, of whom nothing is known: {answer}");
            let path = event["rawPath"].as_str().unwrap();
            let method = event["requestContext"]["http"]["method"].as_str().unwrap();
            let is_its = |route: &local::template::Route| {
                route.function == binary && route.path == path && route.method == method
            };
            assert!(template.routes.iter().any(is_its), "{binary} has no route {method} {path}");
            let answer = harness.stack.invoke(binary, &shown(&harness, binary, &event)).await.unwrap();
            assert_eq!(answer["statusCode"], 200, "{binary}: {answer}");
        } else {
            let failed = answer["batchItemFailures"].as_array().map_or(0, Vec::len);
            assert_eq!(failed, 0, "{binary}: {answer}");
        }
        seen.push(format!("{binary}.json"));
    }
    let folder = format!("{}/events", env!("CARGO_MANIFEST_DIR"));
    let mut there: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    seen.sort();
    there.sort();
    assert_eq!(there, seen, "an event is a function's");
}

#[tokio::test]
async fn an_event_of_another_kind_is_an_error_of_the_function() {
    let harness = Harness::empty(vec![]).await;
    for (function, event) in [
        ("wallet", event_of("reconcile")),
        ("call-meter", event_of("reconcile")),
        ("reconcile", event_of("call-meter")),
        ("mailer", json!({})),
    ] {
        assert!(harness.stack.invoke(function, &event).await.is_err(), "{function}");
    }
    let mut unreadable = event_of("call-meter");
    unreadable["Records"][0]["body"] = json!("{}");
    let answer = harness.stack.invoke("call-meter", &unreadable).await.unwrap();
    assert_eq!(answer["batchItemFailures"].as_array().map(Vec::len), Some(1), "{answer}");
}

#[tokio::test]
async fn an_address_with_raw_characters_is_a_400_and_no_panic() {
    let harness = Harness::empty(vec![]).await;
    for function in
        ["wallet", "calls", "agents", "clinic", "operations", "provision-number", "stripe-webhook"]
    {
        for query in ["search=<b>", "a=\"", "search=Mr Smith", "a>b", "a=\u{e4}\u{7f}", "{}|^`"] {
            let mut event = event_of(function);
            event["rawQueryString"] = json!(query);
            let answer = harness.stack.invoke(function, &event).await.unwrap();
            let is_read = http::Uri::try_from(format!("/?{query}")).is_ok();
            let status = answer["statusCode"].as_u64().unwrap();
            assert_eq!(status == 400, !is_read, "{function} {query}: {answer}");
            if !is_read {
                let problem: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
                assert_eq!(problem["code"], "invalid_value", "{answer}");
            }
        }
    }
    // Nor one whose path or host is none.
    for (field, value) in [("rawPath", json!("/api/billing/wallet <x>")), ("host", json!("a b"))] {
        let mut event = event_of("wallet");
        if field == "host" {
            event["headers"]["host"] = value;
        } else {
            event[field] = value;
        }
        let answer = harness.stack.invoke("wallet", &event).await.unwrap();
        assert!([400, 404, 401].contains(&answer["statusCode"].as_u64().unwrap()), "{field}: {answer}");
    }
}
