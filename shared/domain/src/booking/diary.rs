//! Whose time is taken. An interval that is taken stands in every UTC day that it touches, so that two that overlap share a day,
//! hence a version: whoever writes the second must have read the first.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use serde::{Deserialize, Serialize};

use crate::ids::{AppointmentId, CalendarId, CallId, ExternalId, OrgId, ResourceId};

/// A half-open interval of time, `[from, to)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Interval {
    /// The first instant of it.
    #[serde(with = "crate::time::millis")]
    pub from: Timestamp,
    /// The first instant after it.
    #[serde(with = "crate::time::millis")]
    pub to: Timestamp,
}

impl Interval {
    /// Returns whether the two have an instant in common.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.from < other.to && other.from < self.to
    }

    /// Returns whether `other` lies in it from its first instant to its last.
    pub fn contains(&self, other: &Self) -> bool {
        self.from <= other.from && other.to <= self.to
    }

    /// Returns the UTC days that it touches, in order; an interval that ends at midnight does not touch the day after.
    pub fn days(&self) -> Vec<Date> {
        let day = |at: Timestamp| at.to_zoned_datetime(TimeZone::UTC).date();
        let last = Timestamp::from_millisecond(self.to.as_millisecond().saturating_sub(1)).unwrap_or(self.to);
        let mut days = vec![day(self.from)];
        while let Some(next) =
            days.last().filter(|date| **date < day(last)).and_then(|date| date.tomorrow().ok())
        {
            days.push(next);
        }
        days
    }
}

/// Why a time is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Taken {
    /// By an appointment.
    Appointment {
        /// Which.
        appointment_id: AppointmentId,
        /// Whether staff laid it over another on purpose.
        overbooked: bool,
    },
    /// By a call that is being asked for a name, for a short while.
    Hold {
        /// Which call.
        call_id: CallId,
        /// When the time is free again.
        #[serde(with = "crate::time::millis")]
        expires_at: Timestamp,
    },
    /// By an event of others in a calendar of the clinic's. Such may lie over anything: calendars let them.
    External {
        /// Which calendar.
        calendar_id: CalendarId,
        /// Which event.
        external_id: ExternalId,
    },
}

/// A time that is taken, with the buffers that belong to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Why.
    #[serde(flatten)]
    pub taken: Taken,
    /// When.
    #[serde(flatten)]
    pub interval: Interval,
}

impl Entry {
    /// Returns whether the entry still counts: a hold ends by the clock of whoever reads it.
    pub fn counts_at(&self, now: Timestamp) -> bool {
        match &self.taken {
            Taken::Appointment { .. } | Taken::External { .. } => true,
            Taken::Hold { expires_at, .. } => now < *expires_at,
        }
    }
}

/// Which entry is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner<'a> {
    /// The appointment's.
    Appointment(&'a AppointmentId),
    /// The hold of the call.
    Hold(&'a CallId),
    /// The event of others in this calendar.
    External(&'a CalendarId, &'a ExternalId),
}

impl Owner<'_> {
    /// Returns whether an entry is this one's.
    pub fn owns(&self, entry: &Entry) -> bool {
        match (self, &entry.taken) {
            (Self::Appointment(id), Taken::Appointment { appointment_id, .. }) => *id == appointment_id,
            (Self::Hold(id), Taken::Hold { call_id, .. }) => *id == call_id,
            (Self::External(calendar, id), Taken::External { calendar_id, external_id }) => {
                *calendar == calendar_id && *id == external_id
            }
            (Self::Appointment(_), Taken::Hold { .. } | Taken::External { .. })
            | (Self::Hold(_), Taken::Appointment { .. } | Taken::External { .. })
            | (Self::External(..), Taken::Appointment { .. } | Taken::Hold { .. }) => false,
        }
    }
}

/// What is taken of one resource on one UTC day, as the store holds it. Its version only grows: a day that was emptied is not one
/// that never was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceDay {
    /// The org.
    pub org_id: OrgId,
    /// The resource.
    pub resource_id: ResourceId,
    /// The day, in UTC.
    pub day: Date,
    /// Raised by every write; 0 for a day that nobody has written. A write names the one that it read.
    pub version: u64,
    /// What is taken.
    pub entries: Vec<Entry>,
}

impl ResourceDay {
    /// Returns the day on which nothing was ever taken.
    pub const fn untouched(org_id: OrgId, resource_id: ResourceId, day: Date) -> Self {
        Self { org_id, resource_id, day, version: 0, entries: Vec::new() }
    }

