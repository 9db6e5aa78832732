//! The clinic's account: its consent, its calendars, whose time each is, and the end of it.

use aws_lc_rs::digest::{SHA256, digest};
use domain::{
    calendar::{Calendar, Connection, ConnectionState, Stance, Title, calendar_id},
    clinic::ClinicZone,
    ids::{CalendarId, OrgId, ResourceId, UserId},
    personal::Personal,
};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use store::{
    Attempt, ChangeError, StoreError,
    calendars::{CalendarCredential, ConsentDoor, GOOGLE_CALENDAR},
    queue::CalendarTask,
};
use vendors::google::{Consent, GoogleError, Grant, Listed};

use super::{CalendarSync, SyncError};

/// How long a consent that was asked for is taken.
const CONSENT_LASTS: SignedDuration = SignedDuration::from_mins(10);
/// Where Google sends the browser back to.
const CALLBACK: &str = "/api/google-oauth/callback";

/// What became of a consent, for the page that the browser is sent on to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consented {
    /// The clinic's calendars are connected.
    Connected,
    /// The person did not consent.
    Denied,
    /// The state is forged, was taken before, or is too old.
    StateInvalid,
    /// The person unticked something that we need.
    ScopesMissing,
    /// Google gave no tokens for it.
    ExchangeFailed,
}

/// How a clinic's account stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// The account; none where there never was one.
    pub connection: Option<Connection>,
    /// Its calendars, by name.
    pub calendars: Vec<Calendar>,
}

/// What became of the wish to keep resources' time in a calendar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mapped {
    /// It is so.
    Saved(Box<Calendar>),
    /// The clinic has no such calendar.
    NoCalendar,
    /// The clinic has no such practitioner or room.
    NoResource,
    /// Somebody saved it meanwhile.
    Moved,
}

impl CalendarSync {
    /// Returns where a person of the org's consents, and what their browser is to keep meanwhile. The state is chance, kept as its hash,
    /// and taken once within ten minutes, from that browser alone: who sends the address to somebody else gets nothing of theirs.
    ///
    /// # Errors
    /// When the store does not do its part.
    pub async fn authorize(&self, org: OrgId, user: &UserId) -> Result<(String, SecretString), SyncError> {
        let (state, verifier): (String, SecretString) = (self.secret_word(), self.secret_word().into());
        let browser: SecretString = self.secret_word().into();
        let until = self.now() + CONSENT_LASTS;
        let door = ConsentDoor {
            state_hash: hash_of(&state),
            browser_hash: hash_of(browser.expose_secret()),
            org_id: org,
            user_id: user.clone(),
            verifier: self.keyring.seal(org, GOOGLE_CALENDAR, verifier.expose_secret())?,
            until,
            expires_at: until.as_second(),
        };
        self.doors.open_consent(&door).await?;
        let redirect_uri = self.redirect_uri();
        let consent = Consent { state: &state, verifier: &verifier, redirect_uri: &redirect_uri };
        Ok((self.google.consent_url(&consent), browser))
    }

    /// Takes a browser that comes back from Google, with what it kept. Whose consent it is, the state says.
    ///
    /// # Errors
    /// When the store does not do its part.
    pub async fn consented(
        &self,
        (state, browser): (&str, &str),
        code: Result<&str, &str>,
    ) -> Result<Consented, SyncError> {
        let door = self.doors.take_consent(&hash_of(state)).await?;
        let browser = hash_of(browser);
        let is_it = |door: &ConsentDoor| self.now() < door.until && door.browser_hash == browser;
        let Some(door) = door.filter(is_it) else {
            return Ok(Consented::StateInvalid);
        };
        let code = match code {
            Ok(code) => code,
            Err("access_denied") => return Ok(Consented::Denied),
            Err(_) => return Ok(Consented::ExchangeFailed),
        };
        let verifier = self.keyring.open(door.org_id, GOOGLE_CALENDAR, &door.verifier)?;
        let redirect_uri = self.redirect_uri();
        let consent = Consent { state, verifier: &verifier, redirect_uri: &redirect_uri };
        let grant = match self.google.exchange(code, &consent).await {
            Ok(grant) => grant,
            Err(error) => {
                tracing::warn!(org_id = %door.org_id, cause = base::alarm::chain(&error), "a consent was not exchanged");
                return Ok(Consented::ExchangeFailed);
            }
        };
        if !grant.is_enough() {
            // What was granted is not enough for anything: it is given back.
            let _ = self.google.revoke(&grant.refresh_token).await;
            return Ok(Consented::ScopesMissing);
        }
        let listed = match self.google.calendars(&grant.tokens.access).await {
            Ok(listed) => listed,
            Err(error) => {
                tracing::warn!(org_id = %door.org_id, cause = base::alarm::chain(&error), "an account's calendars were not listed");
                return Ok(Consented::ExchangeFailed);
            }
        };
        self.connect(&door, &grant, &listed).await?;
        Ok(Consented::Connected)
    }

