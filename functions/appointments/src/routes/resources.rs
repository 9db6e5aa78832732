//! `/api/resources`: practitioners and rooms, and when they work.

use domain::{
    booking::catalog::{Hours, Resource},
    ids::ResourceId,
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use store::ChangeError;
use utoipa::ToSchema;
use web::{
    auth::Caller,
    problem::{Code, Problem},
    request::invalid,
    routes::{Answer, Input},
};

use crate::Deps;

/// How many practitioners and rooms a clinic may have.
const MOST: usize = 50;

/// A practitioner or a room as it is written.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Wanted(Hours);
web::json_bodies!(Wanted);

/// A practitioner or a room that is changed: all of it, and the version that the change started from.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"version": 1, "hours": {"name": "Dr Rahman", "time_zone": "Europe/London", "weekly": {"monday": [{"from": "09:00:00", "to": "17:30:00"}]}}}))]
pub struct Changed {
    version: u64,
    hours: Hours,
}
web::json_bodies!(Changed);

/// A practitioner or a room as the dashboard knows it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Shown {
    id: ResourceId,
    version: u64,
    #[serde(flatten)]
    hours: Hours,
}

/// The practitioners and rooms of a clinic.
#[derive(Debug, Serialize, ToSchema)]
pub struct Resources {
    resources: Vec<Shown>,
}

impl From<Resource> for Shown {
    fn from(resource: Resource) -> Self {
        Self { id: resource.resource_id, version: resource.version, hours: resource.hours }
    }
}

/// Lists the practitioners and rooms, by name.
///
/// # Errors
/// When the store does not answer.
pub async fn list(deps: &Deps, caller: &Caller, _: Input) -> Result<Answer<Resources>, Problem> {
    let catalog = deps.appointments.bookings.catalog(caller.org).await?;
    Ok(Answer::ok(Resources { resources: catalog.resources.into_iter().map(Shown::from).collect() }))
}

/// Adds a practitioner or a room. A repeat of what was added just so answers with that.
///
/// # Errors
/// When the caller may not change, or the hours are not usable.
pub async fn create(
    deps: &Deps,
    caller: &Caller,
    input: Input<(), Wanted>,
) -> Result<Answer<Shown>, Problem> {
    caller.may_change()?;
    let hours = checked(input.body.0)?;
    let catalog = deps.appointments.bookings.catalog(caller.org).await?;
    if let Some(same) = catalog.resources.iter().find(|resource| resource.hours.name == hours.name) {
        if same.hours == hours {
            return Ok(Answer::ok(same.clone().into()));
        }
        return Err(invalid(
            "One of this name is there already: give this one another name, or change that one.",
        ));
    }
    if catalog.resources.len() >= MOST {
        return Err(invalid(format!("A clinic has at most {MOST} practitioners and rooms.")));
    }
    let now = deps.platform.clock.now();
    let resource_id = ResourceId::parse(deps.platform.entropy.uuid(now).to_string())
        .unwrap_or_else(|_| unreachable!("a UUID is an id"));
    let resource = Resource { org_id: caller.org, resource_id, version: 0, hours };
    Ok(Answer::with(StatusCode::CREATED, saved(deps, &resource).await?))
}

/// Changes a practitioner or a room that is still as the client read it. What is booked stays booked.
///
/// # Errors
/// When there is none of this id, it has changed meanwhile, or as [`create`].
pub async fn change(
    deps: &Deps,
    caller: &Caller,
    input: Input<(), Changed>,
) -> Result<Answer<Shown>, Problem> {
    caller.may_change()?;
    let id = ResourceId::parse(input.path.get("id")).map_err(|_| Problem::new(Code::NotFound))?;
    let hours = checked(input.body.hours)?;
    let there = deps
        .appointments
        .bookings
        .resource(caller.org, &id)
        .await?
        .ok_or_else(|| Problem::new(Code::NotFound))?;
    if there.hours == hours {
        return Ok(Answer::ok(there.into()));
    }
    let resource = Resource { version: input.body.version, hours, ..there };
    Ok(Answer::ok(saved(deps, &resource).await?))
}

fn checked(hours: Hours) -> Result<Hours, Problem> {
    hours.checked().map_err(|flaw| invalid(flaw.to_string()))
}

async fn saved(deps: &Deps, resource: &Resource) -> Result<Shown, Problem> {
    match deps.appointments.bookings.save_resource(resource).await {
        Ok(saved) => Ok(saved.into()),
        Err(ChangeError::Moved) => Err(Problem::new(Code::VersionConflict)
            .saying("Somebody saved this meanwhile. Load it again, and make your change to that.")),
        Err(ChangeError::Store(error)) => Err(error.into()),
    }
}
