//! How an appointment stands with the clinic's calendars, as the dashboard shows it: read when it is shown, and stored nowhere.

use domain::{
    booking::appointment::{Appointment, Status},
    calendar::{Calendar, Mirror, MirrorState},
    ids::OrgId,
};
use store::{Dynamo, StoreError, calendars::Calendars};

use super::push::is_in;

/// What shows how appointments stand.
#[derive(Clone, Debug)]
pub struct Shown {
    calendars: Calendars,
}

impl Shown {
    /// Over the calendars of this environment.
    pub const fn new(db: Dynamo) -> Self {
        Self { calendars: Calendars::new(db) }
    }

    /// The dashboard's word for each of these appointments of an org: `none`, `pending`,
    /// `unverified`, `synced` or `attention`.
    ///
    /// # Errors
    /// When the store does not do its part.
    pub async fn words(
        &self,
        org: OrgId,
        appointments: &[Appointment],
    ) -> Result<Vec<&'static str>, StoreError> {
        let calendars = self.calendars.of_org(org).await?;
        if !calendars.iter().any(Calendar::is_read) {
            return Ok(vec!["none"; appointments.len()]);
        }
        let calendars = &calendars;
        let words = appointments.iter().map(|appointment| async move {
            let mirrors = self.calendars.mirrors(org, &appointment.appointment_id).await?;
            Ok::<_, StoreError>(word(appointment, calendars, &mirrors))
        });
        futures::future::try_join_all(words).await
    }
}

fn word(appointment: &Appointment, calendars: &[Calendar], mirrors: &[Mirror]) -> &'static str {
    if mirrors.iter().any(|mirror| mirror.attention == Some(appointment.revision)) {
        return "attention";
    }
    let is_cancelled = appointment.status == Status::Cancelled;
    let of = |calendar: &Calendar| mirrors.iter().find(|mirror| mirror.calendar_id == calendar.calendar_id);
    let written: Vec<&Calendar> = calendars.iter().filter(|calendar| calendar.is_written()).collect();
    let is_done = |calendar: &&Calendar| match of(calendar) {
        None => is_cancelled || !is_in(appointment, calendar),
        Some(mirror) if is_cancelled || !is_in(appointment, calendar) => mirror.state == MirrorState::Removed,
        Some(mirror) => mirror.shows(appointment.revision),
    };
    let is_anywhere = !is_cancelled && written.iter().any(|calendar| is_in(appointment, calendar));
    let is_verified = |mirror: &Mirror| mirror.verified_revision >= appointment.revision;
    let shows = |mirror: &&Mirror| mirror.shows(appointment.revision);
    match (is_anywhere, written.iter().all(is_done)) {
        (_, false) => "pending",
        (true, true) if mirrors.iter().filter(shows).all(is_verified) => "synced",
        (true, true) => "unverified",
        (false, true) => "none",
    }
}
