//! Money: whole pence, in two types, so that a price cannot be mistaken for the balance of a wallet.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whole pence, GBP, never negative: a price, a charge, a top-up, a hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Amount(i64);

/// Why a number is not an [`Amount`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// The number is below zero, which only a [`Balance`] may be.
    #[error("an amount is never negative, and this one is {0}p")]
    Negative(i64),
    /// The number is above [`Amount::MAX`].
    #[error("an amount is at most {max}p, and this one is {0}p", max = Amount::MAX.0)]
    TooLarge(i64),
}

impl Amount {
    /// No money: 0p.
    pub const ZERO: Self = Self(0);
    /// The largest amount: ten thousand million pounds. Sums of amounts stay far from the end of an `i64`.
    pub const MAX: Self = Self(1_000_000_000_000);

    /// Makes an amount of so many pence.
    pub const fn from_pence(pence: u32) -> Self {
        // Widening; `From` is not callable in a const.
        #[expect(clippy::as_conversions, reason = "u32 always fits an i64")]
        Self(pence as i64)
    }

    /// Returns the amount in whole pence.
    pub const fn pence(self) -> i64 {
        self.0
    }

    /// Returns whether the amount is 0p.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Returns the sum of both amounts.
    ///
    /// # Panics
    /// When the sum leaves an `i64`. The request stops before anything is written.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.checked_add(other.0).expect("a sum of amounts fits an i64"))
    }

    /// Returns the difference, or [`Amount::ZERO`] when `other` is the larger.
    #[must_use]
    pub fn minus_or_zero(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0).max(0))
    }
}

impl TryFrom<i64> for Amount {
    type Error = AmountError;

    fn try_from(pence: i64) -> Result<Self, AmountError> {
        match pence {
            ..0 => Err(AmountError::Negative(pence)),
            _ if pence > Self::MAX.0 => Err(AmountError::TooLarge(pence)),
            _ => Ok(Self(pence)),
        }
    }
}

impl From<Amount> for i64 {
    fn from(amount: Amount) -> Self {
        amount.0
    }
}

/// Writes the amount in pounds: `£12.34`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        pounds(self.0, f)
    }
}

/// The balance of a wallet, in whole pence. Only a wallet has one, and below zero it is a debt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Balance(i64);

impl Balance {
    /// Neither money nor debt: 0p.
    pub const ZERO: Self = Self(0);

    /// Makes a balance of so many pence; below zero it is a debt.
    pub const fn from_pence(pence: i64) -> Self {
        Self(pence)
    }

    /// Returns the balance in whole pence; below zero it is a debt.
    pub const fn pence(self) -> i64 {
        self.0
    }

    /// Returns the balance after a credit of `amount`.
    ///
    /// # Panics
    /// When the sum leaves an `i64`. The request stops before anything is written.
    #[must_use]
    pub fn plus(self, amount: Amount) -> Self {
        Self(self.0.checked_add(amount.0).expect("a balance fits an i64"))
    }

    /// Returns the balance after a debit of `amount`; it may go below zero.
    ///
    /// # Panics
    /// When the difference leaves an `i64`. The request stops before anything is written.
    #[must_use]
    pub fn minus(self, amount: Amount) -> Self {
        Self(self.0.checked_sub(amount.0).expect("a balance fits an i64"))
    }

    /// Returns the balance with `pence` added, which may be below zero; `None` when the sum leaves an `i64`.
    pub fn checked_add(self, pence: i64) -> Option<Self> {
        self.0.checked_add(pence).map(Self)
    }

    /// Returns what can be spent: the balance, or [`Amount::ZERO`] when it is a debt.
    pub fn spendable(self) -> Amount {
        Amount(self.0.max(0))
    }

    /// Returns whether the balance is above 0p.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }
}

/// Writes the balance in pounds: `£12.34`, and a debt as `-£12.34`.
impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        pounds(self.0, f)
    }
}

fn pounds(pence: i64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let sign = if pence < 0 { "-" } else { "" };
    let pence = pence.unsigned_abs();
    write!(f, "{sign}£{}.{:02}", pence.div_euclid(100), pence.rem_euclid(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_neither_negative_nor_enormous() {
        assert_eq!(Amount::try_from(-1), Err(AmountError::Negative(-1)));
        assert_eq!(Amount::try_from(0), Ok(Amount::ZERO));
        assert_eq!(Amount::try_from(1_000_000_000_000), Ok(Amount::MAX));
        assert_eq!(Amount::try_from(1_000_000_000_001), Err(AmountError::TooLarge(1_000_000_000_001)));
        assert!(serde_json::from_str::<Amount>("-5").is_err());
    }

    #[test]
    fn pounds_are_written_with_two_digits_and_a_sign_in_front() {
        let written = [0, 5, 99, 100, 1234, -1, -1234].map(|pence| Balance::from_pence(pence).to_string());
        assert_eq!(written, ["£0.00", "£0.05", "£0.99", "£1.00", "£12.34", "-£0.01", "-£12.34"]);
    }

    #[test]
    fn a_debt_has_nothing_to_spend() {
        assert_eq!(Balance::from_pence(-30).spendable(), Amount::ZERO);
        assert_eq!(Balance::from_pence(30).spendable(), Amount::from_pence(30));
    }
}
