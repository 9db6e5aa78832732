//! The clinic that the local stack comes with.

use shared::{
    domain::{
        call::Direction,
        ids::{IdError, OrgId, VapiAssistantId, VapiPhoneId},
        phone_number::{PhoneNumber, PhoneNumberError},
    },
    store::{
        StoreError,
        mappings::{AssistantMapping, Mappings, PhoneNumberMapping},
        wallets::Wallets,
    },
};
use uuid::Uuid;

use crate::stack::Stack;

/// The clinic.
pub const ORG: OrgId = OrgId::new(Uuid::from_u128(0xDE30_0000_0000_4000_8000_0000_0000_0001));
/// Its number.
pub const NUMBER: &str = "+442071838750";
/// Its assistant.
pub const ASSISTANT_ID: &str = "2a0f7a4e-demo-assistant";
const PHONE_ID: &str = "7c1d0b52-demo-number";
/// Where its number rings when we cannot answer.
const OWN_LINE: &str = "+442079460000";
/// The longest its agent talks: an hour.
const AGENT_LIMIT_SECS: u32 = 3_600;

/// Why the clinic cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The store did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// One of the constants above is no id.
    #[error(transparent)]
    Id(#[from] IdError),
    /// The number above is none.
    #[error(transparent)]
    Number(#[from] PhoneNumberError),
}

/// Sets the clinic up: wallet, number, assistant. Doing it again changes nothing.
///
/// # Errors
/// When the store does not do its part.
pub async fn seed(stack: &Stack) -> Result<(), SeedError> {
    let mappings = Mappings::new(stack.db());
    let vapi_assistant_id = VapiAssistantId::parse(ASSISTANT_ID)?;
    stack.vapi.add_number(PHONE_ID, NUMBER, Some(OWN_LINE));
    mappings
        .add_phone_number(&PhoneNumberMapping {
            vapi_phone_id: VapiPhoneId::parse(PHONE_ID)?,
            org_id: ORG,
            phone_number: PhoneNumber::parse(NUMBER)?,
            direction: Direction::Inbound,
            vapi_assistant_id: Some(vapi_assistant_id.clone()),
            agent_limit_secs: AGENT_LIMIT_SECS,
        })
        .await?;
    mappings
        .add_assistant(&AssistantMapping {
            vapi_assistant_id,
            org_id: ORG,
            role: Direction::Inbound,
            agent_limit_secs: AGENT_LIMIT_SECS,
        })
        .await?;
    Wallets::new(stack.db()).ensure(ORG).await?;
    Ok(())
}
