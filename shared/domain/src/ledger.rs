//! The append-only record of every penny: numbered without gaps, each entry sealed with the hash of the one
//! before.

mod chain;
mod check;
mod reason;
pub mod rota;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::{
    chain::{Hash, Head},
    check::{Flaw, flaws},
    reason::{EntryKey, Reason},
};
use super::{
    amount::{Amount, Balance},
    ids::{CallId, OrgId, PaymentIntentId},
    tariff::TariffVersion,
    time::rfc3339_millis,
};

/// The direction of a movement, as seen from the wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EntrySide {
    /// Money comes into the wallet.
    Credit,
    /// Money goes out of the wallet.
    Debit,
}

impl EntrySide {
    /// Returns the balance after a movement of `amount` in this direction.
    pub fn apply(self, balance: Balance, amount: Amount) -> Balance {
        match self {
            Self::Credit => balance.plus(amount),
            Self::Debit => balance.minus(amount),
        }
    }

    /// Returns the name under which the side is stored and hashed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Credit => "credit",
            Self::Debit => "debit",
        }
    }
}

/// What an entry is about. Several reasons share one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The charge of a finished call, or its correction.
    Call,
    /// Money received by card.
    TopUp,
    /// A number bought, its refund, or its rental.
    PhoneNumber,
    /// A text message, or its refund.
    Sms,
    /// Money returned to the card, or a return that failed.
    Refund,
    /// Money taken back by the card's bank.
    Dispute,
    /// Money that the bank gave back after a dispute.
    DisputeReversal,
    /// A correction by hand.
    Adjustment,
}

impl Kind {
    /// Every kind of entry.
    pub const ALL: [Self; 8] = [
        Self::Call,
        Self::TopUp,
        Self::PhoneNumber,
        Self::Sms,
        Self::Refund,
        Self::Dispute,
        Self::DisputeReversal,
        Self::Adjustment,
    ];

    /// Returns the name under which the kind is stored, hashed and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::TopUp => "top_up",
            Self::PhoneNumber => "phone_number",
            Self::Sms => "sms",
            Self::Refund => "refund",
            Self::Dispute => "dispute",
            Self::DisputeReversal => "dispute_reversal",
            Self::Adjustment => "adjustment",
        }
    }

    /// Returns whether a movement of this kind is what the org spends money on. What comes in by card, goes back there, or is
    /// corrected by hand is not.
    pub const fn is_spend(self) -> bool {
        match self {
            Self::Call | Self::PhoneNumber | Self::Sms => true,
            Self::TopUp | Self::Refund | Self::Dispute | Self::DisputeReversal | Self::Adjustment => false,
        }
    }
}

/// A movement that is about to be booked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    /// Why the money moves.
    pub reason: Reason,
    /// How much money moves.
    pub amount: Amount,
    /// The sentence that the statement shows.
    pub description: String,
    /// When the movement is booked.
    pub at: Timestamp,
}

/// One immutable movement of an org's money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The org whose wallet moved.
    pub org_id: OrgId,
    /// The name of the entry within its org, which makes it exist once.
    pub entry_key: EntryKey,
    /// The number of the entry within its org: from 1, without gaps.
    pub seq: u64,
    /// What the entry is about.
    pub kind: Kind,
    /// Whether the money came in or went out.
    pub direction: EntrySide,
    /// How much money moved.
    pub amount: Amount,
    /// The wallet's balance before the movement, what is held included.
    pub balance_before: Balance,
    /// The wallet's balance after the movement, what is held included.
    pub balance_after: Balance,
    /// The call, when the entry is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<CallId>,
    /// The payment at Stripe, when the entry is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_intent: Option<PaymentIntentId>,
    /// The version of the price list, when the entry is about a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tariff: Option<TariffVersion>,
    /// The sentence that the statement shows.
    pub description: String,
    /// When the entry was booked.
    #[serde(with = "super::time::millis")]
    pub created_at: Timestamp,
    /// The hash of the entry before; for the first entry, of the org's id.
    pub previous_hash: Hash,
    /// The hash of all fields above.
    pub hash: Hash,
}

impl Entry {
    /// Returns the entry that `posting` adds at the end of a ledger.
    pub fn next(org_id: OrgId, head: Head, balance_before: Balance, posting: &Posting) -> Self {
        let direction = posting.reason.direction();
        let mut entry = Self {
            org_id,
            entry_key: posting.reason.key(),
            seq: head.seq.saturating_add(1),
            kind: posting.reason.kind(),
            direction,
            amount: posting.amount,
            balance_before,
            balance_after: direction.apply(balance_before, posting.amount),
            call_id: posting.reason.call_id().cloned(),
            payment_intent: posting.reason.payment_intent().cloned(),
            tariff: posting.reason.tariff(),
            description: posting.description.clone(),
            created_at: posting.at,
            previous_hash: head.hash,
            hash: head.hash,
        };
        entry.hash = entry.computed_hash();
        entry
    }

    /// Returns what the entry adds to what the org has spent, in pence: below zero where something is given back, and nothing where
    /// its kind is no spending.
    pub const fn spent_pence(&self) -> i64 {
        match (self.kind.is_spend(), self.direction) {
            (true, EntrySide::Debit) => self.amount.pence(),
            (true, EntrySide::Credit) => self.amount.pence().saturating_neg(),
            (false, EntrySide::Debit | EntrySide::Credit) => 0,
        }
    }

    /// Returns the head of the ledger once this entry is its last.
    pub const fn head(&self) -> Head {
        Head { seq: self.seq, hash: self.hash }
    }

    /// Returns the hash that these fields have; `docs/data-model.md` lists them in this order.
    pub fn computed_hash(&self) -> Hash {
        let text = |id: Option<&str>| id.unwrap_or_default().to_owned();
        let fields = [
            self.previous_hash.to_string(),
            self.org_id.to_string(),
            self.entry_key.to_string(),
            self.seq.to_string(),
            self.kind.as_str().to_owned(),
            self.direction.as_str().to_owned(),
            self.amount.pence().to_string(),
            self.balance_before.pence().to_string(),
            self.balance_after.pence().to_string(),
            text(self.call_id.as_ref().map(CallId::as_str)),
            text(self.payment_intent.as_ref().map(PaymentIntentId::as_str)),
            self.tariff.map(|version| u32::from(version).to_string()).unwrap_or_default(),
            self.description.clone(),
            rfc3339_millis(self.created_at),
        ];
        Hash::of(fields.iter().map(String::as_str))
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow")]
mod tests;
