//! Whether everything of the demo clinic agrees: its ledger with its hashes, its wallet with the ledger, its diary with the times that
//! are taken, its calendars with the diary. By the same code as the schedules that find it in production.

use serde::Serialize;
use services::{
    calendar::{self, CalendarSync},
    reconcile::Task,
};
use web::problem::chain;

use crate::{demo_clinic::ORG, people::People, stack::Stack, statement};

/// Before any entry of a ledger.
const SINCE_EVER: &str = "2020-01-01";

/// What was found of one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Of what.
    pub of: &'static str,
    /// Whether it agrees.
    pub agrees: bool,
    /// What was found, as a sentence.
    pub says: String,
}

/// Looks at all of it. What cannot be looked at does not agree.
pub async fn look(stack: &Stack) -> Vec<Finding> {
    let finding = |of, found: Result<String, String>| Finding {
        of,
        agrees: found.is_ok(),
        says: found.unwrap_or_else(|sentence| sentence),
    };
    vec![
        finding("ledger", ledger(stack).await),
        finding("wallet", task(stack, Task::Books).await),
        finding("diary", task(stack, Task::Appointments).await),
        finding("calendar", Box::pin(calendars(stack)).await),
    ]
}

async fn ledger(stack: &Stack) -> Result<String, String> {
    let path = format!("/api/billing/wallet/statement?from={SINCE_EVER}");
    let statement = People::of(stack, ORG).get(&path).await?;
    let verdict = statement::verify(&[statement.to_string()]).map_err(|error| error.to_string())?;
    if verdict.flaws.is_empty() { Ok(verdict.to_string()) } else { Err(verdict.to_string()) }
}

/// A task of reconciliation, of which nothing may be left.
async fn task(stack: &Stack, task: Task) -> Result<String, String> {
    let report = stack.reconcile(task).await.map_err(|error| chain(&error))?;
    let left: Vec<String> =
        report.left.iter().map(|finding| format!("{} of {}", finding.what, finding.id)).collect();
    if left.is_empty() && report.complete {
        return Ok(format!("Agrees: {} looked at.", report.checked));
    }
    let unread = if report.complete { "" } else { " Not all was looked at." };
    Err(format!("Differs: {}.{unread}", left.join(", ")))
}

/// Each calendar, with the appointments of the days to come.
async fn calendars(stack: &Stack) -> Result<String, String> {
    let mut reader = stack.platform.environment.reader();
    let settings = calendar::Settings::read(&mut reader, &stack.platform);
    reader.finish().map_err(|error| error.to_string())?;
    let sync = CalendarSync::deployed(&stack.platform, settings);
    let standing = sync.standing(ORG, false).await.map_err(|error| chain(&error))?;
    let (mut pairs, mut differing) = (0_u32, 0_u32);
    for calendar in &standing.calendars {
        let compared = sync.compare(ORG, &calendar.calendar_id).await.map_err(|error| chain(&error))?;
        pairs = pairs.saturating_add(compared.pairs);
        differing = differing.saturating_add(compared.differing);
    }
    let calendars = standing.calendars.len();
    if differing == 0 {
        return Ok(format!("Agrees: {pairs} appointments to come in {calendars} calendars."));
    }
    Err(format!("Differs: {differing} of {pairs} appointments to come are otherwise in the calendars."))
}
