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
    error::{StoreError, unavailable},
    item::{Item, decode, text},
    scope::System,
    table::Table,
};

/// A call that somebody must look at.
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
        let db = self.db.of_org(org);
        let mut calls = Vec::new();
        let mut start: Option<Item> = None;
        loop {
            let answer = self
                .db
                .retrying("Query", || {
                    db.client()
                        .query()
                        .table_name(self.db.table_name(Table::Calls))
                        .index_name(BY_CREATED)
                        .key_condition_expression("org_id = :org AND created_at BETWEEN :from AND :to")
                        .expression_attribute_values(":org", text(org.to_string()))
                        .expression_attribute_values(":from", text(rfc3339_millis(from)))
                        // Both ends of a BETWEEN are inside: the last millisecond before `to`.
                        .expression_attribute_values(
                            ":to",
                            text(rfc3339_millis(to - SignedDuration::from_millis(1))),
                        )
                        .scan_index_forward(false)
                        .set_exclusive_start_key(start.clone())
                        .customize()
                        .interceptor(db.mark())
                        .send()
                })
                .await
                .map_err(|error| unavailable("Query", error))?;
            for item in answer.items.unwrap_or_default() {
                if calls.len() >= most {
                    return Ok((calls, true));
                }
                calls.push(decode(Table::Calls, item)?);
            }
            start = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok((calls, false));
            }
        }
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
        let db = self.db.of_system(System::DueCalls);
        let mut due = Vec::new();
        let mut start: Option<Item> = None;
        loop {
            let answer = self
                .db
                .retrying("Query", || {
                    db.client()
                        .query()
                        .table_name(self.db.table_name(Table::Calls))
                        .index_name(LIVE_BY_DUE)
                        .key_condition_expression("live = :live AND due_at <= :at")
                        .expression_attribute_values(":live", text("live"))
                        .expression_attribute_values(":at", text(rfc3339_millis(at)))
                        .set_exclusive_start_key(start.clone())
                        .customize()
                        .interceptor(db.mark())
                        .send()
                })
                .await
                .map_err(|error| unavailable("Query", error))?;
            for item in answer.items.unwrap_or_default() {
                let row: Row = decode(Table::Calls, item)?;
                let is_closed = matches!(row.state.as_str(), "settled" | "released" | "refused");
                if !is_closed || row.due_at <= closed_by {
                    due.push(Due { org_id: row.org_id, call_id: row.call_id, due_at: row.due_at });
                }
            }
            start = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() || due.len() >= most {
                due.truncate(most);
                return Ok(due);
            }
        }
    }
}
