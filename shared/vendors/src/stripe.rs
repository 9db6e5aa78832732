//! Stripe: its webhook's signature, customers, Checkout, payments, refunds, disputes, its events and the
//! endpoints that they are posted to.

pub mod charge;
pub mod endpoints;
mod error;
pub mod event;
pub mod events;
mod objects;
mod status;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, header};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};

pub use self::{
    charge::{CardCharge, NextAction, PaymentFailure, PaymentMethod},
    endpoints::WebhookEndpoint,
    error::StripeError,
    events::EventPage,
    objects::{BalanceTransaction, CheckoutSession, Dispute, PaymentIntent, Reference, Refund},
    status::{Currency, DisputeStatus, PaymentStatus, RefundStatus, SessionStatus},
};
use self::{
    error::refusal,
    status::{CARD, POUNDS},
};
use super::{
    http::{Http, HttpError},
    marks::ENVIRONMENT,
    signature::{Unverified, is_fresh, is_one_hmac_sha256, tags, usable},
};
use domain::{
    amount::Amount,
    ids::{CustomerId, OrgId, PaymentIntentId},
};

/// The version of Stripe's API that every request names, and that every answer is read in.
pub const API_VERSION: &str = "2026-10-28.endive";
/// The header that carries a webhook's signature.
pub const SIGNATURE_HEADER: &str = "stripe-signature";
/// The metadata key of the episode of auto-recharge that a payment is for.
pub const EPISODE: &str = "voxanne_episode";
/// The metadata key of what makes two top-ups the same: org, user, amount and path.
const FINGERPRINT: &str = "voxanne_fingerprint";
/// The most objects that a list gives at a time.
const PAGE: usize = 100;

/// The secrets that prove an event comes from Stripe: the current one, and during rotation the one before.
#[derive(Clone, Debug)]
pub struct StripeWebhook {
    /// The secrets, of which any may have signed.
    pub secrets: Vec<SecretString>,
}

impl StripeWebhook {
    /// Checks that `body`, byte by byte as it came, was signed by a holder of a secret: any `v1` of
    /// `Stripe-Signature: t=…,v1=…` is the hexadecimal HMAC-SHA256 over `{t}.{body}`
    /// (docs.stripe.com/webhooks#verify-manually).
    ///
    /// # Errors
    /// See [`Unverified`].
    pub fn verify(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<(), Unverified> {
        let secrets = usable(&self.secrets)?;
        let header = headers.get(SIGNATURE_HEADER).ok_or(Unverified::Unsigned)?;
        let header = header.to_str().map_err(|_| Unverified::Malformed)?;
        let mut stamp = None;
        let mut signatures = Vec::new();
        for part in header.split(',') {
            match part.split_once('=') {
                Some(("t", value)) => stamp = Some(value),
                Some(("v1", value)) => signatures.push(value),
                Some(_) => {}
                None => return Err(Unverified::Malformed),
            }
        }
        let stamp = stamp.ok_or(Unverified::Malformed)?;
        let second: i64 = stamp.parse().map_err(|_| Unverified::Malformed)?;
        if !is_fresh(Timestamp::from_second(second).map_err(|_| Unverified::Malformed)?, now) {
            return Err(Unverified::Stale);
        }
        let parts: [&[u8]; 3] = [stamp.as_bytes(), b".", body];
        let expected = tags(signatures);
        if expected.is_empty() {
            return Err(Unverified::Malformed);
        }
        let matches = |secret: &&SecretString| is_one_hmac_sha256(secret, &parts, &expected);
        if secrets.iter().any(matches) { Ok(()) } else { Err(Unverified::Mismatch) }
    }
}

/// A client of Stripe's REST API.
#[derive(Clone, Debug)]
pub struct Stripe {
    http: Http,
    base_url: String,
    key: SecretString,
    environment: String,
}

/// Whose mark a payment at Stripe carries: several environments and products may share one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// This environment's.
    Ours,
    /// Another environment's of ours.
    AnotherEnvironments,
    /// Nobody's.
    None,
}

