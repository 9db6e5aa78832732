//! Requests within a scope: by key, and writes on a condition.

use std::collections::HashMap;

use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, ReturnValue, TransactWriteItem},
};
use domain::ids::OrgId;
use serde::de::DeserializeOwned;

use super::{Dynamo, pages::Read};
use crate::{
    error::{ChangeError, StoreError, TransactError, unavailable},
    item::{Item, decode, is_refusal, number, text},
    scope::{Marked, Scope},
    table::Table,
};

/// One conditional change of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Update<'a> {
    /// What is set, added and removed.
    pub(crate) change: &'a str,
    /// What must hold of the record as it is.
    pub(crate) condition: &'a str,
    /// What the expressions' names, such as `#call`, stand for.
    pub(crate) names: &'a [(&'a str, &'a str)],
    /// The values that the expressions name.
    pub(crate) values: &'a [(&'a str, AttributeValue)],
}

/// The database within one [`Scope`].
#[derive(Clone, Copy)]
pub(crate) struct Scoped<'a> {
    pub(super) db: &'a Dynamo,
    pub(super) scope: Scope,
}

impl Scoped<'_> {
    /// The SDK's client. Each request by it bears [`Scoped::mark`], or the transport refuses it.
    pub(crate) fn client(&self) -> &Client {
        &self.db.client
    }

    /// The mark of this scope: `….customize().interceptor(scoped.mark()).send()`.
    pub(crate) const fn mark(&self) -> Marked {
        Marked(self.scope)
    }

    /// Reads one record, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        table: Table,
        key: &[(&str, &str)],
    ) -> Result<Option<T>, StoreError> {
        let keys: Item = key.iter().map(|(name, value)| ((*name).to_owned(), text(*value))).collect();
        let got = self
            .db
            .retrying("GetItem", || {
                self.client()
                    .get_item()
                    .table_name(self.db.table_name(table))
                    .set_key(Some(keys.clone()))
                    .consistent_read(true)
                    .customize()
                    .interceptor(self.mark())
                    .send()
            })
            .await
            .map_err(|error| unavailable("GetItem", error))?;
        got.item.map(|item| decode(table, item)).transpose()
    }

    /// Reads all records of one org in a table, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub(crate) async fn all<T: DeserializeOwned>(
        &self,
        table: Table,
        org: OrgId,
    ) -> Result<Vec<T>, StoreError> {
        let values = [(":org", text(org.to_string()))];
        let read = Read { condition: Some("org_id = :org"), values: &values, ..Read::default() };
        let mut pages = self.pages(table, read);
        let mut records = Vec::new();
        while let Some(page) = pages.next().await? {
            for item in page.items {
                records.push(decode(table, item)?);
            }
        }
        Ok(records)
    }

    /// Reads a whole table, record by record.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn scan(&self, table: Table) -> Result<Vec<Item>, StoreError> {
        let mut pages = self.pages(table, Read::default());
        let mut items = Vec::new();
        while let Some(page) = pages.next().await? {
            items.extend(page.items);
        }
        Ok(items)
    }

    /// Puts `item` in the place of the record whose `version` was `read`.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when another write came between.
    pub(crate) async fn put_over(&self, table: Table, item: Item, read: u64) -> Result<(), ChangeError> {
        self.put_if(table, item, "version = :read", &[], &[(":read", number(read))]).await
    }

    /// Puts `item` if `condition` holds of what is there.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when it does not.
    pub(crate) async fn put_if(
        &self,
        table: Table,
        item: Item,
        condition: &str,
        names: &[(&str, &str)],
        values: &[(&str, AttributeValue)],
    ) -> Result<(), ChangeError> {
        let (names, values) = (owned_names(names), owned_values(values));
        let outcome = self
            .db
            .retrying("PutItem", || {
                self.client()
                    .put_item()
                    .table_name(self.db.table_name(table))
                    .set_item(Some(item.clone()))
                    .condition_expression(condition)
                    .set_expression_attribute_names(names.clone())
                    .set_expression_attribute_values(values.clone())
                    .customize()
                    .interceptor(self.mark())
                    .send()
            })
            .await;
        match outcome {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => {
                Err(ChangeError::Moved)
            }
            Err(error) => Err(unavailable("PutItem", error).into()),
        }
    }

    /// Deletes the item at `key`, on a condition where one is given; nothing happens where none is there.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when the condition does not hold.
    pub(crate) async fn delete(
        &self,
        table: Table,
        key: &[(&str, &str)],
        condition: Option<&str>,
        names: &[(&str, &str)],
        values: &[(&str, AttributeValue)],
    ) -> Result<(), ChangeError> {
        let key: Item = key.iter().map(|(name, value)| ((*name).to_owned(), text(*value))).collect();
        let (names, values) = (owned_names(names), owned_values(values));
        let outcome = self
            .db
            .retrying("DeleteItem", || {
                self.client()
                    .delete_item()
                    .table_name(self.db.table_name(table))
                    .set_key(Some(key.clone()))
                    .set_condition_expression(condition.map(str::to_owned))
                    .set_expression_attribute_names(names.clone())
                    .set_expression_attribute_values(values.clone())
                    .customize()
                    .interceptor(self.mark())
                    .send()
            })
            .await;
        match outcome {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => {
                Err(ChangeError::Moved)
            }
            Err(error) => Err(unavailable("DeleteItem", error).into()),
        }
    }

    /// Puts `item`, whatever is there.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn put(&self, table: Table, item: Item) -> Result<(), StoreError> {
        self.db
            .retrying("PutItem", || {
                self.client()
                    .put_item()
                    .table_name(self.db.table_name(table))
                    .set_item(Some(item.clone()))
                    .customize()
                    .interceptor(self.mark())
                    .send()
            })
            .await
            .map(|_| ())
            .map_err(|error| unavailable("PutItem", error))
    }

    /// Makes one conditional update of the record at `key`. Returns the record as written.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when the condition does not hold.
    pub(crate) async fn update(
        &self,
        table: Table,
        key: &[(&str, &str)],
        update: &Update<'_>,
    ) -> Result<Item, ChangeError> {
        let key: Item = key.iter().map(|(name, value)| ((*name).to_owned(), text(*value))).collect();
        let (names, values) = (owned_names(update.names), owned_values(update.values));
        let outcome = self
            .db
            .retrying("UpdateItem", || {
                self.client()
                    .update_item()
                    .table_name(self.db.table_name(table))
                    .set_key(Some(key.clone()))
                    .update_expression(update.change)
                    .condition_expression(update.condition)
                    .set_expression_attribute_names(names.clone())
                    .set_expression_attribute_values(values.clone())
                    .return_values(ReturnValue::AllNew)
                    .customize()
                    .interceptor(self.mark())
                    .send()
            })
            .await;
        match outcome {
            Ok(written) => Ok(written.attributes.unwrap_or_default()),
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => {
                Err(ChangeError::Moved)
            }
            Err(error) => Err(unavailable("UpdateItem", error).into()),
        }
    }

    /// Puts `item` if nothing has its key. Returns what was there instead: an empty item where that is another org's, which is
    /// not shown.
    ///
    /// # Errors
    /// When the database does not answer.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the SDK's enums grow")]
    pub(crate) async fn put_new(
        &self,
        table: Table,
        key: &str,
        item: Item,
    ) -> Result<Option<Item>, StoreError> {
        let outcome = self
            .db
            .retrying("PutItem", || {
                self.client()
                    .put_item()
                    .table_name(self.db.table_name(table))
                    .set_item(Some(item.clone()))
                    .condition_expression("attribute_not_exists(#key)")
                    .expression_attribute_names("#key", key)
                    .return_values_on_condition_check_failure(
                        aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld,
                    )
                    .customize()
                    .interceptor(self.mark())
                    .send()
            })
            .await;
        use aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException as Refused;
        match outcome {
            Ok(_) => Ok(None),
            Err(SdkError::ServiceError(error)) if matches!(error.err(), Refused(_)) => match error.into_err()
            {
                Refused(refused) => Ok(Some(refused.item.unwrap_or_default())),
                other => Err(unavailable("PutItem", other)),
            },
            Err(error) => Err(unavailable("PutItem", error)),
        }
    }

    /// Does all of `items` or none; which condition did not hold makes no difference.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when one did not.
    pub(crate) async fn change(&self, items: Vec<TransactWriteItem>) -> Result<(), ChangeError> {
        self.transact(items).await.map_err(ChangeError::of_transaction)
    }

    /// Does all of `items` or none.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the SDK's enums grow")]
    pub(crate) async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<(), TransactError> {
        // One token for all tries: a try that was applied without an answer is answered as done. Only a comfort: the
        // conditions alone keep a transaction from happening twice.
        let token = self.db.entropy.uuid(self.db.clock.now()).to_string();
        let outcome = self
            .db
            .retrying("TransactWriteItems", || {
                self.client()
                    .transact_write_items()
                    .set_transact_items(Some(items.clone()))
                    .client_request_token(&token)
                    .customize()
                    .interceptor(self.mark())
                    .send()
            })
            .await;
        match outcome {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(error)) => match error.into_err() {
                TransactWriteItemsError::TransactionCanceledException(cancelled)
                    if cancelled.cancellation_reasons().iter().any(is_refusal) =>
                {
                    Err(TransactError::Refused(cancelled.cancellation_reasons.unwrap_or_default()))
                }
                error => Err(TransactError::Store(unavailable("TransactWriteItems", error))),
            },
            Err(error) => Err(TransactError::Store(unavailable("TransactWriteItems", error))),
        }
    }
}

/// What expressions' names stand for, as the SDK takes it: the database refuses an empty list.
pub(super) fn owned_names(names: &[(&str, &str)]) -> Option<HashMap<String, String>> {
    let owned = names.iter().map(|(name, meant)| ((*name).to_owned(), (*meant).to_owned())).collect();
    Some(owned).filter(|names: &HashMap<_, _>| !names.is_empty())
}

/// What expressions' values are, likewise.
pub(super) fn owned_values(values: &[(&str, AttributeValue)]) -> Option<Item> {
    let owned = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Some(owned).filter(|values: &Item| !values.is_empty())
}
