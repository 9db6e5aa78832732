//! What Vapi posts. Parsed by hand, field by field: live bodies differ from the published schema in type, in
//! place and in what is left out, and a message must never be lost over a field that is not needed.

use jiff::Timestamp;
use rust_decimal::{Decimal, prelude::ToPrimitive};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::reasons::ending;
use domain::{
    call::{Direction, Parties, Testimony},
    content::Content,
    ids::{CallId, VapiAssistantId, VapiCallId, VapiPhoneId},
    personal::Personal,
    phone_number::PhoneNumber,
};

/// The longest reason for a call's end that is kept. Vapi's longest is under 100 characters.
pub(super) const LONGEST_REASON: usize = 200;

/// A message of Vapi's about a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What the message says.
    pub kind: Kind,
    /// The type of the message, in Vapi's words.
    pub type_name: String,
    /// The call that the message is about; absent in bodies that were cut short.
    pub call: Option<CallRef>,
    /// When Vapi sent the message, if it says so.
    pub timestamp: Option<Timestamp>,
}

/// The call a message is about, and the ids that lead to its org.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallRef {
    /// The call as Vapi names it.
    pub vapi_call_id: VapiCallId,
    /// The parties of the call, as far as the message names them.
    pub parties: Parties,
    /// The URL where the call takes commands, if the message has it.
    pub control_url: Option<String>,
    /// The call of ours that an outbound call says it is, from the metadata that it was dialled with. It is
    /// never believed on its own: our record of that call must agree.
    pub intent: Option<CallId>,
}

impl CallRef {
    /// Returns the call that an entry of Vapi's list shows; `None` without an id.
    pub fn listed(entry: &Value) -> Option<Self> {
        call_ref(&Value::Null, entry)
    }
}

/// What a message says, by its type and its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Vapi asks whether the call may start, and which assistant answers it.
    AssistantRequest,
    /// The parties are talking.
    InProgress {
        /// When they started to talk, if the message says so.
        started_at: Option<Timestamp>,
    },
    /// The call is over; a report follows.
    Ended {
        /// Why it ended, in Vapi's words, if the message says so.
        reason: Option<String>,
    },
    /// The call is over, and the message reports on it.
    EndOfCallReport {
        /// How long the call lasted, as far as the report says.
        testimony: Testimony,
        /// What was said, and what came of it.
        content: Box<Content>,
    },
    /// The assistant has not answered the caller for some seconds.
    Hang,
    /// The assistant wants to use tools.
    ToolCalls(Vec<ToolCall>),
    /// The message is of a type that we do not use.
    Other,
}

/// A tool that the assistant wants to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCall {
    /// The id that our answer must carry, exactly.
    pub id: String,
    /// The name of the tool's function; empty when the message has none.
    pub name: String,
    /// What the model gives it, by name; `null` when it gives nothing that can be read. Nothing in it is to be believed.
    pub arguments: Value,
}

/// Why a body is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAMessage {
    /// The body has no `message` object with a `type`.
    #[error("the body has no message object with a type")]
    NoMessage,
}

impl Message {
    /// Reads the body of a webhook.
    ///
    /// # Errors
    /// When the body has no `message.type`. A body that lacks anything else is read as far as it goes.
    pub fn parse(body: &Value) -> Result<Self, NotAMessage> {
        let message =
            body.get("message").filter(|message| message.is_object()).ok_or(NotAMessage::NoMessage)?;
        let type_name = text(&message["type"]).ok_or(NotAMessage::NoMessage)?;
        // One captured body has `call` beside `message`.
        let call = [&message["call"], &body["call"]].into_iter().find(|call| call.is_object());
        let kind = match type_name.as_str() {
            "assistant-request" => Kind::AssistantRequest,
            "status-update" => match message["status"].as_str() {
                Some("in-progress") => Kind::InProgress {
                    started_at: instant(&message["startedAt"])
                        .or_else(|| call.and_then(|call| instant(&call["startedAt"]))),
                },
                Some("ended") => Kind::Ended { reason: reason(&message["endedReason"]) },
                _ => Kind::Other,
            },
            "hang" => Kind::Hang,
            "end-of-call-report" => {
                Kind::EndOfCallReport { testimony: testimony(message), content: Box::new(content(message)) }
            }
            "tool-calls" => Kind::ToolCalls(tool_calls(message)),
            _ => Kind::Other,
        };
        let call = call.and_then(|call| call_ref(message, call));
        Ok(Self { kind, type_name, call, timestamp: instant(&message["timestamp"]) })
    }
}

