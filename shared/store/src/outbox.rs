//! The outbox: what must reach a vendor after a write of ours reaches it, although the process may die at any moment, and no
//! transaction spans a table and a queue.
//!
//! 1. **Announce**: before the write, a message that comes [`AFTER_THE_WRITE_SECS`] later. If the queue does not take it, nothing
//!    is written.
//! 2. **Write**: the change of our own records.
//! 3. **Expedite**: after the write, a second message that comes at once. If it is lost, the announced one comes all the same.
//!
//! A message says only what is to be looked at; its consumer reads the records and gives the vendor what they say, so that a
//! message without a write, or two messages of one write, do no harm. Agents are pushed to Vapi so.

use std::marker::PhantomData;

use base::alarm::chain;
use serde::Serialize;

use crate::{error::StoreError, queue::Queue};

/// How long after it was sent an announced message comes: no function that announces may run longer (`template.yaml`), so it
/// comes after the write, or the write never comes.
pub const AFTER_THE_WRITE_SECS: i32 = 30;

/// A queue whose messages follow writes.
#[derive(Clone, Debug)]
pub struct Outbox<M> {
    queue: Queue,
    of: PhantomData<fn(M)>,
}

impl<M: Serialize> Outbox<M> {
    /// The queue at `url`.
    pub const fn new(client: aws_sdk_sqs::Client, url: String) -> Self {
        Self { queue: Queue::new(client, url), of: PhantomData }
    }

    /// Announces `messages`, makes the write, and expedites them. A write that was refused leaves the announced messages, which
    /// find nothing to do.
    ///
    /// # Errors
    /// When a message cannot be announced: then nothing is written. Else the write's own.
    pub async fn around<T, E: From<StoreError>>(
        &self,
        messages: &[M],
        write: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        for message in messages {
            self.send(message, AFTER_THE_WRITE_SECS).await?;
        }
        let written = write.await?;
        for message in messages {
            self.expedite(message).await;
        }
        Ok(written)
    }

    /// Has what was announced done at once, now that the write is made.
    async fn expedite(&self, message: &M) {
        // The one that was announced comes in any case.
        if let Err(error) = self.send(message, 0).await {
            tracing::warn!(cause = chain(&error), "what follows a write comes half a minute late");
        }
    }

    /// Sends a message, to be delivered after `delay_secs`. Once this returns, it is durable.
    ///
    /// # Errors
    /// When the queue did not take it, twice.
    pub async fn send(&self, message: &M, delay_secs: i32) -> Result<(), StoreError> {
        self.queue.send(message, delay_secs).await
    }
}
