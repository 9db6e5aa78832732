//! What the vendors sent and what became of it. None of it stands in front of an effect.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    dynamo::{Dynamo, Read},
    error::StoreError,
    item::{decode, encode, number, text},
    scope::System,
    table::Table,
};
use domain::ids::EventId;

/// The outcome of a delivery that could not be placed.
pub const DEAD_LETTER: &str = "dead_letter";
/// How long a record is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 90);

/// What became of a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookEvent {
    /// The delivery, as its vendor names it, or as we do.
    pub event_key: EventId,
    /// Its type, in the vendor's words.
    pub kind: String,
    /// What became of it, in one word: `booked`, `repeated`, `nothing`, `ignored`, `dead_letter`.
    pub outcome: String,
    /// Why, when there is a why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What came, without a person's words or numbers, and without secrets. Only for a dead letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// When it came.
    #[serde(with = "domain::time::millis")]
    pub received_at: Timestamp,
}

/// One vendor's table of events.
#[derive(Clone, Debug)]
pub struct WebhookEvents {
    db: Dynamo,
    table: Table,
}

impl WebhookEvents {
    /// What Vapi sent.
    pub const fn vapi(db: Dynamo) -> Self {
        Self { db, table: Table::VapiWebhookEvents }
    }

    /// What Stripe sent.
    pub const fn stripe(db: Dynamo) -> Self {
        Self { db, table: Table::StripeWebhookEvents }
    }

    /// Records what became of a delivery; a later copy of it overwrites.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn record(&self, event: &WebhookEvent) -> Result<(), StoreError> {
        let mut item = encode(self.table, event)?;
        item.insert("expires_at".into(), number((event.received_at + KEPT).as_second()));
        self.db.of_system(System::WebhookEvents).put(self.table, item).await
    }

    /// Reads what became of a delivery.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn get(&self, key: &EventId) -> Result<Option<WebhookEvent>, StoreError> {
        self.db.of_system(System::WebhookEvents).get(self.table, &[("event_key", key.as_str())]).await
    }

    /// The deliveries that could not be placed, at most `most` of them. It reads the whole table: for a person who looks.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn dead_letters(&self, most: usize) -> Result<Vec<WebhookEvent>, StoreError> {
        let values = [(":outcome", text(DEAD_LETTER))];
        let read =
            Read { filter: Some("outcome = :outcome"), values: &values, lagging: true, ..Read::default() };
        let mut pages = self.db.of_system(System::WebhookEvents).pages(self.table, read);
        let mut found = Vec::new();
        while let Some(page) = pages.next().await? {
            for item in page.items {
                if found.len() == most {
                    return Ok(found);
                }
                found.push(decode(self.table, item)?);
            }
        }
        Ok(found)
    }
}

/// The largest payload kept, far below an item's 400 KB.
const LARGEST_PAYLOAD: usize = 100_000;

/// A vendor, by the names of the fields whose values a dead letter of its keeps: ids, kinds, times and amounts.
#[derive(Clone, Copy, Debug)]
pub struct Scrubber(&'static [&'static str]);

impl Scrubber {
    /// For what Vapi sends.
    pub const VAPI: Self = Self(&[
        "id",
        "type",
        "status",
        "orgId",
        "phoneNumberId",
        "assistantId",
        "squadId",
        "createdAt",
        "updatedAt",
        "startedAt",
        "endedAt",
        "timestamp",
        "endedReason",
        "phoneCallProvider",
        "durationMs",
        "durationSeconds",
    ]);
    /// For what Stripe sends.
    pub const STRIPE: Self = Self(&[
        "id",
        "object",
        "type",
        "status",
        "currency",
        "payment_status",
        "customer",
        "payment_intent",
        "charge",
        "mode",
        "api_version",
        "amount",
        "amount_received",
        "amount_total",
        "created",
        "voxanne_environment",
    ]);

    /// A body without what a person said or is called, or what must be kept secret, cut with a mark when it is too long.
    pub fn payload(self, body: &Value) -> String {
        let mut text = self.scrubbed(body).to_string();
        if text.len() > LARGEST_PAYLOAD {
            text.truncate(text.floor_char_boundary(LARGEST_PAYLOAD));
            text.push_str("[cut]");
        }
        text
    }

    fn scrubbed(self, body: &Value) -> Value {
        const LONGEST_KEPT: usize = 128;
        match body {
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| {
                    let is_short =
                        value.is_number() || value.as_str().is_some_and(|text| text.len() <= LONGEST_KEPT);
                    let is_kept = is_short && self.0.contains(&name.as_str());
                    (name.clone(), if is_kept { value.clone() } else { self.scrubbed(value) })
                })
                .collect(),
            Value::Array(items) => items.iter().map(|item| self.scrubbed(item)).collect(),
            Value::String(text) => Value::String(format!("[removed: {} bytes]", text.len())),
            Value::Number(_) => Value::String("[removed: a number]".to_owned()),
            Value::Null | Value::Bool(_) => body.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Scrubber;

    #[test]
    fn a_dead_letter_keeps_its_shape_and_loses_its_words() {
        let body = json!({"message": {"type": "status-update", "call": {"id": "c1", "customer": {"number": "+447700900123"}},
            "phoneNumber": {"twilioAuthToken": "secret"}, "analysis": {"structuredData": {"reason": "a rash", "age": 44}}, "transcript": "I am ill", "durationMs": 5}});
        let expected = json!({"message": {"type": "status-update",
            "call": {"id": "c1", "customer": {"number": "[removed: 13 bytes]"}},
            "phoneNumber": {"twilioAuthToken": "[removed: 6 bytes]"},
            "analysis": {"structuredData": {"reason": "[removed: 6 bytes]", "age": "[removed: a number]"}}, "transcript": "[removed: 8 bytes]", "durationMs": 5}});
        assert_eq!(Scrubber::VAPI.scrubbed(&body), expected);
        let huge = json!({"id": vec!["x"; 100_000]});
        assert!(Scrubber::VAPI.payload(&huge).ends_with("[cut]"));
    }
}
