//! Vapi: places calls and plays them through, posts what Vapi posts, takes the commands a live call takes, and
//! answers the REST calls we make. The real `@vapi-ai/server-sdk` can talk to it.

mod calls;
mod conversation;
mod objects;
mod record;
mod rest;
mod shape;
mod shapes;
mod storage;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    path::PathBuf,
    sync::Arc,
};

use base::clock::Clock;
use base::entropy::Entropy;
use bytes::Bytes;
use http::{Method, Request, Response};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vendors::{
    signature::hmac_sha256,
    vapi::{SIGNATURE_HEADER, TIMESTAMP_HEADER},
};

use super::{
    agenda::Agenda,
    kept::{Guard, Kept},
};

pub use calls::Placing;
pub use conversation::Turn;
pub use objects::Number;
pub use record::Call;

/// Retries as our `backoffPlan` asks for: exponential from one second.
const MAX_RETRIES: u32 = 6;
/// How long the person we ring means to talk, when nothing is said.
const OUTBOUND_TALK_SECS: u32 = 30;

/// Whether the account that a token opens has a number: account SID, token, number.
pub type TwilioOwns = Arc<dyn Fn(&str, &str, &str) -> bool + Send + Sync>;

/// Told of each call that begins at the carrier: account SID, call SID.
pub type OnConnect = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// The sandbox.
#[derive(Debug)]
pub struct VapiSandbox {
    state: Kept<State>,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
    settings: Settings,
}

/// What the sandbox must know of the platform around it.
#[derive(Clone)]
pub struct Settings {
    /// The key its REST API takes.
    pub api_key: String,
    /// What it signs with.
    pub webhook_secret: String,
    /// `http://127.0.0.1:3000`: where its control URLs point to.
    pub control_base: String,
    /// The file its state outlives the process in.
    pub kept_in: Option<PathBuf>,
    /// Asked when a number is imported. Without it, every number is believed.
    pub twilio_owns: Option<TwilioOwns>,
    /// Told of each call on a number that has a Twilio account.
    pub on_connect: Option<OnConnect>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("control_base", &self.control_base).finish_non_exhaustive()
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    calls: BTreeMap<String, Call>,
    numbers: BTreeMap<String, Number>,
    assistants: BTreeMap<String, Value>,
    tools: BTreeMap<String, Value>,
    credentials: BTreeMap<String, Value>,
    outbound_talk_secs: Option<u32>,
    /// How many calls the account may have at a time, where that is not the usual.
    #[serde(default)]
    slots: Option<usize>,
    agenda: Agenda<Task>,
    #[serde(skip)]
    faults: Faults,
    #[serde(skip)]
    received: VecDeque<Received>,
}

/// How many bodies are kept.
const MOST_RECEIVED: usize = 400;

/// A body of ours that came here, whether it was taken or refused.
#[derive(Clone, Debug)]
pub struct Received {
    /// The method of the request; `ANSWER` where it is the answer to an assistant-request.
    pub method: String,
    /// The path that it came to; `/control` for the commands of a live call.
    pub path: String,
    /// What it said.
    pub body: Value,
}

