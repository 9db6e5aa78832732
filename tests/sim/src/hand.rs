//! The clinic's hand in its calendars, and what becomes of its account at Google; and Google's words on their way to us.

use base::clock::Clock as _;
use domain::calendar::calendar_id;
use http::HeaderValue;
use jiff::{SignedDuration, Timestamp};
use sandbox::google::{Hand, Post};
use serde_json::{Value, json};

use crate::{
    calendars::{self, AUTHORIZE, MARK, of_ours, times},
    desk::{Half, Touch, Turn, chosen},
    driver::{After, Driver, Due},
    faults::Kind,
    items,
    world::locked,
};

/// How often what comes again does so.
const TIMES: i64 = 6;
/// How much later than Google's usual a word comes at the most, in seconds.
const LATEST_WORD_SECS: i64 = 1_800;
/// From how many events of ours on, all of them ahead and known to be there, a calendar was cleared and nobody means it.
const CLEARED: usize = 8;

/// A calendar as a hand finds it.
struct Open {
    name: String,
    ours: Vec<(String, Value)>,
    others: Vec<Value>,
}

impl Driver {
    fn open(&self, clinic: usize, which: u64) -> Option<Open> {
        let org = self.world.clinics.get(clinic)?.org;
        let name = chosen(self.world.calendars.of.get(&clinic)?, which)?.clone();
        let mut open = Open { ours: Vec::new(), others: Vec::new(), name };
        for event in self.world.stack.google.events(&open.name) {
            match of_ours(org, &open.name, &event) {
                Some(appointment) => open.ours.push((appointment, event)),
                None => open.others.push(event),
            }
        }
        Some(open)
    }

    /// Somebody does something in one of a clinic's calendars.
    pub(crate) fn by_hand(&mut self, clinic: usize, touch: Touch, which: u64) {
        // The digits that choose the calendar and the event are others.
        let Some(open) = self.open(clinic, which >> 32) else { return };
        match touch {
            Touch::Drag(..) | Touch::Delete | Touch::Write | Touch::Copy | Touch::GiveAway => {
                if let Some((appointment, event)) = chosen(&open.ours, which) {
                    self.touch_ours(clinic, &open.name, (appointment, event), touch);
                }
            }
            Touch::Clear => self.clear(&open),
            Touch::Enter(half, mins) => {
                let from = half.after(self.world.time());
                let to = from + SignedDuration::from_mins(mins);
                self.world.calendars.wishes.enters(&open.name, from, to);
                self.create(&open.name, timed(from, to));
            }
            Touch::Day(half) => self.enter_day(&open.name, half),
            Touch::Series(half, daily) => self.enter_series(&open.name, half, daily),
            Touch::Skip => self.skip(&open, which),
            Touch::Drags(_) | Touch::Frees | Touch::Deletes => {
                let single = |event: &&Value| !event["recurrence"].is_array() && times(event).is_some();
                let others: Vec<&Value> = open.others.iter().filter(single).collect();
                if let Some(event) = chosen(&others, which) {
                    self.touch_others(&open.name, event, touch);
                }
            }
        }
    }

    fn touch_ours(
        &mut self,
        clinic: usize,
        calendar: &str,
        (appointment, event): (&str, &Value),
        touch: Touch,
    ) {
        let Some((start, end)) = times(event) else { return };
        let (calendar, id) = (calendar.to_owned(), event["id"].as_str().unwrap_or_default().to_owned());
        let now = self.world.time();
        let other = self
            .world
            .calendars
            .of
            .get(&clinic)
            .and_then(|all| all.iter().find(|other| **other != calendar).cloned());
        let wishes = &mut self.world.calendars.wishes;
        let hand = match (touch, other) {
            (Touch::Drag(half, longer), _) => {
                let from = half.after(now);
                let to = from + end.duration_since(start) + SignedDuration::from_mins(longer);
                wishes.touches(appointment);
                wishes.moves(appointment, from, Some(to));
                Hand::Move { calendar, id, start: from, end: to }
            }
            (Touch::Delete, _) => {
                wishes.deletes(appointment);
                Hand::Delete { calendar, id }
            }
            (Touch::GiveAway, Some(to)) => {
                wishes.touches(appointment);
                wishes.enters(&to, start, end);
                Hand::Hand { calendar, id, to }
            }
            (Touch::Copy, _) => {
                wishes.enters(&calendar, start, end);
                Hand::Copy { calendar, id }
            }
            _ => Hand::Change { calendar, id, fields: json!({"description": "Bring the file."}) },
        };
        self.act_by_hand(&hand);
    }

