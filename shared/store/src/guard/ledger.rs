//! The ledger is only ever added to, and no wallet is put over another.

use serde_json::Value;

use crate::table::Table;

/// Whether the request leaves every ledger entry and every wallet that exists in its place: a put of an entry demands
/// `attribute_not_exists(entry_key)`, a put of a wallet that the org has none, and neither is ever deleted, batched or named by
/// a statement.
pub(super) fn is_allowed(operation: &str, body: &Value) -> bool {
    match operation {
        "GetItem" | "Query" | "Scan" | "BatchGetItem" | "TransactGetItems" | "DescribeTable" => true,
        "PutItem" => is_put_allowed(body),
        "UpdateItem" => !is_of(body, Table::LedgerEntries),
        "DeleteItem" => !is_money(body),
        "TransactWriteItems" => body["TransactItems"].as_array().is_some_and(|items| {
            items.iter().all(|item| {
                is_put_allowed(&item["Put"])
                    && !is_of(&item["Update"], Table::LedgerEntries)
                    && !is_money(&item["Delete"])
            })
        }),
        _ => false,
    }
}

fn is_put_allowed(put: &Value) -> bool {
    let condition = &put["ConditionExpression"];
    let is_new_entry = || condition == "attribute_not_exists(entry_key)";
    let is_new_wallet =
        || condition == "attribute_not_exists(#key)" && put["ExpressionAttributeNames"]["#key"] == "org_id";
    (!is_of(put, Table::LedgerEntries) || is_new_entry()) && (!is_of(put, Table::Wallets) || is_new_wallet())
}

fn is_money(request: &Value) -> bool {
    is_of(request, Table::LedgerEntries) || is_of(request, Table::Wallets)
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
