//! Google Calendar: accounts and their consents, calendars and who may do what in them, events with their versions, changes since a
//! token, series and their instances, and channels that tell of changes.

mod answer;
mod api;
mod channels;
mod consent;
mod events;
mod hand;
mod series;

use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
    sync::Arc,
};

use base::{clock::Clock, entropy::Entropy};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use channels::Post;
pub use hand::Hand;

use crate::{
    agenda::Agenda,
    kept::{Guard, Kept},
};

/// How many bodies of ours are kept.
const MOST_RECEIVED: usize = 400;
/// How long an access token opens its account.
const ACCESS_LASTS: SignedDuration = SignedDuration::from_secs(3_599);
/// How many requests an account may have in a minute, by the API's own documentation.
const MOST_A_MINUTE: u32 = 600;

/// The sandbox.
#[derive(Debug)]
pub struct GoogleSandbox {
    state: Kept<State>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
}

/// What the sandbox must know of the platform around it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The application that clinics consent to.
    pub client_id: String,
    /// What it shows with a code or a refresh token.
    pub client_secret: String,
    /// The file its state outlives the process in.
    pub kept_in: Option<PathBuf>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    /// The e-mail addresses of those who have an account.
    accounts: Vec<String>,
    calendars: BTreeMap<String, Calendar>,
    codes: BTreeMap<String, Code>,
    /// Whose account a refresh token opens, and what for.
    refresh_tokens: BTreeMap<String, Opens>,
    /// By which refresh token an access token came, and until when it holds.
    access_tokens: BTreeMap<String, (String, Timestamp)>,
    channels: BTreeMap<String, Channel>,
    agenda: Agenda<Notice>,
    made: u64,
    /// The minute of each account's last request, and how many it had in that.
    asked: BTreeMap<String, (i64, u32)>,
    #[serde(skip)]
    faults: Faults,
    #[serde(skip)]
    received: VecDeque<Received>,
}

/// What goes wrong on purpose, beside what goes wrong on the way ([`crate::faults`]).
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Words that something changed are not sent.
    pub loses_notices: bool,
    /// Pages have at most so many entries, whatever is asked for.
    pub page: Option<usize>,
    /// The next list of what has changed tells of nothing but that one event is deleted, which is not so.
    pub shows_one_deleted: bool,
}

/// A body of ours that came here, whether it was taken or refused.
#[derive(Clone, Debug)]
pub struct Received {
    /// The method of the request.
    pub method: String,
    /// The path that it came to, with its query.
    pub path: String,
    /// The body.
    pub body: Value,
}

/// A consent whose code was not exchanged yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Code {
    opens: Opens,
    challenge: String,
    redirect_uri: String,
    until: Timestamp,
}

/// What a consent opens.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Opens {
    account: String,
    scopes: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Calendar {
    summary: String,
    time_zone: String,
    /// Whose first calendar it is.
    primary_of: Option<String>,
    /// `owner`, `writer`, `reader`, `freeBusyReader`, by account.
    roles: BTreeMap<String, String>,
    events: BTreeMap<String, Event>,
    /// The number of the last change.
    changes: u64,
    /// Tokens from before this change have expired.
    forgotten: u64,
}

/// An event, deleted or not: a deleted id stays taken.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Event {
    fields: Value,
    /// The number of its last change.
    changed: u64,
    is_deleted: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Channel {
    calendar: String,
    account: String,
    token: String,
    address: String,
    resource_id: String,
    until: Timestamp,
    messages: u64,
}

/// A word that is on its way: of which channel, and `sync` or `exists`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Notice {
    channel: String,
    state: String,
}

