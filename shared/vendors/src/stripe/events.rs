//! The events that Stripe keeps: for thirty days it lists those that it posted, or meant to post.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::{Created, List, PAGE, Stripe, StripeError};
use domain::ids::EventId;

/// The types of event that say something about our money: what the webhook endpoint is registered for, and
/// what is listed when events are compared with the books.
pub const TYPES: [&str; 16] = [
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "payment_intent.succeeded",
    "payment_intent.payment_failed",
    "payment_intent.canceled",
    "charge.refunded",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.refund.updated",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "radar.early_fraud_warning.created",
];

/// One page of the list of events, the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPage {
    /// The events, each as Stripe posts it.
    pub events: Vec<Value>,
    /// The id of the last event of the page, when there are older ones.
    pub next: Option<EventId>,
}

impl Stripe {
    /// Returns the events of our [`TYPES`] that were made at or after `since`, a page at a time: the newest,
    /// or those older than `after`.
    ///
    /// # Errors
    /// See [`StripeError`].
    pub async fn events(&self, since: Timestamp, after: Option<&EventId>) -> Result<EventPage, StripeError> {
        let query = page_query(since, after);
        let page: List<Value> = self.get(&format!("/v1/events?{query}")).await?;
        let next = match page.data.last() {
            // An id that cannot be read is an error: otherwise the older events would be passed over.
            Some(last) if page.has_more => {
                Some(Created::<EventId>::deserialize(last).map_err(StripeError::Unreadable)?.id)
            }
            Some(_) | None => None,
        };
        Ok(EventPage { events: page.data, next })
    }
}

fn page_query(since: Timestamp, after: Option<&EventId>) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .append_pair("created[gte]", &since.as_second().to_string())
        .append_pair("limit", &PAGE.to_string())
        .extend_pairs(TYPES.map(|type_name| ("types[]", type_name)))
        .extend_pairs(after.map(|after| ("starting_after", after.as_str())))
        .finish()
}
