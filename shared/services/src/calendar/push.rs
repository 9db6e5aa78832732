//! An appointment, from what is stored to what the clinic's calendars have.

use domain::{
    booking::appointment::{Appointment, Status},
    calendar::{
        Busy, Calendar, Connection, Draft, Meaning, Mirror, MirrorState, Pushed, Told, external_id, meaning,
    },
    ids::{AppointmentId, CalendarEventId, CalendarId, OrgId},
};
use jiff::SignedDuration;
use store::{booking::Between, queue::CalendarTask};
use vendors::google::{At, GoogleError};

use super::{CalendarSync, SyncError};

/// How often an event is tried that others are changing.
const TRIES: u32 = 4;
/// How many appointments of a page are pushed to a calendar that is new.
const PAGE: i32 = 100;
/// How far ahead appointments are pushed to it: further than any can be booked.
const AHEAD: SignedDuration = SignedDuration::from_hours(24 * 740);

/// How long our ids are.
const LENGTH_OF_OURS: usize = 32;

/// What became of one request.
enum Step {
    /// The calendar has it, as this version.
    There(String),
    /// It is to be tried again with this.
    Again(Mirror),
    /// It is not to be done now: the clinic's hand comes first.
    Left,
}

impl CalendarSync {
    /// Gives an appointment to each calendar that it belongs in, as it is stored now, and takes it out of each in which it does not
    /// stand any more. A second message of one write finds nothing to do.
    ///
    /// # Errors
    /// When a calendar does not have it yet.
    pub(super) async fn push(&self, org: OrgId, id: &AppointmentId) -> Result<(), SyncError> {
        let connection = self.connected(org).await?;
        let Some(appointment) = self.bookings.appointment(org, id).await? else { return Ok(()) };
        let (calendars, mirrors) =
            futures::try_join!(self.calendars.of_org(org), self.calendars.mirrors(org, id))?;
        for calendar in calendars.iter().filter(|calendar| calendar.is_written()) {
            let mirror = mirrors.iter().find(|mirror| mirror.calendar_id == calendar.calendar_id).cloned();
            let is_wanted = appointment.status != Status::Cancelled && is_in(&appointment, calendar);
            match mirror {
                Some(mirror) if !is_wanted => self.take_out(calendar, mirror).await?,
                None if !is_wanted => {}
                mirror => {
                    let begun = || Mirror::begun(org, id.clone(), calendar.calendar_id.clone());
                    let mirror = mirror.unwrap_or_else(begun);
                    self.put(&connection, &appointment, calendar, mirror).await?;
                }
            }
        }
        Ok(())
    }

