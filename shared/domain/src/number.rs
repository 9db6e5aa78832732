//! What can be asked for when a number is bought.

use serde::{Deserialize, Serialize};

use super::{amount::Amount, phone_number::PhoneNumber};

/// What a number costs to buy.
pub const NUMBER_COST: Amount = Amount::from_pence(1_000);

/// Where numbers are sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Country {
    /// The United States.
    #[serde(rename = "US")]
    UnitedStates,
    /// The United Kingdom.
    #[serde(rename = "GB")]
    UnitedKingdom,
    /// Canada.
    #[serde(rename = "CA")]
    Canada,
    /// Australia.
    #[serde(rename = "AU")]
    Australia,
}

impl Country {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::UnitedStates, Self::UnitedKingdom, Self::Canada, Self::Australia];

    /// ISO 3166-1 alpha-2.
    pub const fn code(self) -> &'static str {
        match self {
            Self::UnitedStates => "US",
            Self::UnitedKingdom => "GB",
            Self::Canada => "CA",
            Self::Australia => "AU",
        }
    }

    /// Whether the regulator demands an address of the customer who takes a number there (Twilio's `AddressRequirements`).
    pub const fn needs_address(self) -> bool {
        match self {
            Self::UnitedStates | Self::Canada => false,
            Self::UnitedKingdom | Self::Australia => true,
        }
    }

    /// What every number there begins with (ITU-T E.164 country codes).
    pub const fn calling_code(self) -> &'static str {
        match self {
            Self::UnitedStates | Self::Canada => "+1",
            Self::UnitedKingdom => "+44",
            Self::Australia => "+61",
        }
    }
}

/// Area codes of +1 that lie neither in the United States nor in Canada, and those of services that bill the caller or are no
/// place (NANPA's lists).
const FOREIGN_AREA_CODES: [&str; 26] = [
    "242", "246", "264", "268", "284", "345", "441", "473", "649", "658", "664", "721", "758", "767", "784",
    "809", "829", "849", "868", "869", "876", "900", "976", "500", "700", "710",
];
/// What numbers of the United Kingdom begin with, after its code, that bill the caller more (Ofcom's numbering plan: personal,
/// pager, shared-cost and premium numbers).
const PREMIUM_GB: [&str; 6] = ["9", "70", "76", "84", "87", "55"];
/// The same of Australia (ACMA's plan).
const PREMIUM_AU: [&str; 4] = ["19", "13", "18", "16"];

impl Country {
    /// Whether `number` is an ordinary number of this country, of the length its numbers have: not one that makes its owner money
    /// out of each call to it. The United States and Canada share their numbers.
    pub fn rings(self, number: &PhoneNumber) -> bool {
        let Some(rest) = number.as_str().strip_prefix(self.calling_code()) else { return false };
        let begins = |with: &[&str]| with.iter().any(|prefix| rest.starts_with(prefix));
        match self {
            Self::UnitedStates | Self::Canada => {
                let is_dialled =
                    |at: usize| rest.as_bytes().get(at).is_some_and(|digit| (b'2'..=b'9').contains(digit));
                rest.len() == 10 && is_dialled(0) && is_dialled(3) && !begins(&FOREIGN_AREA_CODES)
            }
            Self::UnitedKingdom => (9..=10).contains(&rest.len()) && !begins(&["0"]) && !begins(&PREMIUM_GB),
            Self::Australia => rest.len() == 9 && !begins(&["0"]) && !begins(&PREMIUM_AU),
        }
    }
}

/// What kind of number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberType {
    /// Of a place.
    Local,
    /// Free for the caller.
    TollFree,
}

/// Where the clinic is, for the regulator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Address {
    /// Who takes the number.
    pub customer_name: String,
    /// Street and house.
    pub street: String,
    /// Town.
    pub city: String,
    /// County or state.
    pub region: String,
    /// Post code.
    pub postal_code: String,
}

impl Address {
    /// The name of the first field that is empty or longer than 100 characters.
    pub fn flaw(&self) -> Option<&'static str> {
        let fields = [
            ("address.customerName", &self.customer_name),
            ("address.street", &self.street),
            ("address.city", &self.city),
            ("address.region", &self.region),
            ("address.postalCode", &self.postal_code),
        ];
        let is_bad = |text: &str| text.trim().is_empty() || text.chars().count() > 100;
        fields.into_iter().find(|(_, text)| is_bad(text)).map(|(name, _)| name)
    }
}

/// A search for numbers that can be bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// Where.
    pub country: Country,
    /// What kind.
    pub number_type: NumberType,
    /// Only of this area, in the country's own digits.
    pub area_code: Option<String>,
    /// How many at the most.
    pub limit: u32,
}

/// A number that can be bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Available {
    /// The number.
    pub phone_number: PhoneNumber,
    /// Its town, if it has one.
    pub locality: Option<String>,
    /// Its region, if it has one.
    pub region: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ordinary_numbers_of_a_country_are_rung() {
        use Country::{Australia, Canada, UnitedKingdom, UnitedStates};
        let cases = [
            (UnitedStates, "+14155550100", true),
            (Canada, "+16045550100", true),
            (UnitedKingdom, "+442071838750", true),
            (UnitedKingdom, "+447700900123", true),
            (Australia, "+61491570156", true),
            (UnitedStates, "+18765550100", false),
            (UnitedStates, "+18095550100", false),
            (UnitedStates, "+19005550100", false),
            (UnitedStates, "+14151550100", false),
            (UnitedStates, "+1415555010", false),
            (UnitedKingdom, "+449098790123", false),
            (UnitedKingdom, "+447012345678", false),
            (UnitedKingdom, "+448712345678", false),
            (UnitedKingdom, "+4420718", false),
            (Australia, "+61190012345", false),
            (Australia, "+442071838750", false),
        ];
        for (country, number, is_rung) in cases {
            assert_eq!(country.rings(&PhoneNumber::parse(number).unwrap()), is_rung, "{number}");
        }
    }
}
