//! Why a read or a write of the store came to nothing.

use aws_sdk_dynamodb::types::CancellationReason;

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
    /// Another write has changed what this one rests on since it was read, or has already made it: read again, decide again.
    #[error("it has changed since it was read")]
    Moved,
    /// It could not be done.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ChangeError {
    /// A refused condition is [`ChangeError::Moved`], whichever of the transaction's conditions it was.
    pub(crate) fn of_transaction(error: TransactError) -> Self {
        match error {
            TransactError::Refused(_) => Self::Moved,
            TransactError::Store(error) => Self::Store(error),
        }
    }
}

/// Why a transaction changed nothing.
#[derive(Debug)]
pub(crate) enum TransactError {
    /// A condition did not hold. One reason for each item, in the order they were given.
    Refused(Vec<CancellationReason>),
    /// It could not be done.
    Store(StoreError),
}

pub(crate) fn unavailable(
    operation: &'static str,
    source: impl std::error::Error + Send + Sync + 'static,
) -> StoreError {
    StoreError::Unavailable { operation, source: Box::new(source) }
}
