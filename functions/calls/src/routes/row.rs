//! A call as the dashboard shows it.

use domain::{
    amount::Amount,
    call::{Call, Direction, Outcome, RefusalReason, State},
    content::Content,
    ids::CallId,
    personal::{Name, Number, Personal, Words},
    phone_number::PhoneNumber,
};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use store::StoreError;
use utoipa::ToSchema;
use vendors::vapi::reasons;
use web::auth::Caller;

use crate::Deps;

/// What became of a call, in the dashboard's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = CallStatus)]
pub enum Status {
    /// They talked, and it is billed.
    Completed,
    /// There was no talk.
    Missed,
    /// It was put through to a person, and what came before is billed.
    Transferred,
    /// It broke off, and what came before is billed.
    Failed,
    /// It rings, they talk, or it is not billed yet.
    InProgress,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Completed, Self::Missed, Self::Transferred, Self::Failed, Self::InProgress];

    /// As it is shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Missed => "missed",
            Self::Transferred => "transferred",
            Self::Failed => "failed",
            Self::InProgress => "in-progress",
        }
    }

    /// What became of `call`.
    pub fn of(call: &Call) -> Self {
        match &call.state {
            State::Authorizing
            | State::Authorized
            | State::InProgress { .. }
            | State::Ended { started_at: Some(_) } => Self::InProgress,
            State::Refused { reason: RefusalReason::PutThrough } => Self::Transferred,
            State::Refused { .. } => Self::Missed,
            // Nothing was talked: what the reason calls a failure is one, and anything else was missed.
            State::Ended { started_at: None } | State::Released => match outcome(call) {
                Outcome::Failed => Self::Failed,
                Outcome::Completed | Outcome::Missed | Outcome::Transferred => Self::Missed,
            },
            State::Settled(_) => match outcome(call) {
                Outcome::Completed | Outcome::Missed => Self::Completed,
                Outcome::Failed => Self::Failed,
                Outcome::Transferred => Self::Transferred,
            },
        }
    }
}

/// What Vapi's reason for the end of a call says became of it.
fn outcome(call: &Call) -> Outcome {
    reasons::ending(call.ended_reason.as_deref().unwrap_or_default()).outcome
}

/// A call with its text and what it cost.
#[derive(Clone, Debug)]
pub struct Row {
    /// The call.
    pub call: Call,
    /// What was said; empty until it came.
    pub content: Content,
    /// What it cost, as the ledger says too: bill and entry are one transaction. None until that is decided.
    pub cost: Option<Amount>,
}

impl Row {
    /// Reads what belongs to `call`.
    ///
    /// # Errors
    /// When the store does not answer, or a record does not decode.
    pub async fn read(deps: &Deps, call: Call) -> Result<Self, StoreError> {
        let content = deps.charging.calls.content(call.org_id, &call.call_id).await?;
        Ok(Self { cost: cost_of(&call), content: content.unwrap_or_default(), call })
    }

    /// As the list shows it to `caller`.
    pub fn shown(self, caller: &Caller) -> Shown {
        let sees_money = caller.may_see_the_business().is_ok();
        let Self { call, content, cost } = self;
        Shown {
            phone_number: call.parties.customer_number.clone(),
            duration_seconds: duration_secs(&call),
            status: Status::of(&call),
            call_direction: call.parties.direction,
            call_date: call.created_at,
            id: call.call_id,
            caller_name: content.caller_name,
            has_recording: content.has_recording,
            has_transcript: content.transcript.is_some(),
            sentiment_label: content.sentiment_label,
            sentiment_score: content.sentiment_score.as_deref().map_or(Value::Null, score),
            outcome: content.outcome,
            outcome_summary: content.summary,
            urgency: content.urgency,
            cost_pence: cost.filter(|_| sees_money).map(Amount::pence),
            ended_reason: call.ended_reason,
            tools_used: content.tools_used,
        }
    }
}

/// A call as the dashboard's list has it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Shown {
    id: CallId,
    #[schema(value_type = Option<String>)]
    phone_number: Option<Personal<PhoneNumber, Number>>,
    #[schema(value_type = Option<String>)]
    caller_name: Option<Personal<String, Name>>,
    #[serde(with = "domain::time::millis")]
    call_date: Timestamp,
    duration_seconds: Option<u32>,
    status: Status,
    call_direction: Direction,
    has_recording: bool,
    has_transcript: bool,
    sentiment_label: Option<String>,
    /// A number as the vendor wrote it, or null.
    #[schema(value_type = Option<f64>)]
    sentiment_score: Value,
    #[schema(value_type = Option<String>)]
    outcome: Option<Personal<String, Words>>,
    #[schema(value_type = Option<String>)]
    outcome_summary: Option<Personal<String, Words>>,
    urgency: Option<String>,
    /// None for who may not see money.
    cost_pence: Option<i64>,
    ended_reason: Option<String>,
    tools_used: Vec<String>,
}