impl Message {
    /// Returns the type, and for a status update its status too: what tells two messages about one call
    /// apart.
    pub fn label(&self) -> String {
        match &self.kind {
            Kind::InProgress { .. } => format!("{}:in-progress", self.type_name),
            Kind::Ended { .. } => format!("{}:ended", self.type_name),
            Kind::AssistantRequest
            | Kind::EndOfCallReport { .. }
            | Kind::Hang
            | Kind::ToolCalls(_)
            | Kind::Other => self.type_name.clone(),
        }
    }
}

fn call_ref(message: &Value, call: &Value) -> Option<CallRef> {
    let first = |values: [&Value; 2]| values.into_iter().find_map(text);
    let customer = [&message["customer"]["number"], &call["customer"]["number"]];
    let vapi_phone_id = first([&call["phoneNumberId"], &message["phoneNumber"]["id"]]);
    let vapi_assistant_id = first([&call["assistantId"], &message["assistant"]["id"]]);
    let direction = match call["type"].as_str() {
        Some("outboundPhoneCall") => Direction::Outbound,
        _ => Direction::Inbound,
    };
    let intent = match direction {
        Direction::Outbound => first([&call["assistantOverrides"]["metadata"]["call_id"], &call["name"]])
            .and_then(|id| CallId::parse(id).ok()),
        Direction::Inbound => None,
    };
    let vapi_call_id = VapiCallId::parse(text(&call["id"])?).ok()?;
    Some(CallRef {
        vapi_call_id: vapi_call_id.clone(),
        parties: Parties {
            direction,
            vapi_call_id: Some(vapi_call_id),
            vapi_phone_id: vapi_phone_id.and_then(|id| VapiPhoneId::parse(id).ok()),
            vapi_assistant_id: vapi_assistant_id.and_then(|id| VapiAssistantId::parse(id).ok()),
            customer_number: first(customer)
                .and_then(|number| PhoneNumber::parse(number).ok())
                .map(Personal::new),
            carrier_sid: text(&call["phoneCallProviderId"]).filter(|sid| sid.len() <= 64),
        },
        control_url: text(&call["monitor"]["controlUrl"]).filter(|url| url.len() <= 2_000),
        intent,
    })
}

/// Reads the message's own fields, because `message.call` is a snapshot from the call's creation.
fn testimony(message: &Value) -> Testimony {
    let by_millis =
        || decimal(&message["durationMs"]).and_then(|millis| millis.checked_div(Decimal::ONE_THOUSAND));
    let ended_reason = reason(&message["endedReason"]);
    Testimony {
        started_at: instant(&message["startedAt"]),
        ended_at: instant(&message["endedAt"]),
        duration_secs: by_millis().or_else(|| decimal(&message["durationSeconds"])),
        ending: ended_reason.as_deref().map(ending),
        ended_reason,
        created_at: None,
        is_record: false,
    }
}

/// Reads what was said, from a report or from Vapi's own record of a call: both have it in the same fields.
pub(super) fn content(message: &Value) -> Content {
    let first = |values: &[&Value]| values.iter().find_map(|value| text(value));
    let artifact = &message["artifact"];
    let structured = &message["analysis"]["structuredData"];
    Content {
        transcript: first(&[&message["transcript"], &artifact["transcript"]]).map(Personal::new),
        summary: first(&[&message["analysis"]["summary"], &message["summary"]]).map(Personal::new),
        sentiment_label: first(&[&structured["sentiment"], &structured["sentimentLabel"]]),
        sentiment_score: first(&[&structured["sentimentScore"]])
            .or_else(|| decimal(&structured["sentimentScore"]).map(|score| score.to_string())),
        outcome: first(&[&structured["outcome"]]).map(Personal::new),
        urgency: first(&[&structured["urgency"]]),
        caller_name: first(&[&message["customer"]["name"], &message["call"]["customer"]["name"]])
            .map(Personal::new),
        tools_used: tools_used(message),
        has_recording: has_recording(message),
        vendor_cost_usd: decimal(&message["cost"]).map(|cost| cost.to_string()),
    }
}

