//! The clinic's own hand: what somebody does in the calendar's page, with all that Google's page does to an event.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Calendar, GoogleSandbox, answer::reply};

/// What somebody does.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum Hand {
    /// Enters an event, with Google's fields.
    Create {
        /// In which calendar.
        calendar: String,
        /// The event; without an id it gets one.
        event: Value,
    },
    /// Drags an event to another time.
    Move {
        /// In which calendar.
        calendar: String,
        /// Which.
        id: String,
        /// When it is to begin.
        start: Timestamp,
        /// When it is to end.
        end: Timestamp,
    },
    /// Changes fields of an event.
    Change {
        /// In which calendar.
        calendar: String,
        /// Which.
        id: String,
        /// The fields, which take the place of those that are there.
        fields: Value,
    },
    /// Deletes an event.
    Delete {
        /// In which calendar.
        calendar: String,
        /// Which.
        id: String,
    },
    /// Duplicates an event: another id, and all else the same.
    Copy {
        /// In which calendar.
        calendar: String,
        /// Which.
        id: String,
    },
    /// Moves an event to another calendar: it keeps its id.
    Hand {
        /// From which calendar.
        calendar: String,
        /// Which.
        id: String,
        /// To which.
        to: String,
    },
}

impl GoogleSandbox {
    /// `POST /_sandbox/google/events`: the clinic's own hand.
    pub fn hand(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let outcome = serde_json::from_slice::<Hand>(request.body()).map_err(|error| error.to_string());
        match outcome.and_then(|hand| self.act(&hand)) {
            Ok(event) => reply(StatusCode::OK, Bytes::from(format!("{event:#}\n"))),
            Err(sentence) => {
                let acts = "act is create, move, change, delete, copy or hand";
                let detail = format!("{sentence} ({acts}; each names its calendar)");
                reply(StatusCode::BAD_REQUEST, Bytes::from(format!("{:#}\n", json!({ "detail": detail }))))
            }
        }
    }

    /// Does what somebody does. Returns the event as it is then.
    ///
    /// # Errors
    /// When there is no such calendar or event: a sentence.
    pub fn act(&self, hand: &Hand) -> Result<Value, String> {
        let now = self.clock.now();
        let mut state = self.lock();
        let (name, id) = match hand {
            Hand::Create { calendar, event } => {
                let fresh = format!("{:016x}{:08x}", self.entropy.bits(), self.entropy.bits() >> 32);
                (calendar, event["id"].as_str().map_or(fresh, str::to_owned))
            }
            Hand::Copy { calendar, .. } => (calendar, format!("{:016x}", self.entropy.bits())),
            Hand::Move { calendar, id, .. }
            | Hand::Change { calendar, id, .. }
            | Hand::Delete { calendar, id }
            | Hand::Hand { calendar, id, .. } => (calendar, id.clone()),
        };
        let calendar = state.calendars.get_mut(name).ok_or("There is no such calendar.")?;
        let written = match hand {
            Hand::Create { event, .. } => calendar.put(&id, event.clone(), false, now),
            Hand::Copy { id: of, .. } => {
                let fields = there(calendar, of)?;
                calendar.put(&id, fields, false, now)
            }
            Hand::Move { start, end, .. } => {
                let mut fields = there(calendar, &id)?;
                fields["start"]["dateTime"] = json!(start.to_string());
                fields["end"]["dateTime"] = json!(end.to_string());
                calendar.put(&id, fields, false, now)
            }
            Hand::Change { fields: change, .. } => {
                let mut fields = there(calendar, &id)?;
                for (name, value) in change.as_object().into_iter().flatten() {
                    fields[name] = value.clone();
                }
                calendar.put(&id, fields, false, now)
            }
            Hand::Delete { .. } | Hand::Hand { .. } => {
                let fields = there(calendar, &id)?;
                calendar.put(&id, fields, true, now)
            }
        };
        state.tell(name, now);
        if let Hand::Hand { to, .. } = hand {
            let other = state.calendars.get_mut(to).ok_or("There is no such calendar to move it to.")?;
            other.put(&id, written.clone(), false, now);
            state.tell(to, now);
        }
        Ok(written)
    }
}

/// An event that stands in a calendar, or an instance of a series that does.
fn there(calendar: &Calendar, id: &str) -> Result<Value, String> {
    if let Some(event) = calendar.events.get(id) {
        return if event.is_deleted { Err("It is deleted.".into()) } else { Ok(event.fields.clone()) };
    }
    let series = id.split_once('_').map_or("", |(series, _)| series);
    let mut instances = calendar.instances(series, (None, None)).into_iter();
    instances.find(|instance| instance["id"] == id).ok_or_else(|| "There is no such event.".into())
}