/// A top-up that a person wants to make.
#[derive(Clone, Debug)]
pub struct TopUp<'a> {
    /// The customer who pays.
    pub customer: &'a CustomerId,
    /// The amount to be paid.
    pub amount: Amount,
    /// The page that the customer comes to after paying.
    pub success_url: &'a str,
    /// The page that the customer comes to after turning back.
    pub cancel_url: &'a str,
    /// What makes two top-ups the same: org, user, amount and path, hashed.
    pub fingerprint: &'a str,
    /// The idempotency key: requests with one key make one session.
    pub idempotency_key: &'a str,
}

#[derive(Deserialize)]
struct List<T> {
    data: Vec<T>,
    #[serde(default)]
    has_more: bool,
}

#[derive(Deserialize)]
struct Created<T> {
    id: T,
}

impl Stripe {
    /// Returns a client of the API at `base_url`, which marks what it creates with `environment`.
    pub fn new(
        http: Http,
        base_url: impl Into<String>,
        key: SecretString,
        environment: impl Into<String>,
    ) -> Self {
        Self { http, base_url: base_url.into(), key, environment: environment.into() }
    }

    /// Returns whose mark a payment carries.
    pub fn mark(&self, payment: &PaymentIntent) -> Mark {
        match payment.metadata.get(ENVIRONMENT) {
            Some(environment) if *environment == self.environment => Mark::Ours,
            Some(_) => Mark::AnotherEnvironments,
            None => Mark::None,
        }
    }

    /// Makes a customer for an org, in the place of `gone` where there was one; asking again in the same
    /// `window` of time returns the same customer. A failure, which Stripe keeps under its key for a day, is
    /// over with its window.
    ///
    /// # Errors
    /// See [`StripeError`].
    pub async fn create_customer(
        &self,
        org: OrgId,
        gone: Option<&CustomerId>,
        window: i64,
    ) -> Result<CustomerId, StripeError> {
        let org = org.to_string();
        let form = [
            ("metadata[voxanne_environment]", self.environment.as_str()),
            ("metadata[org_id]", &org),
            ("description", &format!("Clinic {org}")),
        ];
        let after = gone.map(|gone| format!("-after-{gone}")).unwrap_or_default();
        let key = format!("customer-{}-{org}{after}-{window}", self.environment);
        Ok(self.post::<Created<CustomerId>>("/v1/customers", &form, &key).await?.id)
    }

    /// Returns the newest session for the same top-up, whatever became of it; `None` when there was none.
    ///
    /// # Errors
    /// See [`StripeError`].
    pub async fn newest_session(
        &self,
        customer: &CustomerId,
        fingerprint: &str,
    ) -> Result<Option<CheckoutSession>, StripeError> {
        let path = format!("/v1/checkout/sessions?customer={customer}&limit={PAGE}");
        let found: List<CheckoutSession> = self.get(&path).await?;
        let is_same = |session: &CheckoutSession| {
            session.metadata.get(FINGERPRINT).is_some_and(|other| other == fingerprint)
        };
        // Lists give the newest first.
        Ok(found.data.into_iter().find(is_same))
    }

    /// Makes a Checkout session for a top-up by card, which ends with an invoice that Stripe mails as the
    /// receipt. The card may be kept for later; the payment carries our mark.
    ///
    /// # Errors
    /// See [`StripeError`].
    pub async fn create_session(&self, top_up: &TopUp<'_>) -> Result<CheckoutSession, StripeError> {
        let amount = top_up.amount.pence().to_string();
        let form = [
            ("mode", "payment"),
            ("customer", top_up.customer.as_str()),
            ("payment_method_types[]", CARD),
            ("invoice_creation[enabled]", "true"),
            ("line_items[0][quantity]", "1"),
            ("line_items[0][price_data][currency]", POUNDS),
            ("line_items[0][price_data][unit_amount]", &amount),
            ("line_items[0][price_data][product_data][name]", "Voxanne wallet top-up"),
            ("success_url", top_up.success_url),
            ("cancel_url", top_up.cancel_url),
            ("metadata[voxanne_environment]", &self.environment),
            ("metadata[voxanne_fingerprint]", top_up.fingerprint),
            // A session's metadata is not copied to its payment.
            ("payment_intent_data[metadata][voxanne_environment]", &self.environment),
            ("payment_intent_data[setup_future_usage]", "off_session"),
        ];
        self.post("/v1/checkout/sessions", &form, top_up.idempotency_key).await
    }

