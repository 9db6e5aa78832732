//! Bugs that are planted, one at a time, to show that the simulation finds them: each is a change, in the transport, of requests
//! that the store sends. The code that moves money knows nothing of them.

use local::aws::Sent;
use serde_json::{Value, json};

/// A bug: what the store would send if a line of it were wrong.
#[derive(Debug)]
pub struct Plant {
    /// What the bug is called.
    pub name: &'static str,
    /// The write and the part of it that the bug changes.
    pub place: &'static str,
    /// A world that is known to find it, which is looked at first.
    pub seed: u64,
    /// The change.
    pub change: fn(&mut Sent),
}

/// The bugs that are not changes of a request to AWS: the functions are told that nothing is kept for callers, or see no refund beside a
/// dispute that gave money back, or see an event deleted where Google fails.
const TAKING_WHAT_IS_KEPT: &str = "calling_out_on_what_is_kept_for_callers";
const REINSTATING_WHAT_WAS_REFUNDED: &str = "giving_back_what_was_refunded";
const CANCELLING_BY_A_FAILURE: &str = "taking_a_failure_for_a_deletion";
/// Why a call of ours ends whose call at Vapi has a record already.
const SAME_CALL_REASON: &str = "recorded-before";
/// A time that no world comes to.
const NEVER: &str = "2099-01-01T00:00:00.000Z";

impl Plant {
    /// What the functions are told, in a world with this bug, that is not so.
    pub fn settings(&self) -> &'static [(&'static str, &'static str)] {
        if self.name == TAKING_WHAT_IS_KEPT { &[("CALL_SLOTS_FOR_INBOUND", "0")] } else { &[] }
    }

    /// Whether the functions see no refund of a payment once a dispute has given money back.
    pub fn hides_refunds(&self) -> bool {
        self.name == REINSTATING_WHAT_WAS_REFUNDED
    }

    /// Whether the functions see an event as deleted where Google fails to tell what has changed.
    pub fn shows_failures_as_deletions(&self) -> bool {
        self.name == CANCELLING_BY_A_FAILURE
    }

    /// The bug of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        PLANTS.iter().find(|plant| plant.name == name)
    }
}

