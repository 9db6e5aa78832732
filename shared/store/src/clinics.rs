//! What clinics say about themselves: one record an org, from its first save on.

use aws_sdk_dynamodb::types::TransactWriteItem;

use crate::{
    dynamo::Dynamo,
    error::{ChangeError, StoreError},
    item::{org_key, put_new_part, record},
    table::Table,
};
use domain::{
    clinic::{Clinic, ClinicZone},
    ids::OrgId,
};

/// The table of clinics.
#[derive(Clone, Debug)]
pub struct Clinics {
    db: Dynamo,
}

impl Clinics {
    /// The clinics of this environment.
    pub const fn new(db: Dynamo) -> Self {
        Self { db }
    }

    /// The org's clinic, consistently; [`Clinic::unsaved`] for an org that has saved nothing.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn get(&self, org: OrgId) -> Result<Clinic, StoreError> {
        let (name, value) = org_key(org);
        let there = self.db.of_org(org).get(Table::Clinics, &[(name, &value)]).await?;
        Ok(there.unwrap_or_else(|| Clinic::unsaved(org)))
    }

    /// Where the org's days begin and end.
    ///
    /// # Errors
    /// As [`Clinics::get`].
    pub async fn zone(&self, org: OrgId) -> Result<ClinicZone, StoreError> {
        Ok(self.get(org).await?.time_zone)
    }

    /// Writes `clinic` in the place of the one of its version. Returns it as written.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when another write came between.
    pub async fn save(&self, clinic: &Clinic) -> Result<Clinic, ChangeError> {
        let after = Clinic { version: clinic.version.saturating_add(1), ..clinic.clone() };
        let item = record(Table::Clinics, &after)?;
        let db = self.db.of_org(clinic.org_id);
        if clinic.version > 0 {
            db.put_over(Table::Clinics, item, clinic.version).await?;
        } else if db.put_new(Table::Clinics, "org_id", item).await?.is_some() {
            return Err(ChangeError::Moved);
        }
        Ok(after)
    }
}

/// The part of a transaction that writes a clinic which has none.
pub(crate) fn new_part(db: &Dynamo, clinic: &Clinic) -> Result<TransactWriteItem, StoreError> {
    let after = Clinic { version: clinic.version.saturating_add(1), ..clinic.clone() };
    put_new_part(db, Table::Clinics, "org_id", record(Table::Clinics, &after)?)
}
