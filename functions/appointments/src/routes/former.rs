//! What stands in the diary when a practitioner leaves, goes away, or a service is offered no more.

use domain::{
    booking::appointment::{Appointment, Status},
    ids::{AppointmentId, OrgId, ResourceId},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::booking::Between;
use utoipa::{IntoParams, ToSchema};
use web::{
    problem::{Code, Problem},
    request::invalid,
};

use crate::Deps;

/// How many appointments are named in one answer. The diary has the rest.
const NAMED: usize = 50;
/// How many appointments are looked at, at the most.
const LOOKED_AT: usize = 5_000;
/// How many a page of the store has.
const PAGE: i32 = 250;

/// Which state is to end.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// The version that was seen: where another came between, nothing is done.
    #[param(value_type = Option<u64>)]
    version: Option<String>,
}
web::query_values!(Seen);

impl Seen {
    /// Returns the version that was seen; none where any will do.
    ///
    /// # Errors
    /// [`Code::InvalidValue`] when it is no number.
    pub fn version(&self) -> Result<Option<u64>, Problem> {
        let seen = self.version.as_deref().map(str::parse).transpose();
        seen.map_err(|_| invalid("version is the number that was read with it."))
    }
}

/// Checks that the record has the version that the client saw; without one, any will do.
///
/// # Errors
/// [`Code::VersionConflict`] when another write came between.
pub fn check_version(version: u64, seen: Option<u64>) -> Result<(), Problem> {
    if seen.is_none_or(|seen| seen == version) { Ok(()) } else { Err(version_conflict()) }
}

/// Returns what somebody is told whose change rests on a version that another has replaced.
pub fn version_conflict() -> Problem {
    Problem::new(Code::VersionConflict)
        .saying("Somebody saved this meanwhile. Load it again, and make your change to that.")
}

/// What stands ahead all the same: nothing of it is moved by itself.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Standing {
    /// The appointments, the soonest first; at most fifty.
    appointments: Vec<Ahead>,
    /// Whether there may be more: the diary has them.
    has_more: bool,
}

#[derive(Debug, Serialize, ToSchema)]
struct Ahead {
    id: AppointmentId,
    #[serde(with = "domain::time::millis")]
    scheduled_time: Timestamp,
    service_type: String,
    resource_ids: Vec<ResourceId>,
    contact_name: String,
}

impl From<Appointment> for Ahead {
    fn from(appointment: Appointment) -> Self {
        Self {
            id: appointment.appointment_id,
            scheduled_time: appointment.interval.from,
            service_type: appointment.service_name,
            resource_ids: appointment.resource_ids,
            contact_name: appointment.patient_name.reveal().to_owned(),
        }
    }
}

impl Standing {
    /// Returns a clinic's appointments that are like this and begin from now until before `to`, of the first 5,000 of them. It is read
    /// after the change that it is shown with, so that a repeated request lists them too.
    ///
    /// # Errors
    /// When the store does not answer. The change that it is shown with stands all the same.
    pub async fn ahead(
        deps: &Deps,
        org: OrgId,
        to: Timestamp,
        is_like: impl Fn(&Appointment) -> bool,
    ) -> Result<Self, Problem> {
        let asked = Between { from: deps.platform.clock.now(), to, limit: PAGE };
        let (mut standing, mut after, mut looked_at) = (Self::default(), None, 0_usize);
        loop {
            let page = deps.appointments.bookings.between(org, asked, after.as_ref()).await?;
            looked_at = looked_at.saturating_add(page.appointments.len());
            let stands = |one: &Appointment| matches!(one.status, Status::Confirmed | Status::Arrived);
            standing.appointments.extend(
                page.appointments.into_iter().filter(|one| stands(one) && is_like(one)).map(Ahead::from),
            );
            after = page.next;
            if standing.appointments.len() > NAMED || after.is_none() || looked_at >= LOOKED_AT {
                standing.has_more = after.is_some() || standing.appointments.len() > NAMED;
                standing.appointments.truncate(NAMED);
                return Ok(standing);
            }
        }
    }
}