    /// Deletes all events of ours in a calendar. Where that is more than anybody means, none of them is to be cancelled for it.
    fn clear(&mut self, open: &Open) {
        let soon = self.world.time() + SignedDuration::from_hours(2);
        let is_ahead = |(_, event): &&(String, Value)| times(event).is_some_and(|(from, _)| from > soon);
        let is_little = open.ours.iter().filter(is_ahead).count() < CLEARED;
        let is_meant = is_little || self.world.calendars.tells_little;
        for (appointment, event) in &open.ours {
            if is_meant {
                self.world.calendars.wishes.deletes(appointment);
            } else {
                self.world.calendars.wishes.touches(appointment);
            }
            let id = event["id"].as_str().unwrap_or_default().to_owned();
            self.act_by_hand(&Hand::Delete { calendar: open.name.clone(), id });
        }
        if !is_meant {
            self.tally("calendars cleared");
        }
    }

    fn enter_day(&mut self, calendar: &str, half: Half) {
        let from = half.after(self.world.time());
        let day = SignedDuration::from_hours(24);
        // Whose day it is, the calendar's zone says.
        self.world.calendars.wishes.enters(calendar, from - day - day, from + day + day);
        let date = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
        let event =
            json!({"summary": "Away", "start": {"date": date(from)}, "end": {"date": date(from + day)}});
        self.create(calendar, event);
    }

    fn enter_series(&mut self, calendar: &str, half: Half, daily: bool) {
        let from = half.after(self.world.time());
        let (hour, days) = (SignedDuration::from_hours(1), if daily { 1 } else { 7 });
        for nth in 0..TIMES {
            // An hour more on both sides: a zone's clock may be changed meanwhile.
            let at = from + SignedDuration::from_hours(24 * days * nth);
            self.world.calendars.wishes.enters(calendar, at - hour, at + hour + hour);
        }
        let mut event = timed(from, from + hour);
        let frequency = if daily { "DAILY" } else { "WEEKLY" };
        event["recurrence"] = json!([format!("RRULE:FREQ={frequency};COUNT={TIMES}")]);
        self.create(calendar, event);
    }

    fn skip(&mut self, open: &Open, which: u64) {
        let series: Vec<&Value> = open.others.iter().filter(|event| event["recurrence"].is_array()).collect();
        let Some((series, (from, _))) = chosen(&series, which).and_then(|one| Some((one, times(one)?)))
        else {
            return;
        };
        let until = from + SignedDuration::from_hours(24 * 60);
        let all = self.world.stack.google.within(&open.name, (from, until));
        let instances: Vec<&Value> =
            all.iter().filter(|event| event["recurringEventId"] == series["id"]).collect();
        if let Some(one) = chosen(&instances, which) {
            let id = one["id"].as_str().unwrap_or_default().to_owned();
            self.act_by_hand(&Hand::Delete { calendar: open.name.clone(), id });
        }
    }

    fn touch_others(&mut self, calendar: &str, event: &Value, touch: Touch) {
        let (calendar, id) = (calendar.to_owned(), event["id"].as_str().unwrap_or_default().to_owned());
        let Some((start, end)) = times(event) else { return };
        let wishes = &mut self.world.calendars.wishes;
        if let Touch::Drags(half) = touch {
            let from = half.after(self.world.clock.now());
            let to = from + end.duration_since(start);
            wishes.enters(&calendar, from, to);
            return self.act_by_hand(&Hand::Move { calendar, id, start: from, end: to });
        }
        if let Touch::Frees = touch {
            let fields = json!({"transparency": "transparent"});
            return self.act_by_hand(&Hand::Change { calendar, id, fields });
        }
        // An event of ours that was moved here is deleted for good with it.
        let mark = event["extendedProperties"]["private"][MARK].as_str();
        if let Some(appointment) = mark.filter(|appointment| wishes.has_touched(appointment)) {
            wishes.deletes(appointment);
        }
        self.act_by_hand(&Hand::Delete { calendar, id });
    }

