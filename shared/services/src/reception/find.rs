//! `findMyAppointments`: what stands ahead for a patient, by the caller's number and the whole name. Times only: whoever guesses a name
//! learns no more than that nothing was found.

use domain::booking::appointment::{Appointment, PatientName};
use store::{Attempt, StoreError};

use super::{Arguments, Line, Reception, patient_name, said_of};

/// The most appointments that are named.
const NAMED: usize = 5;

impl Reception {
    pub(super) async fn find(&self, line: &Line, arguments: Arguments<'_>) -> Result<String, StoreError> {
        let Some(Ok(name)) = patient_name(arguments) else {
            return Ok("NOT FOUND. Ask for the patient's first and last name.".to_owned());
        };
        let look = || self.try_to_find(line, &name);
        self.db.until_written("what was found on the call", look).await
    }

    async fn try_to_find(&self, line: &Line, name: &PatientName) -> Result<Attempt<String>, StoreError> {
        let ((catalog, today, _), conversation, ahead) = futures::try_join!(
            self.clinic(line.org_id),
            self.bookings().conversation(line.org_id, &line.call_id),
            self.ahead_of_number(line),
        )?;
        let mut mine: Vec<Appointment> = ahead;
        // Those of this very call too, whose number may be withheld.
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
        let ids: Vec<_> = mine.iter().map(|appointment| appointment.appointment_id.clone()).collect();
        let Some((after, letters)) = conversation.finding(&ids) else {
            return Ok(Attempt::Done(
                "NOT FOUND. No more names may be looked for on this call. Offer to take a message."
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
            let named = mine.iter().zip(&letters).map(|(appointment, letter)| {
                format!("{}: {}.", letter.as_str(), said_of(appointment, &catalog, today))
            });
            format!(
                "FOUND. {} Say the times, without the letters. To cancel one use cancelAppointment with its letter; to move one use \
                 checkAvailability, and then rescheduleAppointment with its letter and that of the new time.",
                named.collect::<Vec<_>>().join(" ")
            )
        }))
    }

    /// The appointments that stand ahead and were booked from the caller's number; none for a number that is withheld.
    pub(super) async fn ahead_of_number(&self, line: &Line) -> Result<Vec<Appointment>, StoreError> {
        let Some(number) = &line.caller else { return Ok(Vec::new()) };
        let mut ahead = self.bookings().of_number(line.org_id, number.reveal()).await?;
        let now = self.clock.now();
        ahead.retain(|appointment| appointment.is_ahead(now));
        Ok(ahead)
    }
}