    async fn connect(&self, door: &ConsentDoor, grant: &Grant, listed: &[Listed]) -> Result<(), SyncError> {
        let (org, now) = (door.org_id, self.now());
        let seal = |token: &SecretString| self.keyring.seal(org, GOOGLE_CALENDAR, token.expose_secret());
        let (refresh_token, access_token) = (&seal(&grant.refresh_token)?, &seal(&grant.tokens.access.0)?);
        let keep = || async move {
            let there = self.credentials.get(org).await?;
            let credential = CalendarCredential {
                org_id: org,
                version: there.map_or(0, |there| there.version),
                refresh_token: refresh_token.clone(),
                access_token: Some(access_token.clone()),
                access_until: domain::time::plus_secs(now, grant.tokens.lasts_secs.saturating_sub(60)),
                scopes: grant.scopes.clone(),
            };
            Ok::<_, StoreError>(Attempt::of(self.credentials.save(&credential).await)?.map(|_| ()))
        };
        self.db.until_written("the calendar's credential", keep).await?;
        let account = listed.iter().find(|listed| listed.is_primary).map(|listed| listed.id.clone());
        let account = &Personal::new(account.unwrap_or_default());
        let note = || async move {
            let there = self.calendars.connection(org).await?;
            let connection = Connection {
                org_id: org,
                version: there.as_ref().map_or(0, |there| there.version),
                state: ConnectionState::Connected,
                account: account.clone(),
                connected_by: door.user_id.clone(),
                connected_at: now,
                title: there.as_ref().map(|there| there.title).unwrap_or_default(),
                cancelled: Vec::new(),
            };
            let saved = self.calendars.save_connection(&connection, None).await;
            Ok::<_, StoreError>(Attempt::of(saved)?.map(|_| ()))
        };
        self.db.until_written("the calendar's account", note).await?;
        tracing::info!(org_id = %org, user = %door.user_id, "a clinic has connected its calendar");
        self.note_listed(org, listed).await?;
        self.begin_anew(org).await
    }

    /// Notes the account's calendars: what is new is there and unused, what is known keeps whose time it is.
    async fn note_listed(&self, org: OrgId, listed: &[Listed]) -> Result<(), SyncError> {
        let now = self.now();
        for one in listed {
            let (Some(access), Ok(time_zone)) = (one.access, ClinicZone::parse(&one.time_zone)) else {
                continue;
            };
            let (id, time_zone) = (&calendar_id(&one.id), &time_zone);
            let note = || async move {
                let there = self.calendars.calendar(org, id).await?;
                let is_known = there.is_some();
                let there = there.unwrap_or_else(|| unused(org, id, time_zone, now));
                let after = Calendar {
                    vendor_id: Personal::new(one.id.clone()),
                    name: Personal::new(domain::personal::plain(&one.name)),
                    time_zone: time_zone.clone(),
                    access,
                    ..there.clone()
                };
                if is_known && after == there {
                    return Ok(Attempt::Done(()));
                }
                let saved = self.calendars.save_calendar(&after, None).await;
                Ok::<_, StoreError>(Attempt::of(saved)?.map(|_| ()))
            };
            self.db.until_written("the calendar", note).await?;
        }
        Ok(())
    }