/// Every bug that can be planted.
pub static PLANTS: [Plant; 38] = [
    Plant {
        name: "sending_what_another_copy_has_claimed",
        place: "claim of a message: attribute_not_exists(item)",
        seed: 1_000,
        change: |sent| without(sent, Write::Other, "messages", "attribute_not_exists(#key)"),
    },
    Plant {
        name: "texting_without_paying",
        place: "charge text: the ledger entry and the wallet",
        seed: 1_000,
        change: |sent| {
            if write_of(sent) == Write::Text
                && let Some(items) = sent.body["TransactItems"].as_array_mut()
            {
                items.retain(|item| is_of(&item["Put"], "messages") || is_of(&item["Put"], "due_messages"));
            }
        },
    },
    Plant {
        name: "texting_what_nobody_looks_for",
        place: "charge text: when it is looked for",
        seed: 1_017,
        change: |sent| without_put(sent, Write::Text, "due_messages"),
    },
    Plant {
        name: "giving_the_price_of_every_text_back",
        place: "note of a text that was sent: its state",
        seed: 1_000,
        change: |sent| {
            let item = &mut sent.body["Item"];
            if item["text"]["M"].is_object() && item["state"]["S"] == "sent" {
                item["state"]["S"] = "sending".into();
                // Where it is looked for, it is not found.
                item["text"]["M"]["from"]["S"] = "Nobody".into();
                if let Some(fields) = item.as_object_mut() {
                    fields.remove("vendor_id");
                }
            }
        },
    },
    Plant {
        name: "texting_who_said_stop",
        place: "a text that came: what its number says",
        seed: 1_000,
        change: |sent| {
            let is_stop = |item: &Value| item["Put"]["Item"]["is_stopped"]["BOOL"] == true;
            if let Some(items) = sent.body["TransactItems"].as_array_mut() {
                items.retain(|item| !is_stop(item));
            }
        },
    },
    Plant {
        name: "booking_on_an_old_ledger",
        place: "book: ledger_seq = :read",
        seed: 1_006,
        change: |sent| without(sent, Write::Book, "wallets", "ledger_seq = :read"),
    },
    Plant {
        name: "settling_on_an_old_ledger",
        place: "settle: ledger_seq = :read",
        seed: 1_006,
        change: |sent| without(sent, Write::Settle, "wallets", "ledger_seq = :read"),
    },
    Plant {
        name: "settling_without_taking_the_hold_out",
        place: "settle: REMOVE holds.#call",
        seed: 1_000,
        change: |sent| reworded(sent, Write::Settle, " REMOVE holds.#call", ""),
    },
    Plant {
        name: "authorizing_without_the_money",
        place: "authorize: available >= :basis",
        seed: 1_001,
        change: |sent| without(sent, Write::Authorize, "wallets", "available >= :basis"),
    },
    Plant {
        name: "authorizing_on_a_frozen_wallet",
        place: "authorize: attribute_not_exists(frozen)",
        seed: 1_024,
        change: |sent| without(sent, Write::Authorize, "wallets", "attribute_not_exists(frozen)"),
    },
    Plant {
        name: "authorizing_without_taking_from_available",
        place: "authorize: available = available - :grant",
        seed: 1_000,
        change: |sent| reworded(sent, Write::Authorize, "available = available - :grant, ", ""),
    },
    Plant {
        name: "extending_twice",
        place: "extend: holds.#call.step = :step",
        seed: 1_001,
        change: |sent| without(sent, Write::Extend, "wallets", "holds.#call.step = :step"),
    },
    Plant {
        name: "two_purchases_of_one_direction",
        place: "claim: version = :read",
        seed: 1_006,
        change: |sent| without(sent, Write::Claim, "number_purchases", "version = :read"),
    },
    Plant {
        name: "booking_without_an_entry",
        place: "book: the ledger entry",
        seed: 1_000,
        change: |sent| without_put(sent, Write::Book, "ledger_entries"),
    },
    Plant {
        name: "settling_for_nothing",
        place: "settle: available = available + :delta",
        seed: 1_000,
        change: |sent| {
            reworded(
                sent,
                Write::Settle,
                "available = available + :delta, held = held - :held",
                "available = available + :held, held = held - :held, unused = :delta",
            );
        },
    },
    Plant {
        name: "holding_without_a_hold",
        place: "authorize: holds.#call = :hold",
        seed: 1_000,
        change: |sent| reworded(sent, Write::Authorize, "holds.#call = :hold", "holds.lost = :hold"),
    },
    Plant {
        name: "releasing_without_giving_back",
        place: "release: available = available + :held",
        seed: 1_001,
        change: |sent| {
            reworded(sent, Write::Release, "available = available + :held, ", "");
        },
    },
    Plant {
        name: "logging_what_is_written",
        place: "every put of a call",
        seed: 1_000,
        change: |sent| {
            let caller = std::iter::once(&sent.body)
                .chain(parts_of(sent))
                .find_map(|part| part["Item"]["customer_number"]["S"].as_str());
            if let Some(caller) = caller {
                tracing::debug!(caller, "a call was written");
            }
        },
    },
    Plant {
        name: "settling_without_the_doubt",
        place: "settle: the doubt",
        seed: 1_001,
        change: |sent| without_put(sent, Write::Settle, "doubts"),
    },
    Plant {
        name: "taking_time_on_an_old_day",
        place: "take time: version = :read of a day",
        seed: 1_028,
        change: |sent| without(sent, Write::TakeTime, "resource_days", "version = :read"),
    },
    Plant {
        name: "taking_time_without_the_next_day",
        place: "take time: the day after UTC's midnight",
        seed: 1_003,
        change: without_the_next_day,
    },
    Plant {
        name: "booking_by_an_old_service",
        place: "take time: version = :read of the service",
        seed: 1_087,
        change: |sent| without(sent, Write::TakeTime, "booking_catalog", "version = :read"),
    },
    Plant {
        name: "cancelling_without_giving_the_time_back",
        place: "cancel: the days",
        seed: 1_006,
        change: |sent| {
            if changes_an_appointment(sent, "cancelled") {
                without_put(sent, Write::TakeTime, "resource_days");
            }
        },
    },
    Plant {
        name: "moving_without_noting_it_on_the_call",
        place: "move: the call's conversation",
        seed: 1_000,
        change: |sent| {
            if changes_an_appointment(sent, "confirmed")
                && let Some(items) = sent.body["TransactItems"].as_array_mut()
            {
                let key = |item: &Value| item["Put"]["Item"]["item"]["S"].as_str().map(str::to_owned);
                items.retain(|item| !key(item).is_some_and(|key| key.starts_with("call#")));
            }
        },
    },
    Plant {
        name: "keeping_the_slot_of_a_call_that_is_over",
        place: "give a slot back: the last one stays",
        seed: 1_000,
        change: |sent| {
            let is_last = sent.body["Item"]["leases"]["L"].as_array().is_some_and(Vec::is_empty);
            if is_last && is_of(&sent.body, "call_slots") {
                let condition = sent.body["ConditionExpression"].as_str().unwrap_or_default();
                sent.body["ConditionExpression"] = format!("{condition} AND attribute_exists(never)").into();
            }
        },
    },
    Plant {
        name: "taking_a_slot_by_old_slots",
        place: "take a slot: version = :read",
        seed: 1_000,
        change: |sent| {
            if sent.operation == "PutItem" {
                without(sent, Write::Other, "call_slots", "version = :read");
            }
        },
    },
    Plant { name: TAKING_WHAT_IS_KEPT, place: "CALL_SLOTS_FOR_INBOUND", seed: 1_044, change: |_| {} },
    Plant {
        name: "stopping_the_meter_at_a_stray_end",
        place: "end heard: the next look",
        seed: 1_010,
        change: |sent| {
            let is_end = sent.operation == "PutItem"
                && is_of(&sent.body, "calls")
                && sent.body["Item"]["state"]["S"] == "ended";
            if is_end {
                sent.body["Item"]["due_at"]["S"] = NEVER.into();
            }
        },
    },
    Plant {
        name: "noting_a_correction_without_making_it",
        place: "correct: all of it",
        seed: 1_003,
        change: |sent| {
            if write_of(sent) == Write::Correct {
                do_nothing(sent);
            }
        },
    },
    Plant {
        name: "billing_one_call_by_two_records",
        place: "give way: all of it",
        seed: 1_006,
        change: |sent| {
            let Some(items) = sent.body["TransactItems"].as_array_mut() else { return };
            let gives_way = |item: &Value| item["Put"]["Item"]["ended_reason"]["S"] == SAME_CALL_REASON;
            if items.iter().any(gives_way) {
                items.retain(|item| !is_of(&item["Update"], "wallets"));
                for item in items {
                    go_on(&mut item["Put"]["Item"]);
                }
            }
        },
    },
    Plant {
        name: "looking_at_closed_calls_before_open_ones",
        place: "due: the open part of the index",
        seed: 1_000,
        change: |sent| {
            let value = &mut sent.body["ExpressionAttributeValues"][":live"]["S"];
            if let Some(shard) = value.as_str().and_then(|live| live.strip_prefix("open#")) {
                *value = format!("closed#{shard}").into();
            }
        },
    },
    Plant {
        name: "never_reading_an_old_entry_again",
        place: "books: how far the round has come",
        seed: 1_005,
        change: |sent| {
            let item = &mut sent.body["Item"];
            if item["task"]["S"] == "books#checked" && item["rota"]["M"].is_object() {
                let verified =
                    ["ledger_seq", "ledger_head", "balance"].map(|name| (name, item[name].clone()));
                let read = &mut item["rota"]["M"]["read"]["M"];
                for (name, value) in verified {
                    read[name] = value;
                }
            }
        },
    },
    Plant {
        name: "charging_a_card_that_money_was_asked_back_of",
        place: "every write of auto_recharge",
        seed: 1_002,
        change: |sent| forgetting(&mut sent.body, &["asked_back_at", "barred_cards", "disputes"]),
    },
    Plant {
        name: REINSTATING_WHAT_WAS_REFUNDED,
        place: "reversed: the refunds of the payment",
        seed: 1_002,
        change: |_| {},
    },
    Plant {
        name: CANCELLING_BY_A_FAILURE,
        place: "changes of a calendar: an answer that failed",
        seed: 1_000,
        change: |_| {},
    },
    Plant {
        name: "taking_an_echo_for_a_change",
        place: "note of a push: what was pushed",
        seed: 1_021,
        change: |sent| {
            each_calendar_item(sent, "event#", |item| item["pushed"] = json!({"L": []}));
        },
    },
    Plant {
        name: "taking_our_own_event_for_anothers",
        place: "note of our ids, before they are used",
        seed: 1_000,
        change: |sent| each_calendar_item(sent, "ours#", |item| item["item"]["S"] = "ours#lost".into()),
    },
    Plant {
        name: "sweeping_what_was_seen",
        place: "keep an event of others: its reading",
        seed: 1_004,
        change: |sent| {
            if is_of(&sent.body, "external_events") && sent.body["Item"].is_object() {
                sent.body["Item"]["generation"]["N"] = "0".into();
            }
        },
    },
];

