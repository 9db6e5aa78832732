//! What comes with a request: query, JSON body, idempotency key. Each value checked, each fault with its own sentence.

use aws_lc_rs::digest::{SHA256, digest};
use http::HeaderMap;
use serde_json::Value;

use super::{
    auth::{Caller, Role},
    problem::{Code, Problem},
    routes::Origin,
};
use domain::{
    audit::{Actor, ActorRole},
    phone_number::PhoneNumber,
};

/// A value that this address does not take, and what it takes instead.
pub fn invalid(sentence: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidValue).saying(sentence)
}

/// A phone number among the values of a body, if it was given.
///
/// # Errors
/// When it is no number in E.164.
pub fn phone_number(value: &Value, name: &str) -> Result<Option<PhoneNumber>, Problem> {
    if value.is_null() {
        return Ok(None);
    }
    let number = PhoneNumber::parse(value.as_str().unwrap_or_default());
    number.map(Some).map_err(|error| invalid(format!("{name}: {error}.")))
}

/// Who makes a request, as the audit log names them.
pub fn actor(caller: &Caller, origin: &Origin) -> Actor {
    let role = match caller.role {
        Role::Owner => ActorRole::Owner,
        Role::Admin => ActorRole::Admin,
        Role::Staff => ActorRole::Staff,
        Role::Viewer => ActorRole::Viewer,
    };
    Actor {
        user: caller.user.clone(),
        role,
        source: origin.source.clone(),
        request_id: origin.request_id.clone(),
    }
}

/// The client's `Idempotency-Key`, if it gave one.
///
/// # Errors
/// When it is not 1 to 255 letters, digits or any of `_ - . :`.
pub fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(key) = headers.get("idempotency-key") else { return Ok(None) };
    let is_plain = |key: &str| key.bytes().all(|c| c.is_ascii_alphanumeric() || b"_-.:".contains(&c));
    let key = key.to_str().ok().filter(|key| (1..=255).contains(&key.len()) && is_plain(key));
    let sentence = "Idempotency-Key is 1 to 255 letters, digits or any of _ - . : such as a UUID.";
    key.map(|key| Some(key.to_owned())).ok_or_else(|| Problem::new(Code::InvalidValue).saying(sentence))
}

/// What makes two requests the same: a hash of these parts, each with its length.
pub fn fingerprint(parts: &[&str]) -> String {
    let parts: Vec<String> = parts.iter().map(|part| format!("{}:{part}", part.len())).collect();
    hex::encode(digest(&SHA256, parts.concat().as_bytes()))
}
