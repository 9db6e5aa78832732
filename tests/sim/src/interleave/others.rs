//! What meets callers at the diary and is none: a calendar that is read, time that passes until a hold has run out, and a closure that the
//! clinic saves.

use base::clock::Clock as _;
use bytes::Bytes;
use domain::{
    booking::{
        appointment::{Appointment, Status},
        conversation::HOLD,
        diary::{Interval, ResourceDay, Taken},
    },
    calendar::calendar_id,
    ids::CallId,
};
use http::Request;
use jiff::{SignedDuration, Timestamp};
use sandbox::google::Hand;
use serde_json::{Value, json};
use services::calendar::LEASE;
use store::{
    booking::Bookings,
    calendars::{Calendars, Externals},
    queue::CalendarTask,
};

use super::{
    operation::{Operation, Part, Wish},
    scene::{Delivery, ORG, Scene},
};
use crate::world::request_with;

/// The clinic's account at Google, and the calendar that is shared with it, in which it may write nothing: what operations push changes
/// nothing there, so that every schedule finds the same.
const ACCOUNT: &str = "desk@example.com";
const CALENDAR: &str = "private@example.com";
/// The queue that calendars are read by.
pub(super) const CALENDAR_QUEUE: &str = "CalendarSyncQueue";
/// How long the time is that all want, and that is shut.
const WANTED_FOR: SignedDuration = SignedDuration::from_mins(30);
/// How much later something else stands in the calendar, which nobody minds.
const LATER: SignedDuration = SignedDuration::from_hours(8);
/// How often a calendar is looked at again that was broken off.
const LOOKS: usize = 4;

impl Scene {
    async fn sent(&self, request: Request<Bytes>) -> Value {
        let answer = Box::pin(self.stack.request(request)).await;
        assert!(answer.status().as_u16() < 400, "the scene cannot be set: {:?}", answer.body());
        serde_json::from_slice(answer.body()).unwrap_or_default()
    }

    /// A request of the clinic's owner.
    pub(super) fn owners(&self, method: &str, path: &str, body: &Value) -> Request<Bytes> {
        let token = local::token::issue(ORG, "owner", self.gate.now()).expect("a token");
        request_with(&token, method, path, body)
    }

    /// The practitioner's time is kept in a calendar, which was read, and in which somebody has since entered what takes the time that
    /// all want.
    pub(super) async fn connect_a_calendar(&self, part: Part) {
        let google = &self.stack.google;
        google.add_account(ACCOUNT, "Europe/London");
        google.add_account(CALENDAR, "Europe/London");
        google.share(CALENDAR, ACCOUNT, Some("reader"));
        let asked = self.owners("GET", "/api/google-oauth/authorize", &Value::Null);
        let page = Box::pin(self.stack.request(asked)).await;
        let kept = page.headers()["set-cookie"].to_str().unwrap_or_default().to_owned();
        let url: Value = serde_json::from_slice(page.body()).expect("the API answers in JSON");
        let url = url["url"].as_str().expect("an address");
        let back = google.consent(url, Some(ACCOUNT), &[]).expect("a consent");
        let path = back.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map(|(_, path)| path);
        let cookie = kept.split(';').next().unwrap_or_default();
        let back = Request::get(format!("/{}", path.unwrap_or_default())).header("cookie", cookie);
        Box::pin(self.stack.request(back.body(Bytes::new()).expect("a request"))).await;
        let id = calendar_id(CALENDAR);
        let listed = self.sent(self.owners("GET", "/api/calendars", &Value::Null)).await;
        let there = listed["calendars"].as_array().into_iter().flatten().find(|one| one["id"] == id.as_str());
        let resource = self.resource.borrow()["id"].clone();
        let body = json!({"version": there.expect("the calendar")["version"], "resource_ids": [resource]});
        let from = self.wanted_by(part).await;
        // What was there before is read first, so that the day is one that somebody has written.
        self.keeps_busy(from + LATER);
        self.sent(self.owners("PATCH", &format!("/api/calendars/{id}"), &body)).await;
        Box::pin(self.stack.settle_down()).await;
        // It is the operation that reads it, and no word of Google's.
        google.lose_channels(CALENDAR);
        self.keeps_busy(from);
    }

    fn keeps_busy(&self, from: Timestamp) {
        let event = json!({"summary": "Congress", "start": {"dateTime": from},
            "end": {"dateTime": from + WANTED_FOR}});
        self.stack.google.act(&Hand::Create { calendar: CALENDAR.into(), event }).expect("an event");
    }

