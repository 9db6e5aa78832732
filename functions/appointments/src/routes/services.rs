//! `/api/services`: what the clinic offers.

use domain::{
    booking::catalog::{Resource, Service, Terms},
    ids::ServiceId,
};
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Attempt, ChangeError, booking::Catalog};
use utoipa::ToSchema;
use web::{
    auth::Caller,
    problem::{Code, Problem},
    request::invalid,
    routes::{Answer, Input},
};

use super::former::{Seen, Standing, check_version, version_conflict};
use crate::Deps;

/// How many services a clinic may have.
const MOST: usize = 100;

/// A service as it is written.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Wanted(Terms);
web::json_bodies!(Wanted);

/// A service that is changed: all of it, and the version that the change started from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"version": 1, "terms": {"name": "Check-up", "duration_mins": 30, "needs": [["resource-1"]], "price_shown": "60 pounds"}}))]
pub struct Changed {
    version: u64,
    terms: Terms,
}
web::json_bodies!(Changed);

/// A service as the dashboard knows it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Shown {
    id: ServiceId,
    version: u64,
    #[serde(flatten)]
    terms: Terms,
}

/// The services of a clinic.
#[derive(Debug, Serialize, ToSchema)]
pub struct Services {
    services: Vec<Shown>,
}

impl From<Service> for Shown {
    fn from(service: Service) -> Self {
        Self { id: service.service_id, version: service.version, terms: service.terms }
    }
}

/// Lists what the clinic offers, by name.
///
/// # Errors
/// When the store does not answer.
pub async fn list(deps: &Deps, caller: &Caller, _: Input) -> Result<Answer<Services>, Problem> {
    let catalog = deps.appointments.bookings.catalog(caller.org).await?;
    Ok(Answer::ok(Services { services: catalog.services.into_iter().map(Shown::from).collect() }))
}

/// Adds a service. A repeat of what was added just so answers with that: a browser that heard nothing asks again.
///
/// # Errors
/// When the caller may not change, a value is out of its range, or the clinic has no such resource.
pub async fn create(
    deps: &Deps,
    caller: &Caller,
    input: Input<(), Wanted>,
) -> Result<Answer<Shown>, Problem> {
    caller.may_change()?;
    let catalog = deps.appointments.bookings.catalog(caller.org).await?;
    let terms = checked(input.body.0, &catalog)?;
    if let Some(same) = catalog.services.iter().find(|service| service.terms.name == terms.name) {
        if same.terms == terms {
            return Ok(Answer::ok(same.clone().into()));
        }
        return Err(invalid(
            "A service of this name is there already: give this one another name, or change that one.",
        ));
    }
    if catalog.services.len() >= MOST {
        return Err(invalid(format!("A clinic has at most {MOST} services.")));
    }
    let now = deps.platform.clock.now();
    let service_id = ServiceId::parse(deps.platform.entropy.uuid(now).to_string())
        .unwrap_or_else(|_| unreachable!("a UUID is an id"));
    let service = Service { org_id: caller.org, service_id, version: 0, is_former: false, terms };
    Ok(Answer::with(StatusCode::CREATED, saved(deps, &service, &catalog).await?))
}

/// Changes a service that is still as the client read it. What is booked stays as it was booked.
///
/// # Errors
/// When there is no such service, it has changed meanwhile, or as [`create`].
pub async fn change(
    deps: &Deps,
    caller: &Caller,
    input: Input<(), Changed>,
) -> Result<Answer<Shown>, Problem> {
    caller.may_change()?;
    let id = ServiceId::parse(input.path.get("id")).map_err(|_| Problem::new(Code::NotFound))?;
    let catalog = deps.appointments.bookings.catalog(caller.org).await?;
    let there = catalog.service(&id).cloned().ok_or_else(|| Problem::new(Code::NotFound))?;
    let terms = checked(input.body.terms, &catalog)?;
    if there.terms == terms {
        return Ok(Answer::ok(there.into()));
    }
    let service = Service { version: input.body.version, terms, ..there };
    Ok(Answer::ok(saved(deps, &service, &catalog).await?))
}

/// Offers a service no more: callers and staff book nothing of it. What was booked stands, and is shown. A repeat says the same.
///
/// # Errors
/// When the caller may not, there is no such service, or it is not in the version that was seen.
pub async fn end(deps: &Deps, caller: &Caller, input: Input<Seen>) -> Result<Answer<Standing>, Problem> {
    caller.may_change()?;
    let id = ServiceId::parse(input.path.get("id")).map_err(|_| Problem::new(Code::NotFound))?;
    let seen = input.query.version()?;
    let (bookings, service) = (&deps.appointments.bookings, &id);
    let end = || async move {
        let there = bookings.service(caller.org, service).await?;
        let there = there.ok_or_else(|| Problem::new(Code::NotFound))?;
        if there.is_former {
            return Ok::<_, Problem>(Attempt::Done(()));
        }
        check_version(there.version, seen)?;
        let former = Service { is_former: true, ..there };
        Ok(Attempt::of(bookings.save_service(&former, &[]).await.map(|_| ()))?)
    };
    deps.db.until_written("the service", end).await?;
    Standing::ahead(deps, caller.org, Timestamp::MAX, |one| one.service_id == id).await.map(Answer::ok)
}

fn checked(terms: Terms, catalog: &Catalog) -> Result<Terms, Problem> {
    let terms = terms.checked().map_err(|flaw| invalid(flaw.to_string()))?;
    match terms.resources().into_iter().find(|id| catalog.resource(id).is_none()) {
        Some(_) => {
            Err(invalid("needs names a practitioner or room that the clinic does not have: add it first."))
        }
        None => Ok(terms),
    }
}

async fn saved(deps: &Deps, service: &Service, catalog: &Catalog) -> Result<Shown, Problem> {
    let of: Vec<&Resource> =
        service.terms.resources().into_iter().filter_map(|id| catalog.resource(id)).collect();
    match deps.appointments.bookings.save_service(service, &of).await {
        Ok(saved) => Ok(saved.into()),
        Err(ChangeError::Moved) => Err(version_conflict()),
        Err(ChangeError::Store(error)) => Err(error.into()),
    }
}
