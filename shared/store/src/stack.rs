//! The mark of this deployment. Accounts at vendors may be shared by deployments of one name, by mistake or after a restore:
//! what is made there bears the mark of the tables that know of it, and what bears another is left alone.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    dynamo::Dynamo,
    error::StoreError,
    item::{decode, record, text},
    scope::System,
    table::Table,
};
use domain::ids::StackMark;

/// The item of the mark.
const OWNER: &str = "owner";

/// The table of what this deployment is.
#[derive(Clone, Debug)]
pub struct Stack {
    db: Dynamo,
}

#[derive(Serialize, Deserialize)]
struct Marked {
    mark: StackMark,
    #[serde(with = "domain::time::millis")]
    made_at: Timestamp,
}

impl Stack {
    /// The deployment of this environment's tables.
    pub const fn new(db: Dynamo) -> Self {
        Self { db }
    }

    /// The mark of these tables, consistently. Tables that have none get `fresh`, once: of two that bring one, the first to
    /// write decides.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn mark(&self, fresh: StackMark, now: Timestamp) -> Result<StackMark, StoreError> {
        let db = self.db.of_system(System::Stack);
        if let Some(Marked { mark, .. }) = db.get(Table::Stack, &[("item", OWNER)]).await? {
            return Ok(mark);
        }
        let mut item = record(Table::Stack, &Marked { mark: fresh, made_at: now })?;
        item.insert("item".to_owned(), text(OWNER));
        let there = db.put_new(Table::Stack, "item", item).await?;
        let there = there.map(|item| decode::<Marked>(Table::Stack, item)).transpose()?;
        Ok(there.map_or(fresh, |there| there.mark))
    }
}
