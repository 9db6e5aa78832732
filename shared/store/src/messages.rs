//! What patients are told. A message that is due waits in `due_messages`, where the transaction of what it tells of has put it; what
//! became of it is in `messages`, one record for each appointment, revision, kind and channel.

use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use domain::{
    ids::{AppointmentId, OrgId},
    message::{Due, Message, State, prefix},
    notification::Notification,
    time::{rfc3339_millis, whole_millis},
};
use jiff::Timestamp;

use crate::{
    dynamo::{Dynamo, Read, Scoped},
    error::{ChangeError, StoreError},
    item::{Item, decode, delete_part, encode, org_key, put_new_part, put_part, record, text},
    notifications,
    scope::System,
    table::Table,
};

/// The name of the sort key of the messages.
const SORT: &str = "item";
/// The name of the sort key of those that are due.
const DUE: &str = "due";

/// The table of what patients were told.
#[derive(Clone, Debug)]
pub struct Messages {
    db: Dynamo,
}

impl Messages {
    /// The messages of this environment.
    pub const fn new(db: Dynamo) -> Self {
        Self { db }
    }

    /// Claims a message, so that it is sent once. Returns the one that is there if it was claimed before, by another.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn claim(&self, message: &Message) -> Result<Option<Message>, StoreError> {
        let item = record(Table::Messages, message)?;
        let there = self.db.of_org(message.org_id).put_new(Table::Messages, SORT, item).await?;
        let there: Option<Message> = there.map(|item| decode(Table::Messages, item)).transpose()?;
        Ok(there.filter(|there| there.message_id != message.message_id))
    }

    /// Notes what became of a message whose sending was begun by this claim.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when it is noted already, or the claim is another's by now.
    pub async fn note(&self, message: &Message, state: State) -> Result<Message, ChangeError> {
        self.put_over(message, Message { state, ..message.clone() }).await
    }

    /// Takes a letter up again that waits.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when it waits no longer.
    pub async fn resume(&self, letter: &Message, now: Timestamp) -> Result<Message, ChangeError> {
        let again = Message { state: State::Sending, at: whole_millis(now), ..letter.clone() };
        self.put_over(letter, again).await
    }

    /// Writes a message in the place of one that stands as it was read.
    async fn put_over(&self, before: &Message, after: Message) -> Result<Message, ChangeError> {
        let item = record(Table::Messages, &after)?;
        let values = claim_of(before);
        self.db.of_org(before.org_id).put_if(Table::Messages, item, SAME_CLAIM, NAMES, &values).await?;
        Ok(after)
    }

    /// Gives a claim back: the message was certainly not sent, and may be, later.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when the claim is another's by now.
    pub async fn give_back(&self, message: &Message) -> Result<(), ChangeError> {
        let (name, value) = org_key(message.org_id);
        let key = [(name, value.as_str()), (SORT, message.item.as_str())];
        let values = claim_of(message);
        self.db.of_org(message.org_id).delete(Table::Messages, &key, Some(SAME_CLAIM), NAMES, &values).await
    }

    /// A message, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn get(&self, org: OrgId, item: &str) -> Result<Option<Message>, StoreError> {
        let (name, value) = org_key(org);
        self.db.of_org(org).get(Table::Messages, &[(name, &value), (SORT, item)]).await
    }

    /// Claims a text for which nothing is charged; with it goes when it is looked for.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when it is claimed already.
    pub async fn claim_text(&self, message: &Message) -> Result<(), ChangeError> {
        self.db.of_org(message.org_id).change(claim_parts(&self.db, message)?).await
    }

    /// Writes down a text that cannot be paid for; with it goes what the clinic is told of that, where it was not told yet.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when it is claimed already, or the clinic was told meanwhile.
    pub async fn unpaid(&self, message: &Message, told: Option<&Notification>) -> Result<(), ChangeError> {
        let mut items =
            vec![put_new_part(&self.db, Table::Messages, SORT, record(Table::Messages, message)?)?];
        items.extend(told.map(|told| notifications::put(&self.db, told)).transpose()?);
        self.db.of_org(message.org_id).change(items).await
    }

    /// Claims a text anew that waits, and is paid for; with it goes when it is looked for.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when it waits no longer.
    pub async fn claim_again(&self, before: &Message, after: &Message) -> Result<(), ChangeError> {
        let mut items = vec![over_part(&self.db, before, after)?];
        items.extend(lookup_parts(&self.db, after)?);
        self.db.of_org(before.org_id).change(items).await
    }

    /// All messages of an appointment, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn of(&self, org: OrgId, appointment: &AppointmentId) -> Result<Vec<Message>, StoreError> {
        let (_, org_id) = org_key(org);
        let values = [(":org", text(org_id)), (":prefix", text(prefix(appointment)))];
        let read = Read {
            condition: Some("org_id = :org AND begins_with(#item, :prefix)"),
            names: &[("#item", SORT)],
            values: &values,
            ..Read::default()
        };
        all(self.db.of_org(org), Table::Messages, read).await
    }
}

