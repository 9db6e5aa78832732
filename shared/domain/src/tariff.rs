//! What a call costs. Every price of a call comes from here: the hold, the bill, the end, the quote.

use jiff::Timestamp;
use rust_decimal::{Decimal, dec, prelude::ToPrimitive};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::amount::Amount;

/// One version of the price list. A call and its hold carry the version they started under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tariff {
    /// The number of the version, from 1.
    pub version: TariffVersion,
    /// Calls that start at this time or later are billed by this version, until a newer one is in force.
    pub effective_from: Timestamp,
    /// The price of a minute, in pence. Calls are billed per second.
    rate_per_minute: Decimal,
}

/// The number of a [`Tariff`]. A record may bear one of a newer build, which this one does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct TariffVersion(u32);

/// The first version: 56p a minute.
const FIRST: Tariff =
    Tariff { version: TariffVersion(1), effective_from: Timestamp::UNIX_EPOCH, rate_per_minute: dec!(56) };

/// Returns all versions, oldest first. A version is only ever added, for a future time.
#[cfg(not(feature = "price-change"))]
const fn tariffs() -> [Tariff; 1] {
    [FIRST]
}

/// Returns the same list with a second version, which the simulation puts in force from an instant of its
/// choice.
#[cfg(feature = "price-change")]
fn tariffs() -> [Tariff; 2] {
    let effective_from = price_change::at().unwrap_or(Timestamp::MAX);
    [FIRST, Tariff { version: TariffVersion(2), effective_from, rate_per_minute: dec!(60) }]
}

/// When the second tariff comes into force, for what the current thread runs. It is part of no deployed
/// function: only the simulation's manifest asks for the feature.
#[cfg(feature = "price-change")]
pub mod price_change {
    use std::cell::Cell;

    use jiff::Timestamp;

    thread_local! {
        static AT: Cell<Option<Timestamp>> = const { Cell::new(None) };
    }

    /// Puts the second tariff in force from `at` on; with `None` it is never in force.
    pub fn set(at: Option<Timestamp>) {
        AT.set(at);
    }

    /// Returns from when the second tariff is in force, if it ever is.
    pub fn at() -> Option<Timestamp> {
        AT.get()
    }
}

impl TariffVersion {
    /// Returns the prices of this version.
    ///
    /// One that this build does not know, because a newer build was taken back, has the prices of the newest that it knows:
    /// a record with it stays readable, and its call goes on, ends and is billed.
    pub fn tariff(self) -> Tariff {
        let known = tariffs();
        let newest =
            known.into_iter().rfind(|tariff| tariff.effective_from < Timestamp::MAX).unwrap_or(FIRST);
        known.into_iter().find(|tariff| tariff.version == self).unwrap_or(newest)
    }
}

impl From<TariffVersion> for u32 {
    fn from(version: TariffVersion) -> Self {
        version.0
    }
}

impl Tariff {
    /// Returns the tariff in force at `at`.
    pub fn at(at: Timestamp) -> Self {
        tariffs().into_iter().rfind(|tariff| tariff.effective_from <= at).unwrap_or(FIRST)
    }

    /// Returns the price of `seconds` of talk: `ceil(seconds × rate / 60)` pence.
    ///
    /// # Panics
    /// Never for a call: a rate times a `u32` of seconds is far inside [`Amount::MAX`].
    pub fn charge(self, seconds: u32) -> Amount {
        let pence = (Decimal::from(seconds) * self.rate_per_minute / dec!(60)).ceil();
        pence.to_i64().and_then(|pence| Amount::try_from(pence).ok()).expect("a call's price is an amount")
    }

    /// Returns the most seconds whose charge does not exceed `amount`: the exact inverse of
    /// [`Tariff::charge`].
    pub fn affordable_seconds(self, amount: Amount) -> u32 {
        let seconds = (Decimal::from(amount.pence()) * dec!(60) / self.rate_per_minute).floor();
        seconds.to_u32().unwrap_or(u32::MAX)
    }

    /// Returns the price of one minute: the least that must be available for a call to start.
    pub fn one_minute(self) -> Amount {
        self.charge(60)
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_published_durations_cost_what_is_published() {
        let tariff = Tariff::at(Timestamp::UNIX_EPOCH);
        let table = [(0, 0), (1, 1), (26, 25), (60, 56), (61, 57), (91, 85), (120, 112)];
        let more = [(210, 196), (300, 280), (1200, 1120), (3600, 3360)];
        for (seconds, pence) in table.into_iter().chain(more) {
            assert_eq!(tariff.charge(seconds), Amount::from_pence(pence), "{seconds} s");
        }
    }

    // The console prices calls in JavaScript: `tests/browser/rules.test.js` compares its prices with the same file.
    #[test]
    fn twelve_hours_of_prices_are_those_of_the_console() {
        let tariff = Tariff::at(Timestamp::UNIX_EPOCH);
        let mut hash = 0xcbf2_9ce4_8422_2325_u64;
        for seconds in 0..=43_200 {
            for byte in format!("{}\n", tariff.charge(seconds).pence()).bytes() {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        assert_eq!(format!("{hash:x}"), include_str!("../../../tests/browser/prices.fnv1a").trim());
    }

    #[test]
    fn affordable_seconds_is_the_exact_inverse_of_charge() {
        let tariff = Tariff::at(Timestamp::UNIX_EPOCH);
        for pence in 0..=8_000 {
            let amount = Amount::from_pence(pence);
            let seconds = tariff.affordable_seconds(amount);
            assert!(tariff.charge(seconds) <= amount, "{pence}p buys {seconds} s");
            assert!(tariff.charge(seconds + 1) > amount, "{pence}p buys more than {seconds} s");
        }
    }

    proptest! {
        #[test]
        fn the_inverse_holds_for_any_amount(pence in 0_u32..2_000_000_000) {
            let tariff = Tariff::at(Timestamp::UNIX_EPOCH);
            let amount = Amount::from_pence(pence);
            let seconds = tariff.affordable_seconds(amount);
            prop_assert!(tariff.charge(seconds) <= amount && amount < tariff.charge(seconds + 1));
        }
    }

    #[test]
    fn a_version_of_a_newer_build_is_read_and_has_the_newest_known_prices() {
        assert_eq!(serde_json::from_str::<TariffVersion>("1").unwrap().tariff(), FIRST);
        let newer: TariffVersion = serde_json::from_str("7").unwrap();
        assert_eq!(newer.tariff(), Tariff::at(Timestamp::MAX - jiff::SignedDuration::from_secs(1)));
        assert_eq!(serde_json::to_string(&newer).unwrap(), "7", "it is written as it was read");
    }
}
