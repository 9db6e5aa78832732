//! The clinic's hand: what somebody did to an event of ours in the calendar itself.

use domain::{
    booking::{
        appointment::{Appointment, Status},
        diary::{Interval, Owner, Taken},
    },
    calendar::{Calendar, Cancelled, Connection, Meaning, Mirror, Stance, Told, are_too_many, meaning},
    ids::AppointmentId,
    message::{Cause, Due, Kind},
    notification::Notification,
};
use jiff::SignedDuration;
use store::{
    Attempt, StoreError,
    booking::{Between, Booking},
    queue::CalendarTask,
};

use super::{CalendarSync, SyncError, import::Shows, push::is_in};

/// How far ahead appointments are counted, of which a part was cancelled.
const AHEAD: SignedDuration = SignedDuration::from_hours(24 * 365);
/// How many of them at the most.
const MOST_COUNTED: i32 = 200;
/// When what follows a change of ours is done at the latest.
const LATER_SECS: i32 = 90;

/// What an event of a calendar's is to us.
pub(super) enum Ours {
    /// It is none of ours.
    Not,
    /// It is ours, and dealt with.
    Done,
    /// It is ours, and the clinic deleted it.
    Deleted(Box<(Appointment, Mirror)>),
}

/// What became of the clinic's wish to move an appointment.
enum Wish {
    /// It is moved.
    Moved,
    /// Its time is another's by now, or cannot be: nothing is moved, here or there.
    Refused,
}

impl CalendarSync {
    /// Deals with an event of ours that a calendar tells of, unless it was deleted.
    pub(super) async fn came_back(
        &self,
        calendar: &Calendar,
        id: &AppointmentId,
        told: &Told,
    ) -> Result<Ours, SyncError> {
        let org = calendar.org_id;
        let Some(appointment) = self.bookings.appointment(org, id).await? else { return Ok(Ours::Not) };
        let mirrors = self.calendars.mirrors(org, id).await?;
        let Some(mirror) = mirrors.iter().find(|mirror| mirror.calendar_id == calendar.calendar_id) else {
            return self.stands_elsewhere(calendar, &appointment, &mirrors, told).await;
        };
        // One that was given to this calendar has another id than ours would have here, and takes time however often it is read.
        if told.id == mirror.event_id.as_str() && !is_in(&appointment, calendar) {
            // It is about to be taken out: the calendar was given to others, or the appointment was.
            return Ok(Ours::Done);
        }
        match meaning(told, mirror, &appointment) {
            Meaning::Strangers => return self.stands_elsewhere(calendar, &appointment, &mirrors, told).await,
            Meaning::Unknown => {
                // It stands as it was known; no other event waits for it.
                tracing::warn!(org_id = %org, calendar_id = %calendar.calendar_id, appointment_id = %id,
                    "an event of ours cannot be read");
            }
            Meaning::Outdated => {
                let said: (&[&str], String) = (&["outdated"], changed_too_late(&appointment));
                self.look_at_event(calendar, &appointment, said, Some((&told.etag, Shows::AnOlder))).await?;
                let push = CalendarTask::Push { org_id: org, appointment_id: id.clone() };
                self.queue.send(&push, 0).await?;
            }
            Meaning::Moved(interval) => self.moved(calendar, &appointment, (interval, &told.etag)).await?,
            Meaning::Cancelled if appointment.is_ahead(self.now()) => {
                return Ok(Ours::Deleted(Box::new((appointment, mirror.clone()))));
            }
            // What has been is not undone by who tidies a calendar up.
            Meaning::Echo | Meaning::Cancelled => {}
        }
        Ok(Ours::Done)
    }

    /// An event of ours that stands in a calendar in which we did not put it: somebody gave it to another practitioner. One of an
    /// older generation is nothing.
    async fn stands_elsewhere(
        &self,
        calendar: &Calendar,
        appointment: &Appointment,
        mirrors: &[Mirror],
        told: &Told,
    ) -> Result<Ours, SyncError> {
        if told.is_cancelled {
            return Ok(Ours::Done);
        }
        let is_from_another = mirrors
            .iter()
            .any(|mirror| mirror.event_id.as_str() == told.id && mirror.calendar_id != calendar.calendar_id);
        if is_from_another && appointment.is_ahead(self.now()) {
            let text = given_to_another(appointment, calendar);
            self.look_at(calendar, appointment, &["elsewhere"], text).await?;
        }
        // Its time is taken there, as any event's is.
        Ok(Ours::Not)
    }