impl GoogleSandbox {
    /// One with nobody in it.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>, entropy: Arc<Entropy>) -> Self {
        Self { state: Kept::open(settings.kept_in.clone()), settings, clock, entropy }
    }

    fn lock(&self) -> Guard<'_, State> {
        self.state.lock()
    }

    /// A fresh word that nobody guesses.
    fn word(&self, beginning: &str) -> String {
        format!("{beginning}{:016x}{:016x}", self.entropy.bits(), self.entropy.bits())
    }

    /// Opens an account with its first calendar, which is called as the account is.
    pub fn add_account(&self, email: &str, time_zone: &str) {
        let mut state = self.lock();
        if !state.accounts.iter().any(|known| known == email) {
            state.accounts.push(email.to_owned());
        }
        drop(state);
        self.add_calendar(email, email, email, time_zone);
        if let Some(calendar) = self.lock().calendars.get_mut(email) {
            calendar.primary_of = Some(email.to_owned());
        }
    }

    /// Makes a calendar that an account owns; one that is there stays as it is.
    pub fn add_calendar(&self, owner: &str, id: &str, summary: &str, time_zone: &str) {
        let calendar = Calendar {
            summary: summary.to_owned(),
            time_zone: time_zone.to_owned(),
            primary_of: None,
            roles: BTreeMap::from([(owner.to_owned(), "owner".to_owned())]),
            events: BTreeMap::new(),
            changes: 0,
            forgotten: 0,
        };
        self.lock().calendars.entry(id.to_owned()).or_insert(calendar);
    }

    /// Shares a calendar with an account, in a role; takes it away again with none.
    pub fn share(&self, calendar: &str, account: &str, role: Option<&str>) {
        if let Some(calendar) = self.lock().calendars.get_mut(calendar) {
            match role {
                Some(role) => calendar.roles.insert(account.to_owned(), role.to_owned()),
                None => calendar.roles.remove(account),
            };
        }
    }

    /// Lets every sync token that was given for a calendar expire.
    pub fn expire_sync_tokens(&self, calendar: &str) {
        if let Some(calendar) = self.lock().calendars.get_mut(calendar) {
            calendar.changes = calendar.changes.saturating_add(1);
            calendar.forgotten = calendar.changes;
        }
    }

    /// The person withdraws the consent in the account's own settings.
    pub fn withdraw(&self, account: &str) {
        let mut state = self.lock();
        state.refresh_tokens.retain(|_, opens| opens.account != account);
        let known = state.refresh_tokens.clone();
        state.access_tokens.retain(|_, (refresh, _)| known.contains_key(refresh));
    }

    /// Changes what goes wrong.
    pub fn with_faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.lock().faults);
    }

    /// The events of a calendar that stand in it, as their owner sees them, in the order of their ids.
    pub fn events(&self, calendar: &str) -> Vec<Value> {
        let state = self.lock();
        let events = state.calendars.get(calendar).map(|calendar| calendar.events.values());
        events
            .into_iter()
            .flatten()
            .filter(|event| !event.is_deleted)
            .map(|event| event.fields.clone())
            .collect()
    }

    /// The events of a calendar that have a part in a time, a series as its instances, as their owner sees them.
    pub fn within(&self, calendar: &str, (from, to): (Timestamp, Timestamp)) -> Vec<Value> {
        let state = self.lock();
        let Some(calendar) = state.calendars.get(calendar) else { return Vec::new() };
        calendar.standing((Some(from), Some(to)))
    }

    /// The calendars: id, name, and how many events stand in each.
    pub fn calendars(&self) -> Vec<(String, String, usize)> {
        let state = self.lock();
        let shown = state.calendars.iter().map(|(id, calendar)| {
            let there = calendar.events.values().filter(|event| !event.is_deleted).count();
            (id.clone(), calendar.summary.clone(), there)
        });
        shown.collect()
    }

    /// How many channels watch a calendar now.
    pub fn channels(&self, calendar: &str) -> usize {
        let now = self.clock.now();
        let state = self.lock();
        state.channels.values().filter(|channel| channel.calendar == calendar && channel.until > now).count()
    }

    /// Ends the channels of a calendar before their time.
    pub fn lose_channels(&self, calendar: &str) {
        self.lock().channels.retain(|_, channel| channel.calendar != calendar);
    }

    /// The bodies that came from us, oldest first; the last 400 of this process.
    pub fn received(&self) -> Vec<Received> {
        self.lock().received.iter().cloned().collect()
    }
}

impl State {
    fn receive(&mut self, method: &str, path: &str, body: Value) {
        if self.received.len() >= MOST_RECEIVED {
            self.received.pop_front();
        }
        self.received.push_back(Received { method: method.to_owned(), path: path.to_owned(), body });
    }

    /// Counts a request of an account. Returns whether it has had too many this minute.
    fn is_over_quota(&mut self, account: &str, now: Timestamp) -> bool {
        let minute = now.as_second().div_euclid(60);
        let asked = self.asked.entry(account.to_owned()).or_insert((minute, 0));
        if asked.0 != minute {
            *asked = (minute, 0);
        }
        asked.1 = asked.1.saturating_add(1);
        asked.1 > MOST_A_MINUTE
    }
}
