//! `GET /api/calls-dashboard/stats`.

use domain::{
    call::{Call, Direction, State},
    clinic::ClinicZone,
    ledger::Entry,
};
use futures::future::try_join;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{
    auth::Caller,
    problem::{Code, Problem},
    routes::{Answer, Input},
};

use super::{
    period::{Period, unreadable},
    row::Status,
};
use crate::Deps;

/// The windows there are, in hours.
const WINDOWS: [(&str, i64); 4] = [("24h", 24), ("7d", 24 * 7), ("30d", 24 * 30), ("90d", 24 * 90)];
const DEFAULT_WINDOW: &str = "7d";

/// Over which time the figures are.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    #[serde(rename = "timeWindow")]
    time_window: Option<String>,
}
web::query_values!(Asked);

/// The figures of a window.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    total_calls: usize,
    inbound_calls: usize,
    outbound_calls: usize,
    completed_calls: usize,
    calls_today: usize,
    /// Whole seconds, of the calls that were billed.
    avg_duration: u64,
    minutes_billed: u64,
    spent_pence: i64,
}

/// Shows how many calls there were, how long they were, and what the org spent. The calls say how many; the ledger
/// alone says what was spent.
///
/// # Errors
/// When the window is none there is or holds too much, or the store does not answer: an error, never a zero.
pub async fn show(deps: &Deps, caller: &Caller, input: Input<Asked>) -> Result<Answer<Figures>, Problem> {
    caller.may_see_the_business()?;
    let hours = hours(input.query.time_window.as_deref().unwrap_or(DEFAULT_WINDOW))?;
    let now = deps.platform.clock.now();
    let period = Period::last_hours(hours, now);
    let zone = deps.clinics.zone(caller.org).await?;
    let entries = async { period.entries(deps, caller.org).await.map_err(unreadable) };
    let (calls, entries) = try_join(period.calls(deps, caller.org), entries).await?;
    let spent = spent_pence(&entries);
    Ok(Answer::ok(figures(&calls, zone.day_of(now), &zone, spent)))
}

fn figures(calls: &[Call], today: Date, zone: &ClinicZone, spent_pence: i64) -> Figures {
    let count = |is_counted: &dyn Fn(&Call) -> bool| calls.iter().filter(|call| is_counted(call)).count();
    let talks: Vec<u64> = calls.iter().filter_map(billed_secs).collect();
    let secs = talks.iter().fold(0_u64, |sum, secs| sum.saturating_add(*secs));
    let average = u64::try_from(talks.len()).ok().and_then(|count| secs.checked_div(count));
    Figures {
        total_calls: calls.len(),
        inbound_calls: count(&|call| call.parties.direction == Direction::Inbound),
        outbound_calls: count(&|call| call.parties.direction == Direction::Outbound),
        completed_calls: count(&|call| Status::of(call) == Status::Completed),
        calls_today: count(&|call| zone.day_of(call.created_at) == today),
        avg_duration: average.unwrap_or_default(),
        minutes_billed: secs.div_ceil(60),
        spent_pence,
    }
}

/// How long they talked, by the bill; none of a call that has none.
pub fn billed_secs(call: &Call) -> Option<u64> {
    match &call.state {
        State::Settled(bill) => Some(bill.duration_secs.into()),
        State::Authorizing
        | State::Authorized
        | State::InProgress { .. }
        | State::Ended { .. }
        | State::Released
        | State::Refused { .. } => None,
    }
}

/// Debits less credits of what an org spends money on.
pub fn spent_pence(entries: &[Entry]) -> i64 {
    entries.iter().fold(0, |sum: i64, entry| sum.saturating_add(entry.spent_pence()))
}

fn hours(window: &str) -> Result<i64, Problem> {
    WINDOWS.into_iter().find_map(|(name, hours)| (name == window).then_some(hours)).ok_or_else(|| {
        let known = WINDOWS.map(|(name, _)| name).join(", ");
        Problem::new(Code::InvalidValue).saying(format!("timeWindow is one of {known}."))
    })
}
