//! The REST API, and the commands that a live call takes.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Number, State, Task, VapiSandbox, objects::shelf, record::call_record, shapes::COMMANDS};

/// How many entries a list shows when nothing is said, and at most.
const USUAL: usize = 100;
const MOST: usize = 1_000;

/// What comes back.
pub(super) type Answer = Result<(StatusCode, Value), Refusal>;

/// A refusal, as Vapi words it: a sentence, or a list of what is wrong with the body.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    message: Value,
}

impl Refusal {
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: Value::String(message.into()) }
    }

    pub(super) fn flaws(flaws: &[String]) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message: json!(flaws) }
    }

    /// More than the account may have at a time.
    pub(super) fn too_many(message: impl Into<String>) -> Self {
        Self { status: StatusCode::TOO_MANY_REQUESTS, message: Value::String(message.into()) }
    }

    pub(super) fn missing(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, message: Value::String(message.into()) }
    }
}

impl VapiSandbox {
    /// Returns what we ask Vapi: calls, numbers, assistants, tools, credentials, and a live call's commands.
    pub fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        if let Some(control) = request.uri().path().strip_prefix("/_sandbox/vapi/control/") {
            return self.command(control, request.body());
        }
        if self.lock().faults.rest_is_down {
            return refuse(StatusCode::SERVICE_UNAVAILABLE, &json!("Service unavailable"));
        }
        let bearer = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        if bearer.and_then(|value| value.strip_prefix("Bearer ")) != Some(self.settings.api_key.as_str()) {
            let message = "Invalid Key. Hot tip, you may be using the public key instead of the private key, \
                           or vice versa.";
            return refuse(StatusCode::UNAUTHORIZED, &json!(message));
        }
        if let Some(id) = recorded_call(request) {
            let found = self.recording(&self.lock(), id);
            return found.unwrap_or_else(|refusal| refuse(refusal.status, &refusal.message));
        }
        match self.route(request) {
            Ok((status, body)) => reply(status, &body),
            Err(refusal) => refuse(refusal.status, &refusal.message),
        }
    }

    fn route(&self, request: &Request<Bytes>) -> Answer {
        let query = request.uri().query();
        let segments: Vec<&str> = request.uri().path().trim_matches('/').split('/').collect();
        let body = if matches!(*request.method(), Method::POST | Method::PATCH) {
            body_of(request)?
        } else {
            Value::Null
        };
        let mut state = self.lock();
        if !body.is_null() {
            state.receive(request.method().as_str(), request.uri().path(), &body);
        }
        match (request.method(), segments.as_slice()) {
            (&Method::GET, ["call"]) => list_calls(&state, query, self.shown_as_of(&state)),
            (&Method::GET, ["call", id]) => {
                let call = state.calls.get(*id).ok_or_else(|| Refusal::missing("Call not found."))?;
                Ok((StatusCode::OK, call_record(&call.as_of(self.shown_as_of(&state)))))
            }
            (&Method::POST, ["call"]) => self.dial(&mut state, &body),
            (&Method::GET, ["phone-number"]) => listed(query, state.numbers.values().map(Number::json)),
            (&Method::POST, ["phone-number"]) => self.import(&mut state, &body),
            (&Method::GET, ["phone-number", id]) => Self::number(&state, id),
            (&Method::PATCH, ["phone-number", id]) => self.patch_number(&mut state, id, &body),
            (&Method::DELETE, ["phone-number", id]) => Self::delete_number(&mut state, id),
            (&Method::GET, [kind @ ("assistant" | "tool" | "credential")]) => {
                listed(query, shelf(&state, kind).values().cloned())
            }
            (&Method::POST, [kind @ ("assistant" | "tool" | "credential")]) => {
                self.create(&mut state, kind, body)
            }
            (&Method::GET, [kind @ ("assistant" | "tool" | "credential"), id]) => {
                Self::object(&state, kind, id)
            }
            (&Method::PATCH, [kind @ ("assistant" | "tool"), id]) => self.patch(&mut state, kind, id, body),
            (&Method::DELETE, [kind @ ("assistant" | "tool"), id]) => Self::delete(&mut state, kind, id),
            _ => Err(Refusal::missing("Cannot find this route in the sandbox.")),
        }
    }

    /// As of when calls are shown.
    fn shown_as_of(&self, state: &State) -> Timestamp {
        self.clock.now() - SignedDuration::from_secs(state.faults.shows_old_secs.into())
    }

    fn command(&self, control: &str, body: &[u8]) -> Response<Bytes> {
        let now = self.clock.now();
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let mut state = self.lock();
        state.receive("POST", "/control", &body);
        let known = COMMANDS.iter().find(|(name, _)| body["type"] == *name);
        let flaws = known.map_or_else(
            || vec!["type must be one of the following values: say, end-call".to_owned()],
            |(_, shape)| shape.flaws(&body),
        );
        if !flaws.is_empty() {
            return refuse(StatusCode::BAD_REQUEST, &json!(flaws));
        }
        let ignores_end_call = state.faults.ignores_end_call;
        let Some(call) =
            state.calls.values_mut().find(|call| call.control.ends_with(control) && call.status != "ended")
        else {
            return refuse(StatusCode::NOT_FOUND, &json!("Call is not in progress."));
        };
        match body["type"].as_str() {
            Some("say") => {
                call.heard.push(body["content"].as_str().unwrap_or_default().to_owned());
                if body["endCallAfterSpoken"] == true {
                    let call = call.id.clone();
                    state.agenda.enter(now, Task::End { call, reason: "assistant-ended-call".into() });
                }
            }
            _ if ignores_end_call => {}
            _ => {
                let call = call.id.clone();
                state.agenda.enter(now, Task::End { call, reason: "manually-canceled".into() });
            }
        }
        reply(StatusCode::OK, &json!({}))
    }
}

