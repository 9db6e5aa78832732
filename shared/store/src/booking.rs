//! Appointments: what clinics offer, whose time is taken, and the one transaction that takes it.

mod appointments;
mod catalog;
mod days;

use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::{
    audit::AuditEntry,
    booking::{
        appointment::Appointment,
        catalog::{Resource, Service},
        conversation::Conversation,
        diary::ResourceDay,
    },
    contact::Contact,
    ids::{AppointmentId, CallId, OrgId},
    message::Due,
    notification::Notification,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    audit, contacts,
    dynamo::Dynamo,
    error::{ChangeError, StoreError},
    item::{Item, check_part, org_key, put_new_part, put_over_part, record, text},
    messages, notifications,
    table::Table,
};

pub use appointments::{Between, Listed};
pub use catalog::Catalog;

/// The name of the sort key in the tables of appointments.
const SORT: &str = "item";

/// The tables of appointments.
#[derive(Clone, Debug)]
pub struct Bookings {
    db: Dynamo,
}

/// Something that was asked for once, and the appointment that it became. A repeat finds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Whose it is.
    pub org_id: OrgId,
    /// What was asked for: the hash of what tells it from everything else.
    pub intent: String,
    /// Raised by every write; 0 for one that is new. A write names the one that it read.
    pub version: u64,
    /// What became of it.
    pub appointment_id: AppointmentId,
    /// When it was asked for.
    #[serde(with = "domain::time::millis")]
    pub at: Timestamp,
    /// The hash of the whole request, where a client names the intent by a key of its own: another request under the same key is
    /// refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_hash: Option<String>,
    /// Which use of a tool asked for it, where one did: the same, delivered again, asks for nothing more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool_call: Option<String>,
}

/// What a booking, a move, a cancellation or a hold writes, all of it or nothing. Each record names the version that was read.
#[derive(Clone, Debug, Default)]
pub struct Booking<'a> {
    /// The service and the resources that it was decided by; none for what takes no time.
    pub by: Option<(&'a Service, &'a [&'a Resource])>,
    /// What is taken of them, day by day.
    pub days: &'a [ResourceDay],
    /// What was offered, held, booked and changed on the call.
    pub conversation: Option<&'a Conversation>,
    /// The appointment; none for a hold.
    pub appointment: Option<&'a Appointment>,
    /// What was asked for, where that is to become one appointment.
    pub intent: Option<&'a Intent>,
    /// What the audit log says of it.
    pub act: Option<&'a AuditEntry>,
    /// What the clinic is told of it.
    pub notification: Option<&'a Notification>,
    /// The patient, where the clinic did not know them so.
    pub contact: Option<&'a Contact>,
    /// What is to be told of it, and when.
    pub due: &'a [Due],
}

impl Bookings {
    /// The appointments of this environment.
    pub const fn new(db: Dynamo) -> Self {
        Self { db }
    }

    /// Writes a booking, a move, a cancellation, a hold or a message: the days, the appointment, what was asked for, the call's
    /// conversation, the patient's contact, and what clinic and patient are told, on the condition that nothing that it rests on has changed, neither the days nor the service nor the resources.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when something has, or when the booking has been made already: read again, decide again.
    pub async fn book(&self, org: OrgId, booking: &Booking<'_>) -> Result<(), ChangeError> {
        let mut parts = Vec::new();
        if let Some((service, resources)) = booking.by {
            parts.push(self.service_is_as_read(service)?);
            for resource in resources {
                parts.push(self.resource_is_as_read(resource)?);
            }
        }
        for day in booking.days {
            parts.push(self.day(day)?);
        }
        if let Some(conversation) = booking.conversation {
            parts.push(self.conversation_part(conversation)?);
        }
        if let Some(appointment) = booking.appointment {
            let after = appointment.written();
            let item = item(Table::Appointments, &after, after.appointment_id.as_str())?;
            parts.push(self.put(Table::Appointments, item, appointment.version)?);
        }
        if let Some(intent) = booking.intent {
            parts.push(self.intent_part(intent)?);
        }
        if let Some(act) = booking.act {
            parts.push(audit::put(&self.db, act)?);
        }
        if let Some(notification) = booking.notification {
            parts.push(notifications::put(&self.db, notification)?);
        }
        if let Some(contact) = booking.contact {
            parts.extend(contacts::parts(&self.db, contact)?);
        }
        for due in booking.due {
            parts.push(messages::due_part(&self.db, due)?);
        }
        self.db.of_org(org).change(parts).await
    }

    /// What was offered, held and booked on a call, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn conversation(&self, org: OrgId, call: &CallId) -> Result<Conversation, StoreError> {
        let there = self.get(org, &conversation_key(call)).await?;
        Ok(there.unwrap_or_else(|| Conversation::begun(org, call.clone())))
    }

    /// Writes `conversation` in the place of the one of its version.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when another write came between.
    pub async fn save_conversation(&self, conversation: &Conversation) -> Result<(), ChangeError> {
        let part = self.conversation_part(conversation)?;
        self.db.of_org(conversation.org_id).change(vec![part]).await
    }

    /// What became of something that was asked for, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn intent(&self, org: OrgId, intent: &str) -> Result<Option<Intent>, StoreError> {
        self.get(org, &intent_key(intent)).await
    }

    async fn get<T: serde::de::DeserializeOwned>(
        &self,
        org: OrgId,
        key: &str,
    ) -> Result<Option<T>, StoreError> {
        let (name, value) = org_key(org);
        self.db.of_org(org).get(Table::Appointments, &[(name, &value), (SORT, key)]).await
    }

    fn conversation_part(&self, conversation: &Conversation) -> Result<TransactWriteItem, StoreError> {
        let after = Conversation { version: conversation.version.saturating_add(1), ..conversation.clone() };
        let item = item(Table::Appointments, &after, &conversation_key(&after.call_id))?;
        self.put(Table::Appointments, item, conversation.version)
    }

    fn intent_part(&self, intent: &Intent) -> Result<TransactWriteItem, StoreError> {
        let after = Intent { version: intent.version.saturating_add(1), ..intent.clone() };
        let item = item(Table::Appointments, &after, &intent_key(&after.intent))?;
        self.put(Table::Appointments, item, intent.version)
    }

    /// The part of a transaction that puts `item` where nothing is, or in the place of the version that was read.
    fn put(&self, table: Table, item: Item, read: u64) -> Result<TransactWriteItem, StoreError> {
        if read == 0 {
            return put_new_part(&self.db, table, SORT, item);
        }
        put_over_part(&self.db, table, item, read)
    }

    fn is_as_read(&self, org: OrgId, key: &str, version: u64) -> Result<TransactWriteItem, StoreError> {
        let (name, value) = org_key(org);
        check_part(&self.db, Table::BookingCatalog, &[(name, &value), (SORT, key)], version)
    }
}

/// A record with its sort key.
fn item<T: Serialize>(table: Table, value: &T, key: &str) -> Result<Item, StoreError> {
    let mut item = record(table, value)?;
    item.insert(SORT.to_owned(), text(key));
    Ok(item)
}

fn conversation_key(call: &CallId) -> String {
    format!("call#{call}")
}

fn intent_key(intent: &str) -> String {
    format!("intent#{intent}")
}
