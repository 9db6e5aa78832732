//! The states and the currency of Stripe's objects. A word that Stripe adds later is `Unknown`, never an error.

use serde::{Deserialize, Serialize};

/// The state of a payment (docs.stripe.com/payments/paymentintents/lifecycle).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// The payment waits for a card; also after the bank declined one.
    RequiresPaymentMethod,
    /// The payment waits for us to say that it may go on.
    RequiresConfirmation,
    /// The customer must prove to the bank that the card is theirs.
    RequiresAction,
    /// The payment is under way at the bank.
    Processing,
    /// The money is reserved and not taken.
    RequiresCapture,
    /// The payment was given up, and cannot be paid any more.
    Canceled,
    /// The money was received.
    Succeeded,
    /// A state that this code does not know.
    #[serde(other)]
    Unknown,
}

impl PaymentStatus {
    /// Returns Stripe's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequiresPaymentMethod => "requires_payment_method",
            Self::RequiresConfirmation => "requires_confirmation",
            Self::RequiresAction => "requires_action",
            Self::Processing => "processing",
            Self::RequiresCapture => "requires_capture",
            Self::Canceled => "canceled",
            Self::Succeeded => "succeeded",
            Self::Unknown => "unknown",
        }
    }
}

/// The state of a refund (docs.stripe.com/api/refunds/object).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundStatus {
    /// The money is on its way.
    Pending,
    /// The customer has to act before any money moves.
    RequiresAction,
    /// The money went back to the card.
    Succeeded,
    /// The money did not reach the card.
    Failed,
    /// The refund was given up.
    Canceled,
    /// No state, or one that this code does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

/// The state of a dispute (docs.stripe.com/api/disputes/object). `Warning…` is an inquiry, which moves no
/// money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeStatus {
    /// An inquiry that waits for an answer.
    WarningNeedsResponse,
    /// An inquiry that the bank looks at.
    WarningUnderReview,
    /// An inquiry that became no dispute.
    WarningClosed,
    /// A dispute that waits for evidence.
    NeedsResponse,
    /// A dispute that the bank looks at.
    UnderReview,
    /// The bank decided for the clinic.
    Won,
    /// The bank decided for the cardholder.
    Lost,
    /// The dispute was averted before it was opened.
    Prevented,
    /// A state that this code does not know.
    #[serde(other)]
    Unknown,
}

/// The state of a Checkout session (docs.stripe.com/api/checkout/sessions/object).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionStatus {
    /// The customer can pay on it.
    Open,
    /// The customer is done with it.
    Complete,
    /// It cannot be paid on any more.
    Expired,
    /// No state, or one that this code does not know.
    #[default]
    #[serde(other)]
    Unknown,
}

/// The currency of an amount at Stripe. Amounts here are pence, so anything else cannot be booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Currency {
    /// Pounds sterling, in pence.
    #[serde(rename = "gbp")]
    Gbp,
    /// Any other currency.
    #[serde(other)]
    Other,
}

/// What every payment is made with, as Stripe writes it: a delayed method would credit days later, and cannot be
/// charged while its owner is away.
pub(super) const CARD: &str = "card";
/// What every payment is asked for in, as Stripe writes it.
pub(super) const POUNDS: &str = "gbp";
