//! The messages between functions: the call meter's delayed looks, and the agents that are to be given to the vendor.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::table::StoreError;
use crate::domain::{
    call::Direction,
    ids::{CallId, OrgId},
};

/// The longest delay a message may have (SQS).
const LONGEST_DELAY_SECS: i64 = 900;

/// "Look at this call": what to do then is decided from the records, not from the message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tick {
    /// Whose call.
    pub org_id: OrgId,
    /// Which call.
    pub call_id: CallId,
    /// The look this message is for. One that the record has moved past has been done by another copy.
    #[serde(with = "crate::domain::clock::millis")]
    pub due_at: Timestamp,
    /// Something happened to the wallet: look now, whatever is due.
    #[serde(default)]
    pub urgent: bool,
}

/// The queue `call-meter` reads.
#[derive(Clone)]
pub struct MeterQueue {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl fmt::Debug for MeterQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeterQueue").field("url", &self.url).finish_non_exhaustive()
    }
}

impl MeterQueue {
    /// The queue at `url`.
    pub const fn new(client: aws_sdk_sqs::Client, url: String) -> Self {
        Self { client, url }
    }

    /// Sends `tick`, to be delivered when it is due. Once this answers, the message is durable.
    ///
    /// # Errors
    /// When the queue did not take it, twice.
    pub async fn send(&self, tick: &Tick, now: Timestamp) -> Result<(), StoreError> {
        let delay = tick.due_at.duration_since(now).as_secs().clamp(0, LONGEST_DELAY_SECS);
        let body = serde_json::to_string(tick).map_err(queue_error)?;
        let attempt = || {
            self.client
                .send_message()
                .queue_url(&self.url)
                .message_body(&body)
                .delay_seconds(i32::try_from(delay).unwrap_or_default())
                .send()
        };
        // A second copy of a message is harmless, so a lost answer is simply asked again.
        if attempt().await.is_ok() {
            return Ok(());
        }
        attempt().await.map(|_| ()).map_err(queue_error)
    }
}

/// "Give this agent to the vendor": what to give is read when it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    /// Whose agent.
    pub org_id: OrgId,
    /// Which agent.
    pub role: Direction,
}

/// How long after it was sent a push comes that is sent before the write it is about: no function that sends one may run
/// longer (`template.yaml`), so it comes after the write, or the write never comes.
pub const AFTER_THE_WRITE_SECS: i32 = 30;

/// The queue `agent-sync` reads.
#[derive(Clone)]
pub struct SyncQueue {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl fmt::Debug for SyncQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncQueue").field("url", &self.url).finish_non_exhaustive()
    }
}

impl SyncQueue {
    /// The queue at `url`.
    pub const fn new(client: aws_sdk_sqs::Client, url: String) -> Self {
        Self { client, url }
    }

    /// Makes sure that a push follows the write that is about to be made, even if this process dies right after it.
    ///
    /// # Errors
    /// When the queue did not take it, twice.
    pub async fn announce(&self, push: &Push) -> Result<(), StoreError> {
        self.send(push, AFTER_THE_WRITE_SECS).await
    }

    /// Has the push that was announced done at once, now that the write is made.
    pub async fn hasten(&self, push: &Push) {
        // The one that was announced comes in any case.
        if let Err(error) = self.send(push, 0).await {
            tracing::warn!(org_id = %push.org_id, %error, "a push comes half a minute late");
        }
    }

    /// Sends `push`, to be delivered after `delay_secs`. Once this answers, the message is durable.
    ///
    /// # Errors
    /// When the queue did not take it, twice.
    pub async fn send(&self, push: &Push, delay_secs: i32) -> Result<(), StoreError> {
        let body = serde_json::to_string(push).map_err(queue_error)?;
        let attempt = || {
            self.client
                .send_message()
                .queue_url(&self.url)
                .message_body(&body)
                .delay_seconds(delay_secs)
                .send()
        };
        if attempt().await.is_ok() {
            return Ok(());
        }
        attempt().await.map(|_| ()).map_err(queue_error)
    }
}

fn queue_error(source: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Queue { operation: "SendMessage", source: Box::new(source) }
}
