//! The guard against a calendar that is emptied: nobody's appointments are cancelled because somebody cleared a calendar.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::ids::AppointmentId;

/// Within what time cancellations are counted together.
const TOGETHER: SignedDuration = SignedDuration::from_mins(10);
/// How many at once are a hand's work, however many there are.
const MOST: usize = 5;
/// From which part of all on they are too many: one of so many.
const PART: usize = 5;

/// A cancellation that was seen in a calendar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancelled {
    /// Whose event it was.
    pub appointment_id: AppointmentId,
    /// When it was seen.
    #[serde(with = "crate::time::millis")]
    pub at: Timestamp,
}

/// Returns whether the events of ours that were cancelled in the ten minutes before `now` are more than a hand's work: more than five,
/// or two and more that are a fifth of all that stand ahead. One alone never is. Then none of them is applied, and the clinic is asked.
pub fn are_too_many(cancelled: &[Cancelled], ahead: usize, now: Timestamp) -> bool {
    let mut ids: Vec<&AppointmentId> = cancelled
        .iter()
        .filter(|one| now.duration_since(one.at) < TOGETHER)
        .map(|one| &one.appointment_id)
        .collect();
    ids.sort();
    ids.dedup();
    let count = ids.len();
    count > MOST || (count > 1 && count.saturating_mul(PART) >= ahead)
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn now() -> Timestamp {
        "2026-01-05T10:00:00Z".parse().unwrap()
    }

    fn cancelled(count: usize, minutes_ago: i64) -> Vec<Cancelled> {
        let one = |n: usize| Cancelled {
            appointment_id: AppointmentId::parse(format!("a{n}")).unwrap(),
            at: now() - SignedDuration::from_mins(minutes_ago),
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn more_than_five_or_a_fifth_within_ten_minutes_are_too_many() {
        let table = [
            (0, 10, 0, false),
            (1, 1, 0, false),
            (1, 100, 0, false),
            (2, 10, 0, true),
            (2, 11, 0, false),
            (5, 100, 0, false),
            (6, 100, 0, true),
            (6, 1_000, 9, true),
            (6, 1_000, 10, false),
        ];
        for (count, ahead, minutes_ago, are_too) in table {
            assert_eq!(
                are_too_many(&cancelled(count, minutes_ago), ahead, now()),
                are_too,
                "{count} of {ahead}, {minutes_ago} minutes ago"
            );
        }
        let twice = [cancelled(1, 0), cancelled(1, 3)].concat();
        assert!(!are_too_many(&twice, 2, now()), "one that is seen twice is one");
    }

    proptest! {
        /// More cancellations are never less suspicious.
        #[test]
        fn more_are_never_fewer(count in 0_usize..20, ahead in 0_usize..100) {
            let before = are_too_many(&cancelled(count, 0), ahead, now());
            prop_assert!(!before || are_too_many(&cancelled(count + 1, 0), ahead, now()));
        }
    }
}
