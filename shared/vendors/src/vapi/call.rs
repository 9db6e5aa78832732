//! Vapi's record of a call.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::message;
use domain::{call::Testimony, ids::VapiCallId};

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
#[serde(rename_all = "camelCase")]
pub struct VapiCall {
    /// The id of the call.
    pub id: VapiCallId,
    #[serde(default)]
    status: CallStatus,
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
        self.status == CallStatus::Ended || self.ended_at.is_some()
    }

    /// Returns whether Vapi has lost the call: its data is gone, and nothing more will be said of it.
    pub fn is_unknown(&self) -> bool {
        matches!(self.status, CallStatus::NotFound | CallStatus::DeletionFailed)
    }

    /// Returns since when the parties talk, if they do; `now`, when Vapi says that they talk but not since
    /// when.
    pub fn talks_since(&self, now: Timestamp) -> Option<Timestamp> {
        let is_talking = matches!(self.status, CallStatus::InProgress | CallStatus::Forwarding);
        self.started_at.or(is_talking.then_some(now))
    }

    /// Returns the URL where the call takes commands, if Vapi gives one.
    pub fn control_url(&self) -> Option<String> {
        self.monitor.as_ref()?.control_url.clone()
    }

    /// Returns the carrier's handle of the call, if it can be one: 1 to 64 letters and digits.
    pub fn carrier_sid(&self) -> Option<String> {
        let sid = self.phone_call_provider_id.as_str()?;
        let is_plain = sid.bytes().all(|c| c.is_ascii_alphanumeric());
        (is_plain && (1..=64).contains(&sid.len())).then(|| sid.to_owned())
    }

    /// Returns what Vapi's record says about the call's duration. The record of an ended call is whole: no
    /// start means that there was none.
    pub fn testimony(&self) -> Testimony {
        Testimony {
            started_at: self.started_at,
            ended_at: self.ended_at,
            duration_secs: None,
            ended_reason: self
                .ended_reason
                .as_ref()
                .map(|reason| reason.chars().take(message::LONGEST_REASON).collect()),
            is_whole: self.is_ended(),
        }
    }
}