    /// When the first time begins that was offered on an operation's call.
    async fn wanted_by(&self, part: Part) -> Timestamp {
        let call = CallId::parse(part.call()).expect("an id");
        let conversation = Bookings::new(self.stack.db()).conversation(ORG, &call).await;
        let options = conversation.expect("the store works").options;
        options.first().expect("a time is offered").starts_at
    }

    /// The message by which the calendar is read.
    pub(super) fn pull() -> CalendarTask {
        CalendarTask::Pull { org_id: ORG, calendar_id: calendar_id(CALENDAR) }
    }

    /// So much time passes that what is kept for a caller is kept no longer. It is a step of its own, which meets whoever reads a day:
    /// it writes one, and fails, as nobody has its version.
    pub(super) fn runs_out(&self) -> Delivery<'_> {
        Box::pin(async move {
            let Some(day) = self.any_day().await else { return false };
            let stale = ResourceDay { version: u64::MAX / 2, ..day };
            drop(Externals::new(self.stack.db()).save_day(&stale).await);
            self.gate.turn_to(self.gate.now() + HOLD + SignedDuration::from_secs(1));
            true
        })
    }

    async fn any_day(&self) -> Option<ResourceDay> {
        let bookings = Bookings::new(self.stack.db());
        let catalog = bookings.catalog(ORG).await.ok()?;
        let resource = &catalog.resources.first()?.resource_id;
        bookings.days_from(ORG, resource, self.gate.now()).await.ok()?.into_iter().next()
    }

    /// The clinic saves that its practitioner is away for the time that all want.
    pub(super) fn closes(&self) -> Request<Bytes> {
        let resource = self.resource.borrow();
        let mut hours = resource.clone();
        let from = *self.wanted.borrow();
        if let Some(fields) = hours.as_object_mut() {
            fields.retain(|name, _| !matches!(name.as_str(), "id" | "version"));
            fields.insert("closures".into(), json!([{"from": from, "to": from + WANTED_FOR}]));
        }
        let body = json!({"version": resource["version"], "hours": hours});
        self.owners(
            "PATCH",
            &format!("/api/resources/{}", resource["id"].as_str().unwrap_or_default()),
            &body,
        )
    }

    /// Notes when all want to come, from what was offered on an operation's call.
    pub(super) async fn note_wanted(&self, part: Part) {
        let wanted = self.wanted_by(part).await;
        *self.wanted.borrow_mut() = wanted;
    }

    /// Whether one of the operations is this one.
    pub(super) fn wishes_for(&self, wish: Wish) -> bool {
        self.combination.has(Operation::Diary(wish))
    }

    /// A calendar whose reading was broken off is read again, when its lease has run out.
    pub(super) async fn read_on(&self) {
        for _ in 0..LOOKS {
            let waits = |message: &local::queue::Message| message.queue == CALENDAR_QUEUE;
            if !self.stack.aws.queues().messages().iter().any(waits) {
                return;
            }
            self.gate.turn_to(self.gate.now() + LEASE + SignedDuration::from_mins(6));
            Box::pin(self.stack.settle_down()).await;
        }
    }

    /// What the clinic has saved is so.
    pub(super) async fn check_the_closure(&self) -> Result<(), String> {
        let catalog = Bookings::new(self.stack.db()).catalog(ORG).await;
        let catalog = catalog.map_err(|error| error.to_string())?;
        let is_away = catalog.resources.iter().any(|resource| !resource.hours.closures.is_empty());
        if is_away { Ok(()) } else { Err("the clinic is not closed".to_owned()) }
    }

    /// What was read in the calendar stands in the diary, and a person is told of each appointment that it lies on.
    pub(super) async fn check_the_calendar(
        &self,
        (appointments, days): (&[Appointment], &[ResourceDay]),
    ) -> Result<(), String> {
        let of_others = |day: &ResourceDay| {
            let entries = day.entries.iter();
            let others = entries.filter(|entry| matches!(entry.taken, Taken::External { .. }));
            others.map(|entry| entry.interval).collect::<Vec<Interval>>()
        };
        let others: Vec<Interval> = days.iter().flat_map(of_others).collect();
        if others.len() != 2 {
            return Err(format!("others keep busy {others:?}"));
        }
        let calendars = Calendars::new(self.stack.db());
        for one in appointments.iter().filter(|one| one.status == Status::Confirmed) {
            let mirrors = calendars.mirrors(ORG, &one.appointment_id).await;
            let mirrors = mirrors.map_err(|error| error.to_string())?;
            let is_told = mirrors.iter().any(|mirror| mirror.attention == Some(one.revision));
            if others.iter().any(|other| other.overlaps(&one.interval)) != is_told {
                return Err(format!(
                    "a person is to look at {one:?}: {is_told}, and others are at {others:?}"
                ));
            }
        }
        Ok(())
    }
}
