//! What the vendors sent and what became of it. None of it stands in front of an effect.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::table::{Dynamo, StoreError, Table, encode, number, unavailable};
use crate::domain::ids::EventId;

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
    /// What came, without anybody's words, numbers or secrets. Only for a dead letter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// When it came.
    #[serde(with = "crate::domain::clock::millis")]
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
        self.db
            .retrying("PutItem", || {
                self.db
                    .client
                    .put_item()
                    .table_name(self.db.table_name(self.table))
                    .set_item(Some(item.clone()))
                    .send()
            })
            .await
            .map(|_| ())
            .map_err(|error| unavailable("PutItem", error))
    }

    /// Reads what became of a delivery.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn get(&self, key: &EventId) -> Result<Option<WebhookEvent>, StoreError> {
        self.db.get(self.table, &[("event_key", key.as_str())]).await
    }
}

/// A body without what anybody said, is called, or must keep secret: only ids, kinds, times, numbers and flags keep
/// their values; any other text becomes a note of its length.
pub fn scrubbed(body: &Value) -> Value {
    const KEPT_TEXTS: [&str; 26] = [
        "id",
        "type",
        "status",
        "orgId",
        "phoneNumberId",
        "assistantId",
        "squadId",
        "callId",
        "createdAt",
        "updatedAt",
        "startedAt",
        "endedAt",
        "timestamp",
        "endedReason",
        "phoneCallProvider",
        "phoneCallTransport",
        "provider",
        "object",
        "currency",
        "payment_status",
        "customer",
        "payment_intent",
        "charge",
        "mode",
        "reason",
        "api_version",
    ];
    const LONGEST_KEPT: usize = 128;
    match body {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| {
                let is_kept = KEPT_TEXTS.contains(&name.as_str())
                    && value.as_str().is_some_and(|text| text.len() <= LONGEST_KEPT);
                (name.clone(), if is_kept { value.clone() } else { scrubbed(value) })
            })
            .collect(),
        Value::Array(items) => items.iter().map(scrubbed).collect(),
        Value::String(text) => Value::String(format!("[removed: {} bytes]", text.len())),
        Value::Null | Value::Bool(_) | Value::Number(_) => body.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::scrubbed;

    #[test]
    fn a_dead_letter_keeps_its_shape_and_loses_its_words() {
        let body = json!({"message": {"type": "status-update", "call": {"id": "c1", "customer": {"number": "+447700900123"}},
            "phoneNumber": {"twilioAuthToken": "secret"}, "transcript": "I am ill", "durationMs": 5}});
        let expected = json!({"message": {"type": "status-update",
            "call": {"id": "c1", "customer": {"number": "[removed: 13 bytes]"}},
            "phoneNumber": {"twilioAuthToken": "[removed: 6 bytes]"}, "transcript": "[removed: 8 bytes]", "durationMs": 5}});
        assert_eq!(scrubbed(&body), expected);
    }
}
