//! Which numbers may be rung. What may be is listed, and everything else is refused: geographic and mobile numbers of the
//! allowed countries, as the numbering plans give them out. The plans are those of libphonenumber, by a kept library; what it
//! does not tell apart stands in `NOT_KNOWN`. The library reads its plans into 16 MB, which takes a tenth of a second: it is
//! linked where a person enters a number, and not where a phone rings.

#[cfg(test)]
mod tests;

use domain::{number::Country, phone_number::PhoneNumber};
use phonenumber::{Type, country::Id, metadata::DATABASE};

/// Whether numbers that the regulators keep for films and examples may be rung.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fiction {
    /// They reach nobody: the deployed stack.
    #[default]
    Refused,
    /// The sandboxes' callers have them: the local stack, in its code and by no setting.
    Rung,
}

impl Fiction {
    /// As the platform says.
    pub const fn rung_if(is_rung: bool) -> Self {
        if is_rung { Self::Rung } else { Self::Refused }
    }
}

/// Numbers that the library takes for ordinary ones and that are none, by how they begin after the calling code.
const NOT_KNOWN: [(&str, &[&str]); 3] = [
    // NANPA: area codes of no place (500 and its followers, 600, 622, 633, 700, 710) and premium ones (900).
    (
        "+1",
        &[
            "500", "521", "522", "523", "524", "525", "526", "527", "528", "529", "532", "533", "535", "538",
            "542", "543", "544", "545", "546", "547", "549", "550", "552", "553", "554", "556", "558", "566",
            "569", "577", "578", "588", "589", "600", "622", "633", "700", "710", "900",
        ],
    ),
    // Ofcom: corporate (55, 56) and personal numbers (70), pagers (76), shared cost (84, 87) and premium (9).
    ("+44", &["55", "56", "70", "76", "84", "87", "9"]),
    // ACMA: satellite (14), premium and shared cost (13, 18, 19), pagers (16), location independent (550).
    ("+61", &["13", "14", "16", "18", "19", "550"]),
];

/// The exchanges of +1 that no person has, in whatever area: service codes (N11), and the operators' own (555 with directory
/// enquiries, 950, 958, 959, 976). A `?` is any digit.
const NO_PERSONS: [&str; 13] = [
    "???211", "???311", "???411", "???511", "???611", "???711", "???811", "???911", "???555", "???950",
    "???958", "???959", "???976",
];

/// Ranges that the regulators keep for drama and examples (NANPA 555-0100 to 0199; Ofcom's and ACMA's lists).
const FICTION: [(Country, &str, &[&str]); 4] = [
    (Country::UnitedStates, "+1", &["???55501??"]),
    (Country::Canada, "+1", &["???55501??"]),
    (
        Country::UnitedKingdom,
        "+44",
        &[
            "7700900???",
            "2079460???",
            "1134960???",
            "1144960???",
            "1154960???",
            "1164960???",
            "1174960???",
            "1184960???",
            "1214960???",
            "1314960???",
            "1414960???",
            "1514960???",
            "1614960???",
            "1914980???",
            "1632960???",
            "2890180???",
            "2920180???",
        ],
    ),
    (
        Country::Australia,
        "+61",
        &[
            "25550????",
            "35550????",
            "75550????",
            "85550????",
            "27010????",
            "37010????",
            "77010????",
            "87010????",
            "491570006",
            "491570156",
            "491570157",
            "491570158",
            "491570159",
            "491570110",
        ],
    ),
];

/// Whether `number` may be rung where calls to `allowed` are allowed: it is a geographic or mobile number that one of these
/// countries' plans gives out. Neither a number that costs the caller more, or of no place, or of a satellite, nor one of
/// an island or territory with a plan of its own is (ITU-T E.164 gives several of them one calling code).
pub fn may_be_rung(number: &PhoneNumber, allowed: &[Country], fiction: Fiction) -> bool {
    let begins = |code: &str, beginnings: &[&str]| {
        let rest = number.as_str().strip_prefix(code);
        rest.is_some_and(|rest| beginnings.iter().any(|pattern| is_like(pattern, rest)))
    };
    if NOT_KNOWN.iter().any(|(code, beginnings)| begins(code, beginnings)) {
        return false;
    }
    let Ok(parsed) = phonenumber::parse(None, number.as_str()) else { return false };
    let country = parsed.country().id().and_then(country_of);
    if let Some(kept_by) = fictional(number) {
        // The areas of +1 are of many countries; the others' ranges are none that the library knows.
        let is_its = |kept_by: &Country| country.is_none_or(|country| country == *kept_by);
        let is_foreign = parsed.country().code() == 1 && country.is_none();
        let is_allowed = kept_by.iter().any(|kept_by| allowed.contains(kept_by) && is_its(kept_by));
        return fiction == Fiction::Rung && !is_foreign && is_allowed;
    }
    if begins("+1", &NO_PERSONS) {
        return false;
    }
    let is_ordinary =
        matches!(parsed.number_type(&DATABASE), Type::FixedLine | Type::Mobile | Type::FixedLineOrMobile);
    is_ordinary && parsed.is_valid() && country.is_some_and(|country| allowed.contains(&country))
}

/// Returns the country of a number that takes texts, or may: a mobile number of one of the countries that calls are sold to, or one of
/// the United States or Canada, whose plans do not tell a mobile from a landline. None for any other.
pub fn takes_texts(number: &PhoneNumber, fiction: Fiction) -> Option<Country> {
    let country = Country::ALL.into_iter().find(|country| may_be_rung(number, &[*country], fiction))?;
    let parsed = phonenumber::parse(None, number.as_str()).ok()?;
    let is_mobile = if fictional(number).is_some() {
        FICTIONAL_MOBILES.iter().any(|begins| number.as_str().starts_with(begins))
    } else {
        parsed.number_type(&DATABASE) == Type::Mobile
    };
    let tells_apart = matches!(country, Country::UnitedKingdom | Country::Australia);
    (is_mobile || !tells_apart).then_some(country)
}

/// How the fictional numbers begin that are mobile ones.
const FICTIONAL_MOBILES: [&str; 2] = ["+447700900", "+61491570"];

/// The countries that keep the number for drama and examples; none when it is no such number.
fn fictional(number: &PhoneNumber) -> Option<Vec<Country>> {
    let kept = FICTION.iter().filter(|(_, code, patterns)| {
        let rest = number.as_str().strip_prefix(code);
        rest.is_some_and(|rest| {
            patterns.iter().any(|pattern| pattern.len() == rest.len() && is_like(pattern, rest))
        })
    });
    let countries: Vec<Country> = kept.map(|(country, ..)| *country).collect();
    (!countries.is_empty()).then_some(countries)
}

/// Whether `digits` begin as `pattern` says; a `?` is any digit.
fn is_like(pattern: &str, digits: &str) -> bool {
    digits.len() >= pattern.len() && pattern.bytes().zip(digits.bytes()).all(|(p, d)| p == b'?' || p == d)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "calls to every other country are not sold")]
fn country_of(id: Id) -> Option<Country> {
    match id {
        Id::US => Some(Country::UnitedStates),
        Id::CA => Some(Country::Canada),
        Id::GB => Some(Country::UnitedKingdom),
        Id::AU => Some(Country::Australia),
        _ => None,
    }
}
