//! `GET /api/calls-dashboard/{id}`.

use domain::{
    ids::{AppointmentId, CallId},
    personal::{Personal, Words},
};
use serde::Serialize;
use utoipa::ToSchema;
use web::{
    auth::Caller,
    problem::{Code, Problem},
    routes::{Answer, Input},
};

use super::{
    recording::url,
    row::{Row, Shown},
};
use crate::{Deps, ticket::Ticket};

/// A call with all that was said.
#[derive(Debug, Serialize, ToSchema)]
pub struct Detail {
    #[serde(flatten)]
    shown: Shown,
    #[schema(value_type = Option<String>)]
    transcript: Option<Personal<String, Words>>,
    /// An address of ours, good for five minutes.
    recording_url: Option<String>,
    /// What was booked on the call, by our own record of it and not by what the model says.
    appointment_ids: Vec<AppointmentId>,
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
    let (row, conversation) =
        futures::try_join!(Row::read(deps, call), deps.bookings.conversation(caller.org, &id))?;
    let transcript = row.content.transcript.clone();
    let ticket = row.content.has_recording.then_some(Ticket { org: caller.org, call: id });
    let recording_url = ticket.map(|ticket| url(deps, &ticket));
    let appointment_ids = conversation.booked;
    Ok(Answer::ok(Detail { shown: row.shown(caller), transcript, recording_url, appointment_ids }))
}
