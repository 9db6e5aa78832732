//! What is wrong with a run of entries, whoever wrote them.

use super::{Entry, EntryKey, EntrySide, Hash, Head};
use crate::amount::{Amount, Balance};

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
