//! `GET /api/live`: what a page shows that watches, and how soon it asks again.

use domain::{
    booking::appointment::{Appointment, MadeBy},
    ids::{AppointmentId, CallId},
    phone_number::PhoneNumber,
    tariff::Tariff,
    time::rfc3339_millis,
    wallet::Wallet,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::booking::Between;
use utoipa::{IntoParams, ToSchema};
use web::{
    auth::Caller,
    problem::Problem,
    request::fingerprint,
    routes::{Answer, Input},
};

use super::{live::going_on, row::Status};
use crate::Deps;

/// How soon a page asks again while somebody talks, in milliseconds.
const WHILE_CALLS_LAST: u32 = 2_000;
/// And else.
const WHILE_NOTHING_GOES_ON: u32 = 15_000;
/// How many appointments of today are shown at the most.
const MOST_APPOINTMENTS: i32 = 200;
/// How much of a fingerprint tells two answers apart.
const VERSION_LENGTH: usize = 16;

/// What the page has already.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The `version` of the answer before: where nothing has changed since, nothing is shown again.
    since: Option<String>,
}
web::query_values!(Asked);

/// What goes on now.
#[derive(Debug, Serialize, ToSchema)]
pub struct Live {
    /// What to say as `since` the next time.
    version: String,
    /// Whether anything differs from what the page has: if not, `shown` is null.
    changed: bool,
    /// The time here, by which a page counts on.
    #[schema(format = DateTime)]
    at: String,
    /// How soon to ask again, in milliseconds. A page that nobody looks at does not ask.
    next_poll_ms: u32,
    shown: Option<Shown>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Shown {
    calls: Vec<LiveCall>,
    /// Those that begin today, in the clinic's zone.
    appointments: Vec<Today>,
    /// Whether more begin today than are shown.
    has_more_appointments: bool,
    /// The money; null for staff.
    wallet: Option<Money>,
}

#[derive(Debug, Serialize, ToSchema)]
struct LiveCall {
    id: CallId,
    /// The other party's number but for its middle: lists that show themselves are seen by whoever passes.
    phone_number: Option<String>,
    call_direction: &'static str,
    status: &'static str,
    #[schema(format = DateTime)]
    started_at: Option<String>,
    /// Whether its end was asked for.
    ending: bool,
    /// What is set aside for it; null for staff.
    held_pence: Option<i64>,
    /// Until when that pays, once they talk; null for staff.
    #[schema(format = DateTime)]
    paid_until: Option<String>,
    /// How long that is from `at` on; null for staff.
    seconds_left: Option<i64>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Today {
    id: AppointmentId,
    version: u64,
    #[schema(format = DateTime)]
    scheduled_time: String,
    #[schema(format = DateTime)]
    ends_at: String,
    service_type: String,
    status: &'static str,
    contact_name: String,
    call_id: Option<CallId>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Money {
    balance_pence: i64,
    available_pence: i64,
    held_pence: i64,
    is_low_balance: bool,
    rate_per_minute_pence: i64,
}

/// Shows what goes on now, if it is not what the page has already: the calls that money is set aside for, today's appointments, and
/// the money. Staff see no money.
///
/// # Errors
/// When the store does not answer: an error, never an empty list.
pub async fn show(deps: &Deps, caller: &Caller, input: Input<Asked>) -> Result<Answer<Live>, Problem> {
    let now = deps.platform.clock.now();
    let sees_money = caller.may_see_the_business().is_ok();
    let wallet = deps.charging.wallets.ensure(caller.org).await?;
    let (calls, (appointments, has_more_appointments)) =
        futures::future::try_join(calls(deps, caller, &wallet, sees_money), today(deps, caller, now)).await?;
    let next_poll_ms = if calls.is_empty() { WHILE_NOTHING_GOES_ON } else { WHILE_CALLS_LAST };
    let wallet = sees_money.then(|| Money::of(&wallet, now));
    let mut shown = Shown { calls, appointments, has_more_appointments, wallet };
    // What ticks is left out: it differs each time, and the page counts on by itself.
    let written = serde_json::to_string(&shown).map_err(|error| Problem::internal(&error))?;
    let version: String = fingerprint(&[&written]).chars().take(VERSION_LENGTH).collect();
    for call in &mut shown.calls {
        let until = call.paid_until.as_deref().and_then(|until| until.parse::<Timestamp>().ok());
        call.seconds_left = until.map(|until| until.duration_since(now).as_secs().max(0));
    }
    let changed = input.query.since.as_deref() != Some(version.as_str());
    let shown = changed.then_some(shown);
    Ok(Answer::ok(Live { version, changed, at: rfc3339_millis(now), next_poll_ms, shown }))
}

/// The calls that money is set aside for, newest first.
async fn calls(
    deps: &Deps,
    caller: &Caller,
    wallet: &Wallet,
    sees_money: bool,
) -> Result<Vec<LiveCall>, Problem> {
    let live = going_on(deps, caller.org, wallet).await?;
    let shown = live.into_iter().map(|(call, hold)| {
        let started_at = call.started_at();
        let paid_until = started_at.filter(|_| sees_money).map(|at| hold.paid_until(at));
        LiveCall {
            phone_number: call.parties.customer_number.as_ref().map(|number| masked(number.reveal())),
            call_direction: call.parties.direction.as_str(),
            status: Status::of(&call).as_str(),
            started_at: started_at.map(rfc3339_millis),
            ending: call.end_asked,
            held_pence: sees_money.then(|| hold.amount.pence()),
            paid_until: paid_until.map(rfc3339_millis),
            seconds_left: None,
            id: call.call_id,
        }
    });
    Ok(shown.collect())
}

/// The appointments that begin today, and whether there are more.
async fn today(deps: &Deps, caller: &Caller, now: Timestamp) -> Result<(Vec<Today>, bool), Problem> {
    let zone = deps.clinics.zone(caller.org).await?;
    let day = zone.day_of(now);
    let (Some(from), Some(to)) = (zone.start_of(day), zone.end_of(day)) else {
        return Ok((Vec::new(), false));
    };
    let page =
        deps.bookings.between(caller.org, Between { from, to, limit: MOST_APPOINTMENTS }, None).await?;
    Ok((page.appointments.into_iter().map(Today::from).collect(), page.next.is_some()))
}

impl From<Appointment> for Today {
    fn from(appointment: Appointment) -> Self {
        Self {
            id: appointment.appointment_id,
            version: appointment.version,
            scheduled_time: rfc3339_millis(appointment.interval.from),
            ends_at: rfc3339_millis(appointment.interval.to),
            service_type: appointment.service_name,
            status: appointment.status.as_str(),
            contact_name: appointment.patient_name.reveal().to_owned(),
            call_id: match appointment.made {
                MadeBy::Caller { call_id } => Some(call_id),
                MadeBy::Staff { .. } => None,
            },
        }
    }
}

impl Money {
    fn of(wallet: &Wallet, now: Timestamp) -> Self {
        Self {
            balance_pence: wallet.balance().pence(),
            available_pence: wallet.available.pence(),
            held_pence: wallet.held.pence(),
            is_low_balance: wallet.is_low(),
            rate_per_minute_pence: Tariff::at(now).one_minute().pence(),
        }
    }
}

/// How a number begins and ends: `+44…23`.
pub fn masked(number: &PhoneNumber) -> String {
    let text = number.as_str();
    let begin: String = text.chars().take(3).collect();
    let end: String = text.chars().skip(text.chars().count().saturating_sub(2)).collect();
    format!("{begin}…{end}")
}
