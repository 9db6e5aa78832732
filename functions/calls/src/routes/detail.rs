//! `GET /api/calls-dashboard/{id}`.

use domain::{
    ids::CallId,
    personal::{Personal, Words},
};
use serde::Serialize;
use web::{
    auth::Caller,
    problem::{Code, Problem},
    routes::{Answer, Input},
};

use super::row::{Row, Shown};
use crate::Deps;

/// A call with all that was said.
#[derive(Debug, Serialize)]
pub struct Detail {
    #[serde(flatten)]
    shown: Shown,
    transcript: Option<Personal<String, Words>>,
    recording_url: Option<String>,
}

/// Shows one call, with all that was said.
///
/// # Errors
/// When the org has no such call, whichever other org has it, or the store does not answer.
pub async fn show(deps: &Deps, caller: &Caller, input: Input) -> Result<Answer<Detail>, Problem> {
    let id = CallId::parse(input.path.get("id"));
    let id = id.map_err(|error| Problem::new(Code::NotFound).because(&error))?;
    deps.charging.wallets.ensure(caller.org).await?;
    let call = deps.charging.calls.get(caller.org, &id).await?.ok_or_else(|| Problem::new(Code::NotFound))?;
    let row = Row::read(deps, call).await?;
    let (transcript, recording_url) = (row.content.transcript.clone(), row.content.recording_url.clone());
    Ok(Answer::ok(Detail { shown: row.shown(), transcript, recording_url }))
}
