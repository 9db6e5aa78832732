//! One org's request never reaches another org's data: what its keys, items and conditions name is compared with its scope.

use domain::ids::OrgId;
use serde_json::Value;

use crate::{
    scope::{Scope, System},
    table::{Owner, Table},
};

/// Whether a request stays within its scope.
///
/// # Errors
/// The rule it breaks.
pub(super) fn check(scope: Scope, operation: &str, body: &Value) -> Result<(), &'static str> {
    match scope {
        Scope::Org(org) => of_org(&org.to_string(), operation, body),
        Scope::Resolving => resolving(operation, body),
        Scope::System(system) => of_system(system, operation, body),
    }
}

fn of_org(org: &str, operation: &str, body: &Value) -> Result<(), &'static str> {
    match operation {
        "GetItem" if table(body)?.owner() == Owner::Org => names(org, &body["Key"]),
        // What it finds is compared before it is read: see `without_foreign`.
        "GetItem" if table(body)?.owner() == Owner::Mapping => Ok(()),
        "Query" => query(org, body),
        "PutItem" => put(org, body),
        "UpdateItem" | "DeleteItem" => change(org, body),
        "TransactWriteItems" => {
            let items = body["TransactItems"].as_array().ok_or("a transaction has items")?;
            items.iter().try_for_each(|item| match item.as_object().and_then(|item| item.iter().next()) {
                Some((verb, part)) if verb == "Put" => put(org, part),
                Some((verb, part)) if ["Update", "Delete", "ConditionCheck"].contains(&verb.as_str()) => {
                    change(org, part)
                }
                _ => Err("an org's transaction puts, updates, deletes or checks"),
            })
        }
        _ => Err("an org's request reads by key, or writes"),
    }
}

/// A query goes along the org's own partition, of a table or of an index that has the org as its key.
fn query(org: &str, body: &Value) -> Result<(), &'static str> {
    if table(body)?.owner() != Owner::Org {
        return Err("an org queries its own tables only");
    }
    let condition = body["KeyConditionExpression"].as_str().unwrap_or_default();
    let is_keyed = condition == "org_id = :org" || condition.starts_with("org_id = :org AND ");
    if !is_keyed || !is(org, &body["ExpressionAttributeValues"][":org"]) {
        return Err("an org's query names its org as the key");
    }
    let start = &body["ExclusiveStartKey"];
    if start.is_null() { Ok(()) } else { names(org, start) }
}

/// What an org puts bears its id, in every table.
fn put(org: &str, part: &Value) -> Result<(), &'static str> {
    match table(part)?.owner() {
        Owner::Org | Owner::Mapping => names(org, &part["Item"]),
        Owner::System => Err("an org writes no table of the deployment's own"),
    }
}

/// What an org changes or deletes is its own: by the key, or in a mapping by the condition.
fn change(org: &str, part: &Value) -> Result<(), &'static str> {
    match table(part)?.owner() {
        Owner::Org => names(org, &part["Key"]),
        Owner::Mapping
            if part["ConditionExpression"] == "org_id = :org"
                && is(org, &part["ExpressionAttributeValues"][":org"]) =>
        {
            Ok(())
        }
        Owner::Mapping => Err("an org changes a mapping only on the condition that it is the org's"),
        Owner::System => Err("an org writes no table of the deployment's own"),
    }
}

fn resolving(operation: &str, body: &Value) -> Result<(), &'static str> {
    match operation {
        "GetItem" if table(body)?.owner() == Owner::Mapping => Ok(()),
        _ => Err("whose a vendor's id is, is found by one read of a mapping"),
    }
}

fn of_system(system: System, operation: &str, body: &Value) -> Result<(), &'static str> {
    let reads = matches!(operation, "GetItem" | "Query" | "Scan");
    let writes = matches!(operation, "PutItem" | "UpdateItem" | "DeleteItem");
    let is_allowed = reads || (writes && system.writes());
    if !is_allowed {
        return Err("this task only reads");
    }
    if !system.tables().contains(&table(body)?) {
        return Err("this task does not reach that table");
    }
    Ok(())
}

/// The answer without its item, where that is another org's: then it is as if there were nothing. None where nothing is to be
/// taken out.
pub(super) fn without_foreign(org: OrgId, answer: &[u8]) -> Option<String> {
    let mut answer: Value = serde_json::from_slice(answer).ok()?;
    let owner = answer.get("Item")?["org_id"]["S"].as_str();
    if owner.is_some_and(|owner| owner == org.to_string()) {
        return None;
    }
    answer.as_object_mut()?.remove("Item");
    Some(answer.to_string())
}

fn table(part: &Value) -> Result<Table, &'static str> {
    part["TableName"].as_str().and_then(Table::of_full_name).ok_or("it names no table of ours")
}

fn names(org: &str, keys: &Value) -> Result<(), &'static str> {
    if is(org, &keys["org_id"]) { Ok(()) } else { Err("it names another org's key, or none") }
}