/// Changes each record of a kind that is written about calendars.
fn each_calendar_item(sent: &mut Sent, kind: &str, change: impl Fn(&mut Value)) {
    let Sent { body, .. } = sent;
    let is_it = |part: &Value| {
        is_of(part, "calendars")
            && part["Item"]["item"]["S"].as_str().is_some_and(|key| key.starts_with(kind))
    };
    if is_it(body) {
        change(&mut body["Item"]);
    }
    for part in body["TransactItems"].as_array_mut().into_iter().flatten() {
        if is_it(&part["Put"]) {
            change(&mut part["Put"]["Item"]);
        }
    }
}

/// Whether a request writes an appointment that was there, so that it stands like this.
fn changes_an_appointment(sent: &Sent, status: &str) -> bool {
    parts_of(sent).any(|part| {
        let is_there = part["ConditionExpression"] == "version = :read";
        is_there && is_of(part, "appointments") && part["Item"]["status"]["S"] == status
    })
}

/// Leaves the second of two days of one resource out.
fn without_the_next_day(sent: &mut Sent) {
    if write_of(sent) != Write::TakeTime {
        return;
    }
    let mut resources = std::collections::BTreeSet::new();
    if let Some(items) = sent.body["TransactItems"].as_array_mut() {
        items.retain(|item| {
            let resource = item["Put"]["Item"]["resource_id"]["S"].as_str();
            !is_of(&item["Put"], "resource_days") || resources.insert(resource.map(str::to_owned))
        });
    }
}

