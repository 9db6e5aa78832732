//! Events: how we write them, and how we read them.

use std::collections::BTreeMap;

use bytes::Bytes;
use domain::{
    booking::diary::Interval,
    calendar::{Draft, Mark, Told, When},
    ids::AppointmentId,
    time::rfc3339_millis,
};
use http::{Method, header};
use jiff::{Timestamp, civil::Date};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{At, Google, GoogleError, encoded, read, request};

/// The names of our private properties.
const APPOINTMENT: &str = "voxanne_appointment";
const REVISION: &str = "voxanne_revision";
const ENVIRONMENT: &str = "voxanne_environment";
/// Nobody is written to: what patients are told is ours to say.
const SILENTLY: (&str, &str) = ("sendUpdates", "none");

/// An event as Google gives it, as far as we read it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Event {
    id: String,
    #[serde(default)]
    etag: String,
    #[serde(default)]
    status: String,
    #[serde(default)]
    start: Option<EventTime>,
    #[serde(default)]
    end: Option<EventTime>,
    #[serde(default)]
    transparency: String,
    #[serde(default, rename = "eventType")]
    kind: String,
    #[serde(default)]
    recurrence: Vec<String>,
    #[serde(default)]
    recurring_event_id: Option<String>,
    #[serde(default)]
    attendees: Vec<Attendee>,
    #[serde(default)]
    extended_properties: Properties,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EventTime {
    #[serde(default)]
    date: Option<String>,
    #[serde(default)]
    date_time: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attendee {
    #[serde(default, rename = "self")]
    is_self: bool,
    #[serde(default)]
    response_status: String,
}

#[derive(Debug, Default, Deserialize)]
struct Properties {
    #[serde(default)]
    private: BTreeMap<String, String>,
}

impl Event {
    pub(super) fn told(self) -> Told {
        let when = match (&self.start, &self.end) {
            (Some(start), Some(end)) => when(start, end),
            _ => When::Unknown,
        };
        let is_declined = |attendee: &Attendee| attendee.is_self && attendee.response_status == "declined";
        Told {
            etag: self.etag,
            is_cancelled: self.status == "cancelled",
            when,
            is_transparent: self.transparency == "transparent",
            is_declined: self.attendees.iter().any(is_declined),
            is_working_location: self.kind == "workingLocation",
            is_series: !self.recurrence.is_empty(),
            series: self.recurring_event_id,
            mark: mark(&self.extended_properties.private),
            id: self.id,
        }
    }
}

fn when(start: &EventTime, end: &EventTime) -> When {
    let days = |time: &EventTime| time.date.as_deref().and_then(|date| date.parse::<Date>().ok());
    let instant = |time: &EventTime| time.date_time.as_deref().and_then(|at| at.parse::<Timestamp>().ok());
    match (instant(start), instant(end), days(start), days(end)) {
        (Some(from), Some(to), ..) => When::Timed(Interval { from, to }),
        (_, _, Some(first), Some(after)) => When::Days { first, after },
        _ => When::Unknown,
    }
}

fn mark(private: &BTreeMap<String, String>) -> Option<Mark> {
    Some(Mark {
        appointment_id: AppointmentId::parse(private.get(APPOINTMENT)?.as_str()).ok()?,
        revision: private.get(REVISION)?.parse().ok()?,
        environment: private.get(ENVIRONMENT)?.clone(),
    })
}

/// What an event of ours is written as.
fn body(draft: &Draft) -> Value {
    let time = |at: Timestamp| json!({"dateTime": rfc3339_millis(at), "timeZone": draft.time_zone.name()});
    json!({
        "summary": draft.summary,
        "start": time(draft.interval.from),
        "end": time(draft.interval.to),
        "status": "confirmed",
        "transparency": "opaque",
        "visibility": "private",
        "extendedProperties": {"private": {
            APPOINTMENT: draft.mark.appointment_id,
            REVISION: draft.mark.revision.to_string(),
            ENVIRONMENT: draft.mark.environment,
        }},
    })
}

impl Google {
    /// Puts an event there under our own id.
    ///
    /// # Errors
    /// [`GoogleError::AlreadyThere`] when the id is taken, by the event or by one that was deleted; see [`GoogleError`].
    pub async fn insert(&self, at: At<'_>, draft: &Draft) -> Result<Told, GoogleError> {
        let mut body = body(draft);
        body["id"] = json!(draft.id);
        let request = request(at.token, Method::POST, &self.of(at.calendar, "", &[SILENTLY]));
        read::<Event>(&self.write(request, &body).await?).map(Event::told)
    }

    /// Changes an event of ours, if it still is the version of this etag.
    ///
    /// # Errors
    /// [`GoogleError::Changed`] when it is not; see [`GoogleError`].
    pub async fn update(&self, at: At<'_>, etag: &str, draft: &Draft) -> Result<Told, GoogleError> {
        let place = format!("/{}", draft.id);
        let request = request(at.token, Method::PATCH, &self.of(at.calendar, &place, &[SILENTLY]))
            .header(header::IF_MATCH, etag);
        let mut change = body(draft);
        // A change is merged: what somebody made a whole day is to be one no more.
        for time in ["start", "end"] {
            change[time]["date"] = Value::Null;
        }
        read::<Event>(&self.write(request, &change).await?).map(Event::told)
    }

    /// Takes an event of ours out, whatever it says by now. One that is gone already is no error.
    ///
    /// # Errors
    /// See [`GoogleError`].
    pub async fn delete(&self, at: At<'_>, id: &str) -> Result<(), GoogleError> {
        let place = format!("/{}", encoded(id));
        let request = request(at.token, Method::DELETE, &self.of(at.calendar, &place, &[SILENTLY]));
        match self.send(request.body(Bytes::new())).await {
            Ok(_) | Err(GoogleError::Gone | GoogleError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Returns an event as it is, also one that was deleted; none where there never was one.
    ///
    /// # Errors
    /// See [`GoogleError`].
    pub async fn event(&self, at: At<'_>, id: &str) -> Result<Option<Told>, GoogleError> {
        let url = self.of(at.calendar, &format!("/{}", encoded(id)), &[]);
        match self.get::<Event>(at.token, &url).await {
            Ok(event) => Ok(Some(event.told())),
            Err(GoogleError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