impl State {
    fn receive(&mut self, method: &str, path: &str, body: &Value) {
        if self.received.len() >= MOST_RECEIVED {
            self.received.pop_front();
        }
        let (method, path) = (method.to_owned(), path.to_owned());
        self.received.push_back(Received { method, path, body: body.clone() });
    }
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
    /// The REST API shows calls as they were so many seconds ago.
    pub shows_old_secs: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Task {
    /// Ask our webhook whether the call may start.
    Ask { call: String },
    /// A call of ours rings.
    Ring { call: String },
    /// They begin to talk.
    Start { call: String },
    /// Say a hook's sentence.
    Say { call: String, sentence: String },
    /// The caller says something, and the assistant uses a tool.
    Turn { call: String, place: usize, repeat: u32 },
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

impl Post {
    /// What is said.
    pub fn body(&self) -> &[u8] {
        self.request.body()
    }

    /// Whether a caller waits for the answer, on the phone.
    pub const fn is_question(&self) -> bool {
        match self.then {
            Then::Answer { .. } | Then::Result { .. } => true,
            Then::Delivered { .. } => false,
        }
    }
}

#[derive(Debug)]
enum Then {
    Answer { call: String },
    Result { call: String, place: usize, repeat: u32, tool_call: String },
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
        let number = Number {
            id: id.to_owned(),
            number: number.to_owned(),
            twilio_account_sid: None,
            name: None,
            server: None,
            fallback: fallback.map(str::to_owned),
            sms_enabled: true,
            assistant_id: None,
            created_at: self.clock.now(),
        };
        self.lock().numbers.insert(id.to_owned(), number);
    }

    /// Adds a call that is over, for look-ups.
    pub fn add_past_call(&self, id: &str, started_at: Option<Timestamp>, ended_at: Timestamp) {
        self.add_ended_call(id, started_at, ended_at, "customer-ended-call");
    }

    /// The same, for a call that ended for this reason.
    pub fn add_ended_call(&self, id: &str, started_at: Option<Timestamp>, ended_at: Timestamp, reason: &str) {
        let call = Call {
            status: "ended".into(),
            started_at,
            ended_at: Some(ended_at),
            ended_reason: Some(reason.to_owned()),
            created_at: started_at.unwrap_or(ended_at),
            ..self.ringing(id, "inboundPhoneCall", "+15550000000", 0)
        };
        self.lock().calls.insert(id.to_owned(), call);
    }

    /// Changes what goes wrong.
    pub fn with_faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.lock().faults);
    }

    /// Decides how long the person we ring means to talk, from the next call on.
    pub fn set_outbound_talk_secs(&self, secs: u32) {
        self.lock().outbound_talk_secs = Some(secs);
    }

    /// Decides how many calls the account may have at a time, from the next call on.
    pub fn set_slots(&self, slots: usize) {
        self.lock().slots = Some(slots);
    }

    /// An assistant, if there is one.
    pub fn assistant(&self, id: &str) -> Option<Value> {
        self.lock().assistants.get(id).cloned()
    }

    /// All assistants, by their ids.
    pub fn assistants(&self) -> Vec<Value> {
        self.lock().assistants.values().cloned().collect()
    }

    /// Every call there is or was, by their ids.
    pub fn calls(&self) -> Vec<Call> {
        self.lock().calls.values().cloned().collect()
    }

    /// Whether any call rings or is talked on.
    pub fn is_busy(&self) -> bool {
        self.lock().calls.values().any(|call| call.status != "ended")
    }

    /// The calls that we started, oldest first.
    pub fn outbound_calls(&self) -> Vec<Call> {
        self.lock().calls.values().filter(|call| call.kind == "outboundPhoneCall").cloned().collect()
    }

    /// Removes an assistant, as an operator may in Vapi's dashboard.
    pub fn remove_assistant(&self, id: &str) {
        self.lock().assistants.remove(id);
    }

    /// Removes a number, as an operator may in Vapi's dashboard.
    pub fn remove_number(&self, number: &str) {
        self.lock().numbers.retain(|_, imported| imported.number != number);
    }

    /// All numbers, by their ids, as the REST API shows them.
    pub fn numbers(&self) -> Vec<Value> {
        self.lock().numbers.values().map(Number::json).collect()
    }

    /// All tools, by their ids.
    pub fn tools(&self) -> Vec<Value> {
        self.lock().tools.values().cloned().collect()
    }

    /// All credentials, by their ids, without what is secret in them.
    pub fn credentials(&self) -> Vec<Value> {
        self.lock().credentials.values().cloned().collect()
    }

    /// The bodies that came from us, oldest first; the last 400 of this process.
    pub fn received(&self) -> Vec<Received> {
        self.lock().received.iter().cloned().collect()
    }

    /// A call, if there is one.
    pub fn call(&self, id: &str) -> Option<Call> {
        self.lock().calls.get(id).cloned()
    }

    /// The carrier hung a call up. One that is over, or unknown, stays as it is.
    pub fn carrier_ended(&self, call_sid: &str) {
        let now = self.clock.now();
        let mut state = self.lock();
        let is_it =
            |call: &&Call| call.phone_call_provider_id.as_deref() == Some(call_sid) && call.status != "ended";
        let live = state.calls.values().find(is_it).map(|call| call.id.clone());
        if let Some(call) = live {
            state.agenda.enter(now, Task::End { call, reason: "customer-ended-call".into() });
        }
    }

    /// When the sandbox next does something by itself.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.lock().agenda.next_due()
    }

    /// Does the next thing that is due. Returns the post it leads to, if it leads to one; [`VapiSandbox::posted`]
    /// takes the outcome. None when nothing is due.
    pub fn step(&self) -> Option<Option<Post>> {
        let now = self.clock.now();
        let mut state = self.lock();
        // Looked at before it is touched: what is touched is written to disk.
        state.agenda.next_due().filter(|due| *due <= now)?;
        let task = state.agenda.take_due(now)?;
        Some(match task {
            Task::Ask { call } => self.ask(&mut state, &call),
            Task::Ring { call } => {
                Self::ring(&mut state, &call, now);
                None
            }
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
            Task::Turn { call, place, repeat } => self.turn(&mut state, &call, place, repeat),
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
            Then::Result { call, place, repeat, tool_call } => {
                self.resulted(&mut state, (&call, place, repeat), &tool_call, answer);
            }
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
}
