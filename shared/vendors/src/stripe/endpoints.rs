//! Webhook endpoints: where Stripe posts its events, and which of them.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::Method;
use secrecy::SecretString;
use serde::{Deserialize, de::IgnoredAny};

use super::{API_VERSION, Stripe, StripeError, events::TYPES};
use crate::marks::{ENVIRONMENT, STACK};
use domain::ids::StackMark;

/// A webhook endpoint: the fields we read. Its secret is told only when it is made.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct WebhookEndpoint {
    /// The id of the endpoint (`we_…`).
    pub id: String,
    /// The URL that events are posted to.
    pub url: String,
    /// The types of event that are posted; `*` is any.
    pub enabled_events: Vec<String>,
    /// The version of the API that events are written in. Stripe never changes it.
    #[serde(default)]
    pub api_version: Option<String>,
    /// The state of the endpoint: `enabled` or `disabled`.
    pub status: String,
    /// The metadata, which carries our mark when the endpoint is ours.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

impl WebhookEndpoint {
    /// Returns whether the endpoint carries the mark of `environment`.
    pub fn is_ours(&self, environment: &str) -> bool {
        self.metadata.get(ENVIRONMENT).is_some_and(|mark| mark == environment)
    }

    /// Returns the mark of the deployment that made the endpoint; `None` of one that bears none.
    pub fn stack(&self) -> Option<&str> {
        self.metadata.get(STACK).map(String::as_str)
    }
}

impl Stripe {
    /// Returns all webhook endpoints of this environment, whichever deployment made them, the newest first.
    ///
    /// # Errors
    /// See [`StripeError`].
    pub async fn webhook_endpoints(&self) -> Result<Vec<WebhookEndpoint>, StripeError> {
        let mut found =
            self.all("/v1/webhook_endpoints", |endpoint: &WebhookEndpoint| endpoint.id.clone()).await?;
        found.retain(|endpoint| endpoint.is_ours(&self.environment));
        Ok(found)
    }

    /// Has our [`TYPES`] of event posted to `url`, in the version of the API that we read, by an endpoint that bears
    /// `stack`. Returns the endpoint and the secret that it signs with, which Stripe tells only now.
    ///
    /// # Errors
    /// See [`StripeError`].
    pub async fn create_webhook_endpoint(
        &self,
        url: &str,
        stack: StackMark,
        idempotency_key: &str,
    ) -> Result<(WebhookEndpoint, SecretString), StripeError> {
        #[derive(Deserialize)]
        struct Made {
            #[serde(flatten)]
            endpoint: WebhookEndpoint,
            secret: String,
        }
        let (stack, stack_field) = (stack.to_string(), format!("metadata[{STACK}]"));
        let environment_field = format!("metadata[{ENVIRONMENT}]");
        let description = format!("Voxanne, {}", self.environment);
        let mut form = vec![
            ("url", url),
            ("api_version", API_VERSION),
            ("description", description.as_str()),
            (environment_field.as_str(), self.environment.as_str()),
            (stack_field.as_str(), stack.as_str()),
        ];
        form.extend(TYPES.map(|type_name| ("enabled_events[]", type_name)));
        let made: Made = self.post("/v1/webhook_endpoints", &form, idempotency_key).await?;
        Ok((made.endpoint, made.secret.into()))
    }

    /// Has a webhook endpoint post our [`TYPES`] of event to `url`, enables it, and marks it as of `stack`. Repeating it
    /// changes nothing, so it needs no idempotency key.
    ///
    /// # Errors
    /// See [`StripeError`].
    pub async fn update_webhook_endpoint(
        &self,
        id: &str,
        url: &str,
        stack: StackMark,
    ) -> Result<WebhookEndpoint, StripeError> {
        let (stack, stack_field) = (stack.to_string(), format!("metadata[{STACK}]"));
        let mut form = vec![("url", url), ("disabled", "false"), (stack_field.as_str(), stack.as_str())];
        form.extend(TYPES.map(|type_name| ("enabled_events[]", type_name)));
        self.post_form(&endpoint_path(id), &form, None).await
    }

    /// Deletes a webhook endpoint. One that is gone already counts as deleted.
    ///
    /// # Errors
    /// See [`StripeError`].
    pub async fn delete_webhook_endpoint(&self, id: &str) -> Result<(), StripeError> {
        let request = self.request(Method::DELETE, &endpoint_path(id)).body(Bytes::new());
        match self.send::<IgnoredAny>(request).await {
            Ok(_) | Err(StripeError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn endpoint_path(id: &str) -> String {
    format!("/v1/webhook_endpoints/{}", super::plain(id))
}
