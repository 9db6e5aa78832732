//! What a clinic has still to do before its receptionist answers its patients: each step from what is so, and never from a tick that
//! somebody set.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    agent::{Agent, Sync},
    call::{Call, Direction, State},
    personal::{Number, Personal},
    phone_number::PhoneNumber,
};

/// How long a test of the diversion waits for its call.
pub const TEST_LASTS: SignedDuration = SignedDuration::from_mins(15);

/// A step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// There is money for a call.
    Money,
    /// There is a number that patients' calls arrive at.
    Number,
    /// The agent is at the voice service, and answers that number.
    Agent,
    /// Something can be booked, at some time.
    ServicesAndHours,
    /// The appointments are in the clinic's own calendar. The clinic may do without.
    Calendar,
    /// The clinic's own line leads to the number.
    Diversion,
    /// Somebody has talked to the receptionist.
    FirstCall,
}

/// How a step stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Standing {
    /// Which.
    pub step: Step,
    /// Whether it is done.
    pub done: bool,
    /// Whether the clinic may do without.
    pub optional: bool,
    /// What to do, in a sentence; none where it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub what_to_do: Option<String>,
}

/// What is so of a clinic.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Facts<'a> {
    /// Whether the wallet pays for a minute.
    pub has_money: bool,
    /// The number that patients' calls arrive at.
    pub number: Option<&'a PhoneNumber>,
    /// The agent that answers.
    pub agent: Option<&'a Agent>,
    /// Whether a service is there that callers may book.
    pub has_service: bool,
    /// Whether somebody works at some time of an ordinary week.
    pub has_hours: bool,
    /// Whether a calendar is connected and keeps somebody's time.
    pub has_calendar: bool,
    /// Whether the clinic's line was seen to lead here.
    pub is_diverted: bool,
    /// Whether somebody has talked to the receptionist.
    pub has_talked: bool,
}

/// Returns how each step stands, in the order in which they are done.
pub fn standing(facts: &Facts<'_>) -> Vec<Standing> {
    let step = |step, done: bool, what: &str| Standing {
        step,
        done,
        optional: step == Step::Calendar,
        what_to_do: (!done).then(|| what.to_owned()),
    };
    let (agent_is_ready, agent) = agent(facts);
    let offers = if facts.has_service {
        "Say when somebody works: a resource needs weekly hours."
    } else {
        "Add a service that callers may book, and who does it."
    };
    vec![
        step(Step::Money, facts.has_money, "Pay money into the wallet: each call is paid from it."),
        step(Step::Number, facts.number.is_some(), "Buy a number for inbound calls, or connect your own."),
        step(Step::Agent, agent_is_ready, &agent),
        step(Step::ServicesAndHours, facts.has_service && facts.has_hours, offers),
        step(
            Step::Calendar,
            facts.has_calendar,
            "Connect Google Calendar, and say whose time each calendar is. You may do without.",
        ),
        step(
            Step::Diversion,
            facts.is_diverted,
            "Divert the clinic's line to your number by its carrier's code. Then begin the test, and ring the clinic's line.",
        ),
        step(Step::FirstCall, facts.has_talked, "Ring the number and talk to the receptionist."),
    ]
}

fn agent(facts: &Facts<'_>) -> (bool, String) {
    let Some(agent) = facts.agent else {
        return (false, "Say what the agent for inbound calls says, and save it.".to_owned());
    };
    match &agent.sync {
        Sync::Failed { sync_reason } => (false, sync_reason.clone()),
        Sync::Pending => (false, "The agent is on its way to the voice service. Wait a minute.".to_owned()),
        Sync::Synced if agent.vapi_phone_number_id.is_none() => {
            (false, "Give the agent for inbound calls the number that it is to answer.".to_owned())
        }
        Sync::Synced => (true, String::new()),
    }
}

/// The clinic's own line, and how it was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diversion {
    /// The line that patients ring.
    pub main_line: PhoneNumber,
    /// Whose telephone rings it for the test.
    pub from: Personal<PhoneNumber, Number>,
    /// When the test began.
    #[serde(with = "crate::time::millis")]
    pub asked_at: Timestamp,
    /// When the line was last seen to lead here, before this test.
    #[serde(default, with = "crate::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub proved_at: Option<Timestamp>,
}

