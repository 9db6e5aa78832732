//! What gives due messages to the queue, every minute.

use std::sync::Arc;

use base::clock::Clock;
use domain::message::{Due, SHARDS, slot};
use jiff::{SignedDuration, Timestamp, ToSpan as _, Unit};
use platform::Platform;
use store::{Dynamo, StoreError, messages::DueMessages, queue::MessageQueue, runs::Runs};

/// The name under which the watermark is kept.
const TASK: &str = "messages";
/// How long after the end of an hour a write of before may still add to it: longer than any function runs, and than clocks differ.
const SETTLED: SignedDuration = SignedDuration::from_mins(20);
/// How long a run begins new hours: within the minute, and within the function's time (`template.yaml`).
const BUDGET: SignedDuration = SignedDuration::from_secs(40);

/// Gives what is due to the queue.
#[derive(Clone, Debug)]
pub struct Dispatch {
    due: DueMessages,
    runs: Runs,
    queue: MessageQueue,
    clock: Arc<dyn Clock>,
}

impl Dispatch {
    /// Puts it together.
    pub fn new(platform: &Platform, db: Dynamo, queue: MessageQueue) -> Self {
        Self {
            due: DueMessages::new(db.clone()),
            runs: Runs::new(db),
            queue,
            clock: Arc::clone(&platform.clock),
        }
    }

    /// Gives everything that is due to the queue, the oldest hour first, and takes it out once the queue has it. A message that the
    /// queue has and that could not be taken out is given again by the next run, and sent once all the same. Returns how many were
    /// given.
    ///
    /// # Errors
    /// When the store or the queue does not do its part. The next run begins where this one stopped.
    pub async fn run(&self) -> Result<usize, StoreError> {
        let begun = self.clock.now();
        let mut hour = match self.runs.watermark(TASK).await? {
            Some(hour) => hour,
            None => self.first(begun).await?,
        };
        let mut given = 0_usize;
        while hour <= begun && self.clock.now().duration_since(begun) < BUDGET {
            let shards = (0..SHARDS).map(|shard| self.hour(hour, shard, begun));
            let counts = futures::future::try_join_all(shards).await?;
            given = counts.into_iter().fold(given, usize::saturating_add);
            let Ok(next) = hour.checked_add(1.hour()) else { break };
            if begun.duration_since(next) >= SETTLED {
                self.runs.advance(TASK, next).await?;
            }
            hour = next;
        }
        Ok(given)
    }

    /// Where the very first run begins: nothing was due before it, but for what was written while it was deployed.
    async fn first(&self, begun: Timestamp) -> Result<Timestamp, StoreError> {
        let hour = start_of_hour(begun.saturating_sub(1.hour()).unwrap_or(begun));
        self.runs.advance(TASK, hour).await?;
        Ok(hour)
    }

    async fn hour(&self, hour: Timestamp, shard: u8, now: Timestamp) -> Result<usize, StoreError> {
        let due: Vec<Due> = self.due.by(&slot(hour, shard), now).await?;
        for message in &due {
            self.queue.send(message).await?;
            self.due.remove(message).await?;
        }
        Ok(due.len())
    }
}

/// The first instant of the hour of UTC that an instant lies in.
fn start_of_hour(at: Timestamp) -> Timestamp {
    let floor = jiff::TimestampRound::new().smallest(Unit::Hour).mode(jiff::RoundMode::Floor);
    at.round(floor).unwrap_or(at)
}
