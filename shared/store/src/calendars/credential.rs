//! What opens a clinic's account at Google: a row of `org_credentials`, beside those of its numbers.

use domain::{ids::OrgId, sealed::Sealed};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    dynamo::Dynamo,
    error::{ChangeError, StoreError},
    item::{decode, delete_part, number, org_key, record, text},
    scope::System,
    table::Table,
};

/// The sort key of the row, and what its secrets are sealed for.
pub const GOOGLE_CALENDAR: &str = "google#calendar";
/// The name of the sort key.
const SORT: &str = "provider_type";

/// What opens a clinic's account, sealed for its org and this row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalendarCredential {
    /// Whose it is.
    pub org_id: OrgId,
    /// Raised by every write; 0 for one that is not written yet. A write names the one that it read.
    pub version: u64,
    /// What opens the account until further notice.
    pub refresh_token: Sealed,
    /// What opens it for about an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token: Option<Sealed>,
    /// Until when.
    #[serde(with = "domain::time::millis")]
    pub access_until: Timestamp,
    /// What the clinic has consented to.
    pub scopes: Vec<String>,
}

/// What opens clinics' accounts.
#[derive(Clone, Debug)]
pub struct CalendarCredentials {
    db: Dynamo,
}

impl CalendarCredentials {
    /// Those of this environment.
    pub const fn new(db: Dynamo) -> Self {
        Self { db }
    }

    /// What opens an org's account, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn get(&self, org: OrgId) -> Result<Option<CalendarCredential>, StoreError> {
        let (name, value) = org_key(org);
        self.db.of_org(org).get(Table::OrgCredentials, &[(name, &value), (SORT, GOOGLE_CALENDAR)]).await
    }

    /// Writes `credential` in the place of the one of its version. Returns it as written.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when another write came between.
    pub async fn save(&self, credential: &CalendarCredential) -> Result<CalendarCredential, ChangeError> {
        let after =
            CalendarCredential { version: credential.version.saturating_add(1), ..credential.clone() };
        let mut item = record(Table::OrgCredentials, &after)?;
        item.insert(SORT.to_owned(), text(GOOGLE_CALENDAR));
        let db = self.db.of_org(credential.org_id);
        if credential.version > 0 {
            db.put_over(Table::OrgCredentials, item, credential.version).await?;
        } else if db.put_new(Table::OrgCredentials, SORT, item).await?.is_some() {
            return Err(ChangeError::Moved);
        }
        Ok(after)
    }

    /// Deletes it, if it is the one of this version.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when another write came between.
    pub async fn delete(&self, credential: &CalendarCredential) -> Result<(), ChangeError> {
        let delete = aws_sdk_dynamodb::types::Delete::builder()
            .table_name(self.db.table_name(Table::OrgCredentials))
            .key("org_id", text(credential.org_id.to_string()))
            .key(SORT, text(GOOGLE_CALENDAR))
            .condition_expression("version = :read")
            .expression_attribute_values(":read", number(credential.version));
        self.db.of_org(credential.org_id).change(vec![delete_part(delete)?]).await
    }

    /// What opens every org's account.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn all(&self) -> Result<Vec<CalendarCredential>, StoreError> {
        let items = self.db.of_system(System::Numbers).scan(Table::OrgCredentials).await?;
        let is_it = |item: &crate::item::Item| {
            item.get(SORT).and_then(|key| key.as_s().ok()).is_some_and(|key| key == GOOGLE_CALENDAR)
        };
        items.into_iter().filter(is_it).map(|item| decode(Table::OrgCredentials, item)).collect()
    }
}
