//! `GET /api/billing/wallet/transactions`.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{
    ids::{CallId, OrgId, PaymentIntentId},
    ledger::{Entry, EntryKey, Kind},
};
use futures::future::try_join_all;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use store::{
    StoreError,
    numbers::{ManagedNumber, Status},
};
use utoipa::{IntoParams, ToSchema};
use web::{
    auth::Caller,
    problem::{Code, Problem},
    routes::{Answer, Input},
};

use crate::Deps;

const DEFAULT_LIMIT: usize = 20;
const LARGEST_LIMIT: usize = 100;

/// Which movements are shown.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// How many, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100)]
    limit: Option<String>,
    /// Where the last page ended.
    cursor: Option<String>,
    /// Of one kind only.
    #[serde(rename = "type")]
    kind: Option<String>,
}
web::query_values!(Asked);

/// A page of movements.
#[derive(Debug, Serialize, ToSchema)]
pub struct Transactions {
    transactions: Vec<Transaction>,
    pagination: Pagination,
}

#[derive(Debug, Serialize, ToSchema)]
struct Pagination {
    next_cursor: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Transaction {
    id: EntryKey,
    seq: u64,
    #[serde(rename = "type")]
    kind: &'static str,
    direction: &'static str,
    amount_pence: i64,
    balance_before_pence: i64,
    balance_after_pence: i64,
    call_id: Option<CallId>,
    /// The number that a call was with, or that was paid for.
    phone_number: Option<String>,
    stripe_payment_intent_id: Option<PaymentIntentId>,
    description: String,
    #[serde(with = "domain::time::millis")]
    created_at: Timestamp,
}

impl Transaction {
    /// Reads the number that an entry is about, which the entry itself does not name: what is hashed for ever holds no caller's
    /// number.
    async fn read(deps: &Deps, entry: Entry) -> Result<Self, StoreError> {
        let phone_number = match (&entry.call_id, entry.entry_key.purchase()) {
            (Some(call), _) => {
                let call = deps.calls.get(entry.org_id, call).await?;
                let number = call.and_then(|call| call.parties.customer_number);
                number.map(|number| number.reveal().as_str().to_owned())
            }
            (None, Some(purchase)) => {
                let bought = deps.numbers.managed_number(entry.org_id, &purchase).await?;
                // One that was given up may be another's by now: it is not mentioned any more.
                let is_had = |bought: &ManagedNumber| bought.status != Status::Released;
                bought.filter(is_had).map(|bought| bought.phone_number.as_str().to_owned())
            }
            (None, None) => None,
        };
        Ok(Self {
            id: entry.entry_key,
            seq: entry.seq,
            kind: entry.kind.as_str(),
            direction: entry.direction.as_str(),
            amount_pence: entry.amount.pence(),
            balance_before_pence: entry.balance_before.pence(),
            balance_after_pence: entry.balance_after.pence(),
            call_id: entry.call_id,
            phone_number,
            stripe_payment_intent_id: entry.payment_intent,
            description: entry.description,
            created_at: entry.created_at,
        })
    }
}

/// Lists the newest movements, page by page.
///
/// # Errors
/// When a query value is not usable, the cursor is not one of this org's, or the store does not answer.
pub async fn list(
    deps: &Deps,
    caller: &Caller,
    input: Input<Asked>,
) -> Result<Answer<Transactions>, Problem> {
    let Asked { limit: most, cursor: after, kind: of } = &input.query;
    let limit = most.as_deref().map_or(Ok(DEFAULT_LIMIT), limit)?;
    let kind = of.as_deref().map(kind).transpose()?;
    let before = after.as_deref().map(|cursor| position(cursor, caller.org)).transpose()?;
    deps.wallets.ensure(caller.org).await?;
    let page = deps.ledger.page(caller.org, before, kind, limit).await?;
    let next_cursor = page.next_before.map(|before| cursor(caller.org, before));
    let shown = page.entries.into_iter().map(|entry| Transaction::read(deps, entry));
    let transactions = try_join_all(shown).await?;
    Ok(Answer::ok(Transactions { transactions, pagination: Pagination { next_cursor } }))
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
