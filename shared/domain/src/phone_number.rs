//! Phone numbers in E.164.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A phone number in E.164: `+` and 7 to 15 digits, the first not zero (ITU-T E.164, section 6.2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PhoneNumber(String);

/// Why a text is not a phone number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a phone number is written in E.164: +, then 7 to 15 digits, the first not 0, e.g. +442071838750")]
pub struct PhoneNumberError;

impl PhoneNumber {
    /// Takes a number exactly as E.164 writes it; spaces and brackets are not guessed away.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn parse(text: impl Into<String>) -> Result<Self, PhoneNumberError> {
        let text = text.into();
        let digits = text.strip_prefix('+').ok_or(PhoneNumberError)?;
        let plain = digits.bytes().all(|c| c.is_ascii_digit()) && !digits.starts_with('0');
        if plain && (7..=15).contains(&digits.len()) { Ok(Self(text)) } else { Err(PhoneNumberError) }
    }

    /// Returns the whole number, `+` and digits. A log shows the [`Display`](fmt::Display) form instead.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PhoneNumber {
    type Error = PhoneNumberError;

    fn try_from(text: String) -> Result<Self, PhoneNumberError> {
        Self::parse(text)
    }
}

impl From<PhoneNumber> for String {
    fn from(number: PhoneNumber) -> Self {
        number.0
    }
}

/// Writes the last two digits only, which is what a log may show.
impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (_, end) = self.0.split_at(self.0.len().saturating_sub(2));
        write!(f, "+…{end}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_e164_is_a_phone_number() {
        for good in ["+442071838750", "+15557266724", "+1234567"] {
            assert_eq!(PhoneNumber::parse(good).unwrap().as_str(), good);
        }
        for bad in
            ["", "+", "442071838750", "+0442071838", "+44 20 7183", "+123456", "+1234567890123456", "+44２0"]
        {
            assert_eq!(PhoneNumber::parse(bad), Err(PhoneNumberError), "{bad:?}");
        }
    }

    #[test]
    fn a_log_shows_two_digits() {
        assert_eq!(PhoneNumber::parse("+442071838750").unwrap().to_string(), "+…50");
    }
}
