//! Stripe's events: which payment an event is about. The money received is the payment's `amount_received`,
//! never a session's total nor anything in metadata.

use serde::Deserialize;
use serde_json::Value;

use super::PaymentIntent;
use domain::ids::{EventId, PaymentIntentId};

/// An event, as Stripe posts and lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The id of the event, the same in all its deliveries.
    pub id: EventId,
    /// The type of the event, in Stripe's words.
    pub type_name: String,
    /// What the event says about our money.
    pub kind: Kind,
}

/// What an event says about our money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A Checkout session was paid, by this payment.
    SessionPaid(PaymentIntentId),
    /// A payment succeeded: the payment as the event shows it.
    PaymentSucceeded(Box<PaymentIntent>),
    /// A payment failed or was canceled: the payment as the event shows it.
    PaymentFailed(Box<PaymentIntent>),
    /// Money of this payment was refunded or disputed.
    Reversed(Payment),
    /// A card network warned that a payment is likely to be fraud (docs.stripe.com/disputes/measuring#early-fraud-warnings).
    Warned {
        /// The warning as Stripe names it (`issfr_…`).
        warning: String,
        /// The payment that is warned of.
        payment: Payment,
    },
    /// The event says nothing about our money.
    Other,
}

/// How an event names its payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payment {
    /// The event names the payment itself.
    Intent(PaymentIntentId),
    /// The event names a charge, of which Stripe must be asked for the payment.
    Charge(String),
}

/// Why a body is no event.
#[derive(Debug, thiserror::Error)]
pub enum NotAnEvent {
    /// The body is not JSON with an id, a type and an object.
    #[error("the body is not a Stripe event")]
    Form(#[source] serde_json::Error),
    /// A field of the event cannot be used.
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
    /// Reads the body of a webhook.
    ///
    /// # Errors
    /// When the body is not an event, or an event about our money lacks its payment.
    pub fn parse(body: &[u8]) -> Result<Self, NotAnEvent> {
        Self::read(serde_json::from_slice(body).map_err(NotAnEvent::Form)?)
    }

    /// Reads an entry of Stripe's list of events.
    ///
    /// # Errors
    /// When the entry is not an event, or an event about our money lacks its payment.
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
            | "charge.dispute.funds_reinstated" => Kind::Reversed(payment_of(object)?),
            "radar.early_fraud_warning.created" => {
                let warning = object["id"].as_str().ok_or(NotAnEvent::Field("id"))?;
                Kind::Warned { warning: warning.to_owned(), payment: payment_of(object)? }
            }
            _ => Kind::Other,
        };
        Ok(Self { id: envelope.id, type_name: envelope.kind, kind })
    }
}

/// Returns the payment that a refund, a dispute, a warning or a charge is about.
fn payment_of(object: &Value) -> Result<Payment, NotAnEvent> {
    let of_charge =
        || if object["object"] == "charge" { id_of(&object["id"]) } else { id_of(&object["charge"]) };
    match (id_of(&object["payment_intent"]), of_charge()) {
        (Some(intent), _) => Ok(Payment::Intent(intent_id(intent)?)),
        (None, Some(charge)) => Ok(Payment::Charge(charge.to_owned())),
        (None, None) => Err(NotAnEvent::Field("payment_intent")),
    }
}

fn intent_id(text: &str) -> Result<PaymentIntentId, NotAnEvent> {
    PaymentIntentId::parse(text).map_err(|_| NotAnEvent::Field("payment_intent"))
}

/// Returns an id, or the id of the object that stands in its place.
pub(super) fn id_of(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value["id"].as_str())
}
