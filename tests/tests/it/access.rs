//! Who may do what: tokens, roles, orgs.

use base::clock::Clock;
use bytes::Bytes;
use http::Request;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use local::stack::{JWT_ISSUER, JWT_SECRET};
use serde_json::{Value, json};
use tests::{Harness, ORG, OTHER_ORG, parts};

/// A route that needs a token: as the template has it, as it is called, with a body that would do something, and what its
/// owner is answered.
struct Route {
    method: &'static str,
    template: &'static str,
    path: &'static str,
    body: &'static str,
    answer: u16,
}

const fn at(method: &'static str, template: &'static str, body: &'static str, answer: u16) -> Route {
    Route { method, template, path: template, body, answer }
}

/// Every route of the template that needs a token of an org's member.
const ROUTES: [Route; 66] = [
    at("GET", "/api/billing/wallet", "", 200),
    at("GET", "/api/billing/wallet/transactions", "", 200),
    at("GET", "/api/billing/wallet/statement", "", 200),
    at("POST", "/api/billing/wallet/topup", r#"{"amount_pence": 2500}"#, 200),
    at(
        "POST",
        "/api/billing/wallet/auto-recharge",
        r#"{"enabled": false, "amount_pence": 3000, "threshold_pence": 700}"#,
        200,
    ),
    at("GET", "/api/managed-telephony/available-numbers", "", 200),
    at("GET", "/api/managed-telephony/phone-status", "", 200),
    at("GET", "/api/phone-settings/status", "", 200),
    at("GET", "/api/integrations/vapi/numbers", "", 200),
    at("POST", "/api/managed-telephony/provision", r#"{"country": "US", "direction": "inbound"}"#, 201),
    at("POST", "/api/integrations/vapi/assign-number", r#"{"vapiPhoneId": "x", "role": "inbound"}"#, 404),
    at(
        "POST",
        "/api/integrations/twilio",
        r#"{"accountSid": "AC0123456789abcdef0123456789abcdef", "authToken": "x", "phoneNumber": "+14155550199",
            "type": "outbound"}"#,
        400,
    ),
    Route {
        method: "DELETE",
        template: "/api/managed-telephony/numbers/{phoneNumber}",
        path: "/api/managed-telephony/numbers/+14155550199",
        body: "",
        answer: 404,
    },
    at("GET", "/api/founder-console/agent/config", "", 200),
    at("GET", "/api/agents", "", 200),
    at(
        "POST",
        "/api/founder-console/agent/behavior",
        r#"{"outbound": {"name": "A", "systemPrompt": "B", "firstMessage": "C", "voiceId": "Elliot",
            "voiceProvider": "vapi", "language": "en", "maxDurationSeconds": 60}}"#,
        200,
    ),
    at("POST", "/api/calls", r#"{"phoneNumber": "+447700900123"}"#, 409),
    at("GET", "/api/appointments", "", 200),
    at("GET", "/api/appointments/available-slots", "", 400),
    at(
        "POST",
        "/api/appointments",
        r#"{"service_id": "s1", "scheduled_at": "2026-01-12T10:00:00Z", "contact": {"name": "Ada Lovelace"}}"#,
        400,
    ),
    Route {
        method: "GET",
        template: "/api/appointments/{id}",
        path: "/api/appointments/appointment-1",
        body: "",
        answer: 404,
    },
    Route {
        method: "PATCH",
        template: "/api/appointments/{id}",
        path: "/api/appointments/appointment-1",
        body: r#"{"revision": 1, "status": "arrived"}"#,
        answer: 404,
    },
    Route {
        method: "DELETE",
        template: "/api/appointments/{id}",
        path: "/api/appointments/appointment-1?revision=1",
        body: "",
        answer: 404,
    },
    at("GET", "/api/services", "", 200),
    at(
        "POST",
        "/api/services",
        r#"{"name": "Check-up", "duration_mins": 30, "needs": [["no-such-resource"]]}"#,
        400,
    ),
    Route {
        method: "PATCH",
        template: "/api/services/{id}",
        path: "/api/services/service-1",
        body: r#"{"version": 1, "terms": {"name": "Check-up", "duration_mins": 30, "needs": [["x"]]}}"#,
        answer: 404,
    },
    Route {
        method: "DELETE",
        template: "/api/services/{id}",
        path: "/api/services/service-1",
        body: "",
        answer: 404,
    },
    at("GET", "/api/resources", "", 200),
    at("POST", "/api/resources", r#"{"name": "Dr Rahman", "time_zone": "Europe/London"}"#, 201),
    Route {
        method: "PATCH",
        template: "/api/resources/{id}",
        path: "/api/resources/resource-1",
        body: r#"{"version": 1, "hours": {"name": "Dr Rahman", "time_zone": "Europe/London"}}"#,
        answer: 404,
    },
    Route {
        method: "DELETE",
        template: "/api/resources/{id}",
        path: "/api/resources/resource-1",
        body: "",
        answer: 404,
    },
    at("GET", "/api/contacts", "", 200),
    at("POST", "/api/contacts", r#"{"contact_name": "Ada Lovelace"}"#, 201),
    Route {
        method: "GET",
        template: "/api/contacts/{id}",
        path: "/api/contacts/contact-1",
        body: "",
        answer: 404,
    },
    Route {
        method: "PATCH",
        template: "/api/contacts/{id}",
        path: "/api/contacts/contact-1",
        body: r#"{"version": 1, "notes": "Deaf."}"#,
        answer: 404,
    },
    at("GET", "/api/messages", "", 400),
    at("GET", "/api/google-oauth/authorize", "", 200),
    at("GET", "/api/google-oauth/status", "", 200),
    at("POST", "/api/google-oauth/revoke", "", 200),
    at("GET", "/api/calendars", "", 200),
    at("PATCH", "/api/calendars", r#"{"title": "first_name"}"#, 200),
    Route {
        method: "PATCH",
        template: "/api/calendars/{id}",
        path: "/api/calendars/calendar-1",
        body: r#"{"version": 1, "resource_ids": []}"#,
        answer: 404,
    },
    at("GET", "/api/notifications", "", 200),
    at("GET", "/api/notifications/unread", "", 200),
    at("POST", "/api/notifications/mark-all-read", "", 200),
    Route {
        method: "PATCH",
        template: "/api/notifications/{id}/read",
        path: "/api/notifications/note-1/read",
        body: "",
        answer: 404,
    },
    Route {
        method: "DELETE",
        template: "/api/notifications/{id}",
        path: "/api/notifications/note-1",
        body: "",
        answer: 404,
    },
    at("GET", "/api/clinic", "", 200),
    at("PATCH", "/api/clinic", r#"{"time_zone": "America/New_York"}"#, 200),
    at("GET", "/api/onboarding/status", "", 200),
    at(
        "POST",
        "/api/onboarding/diversion-test",
        r#"{"main_line": "+442079460000", "from": "+447700900124"}"#,
        201,
    ),
    at("GET", "/api/team/members", "", 200),
    at("POST", "/api/team/members", r#"{"email": "ida@example.com", "role": "staff"}"#, 201),
    Route {
        method: "PATCH",
        template: "/api/team/members/{id}",
        path: "/api/team/members/member-1",
        body: r#"{"role": "admin"}"#,
        answer: 404,
    },
    Route {
        method: "DELETE",
        template: "/api/team/members/{id}",
        path: "/api/team/members/member-1",
        body: "",
        answer: 404,
    },
    Route {
        method: "POST",
        template: "/api/calls/{id}/end",
        path: "/api/calls/call-1/end",
        body: "",
        answer: 404,
    },
    at("GET", "/api/live", "", 200),
    at("GET", "/api/calls-dashboard/total", "", 200),
    at("GET", "/api/calls-dashboard", "", 200),
    at("GET", "/api/calls-dashboard/stats", "", 200),
    at("GET", "/api/calls-dashboard/live", "", 200),
    at("GET", "/api/analytics/dashboard-pulse", "", 200),
    at("GET", "/api/analytics/recent-activity", "", 200),
    at("GET", "/api/analytics/spend", "", 200),
    Route {
        method: "GET",
        template: "/api/calls-dashboard/{id}",
        path: "/api/calls-dashboard/call-1",
        body: "",
        answer: 404,
    },
    Route {
        method: "GET",
        template: "/api/calls-dashboard/{id}/recording",
        path: "/api/calls-dashboard/call-1/recording",
        body: "",
        answer: 404,
    },
];
/// Those that need an operator's token (`operations.rs`).
const OPERATOR_ROUTES: [(&str, &str); 11] = [
    ("POST", "/api/operations/clinics"),
    ("GET", "/api/operations/reconciliation"),
    ("GET", "/api/operations/doubts"),
    ("POST", "/api/operations/doubts/{orgId}/{callId}/accept"),
    ("GET", "/api/operations/wallets/{orgId}/acts"),
    ("POST", "/api/operations/wallets/{orgId}/adjustments"),
    ("POST", "/api/operations/wallets/{orgId}/unfreeze"),
    ("POST", "/api/operations/wallets/{orgId}/call-limit"),
    ("GET", "/api/operations/orphans"),
    ("POST", "/api/operations/orphans/give-back"),
    ("DELETE", "/api/operations/orphans/give-back"),
];
/// Those that need a ticket of ours in their path (`recordings.rs`), or a state of ours in their query (`calendar.rs`).
const TICKET_ROUTES: [(&str, &str); 2] =
    [calls::routes::recording::TICKETED, calendar::routes::oauth::CALLBACK];
/// Those that anybody may ask, because nobody has signed in yet (`console.rs`, `session.rs`).
const OPEN_ROUTES: [(&str, &str); 8] = [
    ("GET", "/api/session/config"),
    ("GET", "/api/openapi.json"),
    ("POST", "/api/session/password"),
    ("POST", "/api/session/magic-link"),
    ("POST", "/api/session/verify"),
    ("POST", "/api/session/refresh"),
    ("POST", "/api/session/sign-out"),
    ("POST", "/api/session/set-password"),
];
/// Those that need a signature, or the token of a channel.
const MACHINE_ROUTES: [(&str, &str); 5] = [
    ("POST", "/api/vapi/webhook"),
    ("POST", "/api/webhooks/stripe"),
    ("POST", services::messages::STATUSES),
    ("POST", services::messages::TEXTS),
    calendar::routes::word::WORD,
];

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
    let metadata = json!({"org_id": ORG, "role": "owner"});
    harness.stack.supabase.stand_for("user-1", "user-1@example.com", &metadata);
    json!({"iss": JWT_ISSUER, "aud": "authenticated", "sub": "user-1", "exp": harness.clock.now().as_second() + 60,
        "app_metadata": metadata})
}

fn signed(claims: &Value) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(JWT_SECRET.as_bytes())).unwrap()
}

#[tokio::test]
async fn every_route_of_the_template_is_in_these_lists() {
    let harness = Harness::empty(vec![]).await;
    // HEAD is answered by the same handler (`contract.rs`).
    for route in harness.stack.template.routes.iter().filter(|route| route.method != "HEAD") {
        let known =
            ROUTES.iter().any(|known| (known.method, known.template) == (&*route.method, &*route.path))
                || OPERATOR_ROUTES.contains(&(&*route.method, &*route.path))
                || TICKET_ROUTES.contains(&(&*route.method, &*route.path))
                || OPEN_ROUTES.contains(&(&*route.method, &*route.path))
                || MACHINE_ROUTES.contains(&(&*route.method, &*route.path));
        assert!(known, "{} {} is called as nobody and as another org by no test", route.method, route.path);
    }
}

#[tokio::test]
async fn what_operators_see_and_decide_is_for_them_alone() {
    // S1, S2
    let harness = Harness::with_wallet(2_500, 600).await;
    for (method, template) in OPERATOR_ROUTES {
        let path = template.replace("{orgId}", &ORG.to_string()).replace("{callId}", "call-1");
        let (status, problem) = call(&harness, method, &path, "{}", None).await;
        assert_eq!((status, problem["code"].as_str()), (401, Some("missing_token")), "{template}");
        for role in ["owner", "admin", "viewer"] {
            let token = harness.token(ORG, role);
            let (status, problem) = call(&harness, method, &path, "{}", Some(&token)).await;
            assert_eq!((status, problem["code"].as_str()), (403, Some("forbidden")), "{role}, {template}");
        }
    }
}

#[tokio::test]
async fn nothing_that_a_stranger_writes_in_a_token_reaches_the_log() {
    // L7
    let (captured, _guard) = crate::webhooks::Captured::start();
    let harness = Harness::with_wallet(2_500, 600).await;
    let mut wrong = claims(&harness);
    wrong["app_metadata"] = json!({"operator": "SEEDED-WORD"});
    let mut sub = claims(&harness);
    sub["sub"] = json!({"SEEDED-WORD": 1});
    let mut audience = claims(&harness);
    audience["aud"] = json!("SEEDED-WORD");
    let header =
        base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, r#"{"alg":"SEEDED-WORD"}"#);
    let tokens =
        [signed(&wrong), signed(&sub), signed(&audience), format!("{header}.e30.AA"), "SEEDED-WORD".into()];
    for token in tokens {
        let (status, _) = call(&harness, "GET", "/api/billing/wallet", "", Some(&token)).await;
        assert_eq!(status, 401, "{token}");
    }
    let lines = captured.our_lines();
    assert!(
        lines.iter().any(|line| line.contains("the token is not accepted")),
        "the kind is told: {lines:?}"
    );
    assert!(!lines.iter().any(|line| line.contains("SEEDED-WORD")), "{lines:?}");
}

#[tokio::test]
async fn a_functions_table_and_the_templates_routes_of_it_are_the_same() {
    let harness = Harness::empty(vec![]).await;
    let tables = [
        ("agents", agents::ROUTES),
        ("calendar", calendar::ROUTES),
        ("calls", calls::ROUTES),
        ("appointments", appointments::ROUTES),
        ("clinic", clinic::ROUTES),
        ("console", console::ROUTES),
        ("contacts", contacts::ROUTES),
        ("notifications", notifications::ROUTES),
        ("operations", operations::ROUTES),
        ("provision-number", provision_number::ROUTES),
        ("wallet", wallet::ROUTES),
    ];
    let machines = ["stripe-webhook", "twilio-webhook", "vapi-webhook"];
    for route in &harness.stack.template.routes {
        let function = route.function.as_str();
        let listed = tables.iter().any(|(name, _)| *name == function) || machines.contains(&function);
        assert!(listed, "{function} has a table that this test does not know");
    }
    for (function, table) in tables {
        let is_its = |route: &&local::template::Route| route.function == function && route.method != "HEAD";
        let of_template = harness.stack.template.routes.iter().filter(is_its);
        let mut of_template: Vec<(&str, &str)> =
            of_template.map(|route| (&*route.method, &*route.path)).collect();
        let mut compiled = table.to_vec();
        match function {
            "calls" => compiled.push(calls::routes::recording::TICKETED),
            "calendar" => {
                compiled.extend([calendar::routes::oauth::CALLBACK, calendar::routes::word::WORD]);
            }
            _ => {}
        }
        of_template.sort_unstable();
        compiled.sort_unstable();
        assert_eq!(compiled, of_template, "{function}");
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
    for Route { method, path, body, answer: expected, .. } in ROUTES {
        for (what, token, status, code) in &cases {
            let (got, problem) = call(&harness, method, path, body, token.as_deref()).await;
            assert_eq!(
                (got, problem["code"].as_str()),
                (*status, Some(*code)),
                "{what} at {path}: {problem}"
            );
        }
        let (status, answer) = call(&harness, method, path, body, Some(&good)).await;
        assert_eq!(status, expected, "{path}: {answer}");
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
        for Route { method, path, body, answer, .. } in ROUTES {
            let (status, _) = call(&harness, method, path, body, Some(&token)).await;
            // To connect a calendar is a change, although a browser is sent there. A word that is no role of ours is none.
            let is_look = role == "viewer" && method == "GET" && !path.ends_with("/authorize");
            assert_eq!(status, if is_look { answer } else { 403 }, "{role} at {path}");
        }
    }
    assert!(harness.stack.stripe.all("checkout.session").is_empty());
    assert!(harness.stack.twilio.numbers().is_empty());
}

#[tokio::test]
async fn staff_keep_the_diary_and_see_neither_money_nor_numbers_nor_agents() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let token = harness.token(ORG, "staff");
    let sees = [
        "/api/appointments",
        "/api/notifications",
        "/api/contacts",
        "/api/messages",
        "/api/services",
        "/api/resources",
        "/api/clinic",
        "/api/calls-dashboard",
        "/api/calendars",
        "/api/google-oauth/status",
        "/api/live",
        "/api/analytics/dashboard-pulse",
        "/api/analytics/recent-activity",
    ];
    let keeps = ["/api/appointments", "/api/contacts", "/api/notifications", "/api/calls/call-1/end"];
    for Route { method, path, body, answer, .. } in ROUTES {
        let may =
            if method == "GET" { &sees[..] } else { &keeps[..] }.iter().any(|begin| path.starts_with(begin));
        let may = may && !["/stats", "calls-dashboard/live"].iter().any(|end| path.ends_with(end));
        let (status, shown) = call(&harness, method, path, body, Some(&token)).await;
        assert_eq!(status, if may { answer } else { 403 }, "{method} {path}: {shown}");
        let shown = shown.to_string();
        let sums = shown.split("_pence\":").skip(1).filter(|sum| !sum.starts_with("null"));
        assert_eq!(sums.count(), 0, "{path} shows money: {shown}");
    }
}

#[tokio::test]
async fn those_are_let_in_whom_the_document_names() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let roles = |method: &str, template: &str| {
        let operation = &tests::contract::document()["paths"][template][method.to_lowercase()];
        operation["x-roles"].as_array().unwrap().clone()
    };
    for role in ["owner", "admin", "staff", "viewer"] {
        let token = harness.token(ORG, role);
        for Route { method, template, path, body, .. } in ROUTES {
            let (status, answer) = call(&harness, method, path, body, Some(&token)).await;
            let is_named = roles(method, template).contains(&json!(role));
            assert_eq!(status != 403, is_named, "{role} at {method} {path}: {answer}");
        }
    }
    for (method, template) in OPERATOR_ROUTES {
        assert_eq!(roles(method, template), [json!("operator")], "{template}");
    }
    for (method, template) in TICKET_ROUTES.into_iter().chain(OPEN_ROUTES).chain(MACHINE_ROUTES) {
        assert!(roles(method, template).is_empty(), "{template}");
    }
}

#[tokio::test]
async fn an_org_sees_nothing_of_another() {
    // S2
    let harness = Harness::with_wallet(2_500, 600).await;
    let other = harness.token(OTHER_ORG, "owner");
    harness.pay(2_600).await;
    // A number of each direction, an agent with a prompt of its own, a call of each kind.
    harness.top_up(ORG, "pi_numbers", 2_000).await;
    let inbound = harness.has_number("inbound").await;
    let outbound = harness.has_number("outbound").await;
    let behavior = r#"{"inbound": {"name": "Mine", "systemPrompt": "mine-alone", "firstMessage": "C", "voiceId":
        "Elliot", "voiceProvider": "vapi", "language": "en", "maxDurationSeconds": 60}}"#;
    harness.post("/api/founder-console/agent/behavior", &harness.owner(), behavior).await;
    harness.vapi(&tests::bodies::request("call-1")).await;
    harness.vapi(&tests::bodies::report("call-1", 60)).await;
    let marks =
        ["pi_first", "2500", "5100", &ORG.to_string(), &inbound, &outbound, "mine-alone", "call-1", "0123\""];
    let marks = marks.map(str::to_owned);
    for Route { method, path, body, answer: expected, .. } in ROUTES {
        if expected == 404 {
            let (status, problem) = call(&harness, method, path, body, Some(&other)).await;
            assert_eq!((status, problem["code"].as_str()), (404, Some("not_found")), "{path}");
        }
        let (_, answer) = call(&harness, method, path, body, Some(&other)).await;
        for mark in &marks {
            // What the request itself says, and what is for sale to every org, may come back.
            let is_own_amount = path.ends_with("topup") || path.ends_with("available-numbers");
            assert!(is_own_amount || !answer.to_string().contains(mark), "{path} shows {mark}: {answer}");
        }
    }
    let (_, wallet) = harness.get("/api/billing/wallet", &other).await;
    assert_eq!(wallet["balance_pence"], 0);
    let (_, page) = harness.get("/api/billing/wallet/transactions", &other).await;
    assert_eq!(page["transactions"], json!([]));
    let (_, statement) = harness.get("/api/billing/wallet/statement?from=2000-01-01", &other).await;
    assert_eq!(statement["entries"], json!([]));
    let (_, top_up) = harness.post("/api/billing/wallet/topup", &other, r#"{"amount_pence": 2500}"#).await;
    let session = top_up["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    harness.stack.stripe.act(&session, sandbox::stripe::Act::Pay).unwrap();
    harness.pass(0).await;
    assert_eq!(harness.money().await, (5_100 - 56, 0));
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
    let harness = Harness::empty(vec![]).await;
    let texts = [
        "",
        "{",
        "[]",
        r#"{"VAPI_WEBHOOK_SECRETS": "", "endpoint_id": "we_1", "secret": ""}"#,
        r#"{"VAPI_WEBHOOK_SECRETS": " , ", "endpoint_id": "we_1", "secret": " "}"#,
    ];
    for text in std::iter::once(None).chain(texts.map(Some)) {
        for id in crate::endpoint::secret_ids(&harness) {
            match text {
                Some(text) => harness.stack.aws.secrets().put(&id, text),
                None => harness.stack.aws.secrets().delete(&id),
            }
        }
        harness.pass(5).await;
        let (status, problem) = harness.vapi(&json!({"message": {"type": "status-update"}})).await;
        assert_eq!((status, problem["code"].as_str()), (503, Some("webhook_not_configured")), "{text:?}");
        let (status, problem) = harness.stripe(&json!({"id": "evt_1"})).await;
        assert_eq!((status, problem["code"].as_str()), (503, Some("webhook_not_configured")), "{text:?}");
    }
}

/// A P-256 key pair, made for these tests: PKCS#8, and the public point.
fn es256_key() -> (EncodingKey, Value) {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let document = pair.to_pkcs8v1().unwrap();
    let point = pair.public_key().as_ref();
    let jwk = json!({"kty": "EC", "crv": "P-256", "kid": "key-1", "alg": "ES256", "use": "sig",
        "x": base64_url(&point[1..33]), "y": base64_url(&point[33..65])});
    (EncodingKey::from_ec_der(document.as_ref()), jwk)
}

#[tokio::test]
async fn keys_of_the_issuer_are_bound_to_one_algorithm_and_fetched_with_a_cool_down() {
    // S1
    use std::sync::atomic::{AtomicUsize, Ordering};
    let (key, jwk) = es256_key();
    let fetched = std::sync::Arc::new(AtomicUsize::new(0));
    let network = {
        let (fetched, jwks) = (
            std::sync::Arc::clone(&fetched),
            json!({"keys": [jwk, {"kty": "oct", "kid": "key-2", "k": "c2VjcmV0"}]}),
        );
        vendors::http::Http::Sandbox(std::sync::Arc::new(move |request: Request<Bytes>| {
            assert_eq!(request.uri().host(), Some("issuer.example"));
            fetched.fetch_add(1, Ordering::SeqCst);
            let body = Bytes::from(jwks.to_string());
            Box::pin(async move { Ok(http::Response::new(body)) })
        }))
    };
    let harness = Harness::with_network(
        vec![("JWT_JWKS_URL".into(), "https://issuer.example/jwks.json".into())],
        Some(network),
    )
    .await;
    let token = |algorithm: Algorithm, kid: &str, key: &EncodingKey| {
        let header = Header { kid: Some(kid.into()), ..Header::new(algorithm) };
        encode(&header, &claims(&harness), key).unwrap()
    };
    let good = token(Algorithm::ES256, "key-1", &key);
    for _ in 0..5 {
        assert_eq!(harness.get("/api/billing/wallet", &good).await.0, 200);
    }
    assert_eq!(fetched.load(Ordering::SeqCst), 1, "kept for ten minutes");
    let public = jwk["x"].as_str().unwrap().as_bytes().to_vec();
    let forged = [
        (
            "HS256 signed with the public key",
            token(Algorithm::HS256, "key-1", &EncodingKey::from_secret(&public)),
        ),
        (
            "a symmetric key of the set",
            token(Algorithm::HS256, "key-2", &EncodingKey::from_secret(b"secret")),
        ),
        ("another's key under this name", token(Algorithm::ES256, "key-1", &es256_key().0)),
        ("an unknown key", token(Algorithm::ES256, "key-9", &key)),
    ];
    for (what, token) in &forged {
        let (status, problem) = harness.get("/api/billing/wallet", token).await;
        assert_eq!((status, problem["code"].as_str()), (401, Some("invalid_token")), "{what}");
    }
    assert_eq!(fetched.load(Ordering::SeqCst), 1, "just fetched: an unknown key is not asked for");
    harness.pass(31).await;
    for _ in 0..5 {
        harness.get("/api/billing/wallet", &forged[3].1).await;
    }
    assert_eq!(fetched.load(Ordering::SeqCst), 2, "once, then again not for half a minute");
    harness.pass(660).await;
    assert_eq!(harness.get("/api/billing/wallet", &signed_es256(&harness, &key)).await.0, 200);
    assert_eq!(fetched.load(Ordering::SeqCst), 3, "ten minutes later");
}

fn signed_es256(harness: &Harness, key: &EncodingKey) -> String {
    let header = Header { kid: Some("key-1".into()), ..Header::new(Algorithm::ES256) };
    encode(&header, &claims(harness), key).unwrap()
}

#[tokio::test]
async fn an_rs256_token_is_verified_by_the_issuers_key_and_an_issuer_that_is_down_is_not_hammered() {
    use aws_lc_rs::{
        encoding::AsDer,
        rsa::{KeyPair, KeySize},
        signature::KeyPair as _,
    };
    use base64::{Engine, engine::general_purpose::STANDARD};
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: aws_lc_rs::encoding::Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let pem = format!(
        "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
        STANDARD.encode(der.as_ref())
    );
    let key = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
    let modulus = pair.public_key().modulus();
    let exponent = pair.public_key().exponent();
    let jwks = json!({"keys": [{"kty": "RSA", "kid": "rsa-1", "alg": "RS256", "use": "sig",
        "n": base64_url(modulus.big_endian_without_leading_zero()),
        "e": base64_url(exponent.big_endian_without_leading_zero())}]});
    let (is_down, asked) =
        (std::sync::Arc::new(AtomicBool::new(true)), std::sync::Arc::new(AtomicUsize::new(0)));
    let network = {
        let (is_down, asked) = (std::sync::Arc::clone(&is_down), std::sync::Arc::clone(&asked));
        vendors::http::Http::Sandbox(std::sync::Arc::new(move |_| {
            asked.fetch_add(1, Ordering::SeqCst);
            let answer = if is_down.load(Ordering::SeqCst) {
                Err(vendors::http::HttpError::TimedOut)
            } else {
                Ok(http::Response::new(Bytes::from(jwks.to_string())))
            };
            Box::pin(async move { answer })
        }))
    };
    let settings = vec![("JWT_JWKS_URL".into(), "https://issuer.example/jwks.json".into())];
    let harness = Harness::with_network(settings, Some(network)).await;
    let header = Header { kid: Some("rsa-1".into()), ..Header::new(Algorithm::RS256) };
    let token = encode(&header, &claims(&harness), &key).unwrap();
    for status in [500, 500, 500] {
        assert_eq!(harness.get("/api/billing/wallet", &token).await.0, status, "the issuer is down");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    is_down.store(false, Ordering::SeqCst);
    harness.pass(31).await;
    assert_eq!(harness.get("/api/billing/wallet", &token).await.0, 200);
    is_down.store(true, Ordering::SeqCst);
    harness.pass(700).await;
    let later = encode(&header, &claims(&harness), &key).unwrap();
    assert_eq!(
        harness.get("/api/billing/wallet", &later).await.0,
        200,
        "a key that was good is believed meanwhile"
    );
    harness.pass(3_600).await;
    let stale = encode(&header, &claims(&harness), &key).unwrap();
    assert_eq!(harness.get("/api/billing/wallet", &stale).await.0, 500, "for an hour, not for ever");
}
