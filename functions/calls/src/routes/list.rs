//! `GET /api/calls-dashboard`.

use domain::{
    call::{Call, Direction},
    number::Country,
};
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
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

/// Which calls are asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    page: Option<String>,
    limit: Option<String>,
    status: Option<String>,
    search: Option<String>,
    #[serde(rename = "startDate")]
    start_date: Option<String>,
    #[serde(rename = "endDate")]
    end_date: Option<String>,
    call_type: Option<String>,
}
web::query_values!(Asked);

/// A page of calls.
#[derive(Debug, Serialize)]
pub struct Calls {
    calls: Vec<Shown>,
    pagination: Pagination,
}

#[derive(Debug, Serialize)]
struct Pagination {
    page: usize,
    limit: usize,
    total: usize,
    pages: usize,
}

/// Lists the calls of a period, newest first, page by page, with how many there are.
///
/// # Errors
/// When a query value is not usable, the period holds too much, or the store does not answer.
pub async fn list(deps: &Deps, caller: &Caller, input: Input<Asked>) -> Result<Answer<Calls>, Problem> {
    let asked = &input.query;
    let page = asked.page.as_deref().map_or(Ok(1), |text| count("page", text, MOST_CALLS))?;
    let limit =
        asked.limit.as_deref().map_or(Ok(DEFAULT_LIMIT), |text| count("limit", text, LARGEST_LIMIT))?;
    let filter = Filter::read(asked)?;
    let now = deps.platform.clock.now();
    let zone = deps.clinics.zone(caller.org).await?;
    let period = Period::parse(asked.start_date.as_deref(), asked.end_date.as_deref(), now, &zone)?;
    deps.charging.wallets.ensure(caller.org).await?;
    let mut calls = period.calls(deps, caller.org).await?;
    calls.retain(|call| filter.passes(call));
    let total = calls.len();
    let skipped = page.saturating_sub(1).saturating_mul(limit);
    let shown = calls.into_iter().skip(skipped).take(limit);
    let rows = try_join_all(shown.map(|call| Row::read(deps, call))).await?;
    Ok(Answer::ok(Calls {
        calls: rows.into_iter().map(|row| row.shown(caller)).collect(),
        pagination: Pagination { page, limit, total, pages: total.div_ceil(limit) },
    }))
}

/// Which calls are wanted.
#[derive(Debug)]
struct Filter {
    status: Option<Status>,
    direction: Option<Direction>,
    search: Option<Search>,
}

impl Filter {
    fn read(asked: &Asked) -> Result<Self, Problem> {
        let search = asked.search.as_deref().map(search).transpose()?;
        Ok(Self {
            status: asked.status.as_deref().map(status).transpose()?,
            direction: asked.call_type.as_deref().map(direction).transpose()?,
            search: search.filter(|text| !text.is_empty()).map(Search::of),
        })
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
