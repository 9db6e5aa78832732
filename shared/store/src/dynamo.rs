//! The database as every table file uses it: scoped requests, retries, and the one way to decide and write.

use std::{collections::HashMap, fmt, sync::Arc};

use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, ReturnValue, TransactWriteItem},
};
use base::{clock::Clock, entropy::Entropy};
use domain::ids::OrgId;
use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;

use crate::{
    error::{ChangeError, StoreError, TransactError, unavailable},
    guard::Violation,
    item::{Item, decode, is_refusal, number, text},
    scope::{Marked, Scope, System},
    table::Table,
};

/// How long one business write may be retried.
const BUDGET: SignedDuration = SignedDuration::from_secs(3);
/// The first pause between tries; it doubles, and half of it is chance.
const FIRST_PAUSE_MILLIS: u64 = 20;
const LONGEST_PAUSE_MILLIS: u64 = 400;

/// The database: a client, the environment's prefix, and the seams that retries need.
#[derive(Clone)]
pub struct Dynamo {
    /// The SDK's client, its own retries off.
    client: Client,
    prefix: Arc<str>,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
}

impl fmt::Debug for Dynamo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dynamo").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Dynamo {
    /// Wraps a client whose own retries are off, and which has the ledger guard.
    pub fn new(client: Client, prefix: &str, clock: Arc<dyn Clock>, entropy: Arc<Entropy>) -> Self {
        Self { client, prefix: prefix.into(), clock, entropy }
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

    /// The rounds of [`Dynamo::until_written`], for the few that carry over what the refused write told them.
    pub fn rounds(&self, what: &'static str) -> Rounds<'_> {
        Rounds { db: self, what, give_up_at: self.clock.now() + PATIENCE, begun: 1 }
    }

    /// Does `attempt` until it succeeds, fails for good, or the budget is used up.
    ///
    /// A time-out may have been applied. Every write here is recognised by its own effect when it is done again
    /// (a hold that is there, an entry that exists, a version that moved), so a retry is always safe, and an
    /// ambiguous write is never taken for one that failed.
    pub(crate) async fn retrying<T, E, F>(
        &self,
        operation: &'static str,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, SdkError<E>>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let give_up_at = self.clock.now() + BUDGET;
        let mut pause = FIRST_PAUSE_MILLIS;
        loop {
            match attempt().await {
                Err(error) if is_passing(&error) && self.clock.now() < give_up_at => {
                    tracing::debug!(operation, "trying again");
                    self.pause(pause).await;
                    pause = pause.saturating_mul(2).min(LONGEST_PAUSE_MILLIS);
                }
                outcome => return outcome,
            }
        }
    }

    /// Waits about `millis`: at least half of it, the rest by chance.
    async fn pause(&self, millis: u64) {
        let half = millis.div_euclid(2);
        let jittered = half.saturating_add(self.entropy.up_to(half));
        let pause = SignedDuration::from_millis(i64::try_from(jittered).unwrap_or(i64::MAX));
        self.clock.sleep(pause).await;
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

/// One conditional change of a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Update<'a> {
    /// What is set, added and removed.
    pub(crate) change: &'a str,
    /// What must hold of the record as it is.
    pub(crate) condition: &'a str,
    /// What the expressions' names, such as `#call`, stand for.
    pub(crate) names: &'a [(&'a str, &'a str)],
    /// The values that the expressions name.
    pub(crate) values: &'a [(&'a str, AttributeValue)],
}

/// The database within one [`Scope`].
#[derive(Clone, Copy)]
pub(crate) struct Scoped<'a> {
    db: &'a Dynamo,
    scope: Scope,
}

