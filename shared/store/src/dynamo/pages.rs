//! Reads of many records, page by page.

use aws_sdk_dynamodb::types::AttributeValue;

use super::scoped::{Scoped, owned_names, owned_values};
use crate::{
    error::{StoreError, unavailable},
    item::Item,
    table::Table,
};

/// What is read: a partition of a table or of an index, or, without a `condition`, the whole table. Consistently, unless
/// `lagging` says that an index that may be a moment behind will do.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Read<'a> {
    /// The index, if it is not the table itself.
    pub(crate) index: Option<&'a str>,
    /// Which partition, and which range of it.
    pub(crate) condition: Option<&'a str>,
    /// Which of what is read.
    pub(crate) filter: Option<&'a str>,
    /// What the expressions' names stand for.
    pub(crate) names: &'a [(&'a str, &'a str)],
    /// The values that the expressions name.
    pub(crate) values: &'a [(&'a str, AttributeValue)],
    /// From the last to the first.
    pub(crate) backwards: bool,
    /// The most records of a page.
    pub(crate) limit: Option<i32>,
    /// Whether what was just written may be missing: a global index has no other way.
    pub(crate) lagging: bool,
}

/// One page.
#[derive(Debug)]
pub(crate) struct Page {
    /// What the filter let through.
    pub(crate) items: Vec<Item>,
    /// Where the next page begins, if there is one.
    pub(crate) next: Option<Item>,
}

/// Reads one page after another.
pub(crate) struct Pages<'a> {
    db: Scoped<'a>,
    table: Table,
    read: Read<'a>,
    start: Option<Item>,
    is_over: bool,
}

impl<'a> Scoped<'a> {
    /// The pages of `read`.
    pub(crate) const fn pages(self, table: Table, read: Read<'a>) -> Pages<'a> {
        Pages { db: self, table, read, start: None, is_over: false }
    }
}

impl Pages<'_> {
    /// The same, from where a page ended.
    pub(crate) fn from(mut self, start: Option<Item>) -> Self {
        self.start = start;
        self
    }

    /// The next page; none after the last.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn next(&mut self) -> Result<Option<Page>, StoreError> {
        if self.is_over {
            return Ok(None);
        }
        let page = match self.read.condition {
            Some(condition) => self.query(condition).await?,
            None => self.scan().await?,
        };
        self.start.clone_from(&page.next);
        self.is_over = page.next.is_none();
        Ok(Some(page))
    }

    async fn query(&self, condition: &str) -> Result<Page, StoreError> {
        let (names, values) = (owned_names(self.read.names), owned_values(self.read.values));
        let answer = self
            .db
            .db
            .retrying("Query", || {
                self.db
                    .client()
                    .query()
                    .table_name(self.db.db.table_name(self.table))
                    .set_index_name(self.read.index.map(str::to_owned))
                    .consistent_read(!self.read.lagging)
                    .key_condition_expression(condition)
                    .set_filter_expression(self.read.filter.map(str::to_owned))
                    .set_expression_attribute_names(names.clone())
                    .set_expression_attribute_values(values.clone())
                    .scan_index_forward(!self.read.backwards)
                    .set_limit(self.read.limit)
                    .set_exclusive_start_key(self.start.clone())
                    .customize()
                    .interceptor(self.db.mark())
                    .send()
            })
            .await
            .map_err(|error| unavailable("Query", error))?;
        Ok(page(answer.items, answer.last_evaluated_key))
    }

    async fn scan(&self) -> Result<Page, StoreError> {
        let (names, values) = (owned_names(self.read.names), owned_values(self.read.values));
        let answer = self
            .db
            .db
            .retrying("Scan", || {
                self.db
                    .client()
                    .scan()
                    .table_name(self.db.db.table_name(self.table))
                    .consistent_read(!self.read.lagging)
                    .set_filter_expression(self.read.filter.map(str::to_owned))
                    .set_expression_attribute_names(names.clone())
                    .set_expression_attribute_values(values.clone())
                    .set_limit(self.read.limit)
                    .set_exclusive_start_key(self.start.clone())
                    .customize()
                    .interceptor(self.db.mark())
                    .send()
            })
            .await
            .map_err(|error| unavailable("Scan", error))?;
        Ok(page(answer.items, answer.last_evaluated_key))
    }
}

fn page(items: Option<Vec<Item>>, next: Option<Item>) -> Page {
    Page { items: items.unwrap_or_default(), next: next.filter(|key| !key.is_empty()) }
}