    /// Has every appointment that stands ahead pushed: to a calendar that is new, connected anew, given to others, or saved anew after
    /// many events of ours were deleted in it, which are put back. Those that do not belong into it any more are taken out.
    ///
    /// # Errors
    /// When the store, the queue or Google does not do its part.
    pub(super) async fn fill(&self, org: OrgId, id: &CalendarId) -> Result<(), SyncError> {
        self.connected(org).await?;
        let calendar = self.calendars.calendar(org, id).await?;
        let Some(calendar) = calendar.filter(Calendar::is_written) else { return Ok(()) };
        let now = self.now();
        let asked = Between { from: now, to: now + AHEAD, limit: PAGE };
        let mut after = None;
        loop {
            let page = self.bookings.between(org, asked, after.as_ref()).await?;
            for appointment in &page.appointments {
                if is_in(appointment, &calendar) {
                    self.put_back(&calendar, appointment).await?;
                }
                let appointment_id = appointment.appointment_id.clone();
                self.queue.send(&CalendarTask::Push { org_id: org, appointment_id }, 0).await?;
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Notes that an event of ours is to be made anew, where it was there and is not any more.
    async fn put_back(&self, calendar: &Calendar, appointment: &Appointment) -> Result<(), SyncError> {
        let mirrors = self.calendars.mirrors(calendar.org_id, &appointment.appointment_id).await?;
        let of = |mirror: &&Mirror| mirror.calendar_id == calendar.calendar_id;
        let Some(mirror) = mirrors.iter().find(of) else { return Ok(()) };
        if mirror.state != MirrorState::Synced || appointment.status == Status::Cancelled {
            return Ok(());
        }
        let there = self.event(calendar, mirror.event_id.as_str()).await?;
        if there.is_none_or(|there| there.is_cancelled) {
            self.calendars.save_mirror(&mirror.anew(), None).await?;
        }
        Ok(())
    }

    async fn put(
        &self,
        connection: &Connection,
        appointment: &Appointment,
        calendar: &Calendar,
        mirror: Mirror,
    ) -> Result<(), SyncError> {
        if mirror.shows(appointment.revision) {
            return self.verify(appointment, calendar, &mirror).await;
        }
        let mut mirror = if mirror.state == MirrorState::Removed { mirror.anew() } else { mirror };
        let push = Pushed { revision: appointment.revision, interval: appointment.interval };
        for _ in 0..TRIES {
            // Noted before it is sent: its answer may be lost, and what comes back is to be known.
            self.calendars.note_ours(&mirror).await?;
            mirror = self.calendars.save_mirror(&mirror.pushing(push), None).await?;
            let shown = (connection.title, self.environment.as_str());
            let draft = Draft::of(appointment, &calendar.calendar_id, mirror.generation, shown);
            match self.give(appointment, calendar, &mirror, &draft).await? {
                Step::There(etag) => {
                    let synced = mirror.synced(appointment.revision, &etag);
                    let synced = self.calendars.save_mirror(&synced, None).await?;
                    return self.verify(appointment, calendar, &synced).await;
                }
                Step::Again(next) => mirror = next,
                Step::Left => return Ok(()),
            }
        }
        Err(SyncError::Contended)
    }

    /// Sends it once, and makes of a refusal what it means.
    async fn give(
        &self,
        appointment: &Appointment,
        calendar: &Calendar,
        mirror: &Mirror,
        draft: &Draft,
    ) -> Result<Step, SyncError> {
        let vendor_id = calendar.vendor_id.reveal();
        let sent = self
            .ask(appointment.org_id, |token| async move {
                let at = At { token: &token, calendar: vendor_id };
                match &mirror.etag {
                    None => self.google.insert(at, draft).await,
                    Some(etag) => self.google.update(at, etag, draft).await,
                }
            })
            .await;
        match sent {
            Ok(told) => Ok(Step::There(told.etag)),
            Err(SyncError::Google(GoogleError::AlreadyThere | GoogleError::Changed)) => {
                let there = self.event(calendar, mirror.event_id.as_str()).await?;
                self.compared(appointment, calendar, mirror, there).await
            }
            Err(SyncError::Google(GoogleError::NotFound | GoogleError::Gone)) if mirror.etag.is_some() => {
                // The event is gone for good, or the calendar: a new event tells which.
                Ok(Step::Again(mirror.anew()))
            }
            Err(SyncError::Google(GoogleError::NotFound | GoogleError::Forbidden { .. })) => {
                self.is_gone(calendar).await?;
                Ok(Step::Left)
            }
            Err(error) => Err(error),
        }
    }

    /// What to do about an event that is there, and is not as we knew it.
    async fn compared(
        &self,
        appointment: &Appointment,
        calendar: &Calendar,
        mirror: &Mirror,
        there: Option<Told>,
    ) -> Result<Step, SyncError> {
        let Some(there) = there else { return Err(GoogleError::NotFound.into()) };
        let revision = there.mark.as_ref().map(|mark| mark.revision);
        if revision.is_some_and(|revision| revision > appointment.revision) {
            // Another process has pushed what is newer than what was read here.
            return Err(SyncError::Contended);
        }
        if there.is_cancelled {
            // A deleted id stays taken. Where the clinic deleted what it saw of an older revision, ours stands.
            let is_newer = mirror.etag.is_none() || mirror.synced_revision < appointment.revision;
            if !is_newer {
                return self.left_to_the_hand(calendar).await;
            }
            let anew = mirror.anew();
            if mirror.etag.is_none() {
                return Ok(Step::Again(anew));
            }
            return Ok(Step::Again(self.noted(anew, appointment).await?));
        }
        match meaning(&there, mirror, appointment) {
            Meaning::Echo if revision == Some(appointment.revision) => Ok(Step::There(there.etag)),
            Meaning::Echo => Ok(Step::Again(Mirror { etag: Some(there.etag), ..mirror.clone() })),
            Meaning::Outdated => {
                let mirror = Mirror { etag: Some(there.etag), ..mirror.clone() };
                Ok(Step::Again(self.noted(mirror, appointment).await?))
            }
            Meaning::Moved(interval) => {
                // The clinic's change comes first, and what it comes to is pushed then.
                self.moved(calendar, appointment, (interval, &there.etag)).await?;
                Ok(Step::Left)
            }
            Meaning::Cancelled => self.left_to_the_hand(calendar).await,
            Meaning::Unknown | Meaning::Strangers => Err(SyncError::Unreadable),
        }
    }

    /// Notes that a person is to look at it, and tells the clinic, once for each revision.
    async fn noted(&self, mirror: Mirror, appointment: &Appointment) -> Result<Mirror, SyncError> {
        let is_news = mirror.attention != Some(appointment.revision);
        let told = is_news.then(|| self.outdated(appointment));
        let noted = mirror.to_be_looked_at(appointment.revision);
        Ok(self.calendars.save_mirror(&noted, told.as_ref()).await?)
    }

    /// The clinic deleted the event: how many more it did is read first.
    async fn left_to_the_hand(&self, calendar: &Calendar) -> Result<Step, SyncError> {
        self.calendars.raise_dirty(calendar.org_id, &calendar.calendar_id).await?;
        let pull = CalendarTask::Pull { org_id: calendar.org_id, calendar_id: calendar.calendar_id.clone() };
        self.queue.send(&pull, 0).await?;
        Ok(Step::Left)
    }

    /// Asks the calendar, once for each revision, whether others keep the appointment's time busy: it was booked by what was known of the
    /// calendar, which may have been an hour old. Until it has answered, the dashboard shows the appointment as unverified.
    async fn verify(
        &self,
        appointment: &Appointment,
        calendar: &Calendar,
        mirror: &Mirror,
    ) -> Result<(), SyncError> {
        if mirror.verified_revision >= appointment.revision || !appointment.is_ahead(self.now()) {
            return Ok(());
        }
        let (vendor_id, time) = (calendar.vendor_id.reveal(), appointment.interval);
        let there = self
            .ask(appointment.org_id, |token| async move {
                self.google.between(At { token: &token, calendar: vendor_id }, time).await
            })
            .await?;
        for event in &there {
            let is_taken = match event.busy(&calendar.time_zone) {
                Busy::Taken(interval) => interval.overlaps(&time),
                Busy::Free => false,
                Busy::Unknown => return Err(SyncError::Unreadable),
            };
            if is_taken && !self.is_known(calendar, event).await? {
                self.is_laid_over(calendar, appointment, &external_id(&event.id)).await?;
            }
        }
        let mirrors = self.calendars.mirrors(appointment.org_id, &appointment.appointment_id).await?;
        let now = mirrors.into_iter().find(|now| now.calendar_id == mirror.calendar_id);
        let Some(now) = now.filter(|now| now.shows(appointment.revision)) else {
            return Err(SyncError::Contended);
        };
        self.calendars.save_mirror(&now.verified(appointment.revision), None).await?;
        Ok(())
    }

    /// Whether an event is one of ours.
    async fn is_known(&self, calendar: &Calendar, event: &Told) -> Result<bool, SyncError> {
        let Some(id) = id_of_ours(event) else { return Ok(false) };
        Ok(self.calendars.appointment_of(calendar.org_id, &id).await?.is_some())
    }

    async fn take_out(&self, calendar: &Calendar, mirror: Mirror) -> Result<(), SyncError> {
        // Also where it was taken out before: an insert whose answer was lost may have come after that.
        let (vendor_id, id) = (calendar.vendor_id.reveal(), mirror.event_id.as_str());
        self.ask(calendar.org_id, |token| async move {
            self.google.delete(At { token: &token, calendar: vendor_id }, id).await
        })
        .await?;
        self.calendars.save_mirror(&mirror.removed(), None).await?;
        Ok(())
    }

    /// An event, as it is now.
    pub(super) async fn event(&self, calendar: &Calendar, id: &str) -> Result<Option<Told>, SyncError> {
        let vendor_id = calendar.vendor_id.reveal();
        self.ask(calendar.org_id, |token| async move {
            self.google.event(At { token: &token, calendar: vendor_id }, id).await
        })
        .await
    }
}

/// An event's id, where it is of the form that ours have; Google's own are shorter.
pub(super) fn id_of_ours(event: &Told) -> Option<CalendarEventId> {
    CalendarEventId::parse(event.id.as_str()).ok().filter(|id| id.as_str().len() == LENGTH_OF_OURS)
}

/// Whether an appointment takes a resource whose time the calendar is.
pub(super) fn is_in(appointment: &Appointment, calendar: &Calendar) -> bool {
    appointment.resource_ids.iter().any(|resource| calendar.resource_ids.contains(resource))
}
