//! Events: what is kept of them, and how they are posted to the endpoints that want them.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::json;
use vendors::{signature::hmac_sha256, stripe::SIGNATURE_HEADER};

use super::{State, StripeSandbox, Task, api::shown};

/// When a delivery that was not taken is tried again, one after another.
const RETRIES_SECS: [i64; 6] = [5, 30, 300, 3_600, 4 * 3_600, 24 * 3_600];
/// How long events are listed.
pub(super) const RETAINED: SignedDuration = SignedDuration::from_hours(30 * 24);
/// The one path that events arrive at.
const PATH: &str = "/api/webhooks/stripe";

/// An event on its way to an endpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Delivery {
    event: String,
    endpoint: String,
    attempt: usize,
}

/// What a step needs posted.
#[derive(Clone, Debug)]
pub struct Post {
    /// The signed request, for `/api/webhooks/stripe`.
    pub request: Request<Bytes>,
    body: String,
    secret: String,
    delivery: Delivery,
}

impl Post {
    /// The event.
    pub fn body(&self) -> &str {
        &self.body
    }
}

impl StripeSandbox {
    /// Takes the outcome of a post: the answer, or none when none came in time.
    pub fn posted(&self, post: Post, answer: Option<&Response<Bytes>>) {
        if !answer.is_some_and(|answer| answer.status().is_success()) {
            self.plan_again(&mut self.lock(), post.delivery);
        }
    }

    /// A post, signed again as of now: for one that was held back.
    pub fn resigned(&self, post: Post) -> Post {
        Post { request: self.sign(&post.secret, &post.body), ..post }
    }

    /// A body, signed as Stripe signs it for the newest endpoint.
    pub fn signed(&self, body: &str) -> Request<Bytes> {
        let secret = self.newest_secret();
        self.sign(&secret, body)
    }

    /// Keeps an event about an object as it is now, and plans its delivery to every endpoint that wants it.
    pub(super) fn announce(&self, state: &mut State, type_name: &str, id: &str) {
        let object = state.objects.get(id).map(shown).unwrap_or_default();
        let mut event = self.event(type_name, &object);
        let wanting: Vec<String> =
            state.endpoints.iter().filter(|id| wants(state, id, type_name)).cloned().collect();
        event["pending_webhooks"] = json!(wanting.len());
        let event_id = event["id"].as_str().unwrap_or_default().to_owned();
        let now = self.clock.now();
        for endpoint in wanting {
            for _ in 0..=state.faults.extra_copies {
                let delivery = Delivery { event: event_id.clone(), endpoint: endpoint.clone(), attempt: 0 };
                state.agenda.enter(now, Task::Deliver(delivery));
            }
        }
        let oldest = (now - RETAINED).as_second();
        while state.events.front().is_some_and(|event| event["created"].as_i64() < Some(oldest)) {
            state.events.pop_front();
        }
        state.events.push_back(event);
    }

    /// The post that a delivery leads to. None when it is lost, or its endpoint is gone or disabled; when the
    /// endpoint's URL is not ours, no function takes it, and it is tried again.
    pub(super) fn post_of(&self, state: &mut State, delivery: Delivery) -> Option<Post> {
        let endpoint = state.objects.get(&delivery.endpoint).filter(|found| found["status"] == "enabled")?;
        let event = state.events.iter().rev().find(|event| event["id"] == *delivery.event)?;
        if event["type"].as_str().is_some_and(|name| state.faults.lost.contains(name)) {
            return None;
        }
        if !endpoint["url"].as_str().is_some_and(|url| url.ends_with(PATH)) {
            self.plan_again(state, delivery);
            return None;
        }
        let secret = endpoint["secret"].as_str().unwrap_or_default().to_owned();
        let body = event.to_string();
        Some(Post { request: self.sign(&secret, &body), body, secret, delivery })
    }

    fn plan_again(&self, state: &mut State, delivery: Delivery) {
        let Some(wait) = RETRIES_SECS.get(delivery.attempt) else { return };
        let at = self.clock.now() + SignedDuration::from_secs(*wait);
        let attempt = delivery.attempt.saturating_add(1);
        state.agenda.enter(at, Task::Deliver(Delivery { attempt, ..delivery }));
    }

    fn newest_secret(&self) -> String {
        let state = self.lock();
        let newest = state.endpoints.last().and_then(|id| state.objects.get(id));
        let secret = newest.and_then(|endpoint| endpoint["secret"].as_str());
        secret.unwrap_or(&self.settings.webhook_secret).to_owned()
    }

    fn sign(&self, secret: &str, body: &str) -> Request<Bytes> {
        let stamp = self.clock.now().as_second().to_string();
        let tag = hmac_sha256(&secret.into(), &[stamp.as_bytes(), b".", body.as_bytes()]);
        let mut request = Request::new(Bytes::from(body.to_owned()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = http::Uri::from_static(PATH);
        if let Ok(value) = HeaderValue::from_str(&format!("t={stamp},v1={}", hex::encode(tag))) {
            request.headers_mut().insert(SIGNATURE_HEADER, value);
        }
        request
    }
}

/// Whether an endpoint is enabled for a type of event.
fn wants(state: &State, endpoint: &str, type_name: &str) -> bool {
    state.objects.get(endpoint).is_some_and(|endpoint| {
        let types = endpoint["enabled_events"].as_array();
        let is_listed = types.is_some_and(|types| types.iter().any(|name| name == type_name || name == "*"));
        endpoint["status"] == "enabled" && is_listed
    })
}
