//! What goes wrong, how often in the world of one seed, and how often it did.

use std::collections::{BTreeMap, BTreeSet};

use crate::rng::Stream;

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A webhook comes twice or more.
    Duplicate,
    /// A webhook comes later, and so after others that it was before: seconds, minutes, up to three days.
    Delay,
    /// A webhook does not come.
    Lost,
    /// An attacker posts a webhook.
    Forged,
    /// The process dies at an await.
    Crash,
    /// The database throttles, or has an error of its own.
    StoreFails,
    /// The database has a conflict.
    StoreConflict,
    /// A request to the database is lost.
    StoreLost,
    /// An answer of the database is lost; what was asked is done.
    StoreUnanswered,
    /// A request to the database is not answered, and done later.
    StoreLate,
    /// A queue does not take a message, or does not say that it did.
    QueueFails,
    /// A message comes before its time.
    QueueEarly,
    /// A message comes after its time.
    QueueLate,
    /// A message comes twice.
    QueueTwice,
    /// A message goes missing.
    QueueLost,
    /// A vendor answers that it has an error of its own.
    VendorFails,
    /// A vendor does not answer and has done nothing.
    VendorLost,
    /// A vendor does not answer and has done it.
    VendorUnanswered,
    /// For some time the end of a call is accepted and nothing happens.
    EndIgnored,
    /// Time passes while something is underway.
    Slow,
    /// The functions' clocks differ.
    Skew,
    /// Vapi says, signed, what is not true: that a call is over that goes on, or that it was longer or shorter than it was.
    Untrue,
    /// A message about a call of ours bears no mark of ours.
    Unmarked,
    /// For some time Vapi's record shows calls as they were.
    RecordBehind,
    /// Vapi's record of a call that is over, and billed, says something else later.
    RecordChanged,
    /// The assistant puts a caller through to another line.
    PutThrough,
    /// Stripe answers that it has an error of its own, and the same again under the same idempotency key.
    VendorKept,
    /// An index of the database is behind.
    IndexBehind,
    /// A vendor says that it was asked too often.
    TooMany,
    /// A vendor takes longer than some wait for it.
    VendorSlow,
    /// A vendor says that a clinic's consent has ended.
    GrantEnded,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 31] = [
        Self::Duplicate,
        Self::Delay,
        Self::Lost,
        Self::Forged,
        Self::Crash,
        Self::StoreFails,
        Self::StoreConflict,
        Self::StoreLost,
        Self::StoreUnanswered,
        Self::StoreLate,
        Self::QueueFails,
        Self::QueueEarly,
        Self::QueueLate,
        Self::QueueTwice,
        Self::QueueLost,
        Self::VendorFails,
        Self::VendorLost,
        Self::VendorUnanswered,
        Self::EndIgnored,
        Self::Slow,
        Self::Skew,
        Self::Untrue,
        Self::Unmarked,
        Self::RecordBehind,
        Self::RecordChanged,
        Self::PutThrough,
        Self::VendorKept,
        Self::IndexBehind,
        Self::TooMany,
        Self::VendorSlow,
        Self::GrantEnded,
    ];

    /// Its name, also its stream's.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Duplicate => "webhook duplicated",
            Self::Delay => "webhook delayed",
            Self::Lost => "webhook lost",
            Self::Forged => "webhook forged",
            Self::Crash => "process crashed",
            Self::StoreFails => "store failed",
            Self::StoreConflict => "store in conflict",
            Self::StoreLost => "store timed out, not applied",
            Self::StoreUnanswered => "store timed out, applied",
            Self::StoreLate => "store timed out, applied later",
            Self::QueueFails => "queue failed",
            Self::QueueEarly => "message early",
            Self::QueueLate => "message late",
            Self::QueueTwice => "message twice",
            Self::QueueLost => "message lost",
            Self::VendorFails => "vendor failed",
            Self::VendorLost => "vendor timed out before acting",
            Self::VendorUnanswered => "vendor timed out after acting",
            Self::EndIgnored => "end of a call ignored",
            Self::Slow => "time passed underway",
            Self::Skew => "clocks differed",
            Self::Untrue => "vendor said what is not true",
            Self::Unmarked => "message without our marks",
            Self::RecordBehind => "record of a call behind",
            Self::RecordChanged => "record of a call changed",
            Self::PutThrough => "caller put through",
            Self::VendorKept => "vendor failed, and kept the answer",
            Self::IndexBehind => "index behind",
            Self::TooMany => "vendor asked too often",
            Self::VendorSlow => "vendor slow",
            Self::GrantEnded => "consent ended",
        }
    }

    /// The highest rate that a seed may draw, in a thousand.
    const fn most(self) -> u64 {
        match self {
            Self::Duplicate | Self::Delay => 500,
            Self::Lost | Self::QueueEarly | Self::QueueLate | Self::QueueTwice | Self::IndexBehind => 300,
            Self::Crash | Self::EndIgnored | Self::RecordBehind | Self::RecordChanged => 200,
            Self::Forged
            | Self::VendorFails
            | Self::Untrue
            | Self::PutThrough
            | Self::VendorKept
            | Self::TooMany
            | Self::VendorSlow => 100,
            Self::QueueLost | Self::VendorLost | Self::VendorUnanswered => 80,
            Self::StoreFails | Self::StoreConflict => 60,
            Self::StoreLost | Self::StoreUnanswered | Self::StoreLate | Self::QueueFails => 40,
            Self::GrantEnded => 50,
            Self::Slow => 20,
            Self::Skew | Self::Unmarked => 1_000,
        }
    }
}