    fn create(&mut self, calendar: &str, event: Value) {
        self.act_by_hand(&Hand::Create { calendar: calendar.to_owned(), event });
    }

    fn act_by_hand(&mut self, hand: &Hand) {
        let outcome = self.world.stack.google.act(hand);
        self.say(&format!("by hand: {hand:?}: {:?}", outcome.map(|event| event["id"].clone())));
    }

    /// Something becomes of a clinic's account.
    pub(crate) fn at_google(&mut self, clinic: usize, turn: Turn) {
        let kept = self.world.calendars.of.get(&clinic).cloned().unwrap_or_default();
        let google = &self.world.stack.google;
        match turn {
            Turn::TokensExpire => kept.iter().for_each(|name| google.expire_sync_tokens(name)),
            Turn::ChannelsEnd => kept.iter().for_each(|name| google.lose_channels(name)),
            Turn::Withdraw(secs) => {
                google.withdraw(&calendars::account(clinic));
                self.tally("consents withdrawn");
                self.enter(self.world.time() + SignedDuration::from_secs(secs), Due::Consent(clinic));
            }
        }
    }

    /// A clinic asks to be let consent once more.
    pub(crate) fn consent(&mut self, clinic: usize) {
        self.route(clinic, "GET", AUTHORIZE, &Value::Null, After::Consent { clinic });
    }

    /// A clinic that was told of it connects its account anew, and saves a calendar again that asks or could not be reached.
    pub(crate) fn mend_calendars(&mut self) {
        for (clinic, kept) in self.world.calendars.of.clone() {
            let org = self.world.clinics.get(clinic).map(|clinic| clinic.id.clone()).unwrap_or_default();
            let read = |item: &str| {
                items::get(&self.world.stack.aws, "calendars", &[("org_id", &org), ("item", item)])
            };
            if read("connection")["state"] != "connected" {
                self.consent(clinic);
                continue;
            }
            let ids = kept.iter().map(|name| calendar_id(name).to_string());
            let rows: Vec<(String, Value)> =
                ids.map(|id| (id.clone(), read(&format!("calendar#{id}")))).collect();
            for (id, row) in rows.into_iter().filter(|(_, row)| row["stance"] != "active") {
                let body = json!({"version": row["version"], "resource_ids": row["resource_ids"]});
                self.route(clinic, "PATCH", &format!("/api/calendars/{id}"), &body, After::Nothing);
            }
        }
    }

    /// Does what Google does next: a word that something changed, which may be lost, come late, or twice.
    pub(crate) fn step_google(&mut self) -> bool {
        let Some(step) = self.world.stack.google.step() else { return false };
        let Some(post) = step else { return true };
        let mut now = locked(&self.world.now);
        let is_lost = now.dice.strikes(Kind::Lost);
        let is_twice = now.dice.strikes(Kind::Duplicate);
        let is_late = now.dice.strikes(Kind::Delay);
        let is_forged = now.dice.strikes(Kind::Forged);
        let secs = now.dice.between(Kind::Delay, 1, LATEST_WORD_SECS);
        drop(now);
        if is_forged {
            let mut request = post.request.clone();
            request.headers_mut().insert("x-goog-channel-token", HeaderValue::from_static("forged"));
            self.begin_request("a forged word of Google's".to_owned(), None, After::Forged, request);
        }
        let later = self.world.time() + SignedDuration::from_secs(secs);
        if is_twice {
            self.enter(later, Due::Google(post.clone()));
        }
        match (is_lost, is_late) {
            (true, _) => self.say("a word of Google's is lost"),
            (false, true) => self.enter(later, Due::Google(post)),
            (false, false) => self.post_google(post),
        }
        true
    }

    /// Posts a word of Google's.
    pub(crate) fn post_google(&mut self, post: Post) {
        self.begin_request("a word of Google's".to_owned(), None, After::Nothing, post.request);
    }
}

fn timed(from: Timestamp, to: Timestamp) -> Value {
    json!({"summary": "Congress", "start": {"dateTime": from}, "end": {"dateTime": to}})
}
