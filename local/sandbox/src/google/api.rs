//! The Calendar API, version 3: who asks, what for, and what the account may do.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use serde_json::{Value, json};

use super::{
    GoogleSandbox, Opens, State,
    answer::{Answer, Refusal, bad, missing, refused, shown, written},
};

/// The values of a query.
pub(super) type Query = BTreeMap<String, String>;

/// What is asked of one calendar.
pub(super) struct Asked<'a> {
    /// The account that asks.
    pub(super) account: &'a str,
    /// The calendar.
    pub(super) calendar: &'a str,
    /// The query.
    pub(super) query: &'a Query,
    /// The body.
    pub(super) body: &'a Value,
    /// The version that is to be changed, where one is named.
    pub(super) if_match: Option<&'a str>,
}

/// Roles, and what each may do at the least.
const WRITERS: [&str; 2] = ["owner", "writer"];
const READERS: [&str; 3] = ["owner", "writer", "reader"];

impl GoogleSandbox {
    /// Answers a request of the Calendar API, under `/calendar/v3`.
    pub fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        written(self.route(request))
    }

    fn route(&self, request: &Request<Bytes>) -> Answer {
        let now = self.clock.now();
        let mut state = self.lock();
        let opens = opens(&state, request, now)?;
        let body: Value = if request.body().is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(request.body()).map_err(|_| bad("parseError", "Parse Error"))?
        };
        let path = request.uri().path_and_query().map_or("", http::uri::PathAndQuery::as_str);
        if !body.is_null() {
            state.receive(request.method().as_str(), path, body.clone());
        }
        if state.is_over_quota(&opens.account, now) {
            return Err(refused(403, "usageLimits", "rateLimitExceeded", "Rate Limit Exceeded"));
        }
        let query: Query = request
            .uri()
            .query()
            .map(|query| url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
            .unwrap_or_default();
        let segments: Vec<String> = request.uri().path().trim_matches('/').split('/').map(decoded).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let if_match = request.headers().get(header::IF_MATCH).and_then(|value| value.to_str().ok());
        let method = request.method();
        match segments.as_slice() {
            ["calendar", "v3", "users", "me", "calendarList"] if *method == Method::GET => {
                has_scope(&opens, &["calendar.calendarlist.readonly", "calendar.calendarlist", "calendar"])?;
                Ok(shown(calendar_list(&state, &opens.account)))
            }
            ["calendar", "v3", "channels", "stop"] if *method == Method::POST => {
                state.stop(&body).map(|()| (StatusCode::NO_CONTENT, Value::Null))
            }
            ["calendar", "v3", "calendars", calendar, "events", below @ ..] => {
                has_scope(&opens, &["calendar.events", "calendar"])?;
                let calendar = if *calendar == "primary" { opens.account.as_str() } else { calendar };
                let asked = Asked { account: &opens.account, calendar, query: &query, body: &body, if_match };
                self.of_calendar(&mut state, &asked, (method, below))
            }
            _ => Err(missing()),
        }
    }

    fn of_calendar(
        &self,
        state: &mut State,
        asked: &Asked<'_>,
        (method, below): (&Method, &[&str]),
    ) -> Answer {
        match (method, below) {
            (&Method::GET, []) => {
                may(state, asked, &READERS)?;
                if std::mem::take(&mut state.faults.shows_one_deleted) {
                    return state.one_deleted(asked);
                }
                state.listed(asked, self.clock.now())
            }
            (&Method::POST, []) => {
                may(state, asked, &WRITERS)?;
                self.inserted(state, asked)
            }
            (&Method::POST, ["watch"]) => {
                may(state, asked, &READERS)?;
                self.watched(state, asked)
            }
            (&Method::GET, [id]) => {
                may(state, asked, &READERS)?;
                state.shown(asked, id)
            }
            (&Method::PATCH, [id]) => {
                may(state, asked, &WRITERS)?;
                self.patched(state, asked, id)
            }
            (&Method::DELETE, [id]) => {
                may(state, asked, &WRITERS)?;
                self.deleted(state, asked, id)
            }
            (&Method::GET, [id, "instances"]) => {
                may(state, asked, &READERS)?;
                state.instances_of(asked, id)
            }
            _ => Err(missing()),
        }
    }
}

/// Whose account a request's token opens.
fn opens(state: &State, request: &Request<Bytes>, now: jiff::Timestamp) -> Result<Opens, Refusal> {
    let bearer = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = bearer.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    let opens = state.access_tokens.get(token).filter(|(_, until)| now < *until);
    opens
        .and_then(|(refresh, _)| state.refresh_tokens.get(refresh))
        .cloned()
        .ok_or_else(|| refused(401, "global", "authError", "Invalid Credentials"))
}

fn has_scope(opens: &Opens, any: &[&str]) -> Result<(), Refusal> {
    let has = |scope: &&str| {
        let whole = format!("https://www.googleapis.com/auth/{scope}");
        opens.scopes.contains(&whole)
    };
    if any.iter().any(has) {
        return Ok(());
    }
    let message = "Request had insufficient authentication scopes.";
    Err(refused(403, "global", "insufficientPermissions", message))
}

/// Whether the account has one of these roles in the calendar. One that it does not see is not there.
fn may(state: &State, asked: &Asked<'_>, roles: &[&str]) -> Result<(), Refusal> {
    let role = state.calendars.get(asked.calendar).and_then(|calendar| calendar.roles.get(asked.account));
    match role {
        None => Err(missing()),
        Some(role) if roles.contains(&role.as_str()) => Ok(()),
        Some(_) => {
            let message = "You need to have writer access to this calendar.";
            Err(refused(403, "calendar", "requiredAccessLevel", message))
        }
    }
}

fn calendar_list(state: &State, account: &str) -> Value {
    let items = state.calendars.iter().filter_map(|(id, calendar)| {
        let role = calendar.roles.get(account)?;
        let mut entry = json!({"kind": "calendar#calendarListEntry", "etag": "\"0\"", "id": id,
            "summary": calendar.summary, "timeZone": calendar.time_zone, "accessRole": role, "selected": true});
        if calendar.primary_of.as_deref() == Some(account) {
            entry["primary"] = json!(true);
        }
        Some(entry)
    });
    let items: Vec<Value> = items.collect();
    json!({"kind": "calendar#calendarList", "etag": "\"0\"", "items": items})
}

/// A segment of a path, as it was meant.
fn decoded(segment: &str) -> String {
    // A plus is a plus in a path.
    let text = segment.replace('+', "%2B");
    url::form_urlencoded::parse(text.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}
