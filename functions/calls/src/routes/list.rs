//! `GET /api/calls-dashboard`.

use domain::call::{Call, Direction};
use futures::future::try_join_all;
use http::StatusCode;
use lambda_http::{Body, Response};
use serde_json::json;
use web::{
    auth::Caller,
    problem::{Code, Problem, json_answer},
    request::Query,
};

use super::{
    period::{MOST_CALLS, Period},
    row::{Row, Status, phone_number},
};
use crate::Deps;

const DEFAULT_LIMIT: usize = 20;
const LARGEST_LIMIT: usize = 100;
const LONGEST_SEARCH: usize = 100;

/// The calls of a period, newest first, page by page, with how many there are.
///
/// # Errors
/// When a query value is not usable, the period holds too much, or the store does not answer.
pub async fn list(deps: &Deps, caller: &Caller, query: Option<&str>) -> Result<Response<Body>, Problem> {
    let known = ["page", "limit", "status", "search", "startDate", "endDate", "call_type"];
    let query = Query::parse(query, &known)?;
    let page = query.get("page").map_or(Ok(1), |text| count("page", text, MOST_CALLS))?;
    let limit = query.get("limit").map_or(Ok(DEFAULT_LIMIT), |text| count("limit", text, LARGEST_LIMIT))?;
    let filter = Filter::read(&query)?;
    let period = Period::parse(query.get("startDate"), query.get("endDate"), deps.platform.clock.now())?;
    deps.charging.wallets.ensure(caller.org).await?;
    let mut calls = period.calls(deps, caller.org).await?;
    calls.retain(|call| filter.passes(call));
    let total = calls.len();
    let skipped = page.saturating_sub(1).saturating_mul(limit);
    let shown = calls.into_iter().skip(skipped).take(limit);
    let rows = try_join_all(shown.map(|call| Row::read(deps, call))).await?;
    let body = json!({
        "calls": rows.iter().map(Row::json).collect::<Vec<_>>(),
        "pagination": {"page": page, "limit": limit, "total": total, "pages": total.div_ceil(limit)},
    });
    Ok(json_answer(StatusCode::OK, &body))
}

/// Which calls are wanted.
#[derive(Debug)]
struct Filter {
    status: Option<Status>,
    direction: Option<Direction>,
    /// In lower case.
    search: Option<String>,
}

impl Filter {
    fn read(query: &Query) -> Result<Self, Problem> {
        let search = query.get("search").map(search).transpose()?;
        Ok(Self {
            status: query.get("status").map(status).transpose()?,
            direction: query.get("call_type").map(direction).transpose()?,
            search: search.filter(|text| !text.is_empty()),
        })
    }

    fn passes(&self, call: &Call) -> bool {
        let has = |text: &str| {
            let is_in = |place: Option<&str>| place.is_some_and(|place| place.to_lowercase().contains(text));
            is_in(phone_number(call))
                || is_in(Some(call.call_id.as_str()))
                || is_in(call.ended_reason.as_deref())
        };
        self.status.is_none_or(|status| Status::of(call) == status)
            && self.direction.is_none_or(|direction| call.parties.direction == direction)
            && self.search.as_deref().is_none_or(has)
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