/// The call whose recording is asked for.
fn recorded_call(request: &Request<Bytes>) -> Option<&str> {
    let id = request.uri().path().strip_prefix("/call/")?.strip_suffix("/mono-recording")?;
    (*request.method() == Method::GET).then_some(id)
}

/// A body that is a JSON object.
fn body_of(request: &Request<Bytes>) -> Result<Value, Refusal> {
    let body: Value = serde_json::from_slice(request.body())
        .map_err(|error| Refusal::bad(format!("The body is not JSON: {error}")))?;
    if body.is_object() { Ok(body) } else { Err(Refusal::bad("The body is not an object.")) }
}

fn parameters(query: Option<&str>) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect()
}

/// Whether one time stands so to another.
type Compared = fn(&Timestamp, &Timestamp) -> bool;

/// The newest first, between the instants that the query names.
fn listed(query: Option<&str>, rows: impl Iterator<Item = Value>) -> Answer {
    let query = parameters(query);
    let limit = query.get("limit").map_or(Ok(USUAL), |limit| limit.parse());
    let limit = limit.ok().filter(|limit| *limit <= MOST);
    let limit = limit.ok_or_else(|| Refusal::flaws(&[format!("limit must not be greater than {MOST}")]))?;
    let tests: [(&str, Compared); 4] = [
        ("Gt", |at, bound| at > bound),
        ("Ge", |at, bound| at >= bound),
        ("Lt", |at, bound| at < bound),
        ("Le", |at, bound| at <= bound),
    ];
    let mut bounds = Vec::new();
    for field in ["createdAt", "updatedAt"] {
        for (suffix, test) in tests {
            let name = format!("{field}{suffix}");
            if let Some(text) = query.get(&name) {
                let flaw = |_| Refusal::flaws(&[format!("{name} must be a valid ISO 8601 date string")]);
                bounds.push((field, test, text.parse::<Timestamp>().map_err(flaw)?));
            }
        }
    }
    let instant =
        |row: &Value, field: &str| row[field].as_str().and_then(|text| text.parse::<Timestamp>().ok());
    let is_between = |row: &Value| {
        bounds.iter().all(|(field, test, bound)| instant(row, field).is_some_and(|at| test(&at, bound)))
    };
    let mut rows: Vec<Value> = rows.filter(is_between).collect();
    let age = |row: &Value| (instant(row, "createdAt"), row["id"].as_str().map(str::to_owned));
    rows.sort_by_cached_key(|row| std::cmp::Reverse(age(row)));
    rows.truncate(limit);
    Ok((StatusCode::OK, Value::Array(rows)))
}

/// `GET /call`: the newest first, filtered as Vapi documents.
fn list_calls(state: &State, query: Option<&str>, as_of: Timestamp) -> Answer {
    let filters = parameters(query);
    let is_same = |name: &str, value: Option<&str>| {
        filters.get(name).is_none_or(|wanted| value == Some(wanted.as_str()))
    };
    let wanted = state.calls.values().filter(|call| {
        is_same("id", Some(&call.id))
            && is_same("assistantId", call.assistant_id.as_deref())
            && is_same("phoneNumberId", call.phone_number_id.as_deref())
    });
    listed(query, wanted.map(|call| call_record(&call.as_of(as_of))))
}

fn reply(status: StatusCode, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn refuse(status: StatusCode, message: &Value) -> Response<Bytes> {
    let error = status.canonical_reason();
    reply(status, &json!({"message": message, "error": error, "statusCode": status.as_u16()}))
}
