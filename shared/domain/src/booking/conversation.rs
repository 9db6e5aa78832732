//! What was offered, held and booked on one call. The model picks a letter that we offered, never a date or an id; a letter means
//! one thing for the whole call, however often the model repeats itself.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{
    availability::Slot,
    diary::{Entry, Interval, Taken},
};
use crate::ids::{AppointmentId, CallId, OrgId, ResourceId, ServiceId};

/// How many times can be offered on one call.
pub const MOST_OPTIONS: usize = 52;
/// How many appointments can be booked on one call.
pub const MOST_BOOKINGS: usize = 3;
/// How often appointments can be moved or cancelled on one call.
pub const MOST_CHANGES: usize = 3;
/// How many names can be looked for on one call, each as often as the model likes.
pub const MOST_NAMES: usize = 3;
/// How many messages can be left on one call.
pub const MOST_MESSAGES: usize = 3;
/// How long a time is kept for a caller who is asked for a name.
pub const HOLD: SignedDuration = SignedDuration::from_secs(120);
/// How long a call can keep times in all, from its first pick on.
pub const LONGEST_HOLD: SignedDuration = SignedDuration::from_mins(5);

/// A time that was offered on a call, under a letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// What the model calls it.
    pub letter: Letter,
    /// The service.
    pub service_id: ServiceId,
    /// The resources that the option pins.
    pub resource_ids: Vec<ResourceId>,
    /// When it begins.
    #[serde(with = "crate::time::millis")]
    pub starts_at: Timestamp,
}

/// An appointment that was found on a call, under a letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// What the model calls it.
    pub letter: Letter,
    /// Which it is.
    pub appointment_id: AppointmentId,
    /// Its revision, as the caller was told of it. Another is at another time: what the caller says of this one is not about that.
    pub revision: u64,
}

/// A move or a cancellation that was made on a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Which appointment.
    pub which: Letter,
    /// By which use of a tool: the same, delivered again, finds it.
    pub tool_call: String,
}

/// The letter of an option or of an appointment that was found: A to Z, then AA to AZ.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Letter(String);

/// Words that a model puts beside a letter, and that say nothing more.
const FILLERS: [&str; 4] = ["OPTION", "LETTER", "YES", "THE"];

impl Letter {
    /// Returns the letter of the option at this place.
    fn of(place: usize) -> Option<Self> {
        let letter =
            |place: usize| u8::try_from(place).ok().and_then(|place| b'A'.checked_add(place)).map(char::from);
        match place {
            0..26 => Some(Self(letter(place)?.to_string())),
            26..MOST_OPTIONS => Some(Self(format!("A{}", letter(place.checked_sub(26)?)?))),
            _ => None,
        }
    }

    /// Takes a letter as a model writes it: "b", "Option B", "B.". None where the text says anything else too: "A, not B", "a later
    /// time".
    pub fn parse(text: &str) -> Option<Self> {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_ascii_uppercase);
        let mut said = words.filter(|word| !word.is_empty() && !FILLERS.contains(&word.as_str()));
        let letter = said.next()?;
        let is_letter = matches!(letter.as_bytes(), [b'A'..=b'Z'] | [b'A', b'A'..=b'Z']);
        (is_letter && said.all(|other| other == letter)).then_some(Self(letter))
    }

    /// Returns the letter.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The time that is kept for a caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Which option.
    pub letter: Letter,
    /// What is taken of each resource.
    pub blocked: Interval,
    /// Of which.
    pub resource_ids: Vec<ResourceId>,
    /// When it is free again.
    #[serde(with = "crate::time::millis")]
    pub expires_at: Timestamp,
}

impl Held {
    /// Returns what it takes of each of its resources.
    pub fn entry(&self, call: &CallId) -> Entry {
        Entry {
            taken: Taken::Hold { call_id: call.clone(), expires_at: self.expires_at },
            interval: self.blocked,
        }
    }
}

