//! The way of the vendors' webhooks to us: twice, late, out of order, never; and forged by an attacker.

use bytes::Bytes;
use http::{HeaderValue, Request};
use jiff::{SignedDuration, Timestamp};
use sandbox::{stripe, vapi};
use serde_json::{Value, json};

use crate::{
    driver::{After, Driver, Due},
    faults::Kind,
    world::locked,
};

/// The longest that a webhook is late: three days.
const LATEST_SECS: i64 = 3 * 86_400;
/// How old a message is at least when an attacker replays it: beyond every tolerance and every clock's difference.
const REPLAY_AFTER: SignedDuration = SignedDuration::from_mins(15);
/// How many messages are remembered for that.
const MOST_SEEN: usize = 50;

impl Driver {
    /// Whether a fault of this kind strikes now.
    fn strikes(&mut self, kind: Kind) -> bool {
        locked(&self.world.now).dice.strikes(kind)
    }

    fn between(&mut self, kind: Kind, least: i64, most: i64) -> i64 {
        locked(&self.world.now).dice.between(kind, least, most)
    }

    /// How late a webhook is: mostly seconds to minutes, sometimes days.
    fn delay(&mut self) -> SignedDuration {
        let most = match self.between(Kind::Delay, 0, 11) {
            0..=6 => 30,
            7..=10 => 1_800,
            _ => LATEST_SECS,
        };
        SignedDuration::from_secs(self.between(Kind::Delay, 1, most))
    }

    /// Does what Vapi does next.
    pub(crate) fn step_vapi(&mut self) -> bool {
        let Some(step) = self.world.stack.vapi.step() else { return false };
        self.stay_busy();
        let Some(post) = step else { return true };
        let text = text_of(post.body());
        for _ in 0..self.copies() {
            let wait = if post.is_question() { SignedDuration::from_secs(1) } else { self.delay() };
            self.enter(self.world.time() + wait, Due::VapiCopy(text.clone()));
        }
        if self.strikes(Kind::Lost) || self.loses_end(&text) {
            self.say(&format!("lost: {}", told(&text)));
            // A question has no answer; a message is lost for good.
            if post.is_question() {
                self.world.stack.vapi.posted(post, None);
            }
            return true;
        }
        if self.strikes(Kind::Delay) {
            // A caller waits for the answer to a question: it is late by seconds.
            let wait = if post.is_question() { SignedDuration::from_secs(3) } else { self.delay() };
            self.say(&format!("late by {wait:#}: {}", told(&text)));
            self.enter(self.world.time() + wait, Due::Vapi(post));
        } else {
            self.post_vapi(post);
        }
        true
    }

    /// Whether it is lost on top of the rest that a call has ended: mostly so while Vapi is in trouble.
    fn loses_end(&self, text: &str) -> bool {
        let mut now = locked(&self.world.now);
        let may_be_lost = now.is_vapi_in_trouble && now.dice.has(Kind::Lost) && is_end(text);
        let is_lost = may_be_lost && now.dice.between(Kind::Lost, 0, 9) < 8;
        if is_lost {
            now.dice.note(Kind::Lost);
        }
        is_lost
    }

    /// How many copies of a webhook come beside it.
    fn copies(&mut self) -> i64 {
        if self.strikes(Kind::Duplicate) { self.between(Kind::Duplicate, 1, 2) } else { 0 }
    }

    /// Does what Stripe does next.
    pub(crate) fn step_stripe(&mut self) -> bool {
        let Some(step) = self.world.stack.stripe.step() else { return false };
        self.stay_busy();
        let Some(post) = step else { return true };
        let text = post.body().to_owned();
        for _ in 0..self.copies() {
            let wait = self.delay();
            self.enter(self.world.time() + wait, Due::StripeCopy(post.clone()));
        }
        if self.strikes(Kind::Lost) {
            // One attempt is lost, and Stripe tries again; some events are lost for good.
            if self.between(Kind::Lost, 0, 4) == 0 {
                self.say(&format!("lost for good: {}", told(&text)));
            } else {
                self.say(&format!("lost: {}", told(&text)));
                self.world.stack.stripe.posted(post, None);
            }
            return true;
        }
        if self.strikes(Kind::Delay) {
            let wait = self.delay();
            self.say(&format!("late by {wait:#}: {}", told(&text)));
            self.enter(self.world.time() + wait, Due::Stripe(post));
        } else {
            self.post_stripe(post);
        }
        true
    }