/// The store's writes, by what they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Write {
    Authorize,
    Extend,
    Settle,
    Correct,
    Release,
    Book,
    Claim,
    TakeTime,
    Text,
    Other,
}

fn parts_of(sent: &Sent) -> impl Iterator<Item = &Value> {
    let items = sent.body["TransactItems"].as_array().into_iter().flatten();
    items.filter_map(Value::as_object).flat_map(serde_json::Map::values)
}

fn write_of(sent: &Sent) -> Write {
    let own = std::iter::once(&sent.body);
    let change = own.chain(parts_of(sent)).find_map(|part| part["UpdateExpression"].as_str());
    let puts = |table: &str| parts_of(sent).any(|part| part.get("Item").is_some() && is_of(part, table));
    let deletes_doubt = parts_of(sent).any(|part| part.get("Key").is_some() && is_of(part, "doubts"));
    match change {
        Some(change) if change.contains("available - :cost") && puts("messages") => Write::Text,
        Some(change) if change.contains("holds.#call = :hold") => Write::Authorize,
        Some(change) if change.contains("holds.#call.step = :next") => Write::Extend,
        Some(change) if change.contains("ledger_seq") && deletes_doubt => Write::Correct,
        Some(change) if change.contains("ledger_seq") && puts("calls") => Write::Settle,
        Some(change) if change.contains("held = held - :held") => Write::Release,
        Some(change) if change.contains("ledger_seq") && !change.contains(":cost") => Write::Book,
        None if puts("number_purchases") && !puts("phone_number_mapping") => Write::Claim,
        None if puts("resource_days") => Write::TakeTime,
        Some(_) | None => Write::Other,
    }
}

