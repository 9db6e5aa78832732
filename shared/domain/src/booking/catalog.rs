//! What a clinic offers: services, and the practitioners and rooms that they need, with their hours.

use std::collections::BTreeMap;

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Time, Weekday},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::intake::{self, Question};
use crate::{
    clinic::ClinicZone,
    ids::{OrgId, ResourceId, ServiceId},
};

/// The longest name of a service, practitioner or room, in characters.
pub const LONGEST_NAME: usize = 80;
/// How many kinds of resource a service may need at once.
pub const MOST_NEEDS: usize = 4;
/// How many resources may do for one need.
pub const MOST_ALTERNATIVES: usize = 20;
/// How many spans of work a day may have.
pub const MOST_SPANS: usize = 6;
/// How many dated overrides, and how many closures, a resource may have.
pub const MOST_DATED: usize = 200;
/// The longest reason of a closure, in characters.
const LONGEST_REASON: usize = 200;

/// Something that can be booked, as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// The org that offers it.
    pub org_id: OrgId,
    /// Which it is.
    pub service_id: ServiceId,
    /// Raised by every write. A booking names the one that it was decided by.
    pub version: u64,
    /// Whether the clinic offers it no more: nothing is booked of it, and what was booked stands.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_former: bool,
    /// What the clinic says of it.
    #[serde(flatten)]
    pub terms: Terms,
}

impl Service {
    /// Returns the service without a resource that leaves; none where those who stay cannot give it: each need takes another of them.
    pub fn without(&self, leaving: &ResourceId) -> Option<Self> {
        let stays = |Need(any): &Need| Need(any.iter().filter(|id| *id != leaving).cloned().collect());
        let needs: Vec<Need> = self.terms.needs.iter().map(stays).collect();
        can_be_met(&needs, &[]).then(|| Self { terms: Terms { needs, ..self.terms.clone() }, ..self.clone() })
    }
}

/// Whether each of these needs can have a resource of its own, none of which is `taken`.
fn can_be_met(needs: &[Need], taken: &[&ResourceId]) -> bool {
    let Some((Need(any), rest)) = needs.split_first() else { return true };
    any.iter().filter(|id| !taken.contains(id)).any(|id| can_be_met(rest, &[taken, &[id]].concat()))
}

/// What the clinic says of a service. Times are whole minutes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Check-up", "duration_mins": 30, "needs": [["resource-1"]], "price_shown": "60 pounds"}))]
pub struct Terms {
    /// Its name, as callers say it.
    pub name: String,
    /// How long the patient is there: 5 minutes to 8 hours.
    pub duration_mins: u32,
    /// What is kept free before it, up to 2 hours.
    #[serde(default)]
    pub buffer_before_mins: u32,
    /// What is kept free after it, up to 2 hours.
    #[serde(default)]
    pub buffer_after_mins: u32,
    /// At which minutes of the wall clock it may begin, counted from midnight: every 5 to 60.
    #[serde(default = "quarter_of_an_hour")]
    pub start_interval_mins: u32,
    /// What it takes: one resource of each need, all at the same time.
    pub needs: Vec<Need>,
    /// The price that a caller who asks is told, in the clinic's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_shown: Option<String>,
    /// How long before its start a caller may book it, at the latest: up to 30 days.
    #[serde(default)]
    pub min_notice_mins: u32,
    /// How many days ahead it may be booked: up to two years.
    #[serde(default = "a_quarter")]
    pub horizon_days: u32,
    /// Whether callers may book it. Staff always may.
    #[serde(default = "yes")]
    pub callers_may_book: bool,
    /// What a patient is asked before it is booked: at most eight questions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub intake: Vec<Question>,
}

const fn quarter_of_an_hour() -> u32 {
    15
}
const fn a_quarter() -> u32 {
    90
}
const fn yes() -> bool {
    true
}

/// One of these resources, whichever is free.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
pub struct Need(pub Vec<ResourceId>);

