//! Clinics' calendars at their vendor: the account, the calendars, how appointments stand in them, what others keep busy there, and
//! what opens them.

mod credential;
mod doors;
mod externals;

use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::{
    calendar::{Calendar, Connection, ConnectionState, Mirror},
    ids::{AppointmentId, CalendarEventId, CalendarId, OrgId},
    notification::Notification,
    time::rfc3339_millis,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    dynamo::{Dynamo, Read, Update},
    error::{ChangeError, StoreError},
    item::{decode, org_key, put_new_part, put_over_part, record, text},
    notifications,
    scope::System,
    table::Table,
};

pub use credential::{CalendarCredential, CalendarCredentials, GOOGLE_CALENDAR};
pub use doors::{ChannelDoor, ConsentDoor, Doors};
pub use externals::Externals;

/// The name of the sort key in the table of calendars.
const SORT: &str = "item";
/// The item of the account.
const CONNECTION: &str = "connection";
/// The index of what is to be asked.
const BY_POLL: &str = "by_poll";
/// The most calendars that one look at the index takes of each of its parts.
const MOST_DUE: i32 = 250;

/// The table of calendars.
#[derive(Clone, Debug)]
pub struct Calendars {
    db: Dynamo,
}

/// Whose event an id of ours is: a calendar tells of a deleted event nothing but its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Ours {
    org_id: OrgId,
    appointment_id: AppointmentId,
}

impl Calendars {
    /// The calendars of this environment.
    pub const fn new(db: Dynamo) -> Self {
        Self { db }
    }

