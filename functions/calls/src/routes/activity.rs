//! `GET /api/analytics/recent-activity`.

use std::cmp::Reverse;

use domain::{
    booking::appointment::Appointment,
    call::{Call, Direction},
    ids::{CallId, OrgId},
    notification::{Kind, Notification},
};
use futures::future::try_join3;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::StoreError;
use utoipa::{IntoParams, ToSchema};
use web::{
    auth::Caller,
    problem::Problem,
    routes::{Answer, Input},
};

use super::{
    list::{count, place},
    now::masked,
    period::LARGEST_SKEW,
    pulse::booked_by_caller,
    row::Status,
    stats::billed_secs,
};
use crate::Deps;

const DEFAULT_LIMIT: usize = 20;
const LARGEST_LIMIT: usize = 50;
/// How many a page of the store has, and how many of its pages one answer reads at the most, of calls and of appointments each.
const PAGE: i32 = 60;
const MOST_READS: u8 = 5;

/// How many are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// 20 where it is left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 50)]
    limit: Option<String>,
}
web::query_values!(Asked);

/// What happened last.
#[derive(Debug, Serialize, ToSchema)]
pub struct Activity {
    /// The newest first.
    events: Vec<Event>,
    /// Whether older events may be missing: of the newest 300 calls, or of the newest 300 appointments, there are fewer than were asked
    /// for, and there are more that were not looked at.
    is_cut: bool,
}

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ActivityEvent)]
pub struct Event {
    /// The id of the call, of the appointment or of the notification.
    id: String,
    #[serde(rename = "type")]
    kind: Happened,
    /// When the call came, the appointment was booked, or the clinic was told.
    #[serde(with = "domain::time::millis")]
    timestamp: Timestamp,
    /// A sentence, without money, without names, and of a number only its ends: lists that show themselves are seen by whoever passes.
    summary: String,
    /// The call that it belongs to, if there is one.
    call_id: Option<CallId>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Happened {
    CallCompleted,
    CallMissed,
    CallTransferred,
    AppointmentBooked,
    MessageTaken,
    Emergency,
    CalendarProblem,
    PaymentProblem,
}

/// Lists what happened last, the newest first: calls that are over (but for those that broke off), appointments that were booked on
/// calls, and what the clinic was told.
///
/// # Errors
/// When `limit` is not usable, or the store does not answer.
pub async fn list(deps: &Deps, caller: &Caller, input: Input<Asked>) -> Result<Answer<Activity>, Problem> {
    let limit = input.query.limit.as_deref();
    let limit = limit.map_or(Ok(DEFAULT_LIMIT), |text| count("limit", text, LARGEST_LIMIT))?;
    let ever = (Timestamp::UNIX_EPOCH, deps.platform.clock.now() + LARGEST_SKEW);
    let told = async {
        let most = u16::try_from(limit).unwrap_or(u16::MAX);
        deps.notifications.last(caller.org, (None, most), false).await
    };
    let ((calls, calls_are_cut), (bookings, bookings_are_cut), told) =
        try_join3(calls(deps, caller.org, ever, limit), bookings(deps, caller.org, ever, limit), told)
            .await?;
    let mut events: Vec<Event> = calls;
    events.extend(bookings);
    events.extend(told.notifications.into_iter().map(of_notification));
    events.sort_by_key(|event| (Reverse(event.timestamp), event.id.clone()));
    events.truncate(limit);
    Ok(Answer::ok(Activity { events, is_cut: calls_are_cut || bookings_are_cut }))
}

/// The newest calls that are events, as many as are wanted or more, and whether there may be others that were not looked at.
async fn calls(
    deps: &Deps,
    org: OrgId,
    period: (Timestamp, Timestamp),
    wanted: usize,
) -> Result<(Vec<Event>, bool), StoreError> {
    let mut events = Vec::new();
    let mut after = None;
    for _ in 0..MOST_READS {
        let (page, has_more) = deps.charging.calls.page(org, period, after.as_ref(), PAGE).await?;
        events.extend(page.iter().filter_map(of_call));
        if events.len() >= wanted || !has_more {
            return Ok((events, false));
        }
        after = page.last().map(place);
    }
    Ok((events, true))
}

/// The newest appointments that callers booked, likewise.
async fn bookings(
    deps: &Deps,
    org: OrgId,
    period: (Timestamp, Timestamp),
    wanted: usize,
) -> Result<(Vec<Event>, bool), StoreError> {
    let mut events = Vec::new();
    let mut after = None;
    for _ in 0..MOST_READS {
        let (page, has_more) = deps.bookings.made(org, period, after.as_ref(), PAGE).await?;
        events.extend(page.iter().filter_map(of_booking));
        if events.len() >= wanted || !has_more {
            return Ok((events, false));
        }
        after = page.last().map(|last| last.appointment_id.clone());
    }
    Ok((events, true))
}

/// What happened with a call; none while it goes on, and of one that broke off.
fn of_call(call: &Call) -> Option<Event> {
    let number = call.parties.customer_number.as_ref().map(|number| masked(number.reveal()));
    let other = number.as_deref().unwrap_or("somebody without a number");
    let length = length(billed_secs(call).unwrap_or_default());
    let (kind, summary) = match (Status::of(call), call.parties.direction) {
        (Status::Completed, Direction::Inbound) => {
            (Happened::CallCompleted, format!("A call from {other} was answered and took {length}."))
        }
        (Status::Completed, Direction::Outbound) => {
            (Happened::CallCompleted, format!("The receptionist rang {other} and talked for {length}."))
        }
        (Status::Missed, Direction::Inbound) => {
            (Happened::CallMissed, format!("A call from {other} was missed."))
        }
        (Status::Missed, Direction::Outbound) => {
            (Happened::CallMissed, format!("A call to {other} did not come about."))
        }
        (Status::Transferred, Direction::Inbound) => {
            (Happened::CallTransferred, format!("A call from {other} was put through."))
        }
        (Status::Transferred, Direction::Outbound) => {
            (Happened::CallTransferred, format!("A call to {other} was put through."))
        }
        (Status::Failed | Status::InProgress, Direction::Inbound | Direction::Outbound) => return None,
    };
    let id = call.call_id.clone();
    Some(Event { id: id.to_string(), kind, timestamp: call.created_at, summary, call_id: Some(id) })
}

/// How long something took: `1 min 31 s`.
fn length(secs: u64) -> String {
    let (minutes, rest) = (secs.div_euclid(60), secs.rem_euclid(60));
    if minutes == 0 { format!("{rest} s") } else { format!("{minutes} min {rest} s") }
}

fn of_booking(appointment: &Appointment) -> Option<Event> {
    let call_id = booked_by_caller(appointment)?;
    let at = appointment.wall_clock.strftime("%A %-d %B, %H:%M");
    Some(Event {
        id: appointment.appointment_id.to_string(),
        kind: Happened::AppointmentBooked,
        timestamp: appointment.created_at,
        summary: format!("{} was booked on a call, for {at}.", appointment.service_name),
        call_id: Some(call_id),
    })
}

fn of_notification(told: Notification) -> Event {
    let (kind, summary) = match told.kind {
        Kind::MessageTaken => (Happened::MessageTaken, "A caller left a message."),
        Kind::Emergency => (Happened::Emergency, "A caller spoke of an emergency."),
        Kind::CalendarProblem => (Happened::CalendarProblem, "A calendar needs a look."),
        Kind::PaymentProblem => {
            (Happened::PaymentProblem, "Something was not done; the notifications say why.")
        }
    };
    let (id, summary) = (told.notification_id.to_string(), summary.to_owned());
    Event { id, kind, timestamp: told.at, summary, call_id: told.call_id }
}