/// A practitioner or a room, as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// The org that it belongs to.
    pub org_id: OrgId,
    /// Which it is.
    pub resource_id: ResourceId,
    /// Raised by every write. A booking names the one that it was decided by.
    pub version: u64,
    /// Whether it is there no more: nothing is booked with it, and what was booked stands.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_former: bool,
    /// What the clinic says of it.
    #[serde(flatten)]
    pub hours: Hours,
}

/// What the clinic says of a resource: who it is and when it works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Dr Rahman", "time_zone": "Europe/London", "weekly": {"monday": [{"from": "09:00:00", "to": "17:30:00"}]}}))]
pub struct Hours {
    /// The name, as callers say it.
    pub name: String,
    /// Where its wall clock hangs.
    #[schema(value_type = String, example = "Europe/London")]
    pub time_zone: ClinicZone,
    /// When it works in an ordinary week; a day that is missing is a day off.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Vec<Span>>)]
    pub weekly: BTreeMap<Day, Vec<Span>>,
    /// Days that are not ordinary: what stands here replaces the day, and nothing at all is a day off.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, Vec<Span>>)]
    pub overrides: BTreeMap<Date, Vec<Span>>,
    /// When it is away, whatever its hours say.
    #[serde(default)]
    pub closures: Vec<Closure>,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the days of the week")]
pub enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Day {
    /// Returns its name, as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Monday => "Monday",
            Self::Tuesday => "Tuesday",
            Self::Wednesday => "Wednesday",
            Self::Thursday => "Thursday",
            Self::Friday => "Friday",
            Self::Saturday => "Saturday",
            Self::Sunday => "Sunday",
        }
    }
}

impl From<Weekday> for Day {
    fn from(weekday: Weekday) -> Self {
        match weekday {
            Weekday::Monday => Self::Monday,
            Weekday::Tuesday => Self::Tuesday,
            Weekday::Wednesday => Self::Wednesday,
            Weekday::Thursday => Self::Thursday,
            Weekday::Friday => Self::Friday,
            Weekday::Saturday => Self::Saturday,
            Weekday::Sunday => Self::Sunday,
        }
    }
}

/// A part of a day by the wall clock. One that reaches midnight ends at 23:59, as the last minute that is worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// When it begins.
    #[schema(value_type = String, example = "09:00:00")]
    pub from: Time,
    /// When it ends.
    #[schema(value_type = String, example = "17:30:00")]
    pub to: Time,
}

/// A time away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Closure {
    /// The first instant of it.
    pub from: Timestamp,
    /// The first instant after it.
    pub to: Timestamp,
    /// Why, for staff.
    #[serde(default)]
    pub reason: String,
}

/// Why what the clinic says cannot be used, as a sentence for the person who typed it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Flaw(pub(crate) String);

fn within(name: &str, value: u32, least: u32, most: u32) -> Result<(), Flaw> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Flaw(format!("{name} is a whole number of {least} to {most}.")))
}

/// Takes a name as it will be shown and spoken: trimmed, each run of spaces one, without control characters or marks that turn
/// the direction of writing.
fn tidy(name: &str) -> Result<String, Flaw> {
    let tidied = crate::personal::plain(name);
    let length = tidied.chars().count();
    if length == 0 || length > LONGEST_NAME {
        return Err(Flaw(format!("name is text of 1 to {LONGEST_NAME} characters.")));
    }
    Ok(tidied)
}

/// The longest that a service may take, in minutes.
const LONGEST_MINS: u32 = 480;
/// The longest of each of its buffers, in minutes.
const LONGEST_BUFFER_MINS: u32 = 120;
/// The longest that an appointment may take of a resource: what began so long ago may still go on.
pub const LONGEST_BLOCKED: SignedDuration = SignedDuration::from_mins(720);