    /// An org's account at the vendor, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn connection(&self, org: OrgId) -> Result<Option<Connection>, StoreError> {
        self.get(org, CONNECTION).await
    }

    /// Whether an org has an account that may be used.
    ///
    /// # Errors
    /// As [`Calendars::connection`].
    pub async fn is_connected(&self, org: OrgId) -> Result<bool, StoreError> {
        let connection = self.connection(org).await?;
        Ok(connection.is_some_and(|connection| connection.state == ConnectionState::Connected))
    }

    /// Writes `connection` in the place of the one of its version, and with it what the clinic is told of it. Returns it as written.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when another write came between.
    pub async fn save_connection(
        &self,
        connection: &Connection,
        told: Option<&Notification>,
    ) -> Result<Connection, ChangeError> {
        let after = Connection { version: connection.version.saturating_add(1), ..connection.clone() };
        self.save(connection.org_id, (&after, CONNECTION.to_owned(), connection.version), told).await?;
        Ok(after)
    }

    /// All calendars of an org, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn of_org(&self, org: OrgId) -> Result<Vec<Calendar>, StoreError> {
        self.beginning_with(org, "calendar#").await
    }

    /// One calendar, consistently.
    ///
    /// # Errors
    /// As [`Calendars::of_org`].
    pub async fn calendar(&self, org: OrgId, id: &CalendarId) -> Result<Option<Calendar>, StoreError> {
        self.get(org, &calendar_key(id)).await
    }

    /// Writes `calendar` in the place of the one of its version, and with it what the clinic is told of it. Returns it as written.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when another write came between.
    pub async fn save_calendar(
        &self,
        calendar: &Calendar,
        told: Option<&Notification>,
    ) -> Result<Calendar, ChangeError> {
        let after = Calendar { version: calendar.version.saturating_add(1), ..calendar.clone() };
        let key = calendar_key(&calendar.calendar_id);
        self.save(calendar.org_id, (&after, key, calendar.version), told).await?;
        Ok(after)
    }

    /// Notes that a calendar has changed at its vendor. One that is not there stays so.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn raise_dirty(&self, org: OrgId, id: &CalendarId) -> Result<(), StoreError> {
        let (name, value) = org_key(org);
        let key = calendar_key(id);
        let update = Update {
            // The version with it: who saves what was read before saves nothing.
            change: "ADD dirty :one, version :one",
            condition: "attribute_exists(#item)",
            names: &[("#item", SORT)],
            values: &[(":one", crate::item::number(1))],
        };
        let key = [(name, value.as_str()), (SORT, key.as_str())];
        match self.db.of_org(org).update(Table::Calendars, &key, &update).await {
            Ok(_) | Err(ChangeError::Moved) => Ok(()),
            Err(ChangeError::Store(error)) => Err(error),
        }
    }

    /// The calendars of all orgs that are to be asked by `now`, at most 250 of each part of the index, which may be a moment behind.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn due(&self, now: Timestamp) -> Result<Vec<(OrgId, CalendarId)>, StoreError> {
        let mut due = Vec::new();
        for shard in 0..Calendar::SHARDS {
            let values = [(":shard", text(shard.to_string())), (":now", text(rfc3339_millis(now)))];
            let read = Read {
                index: Some(BY_POLL),
                condition: Some("poll_shard = :shard AND poll_at <= :now"),
                values: &values,
                limit: Some(MOST_DUE),
                lagging: true,
                ..Read::default()
            };
            let page = self.db.of_system(System::Calendars).pages(Table::Calendars, read).next().await?;
            for item in page.into_iter().flat_map(|page| page.items) {
                let calendar: Calendar = decode(Table::Calendars, item)?;
                due.push((calendar.org_id, calendar.calendar_id));
            }
        }
        Ok(due)
    }

    /// The calendars of all orgs that are read.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn all_read(&self) -> Result<Vec<Calendar>, StoreError> {
        let items = self.db.of_system(System::Calendars).scan(Table::Calendars).await?;
        let is_calendar = |item: &crate::item::Item| {
            item.get(SORT).and_then(|key| key.as_s().ok()).is_some_and(|key| key.starts_with("calendar#"))
        };
        let calendars: Result<Vec<Calendar>, StoreError> =
            items.into_iter().filter(is_calendar).map(|item| decode(Table::Calendars, item)).collect();
        Ok(calendars?.into_iter().filter(Calendar::is_read).collect())
    }

    /// How an appointment stands in each calendar that it was ever to be in, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn mirrors(&self, org: OrgId, id: &AppointmentId) -> Result<Vec<Mirror>, StoreError> {
        self.beginning_with(org, &format!("event#{id}#")).await
    }

    /// Writes `mirror` in the place of the one of its version, and with it what the clinic is told of it. Returns it as written.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when another write came between.
    pub async fn save_mirror(
        &self,
        mirror: &Mirror,
        told: Option<&Notification>,
    ) -> Result<Mirror, ChangeError> {
        let after = Mirror { version: mirror.version.saturating_add(1), ..mirror.clone() };
        let key = format!("event#{}#{}", mirror.appointment_id, mirror.calendar_id);
        self.save(mirror.org_id, (&after, key, mirror.version), told).await?;
        Ok(after)
    }

    /// Notes whose event an id of ours is, before it is used.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn note_ours(&self, mirror: &Mirror) -> Result<(), StoreError> {
        let ours = Ours { org_id: mirror.org_id, appointment_id: mirror.appointment_id.clone() };
        let mut item = record(Table::Calendars, &ours)?;
        item.insert(SORT.to_owned(), text(ours_key(&mirror.event_id)));
        self.db.of_org(mirror.org_id).put(Table::Calendars, item).await
    }

    /// Whose event this is, if it is one of ours, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn appointment_of(
        &self,
        org: OrgId,
        id: &CalendarEventId,
    ) -> Result<Option<AppointmentId>, StoreError> {
        let ours: Option<Ours> = self.get(org, &ours_key(id)).await?;
        Ok(ours.map(|ours| ours.appointment_id))
    }

    async fn get<T: DeserializeOwned>(&self, org: OrgId, key: &str) -> Result<Option<T>, StoreError> {
        let (name, value) = org_key(org);
        self.db.of_org(org).get(Table::Calendars, &[(name, &value), (SORT, key)]).await
    }

    async fn beginning_with<T: DeserializeOwned>(
        &self,
        org: OrgId,
        beginning: &str,
    ) -> Result<Vec<T>, StoreError> {
        let values = [(":org", text(org.to_string())), (":kind", text(beginning))];
        let read = Read {
            condition: Some("org_id = :org AND begins_with(#item, :kind)"),
            names: &[("#item", SORT)],
            values: &values,
            ..Read::default()
        };
        let mut pages = self.db.of_org(org).pages(Table::Calendars, read);
        let mut records = Vec::new();
        while let Some(page) = pages.next().await? {
            for item in page.items {
                records.push(decode(Table::Calendars, item)?);
            }
        }
        Ok(records)
    }

    async fn save<T: Serialize>(
        &self,
        org: OrgId,
        (after, key, read): (&T, String, u64),
        told: Option<&Notification>,
    ) -> Result<(), ChangeError> {
        let mut item = record(Table::Calendars, after)?;
        item.insert(SORT.to_owned(), text(key));
        let mut parts: Vec<TransactWriteItem> = vec![if read == 0 {
            put_new_part(&self.db, Table::Calendars, SORT, item)?
        } else {
            put_over_part(&self.db, Table::Calendars, item, read)?
        }];
        if let Some(told) = told {
            parts.push(notifications::put(&self.db, told)?);
        }
        self.db.of_org(org).change(parts).await
    }
}

fn calendar_key(id: &CalendarId) -> String {
    format!("calendar#{id}")
}

fn ours_key(id: &CalendarEventId) -> String {
    format!("ours#{id}")
}
