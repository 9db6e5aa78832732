//! Vapi: its webhook's signature, its record of a call, the commands a live call takes, and what we keep
//! there: numbers, assistants, tools.

pub mod assistants;
mod call;
pub mod message;
pub mod numbers;
pub mod outbound;
pub mod reasons;
mod recording;
pub mod tools;

use std::collections::BTreeSet;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;

use super::{
    http::{Http, HttpError, is_transient_status},
    signature::{Unverified, is_fresh, is_hmac_sha256, usable},
};
use domain::{call::Upstream, ids::VapiCallId};

pub use self::call::VapiCall;

/// The header with the HMAC, as our webhook credential names it (`HMACAuthenticationPlan.signatureHeader`).
pub const SIGNATURE_HEADER: &str = "x-vapi-signature";
/// The header with the time of the signature (`HMACAuthenticationPlan.timestampHeader`).
pub const TIMESTAMP_HEADER: &str = "x-vapi-timestamp";
/// The header with the plain secret, which is the simple form of authentication.
pub const SECRET_HEADER: &str = "x-vapi-secret";
/// The most entries that a list gives at a time.
const PAGE: usize = 100;
/// The longest name that Vapi keeps of anything, in characters.
const LONGEST_NAME: usize = 40;
/// The longest message of a refusal that is kept, in characters.
const LONGEST_MESSAGE: usize = 200;

/// The secrets that prove a message comes from Vapi: the current one, and during rotation the one before.
#[derive(Clone, Debug)]
pub struct VapiWebhook {
    /// The secrets, of which any may have signed.
    pub secrets: Vec<SecretString>,
}

