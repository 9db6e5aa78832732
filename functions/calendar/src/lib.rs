//! The clinic's calendars: connected to its account at Google, kept for its practitioners, and told of by channels.

#![recursion_limit = "256"]

pub mod routes;

use base::config::Invalid;
use http::{Method, Response};
use platform::Platform;
use services::calendar::{CalendarSync, Settings};
use web::{
    auth::{Auth, Caller},
    contract::Operation,
    problem::Problem,
    runtime::{Body, Request},
};

/// What the function is built from, once per cold start.
#[derive(Debug)]
pub struct Deps {
    /// Who calls.
    pub auth: Auth,
    /// What is done with calendars.
    pub sync: CalendarSync,
    /// Where the dashboard is served from.
    pub dashboard: String,
    /// Time and chance.
    pub platform: Platform,
}

impl Deps {
    /// Builds them from the platform's settings.
    ///
    /// # Errors
    /// When settings are missing or unusable: all of them at once.
    pub fn new(platform: Platform) -> Result<Self, Invalid> {
        let mut reader = platform.environment.reader();
        let settings = Settings::read(&mut reader, &platform);
        let auth = Auth::read(&mut reader, &platform);
        let dashboard = reader.required("DASHBOARD_ORIGIN").trim_end_matches('/').to_owned();
        reader.finish()?;
        Ok(Self { auth, sync: CalendarSync::deployed(&platform, settings), dashboard, platform })
    }
}

web::routes! { Deps, Caller;
    /// Begins a consent at Google, which the browser that asks must come back with.
    GET "/api/google-oauth/authorize" => routes::oauth::authorize, for Change, answers 200, fails CalendarUnavailable;
    /// Shows how the clinic's account at Google stands.
    GET "/api/google-oauth/status" => routes::oauth::status, for Members, answers 200, fails CalendarUnavailable;
    /// Disconnects the clinic's account, and gives the consent back.
    POST "/api/google-oauth/revoke" => routes::oauth::revoke, for Change, answers 200, fails CalendarUnavailable;
    /// Lists the calendars of the clinic's account, and whose time each has.
    GET "/api/calendars" => routes::calendars::list, for Members, answers 200, fails CalendarUnavailable;
    /// Says what the title of an event shows.
    PATCH "/api/calendars" => routes::calendars::entitle, for Change, answers 200, fails CalendarUnavailable | NotFound;
    /// Says whose time a calendar has, over the version that is named.
    PATCH "/api/calendars/{id}" => routes::calendars::change, for Change, answers 200, fails CalendarUnavailable | VersionConflict;
}

/// What each route of this function reads and answers.
pub fn contract() -> Vec<Operation> {
    let mut all = tabled();
    all.extend([routes::oauth::operation(), routes::word::operation()]);
    all
}

/// Answers a request of the dashboard's, for the caller's own org only; a browser that Google sends back, for the org that its state
/// names; or a word of Google's that a calendar has changed, for the org of its channel.
///
/// # Errors
/// When the caller is not known, may not do it, or asks for what cannot be; or something of ours failed.
pub async fn handle(deps: &Deps, request: Request) -> Result<Response<Body>, Problem> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, path) if path == routes::oauth::CALLBACK.1 => {
            Box::pin(routes::oauth::callback(deps, &request)).await
        }
        (&Method::POST, path) if path == routes::word::WORD.1 => routes::word::heard(deps, &request).await,
        _ => {
            let caller = deps.auth.caller(request.headers()).await?;
            Box::pin(dispatch(deps, &caller, request)).await
        }
    }
}
