//! What an org keeps at Vapi: numbers, assistants, tools, credentials.

use std::collections::BTreeMap;

use domain::{phone_number::PhoneNumber, time::rfc3339_millis};
use http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    State, VapiSandbox,
    rest::{Answer, Refusal},
};

/// The longest name of anything.
const LONGEST_NAME: usize = 40;
/// What a number that is none is refused with.
pub(super) const NOT_E164: &str = "customer.number must be a valid phone number in the E.164 format. Hot \
                                   tip, you may be missing the country code (Eg. US: +1).";
const VOICE_PROVIDERS: [&str; 19] = [
    "11labs",
    "azure",
    "cartesia",
    "custom-voice",
    "deepgram",
    "hume",
    "inworld",
    "lmnt",
    "minimax",
    "neuphonic",
    "openai",
    "playht",
    "rime-ai",
    "sesame",
    "smallest-ai",
    "tavus",
    "vapi",
    "wellsaid",
    "xai",
];
const SERVER_MESSAGES: [&str; 28] = [
    "assistant.started",
    "assistant.speechStarted",
    "conversation-update",
    "end-of-call-report",
    "function-call",
    "hang",
    "language-changed",
    "language-change-detected",
    "model-output",
    "phone-call-control",
    "speech-update",
    "status-update",
    "transcript",
    "transcript[transcriptType=\"final\"]",
    "tool-calls",
    "transfer-destination-request",
    "handoff-destination-request",
    "transfer-update",
    "user-interrupted",
    "voice-input",
    "chat.created",
    "chat.deleted",
    "session.created",
    "session.updated",
    "session.deleted",
    "call.deleted",
    "call.delete.failed",
    "call.artifact.upload",
];
/// What an object keeps for life.
const FIXED: [&str; 4] = ["id", "orgId", "createdAt", "updatedAt"];

/// A number that was imported.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Number {
    /// Its id.
    pub id: String,
    /// E.164.
    pub number: String,
    /// The Twilio account that has it; none when it was added by hand.
    pub twilio_account_sid: Option<String>,
    /// What it is called.
    pub name: Option<String>,
    /// Where its messages are posted, as it was sent.
    pub server: Option<Value>,
    /// Rung when our webhook does not answer.
    pub fallback: Option<String>,
    /// Whether Vapi takes its text messages too.
    pub sms_enabled: bool,
    /// Who answers without our webhook being asked.
    pub assistant_id: Option<String>,
    /// When it was imported.
    #[serde(with = "domain::time::millis")]
    pub created_at: Timestamp,
}

impl Number {
    /// As the REST API shows it: without the carrier's token.
    pub(super) fn json(&self) -> Value {
        let created_at = rfc3339_millis(self.created_at);
        let fallback = self.fallback.as_ref().map(|number| json!({"type": "number", "number": number}));
        let mut json = json!({
            "id": self.id, "orgId": "sandbox", "provider": "twilio", "number": self.number,
            "twilioAccountSid": self.twilio_account_sid, "name": self.name, "server": self.server,
            "fallbackDestination": fallback, "smsEnabled": self.sms_enabled, "assistantId": self.assistant_id,
            "status": "active", "createdAt": created_at, "updatedAt": created_at,
        });
        if let Some(fields) = json.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        json
    }

    /// Takes over what may be changed. A field that is not there stays; null clears it.
    fn take_over(&mut self, body: &Value) {
        let text = |field: &Value| field.as_str().map(str::to_owned);
        if let Some(name) = body.get("name") {
            self.name = text(name);
        }
        if let Some(server) = body.get("server") {
            self.server = Some(server.clone()).filter(Value::is_object);
        }
        if let Some(fallback) = body.get("fallbackDestination") {
            self.fallback = text(&fallback["number"]);
        }
        if let Some(assistant) = body.get("assistantId") {
            self.assistant_id = text(assistant);
        }
        if let Some(sms_enabled) = body["smsEnabled"].as_bool() {
            self.sms_enabled = sms_enabled;
        }
    }
}

