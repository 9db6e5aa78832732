//! An org's numbers: what it has (the dropdown reads nothing else), what was bought, and whose a number is; all of it changed
//! together.

mod record;

use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use jiff::Timestamp;

pub use self::record::{ManagedNumber, NotListed, OrgNumber, Status, listed};
use crate::{
    agents,
    dynamo::{Dynamo, Read},
    error::{ChangeError, StoreError},
    item::{
        Item, check_part, decode, delete_part, number as number_value, org_key, put_new_part, put_over_part,
        put_part, record, text,
    },
    mappings::PhoneNumberMapping,
    purchases,
    scope::System,
    table::Table,
};
use domain::{
    agent::Agent,
    call::Direction,
    ids::{OrgId, PurchaseId},
    purchase::Purchase,
    sealed::Sealed,
};

/// The tables of numbers.
#[derive(Clone, Debug)]
pub struct Numbers {
    db: Dynamo,
}

/// What the sort keys of numbers in `org_credentials` begin with; others are of other vendors.
const OF_NUMBERS: &str = "twilio#";

/// The sort key of a number in `org_credentials`: `provider#type`.
pub fn provider_type(direction: Direction) -> String {
    format!("{OF_NUMBERS}{}", direction.as_str())
}

impl Numbers {
    /// The numbers of this environment.
    pub const fn new(db: Dynamo) -> Self {
        Self { db }
    }

