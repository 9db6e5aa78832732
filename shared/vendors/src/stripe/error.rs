//! Why Stripe did not do something, read from the answer.

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::event;
use crate::http::{HttpError, is_transient_status};
use domain::ids::PaymentIntentId;

/// Why Stripe did not do something.
#[derive(Debug, thiserror::Error)]
pub enum StripeError {
    /// Stripe has no such object.
    #[error("Stripe does not know it")]
    NotFound,
    /// Stripe refused the request.
    #[error("Stripe refused with status {status}: {code}")]
    Refused {
        /// The HTTP status of the answer.
        status: StatusCode,
        /// Stripe's code of the error, or its type when it has no code.
        code: String,
        /// The parameter of the request that Stripe refuses, if it names one.
        param: Option<String>,
    },
    /// The bank declined a charge.
    #[error("the card was declined: {code}")]
    Declined {
        /// The bank's code where there is one, else Stripe's, such as `authentication_required`.
        code: String,
        /// The payment that was made and not paid, if Stripe names it.
        payment_intent: Option<PaymentIntentId>,
    },
    /// Stripe had trouble of its own, or too many requests.
    #[error("Stripe answered with status {status}")]
    Trouble {
        /// The HTTP status of the answer.
        status: StatusCode,
    },
    /// No answer came. Stripe may have acted.
    #[error("Stripe did not answer")]
    Unreachable(#[source] HttpError),
    /// The answer is not what Stripe's API describes. Stripe may have acted.
    #[error("Stripe's answer cannot be read")]
    Unreadable(#[source] serde_json::Error),
}

impl StripeError {
    /// Returns whether asking again, with the same idempotency key, can help.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Trouble { .. } | Self::Unreachable(_) => true,
            Self::NotFound | Self::Refused { .. } | Self::Declined { .. } | Self::Unreadable(_) => false,
        }
    }

    /// Returns whether nothing was done, and asking again with the same idempotency key changes nothing. A
    /// key that was used before with other parameters is not such a case: what it was used for may have been
    /// done.
    pub fn is_final(&self) -> bool {
        match self {
            Self::NotFound | Self::Declined { .. } => true,
            Self::Refused { code, .. } => code != "idempotency_error",
            Self::Trouble { .. } | Self::Unreachable(_) | Self::Unreadable(_) => false,
        }
    }
}

/// The codes by which Stripe refuses a charge for the sake of the card, its method or its owner
/// (docs.stripe.com/error-codes). Any other code speaks of our request, our account or Stripe itself.
const OF_THE_CARD: [&str; 16] = [
    "authentication_required",
    "card_declined",
    "expired_card",
    "incorrect_address",
    "incorrect_cvc",
    "incorrect_number",
    "incorrect_zip",
    "invalid_cvc",
    "invalid_expiry_month",
    "invalid_expiry_year",
    "invalid_number",
    "missing",
    "payment_intent_authentication_failure",
    "payment_method_customer_decline",
    "payment_method_provider_decline",
    "payment_method_unexpected_state",
];
/// The code of an object that is not there; the parameter says which (docs.stripe.com/error-codes#resource-missing).
const RESOURCE_MISSING: &str = "resource_missing";

impl StripeError {
    /// Returns whether Stripe refuses a charge for the sake of its card, its method or its customer, so that
    /// another request for the same card is refused too. What is wrong with our request says nothing of a card.
    pub fn is_of_the_card(&self) -> bool {
        match self {
            Self::Declined { .. } => true,
            Self::Refused { code, param, .. } if code == RESOURCE_MISSING => {
                matches!(param.as_deref(), Some("payment_method" | "customer"))
            }
            Self::Refused { code, .. } => OF_THE_CARD.contains(&code.as_str()),
            Self::NotFound | Self::Trouble { .. } | Self::Unreachable(_) | Self::Unreadable(_) => false,
        }
    }

    /// Returns whether Stripe has no such customer as the request names: it was deleted, or is of another
    /// account or mode.
    pub fn is_customer_gone(&self) -> bool {
        matches!(self, Self::Refused { code, param, .. }
            if code == RESOURCE_MISSING && param.as_deref() == Some("customer"))
    }
}

/// Returns the error that an answer without success stands for.
pub(super) fn refusal(status: StatusCode, body: &[u8]) -> StripeError {
    #[derive(Deserialize)]
    struct Refusal {
        error: Reason,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Reason {
        code: Option<String>,
        decline_code: Option<String>,
        #[serde(rename = "type")]
        kind: Option<String>,
        param: Option<String>,
        payment_intent: Value,
    }
    if status == StatusCode::NOT_FOUND {
        return StripeError::NotFound;
    }
    // A conflict is a concurrent request with the same key: asking again gets its result.
    if is_transient_status(status) || status == StatusCode::CONFLICT {
        return StripeError::Trouble { status };
    }
    let reason = serde_json::from_slice::<Refusal>(body).map(|refusal| refusal.error).unwrap_or_default();
    let code = reason.code.or(reason.kind).unwrap_or_default();
    if status == StatusCode::PAYMENT_REQUIRED {
        let payment_intent =
            event::id_of(&reason.payment_intent).and_then(|id| PaymentIntentId::parse(id).ok());
        return StripeError::Declined { code: reason.decline_code.unwrap_or(code), payment_intent };
    }
    StripeError::Refused { status, code, param: reason.param }
}
