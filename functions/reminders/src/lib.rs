//! Every minute: what patients are to be told by now is given to the queue `messages`.

#![recursion_limit = "256"]

use std::error::Error;

use base::config::{Base, Invalid};
use platform::Platform;
use serde_json::Value;
use services::messages::Dispatch;
use store::queue::MessageQueue;

/// What the function is built from, once per cold start.
#[derive(Debug)]
pub struct Deps {
    /// What gives messages to the queue.
    pub dispatch: Dispatch,
}

impl Deps {
    /// Builds them from the platform's settings.
    ///
    /// # Errors
    /// When settings are missing or unusable: all of them at once.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "every function is made of the platform that it is given"
    )]
    pub fn new(platform: Platform) -> Result<Self, Invalid> {
        let mut reader = platform.environment.reader();
        let base = Base::read(&mut reader);
        let queue = reader.required("MESSAGES_QUEUE_URL");
        reader.finish()?;
        let queue = MessageQueue::new(platform.sqs.clone(), queue);
        let db = platform.database(&base.table_prefix);
        Ok(Self { dispatch: Dispatch::new(&platform, db, queue) })
    }
}

/// Does one run, whatever the schedule's event says.
///
/// # Errors
/// When the run could not be ended. The next one goes on where it stopped.
pub async fn handle(deps: &Deps, _: Value) -> Result<(), Box<dyn Error + Send + Sync>> {
    let given = deps.dispatch.run().await?;
    if given > 0 {
        tracing::info!(given, "messages to patients are due");
    }
    Ok(())
}
