//! `rescheduleAppointment`: an appointment that was found on this call, to a time that was offered on it.

use domain::booking::{
    appointment::{Appointment, Status},
    availability::Booker,
    conversation::{Changed, Conversation, Letter},
};
use jiff::civil::DateTime;
use store::{Attempt, StoreError, booking::Catalog};

use super::{Arguments, Line, Reception, question, said_of};
use crate::appointments::{By, Move};

/// What is answered to a letter that no appointment has.
pub(super) const FIND_FIRST: &str =
    "Which appointment is meant was never found on this call. Use findMyAppointments first.";

/// How often a change is decided again when others write the same days.
const TRIES: u32 = 4;

/// An appointment that is to be changed on a call, with everything that was read of it.
pub(super) struct Target {
    pub(super) appointment: Appointment,
    /// The call, with the change noted.
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
        let letter = |name: &str| arguments.text(name).and_then(Letter::parse);
        let Some(which) = letter("which") else { return Ok(format!("NOT MOVED. {FIND_FIRST}")) };
        let Some(option) = letter("option") else {
            return Ok(
                "NOT MOVED. No new time was chosen. Use checkAvailability, and choose one of its letters."
                    .to_owned(),
            );
        };
        let change = Changed { which, option: Some(option) };
        self.changed("NOT MOVED", || self.try_to_move(line, &change)).await
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

    async fn try_to_move(&self, line: &Line, change: &Changed) -> Result<Attempt<String>, StoreError> {
        let target = match self.target(line, change, "NOT MOVED").await? {
            Ok(target) => target,
            Err(answer) => return Ok(Attempt::Done(answer)),
        };
        let Target { appointment, conversation, catalog, today } = &target;
        let choice = change.option.as_ref().and_then(|option| conversation.option(option));
        let Some(choice) = choice else {
            return Ok(not_moved("That time was never offered on this call. Use checkAvailability first."));
        };
        if choice.service_id != appointment.service_id {
            return Ok(Attempt::Done(format!(
                "NOT MOVED. That time is for another service. Use checkAvailability for {}.",
                appointment.service_name
            )));
        }
        let wish = Move {
            appointment,
            starts_at: choice.starts_at,
            by: By::These(&choice.resource_ids),
            booker: Booker::Caller,
            overbooking: None,
            conversation: Some(conversation),
        };
        Ok(match self.appointments.try_to_move(catalog, &wish).await? {
            Ok(written) => written.map(|moved| as_it_is(&moved, catalog, *today)),
            Err(unfit) => {
                let why = question(unfit).strip_prefix("NOT BOOKED. ").unwrap_or_default();
                Attempt::Done(format!("NOT MOVED. The appointment stays as it was. {why}"))
            }
        })
    }

    /// The appointment that a change is about. None of it, and the answer, where it cannot be changed or was changed before.
    pub(super) async fn target(
        &self,
        line: &Line,
        change: &Changed,
        not_done: &str,
    ) -> Result<Result<Target, String>, StoreError> {
        let ((catalog, today, _), conversation) = futures::try_join!(
            self.clinic(line.org_id),
            self.bookings().conversation(line.org_id, &line.call_id),
        )?;
        let appointment = match conversation.found(&change.which) {
            Some(id) => self.bookings().appointment(line.org_id, id).await?,
            None => None,
        };
        let Some(appointment) = appointment else {
            return Ok(Err(format!("{not_done}. {FIND_FIRST}")));
        };
        if conversation.changed.contains(change) {
            return Ok(Err(as_it_is(&appointment, &catalog, today)));
        }
        if !appointment.is_ahead(self.clock.now()) {
            return Ok(Err(format!(
                "{not_done}. That appointment does not stand any more. Ask what is wanted instead."
            )));
        }
        let Some(conversation) = conversation.changing(change.clone()) else {
            return Ok(Err(format!(
                "{not_done}. This call has changed as much as one call may. Offer to take a message."
            )));
        };
        Ok(Ok(Target { appointment, conversation, catalog, today }))
    }
}

fn not_moved(why: &str) -> Attempt<String> {
    Attempt::Done(format!("NOT MOVED. {why}"))
}

/// What an appointment is now, as it is said after a change of it.
pub(super) fn as_it_is(appointment: &Appointment, catalog: &Catalog, today: DateTime) -> String {
    let when = said_of(appointment, catalog, today);
    match appointment.status {
        Status::Cancelled => {
            format!("CANCELLED. {} on {when} is cancelled. Say so.", appointment.service_name)
        }
        Status::Confirmed | Status::Arrived | Status::Completed | Status::NoShow => {
            format!(
                "MOVED. {} is now on {when}. Say so, and ask whether there is anything else.",
                appointment.service_name
            )
        }
    }
}
