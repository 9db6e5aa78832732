//! Channels: words to an address that something changed in a calendar. They may be lost, they end by themselves, and no two are one.

use bytes::Bytes;
use http::{HeaderValue, Method, Request};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{
    Channel, GoogleSandbox, Notice, State,
    answer::{Answer, Refusal, bad, missing, shown},
    api::Asked,
};

/// How long a channel lasts where nothing is said, and at the most.
const USUAL: i64 = 604_800;
const MOST: i64 = 2_592_000;
/// How long a word takes.
const ON_ITS_WAY: SignedDuration = SignedDuration::from_millis(400);

/// What a step needs posted.
#[derive(Clone, Debug)]
pub struct Post {
    /// The request, without a body, for the path of the channel's address.
    pub request: Request<Bytes>,
}

impl GoogleSandbox {
    pub(super) fn watched(&self, state: &mut State, asked: &Asked<'_>) -> Answer {
        let text = |name: &str| asked.body[name].as_str().unwrap_or_default();
        let (id, address) = (text("id"), text("address"));
        if id.is_empty() || id.len() > 64 || text("type") != "web_hook" {
            return Err(bad("invalid", "Invalid channel."));
        }
        if !address.starts_with("https://") {
            return Err(bad("webhookUrlNotHttps", "WebHook callback must be HTTPS"));
        }
        if state.channels.contains_key(id) {
            return Err(bad("channelIdNotUnique", "Channel id not unique"));
        }
        let ttl = asked.body["params"]["ttl"].as_str().and_then(|ttl| ttl.parse().ok()).unwrap_or(USUAL);
        let until = self.clock.now() + SignedDuration::from_secs(ttl.clamp(1, MOST));
        state.made = state.made.saturating_add(1);
        let resource_id = format!("resource-{}", asked.calendar.len().saturating_add(1_000));
        let channel = Channel {
            calendar: asked.calendar.to_owned(),
            account: asked.account.to_owned(),
            token: text("token").to_owned(),
            address: address.to_owned(),
            resource_id: resource_id.clone(),
            until,
            messages: 0,
        };
        state.channels.insert(id.to_owned(), channel);
        let notice = Notice { channel: id.to_owned(), state: "sync".into() };
        state.agenda.enter(self.clock.now(), notice);
        Ok(shown(json!({"kind": "api#channel", "id": id, "resourceId": resource_id,
            "resourceUri": "https://www.googleapis.com/calendar/v3", "token": text("token"),
            "expiration": until.as_millisecond().to_string()})))
    }

    /// When the next word is due.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.lock().agenda.next_due()
    }

    /// Takes the next thing that is due; none when nothing is, and within it none where nothing is to be posted.
    pub fn step(&self) -> Option<Option<Post>> {
        let now = self.clock.now();
        {
            // Looked at before it is touched: what is touched is written to disk.
            let state = self.lock();
            state.agenda.next_due().filter(|due| *due <= now)?;
        }
        let mut state = self.lock();
        let notice = state.agenda.take_due(now)?;
        if state.faults.loses_notices {
            return Some(None);
        }
        Some(state.post(&notice, now))
    }
}

impl State {
    /// Plans a word for every channel of a calendar.
    pub(super) fn tell(&mut self, calendar: &str, now: Timestamp) {
        let watching = self.channels.iter().filter(|(_, channel)| channel.calendar == calendar);
        let ids: Vec<String> = watching.map(|(id, _)| id.clone()).collect();
        for channel in ids {
            self.agenda.enter(now + ON_ITS_WAY, Notice { channel, state: "exists".into() });
        }
    }

    pub(super) fn stop(&mut self, body: &Value) -> Result<(), Refusal> {
        let id = body["id"].as_str().unwrap_or_default();
        let is_it = self.channels.get(id).is_some_and(|channel| body["resourceId"] == *channel.resource_id);
        if !is_it {
            return Err(missing());
        }
        self.channels.remove(id);
        Ok(())
    }

    fn post(&mut self, notice: &Notice, now: Timestamp) -> Option<Post> {
        let channel = self.channels.get_mut(&notice.channel).filter(|channel| now < channel.until)?;
        channel.messages = channel.messages.saturating_add(1);
        let path = channel.address.strip_prefix("https://")?.split_once('/')?.1;
        let mut request = Request::new(Bytes::new());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = format!("/{path}").parse().ok()?;
        let messages = channel.messages.to_string();
        let headers = [
            ("x-goog-channel-id", notice.channel.as_str()),
            ("x-goog-channel-token", &channel.token),
            ("x-goog-resource-id", &channel.resource_id),
            ("x-goog-resource-state", &notice.state),
            ("x-goog-message-number", &messages),
        ];
        for (name, value) in headers {
            request.headers_mut().insert(name, HeaderValue::from_str(value).ok()?);
        }
        Some(Post { request })
    }
}
