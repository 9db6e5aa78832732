//! `GET /api/calls-dashboard/live`: what is going on now.

use std::cmp::Reverse;

use domain::{
    call::Call,
    hold::Hold,
    ids::{CallId, OrgId},
    time::rfc3339_millis,
};
use futures::future::try_join_all;
use http::StatusCode;
use jiff::Timestamp;
use lambda_http::{Body, Response};
use serde_json::{Value, json};
use services::charging::ChargingError;
use web::{
    auth::Caller,
    problem::{Problem, json_answer},
};

use super::row::{Status, phone_number};
use crate::Deps;

/// The calls that money is set aside for, newest first. The wallet names them, consistently: no index does.
///
/// # Errors
/// When the store does not answer: an error, never an empty list.
pub async fn list(deps: &Deps, caller: &Caller) -> Result<Response<Body>, Problem> {
    let wallet = deps.charging.wallets.ensure(caller.org).await?;
    let held = try_join_all(wallet.holds.iter().map(|(id, hold)| read(deps, caller.org, id, hold))).await?;
    // A call may have ended since the wallet was read.
    let mut live: Vec<_> =
        held.into_iter().filter(|(call, _)| Status::of(call) == Status::InProgress).collect();
    live.sort_by_key(|(call, _)| Reverse(call.created_at));
    let now = deps.platform.clock.now();
    let calls: Vec<Value> = live.iter().map(|(call, hold)| shown(call, hold, now)).collect();
    Ok(json_answer(StatusCode::OK, &json!({ "calls": calls })))
}

async fn read<'a>(
    deps: &Deps,
    org: OrgId,
    id: &CallId,
    hold: &'a Hold,
) -> Result<(Call, &'a Hold), ChargingError> {
    let call = deps.charging.calls.get(org, id).await?;
    // A hold is made in one write with its call's record.
    Ok((call.ok_or_else(|| ChargingError::RecordMissing(id.clone()))?, hold))
}

fn shown(call: &Call, hold: &Hold, now: Timestamp) -> Value {
    let started_at = call.started_at();
    let seconds_left = started_at.map(|at| hold.paid_until(at).duration_since(now).as_secs().max(0));
    json!({
        "id": call.call_id,
        "phone_number": phone_number(call),
        "call_direction": call.parties.direction.as_str(),
        "status": Status::of(call).as_str(),
        "started_at": started_at.map(rfc3339_millis),
        "held_pence": hold.amount.pence(),
        "seconds_left": seconds_left,
    })
}
