//! Phone numbers in E.164.

mod typed;

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::typed::TypedNumber;

/// A phone number in E.164: `+` and 7 to 15 digits, the first not zero (ITU-T E.164, section 6.2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
pub struct PhoneNumber(String);

/// What carriers put in the place of a caller's number where it is withheld: these words, typed on a telephone's keys. Twilio hands
/// on "+266696687" for ANONYMOUS, say. They would make one caller of all who withhold their number.
const WITHHELD: [&str; 6] = ["ANONYMOUS", "RESTRICTED", "BLOCKED", "UNKNOWN", "UNAVAILABLE", "PRIVATE"];

/// The digit of a telephone's key that bears a letter (ITU-T E.161).
const fn key(letter: u8) -> u8 {
    match letter {
        b'A'..=b'C' => b'2',
        b'D'..=b'F' => b'3',
        b'G'..=b'I' => b'4',
        b'J'..=b'L' => b'5',
        b'M'..=b'O' => b'6',
        b'P'..=b'S' => b'7',
        b'T'..=b'V' => b'8',
        _ => b'9',
    }
}

/// Why a text is not a phone number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a phone number is written in E.164: +, then 7 to 15 digits, the first not 0, e.g. +442071838750")]
pub struct PhoneNumberError;

impl PhoneNumber {
    /// Takes a number exactly as E.164 writes it; spaces and brackets are not guessed away. What stands for a number that is
    /// withheld is none.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn parse(text: impl Into<String>) -> Result<Self, PhoneNumberError> {
        let number = Self::shaped(text.into())?;
        let digits = number.0.trim_start_matches('+');
        let is_withheld = WITHHELD.iter().any(|word| word.bytes().map(key).eq(digits.bytes()));
        if is_withheld { Err(PhoneNumberError) } else { Ok(number) }
    }

    /// Takes what has the shape of a number: what was kept before is read, whatever it stands for.
    fn shaped(text: String) -> Result<Self, PhoneNumberError> {
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
        Self::shaped(text)
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
    fn what_stands_for_a_withheld_number_is_none() {
        for withheld in ["+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253", "+7748283"] {
            assert_eq!(PhoneNumber::parse(withheld), Err(PhoneNumberError), "{withheld}");
            let kept: PhoneNumber = serde_json::from_value(withheld.into()).unwrap();
            assert_eq!(kept.as_str(), withheld, "a record from before is read");
        }
    }

    #[test]
    fn a_log_shows_two_digits() {
        assert_eq!(PhoneNumber::parse("+442071838750").unwrap().to_string(), "+…50");
    }
}