    /// Returns the day without what has lapsed by `now` and without the entries of these owners.
    fn kept(&self, without: &[Owner<'_>], now: Timestamp) -> Self {
        let entries = self
            .entries
            .iter()
            .filter(|entry| entry.counts_at(now) && !without.iter().any(|owner| owner.owns(entry)));
        Self { entries: entries.cloned().collect(), ..self.clone() }
    }

    /// Returns the day with these times of an event of others, in the place of those that it had, as far as they touch the day; none
    /// where it has them already.
    pub fn with_external(
        &self,
        (calendar, external): (&CalendarId, &ExternalId),
        intervals: &[Interval],
        now: Timestamp,
    ) -> Option<Self> {
        let owner = Owner::External(calendar, external);
        let taken = || Taken::External { calendar_id: calendar.clone(), external_id: external.clone() };
        let touching = intervals.iter().filter(|interval| interval.days().contains(&self.day));
        let wanted: Vec<Entry> =
            touching.map(|interval| Entry { taken: taken(), interval: *interval }).collect();
        let there: Vec<&Entry> = self.entries.iter().filter(|entry| owner.owns(entry)).collect();
        if there.iter().copied().eq(wanted.iter()) {
            return None;
        }
        let kept = self.kept(&[owner], now);
        Some(wanted.into_iter().fold(kept, |day, entry| day.with(entry)))
    }

    /// Returns the day with one more entry.
    #[must_use]
    pub fn with(&self, entry: Entry) -> Self {
        let mut entries = self.entries.clone();
        entries.push(entry);
        Self { entries, ..self.clone() }
    }
}

/// What is taken of several resources over several days, as it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diary {
    /// The days, of any resource.
    pub days: Vec<ResourceDay>,
}

impl Diary {
    /// Returns who has taken any of `interval` of a resource at `now`, besides the `ignored`.
    pub fn taken_by(
        &self,
        resource: &ResourceId,
        interval: &Interval,
        ignored: &[Owner<'_>],
        now: Timestamp,
    ) -> Option<&Entry> {
        let days = self.days.iter().filter(|day| day.resource_id == *resource);
        days.flat_map(|day| &day.entries).find(|entry| {
            entry.counts_at(now)
                && entry.interval.overlaps(interval)
                && !ignored.iter().any(|owner| owner.owns(entry))
        })
    }
}

impl Diary {
    /// Returns the days to write so that the entries of `owner` are gone, and what has lapsed by `now`.
    pub fn giving_back(&self, owner: Owner<'_>, now: Timestamp) -> Vec<ResourceDay> {
        let has = |day: &&ResourceDay| day.entries.iter().any(|entry| owner.owns(entry));
        self.days.iter().filter(has).map(|day| day.kept(&[owner], now)).collect()
    }

