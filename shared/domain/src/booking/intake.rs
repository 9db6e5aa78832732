//! What a clinic wants to know before a patient comes: up to eight questions a service, and what was answered. No answer keeps anybody
//! from booking: one that does not fit its question is left out.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::catalog::Flaw;
use crate::personal::{Personal, Words, plain};

/// The most questions of a service.
pub const MOST_QUESTIONS: usize = 8;
/// The most choices of a question.
const MOST_CHOICES: usize = 8;
/// The longest question, in characters.
const LONGEST_QUESTION: usize = 150;
/// The longest choice, in characters.
const LONGEST_CHOICE: usize = 40;
/// The longest answer, in characters. A longer one is cut.
const LONGEST_ANSWER: usize = 300;

/// A question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// What is asked, as it is said.
    pub ask: String,
    /// What can be answered.
    #[serde(default)]
    pub kind: Kind,
    /// The answers to choose from, where it is a choice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
}

/// What can be answered to a question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Anything.
    #[default]
    Text,
    /// Yes or no.
    YesNo,
    /// One of the choices.
    Choice,
}

/// A question that was answered, as it was asked then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Answered {
    /// The question.
    pub question: String,
    /// The answer.
    #[schema(value_type = String)]
    pub answer: Personal<String, Words>,
}

/// Takes questions as a person writes them.
///
/// # Errors
/// A sentence that says which value is not usable.
pub fn checked(questions: Vec<Question>) -> Result<Vec<Question>, Flaw> {
    if questions.len() > MOST_QUESTIONS {
        return Err(Flaw(format!("intake has at most {MOST_QUESTIONS} questions.")));
    }
    questions.into_iter().map(Question::checked).collect()
}

impl Question {
    fn checked(self) -> Result<Self, Flaw> {
        let is_line = |text: &str, longest: usize| {
            (1..=longest).contains(&text.chars().count()) && !text.contains(['{', '}'])
        };
        let ask = plain(&self.ask);
        if !is_line(&ask, LONGEST_QUESTION) {
            return Err(Flaw(format!(
                "intake: a question is a line of 1 to {LONGEST_QUESTION} characters, without braces."
            )));
        }
        let choices: Vec<String> = self.choices.iter().map(|choice| plain(choice)).collect();
        let is_choice = self.kind == Kind::Choice;
        let are_usable = (2..=MOST_CHOICES).contains(&choices.len())
            && choices.iter().all(|choice| is_line(choice, LONGEST_CHOICE));
        if is_choice && !are_usable || !is_choice && !choices.is_empty() {
            return Err(Flaw(format!(
                "intake: a question of the kind choice has choices, 2 to {MOST_CHOICES} of at most {LONGEST_CHOICE} characters, and no \
                 other has any."
            )));
        }
        Ok(Self { ask, choices, ..self })
    }

    /// What of an answer fits; none where nothing does.
    fn fitting(&self, said: &str) -> Option<String> {
        let said = plain(said);
        let small = said.to_lowercase();
        let word = small.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
        match self.kind {
            Kind::Text => {
                Some(said.chars().take(LONGEST_ANSWER).collect()).filter(|said: &String| !said.is_empty())
            }
            Kind::YesNo => match word {
                "yes" | "y" | "true" | "yeah" | "yep" => Some("yes".to_owned()),
                "no" | "n" | "false" | "nope" | "not" => Some("no".to_owned()),
                _ => None,
            },
            Kind::Choice => {
                let is_same = |choice: &&String| choice.to_lowercase() == small;
                let has_it = |choice: &&String| small.contains(&choice.to_lowercase());
                let mut within = self.choices.iter().filter(has_it);
                let only = within.next().filter(|_| within.next().is_none());
                self.choices.iter().find(is_same).or(only).cloned()
            }
        }
    }
}

/// Returns the questions as a receptionist is told to ask them: "1) Are you in pain? (yes or no)"; none where there is none.
pub fn to_ask(questions: &[Question]) -> Option<String> {
    let asked = questions.iter().zip(1_u8..).map(|(question, nth)| {
        let kind = match question.kind {
            Kind::Text => String::new(),
            Kind::YesNo => " (yes or no)".to_owned(),
            Kind::Choice => format!(" ({})", question.choices.join(", ")),
        };
        format!("{nth}) {}{kind}", question.ask)
    });
    Some(asked.collect::<Vec<_>>().join(" ")).filter(|asked| !asked.is_empty())
}

