//! Channels: each calendar that is read has one that does not end soon; the next is there before the last is given up.

use domain::{
    calendar::{Calendar, Channel},
    ids::{CalendarId, ChannelId, OrgId},
    time::plus_secs,
};
use jiff::SignedDuration;
use secrecy::{ExposeSecret, SecretString};
use store::{Attempt, StoreError, calendars::ChannelDoor};
use vendors::google::At;

use super::{CalendarSync, SyncError, connect::hash_of};

/// How long a channel is asked for, in seconds: a week, which is what Google gives where nothing is said.
const LASTS_SECS: i64 = 7 * 24 * 3_600;
/// How long before its end a channel is replaced.
const OVERLAP: SignedDuration = SignedDuration::from_hours(36);
/// Where Google tells us.
const PATH: &str = "/api/webhooks/google-calendar";

impl CalendarSync {
    /// Gives a calendar a channel, where it has none that lasts; the one before it ends after.
    ///
    /// # Errors
    /// When it has none yet. It is asked every ten minutes meanwhile.
    pub(super) async fn watch(&self, org: OrgId, id: &CalendarId) -> Result<(), SyncError> {
        let Some(calendar) = self.calendars.calendar(org, id).await? else { return Ok(()) };
        let now = self.now();
        let lasts = |channel: &Channel| channel.expires_at > now + OVERLAP;
        if !calendar.is_read() || calendar.channel.as_ref().is_some_and(lasts) {
            return Ok(());
        }
        let channel_id = ChannelId::parse(self.entropy.uuid(now).to_string())
            .unwrap_or_else(|_| unreachable!("a UUID is an id"));
        let token: SecretString = self.secret_word().into();
        let door = ChannelDoor {
            channel_id: channel_id.clone(),
            org_id: org,
            calendar_id: id.clone(),
            token_hash: hash_of(token.expose_secret()),
            expires_at: plus_secs(now, LASTS_SECS.saturating_add(24 * 3_600)).as_second(),
        };
        // Before the channel is there: its first word comes at once.
        self.doors.open_channel(&door).await?;
        let (vendor_id, address) = (calendar.vendor_id.reveal(), format!("{}{PATH}", self.public_url));
        let (channel, token, address) = (&channel_id, &token, address.as_str());
        let watched = self
            .ask(org, |access| async move {
                let at = At { token: &access, calendar: vendor_id };
                self.google.watch(at, (channel, token), (address, LASTS_SECS)).await
            })
            .await?;
        let next = Channel { channel_id, resource_id: watched.resource_id, expires_at: watched.expires_at };
        self.note_channel(&calendar, Some(next)).await?;
        self.stop(&calendar).await
    }

    /// Ends the channel of a calendar that is not read any more.
    pub(super) async fn unwatch(&self, calendar: &Calendar) -> Result<(), SyncError> {
        if calendar.channel.is_none() {
            return Ok(());
        }
        self.note_channel(calendar, None).await?;
        match self.stop(calendar).await {
            // Without the account's consent nothing can be stopped: it ends by itself.
            Err(SyncError::NotConnected | SyncError::ConsentEnded | SyncError::Google(_)) => Ok(()),
            outcome => outcome,
        }
    }

    async fn stop(&self, before: &Calendar) -> Result<(), SyncError> {
        let Some(channel) = &before.channel else { return Ok(()) };
        let (id, resource_id) = (&channel.channel_id, channel.resource_id.as_str());
        self.ask(before.org_id, |access| async move { self.google.stop(&access, (id, resource_id)).await })
            .await
    }

    async fn note_channel(&self, calendar: &Calendar, channel: Option<Channel>) -> Result<(), SyncError> {
        let (org, id, channel) = (calendar.org_id, &calendar.calendar_id, &channel);
        let note = || async move {
            let Some(there) = self.calendars.calendar(org, id).await? else { return Ok(Attempt::Done(())) };
            let after = Calendar { channel: channel.clone(), ..there };
            let saved = self.calendars.save_calendar(&after, None).await;
            Ok::<_, StoreError>(Attempt::of(saved)?.map(|_| ()))
        };
        Ok(self.db.until_written("the calendar", note).await?)
    }

    /// A word that nobody guesses: 256 bits of chance.
    pub(super) fn secret_word(&self) -> String {
        let bits = || format!("{:016x}", self.entropy.bits());
        [bits(), bits(), bits(), bits()].concat()
    }
}
