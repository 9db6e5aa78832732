//! When the receptionist answers, and what she does with an emergency: what the clinic has decided, and what holds where it has decided
//! nothing.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    booking::catalog::Resource,
    clinic::Clinic,
    notification::{emergency_number, emergency_sentence},
    personal::plain,
    phone_number::PhoneNumber,
};

/// The most red flags.
pub const MOST_RED_FLAGS: usize = 15;
/// The longest red flag, in characters.
const LONGEST_RED_FLAG: usize = 80;
/// The longest sentence for emergencies, in characters.
const LONGEST_SENTENCE: usize = 250;

/// When the receptionist answers. Else a call is put through to the clinic's own line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answering {
    /// Always.
    #[default]
    Always,
    /// While nobody works at the clinic, by the hours of its resources.
    OutsideHours,
    /// Not until further notice.
    Paused,
}

impl Answering {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Always, Self::OutsideHours, Self::Paused];

    /// Returns the word that the dashboard has for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::OutsideHours => "outside_hours",
            Self::Paused => "paused",
        }
    }

    /// Takes the word; `None` for any other.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|answering| answering.as_str() == word)
    }
}

/// Returns the line that a call at `now` is to be put through to; `None` while the receptionist answers, and where the clinic has named
/// no line.
pub fn line_instead<'a>(
    clinic: &'a Clinic,
    resources: &[Resource],
    now: Timestamp,
) -> Option<&'a PhoneNumber> {
    let answers = match clinic.answering {
        Answering::Always => true,
        Answering::OutsideHours => !is_staffed(resources, now),
        Answering::Paused => false,
    };
    if answers { None } else { clinic.main_line.as_ref() }
}

/// Whether anybody works at `now`, each by their own clock, and no closure lies over it.
fn is_staffed(resources: &[Resource], now: Timestamp) -> bool {
    resources.iter().any(|resource| {
        let hours = &resource.hours;
        let here = hours.time_zone.wall_clock(now);
        let works =
            hours.spans_of(here.date()).iter().any(|span| (span.from..span.to).contains(&here.time()));
        works && !hours.closures.iter().any(|closure| (closure.from..closure.to).contains(&now))
    })
}

/// What a caller speaks of who has an emergency, wherever the clinic is.
const RED_FLAGS: [&str; 8] = [
    "pain or pressure in the chest",
    "trouble breathing or swallowing",
    "signs of a stroke: a drooping face, a weak arm, slurred speech",
    "heavy bleeding that does not stop",
    "a head injury with drowsiness, vomiting or confusion",
    "somebody who is unconscious or cannot be woken",
    "swelling of the face, mouth or throat that spreads",
    "thoughts of suicide or of harming somebody",
];

/// Returns the red flags that hold for a clinic: its own, or those of its country.
pub fn red_flags(clinic: &Clinic) -> Vec<String> {
    if let Some(own) = &clinic.red_flags {
        return own.clone();
    }
    // What people call it.
    let local: &[&str] = match emergency_number(Some(&clinic.time_zone)) {
        Some("999") => &["a fit", "a severe allergic reaction", "signs of sepsis or of meningitis"],
        Some("000") => &["a fit", "anaphylaxis", "a snake or spider bite with symptoms"],
        Some(_) | None => &["a seizure", "a severe allergic reaction", "an overdose or a poisoning"],
    };
    RED_FLAGS.iter().chain(local).map(|flag| (*flag).to_owned()).collect()
}

/// Returns what a caller with an emergency is told: the clinic's approved sentence while it names the number of the clinic's country,
/// or what holds there.
pub fn sentence_for_emergencies(clinic: &Clinic) -> String {
    let number = emergency_number(Some(&clinic.time_zone));
    let own = clinic.emergency_sentence.as_ref();
    let own = own.filter(|sentence| number.is_none_or(|number| sentence.contains(number)));
    own.cloned().unwrap_or_else(|| emergency_sentence(Some(&clinic.time_zone)))
}

/// Takes red flags as a person writes them, a line each; none twice.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn own_red_flags(texts: &[String]) -> Result<Vec<String>, String> {
    if texts.len() > MOST_RED_FLAGS {
        return Err(format!("red_flags has at most {MOST_RED_FLAGS} entries."));
    }
    let mut flags: Vec<String> = Vec::new();
    for text in texts {
        let flag = plain(text);
        if !(3..=LONGEST_RED_FLAG).contains(&flag.chars().count()) || flag.contains(['{', '}']) {
            return Err(format!(
                "red_flags: each is a line of 3 to {LONGEST_RED_FLAG} characters, without braces."
            ));
        }
        if !flags.contains(&flag) {
            flags.push(flag);
        }
    }
    if flags.is_empty() {
        return Err(
            "red_flags has at least one entry; null takes your own away, and those of your country hold."
                .into(),
        );
    }
    Ok(flags)
}

