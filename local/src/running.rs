//! The stack by a running clock: the sandboxes do what is due, the queues are consumed, the schedules are kept, until it
//! is told to stop.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

use crate::{schedule::Schedule, stack::Stack};

/// How often it is looked whether something is due.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How long what is in hand may take once it is told to stop.
const FINISH_WITHIN: Duration = Duration::from_secs(10);

/// What is in hand.
#[derive(Clone, Debug, Default)]
struct InHand {
    count: Arc<AtomicUsize>,
    /// The schedules that have a run among it.
    scheduled: Arc<Mutex<Vec<Schedule>>>,
}

impl InHand {
    fn run(&self, work: impl Future<Output = ()> + Send + 'static) {
        let count = Arc::clone(&self.count);
        count.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            work.await;
            count.fetch_sub(1, Ordering::SeqCst);
        });
    }

    /// Runs what a schedule is due for, unless its last run is not over: that one does it.
    fn run_scheduled(&self, stack: &Arc<Stack>, schedule: Schedule) {
        {
            let mut scheduled = self.scheduled.lock().unwrap_or_else(PoisonError::into_inner);
            if scheduled.contains(&schedule) {
                return;
            }
            scheduled.push(schedule.clone());
        }
        let (stack, scheduled) = (Arc::clone(stack), Arc::clone(&self.scheduled));
        self.run(async move {
            stack.run_scheduled(schedule.clone()).await;
            let mut scheduled = scheduled.lock().unwrap_or_else(PoisonError::into_inner);
            scheduled.retain(|other| *other != schedule);
        });
    }
}

/// Runs until `stop` says so, then finishes what is in hand.
pub async fn run(stack: Arc<Stack>, mut stop: watch::Receiver<bool>) {
    let in_hand = InHand::default();
    while !*stop.borrow() {
        while begin_due(&stack, &in_hand) {}
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = stop.changed() => {}
        }
    }
    let finished = async {
        while in_hand.count.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    // What does not finish comes again: its message was not deleted, its webhook not acknowledged.
    let _ = tokio::time::timeout(FINISH_WITHIN, finished).await;
}

/// Begins one thing that is due. Returns whether there was one.
fn begin_due(stack: &Arc<Stack>, in_hand: &InHand) -> bool {
    if let Some(step) = stack.vapi.step() {
        if let Some(post) = step {
            let stack = Arc::clone(stack);
            in_hand.run(async move { stack.post_vapi(post).await });
        }
        return true;
    }
    if let Some(step) = stack.stripe.step() {
        if let Some(post) = step {
            let stack = Arc::clone(stack);
            in_hand.run(async move { stack.post_stripe(post).await });
        }
        return true;
    }
    if let Some(step) = stack.google.step() {
        if let Some(post) = step {
            let stack = Arc::clone(stack);
            in_hand.run(async move { stack.post_google(post).await });
        }
        return true;
    }
    if let Some(step) = stack.twilio.step() {
        if let Some(post) = step {
            let stack = Arc::clone(stack);
            in_hand.run(async move { stack.post_twilio(post).await });
        }
        return true;
    }
    if let Some(schedule) = stack.take_scheduled() {
        in_hand.run_scheduled(stack, schedule);
        return true;
    }
    let queues = stack.aws.queues();
    let due = queues
        .consumed()
        .find_map(|(queue, consumer)| Some((consumer.to_owned(), queues.receive(queue, 1).pop()?)));
    match due {
        Some((consumer, message)) => {
            let stack = Arc::clone(stack);
            in_hand.run(async move { stack.consume(&consumer, message).await });
            true
        }
        None => false,
    }
}
