//! What Stripe posts: which payment an event is about. What was received is the payment's `amount_received`, never
//! a session's total nor anything in metadata.

use serde::Deserialize;
use serde_json::Value;

use super::PaymentIntent;
use domain::ids::{EventId, PaymentIntentId};

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its id: one for all deliveries.
    pub id: EventId,
    /// Its type, in Stripe's words.
    pub type_name: String,
    /// What it says.
    pub kind: Kind,
}

/// What an event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A Checkout session was paid.
    SessionPaid(PaymentIntentId),
    /// A payment succeeded: as it stands.
    PaymentSucceeded(Box<PaymentIntent>),
    /// A payment came to nothing, for now or for good: as it stands.
    PaymentFailed(Box<PaymentIntent>),
    /// Something was refunded or disputed of this payment.
    Reversed(Payment),
    /// Anything else.
    Other,
}

/// How an event names its payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payment {
    /// Directly.
    Intent(PaymentIntentId),
    /// By its charge.
    Charge(String),
}

/// Why a body is no event.
#[derive(Debug, thiserror::Error)]
pub enum NotAnEvent {
    /// It is not JSON with an id, a type and an object.
    #[error("the body is not a Stripe event")]
    Form(#[source] serde_json::Error),
    /// A field of it cannot be used.
    #[error("the event's {0} cannot be used")]
    Field(&'static str),
}

#[derive(Deserialize)]
struct Envelope {
    id: EventId,
    #[serde(rename = "type")]
    kind: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Value,
}

impl Event {
    /// Reads a body.
    ///
    /// # Errors
    /// When it is not an event, or one of ours lacks what it must have.
    pub fn parse(body: &[u8]) -> Result<Self, NotAnEvent> {
        Self::read(serde_json::from_slice(body).map_err(NotAnEvent::Form)?)
    }

    /// Reads an event of a list.
    ///
    /// # Errors
    /// When it is not an event, or one of ours lacks what it must have.
    pub fn of(event: &Value) -> Result<Self, NotAnEvent> {
        Self::read(Envelope::deserialize(event).map_err(NotAnEvent::Form)?)
    }

    fn read(envelope: Envelope) -> Result<Self, NotAnEvent> {
        let object = &envelope.data.object;
        let kind = match envelope.kind.as_str() {
            "checkout.session.completed" | "checkout.session.async_payment_succeeded" => {
                match (object["payment_status"].as_str(), id_of(&object["payment_intent"])) {
                    (Some("paid"), Some(intent)) => Kind::SessionPaid(intent_id(intent)?),
                    _ => Kind::Other,
                }
            }
            "payment_intent.succeeded" => {
                Kind::PaymentSucceeded(serde_json::from_value(object.clone()).map_err(NotAnEvent::Form)?)
            }
            "payment_intent.payment_failed" | "payment_intent.canceled" => {
                Kind::PaymentFailed(serde_json::from_value(object.clone()).map_err(NotAnEvent::Form)?)
            }
            "charge.refunded"
            | "refund.created"
            | "refund.updated"
            | "refund.failed"
            | "charge.refund.updated"
            | "charge.dispute.created"
            | "charge.dispute.updated"
            | "charge.dispute.closed"
            | "charge.dispute.funds_withdrawn"
            | "charge.dispute.funds_reinstated" => {
                let of_charge = || {
                    if object["object"] == "charge" { id_of(&object["id"]) } else { id_of(&object["charge"]) }
                };
                match (id_of(&object["payment_intent"]), of_charge()) {
                    (Some(intent), _) => Kind::Reversed(Payment::Intent(intent_id(intent)?)),
                    (None, Some(charge)) => Kind::Reversed(Payment::Charge(charge.to_owned())),
                    (None, None) => return Err(NotAnEvent::Field("payment_intent")),
                }
            }
            _ => Kind::Other,
        };
        Ok(Self { id: envelope.id, type_name: envelope.kind, kind })
    }
}

fn intent_id(text: &str) -> Result<PaymentIntentId, NotAnEvent> {
    PaymentIntentId::parse(text).map_err(|_| NotAnEvent::Field("payment_intent"))
}

/// An id, or the id of the object that stands in its place.
pub(super) fn id_of(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value["id"].as_str())
}
