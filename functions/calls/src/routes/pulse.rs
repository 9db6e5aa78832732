//! `GET /api/analytics/dashboard-pulse`.

use std::{collections::HashSet, str::FromStr};

use domain::{
    booking::appointment::{Appointment, MadeBy},
    call::{Call, Direction},
    ids::{CallId, OrgId},
};
use futures::future::{try_join_all, try_join3};
use jiff::SignedDuration;
use rust_decimal::{Decimal, RoundingStrategy::MidpointAwayFromZero};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{StoreError, ledger::StatementError};
use utoipa::{IntoParams, ToSchema};
use web::{
    auth::Caller,
    problem::Problem,
    routes::{Answer, Input},
};

use super::{
    list::count,
    period::Period,
    row::Status,
    stats::{billed_secs, spent_pence},
};
use crate::Deps;

const DEFAULT_DAYS: usize = 7;
const MOST_DAYS: usize = 31;
/// The most appointments that are looked at for one answer, and how many a page of the store has.
const MOST_MADE: usize = 5_000;
const PAGE: i32 = 500;
/// Of how many calls the text is read for how the caller sounded: the newest that were talked. So many at once.
const MOST_HEARD: usize = 200;
const AT_ONCE: usize = 25;
/// To how many places what is no whole number is given.
const PLACES: u32 = 3;

/// Over which time the figures are.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// How many of the clinic's days, today included; 7 where it is left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 31)]
    days: Option<String>,
}
web::query_values!(Asked);

/// The figures of the clinic's last days. What is not known is null, and not nought.
#[derive(Debug, Serialize, ToSchema)]
pub struct Pulse {
    /// The first day, in the clinic's zone.
    from: String,
    /// The last day, which is today.
    to: String,
    total_calls: usize,
    inbound_calls: usize,
    outbound_calls: usize,
    missed_calls: usize,
    /// Whole seconds, of the calls that were billed; null where there are none.
    avg_duration_seconds: Option<u64>,
    /// The appointments that callers booked on those days, whatever became of them since.
    appointments_booked: usize,
    /// Which share of the calls that were billed has booked an appointment, from 0 to 1; null where none was billed.
    #[schema(value_type = Option<f64>)]
    booked_rate: Value,
    /// How callers sounded, from -1 to 1: the mean of the newest 200 calls that were billed, as far as Vapi's analysis has a number
    /// for them; null where it has none.
    #[schema(value_type = Option<f64>)]
    avg_sentiment: Value,
    /// Of how many calls that is the mean.
    sentiment_calls: usize,
    /// Null: leads are not scored yet.
    hot_leads_count: Option<u32>,
    /// What the ledger says was spent, less what was given back; null for who may not see money, and where there are more entries
    /// than are looked at.
    spent_pence: Option<i64>,
    /// Whether there is more than was looked at (10,000 calls, 5,000 appointments, 10,000 entries): each count is at least so many, and
    /// means and shares are of the newest.
    is_cut: bool,
}

/// What the figures are counted from.
struct Seen {
    calls: Vec<Call>,
    /// On which calls the appointments were booked, one for each.
    booked_on: Vec<CallId>,
    sentiments: Vec<Decimal>,
}

/// Shows how many calls there were on the clinic's last days, what came of them, and what was spent. Staff see no money.
///
/// # Errors
/// When `days` is not usable, or the store does not answer: an error, never a nought.
pub async fn show(deps: &Deps, caller: &Caller, input: Input<Asked>) -> Result<Answer<Pulse>, Problem> {
    let days = input.query.days.as_deref().map_or(Ok(DEFAULT_DAYS), |text| count("days", text, MOST_DAYS))?;
    let zone = deps.clinics.zone(caller.org).await?;
    let last = zone.day_of(deps.platform.clock.now());
    let before = i64::try_from(days.saturating_sub(1)).unwrap_or_default();
    let first = last.saturating_sub(SignedDuration::from_hours(before.saturating_mul(24)));
    let period = Period::of_days((first, last), &zone)?;
    let calls = period.newest(deps, caller.org);
    let read = try_join3(calls, booked_on(deps, caller.org, period), spent(deps, caller, period)).await?;
    let ((calls, calls_are_cut), (booked_on, bookings_are_cut), spent) = read;
    let sentiments = sentiments(deps, caller.org, &calls).await?;
    let (spent_pence, entries_are_cut) = match spent {
        Some(Spent::Known(pence)) => (Some(pence), false),
        Some(Spent::TooMuchToRead) => (None, true),
        None => (None, false),
    };
    let pulse = Pulse {
        spent_pence,
        is_cut: calls_are_cut || bookings_are_cut || entries_are_cut,
        ..Pulse::of(&Seen { calls, booked_on, sentiments }, (first.to_string(), last.to_string()))
    };
    Ok(Answer::ok(pulse))
}

