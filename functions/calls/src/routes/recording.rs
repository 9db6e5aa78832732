//! `GET /api/calls-dashboard/{id}/recording`, and `GET /api/recordings/{ticket}`, to which it leads.

use domain::ids::CallId;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;
use vendors::vapi::VapiError;
use web::{
    auth::Caller,
    contract::{Content, For, Operation, Route},
    problem::{Code, Problem},
    routes::{Answer, Input},
    runtime::{Body, Request},
};

use super::piece::{Piece, Played};
use crate::{Deps, ticket::Ticket};

/// The route that a ticket opens, without a token. It stands apart from the others, which need one.
pub const TICKETED: (&str, &str) = ("GET", "/api/recordings/{ticket}");

/// Where a recording can be heard.
#[derive(Debug, Serialize, ToSchema)]
pub struct Link {
    /// An address of ours, good for five minutes.
    url: String,
}

/// Returns where the recording of one call can be heard for the next five minutes.
///
/// # Errors
/// When the org has no such call, whichever other org has it, or the call has no recording; or the store does not answer.
pub async fn show(deps: &Deps, caller: &Caller, input: Input) -> Result<Answer<Link>, Problem> {
    let id = CallId::parse(input.path.get("id"));
    let id = id.map_err(|error| Problem::new(Code::NotFound).because(&error))?;
    let missing = || Problem::new(Code::NotFound);
    let call = deps.charging.calls.get(caller.org, &id).await?.ok_or_else(missing)?;
    let content = deps.charging.calls.content(caller.org, &id).await?.ok_or_else(missing)?;
    if !content.has_recording {
        return Err(missing());
    }
    tracing::info!(org_id = %caller.org, call_id = %id, "a recording was asked for");
    Ok(Answer::ok(Link { url: url(deps, &Ticket { org: call.org_id, call: id }) }))
}

/// What [`play`] reads and answers.
pub fn operation() -> Operation {
    let (method, path) = TICKETED;
    let route = Route {
        method,
        path,
        about: &[
            "Plays a piece of a recording: the ticket in the path is the right to hear it, for five minutes.",
        ],
        who: For::Anyone,
        statuses: &[200, 206, 416],
        codes: &[Code::NotFound, Code::RecordingUnavailable],
    };
    Operation::beside(route, vec![Content::bytes("audio/*")])
}

/// Where a ticket leads, from now on for five minutes.
pub fn url(deps: &Deps, ticket: &Ticket) -> String {
    let ticket = ticket.issue(&deps.ticket_key, deps.platform.clock.now());
    format!("{}/api/recordings/{ticket}", deps.origin)
}

/// The ticket in the path of a request, if it is a request of [`TICKETED`].
///
/// # Errors
/// When it is one by another method, or what follows is no ticket.
pub fn ticket_of(request: &Request) -> Result<Option<String>, Problem> {
    if !request.uri().path().starts_with("/api/recordings/") {
        return Ok(None);
    }
    let (_, params) = web::routes::find(&[TICKETED], request.method().as_str(), request.uri().path())?;
    Ok(Some(params.get("ticket").to_owned()))
}

/// Plays a piece of the recording that a ticket opens: at most 3 MiB, of which the answer says where it lies in the whole. Vapi
/// is asked for it by our key each time; its own links reach nobody.
///
/// # Errors
/// When the ticket is not good, there is no recording any more, or Vapi does not do its part.
pub async fn play(deps: &Deps, ticket: &str, headers: &HeaderMap) -> Result<Response<Body>, Problem> {
    let ticket = Ticket::read(ticket, &deps.ticket_key, deps.platform.clock.now());
    let ticket = ticket.ok_or_else(|| Problem::new(Code::NotFound))?;
    let call = deps.charging.calls.get(ticket.org, &ticket.call).await?;
    let vapi_call_id = call.and_then(|call| call.parties.vapi_call_id);
    let vapi_call_id = vapi_call_id.ok_or_else(|| Problem::new(Code::NotFound))?;
    let asked = headers.get(header::RANGE).and_then(|range| range.to_str().ok());
    let piece = Piece::asked(asked);
    let found = deps
        .charging
        .vapi
        .recording(&vapi_call_id, &piece.range())
        .await
        .map_err(|error| unavailable(&error))?;
    Ok(answer(piece.played(asked.is_some(), found)))
}

fn unavailable(error: &VapiError) -> Problem {
    match error {
        VapiError::NotFound => Problem::new(Code::NotFound).because(error),
        VapiError::Refused { .. }
        | VapiError::Trouble { .. }
        | VapiError::Unreachable(_)
        | VapiError::Unreadable(_)
        | VapiError::AnotherObject
        | VapiError::ForeignControlUrl => Problem::new(Code::RecordingUnavailable).because(error),
    }
}

fn answer(played: Played) -> Response<Body> {
    let mut response = Response::new(Body::Binary(played.bytes.to_vec()));
    *response.status_mut() = played.status;
    let headers = response.headers_mut();
    let texts =
        [(header::CONTENT_TYPE, Some(played.content_type)), (header::CONTENT_RANGE, played.content_range)];
    for (name, text) in texts {
        if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
            headers.insert(name, value);
        }
    }
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if played.status == StatusCode::RANGE_NOT_SATISFIABLE {
        *response.body_mut() = Body::Empty;
    }
    response
}
