//! The purchase of a number, as a saga: from the claim to an active number that was charged once, or to nothing anywhere
//! and everything given back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    amount::Amount,
    call::Direction,
    ids::{AccountSid, NumberSid, OrgId, PurchaseId, VapiPhoneId},
    number::{Address, Country, NumberType},
    phone_number::PhoneNumber,
    sealed::Sealed,
};

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberRequest {
    /// Where.
    pub country: Country,
    /// What kind.
    pub number_type: NumberType,
    /// Only of this area.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area_code: Option<String>,
    /// This very number, or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<PhoneNumber>,
    /// Where the clinic is, where the regulator asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// The clinic's own line, rung when we cannot answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_number: Option<PhoneNumber>,
}

/// How a purchase comes to its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "snake_case")]
pub enum Source {
    /// We buy it, in the org's subaccount, and charge for it.
    Managed(NumberRequest),
    /// The org has it, in an account of its own at Twilio; nothing is bought or charged.
    Own {
        /// The token of the account it lies in, while the purchase is open.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        own_token: Option<Sealed>,
    },
}

/// How far a purchase has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The direction is taken; nothing was charged.
    Claimed,
    /// Charged.
    Charged,
    /// The carrier has given us the number.
    Bought,
    /// Vapi has it.
    Imported,
    /// The org has it.
    Active,
    /// It failed: what was done is being undone.
    Compensating,
    /// Nothing is left of it, and whatever was charged went back.
    Refunded,
    /// The number was active, and was given up.
    Released,
}

impl State {
    /// As it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::Charged => "charged",
            Self::Bought => "bought",
            Self::Imported => "imported",
            Self::Active => "active",
            Self::Compensating => "compensating",
            Self::Refunded => "refunded",
            Self::Released => "released",
        }
    }
}

/// Why a purchase came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "failure", rename_all = "snake_case")]
pub enum Failure {
    /// The wallet could not pay for it.
    InsufficientFunds,
    /// The wallet is frozen.
    WalletFrozen,
    /// The number that was asked for was sold to another customer meanwhile.
    NumberTaken,
    /// There is none of that kind and place.
    NoNumber,
    /// The carrier said no, for this reason.
    CarrierRefused {
        /// A sentence for the clinic.
        sentence: String,
    },
    /// The voice service would not take the number.
    VoiceRefused,
    /// A vendor was in trouble.
    VendorTrouble,
}

/// A purchase: also the claim that an org has on one direction. One per `(org, direction)`; a new one takes the place of one
/// that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purchase {
    /// Whose it is.
    pub org_id: OrgId,
    /// What the number is for.
    pub direction: Direction,
    /// Which purchase.
    pub purchase_id: PurchaseId,
    /// What is bought, and from whom.
    #[serde(flatten)]
    pub source: Source,
    /// What makes two requests the same.
    pub body_hash: String,
    /// How far it has come.
    pub state: State,
    /// Raised by every write, also from one purchase of the direction to the next; a write names the one it read. So a process that
    /// was overtaken cannot write.
    pub version: u64,
    /// Only the holder of the lease acts, until then.
    #[serde(with = "super::time::millis")]
    pub lease_until: Timestamp,
    /// When it was claimed.
    #[serde(with = "super::time::millis")]
    pub created_at: Timestamp,
    /// When it became active.
    #[serde(default, with = "super::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub active_at: Option<Timestamp>,
    /// What was taken for it, once it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charged: Option<Amount>,
    /// The number that is being bought: written before it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<PhoneNumber>,
    /// Numbers that were sold to another customer when we asked for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<PhoneNumber>,
    /// The account that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_sid: Option<AccountSid>,
    /// As the carrier names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number_sid: Option<NumberSid>,
    /// As Vapi names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vapi_phone_id: Option<VapiPhoneId>,
    /// Until when something that a vendor was asked for, without an answer, may still come to be.
    #[serde(default, with = "super::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub quiet_until: Option<Timestamp>,
    /// Why it failed, once it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failure>,
}

impl Purchase {
    /// Whether it is not finished.
    pub const fn is_open(&self) -> bool {
        match self.state {
            State::Claimed | State::Charged | State::Bought | State::Imported | State::Compensating => true,
            State::Active | State::Refunded | State::Released => false,
        }
    }

    /// The same, given up for this reason.
    #[must_use]
    pub fn failed(self, failure: Failure) -> Self {
        Self { state: State::Compensating, failed: Some(failure), ..self }
    }

    /// The same, without the token of an account of the org's own: what is over needs none.
    #[must_use]
    pub fn without_token(self) -> Self {
        match self.source {
            Source::Own { .. } => Self { source: Source::Own { own_token: None }, ..self },
            Source::Managed(_) => self,
        }
    }

    /// What was asked for, when we buy it.
    pub const fn wanted(&self) -> Option<&NumberRequest> {
        match &self.source {
            Source::Managed(wanted) => Some(wanted),
            Source::Own { .. } => None,
        }
    }
}
