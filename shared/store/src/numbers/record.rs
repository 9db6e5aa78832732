//! What is kept of a number: a row of `org_credentials`, and one of `managed_phone_numbers`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use domain::{
    amount::Amount,
    call::Direction,
    ids::{AccountSid, NumberSid, OrgId, PurchaseId, VapiPhoneId},
    number::{Country, NumberType},
    phone_number::PhoneNumber,
    sealed::Sealed,
};

/// Whether an org may use a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It may.
    Active,
    /// It is being given up: the vendors have not all confirmed yet.
    Releasing,
    /// It is gone.
    Released,
}

impl Status {
    /// As it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Releasing => "releasing",
            Self::Released => "released",
        }
    }
}

/// A number that an org has, with what opens its account: a row of `org_credentials`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrgNumber {
    /// Whose it is.
    pub org_id: OrgId,
    /// What it is for: with the provider, the key. One of each.
    pub direction: Direction,
    /// Raised by every write; a write names the one it read.
    pub version: u64,
    /// The number.
    pub phone_number: PhoneNumber,
    /// As Vapi names it.
    pub vapi_phone_id: VapiPhoneId,
    /// Whether we bought it, or the org brought it.
    pub is_managed: bool,
    /// Whether it may be used.
    pub status: Status,
    /// The account it lies in.
    pub account_sid: AccountSid,
    /// That account's token.
    pub token: Sealed,
    /// As the carrier names it.
    pub number_sid: NumberSid,
    /// The purchase that brought it.
    pub purchase_id: PurchaseId,
    /// What it cost; nothing for one that the org brought.
    pub cost: Amount,
    /// Since when the org has it.
    #[serde(with = "domain::time::millis")]
    pub created_at: Timestamp,
}

/// A number we bought, and what became of it: a row of `managed_phone_numbers`, kept for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManagedNumber {
    /// Whose it is or was.
    pub org_id: OrgId,
    /// Our name for it: that of its purchase.
    pub number_id: PurchaseId,
    /// Raised by every write; a write names the one it read.
    pub version: u64,
    /// The number.
    pub phone_number: PhoneNumber,
    /// What it is for.
    pub direction: Direction,
    /// What became of it.
    pub status: Status,
    /// The account it lies in.
    pub account_sid: AccountSid,
    /// As the carrier names it.
    pub number_sid: NumberSid,
    /// As Vapi names it.
    pub vapi_phone_id: VapiPhoneId,
    /// Where it is.
    pub country: Country,
    /// What kind it is.
    pub number_type: NumberType,
    /// What it cost.
    pub cost: Amount,
    /// Since when the org has it.
    #[serde(with = "domain::time::millis")]
    pub created_at: Timestamp,
    /// When it was gone.
    #[serde(default, with = "domain::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub released_at: Option<Timestamp>,
    /// Since when a vendor has not had it, although the org did not give it up.
    #[serde(default, with = "domain::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub missing_since: Option<Timestamp>,
}

/// Why an agent is not given a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotListed {
    /// The org's dropdown does not list it.
    #[error("the org has no such number")]
    Unknown,
    /// It is for calls of this direction.
    #[error("the number is for calls of the other direction")]
    OfDirection(Direction),
}

/// The number `id` among those that the dropdown of its org lists, for the agent of `role`.
///
/// # Errors
/// See [`NotListed`].
pub fn listed<'a>(
    id: &VapiPhoneId,
    role: Direction,
    numbers: &'a [OrgNumber],
) -> Result<&'a OrgNumber, NotListed> {
    let is_it = |number: &&OrgNumber| number.vapi_phone_id == *id && number.status == Status::Active;
    let found = numbers.iter().find(is_it).ok_or(NotListed::Unknown)?;
    if found.direction == role { Ok(found) } else { Err(NotListed::OfDirection(found.direction)) }
}
