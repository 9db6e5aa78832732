//! Vapi: places calls and plays them through, posts what Vapi posts, takes the commands a live call takes, and
//! answers the REST calls we make. The real `@vapi-ai/server-sdk` can talk to it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    domain::{
        clock::{Clock, rfc3339_millis},
        entropy::Entropy,
        phone_number::PhoneNumber,
    },
    providers::{
        signature::hmac_sha256,
        vapi::{SIGNATURE_HEADER, TIMESTAMP_HEADER},
    },
};

use super::{
    agenda::Agenda,
    kept::{Guard, Kept},
};

/// How long from the answer to the first word.
const PICK_UP: SignedDuration = SignedDuration::from_secs(1);
/// How long from the end of a call to its report.
const REPORT_DELAY: SignedDuration = SignedDuration::from_secs(2);
/// Vapi's `maxDurationSeconds` when nothing is said.
const DEFAULT_MAX_SECS: i64 = 600;
/// Retries as our `backoffPlan` asks for: exponential from one second.
const MAX_RETRIES: u32 = 6;

/// The sandbox.
#[derive(Debug)]
pub struct VapiSandbox {
    state: Kept<State>,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
    settings: Settings,
}

/// What the sandbox must know of the world around it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The key its REST API takes.
    pub api_key: String,
    /// What it signs with.
    pub webhook_secret: String,
    /// `http://127.0.0.1:3000`: where its control URLs point to.
    pub control_base: String,
    /// The file its state outlives the process in.
    pub kept_in: Option<PathBuf>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    calls: BTreeMap<String, Call>,
    numbers: BTreeMap<String, Number>,
    agenda: Agenda<Task>,
    #[serde(skip)]
    faults: Faults,
}

/// What goes wrong on purpose.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Message types that are never delivered: `end-of-call-report`, `status-update:in-progress`, …
    pub lost: BTreeSet<String>,
    /// Every message is delivered this many times more.
    pub extra_copies: u32,
    /// `end-call` is accepted and nothing happens.
    pub ignores_end_call: bool,
    /// The REST API answers 503.
    pub rest_is_down: bool,
}

/// A number that was imported.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Number {
    /// E.164.
    pub number: String,
    /// Rung when our webhook does not answer.
    pub fallback: Option<String>,
}

/// A call, as `GET /_sandbox/vapi/calls/{id}` shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Call {
    /// Its id.
    pub id: String,
    /// `inboundPhoneCall`, `webCall`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `ringing`, `in-progress`, `ended`.
    pub status: String,
    /// Our number's id.
    pub phone_number_id: Option<String>,
    /// Who talks.
    pub assistant_id: Option<String>,
    /// Who rang.
    pub from: String,
    /// When it rang.
    #[serde(with = "shared::domain::clock::millis")]
    pub created_at: Timestamp,
    /// When they began to talk.
    #[serde(with = "shared::domain::clock::millis::option")]
    pub started_at: Option<Timestamp>,
    /// When it was over.
    #[serde(with = "shared::domain::clock::millis::option")]
    pub ended_at: Option<Timestamp>,
    /// Why.
    pub ended_reason: Option<String>,
    /// How long the caller means to talk.
    pub talk_secs: i64,
    /// The limit it was given, in seconds.
    pub max_duration_secs: Option<i64>,
    /// What the caller heard, in order.
    pub heard: Vec<String>,
    /// How we answered the assistant-request.
    pub answer_status: Option<u16>,
    control: String,
}

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
    /// A web call goes to an assistant, not to a number, and asks nobody.
    #[serde(default)]
    pub web_assistant_id: Option<String>,
    /// The assistant's own limit, for a web call.
    #[serde(default)]
    pub max_duration_seconds: Option<i64>,
}

