//! The life of a call: placed or dialled, answered, talked, ended, reported.

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use domain::{phone_number::PhoneNumber, time::rfc3339_millis};
use http::{Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Number, OUTBOUND_TALK_SECS, Post, State, Task, Then, Turn, VapiSandbox, conversation,
    objects::NOT_E164,
    record::{COST_USD, Call, OUTBOUND, analysis, artifact, call_json, call_record, transcript},
    rest::{Answer, Refusal},
    shapes,
};

/// How long from the answer to the first word.
const PICK_UP: SignedDuration = SignedDuration::from_secs(1);
/// How long the person we ring takes to pick up.
const OUTBOUND_PICK_UP: SignedDuration = SignedDuration::from_secs(2);
/// How long we let it ring.
const GIVE_UP: SignedDuration = SignedDuration::from_secs(25);
/// How long from the end of a call to its report.
const REPORT_DELAY: SignedDuration = SignedDuration::from_secs(2);
/// Vapi's `maxDurationSeconds` when nothing is said.
const DEFAULT_MAX_SECS: i64 = 600;
/// How many calls an org of Vapi's may have at a time by default (docs.vapi.ai, "Call concurrency").
const CONCURRENCY: usize = 10;
/// What is said of a call that comes when all of them are taken.
const NO_SLOT: &str = "call.start.error-subscription-concurrency-limit-reached";
const OVER_CONCURRENCY: &str =
    "Over Concurrency Limit. Your org has as many calls at a time as its plan allows.";
/// Rung by us, this one never picks up.
const NEVER_ANSWERS: &str = "+447700900199";
/// Rung by us, this one is busy.
const IS_BUSY: &str = "+447700900198";

/// A call to be placed.
#[derive(Clone, Debug, Deserialize)]
pub struct Placing {
    /// Our number, E.164.
    #[serde(default)]
    pub to: Option<String>,
    /// Who rings.
    #[serde(default = "default_caller")]
    pub from: String,
    /// How long the caller means to talk.
    pub talk_seconds: u32,
    /// A web call goes to an assistant, not to a number, and asks nothing before it begins.
    #[serde(default)]
    pub web_assistant_id: Option<String>,
    /// The assistant's own limit, for a web call.
    #[serde(default)]
    pub max_duration_seconds: Option<i64>,
    /// What the caller brings the assistant to do, one turn after the other.
    #[serde(default)]
    pub says: Vec<Turn>,
}

fn default_caller() -> String {
    "+447700900123".to_owned()
}

impl VapiSandbox {
    /// Places a call. Returns its id, or why it cannot be placed.
    ///
    /// # Errors
    /// When no such number was imported, or a web call finds all of the account's slots taken.
    pub fn place(&self, placing: &Placing) -> Result<String, String> {
        let now = self.clock.now();
        let id = self.entropy.uuid(now).to_string();
        let talk = i64::from(placing.talk_seconds);
        let mut state = self.lock();
        let is_full = state.free_slots() == 0;
        if let Some(assistant) = &placing.web_assistant_id {
            if is_full {
                return Err(OVER_CONCURRENCY.to_owned());
            }
            let mut call = self.ringing(&id, "webCall", &placing.from, talk);
            call.says.clone_from(&placing.says);
            call.assistant_id = Some(assistant.clone());
            call.max_duration_secs = Some(placing.max_duration_seconds.unwrap_or(DEFAULT_MAX_SECS));
            state.calls.insert(id.clone(), call);
            state.agenda.enter(now, Task::Start { call: id.clone() });
            return Ok(id);
        }
        let to = placing.to.as_deref().unwrap_or_default();
        PhoneNumber::parse(to).map_err(|error| format!("{to:?}: {error}"))?;
        // A carrier shows what it likes of a caller: "+266696687", where the number is withheld.
        let is_shown = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.len() <= 15;
        if !placing.from.strip_prefix('+').is_some_and(is_shown) {
            return Err(format!("{:?} is no number: +, then at most 15 digits", placing.from));
        }
        let Some(number) = state.numbers.values().find(|number| number.number == to).cloned() else {
            return Err(format!("{to} is not a number of this sandbox; ring one of its numbers, in E.164"));
        };
        let mut call = self.ringing(&id, "inboundPhoneCall", &placing.from, talk);
        call.says.clone_from(&placing.says);
        self.connect(&number, &call);
        call.phone_number_id = Some(number.id);
        // Our backend is asked neither about a call without a slot nor about a number that has its assistant.
        if is_full {
            state.agenda.enter(now, Task::End { call: id.clone(), reason: NO_SLOT.into() });
        } else if let Some(assistant) = number.assistant_id {
            call.max_duration_secs = Some(own_limit(&state, &assistant));
            call.assistant_id = Some(assistant);
            state.agenda.enter(now + PICK_UP, Task::Start { call: id.clone() });
        } else {
            state.agenda.enter(now, Task::Ask { call: id.clone() });
        }
        state.calls.insert(id.clone(), call);
        Ok(id)
    }

