use domain::{
    number::Country::{self, Australia, Canada, UnitedKingdom, UnitedStates},
    phone_number::PhoneNumber,
};

use super::{Fiction, may_be_rung, takes_texts};

/// Ordinary numbers, each of one country.
const ORDINARY: [(&str, Country); 20] = [
    ("+12125867000", UnitedStates),
    ("+14153334444", UnitedStates),
    ("+13106342345", UnitedStates),
    ("+19078620000", UnitedStates),
    ("+18085862211", UnitedStates),
    ("+16046611000", Canada),
    ("+14163922489", Canada),
    ("+15148720311", Canada),
    ("+442071838750", UnitedKingdom),
    ("+441214960000", UnitedKingdom),
    ("+441312002323", UnitedKingdom),
    ("+442890321532", UnitedKingdom),
    ("+447500123456", UnitedKingdom),
    ("+447400123456", UnitedKingdom),
    ("+441792302302", UnitedKingdom),
    ("+61292644000", Australia),
    ("+61396589658", Australia),
    ("+61862103000", Australia),
    ("+61412345678", Australia),
    ("+61478901234", Australia),
];

/// What must never be rung, and what each is.
const REFUSED: [(&str, &str); 49] = [
    ("+881612345678", "a satellite of Globalstar's"),
    ("+870773123456", "a satellite of Inmarsat's"),
    ("+882161234567", "an international network"),
    ("+883510001234", "an international network"),
    ("+979123456789", "an international premium number"),
    ("+80012345678", "an international freephone number"),
    ("+808123456789", "an international shared cost number"),
    ("+18765550100", "Jamaica"),
    ("+18094720000", "the Dominican Republic"),
    ("+18492200000", "the Dominican Republic"),
    ("+12424561000", "the Bahamas"),
    ("+14412951234", "Bermuda"),
    ("+13459491234", "the Cayman Islands"),
    ("+17587581234", "Saint Lucia"),
    ("+12844941234", "the British Virgin Islands"),
    ("+16644911234", "Montserrat"),
    ("+19002345678", "premium"),
    ("+19005550100", "premium, and in a film"),
    ("+19765551234", "an area code that is none"),
    ("+12129761234", "a premium exchange"),
    ("+12125551212", "directory enquiries"),
    ("+14159111234", "a service code"),
    ("+14154111234", "a service code"),
    ("+15002345678", "a personal number"),
    ("+15332345678", "a personal number"),
    ("+17002345678", "a carrier's own"),
    ("+17102345678", "the government's"),
    ("+16002345678", "Canada's special services"),
    ("+14151234567", "no exchange"),
    ("+1415555010", "too short"),
    ("+449098790123", "premium"),
    ("+449001234567", "premium"),
    ("+447012345678", "personal"),
    ("+447640123456", "a pager"),
    ("+448712345678", "shared cost"),
    ("+448451234567", "shared cost"),
    ("+445511234567", "corporate"),
    ("+445612345678", "internet telephony"),
    ("+443001234567", "of no place"),
    ("+441534711711", "Jersey"),
    ("+441481711711", "Guernsey"),
    ("+441624681681", "the Isle of Man"),
    ("+447797712345", "a mobile number of Jersey"),
    ("+44118", "directory enquiries"),
    ("+61190012345", "premium"),
    ("+611300123456", "shared cost"),
    ("+61147123456", "a satellite"),
    ("+61550123456", "of no place"),
    ("+43720123456", "a country that is not allowed"),
];

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text).unwrap()
}

#[test]
fn ordinary_numbers_of_an_allowed_country_are_rung_and_of_no_other() {
    for (text, country) in ORDINARY {
        let fiction = if text.contains("4960000") { Fiction::Rung } else { Fiction::Refused };
        assert!(may_be_rung(&number(text), &[country], fiction), "{text}");
        let others: Vec<Country> = Country::ALL.into_iter().filter(|other| *other != country).collect();
        assert!(!may_be_rung(&number(text), &others, fiction), "{text}");
    }
}

#[test]
fn what_earns_its_owner_money_or_is_of_no_place_or_of_another_is_never_rung() {
    for (text, what) in REFUSED {
        for fiction in [Fiction::Refused, Fiction::Rung] {
            let is_rung =
                PhoneNumber::parse(text).is_ok_and(|number| may_be_rung(&number, &Country::ALL, fiction));
            assert!(!is_rung, "{text}, {what}");
        }
    }
}

#[test]
fn what_the_regulators_keep_for_films_reaches_nobody_and_is_rung_by_the_local_stack_alone() {
    for (text, country) in [
        ("+447700900123", UnitedKingdom),
        ("+442079460999", UnitedKingdom),
        ("+14155550100", UnitedStates),
        ("+16045550199", Canada),
        ("+61491570156", Australia),
        ("+61255501234", Australia),
    ] {
        assert!(!may_be_rung(&number(text), &Country::ALL, Fiction::Refused), "{text}");
        assert!(may_be_rung(&number(text), &[country], Fiction::Rung), "{text}");
        let others: Vec<Country> = Country::ALL.into_iter().filter(|other| *other != country).collect();
        assert!(!may_be_rung(&number(text), &others, Fiction::Rung), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn no_number_of_another_country_is_rung(digits in "[2-9][0-9]{6,13}") {
        let is_ours = ["44", "61"].iter().any(|code| digits.starts_with(code));
        proptest::prop_assume!(!is_ours);
        let number = number(&format!("+{digits}"));
        proptest::prop_assert!(!may_be_rung(&number, &Country::ALL, Fiction::Rung));
    }
}

#[test]
fn a_text_goes_to_a_mobile_and_to_what_may_be_one() {
    let country = |number: &str, fiction| takes_texts(&PhoneNumber::parse(number).unwrap(), fiction);
    for (number, expected) in [
        ("+447500123456", Some(UnitedKingdom)),
        ("+442071838750", None),
        ("+61412345678", Some(Australia)),
        ("+61292644000", None),
        ("+12125867000", Some(UnitedStates)),
        ("+16046611000", Some(Canada)),
        ("+18765550100", None),
        ("+33612345678", None),
    ] {
        assert_eq!(country(number, Fiction::Refused), expected, "{number}");
    }
    for (number, expected) in [
        ("+447700900101", Some(UnitedKingdom)),
        ("+442079460101", None),
        ("+61491570156", Some(Australia)),
        ("+12125550101", Some(UnitedStates)),
    ] {
        assert_eq!(country(number, Fiction::Rung), expected, "{number}");
        assert_eq!(country(number, Fiction::Refused), None, "{number}: it reaches nobody");
    }
}