/// What was offered, held and booked on a call, as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation {
    /// Whose call it is.
    pub org_id: OrgId,
    /// Which call.
    pub call_id: CallId,
    /// Raised by every write; 0 for a call on which nothing was asked. A write names the one that it read.
    pub version: u64,
    /// What was offered, in order.
    pub options: Vec<Choice>,
    /// What is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
    /// When the call first held a time.
    #[serde(default, with = "crate::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub first_held_at: Option<Timestamp>,
    /// What was booked on it.
    #[serde(default)]
    pub booked: Vec<AppointmentId>,
    /// The appointments that were found, in order.
    #[serde(default)]
    pub found: Vec<Found>,
    /// What was moved or cancelled on it.
    #[serde(default)]
    pub changed: Vec<Changed>,
    /// What tells the names apart that were looked for.
    #[serde(default)]
    pub names: Vec<String>,
    /// What tells the messages apart that were left.
    #[serde(default)]
    pub messages: Vec<String>,
    /// Whether an emergency was spoken of: nothing is booked on such a call.
    #[serde(default)]
    pub is_emergency: bool,
}

impl Conversation {
    /// Returns the conversation of a call on which nothing was asked yet.
    pub const fn begun(org_id: OrgId, call_id: CallId) -> Self {
        Self {
            org_id,
            call_id,
            version: 0,
            options: Vec::new(),
            held: None,
            first_held_at: None,
            booked: Vec::new(),
            found: Vec::new(),
            changed: Vec::new(),
            names: Vec::new(),
            messages: Vec::new(),
            is_emergency: false,
        }
    }

    /// Returns the letter that means nothing on this call yet; none when all are used up.
    fn next_letter(&self) -> Option<Letter> {
        Letter::of(self.options.len().saturating_add(self.found.len()))
    }

    /// Returns the conversation with these slots offered, and their letters in the same order. A time of the same service and
    /// resources that was offered before keeps its letter. None when there are no letters left.
    pub fn offered(&self, service: &ServiceId, slots: &[Slot]) -> Option<(Self, Vec<Letter>)> {
        let mut after = self.clone();
        let mut letters = Vec::new();
        for slot in slots {
            let is_it = |choice: &&Choice| {
                choice.service_id == *service
                    && choice.resource_ids == slot.resources
                    && choice.starts_at == slot.interval.from
            };
            let letter = match after.options.iter().find(is_it) {
                Some(known) => known.letter.clone(),
                None => after.next_letter()?,
            };
            if !after.options.iter().any(|choice| choice.letter == letter) {
                after.options.push(Choice {
                    letter: letter.clone(),
                    service_id: service.clone(),
                    resource_ids: slot.resources.clone(),
                    starts_at: slot.interval.from,
                });
            }
            letters.push(letter);
        }
        Some((after, letters))
    }

    /// Returns the conversation in which a name was looked for; none when too many others were before.
    pub fn naming(&self, name: &str) -> Option<Self> {
        if self.names.iter().any(|known| known == name) {
            return Some(self.clone());
        }
        let names: Vec<String> = self.names.iter().cloned().chain([name.to_owned()]).collect();
        (names.len() <= MOST_NAMES).then(|| Self { names, ..self.clone() })
    }

    /// Returns the conversation in which these appointments were found, each with its revision, and their letters in the same
    /// order. One that was found before keeps its letter. None when there are no letters left.
    pub fn finding(&self, appointments: &[(AppointmentId, u64)]) -> Option<(Self, Vec<Letter>)> {
        let mut after = self.clone();
        let mut letters = Vec::new();
        for (id, revision) in appointments {
            let next = after.next_letter();
            let known = after.found.iter_mut().find(|found| found.appointment_id == *id);
            let letter = if let Some(known) = known {
                known.revision = *revision;
                known.letter.clone()
            } else {
                let letter = next?;
                let found = Found { letter: letter.clone(), appointment_id: id.clone(), revision: *revision };
                after.found.push(found);
                letter
            };
            letters.push(letter);
        }
        Some((after, letters))
    }

    /// Returns the appointment that a letter means on this call.
    pub fn found(&self, letter: &Letter) -> Option<&Found> {
        self.found.iter().find(|found| found.letter == *letter)
    }

