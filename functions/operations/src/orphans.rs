//! Numbers at a vendor that no record claims. Those that may be somebody's are given back only when an operator says so.

use domain::{
    audit::{Action, AuditEntry, NO_ORG, RecordId},
    ids::UserId,
};
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use services::reconcile::Task;
use store::{ChangeError, runs::Word};
use utoipa::ToSchema;
use web::{
    auth::Operator,
    problem::{Code, Problem},
    routes::{Answer, Input},
};

use crate::{
    Deps,
    money::{actor, reason},
};

/// What the items are kept under.
const TASK: &str = Task::Numbers.as_str();

/// The numbers that no record claims.
#[derive(Debug, Serialize, ToSchema)]
pub struct Orphans {
    orphans: Vec<Shown>,
}

/// One of them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// Where it is kept: `twilio#<account>#<number>` or `vapi#<id>`.
    place: String,
    #[serde(with = "domain::time::millis")]
    first_seen_at: Timestamp,
    /// Whether an operator has let it go.
    is_allowed: bool,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    said: Option<Said>,
}

/// Who let it go first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Said {
    allowed_by: UserId,
    #[serde(with = "domain::time::millis")]
    allowed_at: Timestamp,
    reason: String,
}

impl Shown {
    /// A word of an orphan that was at the same place before is none of this one.
    fn of(place: String, first_seen_at: Timestamp, word: Option<Word>) -> Self {
        let said = word.filter(|word| word.is_about(first_seen_at)).map(|word| Said {
            allowed_by: word.user,
            allowed_at: word.said_at,
            reason: word.reason,
        });
        Self { place, first_seen_at, is_allowed: said.is_some(), said }
    }
}

/// `GET /api/operations/orphans`: the numbers under our mark that no record claimed at the last daily run.
///
/// # Errors
/// When the store does not answer.
pub async fn list(deps: &Deps, _: &Operator, _: Input) -> Result<Answer<Orphans>, Problem> {
    let mut words = deps.runs.words(TASK).await?;
    let seen = deps.runs.orphans(TASK).await?;
    let shown = seen.into_iter().map(|(place, first_seen_at)| {
        let word = words.remove(&place);
        Shown::of(place, first_seen_at, word)
    });
    Ok(Answer::ok(Orphans { orphans: shown.collect() }))
}

/// Which number may go, or stays, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"place": "twilio/AC1/PN1", "reason": "A purchase of a test."}))]
pub struct Decided {
    /// As the list names it.
    place: String,
    /// What was looked at.
    reason: String,
}
web::json_bodies!(Decided);

/// `POST /api/operations/orphans/give-back`: lets a number go. The next daily run gives it back, if no record claims it then. Where
/// another operator has let it go, that stands, and the answer says who it was.
///
/// # Errors
/// When no reason is given, there is no such orphan, or the store does not answer.
pub async fn allow(
    deps: &Deps,
    operator: &Operator,
    input: Input<(), Decided>,
) -> Result<Answer<Shown>, Problem> {
    let (reason, place) = (reason(&input.body.reason)?, &input.body.place);
    let since = deps.runs.orphan(TASK, place).await?.ok_or_else(|| Problem::new(Code::NotFound))?;
    let mut word = deps.runs.word(TASK, place).await?.filter(|word| word.is_about(since));
    if word.is_none() {
        let now = deps.platform.clock.now();
        write_down(deps, operator, &input, (Action::LetNumberGo, &reason)).await?;
        let said = Word { orphan_since: Some(since), said_at: now, user: operator.user.clone(), reason };
        word = match deps.runs.keep_word(TASK, place, &said).await {
            Ok(()) => {
                tracing::warn!(user = %said.user, place, reason = said.reason,
                    "an operator lets a number go that no record claims");
                Some(said)
            }
            // Another operator was faster.
            Err(ChangeError::Moved) => deps.runs.word(TASK, place).await?,
            Err(ChangeError::Store(error)) => return Err(error.into()),
        };
    }
    Ok(Answer::with(StatusCode::ACCEPTED, Shown::of(place.clone(), since, word)))
}

/// `DELETE /api/operations/orphans/give-back`: withdraws that a number may go, whoever said it. Repeating it changes nothing.
///
/// # Errors
/// When no reason is given, there is no such orphan, or the store does not answer.
pub async fn withdraw(
    deps: &Deps,
    operator: &Operator,
    input: Input<(), Decided>,
) -> Result<Answer<Shown>, Problem> {
    let (reason, place) = (reason(&input.body.reason)?, &input.body.place);
    let since = deps.runs.orphan(TASK, place).await?.ok_or_else(|| Problem::new(Code::NotFound))?;
    if deps.runs.word(TASK, place).await?.is_some() {
        write_down(deps, operator, &input, (Action::KeepNumber, &reason)).await?;
        deps.runs.withdraw_word(TASK, place).await?;
        tracing::warn!(user = %operator.user, place, reason, "an operator keeps a number that no record claims");
    }
    Ok(Answer::ok(Shown::of(place.clone(), since, None)))
}

/// Writes an act into the audit log, under no org: whose the number is, no record says.
async fn write_down(
    deps: &Deps,
    operator: &Operator,
    input: &Input<(), Decided>,
    (action, reason): (Action, &str),
) -> Result<(), Problem> {
    let done = (action, RecordId::UnclaimedNumber(input.body.place.clone()));
    let by = actor(operator, input);
    let now = deps.platform.clock.now();
    let entry = AuditEntry::granted(NO_ORG, by, done, Some(reason.to_owned()), now);
    Ok(deps.operating.log.note(&entry).await?)
}
