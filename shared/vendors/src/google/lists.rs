//! Lists: an account's calendars, a calendar's changes, what stands in a time, a series' instances.

use domain::{
    booking::diary::Interval,
    calendar::{Access, Told},
    time::rfc3339_millis,
};
use serde::{Deserialize, de::DeserializeOwned};

use super::{AccessToken, At, Google, GoogleError, encoded, events::Event};

/// The most entries of a page (Google takes 2,500 of events, 250 of calendars).
const PAGE: &str = "250";
/// How many pages one reading takes at the most: a calendar that is larger is an error, not a part of the truth.
const MOST_PAGES: usize = 400;

/// A calendar that the account sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// As Google names it: often an e-mail address.
    pub id: String,
    /// As people name it.
    pub name: String,
    /// Its zone, by the IANA database.
    pub time_zone: String,
    /// What the account may do with it; none where it sees only whether somebody is busy.
    pub access: Option<Access>,
    /// Whether it is the account's own first one, whose id is the account's address.
    pub is_primary: bool,
}

/// From where on changes are asked for.
#[derive(Clone, Copy, Debug)]
pub enum From<'a> {
    /// All that there is.
    Beginning,
    /// What changed since this sync token was given.
    Token(&'a str),
}

/// One page of changes.
#[derive(Clone, Debug)]
pub struct Changes {
    /// The events.
    pub events: Vec<Told>,
    /// What asks for the next page; none on the last.
    pub next_page: Option<String>,
    /// What asks for the changes from here on; on the last page alone.
    pub sync_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<T> {
    #[serde(default = "Vec::new")]
    items: Vec<T>,
    #[serde(default)]
    next_page_token: Option<String>,
    #[serde(default)]
    next_sync_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    id: String,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    summary_override: Option<String>,
    #[serde(default)]
    time_zone: String,
    #[serde(default)]
    access_role: String,
    #[serde(default)]
    primary: bool,
}

impl Entry {
    fn listed(self) -> Listed {
        let access = match self.access_role.as_str() {
            "owner" | "writer" => Some(Access::Write),
            "reader" => Some(Access::Read),
            _ => None,
        };
        let name = self.summary_override.unwrap_or(self.summary);
        Listed { id: self.id, name, time_zone: self.time_zone, access, is_primary: self.primary }
    }
}

impl Google {
    /// Returns all calendars that the account sees.
    ///
    /// # Errors
    /// See [`GoogleError`].
    pub async fn calendars(&self, token: &AccessToken) -> Result<Vec<Listed>, GoogleError> {
        let address = |page: &[(&str, &str)]| self.at("users/me/calendarList", page);
        let entries: Vec<Entry> = self.whole(token, &[("maxResults", PAGE)], address).await?;
        Ok(entries.into_iter().map(Entry::listed).collect())
    }

    /// Returns one page of a calendar's changes: of single events, of series, and of instances that differ from their series; the
    /// deleted ones with them. Nothing is filtered: a sync token forbids it.
    ///
    /// # Errors
    /// [`GoogleError::Gone`] when the token has expired: to be read from the beginning; see [`GoogleError`].
    pub async fn changes(
        &self,
        at: At<'_>,
        from: From<'_>,
        page: Option<&str>,
    ) -> Result<Changes, GoogleError> {
        let mut query = vec![("maxResults", PAGE)];
        if let From::Token(token) = from {
            query.push(("syncToken", token));
        }
        query.extend(page.map(|page| ("pageToken", page)));
        let page: Page<Event> = self.get(at.token, &self.of(at.calendar, "", &query)).await?;
        Ok(Changes {
            events: page.items.into_iter().map(Event::told).collect(),
            next_page: page.next_page_token,
            sync_token: page.next_sync_token,
        })
    }

    /// Returns what stands in a calendar within a time, series as their instances.
    ///
    /// # Errors
    /// See [`GoogleError`].
    pub async fn between(&self, at: At<'_>, time: Interval) -> Result<Vec<Told>, GoogleError> {
        let (from, to) = (rfc3339_millis(time.from), rfc3339_millis(time.to));
        let query = [("singleEvents", "true"), ("timeMin", &from), ("timeMax", &to), ("maxResults", PAGE)];
        let address = |query: &[(&str, &str)]| self.of(at.calendar, "", query);
        let events: Vec<Event> = self.whole(at.token, &query, address).await?;
        Ok(events.into_iter().map(Event::told).collect())
    }

    /// Returns the instances of a series within a time.
    ///
    /// # Errors
    /// [`GoogleError::NotFound`] or [`GoogleError::Gone`] when there is no such series; see [`GoogleError`].
    pub async fn instances(
        &self,
        at: At<'_>,
        series: &str,
        time: Interval,
    ) -> Result<Vec<Told>, GoogleError> {
        let (from, to) = (rfc3339_millis(time.from), rfc3339_millis(time.to));
        let query = [("timeMin", from.as_str()), ("timeMax", &to), ("maxResults", PAGE)];
        let place = format!("/{}/instances", encoded(series));
        let address = |query: &[(&str, &str)]| self.of(at.calendar, &place, query);
        let events: Vec<Event> = self.whole(at.token, &query, address).await?;
        Ok(events.into_iter().map(Event::told).collect())
    }

    /// Reads a list to its end.
    async fn whole<T: DeserializeOwned>(
        &self,
        token: &AccessToken,
        query: &[(&str, &str)],
        address: impl Fn(&[(&str, &str)]) -> String,
    ) -> Result<Vec<T>, GoogleError> {
        let mut entries = Vec::new();
        let mut next: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let mut query = query.to_vec();
            query.extend(next.as_deref().map(|page| ("pageToken", page)));
            let page: Page<T> = self.get(token, &address(&query)).await?;
            entries.extend(page.items);
            match page.next_page_token {
                None => return Ok(entries),
                following => next = following,
            }
        }
        Err(GoogleError::TooOften)
    }
}
