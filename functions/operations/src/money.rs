//! What an operator decides about an org's money: doubts, adjustments, frozen wallets, calls at a time.

use domain::{
    amount::Amount,
    audit::{Action, Actor, ActorRole, AuditEntry, AuditId, Outcome, RecordId},
    doubt::{Doubt, Why},
    ids::{AdjustmentId, CallId, OrgId, UserId},
    ledger::{Entry, EntrySide},
    wallet::MOST_CALLS,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use services::operating::{Accepted, Adjustment};
use utoipa::{IntoParams, ToSchema};
use web::{
    auth::Operator,
    problem::{Code, Problem},
    request::invalid,
    routes::{Answer, Input},
};

use crate::Deps;

/// The most doubts that are shown at a time. The oldest come first: they lapse first.
const MOST_DOUBTS: usize = 200;
/// How many acts a page has.
const ACTS_A_PAGE: u8 = 50;
/// The longest reason that an act takes, in characters.
const LONGEST_REASON: usize = 200;
/// The largest adjustment, in pence: a typing error of two digits is more.
const LARGEST_ADJUSTMENT: i64 = 100_000;

/// The doubts that a person may still accept.
#[derive(Debug, Serialize, ToSchema)]
pub struct Doubts {
    doubts: Vec<Shown>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Shown {
    org_id: OrgId,
    call_id: CallId,
    billed_secs: u32,
    stated_secs: u32,
    amount_pence: i64,
    why: Why,
    #[serde(with = "domain::time::millis")]
    raised_at: Timestamp,
    #[serde(with = "domain::time::millis")]
    lapses_at: Timestamp,
}

impl From<Doubt> for Shown {
    fn from(doubt: Doubt) -> Self {
        Self {
            lapses_at: doubt.lapses_at(),
            amount_pence: doubt.amount.pence(),
            org_id: doubt.org_id,
            call_id: doubt.call_id,
            billed_secs: doubt.billed_secs,
            stated_secs: doubt.stated_secs,
            why: doubt.why,
            raised_at: doubt.raised_at,
        }
    }
}

/// `GET /api/operations/doubts`: what vendors state of calls beyond what is billed, the oldest first.
///
/// # Errors
/// When the store does not answer.
pub async fn doubts(deps: &Deps, _: &Operator, _: Input) -> Result<Answer<Doubts>, Problem> {
    let doubts = deps.operating.doubts.open(deps.platform.clock.now(), MOST_DOUBTS).await?;
    Ok(Answer::ok(Doubts { doubts: doubts.into_iter().map(Shown::from).collect() }))
}

/// A bill after a doubt about it was accepted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Booked {
    duration_secs: u32,
    charged_pence: i64,
}

/// `POST /api/operations/doubts/{orgId}/{callId}/accept`: books the difference.
///
/// # Errors
/// When there is no such doubt, or it has lapsed, or the store or the queue does not answer.
pub async fn accept(deps: &Deps, operator: &Operator, input: Input) -> Result<Answer<Booked>, Problem> {
    let org = org(&input)?;
    let call = CallId::parse(input.path.get("callId")).map_err(|_| Problem::new(Code::NotFound))?;
    match deps.operating.accept_doubt(org, &call, &actor(operator, &input)).await? {
        Accepted::Booked(bill) => {
            Ok(Answer::ok(Booked { duration_secs: bill.duration_secs, charged_pence: bill.charged.pence() }))
        }
        Accepted::Unknown => Err(Problem::new(Code::NotFound)),
        Accepted::Lapsed => Err(Problem::new(Code::DoubtLapsed)),
    }
}

/// A correction by hand.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({"id": "correction-1", "amountPence": 280, "direction": "credit", "reason": "A call that was billed twice."}))]
pub struct Wanted {
    /// The id that makes it exist once.
    id: String,
    /// Pence above zero.
    amount_pence: i64,
    /// `credit` or `debit`, as seen from the wallet.
    direction: EntrySide,
    /// Why: the clinic's statement shows it.
    reason: String,
}

/// Why a wallet may be spent from again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"reason": "The books were looked at, and agree."}))]
pub struct Because {
    reason: String,
}

/// How many calls an org may have at a time, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"calls": 4, "reason": "A clinic with two receptions."}))]
pub struct CallLimit {
    calls: u32,
    reason: String,
}
web::json_bodies!(Wanted, Because, CallLimit);

/// A booked adjustment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Adjusted {
    entry_key: String,
    amount_pence: i64,
    balance_after_pence: i64,
}

impl From<Entry> for Adjusted {
    fn from(entry: Entry) -> Self {
        Self {
            entry_key: entry.entry_key.to_string(),
            amount_pence: entry.amount.pence(),
            balance_after_pence: entry.balance_after.pence(),
        }
    }
}

