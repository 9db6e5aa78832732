//! What must hold of texts to patients when all is at rest: each was sent once at the most and is known to have been, and the ledger
//! has the price of those that were sent, and of no other.

use std::collections::BTreeMap;

use domain::{
    ledger::Entry,
    message::{Message, State},
    texting::Mark,
};

use crate::{items, world::World};

/// Checks all of it.
///
/// # Errors
/// What does not hold: a sentence.
pub fn at_rest(world: &World, messages: &[Message]) -> Result<(), String> {
    let sent = world.stack.twilio.texts();
    let charged = charged(world);
    let mut known = 0_usize;
    for message in messages {
        let Some(text) = &message.text else { continue };
        let mark = Mark::of(&message.message_id);
        let copies = sent.iter().filter(|one| mark.ends(&one.body)).count();
        let is_sent =
            matches!(message.state, State::Sent { .. } | State::Delivered { .. } | State::Undelivered { .. });
        if copies != usize::from(is_sent) {
            return Err(format!("a text went out {copies} times: {message:?}"));
        }
        known = known.saturating_add(copies);
        let due = if is_sent { text.price.pence() } else { 0 };
        let paid = charged.get(message.message_id.as_str()).copied().unwrap_or_default();
        if paid != due {
            return Err(format!("{due}p are due for a text, and {paid}p were paid: {message:?}"));
        }
    }
    if known != sent.len() {
        return Err(format!("{} texts went out, and {known} are known", sent.len()));
    }
    let is_known = |id: &str| messages.iter().any(|message| message.message_id.as_str() == id);
    // The claim of one that was given back is gone, and its price with it.
    match charged.iter().find(|(id, paid)| !is_known(id) && **paid != 0) {
        Some((id, paid)) => Err(format!("{paid}p were paid for the text {id}, which is none")),
        None => Ok(()),
    }
}

/// What is wrong with an entry of a text as it is booked: it is of a message to a patient, at the price of that; or gives back what an
/// entry before it took. A claim that was given back since has no record any more, but that entry after it.
pub fn flaw(world: &World, entry: &Entry) -> Option<String> {
    let id = entry.entry_key.as_str().strip_prefix("sms#")?;
    let pence = |key: &str| {
        let org = entry.org_id.to_string();
        let entry = items::get(&world.stack.aws, "ledger_entries", &[("org_id", &org), ("entry_key", key)]);
        entry["amount"].as_i64()
    };
    if let Some(id) = id.strip_suffix("#refund") {
        let is_taken = pence(&format!("sms#{id}")) == Some(entry.amount.pence());
        return (!is_taken).then(|| format!("a price that was not taken is given back: {entry:?}"));
    }
    let rows = items::all(&world.stack.aws, "messages");
    let price = rows.iter().find(|row| row["message_id"] == id).and_then(|row| row["text"]["price"].as_i64());
    let is_right = price == Some(entry.amount.pence()) || pence(&format!("sms#{id}#refund")).is_some();
    (!is_right).then(|| format!("no text of this price is about to be sent: {entry:?}"))
}

/// What each text came to on the ledger, in pence.
fn charged(world: &World) -> BTreeMap<String, i64> {
    let mut charged = BTreeMap::new();
    for entry in items::all(&world.stack.aws, "ledger_entries") {
        let key = entry["entry_key"].as_str().unwrap_or_default();
        let Some(id) = key.strip_prefix("sms#").and_then(|rest| rest.split('#').next()) else { continue };
        let pence = entry["amount"].as_i64().unwrap_or_default();
        let signed = if entry["direction"] == "debit" { pence } else { pence.saturating_neg() };
        let sum: &mut i64 = charged.entry(id.to_owned()).or_default();
        *sum = sum.saturating_add(signed);
    }
    charged
}
