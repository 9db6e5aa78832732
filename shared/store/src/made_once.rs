//! Things at a vendor that must exist once: who makes one takes a lease first, looks whether it is there, and only then
//! makes it.

use std::marker::PhantomData;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    dynamo::{Dynamo, Scoped},
    error::{ChangeError, StoreError, unavailable},
    item::{Item, decode, record, text},
    scope::System,
    table::{Owner, Table},
};
use domain::{
    ids::{AccountSid, OrgId},
    sealed::Sealed,
};

/// What a subaccount's token is sealed for.
pub const SUBACCOUNT_RECORD: &str = "twilio_subaccounts";

/// A table of such things.
#[derive(Clone, Debug)]
pub struct MadeOnce<T> {
    db: Dynamo,
    table: Table,
    key: &'static str,
    of: PhantomData<fn() -> T>,
}

/// A thing, or the lease of the process that is making it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(deserialize = "T: Deserialize<'de>"))]
pub struct Slot<T> {
    /// Raised by every write; a write names the one it read.
    pub version: u64,
    /// Until when a process is making it.
    #[serde(with = "domain::time::millis")]
    pub lease_until: Timestamp,
    /// The thing, once it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<T>,
}

/// An org's subaccount at Twilio.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subaccount {
    /// The account.
    pub account_sid: AccountSid,
    /// Its token.
    pub token: Sealed,
}

/// Something at Vapi that all orgs share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VapiObject {
    /// As Vapi names it.
    pub id: String,
    /// What it was made from: another hash means that another is to be made.
    pub definition_hash: String,
    /// Those that it took the place of, as Vapi names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<String>,
}

impl MadeOnce<Subaccount> {
    /// The orgs' subaccounts, by org.
    pub const fn subaccounts(db: Dynamo) -> Self {
        Self { db, table: Table::TwilioSubaccounts, key: "org_id", of: PhantomData }
    }

    /// All of them, with their orgs.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn all(&self) -> Result<Vec<(OrgId, Slot<Subaccount>)>, StoreError> {
        #[derive(Deserialize)]
        struct Row {
            org_id: OrgId,
            #[serde(flatten)]
            slot: Slot<Subaccount>,
        }
        let items = self.db.of_system(System::Numbers).scan(self.table).await?;
        let rows =
            items.into_iter().map(|item| decode::<Row>(self.table, item).map(|row| (row.org_id, row.slot)));
        rows.collect()
    }
}

impl MadeOnce<VapiObject> {
    /// What all orgs share at Vapi, by name.
    pub const fn vapi_objects(db: Dynamo) -> Self {
        Self { db, table: Table::VapiObjects, key: "name", of: PhantomData }
    }
}

impl<T: Clone + Serialize + DeserializeOwned> MadeOnce<T> {
    /// What is there.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn get(&self, key: &str) -> Result<Option<Slot<T>>, StoreError> {
        self.scoped(key).get(self.table, &[(self.key, key)]).await
    }

    /// Takes the lease, until `until`, if no process has it at `now`. None when one does.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn lease(
        &self,
        key: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Slot<T>>, StoreError> {
        let there = self.get(key).await?;
        let Some(there) = there else {
            let slot = Slot { version: 0, lease_until: until, made: None };
            let refused = self.scoped(key).put_new(self.table, self.key, self.item(key, &slot)?).await?;
            return Ok(refused.is_none().then_some(slot));
        };
        if there.lease_until > now {
            return Ok(None);
        }
        match self.save(key, &Slot { lease_until: until, ..there }).await {
            Ok(leased) => Ok(Some(leased)),
            Err(ChangeError::Moved) => Ok(None),
            Err(ChangeError::Store(error)) => Err(error),
        }
    }

    /// Writes `slot` in the place of the one of its version. Returns it as written.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when another write came between.
    pub async fn save(&self, key: &str, slot: &Slot<T>) -> Result<Slot<T>, ChangeError> {
        let after = Slot { version: slot.version.saturating_add(1), ..slot.clone() };
        self.scoped(key).put_over(self.table, self.item(key, &after)?, slot.version).await?;
        Ok(after)
    }

    /// Gives the lease of `slot` back at `now`, with what was made by then. Returns whether it was still held: when it ran out,
    /// what its next holder notes is what counts.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn give_back(&self, key: &str, slot: Slot<T>, now: Timestamp) -> Result<bool, StoreError> {
        match self.save(key, &Slot { lease_until: now, ..slot }).await {
            Ok(_) => Ok(true),
            Err(ChangeError::Moved) => Ok(false),
            Err(ChangeError::Store(error)) => Err(error),
        }
    }

    /// What is an org's is reached as that org's, and what all share as a task of the deployment's own.
    fn scoped(&self, key: &str) -> Scoped<'_> {
        match key.parse() {
            Ok(org) if self.table.owner() == Owner::Org => self.db.of_org(org),
            Ok(_) | Err(_) => self.db.of_system(System::VapiObjects),
        }
    }

    fn item(&self, key: &str, slot: &Slot<T>) -> Result<Item, StoreError> {
        // By JSON: a slot's text has no binary, and `Value` keeps the bound on `T` small.
        let value: Value = serde_json::to_value(slot).map_err(|error| unavailable("PutItem", error))?;
        let mut item = record(self.table, &value)?;
        item.insert(self.key.to_owned(), text(key));
        Ok(item)
    }
}
