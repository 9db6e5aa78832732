//! The stack by a running clock: the sandboxes do what is due, the queues are consumed, until it is told to stop.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;

use crate::stack::Stack;

/// How often it is looked whether something is due.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How long what is in hand may take once it is told to stop.
const FINISH_WITHIN: Duration = Duration::from_secs(10);

/// What is in hand.
#[derive(Clone, Debug, Default)]
struct InHand(Arc<AtomicUsize>);

impl InHand {
    fn run(&self, work: impl Future<Output = ()> + Send + 'static) {
        let count = Arc::clone(&self.0);
        count.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move {
            work.await;
            count.fetch_sub(1, Ordering::SeqCst);
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
        while in_hand.0.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    // What does not finish comes again: its message was not deleted, its webhook not acknowledged.
    let _ = tokio::time::timeout(FINISH_WITHIN, finished).await;
}

/// Begins one thing that is due. Answers whether there was one.
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
