//! Secrets Manager: where a deployment's secrets are read and written, and the signing secrets of webhooks,
//! which change while functions run.

use std::{fmt, sync::Arc};

use aws_sdk_secretsmanager::{
    Client,
    error::SdkError,
    operation::{get_secret_value::GetSecretValueError, put_secret_value::PutSecretValueError},
};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::Platform;
use base::alarm::chain;
use base::clock::Clock;
use base::config::Reader;
use base::entropy::Entropy;
use domain::time::rfc3339_millis;
use vendors::signature::Unverified;

/// How long a webhook's secrets are used before they are read again.
pub const CACHE: SignedDuration = SignedDuration::from_mins(5);
/// How long a webhook's secrets are used while they cannot be read again.
const TOLERATED: SignedDuration = SignedDuration::from_hours(1);
/// How long after one read no other is tried, whatever messages come.
const COOL_DOWN: SignedDuration = SignedDuration::from_secs(5);

/// A client for the secrets of a deployment.
#[derive(Clone)]
pub struct Secrets {
    client: Client,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

/// Why a secret was not read or written.
#[derive(Debug, thiserror::Error)]
#[error("Secrets Manager did not do {operation}")]
pub struct SecretsError {
    operation: &'static str,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl Secrets {
    /// Returns a client over the platform's own.
    pub fn of(platform: &Platform) -> Self {
        Self {
            client: platform.secrets.clone(),
            clock: Arc::clone(&platform.clock),
            entropy: Arc::clone(&platform.entropy),
        }
    }

    /// Returns the text of a secret; `None` when there is no such secret.
    ///
    /// # Errors
    /// When it cannot be read in two tries.
    pub async fn get(&self, id: &str) -> Result<Option<SecretString>, SecretsError> {
        let attempt = || self.client.get_secret_value().secret_id(id).send();
        let outcome = match attempt().await {
            Err(error) if !is_not_there(&error) => attempt().await,
            outcome => outcome,
        };
        match outcome {
            Ok(found) => Ok(found.secret_string().map(SecretString::from)),
            Err(error) if is_not_there(&error) => Ok(None),
            Err(error) => Err(failed("GetSecretValue", error)),
        }
    }

    /// Writes the text of a secret, and makes the secret when there is none of that name.
    ///
    /// # Errors
    /// When it cannot be written in two tries. It may have been written all the same.
    pub async fn put(&self, id: &str, text: &SecretString) -> Result<(), SecretsError> {
        // All tries have one token: a try that was applied without an answer counts as done when it is
        // repeated.
        let token = self.entropy.uuid(self.clock.now()).to_string();
        let attempt = || {
            self.client
                .put_secret_value()
                .secret_id(id)
                .secret_string(text.expose_secret())
                .client_request_token(&token)
                .send()
        };
        let outcome = match attempt().await {
            Err(error) if !is_nowhere_to_put(&error) => attempt().await,
            outcome => outcome,
        };
        match outcome {
            Ok(_) => Ok(()),
            Err(error) if is_nowhere_to_put(&error) => self.create(id, text, &token).await,
            Err(error) => Err(failed("PutSecretValue", error)),
        }
    }

