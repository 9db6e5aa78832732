//! `GET /api/billing/wallet/statement`: the entries with their hashes, to keep and to verify.

use domain::{
    ids::{CallId, OrgId, PaymentIntentId},
    ledger::{Entry, EntryKey, Hash},
    tariff::TariffVersion,
    time::rfc3339_millis,
};
use http::{HeaderValue, Response, StatusCode, header};
use jiff::{SignedDuration, Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use store::ledger::StatementError;
use utoipa::{IntoParams, ToSchema};
use web::{
    auth::Caller,
    contract::Content,
    problem::{Code, Problem, respond},
    routes::{Answer, Input, IntoAnswer},
    runtime::Body,
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

/// Which period is wanted, and in which form.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// From when: a day or an instant.
    from: Option<String>,
    /// Until when: a day, which is included, or an instant.
    to: Option<String>,
    /// `json` or `csv`.
    format: Option<String>,
}
web::query_values!(Asked);

#[derive(Debug, Serialize, ToSchema)]
struct Statement<'a> {
    org_id: OrgId,
    from: String,
    to: String,
    entries: Vec<Row<'a>>,
}

/// An entry as it is shown: what is hashed, in the order of the hash.
#[derive(Debug, Serialize, ToSchema)]
struct Row<'a> {
    previous_hash: Hash,
    org_id: OrgId,
    #[schema(value_type = String)]
    entry_key: &'a EntryKey,
    seq: u64,
    #[serde(rename = "type")]
    kind: &'static str,
    direction: &'static str,
    amount_pence: i64,
    balance_before_pence: i64,
    balance_after_pence: i64,
    #[schema(value_type = Option<String>)]
    call_id: Option<&'a CallId>,
    #[schema(value_type = Option<String>)]
    stripe_payment_intent_id: Option<&'a PaymentIntentId>,
    tariff_version: Option<TariffVersion>,
    description: &'a str,
    created_at: String,
    hash: Hash,
}

impl<'a> From<&'a Entry> for Row<'a> {
    fn from(entry: &'a Entry) -> Self {
        Self {
            previous_hash: entry.previous_hash,
            org_id: entry.org_id,
            entry_key: &entry.entry_key,
            seq: entry.seq,
            kind: entry.kind.as_str(),
            direction: entry.direction.as_str(),
            amount_pence: entry.amount.pence(),
            balance_before_pence: entry.balance_before.pence(),
            balance_after_pence: entry.balance_after.pence(),
            call_id: entry.call_id.as_ref(),
            stripe_payment_intent_id: entry.payment_intent.as_ref(),
            tariff_version: entry.tariff,
            description: &entry.description,
            created_at: rfc3339_millis(entry.created_at),
            hash: entry.hash,
        }
    }
}

/// A statement, in the form that was asked for.
#[derive(Debug)]
pub struct Download(Response<Body>);

impl IntoAnswer for Download {
    fn into_answer(self) -> Response<Body> {
        self.0
    }

    fn described() -> Vec<Content> {
        vec![Content::json::<Statement<'_>>(), Content::bytes("text/csv")]
    }
}

/// Gives all movements of a period, oldest first, with the hashes that chain them.
///
/// # Errors
/// When a query value is not usable, the period holds too much, or the store does not answer.
pub async fn download(deps: &Deps, caller: &Caller, input: Input<Asked>) -> Result<Download, Problem> {
    let Asked { from, to, format } = &input.query;
    let now = deps.platform.clock.now();
    // Without an end it holds all there is, also what a function with a faster clock has just booked.
    let zone = deps.clinics.zone(caller.org).await?;
    let to = to.as_deref();
    let to = to.map_or(Ok(now + LARGEST_SKEW), |text| instant("to", text, |day| zone.end_of(day)))?;
    let from = from.as_deref();
    let first = to.min(now) - DEFAULT_PERIOD;
    let from = from.map_or(Ok(first), |text| instant("from", text, |day| zone.start_of(day)))?;
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
    let rows: Vec<Row<'_>> = entries.iter().map(Row::from).collect();
    let answer = match format.as_deref().unwrap_or("json") {
        "json" => {
            let (org_id, from, to) = (caller.org, rfc3339_millis(from), rfc3339_millis(to));
            Answer::ok(Statement { org_id, from, to, entries: rows }).into_answer()
        }
        "csv" => csv_form(&rows)?,
        _ => return Err(Problem::new(Code::InvalidValue).saying("format is json or csv.")),
    };
    let is_too_large = matches!(answer.body(), Body::Text(text) if text.len() > LARGEST_ANSWER);
    if is_too_large { Err(Problem::new(Code::PeriodTooLarge)) } else { Ok(Download(answer)) }
}

fn csv_form(rows: &[Row<'_>]) -> Result<Response<Body>, Problem> {
    // The columns are named also where there is no row.
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    let written =
        writer.write_record(COLUMNS).and_then(|()| rows.iter().try_for_each(|row| writer.serialize(row)));
    let bytes = written
        .map_err(|error| Problem::internal(&error))
        .and_then(|()| writer.into_inner().map_err(|error| Problem::internal(error.error())))?;
    let text = String::from_utf8(bytes).map_err(|error| Problem::internal(&error))?;
    let mut response = respond(StatusCode::OK, "text/csv; charset=utf-8", text);
    let name = HeaderValue::from_static("attachment; filename=\"statement.csv\"");
    response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    Ok(response)
}

/// An instant, or a day in the clinic's zone, which stands for the instant that `of_day` says.
fn instant(
    name: &str,
    text: &str,
    of_day: impl FnOnce(Date) -> Option<Timestamp>,
) -> Result<Timestamp, Problem> {
    // Within these centuries no sum leaves what an instant can be.
    let is_near = |at: &Timestamp| (0..=7_258_118_400).contains(&at.as_second());
    let instant = text.parse::<Timestamp>().ok().filter(is_near);
    let day = || text.parse::<Date>().ok().and_then(of_day).filter(is_near);
    instant.or_else(day).ok_or_else(|| {
        let detail = format!(
            "{name} is a day (2026-01-31) or an instant (2026-01-31T09:00:00Z), between 1970 and 2199."
        );
        Problem::new(Code::InvalidValue).saying(detail)
    })
}
