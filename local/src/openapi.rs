//! The document of the API, put together from what every function's routes read and answer.

use serde_json::Value;

use crate::functions;

/// Where it lies, from the top of the repository.
pub const FILE: &str = "docs/openapi.json";

/// The document, as this build has it.
pub fn document() -> Value {
    web::contract::document(env!("CARGO_PKG_VERSION"), functions::contracts())
}

/// The same as a text, for the file.
pub fn text() -> String {
    // Through the sorted form: the order of members is not that of the build.
    format!("{:#}\n", sorted(&document()))
}

/// The same value with every object's members in the order of their names.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            Value::Object(names.into_iter().map(|name| (name.clone(), sorted(&members[name]))).collect())
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}
