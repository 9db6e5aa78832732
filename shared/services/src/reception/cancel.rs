//! `cancelAppointment`: one that was found on this call.

use domain::booking::conversation::{Changed, Letter};
use store::{Attempt, StoreError};

use super::{
    Arguments, Line, Reception,
    reschedule::{FIND_FIRST, as_it_is},
};

impl Reception {
    pub(super) async fn cancel(&self, line: &Line, arguments: Arguments<'_>) -> Result<String, StoreError> {
        let Some(which) = arguments.text("which").and_then(Letter::parse) else {
            return Ok(format!("NOT CANCELLED. {FIND_FIRST}"));
        };
        let change = Changed { which, option: None };
        self.changed("NOT CANCELLED", || self.try_to_cancel(line, &change)).await
    }

    async fn try_to_cancel(&self, line: &Line, change: &Changed) -> Result<Attempt<String>, StoreError> {
        let target = match self.target(line, change, "NOT CANCELLED").await? {
            Ok(target) => target,
            Err(answer) => return Ok(Attempt::Done(answer)),
        };
        let written =
            self.appointments.try_to_cancel(&target.appointment, Some(&target.conversation)).await?;
        Ok(written.map(|cancelled| as_it_is(&cancelled, &target.catalog, target.today)))
    }
}
