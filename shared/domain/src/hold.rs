//! Money set aside for a live call, and the two limits of that call.
//!
//! `paid_until` is the money: the meter enforces it and a top-up lifts it. The `provider_limit` is what Vapi
//! is told at the start and can never be changed: it ends the call even when none of our functions runs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    amount::Amount,
    call::SetAside,
    tariff::TariffVersion,
    time::plus_secs,
    wallet::{Extension, Grant},
};

/// The talk that one grant pays for, in seconds: five minutes.
pub const GRANT_SECS: u32 = 300;
/// The bounds of Vapi's `maxDurationSeconds`, in seconds (`AssistantOverrides` in its API description).
pub const PROVIDER_LIMIT_SECS: std::ops::RangeInclusive<u32> = 10..=43_200;
/// How many seconds before the end of the money Vapi's limit and our own end of the call come.
pub const END_MARGIN_SECS: u32 = 2;

/// Money set aside for one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The money set aside, over all grants so far.
    pub amount: Amount,
    /// The version of the price list that the call started under.
    pub tariff: TariffVersion,
    /// How often the hold was extended. A conditional write names the step that it read.
    pub step: u32,
    /// Until when `amount` pays; absent until the call has started.
    #[serde(default, with = "super::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub granted_until: Option<Timestamp>,
    /// The limit that Vapi was told: the call ends by itself after this many seconds.
    pub provider_limit_secs: u32,
}

/// What charging a finished call does to its hold and to the rest of the wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The price of the call, whatever was held.
    pub charged: Amount,
    /// The part of the price that the hold pays.
    pub from_hold: Amount,
    /// The part of the hold that the price did not need.
    pub returned: Amount,
    /// The part of the price that comes out of `available`, even into debt.
    pub from_available: Amount,
}

impl Hold {
    /// Returns the hold that a first grant makes, before the call has started.
    pub fn first(grant: &Grant) -> Self {
        Self {
            amount: grant.amount,
            tariff: grant.tariff,
            step: 0,
            granted_until: None,
            provider_limit_secs: grant.provider_limit_secs,
        }
    }

    /// Returns the hold with `extension` added, for a call that started at `started_at`.
    #[must_use]
    pub fn extended_by(&self, extension: &Extension, started_at: Timestamp) -> Self {
        let (amount, step) = (self.amount.plus(extension.amount), self.step.saturating_add(1));
        let extended = Self { amount, step, ..self.clone() };
        Self { granted_until: Some(extended.paid_until(started_at)), ..extended }
    }

    /// Returns what a bill keeps of it.
    pub const fn set_aside(&self) -> SetAside {
        SetAside { amount: self.amount, extensions: self.step }
    }

    /// Returns what charging `cost` for the finished call changes.
    ///
    /// The whole cost is charged: what the hold does not cover comes out of `available`, which may go below
    /// zero, because all talk is paid for.
    pub fn settle(&self, cost: Amount) -> Settlement {
        Settlement {
            charged: cost,
            from_hold: cost.min(self.amount),
            returned: self.amount.minus_or_zero(cost),
            from_available: cost.minus_or_zero(self.amount),
        }
    }

    /// Returns the instant at which the money set aside is used up.
    pub fn paid_until(&self, started_at: Timestamp) -> Timestamp {
        plus_secs(started_at, self.tariff.tariff().affordable_seconds(self.amount).into())
    }

    /// Returns the instant at which Vapi ends the call by itself.
    pub fn provider_end(&self, started_at: Timestamp) -> Timestamp {
        plus_secs(started_at, self.provider_limit_secs.into())
    }

    /// Returns the price of a call of the full provider limit: nothing is ever held beyond it.
    pub fn most(&self) -> Amount {
        self.tariff.tariff().charge(self.provider_limit_secs)
    }
}

impl Settlement {
    /// Returns the settlement of a call that has no hold: all of `cost` comes out of `available`.
    pub fn without_hold(cost: Amount) -> Self {
        Self { charged: cost, from_hold: Amount::ZERO, returned: Amount::ZERO, from_available: cost }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tariff::Tariff;
    use proptest::prelude::*;

    fn hold(pence: u32) -> Hold {
        let tariff = Tariff::at(Timestamp::UNIX_EPOCH).version;
        let amount = Amount::from_pence(pence);
        Hold { amount, tariff, step: 0, granted_until: None, provider_limit_secs: 3598 }
    }

    #[test]
    fn a_call_longer_than_its_hold_is_charged_whole() {
        let settlement = hold(280).settle(Amount::from_pence(1_120));
        assert_eq!(settlement.from_hold, Amount::from_pence(280));
        assert_eq!(settlement.from_available, Amount::from_pence(840));
        assert_eq!(settlement.returned, Amount::ZERO);
    }

    proptest! {
        #[test]
        fn a_settlement_loses_no_penny(held in 0_u32..10_000, cost in 0_u32..10_000) {
            let s = hold(held).settle(Amount::from_pence(cost));
            prop_assert_eq!(s.from_hold.plus(s.returned), Amount::from_pence(held));
            prop_assert_eq!(s.from_hold.plus(s.from_available), s.charged);
        }
    }

    #[test]
    fn a_hold_for_a_duration_pays_exactly_that_duration() {
        // B2: the hold, the bill, the end and the quote agree for every duration from 1 to 7,200 s.
        let (start, tariff) = (Timestamp::UNIX_EPOCH, Tariff::at(Timestamp::UNIX_EPOCH));
        for seconds in 1_u32..=7_200 {
            let price = tariff.charge(seconds);
            let held = Hold { amount: price, ..hold(0) };
            let paid = u32::try_from(held.paid_until(start).duration_since(start).as_secs()).unwrap();
            assert!(paid >= seconds, "{paid} s paid by the price of {seconds} s");
            assert_eq!(tariff.charge(paid), price, "ended at paid_until, it is billed what was held");
            assert_eq!(held.settle(tariff.charge(paid)).from_available, Amount::ZERO);
            assert_eq!(tariff.affordable_seconds(price), paid, "the quote");
        }
    }
}
