//! A call that is over keeps no time any more.

use domain::{
    booking::diary::Owner,
    ids::{CallId, OrgId},
};
use store::{Attempt, StoreError, booking::Booking};

use super::Reception;

impl Reception {
    /// Gives the time back that a call has kept and not booked, so that the next caller is offered it at once and not when it lapses.
    ///
    /// # Errors
    /// When the store does not do its part: nothing is lost, the time lapses by itself within two minutes.
    pub async fn give_back_time(&self, org: OrgId, call: &CallId) -> Result<(), StoreError> {
        self.db.until_written("the time that a call has kept", || self.try_to_give_back(org, call)).await
    }

    async fn try_to_give_back(&self, org: OrgId, call: &CallId) -> Result<Attempt<()>, StoreError> {
        let conversation = self.bookings().conversation(org, call).await?;
        let now = self.clock.now();
        let Some(held) = conversation.held.as_ref().filter(|held| now < held.expires_at) else {
            return Ok(Attempt::Done(()));
        };
        let wanted = [(held.resource_ids.as_slice(), held.blocked.days())];
        let diary = self.appointments.diary(org, &wanted).await?;
        let days = diary.giving_back(Owner::Hold(call), now);
        let booking = Booking {
            days: &days,
            conversation: Some(&conversation.holding_nothing()),
            ..Booking::default()
        };
        Attempt::of(self.bookings().book(org, &booking).await)
    }
}
