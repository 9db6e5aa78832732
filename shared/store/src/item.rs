//! Records as DynamoDB items, and the parts of transactions that put them.

use std::{collections::HashMap, fmt};

use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ConditionCheck, Delete, Put, TransactWriteItem, Update,
    builders::{DeleteBuilder, PutBuilder, UpdateBuilder},
};
use domain::ids::OrgId;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    dynamo::Dynamo,
    error::{StoreError, unavailable},
    table::Table,
};

/// A record as DynamoDB holds it.
pub type Item = HashMap<String, AttributeValue>;

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: impl fmt::Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(crate) fn org_key(org: OrgId) -> (&'static str, String) {
    ("org_id", org.to_string())
}

/// Reads a record; one that does not decode is an error that names its keys, without what may be a caller's number.
pub(crate) fn decode<T: DeserializeOwned>(table: Table, item: Item) -> Result<T, StoreError> {
    let keys = [
        "org_id",
        "call_id",
        "entry_key",
        "customer_id",
        "vapi_call_id",
        "vapi_phone_id",
        "event_key",
        "item",
        "provider_type",
        "number_id",
        "role",
        "name",
        "task",
        "due",
    ];
    let key = keys
        .into_iter()
        .filter_map(|name| item.get(name)?.as_s().ok().map(|value| without_suffix(value)))
        .collect::<Vec<_>>()
        .join("/");
    serde_dynamo::from_item(item).map_err(|source| StoreError::Decode { table: table.name(), key, source })
}

/// A part of a key as a log may have it. What follows a `#` may be a caller's phone number (`dial#+44…`) or words of a
/// client's (`key#…`): only the kind of key is left.
fn without_suffix(key: &str) -> String {
    key.split_once('#').map_or_else(|| key.to_owned(), |(kind, _)| format!("{kind}#…"))
}

/// Writes a record, leaving out what is absent.
pub(crate) fn record<T: Serialize>(table: Table, value: &T) -> Result<Item, StoreError> {
    let mut item = encode(table, value)?;
    item.retain(|_, value| !value.is_null());
    Ok(item)
}

/// The part of a transaction that puts `item` where nothing has its key.
pub(crate) fn put_new_part(
    db: &Dynamo,
    table: Table,
    key: &'static str,
    item: Item,
) -> Result<TransactWriteItem, StoreError> {
    let put = Put::builder().table_name(db.table_name(table)).set_item(Some(item));
    put_part(put.condition_expression("attribute_not_exists(#key)").expression_attribute_names("#key", key))
}

/// The part of a transaction that puts `item` in the place of the record whose `version` was `read`.
pub(crate) fn put_over_part(
    db: &Dynamo,
    table: Table,
    item: Item,
    read: u64,
) -> Result<TransactWriteItem, StoreError> {
    let put = Put::builder().table_name(db.table_name(table)).set_item(Some(item));
    put_part(put.condition_expression("version = :read").expression_attribute_values(":read", number(read)))
}

/// The part of a transaction that changes nothing, and holds only while the record at `key` is the one whose `version` was `read`.
pub(crate) fn check_part(
    db: &Dynamo,
    table: Table,
    key: &[(&str, &str)],
    read: u64,
) -> Result<TransactWriteItem, StoreError> {
    let check = key
        .iter()
        .fold(ConditionCheck::builder(), |check, (name, value)| check.key(*name, text(*value)))
        .table_name(db.table_name(table))
        .condition_expression("version = :read")
        .expression_attribute_values(":read", number(read))
        .build()
        .map_err(|error| unavailable("TransactWriteItems", error))?;
    Ok(TransactWriteItem::builder().condition_check(check).build())
}

/// Writes a record.
pub(crate) fn encode<T: Serialize>(table: Table, value: &T) -> Result<Item, StoreError> {
    serde_dynamo::to_item(value).map_err(|source| StoreError::Encode { table: table.name(), source })
}

/// A put, as a part of a transaction.
pub(crate) fn put_part(put: PutBuilder) -> Result<TransactWriteItem, StoreError> {
    let put: Put = put.build().map_err(|error| unavailable("TransactWriteItems", error))?;
    Ok(TransactWriteItem::builder().put(put).build())
}

/// An update, as a part of a transaction.
pub(crate) fn update_part(update: UpdateBuilder) -> Result<TransactWriteItem, StoreError> {
    let update: Update = update.build().map_err(|error| unavailable("TransactWriteItems", error))?;
    Ok(TransactWriteItem::builder().update(update).build())
}

/// A delete, as a part of a transaction.
pub(crate) fn delete_part(delete: DeleteBuilder) -> Result<TransactWriteItem, StoreError> {
    let delete: Delete = delete.build().map_err(|error| unavailable("TransactWriteItems", error))?;
    Ok(TransactWriteItem::builder().delete(delete).build())
}

/// Whether a condition of this item did not hold.
pub(crate) fn is_refusal(reason: &CancellationReason) -> bool {
    reason.code() == Some("ConditionalCheckFailed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_record_is_named_without_numbers_and_words_of_others() {
        let org = "0198c0de-0000-7000-8000-00000000000a";
        for (key, shown) in [
            ("dial#+442079460113", "dial#…"),
            ("key#call Mrs Jones #2", "key#…"),
            ("call#web-1", "call#…"),
            ("web-1", "web-1"),
        ] {
            let item = Item::from([
                ("org_id".to_owned(), text(org)),
                ("item".to_owned(), text(key)),
                ("amount".to_owned(), text("not a number")),
            ]);
            #[derive(Debug, serde::Deserialize)]
            struct Record {
                #[expect(dead_code, reason = "it is never read: it cannot be")]
                amount: u64,
            }
            let error = decode::<Record>(Table::Calls, item).unwrap_err();
            assert_eq!(error.to_string(), format!("the record {org}/{shown} in calls cannot be read"));
        }
    }
}