impl Pulse {
    fn of(seen: &Seen, (from, to): (String, String)) -> Self {
        let counted =
            |is_counted: &dyn Fn(&Call) -> bool| seen.calls.iter().filter(|call| is_counted(call)).count();
        let going = |direction| counted(&|call| call.parties.direction == direction);
        let talks: Vec<u64> = seen.calls.iter().filter_map(billed_secs).collect();
        let secs = talks.iter().fold(0_u64, |sum, secs| sum.saturating_add(*secs));
        let on: HashSet<&CallId> = seen.booked_on.iter().collect();
        let with_booking = counted(&|call| billed_secs(call).is_some() && on.contains(&call.call_id));
        Self {
            from,
            to,
            total_calls: seen.calls.len(),
            inbound_calls: going(Direction::Inbound),
            outbound_calls: going(Direction::Outbound),
            missed_calls: counted(&|call| Status::of(call) == Status::Missed),
            avg_duration_seconds: u64::try_from(talks.len()).ok().and_then(|count| secs.checked_div(count)),
            appointments_booked: seen.booked_on.len(),
            booked_rate: number(share(Decimal::from(with_booking), talks.len())),
            avg_sentiment: number(share(seen.sentiments.iter().sum(), seen.sentiments.len())),
            sentiment_calls: seen.sentiments.len(),
            hot_leads_count: None,
            spent_pence: None,
            is_cut: false,
        }
    }
}

/// What was spent, if it can be said.
enum Spent {
    Known(i64),
    TooMuchToRead,
}

/// What was spent; none for who may not see money.
async fn spent(deps: &Deps, caller: &Caller, period: Period) -> Result<Option<Spent>, Problem> {
    if caller.may_see_the_business().is_err() {
        return Ok(None);
    }
    match period.entries(deps, caller.org).await {
        Ok(entries) => Ok(Some(Spent::Known(spent_pence(&entries)))),
        Err(StatementError::TooMany { .. }) => Ok(Some(Spent::TooMuchToRead)),
        Err(StatementError::Store(error)) => Err(error.into()),
    }
}

/// On which calls callers booked appointments in a period, one for each appointment, and whether there are more than are looked at.
async fn booked_on(deps: &Deps, org: OrgId, period: Period) -> Result<(Vec<CallId>, bool), Problem> {
    let mut calls = Vec::new();
    let mut looked_at = 0_usize;
    let mut after = None;
    while looked_at < MOST_MADE {
        let (page, has_more) =
            deps.bookings.made(org, (period.from, period.to), after.as_ref(), PAGE).await?;
        looked_at = looked_at.saturating_add(page.len());
        after = page.last().map(|last| last.appointment_id.clone());
        calls.extend(page.into_iter().filter_map(|appointment| booked_by_caller(&appointment)));
        if !has_more {
            return Ok((calls, false));
        }
    }
    Ok((calls, true))
}

/// On which call an appointment was booked; none where staff made it.
pub fn booked_by_caller(appointment: &Appointment) -> Option<CallId> {
    match &appointment.made {
        MadeBy::Caller { call_id } => Some(call_id.clone()),
        MadeBy::Staff { .. } => None,
    }
}

/// How the callers of the newest calls that were billed sounded, those that have a number.
async fn sentiments(deps: &Deps, org: OrgId, calls: &[Call]) -> Result<Vec<Decimal>, StoreError> {
    let talked: Vec<&Call> =
        calls.iter().filter(|call| billed_secs(call).is_some()).take(MOST_HEARD).collect();
    let mut scores = Vec::new();
    for some in talked.chunks(AT_ONCE) {
        let read = some.iter().map(|call| deps.charging.calls.content(org, &call.call_id));
        let contents = try_join_all(read).await?;
        scores.extend(contents.into_iter().flatten().filter_map(|text| score(&text.sentiment_score?)));
    }
    Ok(scores)
}

/// The number that the vendor wrote, if it wrote one of the scale.
fn score(text: &str) -> Option<Decimal> {
    let score = Decimal::from_str(text).or_else(|_| Decimal::from_scientific(text)).ok()?;
    (score.abs() <= Decimal::ONE).then_some(score)
}

fn share(of: Decimal, count: usize) -> Option<Decimal> {
    let rounded = |share: Decimal| share.round_dp_with_strategy(PLACES, MidpointAwayFromZero);
    of.checked_div(Decimal::from(count)).map(|share| rounded(share).normalize())
}

fn number(value: Option<Decimal>) -> Value {
    value.and_then(|value| serde_json::from_str(&value.to_string()).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mean_is_to_three_places_and_of_nothing_there_is_none() {
        let cases: [(&[&str], Value); 6] = [
            (&[], Value::Null),
            (&["high", "1.2", "-7"], Value::Null),
            (&["0.8", "-0.1", "nothing"], json!(0.35)),
            (&["1", "0", "0"], json!(0.333)),
            (&["-0.4125"], json!(-0.413)),
            (&["5e-1", "-1"], json!(-0.25)),
        ];
        for (texts, mean) in cases {
            let scores: Vec<Decimal> = texts.iter().filter_map(|text| score(text)).collect();
            assert_eq!(number(share(scores.iter().sum(), scores.len())), mean, "{texts:?}");
        }
    }
}
