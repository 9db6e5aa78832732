//! What others keep busy, from their calendar into the diary: an event, or a series with all its instances, by one write for each day
//! of each resource that it touches.

use std::collections::BTreeSet;

use domain::{
    booking::{
        appointment::Appointment,
        catalog::Service,
        diary::{Diary, Interval, ResourceDay, Taken},
    },
    calendar::{Busy, Calendar, External, Mirror, Told, clipped, external_id},
    ids::{AppointmentId, ExternalId, ResourceId},
};
use jiff::{SignedDuration, civil::Date};
use store::{Attempt, StoreError};
use vendors::google::{At, GoogleError};

use super::{CalendarSync, SyncError};

/// How far ahead busy times are kept at the least, and at the most.
const LEAST_DAYS: u32 = 30;
const MOST_DAYS: u32 = 730;

/// What an event of ours shows that somebody has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shows {
    /// The revision that stands here.
    ThisRevision,
    /// One before it.
    AnOlder,
}

/// How many days are written at once.
const AT_ONCE: usize = 8;

/// From when until when busy times are kept: from yesterday on, and further than any service can be booked.
pub(super) type Window = Interval;

/// What is known of an event of others, and the reading of its calendar that it is seen in.
pub(super) type Seen<'a> = (u64, &'a Window);

impl CalendarSync {
    /// From when until when busy times are kept.
    pub(super) async fn window(&self, calendar: &Calendar) -> Result<Window, SyncError> {
        let catalog = self.bookings.catalog(calendar.org_id).await?;
        let horizon = |service: &Service| service.terms.horizon_days;
        let days =
            catalog.services.iter().chain(&catalog.former_services).map(horizon).max().unwrap_or(LEAST_DAYS);
        let days = i64::from(days.clamp(LEAST_DAYS, MOST_DAYS)).saturating_add(2);
        let now = self.now();
        let day = SignedDuration::from_hours(24);
        Ok(Interval { from: now - day, to: now + SignedDuration::from_hours(days.saturating_mul(24)) })
    }

    /// What an event takes; none where it cannot be told, so that what is known of it stands, and counts as seen.
    pub(super) async fn taken_by(
        &self,
        calendar: &Calendar,
        event: &Told,
        id: &ExternalId,
        generation: u64,
    ) -> Result<Option<Vec<Interval>>, SyncError> {
        match event.busy(&calendar.time_zone) {
            Busy::Taken(interval) => Ok(Some(vec![interval])),
            Busy::Free => Ok(Some(Vec::new())),
            Busy::Unknown => {
                tracing::warn!(org_id = %calendar.org_id, calendar_id = %calendar.calendar_id, external_id = %id,
                    "an event cannot be read: what was known of it stands");
                let known = self.externals.get(calendar.org_id, &calendar.calendar_id, id).await?;
                if let Some(known) = known {
                    self.externals.put(&External { generation, ..known }).await?;
                }
                Ok(None)
            }
        }
    }

    /// A series of others, as its instances; one that is deleted takes nothing.
    pub(super) async fn import_series(
        &self,
        calendar: &Calendar,
        series: &str,
        generation: u64,
        window: &Window,
    ) -> Result<(), SyncError> {
        let vendor_id = calendar.vendor_id.reveal();
        let asked = self
            .ask(calendar.org_id, |token| async move {
                self.google.instances(At { token: &token, calendar: vendor_id }, series, *window).await
            })
            .await;
        let id = external_id(series);
        let instances = match asked {
            Ok(instances) => instances,
            Err(SyncError::Google(GoogleError::Gone | GoogleError::NotFound)) => {
                // The series, or the whole calendar: the calendar's own reading says which.
                return self.import(calendar, (&id, series), &[], false, (generation, window)).await;
            }
            Err(error) => return Err(error),
        };
        let mut intervals = Vec::new();
        for instance in &instances {
            match self.taken_by(calendar, instance, &id, generation).await? {
                Some(taken) => intervals.extend(taken),
                None => return Ok(()),
            }
        }
        self.import(calendar, (&id, series), &intervals, true, (generation, window)).await
    }