    async fn create(&self, id: &str, text: &SecretString, token: &str) -> Result<(), SecretsError> {
        let attempt = || {
            self.client
                .create_secret()
                .name(id)
                .secret_string(text.expose_secret())
                .client_request_token(token)
                .send()
        };
        if attempt().await.is_ok() {
            return Ok(());
        }
        attempt().await.map(|_| ()).map_err(|error| failed("CreateSecret", error))
    }
}

fn is_not_there<R>(error: &SdkError<GetSecretValueError, R>) -> bool {
    error.as_service_error().is_some_and(GetSecretValueError::is_resource_not_found_exception)
}

fn is_nowhere_to_put<R>(error: &SdkError<PutSecretValueError, R>) -> bool {
    error.as_service_error().is_some_and(PutSecretValueError::is_resource_not_found_exception)
}

fn failed(
    operation: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> SecretsError {
    SecretsError { operation, source: source.into() }
}

/// What is kept of the endpoint that Stripe posts to: its id, and the secret that it signs with, which Stripe
/// tells only when the endpoint is made.
#[derive(Clone, Debug)]
pub struct EndpointSecret {
    /// Stripe's id of the endpoint.
    pub endpoint_id: String,
    /// The secret that the endpoint signs with.
    pub secret: SecretString,
    /// The secrets of the endpoints before it, which are still believed for a while.
    pub previous: Vec<PreviousSecret>,
}

/// The secret of an endpoint that another has replaced.
#[derive(Clone, Debug)]
pub struct PreviousSecret {
    /// The secret that the endpoint signed with.
    pub secret: SecretString,
    /// Until when messages that it signed are believed.
    pub until: Timestamp,
}

/// The text of the stored secret is not what we write. The error does not quote the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored secret cannot be read")]
pub struct Unreadable;

#[derive(Deserialize)]
struct Written {
    endpoint_id: String,
    secret: String,
    #[serde(default)]
    previous: Vec<WrittenPrevious>,
}

#[derive(Deserialize)]
struct WrittenPrevious {
    secret: String,
    until: Timestamp,
}

impl EndpointSecret {
    /// Reads what [`EndpointSecret::written`] wrote.
    ///
    /// # Errors
    /// When the text is anything else, or holds no secret.
    pub fn parse(text: &SecretString) -> Result<Self, Unreadable> {
        // The parser's own error quotes the text, so it goes no further.
        let written: Written = serde_json::from_str(text.expose_secret()).map_err(|_| Unreadable)?;
        if written.endpoint_id.is_empty() || written.secret.trim().is_empty() {
            return Err(Unreadable);
        }
        let previous = |previous: WrittenPrevious| PreviousSecret {
            secret: previous.secret.into(),
            until: previous.until,
        };
        Ok(Self {
            endpoint_id: written.endpoint_id,
            secret: written.secret.into(),
            previous: written.previous.into_iter().map(previous).collect(),
        })
    }

    /// Returns the text that is stored.
    pub fn written(&self) -> SecretString {
        let previous = |previous: &PreviousSecret| {
            let until = rfc3339_millis(previous.until);
            json!({"secret": previous.secret.expose_secret(), "until": until})
        };
        let previous: Vec<Value> = self.previous.iter().map(previous).collect();
        let secret = self.secret.expose_secret();
        json!({"endpoint_id": self.endpoint_id, "secret": secret, "previous": previous}).to_string().into()
    }

    /// Returns what is believed at `now`: the endpoint's own secret, and those before it whose time is not
    /// over.
    pub fn secrets(&self, now: Timestamp) -> Vec<SecretString> {
        let previous = self.previous.iter().filter(|previous| now < previous.until);
        std::iter::once(&self.secret).chain(previous.map(|previous| &previous.secret)).cloned().collect()
    }
}

/// Returns the name of the secret that the record of Stripe's endpoint is kept in.
pub fn stripe_webhook_id(reader: &mut Reader<'_>, environment: &str) -> String {
    reader.or("STRIPE_WEBHOOK_SECRET_ID", format!("voxanne/{environment}/stripe-webhook"))
}

/// The form of a webhook's stored secret.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// A JSON object of texts, of which this field holds secrets that commas separate.
    Field(&'static str),
    /// The JSON of an [`EndpointSecret`].
    Endpoint,
}

/// The content of a webhook's stored secret.
#[derive(Debug)]
enum Content {
    /// Several secrets, of which any may sign.
    List(Vec<SecretString>),
    /// The record of Stripe's endpoint.
    Endpoint(EndpointSecret),
}

/// The secrets that a webhook's messages are signed with, read when they are needed. They are kept for five
/// minutes, and read once more when a signature does not match, so that a changed secret is known with the
/// first message that it signs.
#[derive(Debug)]
pub struct WebhookSecrets {
    secrets: Secrets,
    id: String,
    form: Form,
    /// Locked while the secrets are read: of messages that come together one reads them, and the others wait.
    cache: Mutex<Cache>,
}

#[derive(Debug, Default)]
struct Cache {
    content: Option<Content>,
    /// When the secrets were last asked for.
    asked_at: Option<Timestamp>,
    /// When the store last answered that question.
    good_at: Option<Timestamp>,
}

impl WebhookSecrets {
    /// Returns the secrets that Vapi signs with: the field `VAPI_WEBHOOK_SECRETS` of a stored secret of its
    /// own (`VAPI_WEBHOOK_SECRET_ID`), because a function that reads foreign messages may read no other
    /// secret.
    pub fn vapi(reader: &mut Reader<'_>, environment: &str, platform: &Platform) -> Self {
        let id = reader.or("VAPI_WEBHOOK_SECRET_ID", format!("voxanne/{environment}/vapi-webhook"));
        Self::kept(Secrets::of(platform), id, Form::Field("VAPI_WEBHOOK_SECRETS"))
    }

    /// Returns the secrets that Stripe signs with, which the function `stripe-endpoint` writes
    /// (`STRIPE_WEBHOOK_SECRET_ID`).
    pub fn stripe(reader: &mut Reader<'_>, environment: &str, platform: &Platform) -> Self {
        let id = stripe_webhook_id(reader, environment);
        Self::kept(Secrets::of(platform), id, Form::Endpoint)
    }

    fn kept(secrets: Secrets, id: String, form: Form) -> Self {
        Self { secrets, id, form, cache: Mutex::default() }
    }

    /// Reads the secrets ahead of the first message, which then need not wait.
    pub async fn read_ahead(&self, now: Timestamp) {
        self.current(now).await;
    }

    /// Checks a message with `check`, which is given the secrets. When it finds a mismatch, the secrets are
    /// read again, at most every five seconds however many forged messages come, and it checks once more.
    ///
    /// # Errors
    /// What `check` finds; [`Unverified::NoSecret`] when there are no secrets, or they cannot be read.
    pub async fn verified(
        &self,
        now: Timestamp,
        check: impl Fn(&[SecretString]) -> Result<(), Unverified>,
    ) -> Result<(), Unverified> {
        let checked = |secrets: Vec<SecretString>| {
            if secrets.is_empty() { Err(Unverified::NoSecret) } else { check(&secrets) }
        };
        let outcome = checked(self.current(now).await);
        if !matches!(outcome, Err(Unverified::Mismatch | Unverified::NoSecret)) {
            return outcome;
        }
        match self.read_again(now).await {
            Some(secrets) => checked(secrets),
            None => outcome,
        }
    }

    /// Returns the secrets, read again when the known ones are old or there are none.
    async fn current(&self, now: Timestamp) -> Vec<SecretString> {
        let mut cache = self.cache.lock().await;
        if !cache.is_fresh(now) && cache.may_ask(now) {
            self.read(&mut cache, now).await;
        }
        cache.secrets(now)
    }

    /// Returns the secrets as they are stored now; `None` when they were asked for just before.
    async fn read_again(&self, now: Timestamp) -> Option<Vec<SecretString>> {
        let mut cache = self.cache.lock().await;
        if !cache.may_ask(now) {
            return None;
        }
        self.read(&mut cache, now).await;
        Some(cache.secrets(now))
    }

    async fn read(&self, cache: &mut Cache, now: Timestamp) {
        let answer = self.secrets.get(&self.id).await;
        // A store that is down is not asked for every message, as long as something is known.
        if answer.is_ok() || cache.content.is_some() {
            cache.asked_at = Some(now);
        }
        match answer {
            Ok(text) => {
                cache.content = text.and_then(|text| self.form.content(&text));
                cache.good_at = Some(now);
                if cache.secrets(now).is_empty() {
                    tracing::warn!(secret_id = self.id, "a webhook's secret is missing, empty or unreadable");
                }
            }
            Err(error) => {
                let cause = chain(&error);
                tracing::warn!(secret_id = self.id, cause, "a webhook's secret cannot be read at the moment");
            }
        }
    }
}

impl Form {
    fn content(self, text: &SecretString) -> Option<Content> {
        match self {
            Self::Field(name) => {
                let fields: Value = serde_json::from_str(text.expose_secret()).ok()?;
                let parts = fields[name].as_str()?.split(',').map(str::trim).filter(|part| !part.is_empty());
                Some(Content::List(parts.map(SecretString::from).collect()))
            }
            Self::Endpoint => EndpointSecret::parse(text).ok().map(Content::Endpoint),
        }
    }
}

impl Cache {
    fn is_fresh(&self, now: Timestamp) -> bool {
        self.is_younger(CACHE, now) && !self.secrets(now).is_empty()
    }

    fn may_ask(&self, now: Timestamp) -> bool {
        // A clock that goes back is no reason never to ask again.
        self.asked_at.is_none_or(|at| now.duration_since(at).abs() >= COOL_DOWN)
    }

    fn is_younger(&self, age: SignedDuration, now: Timestamp) -> bool {
        self.good_at.is_some_and(|at| now.duration_since(at) < age)
    }

    /// Returns what is believed at `now`. Secrets that could not be read again for an hour may have been
    /// withdrawn, so they are not believed.
    fn secrets(&self, now: Timestamp) -> Vec<SecretString> {
        let mut secrets = match self.content.as_ref().filter(|_| self.is_younger(TOLERATED, now)) {
            None => Vec::new(),
            Some(Content::List(secrets)) => secrets.clone(),
            Some(Content::Endpoint(endpoint)) => endpoint.secrets(now),
        };
        secrets.retain(|secret| !secret.expose_secret().trim().is_empty());
        secrets
    }
}

#[cfg(test)]
mod tests;