impl Terms {
    /// Returns the terms with their names tidied.
    ///
    /// # Errors
    /// When a value is out of its range: a sentence that says which, and what it may be.
    pub fn checked(self) -> Result<Self, Flaw> {
        let name = tidy(&self.name)?;
        within("duration_mins", self.duration_mins, 5, LONGEST_MINS)?;
        within("buffer_before_mins", self.buffer_before_mins, 0, LONGEST_BUFFER_MINS)?;
        within("buffer_after_mins", self.buffer_after_mins, 0, LONGEST_BUFFER_MINS)?;
        within("start_interval_mins", self.start_interval_mins, 5, 60)?;
        within("min_notice_mins", self.min_notice_mins, 0, 30 * 24 * 60)?;
        within("horizon_days", self.horizon_days, 1, 730)?;
        if self.price_shown.as_ref().is_some_and(|price| price.chars().count() > LONGEST_NAME) {
            return Err(Flaw(format!("price_shown is text of at most {LONGEST_NAME} characters.")));
        }
        let is_usable = |need: &Need| (1..=MOST_ALTERNATIVES).contains(&need.0.len());
        if !(1..=MOST_NEEDS).contains(&self.needs.len()) || !self.needs.iter().all(is_usable) {
            return Err(Flaw(format!(
                "needs is 1 to {MOST_NEEDS} lists, each of 1 to {MOST_ALTERNATIVES} ids of resources: one of each list is taken."
            )));
        }
        let intake = intake::checked(self.intake)?;
        Ok(Self { name, intake, ..self })
    }

    /// Returns the resources that may be taken for it, each once.
    pub fn resources(&self) -> Vec<&ResourceId> {
        let mut all: Vec<&ResourceId> = self.needs.iter().flat_map(|need| &need.0).collect();
        all.sort();
        all.dedup();
        all
    }
}

impl Hours {
    /// Returns the hours with their name tidied.
    ///
    /// # Errors
    /// When spans of a day overlap or end before they begin, or there are too many dates: a sentence that says which.
    pub fn checked(self) -> Result<Self, Flaw> {
        let name = tidy(&self.name)?;
        for spans in self.weekly.values().chain(self.overrides.values()) {
            let in_order = spans.windows(2).all(|pair| matches!(pair, [one, next] if one.to <= next.from));
            if spans.len() > MOST_SPANS || !in_order || spans.iter().any(|span| span.from >= span.to) {
                return Err(Flaw(format!(
                    "A day has at most {MOST_SPANS} spans, in order, each ending after it begins and before the next begins."
                )));
            }
        }
        if self.overrides.len() > MOST_DATED || self.closures.len() > MOST_DATED {
            return Err(Flaw(format!("There may be {MOST_DATED} overrides and {MOST_DATED} closures.")));
        }
        if self.closures.iter().any(|closure| closure.from >= closure.to) {
            return Err(Flaw("A closure ends after it begins.".to_owned()));
        }
        if self.closures.iter().any(|closure| closure.reason.chars().count() > LONGEST_REASON) {
            return Err(Flaw(format!("The reason of a closure has at most {LONGEST_REASON} characters.")));
        }
        Ok(Self { name, ..self })
    }

    /// Returns the spans of work of a day: the override's, else the week's.
    pub fn spans_of(&self, day: Date) -> &[Span] {
        let ordinary = || self.weekly.get(&Day::from(day.weekday()));
        self.overrides.get(&day).or_else(ordinary).map_or(&[], Vec::as_slice)
    }
}

/// Returns the one of these that a caller means by a name: the one that has it, else the only one that has all of its words, whatever
/// their capitals; titles and small words count for nothing. None when there is no such one, or more than one.
pub fn named<'a, T>(all: &'a [T], name_of: impl Fn(&T) -> &str, said: &str) -> Option<&'a T> {
    let said = words(said);
    if said.is_empty() {
        return None;
    }
    if let Some(exact) = all.iter().find(|one| words(name_of(one)) == said) {
        return Some(exact);
    }
    let mut fitting = all.iter().filter(|one| {
        let name = words(name_of(one));
        said.iter().all(|word| name.contains(word)) || name.iter().all(|word| said.contains(word))
    });
    let one = fitting.next()?;
    fitting.next().is_none().then_some(one)
}

