//! Retries of one request: ours, because the SDK's own are off.

use aws_sdk_dynamodb::{
    error::{ProvideErrorMetadata, SdkError},
    operation::transact_write_items::TransactWriteItemsError,
};
use jiff::{SignedDuration, Timestamp};

use super::Dynamo;
use crate::guard::Violation;

/// How long one business write may be retried.
pub(super) const BUDGET: SignedDuration = SignedDuration::from_secs(3);
/// The first pause between tries; it doubles, and half of it is chance.
const FIRST_PAUSE_MILLIS: u64 = 20;
const LONGEST_PAUSE_MILLIS: u64 = 400;

impl Dynamo {
    /// Does `attempt` until it succeeds, fails for good, or the budget is used up.
    ///
    /// A time-out may have been applied. Every write here is recognised by its own effect when it is done again
    /// (a hold that is there, an entry that exists, a version that moved), so a retry is always safe, and an
    /// ambiguous write is never taken for one that failed.
    pub(crate) async fn retrying<T, E, F>(
        &self,
        operation: &'static str,
        attempt: impl FnMut() -> F,
    ) -> Result<T, SdkError<E>>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        self.retrying_until(self.clock.now() + self.budget, operation, attempt).await
    }

    /// The same until `give_up_at`, for what somebody waits on the telephone for. There is one attempt, however late it is.
    pub(crate) async fn retrying_until<T, E, F>(
        &self,
        give_up_at: Timestamp,
        operation: &'static str,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, SdkError<E>>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let mut pause = FIRST_PAUSE_MILLIS;
        loop {
            match attempt().await {
                Err(error) if is_passing(&error) && self.clock.now() < give_up_at => {
                    tracing::debug!(operation, "a request to the database is tried again");
                    self.pause(pause).await;
                    pause = pause.saturating_mul(2).min(LONGEST_PAUSE_MILLIS);
                }
                outcome => return outcome,
            }
        }
    }

    /// Waits about `millis`: at least half of it, the rest by chance.
    pub(super) async fn pause(&self, millis: u64) {
        let half = millis.div_euclid(2);
        let jittered = half.saturating_add(self.entropy.up_to(half));
        let pause = SignedDuration::from_millis(i64::try_from(jittered).unwrap_or(i64::MAX));
        self.clock.sleep(pause).await;
    }
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
    std::iter::successors(Some(error), |error| error.source()).any(<dyn std::error::Error>::is::<Violation>)
}
