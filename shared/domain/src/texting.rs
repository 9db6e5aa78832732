//! Text messages: who may be sent one and from whom, how many segments it takes, and what it costs.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    amount::Amount,
    ids::{AccountSid, MessageId},
    number::Country,
    personal::{Number, Personal},
    phone_number::PhoneNumber,
};

/// The characters of the GSM 7 bit default alphabet (3GPP TS 23.038, section 6.2.1), each one septet.
const GSM: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿\
                   abcdefghijklmnopqrstuvwxyzäöñüà";
/// The characters of its extension table (section 6.2.1.1), each an escape and one septet.
const GSM_EXTENSION: &str = "\u{c}^{}\\[~]|€";
/// How many units one segment holds, and how many each of several: the others say which part it is.
const GSM_SEGMENT: (usize, usize) = (160, 153);
/// The same for UCS-2, in code units of UTF-16.
const UCS2_SEGMENT: (usize, usize) = (70, 67);

/// Returns how many segments the carriers make of a text: in GSM 7 bit if every character is in it, else in UCS-2. A character that
/// takes two units is never cut in two, so a segment may end one short.
pub fn segments(text: &str) -> u32 {
    let septets = text.chars().map(|c| match () {
        () if GSM.contains(c) => Some(1),
        () if GSM_EXTENSION.contains(c) => Some(2),
        () => None,
    });
    let (units, (alone, each)): (Vec<usize>, _) = match septets.collect() {
        Some(septets) => (septets, GSM_SEGMENT),
        None => (text.chars().map(char::len_utf16).collect(), UCS2_SEGMENT),
    };
    if units.iter().sum::<usize>() <= alone {
        return u32::from(!units.is_empty());
    }
    let (segments, _) = units.into_iter().fold((1_u32, 0_usize), |(segments, filled), unit| {
        let filled = filled.saturating_add(unit);
        if filled > each { (segments.saturating_add(1), unit) } else { (segments, filled) }
    });
    segments
}

/// Returns what a text of so many segments costs to a number of `country`: 8p a segment to the United Kingdom and Australia, 4p to
/// the United States and Canada, VAT apart. This is version 1 of the price list of texts, since ever; a text keeps what was paid.
pub fn price(country: Country, segments: u32) -> Amount {
    let each: u32 = match country {
        Country::UnitedKingdom | Country::Australia => 8,
        Country::UnitedStates | Country::Canada => 4,
    };
    Amount::from_pence(each.saturating_mul(segments))
}

/// The longest name of a sender: what the carriers show (twilio.com/docs/glossary/what-alphanumeric-sender-id).
const LONGEST_SENDER: usize = 11;

/// The name that a phone shows instead of a number: up to 11 letters, figures and spaces, with one letter at least. Nobody can
/// answer to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SenderName(String);

/// Why a text is no sender's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a sender's name is at most {LONGEST_SENDER} letters, figures and spaces of A to Z, with one letter at least"
)]
pub struct NotASender;

impl SenderName {
    /// Takes a name as a person writes it.
    ///
    /// # Errors
    /// [`NotASender`] when the carriers would not show it.
    pub fn parse(text: &str) -> Result<Self, NotASender> {
        let name = text.trim();
        let is_name = (1..=LONGEST_SENDER).contains(&name.chars().count())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == ' ')
            && name.chars().any(|c| c.is_ascii_alphabetic());
        if is_name { Ok(Self(name.to_owned())) } else { Err(NotASender) }
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SenderName {
    type Error = NotASender;

    fn try_from(name: String) -> Result<Self, NotASender> {
        Self::parse(&name)
    }
}

impl From<SenderName> for String {
    fn from(name: SenderName) -> Self {
        name.0
    }
}

/// The number from which an org's texts could come, and whose account it lies in.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The number.
    pub number: &'a PhoneNumber,
    /// Whether the account is the org's own, in which the org has registered what its country asks for.
    pub is_own_account: bool,
}

/// From whom a text comes, and what a segment of it costs the clinic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The name or the number, as the carrier takes it.
    pub from: String,
    /// Whether it goes through the clinic's own account, whose bill is the clinic's: we charge nothing for it.
    pub is_own_account: bool,
}

/// Returns from whom a clinic's texts to a country come; none where it may send none there, and mail has to do.
///
/// To the United Kingdom a name may send. Elsewhere the regulators want the sender registered first (10DLC in the United States and
/// Canada, the Sender ID Register in Australia), which the clinic has done only for a number of its own account, to where that number's calling code leads.
pub fn sender(name: Option<&SenderName>, line: Line<'_>, country: Country) -> Option<Sender> {
    let is_own_account = line.is_own_account;
    match (country, name) {
        (Country::UnitedKingdom, Some(name)) => {
            Some(Sender { from: name.as_str().to_owned(), is_own_account })
        }
        _ if is_own_account && line.number.as_str().starts_with(country.calling_code()) => {
            Some(Sender { from: line.number.as_str().to_owned(), is_own_account })
        }
        _ => None,
    }
}

/// Returns whether a patient who last said `said` of texts may be sent one in a country: who said no is not, and to the United States
/// and Canada only who said yes is (47 CFR 64.1200; CRTC's unsolicited telecommunications rules).
pub fn may_be_texted(said: Option<bool>, country: Country) -> bool {
    match country {
        Country::UnitedStates | Country::Canada => said == Some(true),
        Country::UnitedKingdom | Country::Australia => said != Some(false),
    }
}

