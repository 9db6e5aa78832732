//! The minutely run of reconciliation, and when it may be left out: where it would find nothing.
//!
//! Such a run reads four things: the index of live calls, the slots, the wallets that were found wrong and the appointments that differed. Where none of them is
//! due it writes its report and changes nothing. A world without it is one that could have been: the run in one moment, in which
//! nothing fails. Whether anything is due is read from the engine, past every fault, and read again once any of the four was
//! written; so nothing that is due is passed over. What is not seen is a run that begins when nothing is due and meets what
//! others write under it: in one seed of sixteen it is therefore done each minute while anything happens, and each hour afterwards.

use domain::{ids::CallId, message::Due, overspend::LOST_AFTER_SECS, slots::Slots};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{
    items,
    monitor::is_closed,
    rng::Stream,
    world::{MOST_SKEW_SECS, World},
};

/// Of a thousand seeds, how many leave out no run for what it would find.
const THOROUGH: u64 = 62;
/// How long a call that is over stays in the index.
const LEAVES_AFTER: SignedDuration = SignedDuration::from_mins(15);

/// Whether the world of a seed leaves out no run for what it would find, and runs on to its very end.
pub fn is_thorough(seed: u64) -> bool {
    Stream::of(seed, "thorough").chance(THOROUGH)
}

/// What the minutely run would find, as far as it was read.
#[derive(Debug, Default)]
pub struct Quiet {
    /// When it first finds something, at the end of time where it never does; nothing until that was read.
    known: Option<Timestamp>,
}

impl Quiet {
    /// Something that the run reads was written.
    pub fn forget(&mut self) {
        self.known = None;
    }

    /// Whether a run would find nothing now, by whichever clock.
    pub fn is_so(&mut self, world: &World) -> bool {
        let first = *self.known.get_or_insert_with(|| first_due(world).unwrap_or(Timestamp::MAX));
        let ahead = if world.is_skewed { MOST_SKEW_SECS } else { 0 };
        let now = world.time() + SignedDuration::from_secs(ahead.into());
        first > now
    }
}

/// When anything that a run reads is first due.
fn first_due(world: &World) -> Option<Timestamp> {
    let aws = &world.stack.aws;
    // One that is frozen is looked at again and stays so.
    let is_frozen = |org: &str| !items::get(aws, "wallets", &[("org_id", org)])["frozen"].is_null();
    let failing = items::of_task(aws, "books#failing");
    let mut failing = failing.iter().filter_map(|row| row["item"].as_str());
    let wrong = failing.any(|org| !is_frozen(org)).then_some(Timestamp::MIN);
    let differing = items::of_task(aws, "appointments_differing");
    let differing = (!differing.is_empty()).then_some(Timestamp::MIN);
    let live = items::live(aws);
    live.iter().filter_map(due_at).chain(lapses_at(world)).chain(wrong).chain(differing).min()
}

/// When a run acts on a call of the index: an open one whose look is lost, or a closed one that leaves.
fn due_at(call: &Value) -> Option<Timestamp> {
    let is_over = call["live"].as_str()?.starts_with("closed");
    let due = call["due_at"].as_str()?.parse::<Timestamp>().ok()?;
    let after = if is_over { LEAVES_AFTER } else { SignedDuration::from_secs(LOST_AFTER_SECS.into()) };
    Some(due + after)
}

/// When a slot is first to be taken back: at once where its call is over. One that cannot be read is looked at.
fn lapses_at(world: &World) -> Option<Timestamp> {
    let aws = &world.stack.aws;
    let record = items::get(aws, "call_slots", &[("name", "vapi")]);
    if record.is_null() {
        return None;
    }
    let Ok(slots) = items::typed::<Slots>(&record) else { return Some(Timestamp::MIN) };
    let is_over = |org: &str, call: &CallId| {
        let record = items::get(aws, "calls", &[("org_id", org), ("call_id", call.as_str())]);
        record.is_null() || is_closed(&record)
    };
    let lapses = slots.leases.iter().map(|lease| {
        if is_over(&lease.org_id.to_string(), &lease.call_id) { Timestamp::MIN } else { lease.until }
    });
    lapses.min()
}

/// Whether there is nothing at all that a function of this name is run for: nobody is to be told anything by whichever clock, no clinic
/// has a calendar.
pub fn has_nothing_to_do(world: &World, function: &str) -> bool {
    match function {
        "reminders" => {
            let is_due =
                |row: &Value| items::typed::<Due>(row).map_or(true, |due| due.due_at <= latest_clock(world));
            !items::all(&world.stack.aws, "due_messages").iter().any(is_due)
        }
        "calendar-watch" => items::all(&world.stack.aws, "calendars").is_empty(),
        _ => false,
    }
}

/// What the clock shows that is the furthest ahead.
fn latest_clock(world: &World) -> Timestamp {
    let ahead = if world.is_skewed { MOST_SKEW_SECS } else { 0 };
    world.time() + SignedDuration::from_secs(ahead.into())
}

/// Whether no calendar is to be asked yet, by whichever clock.
pub fn no_calendar_is_due(world: &World) -> bool {
    let now = latest_clock(world);
    let is_due = |row: &Value| {
        let at = row["poll_at"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
        row["poll_shard"].is_string() && at.is_none_or(|at| at <= now)
    };
    !items::all(&world.stack.aws, "calendars").iter().any(is_due)
}
