//! The receptionist's tools: what the model may ask for while it talks to a caller, a file for each. The model chooses among what we
//! offered; we decide. Every answer is one line, and says of a booking that it was made only once it is written.

mod book;
mod cancel;
mod check_availability;
mod find;
mod give_back;

mod reschedule;
mod tell;

use std::{sync::Arc, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use base::{alarm, alarm::chain, clock::Clock};
use domain::{
    booking::{
        appointment::{Appointment, NotAName, PatientName},
        availability::{Slot, Unfit},
        conversation::Letter,
        spoken,
    },
    call::{Call, State, ToolUse},
    ids::{CallId, OrgId},
    personal::{Number, Personal},
    phone_number::PhoneNumber,
};
use jiff::civil::DateTime;
use platform::Platform;
use store::{
    Dynamo, StoreError,
    booking::{Bookings, Catalog},
    calls::Calls,
    clinics::Clinics,
    rates::Rates,
};
use vendors::vapi::{assistants::FACTS, message::ToolCall, tools};

use self::tell::in_an_emergency;
use crate::appointments::Appointments;

/// What the tools need.
#[derive(Debug)]
pub struct Reception {
    appointments: Appointments,
    calls: Calls,
    clinics: Clinics,
    rates: Rates,
    db: Dynamo,
    clock: Arc<dyn Clock>,
}

/// The call on which a tool is used, by our own record of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Whose call it is.
    pub org_id: OrgId,
    /// Which.
    pub call_id: CallId,
    /// The caller's number, where the network showed one.
    pub caller: Option<Personal<PhoneNumber, Number>>,
}

impl Line {
    /// Returns the line of a call that may use tools: one that was let through, and is neither billed nor released. A call that is said
    /// to be over and is not billed yet may still talk.
    pub fn of(call: &Call) -> Option<Self> {
        let is_live = match call.state {
            State::Authorized | State::InProgress { .. } | State::Ended { .. } => true,
            State::Authorizing | State::Settled(_) | State::Released | State::Refused { .. } => false,
        };
        is_live.then(|| Self {
            org_id: call.org_id,
            call_id: call.call_id.clone(),
            caller: call.parties.customer_number.clone(),
        })
    }
}

/// How long an answer waits for the use of the tool to be kept: the caller hears nothing meanwhile.
const NOTED_WITHIN: Duration = Duration::from_millis(500);
/// How often a change of the diary is decided again when others write the same days.
const TRIES: u32 = 4;

/// What is answered to a tool that is used on no live call of ours.
pub const NOT_LIVE: &str =
    "NOT BOOKED. This call is not one that can book. Say that the clinic will ring back.";

/// Whether a tool is used to report an emergency.
pub fn is_emergency(tool: &ToolCall) -> bool {
    tool.name == tools::REPORT_EMERGENCY
}

/// What is answered to a tool where it is not known on which call of whose it is used; `why` says why. Who reports an emergency
/// hears whom to ring all the same, and an operator hears that no clinic does.
pub fn off_the_line(tool: &ToolCall, why: &'static str) -> String {
    if !is_emergency(tool) {
        return NOT_LIVE.to_owned();
    }
    alarm!(
        "emergency_not_noted",
        why,
        "an emergency was reported on a call that is not known, and no clinic is told of it"
    );
    in_an_emergency(None)
}

/// What every agent is told after the clinic's own words.
const INSTRUCTIONS: &str = "How you book appointments. Use checkAvailability with the caller's own words for the time; never work out \
a date yourself. Offer at most three times, in words. Ask one question at a time. Ask for the patient's first and last name, read \
back the name and the time, and then use bookClinicAppointment with the letter. To move or cancel an appointment use \
findMyAppointments with the patient's first and last name, then cancelAppointment with the letter, or checkAvailability with the \
letter as which and then rescheduleAppointment; never say who has an appointment when. Say that something is booked, moved or cancelled only when an answer began with BOOKED, MOVED or \
CANCELLED; after any other answer ask what it tells you to ask. When a caller wants something else, or you cannot help, offer to take \
a message: takeMessage with what the clinic is to be told, who says it, and the number to ring back. When somebody is in danger, such \
as trouble breathing, heavy bleeding or pain in the chest, use reportEmergency at once, say its sentence, and do not book.";

