//! Every answer that a test gets is one that `docs/openapi.json` says there may be.

use std::{
    collections::HashMap,
    sync::{Mutex, OnceLock, PoisonError},
};

use bytes::Bytes;
use http::Response;
use jsonschema::Validator;
use serde_json::{Map, Value, json};

/// The document of this build.
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(local::openapi::document)
}

/// Panics when the answer of a request is not one that the document says.
pub fn hold(method: &str, path: &str, answer: &Response<Bytes>) {
    let method = if method == "HEAD" { "get".to_owned() } else { method.to_lowercase() };
    let Some((pattern, operation)) = operation(&method, path) else { return };
    let status = answer.status().as_u16();
    let at = format!("{method} {pattern}: {status}");
    let response = &operation["responses"][status.to_string()];
    let body = String::from_utf8_lossy(answer.body());
    assert!(response.is_object(), "{at} is not in the document: {body}");
    if answer.body().is_empty() {
        return;
    }
    let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    let content = &response["content"];
    let kinds: Vec<&String> = content.as_object().into_iter().flat_map(Map::keys).collect();
    let is_known = kinds
        .iter()
        .any(|known| *known == kind || known.strip_suffix('*').is_some_and(|begin| kind.starts_with(begin)));
    assert!(is_known, "{at} is {kind}, and the document has {kinds:?}");
    let schema = &content[kind]["schema"];
    if schema["format"] == "binary" || !kind.ends_with("json") {
        return;
    }
    let body: Value = serde_json::from_slice(answer.body()).unwrap_or_else(|error| panic!("{at}: {error}"));
    let faults = faults(&format!("{at} {kind}"), schema, &body);
    assert!(faults.is_empty(), "{at} is not as the document says: {faults:#?}\n{body:#}");
}

/// The operation of a method and a path, the more literal pattern first.
fn operation(method: &str, path: &str) -> Option<(&'static str, &'static Value)> {
    let path = path.split('?').next().unwrap_or_default();
    let paths = document()["paths"].as_object()?;
    let mut fits: Vec<(&String, &Value)> =
        paths.iter().filter(|(pattern, _)| is_match(pattern, path)).collect();
    fits.sort_by_key(|(pattern, _)| pattern.matches('{').count());
    fits.into_iter().find_map(|(pattern, item)| Some((pattern.as_str(), item.get(method)?)))
}

fn is_match(pattern: &str, path: &str) -> bool {
    let (wanted, given): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
    wanted.len() == given.len()
        && wanted
            .iter()
            .zip(given)
            .all(|(wanted, given)| *wanted == given || (wanted.starts_with('{') && !given.is_empty()))
}

/// What of `body` is not as `schema` says, which may refer to the document's components.
pub fn faults(name: &str, schema: &Value, body: &Value) -> Vec<String> {
    static VALIDATORS: OnceLock<Mutex<HashMap<String, &'static Validator>>> = OnceLock::new();
    let validator = {
        let validators = VALIDATORS.get_or_init(Mutex::default);
        let mut validators = validators.lock().unwrap_or_else(PoisonError::into_inner);
        *validators.entry(name.to_owned()).or_insert_with(|| {
            let whole = json!({"$schema": "https://json-schema.org/draft/2020-12/schema",
                "components": closed(&document()["components"]), "allOf": [schema]});
            Box::leak(Box::new(jsonschema::validator_for(&whole).expect("a schema")))
        })
    };
    validator.iter_errors(body).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// The same schemas, whose objects have no members that are not named: what is not in the document is a fault here, although a
/// client must bear it.
fn closed(components: &Value) -> Value {
    let mut closed = components.clone();
    let merged: Vec<String> = all_of(components);
    let schemas = closed["schemas"].as_object_mut().into_iter().flatten();
    for (name, schema) in schemas {
        let is_open =
            name == "Problem" || merged.contains(name) || schema.get("additionalProperties").is_some();
        if schema.get("properties").is_some() && !is_open {
            schema["additionalProperties"] = json!(false);
        }
    }
    closed
}

/// The names of schemas that are parts of others.
fn all_of(schema: &Value) -> Vec<String> {
    let mut names = Vec::new();
    if let Some(members) = schema.as_object() {
        for (key, value) in members {
            if key == "allOf" {
                let parts = value.as_array().into_iter().flatten();
                let parts = parts.filter_map(|part| part["$ref"].as_str()?.rsplit('/').next());
                names.extend(parts.map(str::to_owned));
            }
            names.extend(all_of(value));
        }
    }
    for item in schema.as_array().into_iter().flatten() {
        names.extend(all_of(item));
    }
    names
}