fn is_of(part: &Value, table: &str) -> bool {
    part["TableName"].as_str().is_some_and(|name| name.ends_with(&format!("-{table}")))
}

/// Changes a text of each part of a request that is such a write.
fn each(
    sent: &mut Sent,
    write: Write,
    field: &str,
    mut change: impl FnMut(&mut Value, &str) -> Option<String>,
) {
    if write_of(sent) != write {
        return;
    }
    let mut changed = |part: &mut Value| {
        let Some(text) = part[field].as_str().map(str::to_owned) else { return };
        if let Some(text) = change(part, &text) {
            part[field] = Value::String(text);
        }
    };
    if sent.body.get(field).is_some() {
        changed(&mut sent.body);
    }
    for item in sent.body["TransactItems"].as_array_mut().into_iter().flatten() {
        item.as_object_mut().into_iter().flat_map(|item| item.values_mut()).for_each(&mut changed);
    }
}

/// Makes a part of a condition true whatever is there. Its names and values stay in use.
fn without(sent: &mut Sent, write: Write, table: &str, part: &str) {
    each(sent, write, "ConditionExpression", |request, condition| {
        is_of(request, table).then(|| condition.replace(part, &format!("({part} OR NOT {part})")))
    });
}

/// Changes what is done.
fn reworded(sent: &mut Sent, write: Write, from: &str, to: &str) {
    each(sent, write, "UpdateExpression", |_, change| Some(change.replace(from, to)));
}

/// Has the record of a call that is given up say that the call goes on.
fn go_on(record: &mut Value) {
    let live = record["live"]["S"].as_str().unwrap_or_default().replace("closed", "open");
    record["live"]["S"] = live.into();
    record["state"]["S"] = "authorized".into();
    if let Some(fields) = record.as_object_mut() {
        fields.remove("ended_reason");
    }
}

/// Leaves nothing of a transaction but a check of its first part's table and key, which holds.
fn do_nothing(sent: &mut Sent) {
    let first = parts_of(sent).find(|part| part.get("Key").is_some()).cloned().unwrap_or_default();
    sent.body["TransactItems"] = json!([{"ConditionCheck": {"TableName": first["TableName"], "Key": first["Key"],
        "ConditionExpression": "attribute_exists(org_id)"}}]);
}

/// Takes fields of these names out of every record that is written, wherever they stand in it.
fn forgetting(value: &mut Value, names: &[&str]) {
    match value {
        Value::Object(fields) => {
            if let Some(record) = fields.get_mut("M").and_then(Value::as_object_mut) {
                for name in names {
                    record.remove(*name);
                }
            }
            fields.values_mut().for_each(|value| forgetting(value, names));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| forgetting(value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Leaves what a write puts into a table out of it.
fn without_put(sent: &mut Sent, write: Write, table: &str) {
    if write_of(sent) != write {
        return;
    }
    if let Some(items) = sent.body["TransactItems"].as_array_mut() {
        items.retain(|item| !is_of(&item["Put"], table));
    }
}
