//! Lists of calls, by indexes, which may be a moment behind: nothing is decided on them.

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
    item::{decode, text},
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

/// The index of live calls by when they are due.
const LIVE_BY_DUE: &str = "live_by_due";
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
        let values = [
            (":org", text(org.to_string())),
            (":from", text(rfc3339_millis(from))),
            // Both ends of a BETWEEN are inside: the last millisecond before `to`.
            (":to", text(rfc3339_millis(to - SignedDuration::from_millis(1)))),
        ];
        let read = Read {
            index: Some(BY_CREATED),
            condition: Some("org_id = :org AND created_at BETWEEN :from AND :to"),
            values: &values,
            backwards: true,
            lagging: true,
            ..Read::default()
        };
        let mut pages = self.db.of_org(org).pages(Table::Calls, read);
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

    /// The calls whose next look is due by `at`, and those that are over whose last was due by `closed_by`; the longest due
    /// first, at most `most`. By an index, which may be a moment behind: the records decide.
    ///
    /// # Errors
    /// When the database does not answer, or an entry does not decode.
    pub async fn due(
        &self,
        at: Timestamp,
        closed_by: Timestamp,
        most: usize,
    ) -> Result<Vec<Due>, StoreError> {
        #[derive(Deserialize)]
        struct Row {
            org_id: OrgId,
            call_id: CallId,
            #[serde(with = "domain::time::millis")]
            due_at: Timestamp,
            #[serde(default)]
            state: String,
        }
        let values = [(":live", text("live")), (":at", text(rfc3339_millis(at)))];
        let read = Read {
            index: Some(LIVE_BY_DUE),
            condition: Some("live = :live AND due_at <= :at"),
            values: &values,
            lagging: true,
            ..Read::default()
        };
        let mut pages = self.db.of_system(System::DueCalls).pages(Table::Calls, read);
        let mut due = Vec::new();
        while let Some(page) = pages.next().await? {
            for item in page.items {
                let row: Row = decode(Table::Calls, item)?;
                let is_closed = matches!(row.state.as_str(), "settled" | "released" | "refused");
                if !is_closed || row.due_at <= closed_by {
                    due.push(Due { org_id: row.org_id, call_id: row.call_id, due_at: row.due_at });
                }
            }
            if due.len() >= most {
                break;
            }
        }
        due.truncate(most);
        Ok(due)
    }
}
