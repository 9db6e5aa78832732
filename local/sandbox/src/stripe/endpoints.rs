//! Webhook endpoints in the REST API.

use serde_json::{Value, json};

use super::{
    State, StripeSandbox,
    api::{Refusal, invalid, missing, object, shown},
};

/// What an account may have of them.
const MOST: usize = 16;

impl StripeSandbox {
    /// Makes an endpoint. Its secret is in this answer and in no other.
    pub(super) fn create_endpoint(&self, state: &mut State, form: &Value) -> Result<Value, Refusal> {
        if state.endpoints.len() >= MOST {
            return Err(invalid(format!("You have reached the maximum of {MOST} test webhook endpoints.")));
        }
        let url = url_of(&form["url"])?.ok_or_else(|| invalid("Missing required param: url."))?;
        let enabled_events = types_of(&form["enabled_events"])
            .ok_or_else(|| invalid("Missing required param: enabled_events."))?;
        // The first one's is the one that the settings name.
        let secret = if state.had_endpoint {
            format!("whsec_{:016x}{:016x}", self.entropy.bits(), self.entropy.bits())
        } else {
            self.settings.webhook_secret.clone()
        };
        state.had_endpoint = true;
        let id = self.put(
            state,
            "we",
            json!({"object": "webhook_endpoint", "url": url, "enabled_events": enabled_events, "status": "enabled",
                "api_version": form["api_version"], "description": form["description"],
                "metadata": object(&form["metadata"]), "application": Value::Null, "secret": secret}),
        );
        state.endpoints.push(id.clone());
        state.objects.get(&id).cloned().ok_or_else(|| missing("webhook_endpoint", &id))
    }
}

/// Changes what an update names of an endpoint; the version of the API is not among it.
pub(super) fn update_endpoint(state: &mut State, id: &str, form: &Value) -> Result<Value, Refusal> {
    if !form["api_version"].is_null() {
        return Err(Refusal {
            code: "parameter_unknown",
            ..invalid("Received unknown parameter: api_version")
        });
    }
    let url = url_of(&form["url"])?;
    let endpoint = state
        .objects
        .get_mut(id)
        .filter(|found| found["object"] == "webhook_endpoint")
        .ok_or_else(|| missing("webhook_endpoint", id))?;
    if let Some(url) = url {
        endpoint["url"] = json!(url);
    }
    if let Some(enabled_events) = types_of(&form["enabled_events"]) {
        endpoint["enabled_events"] = json!(enabled_events);
    }
    match form["disabled"].as_str() {
        Some("true") => endpoint["status"] = json!("disabled"),
        Some("false") => endpoint["status"] = json!("enabled"),
        Some(_) => return Err(invalid("Invalid boolean: disabled")),
        None => {}
    }
    if form["description"].is_string() {
        endpoint["description"] = form["description"].clone();
    }
    for (name, value) in object(&form["metadata"]) {
        endpoint["metadata"][name] = value;
    }
    Ok(shown(endpoint))
}

/// Deletes an endpoint. What was to be delivered to it goes nowhere.
pub(super) fn delete_endpoint(state: &mut State, id: &str) -> Result<Value, Refusal> {
    if !state.endpoints.iter().any(|endpoint| endpoint == id) {
        return Err(missing("webhook_endpoint", id));
    }
    state.endpoints.retain(|endpoint| endpoint != id);
    state.order.retain(|object| object != id);
    state.objects.remove(id);
    Ok(json!({"id": id, "object": "webhook_endpoint", "deleted": true}))
}

fn url_of(value: &Value) -> Result<Option<&str>, Refusal> {
    match value.as_str() {
        Some(url) if url.starts_with("https://") || url.starts_with("http://") => Ok(Some(url)),
        Some(_) => Err(Refusal { code: "url_invalid", ..invalid("Not a valid URL") }),
        None => Ok(None),
    }
}

/// The types that a form names: `enabled_events[]=…`, or with numbers in the brackets.
fn types_of(value: &Value) -> Option<Vec<Value>> {
    let types = match value {
        Value::Array(types) => types.clone(),
        Value::Object(types) => types.values().cloned().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
    };
    Some(types).filter(|types| !types.is_empty())
}
