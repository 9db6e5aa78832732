//! The append-only record of every penny: numbered without gaps, each entry sealed with the hash of the one
//! before.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{
    amount::{Amount, Balance},
    ids::{BalanceTransactionId, CallId, DisputeId, OrgId, PaymentIntentId, PurchaseId, RefundId},
    tariff::TariffVersion,
    time::rfc3339_millis,
};

/// A SHA-256, written in lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hash([u8; 32]);

impl Hash {
    /// Returns the hash of `fields`, each written as its length in bytes (decimal), a colon, and its bytes.
    /// The lengths make it impossible to move a character from one field to the next.
    fn of<'a>(fields: impl IntoIterator<Item = &'a str>) -> Self {
        let mut digest = Sha256::new();
        for field in fields {
            digest.update(field.len().to_string().as_bytes());
            digest.update(b":");
            digest.update(field.as_bytes());
        }
        Self(digest.finalize().into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Hash {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, hex::FromHexError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map(|()| Self(bytes))
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        hash.to_string()
    }
}

/// The end of an org's ledger, which the next entry is chained to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The number of the last entry; 0 before the first.
    #[serde(rename = "ledger_seq")]
    pub seq: u64,
    /// The hash of the last entry; before the first, the hash of the org's id.
    #[serde(rename = "ledger_head")]
    pub hash: Hash,
}

impl Head {
    /// Returns the head of a ledger without entries.
    pub fn genesis(org: OrgId) -> Self {
        Self { seq: 0, hash: Hash::of([org.to_string().as_str()]) }
    }
}

/// The direction of a movement, as seen from the wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    /// The charge of a finished call.
    Call,
    /// Money received by card.
    TopUp,
    /// A number bought, its refund, or its rental.
    PhoneNumber,
    /// A text message. No [`Reason`] books one so far.
    Sms,
    /// Money returned to the card, or a return that failed.
    Refund,
    /// Money taken back by the card's bank.
    Dispute,
    /// Money that the bank gave back after a dispute.
    DisputeReversal,
    /// A correction by hand. No [`Reason`] books one so far.
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
}

/// What happened, as the reason for an entry. Its key makes the entry exist once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A call was finished, and is charged.
    Call {
        /// The call that is charged.
        call_id: CallId,
        /// The version of the price list that the call is billed by.
        tariff: TariffVersion,
    },
    /// A payment was received by card.
    TopUp {
        /// The payment at Stripe.
        payment_intent: PaymentIntentId,
    },
    /// Part of a payment went back to the card.
    Refund {
        /// The refund at Stripe.
        refund: RefundId,
        /// The payment that was refunded.
        payment_intent: PaymentIntentId,
    },
    /// A refund that was booked did not reach the card: the money is in the wallet again.
    RefundFailed {
        /// The refund that failed, as Stripe names it.
        refund: RefundId,
        /// The payment that was to be refunded.
        payment_intent: PaymentIntentId,
    },
    /// The bank moved money over a dispute.
    Dispute {
        /// The dispute at Stripe.
        dispute: DisputeId,
        /// The movement on Stripe's own ledger; one dispute can have several.
        balance_transaction: BalanceTransactionId,
        /// The payment that is disputed.
        payment_intent: PaymentIntentId,
        /// A debit when the bank took the money, a credit when it gave the money back.
        direction: EntrySide,
    },
    /// A number is bought.
    Number {
        /// The purchase that buys the number.
        purchase: PurchaseId,
    },
    /// A purchase came to nothing: its price is in the wallet again.
    NumberRefund {
        /// The purchase that failed.
        purchase: PurchaseId,
    },
    /// An org kept a number for another month.
    Rental {
        /// The purchase by which the org has the number.
        number: PurchaseId,
        /// The calendar month in UTC, as `2026-11`.
        month: String,
    },
}

/// The name of an entry within its org: `call#…`, `topup#…`, `refund#…`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EntryKey(String);

impl EntryKey {
    /// Returns the key as it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EntryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Reason {
    /// Returns the key of the entry that this reason makes.
    pub fn key(&self) -> EntryKey {
        EntryKey(match self {
            Self::Call { call_id, .. } => format!("call#{call_id}"),
            Self::TopUp { payment_intent } => format!("topup#{payment_intent}"),
            Self::Refund { refund, .. } => format!("refund#{refund}"),
            Self::RefundFailed { refund, .. } => format!("refund#{refund}#failed"),
            Self::Dispute { dispute, balance_transaction, .. } => {
                format!("dispute#{dispute}#{balance_transaction}")
            }
            Self::Number { purchase } => format!("number#{purchase}"),
            Self::NumberRefund { purchase } => format!("number#{purchase}#refund"),
            Self::Rental { number, month } => format!("rental#{number}#{month}"),
        })
    }

