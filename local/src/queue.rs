//! A queue that behaves as SQS documents: delays, visibility, receive counts, dead letters. Kept in a table of the
//! same database where there is one on disk, so that messages survive a kill.

mod requests;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use base::clock::Clock;
use base::entropy::Entropy;
use dynoxide::Database;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use self::requests::QueueError;
use crate::template::Queue;

/// The table that messages are kept in.
const TABLE: &str = "local_queue_messages";

/// All queues of the template.
#[derive(Clone)]
pub struct Queues {
    inner: Arc<Inner>,
}

struct Inner {
    declared: Vec<Queue>,
    address: String,
    messages: Mutex<BTreeMap<String, Message>>,
    kept_in: Option<Database>,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its id; here it is the receipt handle too.
    pub id: String,
    /// The logical name of the queue it is in.
    pub queue: String,
    /// What was sent.
    pub body: String,
    /// When it was sent.
    #[serde(default)]
    pub sent_at: Timestamp,
    /// When it can be received.
    pub visible_at: Timestamp,
    /// How often it was received.
    pub received: u64,
}

impl std::fmt::Debug for Queues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queues").field("declared", &self.inner.declared).finish_non_exhaustive()
    }
}

impl Queues {
    /// The declared queues, with the messages that `kept_in` still has, behind the port at `address`.
    pub fn open(
        declared: Vec<Queue>,
        address: &str,
        kept_in: Option<Database>,
        clock: Arc<dyn Clock>,
        entropy: Arc<Entropy>,
    ) -> Self {
        let mut messages = BTreeMap::new();
        if let Some(db) = &kept_in {
            create_table(db);
            messages = load(db);
        }
        let address = address.to_owned();
        let inner = Inner { declared, address, messages: Mutex::new(messages), kept_in, clock, entropy };
        Self { inner: Arc::new(inner) }
    }

    /// Where a queue of the stack at `address` is reached: `127.0.0.1:3000`.
    pub fn url(address: &str, logical_name: &str) -> String {
        format!("http://{address}/_aws/{logical_name}")
    }

    /// Sends a message, to be received after `delay`.
    ///
    /// # Errors
    /// When there is no such queue.
    pub fn send(&self, queue: &str, body: &str, delay: SignedDuration) -> Result<String, QueueError> {
        self.declared(queue)?;
        let now = self.inner.clock.now();
        let message = Message {
            id: self.inner.entropy.uuid(now).to_string(),
            queue: queue.to_owned(),
            body: body.to_owned(),
            sent_at: now,
            visible_at: now.saturating_add(delay).unwrap_or(now),
            received: 0,
        };
        let id = message.id.clone();
        self.keep(&message);
        self.lock().insert(id.clone(), message);
        Ok(id)
    }

    /// Receives what is visible in `queue`, at most `most`, the longest visible first. What has been received too
    /// often goes to the dead-letter queue instead.
    pub fn receive(&self, queue: &str, most: usize) -> Vec<Message> {
        let Ok(declared) = self.declared(queue) else { return Vec::new() };
        self.receive_hidden(declared, most, SignedDuration::from_secs(declared.visibility_secs))
    }

    /// The same, with what is received hidden for as long as `hidden`.
    fn receive_hidden(&self, declared: &Queue, most: usize, hidden: SignedDuration) -> Vec<Message> {
        let queue = declared.logical_name.as_str();
        let now = self.inner.clock.now();
        let mut messages = self.lock();
        let mut due: Vec<_> = messages
            .values()
            .filter(|m| m.queue == queue && m.visible_at <= now)
            .map(|m| (m.visible_at, m.id.clone()))
            .collect();
        due.sort();
        let mut received = Vec::new();
        for (_, id) in due {
            if received.len() == most {
                break;
            }
            let Some(message) = messages.get_mut(&id) else { continue };
            match &declared.redrive {
                Some((dead_letters, times)) if message.received >= *times => {
                    message.queue.clone_from(dead_letters);
                    self.keep(message);
                }
                _ => {
                    message.received = message.received.saturating_add(1);
                    message.visible_at = now.saturating_add(hidden).unwrap_or(now);
                    self.keep(message);
                    received.push(message.clone());
                }
            }
        }
        received
    }