/// In so many worlds of a thousand nothing goes wrong: what is broken there needs no excuse.
const FAULTLESS: u64 = 100;

#[derive(Debug)]
struct Die {
    rate: u64,
    rolls: Stream,
    struck: u64,
}

/// A die for each kind of fault.
#[derive(Debug)]
pub struct Dice {
    dice: BTreeMap<Kind, Die>,
    is_calm: bool,
}

impl Dice {
    /// The dice of a seed, without the kinds that are masked. Every seed draws its own rates; about a third are nothing, and
    /// in one seed of ten all are.
    pub fn of(seed: u64, masked: &BTreeSet<Kind>) -> Self {
        let is_faultless = Stream::of(seed, "faultless").chance(FAULTLESS);
        let die = |kind: Kind| {
            let mut rolls = Stream::of(seed, kind.name());
            let drawn = if rolls.chance(333) || is_faultless { 0 } else { rolls.up_to(kind.most()) };
            let rate = if masked.contains(&kind) { 0 } else { drawn };
            (kind, Die { rate, rolls, struck: 0 })
        };
        // Calm until the world is set up.
        Self { dice: Kind::ALL.into_iter().map(die).collect(), is_calm: true }
    }

    /// Lets things go wrong, or stops them all.
    pub fn set_calm(&mut self, is_calm: bool) {
        self.is_calm = is_calm;
    }

    /// Whether it goes wrong this time.
    pub fn strikes(&mut self, kind: Kind) -> bool {
        let is_calm = self.is_calm;
        let Some(die) = self.dice.get_mut(&kind) else { return false };
        let strikes = die.rate > 0 && !is_calm && die.rolls.chance(die.rate);
        die.struck = die.struck.saturating_add(u64::from(strikes));
        strikes
    }

    /// Whether this world has the kind at all, as for clocks that differ from the beginning to the end.
    pub fn has(&self, kind: Kind) -> bool {
        self.dice.get(&kind).is_some_and(|die| die.rate > 0)
    }

    /// Whether this world has no kind at all.
    pub fn has_none(&self) -> bool {
        self.dice.values().all(|die| die.rate == 0)
    }

    /// Notes that something went wrong that is not rolled for.
    pub fn note(&mut self, kind: Kind) {
        if let Some(die) = self.dice.get_mut(&kind) {
            die.struck = die.struck.saturating_add(1);
        }
    }

    /// More chance of the same concern: how long, which, when.
    pub fn rolls(&mut self, kind: Kind) -> Option<&mut Stream> {
        self.dice.get_mut(&kind).map(|die| &mut die.rolls)
    }

    /// A number of the same concern, from `least` to `most`.
    pub fn between(&mut self, kind: Kind, least: i64, most: i64) -> i64 {
        self.rolls(kind).map_or(least, |rolls| rolls.between(least, most))
    }

    /// How often each kind struck.
    pub fn counts(&self) -> BTreeMap<Kind, u64> {
        self.dice.iter().map(|(kind, die)| (*kind, die.struck)).collect()
    }
}