    /// `POST /call`: rings a person.
    pub(super) fn dial(&self, state: &mut State, body: &Value) -> Answer {
        let overrides = &body["assistantOverrides"];
        let to = body["customer"]["number"].as_str().filter(|number| PhoneNumber::parse(*number).is_ok());
        let mut flaws = shapes::CALL.flaws(body);
        if to.is_none() {
            flaws.push(NOT_E164.to_owned());
        }
        if !flaws.is_empty() {
            return Err(Refusal::flaws(&flaws));
        }
        let to = to.unwrap_or_default();
        let assistant_id = body["assistantId"].as_str();
        let assistant = match assistant_id {
            Some(id) => state.assistants.get(id).cloned(),
            None => Some(body["assistant"].clone()).filter(Value::is_object),
        };
        let missing =
            |what: &str, id: &str| Refusal::bad(format!("Couldn't Get {what}. `{id}` Does Not Exist."));
        let assistant =
            assistant.ok_or_else(|| missing("Assistant", assistant_id.unwrap_or("assistantId")))?;
        let number_id = body["phoneNumberId"].as_str().unwrap_or("phoneNumberId");
        let number =
            state.numbers.get(number_id).cloned().ok_or_else(|| missing("Phone Number", number_id))?;

        if state.free_slots() == 0 {
            return Err(Refusal::too_many(OVER_CONCURRENCY));
        }
        let now = self.clock.now();
        let id = self.entropy.uuid(now).to_string();
        let talk = i64::from(state.outbound_talk_secs.unwrap_or(OUTBOUND_TALK_SECS));
        let limits = [overrides, &assistant].map(|place| place["maxDurationSeconds"].as_i64());
        let limit = limits.into_iter().flatten().next().unwrap_or(DEFAULT_MAX_SECS);
        let call = Call {
            status: "queued".into(),
            phone_number_id: Some(number.id.clone()),
            assistant_id: assistant_id.map(str::to_owned),
            name: body["name"].as_str().map(str::to_owned),
            variables: body["assistantOverrides"]["variableValues"].clone(),
            metadata: Some(body["assistantOverrides"]["metadata"].clone()).filter(Value::is_object),
            max_duration_secs: Some(limit),
            ..self.ringing(&id, OUTBOUND, to, talk)
        };
        self.connect(&number, &call);
        let hooks = [&overrides["hooks"], &assistant["hooks"]].into_iter().find(|hooks| hooks.is_array());
        enter_hooks(state, &id, hooks, now + OUTBOUND_PICK_UP);
        state.agenda.enter(now, Task::Ring { call: id.clone() });
        let mut answer = call_record(&call);
        state.calls.insert(id, call);
        answer["subscriptionLimits"] = json!({"concurrencyBlocked": false, "concurrencyLimit": state.slots(),
            "remainingConcurrentCalls": state.free_slots()});
        Ok((StatusCode::CREATED, answer))
    }

