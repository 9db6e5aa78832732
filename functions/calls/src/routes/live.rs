//! `GET /api/calls-dashboard/live`: what is going on now.

use std::cmp::Reverse;

use domain::{
    call::Call,
    hold::Hold,
    ids::{CallId, OrgId},
    personal::{Number, Personal},
    phone_number::PhoneNumber,
    time::rfc3339_millis,
    wallet::Wallet,
};
use futures::future::try_join_all;
use jiff::Timestamp;
use serde::Serialize;
use services::charging::ChargingError;
use utoipa::ToSchema;
use web::{
    auth::Caller,
    problem::Problem,
    routes::{Answer, Input},
};

use super::row::Status;
use crate::Deps;

/// What is going on now.
#[derive(Debug, Serialize, ToSchema)]
pub struct Live {
    calls: Vec<LiveCall>,
}

#[derive(Debug, Serialize, ToSchema)]
struct LiveCall {
    id: CallId,
    #[schema(value_type = Option<String>)]
    phone_number: Option<Personal<PhoneNumber, Number>>,
    call_direction: &'static str,
    status: &'static str,
    started_at: Option<String>,
    held_pence: i64,
    /// How long its money lasts; none until they talk.
    seconds_left: Option<i64>,
}

/// Lists the calls that money is set aside for, newest first. The wallet names them, consistently: no index does.
///
/// # Errors
/// When the caller may not see money, or the store does not answer: an error, never an empty list.
pub async fn list(deps: &Deps, caller: &Caller, _: Input) -> Result<Answer<Live>, Problem> {
    caller.may_see_the_business()?;
    let wallet = deps.charging.wallets.ensure(caller.org).await?;
    let live = going_on(deps, caller.org, &wallet).await?;
    let now = deps.platform.clock.now();
    Ok(Answer::ok(Live { calls: live.into_iter().map(|(call, hold)| shown(call, hold, now)).collect() }))
}

/// The calls that money is set aside for, newest first, with their holds.
pub(super) async fn going_on<'a>(
    deps: &Deps,
    org: OrgId,
    wallet: &'a Wallet,
) -> Result<Vec<(Call, &'a Hold)>, Problem> {
    let held = try_join_all(wallet.holds.iter().map(|(id, hold)| read(deps, org, id, hold))).await?;
    // A call may have ended since the wallet was read.
    let mut live: Vec<_> =
        held.into_iter().filter(|(call, _)| Status::of(call) == Status::InProgress).collect();
    live.sort_by_key(|(call, _)| Reverse(call.created_at));
    Ok(live)
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

fn shown(call: Call, hold: &Hold, now: Timestamp) -> LiveCall {
    let started_at = call.started_at();
    LiveCall {
        call_direction: call.parties.direction.as_str(),
        status: Status::of(&call).as_str(),
        started_at: started_at.map(rfc3339_millis),
        held_pence: hold.amount.pence(),
        seconds_left: started_at.map(|at| hold.paid_until(at).duration_since(now).as_secs().max(0)),
        id: call.call_id,
        phone_number: call.parties.customer_number,
    }
}
