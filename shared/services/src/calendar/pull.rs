//! What has changed in a calendar, read to its end by one process at a time. Where it was read up to is saved last, so that what was
//! broken off is read again.

use std::collections::BTreeSet;

use domain::{
    booking::diary::Interval,
    calendar::{Busy, Calendar, Stance, Told, external_id},
    ids::{CalendarId, OrgId},
};
use jiff::Timestamp;
use store::{Attempt, StoreError, queue::CalendarTask};
use vendors::google::{At, Changes, From, GoogleError};

use super::{CalendarSync, LEASE, SyncError, hand::Ours, import::Window, push::id_of_ours};

/// How often one run reads what changed while it read.
const ROUNDS: u32 = 3;

/// Where a reading begins, and what it is one of.
pub(super) struct Reading {
    token: Option<String>,
    generation: u64,
}

/// The longest that a queue keeps a message back (SQS, `DelaySeconds`).
const LONGEST_DELAY_SECS: i64 = 900;

impl CalendarSync {
    /// Reads what has changed in a calendar, and again while it changes meanwhile. One that is not used any more gives back what its
    /// events had taken.
    ///
    /// # Errors
    /// When it was not read to its end: nothing is lost, the same is read again.
    pub(super) async fn pull(&self, org: OrgId, id: &CalendarId) -> Result<(), SyncError> {
        let Some(mut calendar) = self.leased(org, id).await? else { return Ok(()) };
        for _ in 0..ROUNDS {
            let dirty = calendar.dirty;
            let outcome = match calendar.stance {
                Stance::Active | Stance::Asking => self.read(&calendar).await,
                // What is known of a calendar that cannot be reached stands.
                Stance::Broken => Ok(None),
                Stance::Unused => self.forget(&calendar).await.map(|()| None),
            };
            let after = self.given_back(&calendar, outcome.as_ref().ok().and_then(Option::as_ref)).await?;
            outcome?;
            match after {
                Some(after) if after.dirty != dirty => {
                    let Some(again) = self.leased(org, id).await? else { return Ok(()) };
                    calendar = again;
                }
                _ => return Ok(()),
            }
        }
        self.queue.send(&CalendarTask::Pull { org_id: org, calendar_id: id.clone() }, 0).await?;
        Ok(())
    }

    /// Takes the lease of a calendar; none where there is no such calendar, or another process reads it. That one reads it again when it
    /// gives the lease back, and one message waits for the lease's end: if each word had its own, they would never be fewer.
    pub(super) async fn leased(&self, org: OrgId, id: &CalendarId) -> Result<Option<Calendar>, SyncError> {
        let take = || async {
            let now = self.clock.now();
            let Some(there) = self.calendars.calendar(org, id).await? else { return Ok(Attempt::Done(None)) };
            if there.lease_until > now {
                if there.awaited == Some(there.lease_until) {
                    return Ok(Attempt::Done(None));
                }
                // Who has the lease may have died.
                let again = CalendarTask::Pull { org_id: org, calendar_id: id.clone() };
                let secs = there.lease_until.duration_since(now).as_secs().clamp(1, LONGEST_DELAY_SECS);
                self.queue.send(&again, i32::try_from(secs).unwrap_or(i32::MAX)).await?;
                let (awaited, dirty) = (Some(there.lease_until), there.dirty.saturating_add(1));
                let waits = Calendar { awaited, dirty, ..there };
                let saved = self.calendars.save_calendar(&waits, None).await;
                return Ok(Attempt::of(saved)?.map(|_| None));
            }
            let leased = Calendar { lease_until: now + LEASE, ..there };
            Ok::<_, StoreError>(Attempt::of(self.calendars.save_calendar(&leased, None).await)?.map(Some))
        };
        Ok(self.db.until_written("the calendar", take).await?)
    }

    /// Gives the lease back and notes what was read, whatever else changed meanwhile. Returns the calendar as it is then.
    pub(super) async fn given_back(
        &self,
        leased: &Calendar,
        read: Option<&Reading>,
    ) -> Result<Option<Calendar>, SyncError> {
        let (org, id) = (leased.org_id, &leased.calendar_id);
        let note = || async {
            let now = self.clock.now();
            let Some(there) = self.calendars.calendar(org, id).await? else { return Ok(Attempt::Done(None)) };
            let is_ours = there.lease_until == leased.lease_until;
            // Whose time the calendar is was changed meanwhile: then it is read whole again.
            let is_same = there.resource_ids == leased.resource_ids && there.stance == leased.stance;
            let mut after = Calendar {
                lease_until: if is_ours { now } else { there.lease_until },
                poll_at: there.next_poll(now),
                ..there
            };
            if let Some(read) = read.filter(|_| is_ours && is_same) {
                after.sync_token.clone_from(&read.token);
                after.generation = read.generation;
                after.synced_at = Some(now);
            }
            Ok::<_, StoreError>(Attempt::of(self.calendars.save_calendar(&after, None).await)?.map(Some))
        };
        Ok(self.db.until_written("the calendar", note).await?)
    }

    /// Reads a calendar's changes to the last page; all of it, where no token is known, or it has expired.
    async fn read(&self, calendar: &Calendar) -> Result<Option<Reading>, SyncError> {
        self.connected(calendar.org_id).await?;
        let window = self.window(calendar).await?;
        match &calendar.sync_token {
            Some(token) => match self.pages(calendar, Some(token), calendar.generation, &window).await {
                Err(SyncError::Google(GoogleError::Gone)) => self.whole(calendar, &window).await,
                outcome => outcome,
            },
            None => self.whole(calendar, &window).await,
        }
    }

