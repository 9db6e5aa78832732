//! Finding a contact by what a person types: the beginning of a name, a number, or the beginning of an address.

use icu_normalizer::DecomposingNormalizerBorrowed;

use super::Contact;
use crate::{personal::Personal, phone_number::TypedNumber};

/// What a person types to find a contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// In small letters.
    text: String,
    /// The words of it, spelled as all their spellings are; none of an address.
    words: Vec<String>,
    number: Option<TypedNumber>,
}

impl Search {
    /// Takes what was typed; none where it is nothing.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_lowercase();
        let words = if text.contains('@') { Vec::new() } else { words(&folded(&text)) };
        (!text.is_empty()).then(|| Self { number: TypedNumber::parse(&text), words, text })
    }

    /// Returns whether a contact is looked for: each word that was typed begins a word of the name, or the number is so, or the address
    /// begins so.
    pub fn finds(&self, contact: &Contact) -> bool {
        let is_numbers = || {
            let number = contact.phone_number.as_ref().map(Personal::reveal);
            self.number.as_ref().zip(number).is_some_and(|(typed, number)| typed.is_in(number))
        };
        let is_address = || {
            contact.email.as_ref().is_some_and(|email| email.reveal().to_lowercase().starts_with(&self.text))
        };
        self.is_named(contact.name.reveal()) || is_numbers() || is_address()
    }

    fn is_named(&self, name: &str) -> bool {
        if self.words.is_empty() {
            return false;
        }
        let name = folded(name);
        // O'Brien is found by "obr" and by "bri".
        let mut of_name = words(&name);
        of_name.extend(name.split(|c: char| !c.is_alphanumeric()).map(str::to_owned));
        self.words.iter().all(|typed| of_name.iter().any(|word| word.starts_with(typed.as_str())))
    }
}

/// The words of a text that is folded; an apostrophe parts none.
fn words(folded: &str) -> Vec<String> {
    let joined: String = folded.chars().filter(|c| !matches!(c, '\'' | '’' | '‘' | 'ʼ' | '`')).collect();
    let words = joined.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// The one spelling of a text that all share which differ in capitals and accents.
fn folded(text: &str) -> String {
    let small = text.to_lowercase();
    let apart = DecomposingNormalizerBorrowed::new_nfd().normalize(&small);
    let mut folded = String::new();
    for c in apart.chars().filter(|c| !is_accent(*c)) {
        match plain(c) {
            Some(letters) => folded.push_str(letters),
            None => folded.push(c),
        }
    }
    folded
}

/// Whether it is a mark on the letter before it (Unicode's blocks of combining diacritical marks).
const fn is_accent(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// What is typed for a letter by who does not have it on the keyboard, where Unicode does not take it apart.
const fn plain(letter: char) -> Option<&'static str> {
    Some(match letter {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'ħ' => "h",
        'ı' => "i",
        'þ' => "th",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{
        booking::appointment::{Patient, PatientName},
        email::EmailAddress,
        ids::{ContactId, OrgId},
        phone_number::PhoneNumber,
    };

    fn contact(name: &str, number: Option<&str>, email: Option<&str>) -> Contact {
        let patient = Patient {
            name: PatientName::parse(name).unwrap(),
            phone_number: number.map(|number| Personal::new(PhoneNumber::parse(number).unwrap())),
            email: email.map(|email| EmailAddress::parse(email).unwrap()),
            may_text: None,
        };
        let id = ContactId::parse("c1").unwrap();
        Contact::of(OrgId::new(uuid::Uuid::nil()), id, &patient, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_name_is_found_by_the_beginning_of_any_of_its_words_however_it_is_spelled() {
        let cases = [
            (
                "Ada Lovelace",
                vec!["ada", "ADA", "lov", "love ad", " Ada  Lovelace ", "a"],
                vec!["da", "ada b", "lace"],
            ),
            (
                "Zoë Müller-Strauß",
                vec!["zoe", "ZOË", "muller", "mü", "strauss", "strauß", "zoe s"],
                vec!["mueller"],
            ),
            ("Zoe\u{308} Núñez", vec!["zoe", "zoë", "nun", "nuñez"], vec!["oe"]),
            ("Łukasz Ørsted", vec!["lukasz", "łu", "orsted"], vec!["sted"]),
            (
                "Siobhán O’Brien",
                vec!["siobhan", "obrien", "o'brien", "brien", "o brien", "O’B"],
                vec!["rien"],
            ),
            ("Nguyễn Thị Ánh", vec!["nguyen", "thi anh", "ánh"], vec!["hi"]),
            ("محمد علي", vec!["محمد", "عل"], vec!["حمد"]),
        ];
        for (name, found, not_found) in cases {
            let contact = contact(name, None, None);
            for (texts, is_found) in [(found, true), (not_found, false)] {
                for text in texts {
                    assert_eq!(Search::parse(text).unwrap().finds(&contact), is_found, "{text} in {name}");
                }
            }
        }
    }

    #[test]
    fn a_contact_is_found_by_number_and_by_the_beginning_of_the_address() {
        let ada = contact("Ada Lovelace", Some("+447700900123"), Some("Countess@Example.com"));
        for (text, is_found) in [
            ("07700 900123", true),
            ("+447700", true),
            ("900123", true),
            ("07700900124", false),
            ("countess", true),
            ("COUNTESS@ex", true),
            ("example", false),
            ("ada@", false),
            ("...", false),
            ("?", false),
        ] {
            assert_eq!(Search::parse(text).unwrap().finds(&ada), is_found, "{text}");
        }
        assert_eq!((Search::parse(""), Search::parse("  ")), (None, None));
        let nobody = contact("Ida Noddack", None, None);
        assert!(!Search::parse("0770").unwrap().finds(&nobody));
    }
}
