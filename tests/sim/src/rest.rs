//! What must hold once the faults have stopped and time has run on: everything is at rest, and agrees with what the vendors
//! know to have happened.

use std::collections::BTreeSet;

use domain::{
    call::{Call, State},
    time::month_of,
};
use sandbox::vapi;
use serde_json::Value;
use store::calendars::GOOGLE_CALENDAR;

use crate::{
    items::{self, ENVIRONMENT},
    monitor::{Monitor, is_closed, is_exact, is_in_force, mark_of, talked_secs},
    returned::held,
    world::World,
};

type Checked = Result<(), String>;

/// Checks all of it.
///
/// # Errors
/// What is not at rest, or not as the vendors know it: a sentence.
pub fn check(world: &World, monitor: &Monitor, underway: usize) -> Checked {
    if underway > 0 {
        return Err(format!("{underway} things are still underway"));
    }
    if world.stack.aws.late() > 0 {
        return Err("writes are still to be applied".into());
    }
    messages(world)?;
    records(world)?;
    wallets(world)?;
    books(world, monitor)?;
    rentals(world, monitor)?;
    for call in world.stack.vapi.calls() {
        talked(world, monitor, &call)?;
    }
    payments(world, monitor)?;
    numbers(world)?;
    purchases(world, monitor)?;
    crate::slots::at_rest(world)?;
    crate::letters::at_rest(world)?;
    crate::carrier::at_rest(world, monitor)?;
    crate::pairs::at_rest(world)?;
    crate::diary::told(world)
}

/// No message waits in a queue that a function reads, and none was given up.
fn messages(world: &World) -> Checked {
    let queues = world.stack.aws.queues();
    let consumed: BTreeSet<&str> = queues.consumed().map(|(queue, _)| queue).collect();
    let messages = queues.messages();
    if let Some(message) = messages.iter().find(|message| message.queue.ends_with("DeadLetters")) {
        return Err(format!("a message was given up: {message:?}"));
    }
    match messages.iter().find(|message| consumed.contains(message.queue.as_str())) {
        Some(message) => Err(format!("a message is still pending: {message:?}")),
        None => Ok(()),
    }
}

/// No call is open.
fn records(world: &World) -> Checked {
    let records = items::all(&world.stack.aws, "calls");
    let mut open = records.iter().filter(|record| record["state"].is_string() && !is_closed(record));
    match open.next() {
        Some(record) => Err(format!("a call is still open: {record}")),
        None => Ok(()),
    }
}

/// No hold, no automatic charge that has no end, and no org that was not told of a low balance.
fn wallets(world: &World) -> Checked {
    for wallet in items::all(&world.stack.aws, "wallets") {
        let has_holds = wallet["holds"].as_object().is_some_and(|holds| !holds.is_empty());
        if has_holds || wallet["held"].as_i64() != Some(0) {
            return Err(format!("money is still set aside: {wallet}"));
        }
        let episode = &wallet["auto_recharge"]["episode"];
        if !episode.is_null() {
            return Err(format!("an automatic charge has no end: {episode}"));
        }
        let notice = &wallet["auto_recharge"]["notice"];
        let is_told = notice["is_low"] == true && notice["told"].as_u64() >= notice["crossings"].as_u64();
        let is_low = wallet["available"].as_i64() < wallet["low_balance"].as_i64();
        if is_low && !is_told {
            return Err(format!("nobody was told of a low balance: {wallet}"));
        }
    }
    Ok(())
}

/// Books that somebody altered are found wrong: each entry is read anew within thirty days.
fn books(world: &World, monitor: &Monitor) -> Checked {
    for at in &monitor.altered {
        let org = world.clinics.get(*at).map(|clinic| clinic.id.clone()).unwrap_or_default();
        let wallet = items::get(&world.stack.aws, "wallets", &[("org_id", &org)]);
        if wallet["frozen"] != "books" {
            return Err(format!("an entry of clinic {at} was altered, and nobody has noticed: {wallet}"));
        }
    }
    Ok(())
}

