//! Appointments as the clinic sees them: what it offers, who works when, what is booked and what is free.

#![recursion_limit = "256"]

pub mod routes;

use base::config::{Base, Invalid};
use http::Response;
use platform::Platform;
use services::{appointments::Appointments, calendar::Shown};
use store::{Dynamo, clinics::Clinics};
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
    /// The appointments, and what is offered.
    pub appointments: Appointments,
    /// How appointments stand with the clinics' calendars.
    pub shown: Shown,
    /// The clinics' zones.
    pub clinics: Clinics,
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
        // What is booked follows to the clinic's calendar by it.
        reader.required("CALENDAR_SYNC_QUEUE_URL");
        reader.finish()?;
        let db = platform.database(&base.table_prefix);
        Ok(Self {
            auth,
            appointments: Appointments::new(&platform, db.clone()),
            shown: Shown::new(db.clone()),
            clinics: Clinics::new(db.clone()),
            db,
            platform,
        })
    }
}

web::routes! { Deps, Caller;
    GET "/api/appointments" => routes::list::list;
    POST "/api/appointments" => routes::appointment::create;
    GET "/api/appointments/{id}" => routes::appointment::show;
    PATCH "/api/appointments/{id}" => routes::appointment::change;
    DELETE "/api/appointments/{id}" => routes::appointment::cancel;
    GET "/api/appointments/available-slots" => routes::slots::show;
    GET "/api/services" => routes::services::list;
    POST "/api/services" => routes::services::create;
    PATCH "/api/services/{id}" => routes::services::change;
    GET "/api/resources" => routes::resources::list;
    POST "/api/resources" => routes::resources::create;
    PATCH "/api/resources/{id}" => routes::resources::change;
}

/// Answers a request of the dashboard's, for the caller's own org only.
///
/// # Errors
/// When the caller is not known, may not do it, or asks for what cannot be; or something of ours failed.
pub async fn handle(deps: &Deps, request: Request) -> Result<Response<Body>, Problem> {
    let caller = deps.auth.caller(request.headers()).await?;
    dispatch(deps, &caller, request).await
}
