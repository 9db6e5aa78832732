//! `GET /api/calls-dashboard`.

use domain::{
    call::{Call, Direction},
    ids::CallId,
    number::Country,
};
use futures::future::try_join_all;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{
    auth::Caller,
    problem::{Code, Problem},
    routes::{Answer, Input},
};

use super::{
    period::{MOST_CALLS, Period},
    row::{Row, Shown, Status, phone_number},
};
use crate::Deps;

const DEFAULT_LIMIT: usize = 20;
const LARGEST_LIMIT: usize = 100;
const LONGEST_SEARCH: usize = 100;
/// The cursor of the first page.
const FIRST: &str = "first";
/// How many pages of the store one answer reads at the most, where a filter leaves little of each.
const MOST_READS: u8 = 10;
/// How many calls a page of the store has where a filter chooses among them.
const FILTERED: i32 = 250;

/// Which calls are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// `first`, or the `next_cursor` of the page before: a page costs what it holds, however many calls the period has.
    cursor: Option<String>,
    /// The page by its number, 1 where no cursor is given, with how many there are among the newest 10,000 calls: a look at all of
    /// them.
    #[param(value_type = Option<u32>, minimum = 1)]
    page: Option<String>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    limit: Option<String>,
    status: Option<String>,
    search: Option<String>,
    #[serde(rename = "startDate")]
    start_date: Option<String>,
    #[serde(rename = "endDate")]
    end_date: Option<String>,
    call_type: Option<String>,
}

/// Which calls are counted.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    status: Option<String>,
    search: Option<String>,
    #[serde(rename = "startDate")]
    start_date: Option<String>,
    #[serde(rename = "endDate")]
    end_date: Option<String>,
    call_type: Option<String>,
}
web::query_values!(Asked, Which);

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
    let filter = Filter::read(asked.status.as_deref(), asked.call_type.as_deref(), asked.search.as_deref())?;
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
    let filter = Filter::read(asked.status.as_deref(), asked.call_type.as_deref(), asked.search.as_deref())?;
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
fn place(call: &Call) -> (Timestamp, CallId) {
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

/// Which calls are wanted.
#[derive(Debug)]
struct Filter {
    status: Option<Status>,
    direction: Option<Direction>,
    search: Option<Search>,
}

impl Filter {
    fn read(
        of_status: Option<&str>,
        call_type: Option<&str>,
        looked_for: Option<&str>,
    ) -> Result<Self, Problem> {
        let looked_for = looked_for.map(search).transpose()?;
        Ok(Self {
            status: of_status.map(status).transpose()?,
            direction: call_type.map(direction).transpose()?,
            search: looked_for.filter(|text| !text.is_empty()).map(Search::of),
        })
    }

    /// Whether every call is wanted.
    const fn passes_all(&self) -> bool {
        self.status.is_none() && self.direction.is_none() && self.search.is_none()
    }

    fn passes(&self, call: &Call) -> bool {
        self.status.is_none_or(|status| Status::of(call) == status)
            && self.direction.is_none_or(|direction| call.parties.direction == direction)
            && self.search.as_ref().is_none_or(|search| search.finds(call))
    }
}

/// What is looked for in a call's number, id and reason.
#[derive(Debug)]
struct Search {
    /// In lower case.
    text: String,
    /// How a number begins in E.164, without its `+`, that the text has the beginning of as one dials it at home: `07…` in one of
    /// the countries we serve.
    dialled: Vec<String>,
}

impl Search {
    fn of(text: String) -> Self {
        let digits: String = text.chars().filter(|c| !" -().".contains(*c)).collect();
        let is_dialled = digits.len() > 1 && digits.bytes().all(|c| c.is_ascii_digit());
        let rest = digits.strip_prefix('0').filter(|_| is_dialled);
        // Of these, numbers are dialled with a 0 in front within the United Kingdom and Australia.
        let countries = [Country::UnitedKingdom, Country::Australia].map(Country::calling_code);
        let dialled =
            |rest: &str| countries.map(|code| format!("{}{rest}", code.trim_start_matches('+'))).to_vec();
        Self { dialled: rest.map(dialled).unwrap_or_default(), text }
    }

    fn finds(&self, call: &Call) -> bool {
        let is_in =
            |place: Option<&str>| place.is_some_and(|place| place.to_lowercase().contains(&self.text));
        let number = phone_number(call);
        let digits = number.map(|number| number.trim_start_matches('+'));
        let begins = |start: &String| digits.is_some_and(|digits| digits.starts_with(start.as_str()));
        is_in(number)
            || self.dialled.iter().any(begins)
            || is_in(Some(call.call_id.as_str()))
            || is_in(call.ended_reason.as_deref())
    }
}

fn count(name: &str, text: &str, largest: usize) -> Result<usize, Problem> {
    text.parse().ok().filter(|count| (1..=largest).contains(count)).ok_or_else(|| {
        let detail = format!("{name} is a whole number from 1 to {largest}.");
        Problem::new(Code::InvalidValue).saying(detail)
    })
}

fn status(text: &str) -> Result<Status, Problem> {
    Status::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| {
        let known = Status::ALL.map(Status::as_str).join(", ");
        Problem::new(Code::InvalidValue).saying(format!("status is one of {known}."))
    })
}

fn direction(text: &str) -> Result<Direction, Problem> {
    Direction::parse(text)
        .ok_or_else(|| Problem::new(Code::InvalidValue).saying("call_type is inbound or outbound."))
}

/// In a query string a `+` means a space, so that around the text it says nothing: `+44` looks for `44`.
fn search(text: &str) -> Result<String, Problem> {
    let text = text.trim().to_lowercase();
    if text.chars().count() <= LONGEST_SEARCH {
        return Ok(text);
    }
    Err(Problem::new(Code::InvalidValue).saying(format!("search is at most {LONGEST_SEARCH} characters.")))
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
