//! The console: its pages, how one signs in, and the answer to whatever no other route takes (the API's `$default`).
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
pub mod routes;

use base::config::Invalid;
use http::Response;
use platform::Platform;
use web::{
    contract::Operation,
    problem::Problem,
    runtime::{Body, Request},
};

/// What the function is built from, once per cold start.
#[derive(Debug)]
pub struct Deps {
    /// What a page must know to sign somebody in.
    pub sign_in: routes::session::Config,
}

impl Deps {
    /// Builds them from the platform's settings.
    ///
    /// # Errors
    /// When settings are missing or unusable: all of them at once.
    #[expect(clippy::needless_pass_by_value, reason = "as every function is built")]
    pub fn new(platform: Platform) -> Result<Self, Invalid> {
        let mut reader = platform.environment.reader();
        let sign_in = routes::session::Config::read(&mut reader);
        reader.finish()?;
        Ok(Self { sign_in })
    }
}

web::routes! { Deps, ();
    /// Shows this document.
    GET "/api/openapi.json" => routes::openapi::show, for Anyone, answers 200 | 304;
    /// Says how one signs in here.
    GET "/api/session/config" => routes::session::config, for Anyone, answers 200;
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
