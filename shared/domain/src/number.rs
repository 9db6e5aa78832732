//! Phone numbers as goods: where and of what kind they are sold, what one costs, and which may be rung.

use serde::{Deserialize, Serialize};

use super::{amount::Amount, phone_number::PhoneNumber};

/// What an org is charged once when a number is bought for it: £10.00, whatever the country.
pub const NUMBER_COST: Amount = Amount::from_pence(1_000);

/// A country where numbers are sold, serialized as its ISO 3166-1 code.
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
    /// Every country where numbers are sold.
    pub const ALL: [Self; 4] = [Self::UnitedStates, Self::UnitedKingdom, Self::Canada, Self::Australia];

    /// Returns the ISO 3166-1 alpha-2 code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::UnitedStates => "US",
            Self::UnitedKingdom => "GB",
            Self::Canada => "CA",
            Self::Australia => "AU",
        }
    }

    /// Returns whether the regulator demands an address of the clinic that takes a number there (Twilio's
    /// `AddressRequirements`).
    pub const fn needs_address(self) -> bool {
        match self {
            Self::UnitedStates | Self::Canada => false,
            Self::UnitedKingdom | Self::Australia => true,
        }
    }

    /// Returns the country code that every number there begins with, `+` included (ITU-T E.164).
    pub const fn calling_code(self) -> &'static str {
        match self {
            Self::UnitedStates | Self::Canada => "+1",
            Self::UnitedKingdom => "+44",
            Self::Australia => "+61",
        }
    }
}

/// Area codes of +1 that lie neither in the United States nor in Canada, and those of services that bill the
/// caller or belong to no place (NANPA's lists).
const FOREIGN_AREA_CODES: [&str; 26] = [
    "242", "246", "264", "268", "284", "345", "441", "473", "649", "658", "664", "721", "758", "767", "784",
    "809", "829", "849", "868", "869", "876", "900", "976", "500", "700", "710",
];
/// The beginnings, after +44, of United Kingdom numbers that bill the caller more (Ofcom's numbering plan:
/// personal, pager, shared-cost and premium numbers).
const PREMIUM_GB: [&str; 6] = ["9", "70", "76", "84", "87", "55"];
/// The beginnings, after +61, of such numbers in Australia (ACMA's numbering plan).
const PREMIUM_AU: [&str; 4] = ["19", "13", "18", "16"];

impl Country {
    /// Returns whether `number` is an ordinary number of this country, of the length its numbers have, and
    /// not one that earns its owner money from each caller. The United States and Canada share their numbers.
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

/// The kind of a number, as the carrier sells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberType {
    /// A number with the area code of a place.
    Local,
    /// A number that is free for the caller.
    TollFree,
}

/// The clinic's address, which the regulators of some countries ask for ([`Country::needs_address`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Address {
    /// The name of the person or the business that takes the number.
    pub customer_name: String,
    /// The street and the house number.
    pub street: String,
    /// The town or the city.
    pub city: String,
    /// The county or the state.
    pub region: String,
    /// The post code, as the country writes it.
    pub postal_code: String,
}

impl Address {
    /// Returns the name, as the API spells it, of the first field that is empty or longer than 100
    /// characters.
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
    /// The country to search in.
    pub country: Country,
    /// The kind of number to search for.
    pub number_type: NumberType,
    /// The area code to search in, in the country's own digits; absent when any area will do.
    pub area_code: Option<String>,
    /// The most numbers to return.
    pub limit: u32,
}

/// A number that can be bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Available {
    /// The number that is offered.
    pub phone_number: PhoneNumber,
    /// The town of the number, if the carrier names one.
    pub locality: Option<String>,
    /// The state, province or county of the number, if the carrier names one.
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
