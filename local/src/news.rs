//! What happens at the stack, told as it happens to whoever runs it: who rings, what is said, what each call and payment comes to.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use domain::ids::VapiCallId;
use sandbox::vapi::Call;
use store::{StoreError, calls::Calls, ledger::Ledger, wallets::Wallets};
use tokio::sync::watch;

use crate::{demo_clinic::ORG, stack::Stack};

/// How often it is looked whether something happened.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How much of a long line is told: what follows its second sentence is for the model.
const SENTENCES: usize = 2;
/// The most entries that one look tells; of more only the newest are told.
const MOST_ENTRIES: usize = 20;
/// What the sandbox marks the other side's words with.
const OTHER_SIDE: &str = "(caller) ";

/// What has been told already.
#[derive(Debug, Default)]
struct Told {
    /// How much of each call was: whether it is over, and how many lines were heard.
    calls: BTreeMap<String, (bool, usize)>,
    /// The last entry of the demo clinic's ledger.
    seq: u64,
}

/// Tells by `say`, a line at a time, what happens from now on, until `stop` says so: every call, and the newest movements of the
/// demo clinic's money. What cannot be read is told the next time.
pub async fn tell(stack: Arc<Stack>, mut stop: watch::Receiver<bool>, say: impl Fn(&str) + Send) {
    let mut told = Told::default();
    // What happened before is not news.
    let _ = look(&stack, &mut told).await;
    while !*stop.borrow() {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = stop.changed() => {}
        }
        match look(&stack, &mut told).await {
            Ok(lines) => lines.iter().for_each(|line| say(line)),
            Err(error) => tracing::debug!(%error, "what happened cannot be told yet"),
        }
    }
}

async fn look(stack: &Stack, told: &mut Told) -> Result<Vec<String>, StoreError> {
    let mut lines = Vec::new();
    for call in stack.vapi.calls() {
        lines.extend(news_of(stack, &call, told).await?);
    }
    let ledger = Ledger::new(stack.db());
    let page = ledger.page(ORG, None, None, MOST_ENTRIES).await?;
    for entry in page.entries.iter().rev().filter(|entry| entry.seq > told.seq) {
        let sign = if entry.balance_after < entry.balance_before { "out" } else { "in" };
        lines
            .push(format!("{}: {} {sign}, balance {}", entry.description, entry.amount, entry.balance_after));
    }
    told.seq = page.entries.first().map_or(told.seq, |entry| entry.seq);
    Ok(lines)
}

/// What is new of a call.
async fn news_of(stack: &Stack, call: &Call, told: &mut Told) -> Result<Vec<String>, StoreError> {
    let before = told.calls.get(&call.id).copied();
    let now = (call.status == "ended", call.heard.len());
    if before == Some(now) || call.heard.is_empty() && !now.0 {
        return Ok(Vec::new());
    }
    let mut lines = Vec::new();
    let who = spaced(&call.from);
    if before.is_none() {
        let rings = if call.kind == "outboundPhoneCall" { "is rung" } else { "rings" };
        lines.push(format!("{who} {rings}{}", held_for(stack, call).await?));
    }
    let (was_over, heard) = before.unwrap_or_default();
    lines.extend(call.heard.iter().skip(heard).map(|line| spoken(line)));
    if now.0 && !was_over {
        lines
            .push(format!("{who}: the call is over ({})", call.ended_reason.as_deref().unwrap_or("unknown")));
    }
    told.calls.insert(call.id.clone(), now);
    Ok(lines)
}

/// What is held for a call, when it is known here.
async fn held_for(stack: &Stack, call: &Call) -> Result<String, StoreError> {
    let Ok(id) = VapiCallId::parse(call.id.clone()) else { return Ok(String::new()) };
    let Some(mapping) = Calls::new(stack.db()).mapping(&id).await? else { return Ok(String::new()) };
    let wallet = Wallets::new(stack.db()).get(mapping.org_id).await?;
    let hold = wallet.as_ref().and_then(|wallet| wallet.holds.get(&mapping.call_id));
    Ok(hold.map_or_else(String::new, |hold| format!("; {} held", hold.amount)))
}

fn spoken(line: &str) -> String {
    let (who, said) = match line.strip_prefix(OTHER_SIDE) {
        Some(said) => ("caller", said),
        None => ("agent ", line),
    };
    let said: String = said.split_inclusive(". ").take(SENTENCES).collect();
    format!("   {who}  {}", said.trim())
}

/// A number in groups, as people write it.
fn spaced(number: &str) -> String {
    match (number.strip_prefix("+44"), number.strip_prefix("+1")) {
        (Some(rest), _) if rest.len() == 10 => format!("+44 {} {}", &rest[..4], &rest[4..]),
        (_, Some(rest)) if rest.len() == 10 => format!("+1 {} {} {}", &rest[..3], &rest[3..6], &rest[6..]),
        _ => number.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_in_groups() {
        assert_eq!(spaced("+447700900123"), "+44 7700 900123");
        assert_eq!(spaced("+15005550006"), "+1 500 555 0006");
        assert_eq!(spaced("+33123456789"), "+33123456789");
        assert_eq!(spaced("withheld"), "withheld");
    }

    #[test]
    fn of_what_is_heard_the_first_two_sentences_are_told() {
        assert_eq!(spoken("(caller) A check-up?"), "   caller  A check-up?");
        assert_eq!(spoken("BOOKED. On Tuesday. Tell them."), "   agent   BOOKED. On Tuesday.");
    }
}