    /// Returns the conversation in which the caller knows of this revision of an appointment that was found.
    #[must_use]
    pub fn knowing(&self, letter: &Letter, revision: u64) -> Self {
        let mut after = self.clone();
        for found in after.found.iter_mut().filter(|found| found.letter == *letter) {
            found.revision = revision;
        }
        after
    }

    /// Returns whether this change was made already: of the same appointment, by the same use of a tool.
    pub fn was_made(&self, change: &Changed) -> bool {
        self.changed.contains(change)
    }

    /// Returns the same with no time held.
    #[must_use]
    pub fn holding_nothing(&self) -> Self {
        Self { held: None, ..self.clone() }
    }

    /// Returns the conversation in which an appointment was moved or cancelled. None when the call has changed as much as it may.
    pub fn changing(&self, change: Changed) -> Option<Self> {
        let changed: Vec<Changed> = self.changed.iter().cloned().chain([change]).collect();
        (changed.len() <= MOST_CHANGES).then(|| Self { changed, ..self.clone() })
    }

    /// Returns the conversation in which one more message was left; none when it has had as many as it may.
    pub fn telling(&self, message: &str) -> Option<Self> {
        let messages: Vec<String> = self.messages.iter().cloned().chain([message.to_owned()]).collect();
        (messages.len() <= MOST_MESSAGES).then(|| Self { messages, ..self.clone() })
    }

    /// Returns the conversation in which an emergency was spoken of.
    #[must_use]
    pub fn in_emergency(&self) -> Self {
        Self { is_emergency: true, ..self.clone() }
    }

    /// Returns what a letter means on this call.
    pub fn option(&self, letter: &Letter) -> Option<&Choice> {
        self.options.iter().find(|choice| choice.letter == *letter)
    }

    /// Returns the conversation with `slot` held under a letter at `now`; none when the call has kept times for as long as it may.
    pub fn held(&self, letter: Letter, slot: &Slot, now: Timestamp) -> Option<Self> {
        let first_held_at = self.first_held_at.unwrap_or(now);
        let last = first_held_at.checked_add(LONGEST_HOLD).ok()?;
        let expires_at = now.checked_add(HOLD).ok()?.min(last);
        let held = Held { letter, blocked: slot.blocked, resource_ids: slot.resources.clone(), expires_at };
        (expires_at > now).then(|| Self {
            held: Some(held),
            first_held_at: Some(first_held_at),
            ..self.clone()
        })
    }