    /// Moves an appointment to where the clinic has dragged its event, where that is free here; else a person is to look.
    pub(super) async fn moved(
        &self,
        calendar: &Calendar,
        appointment: &Appointment,
        (interval, etag): (Interval, &str),
    ) -> Result<(), SyncError> {
        let (org, id) = (appointment.org_id, &appointment.appointment_id);
        let push = CalendarTask::Push { org_id: org, appointment_id: id.clone() };
        // The event is to bear the new revision, and the appointment's other calendars are to follow: announced before the write.
        self.queue.send(&push, LATER_SECS).await?;
        let read = appointment;
        let write = || async move {
            let Some(there) = self.bookings.appointment(org, id).await? else {
                return Ok(Attempt::Done(Wish::Moved));
            };
            if there.revision != read.revision || there.status != Status::Confirmed {
                // Changed here meanwhile: the push of that finds what the clinic did.
                return Ok(Attempt::Done(Wish::Moved));
            }
            self.try_to_follow(&there, interval).await
        };
        match self.db.until_written("the diary", write).await? {
            Wish::Moved => {
                tracing::info!(org_id = %org, appointment_id = %id, "an appointment was moved in its calendar");
                Ok(self.queue.send(&push, 0).await?)
            }
            Wish::Refused => {
                let text = format!(
                    "The appointment of {} was moved in the calendar to a time that cannot be had. Here it stays where it was: move \
                     one of the two.",
                    appointment.patient_name.reveal()
                );
                let seen = Some((etag, Shows::ThisRevision));
                self.look_at_event(calendar, appointment, (&["refused"], text), seen).await
            }
        }
    }

    async fn try_to_follow(
        &self,
        there: &Appointment,
        interval: Interval,
    ) -> Result<Attempt<Wish>, StoreError> {
        let (org, now) = (there.org_id, self.now());
        let before = there.interval.from.duration_since(there.blocked.from);
        let after = there.blocked.to.duration_since(there.interval.to);
        let blocked = Interval { from: interval.from - before, to: interval.to + after };
        if interval.from <= now || interval.from.duration_since(now) > AHEAD + AHEAD {
            return Ok(Attempt::Done(Wish::Refused));
        }
        let mut days: Vec<_> = blocked.days();
        days.extend(there.blocked.days());
        days.sort_unstable();
        days.dedup();
        let resources: Vec<_> = there.resource_ids.iter().collect();
        let diary = self.bookings.diary(org, &resources, &days).await?;
        let own = [Owner::Appointment(&there.appointment_id)];
        // What others keep busy in the calendar may lie over anything; appointments and holds may not.
        let is_taken = diary.days.iter().flat_map(|day| &day.entries).any(|entry| {
            let is_own = own.iter().any(|owner| owner.owns(entry));
            let counts = !matches!(entry.taken, Taken::External { .. }) && entry.counts_at(now);
            counts && !is_own && entry.interval.overlaps(&blocked)
        });
        if is_taken {
            return Ok(Attempt::Done(Wish::Refused));
        }
        let moved = Appointment {
            revision: there.revision.saturating_add(1),
            wall_clock: there.time_zone.wall_clock(interval.from),
            interval,
            blocked,
            ..there.clone()
        };
        let Some(days) = diary.taking(&moved.entry(), &there.resource_ids, &own, now) else {
            return Ok(Attempt::Moved);
        };
        let due = Due::of(&moved, Kind::Change, Cause::moved_by_clinic(there, &moved), now);
        let booking = Booking { days: &days, appointment: Some(&moved), due: &due, ..Booking::default() };
        Ok(Attempt::of(self.bookings.book(org, &booking).await)?.map(|()| Wish::Moved))
    }

