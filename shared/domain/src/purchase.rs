//! The purchase of a number, as a saga: from the claim to an active number that was charged once, or to a
//! failure that leaves nothing at the vendors and gives everything back.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    amount::Amount,
    call::Direction,
    ids::{AccountSid, BundleSid, NumberSid, OrgId, PurchaseId, VapiPhoneId},
    number::{Address, Country, NumberType},
    phone_number::PhoneNumber,
    sealed::Sealed,
};

/// What an org asks for when it wants a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberRequest {
    /// The country of the number.
    pub country: Country,
    /// The kind of number.
    pub number_type: NumberType,
    /// The area code of the number; absent when any area will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area_code: Option<String>,
    /// The very number to buy; absent when any of the country, kind and area will do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<PhoneNumber>,
    /// The clinic's address, where the regulator asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// The clinic's own line, which is rung when our webhook cannot answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback_number: Option<PhoneNumber>,
}

/// Where the number of a purchase comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "source", rename_all = "snake_case")]
pub enum Source {
    /// We buy the number, in the org's subaccount, and charge the org for it.
    Managed(NumberRequest),
    /// The org has the number already, in its own account at Twilio; nothing is bought or charged.
    Own {
        /// The sealed auth token of that account; present only while the purchase is open.
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
    /// The price was taken from the wallet.
    Charged,
    /// The carrier has given us the number.
    Bought,
    /// Vapi has imported the number.
    Imported,
    /// The org has the number, and it is in use.
    Active,
    /// The purchase failed, and what was done is being undone.
    Compensating,
    /// The purchase failed: nothing is left of it, and whatever was charged went back.
    Refunded,
    /// The number was active, and was given up.
    Released,
}

impl State {
    /// Returns the name under which the state is stored and shown.
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
    /// The wallet could not pay for the number.
    InsufficientFunds,
    /// The wallet is frozen.
    WalletFrozen,
    /// The number that was asked for was sold to another customer meanwhile.
    NumberTaken,
    /// The carrier offers no number of that kind and place.
    NoNumber,
    /// The carrier refused.
    CarrierRefused {
        /// A sentence that tells the clinic why.
        sentence: String,
    },
    /// Vapi would not take the number.
    VoiceRefused,
    /// A vendor had trouble or could not be reached.
    VendorTrouble,
}

/// A purchase, which is also the claim that an org has on one direction. There is one per org and direction;
/// a new one replaces one that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purchase {
    /// The org that the number is for.
    pub org_id: OrgId,
    /// Whether the number answers calls or makes them.
    pub direction: Direction,
    /// The id of this purchase.
    pub purchase_id: PurchaseId,
    /// Where the number comes from, and what was asked for.
    #[serde(flatten)]
    pub source: Source,
    /// The hash of the request, which is compared when its idempotency key comes again.
    pub body_hash: String,
    /// How far the purchase has come.
    pub state: State,
    /// Raised by every write, also from one purchase of the direction to the next. A write names the version
    /// that it read, so a writer that was overtaken cannot write.
    pub version: u64,
    /// Until when only the function that holds the lease acts.
    #[serde(with = "super::time::millis")]
    pub lease_until: Timestamp,
    /// When the direction was claimed.
    #[serde(with = "super::time::millis")]
    pub created_at: Timestamp,
    /// When the number became active; absent until then.
    #[serde(default, with = "super::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub active_at: Option<Timestamp>,
    /// The price that was taken from the wallet; absent until it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charged: Option<Amount>,
    /// The number that is being bought. This is written before the carrier is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<PhoneNumber>,
    /// The numbers that were already sold when we asked for them: none of them is chosen again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<PhoneNumber>,
    /// The Twilio account that the number belongs to; absent until it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_sid: Option<AccountSid>,
    /// The bundle that the number is bought under, where its country needs one. This is written before the carrier is asked, so that
    /// every try names the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle_sid: Option<BundleSid>,
    /// The address that the bundle's papers name (`AD…`), which is written with the number: under such a bundle the number is bought for
    /// that address and for no other. Absent when they name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle_address_sid: Option<String>,
    /// The number as Twilio names it (`PN…`); absent until the account has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number_sid: Option<NumberSid>,
    /// The number as Vapi names it; absent until Vapi has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vapi_phone_id: Option<VapiPhoneId>,
    /// Until when something that a vendor was asked to make, without an answer, may still come to be. No
    /// price goes back before then.
    #[serde(default, with = "super::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub quiet_until: Option<Timestamp>,
    /// Why the purchase failed; absent unless it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failure>,
}

impl Purchase {
    /// Returns whether the purchase still has steps to do.
    pub const fn is_open(&self) -> bool {
        match self.state {
            State::Claimed | State::Charged | State::Bought | State::Imported | State::Compensating => true,
            State::Active | State::Refunded | State::Released => false,
        }
    }

    /// Returns the same purchase, failed for this reason, with its steps to be undone.
    #[must_use]
    pub fn failed(self, failure: Failure) -> Self {
        Self { state: State::Compensating, failed: Some(failure), ..self }
    }

    /// Returns the same purchase without the token of the org's own account: a purchase that is over needs
    /// none.
    #[must_use]
    pub fn without_token(self) -> Self {
        match self.source {
            Source::Own { .. } => Self { source: Source::Own { own_token: None }, ..self },
            Source::Managed(_) => self,
        }
    }

    /// Returns what was asked for, when we buy the number.
    pub const fn wanted(&self) -> Option<&NumberRequest> {
        match &self.source {
            Source::Managed(wanted) => Some(wanted),
            Source::Own { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_record_without_a_bundle_is_read_as_one_and_a_bundle_is_kept() {
        let written = json!({"org_id": "00000000-0000-0000-0000-00000000000a", "direction": "inbound",
            "purchase_id": "p1", "source": "managed", "country": "GB", "number_type": "local", "body_hash": "h",
            "state": "charged", "version": 3, "lease_until": "2025-12-18T00:00:35.000Z",
            "created_at": "2025-12-18T00:00:00.000Z", "charged": 1000});
        let purchase: Purchase = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(purchase.bundle_sid, None);
        assert_eq!(serde_json::to_value(&purchase).unwrap(), written);
        let chosen = Purchase { bundle_sid: BundleSid::parse("BU1").ok(), ..purchase };
        let kept: Value = serde_json::to_value(&chosen).unwrap();
        assert_eq!(kept["bundle_sid"], "BU1");
        assert_eq!(serde_json::from_value::<Purchase>(kept).unwrap(), chosen);
    }
}
