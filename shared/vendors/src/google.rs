//! Google Calendar: the consent of a clinic and its tokens, its calendars, their events and changes, and the channels by which they
//! tell us (developers.google.com/calendar/api/v3/reference; developers.google.com/identity/protocols/oauth2/web-server).

mod auth;
mod error;
mod events;
mod lists;
mod watching;

use bytes::Bytes;
use http::{Method, Request, Response, header};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

pub use auth::{Consent, Grant, REQUIRED_SCOPES, Tokens};
pub use error::GoogleError;
pub use lists::{Changes, From, Listed};
pub use watching::Watched;

use super::http::{Http, HttpError};
use error::refusal;

/// Where Google is.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// Where a person consents: `https://accounts.google.com`.
    pub accounts: String,
    /// Where tokens come from: `https://oauth2.googleapis.com`.
    pub tokens: String,
    /// Where the API is: `https://www.googleapis.com`.
    pub api: String,
}

/// A client of Google's APIs, as the application that clinics consent to.
#[derive(Clone, Debug)]
pub struct Google {
    http: Http,
    addresses: Addresses,
    client_id: String,
    client_secret: SecretString,
}

/// A token that opens one account for about an hour.
#[derive(Clone, Debug)]
pub struct AccessToken(pub SecretString);

/// A calendar as the account that is asked has it.
#[derive(Clone, Copy, Debug)]
pub struct At<'a> {
    /// What opens the account.
    pub token: &'a AccessToken,
    /// The calendar, as Google names it.
    pub calendar: &'a str,
}

impl Google {
    /// Returns a client of the APIs at these addresses.
    pub const fn new(
        http: Http,
        addresses: Addresses,
        client_id: String,
        client_secret: SecretString,
    ) -> Self {
        Self { http, addresses, client_id, client_secret }
    }

    /// The address of something in a calendar.
    fn of(&self, calendar: &str, place: &str, query: &[(&str, &str)]) -> String {
        let calendar = encoded(calendar);
        self.at(&format!("calendars/{calendar}/events{place}"), query)
    }

    /// The address of something of the calendar API's.
    fn at(&self, place: &str, query: &[(&str, &str)]) -> String {
        let address = format!("{}/calendar/v3/{place}", self.addresses.api);
        if query.is_empty() { address } else { format!("{address}?{}", form(query)) }
    }

    async fn get<T: DeserializeOwned>(&self, token: &AccessToken, url: &str) -> Result<T, GoogleError> {
        let answer = self.send(request(token, Method::GET, url).body(Bytes::new())).await?;
        read(&answer)
    }

    async fn write(
        &self,
        request: http::request::Builder,
        body: &serde_json::Value,
    ) -> Result<Response<Bytes>, GoogleError> {
        let request = request.header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(Bytes::from(body.to_string()))).await
    }

    async fn send(&self, request: http::Result<Request<Bytes>>) -> Result<Response<Bytes>, GoogleError> {
        let request =
            request.map_err(|error| GoogleError::Unreachable(HttpError::Connection(Box::new(error))))?;
        let answer = self.http.send(request).await.map_err(GoogleError::Unreachable)?;
        if answer.status().is_success() { Ok(answer) } else { Err(refusal(answer.status(), answer.body())) }
    }
}

fn request(token: &AccessToken, method: Method, url: &str) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(url)
        .header(header::AUTHORIZATION, format!("Bearer {}", token.0.expose_secret()))
}

fn read<T: DeserializeOwned>(answer: &Response<Bytes>) -> Result<T, GoogleError> {
    serde_json::from_slice(answer.body()).map_err(GoogleError::Unreadable)
}

fn form(pairs: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// A name as one segment of a path.
fn encoded(segment: &str) -> String {
    // A form's encoding of a space is a plus, which a path takes as it is.
    url::form_urlencoded::byte_serialize(segment.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests;
