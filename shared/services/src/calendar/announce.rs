//! What lets an appointment's write reach the clinic's calendar: announced before it, expedited after it.

use domain::{booking::appointment::Appointment, ids::OrgId};
use platform::Platform;
use store::{
    ChangeError, Dynamo, StoreError,
    booking::{Booking, Bookings},
    calendars::Calendars,
    queue::{CalendarQueue, CalendarTask},
};

/// The setting that says where messages for calendars go.
pub(super) const QUEUE_URL: &str = "CALENDAR_SYNC_QUEUE_URL";

/// Writes bookings so that calendars follow.
#[derive(Clone, Debug)]
pub struct Announcer {
    bookings: Bookings,
    calendars: Calendars,
    queue: Option<CalendarQueue>,
}

impl Announcer {
    /// Puts it together. Without `CALENDAR_SYNC_QUEUE_URL` no calendar follows: the functions that book demand it at their start.
    pub fn of(platform: &Platform, db: &Dynamo) -> Self {
        let url = platform.environment.reader().optional(QUEUE_URL);
        Self {
            bookings: Bookings::new(db.clone()),
            calendars: Calendars::new(db.clone()),
            queue: url.map(|url| CalendarQueue::new(platform.sqs.clone(), url)),
        }
    }

    /// Writes a booking. Where the clinic's calendar is connected and the booking writes an appointment, that it is to be pushed is in
    /// the queue before.
    ///
    /// # Errors
    /// As [`Bookings::book`]; and when the queue does not take the message: then nothing is written.
    pub async fn book(&self, org: OrgId, booking: &Booking<'_>) -> Result<(), ChangeError> {
        let messages = match (booking.appointment, &self.queue) {
            (Some(appointment), Some(_)) => self.messages(org, appointment).await?,
            _ => Vec::new(),
        };
        let write = self.bookings.book(org, booking);
        match &self.queue {
            Some(queue) if !messages.is_empty() => queue.around(&messages, write).await,
            _ => write.await,
        }
    }

    async fn messages(&self, org: OrgId, appointment: &Appointment) -> Result<Vec<CalendarTask>, StoreError> {
        let is_connected = self.calendars.is_connected(org).await?;
        let push = || CalendarTask::Push { org_id: org, appointment_id: appointment.appointment_id.clone() };
        Ok(is_connected.then(push).into_iter().collect())
    }
}
