//! A scripted conversation: what the caller brings the assistant to do, one turn after the other.

use bytes::Bytes;
use http::{Response, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Post, State, Task, Then, VapiSandbox,
    record::{CALLER_SAYS, call_json},
};

/// How long a caller and an assistant take for one turn.
const TURN: SignedDuration = SignedDuration::from_secs(5);

/// What the caller says, and the tool that the assistant then uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// What the caller says, for the transcript.
    #[serde(default)]
    pub says: Option<String>,
    /// The name of the tool's function.
    pub tool: String,
    /// What the model gives it: an object, or JSON text, as both have been seen.
    #[serde(default)]
    pub arguments: Value,
    /// How often the model repeats itself when the caller talks over the answer: each time with a new id.
    #[serde(default)]
    pub repeats: u32,
}

/// Enters the first turn of a call that has any.
pub(super) fn begin(state: &mut State, id: &str, now: Timestamp) {
    if state.calls.get(id).is_some_and(|call| !call.says.is_empty()) {
        state.agenda.enter(now + TURN, Task::Turn { call: id.to_owned(), place: 0, repeat: 0 });
    }
}

impl VapiSandbox {
    /// The caller says something, and the assistant uses a tool: the message that Vapi then posts. A tool that the assistant is not
    /// linked with cannot be used.
    pub(super) fn turn(&self, state: &mut State, id: &str, place: usize, repeat: u32) -> Option<Post> {
        let call = state.calls.get_mut(id).filter(|call| call.status == "in-progress")?;
        let turn = call.says.get(place).cloned()?;
        if let (Some(words), 0) = (&turn.says, repeat) {
            call.heard.push(format!("{CALLER_SAYS}{words}"));
        }
        let call = call.clone();
        if !is_linked(state, call.assistant_id.as_deref(), &turn.tool) {
            let heard = format!("({} is no tool of this assistant)", turn.tool);
            state.calls.get_mut(id)?.heard.push(heard);
            self.go_on(state, id, place, repeat);
            return None;
        }
        let tool_call = format!("call_{id}_{place}_{repeat}");
        let entry = json!({"id": tool_call, "type": "function",
            "function": {"name": turn.tool, "arguments": turn.arguments}});
        state.calls.get_mut(id)?.used.push(entry.clone());
        let body = json!({"message": {
            "type": "tool-calls",
            "timestamp": self.clock.now().as_millisecond(),
            "toolCalls": [entry],
            "toolCallList": [entry],
            "toolWithToolCallList": [{"type": "function", "function": {"name": turn.tool}, "toolCall": entry}],
            "call": call_json(&call),
            "customer": {"number": call.from},
        }});
        let then = Then::Result { call: id.to_owned(), place, repeat, tool_call };
        Some(Post { request: self.signed(&body.to_string()), then })
    }

    /// Takes the answer to a tool call: what has the id, on one line, with HTTP 200, is the result; anything else is none
    /// (docs.vapi.ai, "Custom tools: troubleshooting").
    pub(super) fn resulted(
        &self,
        state: &mut State,
        (id, place, repeat): (&str, usize, u32),
        tool_call: &str,
        answer: Option<&Response<Bytes>>,
    ) {
        let body: Value = answer
            .filter(|answer| answer.status() == StatusCode::OK)
            .and_then(|answer| serde_json::from_slice(answer.body()).ok())
            .unwrap_or_default();
        state.receive("RESULT", "/api/vapi/webhook", &body);
        let results = body["results"].as_array();
        let result = results.into_iter().flatten().find(|result| result["toolCallId"] == tool_call);
        let text = result.and_then(|result| result["result"].as_str()).filter(|text| !text.contains('\n'));
        if let Some(call) = state.calls.get_mut(id) {
            call.heard.push(text.unwrap_or("No result returned.").to_owned());
        }
        self.go_on(state, id, place, repeat);
    }

    fn go_on(&self, state: &mut State, id: &str, place: usize, repeat: u32) {
        let Some(turn) = state.calls.get(id).and_then(|call| call.says.get(place)) else { return };
        let (place, repeat) = if repeat < turn.repeats {
            (place, repeat.saturating_add(1))
        } else {
            (place.saturating_add(1), 0)
        };
        let at = self.clock.now() + TURN;
        state.agenda.enter(at, Task::Turn { call: id.to_owned(), place, repeat });
    }
}

/// Whether the assistant has a tool of this function. One that is not known here has any.
fn is_linked(state: &State, assistant: Option<&str>, function: &str) -> bool {
    let Some(assistant) = assistant.and_then(|id| state.assistants.get(id)) else { return true };
    let mut ids = assistant["model"]["toolIds"].as_array().into_iter().flatten().filter_map(Value::as_str);
    ids.any(|id| state.tools.get(id).is_some_and(|tool| tool["function"]["name"] == function))
}
