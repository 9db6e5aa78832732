//! What every table file needs: names, decoding, retries.

use std::{collections::HashMap, fmt, sync::Arc};

use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, CancellationReason, Put, TransactWriteItem},
};
use jiff::SignedDuration;
use serde::{Serialize, de::DeserializeOwned};

use base::clock::Clock;
use base::entropy::Entropy;
use domain::ids::OrgId;

/// A record as DynamoDB holds it.
pub type Item = HashMap<String, AttributeValue>;

/// The tables, as `template.yaml` declares them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// An org's money.
    Wallets,
    /// Its movements.
    LedgerEntries,
    /// Stripe customer → org.
    StripeCustomers,
    /// Vapi phone number → org.
    PhoneNumberMapping,
    /// Vapi assistant → org.
    AssistantMapping,
    /// Calls, and their text.
    Calls,
    /// Vapi call → org and call.
    CallMapping,
    /// An org's numbers, with what opens them: what the dropdown shows.
    OrgCredentials,
    /// The numbers we manage: what was bought, and what became of it.
    ManagedPhoneNumbers,
    /// Purchases of numbers.
    NumberPurchases,
    /// Each org's subaccount at Twilio.
    TwilioSubaccounts,
    /// What is made once for all orgs at Vapi.
    VapiObjects,
    /// The orgs' agents.
    Agents,
    /// What Vapi sent that could not be placed.
    VapiWebhookEvents,
    /// What Stripe sent, and what became of it.
    StripeWebhookEvents,
    /// What reconciliation has done, and how far it has come.
    Reconciliation,
}

impl Table {
    /// Its name, without the environment in front.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wallets => "wallets",
            Self::LedgerEntries => "ledger_entries",
            Self::StripeCustomers => "stripe_customers",
            Self::PhoneNumberMapping => "phone_number_mapping",
            Self::AssistantMapping => "assistant_mapping",
            Self::Calls => "calls",
            Self::CallMapping => "call_mapping",
            Self::OrgCredentials => "org_credentials",
            Self::ManagedPhoneNumbers => "managed_phone_numbers",
            Self::NumberPurchases => "number_purchases",
            Self::TwilioSubaccounts => "twilio_subaccounts",
            Self::VapiObjects => "vapi_objects",
            Self::Agents => "agents",
            Self::VapiWebhookEvents => "vapi_webhook_events",
            Self::StripeWebhookEvents => "stripe_webhook_events",
            Self::Reconciliation => "reconciliation",
        }
    }
}

