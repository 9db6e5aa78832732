//! Whom the clinic knows, and what they were told.

#![recursion_limit = "256"]

pub mod routes;

use base::config::{Base, Invalid};
use http::Response;
use platform::Platform;
use store::{Dynamo, contacts::Contacts, messages::Messages};
use web::{
    auth::{Auth, Caller},
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
    GET "/api/contacts" => routes::contacts::list;
    POST "/api/contacts" => routes::contacts::create;
    GET "/api/contacts/{id}" => routes::contacts::show;
    PATCH "/api/contacts/{id}" => routes::contacts::change;
    GET "/api/messages" => routes::messages::list;
}

/// Answers a request of the dashboard's, for the caller's own org only.
///
/// # Errors
/// When the caller is not known, may not do it, or asks for what cannot be; or something of ours failed.
pub async fn handle(deps: &Deps, request: Request) -> Result<Response<Body>, Problem> {
    let caller = deps.auth.caller(request.headers()).await?;
    dispatch(deps, &caller, request).await
}