impl Diversion {
    /// Returns whether the test still waits for its call at `now`.
    pub fn waits(&self, now: Timestamp) -> bool {
        now < self.ends_at()
    }

    /// Returns when the test has ended.
    pub fn ends_at(&self) -> Timestamp {
        self.asked_at.saturating_add(TEST_LASTS).unwrap_or(Timestamp::MAX)
    }

    /// Returns when this test saw the clinic's line lead here: a call came to our number, in the time of the test, from the telephone
    /// that rang the clinic's line.
    pub fn seen_at(&self, calls: &[Call]) -> Option<Timestamp> {
        let is_it = |call: &&Call| {
            call.parties.direction == Direction::Inbound
                && call.parties.customer_number.as_ref() == Some(&self.from)
                && (self.asked_at..self.ends_at()).contains(&call.created_at)
        };
        calls.iter().filter(is_it).map(|call| call.created_at).min()
    }

    /// Returns when the line was seen to lead here, as far as it is known at `now`: by this test, or before it while it still waits. A
    /// test that ended unseen shows that it leads here no more.
    pub fn proved_at(&self, calls: &[Call], now: Timestamp) -> Option<Timestamp> {
        self.seen_at(calls).or(self.proved_at.filter(|_| self.waits(now)))
    }
}

/// Returns whether a call shows that somebody talked to the receptionist.
pub fn is_talk(call: &Call) -> bool {
    call.parties.direction == Direction::Inbound
        && matches!(call.state, State::Settled(_) | State::InProgress { .. })
}

/// What is dialled on the line that is diverted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Codes {
    /// Diverts.
    pub on: String,
    /// Ends it.
    pub off: String,
}

/// How lines of a carrier are diverted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CarrierCodes {
    /// The country, by its two letters.
    pub country: &'static str,
    /// The carrier, or the kind of line.
    pub carrier: &'static str,
    /// Every call.
    pub all_calls: Codes,
    /// A call while the line is busy.
    pub busy: Codes,
    /// A call that nobody answers.
    pub no_answer: Codes,
    /// Where that is said.
    pub source: &'static str,
}

