//! Series: the instances of an event that recurs, by a rule of RFC 5545 as far as clinics use them (`FREQ` daily or weekly, `INTERVAL`,
//! `COUNT`, `UNTIL`), in the zone of its start.

use domain::clinic::ClinicZone;
use jiff::{SignedDuration, Span, Timestamp, ToSpan as _, civil::DateTime};
use serde_json::{Value, json};

use super::{Calendar, events::Window};

/// No series is looked at further than this many instances.
const MOST: usize = 2_000;

/// When a series begins again.
struct Rule {
    step: Span,
    count: usize,
    until: Option<Timestamp>,
}

impl Rule {
    fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix("RRULE:")?;
        let part = |name: &str| {
            text.split(';')
                .filter_map(|part| part.split_once('='))
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value)
        };
        let interval: i64 = part("INTERVAL").map_or(Some(1), |value| value.parse().ok())?;
        let step = match part("FREQ")? {
            "DAILY" => interval.days(),
            "WEEKLY" => interval.weeks(),
            _ => return None,
        };
        let count = part("COUNT").map_or(Some(MOST), |value| value.parse().ok())?;
        let until = part("UNTIL").and_then(|text| {
            let text = text.trim_end_matches('Z');
            let at = DateTime::strptime("%Y%m%dT%H%M%S", text).ok()?;
            jiff::tz::TimeZone::UTC.to_ambiguous_timestamp(at).earlier().ok()
        });
        Some(Self { step, count: count.min(MOST), until })
    }
}

impl Calendar {
    fn zone(&self, fields: &Value) -> ClinicZone {
        let name = fields["start"]["timeZone"].as_str().unwrap_or(&self.time_zone);
        ClinicZone::parse(name).unwrap_or_default()
    }

    /// When an event begins and ends; days are those of the calendar's zone.
    pub(super) fn interval(&self, fields: &Value) -> Option<(Timestamp, Timestamp)> {
        let zone = ClinicZone::parse(&self.time_zone).unwrap_or_default();
        let at = |name: &str| {
            let instant = fields[name]["dateTime"].as_str().and_then(|text| text.parse().ok());
            let day = || fields[name]["date"].as_str()?.parse().ok().and_then(|day| zone.start_of(day));
            instant.or_else(day)
        };
        Some((at("start")?, at("end")?))
    }

    /// Whether an event has a part in a time; one whose time is not known has.
    pub(super) fn is_within(&self, fields: &Value, (from, to): Window) -> bool {
        let Some((begins, ends)) = self.interval(fields) else { return true };
        from.is_none_or(|from| ends > from) && to.is_none_or(|to| begins < to)
    }

    /// The instances of a series that have a part in a time, those that were changed as they are, without those that were deleted.
    pub(super) fn instances(&self, id: &str, window: Window) -> Vec<Value> {
        let Some(master) = self.events.get(id).filter(|event| !event.is_deleted) else { return Vec::new() };
        let fields = &master.fields;
        let rules = fields["recurrence"].as_array().into_iter().flatten();
        let Some(rule) = rules.filter_map(Value::as_str).find_map(Rule::parse) else { return Vec::new() };
        let Some((begins, ends)) = self.interval(fields) else { return Vec::new() };
        let (zone, length) = (self.zone(fields), ends.duration_since(begins));
        let mut wall_clock = begins.to_zoned_datetime(zone.zone().clone()).datetime();
        let mut instances = Vec::new();
        for _ in 0..rule.count {
            let Ok(start) = zone.zone().to_ambiguous_timestamp(wall_clock).earlier() else { break };
            let is_past =
                rule.until.is_some_and(|until| start > until) || window.1.is_some_and(|to| start >= to);
            if is_past {
                break;
            }
            let instance = self.instance(id, fields, (start, length));
            if instance["status"] != "cancelled" && self.is_within(&instance, window) {
                instances.push(instance);
            }
            let Ok(next) = wall_clock.checked_add(rule.step) else { break };
            wall_clock = next;
        }
        instances
    }

    /// The instance that begins then: as it was changed, if it was.
    fn instance(&self, id: &str, fields: &Value, (start, length): (Timestamp, SignedDuration)) -> Value {
        let instance_id = instance_id(id, start);
        if let Some(changed) = self.events.get(&instance_id) {
            return Self::seen(changed);
        }
        let mut instance = fields.clone();
        if let Some(fields) = instance.as_object_mut() {
            fields.remove("recurrence");
        }
        instance["id"] = json!(instance_id);
        instance["recurringEventId"] = json!(id);
        instance["originalStartTime"] = json!({"dateTime": start.to_string()});
        if fields["start"]["date"].is_string() {
            let zone = ClinicZone::parse(&self.time_zone).unwrap_or_default();
            instance["start"] = json!({"date": zone.day_of(start)});
            instance["end"] = json!({"date": zone.day_of(start + length)});
        } else {
            instance["start"] =
                json!({"dateTime": start.to_string(), "timeZone": fields["start"]["timeZone"]});
            instance["end"] =
                json!({"dateTime": (start + length).to_string(), "timeZone": fields["start"]["timeZone"]});
        }
        instance
    }
}

/// The id of the instance of a series that is to begin then.
pub(super) fn instance_id(series: &str, start: Timestamp) -> String {
    format!("{series}_{}", start.strftime("%Y%m%dT%H%M%SZ"))
}