/// Each number that is there is rented for each month that began while the clinic had it, or the month is noted to be owed.
fn rentals(world: &World, monitor: &Monitor) -> Checked {
    let aws = &world.stack.aws;
    let now = world.time();
    // The day's run charges it; what is owed is noted.
    let charged_until = month_of(now - jiff::SignedDuration::from_hours(26));
    for number in items::all(aws, "managed_phone_numbers") {
        let created = number["created_at"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok());
        let at = number["org_id"].as_str().and_then(|org| world.clinic_of(org));
        let (Some(created), Some(at)) = (created, at) else { continue };
        let is_due = world.rental > 0 && number["status"] == "active" && number["missing_since"].is_null();
        if !is_due || month_of(created) >= charged_until {
            continue;
        }
        let key = format!("rental#{}#{charged_until}", number["number_id"].as_str().unwrap_or_default());
        let is_owed = items::of_task(aws, "numbers").iter().any(|row| row["item"] == key.as_str());
        if !monitor.booked.contains_key(&(at, key.clone())) && !is_owed {
            return Err(format!("{key} is neither charged nor owed: {number}"));
        }
    }
    Ok(())
}

/// A call that was talked is billed once, exactly its price; one that was not costs nothing.
fn talked(world: &World, monitor: &Monitor, truth: &vapi::Call) -> Checked {
    if truth.status != "ended" {
        return Err(format!("at Vapi, a call goes on: {truth:?}"));
    }
    let mapping = items::get(&world.stack.aws, "call_mapping", &[("vapi_call_id", &truth.id)]);
    let Some(clinic) = mapping["org_id"].as_str().and_then(|org| world.clinic_of(org)) else {
        let is_ours = world.clinics.iter().any(|clinic| {
            truth.phone_number_id.as_ref() == Some(&clinic.phone_id)
                || truth.phone_number_id.is_none()
                    && truth.assistant_id.as_ref() == Some(&clinic.assistant_id)
        });
        // A bought number may have been given up before it rang; what was never talked is not asked for.
        let is_missed = is_ours && talked_secs(truth).is_some_and(|secs| secs > 0);
        return if is_missed { Err(format!("a call was never heard of: {truth:?}")) } else { Ok(()) };
    };
    let org = world.clinics.get(clinic).map(|clinic| clinic.id.clone()).unwrap_or_default();
    let id = mapping["call_id"].as_str().unwrap_or_default();
    let record = items::get(&world.stack.aws, "calls", &[("org_id", &org), ("call_id", id)]);
    let billed = monitor.net_of(clinic, id);
    let Some(secs) = talked_secs(truth) else {
        return match billed {
            Some(pence) if pence > 0 => {
                Err(format!("{pence}p are charged for {truth:?}, which nobody talked on"))
            }
            Some(_) | None => Ok(()),
        };
    };
    let call: Call = items::typed(&record)?;
    let State::Settled(bill) = &call.state else {
        // Nothing is charged for no time, so such a call may be released as well.
        let is_free = secs == 0 && billed.is_none();
        return if is_free { Ok(()) } else { Err(format!("a call of {secs} s is not billed: {record}")) };
    };
    let price = bill.tariff.tariff().charge(bill.duration_secs).pence();
    let is_right = is_exact(world, bill, truth) && is_in_force(world, &call, truth, bill.tariff);
    let doubt = items::get(&world.stack.aws, "doubts", &[("org_id", &org), ("call_id", id)]);
    if doubt["stated_secs"].as_u64() != bill.doubted_secs.map(u64::from) {
        return Err(format!("what is in doubt of {bill:?} is left to no person: {doubt}"));
    }
    if billed != Some(price) || !is_right {
        return Err(format!("a call of {secs} s is billed {billed:?} by {bill:?}: {truth:?}"));
    }
    Ok(())
}

/// What Stripe received is credited, and the wallet has of it what Stripe still holds.
fn payments(world: &World, monitor: &Monitor) -> Checked {
    let stripe = &world.stack.stripe;
    let customers = world.customers();
    let mut episodes = BTreeSet::new();
    let clinic_of =
        |payment: &Value| customers.get(payment["customer"].as_str().unwrap_or_default()).copied();
    for payment in stripe.all("payment_intent") {
        if payment["status"] != "succeeded" {
            continue;
        }
        let id = payment["id"].as_str().unwrap_or_default();
        let Some(clinic) = clinic_of(&payment) else {
            return Err(format!("a payment is of no clinic: {payment}"));
        };
        let booked = monitor.booked.get(&(clinic, format!("topup#{id}"))).copied();
        if booked != payment["amount_received"].as_i64() {
            return Err(format!("a payment is credited {booked:?}: {payment}"));
        }
        let (has, held) = (monitor.of_payment(clinic, id), held(stripe, &payment));
        if has != held {
            return Err(format!(
                "the wallet has {has}p of a payment of which Stripe holds {held}p: {payment}"
            ));
        }
        if let Some(episode) = payment["metadata"]["voxanne_episode"].as_str()
            && !episodes.insert(episode.to_owned())
        {
            return Err(format!("one shortage was charged to the card twice: {payment}"));
        }
    }
    Ok(())
}

