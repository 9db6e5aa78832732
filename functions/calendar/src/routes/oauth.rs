//! `/api/google-oauth/*`: the clinic's account at Google.

use domain::{calendar::ConnectionState, time::rfc3339_millis};
use http::{HeaderValue, Response, StatusCode, header};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use services::calendar::Consented;
use utoipa::ToSchema;
use web::{
    auth::Caller,
    contract::{For, Operation, Route},
    problem::{Code, Problem},
    routes::{Answer, Input},
    runtime::{Body, Request},
};

use super::problem;
use crate::Deps;

/// Where Google sends the browser back to. It bears no token of ours: the state says whose consent it is, and the cookie that it is the
/// browser that asked.
pub const CALLBACK: (&str, &str) = ("GET", "/api/google-oauth/callback");

/// The cookie that the browser keeps from the question to the answer.
const COOKIE: &str = "google_consent";
/// For how long, and for which addresses. Google sends the browser back by a link: a stricter cookie would not come along.
const KEPT: &str = "Path=/api/google-oauth; Max-Age=600; HttpOnly; Secure; SameSite=Lax";

/// Where a person consents.
#[derive(Debug, Serialize, ToSchema)]
pub struct Authorize {
    url: String,
}

/// Begins a consent. What it returns is for the browser of the person who asked, which keeps a cookie of it and must send it along
/// (`credentials: "include"`).
///
/// # Errors
/// When the caller may not, or the store does not answer.
pub async fn authorize(deps: &Deps, caller: &Caller, _: Input) -> Result<Answer<Authorize>, Problem> {
    // It changes who reads and writes the clinic's calendar, although it is a GET.
    caller.may_change()?;
    let (url, browser) =
        deps.sync.authorize(caller.org, &caller.user).await.map_err(|error| problem(&error))?;
    let cookie = format!("{COOKIE}={}; {KEPT}", browser.expose_secret());
    Ok(Answer::ok(Authorize { url }).with_cookie(&cookie))
}

/// How the clinic's account stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct Status {
    connected: bool,
    /// `connected`, `broken`, `disconnected`, `none`.
    state: &'static str,
    account: Option<String>,
    connected_at: Option<String>,
    /// How many calendars are kept for somebody.
    calendars: usize,
}

/// Shows how the clinic's account stands.
///
/// # Errors
/// When the store does not answer.
pub async fn status(deps: &Deps, caller: &Caller, _: Input) -> Result<Answer<Status>, Problem> {
    shown(deps, caller).await
}

async fn shown(deps: &Deps, caller: &Caller) -> Result<Answer<Status>, Problem> {
    let standing = deps.sync.standing(caller.org, false).await.map_err(|error| problem(&error))?;
    let state = standing.connection.as_ref().map(|connection| connection.state);
    let there = standing.connection.filter(|there| there.state != ConnectionState::Disconnected);
    Ok(Answer::ok(Status {
        connected: state == Some(ConnectionState::Connected),
        state: match state {
            None => "none",
            Some(ConnectionState::Connected) => "connected",
            Some(ConnectionState::Broken) => "broken",
            Some(ConnectionState::Disconnected) => "disconnected",
        },
        account: there.as_ref().map(|there| there.account.reveal().clone()),
        connected_at: there.map(|there| rfc3339_millis(there.connected_at)),
        calendars: standing.calendars.iter().filter(|calendar| !calendar.resource_ids.is_empty()).count(),
    }))
}

/// Disconnects the clinic's account, and gives the consent back. Again, where it was.
///
/// # Errors
/// When the caller may not, Google does not do its part (a repeat does the rest), or the store does not answer.
pub async fn revoke(deps: &Deps, caller: &Caller, _: Input) -> Result<Answer<Status>, Problem> {
    caller.may_change()?;
    deps.sync.disconnect(caller.org).await.map_err(|error| problem(&error))?;
    shown(deps, caller).await
}

/// What [`callback`] reads and answers.
pub fn operation() -> Operation {
    let (method, path) = CALLBACK;
    let route = Route {
        method,
        path,
        about: &[
            "Takes a browser that Google sends back, and sends it on to the dashboard with what became of the consent.",
        ],
        who: For::Anyone,
        statuses: &[302],
        codes: &[Code::CalendarUnavailable],
    };
    Operation::beside(route, Vec::new()).with_query(&[
        ("state", "Whose consent it is."),
        ("code", "What it is redeemed by."),
        ("error", "Why there is none."),
        ("scope", "What was consented to."),
    ])
}

/// Takes a browser that Google sends back, and sends it on to the dashboard with what became of the consent.
///
/// # Errors
/// When the store does not answer: the browser may begin anew.
pub async fn callback(deps: &Deps, request: &Request) -> Result<Response<Body>, Problem> {
    let query = request.uri().query().unwrap_or_default();
    let value = |name: &str| {
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    };
    let (state, code) = (value("state").unwrap_or_default(), value("code"));
    let error = value("error").unwrap_or_default();
    let code = code.as_deref().ok_or(error.as_str());
    let browser = cookie(request).unwrap_or_default();
    let outcome = deps.sync.consented((&state, &browser), code).await.map_err(|error| problem(&error))?;
    let said = match outcome {
        Consented::Connected => "success=calendar_connected",
        Consented::Denied => "error=user_denied_consent",
        Consented::StateInvalid => "error=oauth_state_invalid",
        Consented::ScopesMissing => "error=scopes_missing",
        Consented::ExchangeFailed => "error=oauth_token_exchange_failed",
    };
    let mut response = Response::new(Body::Empty);
    *response.status_mut() = StatusCode::FOUND;
    let headers = response.headers_mut();
    if let Ok(to) = HeaderValue::from_str(&format!("{}/?{said}", deps.dashboard)) {
        headers.insert(header::LOCATION, to);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // The address has the code in it: no page is told of it.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}

/// What the browser kept.
fn cookie(request: &Request) -> Option<String> {
    let all = request.headers().get(header::COOKIE)?.to_str().ok()?;
    let mut pairs = all.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value.to_owned())
}
