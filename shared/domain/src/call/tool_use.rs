//! What the assistant did on a call: each use of a tool, by our own record of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    personal::{Personal, Words},
    time::whole_millis,
};

/// The longest name of a tool that is kept, in characters: ours are far shorter, and a message may name any.
const LONGEST_NAME: usize = 64;
/// The longest arguments that are kept, in characters of JSON.
const LONGEST_ARGUMENTS: usize = 2_000;
/// What is kept of an answer that begins with no word of what was done.
const ANSWERED: &str = "ANSWERED";

/// One use of a tool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolUse {
    /// The name of its function.
    pub tool: String,
    /// When it was used.
    #[serde(with = "crate::time::millis")]
    pub at: Timestamp,
    /// How long the answer took, in milliseconds.
    pub millis: u32,
    /// How the answer began: `BOOKED`, `NOT BOOKED`, `FREE`; `ANSWERED` where it began with no such word.
    pub outcome: String,
    /// What the model gave it, as JSON; absent when it gave nothing. It is cut where it is longer than 2,000 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Personal<String, Words>>,
}

impl ToolUse {
    /// Returns the use of `tool` with `arguments` (JSON, or empty), which was answered with `answer` from `at` until `answered_at`.
    pub fn of(tool: &str, arguments: &str, answer: &str, at: Timestamp, answered_at: Timestamp) -> Self {
        let cut = |text: &str, longest| text.chars().take(longest).collect::<String>();
        Self {
            tool: cut(tool, LONGEST_NAME),
            at: whole_millis(at),
            millis: u32::try_from(answered_at.duration_since(at).as_millis()).unwrap_or_default(),
            outcome: outcome(answer),
            arguments: (!arguments.is_empty()).then(|| Personal::new(cut(arguments, LONGEST_ARGUMENTS))),
        }
    }
}

/// The words in capitals that an answer begins with: what became of it, and no word of what was said.
fn outcome(answer: &str) -> String {
    let (head, _) = answer.split_once(['.', ':', ',']).unwrap_or((answer, ""));
    let is_of_it = |word: &&str| word.len() > 1 && word.bytes().all(|c| c.is_ascii_uppercase());
    let words: Vec<_> = head.split(' ').take_while(is_of_it).take(4).collect();
    if words.is_empty() { ANSWERED.to_owned() } else { words.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_known_by_the_words_it_begins_with() {
        let cases = [
            ("BOOKED. Check-up on Tuesday", "BOOKED"),
            ("NOT BOOKED. That time was just taken.", "NOT BOOKED"),
            ("HELD for two minutes. Check-up", "HELD"),
            ("FREE for Check-up. A: Tuesday", "FREE"),
            ("This tool is not available.", "ANSWERED"),
            ("A: Tuesday", "ANSWERED"),
            ("I AM LATE, TELL ADA LOVELACE", "ANSWERED"),
            ("", "ANSWERED"),
        ];
        for (answer, expected) in cases {
            assert_eq!(outcome(answer), expected, "{answer}");
        }
    }

    #[test]
    fn whatever_a_model_gives_is_kept_short() {
        let at: Timestamp = "2026-12-01T12:00:00Z".parse().unwrap();
        let later = at + jiff::SignedDuration::from_millis(40);
        let kept = ToolUse::of(&"é".repeat(500), &"é".repeat(50_000), "BOOKED", at, later);
        let arguments = kept.arguments.unwrap().reveal().chars().count();
        assert_eq!((kept.tool.chars().count(), arguments, kept.millis), (64, 2_000, 40));
        // A clock that was set back in between.
        let nothing = ToolUse::of("takeMessage", "", "NOTED", later, at);
        assert_eq!((nothing.arguments, nothing.millis), (None, 0));
    }
}
