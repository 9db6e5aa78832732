//! Whom the clinic knows, and what they were told.

#![recursion_limit = "256"]

pub mod routes;

use base::config::{Base, Invalid};
use http::Response;
use platform::Platform;
use store::{Dynamo, contacts::Contacts, messages::Messages};
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
    /// The contacts.
    pub contacts: Contacts,
    /// What they were told.
    pub messages: Messages,
    /// Where it is written.
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
        let base = Base::read(&mut reader);
        let auth = Auth::read(&mut reader, &platform);
        reader.finish()?;
        let db = platform.database(&base.table_prefix);
        let (contacts, messages) = (Contacts::new(db.clone()), Messages::new(db.clone()));
        Ok(Self { auth, contacts, messages, db, platform })
    }
}

web::routes! { Deps, Caller;
    /// Lists the people whom the clinic knows, page by page, or those of them whom a search finds.
    GET "/api/contacts" => routes::contacts::list, for Members, answers 200, fails InvalidCursor;
    /// Adds a person.
    POST "/api/contacts" => routes::contacts::create, for Diary, answers 201 | 200;
    /// Shows a person.
    GET "/api/contacts/{id}" => routes::contacts::show, for Members, answers 200;
    /// Changes what the clinic knows of a person, over the version that is named.
    PATCH "/api/contacts/{id}" => routes::contacts::change, for Diary, answers 200, fails VersionConflict;
    /// Lists what patients were told of an appointment.
    GET "/api/messages" => routes::messages::list, for Members, answers 200;
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
