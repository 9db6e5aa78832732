//! The local port: API Gateway's part (routes, CORS), and the sandboxes' own addresses.

mod guard;
mod sign_in;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use aws_smithy_runtime_api::client::{http::HttpConnector, orchestrator::HttpRequest};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, State},
    response::IntoResponse,
};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use serde_json::{Value, json};
use tokio::sync::watch;

pub use self::guard::{KEY_HEADER, KEY_PATH};
use self::guard::{is_command, refused, show_key};
use crate::{
    agreement,
    alarms::Alarms,
    stack::{SUPABASE_PATH, Stack},
    template::Cors,
};
use sandbox::{
    faults::{Fault, OPERATIONS},
    hosts::ask_twilio,
    vapi::Placing,
};

/// What API Gateway takes at most.
const LARGEST_BODY: usize = 10 * 1024 * 1024;
/// What API Gateway lets an integration take at most.
const LONGEST_ANSWER: Duration = Duration::from_secs(30);

/// What the port serves.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// The system.
    pub stack: Arc<Stack>,
    /// What it has raised.
    pub alarms: Alarms,
    /// The dashboard's origin.
    pub cors_origin: String,
    /// The data folder's key. A command beside this process shows it to get at the tables and queues, and a request to a
    /// sandbox that does not come from this machine.
    pub folder_key: String,
    /// Whether the port may be reached from outside: a vendor is real, or there is a public address. Then a request that comes
    /// from this machine may be a tunnel's, and the sandboxes want the key of each.
    pub is_exposed: bool,
}

/// Serves `gateway` until `stop` says so.
///
/// # Errors
/// When the socket fails.
pub async fn serve(
    gateway: Gateway,
    listener: tokio::net::TcpListener,
    mut stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let router = Router::new().fallback(answer).with_state(Arc::new(gateway));
    axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async move {
            let _ = stop.wait_for(|stop| *stop).await;
        })
        .await
}

