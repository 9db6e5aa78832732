//! `GET /api/calls-dashboard/{id}`.

use domain::ids::CallId;
use http::StatusCode;
use lambda_http::{Body, Response};
use serde_json::json;
use web::{
    auth::Caller,
    problem::{Code, Problem, json_answer},
};

use super::row::Row;
use crate::Deps;

/// One call, with all that was said.
///
/// # Errors
/// When the org has no such call, whoever else may have it, or the store does not answer.
pub async fn show(deps: &Deps, caller: &Caller, id: &str) -> Result<Response<Body>, Problem> {
    let id = CallId::parse(id).map_err(|error| Problem::new(Code::NotFound).because(&error))?;
    deps.charging.wallets.ensure(caller.org).await?;
    let call = deps.charging.calls.get(caller.org, &id).await?.ok_or_else(|| Problem::new(Code::NotFound))?;
    let row = Row::read(deps, call).await?;
    let mut body = row.json();
    body["transcript"] = json!(row.content.transcript);
    body["recording_url"] = json!(row.content.recording_url);
    Ok(json_answer(StatusCode::OK, &body))
}
