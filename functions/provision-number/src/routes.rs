//! A file per route, or for routes that show the same.

pub mod assign;
pub mod connect;
pub mod provision;
pub mod release;
pub mod search;
pub mod show;

use serde_json::Value;
use shared::{
    domain::{call::Direction, phone_number::PhoneNumber},
    http::problem::{Code, Problem},
};

fn invalid(sentence: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidValue).saying(sentence)
}

/// A value of the JSON body that is one of a few words.
fn word<T: serde::de::DeserializeOwned>(value: &Value, sentence: &str) -> Result<T, Problem> {
    serde_json::from_value(value.clone()).map_err(|_| invalid(sentence))
}

/// A value of the JSON body that was given and is not null.
fn given(value: &Value) -> Option<&Value> {
    if value.is_null() { None } else { Some(value) }
}

fn direction(value: &Value, name: &str) -> Result<Direction, Problem> {
    let direction = value.as_str().and_then(Direction::parse);
    direction.ok_or_else(|| invalid(format!("{name} is inbound or outbound.")))
}

fn phone_number(value: &Value, name: &str) -> Result<Option<PhoneNumber>, Problem> {
    let Some(value) = given(value) else { return Ok(None) };
    let number = PhoneNumber::parse(value.as_str().unwrap_or_default());
    number.map(Some).map_err(|error| invalid(format!("{name}: {error}.")))
}
