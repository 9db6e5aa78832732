//! Numbers at a vendor that no record claims: since when that is known, and what an operator said of them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Runs, Seen};
use crate::{
    error::{ChangeError, StoreError},
    item::{record, text},
    table::Table,
};
use domain::{ids::UserId, time::rfc3339_millis};

/// What the items of orphans begin with; the place follows: `twilio#<account>#<number>`, `vapi#<id>`.
const ORPHAN: &str = "orphan#";
/// What the items of operators' words begin with; the place follows.
const ALLOWED: &str = "allowed#";

/// An operator's word that an orphan may go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// Since when the orphan is known that it was said of; it is said of no other at the same place. Absent in a word of an
    /// earlier build.
    #[serde(default, with = "domain::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub orphan_since: Option<Timestamp>,
    /// When it was said.
    #[serde(alias = "first_seen_at", with = "domain::time::millis")]
    pub said_at: Timestamp,
    /// Who said it.
    pub user: UserId,
    /// Why.
    pub reason: String,
}

impl Word {
    /// Returns whether it was said of the orphan that is known since then.
    pub fn is_about(&self, orphan_since: Timestamp) -> bool {
        self.orphan_since == Some(orphan_since)
    }
}

/// A word as it is stored.
#[derive(Deserialize)]
struct Stored {
    item: String,
    #[serde(flatten)]
    word: Word,
}

impl Runs {
    /// The orphans by their places, and since when each is known.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn orphans(&self, task: &str) -> Result<BTreeMap<String, Timestamp>, StoreError> {
        let seen = self.seen(task, ORPHAN).await?.into_iter();
        Ok(seen.filter_map(|(item, since)| Some((item.strip_prefix(ORPHAN)?.to_owned(), since))).collect())
    }

    /// Since when the orphan at a place is known; none where there is no orphan.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn orphan(&self, task: &str, place: &str) -> Result<Option<Timestamp>, StoreError> {
        let key = [("task", task), ("item", &format!("{ORPHAN}{place}"))];
        let seen: Option<Seen> = self.db().get(Table::Reconciliation, &key).await?;
        Ok(seen.map(|seen| seen.first_seen_at))
    }

    /// Notes that the number at a place is an orphan. Returns since when that is known.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn note_orphan(
        &self,
        task: &str,
        place: &str,
        now: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        self.note_seen(task, &format!("{ORPHAN}{place}"), now).await
    }

    /// Forgets an orphan and what was said of it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn forget_orphan(&self, task: &str, place: &str) -> Result<(), StoreError> {
        // The word first: without it the orphan is only asked about again.
        self.withdraw_word(task, place).await?;
        self.forget(task, &format!("{ORPHAN}{place}")).await
    }

    /// What operators said of orphans, by place.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn words(&self, task: &str) -> Result<BTreeMap<String, Word>, StoreError> {
        let mut words = BTreeMap::new();
        for item in self.query(task, ALLOWED, true, None).await? {
            let Stored { item, word } = crate::item::decode(Table::Reconciliation, item)?;
            words.extend(item.strip_prefix(ALLOWED).map(|place| (place.to_owned(), word)));
        }
        Ok(words)
    }

    /// What an operator said of the orphan at a place.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub async fn word(&self, task: &str, place: &str) -> Result<Option<Word>, StoreError> {
        let key = [("task", task), ("item", &format!("{ALLOWED}{place}"))];
        self.db().get(Table::Reconciliation, &key).await
    }

    /// Keeps an operator's word, in the place of one of another orphan there.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when there is a word of the same orphan: the first one stands.
    pub async fn keep_word(&self, task: &str, place: &str, word: &Word) -> Result<(), ChangeError> {
        let mut item = record(Table::Reconciliation, word)?;
        item.insert("task".into(), text(task));
        item.insert("item".into(), text(format!("{ALLOWED}{place}")));
        let since = word.orphan_since.map(rfc3339_millis).unwrap_or_default();
        let condition = "attribute_not_exists(orphan_since) OR orphan_since <> :since";
        self.db().put_if(Table::Reconciliation, item, condition, &[], &[(":since", text(since))]).await
    }

    /// Withdraws an operator's word, if there is one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn withdraw_word(&self, task: &str, place: &str) -> Result<(), StoreError> {
        self.forget(task, &format!("{ALLOWED}{place}")).await
    }
}