/// What a call cost; none until that is decided.
pub const fn cost_of(call: &Call) -> Option<Amount> {
    match &call.state {
        State::Settled(bill) => Some(bill.charged),
        State::Released | State::Refused { .. } => Some(Amount::ZERO),
        State::Authorizing | State::Authorized | State::InProgress { .. } | State::Ended { .. } => None,
    }
}

/// How long they talked; none while that is not known.
fn duration_secs(call: &Call) -> Option<u32> {
    match &call.state {
        State::Settled(bill) => Some(bill.duration_secs),
        State::Released | State::Refused { .. } | State::Ended { started_at: None } => Some(0),
        State::Authorizing
        | State::Authorized
        | State::InProgress { .. }
        | State::Ended { started_at: Some(_) } => None,
    }
}

/// The number that the vendor wrote, if it wrote one.
fn score(text: &str) -> Value {
    serde_json::from_str(text).ok().filter(Value::is_number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use domain::{
        call::{Bill, Direction, Parties},
        ids::OrgId,
        tariff::Tariff,
    };
    use serde_json::json;

    use super::*;

    fn call(state: State, ended_reason: Option<&str>) -> Call {
        let org: OrgId = "00000000-0000-0000-0000-00000000000a".parse().unwrap();
        let parties = Parties {
            direction: Direction::Inbound,
            vapi_call_id: None,
            vapi_phone_id: None,
            vapi_assistant_id: None,
            customer_number: None,
            carrier_sid: None,
        };
        let at = Timestamp::UNIX_EPOCH;
        let first = Call::first_heard(org, CallId::parse("call-1").unwrap(), parties, 600, at);
        Call { state, ended_reason: ended_reason.map(str::to_owned), ..first }
    }

    #[test]
    fn each_state_has_its_status() {
        let at = Timestamp::UNIX_EPOCH;
        let cases = [
            (State::Authorizing, Status::InProgress, None),
            (State::Authorized, Status::InProgress, None),
            (State::InProgress { started_at: at }, Status::InProgress, None),
            (State::Ended { started_at: Some(at) }, Status::InProgress, None),
            (State::Ended { started_at: None }, Status::Missed, Some(0)),
            (State::Released, Status::Missed, Some(0)),
            (State::Refused { reason: RefusalReason::InsufficientFunds }, Status::Missed, Some(0)),
        ];
        for (state, status, duration) in cases {
            let call = call(state, Some("customer-ended-call"));
            let name = call.state.name();
            assert_eq!((Status::of(&call), duration_secs(&call)), (status, duration), "{name}");
        }
    }

    #[test]
    fn a_billed_call_is_known_by_the_reason_of_its_end() {
        let cases = [
            (Some("customer-ended-call"), Status::Completed),
            (Some("assistant-ended-call"), Status::Completed),
            (Some("silence-timed-out"), Status::Completed),
            (Some("exceeded-max-duration"), Status::Completed),
            (Some("manually-canceled"), Status::Completed),
            (Some("voicemail"), Status::Completed),
            (Some("unknown"), Status::Completed),
            (None, Status::Completed),
            (Some("assistant-forwarded-call"), Status::Transferred),
            (Some("pipeline-no-available-llm-model"), Status::Failed),
            (Some("pipeline-error-openai-llm-failed"), Status::Failed),
            (Some("call.start.error-get-phone-number"), Status::Failed),
            (Some("call.in-progress.error-vapifault-worker-died"), Status::Failed),
            (Some("call.in-progress.error-providerfault-transport-never-connected"), Status::Failed),
            (Some("vapifault-phone-call-worker-setup-socket-error"), Status::Failed),
            (Some("twilio-failed-to-connect-call"), Status::Failed),
            (Some("vonage-disconnected"), Status::Failed),
            (Some("phone-call-provider-closed-websocket"), Status::Failed),
            (Some("assistant-not-found"), Status::Failed),
            (Some("worker-shutdown"), Status::Failed),
            (Some("unknown-error"), Status::Failed),
        ];
        let tariff = Tariff::at(Timestamp::UNIX_EPOCH);
        for (reason, status) in cases {
            let bill = Bill {
                duration_secs: 61,
                charged: tariff.charge(61),
                tariff: tariff.version,
                started_at: None,
                ended_at: None,
                estimated: false,
                doubted_secs: None,
                corrections: 0,
                set_aside: None,
            };
            let call = call(State::Settled(bill), reason);
            assert_eq!((Status::of(&call), duration_secs(&call)), (status, Some(61)), "{reason:?}");
        }
    }

    #[test]
    fn a_score_is_a_number_or_nothing() {
        let cases = [("0.8", json!(0.8)), ("-1", json!(-1)), ("high", Value::Null), ("\"1\"", Value::Null)];
        for (text, shown) in cases {
            assert_eq!(score(text), shown, "{text}");
        }
    }
}
