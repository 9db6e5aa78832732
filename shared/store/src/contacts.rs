//! Whom clinics know. A person is found by number and name: the row that leads from the two to the contact exists once, so two
//! calls at once make one contact.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use domain::{
    audit::AuditEntry,
    booking::appointment::PatientName,
    contact::{Contact, spelled_alike},
    ids::{ContactId, OrgId},
    phone_number::PhoneNumber,
};
use serde::{Deserialize, Serialize};

use crate::{
    audit,
    dynamo::{Dynamo, Read},
    error::{ChangeError, StoreError},
    item::{Item, decode, org_key, put_new_part, put_over_part, put_part, record, text},
    table::Table,
};

/// The name of the sort key.
const SORT: &str = "item";
/// The index of contacts alone, by when they were changed last.
const BY_UPDATE: &str = "by_update";

/// The table of contacts.
#[derive(Clone, Debug)]
pub struct Contacts {
    db: Dynamo,
}

/// What leads from a number and a name to a contact.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    org_id: OrgId,
    item: String,
    contact_id: ContactId,
}

impl Row {
    /// The row of a contact who has a number.
    fn of(contact: &Contact) -> Option<Self> {
        let number = contact.phone_number.as_ref()?;
        Some(Self {
            org_id: contact.org_id,
            item: row_key(number.reveal(), &contact.name),
            contact_id: contact.contact_id.clone(),
        })
    }

    /// The part of a transaction that puts it: where none is, or where it leads to the same contact already.
    fn part(&self, db: &Dynamo) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(db.table_name(Table::Contacts))
            .set_item(Some(record(Table::Contacts, self)?))
            .condition_expression("attribute_not_exists(#item) OR contact_id = :contact")
            .expression_attribute_names("#item", SORT)
            .expression_attribute_values(":contact", text(self.contact_id.as_str()));
        put_part(put)
    }
}

/// A page of contacts.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// The contacts, the one that was changed last first.
    pub contacts: Vec<Contact>,
    /// What the next page begins after, if one follows.
    pub next: Option<Place>,
}

/// The place of a contact in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// When it was changed, as it is stored.
    pub updated_at: String,
    /// Which it is.
    pub contact_id: ContactId,
}

impl Place {
    /// The place of `contact`.
    pub fn of(contact: &Contact) -> Self {
        Self {
            updated_at: domain::time::rfc3339_millis(contact.updated_at),
            contact_id: contact.contact_id.clone(),
        }
    }
}

impl Contacts {
    /// The contacts of this environment.
    pub const fn new(db: Dynamo) -> Self {
        Self { db }
    }

    /// A contact, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn get(&self, org: OrgId, id: &ContactId) -> Result<Option<Contact>, StoreError> {
        self.read(org, &contact_key(id)).await
    }

    /// The person of this number and name, in any of the name's spellings, consistently.
    ///
    /// # Errors
    /// As [`Contacts::get`].
    pub async fn find(
        &self,
        org: OrgId,
        number: &PhoneNumber,
        name: &PatientName,
    ) -> Result<Option<Contact>, StoreError> {
        let row: Option<Row> = self.read(org, &row_key(number, name)).await?;
        match row {
            Some(row) => self.get(org, &row.contact_id).await,
            None => Ok(None),
        }
    }

    /// A page of at most `most` contacts, the one that was changed last first, consistently; after a place, where one is given.
    ///
    /// # Errors
    /// As [`Contacts::get`].
    pub async fn last(&self, org: OrgId, after: Option<&Place>, most: u16) -> Result<Listed, StoreError> {
        let (name, org_id) = org_key(org);
        let values = [(":org", text(org_id.clone()))];
        let read = Read {
            index: Some(BY_UPDATE),
            condition: Some("org_id = :org"),
            values: &values,
            backwards: true,
            // One more tells whether anything follows.
            limit: Some(i32::from(most).saturating_add(1)),
            ..Read::default()
        };
        let start = after.map(|place| {
            let parts = [
                (name, org_id),
                (SORT, contact_key(&place.contact_id)),
                ("updated_at", place.updated_at.clone()),
            ];
            parts.into_iter().map(|(name, value)| (name.to_owned(), text(value))).collect::<Item>()
        });
        let mut pages = self.db.of_org(org).pages(Table::Contacts, read).from(start);
        let mut contacts: Vec<Contact> = Vec::new();
        let most = usize::from(most);
        while contacts.len() <= most {
            let Some(page) = pages.next().await? else { break };
            for item in page.items {
                contacts.push(decode(Table::Contacts, item)?);
            }
        }
        let has_more = contacts.len() > most;
        contacts.truncate(most);
        let next = contacts.last().filter(|_| has_more).map(Place::of);
        Ok(Listed { contacts, next })
    }

    /// Adds a contact, with the row by which its number and name find it, and writes down who did.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when the person is known already.
    pub async fn save(&self, contact: &Contact, act: &AuditEntry) -> Result<(), ChangeError> {
        let mut parts = parts(&self.db, contact)?;
        parts.push(audit::put(&self.db, act)?);
        self.db.of_org(contact.org_id).change(parts).await
    }

    /// Writes a contact in the place of the one of its version, and writes down who did. Under a name that is new it is found too.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when another write came between, or the number and the new name are somebody's.
    pub async fn rename(
        &self,
        before: &Contact,
        after: &Contact,
        act: &AuditEntry,
    ) -> Result<(), ChangeError> {
        let mut parts = parts(&self.db, after)?;
        let is_renamed = !after.name.is_same(&before.name);
        if let (true, Some(row)) = (is_renamed, Row::of(after)) {
            parts.push(row.part(&self.db)?);
        }
        parts.push(audit::put(&self.db, act)?);
        self.db.of_org(after.org_id).change(parts).await
    }

    async fn read<T: serde::de::DeserializeOwned>(
        &self,
        org: OrgId,
        key: &str,
    ) -> Result<Option<T>, StoreError> {
        let (name, value) = org_key(org);
        self.db.of_org(org).get(Table::Contacts, &[(name, &value), (SORT, key)]).await
    }
}

/// The parts of a transaction that write a contact: one that is new with the row by which its number and name find it.
pub(crate) fn parts(db: &Dynamo, contact: &Contact) -> Result<Vec<TransactWriteItem>, StoreError> {
    let after = contact.written();
    let mut item = record(Table::Contacts, &after)?;
    item.insert(SORT.to_owned(), text(contact_key(&after.contact_id)));
    if contact.version > 0 {
        return Ok(vec![put_over_part(db, Table::Contacts, item, contact.version)?]);
    }
    let mut parts = vec![put_new_part(db, Table::Contacts, SORT, item)?];
    if let Some(row) = Row::of(&after) {
        parts.push(row.part(db)?);
    }
    Ok(parts)
}

fn contact_key(id: &ContactId) -> String {
    format!("contact#{id}")
}

/// The number, and what all spellings of the name have in common.
fn row_key(number: &PhoneNumber, name: &PatientName) -> String {
    format!("phone#{}#{}", number.as_str(), spelled_alike(name))
}