/// The name that a model gives for a patient, if it gives one, and whether it is none.
fn patient_name(arguments: Arguments<'_>) -> Option<Result<PatientName, NotAName>> {
    arguments.text("patient_name").map(PatientName::parse)
}

/// Returns what an agent is told: the clinic's words, what is so of the clinic when the call begins, and how appointments are booked.
pub fn prompt(of_the_clinic: &str) -> String {
    format!(
        "{of_the_clinic}\n\nWhat is so of the clinic as this call begins:\n{{{{{FACTS}}}}}\n\n{INSTRUCTIONS}"
    )
}

impl Reception {
    /// Puts it together.
    pub fn new(platform: &Platform, db: Dynamo) -> Self {
        Self {
            appointments: Appointments::new(platform, db.clone()),
            calls: Calls::new(db.clone()),
            clinics: Clinics::new(db.clone()),
            rates: Rates::new(db.clone()),
            db,
            clock: Arc::clone(&platform.clock),
        }
    }

    /// Does what a tool is asked for, and returns its answer for the model: one line. An error is an answer too. What was done is kept
    /// with the call; a store that fails or is slow keeps the caller from the answer for half a second at the most.
    pub async fn answer(&self, line: &Line, tool: &ToolCall) -> String {
        let at = self.clock.now();
        let answer = self.done(line, tool).await;
        let given = if tool.arguments.is_null() { String::new() } else { tool.arguments.to_string() };
        let used = ToolUse::of(&tool.name, &given, &answer, at, self.clock.now());
        let mark = Arguments(tool).tool_call();
        let noting = self.calls.note_tool(line.org_id, &line.call_id, &mark, &used);
        let cause = match tokio::time::timeout(NOTED_WITHIN, noting).await {
            Ok(Ok(())) => return answer,
            Ok(Err(error)) => chain(&error),
            Err(_) => "the store does not answer in time".to_owned(),
        };
        tracing::error!(org_id = %line.org_id, call_id = %line.call_id, outcome = used.outcome, cause,
            "a use of a tool could not be kept with its call");
        answer
    }

    async fn done(&self, line: &Line, tool: &ToolCall) -> String {
        let arguments = Arguments(tool);
        let outcome = match tool.name.as_str() {
            tools::CHECK_AVAILABILITY => self.check_availability(line, arguments).await,
            tools::BOOK_APPOINTMENT => self.book(line, arguments).await,
            tools::FIND_APPOINTMENTS => self.find(line, arguments).await,
            tools::RESCHEDULE_APPOINTMENT => self.reschedule(line, arguments).await,
            tools::CANCEL_APPOINTMENT => self.cancel(line, arguments).await,
            tools::TAKE_MESSAGE => self.take_message(line, arguments).await,
            tools::REPORT_EMERGENCY => Ok(self.report_emergency(line, arguments).await),
            _ => return "This tool is not available.".to_owned(),
        };
        match outcome {
            Ok(answer) => answer,
            Err(error) => {
                tracing::error!(org_id = %line.org_id, call_id = %line.call_id, tool = tool.name, cause = chain(&error),
                    "a tool of the receptionist's failed");
                format!(
                    "{}. The diary does not answer at this moment. Ask the caller to wait, and do the same once more.",
                    not_done(&tool.name)
                )
            }
        }
    }

    const fn bookings(&self) -> &Bookings {
        &self.appointments.bookings
    }

    /// What a clinic offers, and what its wall clock shows.
    async fn clinic(&self, org: OrgId) -> Result<(Catalog, DateTime, bool), StoreError> {
        let (catalog, zone) = futures::try_join!(self.bookings().catalog(org), self.clinics.zone(org))?;
        Ok((catalog, zone.wall_clock(self.clock.now()), zone.writes_month_first()))
    }
}

