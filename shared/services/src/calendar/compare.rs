//! The daily comparison: each appointment of the next 60 days has one event in each of its calendars, at its time; each that was
//! cancelled has none. What does not agree is pushed or read again; what still does not is for a person.

use base::alarm;
use domain::{
    booking::appointment::{Appointment, Status},
    calendar::{Calendar, External, MirrorState, When, external_id},
    ids::{CalendarId, OrgId},
};
use jiff::SignedDuration;
use store::{booking::Between, queue::CalendarTask};

use super::{CalendarSync, SyncError, import::Window, push::is_in};

/// How far ahead pairs are compared.
const AHEAD: SignedDuration = SignedDuration::from_hours(24 * 60);
/// How many appointments of a page are compared.
const PAGE: i32 = 100;

/// What a comparison found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// How many appointments were looked for in the calendar.
    pub pairs: u32,
    /// How many of them are not there as they are here.
    pub differing: u32,
}

impl CalendarSync {
    /// Compares what stands in a calendar with the appointments, and reads its series a day further. Of one that is not there, or is
    /// not read, nothing is compared.
    ///
    /// # Errors
    /// When it did not come to its end.
    pub async fn compare(&self, org: OrgId, id: &CalendarId) -> Result<Compared, SyncError> {
        let calendar = self.calendars.calendar(org, id).await?;
        let Some(calendar) = calendar.filter(Calendar::is_read) else { return Ok(Compared::default()) };
        self.connected(org).await?;
        // One process at a time writes what others keep busy; where one is at it, this comes tomorrow.
        if let Some(leased) = self.leased(org, id).await? {
            let outcome = self.go_on(&leased).await;
            let after = self.given_back(&leased, None).await?;
            if after.is_some_and(|after| after.dirty != leased.dirty) {
                self.queue.send(&CalendarTask::Pull { org_id: org, calendar_id: id.clone() }, 0).await?;
            }
            outcome?;
        }
        let now = self.now();
        let asked = Between { from: now, to: now + AHEAD, limit: PAGE };
        let mut after = None;
        let mut compared = Compared::default();
        loop {
            let page = self.bookings.between(org, asked, after.as_ref()).await?;
            for appointment in
                page.appointments.iter().filter(|one| calendar.is_written() && is_in(one, &calendar))
            {
                compared.pairs = compared.pairs.saturating_add(1);
                if !self.agrees(&calendar, appointment).await? {
                    compared.differing = compared.differing.saturating_add(1);
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let Compared { pairs, differing } = compared;
        tracing::info!(org_id = %org, calendar_id = %id, pairs, differing, "a calendar was compared");
        if differing > 0 {
            alarm!("calendar_differs", org_id = %org, calendar_id = %id, pairs, differing,
                "appointments and a clinic's calendar do not agree");
        }
        Ok(compared)
    }

    /// Whether an appointment and its event agree. What we have not pushed yet is pushed, and counts as agreed; what is otherwise is
    /// read again.
    async fn agrees(&self, calendar: &Calendar, appointment: &Appointment) -> Result<bool, SyncError> {
        let (org, id) = (appointment.org_id, &appointment.appointment_id);
        let mirrors = self.calendars.mirrors(org, id).await?;
        let mirror = mirrors.iter().find(|mirror| mirror.calendar_id == calendar.calendar_id);
        let is_cancelled = appointment.status == Status::Cancelled;
        let is_pushed = mirror.is_some_and(|mirror| match mirror.state {
            MirrorState::Pending => false,
            MirrorState::Synced => !is_cancelled && mirror.shows(appointment.revision),
            MirrorState::Removed => is_cancelled,
        });
        let Some(mirror) = mirror.filter(|_| is_pushed) else {
            if !(is_cancelled && mirror.is_none()) {
                let push = CalendarTask::Push { org_id: org, appointment_id: id.clone() };
                self.queue.send(&push, 0).await?;
            }
            return Ok(true);
        };
        let event = self.event(calendar, mirror.event_id.as_str()).await?;
        let standing = event.filter(|event| !event.is_cancelled);
        let agrees = match (&standing, is_cancelled) {
            (None, is_cancelled) => is_cancelled,
            (Some(_), true) => false,
            (Some(event), false) => event.when == When::Timed(appointment.interval),
        };
        if standing.is_none() && !agrees {
            // A reading of the whole calendar does not tell of what was deleted: a person is to say what is meant.
            let text = format!(
                "The event of the appointment of {} is gone from the calendar {}. Here the appointment stands: cancel it in the diary, or \
                 save the calendar's settings to have it put back.",
                appointment.patient_name.reveal(),
                calendar.name.reveal()
            );
            self.look_at(calendar, appointment, &["gone"], text).await?;
        }
        if standing.is_some() && is_cancelled {
            let push = CalendarTask::Push { org_id: org, appointment_id: id.clone() };
            self.queue.send(&push, 0).await?;
            return Ok(false);
        }
        if !agrees && mirror.attention != Some(appointment.revision) {
            self.calendars.raise_dirty(org, &calendar.calendar_id).await?;
            let pull = CalendarTask::Pull { org_id: org, calendar_id: calendar.calendar_id.clone() };
            self.queue.send(&pull, 0).await?;
        }
        Ok(agrees)
    }

    /// Reads what goes on beyond the days that were known, as far as it has come within them by now.
    async fn go_on(&self, calendar: &Calendar) -> Result<(), SyncError> {
        let window = self.window(calendar).await?;
        let known = self.externals.of_calendar(calendar.org_id, &calendar.calendar_id).await?;
        for event in known.iter().filter(|event| event.goes_on) {
            self.further(calendar, event, &window).await?;
        }
        Ok(())
    }

    async fn further(&self, calendar: &Calendar, event: &External, window: &Window) -> Result<(), SyncError> {
        if event.is_series {
            if self.event(calendar, &event.vendor_id).await?.is_none() {
                // The series, or the whole calendar: its own reading says which, and until then what is known stands.
                self.calendars.raise_dirty(calendar.org_id, &calendar.calendar_id).await?;
                let (org_id, calendar_id) = (calendar.org_id, calendar.calendar_id.clone());
                return Ok(self.queue.send(&CalendarTask::Pull { org_id, calendar_id }, 0).await?);
            }
            return self.import_series(calendar, &event.vendor_id, event.generation, window).await;
        }
        let id = external_id(&event.vendor_id);
        let seen = (event.generation, window);
        self.import(calendar, (&id, &event.vendor_id), &event.intervals, false, seen).await
    }
}
