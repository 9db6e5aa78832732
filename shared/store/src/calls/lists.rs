//! Lists of calls, by indexes, which may be a moment behind: nothing is decided on them.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    call::Call,
    ids::{CallId, OrgId},
    time::rfc3339_millis,
};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::Calls;
use crate::{
    dynamo::Read,
    error::StoreError,
    item::{Item, decode, text},
    scope::System,
    table::Table,
};

/// A call that is due for a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Whose it is.
    pub org_id: OrgId,
    /// Which it is.
    pub call_id: CallId,
    /// Since when.
    pub due_at: Timestamp,
}

/// Calls that are due, the longest due first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DueCalls {
    /// The calls.
    pub calls: Vec<Due>,
    /// Whether there are more, which were left out.
    pub is_cut: bool,
}

/// The index of live calls by when they are due.
const LIVE_BY_DUE: &str = "live_by_due";
/// The part of it that holds calls which await their bill, release or refusal.
const OPEN: &str = "open";
/// The part of it that holds calls which are over and have not left it yet.
const CLOSED: &str = "closed";
/// What stands in records from before the index had parts.
const UNSHARDED: &str = "live";
/// How many shards each part has.
const SHARDS: u32 = 4;
/// The index by org and time.
const BY_CREATED: &str = "by_created";

impl Calls {
    /// An org's calls that were first heard of from `from` until before `to`, newest first; at most `most`, and whether there are
    /// more. By an index, which may be a moment behind: nothing is decided on it.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn between(
        &self,
        org: OrgId,
        from: Timestamp,
        to: Timestamp,
        most: usize,
    ) -> Result<(Vec<Call>, bool), StoreError> {
        let values = period(org, from, to);
        let mut pages = self.db.of_org(org).pages(Table::Calls, newest(&values));
        let mut calls = Vec::new();
        while let Some(page) = pages.next().await? {
            for item in page.items {
                if calls.len() >= most {
                    return Ok((calls, true));
                }
                calls.push(decode(Table::Calls, item)?);
            }
        }
        Ok((calls, false))
    }

    /// A page of an org's calls that were first heard of from `from` until before `to`, newest first, after the one that `after`
    /// names: at most `most` of them, and whether more follow. It costs what it holds, however many the period has. By an index, as
    /// [`Calls::between`].
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn page(
        &self,
        org: OrgId,
        (from, to): (Timestamp, Timestamp),
        after: Option<&(Timestamp, CallId)>,
        most: i32,
    ) -> Result<(Vec<Call>, bool), StoreError> {
        let values = period(org, from, to);
        let read = Read { limit: Some(most), ..newest(&values) };
        let start = after.map(|(at, id)| {
            let key = [
                ("org_id", org.to_string()),
                ("call_id", id.to_string()),
                ("created_at", rfc3339_millis(*at)),
            ];
            key.into_iter().map(|(name, value)| (name.to_owned(), text(value))).collect::<Item>()
        });
        let mut pages = self.db.of_org(org).pages(Table::Calls, read).from(start);
        let Some(page) = pages.next().await? else { return Ok((Vec::new(), false)) };
        let has_more = page.next.is_some();
        let calls = page.items.into_iter().map(|item| decode(Table::Calls, item));
        Ok((calls.collect::<Result<_, _>>()?, has_more))
    }

    /// Returns the calls that are open and whose next check is due by `at`, the longest due first, at most `most`, by an index,
    /// which may be a moment behind: the records decide. However many calls are over, none of them stands in the way.
    ///
    /// # Errors
    /// When the database does not answer, or an entry does not decode.
    pub async fn due(&self, at: Timestamp, most: usize) -> Result<DueCalls, StoreError> {
        self.due_in(OPEN, at, most).await
    }

    /// Returns the calls that are over and whose last check was due by `at`, in the same way: they leave the index.
    ///
    /// # Errors
    /// When the database does not answer, or an entry does not decode.
    pub async fn over(&self, at: Timestamp, most: usize) -> Result<DueCalls, StoreError> {
        self.due_in(CLOSED, at, most).await
    }

    async fn due_in(&self, part: &str, at: Timestamp, most: usize) -> Result<DueCalls, StoreError> {
        let shards = (0..SHARDS).map(|shard| format!("{part}#{shard}"));
        // Records that were written before there were shards are in one of their own.
        let shards = shards.chain((part == OPEN).then(|| UNSHARDED.to_owned()));
        let mut calls = Vec::new();
        for shard in shards {
            calls.extend(self.due_in_shard(shard, at, most).await?);
        }
        calls.sort_by_key(|due| due.due_at);
        let is_cut = calls.len() > most;
        calls.truncate(most);
        Ok(DueCalls { calls, is_cut })
    }

    /// Reads one more than `most`, which says whether there are more.
    async fn due_in_shard(&self, shard: String, at: Timestamp, most: usize) -> Result<Vec<Due>, StoreError> {
        #[derive(Deserialize)]
        struct Row {
            org_id: OrgId,
            call_id: CallId,
            #[serde(with = "domain::time::millis")]
            due_at: Timestamp,
        }
        let values = [(":live", text(shard)), (":at", text(rfc3339_millis(at)))];
        let read = Read {
            index: Some(LIVE_BY_DUE),
            condition: Some("live = :live AND due_at <= :at"),
            values: &values,
            lagging: true,
            ..Read::default()
        };
        let mut pages = self.db.of_system(System::DueCalls).pages(Table::Calls, read);
        let mut due = Vec::new();
        while due.len() <= most
            && let Some(page) = pages.next().await?
        {
            for item in page.items {
                let row: Row = decode(Table::Calls, item)?;
                due.push(Due { org_id: row.org_id, call_id: row.call_id, due_at: row.due_at });
            }
        }
        Ok(due)
    }
}

/// Whose calls of which time [`newest`] reads. Both ends of a `BETWEEN` are inside: the last is the millisecond before `to`.
fn period(org: OrgId, from: Timestamp, to: Timestamp) -> [(&'static str, AttributeValue); 3] {
    [
        (":org", text(org.to_string())),
        (":from", text(rfc3339_millis(from))),
        (":to", text(rfc3339_millis(to - SignedDuration::from_millis(1)))),
    ]
}

/// Reads an org's calls of a period, newest first.
fn newest<'a>(period: &'a [(&'static str, AttributeValue)]) -> Read<'a> {
    Read {
        index: Some(BY_CREATED),
        condition: Some("org_id = :org AND created_at BETWEEN :from AND :to"),
        values: period,
        backwards: true,
        lagging: true,
        ..Read::default()
    }
}

/// Returns the part of the index that a call is in: open and closed calls apart, each in shards, so that no partition takes all
/// writes.
pub(super) fn shard_of(call: &Call) -> String {
    let part = if call.is_open() { OPEN } else { CLOSED };
    // Any spread will do; the id's bytes are random, and the same in every process.
    let sum =
        call.call_id.as_str().bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    format!("{part}#{}", sum.rem_euclid(SHARDS))
}
