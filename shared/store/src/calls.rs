//! Calls: the golden record, and its text in an item of its own.

mod content;
mod dial;
mod lists;
mod tools;

use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::{
    call::Call,
    ids::{CallId, OrgId, VapiCallId},
};
use serde::{Deserialize, Serialize};

use crate::{
    dynamo::{Dynamo, Update},
    error::{ChangeError, StoreError},
    item::{self, Item, decode, encode, number, org_key, put_new_part, put_over_part, text},
    table::Table,
};

pub use dial::{DayLimit, DialClaim, DialError, DialKey};
pub use lists::{Due, DueCalls};

/// The table of calls, and the mapping from Vapi's call ids.
#[derive(Clone, Debug)]
pub struct Calls {
    db: Dynamo,
}

/// Which of our calls a Vapi call is. Put once, never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallMapping {
    /// The call as Vapi names it.
    pub vapi_call_id: VapiCallId,
    /// Whose it is.
    pub org_id: OrgId,
    /// Which it is.
    pub call_id: CallId,
}

impl Calls {
    /// The calls of this environment.
    pub const fn new(db: Dynamo) -> Self {
        Self { db }
    }

    /// Reads a call's record, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn get(&self, org: OrgId, call: &CallId) -> Result<Option<Call>, StoreError> {
        let (name, value) = org_key(org);
        self.db.of_org(org).get(Table::Calls, &[(name, &value), ("call_id", call.as_str())]).await
    }

    /// Records a call that was just heard of. Returns the record that is there, if it was heard of before.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn open(&self, call: &Call) -> Result<Option<Call>, StoreError> {
        let there = self.db.of_org(call.org_id).put_new(Table::Calls, "call_id", record(call)?).await?;
        there.map(|item| decode(Table::Calls, item)).transpose()
    }

    /// Writes `after` in the place of `call`, if that is still what is there. Returns it as written.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when it is not.
    pub async fn save(&self, call: &Call, after: &Call) -> Result<Call, ChangeError> {
        let after = next_version(after, call.version);
        self.db.of_org(call.org_id).put_over(Table::Calls, record(&after)?, call.version).await?;
        Ok(after)
    }

    /// Takes a call that is over out of the live index, if it is still as it was read.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when it is not.
    pub async fn retire(&self, call: &Call) -> Result<(), ChangeError> {
        let (name, value) = org_key(call.org_id);
        let update = Update {
            change: "REMOVE live",
            condition: "version = :read",
            names: &[],
            values: &[(":read", number(call.version))],
        };
        let key = [(name, value.as_str()), ("call_id", call.call_id.as_str())];
        self.db.of_org(call.org_id).update(Table::Calls, &key, &update).await.map(|_| ())
    }

    /// Which call of whose a Vapi call is, if it was heard of.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn mapping(&self, call: &VapiCallId) -> Result<Option<CallMapping>, StoreError> {
        self.db.resolving().get(Table::CallMapping, &[("vapi_call_id", call.as_str())]).await
    }

    /// Notes that the Vapi call of `mapping` is `call`, in the mapping and in the record, written `after`: both, or neither.
    /// So one Vapi call is one record.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when the Vapi call is mapped already, or the record is not as read.
    pub async fn name(&self, call: &Call, after: &Call, mapping: &CallMapping) -> Result<(), ChangeError> {
        let item = encode(Table::CallMapping, mapping)?;
        let items = vec![
            put_new_part(&self.db, Table::CallMapping, "vapi_call_id", item)?,
            put(&self.db, after, call.version)?,
        ];
        self.db.of_org(call.org_id).change(items).await
    }

    /// Notes which call of whose a Vapi call is. Returns what is noted, which an earlier message may have decided.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn map(&self, mapping: &CallMapping) -> Result<CallMapping, StoreError> {
        let item = encode(Table::CallMapping, mapping)?;
        let db = self.db.of_org(mapping.org_id);
        match db.put_new(Table::CallMapping, "vapi_call_id", item).await? {
            None => Ok(mapping.clone()),
            Some(there) if !there.is_empty() => decode(Table::CallMapping, there),
            // Another org's is not shown to this one: whose it is, is found as for any message.
            Some(_) => Ok(self.mapping(&mapping.vapi_call_id).await?.unwrap_or_else(|| mapping.clone())),
        }
    }
}

fn next_version(call: &Call, read: u64) -> Call {
    Call { version: read.saturating_add(1), ..call.clone() }
}

/// The record as an item. `live` puts it on the index by `due_at`, in a shard of its own; only reconciliation takes it off.
fn record(call: &Call) -> Result<Item, StoreError> {
    let mut item = item::record(Table::Calls, call)?;
    item.insert("live".into(), text(lists::shard_of(call)));
    Ok(item)
}

/// The part of a transaction that writes `after` in the place of the record whose version was `read`.
pub(crate) fn put(db: &Dynamo, after: &Call, read: u64) -> Result<TransactWriteItem, StoreError> {
    put_over_part(db, Table::Calls, record(&next_version(after, read))?, read)
}