impl VapiWebhook {
    /// Checks that `body`, byte by byte as it came, was signed by a holder of a secret.
    ///
    /// Two forms: the hexadecimal HMAC-SHA256 over `{timestamp}.{body}` (Vapi's default `payloadFormat`),
    /// where the timestamp may be in seconds or milliseconds, which is documented nowhere; or the secret
    /// itself in [`SECRET_HEADER`].
    ///
    /// # Errors
    /// See [`Unverified`].
    pub fn verify(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> Result<(), Unverified> {
        let secrets = usable(&self.secrets)?;
        let header = |name| headers.get(name).map(|value| value.to_str().map_err(|_| Unverified::Malformed));
        if let Some(signature) = header(SIGNATURE_HEADER).transpose()? {
            let stamp = header(TIMESTAMP_HEADER).transpose()?.ok_or(Unverified::Malformed)?;
            let number: i64 = stamp.parse().map_err(|_| Unverified::Malformed)?;
            let is_millis = number > 100_000_000_000;
            let at =
                if is_millis { Timestamp::from_millisecond(number) } else { Timestamp::from_second(number) };
            if !is_fresh(at.map_err(|_| Unverified::Malformed)?, now) {
                return Err(Unverified::Stale);
            }
            let signature = signature.strip_prefix("sha256=").unwrap_or(signature);
            let expected = hex::decode(signature).map_err(|_| Unverified::Malformed)?;
            let parts: [&[u8]; 3] = [stamp.as_bytes(), b".", body];
            let matches = secrets.iter().any(|secret| is_hmac_sha256(secret, &parts, &expected));
            return if matches { Ok(()) } else { Err(Unverified::Mismatch) };
        }
        let given = header(SECRET_HEADER).transpose()?.ok_or(Unverified::Unsigned)?;
        let is_secret =
            |secret: &&&SecretString| bool::from(secret.expose_secret().as_bytes().ct_eq(given.as_bytes()));
        if secrets.iter().any(|secret| is_secret(&secret)) { Ok(()) } else { Err(Unverified::Mismatch) }
    }
}

/// A client of Vapi's REST API, with our one key.
#[derive(Clone, Debug)]
pub struct Vapi {
    http: Http,
    base_url: String,
    key: SecretString,
    /// A host beside `vapi.ai` that may take a call's commands: the local sandbox's. No setting reaches it.
    local_control_host: Option<String>,
}

/// Why Vapi did not do something.
#[derive(Debug, thiserror::Error)]
pub enum VapiError {
    /// Vapi has no such object.
    #[error("Vapi does not know it")]
    NotFound,
    /// Vapi refused the request.
    #[error("Vapi refused with status {status}: {message}")]
    Refused {
        /// The HTTP status of the answer.
        status: StatusCode,
        /// What it said, cut short and without phone numbers: for the log only.
        message: String,
    },
    /// Vapi had trouble of its own, or too many requests.
    #[error("Vapi answered with status {status}")]
    Trouble {
        /// The HTTP status of the answer.
        status: StatusCode,
    },
    /// No answer came. Vapi may have acted.
    #[error("Vapi did not answer")]
    Unreachable(#[source] HttpError),
    /// The answer is not what Vapi's API describes. Vapi may have acted.
    #[error("Vapi's answer cannot be read")]
    Unreadable(#[source] serde_json::Error),
    /// Vapi returned another object than was asked for.
    #[error("Vapi answered with another object than was asked for")]
    AnotherObject,
    /// A control URL that is not Vapi's is never called: a forged message could point us anywhere.
    #[error("the call's control URL is not Vapi's")]
    ForeignControlUrl,
}

impl VapiError {
    /// Returns whether it is certain that nothing was done, and that asking again changes nothing.
    pub const fn is_final(&self) -> bool {
        match self {
            Self::NotFound | Self::Refused { .. } | Self::ForeignControlUrl => true,
            Self::Trouble { .. } | Self::Unreachable(_) | Self::Unreadable(_) | Self::AnotherObject => false,
        }
    }

    /// Returns whether it is certain that nothing was done, though asking later may help: also when there were
    /// too many requests or calls at once (429).
    pub fn is_no(&self) -> bool {
        let is_too_many =
            matches!(self, Self::Trouble { status } if *status == StatusCode::TOO_MANY_REQUESTS);
        self.is_final() || is_too_many
    }

    /// Returns what is wrong with our own account, if that is why: too many at once (429), no credit (402), or
    /// not let in (401, 403).
    pub const fn upstream(&self) -> Option<Upstream> {
        let (Self::Refused { status, .. } | Self::Trouble { status }) = self else { return None };
        match status.as_u16() {
            429 => Some(Upstream::NoSlot),
            402 => Some(Upstream::NoCredit),
            401 | 403 => Some(Upstream::Stopped),
            _ => None,
        }
    }
}

impl Vapi {
    /// Returns a client of the API at `base_url`.
    pub fn new(http: Http, base_url: impl Into<String>, key: SecretString) -> Self {
        Self { http, base_url: base_url.into(), key, local_control_host: None }
    }

    /// Lets calls be commanded at `host` (`name:port`) too, over plain HTTP. Only the local stack does this,
    /// in code, for its sandbox.
    #[must_use]
    pub fn with_local_control_host(mut self, host: impl Into<String>) -> Self {
        self.local_control_host = Some(host.into());
        self
    }

    /// Returns Vapi's own record of a call.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn call(&self, id: &VapiCallId) -> Result<VapiCall, VapiError> {
        let call: VapiCall = self.get_json(&format!("/call/{id}")).await?;
        if call.id == *id { Ok(call) } else { Err(VapiError::AnotherObject) }
    }

    /// Tells a live call to end. That Vapi accepts this does not mean that the call ends.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn end_call(&self, control_url: &str) -> Result<(), VapiError> {
        self.command(control_url, &json!({"type": "end-call"})).await
    }

    /// Has the assistant of a live call say `content`.
    ///
    /// # Errors
    /// See [`VapiError`].
    pub async fn say(&self, control_url: &str, content: &str) -> Result<(), VapiError> {
        self.command(control_url, &json!({"type": "say", "content": content})).await
    }

    async fn command(&self, control_url: &str, command: &Value) -> Result<(), VapiError> {
        if !self.is_ours_to_command(control_url) {
            return Err(VapiError::ForeignControlUrl);
        }
        let request = Request::builder()
            .method(Method::POST)
            .uri(control_url)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Bytes::from(command.to_string()));
        self.send(request).await.map(|_| ())
    }

    /// Returns whether a control URL is one that Vapi made (https, at `vapi.ai` or below it), or the local
    /// sandbox's.
    fn is_ours_to_command(&self, control_url: &str) -> bool {
        let Ok(url) = url::Url::parse(control_url) else { return false };
        let Some(host) = url.host_str() else { return false };
        let is_vapi = url.scheme() == "https" && (host == "vapi.ai" || host.ends_with(".vapi.ai"));
        let authority = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let has_userinfo = !url.username().is_empty() || url.password().is_some();
        !has_userinfo && (is_vapi || self.local_control_host.as_ref() == Some(&authority))
    }

