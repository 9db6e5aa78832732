//! What messages say. Those to patients name the clinic, the day and the time with its zone; never a treatment, and not the
//! patient: mail is read over shoulders, and an address that was spelled on the telephone may be somebody else's.

use jiff::civil::DateTime;

use super::Kind;
use crate::{
    booking::appointment::Appointment, clinic::Clinic, notification::Notification, phone_number::PhoneNumber,
    texting::Mark,
};

/// The version of these texts. It goes up with every change of what they say.
pub const VERSION: u32 = 1;

/// A letter by mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// The line that the patient sees first.
    pub subject: String,
    /// All of it, in lines.
    pub text: String,
}

/// Returns the letter that tells a patient of an appointment. `line` is the number at which the receptionist answers, where there
/// is one.
pub fn letter(kind: Kind, clinic: &Clinic, appointment: &Appointment, line: Option<&PhoneNumber>) -> Letter {
    let (name, when) = (clinic.called(), written(appointment.wall_clock));
    let zone = appointment.time_zone.name();
    let (subject, said) = match kind {
        Kind::Confirmation => (
            format!("Your appointment on {when}"),
            format!("Your appointment at {name} is booked for {when} ({zone})."),
        ),
        Kind::Change => (
            format!("Your appointment is now on {when}"),
            format!("Your appointment at {name} has changed. It is now on {when} ({zone})."),
        ),
        Kind::Cancellation => (
            format!("Your appointment on {when} is cancelled"),
            format!("Your appointment at {name} on {when} ({zone}) is cancelled."),
        ),
        Kind::DayBefore | Kind::TwoHoursBefore => (
            format!("A reminder of your appointment on {when}"),
            format!("This is to remind you of your appointment at {name} on {when} ({zone})."),
        ),
    };
    let next = match (kind, line) {
        (Kind::Cancellation, Some(line)) => format!("To book another, ring {}.", line.as_str()),
        (Kind::Cancellation, None) => format!("To book another, ring {name}."),
        (_, Some(line)) => format!("To change or cancel it, ring {}.", line.as_str()),
        (_, None) => format!("To change or cancel it, ring {name}."),
    };
    let text = format!(
        "Hello,\n\n{said}\n\n{next}\n\nThis message was sent because an appointment was made with this address. Nobody reads answers \
         to it. If it is not yours, please ignore it.\n",
    );
    Letter { subject, text }
}

/// Returns the text that tells a patient of an appointment. It asks for no answer, and for none of the words by which a number is
/// opted out at the carrier. `mark` ends it.
pub fn text(
    kind: Kind,
    (clinic, appointment): (&Clinic, &Appointment),
    line: Option<&PhoneNumber>,
    mark: &Mark,
) -> String {
    let (name, when) = (clinic.called(), appointment.wall_clock.strftime("%a %-d %b %Y at %H:%M"));
    let said = match kind {
        Kind::Confirmation => format!("your appointment is on {when}."),
        Kind::Change => format!("your appointment has changed. It is now on {when}."),
        Kind::Cancellation => format!("your appointment on {when} is cancelled."),
        Kind::DayBefore | Kind::TwoHoursBefore => format!("a reminder of your appointment on {when}."),
    };
    let ring = line.map_or_else(
        || "Questions? Ring us.".to_owned(),
        |line| format!("Questions? Ring {}.", line.as_str()),
    );
    format!("{name}: {said} {ring} {mark}")
}

/// Returns the letter that tells the clinic's people of an emergency: who rang and when, and where the words are. They stay where they
/// are: mail goes through many hands.
pub fn alert(clinic: &Clinic, notification: &Notification) -> Letter {
    let when = written(clinic.time_zone.wall_clock(notification.at));
    let caller = notification.phone_number.as_ref().map_or_else(
        || "a caller whose number is withheld".to_owned(),
        |number| number.reveal().as_str().to_owned(),
    );
    let text = format!(
        "On {when} ({}) {caller} spoke of an emergency on the telephone of {}.\n\nThe caller was told whom to ring, and nothing was \
         booked. What was said is in the dashboard, among the notifications. Please ring back.\n",
        clinic.time_zone.name(),
        clinic.called(),
    );
    Letter { subject: "Urgent: a caller spoke of an emergency".to_owned(), text }
}

/// A day and a time as they are written, the same for every reader: `Tuesday 1 December 2026 at 14:30`.
fn written(at: DateTime) -> String {
    at.strftime("%A %-d %B %Y at %H:%M").to_string()
}
