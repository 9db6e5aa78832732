//! `GET /api/appointments`.

use domain::{
    booking::{
        appointment::{Appointment, MadeBy, Status},
        intake::Answered,
    },
    clinic::ClinicZone,
    ids::{AppointmentId, CallId, ContactId, ResourceId},
    time::rfc3339_millis,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use store::booking::Between;
use utoipa::{IntoParams, ToSchema};
use web::{
    auth::Caller,
    problem::Problem,
    request::invalid,
    routes::{Answer, Input},
};

use super::{count, instant};
use crate::Deps;

/// The period when no end is asked for.
const DEFAULT: SignedDuration = SignedDuration::from_hours(24 * 31);
/// How many pages of the store one answer reads at the most, where a filter leaves little of each.
const MOST_READS: u8 = 10;

/// Which appointments are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    #[serde(rename = "startDate")]
    start_date: Option<String>,
    #[serde(rename = "endDate")]
    end_date: Option<String>,
    status: Option<String>,
    resource_id: Option<String>,
    cursor: Option<String>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    limit: Option<String>,
}
web::query_values!(Asked);

/// A page of appointments.
#[derive(Debug, Serialize, ToSchema)]
pub struct Appointments {
    appointments: Vec<Shown>,
    pagination: Pagination,
}

#[derive(Debug, Serialize, ToSchema)]
struct Pagination {
    next_cursor: Option<String>,
}

/// An appointment as the dashboard knows it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Shown {
    id: AppointmentId,
    revision: u64,
    version: u64,
    scheduled_time: String,
    ends_at: String,
    #[schema(value_type = String)]
    time_zone: ClinicZone,
    duration_minutes: i64,
    service_id: String,
    service_type: String,
    resource_ids: Vec<ResourceId>,
    status: &'static str,
    overbooked: bool,
    /// What the patient answered to the questions of the service.
    answers: Vec<Answered>,
    notes: Option<String>,
    contact_id: Option<ContactId>,
    contact_name: String,
    phone_number: Option<String>,
    email: Option<String>,
    call_id: Option<CallId>,
    created_by: String,
    created_at: String,
    /// How it stands with the clinic's calendars: `pending`, `unverified`, `synced`, `attention`, `none`.
    calendar: &'static str,
}

impl Shown {
    /// An appointment of the caller's org, with how it stands with the clinic's calendars now.
    pub(super) async fn of(deps: &Deps, appointment: Appointment) -> Result<Self, Problem> {
        let words = deps.shown.words(appointment.org_id, std::slice::from_ref(&appointment)).await?;
        Ok(Self::with(appointment, words.first().copied().unwrap_or("none")))
    }

    fn with(appointment: Appointment, calendar: &'static str) -> Self {
        let duration = appointment.interval.to.duration_since(appointment.interval.from);
        let (call_id, created_by) = match appointment.made {
            MadeBy::Caller { call_id } => (Some(call_id), "caller".to_owned()),
            MadeBy::Staff { user_id } => (None, user_id.to_string()),
        };
        Self {
            id: appointment.appointment_id,
            revision: appointment.revision,
            version: appointment.version,
            scheduled_time: rfc3339_millis(appointment.interval.from),
            ends_at: rfc3339_millis(appointment.interval.to),
            time_zone: appointment.time_zone,
            duration_minutes: duration.as_mins(),
            service_id: appointment.service_id.to_string(),
            service_type: appointment.service_name,
            resource_ids: appointment.resource_ids,
            status: appointment.status.as_str(),
            overbooked: appointment.overbooked.is_some(),
            answers: appointment.answers,
            notes: appointment.notes.map(|notes| notes.reveal().clone()),
            contact_id: appointment.contact_id,
            contact_name: appointment.patient_name.reveal().to_owned(),
            phone_number: appointment.phone_number.map(|number| number.reveal().as_str().to_owned()),
            email: appointment.email.map(String::from),
            call_id,
            created_by,
            created_at: rfc3339_millis(appointment.created_at),
            calendar,
        }
    }
}

