//! The messages between functions: the call meter's delayed looks, the agents that are to be given to the vendor, the
//! wallets that need a look; and what leaves us to be told to a clinic.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{error::StoreError, outbox::Outbox};
use domain::{
    call::Direction,
    ids::{AppointmentId, CalendarId, CallId, EventId, OrgId},
    message::Due,
};

/// The longest delay a message may have (SQS).
const LONGEST_DELAY_SECS: i64 = 900;

/// A queue that we send to.
#[derive(Clone)]
pub(crate) struct Queue {
    client: aws_sdk_sqs::Client,
    url: String,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Queue {
    /// The queue at `url`.
    pub(crate) const fn new(client: aws_sdk_sqs::Client, url: String) -> Self {
        Self { client, url }
    }

    /// Sends `message`, to be delivered after `delay_secs`. Once this answers, the message is durable.
    pub(crate) async fn send<T: Serialize>(&self, message: &T, delay_secs: i32) -> Result<(), StoreError> {
        let body = serde_json::to_string(message).map_err(queue_error)?;
        let attempt = || {
            self.client
                .send_message()
                .queue_url(&self.url)
                .message_body(&body)
                .delay_seconds(delay_secs)
                .send()
        };
        // A second copy of a message is harmless, so a lost answer is simply asked again.
        if attempt().await.is_ok() {
            return Ok(());
        }
        attempt().await.map(|_| ()).map_err(queue_error)
    }
}

/// "Look at this call": what to do then is decided from the records, not from the message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeterMessage {
    /// Whose call.
    pub org_id: OrgId,
    /// Which call.
    pub call_id: CallId,
    /// The look this message is for. One that the record has moved past has been done by another copy.
    #[serde(with = "domain::time::millis")]
    pub due_at: Timestamp,
    /// Something happened to the wallet: look now, whatever is due.
    #[serde(default)]
    pub urgent: bool,
}

/// The queue `call-meter` reads.
#[derive(Clone, Debug)]
pub struct MeterQueue(Queue);

impl MeterQueue {
    /// The queue at `url`.
    pub const fn new(client: aws_sdk_sqs::Client, url: String) -> Self {
        Self(Queue::new(client, url))
    }

    /// Sends `message`, to be delivered when it is due. Once this answers, the message is durable.
    ///
    /// # Errors
    /// When the queue did not take it, twice.
    pub async fn send(&self, message: &MeterMessage, now: Timestamp) -> Result<(), StoreError> {
        let delay = message.due_at.duration_since(now).as_secs().clamp(0, LONGEST_DELAY_SECS);
        self.0.send(message, i32::try_from(delay).unwrap_or_default()).await
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

/// The queue `agent-sync` reads.
pub type SyncQueue = Outbox<Push>;

/// What is to be done with a clinic's calendar: how, is read from the records when it is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub enum CalendarTask {
    /// Each calendar is to have this appointment as it stands.
    Push {
        /// Whose.
        org_id: OrgId,
        /// Which.
        appointment_id: AppointmentId,
    },
    /// Each appointment that stands ahead is to be pushed to this calendar.
    Fill {
        /// Whose.
        org_id: OrgId,
        /// Which.
        calendar_id: CalendarId,
    },
    /// What has changed in this calendar is to be read.
    Pull {
        /// Whose.
        org_id: OrgId,
        /// Which.
        calendar_id: CalendarId,
    },
    /// This calendar is to have a channel that does not end soon.
    Watch {
        /// Whose.
        org_id: OrgId,
        /// Which.
        calendar_id: CalendarId,
    },
    /// What stands in this calendar is to be compared with the appointments, and its series read a day further.
    Compare {
        /// Whose.
        org_id: OrgId,
        /// Which.
        calendar_id: CalendarId,
    },
}

/// The queue `calendar-sync` reads.
pub type CalendarQueue = Outbox<CalendarTask>;

/// "Look at this wallet": whether its card is to be charged, or its org to be told, is decided from the record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckWallet {
    /// Whose wallet.
    pub org_id: OrgId,
}

/// The queue `auto-recharge` reads.
#[derive(Clone, Debug)]
pub struct RechargeQueue(Queue);

impl RechargeQueue {
    /// The queue at `url`.
    pub const fn new(client: aws_sdk_sqs::Client, url: String) -> Self {
        Self(Queue::new(client, url))
    }

    /// Has an org's wallet looked at. Once this answers, the message is durable.
    ///
    /// # Errors
    /// When the queue did not take it, twice.
    pub async fn check(&self, org_id: OrgId) -> Result<(), StoreError> {
        self.0.send(&CheckWallet { org_id }, 0).await
    }
}

/// Something that a clinic is to be told. It may come twice, under one id: the mailer that delivers it tells it once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// One for all copies.
    pub event_id: EventId,
    /// Who is told.
    pub org_id: OrgId,
    /// What it is about: `low_balance`.
    pub kind: String,
    /// What was available when it happened, in pence.
    pub available_pence: i64,
    /// The line that was crossed, in pence.
    pub low_balance_pence: i64,
    /// Whether the card is being charged by itself.
    pub auto_recharge: bool,
    /// When it was noticed.
    #[serde(with = "domain::time::millis")]
    pub at: Timestamp,
}

/// The queue that the mailer reads.
#[derive(Clone, Debug)]
pub struct NotificationQueue(Queue);

impl NotificationQueue {
    /// The queue at `url`.
    pub const fn new(client: aws_sdk_sqs::Client, url: String) -> Self {
        Self(Queue::new(client, url))
    }

    /// Hands a notification over. Once this answers, it is durable.
    ///
    /// # Errors
    /// When the queue did not take it, twice.
    pub async fn send(&self, notification: &Notification) -> Result<(), StoreError> {
        self.0.send(notification, 0).await
    }
}

/// The queue `messenger` reads: what patients are to be told now.
#[derive(Clone, Debug)]
pub struct MessageQueue(Queue);

impl MessageQueue {
    /// The queue at `url`.
    pub const fn new(client: aws_sdk_sqs::Client, url: String) -> Self {
        Self(Queue::new(client, url))
    }

    /// Has a message sent, if it still says what is so. Once this answers, the order is durable.
    ///
    /// # Errors
    /// When the queue did not take it, twice.
    pub async fn send(&self, due: &Due) -> Result<(), StoreError> {
        self.0.send(due, 0).await
    }
}

fn queue_error(source: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Queue { operation: "SendMessage", source: Box::new(source) }
}