    /// Tells the carrier of a call.
    fn connect(&self, number: &Number, call: &Call) {
        let account = number.twilio_account_sid.as_deref();
        let ids = account.zip(call.phone_call_provider_id.as_deref());
        if let (Some(hook), Some((account_sid, call_sid))) = (&self.settings.on_connect, ids) {
            hook(account_sid, call_sid);
        }
    }

    pub(super) fn ringing(&self, id: &str, kind: &str, from: &str, talk_secs: i64) -> Call {
        let bits = self.entropy.bits();
        Call {
            id: id.to_owned(),
            kind: kind.to_owned(),
            status: "ringing".into(),
            phone_number_id: None,
            assistant_id: None,
            variables: Value::Null,
            from: from.to_owned(),
            name: None,
            metadata: None,
            phone_call_provider_id: (kind != "webCall").then(|| carrier_sid(id)),
            created_at: self.clock.now(),
            started_at: None,
            ended_at: None,
            ended_reason: None,
            talk_secs,
            max_duration_secs: None,
            heard: Vec::new(),
            says: Vec::new(),
            used: Vec::new(),
            changed_at: None,
            answer_status: None,
            control: format!("{}/_sandbox/vapi/control/{id}-{bits:016x}", self.settings.control_base),
        }
    }

    pub(super) fn ask(&self, state: &mut State, id: &str) -> Option<Post> {
        let call = state.calls.get(id)?;
        let number = state.numbers.get(call.phone_number_id.as_deref()?)?;
        let body = json!({"message": {
            "type": "assistant-request",
            "timestamp": self.clock.now().as_millisecond(),
            "call": call_json(call),
            "phoneNumber": {"id": call.phone_number_id, "number": number.number, "provider": "twilio"},
            "customer": {"number": call.from},
        }});
        Some(Post { request: self.signed(&body.to_string()), then: Then::Answer { call: id.to_owned() } })
    }

    pub(super) fn answered(state: &mut State, id: &str, answer: Option<&Response<Bytes>>, now: Timestamp) {
        let fallback = state
            .calls
            .get(id)
            .and_then(|call| state.numbers.get(call.phone_number_id.as_deref()?))
            .and_then(|number| number.fallback.clone());
        let body: Value = answer
            .filter(|answer| answer.status() == StatusCode::OK)
            .and_then(|answer| serde_json::from_slice(answer.body()).ok())
            .unwrap_or_default();
        state.receive("ANSWER", "/api/vapi/webhook", &body);
        let own_limit = own_limit(state, body["assistantId"].as_str().unwrap_or_default());
        let is_invalid = body.is_object() && !shapes::ANSWER.flaws(&body).is_empty();
        let Some(call) = state.calls.get_mut(id) else { return };
        call.answer_status = answer.map(|answer| answer.status().as_u16());
        if let Some(sentence) = body["error"].as_str() {
            call.heard.push(sentence.to_owned());
            state.agenda.enter(
                now,
                Task::End { call: id.to_owned(), reason: "assistant-request-returned-error".into() },
            );
        } else if let (Some(assistant), false) = (body["assistantId"].as_str(), is_invalid) {
            call.assistant_id = Some(assistant.to_owned());
            let overrides = &body["assistantOverrides"];
            call.variables = overrides["variableValues"].clone();
            call.max_duration_secs = Some(overrides["maxDurationSeconds"].as_i64().unwrap_or(own_limit));
            enter_hooks(state, id, Some(&overrides["hooks"]), now + PICK_UP);
            state.agenda.enter(now + PICK_UP, Task::Start { call: id.to_owned() });
        } else if let (Some(number), false) = (body["destination"]["number"].as_str(), is_invalid) {
            call.heard.push(format!("(put through to {number})"));
            let reason = "assistant-request-returned-forwarding-phone-number".into();
            state.agenda.enter(now, Task::End { call: id.to_owned(), reason });
        } else {
            let heard = fallback.map(|number| format!("(put through to {number})"));
            call.heard.push(heard.unwrap_or_else(|| "Sorry, an error occurred.".to_owned()));
            let reason = if is_invalid {
                "assistant-request-returned-invalid-assistant"
            } else {
                "assistant-request-failed"
            };
            state.agenda.enter(now, Task::End { call: id.to_owned(), reason: reason.to_owned() });
        }
    }

