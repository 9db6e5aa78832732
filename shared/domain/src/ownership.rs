//! Which numbers at a vendor may be given back. An account at a vendor outlives our tables, and two deployments may share it
//! under one name: that no record claims a number does not make it nobody's.

use jiff::{SignedDuration, Timestamp};

/// How long a number must have been without a claim before it is given back: what a vendor was asked for comes to be within
/// minutes, or late and for no org.
const AGREED: SignedDuration = SignedDuration::from_hours(1);
/// The most orphans that a run may give back, and the most among which any is given back without an operator's word.
const MOST: usize = 10;
/// So many orphans are believed in however few purchases there are: one number is kept by two vendors.
const BELIEVED: usize = 2;
/// One in so many purchases may have left an orphan. More of them say that our records are at fault.
const SHARE: usize = 10;

/// What our records say of the purchase whose mark a number bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The purchase came to nothing, and whatever it cost went back: the number came too late.
    CameToNothing,
    /// There is no record of the purchase, or its number was in use. It may be another deployment's, or our tables may have
    /// lost it.
    Unknown,
}

/// A number at a vendor under our environment's mark that no record claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// What our records say of its purchase.
    pub origin: Origin,
    /// Whether an operator has said that the number may go.
    pub is_allowed: bool,
    /// When a run first saw it without a claim.
    pub first_seen_at: Timestamp,
}

/// What is done about an orphan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// It is given back to its vendor.
    GiveBack,
    /// It is kept until a later run.
    Wait,
    /// It is kept until an operator says that it may go.
    AskOperator,
}

/// What one run has seen, and how far it may go by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many purchases our records know, of whatever state.
    pub purchases: usize,
    /// How many orphans there are at all places: those that the run has seen, and those of earlier runs where it could not look.
    pub orphans: usize,
    /// How many of them it has given back.
    pub given_back: usize,
}

impl Tally {
    /// Returns whether so many orphans can be what they seem: a small share of what was ever bought.
    pub fn is_credible(&self) -> bool {
        self.orphans <= (self.purchases / SHARE).clamp(BELIEVED, MOST)
    }

    /// Returns what is done about `orphan` at `now`.
    pub fn treatment(&self, orphan: &Orphan, now: Timestamp) -> Treatment {
        let is_ours_to_judge = orphan.origin == Origin::CameToNothing && self.is_credible();
        if !orphan.is_allowed && !is_ours_to_judge {
            return Treatment::AskOperator;
        }
        let is_agreed = now.duration_since(orphan.first_seen_at) >= AGREED;
        if is_agreed && self.given_back < MOST { Treatment::GiveBack } else { Treatment::Wait }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orphan(origin: Origin, is_allowed: bool) -> Orphan {
        Orphan { origin, is_allowed, first_seen_at: Timestamp::UNIX_EPOCH }
    }

    fn tally(purchases: usize, orphans: usize, given_back: usize) -> Tally {
        Tally { purchases, orphans, given_back }
    }

    #[test]
    fn what_came_to_nothing_goes_after_an_hour_and_what_is_unknown_never_by_itself() {
        let late = Timestamp::UNIX_EPOCH + AGREED;
        let early = late - SignedDuration::from_millis(1);
        let cases = [
            (Origin::CameToNothing, false, early, Treatment::Wait),
            (Origin::CameToNothing, false, late, Treatment::GiveBack),
            (Origin::Unknown, false, late, Treatment::AskOperator),
            (Origin::Unknown, false, late + SignedDuration::from_hours(9_000), Treatment::AskOperator),
            (Origin::Unknown, true, early, Treatment::Wait),
            (Origin::Unknown, true, late, Treatment::GiveBack),
        ];
        for (origin, is_allowed, now, treatment) in cases {
            let given = tally(100, 1, 0).treatment(&orphan(origin, is_allowed), now);
            assert_eq!(given, treatment, "{origin:?}, allowed: {is_allowed}, at {now}");
        }
    }

    #[test]
    fn more_orphans_than_a_small_share_are_left_to_an_operator() {
        let late = Timestamp::UNIX_EPOCH + AGREED;
        let came = orphan(Origin::CameToNothing, false);
        // Purchases, and how many orphans are believed.
        for (purchases, believed) in [(0, 2), (1, 2), (29, 2), (30, 3), (100, 10), (100_000, 10)] {
            assert_eq!(
                tally(purchases, believed, 0).treatment(&came, late),
                Treatment::GiveBack,
                "{purchases}"
            );
            let more = tally(purchases, believed + 1, 0);
            assert_eq!(more.treatment(&came, late), Treatment::AskOperator, "{purchases}");
            assert_eq!(
                more.treatment(&orphan(Origin::CameToNothing, true), late),
                Treatment::GiveBack,
                "a word for this one is a word for this one"
            );
        }
    }

    #[test]
    fn a_run_gives_back_ten_at_the_most() {
        let late = Timestamp::UNIX_EPOCH + AGREED;
        let allowed = orphan(Origin::Unknown, true);
        assert_eq!(tally(1_000, 20, 9).treatment(&allowed, late), Treatment::GiveBack);
        assert_eq!(tally(1_000, 20, 10).treatment(&allowed, late), Treatment::Wait);
    }
}
