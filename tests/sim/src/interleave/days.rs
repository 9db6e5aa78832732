//! What must be true of a practitioner's time after every step: no appointment lies on another or on a time that is kept for somebody, and
//! none is made onto what others keep busy, or onto a closure, that was there before.

use std::collections::BTreeSet;

use domain::booking::{
    catalog::Resource,
    diary::{Interval, ResourceDay, Taken},
};
use jiff::Timestamp;

use super::records::Records;

/// The practitioner's time, as it is at one point of a schedule.
#[derive(Clone, Debug, Default)]
pub(super) struct Days {
    /// What appointments take, each by its id and its first and last instant.
    taken: BTreeSet<(String, Timestamp, Timestamp)>,
    /// What others keep busy, and when the clinic is closed.
    shut: Vec<Interval>,
}

impl Days {
    /// Reads them from the records.
    ///
    /// # Errors
    /// When two that may not overlap do, or a record cannot be read.
    pub(super) fn of(records: &Records, now: Timestamp) -> Result<Self, String> {
        let mut days = Self::default();
        for day in records.typed::<ResourceDay>("resource_days", "")? {
            let mut counted: Vec<Interval> = Vec::new();
            for entry in day.entries.iter().filter(|entry| entry.counts_at(now)) {
                match &entry.taken {
                    Taken::External { .. } => {
                        days.shut.push(entry.interval);
                        continue;
                    }
                    Taken::Hold { .. } => {}
                    Taken::Appointment { appointment_id, .. } => {
                        let Interval { from, to } = entry.interval;
                        days.taken.insert((appointment_id.to_string(), from, to));
                    }
                }
                if counted.iter().any(|other| other.overlaps(&entry.interval)) {
                    return Err(format!("two take one time: {day:?}"));
                }
                counted.push(entry.interval);
            }
        }
        for resource in records.typed::<Resource>("booking_catalog", "resource#")? {
            let closures = resource.hours.closures.iter();
            days.shut.extend(closures.map(|closure| Interval { from: closure.from, to: closure.to }));
        }
        Ok(days)
    }

    /// Returns what they come to after one more step.
    ///
    /// # Errors
    /// When an appointment was made onto what was shut before that step.
    pub(super) fn follow(&mut self, after: Self) -> Result<(), String> {
        for (id, from, to) in after.taken.difference(&self.taken) {
            let interval = Interval { from: *from, to: *to };
            if let Some(shut) = self.shut.iter().find(|shut| shut.overlaps(&interval)) {
                return Err(format!("appointment {id} is made at {interval:?} onto {shut:?}"));
            }
        }
        *self = after;
        Ok(())
    }
}
