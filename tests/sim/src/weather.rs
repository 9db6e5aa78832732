//! What happens to requests on their way: to AWS, and to the vendors.

use std::sync::Arc;

use local::aws::{Outcome, Sent};
use sandbox::{faults::Mode, google::GoogleSandbox};
use serde_json::json;

use crate::{
    faults::{Dice, Kind},
    lag::Indexes,
    plant::Plant,
    world::{Now, SharedNow, locked},
};

/// Messages that may go missing: reconciliation finds what they were about. An agent that was saved is not looked for.
const MAY_BE_LOST: [&str; 2] = ["CallMeterQueue", "RechargeQueue"];
/// How far an index is behind at the most, in seconds.
const MOST_BEHIND_SECS: i64 = 20;
/// The longest that a message is late, in seconds.
const LATEST_SECS: i64 = 1_800;

/// What becomes of each request to AWS. Notes which clinics it writes about, and whether it touches another's than it may.
pub fn over_aws(
    now: SharedNow,
    clinics: Vec<String>,
    plant: Option<&'static Plant>,
    mut indexes: Option<Indexes>,
) -> impl FnMut(&mut Sent) -> Outcome + Send + 'static {
    move |sent| {
        let mut now = locked(&now);
        now.requests = now.requests.saturating_add(1);
        if let Some(bug) = plant {
            (bug.change)(sent);
        }
        if sent.service == "AmazonSQS" {
            return over_queue(&mut now.dice, sent);
        }
        if sent.service.contains("DynamoDB") {
            note(&mut now, sent, &clinics);
            let outcome = over_store(&mut now.dice, sent);
            if let Some(indexes) = &mut indexes {
                over_indexes(&mut now.dice, sent, indexes, outcome);
            }
            return outcome;
        }
        Outcome::Pass
    }
}

fn is_write(sent: &Sent) -> bool {
    matches!(sent.operation.as_str(), "PutItem" | "UpdateItem" | "DeleteItem" | "TransactWriteItems")
}

fn note(now: &mut Now, sent: &Sent, clinics: &[String]) {
    let is_write = is_write(sent);
    if !is_write && now.acting.is_none() {
        return;
    }
    let text = sent.body.to_string();
    let live = ["-calls\"", "-call_slots\"", "\"books#failing\"", "\"appointments_differing\""];
    now.is_about_live_calls |= is_write && live.iter().any(|named| text.contains(named));
    // Nobody's: the slots of all clinics' calls are one item.
    if text.contains("-call_slots\"") {
        now.is_about_slots |= is_write;
        return;
    }
    for (at, id) in clinics.iter().enumerate().filter(|(_, id)| text.contains(id.as_str())) {
        if now.acting.is_some_and(|acting| acting != at) {
            now.foul = Some(format!("{} for clinic {:?} names {id}: {text}", sent.operation, now.acting));
        }
        if is_write {
            now.dirty.insert(at);
        }
    }
    let numbers = ["-number_purchases", "-org_credentials", "-managed_phone_numbers"];
    now.is_about_numbers |= is_write && numbers.iter().any(|table| text.contains(table));
    let bookings = ["-appointments", "-resource_days", "-booking_catalog"];
    now.is_about_bookings |= is_write && bookings.iter().any(|table| text.contains(table));
}

fn over_store(dice: &mut Dice, sent: &Sent) -> Outcome {
    let is_write = is_write(sent);
    if dice.strikes(Kind::StoreFails) {
        let errors = ["ThrottlingException", "ProvisionedThroughputExceededException", "InternalServerError"];
        let error = dice.rolls(Kind::StoreFails).and_then(|rolls| rolls.pick(&errors));
        return Outcome::Fail(error.unwrap_or("InternalServerError"));
    }
    if is_write && dice.strikes(Kind::StoreConflict) {
        return Outcome::Fail("TransactionConflict");
    }
    if dice.strikes(Kind::StoreLost) {
        return Outcome::LoseRequest;
    }
    if dice.strikes(Kind::StoreUnanswered) {
        return Outcome::LoseAnswer;
    }
    if is_write && dice.strikes(Kind::StoreLate) { Outcome::Later } else { Outcome::Pass }
}

