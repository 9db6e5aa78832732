//! The numbers that can be bought: a hundred of each area, always the same.

use serde_json::{Value, json};

/// Where numbers are sold under an approved bundle only.
pub(super) const COUNTRIES_WITH_BUNDLES: [&str; 2] = ["GB", "AU"];
/// How many numbers an area has.
const EACH: u16 = 100;

/// Where a number is, or what it is for.
#[derive(Debug)]
pub(super) struct Area {
    pub(super) country: &'static str,
    /// `Local`, `TollFree`, `Mobile`.
    pub(super) kind: &'static str,
    /// The numbers up to their last three digits.
    prefix: &'static str,
    /// The first number's last three digits.
    first: u16,
    /// Locality, region, postal code.
    place: Option<[&'static str; 3]>,
    /// Only of places in the US.
    lata: Option<&'static str>,
}

/// A number that can be bought.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) number: String,
    pub(super) area: &'static Area,
}

const fn place(
    country: &'static str,
    prefix: &'static str,
    place: [&'static str; 3],
    lata: Option<&'static str>,
) -> Area {
    Area { country, kind: "Local", prefix, first: 100, place: Some(place), lata }
}

const fn placeless(country: &'static str, kind: &'static str, prefix: &'static str, first: u16) -> Area {
    Area { country, kind, prefix, first, place: None, lata: None }
}

/// Of the ranges that regulators keep for fiction, where there are such.
static AREAS: [Area; 23] = [
    place("US", "+14155550", ["San Francisco", "CA", "94102"], Some("722")),
    place("US", "+12125550", ["New York", "NY", "10001"], Some("132")),
    place("US", "+13105550", ["Los Angeles", "CA", "90001"], Some("730")),
    place("US", "+13125550", ["Chicago", "IL", "60601"], Some("358")),
    place("US", "+15125550", ["Austin", "TX", "78701"], Some("558")),
    place("US", "+16175550", ["Boston", "MA", "02108"], Some("128")),
    place("US", "+13055550", ["Miami", "FL", "33101"], Some("460")),
    place("GB", "+442079460", ["London", "London", "EC1A"], None),
    place("GB", "+441614960", ["Manchester", "Greater Manchester", "M1"], None),
    place("GB", "+441214960", ["Birmingham", "West Midlands", "B1"], None),
    place("CA", "+14165550", ["Toronto", "ON", "M5H"], Some("888")),
    place("CA", "+16045550", ["Vancouver", "BC", "V6B"], Some("888")),
    place("CA", "+15145550", ["Montreal", "QC", "H2Y"], Some("888")),
    place("AU", "+61255500", ["Sydney", "NSW", "2000"], None),
    place("AU", "+61355500", ["Melbourne", "VIC", "3000"], None),
    placeless("US", "TollFree", "+18335550", 100),
    placeless("US", "TollFree", "+18445550", 100),
    placeless("CA", "TollFree", "+18555550", 100),
    placeless("GB", "TollFree", "+448001570", 100),
    placeless("AU", "TollFree", "+611800160", 400),
    placeless("GB", "Mobile", "+447700900", 500),
    placeless("AU", "Mobile", "+61491570", 100),
    placeless("AU", "Mobile", "+61491571", 100),
];

/// What a country offers of a kind. None when there is no such country or kind.
pub(super) fn offers(country: &str, kind: &str) -> Option<Vec<Offer>> {
    let areas = AREAS.iter().filter(|area| area.country == country && area.kind == kind);
    let offers: Vec<Offer> = areas.flat_map(Area::offers).collect();
    (!offers.is_empty()).then_some(offers)
}

/// The area that a number is of, if it is one of these.
pub(super) fn area_of(number: &str) -> Option<&'static Area> {
    AREAS.iter().find(|area| area.offers().any(|offer| offer.number == number))
}

