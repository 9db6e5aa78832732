//! Calls of ours: a number is rung once at a time, and a client's key rings once for ever.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem, Update};
use domain::{
    call::Call,
    ids::{CallId, OrgId},
    phone_number::PhoneNumber,
};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{Calls, record};
use crate::{
    error::{StoreError, TransactError},
    item::{Item, encode, is_refusal, number, org_key, put_new_part, put_part, text, update_part},
    table::Table,
};

/// Which call was begun to a number, or by a client's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialClaim {
    /// The call.
    pub dialled: CallId,
    /// The body it was asked for with.
    pub body_hash: String,
}

/// A client's idempotency key, by which a call is begun.
#[derive(Clone, Copy, Debug)]
pub struct DialKey<'a> {
    /// The key.
    pub key: &'a str,
    /// The call that it began before, which is over and whose place is taken; none for a key that began none. It must be one that
    /// rang no phone and never will: a key rings once.
    pub before: Option<&'a DialClaim>,
}

/// How many calls an org may begin on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayLimit {
    /// The day.
    pub day: Date,
    /// How many.
    pub most: u32,
}

/// Why a call was not begun.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Another call was begun to the number, or by the key, since it was read: read again, decide again.
    #[error("another call was begun since it was read")]
    Moved,
    /// The org has begun as many calls as it may on this day.
    #[error("the org has begun as many calls as it may on one day")]
    DayIsFull,
    /// It could not be done.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Calls {
    /// The call that was begun to a number last.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn dial_claim(&self, org: OrgId, to: &PhoneNumber) -> Result<Option<DialClaim>, StoreError> {
        self.dial_item(org, &format!("dial#{}", to.as_str())).await
    }

    /// The call that a client's key began.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn dial_key(&self, org: OrgId, key: &str) -> Result<Option<DialClaim>, StoreError> {
        self.dial_item(org, &format!("key#{key}")).await
    }

    async fn dial_item(&self, org: OrgId, item: &str) -> Result<Option<DialClaim>, StoreError> {
        let (name, value) = org_key(org);
        self.db.of_org(org).get(Table::Calls, &[(name, &value), ("call_id", item)]).await
    }

    /// Records a call that is to be started, as the one begun to its number (in the place of `before`) and by its key (in the place
    /// of the key's own), and counts it on its day. All or nothing.
    ///
    /// # Errors
    /// See [`DialError`].
    pub async fn claim_dial(
        &self,
        call: &Call,
        claim: &DialClaim,
        to: &PhoneNumber,
        before: Option<&DialClaim>,
        key: Option<DialKey<'_>>,
        limit: DayLimit,
    ) -> Result<(), DialError> {
        let item = |name: String| -> Result<Item, StoreError> {
            let mut item = encode(Table::Calls, claim)?;
            item.insert("org_id".into(), text(call.org_id.to_string()));
            item.insert("call_id".into(), text(name));
            Ok(item)
        };
        let to = item(format!("dial#{}", to.as_str()))?;
        let mut items =
            vec![self.claimed(to, before)?, put_new_part(&self.db, Table::Calls, "call_id", record(call)?)?];
        if let Some(DialKey { key, before }) = key {
            items.push(self.claimed(item(format!("key#{key}"))?, before)?);
        }
        items.push(self.counted(call.org_id, limit)?);
        match self.db.of_org(call.org_id).transact(items).await {
            Ok(()) => Ok(()),
            // Only the last part counts the day; what another has begun is read again first.
            Err(TransactError::Refused(reasons)) => match reasons.split_last() {
                Some((day, others)) if is_refusal(day) && !others.iter().any(is_refusal) => {
                    Err(DialError::DayIsFull)
                }
                Some(_) | None => Err(DialError::Moved),
            },
            Err(TransactError::Store(error)) => Err(error.into()),
        }
    }

    /// The claim of a number or of a key, in the place of the one that was read.
    fn claimed(&self, item: Item, before: Option<&DialClaim>) -> Result<TransactWriteItem, StoreError> {
        let Some(before) = before else { return put_new_part(&self.db, Table::Calls, "call_id", item) };
        let put = Put::builder().table_name(self.db.table_name(Table::Calls)).set_item(Some(item));
        put_part(
            put.condition_expression("dialled = :read")
                .expression_attribute_values(":read", text(before.dialled.as_str())),
        )
    }

    /// One more call that an org begins on a day, if it may.
    fn counted(&self, org: OrgId, limit: DayLimit) -> Result<TransactWriteItem, StoreError> {
        update_part(
            Update::builder()
                .table_name(self.db.table_name(Table::Calls))
                .key("org_id", text(org.to_string()))
                .key("call_id", text(format!("day#{}", limit.day)))
                .update_expression("ADD begun :one")
                .condition_expression("attribute_not_exists(begun) OR begun < :most")
                .expression_attribute_values(":one", number(1))
                .expression_attribute_values(":most", number(limit.most)),
        )
    }
}