/// That a message is still in the hands of who claimed it, and stands as it was read.
const SAME_CLAIM: &str = "message_id = :claim AND #state = :state";
const NAMES: &[(&str, &str)] = &[("#state", "state")];

fn claim_of(message: &Message) -> [(&'static str, aws_sdk_dynamodb::types::AttributeValue); 2] {
    [(":claim", text(message.message_id.as_str())), (":state", text(message.state.as_str()))]
}

/// The parts of a transaction that claim a text: its record, and when it is looked for.
pub(crate) fn claim_parts(db: &Dynamo, message: &Message) -> Result<Vec<TransactWriteItem>, StoreError> {
    let mut parts = vec![put_new_part(db, Table::Messages, SORT, record(Table::Messages, message)?)?];
    parts.extend(lookup_parts(db, message)?);
    Ok(parts)
}

fn lookup_parts(db: &Dynamo, message: &Message) -> Result<Vec<TransactWriteItem>, StoreError> {
    Due::lookups(message).iter().map(|due| due_part(db, due)).collect()
}

/// The part of a transaction that ends a text which is as read: it stands like `after`, or its claim is given back.
pub(crate) fn end_part(
    db: &Dynamo,
    before: &Message,
    after: Option<State>,
) -> Result<TransactWriteItem, StoreError> {
    if let Some(state) = after {
        return over_part(db, before, &Message { state, ..before.clone() });
    }
    let (name, value) = org_key(before.org_id);
    let [claim, state] = claim_of(before);
    let delete = Delete::builder()
        .table_name(db.table_name(Table::Messages))
        .key(name, text(value))
        .key(SORT, text(before.item.as_str()))
        .condition_expression(SAME_CLAIM)
        .expression_attribute_names("#state", "state")
        .expression_attribute_values(claim.0, claim.1)
        .expression_attribute_values(state.0, state.1);
    delete_part(delete)
}

fn over_part(db: &Dynamo, before: &Message, after: &Message) -> Result<TransactWriteItem, StoreError> {
    let [claim, state] = claim_of(before);
    let put = Put::builder()
        .table_name(db.table_name(Table::Messages))
        .set_item(Some(record(Table::Messages, after)?))
        .condition_expression(SAME_CLAIM)
        .expression_attribute_names("#state", "state")
        .expression_attribute_values(claim.0, claim.1)
        .expression_attribute_values(state.0, state.1);
    put_part(put)
}

/// The table of what is due.
#[derive(Clone, Debug)]
pub struct DueMessages {
    db: Dynamo,
}

impl DueMessages {
    /// What is due in this environment.
    pub const fn new(db: Dynamo) -> Self {
        Self { db }
    }

    /// What is due by `now` in this partition, the oldest first, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn by(&self, slot: &str, now: Timestamp) -> Result<Vec<Due>, StoreError> {
        // A time sorts before what follows it in a key; the next character after `#` ends those of this very instant.
        let values = [(":slot", text(slot)), (":now", text(format!("{}$", rfc3339_millis(now))))];
        let read = Read {
            condition: Some("#slot = :slot AND #due < :now"),
            names: &[("#slot", "slot"), ("#due", DUE)],
            values: &values,
            ..Read::default()
        };
        all(self.db.of_system(System::DueMessages), Table::DueMessages, read).await
    }

    /// Takes a message out, now that the queue has it. It may be gone already.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn remove(&self, due: &Due) -> Result<(), StoreError> {
        let key = [("slot", due.slot.as_str()), (DUE, due.due.as_str())];
        let db = self.db.of_system(System::DueMessages);
        match db.delete(Table::DueMessages, &key, None, &[], &[]).await {
            Ok(()) | Err(ChangeError::Moved) => Ok(()),
            Err(ChangeError::Store(error)) => Err(error),
        }
    }
}

/// The part of a transaction that has a patient told of what it does.
pub(crate) fn due_part(db: &Dynamo, due: &Due) -> Result<TransactWriteItem, StoreError> {
    put_new_part(db, Table::DueMessages, DUE, encode(Table::DueMessages, due)?)
}

async fn all<T: serde::de::DeserializeOwned>(
    db: Scoped<'_>,
    table: Table,
    read: Read<'_>,
) -> Result<Vec<T>, StoreError> {
    let mut pages = db.pages(table, read);
    let mut found = Vec::new();
    while let Some(page) = pages.next().await? {
        let decoded = page.items.into_iter().map(|item: Item| decode(table, item));
        found.extend(decoded.collect::<Result<Vec<T>, _>>()?);
    }
    Ok(found)
}
