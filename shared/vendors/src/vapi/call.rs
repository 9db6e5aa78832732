//! Vapi's record of a call.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{message, reasons::ending};
use domain::{call::Testimony, content::Content, ids::VapiCallId};

/// The state of a call in Vapi's record (docs.vapi.ai, `Call.status`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallStatus {
    /// It is to begin later.
    Scheduled,
    /// It waits to be dialled.
    Queued,
    /// It rings.
    Ringing,
    /// The parties talk.
    InProgress,
    /// It was put through to another line.
    Forwarding,
    /// It is over.
    Ended,
    /// Vapi has no data of it.
    NotFound,
    /// Vapi was asked to delete it, and could not.
    DeletionFailed,
    /// No state, or one that this code does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

/// A call as `GET /call/{id}` shows it: the fields we read.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Value")]
pub struct VapiCall {
    /// The id of the call.
    pub id: VapiCallId,
    fields: Fields,
    content: Box<Content>,
}

impl TryFrom<Value> for VapiCall {
    type Error = serde_json::Error;

    fn try_from(record: Value) -> Result<Self, serde_json::Error> {
        let content = Box::new(message::content(&record));
        let fields: Fields = serde_json::from_value(record)?;
        Ok(Self { id: fields.id.clone(), fields, content })
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    id: VapiCallId,
    #[serde(default)]
    status: CallStatus,
    #[serde(default, deserialize_with = "message::lenient_instant")]
    created_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "message::lenient_instant")]
    started_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "message::lenient_instant")]
    ended_at: Option<Timestamp>,
    #[serde(default)]
    ended_reason: Option<String>,
    #[serde(default)]
    monitor: Option<Monitor>,
    #[serde(default)]
    phone_call_provider_id: Value,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Monitor {
    #[serde(default)]
    control_url: Option<String>,
}

impl VapiCall {
    /// Returns whether Vapi says that the call is over.
    pub fn is_ended(&self) -> bool {
        self.fields.status == CallStatus::Ended || self.fields.ended_at.is_some()
    }

    /// Returns whether Vapi has lost the call: its data is gone, and nothing more will be said of it.
    pub fn is_unknown(&self) -> bool {
        matches!(self.fields.status, CallStatus::NotFound | CallStatus::DeletionFailed)
    }

    /// Returns since when the caller and an assistant of ours talk, if they do; `now`, when Vapi says that they
    /// talk but not since when. A call that rings, or was put through to another line, is not such a talk,
    /// whatever times it bears.
    pub fn talks_since(&self, now: Timestamp) -> Option<Timestamp> {
        match self.fields.status {
            CallStatus::InProgress => Some(self.fields.started_at.unwrap_or(now)),
            CallStatus::Unknown => self.fields.started_at,
            CallStatus::Scheduled
            | CallStatus::Queued
            | CallStatus::Ringing
            | CallStatus::Forwarding
            | CallStatus::Ended
            | CallStatus::NotFound
            | CallStatus::DeletionFailed => None,
        }
    }

    /// Returns the URL where the call takes commands, if Vapi gives one.
    pub fn control_url(&self) -> Option<String> {
        self.fields.monitor.as_ref()?.control_url.clone()
    }

    /// Returns the carrier's handle of the call, if it can be one: 1 to 64 letters and digits.
    pub fn carrier_sid(&self) -> Option<String> {
        let sid = self.fields.phone_call_provider_id.as_str()?;
        let is_plain = sid.bytes().all(|c| c.is_ascii_alphanumeric());
        (is_plain && (1..=64).contains(&sid.len())).then(|| sid.to_owned())
    }

    /// Returns what was said, as far as the record has it.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// Returns what Vapi's record says about the call's duration. The record of an ended call is whole: no
    /// start means that there was none.
    pub fn testimony(&self) -> Testimony {
        let cut = |reason: &String| reason.chars().take(message::LONGEST_REASON).collect::<String>();
        let ended_reason = self.fields.ended_reason.as_ref().map(cut);
        Testimony {
            started_at: self.fields.started_at,
            ended_at: self.fields.ended_at,
            duration_secs: None,
            ending: ended_reason.as_deref().map(ending),
            ended_reason,
            created_at: self.fields.created_at,
            is_record: self.is_ended(),
        }
    }
}
