//! Whose a Vapi number or assistant is: the only way from a vendor's message to an org.

use serde::{Deserialize, Serialize};

use crate::{
    dynamo::Dynamo,
    error::{ChangeError, StoreError},
    item::{record, text},
    table::Table,
};
use domain::{
    call::Direction,
    ids::{OrgId, VapiAssistantId, VapiPhoneId},
    phone_number::PhoneNumber,
};

/// The two mapping tables.
#[derive(Clone, Debug)]
pub struct Mappings {
    db: Dynamo,
}

/// Whose a number is, and who answers it. Rewritten when the agent changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhoneNumberMapping {
    /// The number as Vapi names it.
    pub vapi_phone_id: VapiPhoneId,
    /// Whose it is.
    pub org_id: OrgId,
    /// The number itself.
    pub phone_number: PhoneNumber,
    /// What it is for.
    pub direction: Direction,
    /// Who answers; none while no agent is linked to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vapi_assistant_id: Option<VapiAssistantId>,
    /// The longest that agent may talk, in seconds.
    pub agent_limit_secs: u32,
}

/// Whose an assistant is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssistantMapping {
    /// The assistant as Vapi names it.
    pub vapi_assistant_id: VapiAssistantId,
    /// Whose it is.
    pub org_id: OrgId,
    /// What it is for.
    pub role: Direction,
    /// The longest it may talk, in seconds.
    pub agent_limit_secs: u32,
}

impl Mappings {
    /// The mappings of this environment.
    pub const fn new(db: Dynamo) -> Self {
        Self { db }
    }

    /// Whose a number is.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn phone_number(&self, id: &VapiPhoneId) -> Result<Option<PhoneNumberMapping>, StoreError> {
        self.db.resolving().get(Table::PhoneNumberMapping, &[("vapi_phone_id", id.as_str())]).await
    }

    /// Whose an assistant is.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn assistant(&self, id: &VapiAssistantId) -> Result<Option<AssistantMapping>, StoreError> {
        self.db.resolving().get(Table::AssistantMapping, &[("vapi_assistant_id", id.as_str())]).await
    }

    /// Lets `mapping` stand in the place of what is there for this assistant, if that is the same org's. Returns whether it was.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn renew_assistant(&self, mapping: &AssistantMapping) -> Result<bool, StoreError> {
        let item = record(Table::AssistantMapping, mapping)?;
        let values = [(":org", text(mapping.org_id.to_string()))];
        let db = self.db.of_org(mapping.org_id);
        match db.put_if(Table::AssistantMapping, item, "org_id = :org", &[], &values).await {
            Ok(()) => Ok(true),
            Err(ChangeError::Moved) => Ok(false),
            Err(ChangeError::Store(error)) => Err(error),
        }
    }

    /// Maps a number that is not mapped yet; a number belongs to one org. Returns whether it is mapped so.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn add_phone_number(&self, mapping: &PhoneNumberMapping) -> Result<bool, StoreError> {
        let item = record(Table::PhoneNumberMapping, mapping)?;
        let db = self.db.of_org(mapping.org_id);
        let is_new = db.put_new(Table::PhoneNumberMapping, "vapi_phone_id", item).await?.is_none();
        Ok(is_new || self.phone_number(&mapping.vapi_phone_id).await?.as_ref() == Some(mapping))
    }

    /// Maps an assistant that is not mapped yet. Returns whether it is mapped so.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn add_assistant(&self, mapping: &AssistantMapping) -> Result<bool, StoreError> {
        let item = record(Table::AssistantMapping, mapping)?;
        let db = self.db.of_org(mapping.org_id);
        let is_new = db.put_new(Table::AssistantMapping, "vapi_assistant_id", item).await?.is_none();
        Ok(is_new || self.assistant(&mapping.vapi_assistant_id).await?.as_ref() == Some(mapping))
    }
}