/// A carrier: its country, its name, on and off of all calls, busy and no answer, and the source. `N` is the number.
type Row = (&'static str, &'static str, [&'static str; 6], &'static str);

/// The codes of the GSM standard, which mobile networks take.
const GSM: [&str; 6] = ["**21*N#", "##21#", "**67*N#", "##67#", "**61*N#", "##61#"];
/// Those of most landlines of North America.
const STAR: [&str; 6] = ["*72 N", "*73", "*90 N", "*91", "*92 N", "*93"];
/// Where the GSM standard has them.
const TS_22_030: &str = "3GPP TS 22.030, annex B";

const CARRIERS: [Row; 14] = [
    (
        "GB",
        "BT and other landlines",
        ["*21*N#", "#21#", "*67*N#", "#67#", "*61*N#", "#61#"],
        "bt.com/help/landline/all-about-call-diversion",
    ),
    (
        "GB",
        "Virgin Media landlines",
        ["*70 N#", "#70", "*76 N#", "#76", "*77 N#", "#77"],
        "yourreceptiondesk.co.uk/call-divert",
    ),
    ("GB", "EE, O2, Three and Vodafone mobiles", GSM, TS_22_030),
    ("US", "AT&T and most landlines", STAR, "champlaintechnology.com/support/call-forwarding"),
    (
        "US",
        "Verizon Wireless",
        ["*72 N", "*73", "*71 N", "*73", "*71 N", "*73"],
        "verizon.com/support/call-forwarding-faqs",
    ),
    ("US", "T-Mobile", GSM, TS_22_030),
    ("US", "AT&T Wireless", GSM, TS_22_030),
    ("CA", "Bell, Telus and most landlines", STAR, "champlaintechnology.com/support/call-forwarding"),
    (
        "CA",
        "Telus mobiles",
        ["*21*N#", "#21#", "*67*N#", "#67#", "*61*N#", "#61#"],
        "telusmobility.com/en/ON/support_services/callforwarding.shtml",
    ),
    ("CA", "Bell and Rogers mobiles", GSM, TS_22_030),
    (
        "AU",
        "Telstra landlines",
        ["*21 N#", "#21#", "*24 N#", "#24#", "*61 N#", "#61#"],
        "url.net.au/support/telstra-pstn-codes",
    ),
    (
        "AU",
        "Telstra mobiles",
        ["**21*N*10#", "##21#", "**67*N*10#", "##67#", "**61*N*10#", "##61#"],
        "crowdsupport.telstra.com.au, \"How do I forward calls on my mobile?\"",
    ),
    ("AU", "Optus mobiles", GSM, TS_22_030),
    ("AU", "Vodafone mobiles", GSM, TS_22_030),
];

/// The countries whose numbers begin so, and what is dialled before them within the country.
const COUNTRIES: [(&str, &str, &[&str]); 3] =
    [("+44", "0", &["GB"]), ("+61", "0", &["AU"]), ("+1", "", &["US", "CA"])];

/// Returns the codes by which a line is diverted to `number`, of the carriers of its country; of all with no number to fill in, where
/// there is none yet.
pub fn divert_codes(number: Option<&PhoneNumber>) -> Vec<CarrierCodes> {
    let home = number.and_then(|number| {
        COUNTRIES.iter().find_map(|(prefix, trunk, countries)| {
            let rest = number.as_str().strip_prefix(prefix)?;
            Some((format!("{trunk}{rest}"), *countries))
        })
    });
    let is_listed = |country: &str| home.as_ref().is_none_or(|(_, countries)| countries.contains(&country));
    let dialled = match (&home, number) {
        (Some((national, _)), _) => national.clone(),
        (None, Some(number)) => number.as_str().to_owned(),
        (None, None) => "N".to_owned(),
    };
    let filled = |code: &str| code.replace('N', &dialled);
    let rows = CARRIERS.iter().filter(|(country, ..)| is_listed(country));
    rows.map(|(country, carrier, [all, all_off, busy, busy_off, rung, rung_off], source)| {
        let codes = |on: &str, off: &str| Codes { on: filled(on), off: off.to_owned() };
        CarrierCodes {
            country,
            carrier,
            all_calls: codes(all, all_off),
            busy: codes(busy, busy_off),
            no_answer: codes(rung, rung_off),
            source,
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        call::Parties,
        ids::{CallId, OrgId, VapiPhoneId},
    };

    const ORG: OrgId = OrgId::new(uuid::Uuid::nil());

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).unwrap()
    }

    fn number(text: &str) -> PhoneNumber {
        PhoneNumber::parse(text).unwrap()
    }

    fn ready() -> Agent {
        let agent = Agent::first(ORG, Direction::Inbound, at(0));
        Agent { sync: Sync::Synced, vapi_phone_number_id: VapiPhoneId::parse("p").ok(), ..agent }
    }

    #[test]
    fn each_step_is_done_by_its_own_fact_and_says_what_to_do_before() {
        let (ours, agent) = (number("+442071838750"), ready());
        let all = Facts {
            has_money: true,
            number: Some(&ours),
            agent: Some(&agent),
            has_service: true,
            has_hours: true,
            has_calendar: true,
            is_diverted: true,
            has_talked: true,
        };
        assert!(standing(&all).iter().all(|step| step.done && step.what_to_do.is_none()));
        let pending = Agent { sync: Sync::Pending, ..ready() };
        let failed = Agent { sync: Sync::Failed { sync_reason: "Change the voice.".into() }, ..ready() };
        let unlinked = Agent { vapi_phone_number_id: None, ..ready() };
        for (facts, missing, said) in [
            (Facts { has_money: false, ..all }, Step::Money, "wallet"),
            (Facts { number: None, ..all }, Step::Number, "number"),
            (Facts { agent: None, ..all }, Step::Agent, "save it"),
            (Facts { agent: Some(&pending), ..all }, Step::Agent, "on its way"),
            (Facts { agent: Some(&failed), ..all }, Step::Agent, "Change the voice."),
            (Facts { agent: Some(&unlinked), ..all }, Step::Agent, "the number"),
            (Facts { has_service: false, ..all }, Step::ServicesAndHours, "service"),
            (Facts { has_hours: false, ..all }, Step::ServicesAndHours, "hours"),
            (Facts { has_calendar: false, ..all }, Step::Calendar, "Google"),
            (Facts { is_diverted: false, ..all }, Step::Diversion, "Divert"),
            (Facts { has_talked: false, ..all }, Step::FirstCall, "Ring"),
        ] {
            let left: Vec<Standing> = standing(&facts).into_iter().filter(|step| !step.done).collect();
            assert_eq!(left.iter().map(|step| step.step).collect::<Vec<_>>(), [missing]);
            assert!(left[0].what_to_do.as_ref().unwrap().contains(said), "{left:?}");
            assert_eq!(left[0].optional, missing == Step::Calendar);
        }
    }

    fn rung(from: Option<&str>, at: Timestamp, direction: Direction) -> Call {
        let parties = Parties {
            direction,
            vapi_call_id: None,
            vapi_phone_id: None,
            vapi_assistant_id: None,
            customer_number: from.map(|from| Personal::new(number(from))),
            carrier_sid: None,
        };
        Call::first_heard(ORG, CallId::parse("c").unwrap(), parties, 600, at)
    }

    #[test]
    fn a_diversion_is_seen_when_who_rang_the_clinic_arrives_here_in_time() {
        let test = Diversion {
            main_line: number("+442079460000"),
            from: Personal::new(number("+447700900123")),
            asked_at: at(1_000),
            proved_at: None,
        };
        let inbound = Direction::Inbound;
        let (first, end) = (at(1_000), test.ends_at());
        for (call, seen) in [
            (rung(Some("+447700900123"), first, inbound), Some(first)),
            (rung(Some("+447700900123"), at(999), inbound), None),
            (rung(Some("+447700900123"), end, inbound), None),
            (rung(Some("+447700900124"), first, inbound), None),
            (rung(None, first, inbound), None),
            (rung(Some("+447700900123"), first, Direction::Outbound), None),
        ] {
            assert_eq!(test.seen_at(std::slice::from_ref(&call)), seen, "{call:?}");
        }
        assert!(test.waits(first) && !test.waits(end));
        // What was seen before holds while a new test waits, and no longer.
        let again = Diversion { proved_at: Some(at(5)), ..test };
        assert_eq!((again.seen_at(&[]), again.proved_at(&[], first)), (None, Some(at(5))));
        assert_eq!(again.proved_at(&[], end), None);
        let call = rung(Some("+447700900123"), first, inbound);
        assert_eq!(again.proved_at(&[call], end), Some(first));
    }

    #[test]
    fn the_codes_are_those_of_the_numbers_country_with_the_number_as_it_is_dialled_there() {
        let bt = &divert_codes(Some(&number("+442071838750")))[0];
        assert_eq!((bt.carrier, bt.all_calls.on.as_str()), ("BT and other landlines", "*21*02071838750#"));
        assert_eq!((bt.busy.on.as_str(), bt.no_answer.off.as_str()), ("*67*02071838750#", "#61#"));
        let countries = |to: Option<&str>| {
            let codes = divert_codes(to.map(number).as_ref());
            let mut countries: Vec<&str> = codes.iter().map(|codes| codes.country).collect();
            countries.dedup();
            countries
        };
        assert_eq!(countries(Some("+442071838750")), ["GB"]);
        assert_eq!(countries(Some("+14155550100")), ["US", "CA"]);
        assert_eq!(countries(Some("+61255501234")), ["AU"]);
        assert_eq!(countries(None), ["GB", "US", "CA", "AU"]);
        for codes in divert_codes(None) {
            for one in [&codes.all_calls, &codes.busy, &codes.no_answer] {
                let is_code = |text: &str| text.chars().all(|c| c.is_ascii_digit() || "*# N".contains(c));
                assert!(one.on.contains('N') && !one.off.contains('N'), "{codes:?}");
                assert!(is_code(&one.on) && is_code(&one.off), "{codes:?}");
            }
            assert!(!codes.source.is_empty());
        }
    }
}
