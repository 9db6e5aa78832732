//! The schedules of clinics' calendars: which are to be asked, watched and compared. What is done with each, `calendar-sync` does.

#![recursion_limit = "256"]

use std::error::Error;

use base::config::{Base, Invalid};
use platform::Platform;
use serde::Deserialize;
use serde_json::Value;
use store::{
    StoreError,
    calendars::Calendars,
    queue::{CalendarQueue, CalendarTask},
};

/// What the function is built from, once per cold start.
#[derive(Debug)]
pub struct Deps {
    /// The calendars of all orgs.
    pub calendars: Calendars,
    /// What is to be done with them.
    pub queue: CalendarQueue,
    /// Time and chance.
    pub platform: Platform,
}

/// What is done by a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Task {
    /// Calendars whose time has come are read, whether they told us anything or not: every five minutes.
    Poll,
    /// Each calendar is to have a channel that does not end soon: every hour.
    Watch,
    /// What stands in each calendar is compared with the appointments: every day.
    Compare,
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
    pub fn new(platform: Platform) -> Result<Self, Invalid> {
        let mut reader = platform.environment.reader();
        let base = Base::read(&mut reader);
        let queue_url = reader.required("CALENDAR_SYNC_QUEUE_URL");
        reader.finish()?;
        let db = platform.database(&base.table_prefix);
        let queue = CalendarQueue::new(platform.sqs.clone(), queue_url);
        Ok(Self { calendars: Calendars::new(db), queue, platform })
    }
}

/// Orders what the schedule's event names: `{"task": "poll"}`. A message that is sent twice does no harm.
///
/// # Errors
/// When the task is unknown, or not all was ordered. It is begun again.
pub async fn handle(deps: &Deps, event: Value) -> Result<(), Box<dyn Error + Send + Sync>> {
    let task = serde_json::from_value(event["task"].clone()).map_err(|_| UnknownTask)?;
    let ordered = order(deps, task).await?;
    tracing::info!(task = ?task, ordered, "calendars are looked after");
    Ok(())
}

async fn order(deps: &Deps, task: Task) -> Result<usize, StoreError> {
    let tasks: Vec<CalendarTask> = match task {
        Task::Poll => {
            let due = deps.calendars.due(deps.platform.clock.now()).await?;
            due.into_iter().map(|(org_id, calendar_id)| CalendarTask::Pull { org_id, calendar_id }).collect()
        }
        Task::Watch => {
            let all = deps.calendars.all_read().await?.into_iter();
            all.map(|calendar| CalendarTask::Watch {
                org_id: calendar.org_id,
                calendar_id: calendar.calendar_id,
            })
            .collect()
        }
        Task::Compare => {
            let all = deps.calendars.all_read().await?.into_iter();
            all.map(|calendar| CalendarTask::Compare {
                org_id: calendar.org_id,
                calendar_id: calendar.calendar_id,
            })
            .collect()
        }
    };
    for task in &tasks {
        deps.queue.send(task, 0).await?;
    }
    Ok(tasks.len())
}