    /// Returns the conversation in which an appointment was booked; what was held is held no more.
    #[must_use]
    pub fn booked(&self, appointment: AppointmentId) -> Self {
        let booked = self.booked.iter().cloned().chain([appointment]).collect();
        Self { held: None, booked, ..self.clone() }
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow")]
mod tests {
    use super::*;
    use crate::clinic::ClinicZone;

    fn slot(minute: i64) -> Slot {
        let at = |minute: i64| Timestamp::from_second(minute * 60).unwrap();
        let interval = Interval { from: at(minute), to: at(minute + 30) };
        let resources = vec![ResourceId::parse("r1").unwrap()];
        Slot { interval, blocked: interval, resources, zone: ClinicZone::default() }
    }

    fn begun() -> Conversation {
        Conversation::begun(OrgId::new(uuid::Uuid::nil()), CallId::parse("call-1").unwrap())
    }

    fn service() -> ServiceId {
        ServiceId::parse("s1").unwrap()
    }

    #[test]
    fn a_letter_means_one_thing_for_the_whole_call() {
        let (one, letters) = begun().offered(&service(), &[slot(0), slot(30)]).unwrap();
        let (two, again) = one.offered(&service(), &[slot(30), slot(60)]).unwrap();
        let texts =
            |letters: &[Letter]| letters.iter().map(|letter| letter.as_str().to_owned()).collect::<Vec<_>>();
        assert_eq!(
            (texts(&letters), texts(&again)),
            (vec!["A".into(), "B".into()], vec!["B".into(), "C".into()])
        );
        assert_eq!(two.option(&letters[0]).unwrap().starts_at, slot(0).interval.from);
    }

    #[test]
    fn the_letters_are_used_up_some_day_and_none_comes_twice() {
        let many: Vec<Slot> = (0..52).map(|place| slot(place * 30)).collect();
        let (all, letters) = begun().offered(&service(), &many).unwrap();
        let distinct: std::collections::HashSet<_> = letters.iter().collect();
        assert_eq!((distinct.len(), letters[25].as_str(), letters[26].as_str()), (52, "Z", "AA"));
        assert!(all.offered(&service(), &[slot(9_000)]).is_none());
        assert!(all.offered(&service(), &[slot(0)]).is_some(), "what was offered may be offered again");
    }

    #[test]
    fn a_letter_is_understood_as_models_write_it() {
        for (text, letter) in [("b", "B"), ("Option B", "B"), ("B.", "B"), ("(aa)", "AA"), ("option_c", "C")]
        {
            assert_eq!(Letter::parse(text).unwrap().as_str(), letter, "{text}");
        }
        assert_eq!(Letter::parse("B, yes, B").unwrap().as_str(), "B");
        for bad in [
            "",
            "  ",
            "14:30",
            "tomorrow",
            "3",
            "ABC",
            "A, not B",
            "A or B",
            "B2",
            "a later time",
            "at ten",
            "as soon as possible",
            "the check-up on a Monday",
        ] {
            assert_eq!(Letter::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn options_and_appointments_that_are_found_share_no_letter() {
        let id = |text: &str| AppointmentId::parse(text).unwrap();
        let (one, options) = begun().offered(&service(), &[slot(0)]).unwrap();
        let (two, found) = one.finding(&[(id("a1"), 1), (id("a2"), 1)]).unwrap();
        let (three, later) = two.offered(&service(), &[slot(30)]).unwrap();
        let (four, again) = three.finding(&[(id("a2"), 2)]).unwrap();
        let texts: Vec<&str> =
            [&options, &found, &later, &again].into_iter().flatten().map(Letter::as_str).collect();
        assert_eq!(texts, ["A", "B", "C", "D", "C"]);
        let known =
            |letter: &Letter| four.found(letter).map(|found| (found.appointment_id.clone(), found.revision));
        assert_eq!((known(&found[0]), known(&found[1])), (Some((id("a1"), 1)), Some((id("a2"), 2))));
        assert_eq!((known(&options[0]), four.option(&found[0])), (None, None));
    }

    #[test]
    fn a_call_looks_for_three_names_each_as_often_as_it_likes() {
        let mut call = begun();
        for name in ["one", "two", "one", "three", "two"] {
            call = call.naming(name).unwrap();
        }
        assert_eq!(call.naming("four"), None);
        assert!(call.naming("three").is_some());
    }

    #[test]
    fn a_call_makes_three_changes() {
        let mut call = begun();
        let change =
            |tool_call: &str| Changed { which: Letter::parse("A").unwrap(), tool_call: tool_call.into() };
        for tool_call in ["t1", "t2", "t3"] {
            call = call.changing(change(tool_call)).unwrap();
        }
        assert_eq!(call.changing(change("t4")), None);
        assert!(call.was_made(&change("t2")) && !call.was_made(&change("t4")));
        let other = Changed { which: Letter::parse("B").unwrap(), ..change("t2") };
        assert!(!call.was_made(&other), "another appointment");
    }

    #[test]
    fn a_call_keeps_times_for_two_minutes_each_and_five_in_all() {
        let at = |secs: i64| Timestamp::from_second(secs).unwrap();
        let letter = || Letter::parse("A").unwrap();
        let one = begun().held(letter(), &slot(0), at(0)).unwrap();
        assert_eq!(one.held.as_ref().unwrap().expires_at, at(120));
        let two = one.held(letter(), &slot(0), at(250)).unwrap();
        assert_eq!(two.held.as_ref().unwrap().expires_at, at(300), "five minutes after the first");
        assert_eq!(two.held(letter(), &slot(0), at(300)), None);
    }
}
