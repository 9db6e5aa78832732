//! Charging a saved card while its owner is away, and finding out what became of the charge.

use jiff::Timestamp;
use serde::Deserialize;

use super::{
    EPISODE, PaymentIntent, Reference, Stripe, StripeError, plain,
    status::{CARD, POUNDS},
};
use crate::marks::ENVIRONMENT;
use domain::{
    amount::Amount,
    ids::{CustomerId, EpisodeId, PaymentIntentId},
};

/// A charge of a saved card, for one episode of auto-recharge.
#[derive(Clone, Debug)]
pub struct CardCharge<'a> {
    /// The customer who pays.
    pub customer: &'a CustomerId,
    /// The saved card, as Stripe names it (`pm_…`).
    pub payment_method: &'a str,
    /// The amount to be charged.
    pub amount: Amount,
    /// The episode that the payment is for, whose id its metadata carries.
    pub episode: &'a EpisodeId,
    /// The page that the customer comes back to, should the bank want them to authenticate.
    pub return_url: &'a str,
    /// The idempotency key: one attempt charges once.
    pub idempotency_key: &'a str,
}

/// A saved card: the fields we read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PaymentMethod {
    #[serde(default)]
    customer: Option<Reference<CustomerId>>,
    #[serde(default)]
    card: Option<CardDetails>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct CardDetails {
    #[serde(default)]
    fingerprint: Option<String>,
}

impl PaymentMethod {
    /// Returns whether the card is saved for this customer; one that is detached is nobody's.
    pub fn is_of(&self, customer: &CustomerId) -> bool {
        self.customer.as_ref().is_some_and(|owner| owner.id() == customer)
    }

    /// Returns what Stripe calls the card's number by, the same however often the card is saved; absent where
    /// Stripe does not say (`docs.stripe.com/api/payment_methods/object`).
    pub fn fingerprint(&self) -> Option<&str> {
        self.card.as_ref()?.fingerprint.as_deref()
    }
}

/// What the customer must do before a payment goes on.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct NextAction {
    #[serde(default)]
    redirect_to_url: Option<Redirect>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Redirect {
    #[serde(default)]
    url: Option<String>,
}

/// Why the last try to be paid failed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PaymentFailure {
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    decline_code: Option<String>,
}

impl PaymentIntent {
    /// Returns the page where the customer proves to the bank that the card is theirs, when they must.
    pub fn action_url(&self) -> Option<&str> {
        self.next_action.as_ref()?.redirect_to_url.as_ref()?.url.as_deref()
    }

    /// Returns the episode of auto-recharge that the payment is for; `None` when it names none, or one that
    /// cannot be an id.
    pub fn episode(&self) -> Option<EpisodeId> {
        self.metadata.get(EPISODE).and_then(|id| EpisodeId::parse(id.as_str()).ok())
    }

    /// Returns whether the bank, or Stripe in its place, has declined the payment.
    pub const fn is_declined(&self) -> bool {
        self.last_payment_error.is_some()
    }

    /// Returns why the last try to be paid failed: the bank's code where there is one, else Stripe's, else
    /// the status of the payment.
    pub fn failure_code(&self) -> &str {
        let failure = self.last_payment_error.as_ref();
        let code = failure.and_then(|failure| failure.decline_code.as_deref().or(failure.code.as_deref()));
        code.unwrap_or(self.status.as_str())
    }
}

impl Stripe {
    /// Charges a saved card while its owner is away. The payment that is returned need not be paid: its
    /// status says so.
    ///
    /// # Errors
    /// [`StripeError::Declined`] when the bank says no; see [`StripeError`].
    pub async fn charge_card(&self, charge: &CardCharge<'_>) -> Result<PaymentIntent, StripeError> {
        let amount = charge.amount.pence().to_string();
        let (mark, episode) = (format!("metadata[{ENVIRONMENT}]"), format!("metadata[{EPISODE}]"));
        let form = [
            ("amount", amount.as_str()),
            ("currency", POUNDS),
            ("customer", charge.customer.as_str()),
            ("payment_method", charge.payment_method),
            ("payment_method_types[]", CARD),
            ("off_session", "true"),
            ("confirm", "true"),
            ("return_url", charge.return_url),
            (mark.as_str(), self.environment.as_str()),
            (episode.as_str(), charge.episode.as_str()),
        ];
        self.post("/v1/payment_intents", &form, charge.idempotency_key).await
    }

    /// Returns a saved card; `None` when Stripe has none of this name.
    ///
    /// # Errors
    /// See [`StripeError`].
    pub async fn payment_method(&self, id: &str) -> Result<Option<PaymentMethod>, StripeError> {
        match self.get(&format!("/v1/payment_methods/{}", plain(id))).await {
            Ok(found) => Ok(Some(found)),
            Err(StripeError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns all payments of an episode that were made at or after `since`, the newest first, whatever
    /// became of them.
    ///
    /// # Errors
    /// See [`StripeError`].
    pub async fn episode_payments(
        &self,
        customer: &CustomerId,
        episode: &EpisodeId,
        since: Timestamp,
    ) -> Result<Vec<PaymentIntent>, StripeError> {
        let since = since.as_second();
        let path = format!("/v1/payment_intents?customer={customer}&created%5Bgte%5D={since}");
        let mut found = self.all(&path, |payment: &PaymentIntent| payment.id.to_string()).await?;
        found.retain(|payment| payment.episode().as_ref() == Some(episode));
        Ok(found)
    }

    /// Cancels a payment, so that it cannot be paid any more.
    ///
    /// # Errors
    /// [`StripeError::Refused`] when the payment is paid, on its way, or canceled already; see
    /// [`StripeError`].
    pub async fn cancel_payment(
        &self,
        id: &PaymentIntentId,
        idempotency_key: &str,
    ) -> Result<PaymentIntent, StripeError> {
        self.post(&format!("/v1/payment_intents/{id}/cancel"), &[], idempotency_key).await
    }
}
