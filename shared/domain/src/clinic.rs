//! What a clinic says about itself. Its days are those of its own time zone.

use jiff::{
    Timestamp,
    civil::Date,
    tz::{TimeZone, TimeZoneDatabase},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    answering::Answering, email::EmailAddress, ids::OrgId, message::Reminder, onboarding::Diversion,
    personal::plain, phone_number::PhoneNumber, texting::SenderName,
};

/// The longest name of a clinic, in characters.
const LONGEST_NAME: usize = 60;

/// What a clinic is called, as patients read and hear it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClinicName(String);

/// Why a text is not a clinic's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a clinic's name is 2 to {LONGEST_NAME} characters, with letters, and without an address of the web")]
pub struct NotAClinicName;

impl ClinicName {
    /// Takes a name as a person writes it: one line, in one direction of writing.
    ///
    /// # Errors
    /// [`NotAClinicName`] when it is too short, too long, has no letter, or has an address of the web: it begins our texts to
    /// patients, whose telephones would make a link of it.
    pub fn parse(text: &str) -> Result<Self, NotAClinicName> {
        let name = plain(text);
        let is_name = (2..=LONGEST_NAME).contains(&name.chars().count())
            && name.chars().any(char::is_alphabetic)
            && !name.contains(['<', '>', '{', '}', '"', '\\', '/'])
            && !has_address(&name);
        if is_name { Ok(Self(name)) } else { Err(NotAClinicName) }
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text has a dot between two letters or digits, as a web address has.
fn has_address(text: &str) -> bool {
    let is_part = |side: Option<char>| side.is_some_and(char::is_alphanumeric);
    text.match_indices('.').any(|(at, dot)| {
        let (before, after) = text.split_at(at);
        is_part(before.chars().next_back())
            && is_part(after.strip_prefix(dot).and_then(|rest| rest.chars().next()))
    })
}

impl TryFrom<String> for ClinicName {
    type Error = NotAClinicName;

    fn try_from(name: String) -> Result<Self, NotAClinicName> {
        Self::parse(&name)
    }
}

impl From<ClinicName> for String {
    fn from(name: ClinicName) -> Self {
        name.0
    }
}

/// A time zone of the IANA database that is compiled in. What the machine has installed is never asked: two
/// machines would write one clinic's day differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClinicZone {
    name: String,
    zone: TimeZone,
}

/// Why a text is not a time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a time zone is a name of the IANA database, such as Europe/London or America/New_York")]
pub struct UnknownZone;

impl ClinicZone {
    /// The zone of a clinic that has not said where it is.
    pub const DEFAULT: &str = "Europe/London";

    /// Takes the name of a zone, in capitals or not; the zone has it as the database writes it.
    ///
    /// # Errors
    /// When the database has no zone of that name.
    pub fn parse(name: &str) -> Result<Self, UnknownZone> {
        let zone = TimeZoneDatabase::bundled().get(name).map_err(|_| UnknownZone)?;
        let name = zone.iana_name().ok_or(UnknownZone)?.to_owned();
        Ok(Self { name, zone })
    }

    /// Returns the name, as the database writes it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the zone's rules.
    pub const fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// Returns the day that it is in this zone at an instant.
    pub fn day_of(&self, at: Timestamp) -> Date {
        at.to_zoned_datetime(self.zone.clone()).date()
    }

    /// Returns the first instant of a day in this zone; `None` for one that lies beyond all that can be written. A day
    /// whose midnight the clocks skip begins when they go on.
    pub fn start_of(&self, day: Date) -> Option<Timestamp> {
        day.to_zoned_datetime(self.zone.clone()).ok().map(|midnight| midnight.timestamp())
    }

    /// Returns the first instant after a day in this zone, as [`ClinicZone::start_of`].
    pub fn end_of(&self, day: Date) -> Option<Timestamp> {
        day.tomorrow().ok().and_then(|next| self.start_of(next))
    }
}

impl Default for ClinicZone {
    fn default() -> Self {
        Self::parse(Self::DEFAULT).unwrap_or_else(|_| unreachable!("the database has London"))
    }
}

impl TryFrom<String> for ClinicZone {
    type Error = UnknownZone;

