//! Events: inserted, changed, deleted and listed. Each change has a number; a sync token names the last one that was seen.

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Calendar, Event, GoogleSandbox, State,
    answer::{Answer, Refusal, bad, missing, refused, shown},
    api::{Asked, Query},
};

/// What a page has at the most where nothing is said, and at all.
const USUAL: usize = 250;
const MOST: usize = 2_500;
/// What a sync token cannot be asked for with.
const NOT_WITH_A_TOKEN: [&str; 8] = [
    "iCalUID",
    "orderBy",
    "privateExtendedProperty",
    "q",
    "sharedExtendedProperty",
    "timeMax",
    "timeMin",
    "updatedMin",
];
/// The fields that a body of ours may have, of those that Google's has. Google passes over what it does not know; what is wrong there
/// is a mistake of ours all the same, and is refused.
const FIELDS: [&str; 15] = [
    "attendees",
    "colorId",
    "description",
    "end",
    "eventType",
    "extendedProperties",
    "id",
    "location",
    "recurrence",
    "reminders",
    "start",
    "status",
    "summary",
    "transparency",
    "visibility",
];

impl Calendar {
    /// Writes an event as a change of its own, and returns it.
    pub(super) fn put(&mut self, id: &str, mut fields: Value, is_deleted: bool, now: Timestamp) -> Value {
        self.changes = self.changes.saturating_add(1);
        fields["id"] = json!(id);
        fields["etag"] = json!(format!("\"{}\"", self.changes));
        fields["updated"] = json!(domain::time::rfc3339_millis(now));
        if is_deleted {
            fields["status"] = json!("cancelled");
        } else if fields["status"].is_null() || fields["status"] == "cancelled" {
            fields["status"] = json!("confirmed");
        }
        let event = Event { fields: fields.clone(), changed: self.changes, is_deleted };
        self.events.insert(id.to_owned(), event);
        fields
    }

    /// The events that have a part in a time and are not deleted, a series as its instances.
    pub(super) fn standing(&self, window: Window) -> Vec<Value> {
        let mut items = Vec::new();
        for event in self.events.values().filter(|event| !event.is_deleted) {
            if event.fields["recurrence"].is_array() {
                let id = event.fields["id"].as_str().unwrap_or_default();
                items.extend(self.instances(id, window));
            } else if event.fields["recurringEventId"].is_null() && self.is_within(&event.fields, window) {
                items.push(event.fields.clone());
            }
        }
        items
    }

    /// An event as the API shows it: of a deleted one little is left.
    pub(super) fn seen(event: &Event) -> Value {
        if !event.is_deleted {
            return event.fields.clone();
        }
        let mut left = json!({"kind": "calendar#event", "status": "cancelled", "id": event.fields["id"], "etag": event.fields["etag"]});
        for name in ["recurringEventId", "originalStartTime"] {
            if !event.fields[name].is_null() {
                left[name] = event.fields[name].clone();
            }
        }
        left
    }
}

impl GoogleSandbox {
    pub(super) fn inserted(&self, state: &mut State, asked: &Asked<'_>) -> Answer {
        let body = fitting(asked)?;
        let fresh = format!("{:016x}{:08x}", self.entropy.bits(), self.entropy.bits() >> 32);
        let id = body["id"].as_str().map_or(fresh, str::to_owned);
        let is_id = (5..=1_024).contains(&id.len())
            && id.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'v').contains(&c));
        if !is_id {
            return Err(bad("invalid", "Invalid resource id value."));
        }
        times(&body)?;
        let now = self.clock.now();
        let calendar = state.calendars.get_mut(asked.calendar).ok_or_else(missing)?;
        if calendar.events.contains_key(&id) {
            let message = "The requested identifier already exists.";
            return Err(refused(409, "global", "duplicate", message));
        }
        let mut fields = body;
        fields["kind"] = json!("calendar#event");
        fields["eventType"] = fields.get("eventType").cloned().unwrap_or(json!("default"));
        let written = calendar.put(&id, fields, false, now);
        state.tell(asked.calendar, now);
        Ok(shown(written))
    }

    pub(super) fn patched(&self, state: &mut State, asked: &Asked<'_>, id: &str) -> Answer {
        let body = fitting(asked)?;
        let now = self.clock.now();
        let calendar = state.calendars.get_mut(asked.calendar).ok_or_else(missing)?;
        let event = calendar.events.get(id).ok_or_else(missing)?;
        is_version(event, asked.if_match)?;
        if event.is_deleted && body["status"] != "confirmed" {
            return Err(missing());
        }
        let mut fields = event.fields.clone();
        merge(&mut fields, &body);
        times(&fields)?;
        let written = calendar.put(id, fields, false, now);
        state.tell(asked.calendar, now);
        Ok(shown(written))
    }

    pub(super) fn deleted(&self, state: &mut State, asked: &Asked<'_>, id: &str) -> Answer {
        silently(asked.query)?;
        let now = self.clock.now();
        let calendar = state.calendars.get_mut(asked.calendar).ok_or_else(missing)?;
        let event = calendar.events.get(id).ok_or_else(missing)?;
        if event.is_deleted {
            return Err(refused(410, "global", "deleted", "Resource has been deleted"));
        }
        is_version(event, asked.if_match)?;
        let fields = event.fields.clone();
        calendar.put(id, fields, true, now);
        state.tell(asked.calendar, now);
        Ok((StatusCode::NO_CONTENT, Value::Null))
    }
}

