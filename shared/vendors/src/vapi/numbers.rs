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

/// Where Vapi posts messages, and the credential that it signs them with.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Our public address for Vapi's messages.
    pub url: String,
    /// The credential that [`Vapi::webhook_credential`] made.
    pub credential: VapiCredentialId,
}

impl Webhook {
    /// Returns the `server` of a number or an assistant. Without a backoff plan, Vapi never repeats what did
    /// not arrive.
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
    /// The number in E.164.
    pub number: &'a PhoneNumber,
    /// The Twilio account that owns the number.
    pub account: &'a Account,
    /// The name that we give it at Vapi; cut after 40 characters.
    pub name: &'a str,
    /// Where Vapi asks which assistant answers a call.
    pub webhook: &'a Webhook,
    /// The line that is rung when our webhook does not answer.
    pub fallback: Option<&'a PhoneNumber>,
}

impl Import<'_> {
    /// Returns the number as it is imported: without an assistant, so that Vapi asks us about each call.
    fn body(&self) -> Value {
        let mut body = json!({
            "provider": "twilio",
            "number": self.number.as_str(),
            "twilioAccountSid": self.account.sid.as_str(),
            "twilioAuthToken": self.account.token.expose_secret(),
            "name": short(self.name),
            "server": self.webhook.server(),
            // Vapi would point the number's text messages at itself.
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
    /// Vapi's id of the number.
    pub id: VapiPhoneId,
    /// The name that it was imported under.
    #[serde(default)]
    pub name: Option<String>,
}

impl Vapi {
    /// Hands a number to Vapi. Vapi has no idempotency key: after anything but a clear answer, the caller
    /// must look with [`Self::imported_number`] before asking again.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn import_number(&self, import: &Import<'_>) -> Result<VapiPhoneId, VapiError> {
        let made: Named<VapiPhoneId> = self.send_json(Method::POST, "/phone-number", &import.body()).await?;
        Ok(made.id)
    }

    /// Gives Vapi the token that opens the Twilio account of a number now (`PATCH /phone-number/{id}`). Repeating it changes
    /// nothing.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn renew_account(&self, id: &VapiPhoneId, account: &Account) -> Result<(), VapiError> {
        let body = json!({
            "provider": "twilio",
            "twilioAccountSid": account.sid.as_str(),
            "twilioAuthToken": account.token.expose_secret(),
        });
        let path = format!("/phone-number/{id}");
        let _: Named<VapiPhoneId> = self.send_json(Method::PATCH, &path, &body).await?;
        Ok(())
    }

    /// Returns Vapi's record of exactly this number of exactly this account; the oldest, when there are
    /// several.
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

    /// Returns every number that Vapi has, whatever its name.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn imported_numbers(&self) -> Result<Vec<Imported>, VapiError> {
        let found = self.listed("/phone-number", &[], |_| true).await?;
        found.into_iter().map(|entry| serde_json::from_value(entry).map_err(VapiError::Unreadable)).collect()
    }

    /// Returns whether Vapi has a number, by Vapi's answer about this very number.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn has_number(&self, id: &VapiPhoneId) -> Result<bool, VapiError> {
        Ok(self.find_json(&format!("/phone-number/{id}")).await?.is_some())
    }

    /// Returns the name that a number was imported under; `None` when Vapi has no such number.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn number_name(&self, id: &VapiPhoneId) -> Result<Option<String>, VapiError> {
        let found = self.find_json(&format!("/phone-number/{id}")).await?;
        Ok(found.and_then(|found| found["name"].as_str().map(str::to_owned)))
    }

    /// Returns the webhook credential of exactly this name; the oldest, when there are several.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn credential_named(&self, name: &str) -> Result<Option<VapiCredentialId>, VapiError> {
        let is_it = |entry: &Value| entry["name"] == name;
        self.listed("/credential", &[], is_it).await?.into_iter().next().map(super::id_of).transpose()
    }

    /// Takes a number out of Vapi. One that is gone already counts as deleted.
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