    pub(super) fn ring(state: &mut State, id: &str, now: Timestamp) {
        let Some(call) = state.calls.get_mut(id).filter(|call| call.status == "queued") else { return };
        call.status = "ringing".into();
        let call = call.clone();
        let body = json!({"message": {"type": "status-update", "status": "ringing",
            "timestamp": now.as_millisecond(), "call": call_json(&call)}});
        Self::deliver(state, "status-update:ringing", &body, now);
        let end = |reason: &str| Task::End { call: id.to_owned(), reason: reason.to_owned() };
        let (wait, task) = match call.from.as_str() {
            NEVER_ANSWERS => (GIVE_UP, end("customer-did-not-answer")),
            IS_BUSY => (OUTBOUND_PICK_UP, end("customer-busy")),
            _ => (OUTBOUND_PICK_UP, Task::Start { call: id.to_owned() }),
        };
        state.agenda.enter(now + wait, task);
    }

    pub(super) fn start(state: &mut State, id: &str, now: Timestamp) {
        let Some(call) = state.calls.get_mut(id).filter(|call| call.status == "ringing") else { return };
        call.status = "in-progress".into();
        call.started_at = Some(now);
        let assistant = call.assistant_id.as_ref().and_then(|id| state.assistants.get(id));
        let first = assistant.and_then(|assistant| assistant["firstMessage"].as_str());
        let first = first.map(|first| filled_in(first, &call.variables));
        call.heard.push(first.unwrap_or_else(|| "Hello, how can I help you?".to_owned()));
        let limit = SignedDuration::from_secs(call.max_duration_secs.unwrap_or(DEFAULT_MAX_SECS));
        let (talk, call) = (SignedDuration::from_secs(call.talk_secs), call.clone());
        conversation::begin(state, id, now);
        state
            .agenda
            .enter(now + talk, Task::End { call: id.to_owned(), reason: "customer-ended-call".into() });
        state
            .agenda
            .enter(now + limit, Task::End { call: id.to_owned(), reason: "exceeded-max-duration".into() });
        let body = json!({"message": {"type": "status-update", "status": "in-progress",
            "timestamp": now.as_millisecond(), "startedAt": rfc3339_millis(now), "call": call_json(&call)}});
        Self::deliver(state, "status-update:in-progress", &body, now);
    }

    pub(super) fn end(state: &mut State, id: &str, reason: &str, now: Timestamp) {
        let Some(call) = state.calls.get_mut(id).filter(|call| call.status != "ended") else { return };
        call.status = "ended".into();
        call.ended_at = Some(now);
        call.ended_reason = Some(reason.to_owned());
        let call = call.clone();
        let body = json!({"message": {"type": "status-update", "status": "ended", "endedReason": reason,
            "timestamp": now.as_millisecond(), "call": call_json(&call)}});
        Self::deliver(state, "status-update:ended", &body, now);
        state.agenda.enter(now + REPORT_DELAY, Task::Report { call: id.to_owned() });
    }

    /// The assistant puts the caller through: the call goes on on another line for so many seconds, and then is over. One that is not
    /// talked on stays as it is.
    pub fn put_through(&self, id: &str, secs: u32) {
        let now = self.clock.now();
        let mut state = self.lock();
        let Some(call) = state.calls.get_mut(id).filter(|call| call.status == "in-progress") else { return };
        call.status = "forwarding".into();
        let body = json!({"message": {"type": "status-update", "status": "forwarding",
            "timestamp": now.as_millisecond(), "call": call_json(call)}});
        Self::deliver(&mut state, "status-update:forwarding", &body, now);
        let reason = "assistant-forwarded-call".to_owned();
        let over = now + SignedDuration::from_secs(secs.into());
        state.agenda.enter(over, Task::End { call: id.to_owned(), reason });
    }

