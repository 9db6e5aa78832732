//! The last line in front of the ledger and the wallets: no IAM policy can demand a condition, so the transport does.

use aws_sdk_dynamodb::config::{
    ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextRef,
};
use serde_json::Value;

use super::table::Table;

/// Refuses every request that could change a ledger entry that exists (a put without `attribute_not_exists(entry_key)`,
/// any update or delete, any batch or statement), or that could put an empty wallet in the place of a full one. Part of
/// every client, in production too.
#[derive(Debug)]
pub struct LedgerGuard;

/// Why a request never left.
#[derive(Debug, thiserror::Error)]
#[error("{operation} would change the ledger, which is only ever added to, or put a wallet over another")]
pub struct LedgerViolation {
    operation: String,
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for LedgerGuard {
    fn name(&self) -> &'static str {
        "LedgerGuard"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), aws_sdk_dynamodb::error::BoxError> {
        let request = context.request();
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default();
        match request.body().bytes() {
            Some(body) if !is_allowed(operation, body) => {
                Err(LedgerViolation { operation: operation.to_owned() }.into())
            }
            _ => Ok(()),
        }
    }
}

fn is_allowed(operation: &str, body: &[u8]) -> bool {
    let names_money = std::str::from_utf8(body)
        .is_ok_and(|body| body.contains(Table::LedgerEntries.name()) || body.contains(Table::Wallets.name()));
    if !names_money {
        return true;
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    match operation {
        "GetItem" | "Query" | "Scan" | "BatchGetItem" | "TransactGetItems" | "DescribeTable" => true,
        "PutItem" => is_put_allowed(&body),
        "UpdateItem" => !is_of(&body, Table::LedgerEntries),
        "DeleteItem" => !is_money(&body),
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
            assert_eq!(is_allowed(operation, body.to_string().as_bytes()), allowed, "{operation} {body}");
        }
    }
}
