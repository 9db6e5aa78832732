//! Dead letters: what a queue gave up on, and what a vendor sent that could not be placed. A person looks at them, and sends
//! those of a queue back once their cause is mended.

mod letter;

use aws_sdk_sqs::{
    operation::get_queue_url::GetQueueUrlError,
    types::{MessageSystemAttributeName, QueueAttributeName},
};
use futures::future::join_all;

pub use self::letter::{DeadLetterError, Letter, Listed, Origin, Progress, Which};
use self::letter::{in_hand, letter_of_event};
use domain::ids::EventId;
use platform::Platform;
use store::{
    StoreError,
    webhook_events::{DEAD_LETTER, WebhookEvents},
};

/// The queues, and where what each gives up on goes: names after `voxanne-<environment>-`.
pub const QUEUES: [(&str, &str); 6] = [
    ("call-meter", "call-meter-dead-letters"),
    ("agent-sync", "agent-sync-dead-letters"),
    ("calendar-sync", "calendar-sync-dead-letters"),
    ("messages", "messages-dead-letters"),
    ("recharge", "recharge-dead-letters"),
    ("notifications", "notifications-dead-letters"),
];

/// Where a run goes that a schedule could not begin. No queue of ours is behind it: the next run does its work.
pub const SCHEDULE: (&str, &str) = ("schedule", "schedule-dead-letters");

/// The most letters of one queue or table that one command looks at or moves.
pub const MOST: usize = 1_000;
/// The most messages that one request receives (SQS).
const BATCH: i32 = 10;
/// How long a letter that is looked at is hidden from others, should we not put it back ourselves.
const HIDDEN_SECS: i32 = 30;
/// How many requests in a row may bring nothing new while the queue says that it holds more: each asks only some of SQS's
/// servers.
const EMPTY_ANSWERS: usize = 5;

/// Every place that a letter may lie in, by the same names as [`QUEUES`].
fn everywhere() -> impl Iterator<Item = (&'static str, &'static str)> {
    QUEUES.into_iter().chain([SCHEDULE])
}

/// The dead letters of one environment.
#[derive(Debug)]
pub struct DeadLetters {
    sqs: aws_sdk_sqs::Client,
    environment: String,
    vapi: WebhookEvents,
    stripe: WebhookEvents,
}

/// A queue, found.
struct Queue {
    name: &'static str,
    // None behind a schedule.
    work: Option<String>,
    dead: String,
}

/// A letter that is hidden from others until it is put back.
struct InHand {
    letter: Letter,
    handle: String,
}

impl DeadLetters {
    /// Those of `environment`.
    pub fn new(platform: &Platform, environment: &str) -> Self {
        let db = platform.database(&format!("voxanne-{environment}-"));
        Self {
            sqs: platform.sqs.clone(),
            environment: environment.to_owned(),
            vapi: WebhookEvents::vapi(db.clone()),
            stripe: WebhookEvents::stripe(db),
        }
    }

    /// Every letter there is, each left where it lies.
    ///
    /// # Errors
    /// When a queue is not there, or a queue or a table does not answer. What was in hand then shows again within half a minute.
    pub async fn list(&self) -> Result<Listed, DeadLetterError> {
        let mut listed = Listed::default();
        for (name, dead) in everywhere() {
            let queue = self.queue(name, dead).await?;
            let there = self.count(&queue).await?;
            let in_hand = self.look(&queue, there, None).await?;
            self.put_back(&queue, &in_hand).await;
            let unseen = there.saturating_sub(count(&in_hand));
            if unseen > 0 {
                listed.notes.push(format!(
                    "{name} counts {unseen} more, which did not show: another command has them in hand, or there are \
                     more than {MOST}. List again in half a minute."
                ));
            }
            listed.letters.extend(in_hand.into_iter().map(|in_hand| in_hand.letter));
        }
        for (origin, events) in self.events() {
            let events = events.dead_letters(MOST).await?;
            if events.len() == MOST {
                listed.notes.push(format!("There may be more than {MOST} of the kind \"{origin}\"."));
            }
            listed.letters.extend(events.into_iter().map(|event| letter_of_event(origin, event)));
        }
        Ok(listed)
    }

    /// One letter, left where it lies.
    ///
    /// # Errors
    /// When there is none of that id, or a queue or a table does not answer.
    pub async fn show(&self, id: &str) -> Result<Letter, DeadLetterError> {
        if let Some(letter) = self.event(id).await? {
            return Ok(letter);
        }
        for (name, dead) in everywhere() {
            let queue = self.queue(name, dead).await?;
            let there = self.count(&queue).await?;
            let in_hand = self.look(&queue, there, Some(id)).await?;
            self.put_back(&queue, &in_hand).await;
            if let Some(found) = in_hand.into_iter().find(|in_hand| in_hand.letter.id == id) {
                return Ok(found.letter);
            }
        }
        Err(DeadLetterError::Unknown { id: id.to_owned() })
    }

