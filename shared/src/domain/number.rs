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
    /// ISO 3166-1 alpha-2.
    pub const fn code(self) -> &'static str {
        match self {
            Self::UnitedStates => "US",
            Self::UnitedKingdom => "GB",
            Self::Canada => "CA",
            Self::Australia => "AU",
        }
    }

    /// Whether the regulator demands an address of whoever takes a number there (Twilio's `AddressRequirements`).
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
