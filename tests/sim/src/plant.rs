//! Bugs that are planted, one at a time, to show that the simulation finds them: in the transport, as a change of a request
//! that the store sends, or in the code itself, behind the feature `planted`.

use local::aws::Sent;
use serde_json::Value;

/// A bug.
#[derive(Clone, Copy, Debug)]
pub enum Plant {
    /// A request is changed on its way.
    InTransport(&'static InTransport),
    /// Our code does something else.
    #[cfg(feature = "planted")]
    InCode(domain::planted::Bug),
}

/// A change of requests on their way.
#[derive(Debug)]
pub struct InTransport {
    /// What the bug is called.
    pub name: &'static str,
    /// What it changes.
    pub place: &'static str,
    /// The change.
    pub change: fn(&mut Sent),
}

impl Plant {
    /// Every bug that can be planted in this build.
    pub fn all() -> Vec<Self> {
        let in_transport = IN_TRANSPORT.iter().map(Self::InTransport);
        #[cfg(feature = "planted")]
        let in_code = domain::planted::Bug::ALL.into_iter().map(Self::InCode);
        #[cfg(not(feature = "planted"))]
        let in_code = std::iter::empty();
        in_transport.chain(in_code).collect()
    }

    /// The bug of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|plant| plant.name() == name)
    }

    /// What the bug is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::InTransport(bug) => bug.name,
            #[cfg(feature = "planted")]
            Self::InCode(bug) => bug.name(),
        }
    }

    /// Where it is.
    pub fn place(self) -> &'static str {
        match self {
            Self::InTransport(bug) => bug.place,
            #[cfg(feature = "planted")]
            Self::InCode(bug) => bug.place(),
        }
    }
}

/// Plants a bug in the code that this thread runs, or takes it out again.
pub fn set(plant: Option<Plant>) {
    #[cfg(feature = "planted")]
    domain::planted::set(match plant {
        Some(Plant::InCode(bug)) => Some(bug),
        Some(Plant::InTransport(_)) | None => None,
    });
    #[cfg(not(feature = "planted"))]
    let _ = plant;
}

/// Puts a second tariff in force from `at` on, for what this thread runs. Without the feature there is one tariff only.
pub fn set_tariff_change_at(at: Option<jiff::Timestamp>) {
    #[cfg(feature = "planted")]
    // Once in force it stays so.
    if at.is_none() || domain::planted::tariff_change_at().is_none() {
        domain::planted::set_tariff_change_at(at);
    }
    #[cfg(not(feature = "planted"))]
    let _ = at;
}

static IN_TRANSPORT: [InTransport; 10] = [
    InTransport {
        name: "booking_on_an_old_ledger",
        place: "book: ledger_seq = :read",
        change: |sent| without(sent, Write::Book, "wallets", "ledger_seq = :read"),
    },
    InTransport {
        name: "settling_on_an_old_ledger",
        place: "settle: ledger_seq = :read",
        change: |sent| without(sent, Write::Settle, "wallets", "ledger_seq = :read"),
    },
    InTransport {
        name: "settling_an_old_hold",
        place: "settle: holds.#call.amount = :held",
        change: |sent| without(sent, Write::Settle, "wallets", "holds.#call.amount = :held"),
    },
    InTransport {
        name: "settling_without_taking_the_hold_out",
        place: "settle: REMOVE holds.#call",
        change: |sent| reworded(sent, Write::Settle, " REMOVE holds.#call", ""),
    },
    InTransport {
        name: "authorizing_without_the_money",
        place: "authorize: available >= :basis",
        change: |sent| without(sent, Write::Authorize, "wallets", "available >= :basis"),
    },
    InTransport {
        name: "authorizing_on_a_frozen_wallet",
        place: "authorize: attribute_not_exists(frozen)",
        change: |sent| without(sent, Write::Authorize, "wallets", "attribute_not_exists(frozen)"),
    },
    InTransport {
        name: "authorizing_without_taking_from_available",
        place: "authorize: available = available - :grant",
        change: |sent| reworded(sent, Write::Authorize, "available = available - :grant, ", ""),
    },
    InTransport {
        name: "extending_twice",
        place: "extend: holds.#call.step = :step",
        change: |sent| without(sent, Write::Extend, "wallets", "holds.#call.step = :step"),
    },
    InTransport {
        name: "two_purchases_of_one_direction",
        place: "claim: version = :read",
        change: |sent| without(sent, Write::Claim, "number_purchases", "version = :read"),
    },
    InTransport { name: "booking_without_an_entry", place: "book: the ledger entry", change: without_entry },
];

/// The store's writes, by what they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Write {
    Authorize,
    Extend,
    Settle,
    Book,
    Claim,
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
    match change {
        Some(change) if change.contains("holds.#call = :hold") => Write::Authorize,
        Some(change) if change.contains("holds.#call.step = :next") => Write::Extend,
        Some(change) if change.contains("ledger_seq") && puts("calls") => Write::Settle,
        Some(change) if change.contains("ledger_seq") && !change.contains(":cost") => Write::Book,
        None if puts("number_purchases") && !puts("phone_number_mapping") => Write::Claim,
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

/// Leaves the ledger entry out of a booking.
fn without_entry(sent: &mut Sent) {
    if write_of(sent) != Write::Book {
        return;
    }
    if let Some(items) = sent.body["TransactItems"].as_array_mut() {
        items.retain(|item| !is_of(&item["Put"], "ledger_entries"));
    }
}
