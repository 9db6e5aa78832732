//! `findMyAppointments`: what stands ahead for a patient, by the caller's number and the whole name, or because this very call booked
//! it. Times only: whoever guesses a name learns no more than that nothing was found, and may not guess for long.

use domain::{
    booking::{
        appointment::{Appointment, PatientName},
        conversation::Conversation,
    },
    rate::Costly,
};
use store::{Attempt, StoreError};

use super::{Arguments, Line, Reception, fingerprint, patient_name, time_of};

/// The most appointments that are named.
const NAMED: usize = 5;

impl Reception {
    pub(super) async fn find(&self, line: &Line, arguments: Arguments<'_>) -> Result<String, StoreError> {
        let name = patient_name(arguments).and_then(Result::ok).filter(PatientName::is_whole);
        let Some(name) = name else {
            return Ok("NOT FOUND. Ask for the patient's first and last name.".to_owned());
        };
        let searched = fingerprint(&["name", &name.folded()]);
        if !self.may_look_for(line, &searched).await? {
            return Ok("NOT FOUND. No more names may be looked for on this call. Offer to take a message."
                .to_owned());
        }
        let look = || self.try_to_find(line, &name, &searched);
        self.db.until_written("what was found on the call", look).await
    }

    /// Whether a name may be looked for, which this counts: three on a call, and five from a number on a day, those of calls before
    /// among them. One that was looked for on this call counts no more.
    async fn may_look_for(&self, line: &Line, searched: &str) -> Result<bool, StoreError> {
        let conversation = self.bookings().conversation(line.org_id, &line.call_id).await?;
        if conversation.names.iter().any(|known| known == searched) {
            return Ok(true);
        }
        // Who withholds the number finds nothing but what this very call has booked.
        let (Some(_), Some(number)) = (conversation.naming(searched), &line.caller) else {
            return Ok(line.caller.is_none() && conversation.naming(searched).is_some());
        };
        let of = fingerprint(&["number", number.reveal().as_str()]);
        let wait = self.rates.take_of(line.org_id, (Costly::PatientSearch, &of), self.clock.now()).await?;
        Ok(wait.is_none())
    }

    async fn try_to_find(
        &self,
        line: &Line,
        name: &PatientName,
        searched: &str,
    ) -> Result<Attempt<String>, StoreError> {
        let ((_, today, _), conversation, ahead) = futures::try_join!(
            self.clinic(line.org_id),
            self.bookings().conversation(line.org_id, &line.call_id),
            self.ahead_of_number(line),
        )?;
        let mine = self.of_patient(line, &conversation, (ahead, name)).await?;
        let seen: Vec<_> = mine.iter().map(|one| (one.appointment_id.clone(), one.revision)).collect();
        let found = conversation.naming(searched).and_then(|conversation| conversation.finding(&seen));
        let Some((after, letters)) = found else {
            return Ok(Attempt::Done(
                "NOT FOUND. This call has asked for as much as one call may. Offer to take a message."
                    .to_owned(),
            ));
        };
        let written = Attempt::of(self.bookings().save_conversation(&after).await)?;
        Ok(written.map(|()| {
            if mine.is_empty() {
                return "NOT FOUND. Nothing stands under this number and name. Ask once whether the name is right; then offer to take \
                        a message."
                    .to_owned();
            }
            let named = mine
                .iter()
                .zip(&letters)
                .map(|(appointment, letter)| format!("{}: {}.", letter.as_str(), time_of(appointment, today)));
            format!(
                "FOUND. {} Say the times, without the letters. To cancel one use cancelAppointment with its letter; to move one use \
                 checkAvailability with its letter as which, and then rescheduleAppointment with its letter and that of the new time.",
                named.collect::<Vec<_>>().join(" ")
            )
        }))
    }

    /// Of those that stand ahead for the caller's number, and of those that this very call booked, the patient's, in order.
    async fn of_patient(
        &self,
        line: &Line,
        conversation: &Conversation,
        (ahead, name): (Vec<Appointment>, &PatientName),
    ) -> Result<Vec<Appointment>, StoreError> {
        let mut mine = ahead;
        for id in &conversation.booked {
            let there = self.bookings().appointment(line.org_id, id).await?;
            let is_new = |appointment: &Appointment| {
                appointment.is_ahead(self.clock.now())
                    && !mine.iter().any(|known| known.appointment_id == appointment.appointment_id)
            };
            mine.extend(there.filter(is_new));
        }
        mine.retain(|appointment| appointment.patient_name.is_same(name));
        mine.sort_by_key(|appointment| appointment.interval.from);
        mine.truncate(NAMED);
        Ok(mine)
    }

    /// The appointments that stand ahead for the caller's number, whoever made them; none for a number that is withheld.
    pub(super) async fn ahead_of_number(&self, line: &Line) -> Result<Vec<Appointment>, StoreError> {
        let Some(number) = &line.caller else { return Ok(Vec::new()) };
        let mut ahead = self.bookings().of_number(line.org_id, number.reveal()).await?;
        let now = self.clock.now();
        ahead.retain(|appointment| appointment.is_ahead(now));
        Ok(ahead)
    }
}
