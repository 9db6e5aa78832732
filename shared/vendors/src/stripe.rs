//! Stripe: its webhook's signature, customers, Checkout, payments, refunds, disputes, its events and the
//! endpoints that they are posted to.

pub mod charge;
pub mod endpoints;
pub mod event;
pub mod events;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

pub use self::{
    charge::{CardCharge, NextAction, PaymentFailure},
    endpoints::WebhookEndpoint,
    events::EventPage,
};
use super::{
    http::{Http, HttpError, is_transient_status},
    signature::{Unverified, is_fresh, is_hmac_sha256, usable},
};
use domain::{
    amount::Amount,
    ids::{BalanceTransactionId, CheckoutSessionId, CustomerId, DisputeId, OrgId, PaymentIntentId, RefundId},
};

/// The version of Stripe's API that every request names, and that every answer is read in.
pub const API_VERSION: &str = "2026-10-28.endive";
/// The header that carries a webhook's signature.
pub const SIGNATURE_HEADER: &str = "stripe-signature";
/// The metadata key of our mark on everything that we create; its value is the environment.
pub const MARK: &str = "voxanne_environment";
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
        let expected: Vec<Vec<u8>> =
            signatures.iter().filter_map(|signature| hex::decode(signature).ok()).collect();
        if expected.is_empty() {
            return Err(Unverified::Malformed);
        }
        let matches = |secret: &&SecretString| expected.iter().any(|tag| is_hmac_sha256(secret, &parts, tag));
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

/// A payment: the fields we read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct PaymentIntent {
    /// The id of the payment (`pi_…`).
    pub id: PaymentIntentId,
    /// The state of the payment: `succeeded`, `processing`, `requires_action` …
    pub status: String,
    /// The money that was received, in the currency's smallest unit.
    #[serde(default)]
    pub amount_received: i64,
    /// The currency in lower case: `gbp`.
    pub currency: String,
    /// The customer who pays, if the payment names one.
    #[serde(default)]
    pub customer: Option<Reference<CustomerId>>,
    /// The card, or whatever else the customer pays with, once it is known.
    #[serde(default)]
    pub payment_method: Option<Reference<String>>,
    /// `off_session` when the card may be charged again without the customer.
    #[serde(default)]
    pub setup_future_usage: Option<String>,
    /// When the payment was made, in Unix seconds.
    #[serde(default)]
    pub created: i64,
    /// What the customer must do before the payment goes on.
    #[serde(default)]
    pub next_action: Option<NextAction>,
    /// Why the last try to be paid failed; absent when none has.
    #[serde(default)]
    pub last_payment_error: Option<PaymentFailure>,
    /// The metadata, which carries our mark when the payment is ours.
    #[serde(default)]
    pub metadata: std::collections::BTreeMap<String, String>,
}

/// An id, or the object itself where Stripe expands it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Reference<T> {
    /// The id of the object alone.
    Id(T),
    /// The object itself, of which only the id is read.
    Object {
        /// The id of the object.
        id: T,
    },
}

impl<T> Reference<T> {
    /// Returns the id, in whichever of the two forms it came.
    pub const fn id(&self) -> &T {
        match self {
            Self::Id(id) | Self::Object { id } => id,
        }
    }
}

/// A refund: the fields we read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Refund {
    /// The id of the refund (`re_…`).
    pub id: RefundId,
    /// The money that goes back, in the currency's smallest unit.
    pub amount: i64,
    /// The state of the refund: `pending`, `requires_action`, `succeeded`, `failed`, `canceled`.
    #[serde(default)]
    pub status: Option<String>,
}

impl Refund {
    /// Returns whether the status is one that Stripe documents, and the amount one that can be booked.
    pub fn is_bookable(&self) -> bool {
        let is_known = matches!(
            self.status.as_deref(),
            Some("pending" | "requires_action" | "succeeded" | "failed" | "canceled")
        );
        is_known && Amount::try_from(self.amount).is_ok()
    }
}

/// A dispute: the fields we read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Dispute {
    /// The id of the dispute (`dp_…`, `du_…`).
    pub id: DisputeId,
    /// The state of the dispute: `needs_response`, `lost`, `won` …; `warning_…` is an inquiry, which moves no
    /// money.
    pub status: String,
    /// The money that the bank has moved so far.
    #[serde(default)]
    pub balance_transactions: Vec<BalanceTransaction>,
}

impl Dispute {
    /// Returns whether the dispute is not decided yet. An inquiry that may become a dispute is open too.
    pub fn is_open(&self) -> bool {
        !matches!(self.status.as_str(), "won" | "lost" | "warning_closed" | "prevented")
    }
}

/// A movement on Stripe's own ledger.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BalanceTransaction {
    /// The id of the movement (`txn_…`).
    pub id: BalanceTransactionId,
    /// The money that moved, in the currency's smallest unit; below zero it was taken from us. Stripe's fee
    /// is apart.
    pub amount: i64,
    /// The currency in lower case: `gbp`.
    pub currency: String,
}

/// A Checkout session: the fields we read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CheckoutSession {
    /// The id of the session (`cs_…`).
    pub id: CheckoutSessionId,
    /// The state of the session: `open`, `complete`, `expired`.
    #[serde(default)]
    pub status: Option<String>,
    /// The page where the customer pays, if Stripe still has one.
    #[serde(default)]
    pub url: Option<String>,
    /// When the session was made, in Unix seconds.
    pub created: i64,
    #[serde(default)]
    metadata: std::collections::BTreeMap<String, String>,
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

    /// Returns whether a payment carries our mark.
    pub fn is_ours(&self, payment: &PaymentIntent) -> bool {
        payment.metadata.get(MARK) == Some(&self.environment)
    }

    /// Makes a customer for an org; asking again in the same `window` of time returns the same customer. A
    /// failure, which Stripe keeps under its key for a day, is over with its window.
    ///
    /// # Errors
    /// See [`StripeError`].
    pub async fn create_customer(&self, org: OrgId, window: i64) -> Result<CustomerId, StripeError> {
        let org = org.to_string();
        let form = [
            ("metadata[voxanne_environment]", self.environment.as_str()),
            ("metadata[org_id]", &org),
            ("description", &format!("Clinic {org}")),
        ];
        let key = format!("customer-{}-{org}-{window}", self.environment);
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

    /// Makes a Checkout session for a top-up. The card may be kept for later; the payment carries our mark.
    ///
    /// # Errors
    /// See [`StripeError`].
    pub async fn create_session(&self, top_up: &TopUp<'_>) -> Result<CheckoutSession, StripeError> {
        let amount = top_up.amount.pence().to_string();
        let form = [
            ("mode", "payment"),
            ("customer", top_up.customer.as_str()),
            ("line_items[0][quantity]", "1"),
            ("line_items[0][price_data][currency]", "gbp"),
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

/// Returns the error that an answer without success stands for.
fn refusal(status: StatusCode, body: &[u8]) -> StripeError {
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
    StripeError::Refused { status, code }
}

/// Returns the characters that may stand in a path, of an id that another party wrote.
fn plain(id: &str) -> String {
    id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}

#[cfg(test)]
mod tests;
