//! `GET /api/calls-dashboard`.

use domain::{call::Call, ids::CallId};
use futures::future::try_join_all;
use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use web::{
    auth::Caller,
    problem::{Code, Problem},
    routes::{Answer, Input},
};

use super::{
    filter::{Filter, filtered},
    period::{MOST_CALLS, Period},
    row::{Row, Shown},
};
use crate::Deps;

const DEFAULT_LIMIT: usize = 20;
const LARGEST_LIMIT: usize = 100;
/// The cursor of the first page.
const FIRST: &str = "first";
/// How many pages of the store one answer reads at the most, where a filter leaves little of each.
const MOST_READS: u8 = 10;
/// How many calls a page of the store has where a filter chooses among them.
const FILTERED: i32 = 250;

filtered! {
    /// Which calls are asked for, and which page of them.
    pub struct Asked {
        /// `first`, or the `next_cursor` of the page before: a page costs what it holds, however many calls the period has.
        cursor: Option<String>,
        /// The page by its number, 1 where no cursor is given, with how many there are among the newest 10,000 calls: a look at all of
        /// them.
        #[param(value_type = Option<u32>, minimum = 1)]
        page: Option<String>,
        /// How many a page has.
        #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
        limit: Option<String>,
    }
}
filtered! {
    /// Which calls are counted.
    pub struct Which {}
}

/// A page of calls.
#[derive(Debug, Serialize, ToSchema)]
pub struct Calls {
    calls: Vec<Shown>,
    pagination: Pagination,
}

#[derive(Debug, Serialize, ToSchema)]
struct Pagination {
    limit: usize,
    /// Where the next page begins; null after the last, and where pages are asked for by number.
    next_cursor: Option<String>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    numbered: Option<Numbered>,
}

/// What is said of pages that are asked for by number.
#[derive(Debug, Serialize, ToSchema)]
struct Numbered {
    page: usize,
    total: usize,
    /// Whether there are more calls than were looked at: `total` is at least so many.
    total_is_cut: bool,
    pages: usize,
}

/// How many calls there are.
#[derive(Debug, Serialize, ToSchema)]
pub struct Total {
    #[expect(clippy::struct_field_names, reason = "the name that the dashboard knows")]
    total: usize,
    /// Whether there are more calls than were looked at: `total` is at least so many.
    is_cut: bool,
    /// The number for a person to read: `1,234` or `10,000+`.
    shown: String,
}

/// Lists the calls of a period, newest first, page by page: by cursor, where a page costs what it holds, however many calls the period
/// has; or by number, with how many there are.
///
/// # Errors
/// When a query value is not usable, the period is too long, or the store does not answer.
pub async fn list(deps: &Deps, caller: &Caller, input: Input<Asked>) -> Result<Answer<Calls>, Problem> {
    let asked = &input.query;
    let page = asked.page.as_deref().map(|text| count("page", text, MOST_CALLS)).transpose()?;
    let limit =
        asked.limit.as_deref().map_or(Ok(DEFAULT_LIMIT), |text| count("limit", text, LARGEST_LIMIT))?;
    let filter = Filter::read(&asked.wanted(), caller)?;
    let period = period(deps, caller, asked.start_date.as_deref(), asked.end_date.as_deref()).await?;
    deps.charging.wallets.ensure(caller.org).await?;
    let after = asked.cursor.as_deref().map(cursor).transpose()?;
    let (calls, pagination) = match (page, after) {
        (Some(_), Some(_)) => {
            return Err(Problem::new(Code::InvalidValue).saying("Give page or cursor, and not both."));
        }
        (page, None) => numbered(deps, caller, &filter, period, (page.unwrap_or(1), limit)).await?,
        (None, Some(after)) => following(deps, caller, &filter, period, (after, limit)).await?,
    };
    let rows = try_join_all(calls.into_iter().map(|call| Row::read(deps, call))).await?;
    Ok(Answer::ok(Calls { calls: rows.into_iter().map(|row| row.shown(caller)).collect(), pagination }))
}

/// Counts the calls of a period, up to 10,000.
///
/// # Errors
/// As [`list`].
pub async fn total(deps: &Deps, caller: &Caller, input: Input<Which>) -> Result<Answer<Total>, Problem> {
    let asked = &input.query;
    let filter = Filter::read(&asked.wanted(), caller)?;
    let period = period(deps, caller, asked.start_date.as_deref(), asked.end_date.as_deref()).await?;
    let (calls, is_cut) = period.newest(deps, caller.org).await?;
    let total = calls.iter().filter(|call| filter.passes(call)).count();
    let shown = format!("{}{}", grouped(total), if is_cut { "+" } else { "" });
    Ok(Answer::ok(Total { total, is_cut, shown }))
}

