//! The alarms that the code raises, kept to be shown: what CloudWatch counts by a metric filter when deployed.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use serde::Serialize;
use tracing::{Event, Subscriber, field::Visit};
use tracing_subscriber::{Layer, layer::Context};

/// How many are kept.
const KEPT: usize = 200;

/// The alarms raised since the start, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Alarms(Arc<Mutex<VecDeque<Alarm>>>);

/// One alarm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Alarm {
    /// Its stable name.
    pub name: String,
    /// Its fields, as `name=value`.
    pub fields: Vec<String>,
}

impl Alarms {
    /// Those raised so far.
    pub fn raised(&self) -> Vec<Alarm> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// The names of those raised so far.
    pub fn names(&self) -> Vec<String> {
        self.raised().into_iter().map(|alarm| alarm.name).collect()
    }
}

impl Visit for Alarm {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        match field.name() {
            "alarm" => self.name = format!("{value:?}").replace('"', ""),
            name => self.fields.push(format!("{name}={value:?}")),
        }
    }
}

impl<S: Subscriber> Layer<S> for Alarms {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != base::alarm::TARGET {
            return;
        }
        let mut alarm = Alarm::default();
        event.record(&mut alarm);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(alarm);
    }
}
