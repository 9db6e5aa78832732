//! What must hold of messages to patients when all is at rest: none is due any more or in hand, each was sent once at the most, and who
//! has an appointment ahead and an address was told of it as it is, or it is known that nobody can say whether.

use std::collections::BTreeMap;

use domain::{
    booking::appointment::{Appointment, Status},
    message::{Channel, Due, Matter, Message, State},
};

use crate::{items, world::World};

/// Checks all of it.
///
/// # Errors
/// What does not hold: a sentence.
pub fn at_rest(world: &World) -> Result<(), String> {
    let aws = &world.stack.aws;
    let due: Vec<Due> = items::all(aws, "due_messages").iter().map(items::typed).collect::<Result<_, _>>()?;
    if let Some(due) = due.iter().find(|due| due.due_at <= world.time()) {
        return Err(format!("a message is still due: {due:?}"));
    }
    let messages: Vec<Message> =
        items::all(aws, "messages").iter().map(items::typed).collect::<Result<_, _>>()?;
    let is_in_hand = |message: &&Message| matches!(message.state, State::Sending | State::Waiting);
    if let Some(in_hand) = messages.iter().find(is_in_hand) {
        return Err(format!("a message has no outcome: {in_hand:?}"));
    }
    crate::texts::at_rest(world, &messages)?;
    once(world, &messages)?;
    told(world, &messages)
}

/// Each letter is the one sending of a message that is kept, and what is kept as refused was not sent.
fn once(world: &World, messages: &[Message]) -> Result<(), String> {
    let mut sent: BTreeMap<String, u32> = BTreeMap::new();
    for letter in world.stack.mail.letters() {
        let header = letter.headers.iter().find(|(name, _)| name == "X-Message");
        let id = header.map(|(_, id)| id.clone()).unwrap_or_default();
        let kept = messages.iter().find(|message| message.message_id.as_str() == id);
        let may_be = kept.is_some_and(|kept| !matches!(kept.state, State::Refused { .. }));
        let times = sent.entry(id).or_default();
        *times = times.saturating_add(1);
        if !may_be || *times > 1 {
            return Err(format!(
                "a letter was sent that is not the one sending of a message: {letter:?}, {kept:?}"
            ));
        }
    }
    let is_there = |message: &&Message| sent.contains_key(message.message_id.as_str());
    let letters = messages.iter().filter(|message| message.channel == Channel::Email);
    let mut said_sent = letters.filter(|message| matches!(message.state, State::Sent { .. }));
    match said_sent.find(|message| !is_there(message)) {
        Some(message) => Err(format!("a message was not sent, and is said to be: {message:?}")),
        None => Ok(()),
    }
}

/// Whoever has an appointment ahead and an address has a message of it as it is.
fn told(world: &World, messages: &[Message]) -> Result<(), String> {
    let rows = items::all(&world.stack.aws, "appointments");
    let rows = rows.iter().filter(|row| row["item"].as_str().is_some_and(|key| !key.contains('#')));
    for row in rows {
        let appointment: Appointment = items::typed(row)?;
        let is_ahead = appointment.status == Status::Confirmed && appointment.interval.from > world.time();
        if !is_ahead || appointment.email.is_none() {
            continue;
        }
        let is_of_it = |message: &&Message| match &message.matter {
            Matter::Appointment { appointment_id, revision, .. } => {
                *appointment_id == appointment.appointment_id && *revision == appointment.revision
            }
            Matter::Emergency { .. } | Matter::Lookup { .. } => false,
        };
        if !messages.iter().any(|message| is_of_it(&message)) {
            return Err(format!("a patient was not told of an appointment as it is: {row}"));
        }
    }
    Ok(())
}
