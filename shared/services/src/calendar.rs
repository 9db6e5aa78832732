//! A clinic's calendars at Google: connected, pushed to, read, watched and compared. What an event means is decided in
//! [`domain::calendar`]; nothing that goes wrong here frees, moves or cancels anything.

mod announce;
mod compare;
mod connect;
mod hand;
mod import;
mod pull;
mod push;
mod shown;
mod watch;

use std::sync::Arc;

use base::{
    clock::Clock,
    config::{Base, GoogleSettings, Reader},
    entropy::Entropy,
    keyring::{Keyring, KeyringError},
};
use domain::{
    calendar::{Calendar, Connection, ConnectionState, Stance},
    ids::OrgId,
    notification::Notification,
    time::plus_secs,
};
use jiff::SignedDuration;
use platform::Platform;
use secrecy::ExposeSecret;
use store::{
    Attempt, ChangeError, Dynamo, StoreError,
    booking::Bookings,
    calendars::{CalendarCredential, CalendarCredentials, Calendars, Doors, Externals, GOOGLE_CALENDAR},
    queue::{CalendarQueue, CalendarTask},
};
use vendors::google::{AccessToken, Google, GoogleError, Tokens};

pub use announce::Announcer;
pub use connect::{Connected, Consented, Mapped};
pub use shown::Shown;

/// How long no other process reads a calendar: longer than the function may run (`template.yaml`).
pub const LEASE: SignedDuration = SignedDuration::from_secs(75);
/// When what others were changing is taken up again.
const CONTENDED_SECS: i32 = 10;
/// How long before its end an access token counts as over.
const BEFORE_ITS_END_SECS: i64 = 60;

/// Everything that is done with clinics' calendars.
#[derive(Clone, Debug)]
pub struct CalendarSync {
    /// What is kept of them.
    pub calendars: Calendars,
    /// What others keep busy in them.
    pub externals: Externals,
    /// How their vendor comes to us.
    pub doors: Doors,
    /// What opens them.
    pub credentials: CalendarCredentials,
    /// The appointments.
    pub bookings: Bookings,
    /// Their vendor.
    pub google: Google,
    /// What is to be done.
    pub queue: CalendarQueue,
    keyring: Keyring,
    db: Dynamo,
    environment: String,
    public_url: String,
    browsers_url: String,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
}

/// Settings of it.
#[derive(Debug)]
pub struct Settings {
    base: Base,
    google: GoogleSettings,
    keyring: Keyring,
    queue_url: String,
    public_url: String,
    browsers_url: String,
}

impl Settings {
    /// Reads them.
    pub fn read(reader: &mut Reader<'_>, platform: &Platform) -> Self {
        let public_url = reader.required("PUBLIC_URL").trim_end_matches('/').to_owned();
        Self {
            base: Base::read(reader),
            google: GoogleSettings::read(reader),
            keyring: Keyring::read(reader, Arc::clone(&platform.entropy)),
            queue_url: reader.required(announce::QUEUE_URL),
            // Where browsers reach this API, if that is another place: the local stack's port.
            browsers_url: reader.or("API_ORIGIN", public_url.clone()).trim_end_matches('/').to_owned(),
            public_url,
        }
    }
}

/// Why something was not done with a calendar. What was asked may be asked again.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The clinic has no account that may be used.
    #[error("the clinic's calendar is not connected")]
    NotConnected,
    /// The clinic's consent has ended: it must connect anew.
    #[error("the clinic's consent has ended")]
    ConsentEnded,
    /// Others kept changing the same record.
    #[error("it was changed by others meanwhile")]
    Contended,
    /// An event cannot be read, so that nothing is done about it.
    #[error("an event of ours cannot be read")]
    Unreadable,
    /// Google did not do its part.
    #[error(transparent)]
    Google(#[from] GoogleError),
    /// A token cannot be opened or sealed.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The store or a queue did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ChangeError> for SyncError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Moved => Self::Contended,
            ChangeError::Store(error) => Self::Store(error),
        }
    }
}

impl CalendarSync {
    /// Puts it together from a function's platform and settings.
    pub fn deployed(platform: &Platform, settings: Settings) -> Self {
        let db = platform.database(&settings.base.table_prefix);
        Self {
            calendars: Calendars::new(db.clone()),
            externals: Externals::new(db.clone()),
            doors: Doors::new(db.clone()),
            credentials: CalendarCredentials::new(db.clone()),
            bookings: Bookings::new(db.clone()),
            google: platform.google(settings.google),
            queue: CalendarQueue::new(platform.sqs.clone(), settings.queue_url),
            keyring: settings.keyring,
            db,
            environment: settings.base.environment,
            public_url: settings.public_url,
            browsers_url: settings.browsers_url,
            clock: Arc::clone(&platform.clock),
            entropy: Arc::clone(&platform.entropy),
        }
    }

    /// Does what a message asks for. What cannot be done because the clinic's calendar is not connected, or not any more, is not to be
    /// done.
    ///
    /// # Errors
    /// When it is to be tried again.
    pub async fn perform(&self, task: &CalendarTask) -> Result<(), SyncError> {
        let outcome = match task {
            CalendarTask::Push { org_id, appointment_id } => {
                Box::pin(self.push(*org_id, appointment_id)).await
            }
            CalendarTask::Fill { org_id, calendar_id } => Box::pin(self.fill(*org_id, calendar_id)).await,
            CalendarTask::Pull { org_id, calendar_id } => Box::pin(self.pull(*org_id, calendar_id)).await,
            CalendarTask::Watch { org_id, calendar_id } => Box::pin(self.watch(*org_id, calendar_id)).await,
            CalendarTask::Compare { org_id, calendar_id } => {
                Box::pin(self.compare(*org_id, calendar_id)).await.map(|_| ())
            }
        };
        match outcome {
            Err(SyncError::NotConnected | SyncError::ConsentEnded) => Ok(()),
            // Others are at it: soon, and not when the queue gives it back.
            Err(SyncError::Contended) => Ok(self.queue.send(task, CONTENDED_SECS).await?),
            outcome => outcome,
        }
    }

