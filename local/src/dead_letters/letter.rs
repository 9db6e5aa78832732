//! A dead letter, where it lies, and why nothing could be done about it.

use std::fmt;

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use jiff::Timestamp;
use serde_json::Value;

use super::{InHand, QUEUES};
use store::{StoreError, webhook_events::WebhookEvent};

/// Where a letter lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the dead letters of this queue.
    Queue(&'static str),
    /// Among what Vapi sent.
    Vapi,
    /// Among what Stripe sent.
    Stripe,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queue(name) => name,
            Self::Vapi => "vapi event",
            Self::Stripe => "stripe event",
        })
    }
}

/// A dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Its id: the queue's, or the key of the event.
    pub id: String,
    /// Where it lies.
    pub origin: Origin,
    /// How often it was received, where it lies in a queue.
    pub received: Option<u64>,
    /// When it was sent, or when the event came.
    pub at: Option<Timestamp>,
    /// Whom and what it is about, in one line.
    pub about: String,
    /// All of it. A queue's messages hold ids only; an event's payload is without what a person said or is called.
    pub body: String,
}

/// What a look found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The letters.
    pub letters: Vec<Letter>,
    /// What the look could not see, a sentence each.
    pub notes: Vec<String>,
}

/// Which letters to send back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those of every queue.
    All,
    /// Those of one queue, by its name in [`QUEUES`].
    Queue(String),
    /// One.
    Letter(String),
}

/// How far a redrive is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// How many were sent back.
    pub done: u64,
    /// How many there were when it began, as the queues count.
    pub expected: u64,
}

/// Why a command came to nothing, or not to all of it.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    /// The environment has no such queue.
    #[error("there is no queue {name} here: is the environment's name right, and is it deployed")]
    NoQueue {
        /// Its full name.
        name: String,
    },
    /// No environment has such a queue.
    #[error("there is no queue called {name}: the queues are {}", names())]
    NotOurs {
        /// What was given.
        name: String,
    },
    /// No letter has that id, or another command has it in hand at this moment.
    #[error("there is no dead letter {id}, or another command has it in hand: `dead-letters list` shows all")]
    Unknown {
        /// What was given.
        id: String,
    },
    /// It did not come by a queue.
    #[error(
        "the {origin} {id} came by no queue: mend its cause, and the vendor's next message or `reconcile` books it"
    )]
    NotQueued {
        /// The event.
        id: String,
        /// Whose.
        origin: Origin,
    },
    /// It is a run of a schedule.
    #[error("the letter {id} is a run that a schedule could not begin: the next run does its work")]
    Scheduled {
        /// Which.
        id: String,
    },
    /// It was sent back, and is a dead letter still.
    #[error(
        "the letter {id} was sent back, but is still among the dead letters too: sending it back again is harmless"
    )]
    Kept {
        /// Which.
        id: String,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// A queue or a table did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn names() -> String {
    QUEUES.map(|(name, _)| name).join(", ")
}

/// Returns a message that a queue gave out, as a letter.
pub(super) fn in_hand(queue: &'static str, message: Message) -> InHand {
    let number = |name: &MessageSystemAttributeName| {
        message.attributes.as_ref().and_then(|attributes| attributes.get(name)?.parse::<i64>().ok())
    };
    let received = number(&MessageSystemAttributeName::ApproximateReceiveCount);
    let sent_at = number(&MessageSystemAttributeName::SentTimestamp);
    let body = message.body.unwrap_or_default();
    let letter = Letter {
        id: message.message_id.unwrap_or_default(),
        origin: Origin::Queue(queue),
        received: received.and_then(|times| u64::try_from(times).ok()),
        at: sent_at.and_then(|at| Timestamp::from_millisecond(at).ok()),
        about: about(&body),
        body,
    };
    InHand { letter, handle: message.receipt_handle.unwrap_or_default() }
}

pub(super) fn letter_of_event(origin: Origin, event: WebhookEvent) -> Letter {
    let reason = event.reason.unwrap_or_else(|| "no reason is kept".to_owned());
    Letter {
        id: event.event_key.as_str().to_owned(),
        origin,
        received: None,
        at: Some(event.received_at),
        about: format!("{}: {reason}", event.kind),
        body: event.payload.unwrap_or_default(),
    }
}

/// The ids and kinds that a message of ours names.
fn about(body: &str) -> String {
    let Ok(Value::Object(fields)) = serde_json::from_str(body) else {
        return "not a message of ours".to_owned();
    };
    let texts = fields.iter().filter_map(|(name, value)| Some(format!("{name}={}", value.as_str()?)));
    texts.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