    /// Deletes a message: it was dealt with.
    pub fn delete(&self, id: &str) {
        if self.lock().remove(id).is_some()
            && let Some(db) = &self.inner.kept_in
        {
            let request = json!({"TableName": TABLE, "Key": {"id": {"S": id}}});
            if let Ok(request) = serde_json::from_value(request) {
                let _ = db.delete_item(request);
            }
        }
    }

    /// Changes when a received message becomes visible again.
    pub fn change_visibility(&self, id: &str, from_now: SignedDuration) {
        let visible_at = self.inner.clock.now().saturating_add(from_now).unwrap_or(Timestamp::MAX);
        if let Some(message) = self.lock().get_mut(id) {
            message.visible_at = visible_at;
            self.keep(message);
        }
    }

    /// All messages, those in flight and not yet due too.
    pub fn messages(&self) -> Vec<Message> {
        self.lock().values().cloned().collect()
    }

    /// When the next message of a queue that has a consumer becomes visible.
    pub fn next_due(&self) -> Option<Timestamp> {
        let consumed = |queue: &str| {
            self.inner
                .declared
                .iter()
                .any(|declared| declared.logical_name == queue && declared.consumer.is_some())
        };
        self.lock()
            .values()
            .filter(|message| consumed(&message.queue))
            .map(|message| message.visible_at)
            .min()
    }

    /// The queues that a function reads.
    pub fn consumed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.inner
            .declared
            .iter()
            .filter_map(|queue| Some((queue.logical_name.as_str(), queue.consumer.as_deref()?)))
    }

    fn declared(&self, logical_name: &str) -> Result<&Queue, QueueError> {
        let queue = self.inner.declared.iter().find(|queue| queue.logical_name == logical_name);
        queue.ok_or_else(|| QueueError::NonExistentQueue(logical_name.to_owned()))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Message>> {
        self.inner.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a message to disk. A message that cannot be kept would be lost by a kill: that stops the process.
    fn keep(&self, message: &Message) {
        let Some(db) = &self.inner.kept_in else { return };
        let item = json!({"id": {"S": message.id}, "message": {"S": json!(message).to_string()}});
        let request = serde_json::from_value(json!({"TableName": TABLE, "Item": item}));
        let written = request
            .map_err(|error| error.to_string())
            .and_then(|request| db.put_item(request).map_err(|error| error.to_string()));
        if let Err(error) = written {
            panic!("a queue's message cannot be written to disk: {error}");
        }
    }
}

fn create_table(db: &Database) {
    let request = json!({"TableName": TABLE, "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]});
    if let Ok(request) = serde_json::from_value(request) {
        // It is there already after a restart.
        let _ = db.create_table(request);
    }
}

/// Every message on disk. One that cannot be read would be lost silently: that stops the process.
fn load(db: &Database) -> BTreeMap<String, Message> {
    let mut messages = BTreeMap::new();
    let mut after = Value::Null;
    loop {
        let request = json!({"TableName": TABLE, "ExclusiveStartKey": after});
        let request = serde_json::from_value(request).expect("a request of the engine's own form");
        let page = db.scan(request).expect("the queue's table can be read");
        let page = serde_json::to_value(page).expect("an answer of the engine's own form");
        for item in page["Items"].as_array().into_iter().flatten() {
            let text = item["message"]["S"].as_str().unwrap_or_default();
            let message: Message =
                serde_json::from_str(text).expect("a message on disk can be read: --reset");
            messages.insert(message.id.clone(), message);
        }
        after = page["LastEvaluatedKey"].clone();
        if after.is_null() {
            return messages;
        }
    }
}

#[cfg(test)]
mod tests;