    /// Returns a payment as it stands at Stripe.
    ///
    /// # Errors
    /// See [`StripeError`].
    pub async fn payment(&self, id: &PaymentIntentId) -> Result<PaymentIntent, StripeError> {
        self.get(&format!("/v1/payment_intents/{id}")).await
    }

    /// Returns the payment that a charge belongs to, if it belongs to one.
    ///
    /// # Errors
    /// See [`StripeError`].
    pub async fn payment_of_charge(&self, charge: &str) -> Result<Option<PaymentIntentId>, StripeError> {
        #[derive(Deserialize)]
        struct Charge {
            #[serde(default)]
            payment_intent: Option<Reference<PaymentIntentId>>,
        }
        let charge: Charge = self.get(&format!("/v1/charges/{}", plain(charge))).await?;
        Ok(charge.payment_intent.map(|reference| reference.id().clone()))
    }

    /// Returns all refunds of a payment.
    ///
    /// # Errors
    /// See [`StripeError`].
    pub async fn refunds(&self, payment: &PaymentIntentId) -> Result<Vec<Refund>, StripeError> {
        self.all(&format!("/v1/refunds?payment_intent={payment}"), |refund: &Refund| refund.id.to_string())
            .await
    }

    /// Returns all disputes over a payment, each with what the bank has moved so far.
    ///
    /// # Errors
    /// See [`StripeError`].
    pub async fn disputes(&self, payment: &PaymentIntentId) -> Result<Vec<Dispute>, StripeError> {
        self.all(&format!("/v1/disputes?payment_intent={payment}"), |dispute: &Dispute| {
            dispute.id.to_string()
        })
        .await
    }

    async fn all<T: DeserializeOwned>(
        &self,
        path: &str,
        id: impl Fn(&T) -> String,
    ) -> Result<Vec<T>, StripeError> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let mut found: Vec<T> = Vec::new();
        loop {
            let after = found.last().map(|last| format!("&starting_after={}", id(last))).unwrap_or_default();
            let page: List<T> = self.get(&format!("{path}{joint}limit={PAGE}{after}")).await?;
            let is_last = !page.has_more || page.data.is_empty();
            found.extend(page.data);
            if is_last {
                return Ok(found);
            }
        }
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, StripeError> {
        self.send(self.request(Method::GET, path).body(Bytes::new())).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        form: &[(&str, &str)],
        idempotency_key: &str,
    ) -> Result<T, StripeError> {
        self.post_form(path, form, Some(idempotency_key)).await
    }

    async fn post_form<T: DeserializeOwned>(
        &self,
        path: &str,
        form: &[(&str, &str)],
        idempotency_key: Option<&str>,
    ) -> Result<T, StripeError> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let mut request = self
            .request(Method::POST, path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        self.send(request.body(Bytes::from(body))).await
    }

    fn request(&self, method: Method, path: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base_url))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.key.expose_secret()))
            .header("stripe-version", API_VERSION)
    }

    async fn send<T: DeserializeOwned>(
        &self,
        request: http::Result<Request<Bytes>>,
    ) -> Result<T, StripeError> {
        let request =
            request.map_err(|error| StripeError::Unreachable(HttpError::Connection(Box::new(error))))?;
        let answer = self.http.send(request).await.map_err(StripeError::Unreachable)?;
        if answer.status().is_success() {
            return serde_json::from_slice(answer.body()).map_err(StripeError::Unreadable);
        }
        Err(refusal(answer.status(), answer.body()))
    }
}

/// Returns the characters that may stand in a path, of an id that another party wrote.
fn plain(id: &str) -> String {
    id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

#[cfg(test)]
mod tests;
