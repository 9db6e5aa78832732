//! What Vapi does that is documented and rare: callers put through, records that are behind or change after the bill; and an entry of a
//! ledger that somebody alters.

use domain::booking::conversation::Letter;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::{
    driver::{Driver, Due},
    faults::Kind,
    items,
    monitor::talked_secs,
    world::locked,
};

/// How far Vapi's records are behind at the most, in seconds, and for how long.
const MOST_OLD_SECS: i64 = 60;
const OLD_FOR_SECS: i64 = 1_800;
/// When a record changes at the latest after the call's end, in seconds.
const CHANGES_WITHIN_SECS: i64 = 7_200;
/// How long a caller who was put through talks on, at the most, in seconds.
const TALKS_ON_SECS: i64 = 120;
/// How many entries a ledger has at least whose first is altered: it is read anew by the end of the world.
const ENTRIES: u64 = 6;

impl Driver {
    fn draws(&mut self, kind: Kind) -> bool {
        locked(&self.world.now).dice.strikes(kind)
    }

    fn number(&mut self, kind: Kind, least: i64, most: i64) -> i64 {
        locked(&self.world.now).dice.between(kind, least, most)
    }

    /// The assistant may put the caller of a new call through, some time while they talk.
    pub(crate) fn put_through(&mut self, call: String, talk_secs: u32) {
        if self.draws(Kind::PutThrough) {
            let after = self.number(Kind::PutThrough, 5, i64::from(talk_secs).max(6));
            let secs = u32::try_from(self.number(Kind::PutThrough, 1, TALKS_ON_SECS)).unwrap_or(1);
            let at = self.world.time() + SignedDuration::from_secs(after);
            self.enter(at, Due::PutThrough { call, secs });
        }
    }

    /// From now on, for some time, Vapi may show calls as they were.
    pub(crate) fn show_old_records(&mut self) {
        if self.draws(Kind::RecordBehind) {
            let secs = u32::try_from(self.number(Kind::RecordBehind, 1, MOST_OLD_SECS)).unwrap_or(1);
            let until = self.number(Kind::RecordBehind, 60, OLD_FOR_SECS);
            self.say(&format!("for {until} s, Vapi's records are {secs} s behind"));
            self.world.stack.vapi.with_faults(|faults| faults.shows_old_secs = secs);
            self.enter(self.world.time() + SignedDuration::from_secs(until), Due::RecordsAreShown);
        }
    }

    /// The record of a call whose report is posted may say something else some time later.
    pub(crate) fn may_change_record(&mut self, text: &str) {
        let body: Value = serde_json::from_str(text).unwrap_or_default();
        let call = body["message"]["call"]["id"].as_str();
        if let (Some(call), true) = (call, body["message"]["type"] == "end-of-call-report")
            && self.draws(Kind::RecordChanged)
        {
            let secs = self.number(Kind::RecordChanged, 60, CHANGES_WITHIN_SECS);
            let at = self.world.time() + SignedDuration::from_secs(secs);
            self.enter(at, Due::ChangeRecord(call.to_owned()));
        }
    }

    /// Vapi's record of a call says that it was shorter, or longer, than it said before.
    pub(crate) fn change_record(&mut self, id: &str) {
        let vapi = std::sync::Arc::clone(&self.world.stack.vapi);
        let Some((call, secs)) = vapi.call(id).and_then(|call| talked_secs(&call).map(|secs| (call, secs)))
        else {
            return;
        };
        let since = self.world.time().duration_since(call.created_at).as_secs();
        let is_shorter = self.number(Kind::RecordChanged, 0, 1) == 0;
        let (least, most) =
            if is_shorter { (0, i64::from(secs)) } else { (i64::from(secs), since.max(secs.into())) };
        let now = u32::try_from(self.number(Kind::RecordChanged, least, most)).unwrap_or(secs);
        if now != secs && vapi.change_record(id, now) {
            self.say(&format!("the record of {id} says {now} s instead of {secs} s"));
            self.world.changed.insert(id.to_owned());
            self.tally(if now < secs { "records that became shorter" } else { "records that became longer" });
        }
    }

    /// Somebody alters an entry of a ledger, behind the system's back, where there is one that was verified and lies behind others.
    pub(crate) fn alter_an_entry(&mut self) {
        let aws = &self.world.stack.aws;
        let read = items::of_task(aws, "books#checked");
        let is_read = |row: &&Value| row["ledger_seq"].as_u64() >= Some(ENTRIES);
        let org = read.iter().find(is_read).and_then(|row| row["item"].as_str().map(str::to_owned));
        let Some((org, at)) = org.and_then(|org| Some((org.clone(), self.world.clinic_of(&org)?))) else {
            return self.enter(self.world.time() + SignedDuration::from_hours(12), Due::Alter);
        };
        let entries = items::entries_from(aws, &org, 1);
        let Some(key) = entries.first().and_then(|entry| entry["entry_key"].as_str()) else { return };
        let update = json!({"TableName": items::table("ledger_entries"),
            "Key": {"org_id": {"S": org}, "entry_key": {"S": key}}, "UpdateExpression": "SET description = :other",
            "ExpressionAttributeValues": {":other": {"S": "altered"}}});
        aws.peek("UpdateItem", update);
        self.say(&format!("an entry of clinic {at} is altered: {key}"));
        self.tally("entries altered");
        self.monitor.altered.insert(at);
    }

    /// What a caller is told of a move or a cancellation is so, at some time while the question was being answered.
    pub(crate) fn hear_change(&mut self, asked: &[u8], answer: &Value, began: Timestamp) {
        let asked: Value = serde_json::from_slice(asked).unwrap_or_default();
        let message = &asked["message"];
        for used in message["toolCallList"].as_array().into_iter().flatten() {
            let results = answer["results"].as_array().into_iter().flatten();
            let told = results
                .filter(|result| result["toolCallId"] == used["id"])
                .find_map(|it| it["result"].as_str());
            let Some(told) = told else { continue };
            let (is_moved, is_cancelled) = (told.starts_with("MOVED"), told.starts_with("CANCELLED"));
            let which = used["function"]["arguments"]["which"].as_str().and_then(Letter::parse);
            let (Some(which), true) = (which, is_moved || is_cancelled) else { continue };
            self.tally(if is_moved { "callers told of a move" } else { "callers told of a cancellation" });
            let call = message["call"]["id"].as_str().unwrap_or_default();
            let period = (began, self.world.time());
            if let Err((invariant, detail)) = self.diaries.told(&self.world, (call, &which), told, period) {
                self.violate(invariant, detail);
            }
        }
    }
}