async fn period(
    deps: &Deps,
    caller: &Caller,
    start: Option<&str>,
    end: Option<&str>,
) -> Result<Period, Problem> {
    let zone = deps.clinics.zone(caller.org).await?;
    Period::parse(start, end, deps.platform.clock.now(), &zone)
}

/// The page after the call that the cursor names.
async fn following(
    deps: &Deps,
    caller: &Caller,
    filter: &Filter,
    period: Period,
    (mut after, limit): (Option<(Timestamp, CallId)>, usize),
) -> Result<(Vec<Call>, Pagination), Problem> {
    let most = if filter.passes_all() { i32::try_from(limit).unwrap_or(FILTERED) } else { FILTERED };
    let mut shown: Vec<Call> = Vec::new();
    for _ in 0..MOST_READS {
        let (page, has_more) =
            deps.charging.calls.page(caller.org, (period.from, period.to), after.as_ref(), most).await?;
        let last = page.last().map(place);
        let mut rest = page.into_iter().filter(|call| filter.passes(call)).peekable();
        let wanted = limit.saturating_sub(shown.len());
        shown.extend(rest.by_ref().take(wanted));
        let is_full = shown.len() >= limit;
        after = if is_full && rest.peek().is_some() {
            shown.last().map(place)
        } else {
            last.filter(|_| has_more)
        };
        if is_full || after.is_none() {
            break;
        }
    }
    let next_cursor = after.map(|(at, id)| format!("{}.{id}", at.as_millisecond()));
    Ok((shown, Pagination { limit, next_cursor, numbered: None }))
}

/// Where a call stands in the list.
pub fn place(call: &Call) -> (Timestamp, CallId) {
    (call.created_at, call.call_id.clone())
}

/// The page of a number, with how many there are.
async fn numbered(
    deps: &Deps,
    caller: &Caller,
    filter: &Filter,
    period: Period,
    (page, limit): (usize, usize),
) -> Result<(Vec<Call>, Pagination), Problem> {
    let (mut calls, total_is_cut) = period.newest(deps, caller.org).await?;
    calls.retain(|call| filter.passes(call));
    let total = calls.len();
    let skipped = page.saturating_sub(1).saturating_mul(limit);
    let numbered = Numbered { page, total, total_is_cut, pages: total.div_ceil(limit) };
    let shown = calls.into_iter().skip(skipped).take(limit).collect();
    Ok((shown, Pagination { limit, next_cursor: None, numbered: Some(numbered) }))
}

/// A number with its thousands apart.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let first = digits.len().rem_euclid(3);
    let (head, rest) = digits.split_at(first);
    let groups = rest.as_bytes().chunks(3).map(|group| String::from_utf8_lossy(group).into_owned());
    let head = (!head.is_empty()).then(|| head.to_owned());
    head.into_iter().chain(groups).collect::<Vec<_>>().join(",")
}

/// After which call a page begins; none for the first page.
fn cursor(text: &str) -> Result<Option<(Timestamp, CallId)>, Problem> {
    if text == FIRST {
        return Ok(None);
    }
    let read = || {
        let (millis, id) = text.split_once('.')?;
        let at = Timestamp::from_millisecond(millis.parse().ok()?).ok()?;
        Some((at, CallId::parse(id).ok()?))
    };
    read().map(Some).ok_or_else(|| Problem::new(Code::InvalidCursor))
}

/// A number of the query, from 1 to `largest`.
///
/// # Errors
/// When the text is none.
pub fn count(name: &str, text: &str, largest: usize) -> Result<usize, Problem> {
    text.parse().ok().filter(|count| (1..=largest).contains(count)).ok_or_else(|| {
        let detail = format!("{name} is a whole number from 1 to {largest}.");
        Problem::new(Code::InvalidValue).saying(detail)
    })
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_apart() {
        let cases = [(0, "0"), (999, "999"), (1_000, "1,000"), (10_000, "10,000"), (1_234_567, "1,234,567")];
        for (number, expected) in cases {
            assert_eq!(grouped(number), expected);
        }
    }
}
