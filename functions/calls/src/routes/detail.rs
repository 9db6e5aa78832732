//! `GET /api/calls-dashboard/{id}`.

use domain::{
    call::{Bill, SetAside, State, ToolUse},
    ids::{AppointmentId, CallId},
    ledger::{Entry, EntryKey, EntrySide},
    personal::{Number, Personal, Words},
    phone_number::PhoneNumber,
};
use jiff::Timestamp;
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
    /// What the agent did, by our own record of it, in order.
    tools: Vec<Used>,
    /// The clinic's own line, where the call was put through to it.
    #[schema(value_type = Option<String>)]
    put_through_to: Option<Personal<PhoneNumber, Number>>,
    /// What the call was billed by; none before it is billed, where nothing is charged, and for who may not see money.
    bill: Option<Billed>,
}

/// One use of a tool.
#[derive(Debug, Serialize, ToSchema)]
struct Used {
    /// The name of its function.
    tool: String,
    #[serde(with = "domain::time::millis")]
    at: Timestamp,
    /// How long the answer took.
    milliseconds: u32,
    /// How the answer began: `BOOKED`, `NOT BOOKED`, `FREE`.
    outcome: String,
    /// What the model gave it, as JSON; cut where it is very long.
    #[schema(value_type = Option<String>)]
    arguments: Option<Personal<String, Words>>,
}

impl From<ToolUse> for Used {
    fn from(used: ToolUse) -> Self {
        let ToolUse { tool, at, millis, outcome, arguments } = used;
        Self { tool, at, milliseconds: millis, outcome, arguments }
    }
}

/// Why a call cost what it did.
#[derive(Debug, Serialize, ToSchema)]
struct Billed {
    duration_seconds: u32,
    charged_pence: i64,
    /// What a minute costs by the price list of the call, by the second.
    rate_per_minute_pence: i64,
    /// The version of that price list.
    price_list: u32,
    /// Whether the duration is our own estimate, because no vendor stated one.
    is_estimated: bool,
    /// How long it was by a source that our records do not confirm: a person decides, and nothing beyond what is charged is owed.
    doubted_seconds: Option<u32>,
    /// What was set aside when it was billed; none where nothing was, and of calls that were billed before this was kept.
    held_pence: Option<i64>,
    /// How often more was set aside while they talked.
    extensions: Option<u32>,
    /// Its entries in the ledger: the charge, and each correction.
    entries: Vec<Booked>,
}

/// An entry of the ledger.
#[derive(Debug, Serialize, ToSchema)]
struct Booked {
    id: EntryKey,
    seq: u64,
    direction: EntrySide,
    amount_pence: i64,
    balance_after_pence: i64,
    description: String,
    #[serde(with = "domain::time::millis")]
    created_at: Timestamp,
}

impl From<Entry> for Booked {
    fn from(entry: Entry) -> Self {
        Self {
            id: entry.entry_key,
            seq: entry.seq,
            direction: entry.direction,
            amount_pence: entry.amount.pence(),
            balance_after_pence: entry.balance_after.pence(),
            description: entry.description,
            created_at: entry.created_at,
        }
    }
}

impl Billed {
    fn of(bill: &Bill, entries: Vec<Entry>) -> Self {
        Self {
            duration_seconds: bill.duration_secs,
            charged_pence: bill.charged.pence(),
            rate_per_minute_pence: bill.tariff.tariff().one_minute().pence(),
            price_list: bill.tariff.into(),
            is_estimated: bill.estimated,
            doubted_seconds: bill.doubted_secs,
            held_pence: bill.set_aside.map(|held: SetAside| held.amount.pence()),
            extensions: bill.set_aside.map(|held| held.extensions),
            entries: entries.into_iter().map(Booked::from).collect(),
        }
    }
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
    let put_through_to = call.put_through_to.clone().map(Personal::new);
    let bill = async {
        let State::Settled(bill) = &call.state else { return Ok(None) };
        if caller.may_see_the_business().is_err() {
            return Ok(None);
        }
        deps.ledger.of_call(caller.org, &id).await.map(|entries| Some(Billed::of(bill, entries)))
    };
    let (row, conversation, uses, bill) = futures::try_join!(
        Row::read(deps, call.clone()),
        deps.bookings.conversation(caller.org, &id),
        deps.charging.calls.tools(caller.org, &id),
        bill
    )?;
    let transcript = row.content.transcript.clone();
    let ticket = row.content.has_recording.then_some(Ticket { org: caller.org, call: id });
    let recording_url = ticket.map(|ticket| url(deps, &ticket));
    Ok(Answer::ok(Detail {
        shown: row.shown(caller),
        transcript,
        recording_url,
        appointment_ids: conversation.booked,
        tools: uses.into_iter().map(Used::from).collect(),
        put_through_to,
        bill,
    }))
}
