//! A number as a person types it to find one.

use super::PhoneNumber;
use crate::number::Country;

/// What stands between the digits of a number that is written down, and in front of it.
const BETWEEN: &str = " -().+/\u{a0}";
/// The least digits that the part of a number has which is looked for anywhere in it.
const LEAST: usize = 3;
/// Where numbers are dialled with a 0 in front of them, of the countries that we serve.
const WITH_NOUGHT: [Country; 2] = [Country::UnitedKingdom, Country::Australia];

/// A number, or a part of one, as a person types it: `07700 900`, `+44 7700`, `0044 7700`, `900123`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypedNumber {
    digits: String,
    /// How a number begins in E.164, without its `+`, that is dialled so: at home with a 0, from abroad with 00.
    dialled: Vec<String>,
}

impl TypedNumber {
    /// Takes digits and what people write between them; none where the text holds anything else, or fewer than two digits.
    pub fn parse(text: &str) -> Option<Self> {
        // The 0 that is dialled at home alone: +44 (0)20 7183 8750.
        let written = text.replace("(0)", "");
        let digits: String = written.chars().filter(|c| !BETWEEN.contains(*c)).collect();
        if digits.len() < 2 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let dialled = match (digits.strip_prefix("00"), digits.strip_prefix('0')) {
            (Some(abroad), _) => vec![abroad.to_owned()],
            (None, Some(rest)) => {
                let codes = WITH_NOUGHT.map(|country| country.calling_code().trim_start_matches('+'));
                codes.map(|code| format!("{code}{rest}")).to_vec()
            }
            (None, None) => Vec::new(),
        };
        Some(Self { digits, dialled })
    }

    /// Returns whether a number begins so, or has these digits in it, three of them at the least.
    pub fn is_in(&self, number: &PhoneNumber) -> bool {
        let whole = number.as_str().trim_start_matches('+');
        self.dialled.iter().any(|start| !start.is_empty() && whole.starts_with(start.as_str()))
            || whole.starts_with(&self.digits)
            || (self.digits.len() >= LEAST && whole.contains(&self.digits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_as_it_is_dialled_written_down_or_remembered_in_part() {
        let [british, american, australian] =
            ["+447700900123", "+14155550199", "+61491570006"].map(|text| PhoneNumber::parse(text).unwrap());
        let cases: [(&str, [bool; 3]); 15] = [
            ("07700900123", [true, false, false]),
            ("07700 900", [true, false, false]),
            ("(07700) 900-123", [true, false, false]),
            ("+44 (0)7700 900123", [true, false, false]),
            ("+44", [true, false, false]),
            ("44", [true, false, false]),
            ("0044 7700", [true, false, false]),
            ("900123", [true, false, false]),
            ("123", [true, false, false]),
            ("0491 570", [false, false, true]),
            ("415.555", [false, true, false]),
            ("+1 415", [false, true, false]),
            ("00", [false, false, false]),
            ("07701", [false, false, false]),
            ("99", [false, false, false]),
        ];
        for (text, found) in cases {
            let typed = TypedNumber::parse(text).unwrap();
            assert_eq!([&british, &american, &australian].map(|number| typed.is_in(number)), found, "{text}");
        }
        for text in ["", "7", "+", "Ada", "07700 Ada", "٠٧٧"] {
            assert_eq!(TypedNumber::parse(text), None, "{text}");
        }
    }
}
