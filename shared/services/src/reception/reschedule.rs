//! `rescheduleAppointment`: an appointment that was found on this call, to a time that was offered on it.

use domain::booking::{
    appointment::{Appointment, Status},
    conversation::{Changed, Conversation, Letter},
};
use jiff::civil::DateTime;
use store::{Attempt, StoreError, booking::Catalog};

use super::{Arguments, Line, Reception, TRIES, question, time_of};
use crate::appointments::{Asker, By, Move};

/// What is answered to a letter that no appointment has.
pub(super) const FIND_FIRST: &str =
    "Which appointment is meant was never found on this call. Use findMyAppointments first.";

/// What is answered when a call has made as many changes as one may.
pub(super) const ENOUGH: &str = "This call has changed as much as one call may. Offer to take a message.";

/// An appointment that is to be changed on a call, with everything that was read of it.
pub(super) struct Target {
    pub(super) appointment: Appointment,
    /// The call, without the change.
    pub(super) conversation: Conversation,
    pub(super) catalog: Catalog,
    pub(super) today: DateTime,
}

impl Reception {
    pub(super) async fn reschedule(
        &self,
        line: &Line,
        arguments: Arguments<'_>,
    ) -> Result<String, StoreError> {
        let Some(which) = arguments.letter("which") else {
            return Ok(format!("NOT MOVED. {FIND_FIRST}"));
        };
        let Some(option) = arguments.letter("option") else {
            return Ok(
                "NOT MOVED. No new time was chosen. Use checkAvailability, and choose one of its letters."
                    .to_owned(),
            );
        };
        let change = Changed { which, tool_call: arguments.tool_call() };
        self.changed("NOT MOVED", || self.try_to_move(line, &change, &option)).await
    }

    /// Does a change a few times, and says that it was not done when others came between each time.
    pub(super) async fn changed<F: Future<Output = Result<Attempt<String>, StoreError>>>(
        &self,
        not_done: &str,
        attempt: impl FnMut() -> F,
    ) -> Result<String, StoreError> {
        let answer = self.db.a_few_times(TRIES, attempt).await?;
        Ok(answer.unwrap_or_else(|| {
            format!("{not_done}. The diary changes at this very moment. Do the same once more.")
        }))
    }

    async fn try_to_move(
        &self,
        line: &Line,
        change: &Changed,
        option: &Letter,
    ) -> Result<Attempt<String>, StoreError> {
        let is_done = |conversation: &Conversation, appointment: &Appointment| {
            let choice = conversation.option(option);
            appointment.is_ahead(self.clock.now())
                && choice.is_some_and(|choice| appointment.is_at(choice.starts_at, &choice.resource_ids))
        };
        let target = match self.target(line, change, "NOT MOVED", is_done).await? {
            Ok(target) => target,
            Err(answer) => return Ok(answer),
        };
        let Target { appointment, conversation, catalog, today } = &target;
        let Some(choice) = conversation.option(option) else {
            return Ok(not_moved("That time was never offered on this call. Use checkAvailability first."));
        };
        if choice.service_id != appointment.service_id {
            return Ok(not_moved(
                "That time is not for this appointment. Use checkAvailability with the appointment's letter as which.",
            ));
        }
        let Some(conversation) = conversation.changing(change.clone()) else {
            return Ok(not_moved(ENOUGH));
        };
        let conversation = conversation.knowing(&change.which, appointment.revision.saturating_add(1));
        let wish = Move {
            appointment,
            starts_at: choice.starts_at,
            by: By::These(&choice.resource_ids),
            overbook: None,
            asker: Asker::Caller(&conversation),
        };
        Ok(match self.appointments.try_to_move(catalog, &wish).await? {
            Ok(written) => written.map(|moved| as_it_is(&moved, *today)),
            Err(unfit) => not_moved(&format!("The appointment stays as it was. {}", question(unfit))),
        })
    }

    /// The appointment that a change is about. None of it, and the answer, where it cannot be changed, is as it is wanted already, or
    /// was moved since the caller heard of it: then the caller hears where it is, before anything becomes of it.
    pub(super) async fn target(
        &self,
        line: &Line,
        change: &Changed,
        not_done: &str,
        is_done: impl Fn(&Conversation, &Appointment) -> bool,
    ) -> Result<Result<Target, Attempt<String>>, StoreError> {
        let ((catalog, today, _), conversation) = futures::try_join!(
            self.clinic(line.org_id),
            self.bookings().conversation(line.org_id, &line.call_id),
        )?;
        let answer = |why: &str| Ok(Err(Attempt::Done(format!("{not_done}. {why}"))));
        let Some(found) = conversation.found(&change.which) else { return answer(FIND_FIRST) };
        let there = self.bookings().appointment(line.org_id, &found.appointment_id).await?;
        let Some(appointment) = there else { return answer(FIND_FIRST) };
        if conversation.was_made(change) || is_done(&conversation, &appointment) {
            return Ok(Err(Attempt::Done(as_it_is(&appointment, today))));
        }
        if !appointment.is_ahead(self.clock.now()) {
            return answer("That appointment does not stand any more. Ask what is wanted instead.");
        }
        if found.revision != appointment.revision {
            let knowing = conversation.knowing(&change.which, appointment.revision);
            let written = Attempt::of(self.bookings().save_conversation(&knowing).await)?;
            let when = time_of(&appointment, today);
            return Ok(Err(written.map(|()| {
                format!(
                    "{not_done}. The clinic has moved that appointment: it is on {when}. Say so, and ask what is wanted; then do \
                     the same once more, if it is."
                )
            })));
        }
        Ok(Ok(Target { appointment, conversation, catalog, today }))
    }
}

fn not_moved(why: &str) -> Attempt<String> {
    Attempt::Done(format!("NOT MOVED. {why}"))
}

/// What an appointment is now, as it is said after a change of it: not what it is for, which somebody else may hear.
pub(super) fn as_it_is(appointment: &Appointment, today: DateTime) -> String {
    let when = time_of(appointment, today);
    match appointment.status {
        Status::Cancelled => format!("CANCELLED. The appointment on {when} is cancelled. Say so."),
        Status::Confirmed | Status::Arrived | Status::Completed | Status::NoShow => {
            format!(
                "MOVED. The appointment is now on {when}. Say so, and ask whether there is anything else."
            )
        }
    }
}