impl VapiSandbox {
    /// `POST /phone-number`: takes a number of a Twilio account.
    pub(super) fn import(&self, state: &mut State, body: &Value) -> Answer {
        let text = |name: &str| body[name].as_str().unwrap_or_default();
        let (number, account) = (text("number"), text("twilioAccountSid"));
        let tokens = [text("twilioAuthToken"), text("twilioApiSecret")];
        let token = tokens.into_iter().find(|token| !token.is_empty());
        let mut flaws: Vec<String> = long_name(body).into_iter().collect();
        if text("provider") != "twilio" {
            flaws.push("provider must be one of the following values: twilio".into());
        }
        if PhoneNumber::parse(number).is_err() {
            flaws.push("number must be a valid phone number in the E.164 format".into());
        }
        if account.is_empty() {
            flaws.push("twilioAccountSid should not be empty".into());
        }
        if !flaws.is_empty() {
            return Err(Refusal::flaws(&flaws));
        }
        let token = token.ok_or_else(|| {
            Refusal::bad("Need Either `twilioAuthToken` Or `twilioApiKey` And `twilioApiSecret`.")
        })?;
        if self.settings.twilio_owns.as_ref().is_some_and(|owns| !owns(account, token, number)) {
            return Err(Refusal::bad("Number Not Found on Twilio."));
        }
        let is_same = |known: &&Number| {
            known.number == number && known.twilio_account_sid.as_deref().is_none_or(|sid| sid == account)
        };
        if let Some(known) = state.numbers.values().find(is_same) {
            return Err(Refusal::bad(format!(
                "Existing Phone Number {} Has Identical `twilioAccountSid` {account} and `number` {number}.",
                known.id
            )));
        }
        let now = self.clock.now();
        let mut imported = Number {
            id: self.entropy.uuid(now).to_string(),
            number: number.to_owned(),
            twilio_account_sid: Some(account.to_owned()),
            name: None,
            server: None,
            fallback: None,
            sms_enabled: true,
            assistant_id: None,
            created_at: now,
        };
        imported.take_over(body);
        let answer = imported.json();
        state.numbers.insert(imported.id.clone(), imported);
        Ok((StatusCode::CREATED, answer))
    }

    pub(super) fn number(state: &State, id: &str) -> Answer {
        let number = state.numbers.get(id).ok_or_else(|| missing("Phone Number", id))?;
        Ok((StatusCode::OK, number.json()))
    }

    pub(super) fn patch_number(state: &mut State, id: &str, body: &Value) -> Answer {
        let number = state.numbers.get_mut(id).ok_or_else(|| missing("Phone Number", id))?;
        if let Some(flaw) = long_name(body) {
            return Err(Refusal::flaws(&[flaw]));
        }
        number.take_over(body);
        Ok((StatusCode::OK, number.json()))
    }

    pub(super) fn delete_number(state: &mut State, id: &str) -> Answer {
        let number = state.numbers.remove(id).ok_or_else(|| missing("Phone Number", id))?;
        Ok((StatusCode::OK, number.json()))
    }

    /// `POST /assistant`, `/tool` or `/credential`. Repeating it makes another.
    pub(super) fn create(&self, state: &mut State, kind: &str, body: Value) -> Answer {
        let mut flaws = flaws(kind, &body);
        if kind != "assistant" {
            let field = if kind == "tool" { "type" } else { "provider" };
            if body[field].as_str().is_none_or(str::is_empty) {
                flaws.push(format!("{field} should not be empty"));
            }
        }
        if !flaws.is_empty() {
            return Err(Refusal::flaws(&flaws));
        }
        // What a credential keeps secret is never told again.
        let mut object = if kind == "credential" {
            json!({"provider": body["provider"], "name": body["name"]})
        } else {
            body
        };
        let now = self.clock.now();
        let id = self.entropy.uuid(now).to_string();
        let stamp = json!(rfc3339_millis(now));
        object["id"] = json!(id);
        object["orgId"] = json!("sandbox");
        object["createdAt"] = stamp.clone();
        object["updatedAt"] = stamp;
        shelf_mut(state, kind).insert(id, object.clone());
        Ok((StatusCode::CREATED, object))
    }

    pub(super) fn object(state: &State, kind: &str, id: &str) -> Answer {
        let object = shelf(state, kind).get(id).ok_or_else(|| missing(kind, id))?;
        Ok((StatusCode::OK, object.clone()))
    }