    /// Lets an event of others take these times of the calendar's resources, in the place of those that it had. Where it stands, or
    /// may stand, is noted before and after, so that what is broken off leaves nothing behind.
    pub(super) async fn import(
        &self,
        calendar: &Calendar,
        (id, vendor_id): (&ExternalId, &str),
        intervals: &[Interval],
        is_series: bool,
        (generation, window): Seen<'_>,
    ) -> Result<(), SyncError> {
        let known = self.externals.get(calendar.org_id, &calendar.calendar_id, id).await?;
        let within: Vec<Interval> =
            intervals.iter().filter_map(|interval| clipped(*interval, *window)).collect();
        let wanted = days_of(calendar, &within);
        let before = known.as_ref().map(|known| known.stands_in.clone()).unwrap_or_default();
        let is_beyond = |interval: &Interval| interval.to > window.to;
        let event = External {
            org_id: calendar.org_id,
            calendar_id: calendar.calendar_id.clone(),
            external_id: id.clone(),
            vendor_id: vendor_id.to_owned(),
            generation,
            goes_on: is_series || intervals.iter().any(is_beyond),
            intervals: intervals.iter().copied().filter(|interval| interval.to > window.from).collect(),
            is_series,
            is_settled: false,
            stands_in: before.iter().chain(&wanted).cloned().collect::<BTreeSet<_>>().into_iter().collect(),
        };
        let is_kept = is_series || !event.intervals.is_empty();
        if known.is_none() && !is_kept {
            return Ok(());
        }
        // Only what is new there can have come to lie on something. What was broken off is new as a whole.
        let settled = known.as_ref().filter(|known| known.is_settled && before == wanted);
        let is_new = |interval: &&Interval| settled.is_none_or(|known| !known.intervals.contains(interval));
        let fresh: Vec<Interval> = within.iter().filter(is_new).copied().collect();
        let is_same = |known: &External| known.generation == generation && known.intervals == event.intervals;
        if settled.is_some_and(is_same) {
            return Ok(());
        }
        self.externals.put(&event).await?;
        self.write_days(calendar, &event, (&within, &fresh)).await?;
        if !is_kept {
            return Ok(self.externals.delete(&event).await?);
        }
        Ok(self.externals.put(&External { stands_in: wanted, is_settled: true, ..event }).await?)
    }

    /// Writes the times that an event takes on each day that it stands in, a few at a time, and looks what they have come to lie on.
    async fn write_days(
        &self,
        calendar: &Calendar,
        event: &External,
        (within, fresh): (&[Interval], &[Interval]),
    ) -> Result<(), SyncError> {
        let mut struck = BTreeSet::new();
        for days in event.stands_in.chunks(AT_ONCE) {
            let writes = days.iter().map(|(resource, day)| {
                self.write_day(calendar, &event.external_id, (resource, *day), within, fresh)
            });
            struck.extend(futures::future::try_join_all(writes).await?.into_iter().flatten());
        }
        for appointment in struck {
            self.lands_on(calendar, &event.external_id, &appointment, fresh).await?;
        }
        Ok(())
    }

    /// Writes the times that an event takes on one day of a resource. Returns the appointments of that day which they may lie on.
    async fn write_day(
        &self,
        calendar: &Calendar,
        id: &ExternalId,
        (resource, day): (&ResourceId, Date),
        intervals: &[Interval],
        fresh: &[Interval],
    ) -> Result<Vec<AppointmentId>, SyncError> {
        let is_kept = calendar.resource_ids.contains(resource);
        let intervals = if is_kept { intervals } else { &[] };
        let write = || async {
            let Diary { days } = self.bookings.diary(calendar.org_id, &[resource], &[day]).await?;
            let Some(there) = days.into_iter().next() else { return Ok(Attempt::Done(Vec::new())) };
            let struck = if is_kept { struck(&there, fresh) } else { Vec::new() };
            match there.with_external((&calendar.calendar_id, id), intervals, self.now()) {
                None => Ok(Attempt::Done(struck)),
                Some(after) => {
                    let saved = self.externals.save_day(&after).await;
                    Ok::<_, StoreError>(Attempt::of(saved)?.map(|()| struck))
                }
            }
        };
        Ok(self.db.until_written("the diary", write).await?)
    }

    /// Other busy time has come to lie on an appointment: a person is to look, and is told once for each revision of it.
    async fn lands_on(
        &self,
        calendar: &Calendar,
        id: &ExternalId,
        appointment: &AppointmentId,
        fresh: &[Interval],
    ) -> Result<(), SyncError> {
        let (org, now) = (calendar.org_id, self.now());
        let there = self.bookings.appointment(org, appointment).await?;
        let lies_on = |appointment: &Appointment| {
            appointment.is_ahead(now) && fresh.iter().any(|interval| interval.overlaps(&appointment.interval))
        };
        let Some(there) = there.filter(lies_on) else { return Ok(()) };
        self.is_laid_over(calendar, &there, id).await
    }