    /// Sends letters back to the queues they came from, and tells `progress` how many there are, then of each. Returns how
    /// many were sent: about [`MOST`] of each queue at most.
    ///
    /// Each is sent before it is deleted. Whatever dies in between leaves a copy too many, which is harmless: every message of
    /// ours may come twice.
    ///
    /// # Errors
    /// When a letter or a queue is not there, when it came by no queue, or when a queue does not answer. What was sent back
    /// until then stays so.
    pub async fn redrive(
        &self,
        which: &Which,
        mut progress: impl FnMut(Progress),
    ) -> Result<u64, DeadLetterError> {
        let chosen: Vec<_> = match which {
            Which::All => QUEUES.to_vec(),
            Which::Queue(wanted) => {
                let of_that_name: Vec<_> = QUEUES.into_iter().filter(|(name, _)| name == wanted).collect();
                if of_that_name.is_empty() {
                    return Err(DeadLetterError::NotOurs { name: wanted.clone() });
                }
                of_that_name
            }
            Which::Letter(id) => {
                self.redrive_one(id).await?;
                progress(Progress { done: 1, expected: 1 });
                return Ok(1);
            }
        };
        let mut queues = Vec::new();
        let mut far = Progress::default();
        for (name, dead) in chosen {
            let queue = self.queue(name, dead).await?;
            let there = self.count(&queue).await?;
            far.expected = far.expected.saturating_add(there);
            queues.push((queue, there));
        }
        progress(far);
        for (queue, there) in &queues {
            self.redrive_queue(queue, *there, || {
                far.done = far.done.saturating_add(1);
                progress(far);
            })
            .await?;
        }
        Ok(far.done)
    }

    async fn redrive_queue(
        &self,
        queue: &Queue,
        there: u64,
        mut moved_one: impl FnMut(),
    ) -> Result<(), DeadLetterError> {
        let Some(work) = &queue.work else { return Ok(()) };
        let mut moved = 0_usize;
        let mut empty = 0_usize;
        while moved < MOST && empty < EMPTY_ANSWERS {
            let batch = self.receive(queue).await?;
            if batch.is_empty() {
                if u64::try_from(moved).unwrap_or(u64::MAX) >= there {
                    break;
                }
                empty = empty.saturating_add(1);
                continue;
            }
            empty = 0;
            for in_hand in batch {
                self.send_back(queue, work, &in_hand).await?;
                moved = moved.saturating_add(1);
                moved_one();
            }
        }
        Ok(())
    }

    async fn redrive_one(&self, id: &str) -> Result<(), DeadLetterError> {
        if let Some(Letter { id, origin, .. }) = self.event(id).await? {
            return Err(DeadLetterError::NotQueued { id, origin });
        }
        for (name, dead) in everywhere() {
            let queue = self.queue(name, dead).await?;
            let there = self.count(&queue).await?;
            let in_hand = self.look(&queue, there, Some(id)).await?;
            let (wanted, others): (Vec<_>, Vec<_>) =
                in_hand.into_iter().partition(|in_hand| in_hand.letter.id == id);
            self.put_back(&queue, &others).await;
            let Some(letter) = wanted.first() else { continue };
            let Some(work) = &queue.work else {
                self.put_back(&queue, &wanted).await;
                return Err(DeadLetterError::Scheduled { id: id.to_owned() });
            };
            return self.send_back(&queue, work, letter).await;
        }
        Err(DeadLetterError::Unknown { id: id.to_owned() })
    }

    /// Sends a letter to the queue it came from, then deletes it.
    async fn send_back(&self, queue: &Queue, work: &str, in_hand: &InHand) -> Result<(), DeadLetterError> {
        twice(|| self.sqs.send_message().queue_url(work).message_body(&in_hand.letter.body).send())
            .await
            .map_err(|error| failed("SendMessage", error))?;
        twice(|| self.sqs.delete_message().queue_url(&queue.dead).receipt_handle(&in_hand.handle).send())
            .await
            .map(|_| ())
            .map_err(|error| {
                let source = failed("DeleteMessage", error);
                DeadLetterError::Kept { id: in_hand.letter.id.clone(), source }
            })
    }

