//! Which events of others take time.

use jiff::civil::Date;

use super::event::Mark;
use crate::{booking::diary::Interval, clinic::ClinicZone};

/// When an event is, as its calendar tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// From one instant to another.
    Timed(Interval),
    /// From the first day, and not on the last: whole days of the calendar's zone.
    Days {
        /// The first day of it.
        first: Date,
        /// The first day after it.
        after: Date,
    },
    /// It is not told in a form that we read.
    Unknown,
}

/// An event as a calendar tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word of the vendor's about the event")]
pub struct Told {
    /// Its id there.
    pub id: String,
    /// The version that the vendor has of it.
    pub etag: String,
    /// Whether it was cancelled or deleted.
    pub is_cancelled: bool,
    /// When it is; [`When::Unknown`] for most that are cancelled.
    pub when: When,
    /// Whether its owner says that it takes no time.
    pub is_transparent: bool,
    /// Whether the calendar's owner was invited to it and has declined.
    pub is_declined: bool,
    /// Whether it only says where somebody works.
    pub is_working_location: bool,
    /// Whether it is a series, whose instances are asked for apart.
    pub is_series: bool,
    /// The series of which it is one instance.
    pub series: Option<String>,
    /// What it bears of ours.
    pub mark: Option<Mark>,
}

/// Whether an event takes time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Busy {
    /// It takes this.
    Taken(Interval),
    /// It takes none.
    Free,
    /// It cannot be told: what was known of it stands.
    Unknown,
}

impl Told {
    /// Returns the time that the event takes in a calendar of this zone. What is transparent, declined, cancelled, or only says where
    /// somebody works takes none. What cannot be read is never free.
    pub fn busy(&self, zone: &ClinicZone) -> Busy {
        if self.is_cancelled || self.is_transparent || self.is_declined || self.is_working_location {
            return Busy::Free;
        }
        let interval = match self.when {
            When::Timed(interval) => Some(interval),
            When::Days { first, after } => {
                zone.start_of(first).zip(zone.start_of(after)).map(|(from, to)| Interval { from, to })
            }
            When::Unknown => None,
        };
        match interval {
            Some(interval) if interval.from < interval.to => Busy::Taken(interval),
            // Google takes events without a length: nobody is kept by them.
            Some(interval) if interval.from == interval.to => Busy::Free,
            // One that ends before it begins cannot be.
            Some(_) | None => Busy::Unknown,
        }
    }
}

/// Returns the part of an interval that lies in a window, if there is one.
pub fn clipped(interval: Interval, window: Interval) -> Option<Interval> {
    let part = Interval { from: interval.from.max(window.from), to: interval.to.min(window.to) };
    (part.from < part.to).then_some(part)
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow")]
mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn timed(from: &str, to: &str) -> When {
        When::Timed(Interval { from: at(from), to: at(to) })
    }

    fn told(when: When) -> Told {
        Told {
            id: "e1".into(),
            etag: "\"1\"".into(),
            is_cancelled: false,
            when,
            is_transparent: false,
            is_declined: false,
            is_working_location: false,
            is_series: false,
            series: None,
            mark: None,
        }
    }

    #[test]
    fn what_takes_time_and_what_does_not() {
        let zone = ClinicZone::parse("Australia/Lord_Howe").unwrap();
        let hour = timed("2026-01-05T10:00:00Z", "2026-01-05T11:00:00Z");
        let taken = |from: &str, to: &str| Busy::Taken(Interval { from: at(from), to: at(to) });
        let day = When::Days { first: "2026-01-05".parse().unwrap(), after: "2026-01-06".parse().unwrap() };
        let backwards = timed("2026-01-05T11:00:00Z", "2026-01-05T10:00:00Z");
        let nothing = timed("2026-01-05T11:00:00Z", "2026-01-05T11:00:00Z");
        let table = [
            (told(hour), taken("2026-01-05T10:00:00Z", "2026-01-05T11:00:00Z")),
            (told(day), taken("2026-01-04T13:00:00Z", "2026-01-05T13:00:00Z")),
            (Told { is_transparent: true, ..told(day) }, Busy::Free),
            (Told { is_declined: true, ..told(hour) }, Busy::Free),
            (Told { is_working_location: true, ..told(day) }, Busy::Free),
            (Told { is_cancelled: true, ..told(When::Unknown) }, Busy::Free),
            (told(When::Unknown), Busy::Unknown),
            (told(backwards), Busy::Unknown),
            (told(nothing), Busy::Free),
        ];
        for (event, busy) in table {
            assert_eq!(event.busy(&zone), busy, "{event:?}");
        }
    }

    proptest! {
        /// An event is free only for a reason that its calendar states.
        #[test]
        fn nothing_is_free_without_a_reason(
            from in 0_i64..4_000_000_000, length in 1_i64..10_000_000, words in prop::array::uniform4(any::<bool>()),
        ) {
            let second = |second: i64| Timestamp::from_second(second).unwrap();
            let interval = Interval { from: second(from), to: second(from + length) };
            let [is_cancelled, is_transparent, is_declined, is_working_location] = words;
            let event = Told { is_cancelled, is_transparent, is_declined, is_working_location, ..told(When::Timed(interval)) };
            let busy = event.busy(&ClinicZone::default());
            prop_assert_eq!(busy == Busy::Free, words.contains(&true));
            prop_assert!(busy != Busy::Unknown);
        }

        /// What is clipped lies in both, and nothing that lies in both is lost.
        #[test]
        fn what_is_clipped_is_what_both_have(a in 0_i64..1_000, b in 1_i64..1_000, c in 0_i64..1_000, d in 1_i64..1_000) {
            let interval = |from: i64, length: i64| Interval {
                from: Timestamp::from_second(from).unwrap(),
                to: Timestamp::from_second(from + length).unwrap(),
            };
            let (one, other) = (interval(a, b), interval(c, d));
            let part = clipped(one, other);
            prop_assert_eq!(part.is_some(), one.overlaps(&other));
            prop_assert!(part.is_none_or(|part| one.contains(&part) && other.contains(&part)));
        }
    }
}
