//! `takeMessage` and `reportEmergency`: what the clinic is told of a call.

use base::{alarm, alarm::chain};
use domain::{
    answering::sentence_for_emergencies,
    clinic::Clinic,
    message::Due,
    notification::{Kind, Notification, Said, emergency_sentence},
    personal::{Personal, plain},
};
use futures::future::join;
use store::{Attempt, StoreError, booking::Booking};

use super::{Arguments, Line, Reception, fingerprint};

/// The longest message, in characters. What is said of an emergency is cut there.
const LONGEST: usize = 1_000;

impl Reception {
    pub(super) async fn take_message(
        &self,
        line: &Line,
        arguments: Arguments<'_>,
    ) -> Result<String, StoreError> {
        let text = plain(arguments.text("text").unwrap_or_default());
        if text.is_empty() {
            return Ok("NOT NOTED. Ask what the clinic is to be told, by whom, and under which number it can ring back.".to_owned());
        }
        if text.chars().count() > LONGEST {
            return Ok(format!(
                "NOT NOTED. It is too long. Say it in at most {LONGEST} characters, and leave no number out."
            ));
        }
        let is_urgent = arguments.is("urgent");
        let urgency = if is_urgent { "urgent" } else { "" };
        let said = Said {
            kind: Kind::MessageTaken,
            is_urgent,
            fingerprint: fingerprint(&["message", line.call_id.as_str(), urgency, &text]),
            text: Personal::new(text),
        };
        let is_noted = self.db.until_written("the message", || self.tell(line, &said)).await?;
        Ok(if is_noted {
            "NOTED. The clinic has the message. Say so, and ask whether there is anything else.".to_owned()
        } else {
            "NOT NOTED. The clinic has as many messages from this call as one may leave. Say that somebody will ring back.".to_owned()
        })
    }

    /// What the caller is told rests on no record of it: it is said when the clinic cannot be told, too.
    pub(super) async fn report_emergency(&self, line: &Line, arguments: Arguments<'_>) -> String {
        let what = plain(arguments.text("what").unwrap_or("An emergency was reported."));
        let text: String = what.chars().take(LONGEST).collect();
        let said = Said {
            kind: Kind::Emergency,
            is_urgent: true,
            fingerprint: fingerprint(&["emergency", line.call_id.as_str()]),
            text: Personal::new(text),
        };
        let telling = self.db.until_written("the emergency", || self.tell(line, &said));
        let (told, clinic) = join(telling, self.clinics.get(line.org_id)).await;
        if let Err(error) = told {
            alarm!("emergency_not_noted", org_id = %line.org_id, call_id = %line.call_id, cause = chain(&error),
                "an emergency was reported on a call, and the clinic is not told of it");
        }
        let clinic = clinic.inspect_err(|error| {
            tracing::warn!(org_id = %line.org_id, cause = chain(error), "where a clinic is cannot be read in an emergency");
        });
        // A clinic that has said nothing, or does not answer, may be anywhere.
        let clinic = clinic.ok().filter(|clinic| clinic.version > 0);
        in_an_emergency(clinic.as_ref())
    }

    /// Tells the clinic, once for each message of the call, and once that there is an emergency, in the words of the first report.
    /// Returns whether it knows then.
    async fn tell(&self, line: &Line, said: &Said) -> Result<Attempt<bool>, StoreError> {
        let there = self.bookings().conversation(line.org_id, &line.call_id).await?;
        let is_told = there.messages.contains(&said.fingerprint);
        let after = match said.kind {
            Kind::MessageTaken if is_told => return Ok(Attempt::Done(true)),
            Kind::MessageTaken => there.telling(&said.fingerprint),
            Kind::Emergency if there.is_emergency => return Ok(Attempt::Done(true)),
            Kind::Emergency => Some(there.in_emergency()),
            // No call says it.
            Kind::CalendarProblem | Kind::PaymentProblem => None,
        };
        let Some(after) = after else { return Ok(Attempt::Done(false)) };
        let call = (line.org_id, line.call_id.clone());
        let notification = Notification::of_call(call, line.caller.clone(), said.clone(), self.clock.now());
        let due = (said.kind == Kind::Emergency).then(|| Due::of_emergency(&notification));
        let booking = Booking {
            conversation: Some(&after),
            notification: Some(&notification),
            due: due.as_slice(),
            ..Booking::default()
        };
        let written = Attempt::of(self.bookings().book(line.org_id, &booking).await)?;
        Ok(written.map(|()| {
            tracing::info!(org_id = %line.org_id, call_id = %line.call_id, kind = said.kind.as_str(),
                "a clinic was told of a call");
            true
        }))
    }
}

/// The answer to who reports an emergency, where the clinic has said what it is.
pub(super) fn in_an_emergency(clinic: Option<&Clinic>) -> String {
    let sentence = clinic.map_or_else(|| emergency_sentence(None), sentence_for_emergencies);
    format!("EMERGENCY. Say now, word for word: \"{sentence}\" Then end the call. Book nothing.")
}