    /// What an org has, consistently: at most one number of each direction. Reads `org_credentials` and nothing else.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn of_org(&self, org: OrgId) -> Result<Vec<OrgNumber>, StoreError> {
        let values = [(":org", text(org.to_string())), (":kind", text(OF_NUMBERS))];
        let read = Read {
            condition: Some("org_id = :org AND begins_with(provider_type, :kind)"),
            values: &values,
            ..Read::default()
        };
        let mut pages = self.db.of_org(org).pages(Table::OrgCredentials, read);
        let mut numbers = Vec::new();
        while let Some(page) = pages.next().await? {
            for item in page.items {
                numbers.push(decode(Table::OrgCredentials, item)?);
            }
        }
        Ok(numbers)
    }

    /// An org's number of one direction, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn of_direction(
        &self,
        org: OrgId,
        direction: Direction,
    ) -> Result<Option<OrgNumber>, StoreError> {
        let (name, value) = org_key(org);
        let key = provider_type(direction);
        self.db.of_org(org).get(Table::OrgCredentials, &[(name, &value), ("provider_type", &key)]).await
    }

    /// Every number an org has or had of us, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn managed(&self, org: OrgId) -> Result<Vec<ManagedNumber>, StoreError> {
        self.db.of_org(org).all(Table::ManagedPhoneNumbers, org).await
    }

    /// A number that an org has or had of us, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn managed_number(
        &self,
        org: OrgId,
        id: &PurchaseId,
    ) -> Result<Option<ManagedNumber>, StoreError> {
        let (name, value) = org_key(org);
        self.db
            .of_org(org)
            .get(Table::ManagedPhoneNumbers, &[(name, &value), ("number_id", id.as_str())])
            .await
    }

    /// Gives an org its number: the credential, the history of a managed one, whose it is, the agent's link and the end of
    /// the purchase, in one transaction. Each must be new; a number belongs to one org.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when anything of it is not as read, or is there already.
    pub async fn activate(
        &self,
        (before, after): (&Purchase, Purchase),
        number: &OrgNumber,
        managed: Option<&ManagedNumber>,
        mapping: &PhoneNumberMapping,
        agent: &Agent,
    ) -> Result<Purchase, ChangeError> {
        let after = purchases::next(after, before);
        let mut items = vec![
            purchases::put(&self.db, before, &after)?,
            put_new_part(&self.db, Table::OrgCredentials, "provider_type", credential_item(number)?)?,
            put_new_part(
                &self.db,
                Table::PhoneNumberMapping,
                "vapi_phone_id",
                record(Table::PhoneNumberMapping, mapping)?,
            )?,
            agents::put(&self.db, agent)?,
        ];
        if let Some(managed) = managed {
            let item = record(Table::ManagedPhoneNumbers, managed)?;
            items.push(put_new_part(&self.db, Table::ManagedPhoneNumbers, "number_id", item)?);
        }
        self.db.of_org(number.org_id).change(items).await.map(|()| after)
    }

    /// Takes a number off the dropdown and its agent off the number, in both tables at once, and lets it lead nowhere: from here
    /// on it is being given up. `agent` is as it shall be. Returns the number as written.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when the number or the agent is not as read.
    pub async fn give_up(&self, number: &OrgNumber, agent: &Agent) -> Result<OrgNumber, ChangeError> {
        let releasing = OrgNumber {
            status: Status::Releasing,
            version: number.version.saturating_add(1),
            ..number.clone()
        };
        // A call that still rings there is refused, and costs nothing.
        let nowhere = PhoneNumberMapping {
            vapi_phone_id: number.vapi_phone_id.clone(),
            org_id: number.org_id,
            phone_number: number.phone_number.clone(),
            direction: number.direction,
            vapi_assistant_id: None,
            agent_limit_secs: agent.behavior.max_duration_secs,
        };
        let mut items = vec![
            put_over_part(&self.db, Table::OrgCredentials, credential_item(&releasing)?, number.version)?,
            agents::put(&self.db, agent)?,
            self.lead(&nowhere)?,
        ];
        if let Some(managed) = self.managed_number(number.org_id, &number.purchase_id).await? {
            let after = ManagedNumber { status: Status::Releasing, ..managed };
            items.push(self.managed_put(after)?);
        }
        self.db.of_org(number.org_id).change(items).await.map(|()| releasing)
    }

    fn lead(&self, mapping: &PhoneNumberMapping) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(self.db.table_name(Table::PhoneNumberMapping))
            .set_item(Some(record(Table::PhoneNumberMapping, mapping)?))
            .condition_expression("org_id = :org")
            .expression_attribute_values(":org", text(mapping.org_id.to_string()));
        put_part(put)
    }

    fn is_as_read(&self, number: &OrgNumber) -> Result<TransactWriteItem, StoreError> {
        let (name, value) = org_key(number.org_id);
        let key = [(name, value.as_str()), ("provider_type", &provider_type(number.direction))];
        check_part(&self.db, Table::OrgCredentials, &key, number.version)
    }

    /// Ends a number that both vendors have confirmed gone: the credential and the mapping are deleted, the history says so,
    /// and the direction may be claimed again, in one transaction.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when anything of it is not as read.
    pub async fn release(
        &self,
        number: &OrgNumber,
        (before, after): (&Purchase, Purchase),
        at: Timestamp,
    ) -> Result<(), ChangeError> {
        let after = purchases::next(after, before);
        let credential = Delete::builder()
            .table_name(self.db.table_name(Table::OrgCredentials))
            .key("org_id", text(number.org_id.to_string()))
            .key("provider_type", text(provider_type(number.direction)))
            .condition_expression("version = :read")
            .expression_attribute_values(":read", number_value(number.version));
        let mapping = Delete::builder()
            .table_name(self.db.table_name(Table::PhoneNumberMapping))
            .key("vapi_phone_id", text(number.vapi_phone_id.as_str()))
            .condition_expression("org_id = :org")
            .expression_attribute_values(":org", text(number.org_id.to_string()));
        let mut items =
            vec![purchases::put(&self.db, before, &after)?, delete_part(credential)?, delete_part(mapping)?];
        if let Some(managed) = self.managed_number(number.org_id, &number.purchase_id).await? {
            let after = ManagedNumber { status: Status::Released, released_at: Some(at), ..managed };
            items.push(self.managed_put(after)?);
        }
        self.db.of_org(number.org_id).change(items).await
    }

    /// Lets a number lead to whom `mapping` says, if it is still as it was read. Returns whether it was.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn point(&self, number: &OrgNumber, mapping: &PhoneNumberMapping) -> Result<bool, StoreError> {
        let items = vec![self.lead(mapping)?, self.is_as_read(number)?];
        match self.db.of_org(number.org_id).change(items).await {
            Ok(()) => Ok(true),
            Err(ChangeError::Moved) => Ok(false),
            Err(ChangeError::Store(error)) => Err(error),
        }
    }

    /// Writes agents of `org` together, if each is still as it was read, and the numbers they are to be linked to are the org's
    /// and active.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when any of it is not so.
    pub async fn save_agents(
        &self,
        org: OrgId,
        agents: &[Agent],
        linked: &[&OrgNumber],
    ) -> Result<(), ChangeError> {
        let mut items = Vec::new();
        for agent in agents {
            items.push(agents::put(&self.db, agent)?);
        }
        for number in linked {
            items.push(self.is_as_read(number)?);
        }
        self.db.of_org(org).change(items).await
    }

    /// Writes a credential whose secret was sealed anew.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when it is not as read.
    pub async fn reseal(&self, number: &OrgNumber, token: Sealed) -> Result<(), ChangeError> {
        let after = OrgNumber { token, version: number.version.saturating_add(1), ..number.clone() };
        self.db
            .of_org(number.org_id)
            .put_over(Table::OrgCredentials, credential_item(&after)?, number.version)
            .await
    }

    /// Every org's numbers.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn all(&self) -> Result<Vec<OrgNumber>, StoreError> {
        let items = self.db.of_system(System::Numbers).scan(Table::OrgCredentials).await?;
        let is_number = |item: &Item| {
            item.get("provider_type")
                .and_then(|key| key.as_s().ok())
                .is_some_and(|key| key.starts_with(OF_NUMBERS))
        };
        items.into_iter().filter(is_number).map(|item| decode(Table::OrgCredentials, item)).collect()
    }

    /// Every number that any org has or had of us.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn all_managed(&self) -> Result<Vec<ManagedNumber>, StoreError> {
        let items = self.db.of_system(System::Numbers).scan(Table::ManagedPhoneNumbers).await?;
        items.into_iter().map(|item| decode(Table::ManagedPhoneNumbers, item)).collect()
    }

    /// Notes since when a vendor has not had a number; none when all have it again.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when the record is not as read.
    pub async fn note_missing(
        &self,
        managed: &ManagedNumber,
        missing_since: Option<Timestamp>,
    ) -> Result<(), ChangeError> {
        let version = managed.version.saturating_add(1);
        let after = ManagedNumber { version, missing_since, ..managed.clone() };
        let item = record(Table::ManagedPhoneNumbers, &after)?;
        self.db.of_org(managed.org_id).put_over(Table::ManagedPhoneNumbers, item, managed.version).await
    }

    fn managed_put(&self, after: ManagedNumber) -> Result<TransactWriteItem, StoreError> {
        let read = after.version;
        let after = ManagedNumber { version: read.saturating_add(1), ..after };
        put_over_part(&self.db, Table::ManagedPhoneNumbers, record(Table::ManagedPhoneNumbers, &after)?, read)
    }
}

fn credential_item(number: &OrgNumber) -> Result<Item, StoreError> {
    let mut item = record(Table::OrgCredentials, number)?;
    item.insert("provider_type".into(), text(provider_type(number.direction)));
    Ok(item)
}
