//! Phone numbers as Vapi keeps them, and where it posts what happens on them.

use http::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Named, SIGNATURE_HEADER, TIMESTAMP_HEADER, Vapi, VapiError, short};
use crate::twilio::Account;
use domain::{
    ids::{AccountSid, VapiCredentialId, VapiPhoneId},
    phone_number::PhoneNumber,
};

/// Where Vapi posts, and the credential that it signs with.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Our public address.
    pub url: String,
    /// Made by [`Vapi::webhook_credential`].
    pub credential: VapiCredentialId,
}

impl Webhook {
    /// The `server` of a number or an assistant. Without a backoff plan, Vapi never repeats what did not
    /// arrive.
    pub fn server(&self) -> Value {
        json!({
            "url": self.url,
            "credentialId": self.credential.as_str(),
            "timeoutSeconds": 20,
            "backoffPlan": {"type": "exponential", "maxRetries": 10, "baseDelaySeconds": 1},
        })
    }
}

/// A number at Twilio that Vapi shall answer.
#[derive(Clone, Debug)]
pub struct Import<'a> {
    /// The number.
    pub number: &'a PhoneNumber,
    /// The account that owns it.
    pub account: &'a Account,
    /// What we call it at Vapi; cut after 40 characters.
    pub name: &'a str,
    /// Where Vapi asks who answers.
    pub webhook: &'a Webhook,
    /// Who answers when our webhook does not.
    pub fallback: Option<&'a PhoneNumber>,
}

impl Import<'_> {
    /// Without an assistant, so that Vapi asks us about each call.
    fn body(&self) -> Value {
        let mut body = json!({
            "provider": "twilio",
            "number": self.number.as_str(),
            "twilioAccountSid": self.account.sid.as_str(),
            "twilioAuthToken": self.account.token.expose_secret(),
            "name": short(self.name),
            "server": self.webhook.server(),
            // Vapi would point the number's messages at itself.
            "smsEnabled": false,
        });
        if let Some(fallback) = self.fallback {
            body["fallbackDestination"] = json!({"type": "number", "number": fallback.as_str()});
        }
        body
    }
}

/// A number as Vapi lists it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Imported {
    /// Vapi's id of it.
    pub id: VapiPhoneId,
    /// What it was called when it was imported.
    #[serde(default)]
    pub name: Option<String>,
}

impl Vapi {
    /// Hands a number to Vapi. Vapi has no idempotency key: after anything but a clear answer, look with
    /// [`Self::imported_number`] before asking again.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn import_number(&self, import: &Import<'_>) -> Result<VapiPhoneId, VapiError> {
        let made: Named<VapiPhoneId> = self.send_json(Method::POST, "/phone-number", &import.body()).await?;
        Ok(made.id)
    }

    /// Vapi's record of exactly this number of exactly this account; the oldest, when there are several.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn imported_number(
        &self,
        number: &PhoneNumber,
        account: &AccountSid,
    ) -> Result<Option<Imported>, VapiError> {
        let is_it = |entry: &Value| {
            entry["number"] == number.as_str() && entry["twilioAccountSid"] == account.as_str()
        };
        let found = self.listed("/phone-number", &[], is_it).await?.into_iter().next();
        found.map(|entry| serde_json::from_value(entry).map_err(VapiError::Unreadable)).transpose()
    }

    /// Every number that Vapi has, whatever it is called.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn imported_numbers(&self) -> Result<Vec<Imported>, VapiError> {
        let found = self.listed("/phone-number", &[], |_| true).await?;
        found.into_iter().map(|entry| serde_json::from_value(entry).map_err(VapiError::Unreadable)).collect()
    }

    /// Whether Vapi has a number, by its own word on this one.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn has_number(&self, id: &VapiPhoneId) -> Result<bool, VapiError> {
        Ok(self.find_json(&format!("/phone-number/{id}")).await?.is_some())
    }

    /// What a number was called when it was imported; none when there is no such number.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn number_name(&self, id: &VapiPhoneId) -> Result<Option<String>, VapiError> {
        let found = self.find_json(&format!("/phone-number/{id}")).await?;
        Ok(found.and_then(|found| found["name"].as_str().map(str::to_owned)))
    }

    /// The webhook credential of exactly this name; the oldest, when there are several.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn credential_named(&self, name: &str) -> Result<Option<VapiCredentialId>, VapiError> {
        let is_it = |entry: &Value| entry["name"] == name;
        self.listed("/credential", &[], is_it).await?.into_iter().next().map(super::id_of).transpose()
    }

    /// Takes a number out of Vapi. One that is gone already is deleted.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn delete_number(&self, id: &VapiPhoneId) -> Result<(), VapiError> {
        self.delete(&format!("/phone-number/{id}")).await
    }

    /// Makes the credential that Vapi signs our webhooks with, as [`super::VapiWebhook`] checks it.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn webhook_credential(
        &self,
        name: &str,
        secret: &SecretString,
    ) -> Result<VapiCredentialId, VapiError> {
        let body = json!({
            "provider": "custom-credential",
            "name": short(name),
            "authenticationPlan": {
                "type": "hmac",
                "secretKey": secret.expose_secret(),
                "algorithm": "sha256",
                "signatureHeader": SIGNATURE_HEADER,
                "timestampHeader": TIMESTAMP_HEADER,
                "includeTimestamp": true,
                "payloadFormat": "{timestamp}.{body}",
                "signatureEncoding": "hex",
            },
        });
        let made: Named<VapiCredentialId> = self.send_json(Method::POST, "/credential", &body).await?;
        Ok(made.id)
    }
}
