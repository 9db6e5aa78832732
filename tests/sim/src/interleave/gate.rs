//! What every task of an exploration goes through: the clock that it waits by, and the place in front of the engine where
//! its requests wait until they are let through.
//!
//! A request that must wait is answered as throttled; the store then pauses before it asks again, and the clock lets that
//! pause last until the request is chosen. So between two steps a task stands still, at the requests that it wants to make.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use base::clock::Clock;
use jiff::{SignedDuration, Timestamp};
use local::aws::{Outcome, Sent};
use serde_json::{Map, Value};

use super::records::{Place, digest_of};

/// The condition that keeps two movements from resting on one read, and what a planted bug puts in its place.
const THE_READ: &str = "ledger_seq = :read";
const ANY_READ: &str = "(ledger_seq = :read OR attribute_exists(org_id))";
/// The same of an import, which keeps what was booked meanwhile.
const THE_READ_DAY: &str = "version = :read";
const ANY_READ_DAY: &str = "(version = :read OR attribute_exists(org_id))";

/// One record, or a whole table, as a request touches it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Access {
    pub(super) place: Place,
    pub(super) writes: bool,
}

impl Access {
    /// Whether the order of the two can matter.
    fn conflicts(&self, other: &Self) -> bool {
        (self.writes || other.writes) && self.place.overlaps(&other.place)
    }
}

/// A request that wants to reach the engine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Knock {
    pub(super) operation: String,
    pub(super) accesses: BTreeSet<Access>,
    /// Of its body.
    pub(super) digest: u64,
}

impl Knock {
    /// Whether the order of the two can matter.
    pub(super) fn conflicts(&self, other: &Self) -> bool {
        self.conflicts_with_any(&other.accesses)
    }

    fn conflicts_with_any(&self, others: &BTreeSet<Access>) -> bool {
        self.accesses.iter().any(|access| others.iter().any(|other| access.conflicts(other)))
    }

    /// Whether it may change something.
    pub(super) fn writes(&self) -> bool {
        self.accesses.iter().any(|access| access.writes)
    }
}

impl fmt::Display for Knock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tables: Vec<&str> = self.accesses.iter().map(|access| access.place.name()).collect();
        write!(f, "{} {}", self.operation, tables.join(", "))
    }
}

/// What one poll of a task did.
#[derive(Debug, Default)]
pub(super) struct Visit {
    /// A request went through that may have changed a record.
    pub(super) has_written: bool,
    /// A message was given to a queue.
    pub(super) has_sent: bool,
}

/// Where a request waits.
#[derive(Debug, Default)]
struct Door {
    is_open: bool,
    waker: Option<Waker>,
}

struct Waiting(Arc<Mutex<Door>>);

impl Future for Waiting {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut door = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if door.is_open {
            return Poll::Ready(());
        }
        door.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

#[derive(Debug, Default)]
struct Task {
    /// Refused, and not yet asleep.
    refused: VecDeque<Knock>,
    /// Asleep until it is let through.
    parked: Vec<(Knock, Arc<Mutex<Door>>)>,
    /// The next request that must wait is the one that was chosen.
    is_admitted: bool,
    visit: Visit,
}

#[derive(Debug)]
struct State {
    now: Timestamp,
    /// The names of each table's keys.
    keys: BTreeMap<String, Vec<String>>,
    tasks: Vec<Task>,
    /// Whose poll this is; no operation's while the scene is set or looked at.
    polled: Option<usize>,
    /// Everything that each task has ever touched, in any schedule.
    footprints: Vec<BTreeSet<Access>>,
    has_grown: bool,
    /// Every write waits, not only requests that meet another task's: a crash may come between any two.
    stops_writes: bool,
    is_planted: bool,
    /// What was written since the scene was set, by the keys of the records.
    written: BTreeMap<Place, Value>,
    /// The same, since it was last asked for.
    fresh: BTreeMap<Place, Value>,
}

/// See the module.
#[derive(Clone)]
pub(super) struct Gate(Arc<Mutex<State>>);

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gate")
    }
}

