//! The database as every table file uses it: scoped requests, retries, and the one way to decide and write.

mod pages;
mod retry;
mod scoped;

use std::{fmt, sync::Arc};

use aws_sdk_dynamodb::Client;
use base::{clock::Clock, entropy::Entropy};
use domain::ids::OrgId;
use jiff::{SignedDuration, Timestamp};

use crate::{
    error::{ChangeError, StoreError},
    scope::{Scope, System},
    table::Table,
};

pub(crate) use pages::Read;
pub(crate) use scoped::{Scoped, Update};

/// The database: a client, the environment's prefix, and the seams that retries need.
#[derive(Clone)]
pub struct Dynamo {
    /// The SDK's client, its own retries off.
    client: Client,
    prefix: Arc<str>,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
    /// How long one request may be tried again.
    budget: SignedDuration,
}

impl fmt::Debug for Dynamo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dynamo").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Dynamo {
    /// Wraps a client whose own retries are off, and which has the ledger guard.
    pub fn new(client: Client, prefix: &str, clock: Arc<dyn Clock>, entropy: Arc<Entropy>) -> Self {
        Self { client, prefix: prefix.into(), clock, entropy, budget: retry::BUDGET }
    }

    /// The same for what somebody waits on the telephone for and can do without: what fails is tried again for so long only.
    #[must_use]
    pub fn within(&self, budget: SignedDuration) -> Self {
        Self { budget, ..self.clone() }
    }

    /// The table's full name in this environment.
    pub fn table_name(&self, table: Table) -> String {
        format!("{}{}", self.prefix, table.name())
    }

    /// The database for requests of one org: its own data and no other's.
    pub(crate) fn of_org(&self, org: OrgId) -> Scoped<'_> {
        Scoped { db: self, scope: Scope::Org(org) }
    }

    /// The database for finding out whose a vendor's id is.
    pub(crate) fn resolving(&self) -> Scoped<'_> {
        Scoped { db: self, scope: Scope::Resolving }
    }

    /// The database for a task that works for all orgs.
    pub(crate) fn of_system(&self, system: System) -> Scoped<'_> {
        Scoped { db: self, scope: Scope::System(system) }
    }

    /// Reads, decides and writes, again and again until the write holds: the one way to change what others may be changing.
    ///
    /// `attempt` does all three, each time from a fresh read, and returns [`Attempt::Moved`] when another write came between
    /// its read and its own. `what` names the record in the error.
    ///
    /// # Errors
    /// The attempt's own, and [`StoreError::Contended`] as [`Rounds::again`] says.
    pub async fn until_written<T, E, F>(
        &self,
        what: &'static str,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, E>
    where
        E: From<StoreError>,
        F: Future<Output = Result<Attempt<T>, E>>,
    {
        let mut rounds = self.rounds(what);
        loop {
            match attempt().await? {
                Attempt::Done(done) => return Ok(done),
                Attempt::Moved => rounds.again().await?,
            }
        }
    }

    /// The same, at most so many times and with a short pause between: for somebody who waits on the telephone. None when another
    /// write came between each time.
    ///
    /// # Errors
    /// The attempt's own.
    pub async fn a_few_times<T, E, F>(
        &self,
        times: u32,
        mut attempt: impl FnMut() -> F,
    ) -> Result<Option<T>, E>
    where
        F: Future<Output = Result<Attempt<T>, E>>,
    {
        for time in 0..times {
            if time > 0 {
                self.pause(PAUSE_MILLIS).await;
            }
            if let Attempt::Done(done) = attempt().await? {
                return Ok(Some(done));
            }
        }
        Ok(None)
    }

    /// The rounds of [`Dynamo::until_written`], for the few that carry over what the refused write told them.
    pub fn rounds(&self, what: &'static str) -> Rounds<'_> {
        Rounds { db: self, what, give_up_at: self.clock.now() + PATIENCE, begun: 1 }
    }
}

/// How long [`Dynamo::until_written`] goes on: well within the 7.5 s that Vapi waits for an answer.
pub const PATIENCE: SignedDuration = SignedDuration::from_secs(4);
/// How many rounds there are however long each takes: one that asks a vendor may take longer than [`PATIENCE`] by itself.
const LEAST_ROUNDS: u32 = 3;
/// The pause between two rounds, half of it chance.
const PAUSE_MILLIS: u64 = 15;

/// How often something is read, decided and written.
#[derive(Debug)]
pub struct Rounds<'a> {
    db: &'a Dynamo,
    what: &'static str,
    give_up_at: Timestamp,
    begun: u32,
}

impl Rounds<'_> {
    /// Waits a moment before the next round.
    ///
    /// # Errors
    /// [`StoreError::Contended`] when other writes kept coming between for [`PATIENCE`], or for three rounds where those took
    /// longer.
    pub async fn again(&mut self) -> Result<(), StoreError> {
        if self.begun >= LEAST_ROUNDS && self.db.clock.now() >= self.give_up_at {
            return Err(StoreError::Contended { what: self.what });
        }
        self.begun = self.begun.saturating_add(1);
        self.db.pause(PAUSE_MILLIS).await;
        Ok(())
    }
}

/// What one round of reading, deciding and writing came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt<T> {
    /// It is done, or needs no doing.
    Done(T),
    /// Another write came between: it is to be read and decided again.
    Moved,
}

impl<T> Attempt<T> {
    /// What a conditional write came to: a refused condition means another round.
    ///
    /// # Errors
    /// When the write could not be done at all.
    pub fn of(outcome: Result<T, ChangeError>) -> Result<Self, StoreError> {
        match outcome {
            Ok(done) => Ok(Self::Done(done)),
            Err(ChangeError::Moved) => Ok(Self::Moved),
            Err(ChangeError::Store(error)) => Err(error),
        }
    }

    /// The same round with another result.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Attempt<U> {
        match self {
            Self::Done(done) => Attempt::Done(change(done)),
            Self::Moved => Attempt::Moved,
        }
    }
}