/// `(415) 555-0100` in North America, the number itself elsewhere.
pub(super) fn friendly_name(number: &str) -> String {
    let national = number.strip_prefix("+1").filter(|national| national.len() == 10 && national.is_ascii());
    national.map_or_else(
        || number.to_owned(),
        |national| {
            let (area, rest) = national.split_at(3);
            let (exchange, line) = rest.split_at(3);
            format!("({area}) {exchange}-{line}")
        },
    )
}

impl Area {
    fn offers(&'static self) -> impl Iterator<Item = Offer> {
        let last = self.first.saturating_add(EACH);
        (self.first..last).map(move |n| Offer { number: format!("{}{n:03}", self.prefix), area: self })
    }

    /// Whether the regulator demands an address, in Twilio's words.
    pub(super) fn address_requirements(&self) -> &'static str {
        if matches!(self.country, "GB" | "AU") { "any" } else { "none" }
    }

    /// Whether numbers are sold under an approved bundle only. A search does not say so.
    pub(super) fn needs_bundle(&self) -> bool {
        COUNTRIES_WITH_BUNDLES.contains(&self.country)
    }

    /// Whether texts can be sent as well.
    fn has_sms(&self) -> bool {
        self.kind == "Mobile" || matches!(self.country, "US" | "CA")
    }
}

impl Offer {
    /// Whether it is of this area code. Twilio has area codes in North America only, and leaves the parameter
    /// unregarded elsewhere.
    pub(super) fn is_of_area_code(&self, code: &str) -> bool {
        self.number.strip_prefix("+1").is_none_or(|national| national.starts_with(code))
    }

    /// Whether the digits are somewhere in it; `*` is any digit, and a `+` holds them to the beginning.
    pub(super) fn has_digits(&self, pattern: &str) -> bool {
        let digits = self.number.trim_start_matches('+').as_bytes();
        let wanted = pattern.trim_start_matches('+').as_bytes();
        let fits = |part: &[u8]| part.iter().zip(wanted).all(|(digit, want)| *want == b'*' || digit == want);
        if wanted.is_empty() {
            return true;
        }
        if pattern.starts_with('+') {
            return digits.len() >= wanted.len() && fits(digits);
        }
        digits.windows(wanted.len()).any(fits)
    }

    /// Its locality, region and postal code.
    pub(super) fn place(&self) -> Option<[&'static str; 3]> {
        self.area.place
    }

    /// As a search shows it.
    pub(super) fn json(&self) -> Value {
        let [locality, region, postal_code] = match self.area.place {
            Some(place) => place.map(Some),
            None => [None; 3],
        };
        let sms = self.area.has_sms();
        json!({
            "friendly_name": friendly_name(&self.number), "phone_number": self.number,
            "lata": self.area.lata, "rate_center": locality.map(str::to_uppercase),
            "latitude": null, "longitude": null, "locality": locality, "region": region,
            "postal_code": postal_code, "iso_country": self.area.country,
            "address_requirements": self.area.address_requirements(), "beta": false,
            "capabilities": {"voice": true, "sms": sms, "mms": sms},
        })
    }
}

#[cfg(test)]
mod tests {
    use domain::phone_number::PhoneNumber;

    use super::*;

    #[test]
    fn every_offer_is_a_phone_number_and_none_is_made_twice() {
        let mut all: Vec<String> = AREAS.iter().flat_map(Area::offers).map(|offer| offer.number).collect();
        assert!(all.iter().all(|number| PhoneNumber::parse(number.as_str()).is_ok()));
        let made = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), made);
        assert!(area_of("+14155550100").is_some() && area_of("+14155550200").is_none());
    }

    #[test]
    fn digits_are_found_where_they_may_be() {
        let offer = offers("GB", "Local").unwrap().remove(0);
        assert_eq!(offer.number, "+442079460100");
        for pattern in ["", "+4420", "7946", "20*946", "0100"] {
            assert!(offer.has_digits(pattern), "{pattern}");
        }
        for pattern in ["+20", "161", "7946010000000000"] {
            assert!(!offer.has_digits(pattern), "{pattern}");
        }
    }
}
