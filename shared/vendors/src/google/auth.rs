//! A clinic's consent, and the tokens that come of it.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Request, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{AccessToken, Google, GoogleError, form, read};
use crate::http::HttpError;

/// The scopes that we need: a person may untick each of them.
pub const REQUIRED_SCOPES: [&str; 2] = [
    "https://www.googleapis.com/auth/calendar.events",
    "https://www.googleapis.com/auth/calendar.calendarlist.readonly",
];

/// What a consent is asked for with, and what its code is exchanged with.
#[derive(Clone, Debug)]
pub struct Consent<'a> {
    /// What tells this consent from every other; Google hands it back.
    pub state: &'a str,
    /// The secret of PKCE (RFC 7636): 43 to 128 letters and digits. It goes with the exchange alone.
    pub verifier: &'a SecretString,
    /// Where Google sends the browser back to.
    pub redirect_uri: &'a str,
}

/// Tokens, as Google gives them for a code.
#[derive(Clone, Debug)]
pub struct Grant {
    /// What opens the account until further notice.
    pub refresh_token: SecretString,
    /// What opens it now.
    pub tokens: Tokens,
    /// What the person has ticked.
    pub scopes: Vec<String>,
}

impl Grant {
    /// Returns whether all that we need was ticked.
    pub fn is_enough(&self) -> bool {
        REQUIRED_SCOPES.iter().all(|scope| self.scopes.iter().any(|granted| granted == scope))
    }
}

/// An access token, and what else came with it.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// What opens the account.
    pub access: AccessToken,
    /// For how many seconds.
    pub lasts_secs: i64,
    /// Another refresh token: Google usually sends none, and the old one holds.
    pub refresh_token: Option<SecretString>,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    #[serde(default)]
    expires_in: i64,
    #[serde(default)]
    refresh_token: Option<String>,
    #[serde(default)]
    scope: String,
}

impl Google {
    /// Returns where a person consents: offline, and asked anew, because only then a refresh token is sent.
    pub fn consent_url(&self, consent: &Consent<'_>) -> String {
        let hash = digest(&SHA256, consent.verifier.expose_secret().as_bytes());
        let challenge = URL_SAFE_NO_PAD.encode(hash);
        let scope = REQUIRED_SCOPES.join(" ");
        let query = form(&[
            ("client_id", &self.client_id),
            ("redirect_uri", consent.redirect_uri),
            ("response_type", "code"),
            ("scope", &scope),
            ("state", consent.state),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
            ("access_type", "offline"),
            ("prompt", "consent"),
        ]);
        format!("{}/o/oauth2/v2/auth?{query}", self.addresses.accounts)
    }

    /// Exchanges the code of a consent for tokens. A code is taken once.
    ///
    /// # Errors
    /// [`GoogleError::InvalidGrant`] when the code was taken before, is too old or belongs to another verifier; see [`GoogleError`].
    pub async fn exchange(&self, code: &str, consent: &Consent<'_>) -> Result<Grant, GoogleError> {
        let answer = self
            .token(&[
                ("grant_type", "authorization_code"),
                ("code", code),
                ("code_verifier", consent.verifier.expose_secret()),
                ("redirect_uri", consent.redirect_uri),
            ])
            .await?;
        let scopes = answer.scope.split_whitespace().map(str::to_owned).collect();
        // Without one, the consent opens nothing after an hour.
        let refresh_token = answer.refresh_token.clone().ok_or(GoogleError::InvalidGrant)?.into();
        Ok(Grant { refresh_token, scopes, tokens: tokens(answer) })
    }

    /// Returns a fresh access token.
    ///
    /// # Errors
    /// [`GoogleError::InvalidGrant`] when the consent has ended; see [`GoogleError`].
    pub async fn refresh(&self, refresh_token: &SecretString) -> Result<Tokens, GoogleError> {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose_secret())];
        self.token(&fields).await.map(tokens)
    }

    /// Ends a consent. One that has ended already is no error.
    ///
    /// # Errors
    /// See [`GoogleError`].
    pub async fn revoke(&self, refresh_token: &SecretString) -> Result<(), GoogleError> {
        let url = format!("{}/revoke", self.addresses.tokens);
        let answer = self.post_form(&url, &[("token", refresh_token.expose_secret())]).await;
        match answer {
            Ok(_) | Err(GoogleError::InvalidGrant | GoogleError::Refused { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn token(&self, fields: &[(&str, &str)]) -> Result<Answer, GoogleError> {
        let ours =
            [("client_id", self.client_id.as_str()), ("client_secret", self.client_secret.expose_secret())];
        let fields: Vec<(&str, &str)> = fields.iter().copied().chain(ours).collect();
        read(&self.post_form(&format!("{}/token", self.addresses.tokens), &fields).await?)
    }

    async fn post_form(
        &self,
        url: &str,
        fields: &[(&str, &str)],
    ) -> Result<http::Response<Bytes>, GoogleError> {
        let request = Request::post(url)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Bytes::from(form(fields)))
            .map_err(|error| GoogleError::Unreachable(HttpError::Connection(Box::new(error))));
        self.send(Ok(request?)).await
    }
}

fn tokens(answer: Answer) -> Tokens {
    Tokens {
        access: AccessToken(answer.access_token.into()),
        lasts_secs: answer.expires_in,
        refresh_token: answer.refresh_token.map(SecretString::from),
    }
}