    /// Posts what Vapi says, signed as of now.
    pub(crate) fn post_vapi(&mut self, post: vapi::Post) {
        let mut text = text_of(post.body());
        if let Some(unmarked) = unmarked(&text).filter(|_| self.strikes(Kind::Unmarked)) {
            text = unmarked;
        }
        let request = self.world.stack.vapi.signed(&text);
        self.see(&request);
        let acting = self.clinic_rung(&text);
        let began = self.world.time();
        self.begin_request(told(&text), acting, After::Vapi(post, began), request);
        self.forge(&text, false);
        self.tell_untruth(&text);
        self.may_change_record(&text);
    }

    /// Now and then Vapi says something that is not true: an end while the parties talk, a report with other times.
    fn tell_untruth(&mut self, text: &str) {
        let Some(untrue) = untrue_of(text, self.world.time()).filter(|_| self.strikes(Kind::Untrue)) else {
            return;
        };
        let at = untrue.len().min(1 + usize::from(self.between(Kind::Untrue, 0, 1) == 0)) - 1;
        let wait = SignedDuration::from_secs(self.between(Kind::Untrue, 0, 40));
        if let Some(text) = untrue.into_iter().nth(at) {
            self.say(&format!("untrue, in {wait:#}: {}", told(&text)));
            self.enter(self.world.time() + wait, Due::VapiCopy(text));
        }
    }

    /// Posts a copy of what Vapi says.
    pub(crate) fn post_vapi_copy(&mut self, text: &str) {
        let request = self.world.stack.vapi.signed(text);
        let acting = self.clinic_rung(text);
        self.begin_request(format!("copy of {}", told(text)), acting, After::Nothing, request);
    }

    /// Posts what Stripe says, signed as of now.
    pub(crate) fn post_stripe(&mut self, post: stripe::Post) {
        let post = self.world.stack.stripe.resigned(post);
        let (text, request) = (post.body().to_owned(), post.request.clone());
        self.see(&request);
        self.begin_request(told(&text), None, After::Stripe(post), request);
        self.forge(&text, true);
    }

    /// Posts a copy of what Stripe says.
    pub(crate) fn post_stripe_copy(&mut self, post: stripe::Post) {
        let post = self.world.stack.stripe.resigned(post);
        let name = format!("copy of {}", told(post.body()));
        self.begin_request(name, None, After::Nothing, post.request);
    }

    /// Whose number or assistant a message is about, where it is one that never changes hands.
    fn clinic_rung(&self, text: &str) -> Option<usize> {
        let body: Value = serde_json::from_str(text).unwrap_or_default();
        let call = &body["message"]["call"];
        self.world.clinics.iter().position(|clinic| {
            call["phoneNumberId"] == clinic.phone_id.as_str()
                || call["phoneNumberId"].is_null() && call["assistantId"] == clinic.assistant_id.as_str()
        })
    }

    /// Remembers a message, for an attacker that replays it.
    fn see(&mut self, request: &Request<Bytes>) {
        if self.seen.len() < MOST_SEEN {
            self.seen.push((self.world.time(), request.clone()));
        }
    }