/// Returns whether any field says that there is a recording. Its place has changed with the years, and since 2026 what lies there
/// is private: a link of Vapi's is for what it tells, not for following.
fn has_recording(message: &Value) -> bool {
    const DIRECT: [&str; 4] =
        ["recordingUrl", "stereoRecordingUrl", "presignedMonoUrl", "presignedStereoUrl"];
    const NESTED: [&str; 5] =
        ["/stereoUrl", "/url", "/mono/combinedUrl", "/mono/assistantUrl", "/mono/customerUrl"];
    let is_said = |value: Option<&Value>| value.and_then(text).is_some();
    [message, &message["artifact"]].into_iter().any(|place| {
        let recording = &place["recording"];
        DIRECT.iter().any(|name| is_said(place.get(name)))
            || NESTED.iter().any(|path| is_said(recording.pointer(path)))
    })
}

/// Returns the names of the tools used: in messages of role `tool_calls`, and the older `function_call`.
fn tools_used(message: &Value) -> Vec<String> {
    let lists = [&message["artifact"]["messages"], &message["messages"]];
    let messages = lists.into_iter().filter_map(Value::as_array).find(|list| !list.is_empty());
    let mut names = Vec::new();
    for entry in messages.into_iter().flatten() {
        let calls = entry["toolCalls"].as_array().into_iter().flatten();
        names.extend(calls.filter_map(|call| text(&call["function"]["name"])));
        if entry["role"] == "function_call" {
            names.extend(text(&entry["name"]));
        }
    }
    names
}

/// Returns the tool calls from all the places where they have been seen, each once, in the order they came.
fn tool_calls(message: &Value) -> Vec<ToolCall> {
    let lists = [&message["toolCallList"], &message["toolCalls"]];
    let direct = lists.into_iter().filter_map(Value::as_array).find(|list| !list.is_empty());
    let with_tools = message["toolWithToolCallList"].as_array();
    let nested = with_tools.into_iter().flatten().map(|entry| &entry["toolCall"]);
    let calls: Vec<&Value> = direct.map_or_else(|| nested.collect(), |list| list.iter().collect());
    calls
        .into_iter()
        .filter_map(|call| {
            let name = text(&call["function"]["name"]).or_else(|| text(&call["name"])).unwrap_or_default();
            Some(ToolCall { id: text(&call["id"])?, name, arguments: arguments(call) })
        })
        .collect()
}

/// Reads the arguments of a tool call, which come as an object or as JSON text, beside the function's name or beside the call's
/// id. Text that was cut short is read as nothing.
fn arguments(call: &Value) -> Value {
    let places = [
        &call["function"]["arguments"],
        &call["function"]["parameters"],
        &call["arguments"],
        &call["parameters"],
    ];
    let read = |place: &Value| match place {
        Value::Object(_) => Some(place.clone()),
        Value::String(text) => serde_json::from_str(text).ok().filter(Value::is_object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    };
    places.into_iter().find_map(read).unwrap_or_default()
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Returns why a call ended, in one of Vapi's words. The reason goes into the record, so it is cut in any
/// case.
fn reason(value: &Value) -> Option<String> {
    text(value).map(|reason| reason.chars().take(LONGEST_REASON).collect())
}

fn decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::Number(number) => {
            let text = number.to_string();
            text.parse().ok().or_else(|| Decimal::from_scientific(&text).ok())
        }
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Reads a field of Vapi's own record of a call as [`instant`] does.
pub(super) fn lenient_instant<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Timestamp>, D::Error> {
    Ok(instant(&Value::deserialize(deserializer)?))
}

/// Returns the instant of RFC 3339 text, or of epoch milliseconds, which may be fractional or in exponent
/// form, or (below 10¹¹) seconds; `None` before 1970 and after 2199.
fn instant(value: &Value) -> Option<Timestamp> {
    instant_of(value).filter(|at| (0..7_258_118_400).contains(&at.as_second()))
}

fn instant_of(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            let number = decimal(value)?.trunc().to_i64()?;
            let is_millis = number > 100_000_000_000;
            if is_millis { Timestamp::from_millisecond(number) } else { Timestamp::from_second(number) }.ok()
        }
    }
}
