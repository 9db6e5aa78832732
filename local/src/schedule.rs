//! The schedules of the template, as EventBridge Scheduler runs them: by rate, the first time one period after the start.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

/// One schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The function's binary: `reconcile`.
    pub function: String,
    /// How many seconds lie between two runs.
    pub every_secs: i64,
    /// The event that the function is given.
    pub input: Value,
}

/// All schedules of the template, and when each is next due.
#[derive(Debug)]
pub struct Schedules {
    declared: Vec<Schedule>,
    next: Mutex<BTreeMap<usize, Timestamp>>,
}

impl Schedules {
    /// The declared schedules, each first due one period after `start`.
    pub fn starting_at(declared: Vec<Schedule>, start: Timestamp) -> Self {
        let next = declared.iter().enumerate().map(|(place, schedule)| (place, after(start, schedule)));
        let next = Mutex::new(next.collect());
        Self { declared, next }
    }

    /// When any is next due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.lock().values().min().copied()
    }

    /// Takes the one that has been due the longest, if any is. It is next due one period later. Periods that were
    /// missed are not made up for: then it is one period from now.
    pub fn take_due(&self, now: Timestamp) -> Option<Schedule> {
        let mut next = self.lock();
        let (place, due) = next.iter().map(|(place, due)| (*place, *due)).min_by_key(|(_, due)| *due)?;
        if due > now {
            return None;
        }
        let schedule = self.declared.get(place)?.clone();
        let following = after(due, &schedule);
        next.insert(place, if following > now { following } else { after(now, &schedule) });
        Some(schedule)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Timestamp>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One period of `schedule` after `at`.
fn after(at: Timestamp, schedule: &Schedule) -> Timestamp {
    at.saturating_add(SignedDuration::from_secs(schedule.every_secs)).unwrap_or(Timestamp::MAX)
}

/// How many seconds a `rate(…)` names, if it is one: `rate(1 minute)`, `rate(15 minutes)`.
pub fn rate_secs(expression: &str) -> Option<i64> {
    let (number, unit) = expression.strip_prefix("rate(")?.strip_suffix(')')?.split_once(' ')?;
    let number: i64 = number.parse().ok().filter(|number| *number > 0)?;
    let unit_secs = match (number, unit) {
        (1, "minute") | (2.., "minutes") => 60,
        (1, "hour") | (2.., "hours") => 3_600,
        (1, "day") | (2.., "days") => 86_400,
        _ => return None,
    };
    number.checked_mul(unit_secs)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(secs)
    }

    fn schedules() -> Schedules {
        let every = |every_secs: i64, task: &str| Schedule {
            function: "reconcile".into(),
            every_secs,
            input: json!({"task": task}),
        };
        Schedules::starting_at(vec![every(900, "listing"), every(60, "calls")], at(0))
    }

    fn taken(schedules: &Schedules, secs: i64) -> Vec<String> {
        let taken = std::iter::from_fn(|| schedules.take_due(at(secs)));
        taken.map(|schedule| schedule.input["task"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn each_is_first_due_one_period_after_the_start_and_then_every_period() {
        let schedules = schedules();
        assert_eq!(schedules.next_due(), Some(at(60)));
        assert!(taken(&schedules, 59).is_empty());
        for secs in (60..900).step_by(60) {
            assert_eq!(taken(&schedules, secs), ["calls"], "after {secs} s");
        }
        assert_eq!(taken(&schedules, 900), ["listing", "calls"]);
        assert_eq!(schedules.next_due(), Some(at(960)));
    }

    #[test]
    fn one_that_is_taken_late_keeps_its_rhythm_and_makes_up_for_nothing() {
        let schedules = schedules();
        assert_eq!(taken(&schedules, 65), ["calls"]);
        assert_eq!(schedules.next_due(), Some(at(120)), "not 125");
        assert_eq!(taken(&schedules, 605), ["calls"], "once, not nine times");
        assert_eq!(schedules.next_due(), Some(at(665)));
    }

    #[test]
    fn nothing_is_due_where_nothing_is_declared() {
        let none = Schedules::starting_at(vec![], at(0));
        assert_eq!((none.next_due(), none.take_due(at(1_000_000))), (None, None));
    }

    #[test]
    fn a_rate_is_a_number_and_its_unit() {
        for (rate, secs) in [
            ("rate(1 minute)", 60),
            ("rate(15 minutes)", 900),
            ("rate(1 hour)", 3_600),
            ("rate(12 hours)", 43_200),
            ("rate(1 day)", 86_400),
            ("rate(7 days)", 604_800),
        ] {
            assert_eq!(rate_secs(rate), Some(secs), "{rate}");
        }
        for wrong in [
            "cron(0 3 * * ? *)",
            "rate(1 minutes)",
            "rate(2 hour)",
            "rate(0 minutes)",
            "rate(-5 minutes)",
            "rate(5 seconds)",
            "rate(5)",
            "rate(9223372036854775807 days)",
            "",
        ] {
            assert_eq!(rate_secs(wrong), None, "{wrong}");
        }
    }
}
