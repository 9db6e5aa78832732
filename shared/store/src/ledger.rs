//! Reading the ledger. It is written in [`super::wallets`] only, in the transaction that moves the money.

use jiff::{SignedDuration, Timestamp};

use crate::{
    dynamo::{Dynamo, Read},
    error::StoreError,
    item::{decode, number, org_key, text},
    table::Table,
};
use domain::{
    ids::{CallId, OrgId},
    ledger::{Entry, EntryKey, Kind},
};

/// The index by `seq`.
const BY_SEQ: &str = "by_seq";
/// How far two functions' clocks may be apart: entries may lie out of the order of their times by this much.
const SKEW: SignedDuration = SignedDuration::from_mins(10);

/// The most entries that [`Ledger::range`] returns at once.
const RANGE: i32 = 500;
/// The most entries that one page may read to find those of one kind.
const MOST_READ: usize = 2_000;

/// The table of ledger entries.
#[derive(Clone, Debug)]
pub struct Ledger {
    db: Dynamo,
}

/// Some entries of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// In the order of their numbers.
    pub entries: Vec<Entry>,
    /// Whether the range may hold more after them.
    pub has_more: bool,
}

/// A page of entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Newest first.
    pub entries: Vec<Entry>,
    /// The number to go on below; none when this is the end.
    pub next_before: Option<u64>,
}

/// Why a statement cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// The period holds more entries than an answer may.
    #[error("the period holds more than {most} entries")]
    TooMany {
        /// The most an answer may hold.
        most: usize,
    },
    /// It could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Ledger {
    /// The ledger of this environment.
    pub const fn new(db: Dynamo) -> Self {
        Self { db }
    }

    /// Reads one entry, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn get(&self, org: OrgId, key: &EntryKey) -> Result<Option<Entry>, StoreError> {
        let (name, value) = org_key(org);
        self.db.of_org(org).get(Table::LedgerEntries, &[(name, &value), ("entry_key", key.as_str())]).await
    }

    /// The first entries numbered `first` to `last`, consistently: 500 of them, or as many as a page holds. Two that bear one
    /// number are both in the range.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn range(&self, org: OrgId, first: u64, last: u64) -> Result<Range, StoreError> {
        self.query(org, first, last, true, RANGE).await
    }

    /// The number of the first entry after `seq`, consistently; none when there is none.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn first_after(&self, org: OrgId, seq: u64) -> Result<Option<u64>, StoreError> {
        let found = self.query(org, seq.saturating_add(1), u64::MAX, true, 1).await?;
        Ok(found.entries.first().map(|entry| entry.seq))
    }

    /// The entries of a call, consistently: its charge and the corrections of it, in the order of their numbers.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn of_call(&self, org: OrgId, call: &CallId) -> Result<Vec<Entry>, StoreError> {
        let values = [(":org", text(org.to_string())), (":of", text(EntryKey::of_call(call).as_str()))];
        let read = Read {
            condition: Some("org_id = :org AND begins_with(entry_key, :of)"),
            values: &values,
            ..Read::default()
        };
        let mut pages = self.db.of_org(org).pages(Table::LedgerEntries, read);
        let mut entries: Vec<Entry> = Vec::new();
        while let Some(page) = pages.next().await? {
            for item in page.items {
                entries.push(decode(Table::LedgerEntries, item)?);
            }
        }
        // The key of another call may begin with this one's id.
        entries.retain(|entry| entry.call_id.as_ref() == Some(call));
        entries.sort_by_key(|entry| entry.seq);
        Ok(entries)
    }

    /// The newest entries below `before`, of one kind or of all, newest first.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn page(
        &self,
        org: OrgId,
        before: Option<u64>,
        kind: Option<Kind>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let mut below = before.unwrap_or(u64::MAX);
        let mut entries = Vec::new();
        let mut read = 0_usize;
        while below > 1 {
            // A rare kind does not make one answer read the whole ledger: it goes on from here.
            if read >= MOST_READ {
                return Ok(Page { entries, next_before: Some(below) });
            }
            let batch = self.query(org, 1, below.saturating_sub(1), false, 100).await?.entries;
            let Some(oldest) = batch.last() else { break };
            below = oldest.seq;
            read = read.saturating_add(batch.len());
            let wanted = batch.into_iter().filter(|entry| kind.is_none_or(|kind| entry.kind == kind));
            entries.extend(wanted);
            if entries.len() > limit {
                entries.truncate(limit);
                let next_before = entries.last().map(|last| last.seq);
                return Ok(Page { entries, next_before });
            }
        }
        Ok(Page { entries, next_before: None })
    }

    /// All entries from `from` until before `to`, oldest first, without a gap in their numbers: an entry whose time
    /// lies outside, between two inside, is part of the run.
    ///
    /// # Errors
    /// When there are more than `most`, the database does not answer, or a record does not decode.
    pub async fn statement(
        &self,
        org: OrgId,
        last_seq: u64,
        from: Timestamp,
        to: Timestamp,
        most: usize,
    ) -> Result<Vec<Entry>, StatementError> {
        let mut next = self.first_since(org, last_seq, from - SKEW).await?;
        let mut run: Vec<Entry> = Vec::new();
        let mut inside = 0;
        while next <= last_seq {
            let batch = self.query(org, next, last_seq, true, 500).await?.entries;
            let Some(newest) = batch.last() else { break };
            next = newest.seq.saturating_add(1);
            let is_past = newest.created_at > to + SKEW;
            for entry in batch {
                let is_inside = from <= entry.created_at && entry.created_at < to;
                if is_inside || !run.is_empty() {
                    run.push(entry);
                }
                if is_inside {
                    inside = run.len();
                }
            }
            if inside > most {
                return Err(StatementError::TooMany { most });
            }
            if is_past {
                break;
            }
        }
        run.truncate(inside);
        Ok(run)
    }

    /// The number of the first entry not older than `at`, by bisection: times rise with numbers, but for the skew.
    async fn first_since(&self, org: OrgId, last_seq: u64, at: Timestamp) -> Result<u64, StoreError> {
        let (mut low, mut high) = (1, last_seq.saturating_add(1));
        while low < high {
            let middle = low.midpoint(high);
            let found = self.query(org, middle, middle, true, 1).await?;
            if found.entries.first().is_some_and(|entry| entry.created_at < at) {
                low = middle.saturating_add(1);
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Entries numbered `first` to `last`, which is no less, by the index, read consistently. At most `limit`, or what fits a page.
    async fn query(
        &self,
        org: OrgId,
        first: u64,
        last: u64,
        ascending: bool,
        limit: i32,
    ) -> Result<Range, StoreError> {
        let values = [
            (":org", text(org.to_string())),
            (":first", number(first)),
            // Beyond any ledger, and inside what a DynamoDB number and an engine's integer hold.
            (":last", number(last.min(i64::MAX.unsigned_abs()))),
        ];
        let read = Read {
            index: Some(BY_SEQ),
            condition: Some("org_id = :org AND seq BETWEEN :first AND :last"),
            values: &values,
            backwards: !ascending,
            limit: Some(limit),
            ..Read::default()
        };
        let page = self.db.of_org(org).pages(Table::LedgerEntries, read).next().await?;
        let (items, next) = page.map_or_else(Default::default, |page| (page.items, page.next));
        let entries = items.into_iter().map(|item| decode(Table::LedgerEntries, item));
        Ok(Range { entries: entries.collect::<Result<_, _>>()?, has_more: next.is_some() })
    }
}