    /// Returns the wanted entries of a list, the oldest first. Lists have no cursor: each page asks for what
    /// was made before the page so far.
    async fn listed(
        &self,
        path: &str,
        filter: &[(&str, &str)],
        is_wanted: impl Fn(&Value) -> bool,
    ) -> Result<Vec<Value>, VapiError> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        let mut until: Option<String> = None;
        loop {
            let query = page_query(filter, until.as_deref());
            let page: Vec<Value> = self.get_json(&format!("{path}?{query}")).await?;
            let is_last = page.len() < PAGE;
            let earliest = page.iter().filter_map(created_at).min().map(str::to_owned);
            // An entry made in the same millisecond as the last of a page comes again with the next page.
            let fresh: Vec<Value> =
                page.into_iter().filter(|entry| seen.insert(entry["id"].to_string())).collect();
            let is_stuck = earliest.is_none() || fresh.is_empty();
            found.extend(fresh.into_iter().filter(&is_wanted));
            if is_last {
                found.sort_by(|one, other| created_at(one).cmp(&created_at(other)));
                return Ok(found);
            }
            // A list that was not read to its end must not pass for the whole list.
            if is_stuck {
                let problem = "a full page of a list does not lead to the next";
                return Err(VapiError::Unreadable(serde::de::Error::custom(problem)));
            }
            until = earliest;
        }
    }

    /// Returns the object at `path`; `None` when Vapi has no such object.
    async fn find_json(&self, path: &str) -> Result<Option<Value>, VapiError> {
        match self.get_json(path).await {
            Ok(found) => Ok(Some(found)),
            Err(VapiError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn get_json<T: DeserializeOwned>(&self, path_and_query: &str) -> Result<T, VapiError> {
        let answer = self.send(self.request(Method::GET, path_and_query).body(Bytes::new())).await?;
        serde_json::from_slice(answer.body()).map_err(VapiError::Unreadable)
    }

    async fn send_json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<T, VapiError> {
        let request = self
            .request(method, path)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Bytes::from(body.to_string()));
        let answer = self.send(request).await?;
        serde_json::from_slice(answer.body()).map_err(VapiError::Unreadable)
    }

    /// Deletes the object at `path`. One that is gone already counts as deleted.
    async fn delete(&self, path: &str) -> Result<(), VapiError> {
        match self.send(self.request(Method::DELETE, path).body(Bytes::new())).await {
            Ok(_) | Err(VapiError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn request(&self, method: Method, path_and_query: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("{}{path_and_query}", self.base_url))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.key.expose_secret()))
    }

    async fn send(&self, request: http::Result<Request<Bytes>>) -> Result<Response<Bytes>, VapiError> {
        let request =
            request.map_err(|error| VapiError::Unreachable(HttpError::Connection(Box::new(error))))?;
        let answer = self.http.send(request).await.map_err(VapiError::Unreachable)?;
        match answer.status() {
            status if status.is_success() => Ok(answer),
            StatusCode::NOT_FOUND => Err(VapiError::NotFound),
            status if is_transient_status(status) => Err(VapiError::Trouble { status }),
            status => Err(VapiError::Refused { status, message: refusal(answer.body()) }),
        }
    }
}

/// An answer of which only the id is read.
#[derive(Deserialize)]
struct Named<T> {
    id: T,
}

/// Returns the id of an entry of a list.
fn id_of<T: DeserializeOwned>(entry: Value) -> Result<T, VapiError> {
    serde_json::from_value::<Named<T>>(entry).map(|named| named.id).map_err(VapiError::Unreadable)
}

/// Returns when an entry was made: RFC 3339, UTC, always with milliseconds, so that it sorts as text.
fn created_at(entry: &Value) -> Option<&str> {
    entry["createdAt"].as_str()
}

fn page_query(filter: &[(&str, &str)], until: Option<&str>) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .append_pair("limit", &PAGE.to_string())
        .extend_pairs(filter)
        .extend_pairs(until.map(|until| ("createdAtLe", until)))
        .finish()
}

/// Returns a name that is no longer than Vapi takes.
fn short(name: &str) -> String {
    name.chars().take(LONGEST_NAME).collect()
}

/// Returns Vapi's own message, which is a text or a list of texts, as one short line.
fn refusal(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let message = &body["message"];
    let lines = message.as_array().map_or_else(|| std::slice::from_ref(message), Vec::as_slice);
    let words = lines.iter().filter_map(Value::as_str).flat_map(str::split_whitespace);
    // The message may quote the phone number that was sent.
    let is_number = |word: &str| word.contains('+') && word.bytes().filter(u8::is_ascii_digit).count() >= 7;
    let words: Vec<&str> = words.map(|word| if is_number(word) { "+…" } else { word }).collect();
    words.join(" ").chars().take(LONGEST_MESSAGE).collect()
}

#[cfg(test)]
mod tests;
