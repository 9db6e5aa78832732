//! Numbers at a vendor that no record claims. Those that may be somebody's are given back only when an operator says so.

use std::collections::BTreeSet;

use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use services::reconcile::{ALLOWED, ORPHAN, Task};
use web::{
    auth::Operator,
    problem::{Code, Problem},
    routes::{Answer, Input},
};

use crate::{Deps, money::reason};

/// The numbers that no record claims.
#[derive(Debug, Serialize)]
pub struct Orphans {
    orphans: Vec<Shown>,
}

/// One of them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// Where it is kept: `twilio#<account>#<number>` or `vapi#<id>`.
    place: String,
    #[serde(with = "domain::time::millis")]
    first_seen_at: Timestamp,
    /// Whether an operator has let it go.
    is_allowed: bool,
}

/// `GET /api/operations/orphans`: the numbers under our mark that no record claimed at the last daily run.
///
/// # Errors
/// When the store does not answer.
pub async fn list(deps: &Deps, _: &Operator, _: Input) -> Result<Answer<Orphans>, Problem> {
    let task = Task::Numbers.as_str();
    let allowed = deps.runs.seen(task, ALLOWED).await?;
    let allowed: BTreeSet<&str> = allowed.iter().filter_map(|(item, _)| item.strip_prefix(ALLOWED)).collect();
    let seen = deps.runs.seen(task, ORPHAN).await?;
    let shown = seen.into_iter().filter_map(|(item, first_seen_at)| {
        let place = item.strip_prefix(ORPHAN)?.to_owned();
        Some(Shown { is_allowed: allowed.contains(place.as_str()), place, first_seen_at })
    });
    Ok(Answer::ok(Orphans { orphans: shown.collect() }))
}

/// Which number may go, and why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowed {
    /// As the list names it.
    place: String,
    /// What was looked at.
    reason: String,
}
web::json_bodies!(Allowed);

/// `POST /api/operations/orphans/give-back`: lets a number go. The next daily run gives it back, if no record claims it then.
///
/// # Errors
/// When no reason is given, there is no such orphan, or the store does not answer.
pub async fn allow(
    deps: &Deps,
    operator: &Operator,
    input: Input<(), Allowed>,
) -> Result<Answer<Shown>, Problem> {
    let (task, place) = (Task::Numbers.as_str(), input.body.place);
    let reason = reason(&input.body.reason)?;
    let item = format!("{ORPHAN}{place}");
    let seen = deps.runs.seen(task, &item).await?;
    let (_, first_seen_at) =
        seen.into_iter().find(|(seen, _)| *seen == item).ok_or_else(|| Problem::new(Code::NotFound))?;
    let now = deps.platform.clock.now();
    deps.runs.note_allowed(task, &format!("{ALLOWED}{place}"), (&operator.user, &reason), now).await?;
    tracing::warn!(user = %operator.user, place, reason, "an operator lets a number go that no record claims");
    Ok(Answer::with(StatusCode::ACCEPTED, Shown { place, first_seen_at, is_allowed: true }))
}
