//! The uses of tools on a call, an item each beside the call's record.

use domain::{
    call::ToolUse,
    ids::{CallId, OrgId},
};

use super::Calls;
use crate::{
    dynamo::Read,
    error::StoreError,
    item::{Item, decode, encode, org_key, text},
    table::Table,
};

/// The most uses of one call that are read: what a call can use in the twelve hours that it may take is far less.
const MOST: usize = 500;

impl Calls {
    /// Keeps what was done on a call by the use of a tool that `mark` tells from every other: a part of a key, letters and digits.
    /// Of a use that is delivered again the last answer counts: it is what the model heard.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn note_tool(
        &self,
        org: OrgId,
        call: &CallId,
        mark: &str,
        used: &ToolUse,
    ) -> Result<(), StoreError> {
        let (name, value) = org_key(org);
        let mut item: Item = encode(Table::Calls, used)?;
        item.insert(name.to_owned(), text(value));
        item.insert("call_id".to_owned(), text(format!("{}{mark}", prefix(call))));
        self.db.of_org(org).put(Table::Calls, item).await
    }

    /// Returns what was done on a call, in order; at most the first 500 by their marks.
    ///
    /// # Errors
    /// When the database does not answer, or an item does not decode.
    pub async fn tools(&self, org: OrgId, call: &CallId) -> Result<Vec<ToolUse>, StoreError> {
        let values = [(":org", text(org.to_string())), (":of", text(prefix(call)))];
        let read = Read {
            condition: Some("org_id = :org AND begins_with(call_id, :of)"),
            values: &values,
            ..Read::default()
        };
        let mut pages = self.db.of_org(org).pages(Table::Calls, read);
        let mut uses: Vec<ToolUse> = Vec::new();
        while uses.len() < MOST
            && let Some(page) = pages.next().await?
        {
            for item in page.items {
                uses.push(decode(Table::Calls, item)?);
            }
        }
        uses.truncate(MOST);
        uses.sort_by_key(|used| used.at);
        Ok(uses)
    }
}

/// How the keys of a call's uses begin. No id of a call has a `#` in it.
fn prefix(call: &CallId) -> String {
    format!("{call}#tool#")
}
