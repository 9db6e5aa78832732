//! What the clinic is told: the dashboard's bell.

#![recursion_limit = "256"]

pub mod routes;

use base::config::{Base, Invalid};
use http::Response;
use platform::Platform;
use store::notifications::Notifications;
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
    /// What clinics are told.
    pub notifications: Notifications,
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
        reader.finish()?;
        let db = platform.database(&base.table_prefix);
        Ok(Self { auth, notifications: Notifications::new(db), platform })
    }
}

web::routes! { Deps, Caller;
    /// Lists what the clinic is told, the newest first, page by page.
    GET "/api/notifications" => routes::list, for Members, answers 200;
    /// Counts those that nobody has read, up to 100.
    GET "/api/notifications/unread" => routes::unread, for Members, answers 200;
    /// Notes that all were read, the newest 100; but not emergencies.
    POST "/api/notifications/mark-all-read" => routes::read_all, for Diary, answers 200;
    /// Notes that one was read.
    PATCH "/api/notifications/{id}/read" => routes::read, for Diary, answers 200;
    /// Deletes one.
    DELETE "/api/notifications/{id}" => routes::delete, for Diary, answers 200;
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