impl State {
    pub(super) fn shown(&self, asked: &Asked<'_>, id: &str) -> Answer {
        let event = self.calendars.get(asked.calendar).and_then(|calendar| calendar.events.get(id));
        Ok(shown(Calendar::seen(event.ok_or_else(missing)?)))
    }

    /// `events.list`: all, what changed since a token, or what stands in a time.
    pub(super) fn listed(&self, asked: &Asked<'_>, now: Timestamp) -> Answer {
        let calendar = self.calendars.get(asked.calendar).ok_or_else(missing)?;
        let query = asked.query;
        let since = match query.get("syncToken") {
            None => None,
            Some(token) => Some(since(calendar, token, query)?),
        };
        let is_single = query.get("singleEvents").is_some_and(|value| value == "true");
        let window = window(query)?;
        let shows_deleted = since.is_some() || query.get("showDeleted").is_some_and(|value| value == "true");
        let changed = |event: &&Event| {
            since.is_none_or(|since| event.changed > since) && (shows_deleted || !event.is_deleted)
        };
        let mut items: Vec<Value> = Vec::new();
        for event in calendar.events.values().filter(changed) {
            let is_series = event.fields["recurrence"].is_array() && !event.is_deleted;
            if is_single && is_series {
                let id = event.fields["id"].as_str().unwrap_or_default();
                items.extend(calendar.instances(id, window));
            } else if is_single && !event.fields["recurringEventId"].is_null() {
                // It stands among the instances of its series.
            } else if calendar.is_within(&event.fields, window) {
                items.push(Calendar::seen(event));
            }
        }
        let mut page = self.page(query, items)?;
        page["kind"] = json!("calendar#events");
        page["timeZone"] = json!(calendar.time_zone);
        page["summary"] = json!(calendar.summary);
        page["updated"] = json!(domain::time::rfc3339_millis(now));
        if page["nextPageToken"].is_null() && !is_single && window == (None, None) {
            page["nextSyncToken"] = json!(format!("S{}", calendar.changes));
        }
        Ok(shown(page))
    }

    /// What a list would say if the first event of a calendar were deleted, and nothing else had changed.
    pub(super) fn one_deleted(&self, asked: &Asked<'_>) -> Answer {
        let calendar = self.calendars.get(asked.calendar).ok_or_else(missing)?;
        let first = calendar.events.values().find(|event| !event.is_deleted);
        let items: Vec<Value> = first
            .map(|event| json!({"kind": "calendar#event", "status": "cancelled", "id": event.fields["id"]}))
            .into_iter()
            .collect();
        Ok(shown(json!({"kind": "calendar#events", "items": items, "timeZone": calendar.time_zone,
            "nextSyncToken": format!("S{}", calendar.changes)})))
    }

    /// `events.instances`.
    pub(super) fn instances_of(&self, asked: &Asked<'_>, id: &str) -> Answer {
        let calendar = self.calendars.get(asked.calendar).ok_or_else(missing)?;
        let event = calendar.events.get(id).ok_or_else(missing)?;
        if event.is_deleted {
            return Err(refused(410, "global", "deleted", "Resource has been deleted"));
        }
        let items = calendar.instances(id, window(asked.query)?);
        let mut page = self.page(asked.query, items)?;
        page["kind"] = json!("calendar#events");
        page["timeZone"] = json!(calendar.time_zone);
        Ok(shown(page))
    }

    fn page(&self, query: &Query, items: Vec<Value>) -> Result<Value, Refusal> {
        let asked = query.get("maxResults").and_then(|most| most.parse().ok()).unwrap_or(USUAL);
        let size = self.faults.page.unwrap_or(MOST).min(asked).clamp(1, MOST);
        let start: usize = match query.get("pageToken") {
            None => 0,
            Some(token) => token
                .strip_prefix('P')
                .and_then(|start| start.parse().ok())
                .ok_or_else(|| bad("invalid", "Invalid page token value."))?,
        };
        let end = start.saturating_add(size);
        let has_more = items.len() > end;
        let items: Vec<Value> = items.into_iter().skip(start).take(size).collect();
        let mut page = json!({ "items": items });
        if has_more {
            page["nextPageToken"] = json!(format!("P{end}"));
        }
        Ok(page)
    }
}

