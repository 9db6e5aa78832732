//! What a sandbox will do, and when.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Things to do, in the order of their times, and of their entry within one time.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound(serialize = "T: Serialize + Clone", deserialize = "T: Deserialize<'de>"))]
pub struct Agenda<T> {
    #[serde(with = "pairs")]
    entries: BTreeMap<(Timestamp, u64), T>,
    entered: u64,
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), entered: 0 }
    }
}

impl<T> Agenda<T> {
    /// Enters something to do at `at`.
    pub fn enter(&mut self, at: Timestamp, what: T) {
        self.entered = self.entered.saturating_add(1);
        self.entries.insert((at, self.entered), what);
    }

    /// When the next thing is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.entries.keys().next().map(|(at, _)| *at)
    }

    /// Takes out the next thing, if it is due by `now`.
    pub fn take_due(&mut self, now: Timestamp) -> Option<T> {
        if self.next_due()? <= now { self.entries.pop_first().map(|(_, what)| what) } else { None }
    }
}

/// JSON has no keys that are pairs: the entries are written as a list.
mod pairs {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<T: Serialize, S: Serializer>(
        entries: &BTreeMap<(Timestamp, u64), T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(entries)
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<(Timestamp, u64), T>, D::Error> {
        let entries = Vec::<((Timestamp, u64), T)>::deserialize(deserializer)?;
        Ok(entries.into_iter().collect())
    }
}
