//! Who wants no more texts of a clinic's. A patient says so by a word that the carriers know, in a text to the clinic, or the carrier
//! says it when it refuses a text. It counts for every text of the clinic's to that number, whichever sender it has.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    ids::OrgId,
    notification::Notification,
    personal::{Number, Personal, Words},
    phone_number::PhoneNumber,
    time::whole_millis,
};

/// The words by which a number is opted out at the carrier, in any capitals
/// (help.twilio.com, "Twilio support for opt-out keywords (SMS STOP filtering)"). No text of ours asks for one of them.
pub const STOP_WORDS: [&str; 8] =
    ["STOP", "STOPALL", "UNSUBSCRIBE", "END", "QUIT", "REVOKE", "OPTOUT", "CANCEL"];
/// The words that take it back.
pub const START_WORDS: [&str; 3] = ["START", "YES", "UNSTOP"];
/// How much of a text that came a clinic is shown, in characters.
const MOST_SHOWN: usize = 1_000;

/// What a text that came from a patient means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// No more texts.
    Stop,
    /// Texts may come again.
    Start,
    /// It is for a person to read.
    Words,
}

impl Reply {
    /// Reads a text as the carriers do: a word counts only where it is all that was written.
    pub fn of(body: &str) -> Self {
        let word = body.trim().to_uppercase();
        if STOP_WORDS.contains(&word.as_str()) {
            Self::Stop
        } else if START_WORDS.contains(&word.as_str()) {
            Self::Start
        } else {
            Self::Words
        }
    }
}

/// Whether a number wants texts of a clinic's, as it last said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptOut {
    /// The clinic's org.
    pub org_id: OrgId,
    /// Whose number.
    pub phone_number: Personal<PhoneNumber, Number>,
    /// Whether it wants none.
    pub is_stopped: bool,
    /// When it said so, or when the text was begun that the carrier refused.
    #[serde(with = "crate::time::millis")]
    pub at: Timestamp,
}

impl OptOut {
    /// Returns that a number wants none, or some again.
    pub fn said(
        org_id: OrgId,
        phone_number: Personal<PhoneNumber, Number>,
        is_stopped: bool,
        at: Timestamp,
    ) -> Self {
        Self { org_id, phone_number, is_stopped, at: whole_millis(at) }
    }
}

/// A text that came to a clinic, as the store holds it: once, however often the carrier brings it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// The clinic's org.
    pub org_id: OrgId,
    /// How the carrier calls it (`SM…`).
    pub vendor_id: String,
    /// Who sent it.
    pub from: Personal<PhoneNumber, Number>,
    /// To which number of the clinic's.
    pub to: PhoneNumber,
    /// What it says, cut where it is very long.
    pub text: Personal<String, Words>,
    /// When it came.
    #[serde(with = "crate::time::millis")]
    pub at: Timestamp,
}

impl Received {
    /// Returns a text that came at `at`.
    pub fn new(
        (org_id, vendor_id): (OrgId, String),
        (from, to): (Personal<PhoneNumber, Number>, PhoneNumber),
        body: &str,
        at: Timestamp,
    ) -> Self {
        let text = Personal::new(body.chars().take(MOST_SHOWN).collect());
        Self { org_id, vendor_id, from, to, text, at: whole_millis(at) }
    }

    /// Returns what follows of it, where its number stands so with the clinic: what is noted of the number, and what the clinic is
    /// told. A word that changes nothing is for a person, as everything else that was written: "yes" may answer a question.
    pub fn meaning(&self, there: Option<&OptOut>) -> (Option<OptOut>, Option<Notification>) {
        let is_stopped = there.is_some_and(|there| there.is_stopped);
        let says = |is_stopped| OptOut::said(self.org_id, self.from.clone(), is_stopped, self.at);
        match Reply::of(self.text.reveal()) {
            Reply::Stop => (Some(says(true)), None),
            Reply::Start if is_stopped => (Some(says(false)), None),
            Reply::Start | Reply::Words => (None, Some(Notification::of_text(self))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notification::Kind;

    fn text(body: &str) -> Received {
        let from = Personal::new(PhoneNumber::parse("+447700900101").unwrap());
        let to = PhoneNumber::parse("+447700900200").unwrap();
        let org = OrgId::new(uuid::Uuid::from_u128(0xb));
        Received::new((org, "SM1".to_owned()), (from, to), body, "2026-01-05T09:00:00Z".parse().unwrap())
    }

    #[test]
    fn each_word_of_the_carriers_counts_in_any_capitals_and_only_alone() {
        for word in STOP_WORDS {
            for said in [word.to_owned(), word.to_lowercase(), format!("  {}\n", word.to_lowercase())] {
                assert_eq!(Reply::of(&said), Reply::Stop, "{said:?}");
            }
            for said in [format!("{word} it"), format!("don't {word}"), format!("{word}."), String::new()] {
                assert_eq!(Reply::of(&said), Reply::Words, "{said:?}");
            }
        }
        for word in START_WORDS {
            assert_eq!(Reply::of(&word.to_lowercase()), Reply::Start);
        }
    }

    #[test]
    fn who_says_stop_is_stopped_and_start_takes_it_back_and_the_rest_is_for_a_person() {
        let (stopped, told) = text("Stop").meaning(None);
        assert!(told.is_none() && stopped.as_ref().is_some_and(|stopped| stopped.is_stopped));
        let (started, told) = text("START").meaning(stopped.as_ref());
        assert!(told.is_none() && started.as_ref().is_some_and(|started| !started.is_stopped));
        for (body, there) in
            [("yes", None), ("yes", started.as_ref()), ("Can I come at 3?", stopped.as_ref())]
        {
            let (noted, told) = text(body).meaning(there);
            let told = told.unwrap();
            assert_eq!((noted, told.kind), (None, Kind::MessageTaken), "{body}");
            assert!(told.text.reveal().contains(body), "{told:?}");
        }
        assert!(text(&"x".repeat(5_000)).text.reveal().len() == MOST_SHOWN);
    }
}
