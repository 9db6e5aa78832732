//! The ledger and the audit log are only ever added to, and no wallet is put over another.

use serde_json::Value;

use crate::table::Table;

/// Whether the request leaves every entry of the ledger and of the audit log, and every wallet, in its place: a put of an entry
/// demands that there is none of its key, a put of a wallet that the org has none, and nothing of it is ever deleted, batched
/// or named by a statement.
pub(super) fn is_allowed(operation: &str, body: &Value) -> bool {
    match operation {
        "GetItem" | "Query" | "Scan" | "BatchGetItem" | "TransactGetItems" | "DescribeTable" => true,
        "PutItem" => is_put_allowed(body),
        "UpdateItem" => !is_entry(body),
        "DeleteItem" => !stays(body),
        "TransactWriteItems" => body["TransactItems"].as_array().is_some_and(|items| {
            items.iter().all(|item| {
                is_put_allowed(&item["Put"]) && !is_entry(&item["Update"]) && !stays(&item["Delete"])
            })
        }),
        _ => false,
    }
}

fn is_put_allowed(put: &Value) -> bool {
    let condition = &put["ConditionExpression"];
    let is_new_wallet =
        || condition == "attribute_not_exists(#key)" && put["ExpressionAttributeNames"]["#key"] == "org_id";
    (!is_of(put, Table::LedgerEntries) || condition == "attribute_not_exists(entry_key)")
        && (!is_of(put, Table::AuditLog) || condition == "attribute_not_exists(entry_id)")
        && (!is_of(put, Table::Wallets) || is_new_wallet())
}

fn is_entry(request: &Value) -> bool {
    is_of(request, Table::LedgerEntries) || is_of(request, Table::AuditLog)
}

fn stays(request: &Value) -> bool {
    is_entry(request) || is_of(request, Table::Wallets)
}

fn is_of(request: &Value, table: Table) -> bool {
    request["TableName"].as_str().is_some_and(|name| name.ends_with(table.name()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::is_allowed;

    #[test]
    fn only_a_guarded_put_reaches_the_money() {
        let table = "voxanne-prod-ledger_entries";
        let bare = json!({"TableName": table, "Item": {}});
        let guarded =
            json!({"TableName": table, "Item": {}, "ConditionExpression": "attribute_not_exists(entry_key)"});
        let widened = json!({"TableName": table, "Item": {},
            "ConditionExpression": "attribute_not_exists(entry_key) OR attribute_exists(entry_key)"});
        let wallets = "voxanne-prod-wallets";
        let new_wallet = json!({"TableName": wallets, "Item": {}, "ConditionExpression": "attribute_not_exists(#key)",
            "ExpressionAttributeNames": {"#key": "org_id"}});
        let act = json!({"TableName": "voxanne-prod-audit_log", "Item": {}});
        let new_act = json!({"TableName": "voxanne-prod-audit_log", "Item": {},
            "ConditionExpression": "attribute_not_exists(entry_id)"});
        let other = json!({"TableName": "voxanne-prod-calls", "Item": {"note": {"S": "ledger_entries"}}});
        let in_transaction =
            |verb: &str, request: &serde_json::Value| json!({"TransactItems": [{ verb: request }]});
        let cases = [
            ("PutItem", bare.clone(), false),
            ("PutItem", guarded.clone(), true),
            ("PutItem", widened, false),
            ("PutItem", other.clone(), true),
            ("PutItem", new_wallet, true),
            ("PutItem", json!({"TableName": wallets, "Item": {}}), false),
            ("PutItem", act.clone(), false),
            ("PutItem", new_act.clone(), true),
            ("UpdateItem", act.clone(), false),
            ("DeleteItem", act.clone(), false),
            ("TransactWriteItems", in_transaction("Put", &new_act), true),
            ("TransactWriteItems", in_transaction("Put", &act), false),
            ("TransactWriteItems", in_transaction("Delete", &act), false),
            ("DeleteItem", json!({"TableName": wallets}), false),
            ("UpdateItem", json!({"TableName": wallets}), true),
            ("BatchWriteItem", json!({"RequestItems": {wallets: []}}), false),
            ("UpdateItem", bare.clone(), false),
            ("UpdateItem", other, true),
            ("DeleteItem", bare.clone(), false),
            ("BatchWriteItem", json!({"RequestItems": {table: []}}), false),
            ("ExecuteStatement", json!({"Statement": "DELETE FROM ledger_entries"}), false),
            ("Query", bare.clone(), true),
            ("TransactWriteItems", in_transaction("Put", &guarded), true),
            ("TransactWriteItems", in_transaction("Put", &bare), false),
            ("TransactWriteItems", in_transaction("Update", &guarded), false),
            ("TransactWriteItems", in_transaction("Delete", &guarded), false),
        ];
        for (operation, body, allowed) in cases {
            assert_eq!(is_allowed(operation, &body), allowed, "{operation} {body}");
        }
    }
}