/// Takes a sentence for emergencies as the clinic approved it, which names the number of its country.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn own_sentence(text: &str, clinic: &Clinic) -> Result<String, String> {
    let sentence = plain(text);
    if !(10..=LONGEST_SENTENCE).contains(&sentence.chars().count()) || sentence.contains(['{', '}', '"']) {
        return Err(format!(
            "emergency_sentence is a line of 10 to {LONGEST_SENTENCE} characters, without braces and double quotes."
        ));
    }
    match emergency_number(Some(&clinic.time_zone)) {
        Some(number) if !sentence.contains(number) => Err(format!(
            "emergency_sentence tells callers to ring {number}, which is the emergency number where the clinic is."
        )),
        Some(_) | None => Ok(sentence),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clinic::ClinicZone,
        ids::{OrgId, ResourceId},
    };

    fn clinic(zone: &str) -> Clinic {
        let time_zone = ClinicZone::parse(zone).unwrap();
        Clinic { time_zone, version: 1, ..Clinic::unsaved(OrgId::new(uuid::Uuid::nil())) }
    }

    fn resource() -> Resource {
        let hours = serde_json::json!({"name": "Dr Rahman", "time_zone": "America/New_York",
            "weekly": {"monday": [{"from": "09:00", "to": "12:00"}]},
            "closures": [{"from": "2026-12-07T14:30:00Z", "to": "2026-12-07T15:00:00Z"}]});
        Resource {
            org_id: OrgId::new(uuid::Uuid::nil()),
            resource_id: ResourceId::parse("r1").unwrap(),
            version: 1,
            is_former: false,
            hours: serde_json::from_value(hours).unwrap(),
        }
    }

    #[test]
    fn she_answers_always_outside_hours_or_not_at_all_and_else_the_clinics_line_rings() {
        let line = PhoneNumber::parse("+12125550100").unwrap();
        let rings = |answering, at: &str| {
            let clinic = Clinic { answering, main_line: Some(line.clone()), ..clinic("America/New_York") };
            line_instead(&clinic, &[resource()], at.parse().unwrap()).is_some()
        };
        // Monday, 7 December 2026: New York is five hours behind.
        for (at, staffed) in [
            ("2026-12-07T13:59:59Z", false),
            ("2026-12-07T14:00:00Z", true),
            ("2026-12-07T14:30:00Z", false),
            ("2026-12-07T15:00:00Z", true),
            ("2026-12-07T16:59:59Z", true),
            ("2026-12-07T17:00:00Z", false),
            ("2026-12-08T15:00:00Z", false),
        ] {
            assert_eq!(rings(Answering::OutsideHours, at), staffed, "{at}");
            assert!(!rings(Answering::Always, at) && rings(Answering::Paused, at), "{at}");
        }
        let nowhere = Clinic { answering: Answering::Paused, ..clinic("Europe/London") };
        assert_eq!(line_instead(&nowhere, &[], Timestamp::UNIX_EPOCH), None, "there is no line to ring");
        for answering in Answering::ALL {
            assert_eq!(Answering::parse(answering.as_str()), Some(answering));
        }
        assert_eq!(Answering::parse("sometimes"), None);
    }

    #[test]
    fn red_flags_are_the_clinics_own_or_its_countrys() {
        let of = |zone| red_flags(&clinic(zone)).join("; ");
        for zone in ["Europe/London", "America/New_York", "Australia/Sydney", "Asia/Kolkata"] {
            assert!(of(zone).contains("chest") && of(zone).contains("stroke"), "{zone}");
        }
        assert!(of("Europe/London").contains("a fit") && of("America/Toronto").contains("a seizure"));
        let own = Clinic { red_flags: Some(vec!["a knocked-out tooth".into()]), ..clinic("Europe/London") };
        assert_eq!(red_flags(&own), ["a knocked-out tooth"]);
        let two = ["  a knocked-out\n tooth ".to_owned(), "a knocked-out tooth".to_owned()];
        assert_eq!(own_red_flags(&two).unwrap(), ["a knocked-out tooth"]);
        for bad in [
            vec![],
            vec!["x".repeat(81)],
            vec![String::new()],
            vec!["{{name}}".into()],
            vec!["pain".into(); 16],
        ] {
            assert!(own_red_flags(&bad).unwrap_err().starts_with("red_flags"), "{bad:?}");
        }
    }

    #[test]
    fn an_approved_sentence_names_the_number_of_the_country_or_does_not_hold() {
        let london = clinic("Europe/London");
        let approved = own_sentence("Please put the phone down and dial 999 at once.", &london).unwrap();
        for bad in ["Dial 911.....", "Ring us back.", "999", "Say \"999\" now, please.", "{{number}} 999 now"]
        {
            assert!(own_sentence(bad, &london).unwrap_err().starts_with("emergency_sentence"), "{bad}");
        }
        let own = Clinic { emergency_sentence: Some(approved.clone()), ..london };
        assert_eq!(sentence_for_emergencies(&own), approved);
        // A clinic that moves says what holds there.
        let moved = Clinic { time_zone: ClinicZone::parse("America/New_York").unwrap(), ..own };
        assert_eq!(sentence_for_emergencies(&moved), "Please hang up and call 911 now.");
        // Where no number is known, the clinic knows it.
        let elsewhere = clinic("Asia/Kolkata");
        assert!(own_sentence("Please hang up and call 112 now.", &elsewhere).is_ok());
    }
}