    /// Vapi changes its record of a call that is over: it lasted so many seconds after all. Returns whether there is such a call.
    pub fn change_record(&self, id: &str, secs: u32) -> bool {
        let now = self.clock.now();
        let mut state = self.lock();
        let Some(call) = state.calls.get_mut(id).filter(|call| call.status == "ended") else { return false };
        let Some(started_at) = call.started_at else { return false };
        call.ended_at = Some(started_at + SignedDuration::from_secs(secs.into()));
        call.changed_at = Some(now);
        true
    }

    pub(super) fn report(state: &mut State, id: &str, now: Timestamp) {
        let Some(call) = state.calls.get(id).cloned() else { return };
        let talked = call.started_at.zip(call.ended_at).map(|(start, end)| end.duration_since(start));
        let millis = talked.map_or(0, |talked| talked.as_millis());
        let mut message = json!({"type": "end-of-call-report", "timestamp": now.as_millisecond(),
            "endedReason": call.ended_reason, "endedAt": call.ended_at.map(rfc3339_millis),
            "durationMs": i64::try_from(millis).unwrap_or_default(), "cost": COST_USD,
            "transcript": transcript(&call), "analysis": analysis(), "artifact": artifact(&call),
            "call": call_json(&call)});
        if let Some(started_at) = call.started_at {
            message["startedAt"] = json!(rfc3339_millis(started_at));
        }
        Self::deliver(state, "end-of-call-report", &json!({ "message": message }), now);
    }

    fn deliver(state: &mut State, label: &str, body: &Value, now: Timestamp) {
        for _ in 0..=state.faults.extra_copies {
            let task = Task::Deliver { label: label.to_owned(), body: body.to_string(), attempt: 0 };
            state.agenda.enter(now, task);
        }
    }
}

impl State {
    fn slots(&self) -> usize {
        self.slots.unwrap_or(CONCURRENCY)
    }

    /// How many more calls the account may have now.
    fn free_slots(&self) -> usize {
        let live = self.calls.values().filter(|call| call.status != "ended").count();
        self.slots().saturating_sub(live)
    }
}

/// The carrier's SID of a call: `CA` and 32 hexadecimal digits.
fn carrier_sid(id: &str) -> String {
    let digits: String = hex::encode(digest(&SHA256, id.as_bytes())).chars().take(32).collect();
    format!("CA{digits}")
}

/// The limit that an assistant has of its own.
fn own_limit(state: &State, assistant: &str) -> i64 {
    let own = state.assistants.get(assistant).and_then(|assistant| assistant["maxDurationSeconds"].as_i64());
    own.unwrap_or(DEFAULT_MAX_SECS)
}

/// Enters the sentences that hooks say after so many seconds of talk.
fn enter_hooks(state: &mut State, id: &str, hooks: Option<&Value>, picked_up_at: Timestamp) {
    for hook in hooks.and_then(Value::as_array).into_iter().flatten() {
        let after = hook["options"]["seconds"].as_i64().unwrap_or_default();
        let sentence = hook["do"][0]["exact"].as_str().unwrap_or_default().to_owned();
        let at = picked_up_at + SignedDuration::from_secs(after);
        state.agenda.enter(at, Task::Say { call: id.to_owned(), sentence });
    }
}

/// A text with what stands in two braces filled in: a name's value, or what `default` says (docs.vapi.ai, "Dynamic variables").
fn filled_in(text: &str, variables: &Value) -> String {
    let mut said = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        said.push_str(before);
        let Some((inside, after)) = after.split_once("}}") else { break };
        let (name, filter) = inside.split_once('|').unwrap_or((inside, ""));
        let value = variables[name.trim()].as_str().filter(|value| !value.is_empty());
        let default = filter.split('"').nth(1).unwrap_or_default();
        said.push_str(value.unwrap_or(default));
        rest = after;
    }
    said.push_str(rest);
    said
}