/// The change that a sync token names.
fn since(calendar: &Calendar, token: &str, query: &Query) -> Result<u64, Refusal> {
    if NOT_WITH_A_TOKEN.iter().any(|name| query.contains_key(*name)) {
        return Err(bad("badRequest", "Sync token cannot be used with other query restrictions."));
    }
    let since: Option<u64> = token.strip_prefix('S').and_then(|since| since.parse().ok());
    match since {
        Some(since) if since >= calendar.forgotten && since <= calendar.changes => Ok(since),
        Some(_) | None => {
            let message = "Sync token is no longer valid, a full sync is required.";
            Err(refused(410, "calendar", "fullSyncRequired", message))
        }
    }
}

/// The time that is asked for: from which instant on, and until which.
pub(super) type Window = (Option<Timestamp>, Option<Timestamp>);

fn window(query: &Query) -> Result<Window, Refusal> {
    let instant = |name: &str| match query.get(name) {
        None => Ok(None),
        Some(text) => text.parse().map(Some).map_err(|_| bad("badRequest", "Bad Request")),
    };
    let (from, to): Window = (instant("timeMin")?, instant("timeMax")?);
    if from.zip(to).is_some_and(|(from, to)| from >= to) {
        let message = "The specified time range is empty.";
        return Err(refused(400, "calendar", "timeRangeEmpty", message));
    }
    Ok((from, to))
}

/// A body that has what an event's may have, and whose query says whom to write to.
fn fitting(asked: &Asked<'_>) -> Result<Value, Refusal> {
    silently(asked.query)?;
    let Some(fields) = asked.body.as_object() else { return Err(bad("parseError", "Parse Error")) };
    if let Some(unknown) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        return Err(bad("invalid", &format!("Invalid value for: {unknown}")));
    }
    let one_of = |name: &str, values: &[&str]| {
        fields.get(name).is_none_or(|value| value.as_str().is_some_and(|value| values.contains(&value)))
    };
    if !one_of("visibility", &["default", "public", "private", "confidential"]) {
        return Err(bad("invalid", "Invalid visibility value."));
    }
    if !one_of("transparency", &["opaque", "transparent"]) {
        return Err(bad("invalid", "Invalid transparency value."));
    }
    if !one_of("status", &["confirmed", "tentative", "cancelled"]) {
        return Err(bad("invalid", "Invalid status value."));
    }
    let private = asked.body["extendedProperties"]["private"].as_object();
    if private.into_iter().flatten().any(|(name, value)| name.len() > 44 || !value.is_string()) {
        return Err(bad("invalid", "Invalid extended property."));
    }
    Ok(asked.body.clone())
}

fn silently(query: &Query) -> Result<(), Refusal> {
    match query.get("sendUpdates").map(String::as_str) {
        None | Some("all" | "externalOnly" | "none") => Ok(()),
        Some(_) => Err(bad("invalidParameter", "Invalid value for sendUpdates.")),
    }
}

/// An event has a start and an end of one kind, in this order.
fn times(fields: &Value) -> Result<(), Refusal> {
    let instant = |name: &str| fields[name]["dateTime"].as_str().map(str::parse::<Timestamp>);
    let day = |name: &str| fields[name]["date"].as_str().map(str::parse::<jiff::civil::Date>);
    let is_ordered = match (instant("start"), instant("end"), day("start"), day("end")) {
        (Some(Ok(from)), Some(Ok(to)), None, None) => from <= to,
        (None, None, Some(Ok(from)), Some(Ok(to))) => from <= to,
        (None, _, None, _) => return Err(refused(400, "global", "required", "Missing start time.")),
        (_, None, _, None) => return Err(refused(400, "global", "required", "Missing end time.")),
        _ => return Err(bad("invalid", "Invalid start time.")),
    };
    if is_ordered {
        return Ok(());
    }
    Err(refused(400, "calendar", "timeRangeEmpty", "The specified time range is empty."))
}

fn is_version(event: &Event, if_match: Option<&str>) -> Result<(), Refusal> {
    let is_it = |wanted: &str| wanted == "*" || event.fields["etag"] == wanted;
    if if_match.is_none_or(is_it) {
        return Ok(());
    }
    Err(refused(412, "global", "conditionNotMet", "Precondition Failed"))
}

/// PATCH's way: a field that is null goes, an object is merged, anything else takes the place of what was there.
fn merge(fields: &mut Value, change: &Value) {
    match (fields, change) {
        (Value::Object(fields), Value::Object(change)) => {
            for (name, value) in change {
                if value.is_null() {
                    fields.remove(name);
                } else {
                    merge(fields.entry(name.clone()).or_insert(Value::Null), value);
                }
            }
        }
        (fields, change) => *fields = change.clone(),
    }
}
