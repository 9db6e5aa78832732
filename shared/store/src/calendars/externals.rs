//! What others keep busy in clinics' calendars, and the days that it stands in.

use aws_sdk_dynamodb::types::Delete;
use domain::{
    booking::diary::ResourceDay,
    calendar::External,
    ids::{CalendarId, ExternalId, OrgId},
};

use crate::{
    dynamo::{Dynamo, Read},
    error::{ChangeError, StoreError},
    item::{Item, decode, delete_part, org_key, record, text},
    table::Table,
};

/// The name of the sort key.
const SORT: &str = "item";

/// The table of other busy time.
#[derive(Clone, Debug)]
pub struct Externals {
    db: Dynamo,
}

impl Externals {
    /// That of this environment.
    pub const fn new(db: Dynamo) -> Self {
        Self { db }
    }

    /// An event of others, as it was last read; consistently.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn get(
        &self,
        org: OrgId,
        calendar: &CalendarId,
        id: &ExternalId,
    ) -> Result<Option<External>, StoreError> {
        let (name, value) = org_key(org);
        let key = key(calendar, id);
        self.db.of_org(org).get(Table::ExternalEvents, &[(name, &value), (SORT, &key)]).await
    }

    /// All events of others in a calendar, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn of_calendar(&self, org: OrgId, calendar: &CalendarId) -> Result<Vec<External>, StoreError> {
        let values = [(":org", text(org.to_string())), (":calendar", text(format!("{calendar}#")))];
        let read = Read {
            condition: Some("org_id = :org AND begins_with(#item, :calendar)"),
            names: &[("#item", SORT)],
            values: &values,
            ..Read::default()
        };
        let mut pages = self.db.of_org(org).pages(Table::ExternalEvents, read);
        let mut events = Vec::new();
        while let Some(page) = pages.next().await? {
            for item in page.items {
                events.push(decode(Table::ExternalEvents, item)?);
            }
        }
        Ok(events)
    }

    /// Writes an event of others as it was read last. One process reads a calendar at a time.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn put(&self, event: &External) -> Result<(), StoreError> {
        let mut item = record(Table::ExternalEvents, event)?;
        item.insert(SORT.to_owned(), text(key(&event.calendar_id, &event.external_id)));
        self.db.of_org(event.org_id).put(Table::ExternalEvents, item).await
    }

    /// Deletes one that takes no time any more, and stands in no day.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delete(&self, event: &External) -> Result<(), StoreError> {
        let key: Item = [
            ("org_id", text(event.org_id.to_string())),
            (SORT, text(key(&event.calendar_id, &event.external_id))),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        let delete =
            Delete::builder().table_name(self.db.table_name(Table::ExternalEvents)).set_key(Some(key));
        match self.db.of_org(event.org_id).change(vec![delete_part(delete)?]).await {
            Ok(()) | Err(ChangeError::Moved) => Ok(()),
            Err(ChangeError::Store(error)) => Err(error),
        }
    }

    /// Writes a day in the place of the one of its version: what others keep busy on it was changed.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when another write came between.
    pub async fn save_day(&self, day: &ResourceDay) -> Result<(), ChangeError> {
        let after = ResourceDay { version: day.version.saturating_add(1), ..day.clone() };
        let mut item = record(Table::ResourceDays, &after)?;
        item.insert(SORT.to_owned(), text(format!("{}#{}", day.resource_id, day.day)));
        let db = self.db.of_org(day.org_id);
        if day.version > 0 {
            return db.put_over(Table::ResourceDays, item, day.version).await;
        }
        match db.put_new(Table::ResourceDays, SORT, item).await? {
            None => Ok(()),
            Some(_) => Err(ChangeError::Moved),
        }
    }
}

fn key(calendar: &CalendarId, id: &ExternalId) -> String {
    format!("{calendar}#{id}")
}
