//! What the clinic says about itself, who works there, and what it has still to do.

#![recursion_limit = "256"]

pub mod routes;

use base::config::Invalid;
use http::Response;
use platform::Platform;
use services::team::{Settings, TeamKeeper};
use store::{
    Dynamo, agents::Agents, booking::Bookings, calendars::Calendars, calls::Calls, clinics::Clinics,
    numbers::Numbers, wallets::Wallets,
};
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
    /// The clinics.
    pub clinics: Clinics,
    /// Its money.
    pub wallets: Wallets,
    /// Its numbers.
    pub numbers: Numbers,
    /// Its agents.
    pub agents: Agents,
    /// What it offers.
    pub bookings: Bookings,
    /// Its calendars.
    pub calendars: Calendars,
    /// Its calls.
    pub calls: Calls,
    /// Who works there.
    pub team: TeamKeeper,
    /// Where they are written.
    pub db: Dynamo,
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
        let settings = Settings::read(&mut reader);
        let auth = Auth::read(&mut reader, &platform);
        reader.finish()?;
        let db = platform.database(&settings.base.table_prefix);
        let team = TeamKeeper::deployed(&platform, &settings);
        Ok(Self {
            auth,
            clinics: Clinics::new(db.clone()),
            wallets: Wallets::new(db.clone()),
            numbers: Numbers::new(db.clone()),
            agents: Agents::new(db.clone()),
            bookings: Bookings::new(db.clone()),
            calendars: Calendars::new(db.clone()),
            calls: Calls::new(db.clone()),
            team,
            db,
            platform,
        })
    }
}

web::routes! { Deps, Caller;
    /// Shows what the clinic says of itself.
    GET "/api/clinic" => routes::clinic::show, for Members, answers 200;
    /// Changes what the clinic says of itself; what is not named stays.
    PATCH "/api/clinic" => routes::clinic::change, for Change, answers 200, fails VersionConflict;
    /// Says what the clinic has still to do, from what is so.
    GET "/api/onboarding/status" => routes::onboarding::status, for Business, answers 200;
    /// Begins a test of whether the clinic's line leads here: it is seen when the call arrives.
    POST "/api/onboarding/diversion-test" => routes::onboarding::test, for Change, answers 200 | 201;
    /// Lists who works at the clinic, and in which role.
    GET "/api/team/members" => routes::team::list, for Business, answers 200;
    /// Invites somebody.
    POST "/api/team/members" => routes::team::invite, for Change, answers 200 | 201 | 202, fails AccountElsewhere | MemberExists | SignInUnavailable;
    /// Gives a member another role.
    PATCH "/api/team/members/{id}" => routes::team::change, for Change, answers 200 | 202, fails AccountElsewhere | LastOwner | SignInUnavailable;
    /// Takes somebody out of the team.
    DELETE "/api/team/members/{id}" => routes::team::remove, for Change, answers 200 | 202, fails LastOwner | SignInUnavailable;
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
    dispatch(deps, &caller, request).await
}
