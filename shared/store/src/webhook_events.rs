//! What the vendors sent and what became of it. None of it stands in front of an effect.

mod scrubber;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    dynamo::{Dynamo, Read},
    error::StoreError,
    item::{decode, encode, number, text},
    scope::System,
    table::Table,
};
use domain::ids::EventId;

pub use scrubber::Scrubber;

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
