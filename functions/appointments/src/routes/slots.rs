//! `GET /api/appointments/available-slots`: what staff may book.

use domain::{
    booking::availability::{Booker, Slot},
    clinic::ClinicZone,
    ids::{ResourceId, ServiceId},
    time::rfc3339_millis,
};
use jiff::{ToSpan as _, civil::Date};
use serde::{Deserialize, Serialize};
use services::appointments::{ALL_DAY, Search};
use utoipa::{IntoParams, ToSchema};
use web::{
    auth::Caller,
    problem::{Code, Problem},
    request::invalid,
    routes::{Answer, Input},
};

use crate::Deps;

/// The most days that one answer looks at.
const MOST_DAYS: usize = 31;

/// What is asked.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    service_id: Option<String>,
    from: Option<String>,
    to: Option<String>,
    resource_id: Option<String>,
}
web::query_values!(Asked);

/// What is free.
#[derive(Debug, Serialize, ToSchema)]
pub struct Free {
    slots: Vec<Shown>,
    #[schema(value_type = String)]
    time_zone: ClinicZone,
}

/// One of the times.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Shown {
    starts_at: String,
    ends_at: String,
    resource_ids: Vec<ResourceId>,
}

impl From<Slot> for Shown {
    fn from(slot: Slot) -> Self {
        Self {
            starts_at: rfc3339_millis(slot.interval.from),
            ends_at: rfc3339_millis(slot.interval.to),
            resource_ids: slot.resources,
        }
    }
}

/// Shows when a service can be booked by staff, on the days from `from` to `to`, both included: by the same rule that a booking is
/// held to.
///
/// # Errors
/// When a value is missing or not usable, the clinic has no such service, or the store does not answer.
pub async fn show(deps: &Deps, caller: &Caller, input: Input<Asked>) -> Result<Answer<Free>, Problem> {
    let asked = &input.query;
    let service = asked.service_id.as_deref().and_then(|id| ServiceId::parse(id).ok());
    let service = service.ok_or_else(|| invalid("service_id is the id of one of the clinic's services."))?;
    let only = asked.resource_id.as_deref().map(ResourceId::parse).transpose();
    let only = only.map_err(|error| invalid(format!("resource_id: {error}.")))?;
    let days = days(asked.from.as_deref(), asked.to.as_deref())?;
    let (catalog, time_zone) =
        (deps.appointments.bookings.catalog(caller.org).await?, deps.clinics.zone(caller.org).await?);
    let service = catalog.service(&service).ok_or_else(|| Problem::new(Code::NotFound))?;
    let search = Search {
        service,
        days: &days,
        between: ALL_DAY,
        only: only.as_ref(),
        booker: Booker::Staff,
        moving: None,
    };
    let slots = deps.appointments.openings(&catalog, &search).await?;
    Ok(Answer::ok(Free { slots: slots.into_iter().map(Shown::from).collect(), time_zone }))
}

fn days(from: Option<&str>, to: Option<&str>) -> Result<Vec<Date>, Problem> {
    let day = |text: Option<&str>| text.and_then(|text| text.parse::<Date>().ok());
    let (Some(from), Some(to)) = (day(from), day(to)) else {
        return Err(invalid("from and to are days, such as 2026-01-31."));
    };
    let is_near = (1970..2199).contains(&from.year());
    let days: Vec<Date> =
        from.series(1.day()).take_while(|day| *day <= to).take(MOST_DAYS.saturating_add(1)).collect();
    if !is_near || days.is_empty() || days.len() > MOST_DAYS {
        return Err(invalid(format!(
            "from and to are days in order, at most {MOST_DAYS} of them, between 1970 and 2199."
        )));
    }
    Ok(days)
}
