//! `takeMessage` and `reportEmergency`: what the clinic is told of a call.

use base::{alarm, alarm::chain};
use domain::{
    notification::{Kind, Notification, Said, emergency_sentence},
    personal::{Personal, plain},
};
use store::{Attempt, StoreError, booking::Booking};

use super::{Arguments, Line, Reception, fingerprint};

/// The longest message, in characters. A longer one is cut there.
const LONGEST: usize = 1_000;

impl Reception {
    pub(super) async fn take_message(
        &self,
        line: &Line,
        arguments: Arguments<'_>,
    ) -> Result<String, StoreError> {
        let text = words(arguments.text("text").unwrap_or_default());
        if text.is_empty() {
            return Ok("NOT NOTED. Ask what the clinic is to be told, by whom, and under which number it can ring back.".to_owned());
        }
        let said = Said {
            kind: Kind::MessageTaken,
            is_urgent: arguments.is("urgent"),
            fingerprint: fingerprint(&["message", line.call_id.as_str(), &text]),
            text: Personal::new(text),
        };
        let is_noted = self.db.until_written("the message", || self.tell(line, &said)).await?;
        Ok(if is_noted {
            "NOTED. The clinic has the message. Say so, and ask whether there is anything else.".to_owned()
        } else {
            "NOT NOTED. The clinic has as many messages from this call as one may leave. Say that somebody will ring back.".to_owned()
        })
    }

    /// What the caller is told does not wait for a record of it to be written, nor fail with it.
    pub(super) async fn report_emergency(&self, line: &Line, arguments: Arguments<'_>) -> String {
        let text = words(arguments.text("what").unwrap_or("An emergency was reported."));
        let said = Said {
            kind: Kind::Emergency,
            is_urgent: true,
            fingerprint: fingerprint(&["emergency", line.call_id.as_str()]),
            text: Personal::new(text),
        };
        if let Err(error) = self.db.until_written("the emergency", || self.tell(line, &said)).await {
            alarm!("emergency_not_noted", org_id = %line.org_id, call_id = %line.call_id, cause = chain(&error),
                "an emergency was reported on a call, and the clinic is not told of it");
        }
        // A clinic that has said nothing, or does not answer, may be anywhere.
        let clinic = self.clinics.get(line.org_id).await.ok().filter(|clinic| clinic.version > 0);
        let sentence = emergency_sentence(clinic.as_ref().map(|clinic| &clinic.time_zone));
        format!("EMERGENCY. Say now, word for word: \"{sentence}\" Then end the call. Book nothing.")
    }

    /// Tells the clinic, once for each thing that was said on the call. Returns whether it knows then.
    async fn tell(&self, line: &Line, said: &Said) -> Result<Attempt<bool>, StoreError> {
        let there = self.bookings().conversation(line.org_id, &line.call_id).await?;
        let is_emergency = said.kind == Kind::Emergency;
        if there.messages.contains(&said.fingerprint) || (is_emergency && there.is_emergency) {
            return Ok(Attempt::Done(true));
        }
        let after = if is_emergency {
            there.in_emergency()
        } else {
            match there.telling(&said.fingerprint) {
                Some(after) => after,
                None => return Ok(Attempt::Done(false)),
            }
        };
        let call = (line.org_id, line.call_id.clone());
        let notification = Notification::of_call(call, line.caller.clone(), said.clone(), self.clock.now());
        let booking =
            Booking { conversation: Some(&after), notification: Some(&notification), ..Booking::default() };
        let written = Attempt::of(self.bookings().book(line.org_id, &booking).await)?;
        Ok(written.map(|()| {
            tracing::info!(org_id = %line.org_id, call_id = %line.call_id, kind = said.kind.as_str(),
                "a clinic was told of a call");
            true
        }))
    }
}

/// Words as they are kept.
fn words(text: &str) -> String {
    let words = plain(text);
    words
        .char_indices()
        .nth(LONGEST)
        .map_or_else(|| words.clone(), |(end, _)| words.split_at(end).0.to_owned())
}