/// Every number is active, paid and at both vendors; or nowhere.
fn numbers(world: &World) -> Checked {
    let aws = &world.stack.aws;
    let is_claim = |row: &&Value| row["item"].as_str().is_some_and(|item| !item.contains('#'));
    let purchases = items::all(aws, "number_purchases");
    let claims: Vec<&Value> = purchases.iter().filter(is_claim).collect();
    let over = ["active", "refunded", "released"];
    if let Some(open) = claims.iter().find(|row| !over.contains(&row["state"].as_str().unwrap_or_default())) {
        return Err(format!("a purchase is still open: {open}"));
    }
    let mut rows = items::all(aws, "org_credentials");
    rows.retain(|row| row["provider_type"] != GOOGLE_CALENDAR);
    if let Some(row) = rows.iter().find(|row| row["status"] != "active") {
        return Err(format!("a number is still being given up: {row}"));
    }
    let at_carrier = world.stack.twilio.numbers();
    let at_vapi = world.stack.vapi.numbers();
    for row in &rows {
        let mark = mark_of(row["purchase_id"].as_str().unwrap_or_default());
        let is_at_carrier =
            at_carrier.iter().any(|(_, number, name)| *name == mark && row["phone_number"] == *number);
        let is_at_vapi = at_vapi.iter().any(|number| number["id"] == row["vapi_phone_id"]);
        let is_active = claims
            .iter()
            .any(|claim| claim["purchase_id"] == row["purchase_id"] && claim["state"] == "active");
        if !(is_at_carrier && is_at_vapi && is_active) {
            return Err(format!(
                "a number is not everywhere: {row}, {at_carrier:?}, {at_vapi:?}, {claims:?}"
            ));
        }
    }
    if let Some(claim) = claims.iter().find(|claim| {
        claim["state"] == "active" && !rows.iter().any(|row| row["purchase_id"] == claim["purchase_id"])
    }) {
        return Err(format!("a purchase is active and its number is nobody's: {claim}"));
    }
    let ours = format!("voxanne/{ENVIRONMENT}/");
    let is_claimed = |number: &str| rows.iter().any(|row| row["phone_number"] == number);
    if let Some(orphan) =
        at_carrier.iter().find(|(_, number, name)| name.starts_with(&ours) && !is_claimed(number))
    {
        return Err(format!("the carrier has a number of ours that is nobody's: {orphan:?}"));
    }
    let orphan = at_vapi.iter().find(|number| {
        number["name"].as_str().is_some_and(|name| name.starts_with(&ours))
            && !is_claimed(number["number"].as_str().unwrap_or_default())
    });
    match orphan {
        Some(orphan) => Err(format!("Vapi has a number of ours that is nobody's: {orphan}")),
        None => Ok(()),
    }
}

/// What was charged for a number has its number, or went back.
fn purchases(world: &World, monitor: &Monitor) -> Checked {
    let aws = &world.stack.aws;
    let numbers = items::all(aws, "managed_phone_numbers");
    let is_of = |row: &Value, purchase: &str| row["number_id"].as_str() == Some(purchase);
    if let Some(purchase) = monitor.kept().find(|purchase| !numbers.iter().any(|row| is_of(row, purchase))) {
        return Err(format!("purchase {purchase} is charged, and no number came of it"));
    }
    let purchases = items::all(aws, "number_purchases");
    let is_kept = |row: &&Value| {
        let purchase = row["purchase_id"].as_str().unwrap_or_default();
        row["state"] == "refunded" && !row["charged"].is_null() && !monitor.is_given_back(purchase)
    };
    match purchases.iter().find(is_kept) {
        Some(purchase) => {
            Err(format!("a purchase says that its price went back, and it did not: {purchase}"))
        }
        None => Ok(()),
    }
}