/// What ends each text, and tells it from every other of the same sender to the same number: so it is found among what the carrier
/// has, which knows no key of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark(String);

impl Mark {
    /// Returns the mark of a message.
    pub fn of(message: &MessageId) -> Self {
        let digest: String = hex::encode_upper(Sha256::digest(message.as_str())).chars().take(8).collect();
        Self(format!("Ref {digest}"))
    }

    /// Returns whether a text that the carrier has is the one of this mark.
    pub fn ends(&self, body: &str) -> bool {
        body.trim_end().ends_with(&self.0)
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a message by text keeps of how it went, so that it can be looked for and its price given back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Text {
    /// To which number.
    pub to: Personal<PhoneNumber, Number>,
    /// From whom.
    pub from: String,
    /// Through which account.
    pub account_sid: AccountSid,
    /// How many segments it takes.
    pub segments: u32,
    /// What was paid for it; nothing through the clinic's own account.
    pub price: Amount,
    /// Which try of sending it has it in hand: who began it knows it by this, although the answer to the claim was lost.
    pub attempt: MessageId,
}

impl Text {
    /// Returns whether the two are one text, whoever has it in hand: to the same number, from the same sender, for the same price.
    pub fn is_same(&self, other: &Self) -> bool {
        *self == Self { attempt: self.attempt.clone(), ..other.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_takes_the_segments_that_the_carriers_count() {
        let table = [
            (String::new(), 0),
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(306), 2),
            ("a".repeat(307), 3),
            // The euro takes two septets, and is not cut: 152 and an escape do not share a segment.
            (format!("{}€", "a".repeat(158)), 1),
            (format!("{}€", "a".repeat(159)), 2),
            (format!("{}€{}", "a".repeat(152), "a".repeat(152)), 3),
            // One character outside of GSM makes all of it UCS-2.
            ("ê".repeat(70), 1),
            (format!("{}ê", "a".repeat(69)), 1),
            (format!("{}ê", "a".repeat(70)), 2),
            ("ê".repeat(134), 2),
            ("ê".repeat(135), 3),
            // An emoji is two units of UTF-16.
            ("🦷".repeat(35), 1),
            ("🦷".repeat(36), 2),
            ("🦷".repeat(66), 2),
            ("🦷".repeat(67), 3),
        ];
        for (text, expected) in table {
            assert_eq!(segments(&text), expected, "{} characters: {text:.12}", text.chars().count());
        }
    }

    proptest! {
        #[test]
        fn a_longer_text_never_takes_less(text in "\\PC{0,400}", more in "\\PC{1,3}") {
            let longer = [text.as_str(), &more].concat();
            prop_assert!(segments(&longer) >= segments(&text));
        }
    }

    #[test]
    fn the_price_is_by_segment_and_country() {
        let pence = |country, segments| price(country, segments).pence();
        assert_eq!((pence(Country::UnitedKingdom, 1), pence(Country::Australia, 3)), (8, 24));
        assert_eq!((pence(Country::UnitedStates, 2), pence(Country::Canada, 1)), (8, 4));
        assert_eq!(pence(Country::UnitedKingdom, 0), 0);
    }

    #[test]
    fn a_sender_is_a_short_name_with_a_letter() {
        assert_eq!(SenderName::parse(" Hill Street ").unwrap().as_str(), "Hill Street");
        for bad in ["", "   ", "12345", "Hill Street!", "Hill Street Dental", "Zahnärzte", "Hill\nStreet"] {
            assert_eq!(SenderName::parse(bad), Err(NotASender), "{bad:?}");
        }
    }

    #[test]
    fn a_name_sends_to_the_united_kingdom_and_a_number_of_the_clinics_own_to_its_country() {
        let name = SenderName::parse("Hill Street").unwrap();
        let number = |text: &str| PhoneNumber::parse(text).unwrap();
        let (london, austin) = (number("+442071838750"), number("+15125550100"));
        let ours = |number| Line { number, is_own_account: false };
        let own = |number| Line { number, is_own_account: true };
        let from = |sender: Option<Sender>| sender.map(|sender| sender.from);
        let (gb, us, au) = (Country::UnitedKingdom, Country::UnitedStates, Country::Australia);
        assert_eq!(from(sender(Some(&name), ours(&london), gb)), Some("Hill Street".into()));
        assert_eq!(from(sender(None, ours(&london), gb)), None, "the clinic has not said a name");
        assert_eq!(from(sender(Some(&name), ours(&austin), us)), None, "no campaign is registered");
        assert_eq!(from(sender(Some(&name), ours(&london), au)), None);
        assert_eq!(from(sender(Some(&name), own(&austin), us)), Some("+15125550100".into()));
        assert_eq!(
            from(sender(Some(&name), own(&austin), Country::Canada)),
            Some("+15125550100".into()),
            "+1 is one plan"
        );
        assert_eq!(from(sender(None, own(&london), us)), None, "a number of another country");
    }

    #[test]
    fn who_said_no_is_not_texted_and_across_the_atlantic_only_who_said_yes() {
        let allowed = |said| Country::ALL.map(|country| may_be_texted(said, country));
        // The United States, the United Kingdom, Canada, Australia.
        assert_eq!(allowed(Some(true)), [true; 4]);
        assert_eq!(allowed(None), [false, true, false, true]);
        assert_eq!(allowed(Some(false)), [false; 4]);
    }
}
