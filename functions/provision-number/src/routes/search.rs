//! `GET /api/managed-telephony/available-numbers`.

use domain::{
    number::{NUMBER_COST, Search},
    phone_number::PhoneNumber,
    rate::Costly,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use services::provisioning::ProvisionError;
use utoipa::{IntoParams, ToSchema};
use web::{
    auth::Caller,
    problem::Problem,
    request::invalid,
    routes::{Answer, Input},
};

use super::word;
use crate::Deps;

const LARGEST_LIMIT: u32 = 20;

/// Which numbers are looked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Asked {
    country: Option<String>,
    area_code: Option<String>,
    number_type: Option<String>,
    #[param(value_type = Option<u32>, minimum = 1, maximum = 20)]
    limit: Option<String>,
}
web::query_values!(Asked);

/// Numbers that can be bought.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    numbers: Vec<ForSale>,
    /// What any of them costs, from the wallet.
    cost_pence: i64,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ForSale {
    phone_number: PhoneNumber,
    locality: Option<String>,
    region: Option<String>,
}

/// Finds numbers that can be bought now. Nothing is reserved by showing it.
///
/// # Errors
/// When a query value is not usable, or the carrier does not answer.
pub async fn search(deps: &Deps, caller: &Caller, input: Input<Asked>) -> Result<Answer<Found>, Problem> {
    let asked = &input.query;
    let text = |given: &Option<String>, default: &str| Value::from(given.as_deref().unwrap_or(default));
    let limit = asked.limit.as_deref().map_or(Ok(LARGEST_LIMIT), |limit| {
        let limit = limit.parse().ok().filter(|limit| (1..=LARGEST_LIMIT).contains(limit));
        limit.ok_or_else(|| invalid(format!("limit is a whole number from 1 to {LARGEST_LIMIT}.")))
    })?;
    let search = Search {
        country: word(&text(&asked.country, "US"), "country is one of US, GB, CA, AU.")?,
        number_type: word(&text(&asked.number_type, "local"), "numberType is local or toll_free.")?,
        area_code: asked.area_code.as_deref().map(area_code).transpose()?,
        limit,
    };
    deps.count(caller, Costly::NumberSearch).await?;
    let found = deps.provisioning.twilio.search(&search).await.map_err(ProvisionError::from)?;
    let numbers = found.into_iter().map(|found| ForSale {
        phone_number: found.phone_number,
        locality: found.locality,
        region: found.region,
    });
    Ok(Answer::ok(Found { numbers: numbers.collect(), cost_pence: NUMBER_COST.pence() }))
}

/// Digits as the country writes them after its own code.
pub(super) fn area_code(text: &str) -> Result<String, Problem> {
    let is_code = (1..=6).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_digit());
    if is_code { Ok(text.to_owned()) } else { Err(invalid("areaCode is 1 to 6 digits, such as 415.")) }
}
