//! Purchases of numbers: the claim on a direction, what is left of older ones, and the keys that name them.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use serde::{Deserialize, Serialize};

use crate::{
    dynamo::Dynamo,
    error::{ChangeError, StoreError},
    item::{Item, decode, org_key, put_new_part, put_over_part, put_part, record, text},
    scope::System,
    table::Table,
};
use domain::{
    call::Direction,
    ids::{OrgId, PurchaseId},
    purchase::Purchase,
};

/// What the items of clients' idempotency keys begin with.
const KEY: &str = "key#";

/// The table of purchases.
#[derive(Clone, Debug)]
pub struct Purchases {
    db: Dynamo,
}

/// Which purchase a client's idempotency key names, and by what body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyUse {
    /// The purchase.
    pub purchase_id: PurchaseId,
    /// The body that came with the key.
    pub body_hash: String,
}

impl Purchases {
    /// The purchases of this environment.
    pub const fn new(db: Dynamo) -> Self {
        Self { db }
    }

    /// The claim on one direction, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn claim_of(&self, org: OrgId, direction: Direction) -> Result<Option<Purchase>, StoreError> {
        self.at(org, direction.as_str()).await
    }

    /// A purchase, the current one of its direction or an older one.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn find(&self, org: OrgId, id: &PurchaseId) -> Result<Option<Purchase>, StoreError> {
        for direction in Direction::ALL {
            if let Some(claim) = self.claim_of(org, direction).await?.filter(|claim| claim.purchase_id == *id)
            {
                return Ok(Some(claim));
            }
        }
        self.at(org, &archive_item(id)).await
    }

    /// Which purchase a key names.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn key_use(&self, org: OrgId, key: &str) -> Result<Option<KeyUse>, StoreError> {
        self.at(org, &key_item(key)).await
    }

    async fn at<T: serde::de::DeserializeOwned>(
        &self,
        org: OrgId,
        item: &str,
    ) -> Result<Option<T>, StoreError> {
        let (name, value) = org_key(org);
        self.db.of_org(org).get(Table::NumberPurchases, &[(name, &value), ("item", item)]).await
    }

    /// Claims a direction with `purchase`, in the place of `before`, which is over and is kept; the client's key, if it gave
    /// one, names it from now on. All or nothing.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when another has claimed it, or used the key.
    pub async fn claim(
        &self,
        purchase: &Purchase,
        before: Option<&Purchase>,
        key: Option<&str>,
    ) -> Result<(), ChangeError> {
        let item = claim_item(purchase)?;
        let mut items = match before {
            None => vec![put_new_part(&self.db, Table::NumberPurchases, "item", item)?],
            // Only a client's key ever asks for an older one, and a number that was brought has none.
            Some(before) if before.wanted().is_none() => {
                vec![put_over_part(&self.db, Table::NumberPurchases, item, before.version)?]
            }
            Some(before) => {
                let kept = Put::builder()
                    .table_name(self.db.table_name(Table::NumberPurchases))
                    .set_item(Some(with_item(before, archive_item(&before.purchase_id))?));
                vec![put_over_part(&self.db, Table::NumberPurchases, item, before.version)?, put_part(kept)?]
            }
        };
        if let Some(key) = key {
            let key_use =
                KeyUse { purchase_id: purchase.purchase_id.clone(), body_hash: purchase.body_hash.clone() };
            let mut item = record(Table::NumberPurchases, &key_use)?;
            item.insert("org_id".into(), text(purchase.org_id.to_string()));
            item.insert("item".into(), text(key_item(key)));
            items.push(put_new_part(&self.db, Table::NumberPurchases, "item", item)?);
        }
        self.db.of_org(purchase.org_id).change(items).await
    }

    /// Writes `after` in the place of the claim that was read as `before`. Returns it as written.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when it is no longer that.
    pub async fn save(&self, before: &Purchase, after: Purchase) -> Result<Purchase, ChangeError> {
        let after = next(after, before);
        let item = claim_item(&after)?;
        self.db.of_org(before.org_id).put_over(Table::NumberPurchases, item, before.version).await?;
        Ok(after)
    }

    /// Every purchase of every org, consistently: the latest of each direction, and those before it that are kept.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn all(&self) -> Result<Vec<Purchase>, StoreError> {
        let items = self.db.of_system(System::Numbers).scan(Table::NumberPurchases).await?;
        let purchases = items.into_iter().filter(|item| !is_key(item));
        purchases.map(|item| decode(Table::NumberPurchases, item)).collect()
    }

    /// The purchases that are not finished.
    ///
    /// # Errors
    /// As [`Purchases::all`].
    pub async fn open(&self) -> Result<Vec<Purchase>, StoreError> {
        let mut purchases = self.all().await?;
        purchases.retain(Purchase::is_open);
        Ok(purchases)
    }

    /// All purchases that hold a secret of an org's own account.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn with_secrets(&self) -> Result<Vec<Purchase>, StoreError> {
        let items = self.db.of_system(System::Numbers).scan(Table::NumberPurchases).await?;
        let claims = items.into_iter().filter(|item| item.contains_key("own_token") && is_claim(item));
        claims.map(|item| decode(Table::NumberPurchases, item)).collect()
    }
}

/// `after` with the version that a write over `before` gives it.
pub(crate) fn next(after: Purchase, before: &Purchase) -> Purchase {
    Purchase { version: before.version.saturating_add(1), ..after }
}

/// The part of a transaction that writes `after`, whose version is already raised, in the place of `before`.
pub(crate) fn put(db: &Dynamo, before: &Purchase, after: &Purchase) -> Result<TransactWriteItem, StoreError> {
    put_over_part(db, Table::NumberPurchases, claim_item(after)?, before.version)
}

fn is_claim(item: &Item) -> bool {
    name_of(item).is_some_and(|name| !name.contains('#'))
}

fn is_key(item: &Item) -> bool {
    name_of(item).is_some_and(|name| name.starts_with(KEY))
}

fn name_of(item: &Item) -> Option<&str> {
    item.get("item")?.as_s().ok().map(String::as_str)
}

fn claim_item(purchase: &Purchase) -> Result<Item, StoreError> {
    with_item(purchase, purchase.direction.as_str().to_owned())
}

fn with_item(purchase: &Purchase, item: String) -> Result<Item, StoreError> {
    let mut written = record(Table::NumberPurchases, purchase)?;
    written.insert("item".into(), text(item));
    Ok(written)
}

fn archive_item(id: &PurchaseId) -> String {
    format!("purchase#{id}")
}

fn key_item(key: &str) -> String {
    format!("{KEY}{key}")
}
