//! The whole document.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Content, Described, For, Operation, Route};
use crate::problem::Code;

/// Where the schemas are.
const SCHEMAS: &str = "#/components/schemas/";

/// Puts the operations of all functions, each under its function's name, into one document.
pub fn document(version: &str, functions: Vec<(&'static str, Vec<Operation>)>) -> Value {
    let mut schemas = Schemas(BTreeMap::from([("Problem".to_owned(), problem())]));
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut tags = Vec::new();
    for (function, operations) in functions {
        tags.push(json!({ "name": function }));
        for operation in operations {
            let method = operation.route.method.to_lowercase();
            let written = written(function, &operation, &mut schemas);
            paths.entry(operation.route.path).or_default().insert(method, written);
        }
    }
    json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Voxanne",
            "version": version,
            "description": "The API behind the console. Every error is a problem (RFC 9457) with a stable `code`, a sentence and the \
                            request's id. What a route does not know, in a query or a body, it refuses by name. Money is whole pence, \
                            times are RFC 3339. HEAD is answered wherever GET is.",
        },
        "servers": [{"url": "/"}],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas.0,
            "x-codes": sentences(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    })
}

/// What each code means, as its sentence says where there is no more exact one.
fn sentences() -> Value {
    let said = |code: Code| {
        let (name, status, sentence) = code.parts();
        (name.to_owned(), json!({"status": status.as_u16(), "detail": sentence}))
    };
    Value::Object(Code::ALL.map(said).into_iter().collect())
}

/// An error's form.
fn problem() -> Value {
    let text = json!({"type": "string"});
    json!({
        "type": "object",
        "description": "Why it was not done (RFC 9457). There may be more members, which docs/errors.md names.",
        "required": ["type", "title", "status", "code", "detail", "request_id"],
        "properties": {
            "type": text, "title": text, "status": {"type": "integer"}, "code": text,
            "detail": text, "request_id": text,
        },
    })
}

fn written(function: &str, operation: &Operation, schemas: &mut Schemas) -> Value {
    let route = &operation.route;
    let mut written = json!({
        "tags": [function],
        "operationId": operation_id(route),
        "summary": route.about.first().map(|line| line.trim()),
        "description": said(route),
        "parameters": parameters(operation),
        "responses": responses(function, operation, schemas),
        "x-roles": route.who.roles(),
        "security": if route.who == For::Anyone { json!([]) } else { json!([{"token": []}]) },
    });
    if let Some(body) = &operation.body {
        let schema = schemas.take(&[function, &operation_id(route)], body.clone());
        written["requestBody"] =
            json!({"required": true, "content": {"application/json": {"schema": schema}}});
    }
    written
}

fn said(route: &Route) -> String {
    let lines: Vec<&str> = route.about.iter().map(|line| line.trim()).collect();
    let roles = route.who.roles().join(", ");
    let who = if roles.is_empty() { String::new() } else { format!("\n\nFor: {roles}.") };
    lines.join(" ") + &who
}

/// `GET /api/contacts/{id}` is `getContactsById`.
fn operation_id(route: &Route) -> String {
    let parts = route.path.trim_start_matches("/api/").split(['/', '-', '.', '_']);
    let words = parts.map(|part| match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
        Some(parameter) => format!("By{}", capital(parameter)),
        None => capital(part),
    });
    route.method.to_lowercase() + &words.collect::<String>()
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let mut found: Vec<Value> = operation
        .route
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect();
    // An empty value is as if it were not there.
    found.extend(operation.query.iter().map(|value| {
        let mut value = value.clone();
        value["schema"] = renamed(&value["schema"], &BTreeMap::new());
        value["allowEmptyValue"] = true.into();
        value
    }));
    found
}

/// The answers by status: those of success with their forms, those of failure with the codes that there may be.
fn responses(function: &str, operation: &Operation, schemas: &mut Schemas) -> Map<String, Value> {
    let mut responses = Map::new();
    let name = operation_id(&operation.route);
    for status in operation.route.statuses {
        let mut response = json!({"description": title(*status)});
        let has_content = *status != NOT_MODIFIED;
        for Content { kind, schema } in operation.answers.iter().filter(|_| has_content) {
            let media = match schema {
                Some(schema) => json!({"schema": schemas.take(&[function, &name], schema.clone())}),
                None => json!({"schema": {"type": "string", "format": "binary"}}),
            };
            response["content"][*kind] = media;
        }
        responses.insert(status.to_string(), response);
    }
    for (status, codes) in failures(operation) {
        let names: Vec<&str> = codes.iter().map(|code| code.parts().0).collect();
        let schema = json!({"allOf": [
            {"$ref": format!("{SCHEMAS}Problem")},
            {"properties": {"code": {"enum": names}}},
        ]});
        let mut response = json!({
            "description": format!("It is not done: {}.", names.join(", ")),
            "content": {"application/problem+json": {"schema": schema}},
        });
        if status == 429 {
            // The gateway's own, which knows no problems.
            let said = json!({"type": "object", "properties": {"message": {"type": "string"}}});
            response["content"]["application/json"] = json!({ "schema": said });
        }
        responses.insert(status.to_string(), response);
    }
    responses
}