    /// Cancels the appointments whose events the clinic has deleted; but none, where many were deleted at once, and not those that
    /// stand in another of the clinic's calendars.
    pub(super) async fn deleted(
        &self,
        calendar: &Calendar,
        deleted: Vec<(Appointment, Mirror)>,
    ) -> Result<(), SyncError> {
        if deleted.is_empty() || calendar.stance == Stance::Asking {
            return Ok(());
        }
        let mut gone = Vec::new();
        for (appointment, mirror) in deleted {
            if mirror.synced_revision < appointment.revision {
                // It was deleted by who saw an older one: the push makes it anew.
                let appointment_id = appointment.appointment_id;
                self.queue
                    .send(&CalendarTask::Push { org_id: appointment.org_id, appointment_id }, 0)
                    .await?;
            } else if !self.may_be_elsewhere(calendar, &appointment, &mirror).await? {
                gone.push(appointment);
            }
        }
        if gone.is_empty() || self.are_too_many(calendar, &gone).await? {
            return Ok(());
        }
        for appointment in &gone {
            self.cancel(appointment).await?;
        }
        Ok(())
    }

    /// Whether the event stands, or may stand, in another of the clinic's calendars, to which somebody has given it; a person is to
    /// look then. A calendar that cannot be asked may hold it.
    async fn may_be_elsewhere(
        &self,
        calendar: &Calendar,
        appointment: &Appointment,
        mirror: &Mirror,
    ) -> Result<bool, SyncError> {
        let mut unseen = None;
        for other in self.calendars.of_org(calendar.org_id).await? {
            if other.calendar_id == calendar.calendar_id {
                continue;
            }
            match self.event(&other, mirror.event_id.as_str()).await {
                Ok(Some(there)) if !there.is_cancelled && other.is_read() => {
                    self.stands_elsewhere(&other, appointment, std::slice::from_ref(mirror), &there).await?;
                    return Ok(true);
                }
                Ok(Some(there)) if !there.is_cancelled => {
                    let text = given_to_another(appointment, &other);
                    self.look_at(calendar, appointment, &["elsewhere"], text).await?;
                    return Ok(true);
                }
                // Google answers 404 also for a calendar that the account cannot reach, so nothing is known of its events.
                Ok(_) if other.stance == Stance::Broken => unseen = Some(other),
                Ok(_) => {}
                Err(SyncError::Google(error)) if !other.is_read() && !error.is_transient() => {
                    unseen = Some(other);
                }
                Err(error) => return Err(error),
            }
        }
        let Some(unseen) = unseen else { return Ok(false) };
        let text = deleted_or_given(appointment, calendar, &unseen);
        self.look_at(calendar, appointment, &["unseen"], text).await?;
        Ok(true)
    }

    /// Counts cancellations. Returns whether they are too many: then the calendar asks, and none of them is applied.
    async fn are_too_many(&self, calendar: &Calendar, gone: &[Appointment]) -> Result<bool, SyncError> {
        let (org, now) = (calendar.org_id, self.now());
        let asked = Between { from: now, to: now + AHEAD, limit: MOST_COUNTED };
        let page = self.bookings.between(org, asked, None).await?;
        let standing = page.appointments.iter().filter(|one| one.status == Status::Confirmed).count();
        let note = || async move {
            let Some(there) = self.calendars.connection(org).await? else { return Ok(Attempt::Done(true)) };
            let mut cancelled = there.cancelled.clone();
            cancelled.retain(|one| now.duration_since(one.at) < SignedDuration::from_mins(10));
            // Those that were cancelled a moment ago stood ahead then.
            let ahead = standing.saturating_add(cancelled.len());
            for appointment in gone {
                let appointment_id = &appointment.appointment_id;
                if !cancelled.iter().any(|one| one.appointment_id == *appointment_id) {
                    cancelled.push(Cancelled { appointment_id: appointment_id.clone(), at: now });
                }
            }
            let is_many = are_too_many(&cancelled, ahead, now);
            let after = Connection { cancelled, ..there };
            let saved = self.calendars.save_connection(&after, None).await;
            Ok::<_, StoreError>(Attempt::of(saved)?.map(|_| is_many))
        };
        let is_many = self.db.until_written("the calendar's account", note).await?;
        if is_many {
            self.asks(calendar).await?;
        }
        Ok(is_many)
    }

