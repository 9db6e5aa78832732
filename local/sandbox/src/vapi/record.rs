//! What a call is, and how Vapi shows it.

use domain::time::rfc3339_millis;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Turn;

/// The type of a call of ours.
pub(super) const OUTBOUND: &str = "outboundPhoneCall";

/// A call, as `GET /_sandbox/vapi/calls/{id}` shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// Its id.
    pub id: String,
    /// `inboundPhoneCall`, `outboundPhoneCall`, `webCall`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `queued`, `ringing`, `in-progress`, `ended`.
    pub status: String,
    /// Our number's id.
    pub phone_number_id: Option<String>,
    /// Who talks.
    pub assistant_id: Option<String>,
    /// What stands in for the names in its texts.
    #[serde(default)]
    pub variables: Value,
    /// Who rang us, or whom we rang.
    pub from: String,
    /// What the call was named when it was dialled.
    pub name: Option<String>,
    /// What the call was marked with when it was dialled.
    pub metadata: Option<Value>,
    /// The carrier's SID of it; a web call has none.
    pub phone_call_provider_id: Option<String>,
    /// When it rang.
    #[serde(with = "domain::time::millis")]
    pub created_at: Timestamp,
    /// When they began to talk.
    #[serde(with = "domain::time::millis::option")]
    pub started_at: Option<Timestamp>,
    /// When it was over.
    #[serde(with = "domain::time::millis::option")]
    pub ended_at: Option<Timestamp>,
    /// Why.
    pub ended_reason: Option<String>,
    /// How long the other side means to talk.
    pub talk_secs: i64,
    /// The limit it was given, in seconds.
    pub max_duration_secs: Option<i64>,
    /// What the other side heard, in order.
    pub heard: Vec<String>,
    /// How we answered the assistant-request.
    pub answer_status: Option<u16>,
    /// What the caller brings the assistant to do.
    #[serde(default)]
    pub says: Vec<Turn>,
    /// The uses of tools, as messages have them.
    #[serde(default)]
    pub used: Vec<Value>,
    /// When the record of a call that is over was changed, if it was.
    #[serde(default, with = "domain::time::millis::option")]
    pub changed_at: Option<Timestamp>,
    pub(super) control: String,
}

impl Call {
    /// The call as it was at `at`, as far as that shows: what came later has not happened.
    pub(super) fn as_of(&self, at: Timestamp) -> Self {
        let mut call = self.clone();
        if call.ended_at.is_some_and(|ended_at| ended_at > at) {
            (call.ended_at, call.ended_reason) = (None, None);
            call.status = "in-progress".into();
        }
        if call.started_at.is_some_and(|started_at| started_at > at) {
            call.started_at = None;
        }
        if call.started_at.is_none() && call.ended_at.is_none() && call.status != "queued" {
            call.status = "ringing".into();
        }
        call
    }
}

/// The call inside a message: a snapshot from its creation, as Vapi sends it.
pub(super) fn call_json(call: &Call) -> Value {
    let is_ours = call.kind == OUTBOUND;
    let status = if is_ours { "queued" } else { "ringing" };
    let mut json = json!({
        "id": call.id, "orgId": "sandbox", "type": call.kind, "status": status,
        "createdAt": rfc3339_millis(call.created_at), "updatedAt": rfc3339_millis(call.created_at),
        "phoneNumberId": call.phone_number_id, "assistantId": call.assistant_id,
        "customer": {"number": call.from},
    });
    if let Some(sid) = &call.phone_call_provider_id {
        json["phoneCallProvider"] = json!("twilio");
        json["phoneCallProviderId"] = json!(sid);
    }
    if let Some(name) = &call.name {
        json["name"] = json!(name);
    }
    if let Some(metadata) = &call.metadata {
        json["assistantOverrides"] = json!({ "metadata": metadata });
    }
    if is_ours || call.started_at.is_some() {
        json["monitor"] = json!({ "controlUrl": call.control });
    }
    json
}

/// What every call costs us, in dollars.
pub(super) const COST_USD: f64 = 0.0394;

/// What was said and where the recording lies: in private storage, since 2026.
pub(super) fn artifact(call: &Call) -> Value {
    let uses = call.used.iter().map(|entry| json!({"role": "tool_calls", "toolCalls": [entry]}));
    let mut artifact = json!({"messages": uses.collect::<Vec<_>>(), "transcript": transcript(call)});
    if call.started_at.is_some() {
        let mono = format!("https://storage.example.test/private/{}-mono.wav", call.id);
        artifact["recordingUrl"] = json!(mono);
        artifact["recording"] = json!({"mono": {"combinedUrl": mono}});
    }
    artifact
}

/// What was said: by the assistant, as the other side heard it, and by the other side, where it is scripted.
pub(super) fn transcript(call: &Call) -> String {
    let line = |heard: &String| match heard.strip_prefix(CALLER_SAYS) {
        Some(said) => format!("User: {said}"),
        None => format!("AI: {heard}"),
    };
    call.heard.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What marks the other side's words among what was heard.
pub(super) const CALLER_SAYS: &str = "(caller) ";

/// What the vendor's model makes of it.
pub(super) fn analysis() -> Value {
    json!({"summary": "The caller asked about an appointment.", "successEvaluation": "true"})
}

/// The call as `GET /call/{id}` shows it.
pub(super) fn call_record(call: &Call) -> Value {
    let mut json = call_json(call);
    json["status"] = json!(call.status);
    json["startedAt"] = json!(call.started_at.map(rfc3339_millis));
    json["endedAt"] = json!(call.ended_at.map(rfc3339_millis));
    json["endedReason"] = json!(call.ended_reason);
    if call.started_at.is_some() && call.ended_at.is_some() {
        json["artifact"] = artifact(call);
        json["analysis"] = analysis();
        json["cost"] = json!(COST_USD);
    }
    let updated_at = call.changed_at.or(call.ended_at).or(call.started_at).unwrap_or(call.created_at);
    json["updatedAt"] = json!(rfc3339_millis(updated_at));
    if let Some(fields) = json.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    json
}