    /// Every calendar that is somebody's time is read whole, watched and filled, after the account was connected anew.
    async fn begin_anew(&self, org: OrgId) -> Result<(), SyncError> {
        for calendar in self.calendars.of_org(org).await? {
            if calendar.resource_ids.is_empty() {
                continue;
            }
            let (id, now) = (&calendar.calendar_id, self.now());
            let note = || async move {
                let Some(there) = self.calendars.calendar(org, id).await? else {
                    return Ok(Attempt::Done(()));
                };
                let after =
                    Calendar { sync_token: None, channel: None, ..there.standing(Stance::Active, now) };
                let saved = self.calendars.save_calendar(&after, None).await;
                Ok::<_, StoreError>(Attempt::of(saved)?.map(|_| ()))
            };
            self.db.until_written("the calendar", note).await?;
            for task in tasks_of(org, id) {
                self.queue.send(&task, 0).await?;
            }
        }
        Ok(())
    }

    /// How the org's account and its calendars stand. The list is asked for anew, where the account may be used; what does not
    /// answer is shown as it is known.
    ///
    /// # Errors
    /// When the store does not do its part.
    pub async fn standing(&self, org: OrgId, anew: bool) -> Result<Connected, SyncError> {
        let connection = self.calendars.connection(org).await?;
        let is_connected = |connection: &Connection| connection.state == ConnectionState::Connected;
        if anew && connection.as_ref().is_some_and(is_connected) {
            match self.ask(org, |token| async move { self.google.calendars(&token).await }).await {
                Ok(listed) => self.note_listed(org, &listed).await?,
                Err(error @ SyncError::Store(_)) => return Err(error),
                Err(error) => {
                    tracing::info!(org_id = %org, cause = base::alarm::chain(&error), "calendars are shown as they are known");
                }
            }
        }
        let mut calendars = self.calendars.of_org(org).await?;
        calendars.sort_by(|one, other| one.name.reveal().cmp(other.name.reveal()));
        Ok(Connected { connection: self.calendars.connection(org).await?, calendars })
    }

    /// Says whose time a calendar is; nobody's, and it is not used any more. One that asks, or could not be reached, begins anew.
    ///
    /// # Errors
    /// When the store or the queue does not do its part.
    pub async fn map(
        &self,
        org: OrgId,
        (id, version): (&CalendarId, u64),
        resource_ids: Vec<ResourceId>,
    ) -> Result<Mapped, SyncError> {
        let Some(there) = self.calendars.calendar(org, id).await? else { return Ok(Mapped::NoCalendar) };
        let catalog = self.bookings.catalog(org).await?;
        // Who left and has appointments ahead in it stays in it.
        let is_known = |resource: &ResourceId| {
            catalog.resource(resource).is_some() || there.resource_ids.contains(resource)
        };
        if !resource_ids.iter().all(is_known) {
            return Ok(Mapped::NoResource);
        }
        if there.version != version {
            return Ok(Mapped::Moved);
        }
        let stance = if resource_ids.is_empty() { Stance::Unused } else { Stance::Active };
        let after = Calendar { resource_ids, sync_token: None, ..there.standing(stance, self.now()) };
        let save = self.calendars.save_calendar(&after, None);
        let saved: Result<Calendar, ChangeError> = self.queue.around(&tasks_of(org, id), save).await;
        match saved {
            Ok(saved) => {
                // Who deletes many again is asked again.
                self.forget_cancelled(org).await?;
                Ok(Mapped::Saved(Box::new(saved)))
            }
            Err(ChangeError::Moved) => Ok(Mapped::Moved),
            Err(ChangeError::Store(error)) => Err(error.into()),
        }
    }

    async fn forget_cancelled(&self, org: OrgId) -> Result<(), SyncError> {
        self.change_connection(org, |there| Connection { cancelled: Vec::new(), ..there }).await
    }

    /// Says what titles of events show from now on. Those that are there keep theirs until their appointment changes.
    ///
    /// # Errors
    /// When the store does not do its part.
    pub async fn entitle(&self, org: OrgId, title: Title) -> Result<(), SyncError> {
        self.change_connection(org, |there| Connection { title, ..there }).await
    }

    async fn change_connection(
        &self,
        org: OrgId,
        change: impl Fn(Connection) -> Connection,
    ) -> Result<(), SyncError> {
        let change = &change;
        let note = || async move {
            let Some(there) = self.calendars.connection(org).await? else { return Ok(Attempt::Done(())) };
            let after = change(there.clone());
            if after == there {
                return Ok(Attempt::Done(()));
            }
            let saved = self.calendars.save_connection(&after, None).await;
            Ok::<_, StoreError>(Attempt::of(saved)?.map(|_| ()))
        };
        Ok(self.db.until_written("the calendar's account", note).await?)
    }

