//! `GET /api/billing/wallet/statement`: the entries with their hashes, to keep and to verify.

use domain::{
    ids::{CallId, PaymentIntentId},
    ledger::Entry,
    time::rfc3339_millis,
};
use http::{HeaderValue, StatusCode, header};
use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use lambda_http::{Body, Response};
use serde_json::{Value, json};
use store::ledger::StatementError;
use web::{
    auth::Caller,
    problem::{Code, Problem, json_answer, respond},
    request::Query,
};

use crate::Deps;

/// The most entries an answer holds.
pub const MOST_ENTRIES: usize = 10_000;
/// The largest answer: Lambda passes 6 MB, in which this text's quotes are escaped.
const LARGEST_ANSWER: usize = 4_500_000;
/// The period when none is asked for.
const DEFAULT_PERIOD: SignedDuration = SignedDuration::from_hours(24 * 30);

/// How far another function's clock may be ahead of ours.
const LARGEST_SKEW: SignedDuration = SignedDuration::from_mins(5);

/// The columns of the CSV form: the fields of an entry, hashed ones in the order of the hash.
pub const COLUMNS: [&str; 15] = [
    "previous_hash",
    "org_id",
    "entry_key",
    "seq",
    "type",
    "direction",
    "amount_pence",
    "balance_before_pence",
    "balance_after_pence",
    "call_id",
    "stripe_payment_intent_id",
    "tariff_version",
    "description",
    "created_at",
    "hash",
];

/// All movements of a period, oldest first, with the hashes that chain them.
///
/// # Errors
/// When a query value is not usable, the period holds too much, or the store does not answer.
pub async fn download(deps: &Deps, caller: &Caller, query: Option<&str>) -> Result<Response<Body>, Problem> {
    let query = Query::parse(query, &["from", "to", "format"])?;
    let now = deps.platform.clock.now();
    // Without an end it holds all there is, also what a function with a faster clock has just booked.
    let to = query.get("to").map_or(Ok(now + LARGEST_SKEW), |text| instant("to", text, 1))?;
    let from = query.get("from").map_or(Ok(to.min(now) - DEFAULT_PERIOD), |text| instant("from", text, 0))?;
    if from >= to {
        return Err(Problem::new(Code::InvalidValue).saying("from must lie before to."));
    }
    let wallet = deps.wallets.ensure(caller.org).await?;
    let last_seq = wallet.ledger.seq;
    let entries = deps.ledger.statement(caller.org, last_seq, from, to, MOST_ENTRIES).await.map_err(
        |error| match error {
            StatementError::TooMany { .. } => Problem::new(Code::PeriodTooLarge),
            StatementError::Store(error) => error.into(),
        },
    )?;
    let answer = match query.get("format").unwrap_or("json") {
        "json" => json_answer(StatusCode::OK, &json_form(caller, from, to, &entries)),
        "csv" => csv_form(&entries)?,
        _ => return Err(Problem::new(Code::InvalidValue).saying("format is json or csv.")),
    };
    let is_too_large = matches!(answer.body(), Body::Text(text) if text.len() > LARGEST_ANSWER);
    if is_too_large { Err(Problem::new(Code::PeriodTooLarge)) } else { Ok(answer) }
}

fn json_form(caller: &Caller, from: Timestamp, to: Timestamp, entries: &[Entry]) -> Value {
    json!({
        "org_id": caller.org,
        "from": rfc3339_millis(from),
        "to": rfc3339_millis(to),
        "entries": entries.iter().map(|entry| COLUMNS.into_iter().zip(fields(entry)).collect()).collect::<Vec<Value>>(),
    })
}

fn csv_form(entries: &[Entry]) -> Result<Response<Body>, Problem> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let written = writer.write_record(COLUMNS).and_then(|()| {
        entries.iter().try_for_each(|entry| {
            writer.write_record(fields(entry).map(|field| match &field {
                Value::String(text) => text.clone(),
                Value::Null => String::new(),
                Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => field.to_string(),
            }))
        })
    });
    let bytes = written
        .map_err(|error| Problem::internal(&error))
        .and_then(|()| writer.into_inner().map_err(|error| Problem::internal(error.error())))?;
    let text = String::from_utf8(bytes).map_err(|error| Problem::internal(&error))?;
    let mut response = respond(StatusCode::OK, "text/csv; charset=utf-8", text);
    let name = HeaderValue::from_static("attachment; filename=\"statement.csv\"");
    response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    Ok(response)
}

fn fields(entry: &Entry) -> [Value; 15] {
    [
        json!(entry.previous_hash),
        json!(entry.org_id),
        json!(entry.entry_key),
        json!(entry.seq),
        json!(entry.kind.as_str()),
        json!(entry.direction.as_str()),
        json!(entry.amount.pence()),
        json!(entry.balance_before.pence()),
        json!(entry.balance_after.pence()),
        json!(entry.call_id.as_ref().map(CallId::as_str)),
        json!(entry.payment_intent.as_ref().map(PaymentIntentId::as_str)),
        json!(entry.tariff.map(u32::from)),
        json!(entry.description),
        json!(rfc3339_millis(entry.created_at)),
        json!(entry.hash),
    ]
}

/// An instant, or a day in UTC; `plus_days` later, so that a last day is included.
fn instant(name: &str, text: &str, plus_days: i64) -> Result<Timestamp, Problem> {
    // Within these centuries no sum below leaves what an instant can be.
    let is_near = |at: &Timestamp| (0..=7_258_118_400).contains(&at.as_second());
    let instant = text.parse::<Timestamp>().ok().filter(is_near);
    let midnight =
        || text.parse::<Date>().ok()?.to_zoned_datetime(TimeZone::UTC).ok().map(|day| day.timestamp());
    let day = || {
        let days = SignedDuration::from_hours(24_i64.saturating_mul(plus_days));
        midnight().filter(is_near).map(|midnight| midnight + days)
    };
    instant.or_else(day).ok_or_else(|| {
        let detail = format!(
            "{name} is a day (2026-01-31) or an instant (2026-01-31T09:00:00Z), between 1970 and 2199."
        );
        Problem::new(Code::InvalidValue).saying(detail)
    })
}