    /// Asks Google as the clinic's account; once more with a fresh token, when the one that was kept is not taken.
    pub(crate) async fn ask<T, F>(&self, org: OrgId, ask: impl Fn(AccessToken) -> F) -> Result<T, SyncError>
    where
        F: Future<Output = Result<T, GoogleError>>,
    {
        match ask(self.access(org, false).await?).await {
            Err(GoogleError::Unauthorized) => Ok(ask(self.access(org, true).await?).await?),
            answer => Ok(answer?),
        }
    }

    /// What opens the clinic's account now: what is kept of it, or a fresh one, which is kept with the org's own record.
    async fn access(&self, org: OrgId, fresh: bool) -> Result<AccessToken, SyncError> {
        let Some(credential) = self.credentials.get(org).await? else { return Err(SyncError::NotConnected) };
        let now = self.clock.now();
        if let (false, true, Some(sealed)) = (fresh, now < credential.access_until, &credential.access_token)
        {
            return Ok(AccessToken(self.keyring.open(org, GOOGLE_CALENDAR, sealed)?));
        }
        let refresh_token = self.keyring.open(org, GOOGLE_CALENDAR, &credential.refresh_token)?;
        match self.google.refresh(&refresh_token).await {
            Ok(tokens) => {
                self.keep(&credential, &tokens).await?;
                Ok(tokens.access)
            }
            Err(GoogleError::InvalidGrant) => {
                self.has_ended(&credential).await?;
                Err(SyncError::ConsentEnded)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn keep(&self, credential: &CalendarCredential, tokens: &Tokens) -> Result<(), SyncError> {
        let seal = |token: &secrecy::SecretString| {
            self.keyring.seal(credential.org_id, GOOGLE_CALENDAR, token.expose_secret())
        };
        // Google usually sends no other: then the old one holds.
        let refresh_token = match &tokens.refresh_token {
            Some(token) => seal(token)?,
            None => credential.refresh_token.clone(),
        };
        let lasts = tokens.lasts_secs.saturating_sub(BEFORE_ITS_END_SECS);
        let after = CalendarCredential {
            refresh_token,
            access_token: Some(seal(&tokens.access.0)?),
            access_until: plus_secs(self.clock.now(), lasts),
            ..credential.clone()
        };
        match self.credentials.save(&after).await {
            // Another process has a fresh one too: each holds.
            Ok(_) | Err(ChangeError::Moved) => Ok(()),
            Err(ChangeError::Store(error)) => Err(error.into()),
        }
    }

    /// The clinic's consent has ended. It is told, once; nothing is retried, and what is known of its calendars stands.
    async fn has_ended(&self, credential: &CalendarCredential) -> Result<(), SyncError> {
        let org = credential.org_id;
        let note = || async {
            // The clinic may have connected anew in this moment.
            let is_it = self.credentials.get(org).await?.is_some_and(|now| now.version == credential.version);
            let there = self.calendars.connection(org).await?;
            let Some(there) = there.filter(|there| is_it && there.state == ConnectionState::Connected) else {
                return Ok(Attempt::Done(()));
            };
            let text = "Google does not let us into the clinic's calendar any more. Connect it again: until then no appointment \
                        gets there, and busy times are those that were known last.";
            let told = self.told(org, text.to_owned(), &["ended", &there.version.to_string()]);
            let after = Connection { state: ConnectionState::Broken, ..there };
            let saved = self.calendars.save_connection(&after, Some(&told)).await;
            Ok::<_, StoreError>(Attempt::of(saved)?.map(|_| ()))
        };
        self.db.until_written("the calendar's account", note).await?;
        tracing::warn!(org_id = %org, "a clinic's consent at Google has ended");
        Ok(())
    }

    /// What the clinic is told now.
    fn told(&self, org: OrgId, text: String, parts: &[&str]) -> Notification {
        Notification::of_calendar(org, text, &crate::reception::fingerprint(parts), self.clock.now())
    }

    /// The clinic's account, if it may be used.
    async fn connected(&self, org: OrgId) -> Result<Connection, SyncError> {
        let there = self.calendars.connection(org).await?;
        there.filter(|there| there.state == ConnectionState::Connected).ok_or(SyncError::NotConnected)
    }

    /// The calendar is not to be had any more: it is not asked again, nothing is cancelled for it, and the clinic is told, once.
    async fn is_gone(&self, calendar: &Calendar) -> Result<(), SyncError> {
        let (org, now) = (calendar.org_id, self.clock.now());
        let note = || async {
            let there = self.calendars.calendar(org, &calendar.calendar_id).await?;
            let Some(there) = there.filter(Calendar::is_read) else { return Ok(Attempt::Done(())) };
            let text = format!(
                "The calendar {} cannot be reached any more: it was deleted, or is no longer shared with the clinic's account. \
                 No appointment was changed.",
                there.name.reveal()
            );
            let told = self.told(org, text, &["gone", there.calendar_id.as_str()]);
            let after = Calendar { sync_token: None, ..there.standing(Stance::Broken, now) };
            let saved = self.calendars.save_calendar(&after, Some(&told)).await;
            Ok::<_, StoreError>(Attempt::of(saved)?.map(|_| ()))
        };
        self.db.until_written("the calendar", note).await?;
        tracing::warn!(org_id = %org, calendar_id = %calendar.calendar_id, "a calendar cannot be reached any more");
        Ok(())
    }
}