/// Why a read or a write came to nothing. What was asked may be asked again.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A record that this build cannot read. It is never skipped.
    #[error("the record {key} in {table} cannot be read")]
    Decode {
        /// Where it lies.
        table: &'static str,
        /// Which one.
        key: String,
        /// Why.
        source: serde_dynamo::Error,
    },
    /// A value that cannot be written.
    #[error("a value for {table} cannot be written")]
    Encode {
        /// Where to.
        table: &'static str,
        /// Why.
        source: serde_dynamo::Error,
    },
    /// The database did not answer, or refused, within the time that retries have.
    #[error("the database did not do {operation}")]
    Unavailable {
        /// What was asked.
        operation: &'static str,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A queue did not take or give a message.
    #[error("the queue did not do {operation}")]
    Queue {
        /// What was asked.
        operation: &'static str,
        /// Why not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Others kept changing the same record until the time was up.
    #[error("{what} was changed by others until the time was up")]
    Contended {
        /// Which record.
        what: &'static str,
    },
    /// The wallet must exist for this write, and does not.
    #[error("the org has no wallet")]
    NoWallet,
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// Others have changed what it rests on since it was read: read again, decide again.
    #[error("it has changed since it was read")]
    Moved,
    /// It could not be done.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a transaction changed nothing.
#[derive(Debug)]
pub(super) enum TransactError {
    /// A condition did not hold. One reason for each item, in the order they were given.
    Refused(Vec<CancellationReason>),
    /// It could not be done.
    Store(StoreError),
}

/// How long one business write may be retried.
const BUDGET: SignedDuration = SignedDuration::from_secs(3);
/// The first pause between tries; it doubles, and half of it is chance.
const FIRST_PAUSE_MILLIS: u64 = 20;
const LONGEST_PAUSE_MILLIS: u64 = 400;

/// The database: a client, the environment's prefix, and the seams that retries need.
#[derive(Clone)]
pub struct Dynamo {
    /// The SDK's client, its own retries off.
    pub(super) client: Client,
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

    /// Does `attempt` until it succeeds, fails for good, or the budget is used up.
    ///
    /// A time-out may have been applied. Every write here is recognised by its own effect when it is done again
    /// (a hold that is there, an entry that exists, a version that moved), so a retry is always safe, and an
    /// ambiguous write is never taken for one that failed.
    pub(super) async fn retrying<T, E, F>(
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
    pub async fn pause(&self, millis: u64) {
        let half = millis.div_euclid(2);
        let jittered = half.saturating_add(self.entropy.up_to(half));
        let pause = SignedDuration::from_millis(i64::try_from(jittered).unwrap_or(i64::MAX));
        self.clock.sleep(pause).await;
    }

    /// Reads one record, consistently.
    ///
    /// # Errors
    /// When the database does not answer, or the record does not decode.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        table: Table,
        key: &[(&str, &str)],
    ) -> Result<Option<T>, StoreError> {
        let keys: Item = key.iter().map(|(name, value)| ((*name).to_owned(), text(*value))).collect();
        let got = self
            .retrying("GetItem", || {
                self.client
                    .get_item()
                    .table_name(self.table_name(table))
                    .set_key(Some(keys.clone()))
                    .consistent_read(true)
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
    pub(super) async fn all_of<T: DeserializeOwned>(
        &self,
        table: Table,
        org: OrgId,
    ) -> Result<Vec<T>, StoreError> {
        let mut records = Vec::new();
        let mut start: Option<Item> = None;
        loop {
            let answer = self
                .retrying("Query", || {
                    self.client
                        .query()
                        .table_name(self.table_name(table))
                        .consistent_read(true)
                        .key_condition_expression("org_id = :org")
                        .expression_attribute_values(":org", text(org.to_string()))
                        .set_exclusive_start_key(start.clone())
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
    pub(super) async fn scan(&self, table: Table) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::new();
        let mut start: Option<Item> = None;
        loop {
            let answer = self
                .retrying("Scan", || {
                    self.client
                        .scan()
                        .table_name(self.table_name(table))
                        .consistent_read(true)
                        .set_exclusive_start_key(start.clone())
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

    /// Puts `item` in the place of the record whose `version` was `read`. Answers whether it was still there.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(super) async fn put_over(&self, table: Table, item: Item, read: u64) -> Result<bool, StoreError> {
        let outcome = self
            .retrying("PutItem", || {
                self.client
                    .put_item()
                    .table_name(self.table_name(table))
                    .set_item(Some(item.clone()))
                    .condition_expression("version = :read")
                    .expression_attribute_values(":read", number(read))
                    .send()
            })
            .await;
        match outcome {
            Ok(_) => Ok(true),
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => {
                Ok(false)
            }
            Err(error) => Err(unavailable("PutItem", error)),
        }
    }

    /// Puts `item` if nothing has its key; answers what was there instead.
    ///
    /// # Errors
    /// When the database does not answer.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the SDK's enums grow")]
    pub(super) async fn put_new(
        &self,
        table: Table,
        key: &str,
        item: Item,
    ) -> Result<Option<Item>, StoreError> {
        let outcome = self
            .retrying("PutItem", || {
                self.client
                    .put_item()
                    .table_name(self.table_name(table))
                    .set_item(Some(item.clone()))
                    .condition_expression("attribute_not_exists(#key)")
                    .expression_attribute_names("#key", key)
                    .return_values_on_condition_check_failure(
                        aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure::AllOld,
                    )
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

    /// Does all of `items` or none.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the SDK's enums grow")]
    pub(super) async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<(), TransactError> {
        // One token for all tries: a try that was applied without an answer is answered as done. Only a comfort: the
        // conditions alone keep a transaction from happening twice.
        let token = self.entropy.uuid(self.clock.now()).to_string();
        let outcome = self
            .retrying("TransactWriteItems", || {
                self.client
                    .transact_write_items()
                    .set_transact_items(Some(items.clone()))
                    .client_request_token(&token)
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

/// Whether a condition of this item did not hold.
pub(super) fn is_refusal(reason: &CancellationReason) -> bool {
    reason.code() == Some("ConditionalCheckFailed")
}

/// Whether trying again can help: throttled, in conflict, in progress, broken off, or without an answer.
#[expect(clippy::wildcard_enum_match_arm, reason = "the SDK's enums grow")]
fn is_passing<E: ProvideErrorMetadata + std::error::Error + 'static>(error: &SdkError<E>) -> bool {
    let code = match error {
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

pub(super) fn unavailable(
    operation: &'static str,
    source: impl std::error::Error + Send + Sync + 'static,
) -> StoreError {
    StoreError::Unavailable { operation, source: Box::new(source) }
}

pub(super) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(super) fn number(value: impl fmt::Display) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

pub(super) fn org_key(org: OrgId) -> (&'static str, String) {
    ("org_id", org.to_string())
}

/// Reads a record; one that does not decode is an error that names its keys.
pub(super) fn decode<T: DeserializeOwned>(table: Table, item: Item) -> Result<T, StoreError> {
    let keys = [
        "org_id",
        "call_id",
        "entry_key",
        "customer_id",
        "vapi_call_id",
        "vapi_phone_id",
        "event_key",
        "item",
        "provider_type",
        "number_id",
        "role",
        "name",
        "task",
    ];
    let key = keys
        .into_iter()
        .filter_map(|name| item.get(name)?.as_s().ok().cloned())
        .collect::<Vec<_>>()
        .join("/");
    serde_dynamo::from_item(item).map_err(|source| StoreError::Decode { table: table.name(), key, source })
}

/// Writes a record, leaving out what is absent.
pub(super) fn record<T: Serialize>(table: Table, value: &T) -> Result<Item, StoreError> {
    let mut item = encode(table, value)?;
    item.retain(|_, value| !value.is_null());
    Ok(item)
}

/// The part of a transaction that puts `item` where nothing has its key.
pub(super) fn put_new_part(
    db: &Dynamo,
    table: Table,
    key: &'static str,
    item: Item,
) -> Result<TransactWriteItem, StoreError> {
    let put = Put::builder()
        .table_name(db.table_name(table))
        .set_item(Some(item))
        .condition_expression("attribute_not_exists(#key)")
        .expression_attribute_names("#key", key)
        .build()
        .map_err(|error| unavailable("TransactWriteItems", error))?;
    Ok(TransactWriteItem::builder().put(put).build())
}

/// The part of a transaction that puts `item` in the place of the record whose `version` was `read`.
pub(super) fn put_over_part(
    db: &Dynamo,
    table: Table,
    item: Item,
    read: u64,
) -> Result<TransactWriteItem, StoreError> {
    let put = Put::builder()
        .table_name(db.table_name(table))
        .set_item(Some(item))
        .condition_expression("version = :read")
        .expression_attribute_values(":read", number(read))
        .build()
        .map_err(|error| unavailable("TransactWriteItems", error))?;
    Ok(TransactWriteItem::builder().put(put).build())
}

/// Writes a record.
pub(super) fn encode<T: Serialize>(table: Table, value: &T) -> Result<Item, StoreError> {
    serde_dynamo::to_item(value).map_err(|source| StoreError::Encode { table: table.name(), source })
}
