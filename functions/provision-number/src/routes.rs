//! A file per route, or for routes that show the same.

pub mod assign;
pub mod connect;
pub mod provision;
pub mod release;
pub mod search;
pub mod show;

use domain::call::Direction;
use serde_json::Value;
use web::{problem::Problem, request::invalid};

/// A value of the JSON body that is one of a few words.
fn word<T: serde::de::DeserializeOwned>(value: &Value, sentence: &str) -> Result<T, Problem> {
    serde_json::from_value(value.clone()).map_err(|_| invalid(sentence))
}

/// A field that was given and is not null.
fn given(value: &Value) -> Option<&Value> {
    if value.is_null() { None } else { Some(value) }
}

fn direction(value: &Value, name: &str) -> Result<Direction, Problem> {
    let direction = value.as_str().and_then(Direction::parse);
    direction.ok_or_else(|| invalid(format!("{name} is inbound or outbound.")))
}
