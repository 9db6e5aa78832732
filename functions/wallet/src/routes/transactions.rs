//! `GET /api/billing/wallet/transactions`.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    ids::OrgId,
    ledger::{Entry, Kind},
    time::rfc3339_millis,
};
use http::StatusCode;
use lambda_http::{Body, Response};
use serde_json::{Value, json};
use web::{
    auth::Caller,
    problem::{Code, Problem, json_answer},
    request::Query,
};

use crate::Deps;

const DEFAULT_LIMIT: usize = 20;
const LARGEST_LIMIT: usize = 100;

/// The newest movements, page by page.
///
/// # Errors
/// When a query value is not usable, the cursor is not one of this org's, or the store does not answer.
pub async fn list(deps: &Deps, caller: &Caller, query: Option<&str>) -> Result<Response<Body>, Problem> {
    let query = Query::parse(query, &["limit", "cursor", "type"])?;
    let limit = query.get("limit").map_or(Ok(DEFAULT_LIMIT), limit)?;
    let kind = query.get("type").map(kind).transpose()?;
    let before = query.get("cursor").map(|cursor| position(cursor, caller.org)).transpose()?;
    deps.wallets.ensure(caller.org).await?;
    let page = deps.ledger.page(caller.org, before, kind, limit).await?;
    let next_cursor = page.next_before.map(|before| cursor(caller.org, before));
    let body = json!({
        "transactions": page.entries.iter().map(transaction).collect::<Vec<_>>(),
        "pagination": {"next_cursor": next_cursor},
    });
    Ok(json_answer(StatusCode::OK, &body))
}

fn transaction(entry: &Entry) -> Value {
    json!({
        "id": entry.entry_key,
        "seq": entry.seq,
        "type": entry.kind.as_str(),
        "direction": entry.direction.as_str(),
        "amount_pence": entry.amount.pence(),
        "balance_before_pence": entry.balance_before.pence(),
        "balance_after_pence": entry.balance_after.pence(),
        "call_id": entry.call_id,
        "phone_number": Value::Null,
        "stripe_payment_intent_id": entry.payment_intent,
        "description": entry.description,
        "created_at": rfc3339_millis(entry.created_at),
    })
}

fn limit(text: &str) -> Result<usize, Problem> {
    let limit = text.parse().ok().filter(|limit| (1..=LARGEST_LIMIT).contains(limit));
    limit.ok_or_else(|| {
        Problem::new(Code::InvalidValue).saying(format!("limit is a whole number from 1 to {LARGEST_LIMIT}."))
    })
}

fn kind(text: &str) -> Result<Kind, Problem> {
    Kind::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| {
        let known = Kind::ALL.map(Kind::as_str).join(", ");
        Problem::new(Code::InvalidValue).saying(format!("type is one of {known}."))
    })
}

/// Opaque to the dashboard. It names its org, so that one of another org is refused.
fn cursor(org: OrgId, before: u64) -> String {
    URL_SAFE_NO_PAD.encode(format!("v1:{org}:{before}"))
}

fn position(cursor: &str, org: OrgId) -> Result<u64, Problem> {
    let text = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let before = text.as_deref().and_then(|text| text.strip_prefix(&format!("v1:{org}:"))?.parse().ok());
    before
        .filter(|before| (1..=i64::MAX.unsigned_abs()).contains(before))
        .ok_or_else(|| Problem::new(Code::InvalidCursor))
}
