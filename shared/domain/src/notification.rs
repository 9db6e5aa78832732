//! What a clinic is told: what the dashboard's bell shows until somebody has read it.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    clinic::ClinicZone,
    ids::{CallId, NotificationId, OrgId},
    opt_out::Received,
    personal::{Number, Personal, Words},
    phone_number::PhoneNumber,
    time::rfc3339_millis,
};

/// How long a notification is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 180);

/// What a clinic is told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A caller left a message.
    MessageTaken,
    /// A caller spoke of an emergency, and was told whom to ring.
    Emergency,
    /// A calendar and the appointments do not agree, or it cannot be read any more.
    CalendarProblem,
    /// Something was not done because the money for it is not there.
    PaymentProblem,
}

impl Kind {
    /// Returns every kind.
    pub const ALL: [Self; 4] =
        [Self::MessageTaken, Self::Emergency, Self::CalendarProblem, Self::PaymentProblem];

    /// Returns the word that the dashboard has for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MessageTaken => "message_taken",
            Self::Emergency => "emergency",
            Self::CalendarProblem => "calendar_problem",
            Self::PaymentProblem => "payment_problem",
        }
    }
}

/// A notification, as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// The clinic's org.
    pub org_id: OrgId,
    /// Which it is: its time comes first, so that they sort by it.
    pub notification_id: NotificationId,
    /// The same while nobody has read it, and none after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<NotificationId>,
    /// When it came.
    #[serde(with = "crate::time::millis")]
    pub at: Timestamp,
    /// What it is of.
    pub kind: Kind,
    /// Whether it cannot wait.
    pub is_urgent: bool,
    /// On which call, where it is of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<CallId>,
    /// Who rang, where the network showed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<Personal<PhoneNumber, Number>>,
    /// What was said.
    pub text: Personal<String, Words>,
    /// When it goes, in seconds since 1970: the table's time to live.
    pub expires_at: i64,
}

/// What a caller says that a clinic is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// What it is of.
    pub kind: Kind,
    /// Whether it cannot wait.
    pub is_urgent: bool,
    /// The words.
    pub text: Personal<String, Words>,
    /// What tells it from everything else that was said on the call.
    pub fingerprint: String,
}

impl Notification {
    /// Returns what a clinic is told of a call at `at`.
    pub fn of_call(
        (org_id, call_id): (OrgId, CallId),
        phone_number: Option<Personal<PhoneNumber, Number>>,
        said: Said,
        at: Timestamp,
    ) -> Self {
        let id = format!("{}-{}", rfc3339_millis(at), said.fingerprint);
        let id = NotificationId::parse(id)
            .unwrap_or_else(|_| unreachable!("a time and hexadecimal digits are an id"));
        Self {
            org_id,
            unread: Some(id.clone()),
            notification_id: id,
            at,
            kind: said.kind,
            is_urgent: said.is_urgent,
            call_id: Some(call_id),
            phone_number,
            text: said.text,
            expires_at: at.saturating_add(KEPT).unwrap_or(Timestamp::MAX).as_second(),
        }
    }

    /// Returns that somebody has written a text to the clinic.
    pub fn of_text(received: &Received) -> Self {
        let digits: String = received.vendor_id.chars().filter(char::is_ascii_alphanumeric).collect();
        let id = format!("{}-{digits}", rfc3339_millis(received.at));
        let text = format!("A text: {}", received.text.reveal());
        let told = Self::of_clinic(received.org_id, Kind::MessageTaken, (text, id), received.at);
        Self { phone_number: Some(received.from.clone()), ..told }
    }

    /// Returns what a clinic is told of its calendar at `at`. `fingerprint` tells it from everything else that is told of that time.
    pub fn of_calendar(org_id: OrgId, text: String, fingerprint: &str, at: Timestamp) -> Self {
        let id = format!("{}-{fingerprint}", rfc3339_millis(at));
        Self::of_clinic(org_id, Kind::CalendarProblem, (text, id), at)
    }