    /// Disconnects the org's account: nothing is pushed any more, the channels end, the consent is given back, and what others kept
    /// busy is free again. Again, where it was.
    ///
    /// # Errors
    /// When Google or the store does not do its part: what was done is done, and a repeat does the rest.
    pub async fn disconnect(&self, org: OrgId) -> Result<(), SyncError> {
        let state = ConnectionState::Disconnected;
        self.change_connection(org, |there| Connection { state, ..there }).await?;
        let (calendars, now) = (self.calendars.of_org(org).await?, self.now());
        for calendar in calendars {
            self.unwatch(&calendar).await?;
            let id = &calendar.calendar_id;
            let note = || async move {
                let there = self.calendars.calendar(org, id).await?;
                let Some(there) = there.filter(|there| there.stance != Stance::Unused) else {
                    return Ok(Attempt::Done(()));
                };
                let after = Calendar { sync_token: None, ..there.standing(Stance::Unused, now) };
                let saved = self.calendars.save_calendar(&after, None).await;
                Ok::<_, StoreError>(Attempt::of(saved)?.map(|_| ()))
            };
            self.db.until_written("the calendar", note).await?;
            self.queue.send(&CalendarTask::Pull { org_id: org, calendar_id: id.clone() }, 0).await?;
        }
        let Some(credential) = self.credentials.get(org).await? else { return Ok(()) };
        let token = self.keyring.open(org, GOOGLE_CALENDAR, &credential.refresh_token)?;
        match self.google.revoke(&token).await {
            Ok(()) | Err(GoogleError::Unauthorized) => {}
            Err(error) => return Err(error.into()),
        }
        self.credentials.delete(&credential).await?;
        tracing::info!(org_id = %org, "a clinic has disconnected its calendar");
        Ok(())
    }

    fn redirect_uri(&self) -> String {
        format!("{}{CALLBACK}", self.browsers_url)
    }
}

/// What is done with a calendar that begins.
fn tasks_of(org_id: OrgId, id: &CalendarId) -> [CalendarTask; 3] {
    [
        CalendarTask::Pull { org_id, calendar_id: id.clone() },
        CalendarTask::Watch { org_id, calendar_id: id.clone() },
        CalendarTask::Fill { org_id, calendar_id: id.clone() },
    ]
}

fn unused(org_id: OrgId, id: &CalendarId, time_zone: &ClinicZone, now: Timestamp) -> Calendar {
    Calendar {
        org_id,
        calendar_id: id.clone(),
        version: 0,
        vendor_id: Personal::new(String::new()),
        name: Personal::new(String::new()),
        time_zone: time_zone.clone(),
        access: domain::calendar::Access::Read,
        stance: Stance::Unused,
        resource_ids: Vec::new(),
        sync_token: None,
        generation: 0,
        synced_at: None,
        lease_until: now,
        awaited: None,
        dirty: 0,
        channel: None,
        poll_shard: None,
        poll_at: now,
    }
}

/// The hash of a word that only its owner knows.
pub(super) fn hash_of(word: &str) -> String {
    hex::encode(digest(&SHA256, word.as_bytes()))
}

impl CalendarSync {
    /// Notes that a calendar has changed, as a channel of its tells: by its id and its token. Returns whether the word is believed.
    ///
    /// # Errors
    /// When the store or the queue does not do its part.
    pub async fn heard(&self, channel: &domain::ids::ChannelId, token: &str) -> Result<bool, SyncError> {
        let Some(door) = self.doors.channel(channel).await? else { return Ok(false) };
        let (given, known) = (hash_of(token), door.token_hash.as_bytes().to_vec());
        if aws_lc_rs::constant_time::verify_slices_are_equal(given.as_bytes(), &known).is_err() {
            return Ok(false);
        }
        self.calendars.raise_dirty(door.org_id, &door.calendar_id).await?;
        let pull = CalendarTask::Pull { org_id: door.org_id, calendar_id: door.calendar_id };
        self.queue.send(&pull, 0).await?;
        Ok(true)
    }
}