    /// An attacker posts what looks like a message, now and then. It must be refused.
    fn forge(&mut self, text: &str, is_stripe: bool) {
        if !self.strikes(Kind::Forged) {
            return;
        }
        let altered = altered(text);
        let stack = &self.world.stack;
        let signed = if is_stripe { stack.stripe.signed(&altered) } else { stack.vapi.signed(&altered) };
        let header = if is_stripe { "stripe-signature" } else { "x-vapi-signature" };
        let replayed = self
            .seen
            .iter()
            .find(|(at, _)| self.world.time().duration_since(*at) > REPLAY_AFTER)
            .map(|(_, request)| request.clone());
        let request = match (self.between(Kind::Forged, 0, 2), replayed) {
            (0, _) => {
                let mut unsigned = signed;
                unsigned.headers_mut().remove(header);
                unsigned
            }
            (1, Some(replayed)) => replayed,
            _ => {
                // The signature of what was said before it was altered.
                let stack = &self.world.stack;
                let right = if is_stripe { stack.stripe.signed(text) } else { stack.vapi.signed(text) };
                let mut wrong = signed;
                let value = right.headers().get(header).cloned();
                let value = value.unwrap_or_else(|| HeaderValue::from_static("none"));
                wrong.headers_mut().insert(header, value);
                wrong
            }
        };
        self.begin_request(format!("forged {}", told(&altered)), None, After::Forged, request);
    }
}

/// A message about a call of ours without what we marked it with; none where there is no mark.
fn unmarked(text: &str) -> Option<String> {
    let mut body: Value = serde_json::from_str(text).ok()?;
    let call = body["message"]["call"].as_object_mut()?;
    call.remove("name")?;
    call.remove("assistantOverrides");
    Some(body.to_string())
}

/// What Vapi could say beside a message that is not true: nothing beside most.
fn untrue_of(text: &str, now: Timestamp) -> Option<Vec<String>> {
    let body: Value = serde_json::from_str(text).ok()?;
    let message = &body["message"];
    let said = |changes: Value| {
        let mut body = body.clone();
        for (name, value) in changes.as_object().into_iter().flatten() {
            body["message"][name] = value.clone();
        }
        body.to_string()
    };
    match (message["type"].as_str()?, message["status"].as_str()) {
        ("status-update", Some("in-progress")) => {
            Some(vec![said(json!({"status": "ended", "endedReason": "customer-ended-call"}))])
        }
        ("end-of-call-report", _) => {
            let (start, end): (Timestamp, Timestamp) =
                (message["startedAt"].as_str()?.parse().ok()?, message["endedAt"].as_str()?.parse().ok()?);
            let shorter = end - SignedDuration::from_secs(end.duration_since(start).as_secs() / 3);
            let longer = now - SignedDuration::from_hours(20);
            Some(vec![
                said(json!({"endedAt": shorter.to_string(), "durationMs": null})),
                said(json!({"startedAt": longer.to_string(), "durationMs": null})),
            ])
        }
        _ => None,
    }
}

fn text_of(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

/// Whether a message says that a call has ended, and no more than that.
fn is_end(text: &str) -> bool {
    let body: Value = serde_json::from_str(text).unwrap_or_default();
    body["message"]["type"] == "status-update" && body["message"]["status"] == "ended"
}

/// A message about more money, or of another call.
fn altered(text: &str) -> String {
    let mut body: Value = serde_json::from_str(text).unwrap_or_default();
    if body["data"]["object"].is_object() {
        body["data"]["object"]["amount_received"] = json!(9_999_900);
        body["data"]["object"]["amount"] = json!(9_999_900);
    } else {
        body["message"]["durationMs"] = json!(1);
        body["message"]["call"]["id"] = json!("a-call-that-never-was");
    }
    body["forged"] = json!(true);
    body.to_string()
}

/// What a message is, in a few words, for the trace.
fn told(text: &str) -> String {
    let body: Value = serde_json::from_str(text).unwrap_or_default();
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if body["message"].is_object() {
        let message = &body["message"];
        let status = word(&message["status"]);
        format!("vapi {} {status} of {}", word(&message["type"]), word(&message["call"]["id"]))
    } else {
        format!("stripe {} {}", word(&body["type"]), word(&body["data"]["object"]["id"]))
    }
}