    /// Returns what the entry is about.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Call { .. } => Kind::Call,
            Self::TopUp { .. } => Kind::TopUp,
            Self::Refund { .. } | Self::RefundFailed { .. } => Kind::Refund,
            Self::Dispute { direction: EntrySide::Debit, .. } => Kind::Dispute,
            Self::Dispute { direction: EntrySide::Credit, .. } => Kind::DisputeReversal,
            Self::Number { .. } | Self::NumberRefund { .. } | Self::Rental { .. } => Kind::PhoneNumber,
        }
    }

    /// Returns which way the money goes.
    pub const fn direction(&self) -> EntrySide {
        match self {
            Self::Call { .. } | Self::Refund { .. } | Self::Number { .. } | Self::Rental { .. } => {
                EntrySide::Debit
            }
            Self::TopUp { .. } | Self::RefundFailed { .. } | Self::NumberRefund { .. } => EntrySide::Credit,
            Self::Dispute { direction, .. } => *direction,
        }
    }

    fn call_id(&self) -> Option<&CallId> {
        match self {
            Self::Call { call_id, .. } => Some(call_id),
            Self::TopUp { .. }
            | Self::Refund { .. }
            | Self::RefundFailed { .. }
            | Self::Dispute { .. }
            | Self::Number { .. }
            | Self::NumberRefund { .. }
            | Self::Rental { .. } => None,
        }
    }

    fn payment_intent(&self) -> Option<&PaymentIntentId> {
        match self {
            Self::Call { .. } | Self::Number { .. } | Self::NumberRefund { .. } | Self::Rental { .. } => None,
            Self::TopUp { payment_intent }
            | Self::Refund { payment_intent, .. }
            | Self::RefundFailed { payment_intent, .. }
            | Self::Dispute { payment_intent, .. } => Some(payment_intent),
        }
    }

    fn tariff(&self) -> Option<TariffVersion> {
        match self {
            Self::Call { tariff, .. } => Some(*tariff),
            Self::TopUp { .. }
            | Self::Refund { .. }
            | Self::RefundFailed { .. }
            | Self::Dispute { .. }
            | Self::Number { .. }
            | Self::NumberRefund { .. }
            | Self::Rental { .. } => None,
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

/// What is wrong with a run of entries, as [`flaws`] finds it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The entry's fields do not have the hash that it carries.
    #[error("entry {seq} ({key}) was altered: its fields do not have the hash it carries")]
    Altered {
        /// The number of the entry.
        seq: u64,
        /// The key of the entry.
        key: EntryKey,
    },
    /// The chain is broken before this entry: it does not carry the hash of the entry before.
    #[error("entry {seq} ({key}) does not follow the entry before it: one was altered, removed or put in")]
    Unchained {
        /// The number of the entry.
        seq: u64,
        /// The key of the entry.
        key: EntryKey,
    },
    /// Numbers are left out or doubled.
    #[error("after entry {after} comes entry {seq}: entries are missing or doubled")]
    Gap {
        /// The number of the entry before.
        after: u64,
        /// The number of this entry, which should be one more.
        seq: u64,
    },
    /// The entry's own balances and amount do not add up.
    #[error("entry {seq} ({key}) says {before} {direction} {amount} makes {stated}")]
    Sum {
        /// The number of the entry.
        seq: u64,
        /// The key of the entry.
        key: EntryKey,
        /// The balance that the entry starts from.
        before: Balance,
        /// The side of the movement: `credit` or `debit`.
        direction: &'static str,
        /// How much money the entry moves.
        amount: Amount,
        /// The balance that the entry says it leads to.
        stated: Balance,
    },
    /// The entry starts from another balance than the entry before ended with.
    #[error("entry {seq} ({key}) starts from {before}, and the entry before ended at {after}")]
    Discontinuous {
        /// The number of the entry.
        seq: u64,
        /// The key of the entry.
        key: EntryKey,
        /// The balance that the entry starts from.
        before: Balance,
        /// The balance that the entry before ended with.
        after: Balance,
    },
}

/// Reads entries in the order of their numbers and returns everything that is wrong with them.
///
/// A run may start anywhere. A run from number 1 is checked at its start too: it chains to the hash of the
/// org's id, and its balance starts from 0p.
pub fn flaws<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let mut before: Option<(u64, Hash, Balance)> = None;
    for entry in entries {
        let (seq, key) = (entry.seq, entry.entry_key.clone());
        if entry.computed_hash() != entry.hash {
            flaws.push(Flaw::Altered { seq, key: key.clone() });
        }
        let stated = entry.balance_after;
        let delta = match entry.direction {
            EntrySide::Credit => entry.amount.pence(),
            EntrySide::Debit => entry.amount.pence().saturating_neg(),
        };
        if entry.balance_before.checked_add(delta) != Some(stated) {
            let (amount, direction) = (entry.amount, entry.direction.as_str());
            let before = entry.balance_before;
            flaws.push(Flaw::Sum { seq, key: key.clone(), before, direction, amount, stated });
        }
        let previous = before.or((seq == 1).then(|| (0, Head::genesis(entry.org_id).hash, Balance::ZERO)));
        if let Some((last, hash, after)) = previous {
            if last.checked_add(1) != Some(seq) {
                flaws.push(Flaw::Gap { after: last, seq });
            } else if entry.previous_hash != hash {
                flaws.push(Flaw::Unchained { seq, key });
            } else if entry.balance_before != after {
                flaws.push(Flaw::Discontinuous { seq, key, before: entry.balance_before, after });
            }
        }
        before = Some((seq, entry.hash, entry.balance_after));
    }
    flaws
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn org() -> OrgId {
        OrgId::new(uuid::Uuid::nil())
    }

    fn book(movements: &[(bool, u32)]) -> Vec<Entry> {
        let mut head = Head::genesis(org());
        let mut balance = Balance::ZERO;
        let mut entries = Vec::new();
        for (i, (credit, pence)) in movements.iter().enumerate() {
            let payment_intent = PaymentIntentId::parse(format!("pi_{i}")).unwrap();
            let reason = if *credit {
                Reason::TopUp { payment_intent }
            } else {
                Reason::Refund { refund: RefundId::parse(format!("re_{i}")).unwrap(), payment_intent }
            };
            let posting = Posting {
                reason,
                amount: Amount::from_pence(*pence),
                description: "moved".into(),
                at: Timestamp::UNIX_EPOCH,
            };
            let entry = Entry::next(org(), head, balance, &posting);
            (head, balance) = (entry.head(), entry.balance_after);
            entries.push(entry);
        }
        entries
    }

    #[test]
    fn the_hash_is_over_lengths_and_bytes_as_the_docs_say() {
        // sha256sum of the seven bytes `1:a2:bc`.
        let expected = "5310a58788781ab25d5ad7c3f85035824b4eb7bdfa394e0ac2186271472b5492";
        assert_eq!(Hash::of(["a", "bc"]).to_string(), expected);
        assert_ne!(Hash::of(["a", "bc"]), Hash::of(["ab", "c"]));
    }

    proptest! {
        // B5: balance_after = balance_before ± amount, by direction, over any history.
        #[test]
        fn any_history_is_without_flaw_and_sums_to_its_balance(movements in prop::collection::vec((any::<bool>(), 0_u32..100_000), 0..40)) {
            let entries = book(&movements);
            prop_assert_eq!(flaws(&entries), vec![]);
            let sum = movements.iter().map(|(credit, pence)| if *credit { i64::from(*pence) } else { -i64::from(*pence) }).sum::<i64>();
            prop_assert_eq!(entries.last().map_or(0, |last| last.balance_after.pence()), sum);
        }

        #[test]
        fn a_removed_doubled_or_altered_entry_is_found(movements in prop::collection::vec((any::<bool>(), 1_u32..100_000), 3..20), at in any::<prop::sample::Index>(), how in 0..4) {
            let mut entries = book(&movements);
            // Neither the first nor the last: a run may start and stop anywhere.
            let at = 1 + at.index(entries.len() - 2);
            match how {
                0 => { entries.remove(at); }
                1 => { let copy = entries[at].clone(); entries.insert(at, copy); }
                2 => entries[at].amount = entries[at].amount.plus(Amount::from_pence(1)),
                _ => {
                    entries[at].description.push('!');
                    entries[at].hash = entries[at].computed_hash();
                }
            }
            prop_assert!(!flaws(&entries).is_empty());
        }
    }
}
