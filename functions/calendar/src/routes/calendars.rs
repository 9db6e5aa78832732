//! `/api/calendars`: whose time each of the clinic's calendars is.

use domain::{
    calendar::{Access, Calendar, Stance, Title},
    ids::{CalendarId, ResourceId},
    time::rfc3339_millis,
};
use serde::{Deserialize, Serialize};
use services::calendar::{Connected, Mapped};
use utoipa::ToSchema;
use web::{
    auth::Caller,
    problem::{Code, Problem},
    request::invalid,
    routes::{Answer, Input},
};

use super::problem;
use crate::Deps;

/// How many practitioners and rooms one calendar may be kept for.
const MOST_RESOURCES: usize = 20;

/// The clinic's calendars.
#[derive(Debug, Serialize, ToSchema)]
pub struct Listed {
    title: Title,
    calendars: Vec<Shown>,
}

/// A calendar as the dashboard knows it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Shown {
    id: CalendarId,
    version: u64,
    name: String,
    time_zone: String,
    /// `write`, or `read`: then it gets no appointments of ours.
    access: Access,
    /// `active`, `unused`, `broken`, `asking`.
    state: Stance,
    resource_ids: Vec<ResourceId>,
    last_synced_at: Option<String>,
    /// Whether it tells us of changes; else it is asked every ten minutes.
    watched: bool,
}

impl From<Calendar> for Shown {
    fn from(calendar: Calendar) -> Self {
        Self {
            id: calendar.calendar_id,
            version: calendar.version,
            name: calendar.name.reveal().clone(),
            time_zone: calendar.time_zone.name().to_owned(),
            access: calendar.access,
            state: calendar.stance,
            resource_ids: calendar.resource_ids,
            last_synced_at: calendar.synced_at.map(rfc3339_millis),
            watched: calendar.channel.is_some(),
        }
    }
}

impl From<Connected> for Listed {
    fn from(standing: Connected) -> Self {
        let title = standing.connection.map(|connection| connection.title).unwrap_or_default();
        Self { title, calendars: standing.calendars.into_iter().map(Shown::from).collect() }
    }
}

/// Lists the calendars of the clinic's account, by name. Google is asked for them; where it does not answer, they are those that were
/// known.
///
/// # Errors
/// When the store does not answer.
pub async fn list(deps: &Deps, caller: &Caller, _: Input) -> Result<Answer<Listed>, Problem> {
    let standing = deps.sync.standing(caller.org, true).await.map_err(|error| problem(&error))?;
    Ok(Answer::ok(standing.into()))
}

/// What is to be another with all of them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"title": "first_name"}))]
pub struct Entitled {
    title: Title,
}

/// What is to be another with one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"version": 1, "resource_ids": ["resource-1"]}))]
pub struct Change {
    version: u64,
    resource_ids: Vec<String>,
}
web::json_bodies!(Entitled, Change);

/// Says what titles of events show from now on: a reference, or the patient's first name and an initial.
///
/// # Errors
/// When the caller may not, or the store does not answer.
pub async fn entitle(
    deps: &Deps,
    caller: &Caller,
    input: Input<(), Entitled>,
) -> Result<Answer<Listed>, Problem> {
    caller.may_change()?;
    deps.sync.entitle(caller.org, input.body.title).await.map_err(|error| problem(&error))?;
    let standing = deps.sync.standing(caller.org, false).await.map_err(|error| problem(&error))?;
    Ok(Answer::ok(standing.into()))
}

/// Says whose time a calendar is. Its events block all of them, and it gets the appointments of each; with none, it is not used.
///
/// # Errors
/// When the caller may not, there is no such calendar or resource, somebody saved it meanwhile, or the store does not answer.
pub async fn change(
    deps: &Deps,
    caller: &Caller,
    input: Input<(), Change>,
) -> Result<Answer<Shown>, Problem> {
    caller.may_change()?;
    let id = CalendarId::parse(input.path.get("id")).map_err(|_| Problem::new(Code::NotFound))?;
    let wanted = &input.body.resource_ids;
    let no_resource = || invalid("resource_ids are ids of the clinic's practitioners and rooms, each once.");
    let parsed: Result<Vec<ResourceId>, _> = wanted.iter().map(|id| ResourceId::parse(id.as_str())).collect();
    let mut resource_ids = parsed.map_err(|_| no_resource())?;
    resource_ids.sort();
    resource_ids.dedup();
    if resource_ids.len() > MOST_RESOURCES || resource_ids.len() != wanted.len() {
        return Err(no_resource());
    }
    let seen = (&id, input.body.version);
    match deps.sync.map(caller.org, seen, resource_ids).await.map_err(|error| problem(&error))? {
        Mapped::Saved(calendar) => Ok(Answer::ok((*calendar).into())),
        Mapped::NoCalendar => Err(Problem::new(Code::NotFound)),
        Mapped::NoResource => Err(no_resource()),
        Mapped::Moved => Err(Problem::new(Code::VersionConflict)
            .saying("The calendar was changed meanwhile. Load it again, and make your change to that.")),
    }
}