    async fn asks(&self, calendar: &Calendar) -> Result<(), SyncError> {
        let (org, id) = (calendar.org_id, &calendar.calendar_id);
        let note = || async move {
            let there = self.calendars.calendar(org, id).await?;
            let Some(there) = there.filter(|there| there.stance == Stance::Active) else {
                return Ok(Attempt::Done(()));
            };
            let text = format!(
                "Many appointments were deleted at once in the calendar {}. None of them was cancelled here. Save the calendar's \
                 settings to have them put back, or cancel them in the diary.",
                there.name.reveal()
            );
            let told: Notification = self.told(org, text, &["asking", id.as_str()]);
            let after = Calendar { stance: Stance::Asking, ..there };
            let saved = self.calendars.save_calendar(&after, Some(&told)).await;
            Ok::<_, StoreError>(Attempt::of(saved)?.map(|_| ()))
        };
        self.db.until_written("the calendar", note).await?;
        tracing::warn!(org_id = %org, calendar_id = %id, "many events of ours were deleted at once: none is applied");
        Ok(())
    }

    async fn cancel(&self, appointment: &Appointment) -> Result<(), SyncError> {
        let (org, id) = (appointment.org_id, &appointment.appointment_id);
        let push = CalendarTask::Push { org_id: org, appointment_id: id.clone() };
        self.queue.send(&push, LATER_SECS).await?;
        let write = || async move {
            let there = self.bookings.appointment(org, id).await?;
            let Some(there) = there.filter(|there| there.status == Status::Confirmed) else {
                return Ok(Attempt::Done(()));
            };
            if there.revision != appointment.revision {
                return Ok(Attempt::Done(()));
            }
            let resources: Vec<_> = there.resource_ids.iter().collect();
            let diary = self.bookings.diary(org, &resources, &there.blocked.days()).await?;
            let days = diary.giving_back(Owner::Appointment(id), self.now());
            let after = Appointment { status: Status::Cancelled, ..there };
            let due = Due::of(&after, Kind::Cancellation, Cause::of_clinic(&after), self.now());
            let booking = Booking { days: &days, appointment: Some(&after), due: &due, ..Booking::default() };
            Attempt::of(self.bookings.book(org, &booking).await)
        };
        self.db.until_written("the diary", write).await?;
        tracing::info!(org_id = %org, appointment_id = %id, "an appointment was cancelled in its calendar");
        Ok(self.queue.send(&push, 0).await?)
    }

    /// What the clinic is told of a change that came too late.
    pub(super) fn outdated(&self, appointment: &Appointment) -> Notification {
        let parts = ["outdated", appointment.appointment_id.as_str(), &appointment.revision.to_string()];
        self.told(appointment.org_id, changed_too_late(appointment), &parts)
    }
}

fn deleted_or_given(appointment: &Appointment, calendar: &Calendar, unseen: &Calendar) -> String {
    format!(
        "The appointment of {} was deleted in the calendar {}, or given to the calendar {}, which cannot be read. Here it stays: \
         cancel it in the diary, or move it there to whom it is with now.",
        appointment.patient_name.reveal(),
        calendar.name.reveal(),
        unseen.name.reveal()
    )
}

fn given_to_another(appointment: &Appointment, calendar: &Calendar) -> String {
    format!(
        "Somebody has put the appointment of {} into the calendar {}. Here it stays with whom it was booked: move it in the diary, if \
         it is another's now.",
        appointment.patient_name.reveal(),
        calendar.name.reveal()
    )
}

fn changed_too_late(appointment: &Appointment) -> String {
    format!(
        "The appointment of {} was changed in the calendar by somebody who did not see that it had been moved here. It stays as it \
         was moved here: change it again, if that is wrong.",
        appointment.patient_name.reveal()
    )
}
