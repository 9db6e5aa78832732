//! The audit log: entries are put once, most of them in the transaction of the act itself, and never changed.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use domain::{
    audit::{AuditEntry, AuditId},
    ids::OrgId,
};

use crate::{
    dynamo::{Dynamo, Read},
    error::{ChangeError, StoreError},
    item::{decode, org_key, put_part, record, text},
    table::Table,
};

/// The table of the log.
#[derive(Clone, Debug)]
pub struct AuditLog {
    db: Dynamo,
}

impl AuditLog {
    /// The log of this environment.
    pub const fn new(db: Dynamo) -> Self {
        Self { db }
    }

    /// Writes down an act that is no transaction; before it is done, so that none is done unwritten.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn note(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let item = record(Table::AuditLog, entry)?;
        let new = "attribute_not_exists(entry_id)";
        match self.db.of_org(entry.org_id).put_if(Table::AuditLog, item, new, &[], &[]).await {
            // There already: this request wrote it, by a try that was not answered.
            Ok(()) | Err(ChangeError::Moved) => Ok(()),
            Err(ChangeError::Store(error)) => Err(error),
        }
    }

    /// An org's entries, the newest first, at most `most`, from before the entry `before` if one is named.
    ///
    /// # Errors
    /// When the database does not answer, or an entry does not decode.
    pub async fn last(
        &self,
        org: OrgId,
        before: Option<&AuditId>,
        most: u8,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let (_, org_id) = org_key(org);
        let mut values = vec![(":org", text(org_id))];
        values.extend(before.map(|entry| (":before", text(entry.as_str()))));
        let read = Read {
            condition: Some(match before {
                Some(_) => "org_id = :org AND entry_id < :before",
                None => "org_id = :org",
            }),
            values: &values,
            backwards: true,
            limit: Some(i32::from(most)),
            ..Read::default()
        };
        let Some(page) = self.db.of_org(org).pages(Table::AuditLog, read).next().await? else {
            return Ok(Vec::new());
        };
        page.items.into_iter().map(|item| decode(Table::AuditLog, item)).collect()
    }
}

/// The part of a transaction that writes down what it does.
pub(crate) fn put(db: &Dynamo, entry: &AuditEntry) -> Result<TransactWriteItem, StoreError> {
    let put = Put::builder().table_name(db.table_name(Table::AuditLog));
    put_part(
        put.set_item(Some(record(Table::AuditLog, entry)?))
            .condition_expression("attribute_not_exists(entry_id)"),
    )
}