/// Lets the indexes follow what is written, and be behind what is read.
fn over_indexes(dice: &mut Dice, sent: &mut Sent, indexes: &mut Indexes, outcome: Outcome) {
    if is_write(sent) {
        indexes.note(sent, outcome == Outcome::Later);
    } else if indexes.is_read_by(sent) && dice.strikes(Kind::IndexBehind) {
        let secs = dice.between(Kind::IndexBehind, 1, MOST_BEHIND_SECS);
        indexes.read_behind(sent, secs);
    }
}

fn over_queue(dice: &mut Dice, sent: &mut Sent) -> Outcome {
    if sent.operation != "SendMessage" {
        return Outcome::Pass;
    }
    if dice.strikes(Kind::QueueFails) {
        let fates = [Outcome::Fail("ServiceUnavailable"), Outcome::LoseRequest, Outcome::LoseAnswer];
        let fate = dice.rolls(Kind::QueueFails).and_then(|rolls| rolls.pick(&fates));
        return fate.unwrap_or(Outcome::LoseRequest);
    }
    let queue = sent.body["QueueUrl"].as_str().and_then(|url| url.rsplit('/').next()).unwrap_or_default();
    if MAY_BE_LOST.contains(&queue) && dice.strikes(Kind::QueueLost) {
        return Outcome::Pretend;
    }
    let delay = sent.body["DelaySeconds"].as_i64().unwrap_or_default();
    if delay > 0 && dice.strikes(Kind::QueueEarly) {
        sent.body["DelaySeconds"] = json!(dice.between(Kind::QueueEarly, 0, delay));
    } else if dice.strikes(Kind::QueueLate) {
        let late = if dice.between(Kind::QueueLate, 0, 4) == 0 { LATEST_SECS } else { 60 };
        let more = dice.between(Kind::QueueLate, 1, late);
        sent.body["DelaySeconds"] = json!(delay.saturating_add(more));
    }
    Outcome::Pass
}

/// How each request to a vendor goes wrong, if it does. A vendor that does not answer is waited for as long as the function waits. While
/// Vapi is in trouble, all of its requests go wrong. A plant may have Google show an event as deleted where it would show nothing.
pub fn over_vendors(
    now: SharedNow,
    google: Option<Arc<GoogleSandbox>>,
) -> impl FnMut(&str, &str) -> Option<Mode> + Send + 'static {
    move |vendor, operation| {
        let mode = over_vendor(&mut locked(&now), vendor, operation);
        match &google {
            Some(google) if operation == "list_events" && mode.is_some() => {
                google.with_faults(|faults| faults.shows_one_deleted = true);
                None
            }
            Some(_) | None => mode,
        }
    }
}

fn over_vendor(now: &mut Now, vendor: &str, operation: &str) -> Option<Mode> {
    now.vendor_requests = now.vendor_requests.saturating_add(1);
    now.is_about_numbers |= vendor == "twilio";
    let kinds = [
        (Kind::VendorFails, Mode::Error),
        (Kind::VendorLost, Mode::Hang),
        (Kind::VendorUnanswered, Mode::HangAfter),
    ];
    if vendor == "stripe" && now.dice.strikes(Kind::VendorKept) {
        let is_done = now.dice.between(Kind::VendorKept, 0, 1) == 0;
        return Some(if is_done { Mode::ErrorAfterKept } else { Mode::ErrorKept });
    }
    if vendor == "google"
        && let Some(mode) = over_google(&mut now.dice, operation)
    {
        return Some(mode);
    }
    let is_in_trouble = vendor == "vapi" && now.is_vapi_in_trouble;
    let trouble = kinds.into_iter().find(|(kind, _)| is_in_trouble && now.dice.has(*kind));
    if let Some((kind, mode)) = trouble {
        now.dice.note(kind);
        return Some(mode);
    }
    kinds.into_iter().find(|(kind, _)| now.dice.strikes(*kind)).map(|(_, mode)| mode)
}

/// What of a calendar goes wrong beside.
fn over_google(dice: &mut Dice, operation: &str) -> Option<Mode> {
    if operation == "token" && dice.strikes(Kind::GrantEnded) {
        return Some(Mode::Refuse);
    }
    if dice.strikes(Kind::TooMany) {
        return Some(Mode::TooMany);
    }
    dice.strikes(Kind::VendorSlow).then_some(Mode::Slow)
}
