//! What is kept of a clinic's calendars, of its account at the vendor, and of what stands in them.

use jiff::{SignedDuration, Timestamp, civil::Date};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    event::{Title, event_id},
    guard::Cancelled,
};
use crate::{
    booking::diary::Interval,
    clinic::ClinicZone,
    ids::{AppointmentId, CalendarEventId, CalendarId, ChannelId, ExternalId, OrgId, ResourceId, UserId},
    personal::{Name, Personal},
};

/// How many pushed revisions of an appointment are remembered.
const REMEMBERED: usize = 5;
/// How often a calendar is asked that tells us of its changes.
const POLL_WATCHED: SignedDuration = SignedDuration::from_hours(1);
/// How often one is asked that does not.
const POLL: SignedDuration = SignedDuration::from_mins(10);

/// Whether a clinic's account at the vendor may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionState {
    /// It may.
    Connected,
    /// The vendor refuses its tokens for good: the clinic must connect it anew, and nothing is retried.
    Broken,
    /// The clinic has disconnected it.
    Disconnected,
}

/// A clinic's account at the vendor, without what opens it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// The clinic's org.
    pub org_id: OrgId,
    /// Raised by every write; 0 for one that is not written yet. A write names the one that it read.
    pub version: u64,
    /// Whether it may be used.
    pub state: ConnectionState,
    /// The account, as the vendor names it: an e-mail address.
    pub account: Personal<String, Name>,
    /// Who connected it.
    pub connected_by: UserId,
    /// When.
    #[serde(with = "crate::time::millis")]
    pub connected_at: Timestamp,
    /// What titles of events show.
    #[serde(default)]
    pub title: Title,
    /// The cancellations that were seen last, in any of the clinic's calendars.
    #[serde(default)]
    pub cancelled: Vec<Cancelled>,
}

/// What the clinic's account may do with a calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Read and change its events.
    Write,
    /// Read its busy times: it gets no events of ours, and says so.
    Read,
}

/// How a calendar stands with us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stance {
    /// It is used.
    Active,
    /// It is not: no resource is kept in it.
    Unused,
    /// The vendor has it no longer, or not for this account. Nothing is cancelled for it.
    Broken,
    /// Many events of ours were deleted in it at once: none was applied, and the clinic is asked.
    Asking,
}

/// A channel by which the vendor tells us that something changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Its id, which we gave it.
    pub channel_id: ChannelId,
    /// What it watches, as the vendor names it.
    pub resource_id: String,
    /// When it ends.
    #[serde(with = "crate::time::millis")]
    pub expires_at: Timestamp,
}

/// A calendar of a clinic's, as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calendar {
    /// The clinic's org.
    pub org_id: OrgId,
    /// Our name for it.
    pub calendar_id: CalendarId,
    /// Raised by every write; 0 for one that is not written yet. A write names the one that it read.
    pub version: u64,
    /// What the vendor calls it: often an e-mail address.
    pub vendor_id: Personal<String, Name>,
    /// What the clinic calls it.
    pub name: Personal<String, Name>,
    /// Where its whole days begin and end.
    pub time_zone: ClinicZone,
    /// What we may do with it.
    pub access: Access,
    /// How it stands.
    pub stance: Stance,
    /// Whose time it is: an event of others blocks all of them.
    pub resource_ids: Vec<ResourceId>,
    /// Where its changes were read up to; none before it was read whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync_token: Option<String>,
    /// Which reading of the whole calendar its events were last seen in.
    pub generation: u64,
    /// When it was last read up to its end.
    #[serde(default, with = "crate::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub synced_at: Option<Timestamp>,
    /// Until when no other process reads it.
    #[serde(with = "crate::time::millis")]
    pub lease_until: Timestamp,
    /// The lease whose end a message waits for already.
    #[serde(default, with = "crate::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub awaited: Option<Timestamp>,
    /// Raised by every word that it changed: a reading goes on until this is what it was when it began.
    pub dirty: u64,
    /// The channel by which it tells us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// Under which part of the index of what is to be asked it stands; none where it is not to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll_shard: Option<String>,
    /// When it is to be asked.
    #[serde(with = "crate::time::millis")]
    pub poll_at: Timestamp,
}