    /// Puts each field of the body in the place of the one before, whole: a client that sends a part of `model`,
    /// `voice` or `transcriber` loses the rest of it. Null clears a field.
    pub(super) fn patch(&self, state: &mut State, kind: &str, id: &str, body: Value) -> Answer {
        let flaws = flaws(kind, &body);
        if !flaws.is_empty() {
            return Err(Refusal::flaws(&flaws));
        }
        let now = self.clock.now();
        let object = shelf_mut(state, kind).get_mut(id).ok_or_else(|| missing(kind, id))?;
        let (Some(fields), Value::Object(changes)) = (object.as_object_mut(), body) else {
            return Err(Refusal::bad("The body is not an object."));
        };
        for (name, value) in changes.into_iter().filter(|(name, _)| !FIXED.contains(&name.as_str())) {
            if value.is_null() {
                fields.remove(&name);
            } else {
                fields.insert(name, value);
            }
        }
        fields.insert("updatedAt".into(), json!(rfc3339_millis(now)));
        Ok((StatusCode::OK, object.clone()))
    }

    pub(super) fn delete(state: &mut State, kind: &str, id: &str) -> Answer {
        let object = shelf_mut(state, kind).remove(id).ok_or_else(|| missing(kind, id))?;
        Ok((StatusCode::OK, object))
    }
}

/// Where the objects of a kind are: `assistant`, `tool`, else `credential`.
pub(super) fn shelf<'a>(state: &'a State, kind: &str) -> &'a BTreeMap<String, Value> {
    match kind {
        "assistant" => &state.assistants,
        "tool" => &state.tools,
        _ => &state.credentials,
    }
}

fn shelf_mut<'a>(state: &'a mut State, kind: &str) -> &'a mut BTreeMap<String, Value> {
    match kind {
        "assistant" => &mut state.assistants,
        "tool" => &mut state.tools,
        _ => &mut state.credentials,
    }
}

fn missing(what: &str, id: &str) -> Refusal {
    let what = match what {
        "assistant" => "Assistant",
        "tool" => "Tool",
        "credential" => "Credential",
        what => what,
    };
    Refusal::missing(format!("Couldn't Get {what}. `{id}` Does Not Exist."))
}

/// What is wrong with a body, in the words of Vapi's validation.
fn flaws(kind: &str, body: &Value) -> Vec<String> {
    let mut flaws: Vec<String> = long_name(body).into_iter().collect();
    if kind == "assistant" {
        flaws.extend(limit_flaw(body));
        let provider = &body["voice"]["provider"];
        if body["voice"].is_object() && !is_one_of(provider, &VOICE_PROVIDERS) {
            let list = VOICE_PROVIDERS.join(", ");
            flaws.push(format!("voice.provider must be one of the following values: {list}"));
        }
        let mut messages = body["serverMessages"].as_array().into_iter().flatten();
        if messages.any(|message| !is_one_of(message, &SERVER_MESSAGES)) {
            let list = SERVER_MESSAGES.join(", ");
            flaws.push(format!("each value in serverMessages must be one of the following values: {list}"));
        }
    }
    if kind == "tool" && body["function"]["name"].as_str().is_some_and(|name| !is_function_name(name)) {
        flaws.push("function.name must match /^[a-zA-Z0-9_-]{1,64}$/ regular expression".into());
    }
    flaws
}

fn is_one_of(value: &Value, known: &[&str]) -> bool {
    value.as_str().is_some_and(|text| known.contains(&text))
}

fn is_function_name(name: &str) -> bool {
    let is_plain = name.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-'));
    is_plain && (1..=64).contains(&name.len())
}

pub(super) fn long_name(body: &Value) -> Option<String> {
    let is_long = body["name"].as_str().is_some_and(|name| name.chars().count() > LONGEST_NAME);
    is_long.then(|| format!("name must be shorter than or equal to {LONGEST_NAME} characters"))
}

pub(super) fn limit_flaw(body: &Value) -> Option<String> {
    let limit = &body["maxDurationSeconds"];
    if limit.is_null() {
        return None;
    }
    let flaw = match limit.as_i64() {
        None => "maxDurationSeconds must be a number conforming to the specified constraints",
        Some(..10) => "maxDurationSeconds must not be less than 10",
        Some(43_201..) => "maxDurationSeconds must not be greater than 43200",
        Some(10..=43_200) => return None,
    };
    Some(flaw.into())
}
