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
    shape::Shape,
    shapes,
};

/// What a number that is none is refused with.
pub(super) const NOT_E164: &str = "customer.number must be a valid phone number in the E.164 format. Hot \
                                   tip, you may be missing the country code (Eg. US: +1).";
/// How the id of a voice begins that its provider does not have.
const NO_SUCH_VOICE: &str = "no-such-voice";
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
        let mut flaws = shapes::NUMBER.flaws(body);
        if PhoneNumber::parse(number).is_err() {
            flaws.push("number must be a valid phone number in the E.164 format".into());
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

    /// `PATCH /phone-number/{id}`. Credentials that do not open the number's account are refused, as at the import.
    pub(super) fn patch_number(&self, state: &mut State, id: &str, body: &Value) -> Answer {
        let number = state.numbers.get_mut(id).ok_or_else(|| missing("Phone Number", id))?;
        let flaws = shapes::NUMBER.flaws_of_changes(body);
        if !flaws.is_empty() {
            return Err(Refusal::flaws(&flaws));
        }
        if let Some(token) = body["twilioAuthToken"].as_str() {
            let known = number.twilio_account_sid.as_deref();
            let account = body["twilioAccountSid"].as_str().or(known).unwrap_or_default();
            if self.settings.twilio_owns.as_ref().is_some_and(|owns| !owns(account, token, &number.number)) {
                return Err(Refusal::bad("Number Not Found on Twilio."));
            }
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
        let flaws = shape(kind, &body).flaws(&body);
        if !flaws.is_empty() {
            return Err(Refusal::flaws(&flaws));
        }
        if let Some(missing) = missing_voice(&body) {
            return Err(missing);
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
        let there = shelf(state, kind).get(id).ok_or_else(|| missing(kind, id))?;
        let flaws = shape(kind, there).flaws_of_changes(&body);
        if !flaws.is_empty() {
            return Err(Refusal::flaws(&flaws));
        }
        if let Some(missing) = missing_voice(&body) {
            return Err(missing);
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

/// What such an object may have.
fn shape(kind: &str, body: &Value) -> Shape {
    match kind {
        "assistant" => shapes::ASSISTANT,
        "tool" => shapes::tool(body["type"].as_str().unwrap_or_default()),
        _ => shapes::CREDENTIAL,
    }
}

/// Only the provider of a voice knows whether there is one.
fn missing_voice(body: &Value) -> Option<Refusal> {
    let (provider, id) = (body["voice"]["provider"].as_str()?, body["voice"]["voiceId"].as_str()?);
    let providers = shapes::voice_providers();
    if !providers.contains(&provider) {
        let list = providers.join(", ");
        return Some(Refusal::flaws(&[format!(
            "voice.provider must be one of the following values: {list}"
        )]));
    }
    id.starts_with(NO_SUCH_VOICE)
        .then(|| Refusal::bad(format!("Couldn't Find {provider} Voice. Voice ID `{id}`.")))
}