/// The status of an answer without content: what was asked for has not changed (RFC 9110, 15.4.5).
const NOT_MODIFIED: u16 = 304;

fn title(status: u16) -> &'static str {
    match status {
        201 => "It is made.",
        202 => "It is begun, and goes on.",
        204 => "It is done.",
        206 => "The part that was asked for.",
        302 => "The browser is sent on.",
        NOT_MODIFIED => "It is as it was.",
        416 => "There is no such part.",
        _ => "It is done, or shown.",
    }
}

/// How an operation may fail: as the table says, and as every route of its kind does.
fn failures(operation: &Operation) -> BTreeMap<u16, Vec<Code>> {
    let route = &operation.route;
    let mut codes = vec![Code::InvalidValue, Code::InvalidBody, Code::Internal, Code::TooManyRequests];
    match route.who {
        For::Anyone => {}
        For::Operators => codes.extend([Code::MissingToken, Code::InvalidToken, Code::Forbidden]),
        For::Members | For::Business | For::Diary | For::Change => {
            codes.extend([Code::MissingToken, Code::InvalidToken, Code::NoOrg, Code::Forbidden]);
        }
    }
    if operation.body.is_some() {
        codes.push(Code::BodyTooLarge);
    }
    if route.path.contains('{') {
        codes.push(Code::NotFound);
    }
    codes.extend(route.codes);
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    // In the order of docs/errors.md, each once.
    for code in Code::ALL.into_iter().filter(|code| codes.contains(code)) {
        by_status.entry(code.parts().1.as_u16()).or_default().push(code);
    }
    by_status
}

/// The schemas that are referred to, by name. Two types of one name are told apart by the function, or the operation, that has the
/// second.
struct Schemas(BTreeMap<String, Value>);

impl Schemas {
    /// Takes a type with all that it refers to, and returns the reference to it. `owners` are what another type of a name is told
    /// apart by, the wider first.
    fn take(&mut self, owners: &[&str], described: Described) -> Value {
        let Described { name, schema, components } = described;
        let mut components: BTreeMap<String, Value> = components.into_iter().collect();
        // A list has no name of its own.
        let is_list = schema["type"] == "array";
        if !is_list {
            components.insert(name.clone(), schema.clone());
        }
        let names = self.names(owners, &components);
        for (name, schema) in &components {
            let schema = renamed(&merged(schema, &components), &names);
            self.0.insert(names.get(name).unwrap_or(name).clone(), schema);
        }
        if is_list {
            return renamed(&schema, &names);
        }
        let name = names.get(&name).unwrap_or(&name);
        json!({"$ref": format!("{SCHEMAS}{name}")})
    }

    /// What each of `components` is to be called: by its own name where no other type has it, else by the first of its owners' names
    /// for it that no other type has. What a type refers to is compared as it would be written, so that a type is another also when
    /// what it refers to is.
    fn names(&self, owners: &[&str], components: &BTreeMap<String, Value>) -> BTreeMap<String, String> {
        let mut attempts: BTreeMap<&str, usize> = BTreeMap::new();
        loop {
            let tried = |name: &str| attempts.get(name).copied().unwrap_or_default();
            let called = |name: &String| match tried(name).checked_sub(1).and_then(|place| owners.get(place))
            {
                Some(owner) => (name.clone(), format!("{}{name}", camel(owner))),
                None => (name.clone(), name.clone()),
            };
            let names: BTreeMap<String, String> = components.keys().map(called).collect();
            let is_taken = |(name, schema): &(&String, &Value)| {
                let there = names.get(*name).and_then(|called| self.0.get(called));
                let written = || renamed(&merged(schema, components), &names);
                there.is_some_and(|there| *there != written())
            };
            let Some((name, _)) = components.iter().find(is_taken) else { return names };
            let tried = tried(name);
            assert!(tried < owners.len(), "two types are called {name} in {owners:?}: rename one");
            attempts.insert(name, tried.saturating_add(1));
        }
    }
}

/// `provision-number` is `ProvisionNumber`.
fn camel(name: &str) -> String {
    name.split('-').map(capital).collect()
}

/// The same schema, in which an object that is put together of others (`allOf`, as a flattened field makes it) is one object with the
/// members of all: none of them refuses what another has.
fn merged(schema: &Value, components: &BTreeMap<String, Value>) -> Value {
    let Some(parts) = schema["allOf"].as_array() else { return schema.clone() };
    let mut whole = schema.clone();
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for part in parts {
        let Some((object, is_there)) = object(part, components) else { return schema.clone() };
        let object = merged(object, components);
        let (Some(members), needed) = (object["properties"].as_object(), object["required"].as_array())
        else {
            return schema.clone();
        };
        properties.extend(members.clone());
        required.extend(needed.into_iter().flatten().filter(|_| is_there).cloned());
    }
    if let Some(members) = whole.as_object_mut() {
        members.remove("allOf");
        members.insert("type".to_owned(), json!("object"));
        members.insert("properties".to_owned(), Value::Object(properties));
        members.insert("required".to_owned(), Value::Array(required));
    }
    whole
}

