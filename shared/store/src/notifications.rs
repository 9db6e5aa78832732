//! What clinics are told. A notification is written in the transaction of what it is about, and read or deleted by people.

use aws_sdk_dynamodb::types::{Delete, TransactWriteItem};
use domain::{
    ids::{NotificationId, OrgId},
    notification::Notification,
};

use crate::{
    dynamo::{Dynamo, Read, Update},
    error::{ChangeError, StoreError},
    item::{Item, decode, delete_part, org_key, put_new_part, record, text},
    table::Table,
};

/// The name of the sort key.
const SORT: &str = "notification_id";
/// The index of those that nobody has read.
const UNREAD: &str = "by_unread";

/// The table of what clinics are told.
#[derive(Clone, Debug)]
pub struct Notifications {
    db: Dynamo,
}

/// A page of notifications.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// The notifications, the newest first.
    pub notifications: Vec<Notification>,
    /// The last of the page, if another follows: what the next one begins after.
    pub next: Option<NotificationId>,
}

impl Notifications {
    /// The notifications of this environment.
    pub const fn new(db: Dynamo) -> Self {
        Self { db }
    }

    /// A page of an org's notifications, the newest first, consistently: those from before the one that `before` names, at most
    /// `most`; of those that nobody has read alone, if so asked.
    ///
    /// # Errors
    /// When the database does not answer, or a notification does not decode.
    pub async fn last(
        &self,
        org: OrgId,
        (before, most): (Option<&NotificationId>, u16),
        unread_only: bool,
    ) -> Result<Listed, StoreError> {
        let (_, org_id) = org_key(org);
        let key = if unread_only { "unread" } else { SORT };
        let mut values = vec![(":org", text(org_id))];
        values.extend(before.map(|id| (":before", text(id.as_str()))));
        let read = Read {
            index: unread_only.then_some(UNREAD),
            condition: Some(match before {
                Some(_) => "org_id = :org AND #key < :before",
                None => "org_id = :org",
            }),
            names: if before.is_some() { &[("#key", key)] } else { &[] },
            values: &values,
            backwards: true,
            limit: Some(i32::from(most)),
            ..Read::default()
        };
        let Some(page) = self.db.of_org(org).pages(Table::Notifications, read).next().await? else {
            return Ok(Listed::default());
        };
        let has_more = page.next.is_some();
        let notifications: Vec<Notification> = page
            .items
            .into_iter()
            .map(|item| decode(Table::Notifications, item))
            .collect::<Result<_, _>>()?;
        let last = notifications.last().map(|last| last.notification_id.clone());
        Ok(Listed { notifications, next: last.filter(|_| has_more) })
    }

    /// A notification, consistently; none when somebody has deleted it.
    ///
    /// # Errors
    /// When the database does not answer, or the notification does not decode.
    pub async fn get(&self, org: OrgId, id: &NotificationId) -> Result<Option<Notification>, StoreError> {
        let (name, value) = org_key(org);
        self.db.of_org(org).get(Table::Notifications, &[(name, &value), (SORT, id.as_str())]).await
    }

    /// Notes that a notification was read; again, if it was. Returns it as it is then; none where there is none.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn read(&self, org: OrgId, id: &NotificationId) -> Result<Option<Notification>, StoreError> {
        let (name, value) = org_key(org);
        let update = Update {
            change: "REMOVE unread",
            condition: "attribute_exists(notification_id)",
            names: &[],
            values: &[],
        };
        let key = [(name, value.as_str()), (SORT, id.as_str())];
        match self.db.of_org(org).update(Table::Notifications, &key, &update).await {
            Ok(item) => decode(Table::Notifications, item).map(Some),
            Err(ChangeError::Moved) => Ok(None),
            Err(ChangeError::Store(error)) => Err(error),
        }
    }

    /// Deletes a notification. Returns whether it was there.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delete(&self, org: OrgId, id: &NotificationId) -> Result<bool, StoreError> {
        let (name, value) = org_key(org);
        let key: Item = [(name, text(value)), (SORT, text(id.as_str()))]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let delete = Delete::builder()
            .table_name(self.db.table_name(Table::Notifications))
            .set_key(Some(key))
            .condition_expression("attribute_exists(notification_id)");
        match self.db.of_org(org).change(vec![delete_part(delete)?]).await {
            Ok(()) => Ok(true),
            Err(ChangeError::Moved) => Ok(false),
            Err(ChangeError::Store(error)) => Err(error),
        }
    }
}

/// The part of a transaction that tells a clinic of what it does.
pub(crate) fn put(db: &Dynamo, notification: &Notification) -> Result<TransactWriteItem, StoreError> {
    put_new_part(db, Table::Notifications, SORT, record(Table::Notifications, notification)?)
}
