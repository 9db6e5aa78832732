//! Who wants no more texts of a clinic's, and what patients have written to it. Both stand beside its contacts, by number and by the
//! carrier's name for the text.

use aws_sdk_dynamodb::types::Put;
use domain::{
    ids::OrgId,
    notification::Notification,
    opt_out::{OptOut, Received},
    phone_number::PhoneNumber,
    time::rfc3339_millis,
};
use serde::Serialize;

use crate::{
    dynamo::Dynamo,
    error::{ChangeError, StoreError},
    item::{Item, org_key, put_new_part, put_part, record, text},
    notifications,
    table::Table,
};

/// The name of the sort key.
const SORT: &str = "item";

/// What numbers have said of texts.
#[derive(Clone, Debug)]
pub struct OptOuts {
    db: Dynamo,
}

impl OptOuts {
    /// Those of this environment.
    pub const fn new(db: Dynamo) -> Self {
        Self { db }
    }

    /// What a number last said, consistently; none where it has said nothing.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn of(&self, org: OrgId, number: &PhoneNumber) -> Result<Option<OptOut>, StoreError> {
        let (name, value) = org_key(org);
        self.db.of_org(org).get(Table::Contacts, &[(name, &value), (SORT, &stop_key(number))]).await
    }

    /// Notes what the carrier said of a number when it refused a text, unless the number has said something since that text was begun.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn note(&self, said: &OptOut) -> Result<(), StoreError> {
        let values = [(":at", text(rfc3339_millis(said.at)))];
        let item = keyed(said, stop_key(said.phone_number.reveal()))?;
        let db = self.db.of_org(said.org_id);
        match db.put_if(Table::Contacts, item, UNLESS_LATER, &[("#at", "at")], &values).await {
            Ok(()) | Err(ChangeError::Moved) => Ok(()),
            Err(ChangeError::Store(error)) => Err(error),
        }
    }

    /// A text that came, consistently; none where it has not come before.
    ///
    /// # Errors
    /// As [`OptOuts::of`].
    pub async fn received(&self, org: OrgId, vendor_id: &str) -> Result<Option<Received>, StoreError> {
        let (name, value) = org_key(org);
        self.db.of_org(org).get(Table::Contacts, &[(name, &value), (SORT, &text_key(vendor_id))]).await
    }

    /// Writes down a text that came, once, with what its number says by it and what the clinic is told.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when it has come before, or the number said something else meanwhile.
    pub async fn receive(
        &self,
        received: &Received,
        (said, there): (Option<&OptOut>, Option<&OptOut>),
        told: Option<&Notification>,
    ) -> Result<(), ChangeError> {
        let item = keyed(received, text_key(&received.vendor_id))?;
        let mut parts = vec![put_new_part(&self.db, Table::Contacts, SORT, item)?];
        if let Some(said) = said {
            let item = keyed(said, stop_key(said.phone_number.reveal()))?;
            let put = Put::builder().table_name(self.db.table_name(Table::Contacts)).set_item(Some(item));
            let put = match there {
                None => put
                    .condition_expression("attribute_not_exists(#item)")
                    .expression_attribute_names("#item", SORT),
                Some(there) => put
                    .condition_expression("#at = :read")
                    .expression_attribute_names("#at", "at")
                    .expression_attribute_values(":read", text(rfc3339_millis(there.at))),
            };
            parts.push(put_part(put)?);
        }
        parts.extend(told.map(|told| notifications::put(&self.db, told)).transpose()?);
        self.db.of_org(received.org_id).change(parts).await
    }
}

/// That a number has said nothing after this.
const UNLESS_LATER: &str = "attribute_not_exists(#at) OR #at <= :at";

fn keyed<T: Serialize>(value: &T, key: String) -> Result<Item, StoreError> {
    let mut item = record(Table::Contacts, value)?;
    item.insert(SORT.to_owned(), text(key));
    Ok(item)
}

fn stop_key(number: &PhoneNumber) -> String {
    format!("texts#{}", number.as_str())
}

fn text_key(vendor_id: &str) -> String {
    format!("received#{vendor_id}")
}