impl Scoped<'_> {
    /// The SDK's client. Each request by it bears [`Scoped::mark`], or the transport refuses it.
    pub(crate) fn client(&self) -> &Client {
        &self.db.client
    }

    /// The mark of this scope: `….customize().interceptor(scoped.mark()).send()`.
    pub(crate) const fn mark(&self) -> Marked {
        Marked(self.scope)
    }

    /// Reads one record, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        table: Table,
        key: &[(&str, &str)],
    ) -> Result<Option<T>, StoreError> {
        let keys: Item = key.iter().map(|(name, value)| ((*name).to_owned(), text(*value))).collect();
        let got = self
            .db
            .retrying("GetItem", || {
                self.client()
                    .get_item()
                    .table_name(self.db.table_name(table))
                    .set_key(Some(keys.clone()))
                    .consistent_read(true)
                    .customize()
                    .interceptor(self.mark())
                    .send()
            })
            .await
            .map_err(|error| unavailable("GetItem", error))?;
        got.item.map(|item| decode(table, item)).transpose()
    }

    /// Reads all records of one org in a table, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub(crate) async fn all<T: DeserializeOwned>(
        &self,
        table: Table,
        org: OrgId,
    ) -> Result<Vec<T>, StoreError> {
        let mut records = Vec::new();
        let mut start: Option<Item> = None;
        loop {
            let answer = self
                .db
                .retrying("Query", || {
                    self.client()
                        .query()
                        .table_name(self.db.table_name(table))
                        .consistent_read(true)
                        .key_condition_expression("org_id = :org")
                        .expression_attribute_values(":org", text(org.to_string()))
                        .set_exclusive_start_key(start.clone())
                        .customize()
                        .interceptor(self.mark())
                        .send()
                })
                .await
                .map_err(|error| unavailable("Query", error))?;
            for item in answer.items.unwrap_or_default() {
                records.push(decode(table, item)?);
            }
            start = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok(records);
            }
        }
    }

    /// Reads a whole table, record by record.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn scan(&self, table: Table) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::new();
        let mut start: Option<Item> = None;
        loop {
            let answer = self
                .db
                .retrying("Scan", || {
                    self.client()
                        .scan()
                        .table_name(self.db.table_name(table))
                        .consistent_read(true)
                        .set_exclusive_start_key(start.clone())
                        .customize()
                        .interceptor(self.mark())
                        .send()
                })
                .await
                .map_err(|error| unavailable("Scan", error))?;
            items.extend(answer.items.unwrap_or_default());
            start = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok(items);
            }
        }
    }

    /// Puts `item` in the place of the record whose `version` was `read`.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when another write came between.
    pub(crate) async fn put_over(&self, table: Table, item: Item, read: u64) -> Result<(), ChangeError> {
        self.put_if(table, item, "version = :read", &[], &[(":read", number(read))]).await
    }

    /// Puts `item` if `condition` holds of what is there.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when it does not.
    pub(crate) async fn put_if(
        &self,
        table: Table,
        item: Item,
        condition: &str,
        names: &[(&str, &str)],
        values: &[(&str, AttributeValue)],
    ) -> Result<(), ChangeError> {
        let (names, values) = (owned_names(names), owned_values(values));
        let outcome = self
            .db
            .retrying("PutItem", || {
                self.client()
                    .put_item()
                    .table_name(self.db.table_name(table))
                    .set_item(Some(item.clone()))
                    .condition_expression(condition)
                    .set_expression_attribute_names(names.clone())
                    .set_expression_attribute_values(values.clone())
                    .customize()
                    .interceptor(self.mark())
                    .send()
            })
            .await;
        match outcome {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => {
                Err(ChangeError::Moved)
            }
            Err(error) => Err(unavailable("PutItem", error).into()),
        }
    }

    /// Puts `item`, whatever is there.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn put(&self, table: Table, item: Item) -> Result<(), StoreError> {
        self.db
            .retrying("PutItem", || {
                self.client()
                    .put_item()
                    .table_name(self.db.table_name(table))
                    .set_item(Some(item.clone()))
                    .customize()
                    .interceptor(self.mark())
                    .send()
            })
            .await
            .map(|_| ())
            .map_err(|error| unavailable("PutItem", error))
    }

    /// Makes one conditional update of the record at `key`. Returns the record as written.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when the condition does not hold.
    pub(crate) async fn update(
        &self,
        table: Table,
        key: &[(&str, &str)],
        update: &Update<'_>,
    ) -> Result<Item, ChangeError> {
        let key: Item = key.iter().map(|(name, value)| ((*name).to_owned(), text(*value))).collect();
        let (names, values) = (owned_names(update.names), owned_values(update.values));
        let outcome = self
            .db
            .retrying("UpdateItem", || {
                self.client()
                    .update_item()
                    .table_name(self.db.table_name(table))
                    .set_key(Some(key.clone()))
                    .update_expression(update.change)
                    .condition_expression(update.condition)
                    .set_expression_attribute_names(names.clone())
                    .set_expression_attribute_values(values.clone())
                    .return_values(ReturnValue::AllNew)
                    .customize()
                    .interceptor(self.mark())
                    .send()
            })
            .await;
        match outcome {
            Ok(written) => Ok(written.attributes.unwrap_or_default()),
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => {
                Err(ChangeError::Moved)
            }
            Err(error) => Err(unavailable("UpdateItem", error).into()),
        }
    }

    /// Puts `item` if nothing has its key; answers what was there instead.
    ///
    /// # Errors
    /// When the database does not answer.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the SDK's enums grow")]
    pub(crate) async fn put_new(
        &self,
        table: Table,
        key: &str,
        item: Item,
    ) -> Result<Option<Item>, StoreError> {
        let outcome = self
            .db
            .retrying("PutItem", || {
                self.client()
                    .put_item()
                    .table_name(self.db.table_name(table))
                    .set_item(Some(item.clone()))
                    .condition_expression("attribute_not_exists(#key)")
                    .expression_attribute_names("#key", key)
                    .return_values_on_condition_check_failure(
                        aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld,
                    )
                    .customize()
                    .interceptor(self.mark())
                    .send()
            })
            .await;
        use aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException as Refused;
        match outcome {
            Ok(_) => Ok(None),
            Err(SdkError::ServiceError(error)) if matches!(error.err(), Refused(_)) => match error.into_err()
            {
                Refused(refused) => Ok(Some(refused.item.unwrap_or_default())),
                other => Err(unavailable("PutItem", other)),
            },
            Err(error) => Err(unavailable("PutItem", error)),
        }
    }

    /// Does all of `items` or none; which condition did not hold makes no difference.
    ///
    /// # Errors
    /// [`ChangeError::Moved`] when one did not.
    pub(crate) async fn change(&self, items: Vec<TransactWriteItem>) -> Result<(), ChangeError> {
        self.transact(items).await.map_err(ChangeError::of_transaction)
    }

    /// Does all of `items` or none.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the SDK's enums grow")]
    pub(crate) async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<(), TransactError> {
        // One token for all tries: a try that was applied without an answer is answered as done. Only a comfort: the
        // conditions alone keep a transaction from happening twice.
        let token = self.db.entropy.uuid(self.db.clock.now()).to_string();
        let outcome = self
            .db
            .retrying("TransactWriteItems", || {
                self.client()
                    .transact_write_items()
                    .set_transact_items(Some(items.clone()))
                    .client_request_token(&token)
                    .customize()
                    .interceptor(self.mark())
                    .send()
            })
            .await;
        match outcome {
            Ok(_) => Ok(()),
            Err(SdkError::ServiceError(error)) => match error.into_err() {
                TransactWriteItemsError::TransactionCanceledException(cancelled)
                    if cancelled.cancellation_reasons().iter().any(is_refusal) =>
                {
                    Err(TransactError::Refused(cancelled.cancellation_reasons.unwrap_or_default()))
                }
                error => Err(TransactError::Store(unavailable("TransactWriteItems", error))),
            },
            Err(error) => Err(TransactError::Store(unavailable("TransactWriteItems", error))),
        }
    }
}

