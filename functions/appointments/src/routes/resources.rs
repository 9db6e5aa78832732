//! `/api/resources`: practitioners and rooms, and when they work.

use domain::{
    booking::{
        appointment::Appointment,
        catalog::{Closure, Hours, Resource, Service},
    },
    ids::ResourceId,
};
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use store::{Attempt, ChangeError};
use utoipa::ToSchema;
use web::{
    auth::Caller,
    problem::{Code, Problem},
    request::invalid,
    routes::{Answer, Input},
};

use super::former::{Seen, Standing, check_version, version_conflict};
use crate::Deps;

/// How many services are changed together with a resource: one write has a hundred parts (DynamoDB, `TransactWriteItems`).
const MOST_AT_ONCE: usize = 99;
/// The longest that is kept free before an appointment (`Terms::buffer_before_mins`).
const LONGEST_BUFFER: SignedDuration = SignedDuration::from_mins(120);
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

/// A practitioner or a room as it was saved, with what is booked inside the times away that are ahead.
#[derive(Debug, Serialize, ToSchema)]
pub struct Saved {
    #[serde(flatten)]
    resource: Shown,
    inside: Standing,
}

/// The practitioners and rooms of a clinic.
#[derive(Debug, Serialize, ToSchema)]
pub struct Resources {
    resources: Vec<Shown>,
    /// Those that are there no more, for the names of what was booked with them.
    former: Vec<Shown>,
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
    let [resources, former] =
        [catalog.resources, catalog.former].map(|all| all.into_iter().map(Shown::from).collect());
    Ok(Answer::ok(Resources { resources, former }))
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
    let resource = Resource { org_id: caller.org, resource_id, version: 0, is_former: false, hours };
    Ok(Answer::with(StatusCode::CREATED, saved(deps, &resource).await?))
}

/// Changes a practitioner or a room that is still as the client read it. What is booked stays booked; what of it lies inside a time
/// away is shown, so that staff can move it: also to who asks again.
///
/// # Errors
/// When there is none of this id, it has changed meanwhile, or as [`create`].
pub async fn change(
    deps: &Deps,
    caller: &Caller,
    input: Input<(), Changed>,
) -> Result<Answer<Saved>, Problem> {
    caller.may_change()?;
    let id = ResourceId::parse(input.path.get("id")).map_err(|_| Problem::new(Code::NotFound))?;
    let hours = checked(input.body.hours)?;
    let there = deps.appointments.bookings.resource(caller.org, &id).await?;
    let there = there.filter(|there| !there.is_former).ok_or_else(|| Problem::new(Code::NotFound))?;
    let resource = if there.hours == hours {
        there.into()
    } else {
        saved(deps, &Resource { version: input.body.version, hours: hours.clone(), ..there }).await?
    };
    let now = deps.platform.clock.now();
    let away: Vec<&Closure> = hours.closures.iter().filter(|closure| now < closure.to).collect();
    let Some(to) = away.iter().map(|closure| closure.to).max() else {
        return Ok(Answer::ok(Saved { resource, inside: Standing::default() }));
    };
    let lies_inside = |one: &Appointment| {
        let meets = |closure: &&Closure| one.blocked.from < closure.to && closure.from < one.blocked.to;
        one.resource_ids.contains(&id) && away.iter().any(meets)
    };
    // What begins after it may be prepared for inside it.
    let to = to.checked_add(LONGEST_BUFFER).unwrap_or(Timestamp::MAX);
    let inside = Standing::ahead(deps, caller.org, to, lies_inside).await?;
    Ok(Answer::ok(Saved { resource, inside }))
}

/// Takes a practitioner or a room out of what can be booked, and out of the services that others do, too. What was booked with it
/// stands, and is shown. A repeat says the same.
///
/// # Errors
/// When the caller may not, there is none of this id, it is not in the version that was seen, or nobody else does one of the services.
pub async fn end(deps: &Deps, caller: &Caller, input: Input<Seen>) -> Result<Answer<Standing>, Problem> {
    caller.may_change()?;
    let id = &ResourceId::parse(input.path.get("id")).map_err(|_| Problem::new(Code::NotFound))?;
    let seen = input.query.version()?;
    let bookings = &deps.appointments.bookings;
    let end = || async move {
        let there = bookings.resource(caller.org, id).await?.ok_or_else(|| Problem::new(Code::NotFound))?;
        if there.is_former {
            return Ok::<_, Problem>(Attempt::Done(()));
        }
        check_version(there.version, seen)?;
        let catalog = bookings.catalog(caller.org).await?;
        let of_it = catalog.services.iter().filter(|service| service.terms.resources().contains(&id));
        let without = |service: &Service| {
            service.without(id).ok_or_else(|| {
                let name = &service.terms.name;
                invalid(format!(
                    "Nobody else can do “{name}”: say who can, or stop offering that service first."
                ))
            })
        };
        let rest = of_it.map(without).collect::<Result<Vec<_>, Problem>>()?;
        if rest.len() > MOST_AT_ONCE {
            return Err(invalid(
                "More services are done by this one than can be changed at once: take it out of one of them first.",
            ));
        }
        let former = Resource { is_former: true, ..there };
        Ok(Attempt::of(bookings.save_with(&former, &rest).await.map(|_| ()))?)
    };
    deps.db.until_written("the people and rooms", end).await?;
    Standing::ahead(deps, caller.org, Timestamp::MAX, |one| one.resource_ids.contains(id))
        .await
        .map(Answer::ok)
}

fn checked(hours: Hours) -> Result<Hours, Problem> {
    hours.checked().map_err(|flaw| invalid(flaw.to_string()))
}

async fn saved(deps: &Deps, resource: &Resource) -> Result<Shown, Problem> {
    match deps.appointments.bookings.save_resource(resource).await {
        Ok(saved) => Ok(saved.into()),
        Err(ChangeError::Moved) => Err(version_conflict()),
        Err(ChangeError::Store(error)) => Err(error.into()),
    }
}
