//! The console: its pages, signing in, and the answer to whatever no other route takes (the API's `$default`).
//!
//! # How the pages are served
//!
//! The files of `functions/console/web` are put into the binary when it is built, as they are: there is no build step. In a debug
//! build, as by `cargo run`, they are read from the folder at each request, so that a change shows after a reload.
//!
//! - `web/index.html` is the page. It is answered to a GET or HEAD of `/`, and of every other address outside `/api/` and `/assets/`
//!   for which the client asks for HTML (`Accept: text/html`) and whose last segment has no dot. So `/calls/call-1` is the page, which
//!   shows what its address says. It is never cached without being asked for (`no-cache`, with an `ETag`).
//! - Everything else in `web`, at any depth, is at `/assets/<build>/<its path in the folder>`. `<build>` is a hash of all the files, so
//!   an address always has the same bytes, and is cached for a year. The page says `{{assets}}` for `/assets/<build>`:
//!   `<script type="module" src="{{assets}}/app.js"></script>`. Modules import each other by relative paths (`./money.js`), which stay
//!   below the same `<build>`; `new URL("./icons.svg", import.meta.url)` finds other files. An asset of another build is not found.
//! - The kinds of files are those of [`assets::KINDS`]; a test refuses others.
//! - [`pages::POLICY`] is the Content-Security-Policy: nothing from elsewhere, and no script or style inside a page.

#![recursion_limit = "256"]

pub mod assets;
pub mod pages;
pub mod place;
pub mod routes;
pub mod throttle;

use std::{sync::Arc, time::Duration};

use base::{
    clock::Clock,
    config::{Invalid, SessionSettings},
};
use http::Response;
use platform::Platform;
use vendors::supabase::Sessions;
use web::{
    contract::Operation,
    problem::Problem,
    runtime::{Body, Request},
};

/// How long the issuer is waited for. Who signs out waits for it three times at most.
const PATIENCE: Duration = Duration::from_secs(4);

/// What the function is built from, once per cold start.
#[derive(Debug)]
pub struct Deps {
    /// What a page must know to sign somebody in.
    pub sign_in: routes::session::Config,
    /// Sessions at the issuer.
    pub sessions: Sessions,
    /// Where the console is.
    pub place: place::Place,
    /// How often an address may try to sign in.
    pub throttle: throttle::Throttle,
    /// How often sessions go on or end.
    pub renewals: throttle::Throttle,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Deps {
    /// Builds them from the platform's settings.
    ///
    /// # Errors
    /// When settings are missing or unusable: all of them at once.
    pub fn new(platform: Platform) -> Result<Self, Invalid> {
        let mut reader = platform.environment.reader();
        let sign_in = routes::session::Config::read(&mut reader);
        let SessionSettings { base_url, publishable_key } = SessionSettings::read(&mut reader);
        let place = place::Place::read(&mut reader);
        reader.finish()?;
        let sessions = Sessions::new(platform.vendors.within(PATIENCE), base_url, publishable_key);
        let (throttle, renewals) = (throttle::Throttle::of_sign_ins(), throttle::Throttle::of_sessions());
        Ok(Self { sign_in, sessions, place, throttle, renewals, clock: platform.clock })
    }
}

web::routes! { Deps, ();
    /// Shows this document.
    GET "/api/openapi.json" => routes::openapi::show, for Anyone, answers 200 | 304;
    /// Says how one signs in here.
    GET "/api/session/config" => routes::session::config, for Anyone, answers 200;
    /// Signs in by address and password. The refresh token is kept in a cookie for `/api/session`, which no script reads.
    POST "/api/session/password" => routes::session::sign_in::by_password, for Anyone, answers 200,
        fails SignInRefused | SignInUnavailable | Forbidden;
    /// Has a link to sign in by sent, and answers the same whether or not the address has an account.
    POST "/api/session/magic-link" => routes::session::sign_in::magic_link, for Anyone, answers 202, fails SignInUnavailable | Forbidden;
    /// Signs in by a link that was followed: one to sign in by, an invitation, or one to choose another password.
    POST "/api/session/verify" => routes::session::sign_in::verify, for Anyone, answers 200,
        fails LinkRefused | SignInUnavailable | Forbidden;
    /// Takes another access token by the cookie, which is replaced. Where the issuer does not take it, the browser drops it.
    POST "/api/session/refresh" => routes::session::keep::refresh, for Anyone, answers 200,
        fails SessionEnded | SignInUnavailable | Forbidden | InvalidBody;
    /// Ends the session at the issuer, by the access token or the cookie, and has the browser drop the cookie.
    POST "/api/session/sign-out" => routes::session::keep::sign_out, for Anyone, answers 200, fails Forbidden | InvalidBody;
    /// Sets the password of the person whose access token comes with it.
    POST "/api/session/set-password" => routes::session::keep::set_password, for Anyone, answers 200,
        fails MissingToken | InvalidToken | PasswordRefused | SignInUnavailable | Forbidden;
}

/// What each route of this function reads and answers.
pub fn contract() -> Vec<Operation> {
    tabled()
}

/// Answers a page or a file of the console, a question about signing in, or that there is nothing.
///
/// # Errors
/// When there is nothing at the address, or not by that method.
pub async fn handle(deps: &Deps, request: Request) -> Result<Response<Body>, Problem> {
    let path = request.uri().path();
    if path != "/api" && !path.starts_with("/api/") {
        return pages::answer(&request);
    }
    let is_ours = ROUTES.iter().any(|(_, ours)| *ours == path);
    match routes::openapi::refused(request.method().as_str(), path) {
        Some(problem) if !is_ours => Err(problem),
        Some(_) | None => dispatch(deps, &(), request).await,
    }
}
