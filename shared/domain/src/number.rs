//! Phone numbers as goods: where and of what kind they are sold, and what one costs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{amount::Amount, ids::BundleSid, phone_number::PhoneNumber};

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

    /// Returns whether the carrier sells a number there only under a regulatory bundle that it has approved. A search does not say
    /// so: Twilio demands a bundle where its `address_requirements` are `none`, too (its error 21649).
    pub const fn needs_bundle(self) -> bool {
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

/// The kind of a number, as the carrier sells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberType {
    /// A number with the area code of a place.
    Local,
    /// A number that is free for the caller.
    TollFree,
}

/// A regulatory bundle that the carrier has approved: papers of a business, for numbers of one country and kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// The bundle as the carrier names it.
    pub sid: BundleSid,
    /// When it expires; absent when it does not.
    pub valid_until: Option<Timestamp>,
}

impl Bundle {
    /// Returns the bundle that holds longest of those that hold `now`; the one whose SID comes first, when several hold as long.
    /// The same bundles give the same one, in whatever order they are listed.
    pub fn to_buy_under(bundles: Vec<Self>, now: Timestamp) -> Option<Self> {
        let holds = |bundle: &Self| bundle.valid_until.is_none_or(|until| until > now);
        let lasting = |bundle: &Self| {
            let until = bundle.valid_until.unwrap_or(Timestamp::MAX);
            (std::cmp::Reverse(until), bundle.sid.clone())
        };
        bundles.into_iter().filter(holds).min_by_key(lasting)
    }
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

    fn bundle(sid: &str, until: Option<i64>) -> Bundle {
        let valid_until = until.map(|secs| Timestamp::from_second(secs).unwrap());
        Bundle { sid: BundleSid::parse(sid).unwrap(), valid_until }
    }

    #[test]
    fn the_bundle_that_holds_longest_is_bought_under_and_none_that_has_expired() {
        let now = Timestamp::from_second(100).unwrap();
        for (bundles, expected) in [
            (vec![], None),
            (vec![bundle("BU1", Some(99)), bundle("BU2", Some(100))], None),
            (vec![bundle("BU1", Some(99)), bundle("BU2", Some(101))], Some("BU2")),
            (vec![bundle("BU1", Some(200)), bundle("BU2", None), bundle("BU3", Some(300))], Some("BU2")),
            (vec![bundle("BU1", Some(200)), bundle("BU3", Some(300))], Some("BU3")),
            (vec![bundle("BU2", None), bundle("BU1", None)], Some("BU1")),
        ] {
            let reversed = bundles.iter().rev().cloned().collect();
            for bundles in [bundles, reversed] {
                let chosen = Bundle::to_buy_under(bundles, now).map(|bundle| String::from(bundle.sid));
                assert_eq!(chosen.as_deref(), expected);
            }
        }
    }

    #[test]
    fn only_numbers_across_the_sea_need_papers() {
        let needing: Vec<&str> =
            Country::ALL.into_iter().filter(|country| country.needs_bundle()).map(Country::code).collect();
        assert_eq!(needing, ["GB", "AU"]);
    }
}
