//! SQS's own requests and answers (`AwsJson1.0`), which the SDKs and the command line send.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{Message, Queues};
use crate::template::Queue;

/// What SQS lets a request receive at most.
const LARGEST_BATCH: usize = 10;
/// How long SQS lets a message be delayed.
const LONGEST_DELAY_SECS: i64 = 900;
/// How long SQS lets a received message be hidden.
const LONGEST_HIDDEN_SECS: i64 = 43_200;

/// Why a queue request was refused, with SQS's own code.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// No such queue.
    #[error("there is no queue at {0}")]
    NonExistentQueue(String),
    /// An operation that is not stood in for.
    #[error("this queue does not do {0}")]
    UnsupportedOperation(String),
    /// A value that SQS does not take.
    #[error("{0}")]
    InvalidParameter(&'static str),
    /// A receipt of another queue.
    #[error("the receipt handle {0} is not of this queue")]
    InvalidReceipt(String),
    /// A message that no consumer has in hand.
    #[error("the message {0} is not in flight")]
    NotInFlight(String),
}

impl QueueError {
    /// The error's shape in SQS's model, and its older code, which the SDKs go by.
    pub const fn codes(&self) -> (&'static str, &'static str) {
        match self {
            Self::NonExistentQueue(_) => ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"),
            Self::UnsupportedOperation(_) => {
                ("UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation")
            }
            Self::InvalidParameter(_) => ("InvalidParameterValueException", "InvalidParameterValue"),
            Self::InvalidReceipt(_) => ("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"),
            Self::NotInFlight(_) => ("MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight"),
        }
    }
}

impl Queues {
    /// Answers a request of the AWS SDK (`AwsJson1.0`).
    ///
    /// # Errors
    /// When there is no such queue, message or operation, or a value is not one that SQS takes.
    pub fn answer(&self, operation: &str, body: &Value) -> Result<Value, QueueError> {
        if operation == "ListQueues" {
            return Ok(self.list(body["QueueNamePrefix"].as_str().unwrap_or_default()));
        }
        if operation == "GetQueueUrl" {
            let name = body["QueueName"].as_str().unwrap_or_default();
            let queue = self.inner.declared.iter().find(|queue| queue.name == name);
            let queue = queue.ok_or_else(|| QueueError::NonExistentQueue(name.to_owned()))?;
            return Ok(json!({"QueueUrl": self.url_of(queue)}));
        }
        let at = body["QueueUrl"].as_str().and_then(|url| url.rsplit('/').next()).unwrap_or_default();
        let queue = self.declared(at)?;
        let handle = body["ReceiptHandle"].as_str().unwrap_or_default();
        match operation {
            "SendMessage" => self.answer_send(queue, body),
            "ReceiveMessage" => self.answer_receive(queue, body),
            "DeleteMessage" => {
                if self.received(queue, handle)?.is_some() {
                    self.delete(handle);
                }
                Ok(json!({}))
            }
            "ChangeMessageVisibility" => {
                let secs = seconds(&body["VisibilityTimeout"], LONGEST_HIDDEN_SECS)?.unwrap_or_default();
                let gone = QueueError::InvalidParameter("The message does not exist any more.");
                let message = self.received(queue, handle)?.ok_or(gone)?;
                if message.visible_at <= self.inner.clock.now() {
                    return Err(QueueError::NotInFlight(message.id));
                }
                self.change_visibility(handle, SignedDuration::from_secs(secs));
                Ok(json!({}))
            }
            "GetQueueAttributes" => Ok(self.attributes(queue, &body["AttributeNames"])),
            other => Err(QueueError::UnsupportedOperation(other.to_owned())),
        }
    }

    fn answer_send(&self, queue: &Queue, body: &Value) -> Result<Value, QueueError> {
        let text = body["MessageBody"].as_str().filter(|text| !text.is_empty());
        let text = text.ok_or(QueueError::InvalidParameter("A message has a body."))?;
        let delay = seconds(&body["DelaySeconds"], LONGEST_DELAY_SECS)?.unwrap_or_default();
        let id = self.send(&queue.logical_name, text, SignedDuration::from_secs(delay))?;
        Ok(json!({"MessageId": id, "MD5OfMessageBody": md5_of(text)}))
    }