    /// Something of others lies over an appointment: a person is to look.
    pub(super) async fn is_laid_over(
        &self,
        calendar: &Calendar,
        appointment: &Appointment,
        by: &ExternalId,
    ) -> Result<(), SyncError> {
        if appointment.overbooked.is_some() {
            // Who overbooks has seen what lies there.
            return Ok(());
        }
        let text = format!(
            "Something else in the calendar {} lies over the appointment of {} on {}. Nothing was changed: move one of the two.",
            calendar.name.reveal(),
            appointment.patient_name.reveal(),
            appointment.wall_clock.strftime("%d.%m.%Y, %H:%M"),
        );
        self.look_at(calendar, appointment, &["lands", by.as_str()], text).await
    }

    /// Notes that a person is to look at an appointment in this revision, and tells the clinic, once.
    pub(super) async fn look_at(
        &self,
        calendar: &Calendar,
        appointment: &Appointment,
        parts: &[&str],
        text: String,
    ) -> Result<(), SyncError> {
        self.look_at_event(calendar, appointment, (parts, text), None).await
    }

    /// The same of an event of ours that was seen as this version, and shows the revision or an older one: the next push begins from
    /// there, and does not take it for news.
    pub(super) async fn look_at_event(
        &self,
        calendar: &Calendar,
        appointment: &Appointment,
        (parts, text): (&[&str], String),
        seen: Option<(&str, Shows)>,
    ) -> Result<(), SyncError> {
        let (org, id) = (appointment.org_id, &appointment.appointment_id);
        let (revision, text, calendar_id) = (appointment.revision, &text, &calendar.calendar_id);
        let note = || async move {
            let mirrors = self.calendars.mirrors(org, id).await?;
            let known = mirrors.into_iter().find(|mirror| mirror.calendar_id == *calendar_id);
            let mirror = known.unwrap_or_else(|| Mirror::begun(org, id.clone(), calendar_id.clone()));
            let is_told = mirror.attention == Some(revision);
            let mirror = match seen {
                Some((etag, Shows::ThisRevision)) => mirror.synced(revision, etag),
                Some((etag, Shows::AnOlder)) => mirror.behind(etag),
                None if is_told => return Ok(Attempt::Done(())),
                None => mirror,
            };
            if is_told {
                let saved = self.calendars.save_mirror(&mirror, None).await;
                return Ok(Attempt::of(saved)?.map(|_| ()));
            }
            let revision_shown = revision.to_string();
            let parts: Vec<&str> =
                parts.iter().copied().chain([id.as_str(), calendar_id.as_str(), &revision_shown]).collect();
            let told = self.told(org, text.clone(), &parts);
            let saved = self.calendars.save_mirror(&mirror.to_be_looked_at(revision), Some(&told)).await;
            Ok::<_, StoreError>(Attempt::of(saved)?.map(|_| ()))
        };
        self.db.until_written("the appointment's calendars", note).await?;
        tracing::info!(org_id = %org, appointment_id = %id, calendar_id = %calendar_id, "an appointment needs attention");
        Ok(())
    }
}

/// The days of the calendar's resources that these times touch, each once, in order.
fn days_of(calendar: &Calendar, intervals: &[Interval]) -> Vec<(ResourceId, Date)> {
    let days: BTreeSet<Date> = intervals.iter().flat_map(Interval::days).collect();
    let of_resource =
        |resource: &ResourceId| days.iter().map(|day| (resource.clone(), *day)).collect::<Vec<_>>();
    let all: BTreeSet<(ResourceId, Date)> = calendar.resource_ids.iter().flat_map(of_resource).collect();
    all.into_iter().collect()
}

/// The appointments of a day that any of these times overlaps, their buffers included.
fn struck(day: &ResourceDay, intervals: &[Interval]) -> Vec<AppointmentId> {
    let entries = day
        .entries
        .iter()
        .filter(|entry| intervals.iter().any(|interval| interval.overlaps(&entry.interval)));
    let appointments = entries.filter_map(|entry| match &entry.taken {
        Taken::Appointment { appointment_id, .. } => Some(appointment_id.clone()),
        Taken::Hold { .. } | Taken::External { .. } => None,
    });
    appointments.collect()
}
