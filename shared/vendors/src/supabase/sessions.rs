//! Sessions at the issuer, by its public API (`internal/api/token.go`, `magic_link.go`, `verify.go`, `logout.go`, `user.go` of
//! github.com/supabase/auth): what it does for whoever shows a password, a link or a token. The key that opens it is the one that
//! browsers may know, which lets nobody do anything by itself.

use std::fmt;

use bytes::Bytes;
use domain::email::EmailAddress;
use http::{Method, Request, Response, header};
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::sessions_error::{SessionError, refusal};
use crate::http::{Http, HttpError};

/// A client of the public API.
#[derive(Clone, Debug)]
pub struct Sessions {
    http: Http,
    base_url: String,
    publishable_key: String,
}

/// What a person has who has signed in.
#[derive(Debug)]
pub struct Session {
    /// What our API takes.
    pub access_token: SecretString,
    /// What the next session is had by, once.
    pub refresh_token: SecretString,
    /// How long the access token is good.
    pub lasts: SignedDuration,
}

/// What a link in a letter was sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkKind {
    /// Signing in.
    MagicLink,
    /// Taking an invitation.
    Invite,
    /// Choosing another password.
    Recovery,
    /// Signing in or taking an invitation, as newer templates of letters say for both.
    Email,
}

impl LinkKind {
    /// Returns the issuer's word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MagicLink => "magiclink",
            Self::Invite => "invite",
            Self::Recovery => "recovery",
            Self::Email => "email",
        }
    }
}

impl fmt::Display for LinkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A session as the issuer writes it, as far as we read it.
#[derive(Deserialize)]
struct Granted {
    access_token: SecretText,
    refresh_token: SecretText,
    expires_in: i64,
}

/// A text that is not printed.
#[derive(Deserialize)]
#[serde(from = "String")]
struct SecretText(SecretString);

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl Sessions {
    /// Returns a client of the public API at `base_url` (`https://<project>.supabase.co/auth/v1`), by its publishable key.
    pub const fn new(http: Http, base_url: String, publishable_key: String) -> Self {
        Self { http, base_url, publishable_key }
    }

    /// Signs a person in by address and password.
    ///
    /// # Errors
    /// [`SessionError::Refused`] when they are not those of an account, [`SessionError::Unconfirmed`] when the address has not been
    /// shown to be the person's; see [`SessionError`].
    pub async fn by_password(
        &self,
        email: &EmailAddress,
        password: &SecretString,
    ) -> Result<Session, SessionError> {
        let body = json!({"email": email.reveal(), "password": password.expose_secret()});
        self.session("token?grant_type=password", &body).await
    }

    /// Signs a person in by the hash that a link in a letter is known by, once.
    ///
    /// # Errors
    /// [`SessionError::Refused`] when the link was used, is too old or was never sent; see [`SessionError`].
    pub async fn by_link(&self, kind: LinkKind, token_hash: &str) -> Result<Session, SessionError> {
        self.session("verify", &json!({"type": kind.as_str(), "token_hash": token_hash})).await
    }

    /// Takes the next session for a refresh token, which is good once. A repeat whose answer was lost is answered with the same
    /// successor, until that has been used; after that the issuer takes the token for stolen and ends the session.
    ///
    /// # Errors
    /// [`SessionError::Refused`] when the session has ended; see [`SessionError`].
    pub async fn refresh(&self, refresh_token: &SecretString) -> Result<Session, SessionError> {
        let body = json!({"refresh_token": refresh_token.expose_secret()});
        self.session("token?grant_type=refresh_token", &body).await
    }

    /// Has a link to sign in by sent to an address that has an account, which leads to `redirect_to`. No account is made.
    ///
    /// # Errors
    /// [`SessionError::Refused`] when the address has no account, [`SessionError::TooOften`] when it had a letter just now; both
    /// are for the log alone. See [`SessionError`].
    pub async fn send_link(&self, email: &EmailAddress, redirect_to: &str) -> Result<(), SessionError> {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("redirect_to", redirect_to)
            .finish();
        let body = json!({"email": email.reveal(), "create_user": false});
        self.ask(Method::POST, &format!("otp?{query}"), None, Some(&body)).await.map(|_| ())
    }

    /// Ends the session that an access token belongs to, and no other of the person's.
    ///
    /// # Errors
    /// [`SessionError::Refused`] when the token is not taken; see [`SessionError`].
    pub async fn sign_out(&self, access_token: &SecretString) -> Result<(), SessionError> {
        self.ask(Method::POST, "logout?scope=local", Some(access_token), None).await.map(|_| ())
    }

    /// Gives the person whose access token it is another password. The issuer ends the person's other sessions.
    ///
    /// # Errors
    /// [`SessionError::Password`] when the issuer does not take the password, [`SessionError::Refused`] when it does not take the
    /// token; see [`SessionError`].
    pub async fn set_password(
        &self,
        access_token: &SecretString,
        password: &SecretString,
    ) -> Result<(), SessionError> {
        let body = json!({"password": password.expose_secret()});
        self.ask(Method::PUT, "user", Some(access_token), Some(&body)).await.map(|_| ())
    }

    async fn session(&self, place: &str, body: &Value) -> Result<Session, SessionError> {
        let answer = self.ask(Method::POST, place, None, Some(body)).await?;
        // The error of the parser may repeat what it read: tokens.
        let granted: Granted = serde_json::from_slice(answer.body()).map_err(|_| SessionError::Unreadable)?;
        Ok(Session {
            access_token: granted.access_token.0,
            refresh_token: granted.refresh_token.0,
            lasts: SignedDuration::from_secs(granted.expires_in.max(0)),
        })
    }

    async fn ask(
        &self,
        method: Method,
        place: &str,
        access_token: Option<&SecretString>,
        body: Option<&Value>,
    ) -> Result<Response<Bytes>, SessionError> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}/{place}", self.base_url.trim_end_matches('/')))
            .header("apikey", &self.publishable_key)
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = access_token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", token.expose_secret()));
        }
        let request = request
            .body(body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string())))
            .map_err(|error| SessionError::Unreachable(HttpError::Connection(Box::new(error))))?;
        let answer = self.http.send(request).await.map_err(SessionError::Unreachable)?;
        if answer.status().is_success() { Ok(answer) } else { Err(refusal(&answer)) }
    }
}

#[cfg(test)]
mod tests;