fn default_caller() -> String {
    "+447700900123".to_owned()
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Task {
    /// Ask our webhook whether the call may start.
    Ask { call: String },
    /// They begin to talk.
    Start { call: String },
    /// Say a hook's sentence.
    Say { call: String, sentence: String },
    /// The call ends for this reason, if it has not yet.
    End { call: String, reason: String },
    /// Post the report.
    Report { call: String },
    /// Post a message.
    Deliver { label: String, body: String, attempt: u32 },
}

/// What a step needs posted, before the sandbox can go on.
#[derive(Debug)]
pub struct Post {
    /// The signed request, for `/api/vapi/webhook`.
    pub request: Request<Bytes>,
    then: Then,
}

#[derive(Debug)]
enum Then {
    Answer { call: String },
    Delivered { label: String, body: String, attempt: u32 },
}

impl VapiSandbox {
    /// An empty one.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>, entropy: Arc<Entropy>) -> Self {
        Self { state: Kept::open(settings.kept_in.clone()), clock, entropy, settings }
    }

    fn lock(&self) -> Guard<'_, State> {
        self.state.lock()
    }

    /// Adds a number, as if it had been imported.
    pub fn add_number(&self, id: &str, number: &str, fallback: Option<&str>) {
        let number = Number { number: number.to_owned(), fallback: fallback.map(str::to_owned) };
        self.lock().numbers.insert(id.to_owned(), number);
    }

    /// Adds a call that is over, for look-ups.
    pub fn add_past_call(&self, id: &str, started_at: Option<Timestamp>, ended_at: Timestamp) {
        let call = Call {
            status: "ended".into(),
            started_at,
            ended_at: Some(ended_at),
            ended_reason: Some("customer-ended-call".into()),
            ..self.ringing(id, "inboundPhoneCall", "+15550000000", 0)
        };
        self.lock().calls.insert(id.to_owned(), call);
    }

    /// Changes what goes wrong.
    pub fn with_faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.lock().faults);
    }

    /// Places a call; answers its id, or why it cannot be placed.
    ///
    /// # Errors
    /// When no such number was imported.
    pub fn place(&self, placing: &Placing) -> Result<String, String> {
        let now = self.clock.now();
        let id = self.entropy.uuid(now).to_string();
        let talk = i64::from(placing.talk_seconds);
        let mut state = self.lock();
        if let Some(assistant) = &placing.web_assistant_id {
            let mut call = self.ringing(&id, "webCall", &placing.from, talk);
            call.assistant_id = Some(assistant.clone());
            call.max_duration_secs = Some(placing.max_duration_seconds.unwrap_or(DEFAULT_MAX_SECS));
            state.calls.insert(id.clone(), call);
            state.agenda.enter(now, Task::Start { call: id.clone() });
            return Ok(id);
        }
        let to = placing.to.as_deref().unwrap_or_default();
        for number in [to, &placing.from] {
            PhoneNumber::parse(number).map_err(|error| format!("{number:?}: {error}"))?;
        }
        let number = state.numbers.iter().find(|(_, number)| number.number == to);
        let Some((number_id, _)) = number else {
            return Err(format!("{to} is not a number of this sandbox; ring one of its numbers, in E.164"));
        };
        let number_id = number_id.clone();
        let mut call = self.ringing(&id, "inboundPhoneCall", &placing.from, talk);
        call.phone_number_id = Some(number_id);
        state.calls.insert(id.clone(), call);
        state.agenda.enter(now, Task::Ask { call: id.clone() });
        Ok(id)
    }

    fn ringing(&self, id: &str, kind: &str, from: &str, talk_secs: i64) -> Call {
        Call {
            id: id.to_owned(),
            kind: kind.to_owned(),
            status: "ringing".into(),
            phone_number_id: None,
            assistant_id: None,
            from: from.to_owned(),
            created_at: self.clock.now(),
            started_at: None,
            ended_at: None,
            ended_reason: None,
            talk_secs,
            max_duration_secs: None,
            heard: Vec::new(),
            answer_status: None,
            control: format!(
                "{}/_sandbox/vapi/control/{id}-{:016x}",
                self.settings.control_base,
                self.entropy.bits()
            ),
        }
    }

    /// A call, if there is one.
    pub fn call(&self, id: &str) -> Option<Call> {
        self.lock().calls.get(id).cloned()
    }

    /// When the sandbox next does something by itself.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.lock().agenda.next_due()
    }

    /// Does the next thing that is due. Answers the post it leads to, if it leads to one; [`VapiSandbox::posted`]
    /// takes the outcome. None when nothing is due.
    pub fn step(&self) -> Option<Option<Post>> {
        let now = self.clock.now();
        let mut state = self.lock();
        // Looked at before it is touched: what is touched is written to disk.
        state.agenda.next_due().filter(|due| *due <= now)?;
        let task = state.agenda.take_due(now)?;
        Some(match task {
            Task::Ask { call } => self.ask(&mut state, &call),
            Task::Start { call } => {
                Self::start(&mut state, &call, now);
                None
            }
            Task::Say { call, sentence } => {
                if let Some(call) = state.calls.get_mut(&call).filter(|call| call.status == "in-progress") {
                    call.heard.push(sentence);
                }
                None
            }
            Task::End { call, reason } => {
                Self::end(&mut state, &call, &reason, now);
                None
            }
            Task::Report { call } => {
                Self::report(&mut state, &call, now);
                None
            }
            Task::Deliver { label, body, attempt } => {
                let lost = state.faults.lost.contains(&label);
                (!lost).then(|| Post {
                    request: self.signed(&body),
                    then: Then::Delivered { label, body, attempt },
                })
            }
        })
    }

    /// Takes the outcome of a post: the answer, or none when none came in time.
    pub fn posted(&self, then: Post, answer: Option<&Response<Bytes>>) {
        let now = self.clock.now();
        let mut state = self.lock();
        match then.then {
            Then::Answer { call } => Self::answered(&mut state, &call, answer, now),
            Then::Delivered { label, body, attempt } => {
                let taken = answer.is_some_and(|answer| answer.status().is_success());
                if !taken && attempt < MAX_RETRIES {
                    let wait = SignedDuration::from_secs(1_i64.checked_shl(attempt).unwrap_or(60));
                    let attempt = attempt.saturating_add(1);
                    state.agenda.enter(now + wait, Task::Deliver { label, body, attempt });
                }
            }
        }
    }

    fn ask(&self, state: &mut State, id: &str) -> Option<Post> {
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

    fn answered(state: &mut State, id: &str, answer: Option<&Response<Bytes>>, now: Timestamp) {
        let fallback = state
            .calls
            .get(id)
            .and_then(|call| state.numbers.get(call.phone_number_id.as_deref()?))
            .and_then(|number| number.fallback.clone());
        let Some(call) = state.calls.get_mut(id) else { return };
        call.answer_status = answer.map(|answer| answer.status().as_u16());
        let body: Value = answer
            .filter(|answer| answer.status() == StatusCode::OK)
            .and_then(|answer| serde_json::from_slice(answer.body()).ok())
            .unwrap_or_default();
        if let Some(sentence) = body["error"].as_str() {
            call.heard.push(sentence.to_owned());
            state.agenda.enter(
                now,
                Task::End { call: id.to_owned(), reason: "assistant-request-returned-error".into() },
            );
        } else if let Some(assistant) = body["assistantId"].as_str() {
            call.assistant_id = Some(assistant.to_owned());
            let overrides = &body["assistantOverrides"];
            call.max_duration_secs =
                Some(overrides["maxDurationSeconds"].as_i64().unwrap_or(DEFAULT_MAX_SECS));
            for hook in overrides["hooks"].as_array().into_iter().flatten() {
                let after = hook["options"]["seconds"].as_i64().unwrap_or_default();
                let sentence = hook["do"][0]["exact"].as_str().unwrap_or_default().to_owned();
                let at = now + PICK_UP + SignedDuration::from_secs(after);
                state.agenda.enter(at, Task::Say { call: id.to_owned(), sentence });
            }
            state.agenda.enter(now + PICK_UP, Task::Start { call: id.to_owned() });
        } else if let Some(number) = fallback {
            call.heard.push(format!("(put through to {number})"));
            state
                .agenda
                .enter(now, Task::End { call: id.to_owned(), reason: "assistant-request-failed".into() });
        } else {
            call.heard.push("Sorry, an error occurred.".to_owned());
            state
                .agenda
                .enter(now, Task::End { call: id.to_owned(), reason: "assistant-request-failed".into() });
        }
    }

    fn start(state: &mut State, id: &str, now: Timestamp) {
        let Some(call) = state.calls.get_mut(id).filter(|call| call.status == "ringing") else { return };
        call.status = "in-progress".into();
        call.started_at = Some(now);
        call.heard.push("Hello, how can I help you?".to_owned());
        let limit = SignedDuration::from_secs(call.max_duration_secs.unwrap_or(DEFAULT_MAX_SECS));
        let (talk, call) = (SignedDuration::from_secs(call.talk_secs), call.clone());
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

    fn end(state: &mut State, id: &str, reason: &str, now: Timestamp) {
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

    fn report(state: &mut State, id: &str, now: Timestamp) {
        let Some(call) = state.calls.get(id).cloned() else { return };
        let talked = call.started_at.zip(call.ended_at).map(|(start, end)| end.duration_since(start));
        let millis = talked.map_or(0, |talked| talked.as_millis());
        let mut message = json!({"type": "end-of-call-report", "timestamp": now.as_millisecond(),
            "endedReason": call.ended_reason, "endedAt": call.ended_at.map(rfc3339_millis),
            "durationMs": i64::try_from(millis).unwrap_or_default(), "cost": 0.0394,
            "transcript": format!("AI: {}", call.heard.join("\nAI: ")),
            "analysis": {"summary": "The caller asked about an appointment.", "successEvaluation": "true"},
            "artifact": {"messages": [], "recordingUrl": format!("https://storage.example.test/{id}.wav")},
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

    /// A body, signed as a Vapi webhook credential signs it.
    pub fn signed(&self, body: &str) -> Request<Bytes> {
        let stamp = self.clock.now().as_millisecond().to_string();
        let tag = hmac_sha256(
            &self.settings.webhook_secret.as_str().into(),
            &[stamp.as_bytes(), b".", body.as_bytes()],
        );
        let mut request = Request::new(Bytes::from(body.to_owned()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = http::Uri::from_static("/api/vapi/webhook");
        let headers = request.headers_mut();
        headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
        for (name, value) in [(SIGNATURE_HEADER, hex::encode(tag)), (TIMESTAMP_HEADER, stamp)] {
            if let Ok(value) = http::HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        request
    }

    /// Answers what we ask Vapi: `GET /call`, `GET /call/{id}`, and a live call's commands.
    pub fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let path = request.uri().path();
        if let Some(control) = path.strip_prefix("/_sandbox/vapi/control/") {
            return self.command(control, request.body());
        }
        if self.lock().faults.rest_is_down {
            return refuse(StatusCode::SERVICE_UNAVAILABLE, "Service unavailable");
        }
        let bearer = request.headers().get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        if bearer.and_then(|value| value.strip_prefix("Bearer ")) != Some(self.settings.api_key.as_str()) {
            return refuse(
                StatusCode::UNAUTHORIZED,
                "Invalid Key. Hot tip, you may be using the public key instead of the private key, or vice versa.",
            );
        }
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (request.method(), segments.as_slice()) {
            (&Method::GET, ["call", id]) => match self.lock().calls.get(*id) {
                Some(call) => reply(StatusCode::OK, &call_record(call)),
                None => refuse(StatusCode::NOT_FOUND, "Call not found."),
            },
            (&Method::GET, ["call"]) => reply(StatusCode::OK, &json!(self.list(request.uri().query()))),
            _ => refuse(StatusCode::NOT_FOUND, "Cannot find this route in the sandbox."),
        }
    }

    /// `GET /call`: the newest first, filtered as Vapi documents.
    fn list(&self, query: Option<&str>) -> Vec<Value> {
        let query: BTreeMap<String, String> =
            url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
        let limit = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(100);
        let is_same = |name: &str, value: Option<&str>| {
            query.get(name).is_none_or(|wanted| value == Some(wanted.as_str()))
        };
        let bound = |name: &str| query.get(name).and_then(|text| text.parse::<Timestamp>().ok());
        let state = self.lock();
        let wanted = state.calls.values().rev().filter(|call| {
            is_same("id", Some(&call.id))
                && is_same("assistantId", call.assistant_id.as_deref())
                && is_same("phoneNumberId", call.phone_number_id.as_deref())
                && bound("createdAtGt").is_none_or(|at| call.created_at > at)
                && bound("createdAtGe").is_none_or(|at| call.created_at >= at)
                && bound("createdAtLt").is_none_or(|at| call.created_at < at)
                && bound("createdAtLe").is_none_or(|at| call.created_at <= at)
        });
        wanted.take(limit).map(call_record).collect()
    }

    fn command(&self, control: &str, body: &[u8]) -> Response<Bytes> {
        let now = self.clock.now();
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let mut state = self.lock();
        let ignores_end_call = state.faults.ignores_end_call;
        let Some(call) =
            state.calls.values_mut().find(|call| call.control.ends_with(control) && call.status != "ended")
        else {
            return refuse(StatusCode::NOT_FOUND, "Call is not in progress.");
        };
        match body["type"].as_str() {
            Some("say") => {
                call.heard.push(body["content"].as_str().unwrap_or_default().to_owned());
                if body["endCallAfterSpoken"] == true {
                    let call = call.id.clone();
                    state.agenda.enter(now, Task::End { call, reason: "assistant-ended-call".into() });
                }
            }
            Some("end-call") if ignores_end_call => {}
            Some("end-call") => {
                let call = call.id.clone();
                state.agenda.enter(now, Task::End { call, reason: "manually-canceled".into() });
            }
            _ => return refuse(StatusCode::BAD_REQUEST, "type must be one of: say, end-call"),
        }
        reply(StatusCode::OK, &json!({}))
    }
}

/// The call inside a message: a snapshot from its creation, as Vapi sends it.
fn call_json(call: &Call) -> Value {
    let mut json = json!({
        "id": call.id, "orgId": "sandbox", "type": call.kind, "status": "ringing",
        "createdAt": rfc3339_millis(call.created_at), "updatedAt": rfc3339_millis(call.created_at),
        "phoneNumberId": call.phone_number_id, "assistantId": call.assistant_id, "customer": {"number": call.from},
    });
    if call.started_at.is_some() {
        json["monitor"] = json!({ "controlUrl": call.control });
    }
    json
}

/// The call as `GET /call/{id}` shows it.
fn call_record(call: &Call) -> Value {
    let mut json = call_json(call);
    json["status"] = json!(call.status);
    json["startedAt"] = json!(call.started_at.map(rfc3339_millis));
    json["endedAt"] = json!(call.ended_at.map(rfc3339_millis));
    json["endedReason"] = json!(call.ended_reason);
    let updated_at = call.ended_at.or(call.started_at).unwrap_or(call.created_at);
    json["updatedAt"] = json!(rfc3339_millis(updated_at));
    if let Some(fields) = json.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    json
}

fn reply(status: StatusCode, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/json; charset=utf-8"),
    );
    response
}

fn refuse(status: StatusCode, message: &str) -> Response<Bytes> {
    reply(
        status,
        &json!({"message": message, "error": status.canonical_reason(), "statusCode": status.as_u16()}),
    )
}
