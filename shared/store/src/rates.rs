//! How often an org did what is bounded: a count for each window, which goes a day after it.

use domain::{
    ids::OrgId,
    rate::{Costly, Window},
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    dynamo::{Dynamo, Update},
    error::{ChangeError, StoreError},
    item::{number, org_key},
    table::Table,
};

/// How long a count stays after its window.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// The table of the counts.
#[derive(Clone, Debug)]
pub struct Rates {
    db: Dynamo,
}

impl Rates {
    /// The counts of this environment.
    pub const fn new(db: Dynamo) -> Self {
        Self { db }
    }

    /// Counts one more of `what`, if it may be done at `now`: one conditional write, so that however many come at once no more
    /// than the rate are let through. Returns how long to wait where it may not be done; `None` where it may.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn take(
        &self,
        org: OrgId,
        what: Costly,
        now: Timestamp,
    ) -> Result<Option<SignedDuration>, StoreError> {
        self.count(org, what, what.window(now), now).await
    }

    /// The same, counted for each `of` by itself.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn take_of(
        &self,
        org: OrgId,
        (what, of): (Costly, &str),
        now: Timestamp,
    ) -> Result<Option<SignedDuration>, StoreError> {
        let Window { key, ends_at } = what.window(now);
        self.count(org, what, Window { key: format!("{key}#{of}"), ends_at }, now).await
    }

    async fn count(
        &self,
        org: OrgId,
        what: Costly,
        Window { key, ends_at }: Window,
        now: Timestamp,
    ) -> Result<Option<SignedDuration>, StoreError> {
        let expires_at = ends_at.saturating_add(KEPT).unwrap_or(Timestamp::MAX).as_second();
        let (name, value) = org_key(org);
        let update = Update {
            change: "ADD used :one SET expires_at = :expires",
            condition: "attribute_not_exists(used) OR used < :most",
            names: &[],
            values: &[
                (":one", number(1)),
                (":most", number(what.rate().most)),
                (":expires", number(expires_at)),
            ],
        };
        match self.db.of_org(org).update(Table::Rates, &[(name, &value), ("window_key", &key)], &update).await
        {
            Ok(_) => Ok(None),
            Err(ChangeError::Moved) => Ok(Some(ends_at.duration_since(now))),
            Err(ChangeError::Store(error)) => Err(error),
        }
    }
}