    fn answer_receive(&self, queue: &Queue, body: &Value) -> Result<Value, QueueError> {
        let most = body["MaxNumberOfMessages"].as_u64().unwrap_or(1);
        let most = usize::try_from(most).ok().filter(|most| (1..=LARGEST_BATCH).contains(most));
        let most = most.ok_or(QueueError::InvalidParameter("A request receives 1 to 10 messages."))?;
        let hidden = seconds(&body["VisibilityTimeout"], LONGEST_HIDDEN_SECS)?;
        let hidden = SignedDuration::from_secs(hidden.unwrap_or(queue.visibility_secs));
        let messages = self.receive_hidden(queue, most, hidden).into_iter().map(|message| {
            json!({"MessageId": message.id, "ReceiptHandle": message.id, "MD5OfBody": md5_of(&message.body),
                "Body": message.body, "Attributes": {
                "ApproximateReceiveCount": message.received.to_string(),
                "SentTimestamp": message.sent_at.as_millisecond().to_string()}})
        });
        Ok(json!({"Messages": messages.collect::<Vec<Value>>()}))
    }

    /// The message that `handle` is a receipt of; none once it is deleted.
    fn received(&self, queue: &Queue, handle: &str) -> Result<Option<Message>, QueueError> {
        let message = self.lock().get(handle).cloned();
        match message {
            Some(message) if message.queue != queue.logical_name => {
                Err(QueueError::InvalidReceipt(handle.to_owned()))
            }
            message => Ok(message),
        }
    }

    /// The addresses of the queues whose names begin with `prefix`.
    fn list(&self, prefix: &str) -> Value {
        let named = self.inner.declared.iter().filter(|queue| queue.name.starts_with(prefix));
        json!({"QueueUrls": named.map(|queue| self.url_of(queue)).collect::<Vec<_>>()})
    }

    fn url_of(&self, queue: &Queue) -> String {
        Self::url(&self.inner.address, &queue.logical_name)
    }

    /// How many messages can be received, are in hand, or are still delayed: those of the numbers that are `asked` for.
    fn attributes(&self, queue: &Queue, asked: &Value) -> Value {
        let now = self.inner.clock.now();
        let messages = self.messages();
        let count = |is_counted: &dyn Fn(&Message) -> bool| {
            let here = messages.iter().filter(|message| message.queue == queue.logical_name);
            here.filter(|message| is_counted(message)).count().to_string()
        };
        let asked: Vec<&str> = asked.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let all = [
            ("ApproximateNumberOfMessages", count(&|message| message.visible_at <= now)),
            (
                "ApproximateNumberOfMessagesNotVisible",
                count(&|message| message.visible_at > now && message.received > 0),
            ),
            (
                "ApproximateNumberOfMessagesDelayed",
                count(&|message| message.visible_at > now && message.received == 0),
            ),
            ("VisibilityTimeout", queue.visibility_secs.to_string()),
        ];
        let wanted = all.into_iter().filter(|(name, _)| asked.contains(name) || asked.contains(&"All"));
        let attributes: BTreeMap<&str, String> = wanted.collect();
        json!({"Attributes": attributes})
    }
}

/// A number of seconds that a request may give, from 0 to `most`.
fn seconds(value: &Value, most: i64) -> Result<Option<i64>, QueueError> {
    match value.as_i64() {
        Some(secs) if !(0..=most).contains(&secs) => {
            Err(QueueError::InvalidParameter("The number of seconds is not within SQS's limits."))
        }
        secs => Ok(secs),
    }
}

/// The digest of a body that SQS's clients compare it with.
fn md5_of(text: &str) -> String {
    format!("{:x}", md5::compute(text))
}