impl Calendar {
    /// Into how many parts the index of what is to be asked is cut.
    pub const SHARDS: u8 = 4;

    /// Returns whether it is read.
    pub const fn is_read(&self) -> bool {
        matches!(self.stance, Stance::Active | Stance::Asking)
    }

    /// Returns whether it gets events of ours.
    pub fn is_written(&self) -> bool {
        self.is_read() && self.access == Access::Write
    }

    /// Returns the part of the index that it belongs in while it is read.
    pub fn shard(&self) -> String {
        let digit = self.calendar_id.as_str().bytes().last().unwrap_or_default();
        digit.checked_rem(Self::SHARDS).unwrap_or_default().to_string()
    }

    /// Returns it as it is once it stands so, from `now` on: what is read is asked at once.
    #[must_use]
    pub fn standing(&self, stance: Stance, now: Timestamp) -> Self {
        let after = Self { stance, ..self.clone() };
        let poll_shard = after.is_read().then(|| after.shard());
        Self { poll_shard, poll_at: now, ..after }
    }

    /// Returns when it is to be asked next after `now`: hourly where a channel tells of changes until then, else every ten minutes,
    /// each calendar at another second.
    pub fn next_poll(&self, now: Timestamp) -> Timestamp {
        let is_watched = self.channel.as_ref().is_some_and(|channel| channel.expires_at > now);
        let spread =
            self.calendar_id.as_str().bytes().map(i64::from).sum::<i64>().checked_rem(60).unwrap_or_default();
        let period = if is_watched { POLL_WATCHED } else { POLL };
        crate::time::plus_secs(now, period.as_secs().saturating_sub(spread))
    }
}

/// A time of a revision of an appointment, as we gave it to a calendar, or were about to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pushed {
    /// The revision.
    pub revision: u64,
    /// When the patient is there in it.
    #[serde(flatten)]
    pub interval: Interval,
}

/// How an appointment stands in a calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MirrorState {
    /// It is on its way there.
    Pending,
    /// It is there.
    Synced,
    /// It was there, and is taken out.
    Removed,
}

/// An appointment in a calendar, as the store holds it: beside the appointment, so that a push never races a booking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mirror {
    /// The clinic's org.
    pub org_id: OrgId,
    /// The appointment.
    pub appointment_id: AppointmentId,
    /// The calendar.
    pub calendar_id: CalendarId,
    /// Raised by every write; 0 for one that is not written yet. A write names the one that it read.
    pub version: u64,
    /// How often an event of it was deleted, whose id stays taken.
    pub generation: u32,
    /// The event.
    pub event_id: CalendarEventId,
    /// What was given to the calendar, or was about to be: the last few, the newest last.
    pub pushed: Vec<Pushed>,
    /// The event's version at the vendor after the last push that was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// The revision that the event shows for certain.
    #[serde(default)]
    pub synced_revision: u64,
    /// The revision at whose time the calendar was asked, after the event stood there, whether others keep it busy.
    #[serde(default)]
    pub verified_revision: u64,
    /// How it stands.
    pub state: MirrorState,
    /// The revision of the appointment that a person is to look at: what the calendar says and what stands here do not agree. It is
    /// over when the appointment has another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attention: Option<u64>,
}

impl Mirror {
    /// Returns an appointment that was never in this calendar.
    pub fn begun(org_id: OrgId, appointment_id: AppointmentId, calendar_id: CalendarId) -> Self {
        let event_id = event_id(org_id, &appointment_id, &calendar_id, 0);
        Self {
            org_id,
            appointment_id,
            calendar_id,
            version: 0,
            generation: 0,
            event_id,
            pushed: Vec::new(),
            etag: None,
            synced_revision: 0,
            verified_revision: 0,
            state: MirrorState::Pending,
            attention: None,
        }
    }

    /// Returns it with a push that is about to be made: noted before, because its answer may be lost.
    #[must_use]
    pub fn pushing(&self, push: Pushed) -> Self {
        let mut pushed = self.pushed.clone();
        pushed.retain(|known| *known != push);
        pushed.push(push);
        let surplus = pushed.len().saturating_sub(REMEMBERED);
        pushed.drain(..surplus);
        Self { pushed, state: MirrorState::Pending, ..self.clone() }
    }

