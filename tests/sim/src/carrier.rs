//! What the carrier says of texts, and patients who write back: lost, late, twice and forged. Who said STOP, and was heard, is texted
//! no more.

use http::HeaderValue;
use jiff::{SignedDuration, Timestamp};
use sandbox::twilio::{Post, Text};

use crate::{
    driver::{After, Driver, Due},
    faults::Kind,
    monitor::Monitor,
    world::{World, locked},
};

/// How late a word comes that is late, at the most.
const LATEST_WORD_SECS: i64 = 1_800;
/// How many of a thousand words are followed by a patient who writes back.
const WRITES_BACK: u64 = 40;
/// How long after a text was decided on the carrier may still be given it: a minute, and an answer that is slow.
const IN_HAND: SignedDuration = SignedDuration::from_secs(120);

/// Who has said that they want no more texts, by the account that texted them.
#[derive(Debug, Default)]
pub struct Stops {
    stopped: Vec<Stop>,
    /// Those who have ever said START: words overtake each other, so nothing is known of them.
    started: Vec<(String, String)>,
}

/// That a number wants no more texts of an account's.
#[derive(Clone, Debug)]
pub struct Stop {
    account: String,
    number: String,
    /// The carrier's name for what was written.
    sid: String,
    /// When we said that we had heard it.
    heard: Option<Timestamp>,
}

impl Stops {
    /// We said that we had heard what the carrier calls this.
    /// Returns whether that is new, and a STOP.
    pub fn heard(&mut self, sid: &str, at: Timestamp) -> bool {
        let new = self.stopped.iter_mut().find(|stop| stop.sid == sid && stop.heard.is_none());
        new.map(|stop| stop.heard = Some(at)).is_some()
    }
}

/// Checks that nobody was texted who had said STOP and was heard.
///
/// # Errors
/// What does not hold: a sentence.
pub fn at_rest(world: &World, monitor: &Monitor) -> Result<(), String> {
    let texts = world.stack.twilio.texts();
    for stop in &monitor.stops.stopped {
        let has_started = monitor.stops.started.contains(&(stop.account.clone(), stop.number.clone()));
        let Some(heard) = stop.heard.filter(|_| !has_started) else { continue };
        let is_after = |text: &&Text| {
            text.account == stop.account && text.to == stop.number && text.at() > heard + IN_HAND
        };
        if let Some(text) = texts.iter().find(is_after) {
            return Err(format!("somebody was texted who had said STOP: {stop:?}, {text:?}"));
        }
    }
    Ok(())
}

impl Driver {
    /// Does what the carrier does next: a word of a text, or what a patient wrote.
    pub(crate) fn step_twilio(&mut self) -> bool {
        let Some(step) = self.world.stack.twilio.step() else { return false };
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
            let forged = HeaderValue::from_static("Zm9yZ2VkIGJ5IGEgc3RyYW5nZXI=");
            request.headers_mut().insert("x-twilio-signature", forged);
            self.begin_request("a forged word of the carrier's".to_owned(), None, After::Forged, request);
        }
        let later = self.world.time() + SignedDuration::from_secs(secs);
        if is_twice {
            self.enter(later, Due::Twilio(post.clone()));
        }
        match (is_lost, is_late) {
            (true, _) => self.say("a word of the carrier's is lost"),
            (false, true) => self.enter(later, Due::Twilio(post)),
            (false, false) => self.post_twilio(post),
        }
        if self.choice.chance(WRITES_BACK) {
            self.write_back();
        }
        true
    }

    /// Posts a word of the carrier's.
    pub(crate) fn post_twilio(&mut self, post: Post) {
        let after = After::Twilio(post.sid);
        self.begin_request("a word of the carrier's".to_owned(), None, after, post.request);
    }

    /// Somebody who was texted writes to the clinic.
    fn write_back(&mut self) {
        let texts = self.world.stack.twilio.texts();
        let Some(text) = texts.get(self.choice.index(texts.len())).cloned() else { return };
        let words = ["STOP", " stop ", "Unsubscribe", "START", "Can I bring my dog?"];
        let Some(body) = self.choice.pick(&words) else { return };
        let Some(sid) = self.world.stack.twilio.write_back(&text, body) else { return };
        self.say(&format!("{} writes {body:?}", text.to));
        let stops = &mut self.monitor.stops;
        match body {
            "START" => stops.started.push((text.account, text.to)),
            "Can I bring my dog?" => {}
            _ => stops.stopped.push(Stop { account: text.account, number: text.to, sid, heard: None }),
        }
    }
}
