//! The one loop of every function that a queue calls.

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use base::alarm::chain;
use serde::de::DeserializeOwned;

/// Takes each message of a batch by itself. Those that could not be dealt with are given back to the queue, alone, and come
/// again; after the queue's `maxReceiveCount` they are dead letters, where a person sees them. So does a message that is none
/// of ours.
pub async fn each_message<M, E, F>(event: SqsEvent, take: impl Fn(M) -> F) -> SqsBatchResponse
where
    M: DeserializeOwned,
    E: std::error::Error + 'static,
    F: Future<Output = Result<(), E>>,
{
    let mut failed = SqsBatchResponse::default();
    for message in event.records {
        let message_id = message.message_id.unwrap_or_default();
        let why = match serde_json::from_str(message.body.as_deref().unwrap_or_default()) {
            Ok(read) => take(read).await.err().map(|error| chain(&error)),
            Err(unreadable) => Some(chain(&unreadable)),
        };
        if let Some(cause) = why {
            tracing::error!(message_id, cause, "a message of the queue is to come again");
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = message_id;
            failed.batch_item_failures.push(failure);
        }
    }
    failed
}
