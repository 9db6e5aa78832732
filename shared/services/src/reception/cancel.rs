//! `cancelAppointment`: one that was found on this call.

use domain::booking::{
    appointment::{Appointment, Status},
    conversation::{Changed, Conversation},
};
use store::{Attempt, StoreError};

use super::{
    Arguments, Line, Reception,
    reschedule::{ENOUGH, FIND_FIRST, as_it_is},
};
use crate::appointments::Asker;

impl Reception {
    pub(super) async fn cancel(&self, line: &Line, arguments: Arguments<'_>) -> Result<String, StoreError> {
        let Some(which) = arguments.letter("which") else {
            return Ok(format!("NOT CANCELLED. {FIND_FIRST}"));
        };
        let change = Changed { which, tool_call: arguments.tool_call() };
        self.changed("NOT CANCELLED", || self.try_to_cancel(line, &change)).await
    }

    async fn try_to_cancel(&self, line: &Line, change: &Changed) -> Result<Attempt<String>, StoreError> {
        let is_done = |_: &Conversation, appointment: &Appointment| appointment.status == Status::Cancelled;
        let target = match self.target(line, change, "NOT CANCELLED", is_done).await? {
            Ok(target) => target,
            Err(answer) => return Ok(answer),
        };
        let Some(conversation) = target.conversation.changing(change.clone()) else {
            return Ok(Attempt::Done(format!("NOT CANCELLED. {ENOUGH}")));
        };
        let written =
            self.appointments.try_to_cancel(&target.appointment, Asker::Caller(&conversation)).await?;
        Ok(written.map(|cancelled| as_it_is(&cancelled, target.today)))
    }
}
