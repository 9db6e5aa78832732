//! Ids, each with a type of its own, so that they cannot be mistaken for one another.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Why a text is not an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is 1 to 128 letters, digits or any of _ - . : and this is not")]
pub struct IdError;

/// The org, which owns the data and pays. Its id comes from a verified token or from our own record, never
/// from a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct OrgId(Uuid);

impl OrgId {
    /// Wraps an id that our own record or a verified token states.
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }
}

impl fmt::Display for OrgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for OrgId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Uuid::try_parse(text).map(Self).map_err(|_| IdError)
    }
}

/// The mark of one deployment's tables, on what it makes at vendors: chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StackMark(Uuid);

impl StackMark {
    /// Wraps a fresh id.
    pub const fn new(id: Uuid) -> Self {
        Self(id)
    }
}

impl fmt::Display for StackMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! opaque_ids {
    ($($(#[$doc:meta])+ $name:ident)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes an id as the party that made it wrote it.
            ///
            /// # Errors
            /// When it is empty, longer than 128 characters, or holds anything but letters, digits and
            /// `_-.:`.
            pub fn parse(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                let allowed = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'-' | b'.' | b':');
                if (1..=128).contains(&text.len()) && text.bytes().all(allowed) { Ok(Self(text)) } else { Err(IdError) }
            }

            /// Returns the id as it was written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

opaque_ids! {
    /// One conversation, through hold, record and ledger: Vapi's id for calls Vapi starts, ours for calls we
    /// start.
    CallId
    /// A call as Vapi names it.
    VapiCallId
    /// A phone number as Vapi names it: never an E.164 number.
    VapiPhoneId
    /// An assistant as Vapi names it.
    VapiAssistantId
    /// A tool as Vapi names it.
    VapiToolId
    /// A webhook credential as Vapi names it.
    VapiCredentialId
    /// An account at Twilio (`AC…`): our own, an org's subaccount, or an org's own account.
    AccountSid
    /// A number as Twilio names it (`PN…`): the carrier's handle of what it bills us for.
    NumberSid
    /// A regulatory bundle as Twilio names it (`BU…`): papers by which it may sell numbers of one country and kind.
    BundleSid
    /// One purchase of a number, from claim to the end: ours, fresh for each.
    PurchaseId
    /// A payment as Stripe names it (`pi_…`).
    PaymentIntentId
    /// A customer as Stripe names it (`cus_…`).
    CustomerId
    /// One shortage of an org's money and the charge of its card that ends it: ours, fresh for each.
    EpisodeId
    /// A correction of a wallet by hand, as the operator who makes it names it.
    AdjustmentId
    /// What tells a clinic that is to be made from another of the same owner, as the operator who makes it names it.
    ClinicKey
    /// A refund as Stripe names it (`re_…`).
    RefundId
    /// A dispute as Stripe names it (`dp_…`, `du_…`).
    DisputeId
    /// A movement on Stripe's own ledger (`txn_…`).
    BalanceTransactionId
    /// A Checkout session as Stripe names it (`cs_…`).
    CheckoutSessionId
    /// A vendor's delivery, or a notification of ours. Every repeat of it has the same id.
    EventId
    /// A service that a clinic offers: ours, fresh for each.
    ServiceId
    /// A practitioner or a room of a clinic's: ours, fresh for each.
    ResourceId
    /// An appointment, through all its changes: ours, fresh for each.
    AppointmentId
    /// A person whom a clinic knows: ours, fresh for each.
    ContactId
    /// One sending of a message to a patient: ours, fresh for each.
    MessageId
    /// A calendar that a clinic has at a vendor: the hash of its name there, which is often an e-mail address.
    CalendarId
    /// An event in a clinic's calendar that is not ours: the hash of its id there, which may be long.
    ExternalId
    /// An event of ours in a clinic's calendar: base32hex, as Google takes ids.
    CalendarEventId
    /// A channel by which a calendar tells us that something changed: ours, fresh for each.
    ChannelId
    /// What a clinic is told of, once: its time, and what tells it from others of that time.
    NotificationId
    /// A person of a clinic's: the hash of the clinic and the person's address.
    MemberId
    /// A signed-in person, as the token's `sub` names them.
    UserId
}

impl From<VapiCallId> for CallId {
    /// A call that Vapi starts keeps Vapi's id.
    fn from(id: VapiCallId) -> Self {
        Self(id.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_short_and_plain() {
        for good in ["a", "pi_3Abc", "0ce83208-5124-4e47-8d91-d5eddd2d78bb", &"x".repeat(128)] {
            assert_eq!(CallId::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", " ", "a b", "a/b", "a#b", "é", "a\n", &"x".repeat(129)] {
            assert_eq!(CallId::parse(bad), Err(IdError), "{bad:?}");
        }
    }
}