/// Lists the appointments that begin in a period, in the order of their beginning, page by page. Without a start they are those from
/// today on, without an end those of a month.
///
/// # Errors
/// When a query value is not usable, or the store does not answer.
pub async fn list(
    deps: &Deps,
    caller: &Caller,
    input: Input<Asked>,
) -> Result<Answer<Appointments>, Problem> {
    let asked = &input.query;
    let limit = count("limit", asked.limit.as_deref(), 50, 100)?;
    let status = asked.status.as_deref().map(status).transpose()?;
    let resource = asked.resource_id.as_deref().map(ResourceId::parse).transpose();
    let resource = resource.map_err(|error| invalid(format!("resource_id: {error}.")))?;
    let zone = deps.clinics.zone(caller.org).await?;
    let between = period(asked, deps.platform.clock.now(), &zone, limit)?;
    let mut after = asked.cursor.as_deref().map(cursor).transpose()?;
    let mut shown: Vec<Appointment> = Vec::new();
    for _ in 0..MOST_READS {
        let page = deps.appointments.bookings.between(caller.org, between, after.as_ref()).await?;
        let passes = |appointment: &Appointment| {
            status.is_none_or(|status| appointment.status == status)
                && resource.as_ref().is_none_or(|resource| appointment.resource_ids.contains(resource))
        };
        after = page.next;
        let mut rest = page.appointments.into_iter().filter(passes).peekable();
        while let Some(appointment) = rest.next() {
            let place = (appointment.interval.from, appointment.appointment_id.clone());
            shown.push(appointment);
            if shown.len() >= usize::from(limit) {
                // A page that is full ends at the one that filled it; after the store's last there is nothing to ask for.
                if after.is_some() || rest.peek().is_some() {
                    after = Some(place);
                }
                break;
            }
        }
        if after.is_none() || shown.len() >= usize::from(limit) {
            break;
        }
    }
    let next_cursor = after.map(|(from, id)| format!("{}.{id}", from.as_millisecond()));
    let words = deps.shown.words(caller.org, &shown).await?;
    let shown =
        shown.into_iter().zip(words).map(|(appointment, word)| Shown::with(appointment, word)).collect();
    Ok(Answer::ok(Appointments { appointments: shown, pagination: Pagination { next_cursor } }))
}

fn period(asked: &Asked, now: Timestamp, zone: &ClinicZone, limit: u16) -> Result<Between, Problem> {
    let today = || zone.start_of(zone.day_of(now)).unwrap_or(now);
    let start = asked.start_date.as_deref();
    let from =
        start.map_or_else(|| Ok(today()), |text| instant("startDate", text, zone, ClinicZone::start_of))?;
    let end = asked.end_date.as_deref();
    let to =
        end.map_or_else(|| Ok(from + DEFAULT), |text| instant("endDate", text, zone, ClinicZone::end_of))?;
    if from >= to {
        return Err(invalid("startDate must lie before endDate."));
    }
    // One more than is shown: it tells whether another page follows.
    Ok(Between { from, to, limit: i32::from(limit).saturating_add(1) })
}

/// The status of this name.
pub(super) fn status(text: &str) -> Result<Status, Problem> {
    let found = Status::all().into_iter().find(|status| status.as_str() == text);
    found.ok_or_else(|| {
        let names = Status::all().map(Status::as_str).join(", ");
        invalid(format!("status is one of {names}."))
    })
}

/// Where a page begins: after the appointment that begins then and has this id.
fn cursor(text: &str) -> Result<(Timestamp, AppointmentId), Problem> {
    let read = || {
        let (millis, id) = text.split_once('.')?;
        let from = Timestamp::from_millisecond(millis.parse().ok()?).ok()?;
        Some((from, AppointmentId::parse(id).ok()?))
    };
    read().ok_or_else(|| invalid("cursor is the next_cursor of the page before."))
}
