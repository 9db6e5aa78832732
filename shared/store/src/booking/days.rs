//! What is taken of each practitioner and room, an item for each UTC day.

use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::{
    booking::diary::{Diary, ResourceDay},
    ids::{OrgId, ResourceId},
};
use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{Bookings, SORT, item};
use crate::{
    dynamo::Read,
    error::StoreError,
    item::{decode, org_key, text},
    table::Table,
};

/// From how many days in a row on they are read as a range.
const A_RANGE: usize = 3;

impl Bookings {
    /// What is taken of these resources on these UTC days, which are in order; consistently. A day that nobody has written is there
    /// as one on which nothing is taken.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn diary(
        &self,
        org: OrgId,
        resources: &[&ResourceId],
        days: &[Date],
    ) -> Result<Diary, StoreError> {
        let reads = resources.iter().map(|resource| self.days_of(org, resource, days));
        let of_resources = futures::future::try_join_all(reads).await?;
        Ok(Diary { days: of_resources.into_iter().flatten().collect() })
    }

    async fn days_of(
        &self,
        org: OrgId,
        resource: &ResourceId,
        days: &[Date],
    ) -> Result<Vec<ResourceDay>, StoreError> {
        let written = match days {
            [first, .., last] if days.len() >= A_RANGE => self.range(org, resource, *first, *last).await?,
            _ => {
                let (name, value) = org_key(org);
                let mut written: Vec<ResourceDay> = Vec::new();
                for day in days {
                    let key = key(resource, *day);
                    let key = [(name, value.as_str()), (SORT, key.as_str())];
                    written.extend(self.db.of_org(org).get(Table::ResourceDays, &key).await?);
                }
                written
            }
        };
        let day = |day: &Date| {
            let known = written.iter().find(|written| written.day == *day);
            known.cloned().unwrap_or_else(|| ResourceDay::untouched(org, resource.clone(), *day))
        };
        Ok(days.iter().map(day).collect())
    }

    /// What is taken of a resource from the UTC day of `from` on, consistently: the days that somebody has written.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn days_from(
        &self,
        org: OrgId,
        resource: &ResourceId,
        from: Timestamp,
    ) -> Result<Vec<ResourceDay>, StoreError> {
        let today = from.to_zoned_datetime(TimeZone::UTC).date();
        self.range(org, resource, today, Date::MAX).await
    }

    async fn range(
        &self,
        org: OrgId,
        resource: &ResourceId,
        first: Date,
        last: Date,
    ) -> Result<Vec<ResourceDay>, StoreError> {
        let values = [
            (":org", text(org.to_string())),
            (":first", text(key(resource, first))),
            (":last", text(key(resource, last))),
        ];
        let read = Read {
            condition: Some("org_id = :org AND #item BETWEEN :first AND :last"),
            names: &[("#item", SORT)],
            values: &values,
            ..Read::default()
        };
        let mut pages = self.db.of_org(org).pages(Table::ResourceDays, read);
        let mut days = Vec::new();
        while let Some(page) = pages.next().await? {
            for item in page.items {
                days.push(decode(Table::ResourceDays, item)?);
            }
        }
        Ok(days)
    }

    /// The part of a transaction that writes a day in the place of the one of its version.
    pub(super) fn day(&self, day: &ResourceDay) -> Result<TransactWriteItem, StoreError> {
        let after = ResourceDay { version: day.version.saturating_add(1), ..day.clone() };
        let item = item(Table::ResourceDays, &after, &key(&day.resource_id, day.day))?;
        self.put(Table::ResourceDays, item, day.version)
    }
}

fn key(resource: &ResourceId, day: Date) -> String {
    format!("{resource}#{day}")
}
