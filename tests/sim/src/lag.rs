//! Indexes that are behind: a query of one sees each record as it was up to some seconds ago, each record apart, as DynamoDB's global
//! secondary indexes do. They are kept as tables of their own, which follow the real ones by as much as is wanted.

use std::{collections::BTreeMap, sync::Arc};

use base::clock::Clock;
use jiff::{SignedDuration, Timestamp};
use local::{
    aws::{Sent, Transport},
    clock::TestClock,
};
use serde_json::{Map, Value, json};

use crate::world::World;

/// What the tables are called that are behind.
const BEHIND: &str = "-behind";

/// The indexes of a world, behind by as much as each query is told.
#[derive(Debug)]
pub struct Indexes {
    aws: Transport,
    clock: Arc<TestClock>,
    /// The names of the keys of each table that has such indexes.
    keys: BTreeMap<String, Vec<String>>,
    /// What was written and is not in the indexes yet, by table and key: since when.
    pending: BTreeMap<(String, String), (Value, Timestamp)>,
    /// What a request writes that is done later than it was sent: it may be written at any time.
    late: BTreeMap<(String, String), Value>,
}

impl Indexes {
    /// Begins to follow the tables of a world that have such indexes.
    pub fn of(world: &World) -> Self {
        let aws = world.stack.aws.clone();
        let mut keys = BTreeMap::new();
        for table in
            world.stack.template.tables.iter().filter(|table| table["GlobalSecondaryIndexes"].is_array())
        {
            let Some(name) = table["TableName"].as_str() else { continue };
            let mut behind = table.clone();
            behind["TableName"] = format!("{name}{BEHIND}").into();
            aws.peek("CreateTable", behind);
            let schema = table["KeySchema"].as_array().into_iter().flatten();
            let names = schema.filter_map(|key| key["AttributeName"].as_str().map(str::to_owned)).collect();
            keys.insert(name.to_owned(), names);
        }
        let mut indexes = Self {
            aws,
            clock: Arc::clone(&world.clock),
            keys,
            pending: BTreeMap::new(),
            late: BTreeMap::new(),
        };
        indexes.take_over_all();
        indexes
    }

    /// What is there already is in the indexes.
    fn take_over_all(&mut self) {
        for name in self.keys.keys() {
            let page = self.aws.peek("Scan", json!({"TableName": name, "ConsistentRead": true}));
            for item in page["Items"].as_array().into_iter().flatten() {
                let name = format!("{name}{BEHIND}");
                self.aws.peek("PutItem", json!({"TableName": name, "Item": item}));
            }
        }
    }

    /// Notes what a request writes, if the indexes are to follow it: now, or later.
    pub fn note(&mut self, sent: &Sent, is_late: bool) {
        let own = std::iter::once(&sent.body);
        let parts = sent.body["TransactItems"].as_array().into_iter().flatten();
        let parts = parts.filter_map(Value::as_object).flat_map(Map::values);
        let written: Vec<(String, Value)> = own
            .chain(parts)
            .filter_map(|part| {
                let name = part["TableName"].as_str()?;
                let there = [&part["Key"], &part["Item"]].into_iter().find(|there| there.is_object())?;
                let key = self.keys.get(name)?.iter().map(|key| (key.clone(), there[key.as_str()].clone()));
                Some((name.to_owned(), Value::Object(key.collect())))
            })
            .collect();
        let now = self.clock.now();
        for (name, key) in written {
            // Since the first write that is not in the indexes: they are never farther behind than is wanted.
            let place = (name, key.to_string());
            if is_late {
                self.late.insert(place, key);
            } else {
                self.pending.entry(place).or_insert((key, now));
            }
        }
    }

    /// Whether a request reads an index that may be behind.
    pub fn is_read_by(&self, sent: &Sent) -> bool {
        let name = sent.body["TableName"].as_str().unwrap_or_default();
        sent.operation == "Query" && sent.body["IndexName"].is_string() && self.keys.contains_key(name)
    }

    /// Has a request read an index that is behind by so many seconds.
    pub fn read_behind(&mut self, sent: &mut Sent, secs: i64) {
        let until = self.clock.now() - SignedDuration::from_secs(secs);
        let (due, pending): (BTreeMap<_, _>, _) =
            std::mem::take(&mut self.pending).into_iter().partition(|(_, (_, at))| *at <= until);
        self.pending = pending;
        let due = due.into_iter().map(|((name, _), (key, _))| (name, key));
        let late = self.late.iter().map(|((name, _), key)| (name.clone(), key.clone()));
        for (name, key) in due.chain(late) {
            let read = json!({"TableName": name, "Key": key, "ConsistentRead": true});
            let item = self.aws.peek("GetItem", read)["Item"].take();
            let name = format!("{name}{BEHIND}");
            if item.is_object() {
                self.aws.peek("PutItem", json!({"TableName": name, "Item": item}));
            } else {
                self.aws.peek("DeleteItem", json!({"TableName": name, "Key": key}));
            }
        }
        let name = sent.body["TableName"].as_str().unwrap_or_default();
        sent.body["TableName"] = format!("{name}{BEHIND}").into();
    }
}