    /// Reads all of a calendar, under a generation of its own; what was not seen in it is gone.
    async fn whole(&self, calendar: &Calendar, window: &Window) -> Result<Option<Reading>, SyncError> {
        let generation = calendar.generation.saturating_add(1);
        let Some(reading) = self.pages(calendar, None, generation, window).await? else { return Ok(None) };
        self.sweep(calendar, generation, window).await?;
        tracing::info!(org_id = %calendar.org_id, calendar_id = %calendar.calendar_id, "a calendar was read whole");
        Ok(Some(reading))
    }

    /// Reads page after page and applies each; none where the calendar itself is gone, or not ours to read any more.
    async fn pages(
        &self,
        calendar: &Calendar,
        token: Option<&String>,
        generation: u64,
        window: &Window,
    ) -> Result<Option<Reading>, SyncError> {
        let vendor_id = calendar.vendor_id.reveal();
        let mut page: Option<String> = None;
        loop {
            let asked = &page;
            let read = self
                .ask(calendar.org_id, |access| async move {
                    let from = token.map_or(From::Beginning, |token| From::Token(token));
                    let at = At { token: &access, calendar: vendor_id };
                    self.google.changes(at, from, asked.as_deref()).await
                })
                .await;
            let changes: Changes = match read {
                Ok(changes) => changes,
                Err(SyncError::Google(GoogleError::NotFound | GoogleError::Forbidden { .. })) => {
                    self.is_gone(calendar).await?;
                    return Ok(None);
                }
                Err(error) => return Err(error),
            };
            let mut events = changes.events;
            if token.is_none() {
                // Of years that are over nothing is kept, and what was is swept away.
                events.retain(|event| !is_over(event, calendar, window));
            }
            self.apply(calendar, events, generation, window).await?;
            match (changes.next_page, changes.sync_token) {
                (Some(next), _) => page = Some(next),
                (None, token) => return Ok(Some(Reading { token, generation })),
            }
        }
    }

    /// Applies one page: our own events by what they mean, those of others by what they take, each series once.
    async fn apply(
        &self,
        calendar: &Calendar,
        events: Vec<Told>,
        generation: u64,
        window: &Window,
    ) -> Result<(), SyncError> {
        let mut series: BTreeSet<String> = BTreeSet::new();
        let mut deleted = Vec::new();
        for event in events {
            if let Some(of) = &event.series {
                series.insert(of.clone());
            } else if event.is_series && !event.is_cancelled {
                series.insert(event.id);
            } else {
                match self.of_ours(calendar, &event).await? {
                    Ours::Not => self.import_event(calendar, &event, generation, window).await?,
                    Ours::Done => {}
                    Ours::Deleted(one) => deleted.push(*one),
                }
            }
        }
        // Together: that many were deleted at once is seen before the first is applied.
        self.deleted(calendar, deleted).await?;
        for series in series {
            self.import_series(calendar, &series, generation, window).await?;
        }
        Ok(())
    }

    /// What an event is to us. One of ours that was only moved is dealt with.
    async fn of_ours(&self, calendar: &Calendar, event: &Told) -> Result<Ours, SyncError> {
        let Some(id) = id_of_ours(event) else { return Ok(Ours::Not) };
        match self.calendars.appointment_of(calendar.org_id, &id).await? {
            Some(appointment_id) => self.came_back(calendar, &appointment_id, event).await,
            None => Ok(Ours::Not),
        }
    }

    /// Gives back all that the events of others had taken in a calendar that is not used any more, and ends its channel.
    async fn forget(&self, calendar: &Calendar) -> Result<(), SyncError> {
        let window = self.window(calendar).await?;
        self.sweep(calendar, u64::MAX, &window).await?;
        self.unwatch(calendar).await
    }

    /// Gives back what the events had taken that were not seen in this reading of the whole calendar.
    async fn sweep(&self, calendar: &Calendar, generation: u64, window: &Window) -> Result<(), SyncError> {
        let known = self.externals.of_calendar(calendar.org_id, &calendar.calendar_id).await?;
        for event in known.into_iter().filter(|event| event.generation < generation) {
            self.import(calendar, (&event.external_id, &event.vendor_id), &[], false, (generation, window))
                .await?;
        }
        Ok(())
    }

    /// An event of others, which stands by itself.
    async fn import_event(
        &self,
        calendar: &Calendar,
        event: &Told,
        generation: u64,
        window: &Window,
    ) -> Result<(), SyncError> {
        let id = external_id(&event.id);
        let Some(intervals) = self.taken_by(calendar, event, &id, generation).await? else { return Ok(()) };
        self.import(calendar, (&id, &event.id), &intervals, false, (generation, window)).await
    }

    /// When `now` is, for those that only import.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// Whether an event, and no series, ended before the days that are kept.
fn is_over(event: &Told, calendar: &Calendar, window: &Window) -> bool {
    let ended = |interval: Interval| interval.to <= window.from;
    !event.is_series
        && event.series.is_none()
        && matches!(event.busy(&calendar.time_zone), Busy::Taken(interval) if ended(interval))
}
