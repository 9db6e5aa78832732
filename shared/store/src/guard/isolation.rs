//! One org's request never reaches another org's data: what its keys, items and conditions name is compared with its scope.

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
        // What it finds is compared before it is read: see `answer::without_foreign`.
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
        Owner::Org => names(org, &part["Item"]),
        // The key is the vendor's: only a condition keeps another org's mapping from being put over.
        Owner::Mapping if is_guarded_mapping(org, part) => names(org, &part["Item"]),
        Owner::Mapping => Err("an org puts a mapping only where there is none, or its own"),
        Owner::Outbox if is_new(part) => names(org, &part["Item"]),
        Owner::Outbox => Err("an org leaves for a task only what was not there"),
        Owner::System => Err("an org writes no table of the deployment's own"),
    }
}

/// Whether a put of a mapping demands that there is none, or that what is there is the org's.
fn is_guarded_mapping(org: &str, part: &Value) -> bool {
    let condition = &part["ConditionExpression"];
    is_new(part) || condition == "org_id = :org" && is(org, &part["ExpressionAttributeValues"][":org"])
}

/// Whether a put demands that nothing has its key.
fn is_new(part: &Value) -> bool {
    let condition = part["ConditionExpression"].as_str().unwrap_or_default();
    let key = condition.strip_prefix("attribute_not_exists(").and_then(|rest| rest.strip_suffix(')'));
    key.is_some_and(|key| {
        let name = part["ExpressionAttributeNames"][key].as_str().unwrap_or(key);
        !part["Item"][name].is_null() && name != "org_id"
    })
}

/// What an org changes or deletes is its own: by the key, or in a mapping by the condition.
fn change(org: &str, part: &Value) -> Result<(), &'static str> {
    match table(part)?.owner() {
        Owner::Org => names(org, &part["Key"]),
        Owner::Mapping if moves_org(part) => Err("a mapping stays with its org"),
        Owner::Mapping
            if part["ConditionExpression"] == "org_id = :org"
                && is(org, &part["ExpressionAttributeValues"][":org"]) =>
        {
            Ok(())
        }
        Owner::Mapping => Err("an org changes a mapping only on the condition that it is the org's"),
        Owner::Outbox => Err("what an org left for a task is the task's"),
        Owner::System => Err("an org writes no table of the deployment's own"),
    }
}

/// Whether an update names the attribute that says whose the item is, in what it sets or removes.
fn moves_org(part: &Value) -> bool {
    let change = part["UpdateExpression"].as_str().unwrap_or_default();
    let names = part["ExpressionAttributeNames"].as_object().into_iter().flatten();
    let mut spelled =
        names.filter(|(_, name)| *name == "org_id").map(|(placeholder, _)| placeholder.as_str());
    change.contains("org_id") || spelled.any(|placeholder| change.contains(placeholder))
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
    use domain::ids::OrgId;
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
        let mut update = mapping("org_id = :org", org(1));
        assert!(allowed(scope, "UpdateItem", &update));
        update["UpdateExpression"] = json!("SET agent_limit_secs = :limit");
        assert!(allowed(scope, "UpdateItem", &update));
        update["UpdateExpression"] = json!("SET org_id = :other");
        assert!(!allowed(scope, "UpdateItem", &update));
        update["UpdateExpression"] = json!("REMOVE #owner");
        update["ExpressionAttributeNames"] = json!({"#owner": "org_id"});
        assert!(!allowed(scope, "UpdateItem", &update));
    }

    #[test]
    fn a_mapping_is_put_only_where_there_is_none_or_the_orgs_own() {
        let put = |condition: Value, owner: OrgId| {
            json!({"TableName": name(Table::PhoneNumberMapping), "ConditionExpression": condition,
                "Item": {"vapi_phone_id": {"S": "p"}, "org_id": {"S": owner.to_string()}},
                "ExpressionAttributeNames": {"#key": "vapi_phone_id", "#owner": "org_id"},
                "ExpressionAttributeValues": {":org": {"S": org(1).to_string()}}})
        };
        for (condition, owner, is_allowed) in [
            (json!("attribute_not_exists(#key)"), org(1), true),
            (json!("attribute_not_exists(vapi_phone_id)"), org(1), true),
            (json!("org_id = :org"), org(1), true),
            (json!("attribute_not_exists(#key)"), org(2), false),
            (Value::Null, org(1), false),
            (json!("attribute_not_exists(nothing)"), org(1), false),
            (json!("attribute_not_exists(#owner)"), org(1), false),
            (json!("attribute_not_exists(#key) OR attribute_exists(#key)"), org(1), false),
            (json!("attribute_exists(org_id)"), org(1), false),
        ] {
            let put = put(condition, owner);
            assert_eq!(allowed(Scope::Org(org(1)), "PutItem", &put), is_allowed, "{put}");
        }
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
