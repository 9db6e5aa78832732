//! Channels: by them a calendar tells us that something changed in it, and not what.

use domain::ids::ChannelId;
use http::Method;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

use super::{AccessToken, At, Google, GoogleError, read, request};

/// What a channel came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// What it watches, as Google names it: needed to stop it.
    pub resource_id: String,
    /// When it ends. Google never renews one.
    pub expires_at: Timestamp,
}

impl Google {
    /// Has a calendar tell `address` of its changes, with this token in each word, for so many seconds at the most.
    ///
    /// # Errors
    /// See [`GoogleError`].
    pub async fn watch(
        &self,
        at: At<'_>,
        (id, token): (&ChannelId, &SecretString),
        (address, ttl_secs): (&str, i64),
    ) -> Result<Watched, GoogleError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Channel {
            resource_id: String,
            /// In milliseconds since 1970, as text.
            expiration: String,
        }
        let body = json!({"id": id, "type": "web_hook", "address": address, "token": token.expose_secret(),
            "params": {"ttl": ttl_secs.to_string()}});
        let request = request(at.token, Method::POST, &self.of(at.calendar, "/watch", &[]));
        let channel: Channel = read(&self.write(request, &body).await?)?;
        let expires_at = channel.expiration.parse().ok().and_then(|at| Timestamp::from_millisecond(at).ok());
        Ok(Watched {
            resource_id: channel.resource_id,
            expires_at: expires_at.unwrap_or(Timestamp::UNIX_EPOCH),
        })
    }

    /// Ends a channel. One that has ended already is no error.
    ///
    /// # Errors
    /// See [`GoogleError`].
    pub async fn stop(
        &self,
        token: &AccessToken,
        (id, resource_id): (&ChannelId, &str),
    ) -> Result<(), GoogleError> {
        let body = json!({"id": id, "resourceId": resource_id});
        let request = request(token, Method::POST, &self.at("channels/stop", &[]));
        match self.write(request, &body).await {
            Ok(_) | Err(GoogleError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