/// What expressions' names stand for, as the SDK takes it: the database refuses an empty list.
fn owned_names(names: &[(&str, &str)]) -> Option<HashMap<String, String>> {
    let owned = names.iter().map(|(name, meant)| ((*name).to_owned(), (*meant).to_owned())).collect();
    Some(owned).filter(|names: &HashMap<_, _>| !names.is_empty())
}

/// What expressions' values are, likewise.
fn owned_values(values: &[(&str, AttributeValue)]) -> Option<Item> {
    let owned = values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Some(owned).filter(|values: &Item| !values.is_empty())
}

/// Whether trying again can help: throttled, in conflict, in progress, broken off, or without an answer.
#[expect(clippy::wildcard_enum_match_arm, reason = "the SDK's enums grow")]
fn is_passing<E: ProvideErrorMetadata + std::error::Error + 'static>(error: &SdkError<E>) -> bool {
    let code = match error {
        // What the guard keeps in is a fault of ours: asking again changes nothing.
        error if is_kept_in(error) => return false,
        SdkError::ServiceError(service) => service.err().code(),
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => return true,
        _ => return false,
    };
    if code == Some("TransactionCanceledException") {
        return is_passing_cancellation(error);
    }
    matches!(
        code,
        Some(
            "ThrottlingException"
                | "ProvisionedThroughputExceededException"
                | "RequestLimitExceeded"
                | "TransactionConflictException"
                | "TransactionInProgressException"
                | "InternalServerError"
                | "InternalFailure"
                | "ServiceUnavailable"
        )
    )
}

/// Whether a transaction was cancelled by nothing but conflicts and throttling.
fn is_passing_cancellation<E: std::error::Error + 'static>(error: &SdkError<E>) -> bool {
    let Some(service) = error.as_service_error() else { return false };
    let service: &dyn std::error::Error = service;
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = service.downcast_ref()
    else {
        return false;
    };
    !cancelled.cancellation_reasons().iter().any(|reason| {
        !matches!(
            reason.code(),
            None | Some("None" | "TransactionConflict" | "ThrottlingError" | "ProvisionedThroughputExceeded")
        )
    })
}

/// Whether the guard in the transport did not let the request out.
fn is_kept_in(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(|error| error.is::<Violation>())
}
