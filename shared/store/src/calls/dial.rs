//! Calls of ours: a number is rung once at a time, and a client's key rings once for ever.

use aws_sdk_dynamodb::types::Put;
use domain::{
    call::Call,
    ids::{CallId, OrgId},
    phone_number::PhoneNumber,
};
use serde::{Deserialize, Serialize};

use super::{Calls, record};
use crate::{
    error::{ChangeError, StoreError},
    item::{Item, encode, org_key, put_new_part, put_part, text},
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

    /// Records a call that is to be started, as the one begun to its number (in the place of `before`) and by its key. All or
    /// nothing.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when another was begun to the number or by the key since it was read.
    pub async fn claim_dial(
        &self,
        call: &Call,
        claim: &DialClaim,
        to: &PhoneNumber,
        before: Option<&DialClaim>,
        key: Option<&str>,
    ) -> Result<(), ChangeError> {
        let item = |name: String| -> Result<Item, StoreError> {
            let mut item = encode(Table::Calls, claim)?;
            item.insert("org_id".into(), text(call.org_id.to_string()));
            item.insert("call_id".into(), text(name));
            Ok(item)
        };
        let to = item(format!("dial#{}", to.as_str()))?;
        let to = match before {
            None => put_new_part(&self.db, Table::Calls, "call_id", to)?,
            Some(before) => {
                let put = Put::builder().table_name(self.db.table_name(Table::Calls)).set_item(Some(to));
                put_part(
                    put.condition_expression("dialled = :read")
                        .expression_attribute_values(":read", text(before.dialled.as_str())),
                )?
            }
        };
        let mut items = vec![to, put_new_part(&self.db, Table::Calls, "call_id", record(call)?)?];
        if let Some(key) = key {
            items.push(put_new_part(&self.db, Table::Calls, "call_id", item(format!("key#{key}"))?)?);
        }
        self.db.of_org(call.org_id).change(items).await
    }
}
