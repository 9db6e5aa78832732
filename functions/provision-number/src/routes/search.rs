//! `GET /api/managed-telephony/available-numbers`.

use domain::number::Search;
use http::StatusCode;
use lambda_http::{Body, Response};
use serde_json::{Value, json};
use services::provisioning::ProvisionError;
use web::{
    problem::{Problem, json_answer},
    request::{Query, invalid},
};

use super::word;
use crate::Deps;

const LARGEST_LIMIT: u32 = 20;

/// Numbers that can be bought now. Nothing is reserved by showing it.
///
/// # Errors
/// When a query value is not usable, or the carrier does not answer.
pub async fn search(deps: &Deps, query: Option<&str>) -> Result<Response<Body>, Problem> {
    let query = Query::parse(query, &["country", "areaCode", "numberType", "limit"])?;
    let text = |name: &str, default: &str| Value::from(query.get(name).unwrap_or(default));
    let limit = query.get("limit").map_or(Ok(LARGEST_LIMIT), |limit| {
        let limit = limit.parse().ok().filter(|limit| (1..=LARGEST_LIMIT).contains(limit));
        limit.ok_or_else(|| invalid(format!("limit is a whole number from 1 to {LARGEST_LIMIT}.")))
    })?;
    let search = Search {
        country: word(&text("country", "US"), "country is one of US, GB, CA, AU.")?,
        number_type: word(&text("numberType", "local"), "numberType is local or toll_free.")?,
        area_code: query.get("areaCode").map(area_code).transpose()?,
        limit,
    };
    let found = deps.provisioning.twilio.search(&search).await.map_err(ProvisionError::from)?;
    let numbers: Vec<Value> = found
        .into_iter()
        .map(|found| {
            json!({"phoneNumber": found.phone_number, "locality": found.locality, "region": found.region})
        })
        .collect();
    Ok(json_answer(StatusCode::OK, &json!({ "numbers": numbers })))
}

/// Digits as the country writes them after its own code.
pub(super) fn area_code(text: &str) -> Result<String, Problem> {
    let is_code = (1..=6).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_digit());
    if is_code { Ok(text.to_owned()) } else { Err(invalid("areaCode is 1 to 6 digits, such as 415.")) }
}
