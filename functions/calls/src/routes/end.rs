//! `POST /api/calls/{id}/end`: somebody of the clinic ends a call.

use domain::{call::State, ids::CallId};
use serde::Serialize;
use utoipa::ToSchema;
use web::{
    auth::Caller,
    problem::{Code, Problem},
    routes::{Answer, Input},
};

use super::row::Status;
use crate::Deps;

/// A call that is being ended, or is over.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ending {
    id: CallId,
    /// How it stands: `in-progress` until a vendor says that it is over.
    status: &'static str,
    /// Whether it is over.
    over: bool,
}

/// Has a call end that goes on: it is told to at once, and then again by the meter until a vendor says that it is over, whatever money
/// there is. Repeating it changes nothing.
///
/// # Errors
/// When the caller may not, the org has no such call, it has not begun to talk, or the store or the queue does not answer.
pub async fn end(deps: &Deps, caller: &Caller, input: Input) -> Result<Answer<Ending>, Problem> {
    caller.may_keep_the_diary()?;
    let id =
        CallId::parse(input.path.get("id")).map_err(|error| Problem::new(Code::NotFound).because(&error))?;
    let call = deps.charging.end_as_asked(caller.org, &id).await?;
    let call = call.ok_or_else(|| Problem::new(Code::NotFound))?;
    if matches!(call.state, State::Authorizing | State::Authorized) {
        return Err(Problem::new(Code::CallNotBegun));
    }
    tracing::info!(org_id = %caller.org, call_id = %id, user = %caller.user, "a call was asked to end");
    let over = !matches!(call.state, State::InProgress { .. });
    Ok(Answer::ok(Ending { status: Status::of(&call).as_str(), over, id }))
}
