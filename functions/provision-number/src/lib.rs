//! The clinic's numbers: searched, bought, brought, shown, given to agents, given up.

#![recursion_limit = "256"]

pub mod routes;

use base::config::Invalid;
use http::Method;
use lambda_http::{Body, Request, Response};
use platform::Platform;
use services::provisioning::{Provisioning, Settings};
use web::{
    auth::Auth,
    problem::{Code, Problem},
};

/// What the function is built from, once per cold start.
#[derive(Debug)]
pub struct Deps {
    /// Who calls.
    pub auth: Auth,
    /// The rules of numbers.
    pub provisioning: Provisioning,
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
        reader.finish()?;
        Ok(Self { auth, provisioning: Provisioning::deployed(&platform, settings), platform })
    }
}

/// Where a number is given up: its E.164 comes after this.
const NUMBERS: &str = "/api/managed-telephony/numbers/";

/// Answers a request of the dashboard's, for the caller's own org only.
///
/// # Errors
/// When the caller is not known, may not do it, or asks for what cannot be; or something of ours failed.
pub async fn handle(deps: &Deps, request: Request) -> Result<Response<Body>, Problem> {
    let caller = deps.auth.caller(request.headers()).await?;
    let path = request.uri().path();
    match (request.method(), path) {
        (&Method::GET, "/api/managed-telephony/available-numbers") => {
            routes::search::search(deps, request.uri().query()).await
        }
        (&Method::POST, "/api/managed-telephony/provision") => {
            routes::provision::provision(deps, &caller, request.headers(), request.body()).await
        }
        (&Method::GET, "/api/managed-telephony/phone-status") => {
            routes::show::phone_status(deps, &caller).await
        }
        (&Method::GET, "/api/phone-settings/status") => routes::show::settings(deps, &caller).await,
        (&Method::GET, "/api/integrations/vapi/numbers") => routes::show::dropdown(deps, &caller).await,
        (&Method::POST, "/api/integrations/vapi/assign-number") => {
            routes::assign::assign(deps, &caller, request.body()).await
        }
        (&Method::POST, "/api/integrations/twilio") => {
            routes::connect::connect(deps, &caller, request.body()).await
        }
        (&Method::DELETE, path) if path.starts_with(NUMBERS) => {
            let number = path.strip_prefix(NUMBERS).unwrap_or_default();
            routes::release::release(deps, &caller, number).await
        }
        _ => Err(Problem::new(Code::NotFound)),
    }
}
