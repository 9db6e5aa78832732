//! The clinic's two agents: what they say, in whose voice, for how long.

#![recursion_limit = "256"]

pub mod routes;

use base::config::{Base, Invalid};
use http::Response;
use platform::Platform;
use store::{Dynamo, agents::Agents, clinics::Clinics, numbers::Numbers, queue::SyncQueue};
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
    /// The agents.
    pub agents: Agents,
    /// The numbers they may be given.
    pub numbers: Numbers,
    /// Who gives them to the vendor.
    pub queue: SyncQueue,
    /// Where both are written.
    pub db: Dynamo,
    /// What the clinic is called.
    pub clinics: Clinics,
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
        let base = Base::read(&mut reader);
        let auth = Auth::read(&mut reader, &platform);
        let queue_url = reader.required("AGENT_SYNC_QUEUE_URL");
        reader.finish()?;
        let db = platform.database(&base.table_prefix);
        Ok(Self {
            auth,
            agents: Agents::new(db.clone()),
            clinics: Clinics::new(db.clone()),
            numbers: Numbers::new(db.clone()),
            db,
            queue: SyncQueue::new(platform.sqs.clone(), queue_url),
            platform,
        })
    }
}

web::routes! { Deps, Caller;
    /// Shows both agents whole, or the one of a role.
    GET "/api/founder-console/agent/config" => routes::show::config, for Business, answers 200;
    /// Saves one agent or both, each over the version that it names, and has them given to the voice service.
    POST "/api/founder-console/agent/behavior" => routes::save::save, for Change, answers 200, fails NotFound | VersionConflict;
    /// Lists both agents, short.
    GET "/api/agents" => routes::show::short, for Business, answers 200;
}

/// What each route of this function reads and answers.
pub fn contract() -> Vec<Operation> {
    tabled()
}

/// Answers a request of the dashboard's, for the caller's own org only.
///
/// # Errors
/// When the caller is not known, may not do it, or asks for what cannot be; or something of ours failed.
pub async fn handle(deps: &Deps, request: Request) -> Result<Response<Body>, Problem> {
    let caller = deps.auth.caller(request.headers()).await?;
    caller.may_see_the_business()?;
    dispatch(deps, &caller, request).await
}