    fn try_from(name: String) -> Result<Self, UnknownZone> {
        Self::parse(&name)
    }
}

impl From<ClinicZone> for String {
    fn from(zone: ClinicZone) -> Self {
        zone.name
    }
}

/// A clinic, as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clinic {
    /// The org that it is.
    pub org_id: OrgId,
    /// Raised by every write; a write names the one that it read. 0 is a clinic that has saved nothing.
    pub version: u64,
    /// Where its days begin and end.
    pub time_zone: ClinicZone,
    /// What it is called; none while it has not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<ClinicName>,
    /// Where callers find it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What callers are to be told at this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<Notice>,
    /// Where it is told at once of an emergency.
    #[serde(default)]
    pub alert_emails: Vec<EmailAddress>,
    /// The name that patients' telephones show of its texts, where it wants to send any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender_name: Option<SenderName>,
    /// When its patients are reminded.
    #[serde(default = "Reminder::of_unsaved")]
    pub reminders: Vec<Reminder>,
    /// Its own line, which patients ring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub main_line: Option<PhoneNumber>,
    /// When the receptionist answers; else a call is put through to that line.
    #[serde(default)]
    pub answering: Answering,
    /// What its callers speak of who have an emergency; none where what holds in its country is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub red_flags: Option<Vec<String>>,
    /// What they are told, as the clinic approved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emergency_sentence: Option<String>,
    /// How its line's diversion was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diversion: Option<Diversion>,
}

/// What callers are to be told for some time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// The words: one line.
    pub text: String,
    /// The last day on which it holds, by the clinic's clock.
    #[schema(value_type = String, format = Date)]
    pub until: Date,
}

impl Clinic {
    /// Returns the clinic of an org that has saved nothing about itself.
    pub fn unsaved(org_id: OrgId) -> Self {
        Self {
            org_id,
            version: 0,
            time_zone: ClinicZone::default(),
            name: None,
            address: None,
            notice: None,
            alert_emails: Vec::new(),
            sender_name: None,
            reminders: Reminder::of_unsaved(),
            main_line: None,
            answering: Answering::Always,
            red_flags: None,
            emergency_sentence: None,
            diversion: None,
        }
    }

    /// Returns what patients are told that it is called.
    pub fn called(&self) -> &str {
        self.name.as_ref().map_or("the clinic", ClinicName::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_clinics_name_is_one_line_of_letters() {
        assert!(ClinicName::parse("St. Mary's Dental Ltd.").is_ok());
        assert_eq!(
            ClinicName::parse("  Hill  Street Dental\u{202e}\n").unwrap().as_str(),
            "Hill Street Dental"
        );
        for bad in [
            "",
            "A",
            "123",
            "<b>Clinic</b>",
            "A \"clinic\"",
            "Parcel held, pay at evil.example",
            "a/b",
            &"x".repeat(61),
        ] {
            assert_eq!(ClinicName::parse(bad), Err(NotAClinicName), "{bad:?}");
        }
    }

    #[test]
    fn a_zone_is_one_that_the_database_has() {
        assert_eq!(ClinicZone::parse("europe/london").unwrap().name(), "Europe/London");
        for unknown in ["", "London", "Europe/Londn", "+01:00", "../zoneinfo/UTC", "BST"] {
            assert_eq!(ClinicZone::parse(unknown), Err(UnknownZone), "{unknown:?}");
        }
        assert!(serde_json::from_str::<ClinicZone>(r#""Mars/Base""#).is_err());
    }

    #[test]
    fn the_zones_are_those_that_are_compiled_in() {
        // British Columbia stays on -07:00 from 2026 on. A machine with an older database still says -08:00.
        let vancouver = ClinicZone::parse("America/Vancouver").unwrap();
        let start = vancouver.start_of(jiff::civil::date(2027, 1, 15)).unwrap();
        assert_eq!(start, at("2027-01-15T07:00:00Z"));
    }

    #[test]
    fn a_day_is_as_long_as_the_clocks_make_it() {
        let cases = [
            // Before British Summer Time, on the day it begins, within it, on the day it ends.
            ("Europe/London", "2026-03-28", "2026-03-28T00:00:00Z", "2026-03-29T00:00:00Z"),
            ("Europe/London", "2026-03-29", "2026-03-29T00:00:00Z", "2026-03-29T23:00:00Z"),
            ("Europe/London", "2027-06-16", "2027-06-15T23:00:00Z", "2027-06-16T23:00:00Z"),
            ("Europe/London", "2026-10-25", "2026-10-24T23:00:00Z", "2026-10-26T00:00:00Z"),
            ("America/New_York", "2026-03-08", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"),
            ("America/New_York", "2026-11-01", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"),
            // Midnight itself is skipped.
            ("Africa/Cairo", "2026-04-24", "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z"),
        ];
        for (zone, day, from, to) in cases {
            let zone = ClinicZone::parse(zone).unwrap();
            let day: Date = day.parse().unwrap();
            assert_eq!(
                (zone.start_of(day), zone.end_of(day)),
                (Some(at(from)), Some(at(to))),
                "{day} {}",
                zone.name()
            );
            assert_eq!(zone.day_of(at(from)), day);
            assert_eq!(zone.day_of(at(to)), day.tomorrow().unwrap());
        }
    }
}
