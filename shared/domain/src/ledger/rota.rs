//! How soon what was once verified is read and hashed again: an entry may be altered long after it was written.

use jiff::SignedDuration;

/// How long one round through a ledger takes. Five days are left of the thirty in which each entry is hashed again, for
/// runs that do not come or are cut off.
pub const ROUND: SignedDuration = SignedDuration::from_hours(25 * 24);
/// How long a round may take before a person is told.
pub const LONGEST_ROUND: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Returns up to which entry a round that began `elapsed` ago must have come, in a ledger of `last` entries.
///
/// It depends on the time alone and not on how many runs there were: what a run that was cut off left out, the next one
/// makes up for.
pub fn due(last: u64, elapsed: SignedDuration) -> u64 {
    let whole = ROUND.as_secs().unsigned_abs();
    let elapsed = u64::try_from(elapsed.as_secs()).unwrap_or(0).min(whole);
    let due = u128::from(last).saturating_mul(elapsed.into()).checked_div(whole.into());
    due.and_then(|due| u64::try_from(due).ok()).unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_round_comes_as_far_as_its_time() {
        let days = |days: i64| SignedDuration::from_hours(days.saturating_mul(24));
        let table = [(100, -1, 0), (100, 0, 0), (100, 1, 4), (100, 24, 96), (100, 25, 100), (100, 90, 100)];
        for (last, elapsed, entry) in table.into_iter().chain([(0, 25, 0), (1, 24, 0), (1, 25, 1)]) {
            assert_eq!(due(last, days(elapsed)), entry, "{last} entries after {elapsed} days");
        }
        assert_eq!(due(u64::MAX, ROUND), u64::MAX);
    }

    proptest! {
        #[test]
        fn a_round_never_goes_back(last: u64, more: u64, secs in 0_i64..4_000_000, later in 0_i64..4_000_000) {
            let earlier = due(last, SignedDuration::from_secs(secs));
            let at_last = last.saturating_add(more);
            prop_assert!(earlier <= due(at_last, SignedDuration::from_secs(secs.saturating_add(later))));
            prop_assert!(earlier <= last);
        }
    }
}