/// The words of a name that tell it from others.
fn words(text: &str) -> Vec<String> {
    let text: String = text.chars().take(500).collect::<String>().to_lowercase().replace('-', "");
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| {
        !word.is_empty()
            && !["a", "an", "the", "for", "with", "dr", "doctor", "mr", "mrs", "ms", "appointment"]
                .contains(word)
    });
    words.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> Terms {
        serde_json::from_value(serde_json::json!({
            "name": "  Check-up \u{202e} ", "duration_mins": 30, "needs": [["r1"]],
        }))
        .unwrap()
    }

    fn hours(spans: &[(&str, &str)]) -> Hours {
        let spans: Vec<_> =
            spans.iter().map(|(from, to)| serde_json::json!({"from": from, "to": to})).collect();
        serde_json::from_value(serde_json::json!({
            "name": "Dr Rahman", "time_zone": "Europe/London", "weekly": {"monday": spans},
        }))
        .unwrap()
    }

    #[test]
    fn a_service_is_within_its_ranges_and_its_name_is_plain() {
        let checked = terms().checked().unwrap();
        assert_eq!(
            (checked.name.as_str(), checked.start_interval_mins, checked.horizon_days),
            ("Check-up", 15, 90)
        );
        let cases = [
            (Terms { name: " \u{200f}".into(), ..terms() }, "name"),
            (Terms { name: "x".repeat(81), ..terms() }, "name"),
            (Terms { duration_mins: 4, ..terms() }, "duration_mins"),
            (Terms { duration_mins: 481, ..terms() }, "duration_mins"),
            (Terms { buffer_before_mins: 121, ..terms() }, "buffer_before_mins"),
            (Terms { buffer_after_mins: 121, ..terms() }, "buffer_after_mins"),
            (Terms { start_interval_mins: 0, ..terms() }, "start_interval_mins"),
            (Terms { min_notice_mins: 43_201, ..terms() }, "min_notice_mins"),
            (Terms { horizon_days: 0, ..terms() }, "horizon_days"),
            (Terms { price_shown: Some("x".repeat(81)), ..terms() }, "price_shown"),
            (Terms { needs: vec![], ..terms() }, "needs"),
            (Terms { needs: vec![Need(vec![])], ..terms() }, "needs"),
        ];
        for (terms, field) in cases {
            assert!(terms.checked().unwrap_err().to_string().starts_with(field), "{field}");
        }
    }

    #[test]
    fn the_spans_of_a_day_are_in_order_and_apart() {
        assert!(hours(&[("09:00", "12:30"), ("12:30", "17:00")]).checked().is_ok());
        for bad in
            [&[("12:00", "09:00")][..], &[("09:00", "09:00")], &[("09:00", "12:00"), ("11:00", "13:00")]]
        {
            assert!(hours(bad).checked().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_name_is_understood_when_it_can_only_be_one() {
        let all = ["Check-up", "Hygienist visit", "Hygienist review", "Root canal"];
        let means = |said: &str| named(&all, |name| name, said).copied();
        for (said, name) in [
            ("check-up", Some("Check-up")),
            ("a checkup, please", Some("Check-up")),
            ("a checkup", Some("Check-up")),
            ("Check-Up appointment", Some("Check-up")),
            ("the hygienist review", Some("Hygienist review")),
            ("hygienist", None),
            ("root", Some("Root canal")),
            ("", None),
            ("x-ray", None),
        ] {
            assert_eq!(means(said), name, "{said}");
        }
        assert_eq!(
            named(&["Dr Rahman", "Dr Jones"], |name| name, "doctor rahman").copied(),
            Some("Dr Rahman")
        );
    }

    #[test]
    fn an_override_replaces_the_day() {
        let monday: Date = "2026-12-07".parse().unwrap();
        let mut hours = hours(&[("09:00", "17:00")]);
        assert_eq!(hours.spans_of(monday).len(), 1);
        hours.overrides.insert(monday, vec![]);
        assert_eq!(hours.spans_of(monday).len(), 0);
        assert_eq!(
            hours.spans_of(monday.tomorrow().unwrap()).len(),
            0,
            "a day that the week leaves out is off"
        );
    }
}