/// How the answer of a tool begins that has not done what it is for.
fn not_done(tool: &str) -> &'static str {
    match tool {
        tools::FIND_APPOINTMENTS => "NOT FOUND",
        tools::RESCHEDULE_APPOINTMENT => "NOT MOVED",
        tools::CANCEL_APPOINTMENT => "NOT CANCELLED",
        tools::CHECK_AVAILABILITY => "NO TIMES",
        tools::TAKE_MESSAGE => "NOT NOTED",
        _ => "NOT BOOKED",
    }
}

/// What a model gives a tool. Nothing in it is believed: each value is read as text, and the tool makes of it what it can.
#[derive(Clone, Copy, Debug)]
struct Arguments<'a>(&'a ToolCall);

impl<'a> Arguments<'a> {
    /// A text, if one is given that says anything.
    fn text(self, name: &str) -> Option<&'a str> {
        self.0.arguments[name].as_str().map(str::trim).filter(|text| !text.is_empty())
    }

    /// A letter, if one is named.
    fn letter(self, name: &str) -> Option<Letter> {
        self.text(name).and_then(Letter::parse)
    }

    /// What tells this use of a tool from every other: a message that is delivered again bears the same.
    fn tool_call(self) -> String {
        fingerprint(&["tool", &self.0.id])
    }

    /// Whether something is said to be so.
    fn is(self, name: &str) -> bool {
        self.yes_or_no(name) == Some(true)
    }

    /// What is said of a question that has a yes and a no; none where neither is said.
    fn yes_or_no(self, name: &str) -> Option<bool> {
        let said = |text: &str| text.to_ascii_lowercase().parse().ok();
        self.0.arguments[name].as_bool().or_else(|| self.text(name).and_then(said))
    }
}

/// A slot as it is said: "Tuesday the 8th of December at half past two in the afternoon with Dr Rahman".
fn said(slot: &Slot, catalog: &Catalog, today: DateTime) -> String {
    let when = spoken::instant(slot.wall_clock(), today.date());
    match slot.resources.first().and_then(|first| catalog.resource_name(first)) {
        Some(name) => format!("{when} with {name}"),
        None => when,
    }
}

/// What stands for these texts where they are kept: the first half of their SHA-256, in hexadecimal.
pub(crate) fn fingerprint(parts: &[&str]) -> String {
    hex::encode(digest(&SHA256, parts.join("\0").as_bytes())).split_at(32).0.to_owned()
}

/// When an appointment is, as it is said to who may not hear with whom.
fn time_of(appointment: &Appointment, today: DateTime) -> String {
    spoken::instant(appointment.wall_clock, today.date())
}

/// When and with whom an appointment is, as it is said.
fn said_of(appointment: &Appointment, catalog: &Catalog, today: DateTime) -> String {
    let slot = Slot {
        interval: appointment.interval,
        blocked: appointment.blocked,
        resources: appointment.resource_ids.clone(),
        zone: appointment.time_zone.clone(),
    };
    said(&slot, catalog, today)
}

/// What a time that cannot be booked leads to.
const fn question(unfit: Unfit) -> &'static str {
    match unfit {
        Unfit::NotForCallers => "The clinic books this itself. Offer to take a message.",
        Unfit::NotItsResources => {
            "The clinic does not offer that any more. Ask for another time, and check again."
        }
        Unfit::Past => "That time is past. Ask for another time, and check again.",
        Unfit::TooSoon => "That is too soon for the clinic. Ask for a later time, and check again.",
        Unfit::TooFarAhead => {
            "The clinic does not book so far ahead. Ask for an earlier time, and check again."
        }
        Unfit::NotAStart | Unfit::Closed => {
            "The clinic is not open then. Ask for another time, and check again."
        }
        Unfit::Taken => "That time was just taken. Say so, ask for another time, and check again.",
    }
}
