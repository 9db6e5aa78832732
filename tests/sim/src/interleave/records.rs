//! The records of the engine, as they are at one point of a schedule, and what must be true of them at every point.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::gate::Access;
use crate::items;

/// Where a record lies; without a key, a whole table.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    /// The table's full name.
    pub(super) table: String,
    key: Option<String>,
}

impl Place {
    /// The record with this key.
    pub(super) fn of(table: &str, key: &Value) -> Self {
        let attribute =
            |(name, value): (&String, &Value)| format!("{name}={}", value["S"].as_str().unwrap_or_default());
        let mut key: Vec<String> = key.as_object().into_iter().flatten().map(attribute).collect();
        key.sort();
        Self { table: table.to_owned(), key: Some(key.join(",")) }
    }

    /// All records of a table.
    pub(super) fn whole(table: &str) -> Self {
        Self { table: table.to_owned(), key: None }
    }

    /// Whether the two have a record in common.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.table == other.table && (self.key.is_none() || other.key.is_none() || self.key == other.key)
    }

    /// Whether it is the slots that all clinics share. No operation here finds the lines busy, so that their order cannot matter to
    /// the wallet: a request to them is no step, and they are no part of a state. Their own races have tests of their own.
    pub(super) fn is_of_slots(&self) -> bool {
        self.name() == "call_slots"
    }

    /// The table's name, without the environment in front.
    pub(super) fn name(&self) -> &str {
        self.table.rsplit('-').next().unwrap_or_default()
    }
}

/// A number for a JSON value, whatever the order of its fields; a request's token, which changes nothing, is left out.
pub(super) fn digest_of(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    feed(value, &mut hasher);
    hasher.finish()
}

fn feed(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Null => 0_u8.hash(hasher),
        Value::Bool(is_so) => (1_u8, is_so).hash(hasher),
        Value::Number(number) => (2_u8, number.to_string()).hash(hasher),
        Value::String(text) => (3_u8, text).hash(hasher),
        Value::Array(items) => {
            (4_u8, items.len()).hash(hasher);
            for item in items {
                feed(item, hasher);
            }
        }
        Value::Object(fields) => {
            let mut fields: Vec<_> =
                fields.iter().filter(|(name, _)| *name != "ClientRequestToken").collect();
            fields.sort_by_key(|(name, _)| *name);
            (5_u8, fields.len()).hash(hasher);
            for (name, value) in fields {
                name.hash(hasher);
                feed(value, hasher);
            }
        }
    }
}

/// All records.
#[derive(Clone, Debug, Default)]
pub(super) struct Records(BTreeMap<Place, (Value, u64)>);

impl Records {
    /// Puts a record in its place, or takes it away. Returns whether that changes anything.
    pub(super) fn set(&mut self, place: Place, item: Option<Value>) -> bool {
        let Some(item) = item else { return self.0.remove(&place).is_some() };
        let digest = digest_of(&item);
        let before = self.0.insert(place, (item, digest));
        before.is_none_or(|(_, before)| before != digest)
    }

    /// The record that lies there.
    pub(super) fn get(&self, place: &Place) -> Option<&Value> {
        self.0.get(place).map(|(item, _)| item)
    }

    /// A number for everything that a request with these accesses can see.
    pub(super) fn seen_by(&self, accesses: &BTreeSet<Access>) -> u64 {
        let mut hasher = DefaultHasher::new();
        for access in accesses {
            let seen = self.0.iter().filter(|(place, _)| place.overlaps(&access.place));
            for (place, (_, digest)) in seen {
                (place, digest).hash(&mut hasher);
            }
        }
        hasher.finish()
    }

    /// Adds all of them to a hash.
    pub(super) fn feed(&self, hasher: &mut DefaultHasher) {
        for (place, (_, digest)) in self.0.iter().filter(|(place, _)| !place.is_of_slots()) {
            (place, digest).hash(hasher);
        }
    }

    /// The records of a table whose sort key begins so, as the domain reads them.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(super) fn typed<T: DeserializeOwned>(&self, name: &str, beginning: &str) -> Result<Vec<T>, String> {
        let is_it = |item: &&Value| item["item"]["S"].as_str().is_some_and(|key| key.starts_with(beginning));
        self.of_table(name).filter(is_it).map(|item| items::typed(&items::record(item))).collect()
    }

    fn of_table(&self, name: &str) -> impl Iterator<Item = &Value> {
        self.0.iter().filter(move |(place, _)| place.name() == name).map(|(_, (item, _))| item)
    }

    /// What is available in the one wallet there is.
    ///
    /// # Errors
    /// When the wallet contradicts its holds or its ledger: true at every point of every schedule.
    pub(super) fn available(&self) -> Result<i64, String> {
        let wallet = self.of_table("wallets").next().ok_or("the wallet is gone")?;
        let (available, held) = (number(&wallet["available"]), number(&wallet["held"]));
        let holds = wallet["holds"]["M"].as_object().into_iter().flatten();
        let in_holds: i64 = holds.map(|(_, hold)| number(&hold["M"]["amount"])).fold(0, i64::saturating_add);
        if held != in_holds {
            return Err(format!("{held}p are held, and the holds are {in_holds}p"));
        }
        let balance = available.saturating_add(held);
        let mut booked = 0_i64;
        let mut entries = 0_i64;
        for entry in self.of_table("ledger_entries") {
            entries = entries.saturating_add(1);
            let amount = number(&entry["amount"]);
            booked = if entry["direction"]["S"] == "credit" {
                booked.saturating_add(amount)
            } else {
                booked.saturating_sub(amount)
            };
        }
        if balance != booked {
            return Err(format!("the wallet stands at {balance}p, and its ledger at {booked}p"));
        }
        let seq = number(&wallet["ledger_seq"]);
        if seq != entries {
            return Err(format!("the wallet's last entry is number {seq}, and there are {entries}"));
        }
        Ok(available)
    }
}

fn number(attribute: &Value) -> i64 {
    attribute["N"].as_str().and_then(|text| text.parse().ok()).unwrap_or_default()
}