fn is(org: &str, value: &Value) -> bool {
    value["S"] == org
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn org(n: u128) -> OrgId {
        OrgId::new(uuid::Uuid::from_u128(n))
    }

    fn name(table: Table) -> String {
        format!("voxanne-prod-{}", table.name())
    }

    fn allowed(scope: Scope, operation: &str, body: &Value) -> bool {
        check(scope, operation, body).is_ok()
    }

    #[test]
    fn an_org_reaches_its_own_keys_and_no_others() {
        let (mine, other) = (org(1), org(2));
        for table in Table::ALL.into_iter().filter(|table| table.owner() == Owner::Org) {
            for (owner, is_allowed) in [(mine, true), (other, false)] {
                let id = json!({"S": owner.to_string()});
                let keyed = json!({"TableName": name(table), "Key": {"org_id": id, "call_id": {"S": "c"}}});
                let put = json!({"TableName": name(table), "Item": {"org_id": id}});
                let query = json!({"TableName": name(table), "KeyConditionExpression": "org_id = :org",
                    "ExpressionAttributeValues": {":org": id}});
                let transaction = |verb: &str, part: &Value| json!({"TransactItems": [{ verb: part }]});
                let cases = [
                    ("GetItem", keyed.clone()),
                    ("UpdateItem", keyed.clone()),
                    ("DeleteItem", keyed.clone()),
                    ("PutItem", put.clone()),
                    ("Query", query),
                    ("TransactWriteItems", transaction("Put", &put)),
                    ("TransactWriteItems", transaction("Update", &keyed)),
                    ("TransactWriteItems", transaction("Delete", &keyed)),
                    ("TransactWriteItems", transaction("ConditionCheck", &keyed)),
                ];
                for (operation, body) in cases {
                    assert_eq!(allowed(Scope::Org(mine), operation, &body), is_allowed, "{operation} {body}");
                }
            }
        }
    }

    #[test]
    fn an_org_neither_scans_nor_widens_a_query_nor_starts_in_another_partition() {
        let mine = json!({"S": org(1).to_string()});
        let other = json!({"S": org(2).to_string()});
        let query = |condition: &str, start: Value| {
            json!({"TableName": name(Table::Calls), "KeyConditionExpression": condition, "ExclusiveStartKey": start,
                "ExpressionAttributeValues": {":org": mine, ":live": {"S": "live"}}})
        };
        let scope = Scope::Org(org(1));
        assert!(allowed(
            scope,
            "Query",
            &query("org_id = :org AND call_id > :live", json!({"org_id": mine}))
        ));
        assert!(!allowed(scope, "Query", &query("org_id = :org", json!({"org_id": other}))));
        assert!(!allowed(scope, "Query", &query("live = :live AND org_id = :org", Value::Null)));
        assert!(!allowed(scope, "Scan", &json!({"TableName": name(Table::Calls)})));
        assert!(!allowed(scope, "ExecuteStatement", &json!({"Statement": "SELECT * FROM x"})));
        assert!(!allowed(scope, "GetItem", &json!({"TableName": name(Table::Reconciliation)})));
    }

    #[test]
    fn a_mapping_is_changed_only_where_it_is_the_orgs() {
        let mapping = |condition: &str, owner: OrgId| {
            json!({"TableName": name(Table::PhoneNumberMapping), "Key": {"vapi_phone_id": {"S": "p"}},
                "ConditionExpression": condition, "ExpressionAttributeValues": {":org": {"S": owner.to_string()}}})
        };
        let scope = Scope::Org(org(1));
        assert!(allowed(scope, "DeleteItem", &mapping("org_id = :org", org(1))));
        assert!(!allowed(scope, "DeleteItem", &mapping("org_id = :org", org(2))));
        assert!(!allowed(scope, "DeleteItem", &mapping("attribute_exists(org_id)", org(1))));
    }

    #[test]
    fn an_item_that_is_anothers_or_no_ones_is_taken_out_of_the_answer() {
        let shown = |body: Value| without_foreign(org(1), body.to_string().as_bytes());
        let owned = |owner: OrgId| json!({"__type": "refused", "Item": {"org_id": {"S": owner.to_string()}}});
        assert_eq!(shown(owned(org(1))), None);
        assert_eq!(shown(owned(org(2))).as_deref(), Some(r#"{"__type":"refused"}"#));
        assert_eq!(shown(json!({"Item": {"name": {"S": "x"}}})).as_deref(), Some("{}"));
        assert_eq!(shown(json!({})), None);
    }

    #[test]
    fn resolving_reads_one_mapping_and_a_task_its_own_tables() {
        let get = |table: Table| json!({"TableName": name(table), "Key": {}});
        for table in Table::ALL {
            let is_mapping = table.owner() == Owner::Mapping;
            assert_eq!(allowed(Scope::Resolving, "GetItem", &get(table)), is_mapping);
            assert!(!allowed(Scope::Resolving, "Query", &get(table)));
            assert!(!allowed(Scope::Resolving, "PutItem", &get(table)));
            for system in System::ALL {
                let reaches = system.tables().contains(&table);
                assert_eq!(allowed(Scope::System(system), "Scan", &get(table)), reaches);
                let writes = reaches && system.writes();
                assert_eq!(allowed(Scope::System(system), "PutItem", &get(table)), writes);
            }
        }
    }
}
