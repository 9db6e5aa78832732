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
    contract::Operation,
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
    /// Lists appointments by their time, page by page.
    GET "/api/appointments" => routes::list::list, for Members, answers 200, fails InvalidCursor;
    /// Makes an appointment, at a time that is free, or over others with a reason. A repeat with the same `Idempotency-Key` answers
    /// the one that was made.
    POST "/api/appointments" => routes::appointment::create, for Diary, answers 201 | 200, fails NotFound | TimeNotFree | IdempotencyKeyReused;
    /// Shows an appointment.
    GET "/api/appointments/{id}" => routes::appointment::show, for Members, answers 200;
    /// Moves an appointment, or notes what became of it, over the revision that is named.
    PATCH "/api/appointments/{id}" => routes::appointment::change, for Diary, answers 200, fails VersionConflict | TimeNotFree | WrongStatus;
    /// Cancels an appointment, over the revision that is named.
    DELETE "/api/appointments/{id}" => routes::appointment::cancel, for Diary, answers 200, fails VersionConflict | WrongStatus;
    /// Lists the times at which a service is free.
    GET "/api/appointments/available-slots" => routes::slots::show, for Members, answers 200, fails NotFound;
    /// Lists what the clinic offers.
    GET "/api/services" => routes::services::list, for Members, answers 200;
    /// Adds a service.
    POST "/api/services" => routes::services::create, for Change, answers 201 | 200;
    /// Changes a service, over the version that is named.
    PATCH "/api/services/{id}" => routes::services::change, for Change, answers 200, fails VersionConflict;
    /// Offers a service no more, over the version that is named, and shows what stands of it ahead.
    DELETE "/api/services/{id}" => routes::services::end, for Change, answers 200, fails VersionConflict;
    /// Lists who and what an appointment takes: practitioners and rooms, with their hours.
    GET "/api/resources" => routes::resources::list, for Members, answers 200;
    /// Adds a practitioner or a room.
    POST "/api/resources" => routes::resources::create, for Change, answers 201 | 200;
    /// Changes the hours of a practitioner or a room, over the version that is named.
    PATCH "/api/resources/{id}" => routes::resources::change, for Change, answers 200, fails VersionConflict;
    /// Takes a practitioner or a room out of what can be booked, over the version that is named, and shows what stands with it ahead.
    DELETE "/api/resources/{id}" => routes::resources::end, for Change, answers 200, fails VersionConflict;
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