async fn answer(
    State(gateway): State<Arc<Gateway>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> impl IntoResponse {
    let (parts, body) = request.into_parts();
    let mut response = match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(body) => route(&gateway, peer, Request::from_parts(parts, body.to_bytes())).await,
        Err(_) => say(StatusCode::PAYLOAD_TOO_LARGE, &json!({"message": "Request Entity Too Large"})),
    };
    let headers = response.headers_mut();
    if let Ok(origin) = HeaderValue::from_str(&gateway.cors_origin) {
        if origin != "*" {
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if let Ok(exposed) = HeaderValue::from_str(&gateway.stack.template.cors.exposed) {
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
        headers.append(header::VARY, HeaderValue::from_static("origin"));
    }
    response.map(Body::from)
}

async fn route(gateway: &Gateway, peer: SocketAddr, request: Request<Bytes>) -> Response<Bytes> {
    if request.method() == Method::OPTIONS {
        return preflight(&gateway.stack.template.cors);
    }
    let (request, has_key) = show_key(gateway, request);
    let path = request.uri().path().to_owned();
    if !has_key && let Some(refused) = refused(gateway, peer, &request) {
        return refused;
    }
    if let Some(rest) = path.strip_prefix("/_sandbox/vapi/api") {
        return gateway.stack.vapi.answer(&with_path(request, rest));
    }
    if path.starts_with("/_sandbox/vapi/control/") {
        return gateway.stack.vapi.answer(&request);
    }
    let host = ["/_sandbox/twilio/voice/", "/_sandbox/twilio/numbers/"];
    if let Some(rest) = host.into_iter().find_map(|host| path.strip_prefix(host)) {
        let request = with_path(request, &format!("/{rest}"));
        return ask_twilio(&gateway.stack.twilio, &gateway.stack.vapi, &request);
    }
    if let Some(rest) = path.strip_prefix("/_sandbox/ses/") {
        let request = with_path(request, &format!("/{rest}"));
        return gateway.stack.mail.answer(&request, gateway.stack.clock.now());
    }
    if path.starts_with("/2010-04-01/") {
        return ask_twilio(&gateway.stack.twilio, &gateway.stack.vapi, &request);
    }
    if path.starts_with("/_sandbox/stripe/") {
        return gateway.stack.stripe.page(&request);
    }
    if path.starts_with("/v1/") {
        return gateway.stack.stripe.answer(&request);
    }
    if let Some(rest) = path.strip_prefix("/_sandbox/google/api") {
        return gateway.stack.google.answer(&with_path(request, rest));
    }
    if let Some(rest) = path.strip_prefix("/_sandbox/google/tokens") {
        return gateway.stack.google.token_endpoint(&with_path(request, rest));
    }
    if path.starts_with("/_sandbox/google/o/oauth2/") {
        return gateway.stack.google.consent_page(&request);
    }
    if path == "/_sandbox/google/events" && request.method() == Method::POST {
        return gateway.stack.google.hand(&request);
    }
    if let Some(rest) = path.strip_prefix(SUPABASE_PATH) {
        return gateway.stack.supabase.answer(&with_path(request, &format!("/auth/v1{rest}")));
    }
    if path == "/_aws" || path.starts_with("/_aws/") {
        return aws(gateway, request, has_key).await;
    }
    if path == "/_sandbox/clinics" && request.method() == Method::GET {
        return sign_in::clinics(gateway).await;
    }
    if path == "/_sandbox/check" && request.method() == Method::GET {
        return say(StatusCode::OK, &json!({"findings": agreement::look(&gateway.stack).await}));
    }
    if path == "/_sandbox" || path.starts_with("/_sandbox/") {
        return sandbox(gateway, &request, &path);
    }
    match tokio::time::timeout(LONGEST_ANSWER, gateway.stack.request(request)).await {
        Ok(response) => response,
        Err(_) => say(StatusCode::GATEWAY_TIMEOUT, &json!({"message": "Endpoint request timed out"})),
    }
}

/// AWS's own JSON protocol, for what is beside this process: the AWS CLI, an SDK, a function under SAM. The access key must be
/// the data folder's, where the key is not shown otherwise.
async fn aws(gateway: &Gateway, request: Request<Bytes>, has_key: bool) -> Response<Bytes> {
    if request.method() != Method::POST || !(has_key || is_command(gateway, &request)) {
        let detail =
            "This address is for AWS's SDKs and command line, with the data folder's key as the access key.";
        return say(StatusCode::FORBIDDEN, &json!({"detail": detail}));
    }
    let Ok(request) = HttpRequest::try_from(request.map(SdkBody::from)) else {
        return refuse("The request's headers cannot be read.");
    };
    let Ok(answer) = gateway.stack.aws.call(request).await else {
        return say(StatusCode::GATEWAY_TIMEOUT, &json!({"message": "Endpoint request timed out"}));
    };
    let status = StatusCode::from_u16(answer.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    let headers = answer.headers().clone();
    let Ok(body) = ByteStream::new(answer.into_body()).collect().await else {
        return say(StatusCode::BAD_GATEWAY, &json!({"message": "The answer broke off."}));
    };
    let mut response = Response::new(body.into_bytes());
    *response.status_mut() = status;
    for name in ["content-type", "x-amzn-query-error"] {
        if let Some(value) = headers.get(name).and_then(|value| HeaderValue::from_str(value).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn preflight(cors: &Cors) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::NO_CONTENT;
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, cors.methods.as_str()),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, cors.headers.as_str()),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn sandbox(gateway: &Gateway, request: &Request<Bytes>, path: &str) -> Response<Bytes> {
    let place = path.trim_start_matches("/_sandbox").trim_matches('/');
    let segments: Vec<&str> = place.split('/').collect();
    match (request.method(), segments.as_slice()) {
        (&Method::GET, [""]) => say(StatusCode::OK, &overview(gateway)),
        (&Method::POST, ["token"]) => sign_in::issue(gateway, request.body()),
        (&Method::POST, ["vapi", "calls"]) => {
            let placing: Placing = match serde_json::from_slice(request.body()) {
                Ok(placing) => placing,
                Err(error) => {
                    return refuse(&format!("Send {{\"to\": \"+44…\", \"talk_seconds\": 90}}: {error}."));
                }
            };
            match gateway.stack.vapi.place(&placing) {
                Ok(id) => {
                    let watch = format!("/_sandbox/vapi/calls/{id}");
                    say(StatusCode::CREATED, &json!({"id": id, "watch": watch}))
                }
                Err(sentence) => refuse(&sentence),
            }
        }
        (&Method::GET, ["vapi", "calls", id]) => match gateway.stack.vapi.call(id) {
            Some(call) => say(StatusCode::OK, &json!(call)),
            None => say(StatusCode::NOT_FOUND, &json!({"detail": "There is no such call."})),
        },
        (&Method::GET, ["vapi"]) => say(StatusCode::OK, &vapi_overview(gateway)),
        (&Method::GET, ["twilio"]) => say(StatusCode::OK, &twilio_overview(gateway)),
        (&Method::GET, ["mail"]) => say(StatusCode::OK, &json!({"mail": gateway.stack.mail.letters()})),
        (&Method::POST, ["twilio", "texts"]) => say_text(gateway, request.body()),
        (&Method::GET, ["texts"]) => say(StatusCode::OK, &json!({"texts": gateway.stack.twilio.texts()})),
        (&Method::GET, ["supabase"]) => say(StatusCode::OK, &supabase_overview(gateway)),
        (&Method::GET, ["google"]) => say(StatusCode::OK, &google_overview(gateway)),
        (&Method::GET, ["faults"]) => say(StatusCode::OK, &json!({"faults": gateway.stack.faults.list()})),
        (&Method::POST, ["faults"]) => add_fault(gateway, request.body()),
        (&Method::DELETE, ["faults"]) => {
            gateway.stack.faults.clear();
            say(StatusCode::OK, &json!({"faults": []}))
        }
        _ => say(StatusCode::NOT_FOUND, &json!({"detail": "GET /_sandbox lists what is here."})),
    }
}

fn overview(gateway: &Gateway) -> Value {
    let routes: Vec<String> = gateway
        .stack
        .template
        .routes
        .iter()
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    json!({
        "process": std::process::id(),
        "time": domain::time::rfc3339_millis(gateway.stack.clock.now()),
        "routes": routes,
        "sandbox": [
            "GET /_sandbox/check: whether the demo clinic's ledger, wallet, diary and calendars agree",
            "GET /_sandbox/clinics: the clinics and roles that one may sign in as",
            "POST /_sandbox/token {org_id?, role?: owner|admin|staff|viewer|operator} | {operator: true}",
            "POST /_sandbox/vapi/calls {to, from?, talk_seconds, says?: [{says?, tool, arguments, repeats?}]} | {web_assistant_id, talk_seconds}",
            "GET /_sandbox/vapi/calls/{id}",
            "GET /_sandbox/stripe/pay/{session}, POST the same with act=pay|decline|later",
            "POST /_sandbox/stripe/disputes {payment_intent, amount?}; POST /_sandbox/stripe/disputes/{id} {won}",
            "POST /_sandbox/stripe/refunds/{id}/fail",
            "POST /_sandbox/stripe/cards/{payment_method} {card: good|declined|needs_authentication|requires_action|processing}",
            "GET /_sandbox/stripe/authenticate/{payment_intent}, POST the same with act=succeed|fail",
            "POST /_sandbox/faults {vendor, operation, mode, times?, after?}; GET the same lists, DELETE clears",
            "GET /_sandbox/twilio, GET /_sandbox/vapi, GET /_sandbox/google: what is there; GET /_sandbox/mail, GET /_sandbox/texts: what was sent",
            "POST /_sandbox/twilio/texts {from, to, body}: what a patient writes to a clinic's number",
            "POST /_sandbox/google/events {act: create|move|change|delete|copy|hand, calendar, …}: the clinic's own hand",
            "GET /_sandbox/supabase: accounts, and the letters that they were sent; the issuer's API at /_sandbox/supabase/auth/v1",
            "Vapi's REST API at /_sandbox/vapi/api, Stripe's at /v1",
            "Twilio's REST API at /2010-04-01, its voice host's at /_sandbox/twilio/voice, its numbers host's at /_sandbox/twilio/numbers",
        ],
        "token": "POST /_sandbox/token gives a token for the demo clinic; send it as Authorization: Bearer …",
        "alarms": gateway.alarms.raised(),
    })
}

/// A patient writes to a clinic's number.
fn say_text(gateway: &Gateway, body: &[u8]) -> Response<Bytes> {
    let Ok(asked) = serde_json::from_slice::<Value>(body) else {
        return refuse("The body is JSON: from, to and body.");
    };
    let text = |name: &str| asked[name].as_str().unwrap_or_default();
    match gateway.stack.twilio.say(text("from"), text("to"), text("body")) {
        Some(sid) => say(StatusCode::CREATED, &json!({ "sid": sid })),
        None => refuse("No clinic has this number, or it takes no texts."),
    }
}

/// What the Vapi sandbox keeps: numbers, and the ids of the assistants.
fn vapi_overview(gateway: &Gateway) -> Value {
    let assistants = gateway.stack.vapi.assistants();
    let ids: Vec<&Value> = assistants.iter().map(|assistant| &assistant["id"]).collect();
    json!({"numbers": gateway.stack.vapi.numbers(), "assistants": ids})
}

/// What the Twilio sandbox keeps: accounts, numbers and bundles.
fn twilio_overview(gateway: &Gateway) -> Value {
    let accounts = gateway.stack.twilio.accounts().into_iter().map(
        |(sid, friendly_name, status)| json!({"sid": sid, "friendly_name": friendly_name, "status": status}),
    );
    let numbers = gateway.stack.twilio.numbers().into_iter().map(|(account_sid, number, friendly_name)| {
        json!({"account_sid": account_sid, "phone_number": number, "friendly_name": friendly_name})
    });
    json!({"accounts": accounts.collect::<Vec<_>>(), "numbers": numbers.collect::<Vec<_>>(),
        "bundles": gateway.stack.twilio.bundles()})
}

/// What the issuer's sandbox keeps: accounts, and the letters that it sent, with their links.
fn supabase_overview(gateway: &Gateway) -> Value {
    json!({"accounts": gateway.stack.supabase.accounts(), "letters": gateway.stack.supabase.letters()})
}

/// What the Google sandbox keeps: the calendars, and what stands in each.
fn google_overview(gateway: &Gateway) -> Value {
    let calendars = gateway.stack.google.calendars().into_iter().map(|(id, name, _)| {
        let events = gateway.stack.google.events(&id);
        json!({"id": id, "name": name, "events": events})
    });
    json!({"calendars": calendars.collect::<Vec<_>>()})
}

fn add_fault(gateway: &Gateway, body: &[u8]) -> Response<Bytes> {
    let fault: Fault = match serde_json::from_slice(body) {
        Ok(fault) => fault,
        Err(error) => {
            let vendors: Vec<&str> = OPERATIONS.iter().map(|(vendor, _)| *vendor).collect();
            let modes = "error|timeout_before|timeout_after|slow|refuse";
            return refuse(&format!(
                "Send {{\"vendor\": {}, \"operation\": one of the vendor's or *, \"mode\": {modes}, \
                 \"times\"?: how many requests}}: {error}.",
                vendors.join("|")
            ));
        }
    };
    if let Err(sentence) = fault.check() {
        return refuse(&sentence);
    }
    gateway.stack.faults.add(fault);
    say(StatusCode::CREATED, &json!({"faults": gateway.stack.faults.list()}))
}

fn with_path(mut request: Request<Bytes>, path: &str) -> Request<Bytes> {
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    if let Ok(uri) = format!("{path}{query}").parse() {
        *request.uri_mut() = uri;
    }
    request
}

fn refuse(sentence: &str) -> Response<Bytes> {
    say(StatusCode::BAD_REQUEST, &json!({ "detail": sentence }))
}

fn say(status: StatusCode, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(format!("{body:#}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
