//! `POST /api/webhooks/google-calendar`: a word that something changed in a calendar, and not what.

use domain::ids::ChannelId;
use http::{Response, StatusCode};
use web::{
    contract::{Content, For, Operation, Route},
    problem::{Code, Problem, respond},
    runtime::{Body, Request},
};

use super::problem;
use crate::Deps;

/// Where Google tells us.
pub const WORD: (&str, &str) = ("POST", "/api/webhooks/google-calendar");

/// What [`heard`] reads and answers.
pub fn operation() -> Operation {
    let (method, path) = WORD;
    let route = Route {
        method,
        path,
        about: &[
            "Takes Google's word that a calendar has changed: the token of its channel is its signature.",
        ],
        who: For::Anyone,
        statuses: &[200],
        codes: &[Code::InvalidSignature, Code::CalendarUnavailable],
    };
    Operation::beside(route, vec![Content::bytes("application/json")])
}

/// Takes a word of a channel, whose token is compared before anything else. What changed is read by `calendar-sync`.
///
/// # Errors
/// When there is no such channel, or the token is not its own; or the store or the queue does not answer: Google says it again.
pub async fn heard(deps: &Deps, request: &Request) -> Result<Response<Body>, Problem> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let channel = header("x-goog-channel-id").and_then(|id| ChannelId::parse(id).ok());
    let Some((channel, token)) = channel.zip(header("x-goog-channel-token")) else {
        return Err(Problem::new(Code::InvalidSignature));
    };
    // The first word of a channel says that it is there: the calendar is read then, too.
    if !deps.sync.heard(&channel, token).await.map_err(|error| problem(&error))? {
        return Err(Problem::new(Code::InvalidSignature));
    }
    Ok(respond(StatusCode::OK, "application/json", "{}".to_owned()))
}