/// `POST /api/operations/wallets/{orgId}/adjustments`: books a correction, once for each id.
///
/// # Errors
/// When a value is not usable, the org has no wallet, the id was used for another adjustment, or the store or the queue does not
/// answer.
pub async fn adjust(
    deps: &Deps,
    operator: &Operator,
    input: Input<(), Wanted>,
) -> Result<Answer<Adjusted>, Problem> {
    let wanted = &input.body;
    let amount = Amount::try_from(wanted.amount_pence)
        .ok()
        .filter(|amount| (1..=LARGEST_ADJUSTMENT).contains(&amount.pence()));
    let adjustment = Adjustment {
        id: AdjustmentId::parse(wanted.id.as_str())
            .map_err(|_| invalid("id is 1 to 128 printable characters without spaces."))?,
        org_id: org(&input)?,
        direction: wanted.direction,
        amount: amount.ok_or_else(|| invalid(format!("amountPence is 1 to {LARGEST_ADJUSTMENT} pence.")))?,
        reason: reason(&wanted.reason)?,
    };
    let entry = deps.operating.adjust(&adjustment, &actor(operator, &input)).await?;
    let entry = entry.ok_or_else(|| Problem::new(Code::NotFound))?;
    if (entry.amount, entry.direction) != (adjustment.amount, adjustment.direction) {
        return Err(Problem::new(Code::IdempotencyKeyReused)
            .saying("This id was used for another adjustment. Choose a new one."));
    }
    Ok(Answer::ok(entry.into()))
}

/// A wallet that may be spent from.
#[derive(Debug, Serialize, ToSchema)]
pub struct Unfrozen {
    frozen: bool,
}

/// `POST /api/operations/wallets/{orgId}/unfreeze`: lets a wallet be spent from again.
///
/// # Errors
/// When no reason is given, the org has no wallet, or the store does not answer.
pub async fn unfreeze(
    deps: &Deps,
    operator: &Operator,
    input: Input<(), Because>,
) -> Result<Answer<Unfrozen>, Problem> {
    let reason = reason(&input.body.reason)?;
    let is_there = deps.operating.unfreeze(org(&input)?, &actor(operator, &input), &reason).await?;
    if is_there { Ok(Answer::ok(Unfrozen { frozen: false })) } else { Err(Problem::new(Code::NotFound)) }
}

/// Which acts are shown.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// Those before the act of this id.
    before: Option<AuditId>,
}
web::query_values!(Which);

/// What operators did to an org's money, the newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Acts {
    acts: Vec<Act>,
    /// What to ask for as `before` to see older ones; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_before: Option<AuditId>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Act {
    id: AuditId,
    #[serde(with = "domain::time::millis")]
    at: Timestamp,
    user: UserId,
    action: Action,
    record: RecordId,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    outcome: Outcome,
}

impl From<AuditEntry> for Act {
    fn from(entry: AuditEntry) -> Self {
        Self {
            id: entry.entry_id,
            at: entry.at,
            user: entry.actor.user,
            action: entry.action,
            record: entry.record,
            reason: entry.purpose,
            outcome: entry.outcome,
        }
    }
}

/// `GET /api/operations/wallets/{orgId}/acts`: what operators did to an org's money, 50 at a time.
///
/// # Errors
/// When the store does not answer.
pub async fn acts(deps: &Deps, _: &Operator, input: Input<Which>) -> Result<Answer<Acts>, Problem> {
    let before = input.query.before.as_ref();
    let entries = deps.operating.log.last(org(&input)?, before, ACTS_A_PAGE).await?;
    let is_full = entries.len() == usize::from(ACTS_A_PAGE);
    let next_before = entries.last().filter(|_| is_full).map(|entry| entry.entry_id.clone());
    Ok(Answer::ok(Acts { acts: entries.into_iter().map(Act::from).collect(), next_before }))
}

/// Who acts, and from where, as the audit log keeps it.
pub(crate) fn actor<Q, B>(operator: &Operator, input: &Input<Q, B>) -> Actor {
    let origin = input.origin.clone();
    let role = ActorRole::Operator;
    Actor { user: operator.user.clone(), role, source: origin.source, request_id: origin.request_id }
}

/// How many calls an org may have at a time.
#[derive(Debug, Serialize, ToSchema)]
pub struct Limited {
    calls: u32,
}

/// `POST /api/operations/wallets/{orgId}/call-limit`: sets how many calls an org may have at a time. Calls that go on stay.
///
/// # Errors
/// When a value is not usable, the org has no wallet, or the store does not answer.
pub async fn limit_calls(
    deps: &Deps,
    operator: &Operator,
    input: Input<(), CallLimit>,
) -> Result<Answer<Limited>, Problem> {
    let calls = input.body.calls;
    if !(1..=MOST_CALLS).contains(&calls) {
        return Err(invalid(format!("calls is a whole number from 1 to {MOST_CALLS}.")));
    }
    let reason = reason(&input.body.reason)?;
    let is_there = deps.operating.limit_calls(org(&input)?, calls, &actor(operator, &input), &reason).await?;
    if is_there { Ok(Answer::ok(Limited { calls })) } else { Err(Problem::new(Code::NotFound)) }
}

fn org<Q, B>(input: &Input<Q, B>) -> Result<OrgId, Problem> {
    input.path.get("orgId").parse().map_err(|_| Problem::new(Code::NotFound))
}

/// The reason that an operator gives, as it is kept.
pub(crate) fn reason(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    let is_usable = (1..=LONGEST_REASON).contains(&text.chars().count()) && !text.contains(char::is_control);
    let sentence = || invalid(format!("reason is a sentence of at most {LONGEST_REASON} characters."));
    is_usable.then(|| text.to_owned()).ok_or_else(sentence)
}