    /// Returns that texts are not sent because the money for them is not there: once a day of UTC, however many they are.
    pub fn of_unpaid_texts(org_id: OrgId, at: Timestamp) -> Self {
        let text = "Texts to patients are not sent: the wallet has not the money for them. Top it up; what was not sent is not sent later.";
        let id = format!("{}T00:00:00.000Z-unpaid-texts", at.strftime("%F"));
        Self::of_clinic(org_id, Kind::PaymentProblem, (text.to_owned(), id), at)
    }

    fn of_clinic(org_id: OrgId, kind: Kind, (text, id): (String, String), at: Timestamp) -> Self {
        let id = NotificationId::parse(id)
            .unwrap_or_else(|_| unreachable!("a time and hexadecimal digits are an id"));
        Self {
            org_id,
            unread: Some(id.clone()),
            notification_id: id,
            at,
            kind,
            is_urgent: false,
            call_id: None,
            phone_number: None,
            text: Personal::new(text),
            expires_at: at.saturating_add(KEPT).unwrap_or(Timestamp::MAX).as_second(),
        }
    }
}

/// The number for emergencies of a country, and its zones. They are those in which clinics have numbers of ours; elsewhere no
/// number is said, because a wrong one costs minutes.
const EMERGENCY: [(&str, &[&str]); 3] = [
    (
        "999",
        &["Europe/London", "Europe/Belfast", "Europe/Jersey", "Europe/Guernsey", "Europe/Isle_of_Man", "GB"],
    ),
    ("000", &["Australia/"]),
    (
        "911",
        &[
            "US/",
            "Canada/",
            "America/New_York",
            "America/Detroit",
            "America/Kentucky/",
            "America/Indiana/",
            "America/Chicago",
            "America/Menominee",
            "America/North_Dakota/",
            "America/Denver",
            "America/Boise",
            "America/Phoenix",
            "America/Los_Angeles",
            "America/Anchorage",
            "America/Juneau",
            "America/Sitka",
            "America/Nome",
            "Pacific/Honolulu",
            "America/St_Johns",
            "America/Halifax",
            "America/Glace_Bay",
            "America/Moncton",
            "America/Goose_Bay",
            "America/Toronto",
            "America/Iqaluit",
            "America/Winnipeg",
            "America/Regina",
            "America/Swift_Current",
            "America/Edmonton",
            "America/Cambridge_Bay",
            "America/Inuvik",
            "America/Vancouver",
            "America/Dawson_Creek",
            "America/Fort_Nelson",
            "America/Creston",
            "America/Whitehorse",
            "America/Dawson",
        ],
    ),
];

/// Returns the number for emergencies where the clock is this; `None` where it is not known.
pub fn emergency_number(zone: Option<&ClinicZone>) -> Option<&'static str> {
    let name = zone.map_or("", ClinicZone::name);
    let is_in = |zones: &[&str]| {
        zones.iter().any(|known| if known.ends_with('/') { name.starts_with(known) } else { name == *known })
    };
    EMERGENCY.iter().find(|(_, zones)| is_in(zones)).map(|(number, _)| *number)
}

/// Returns what a caller with an emergency is told, where the clinic has said that its clock is this.
pub fn emergency_sentence(zone: Option<&ClinicZone>) -> String {
    match emergency_number(zone) {
        Some(number) => format!("Please hang up and call {number} now."),
        None => "Please hang up and call the emergency number of your country now.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_emergency_is_sent_to_the_number_of_the_clinics_country_or_to_none_by_name() {
        for (zone, said) in [
            ("Europe/London", "call 999 now"),
            ("America/Vancouver", "call 911 now"),
            ("America/Indiana/Indianapolis", "call 911 now"),
            ("Australia/Lord_Howe", "call 000 now"),
            ("America/Sao_Paulo", "the emergency number of your country"),
            ("Asia/Kolkata", "the emergency number of your country"),
        ] {
            let sentence = emergency_sentence(ClinicZone::parse(zone).ok().as_ref());
            assert!(sentence.contains(said), "{zone}: {sentence}");
        }
        assert!(!emergency_sentence(None).contains("999"), "a clinic that has not said where it is");
        for zone in EMERGENCY.iter().flat_map(|(_, zones)| zones.iter()).filter(|zone| !zone.ends_with('/')) {
            assert!(ClinicZone::parse(zone).is_ok(), "{zone} is a zone");
        }
    }
}
