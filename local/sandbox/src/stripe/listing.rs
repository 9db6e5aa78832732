//! Lists: filtered, the newest first, page by page.

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use super::{
    State, StripeSandbox,
    api::{Refusal, found, invalid, missing, missing_param, shown},
    deliveries::RETAINED,
};

/// What a list's query asks for.
struct Query {
    limit: usize,
    after: Option<String>,
    /// The first and the last second of making, both included.
    created: (i64, i64),
    /// One of these; any, when there are none.
    types: Vec<String>,
    /// Fields and their values.
    fields: Vec<(String, String)>,
}

impl Query {
    fn parse(request: &Request<Bytes>) -> Result<Self, Refusal> {
        let mut query = Self {
            limit: 10,
            after: None,
            created: (i64::MIN, i64::MAX),
            types: Vec::new(),
            fields: Vec::new(),
        };
        let text = request.uri().query().unwrap_or_default();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()).into_owned() {
            match name.as_str() {
                "limit" => {
                    let limit = value.parse::<usize>().ok().filter(|limit| (1..=100).contains(limit));
                    query.limit = limit.ok_or_else(|| invalid("Invalid integer: limit is 1 to 100"))?;
                }
                "starting_after" => query.after = Some(value),
                "created" | "created[gte]" | "created[gt]" | "created[lte]" | "created[lt]" => {
                    query.narrow(&name, &value)?;
                }
                _ if name.starts_with("types[") => query.types.push(value),
                _ if name.starts_with("expand") => {}
                _ => query.fields.push((name, value)),
            }
        }
        Ok(query)
    }

    fn field(&self, wanted: &str) -> Option<&str> {
        self.fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    }

    fn narrow(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        let second: i64 = value.parse().map_err(|_| invalid(format!("Invalid integer: {name}")))?;
        let (from, to) = match name {
            "created[gte]" => (second, i64::MAX),
            "created[gt]" => (second.saturating_add(1), i64::MAX),
            "created[lte]" => (i64::MIN, second),
            "created[lt]" => (i64::MIN, second.saturating_sub(1)),
            _ => (second, second),
        };
        self.created = (self.created.0.max(from), self.created.1.min(to));
        Ok(())
    }

    fn is_for(&self, object: &Value) -> bool {
        let created = object["created"].as_i64().unwrap_or_default();
        let is_of_type = self.types.is_empty() || self.types.iter().any(|name| object["type"] == **name);
        (self.created.0..=self.created.1).contains(&created)
            && is_of_type
            && self.fields.iter().all(|(name, value)| object[name] == **value)
    }
}

/// The objects of one kind that a request asks for.
pub(super) fn list(state: &State, kind: &str, request: &Request<Bytes>) -> Result<Value, Refusal> {
    let newest = state.order.iter().rev().filter_map(|id| state.objects.get(id));
    // What a deleted customer paid is still listed; a customer who never was is refused.
    if let Some(customer) = Query::parse(request)?.field("customer") {
        found(state, "customer", customer).map_err(missing_param("customer"))?;
    }
    page(newest.filter(|object| object["object"] == kind), kind, request)
}

impl StripeSandbox {
    /// The events that a request asks for, of the last thirty days.
    pub(super) fn list_events(&self, state: &State, request: &Request<Bytes>) -> Result<Value, Refusal> {
        let oldest = (self.clock.now() - RETAINED).as_second();
        let kept = |event: &&Value| event["created"].as_i64() >= Some(oldest);
        page(state.events.iter().rev().filter(kept), "event", request)
    }
}

fn page<'a>(
    newest: impl Iterator<Item = &'a Value>,
    kind: &str,
    request: &Request<Bytes>,
) -> Result<Value, Refusal> {
    let query = Query::parse(request)?;
    let mut rest: Vec<&Value> = newest.filter(|object| query.is_for(object)).collect();
    if let Some(after) = &query.after {
        let position =
            rest.iter().position(|object| object["id"] == **after).ok_or_else(|| missing(kind, after))?;
        rest.drain(..=position);
    }
    let has_more = rest.len() > query.limit;
    rest.truncate(query.limit);
    let rows: Vec<Value> = rest.into_iter().map(shown).collect();
    Ok(json!({"object": "list", "url": request.uri().path(), "has_more": has_more, "data": rows}))
}
