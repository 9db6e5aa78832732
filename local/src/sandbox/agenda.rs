//! What a sandbox will do, and when.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// Things to do, in the order of their times, and of their entry within one time.
#[derive(Debug)]
pub struct Agenda<T> {
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