impl Gate {
    /// A gate that lets everything pass, and a clock that stands at `now`.
    pub(super) fn at(now: Timestamp, stops_writes: bool, is_planted: bool) -> Self {
        Self(Arc::new(Mutex::new(State {
            now,
            keys: BTreeMap::new(),
            tasks: Vec::new(),
            polled: None,
            footprints: Vec::new(),
            has_grown: false,
            stops_writes,
            is_planted,
            written: BTreeMap::new(),
            fresh: BTreeMap::new(),
        })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Learns the keys of tables, from what they are created by.
    pub(super) fn learn_keys(&self, tables: &[Value]) {
        let keys = tables.iter().filter_map(|table| {
            let names = table["KeySchema"].as_array()?.iter();
            let names = names.filter_map(|key| key["AttributeName"].as_str()).map(str::to_owned);
            Some((table["TableName"].as_str()?.to_owned(), names.collect()))
        });
        self.lock().keys = keys.collect();
    }

    /// The names of the tables.
    pub(super) fn tables(&self) -> Vec<String> {
        self.lock().keys.keys().cloned().collect()
    }

    /// Where a record of a table lies.
    pub(super) fn place_of(&self, table: &str, item: &Value) -> Option<Place> {
        let key = self.lock().key_in(table, item)?;
        Some(Place::of(table, &key))
    }

    /// Begins a schedule of so many tasks at `now`.
    pub(super) fn begin(&self, now: Timestamp, tasks: usize) {
        let mut state = self.lock();
        state.now = now;
        state.polled = None;
        state.tasks.clear();
        state.tasks.resize_with(tasks, Task::default);
        state.footprints.resize_with(tasks, BTreeSet::new);
        state.written.clear();
        state.fresh.clear();
    }

    /// Turns the clock.
    pub(super) fn turn_to(&self, at: Timestamp) {
        self.lock().now = at;
    }

    /// Says whose poll it is from now on.
    pub(super) fn set_polled(&self, task: Option<usize>) {
        self.lock().polled = task;
    }

    /// The requests that a task stands at.
    pub(super) fn parked(&self, task: usize) -> Vec<Knock> {
        let state = self.lock();
        let parked = state.tasks.get(task).into_iter().flat_map(|task| &task.parked);
        parked.map(|(knock, _)| knock.clone()).collect()
    }

    /// Whether a request meets anything that one of `others` has ever touched.
    pub(super) fn meets(&self, knock: &Knock, others: &[usize]) -> bool {
        let state = self.lock();
        others
            .iter()
            .filter_map(|other| state.footprints.get(*other))
            .any(|footprint| knock.conflicts_with_any(footprint))
    }

    /// Lets one request of a task through, with the task's next poll.
    pub(super) fn open(&self, task: usize, knock: &Knock) {
        let door = {
            let mut state = self.lock();
            let Some(task) = state.tasks.get_mut(task) else { return };
            let Some(at) = task.parked.iter().position(|(parked, _)| parked == knock) else { return };
            task.is_admitted = true;
            task.parked.remove(at).1
        };
        let waker = {
            let mut door = door.lock().unwrap_or_else(PoisonError::into_inner);
            door.is_open = true;
            door.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// What a task's polls did since this was last asked.
    pub(super) fn take_visit(&self, task: usize) -> Visit {
        self.lock().tasks.get_mut(task).map(|task| std::mem::take(&mut task.visit)).unwrap_or_default()
    }

    /// What was written since this was last asked, by the keys of the records.
    pub(super) fn take_fresh(&self) -> BTreeMap<Place, Value> {
        std::mem::take(&mut self.lock().fresh)
    }

    /// What was written since the scene was set, by the keys of the records.
    pub(super) fn take_written(&self) -> BTreeMap<Place, Value> {
        std::mem::take(&mut self.lock().written)
    }

    /// Whether a task has touched something that it never had since this was last asked.
    pub(super) fn take_grown(&self) -> bool {
        std::mem::take(&mut self.lock().has_grown)
    }

    /// Decides what becomes of a request.
    pub(super) fn decide(&self, sent: &mut Sent) -> Outcome {
        self.lock().decide(sent)
    }
}

impl State {
    fn decide(&mut self, sent: &mut Sent) -> Outcome {
        if !sent.service.starts_with("DynamoDB") {
            let task = self.polled.and_then(|polled| self.tasks.get_mut(polled));
            if let (Some(task), "AmazonSQS") = (task, sent.service.as_str()) {
                task.visit.has_sent = true;
            }
            return Outcome::Pass;
        }
        if self.is_planted {
            forget_the_read(&mut sent.body);
        }
        let touched = self.touched(sent);
        let are_slots = touched.iter().any(|(access, _)| access.place.is_of_slots());
        let Some(polled) = self.polled.filter(|_| !are_slots) else {
            self.note(touched);
            return Outcome::Pass;
        };
        let accesses = touched.iter().map(|(access, _)| access.clone()).collect();
        let knock = Knock { operation: sent.operation.clone(), accesses, digest: digest_of(&sent.body) };
        let mut others = self.footprints.iter().enumerate().filter(|(other, _)| *other != polled);
        let is_shared = others.any(|(_, footprint)| knock.conflicts_with_any(footprint));
        let must_wait = is_shared || self.stops_writes && knock.writes();
        if let Some(footprint) = self.footprints.get_mut(polled) {
            for access in &knock.accesses {
                self.has_grown |= footprint.insert(access.clone());
            }
        }
        let Some(task) = self.tasks.get_mut(polled) else { return Outcome::Pass };
        if must_wait && !std::mem::take(&mut task.is_admitted) {
            task.refused.push_back(knock);
            return Outcome::Fail("ThrottlingException");
        }
        task.visit.has_written |= knock.writes();
        self.note(touched);
        Outcome::Pass
    }

    /// Remembers what is written.
    fn note(&mut self, touched: Vec<(Access, Value)>) {
        for (access, key) in touched.into_iter().filter(|(access, _)| access.writes) {
            self.fresh.insert(access.place.clone(), key.clone());
            self.written.insert(access.place, key);
        }
    }

    /// What a request touches, with the keys of the records.
    fn touched(&self, sent: &Sent) -> Vec<(Access, Value)> {
        let parts: Vec<(&Value, bool)> = match sent.operation.as_str() {
            "PutItem" | "UpdateItem" | "DeleteItem" => vec![(&sent.body, true)],
            "TransactWriteItems" => {
                let items = sent.body["TransactItems"].as_array().into_iter().flatten();
                let parts = items.filter_map(Value::as_object).flatten();
                parts.map(|(kind, part)| (part, kind != "ConditionCheck")).collect()
            }
            // One record, or as many as there are in the table.
            _ => vec![(&sent.body, false)],
        };
        let touched = parts.into_iter().map(|(part, writes)| {
            let table = part["TableName"].as_str().unwrap_or_default();
            match self.key_of(table, part) {
                Some(key) => (Access { place: Place::of(table, &key), writes }, key),
                None => (Access { place: Place::whole(table), writes }, Value::Null),
            }
        });
        touched.collect()
    }

    fn key_of(&self, table: &str, part: &Value) -> Option<Value> {
        match part.get("Key").filter(|key| key.is_object()) {
            Some(key) => Some(key.clone()),
            None => self.key_in(table, part.get("Item")?),
        }
    }

    fn key_in(&self, table: &str, item: &Value) -> Option<Value> {
        let names = self.keys.get(table)?;
        let key = names.iter().map(|name| (name.clone(), item[name.as_str()].clone()));
        Some(Value::Object(key.collect::<Map<_, _>>()))
    }
}

/// The planted bug: an operation that books a movement no longer cares what it was decided on.
fn forget_the_read(body: &mut Value) {
    // A day that others' busy times are written into: by itself, and not with a booking.
    let is_of_a_day = body["TableName"].as_str().is_some_and(|name| name.ends_with("-resource_days"));
    if is_of_a_day && body["ConditionExpression"] == THE_READ_DAY {
        body["ConditionExpression"] = ANY_READ_DAY.into();
    }
    let items = body.get_mut("TransactItems").and_then(Value::as_array_mut);
    for item in items.into_iter().flatten() {
        let condition =
            item["Update"]["ConditionExpression"].as_str().map(|text| text.replace(THE_READ, ANY_READ));
        if let Some(condition) = condition {
            item["Update"]["ConditionExpression"] = Value::String(condition);
        }
    }
}

/// The time stands still while tasks are polled: what a schedule comes to rests on its order alone. A pause after a refusal
/// lasts until the request is let through, and any other is over at once. While no operation is polled, one that pauses turns the clock.
impl Clock for Gate {
    fn now(&self) -> Timestamp {
        self.lock().now
    }

    fn sleep(&self, duration: SignedDuration) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        let mut state = self.lock();
        let Some(polled) = state.polled else {
            state.now = state.now.saturating_add(duration).unwrap_or(state.now);
            return Box::pin(tokio::task::yield_now());
        };
        if let Some(task) = state.tasks.get_mut(polled)
            && let Some(knock) = task.refused.pop_front()
        {
            let door = Arc::new(Mutex::new(Door::default()));
            task.parked.push((knock, Arc::clone(&door)));
            return Box::pin(Waiting(door));
        }
        Box::pin(tokio::task::yield_now())
    }
}
