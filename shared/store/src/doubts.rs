//! Doubts about calls: at most one of each call, written and taken away together with the call's record.

use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use domain::{
    doubt::{Doubt, LASTS},
    ids::{CallId, OrgId},
    time::rfc3339_millis,
};
use jiff::Timestamp;

use crate::{
    dynamo::{Dynamo, Read},
    error::StoreError,
    item::{decode, delete_part, org_key, put_part, record, text},
    scope::System,
    table::Table,
};

/// The index of the doubts that are left to a person, by when they arose.
const OPEN_BY_RAISED: &str = "open_by_raised";

/// The table of doubts.
#[derive(Clone, Debug)]
pub struct Doubts {
    db: Dynamo,
}

impl Doubts {
    /// Returns the doubts of this environment.
    pub const fn new(db: Dynamo) -> Self {
        Self { db }
    }

    /// Returns the doubt about a call, read consistently; `None` when there is none.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn get(&self, org: OrgId, call: &CallId) -> Result<Option<Doubt>, StoreError> {
        let (name, value) = org_key(org);
        self.db.of_org(org).get(Table::Doubts, &[(name, &value), ("call_id", call.as_str())]).await
    }

    /// Returns the doubts of all orgs that have not lapsed at `now`, the oldest first, at most `most`. They are
    /// read by an index, which may be a moment behind: the records decide.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn open(&self, now: Timestamp, most: usize) -> Result<Vec<Doubt>, StoreError> {
        let since = now.saturating_sub(LASTS).unwrap_or(Timestamp::MIN);
        let values = [(":open", text("open")), (":since", text(rfc3339_millis(since)))];
        let read = Read {
            index: Some(OPEN_BY_RAISED),
            condition: Some("#open = :open AND raised_at > :since"),
            names: &[("#open", "open")],
            values: &values,
            lagging: true,
            ..Read::default()
        };
        let mut pages = self.db.of_system(System::Doubts).pages(Table::Doubts, read);
        let mut doubts = Vec::new();
        while let Some(page) = pages.next().await? {
            for item in page.items {
                doubts.push(decode(Table::Doubts, item)?);
            }
            if doubts.len() >= most {
                break;
            }
        }
        doubts.truncate(most);
        Ok(doubts)
    }
}

/// Returns the part of a transaction that leaves `doubt` to a person. The call's record in the same transaction
/// guards it.
pub(crate) fn raise(db: &Dynamo, doubt: &Doubt) -> Result<TransactWriteItem, StoreError> {
    let mut item = record(Table::Doubts, doubt)?;
    item.insert("open".into(), text("open"));
    put_part(Put::builder().table_name(db.table_name(Table::Doubts)).set_item(Some(item)))
}

/// Returns the part of a transaction after which there is no doubt about a call.
pub(crate) fn settle(db: &Dynamo, org: OrgId, call: &CallId) -> Result<TransactWriteItem, StoreError> {
    let (name, value) = org_key(org);
    let delete = Delete::builder().table_name(db.table_name(Table::Doubts));
    delete_part(delete.key(name, text(value)).key("call_id", text(call.as_str())))
}