/// Returns what was answered, of what a model says was: `1: yes; 2: since Monday`. What names no question of the service, or does not fit
/// it, is left out; of two answers to one question the last stands.
pub fn answered(questions: &[Question], said: &str) -> Vec<Answered> {
    let mut answers: Vec<(usize, Answered)> = Vec::new();
    for part in said.split([';', '\n']) {
        let part = part.trim();
        let digits = part.chars().take_while(char::is_ascii_digit).count();
        let (nth, rest) = part.split_at(digits);
        let Some(place) = nth.parse::<usize>().ok().and_then(|nth| nth.checked_sub(1)) else { continue };
        let Some(question) = questions.get(place) else { continue };
        let rest = rest.trim_start_matches([':', ')', '.', ' ', '-', '=']);
        let Some(answer) = question.fitting(rest) else { continue };
        answers.retain(|(there, _)| *there != place);
        let answer = Answered { question: question.ask.clone(), answer: Personal::new(answer) };
        answers.push((place, answer));
    }
    answers.sort_by_key(|(place, _)| *place);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// Returns what is known of a person after some more answers: the last to each question, at most twice as many as a service may ask.
pub fn learned(known: &[Answered], more: &[Answered]) -> Vec<Answered> {
    let is_old = |answer: &&Answered| !more.iter().any(|newer| newer.question == answer.question);
    let mut all: Vec<Answered> = known.iter().filter(is_old).chain(more).cloned().collect();
    let most = MOST_QUESTIONS.saturating_mul(2);
    all.drain(..all.len().saturating_sub(most));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(ask: &str, kind: Kind, choices: &[&str]) -> Question {
        Question {
            ask: ask.into(),
            kind,
            choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
        }
    }

    fn questions() -> Vec<Question> {
        vec![
            question("Are you in pain?", Kind::YesNo, &[]),
            question("Since when?", Kind::Text, &[]),
            question("Have you been here before?", Kind::Choice, &["never", "this year", "longer ago"]),
        ]
    }

    fn said(text: &str) -> Vec<(String, String)> {
        let all = answered(&questions(), text);
        all.into_iter().map(|one| (one.question, one.answer.reveal().clone())).collect()
    }

    #[test]
    fn questions_are_at_most_eight_lines_of_three_kinds() {
        assert_eq!(checked(questions()).unwrap(), questions());
        assert_eq!(
            to_ask(&questions()).unwrap(),
            "1) Are you in pain? (yes or no) 2) Since when? 3) Have you been here before? (never, this year, longer ago)"
        );
        assert_eq!(to_ask(&[]), None);
        for bad in [
            vec![question("x", Kind::Text, &[]); 9],
            vec![question("", Kind::Text, &[])],
            vec![question(&"x".repeat(151), Kind::Text, &[])],
            vec![question("{{customer.number}}", Kind::Text, &[])],
            vec![question("Which?", Kind::Choice, &["one"])],
            vec![question("Which?", Kind::Choice, &["one", ""])],
            vec![question("Which?", Kind::YesNo, &["one", "two"])],
        ] {
            assert!(checked(bad.clone()).unwrap_err().0.starts_with("intake"), "{bad:?}");
        }
        assert!(serde_json::from_str::<Question>(r#"{"ask": "x", "kind": "date"}"#).is_err());
    }

    #[test]
    fn what_fits_its_question_is_kept_and_nothing_else() {
        let one = |question: &str, answer: &str| vec![(question.to_owned(), answer.to_owned())];
        for (text, kept) in [
            ("1: Yes, a bit", one("Are you in pain?", "yes")),
            ("1) no", one("Are you in pain?", "no")),
            ("2. since  Monday", one("Since when?", "since Monday")),
            ("3: I was there this year", one("Have you been here before?", "this year")),
            ("3 = Never", one("Have you been here before?", "never")),
            ("1: perhaps", vec![]),
            ("3: never or this year", vec![]),
            ("0: yes; 4: yes; yes; : ; 99999999999999999999999: x", vec![]),
            ("1: yes; 1: no", one("Are you in pain?", "no")),
        ] {
            assert_eq!(said(text), kept, "{text}");
        }
        let all = said("2: since Monday\n1: yes; 3: longer ago");
        assert_eq!(
            all.iter().map(|(_, answer)| answer.as_str()).collect::<Vec<_>>(),
            ["yes", "since Monday", "longer ago"]
        );
        let long = said(&format!("2: {}", "x".repeat(1_000)));
        assert_eq!(long[0].1.chars().count(), LONGEST_ANSWER);
    }

    #[test]
    fn of_a_person_the_last_answer_to_each_question_is_known() {
        let answer = |question: &str, answer: &str| Answered {
            question: question.to_owned(),
            answer: Personal::new(answer.to_owned()),
        };
        let known = [answer("Are you in pain?", "no"), answer("Since when?", "Monday")];
        let after = learned(&known, &[answer("Are you in pain?", "yes")]);
        assert_eq!(after, [answer("Since when?", "Monday"), answer("Are you in pain?", "yes")]);
        let many: Vec<Answered> = (0..20).map(|nth| answer(&format!("q{nth}"), "x")).collect();
        let kept = learned(&many, &[]);
        assert_eq!((kept.len(), kept[0].question.as_str()), (16, "q4"));
    }
}