    /// Takes letters in hand until nothing new shows, or until the `wanted` one does.
    async fn look(
        &self,
        queue: &Queue,
        there: u64,
        wanted: Option<&str>,
    ) -> Result<Vec<InHand>, DeadLetterError> {
        let mut seen: Vec<InHand> = Vec::new();
        let mut empty = 0_usize;
        while seen.len() < MOST && empty < EMPTY_ANSWERS {
            let mut is_new = false;
            for in_hand in self.receive(queue).await? {
                if let Some(known) = seen.iter_mut().find(|known| known.letter.id == in_hand.letter.id) {
                    // Delivered twice: the later receipt is the one that counts.
                    *known = in_hand;
                } else {
                    is_new = true;
                    seen.push(in_hand);
                }
            }
            let is_found =
                wanted.is_some_and(|wanted| seen.iter().any(|in_hand| in_hand.letter.id == wanted));
            if is_found || (!is_new && count(&seen) >= there) {
                break;
            }
            empty = if is_new { 0 } else { empty.saturating_add(1) };
        }
        Ok(seen)
    }

    /// Lets others see letters again. One that cannot be put back shows by itself when its time is up.
    async fn put_back(&self, queue: &Queue, in_hand: &[InHand]) {
        for batch in in_hand.chunks(10) {
            join_all(batch.iter().map(|in_hand| {
                self.sqs
                    .change_message_visibility()
                    .queue_url(&queue.dead)
                    .receipt_handle(&in_hand.handle)
                    .visibility_timeout(0)
                    .send()
            }))
            .await;
        }
    }

    async fn receive(&self, queue: &Queue) -> Result<Vec<InHand>, DeadLetterError> {
        let answer = twice(|| {
            self.sqs
                .receive_message()
                .queue_url(&queue.dead)
                .max_number_of_messages(BATCH)
                .wait_time_seconds(0)
                .visibility_timeout(HIDDEN_SECS)
                .message_system_attribute_names(MessageSystemAttributeName::All)
                .send()
        })
        .await
        .map_err(|error| failed("ReceiveMessage", error))?;
        let messages = answer.messages.unwrap_or_default();
        Ok(messages.into_iter().map(|message| in_hand(queue.name, message)).collect())
    }

    /// How many letters a queue has, those that others have in hand too.
    async fn count(&self, queue: &Queue) -> Result<u64, DeadLetterError> {
        let counted = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let answer = twice(|| {
            self.sqs
                .get_queue_attributes()
                .queue_url(&queue.dead)
                .set_attribute_names(Some(counted.to_vec()))
                .send()
        })
        .await
        .map_err(|error| failed("GetQueueAttributes", error))?;
        let attributes = answer.attributes.unwrap_or_default();
        let numbers = counted.iter().filter_map(|name| attributes.get(name)?.parse::<u64>().ok());
        Ok(numbers.fold(0, u64::saturating_add))
    }

    async fn queue(&self, name: &'static str, dead: &str) -> Result<Queue, DeadLetterError> {
        let work = if name == SCHEDULE.0 { None } else { Some(self.url(name).await?) };
        Ok(Queue { name, work, dead: self.url(dead).await? })
    }

    async fn url(&self, name: &str) -> Result<String, DeadLetterError> {
        let name = format!("voxanne-{}-{name}", self.environment);
        match twice(|| self.sqs.get_queue_url().queue_name(&name).send()).await {
            Ok(answer) => Ok(answer.queue_url.unwrap_or_default()),
            Err(error) if error.as_service_error().is_some_and(GetQueueUrlError::is_queue_does_not_exist) => {
                Err(DeadLetterError::NoQueue { name })
            }
            Err(error) => Err(failed("GetQueueUrl", error).into()),
        }
    }

    /// The vendor's event of that key, if it is a dead letter.
    async fn event(&self, id: &str) -> Result<Option<Letter>, DeadLetterError> {
        let Ok(key) = EventId::parse(id) else { return Ok(None) };
        for (origin, events) in self.events() {
            if let Some(event) = events.get(&key).await?.filter(|event| event.outcome == DEAD_LETTER) {
                return Ok(Some(letter_of_event(origin, event)));
            }
        }
        Ok(None)
    }

    const fn events(&self) -> [(Origin, &WebhookEvents); 2] {
        [(Origin::Vapi, &self.vapi), (Origin::Stripe, &self.stripe)]
    }
}

/// Asks again when there was no good answer: every request here may be made twice.
async fn twice<T, E, F: Future<Output = Result<T, E>>>(attempt: impl Fn() -> F) -> Result<T, E> {
    if let Ok(done) = attempt().await {
        return Ok(done);
    }
    attempt().await
}

fn failed(operation: &'static str, source: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::Queue { operation, source: Box::new(source) }
}

fn count(in_hand: &[InHand]) -> u64 {
    u64::try_from(in_hand.len()).unwrap_or(u64::MAX)
}
