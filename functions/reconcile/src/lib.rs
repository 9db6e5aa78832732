//! The schedules: what webhooks and processes left undone is found, and done.

#![recursion_limit = "256"]

use std::error::Error;

use base::config::Invalid;
use platform::Platform;
use serde_json::Value;
use services::reconcile::{Reconcile, Settings, Task};

/// What the function is built from, once per cold start.
#[derive(Debug)]
pub struct Deps {
    /// The tasks.
    pub reconcile: Reconcile,
}

/// A schedule asks for what this function does not know.
#[derive(Debug, thiserror::Error)]
#[error("the event names no task of this function")]
pub struct UnknownTask;

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
        let settings = Settings::read(&mut reader, &platform);
        reader.finish()?;
        Ok(Self { reconcile: Reconcile::deployed(&platform, settings) })
    }
}

/// Does one run of the task that the schedule's event names: `{"task": "calls"}`.
///
/// # Errors
/// When the task is unknown, or the run could not be ended. It is begun again, and goes on where this one stopped.
pub async fn handle(deps: &Deps, event: Value) -> Result<(), Box<dyn Error + Send + Sync>> {
    let task = event["task"].as_str().and_then(Task::parse).ok_or(UnknownTask)?;
    deps.reconcile.run(task).await?;
    Ok(())
}
