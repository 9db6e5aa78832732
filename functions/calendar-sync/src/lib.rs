//! The queue `calendar-sync`: one message, one thing that is to be done with a clinic's calendar.

#![recursion_limit = "256"]

use base::config::Invalid;
use platform::Platform;
use services::calendar::{CalendarSync, Settings};
use store::queue::CalendarTask;
use web::{
    queue::each_message,
    runtime::{SqsBatchResponse, SqsEvent},
};

/// What the function is built from, once per cold start.
#[derive(Debug)]
pub struct Deps {
    /// What is done with calendars.
    pub sync: CalendarSync,
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
        let settings = Settings::read(&mut reader, &platform);
        reader.finish()?;
        Ok(Self { sync: CalendarSync::deployed(&platform, settings) })
    }
}

/// Does what each message asks for. What is not done yet is given back to the queue, alone.
pub async fn handle(deps: &Deps, event: SqsEvent) -> SqsBatchResponse {
    each_message(event, |task: CalendarTask| async move { Box::pin(deps.sync.perform(&task)).await }).await
}
