//! Reads records as the engine holds them, past every seam.

use local::aws::Transport;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

/// The environment of a simulated world: what its tables' names and its marks at vendors begin with.
pub const ENVIRONMENT: &str = "sim";

/// A table's name in the simulated world.
pub fn table(name: &str) -> String {
    format!("voxanne-{ENVIRONMENT}-{name}")
}

/// An attribute as plain JSON; binary becomes null.
fn plain(attribute: &Value) -> Value {
    let Some((kind, value)) = attribute.as_object().and_then(|fields| fields.iter().next()) else {
        return Value::Null;
    };
    match kind.as_str() {
        "S" | "BOOL" | "SS" => value.clone(),
        "N" => value.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null),
        "M" => record(value),
        "L" => value.as_array().map(|items| items.iter().map(plain).collect()).unwrap_or_default(),
        _ => Value::Null,
    }
}

/// A record as plain JSON.
pub fn record(item: &Value) -> Value {
    let fields = item.as_object().into_iter().flatten();
    Value::Object(fields.map(|(name, value)| (name.clone(), plain(value))).collect::<Map<_, _>>())
}

/// One record; null when it is not there.
pub fn get(aws: &Transport, name: &str, key: &[(&str, &str)]) -> Value {
    let key: Map<String, Value> =
        key.iter().map(|(name, value)| ((*name).to_owned(), json!({"S": value}))).collect();
    let answer = aws.peek("GetItem", json!({"TableName": table(name), "Key": key, "ConsistentRead": true}));
    match answer.get("Item").filter(|item| item.is_object()) {
        Some(item) => record(item),
        None => Value::Null,
    }
}

/// Every record of a table.
pub fn all(aws: &Transport, name: &str) -> Vec<Value> {
    pages(aws, "Scan", json!({"TableName": table(name), "ConsistentRead": true}))
}

/// An org's ledger entries from number `first` on, oldest first.
pub fn entries_from(aws: &Transport, org: &str, first: u64) -> Vec<Value> {
    let query = json!({"TableName": table("ledger_entries"), "IndexName": "by_seq", "ConsistentRead": true,
        "KeyConditionExpression": "org_id = :org AND seq >= :first",
        "ExpressionAttributeValues": {":org": {"S": org}, ":first": {"N": first.to_string()}}});
    pages(aws, "Query", query)
}

/// What stands in the index of live calls, whoever's.
pub fn live(aws: &Transport) -> Vec<Value> {
    pages(aws, "Scan", json!({"TableName": table("calls"), "IndexName": "live_by_due"}))
}

/// What reconciliation remembers of one task.
pub fn of_task(aws: &Transport, task: &str) -> Vec<Value> {
    let query = json!({"TableName": table("reconciliation"), "ConsistentRead": true,
        "KeyConditionExpression": "task = :task", "ExpressionAttributeValues": {":task": {"S": task}}});
    pages(aws, "Query", query)
}

fn pages(aws: &Transport, operation: &str, mut request: Value) -> Vec<Value> {
    let mut found = Vec::new();
    loop {
        let page = aws.peek(operation, request.clone());
        found.extend(page["Items"].as_array().into_iter().flatten().map(record));
        match page.get("LastEvaluatedKey").filter(|key| key.is_object()) {
            Some(key) => request["ExclusiveStartKey"] = key.clone(),
            None => return found,
        }
    }
}

/// A record as the domain reads it.
pub fn typed<T: DeserializeOwned>(record: &Value) -> Result<T, String> {
    serde_json::from_value(record.clone()).map_err(|error| format!("{error}: {record}"))
}