    /// Returns it once the calendar has the revision, as this version of the event.
    #[must_use]
    pub fn synced(&self, revision: u64, etag: &str) -> Self {
        Self {
            etag: Some(etag.to_owned()),
            synced_revision: revision,
            state: MirrorState::Synced,
            ..self.clone()
        }
    }

    /// Returns it where the event, as this version, shows what is older than ours: ours is to be given to it again.
    #[must_use]
    pub fn behind(&self, etag: &str) -> Self {
        Self { etag: Some(etag.to_owned()), synced_revision: 0, state: MirrorState::Pending, ..self.clone() }
    }

    /// Returns whether the event shows this revision, or a later one.
    pub fn shows(&self, revision: u64) -> bool {
        self.state == MirrorState::Synced && self.synced_revision >= revision
    }

    /// Returns it once the calendar has told what others keep busy at the time of this revision.
    #[must_use]
    pub fn verified(&self, revision: u64) -> Self {
        Self { verified_revision: revision, ..self.clone() }
    }

    /// Returns it with the id of the next generation, where the event before it was deleted.
    #[must_use]
    pub fn anew(&self) -> Self {
        let generation = self.generation.saturating_add(1);
        let event_id = event_id(self.org_id, &self.appointment_id, &self.calendar_id, generation);
        Self {
            generation,
            event_id,
            etag: None,
            synced_revision: 0,
            state: MirrorState::Pending,
            ..self.clone()
        }
    }

    /// Returns it as one that a person is to look at, in this revision of the appointment.
    #[must_use]
    pub fn to_be_looked_at(&self, revision: u64) -> Self {
        Self { attention: Some(revision), ..self.clone() }
    }

    /// Returns it once its event is out of the calendar.
    #[must_use]
    pub fn removed(&self) -> Self {
        Self { etag: None, state: MirrorState::Removed, ..self.clone() }
    }
}

/// Busy time of others, as the store holds it: one event, or one series with all its instances within the horizon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct External {
    /// The clinic's org.
    pub org_id: OrgId,
    /// The calendar that it stands in.
    pub calendar_id: CalendarId,
    /// Our name for it.
    pub external_id: ExternalId,
    /// What the vendor calls it, by which a series is asked for again.
    pub vendor_id: String,
    /// The reading of the whole calendar that it was last seen in.
    pub generation: u64,
    /// What it takes, within the horizon.
    pub intervals: Vec<Interval>,
    /// Whether more of it comes into the horizon as days pass.
    pub goes_on: bool,
    /// Whether it is a series.
    pub is_series: bool,
    /// The days of resources that it stands in, or may stand in after a reading that was broken off.
    pub stands_in: Vec<(ResourceId, Date)>,
    /// Whether all of them have it as it is here: else it is written into each of them again.
    #[serde(default)]
    pub is_settled: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_push_is_noted_before_it_is_made_and_the_last_few_are_kept() {
        let at = "2026-01-05T10:00:00Z".parse().unwrap();
        let interval = Interval { from: at, to: at };
        let org = OrgId::new(uuid::Uuid::nil());
        let (appointment, calendar) = (AppointmentId::parse("a1").unwrap(), CalendarId::parse("c1").unwrap());
        let mut mirror = Mirror::begun(org, appointment, calendar);
        for revision in 1..=8 {
            mirror = mirror.pushing(Pushed { revision, interval }).pushing(Pushed { revision, interval });
        }
        let revisions: Vec<u64> = mirror.pushed.iter().map(|pushed| pushed.revision).collect();
        assert_eq!(revisions, [4, 5, 6, 7, 8]);
        let next = mirror.anew();
        assert!(next.event_id != mirror.event_id && next.generation == 1 && next.pushed == mirror.pushed);
        let looked_at = Mirror { attention: Some(8), ..mirror };
        assert_eq!(looked_at.synced(8, "\"1\"").attention, Some(8), "a person has not looked yet");
    }
}