/// The object that a part of `allOf` is, by itself or by reference, and whether it is always there.
fn object<'a>(part: &'a Value, components: &'a BTreeMap<String, Value>) -> Option<(&'a Value, bool)> {
    if let Some(of) = part["oneOf"].as_array() {
        let is_optional = of.iter().any(|one| one["type"] == "null");
        let one = of.iter().find(|one| one["type"] != "null")?;
        return (is_optional && of.len() == 2)
            .then(|| object(one, components))?
            .map(|(object, _)| (object, false));
    }
    match part["$ref"].as_str() {
        Some(to) => Some((components.get(to.trim_start_matches(SCHEMAS))?, true)),
        None => Some((part, true)),
    }
}

/// The same schema, with its references renamed and its example in the form of `OpenAPI` 3.1.
fn renamed(schema: &Value, names: &BTreeMap<String, String>) -> Value {
    match schema {
        Value::Object(members) => {
            // OpenAPI's registry of formats has unsigned ones (spec.openapis.org/registry/format).
            let is_unsigned = members.get("minimum").is_some_and(|least| *least == 0)
                && ["int32", "int64"]
                    .iter()
                    .any(|signed| members.get("format").is_some_and(|format| format == signed));
            let members = members.iter().map(|(key, value)| match (key.as_str(), value) {
                ("$ref", Value::String(to)) => {
                    let name = to.trim_start_matches(SCHEMAS);
                    let name = names.get(name).map_or(name, String::as_str);
                    (key.clone(), Value::String(format!("{SCHEMAS}{name}")))
                }
                ("example", value) => ("examples".to_owned(), json!([value])),
                ("format", Value::String(format)) if is_unsigned => {
                    (key.clone(), json!(format.replacen("int", "uint", 1)))
                }
                _ => (key.clone(), renamed(value, names)),
            });
            Value::Object(members.collect())
        }
        Value::Array(items) => items.iter().map(|item| renamed(item, names)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => schema.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(name: &str, schema: Value, components: &[(&str, Value)]) -> Described {
        let components = components.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone()));
        Described { name: name.to_owned(), schema, components: components.collect() }
    }

    #[test]
    fn two_types_of_one_name_are_told_apart_with_what_refers_to_them() {
        let mut schemas = Schemas(BTreeMap::new());
        let refers = json!({"properties": {"a": {"$ref": "#/components/schemas/Row"}}});
        let of = |kind: &str| described("Page", refers.clone(), &[("Row", json!({ "type": kind }))]);
        let mut take = |owners: &[&str], kind: &str| {
            let taken = schemas.take(owners, of(kind));
            taken["$ref"].as_str().unwrap().trim_start_matches(SCHEMAS).to_owned()
        };
        assert_eq!(take(&["calls", "getCalls"], "string"), "Page");
        assert_eq!(take(&["calls", "getAgain"], "string"), "Page");
        assert_eq!(take(&["due-calls", "getOthers"], "integer"), "DueCallsPage");
        assert_eq!(take(&["due-calls", "getMore"], "integer"), "DueCallsPage");
        assert_eq!(take(&["due-calls", "getThird"], "boolean"), "GetThirdPage");
        let refers_to = |name: &str| schemas.0[name]["properties"]["a"]["$ref"].clone();
        assert_eq!(refers_to("DueCallsPage"), "#/components/schemas/DueCallsRow");
        assert_eq!(refers_to("GetThirdPage"), "#/components/schemas/GetThirdRow");
        assert_eq!(schemas.0["GetThirdRow"]["type"], "boolean");
        assert_eq!(schemas.0.len(), 6, "the same types are there once");
    }

    #[test]
    fn what_is_flattened_into_an_object_is_part_of_it() {
        let hours = json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"],
            "additionalProperties": false});
        let own = json!({"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]});
        let said = json!({"oneOf": [{"$ref": "#/components/schemas/Said"}, {"type": "null"}]});
        let shown = json!({"allOf": [{"$ref": "#/components/schemas/Hours"}, own, said]});
        let why = json!({"type": "object", "properties": {"why": {"type": "string"}}, "required": ["why"]});
        let mut schemas = Schemas(BTreeMap::new());
        schemas.take(&["f", "o"], described("Shown", shown, &[("Hours", hours), ("Said", why)]));
        let shown = &schemas.0["Shown"];
        let names: Vec<&String> = shown["properties"].as_object().unwrap().keys().collect();
        assert_eq!((names.len(), &shown["required"]), (3, &json!(["name", "id"])), "{shown}");
        assert!(shown.get("allOf").is_none() && shown.get("additionalProperties").is_none(), "{shown}");
    }

    #[test]
    fn an_operation_is_named_by_its_method_and_path() {
        let named = |method, path| {
            let route = Route { method, path, about: &[], who: For::Anyone, statuses: &[200], codes: &[] };
            operation_id(&route)
        };
        assert_eq!(named("GET", "/api/calls-dashboard/{id}/recording"), "getCallsDashboardByIdRecording");
        assert_eq!(named("POST", "/api/billing/wallet/topup"), "postBillingWalletTopup");
    }
}