    /// Returns the days to write so that `entry` is taken of these resources, in the place of the entries of `replaced`, and what
    /// has lapsed by `now` is gone: each of them as it was read, so that its version is the one to be demanded. None when a day that
    /// the entry touches was not read.
    pub fn taking(
        &self,
        entry: &Entry,
        resources: &[ResourceId],
        replaced: &[Owner<'_>],
        now: Timestamp,
    ) -> Option<Vec<ResourceDay>> {
        let touched = entry.interval.days();
        let is_read = |resource: &ResourceId, day: &Date| {
            self.days.iter().any(|read| read.resource_id == *resource && read.day == *day)
        };
        if !resources.iter().all(|resource| touched.iter().all(|day| is_read(resource, day))) {
            return None;
        }
        let written = self.days.iter().filter_map(|day| {
            let takes = resources.contains(&day.resource_id) && touched.contains(&day.day);
            let gives_back = day.entries.iter().any(|entry| replaced.iter().any(|owner| owner.owns(entry)));
            let kept = || day.kept(replaced, now);
            match (takes, gives_back) {
                (true, _) => Some(kept().with(entry.clone())),
                (false, true) => Some(kept()),
                (false, false) => None,
            }
        });
        Some(written.collect())
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_interval_touches_the_days_it_has_an_instant_in() {
        let days = |from: &str, to: &str| {
            let days = Interval { from: at(from), to: at(to) }.days();
            days.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(days("2026-12-07T10:00:00Z", "2026-12-07T10:30:00Z"), ["2026-12-07"]);
        assert_eq!(days("2026-12-07T23:50:00Z", "2026-12-08T00:20:00Z"), ["2026-12-07", "2026-12-08"]);
        assert_eq!(
            days("2026-12-07T23:30:00Z", "2026-12-08T00:00:00Z"),
            ["2026-12-07"],
            "it ends at midnight"
        );
        assert_eq!(
            days("2028-02-28T12:00:00Z", "2028-03-01T12:00:00Z"),
            ["2028-02-28", "2028-02-29", "2028-03-01"]
        );
    }

    #[test]
    fn what_is_taken_stands_on_each_day_and_takes_the_place_of_the_hold() {
        let (org, id) = (OrgId::new(uuid::Uuid::nil()), ResourceId::parse("r1").unwrap());
        let call = CallId::parse("call-1").unwrap();
        let now = at("2026-12-07T10:00:00Z");
        let hold = |call: &str, expires_at: &str| Entry {
            taken: Taken::Hold { call_id: CallId::parse(call).unwrap(), expires_at: at(expires_at) },
            interval: Interval { from: at("2026-12-09T10:00:00Z"), to: at("2026-12-09T10:30:00Z") },
        };
        let day = |day: &str| ResourceDay::untouched(org, id.clone(), day.parse().unwrap());
        let busy = day("2026-12-09")
            .with(hold("call-1", "2026-12-07T10:02:00Z"))
            .with(hold("call-2", "2026-12-07T10:02:00Z"))
            .with(hold("call-3", "2026-12-07T10:00:00Z"));
        let diary = Diary { days: vec![day("2026-12-07"), day("2026-12-08"), busy] };
        let entry = Entry {
            taken: Taken::Appointment {
                appointment_id: AppointmentId::parse("a1").unwrap(),
                overbooked: false,
            },
            interval: Interval { from: at("2026-12-07T23:50:00Z"), to: at("2026-12-08T00:20:00Z") },
        };
        let written = diary.taking(&entry, std::slice::from_ref(&id), &[Owner::Hold(&call)], now).unwrap();
        let counts: Vec<_> = written.iter().map(|day| (day.day.day(), day.entries.len())).collect();
        assert_eq!(counts, [(7, 1), (8, 1), (9, 1)], "its own hold is gone, and the one that has lapsed");
        assert_eq!(
            diary.taking(&entry, &[id, ResourceId::parse("r2").unwrap()], &[], now),
            None,
            "r2 was not read"
        );
        let both = Owner::Appointment(&AppointmentId::parse("a1").unwrap()).owns(&entry);
        assert!(both && !Owner::Hold(&call).owns(&entry));
    }

    #[test]
    fn what_stands_across_midnight_is_given_back_on_both_days() {
        let (org, id) = (OrgId::new(uuid::Uuid::nil()), ResourceId::parse("r1").unwrap());
        let entry = |appointment: &str| Entry {
            taken: Taken::Appointment {
                appointment_id: AppointmentId::parse(appointment).unwrap(),
                overbooked: false,
            },
            interval: Interval { from: at("2026-12-07T23:50:00Z"), to: at("2026-12-08T00:20:00Z") },
        };
        let day = |day: &str| ResourceDay::untouched(org, id.clone(), day.parse().unwrap());
        let days = vec![
            day("2026-12-07").with(entry("a1")).with(entry("a2")),
            day("2026-12-08").with(entry("a1")).with(entry("a2")),
            day("2026-12-09"),
        ];
        let one = AppointmentId::parse("a1").unwrap();
        let written = Diary { days }.giving_back(Owner::Appointment(&one), at("2026-12-01T00:00:00Z"));
        let left: Vec<_> = written.iter().map(|day| (day.day.day(), day.entries.clone())).collect();
        assert_eq!(
            left,
            [(7, vec![entry("a2")]), (8, vec![entry("a2")])],
            "and the day without it is not written"
        );
    }

    #[test]
    fn an_event_of_others_takes_the_place_of_what_it_was_and_is_written_once() {
        let (org, id) = (OrgId::new(uuid::Uuid::nil()), ResourceId::parse("r1").unwrap());
        let (calendar, event) = (CalendarId::parse("c1").unwrap(), ExternalId::parse("e1").unwrap());
        let interval = |from: &str, to: &str| Interval { from: at(from), to: at(to) };
        let day = ResourceDay::untouched(org, id, "2026-12-07".parse().unwrap());
        let now = at("2026-12-01T00:00:00Z");
        let night = interval("2026-12-06T22:00:00Z", "2026-12-07T06:00:00Z");
        let noon = interval("2026-12-07T12:00:00Z", "2026-12-07T13:00:00Z");
        let tomorrow = interval("2026-12-08T12:00:00Z", "2026-12-08T13:00:00Z");
        let busy = day.with_external((&calendar, &event), &[night, noon, tomorrow], now).unwrap();
        let times: Vec<Interval> = busy.entries.iter().map(|entry| entry.interval).collect();
        assert_eq!(times, [night, noon]);
        assert_eq!(busy.with_external((&calendar, &event), &[night, noon, tomorrow], now), None, "again");
        let other = ExternalId::parse("e2").unwrap();
        let both = busy.with_external((&calendar, &other), &[noon], now).unwrap();
        assert_eq!(both.entries.len(), 3, "they may lie over each other");
        let moved = both.with_external((&calendar, &event), &[tomorrow], now).unwrap();
        assert_eq!(moved.entries.len(), 1, "the other's stays: {moved:?}");
        assert_eq!(day.with_external((&calendar, &event), &[], now), None);
    }

    proptest! {
        /// The reason for the days: whoever takes what another has taken must have read that other's day.
        #[test]
        fn two_that_overlap_share_a_day(
            one in 0i64..5_000, length in 1i64..3_000, other in 0i64..5_000, other_length in 1i64..3_000,
        ) {
            let interval = |start: i64, mins: i64| {
                let from = Timestamp::from_second(start * 60).unwrap();
                Interval { from, to: Timestamp::from_second((start + mins) * 60).unwrap() }
            };
            let (one, other) = (interval(one, length), interval(other, other_length));
            let shares = one.days().iter().any(|day| other.days().contains(day));
            prop_assert!(!one.overlaps(&other) || shares);
            prop_assert_eq!(one.overlaps(&other), other.overlaps(&one));
        }
    }
}
