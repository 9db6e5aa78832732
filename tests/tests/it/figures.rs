//! The clinic's figures: each is what a plain count of what was seeded says, in the clinic's own days.

use std::collections::{HashMap, HashSet};

use base::{clock::Clock, entropy::Entropy};
use domain::{
    amount::Amount,
    booking::appointment::Appointment,
    call::{Bill, Call, Direction, Parties, RefusalReason, State},
    content::Content,
    ids::{AdjustmentId, CallId, MessageId, PurchaseId},
    ledger::{EntrySide, Posting, Reason},
    notification::{Kind, Notification, Said},
    personal::Personal,
    phone_number::PhoneNumber,
    tariff::Tariff,
    time::rfc3339_millis,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use store::booking::{Booking, Bookings};
use tests::{Harness, ORG, OTHER_ORG};

const PULSE: &str = "/api/analytics/dashboard-pulse";
const ACTIVITY: &str = "/api/analytics/recent-activity";
const SPEND: &str = "/api/analytics/spend";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A clinic's zone, what the time is, and when some of its days begin, the last of them after today: by hand, and around a change of
/// the clocks.
struct Days {
    zone: &'static str,
    now: &'static str,
    starts: &'static [(&'static str, &'static str)],
}

const DAYS: [Days; 3] = [
    Days {
        zone: "Europe/London",
        now: "2026-03-31T10:00:00Z",
        starts: &[
            ("2026-03-25", "2026-03-25T00:00:00Z"),
            ("2026-03-26", "2026-03-26T00:00:00Z"),
            ("2026-03-27", "2026-03-27T00:00:00Z"),
            ("2026-03-28", "2026-03-28T00:00:00Z"),
            ("2026-03-29", "2026-03-29T00:00:00Z"),
            ("2026-03-30", "2026-03-29T23:00:00Z"),
            ("2026-03-31", "2026-03-30T23:00:00Z"),
            ("2026-04-01", "2026-03-31T23:00:00Z"),
        ],
    },
    Days {
        zone: "Europe/London",
        now: "2026-10-27T23:30:00Z",
        starts: &[
            ("2026-10-21", "2026-10-20T23:00:00Z"),
            ("2026-10-22", "2026-10-21T23:00:00Z"),
            ("2026-10-23", "2026-10-22T23:00:00Z"),
            ("2026-10-24", "2026-10-23T23:00:00Z"),
            ("2026-10-25", "2026-10-24T23:00:00Z"),
            ("2026-10-26", "2026-10-26T00:00:00Z"),
            ("2026-10-27", "2026-10-27T00:00:00Z"),
            ("2026-10-28", "2026-10-28T00:00:00Z"),
        ],
    },
    Days {
        zone: "America/New_York",
        now: "2026-03-10T02:30:00Z",
        starts: &[
            ("2026-03-03", "2026-03-03T05:00:00Z"),
            ("2026-03-04", "2026-03-04T05:00:00Z"),
            ("2026-03-05", "2026-03-05T05:00:00Z"),
            ("2026-03-06", "2026-03-06T05:00:00Z"),
            ("2026-03-07", "2026-03-07T05:00:00Z"),
            ("2026-03-08", "2026-03-08T05:00:00Z"),
            ("2026-03-09", "2026-03-09T04:00:00Z"),
            ("2026-03-10", "2026-03-10T04:00:00Z"),
        ],
    },
];

/// What was put into the store.
#[derive(Default)]
struct Seeded {
    calls: Vec<Call>,
    /// How callers sounded, in thousandths.
    scores: HashMap<CallId, i64>,
    /// When each appointment was made, and on which call; none of staff's.
    made: Vec<(Timestamp, Option<CallId>)>,
    /// What was spent when, by the name of its kind.
    spent: Vec<(Timestamp, &'static str, i64)>,
}

fn state(nth: usize, at: Timestamp) -> (State, &'static str) {
    let tariff = Tariff::at(at);
    let duration_secs = 20 + u32::try_from(nth).unwrap();
    let bill = Bill {
        duration_secs,
        charged: tariff.charge(duration_secs),
        tariff: tariff.version,
        started_at: None,
        ended_at: None,
        estimated: false,
        doubted_secs: None,
        corrections: 0,
        set_aside: None,
    };
    match nth % 7 {
        0 | 1 => (State::Settled(bill), "customer-ended-call"),
        2 => (State::Settled(bill), "assistant-forwarded-call"),
        3 => (State::Settled(bill), "pipeline-error-openai-llm-failed"),
        4 => (State::Released, "customer-did-not-answer"),
        5 => (State::Refused { reason: RefusalReason::InsufficientFunds }, "customer-ended-call"),
        _ => (State::InProgress { started_at: at }, ""),
    }
}

fn call(nth: usize, at: Timestamp) -> Call {
    let parties = Parties {
        direction: if nth.is_multiple_of(4) { Direction::Outbound } else { Direction::Inbound },
        vapi_call_id: None,
        vapi_phone_id: None,
        vapi_assistant_id: None,
        customer_number: Some(Personal::new(PhoneNumber::parse("+447700900123").unwrap())),
        carrier_sid: None,
    };
    let first =
        Call::first_heard(ORG, CallId::parse(format!("call-{nth}-of-many")).unwrap(), parties, 600, at);
    let (state, reason) = state(nth, at);
    Call { state, ended_reason: Some(reason.to_owned()).filter(|reason| !reason.is_empty()), ..first }
}

fn appointment(at: Timestamp, chance: u64, made: &Value) -> Appointment {
    let interval = json!({"from": "2027-01-11T10:00:00.000Z", "to": "2027-01-11T10:30:00.000Z"});
    let id = Entropy::seeded(chance).uuid(at);
    serde_json::from_value(json!({"org_id": ORG, "appointment_id": id, "version": 0, "revision": 1,
        "status": "confirmed", "service_id": "service-1", "service_name": "Check-up", "resource_ids": ["resource-1"],
        "from": interval["from"], "to": interval["to"], "blocked": interval, "time_zone": "Europe/London",
        "wall_clock": "2027-01-11T10:00:00", "patient_name": "Ada Lovelace", "made": made,
        "created_at": rfc3339_millis(at)}))
    .unwrap()
}

async fn book(harness: &Harness, appointment: Option<&Appointment>, notification: Option<&Notification>) {
    let booking = Booking { appointment, notification, ..Booking::default() };
    Bookings::new(harness.stack.db()).book(ORG, &booking).await.unwrap();
}

/// What moves money with the call of this place: what is spent, what is given back, and what is neither.
fn movement(nth: usize, call_id: CallId) -> (Reason, EntrySide, &'static str) {
    let message = || MessageId::parse(format!("message-{nth}")).unwrap();
    let purchase = || PurchaseId::parse(format!("purchase-{nth}")).unwrap();
    let tariff = Tariff::at(Timestamp::UNIX_EPOCH).version;
    match nth % 8 {
        0 | 1 => (Reason::Call { call_id, tariff }, EntrySide::Debit, "call"),
        2 => {
            let direction = EntrySide::Credit;
            (Reason::CallCorrection { call_id, tariff, nth: 1, direction }, direction, "call")
        }
        3 => (Reason::Text { message: message() }, EntrySide::Debit, "sms"),
        4 => (Reason::TextRefund { message: message() }, EntrySide::Credit, "sms"),
        5 => (Reason::Number { purchase: purchase() }, EntrySide::Debit, "phone_number"),
        6 => (Reason::NumberRefund { purchase: purchase() }, EntrySide::Credit, "phone_number"),
        _ => {
            let id = AdjustmentId::parse(format!("adjustment-{nth}")).unwrap();
            (Reason::Adjustment { id, direction: EntrySide::Debit }, EntrySide::Debit, "none")
        }
    }
}

/// Puts a call, with what belongs to it, every 37 minutes of more than a week, and around the beginning of each of the clinic's days.
async fn seeded(days: &Days) -> (Harness, Seeded) {
    let harness = Harness::with_wallet(4_000_000, 600).await;
    harness.clock.turn_to(at(days.now));
    let zone = json!({"time_zone": days.zone});
    let saved = harness.call_api(("PATCH", "/api/clinic"), &harness.owner(), None, &zone).await;
    assert_eq!(saved.0, 200, "{}", saved.1);
    let millis = SignedDuration::from_millis;
    let edges = days.starts.iter().flat_map(|(_, start)| [-1, 0, 1].map(|by| at(start) + millis(by)));
    let mut times: Vec<Timestamp> = (1..=300).map(|nth| at(days.now) - millis(nth * 37 * 60_000)).collect();
    times.extend(edges.filter(|time| *time < at(days.now)));
    times.sort_unstable();
    let mut seeded = Seeded::default();
    let mut wallet = harness.wallet().await;
    for (nth, at) in times.into_iter().enumerate() {
        let call = call(nth, at);
        assert!(harness.calls.open(&call).await.unwrap().is_none());
        if nth.is_multiple_of(3) {
            let (score, thousandths) = [("0.8", 800), ("-0.4", -400), ("0.05", 50), ("1", 1_000)][nth % 4];
            let content = Content { sentiment_score: Some(score.into()), ..Content::default() };
            harness.calls.put_content(ORG, &call.call_id, &content).await.unwrap();
            seeded.scores.insert(call.call_id.clone(), thousandths);
        }
        let on = json!({"by": "caller", "call_id": call.call_id});
        let by_staff = json!({"by": "staff", "user_id": "user-1"});
        let chance = u64::try_from(nth).unwrap() * 4;
        let makes =
            [(nth.is_multiple_of(5), &on), (nth.is_multiple_of(10), &on), (nth.is_multiple_of(6), &by_staff)];
        for (place, (_, made)) in makes.iter().enumerate().filter(|(_, (is_made, _))| *is_made) {
            let appointment = appointment(at, chance + u64::try_from(place).unwrap(), made);
            book(&harness, Some(&appointment), None).await;
            seeded.made.push((at, Some(call.call_id.clone()).filter(|_| *made == &on)));
        }
        let (reason, side, kind) = movement(nth, call.call_id.clone());
        let pence = 10 + u32::try_from(nth).unwrap();
        let posting = Posting { reason, amount: Amount::from_pence(pence), description: "Seeded".into(), at };
        wallet = harness.wallets.book(&wallet, &posting).await.unwrap();
        let signed = if side == EntrySide::Debit { i64::from(pence) } else { -i64::from(pence) };
        seeded.spent.push((at, kind, if kind == "none" { 0 } else { signed }));
        seeded.calls.push(call);
    }
    harness.assert_books(ORG).await;
    (harness, seeded)
}

/// Of so many thousandths the share of each of `count`, to the nearest.
fn to_places(thousandths: i64, count: usize) -> Value {
    let count = i64::try_from(count).unwrap();
    let nearest = (2 * thousandths.abs() + count) / (2 * count);
    let sign = if thousandths < 0 { "-" } else { "" };
    serde_json::from_str(&format!("{sign}{}.{:03}", nearest / 1_000, nearest % 1_000)).unwrap()
}

/// What a plain count says of the time from `from` until before `to`.
fn counted(seeded: &Seeded, from: Timestamp, to: Timestamp) -> Vec<(&'static str, Value)> {
    let inside = |at: Timestamp| from <= at && at < to;
    let calls: Vec<&Call> = seeded.calls.iter().filter(|call| inside(call.created_at)).collect();
    let going = |direction| calls.iter().filter(|call| call.parties.direction == direction).count();
    let talks: Vec<(&CallId, u32)> = calls
        .iter()
        .filter_map(|call| {
            if let State::Settled(bill) = &call.state {
                Some((&call.call_id, bill.duration_secs))
            } else {
                None
            }
        })
        .collect();
    let missed = calls.iter().filter(|call| matches!(call.state, State::Released | State::Refused { .. }));
    let secs: u32 = talks.iter().map(|(_, secs)| secs).sum();
    let on: Vec<&CallId> =
        seeded.made.iter().filter(|(at, _)| inside(*at)).filter_map(|(_, on)| on.as_ref()).collect();
    let distinct: HashSet<&&CallId> = on.iter().collect();
    let with_booking = talks.iter().filter(|(id, _)| distinct.contains(id)).count();
    let scores: Vec<i64> = talks.iter().filter_map(|(id, _)| seeded.scores.get(*id)).copied().collect();
    let with_booking = i64::try_from(with_booking).unwrap();
    let spent: i64 = seeded.spent.iter().filter(|(at, ..)| inside(*at)).map(|(.., pence)| pence).sum();
    vec![
        ("total_calls", json!(calls.len())),
        ("inbound_calls", json!(going(Direction::Inbound))),
        ("outbound_calls", json!(going(Direction::Outbound))),
        ("missed_calls", json!(missed.count())),
        ("avg_duration_seconds", json!(secs / u32::try_from(talks.len()).unwrap())),
        ("appointments_booked", json!(on.len())),
        ("booked_rate", to_places(with_booking * 1_000, talks.len())),
        ("avg_sentiment", to_places(scores.iter().sum(), scores.len())),
        ("sentiment_calls", json!(scores.len())),
        ("hot_leads_count", json!(null)),
        ("spent_pence", json!(spent)),
        ("is_cut", json!(false)),
    ]
}

#[tokio::test]
async fn the_pulse_is_what_a_plain_count_of_the_clinics_days_says() {
    for days in &DAYS {
        let (harness, seeded) = seeded(days).await;
        let (today, tomorrow) = (days.starts[6], days.starts[7]);
        for (count, query) in [(7, ""), (7, "?days=7"), (1, "?days=1"), (3, "?days=3")] {
            let first = days.starts[7 - count];
            let expected = counted(&seeded, at(first.1), at(tomorrow.1));
            assert!(count < 7 || expected[0].1.as_u64().unwrap() > 250, "a few hundred: {expected:?}");
            let (status, pulse) = harness.get(&format!("{PULSE}{query}"), &harness.owner()).await;
            assert_eq!(status, 200, "{pulse}");
            let shown: Vec<_> = expected.iter().map(|(name, _)| (*name, pulse[*name].clone())).collect();
            assert_eq!(shown, expected, "{} {query}", days.zone);
            assert_eq!((&pulse["from"], &pulse["to"]), (&json!(first.0), &json!(today.0)), "{query}");
        }
        // The longest period has all that was seeded.
        let (_, month) = harness.get(&format!("{PULSE}?days=31"), &harness.owner()).await;
        assert_eq!(month["total_calls"], json!(seeded.calls.len()), "{month}");
        // Who may not see money is told of none, and of the rest the same.
        let (_, mut owners) = harness.get(PULSE, &harness.owner()).await;
        let (status, staffs) = harness.get(PULSE, &harness.token(ORG, "staff")).await;
        owners["spent_pence"] = json!(null);
        assert_eq!((status, staffs), (200, owners));
    }
}

#[tokio::test]
async fn of_what_is_not_known_the_pulse_says_nothing() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let (status, pulse) = harness.get(PULSE, &harness.owner()).await;
    let nothing = json!({"from": "2025-12-12", "to": "2025-12-18", "total_calls": 0, "inbound_calls": 0, "outbound_calls": 0,
        "missed_calls": 0, "avg_duration_seconds": null, "appointments_booked": 0, "booked_rate": null,
        "avg_sentiment": null, "sentiment_calls": 0, "hot_leads_count": null, "spent_pence": 0, "is_cut": false});
    assert_eq!((status, pulse), (200, nothing), "a top-up is not spent");
    // A call whose caller nothing is said of.
    harness.ring(91);
    harness.pass(120).await;
    let (_, pulse) = harness.get(PULSE, &harness.owner()).await;
    let shown = ["total_calls", "avg_duration_seconds", "booked_rate", "avg_sentiment", "spent_pence"];
    assert_eq!(
        shown.map(|name| pulse[name].clone()),
        [json!(1), json!(91), json!(0), json!(null), json!(85)],
        "{pulse}"
    );
}

#[tokio::test]
async fn what_is_spent_each_day_is_what_a_plain_sum_of_the_ledger_says() {
    for days in &DAYS {
        let (harness, seeded) = seeded(days).await;
        let of_kind = |kind: &str, from: Timestamp, to: Timestamp| -> i64 {
            let inside = seeded.spent.iter().filter(|(at, of, _)| from <= *at && *at < to && *of == kind);
            inside.map(|(.., pence)| pence).sum()
        };
        let kinds = |from: &str, to: &str| {
            let [call, phone_number, sms] =
                ["call", "phone_number", "sms"].map(|kind| of_kind(kind, at(from), at(to)));
            (json!({"call": call, "phone_number": phone_number, "sms": sms}), call + phone_number + sms)
        };
        let of_days: Vec<Value> = days
            .starts
            .windows(2)
            .map(|pair| {
                let (kinds, total) = kinds(pair[0].1, pair[1].1);
                json!({"day": pair[0].0, "kinds": kinds, "total_pence": total})
            })
            .collect();
        let (all, total) = kinds(days.starts[0].1, days.starts[7].1);
        let expected = json!({"days": of_days, "total_pence": total, "kinds": all});
        let (first, today, tomorrow) = (days.starts[0].0, days.starts[6].0, days.starts[7].0);
        // A day that is to come is left out.
        for last in [today, tomorrow] {
            let query = format!("{SPEND}?from={first}&to={last}");
            let (status, spend) = harness.get(&query, &harness.owner()).await;
            assert_eq!((status, &spend), (200, &expected), "{} {last}", days.zone);
        }
        let (_, pulse) = harness.get(PULSE, &harness.owner()).await;
        assert_eq!(pulse["spent_pence"], json!(total), "the two say the same");
        let (_, month) = harness.get(SPEND, &harness.token(ORG, "viewer")).await;
        let shown = month["days"].as_array().unwrap();
        assert_eq!((shown.len(), &shown[29]["day"]), (30, &json!(today)));
        assert_eq!(shown[0]["total_pence"], json!(0), "a day without entries");
        let (status, problem) = harness.get(SPEND, &harness.token(ORG, "staff")).await;
        assert_eq!((status, &problem["code"]), (403, &json!("forbidden")));
    }
}

#[tokio::test]
async fn what_happened_last_is_the_newest_of_calls_bookings_and_what_the_clinic_was_told() {
    let (harness, seeded) = seeded(&DAYS[0]).await;
    let mut expected: Vec<(Timestamp, String, &str)> = Vec::new();
    for (nth, call) in seeded.calls.iter().enumerate() {
        let kind = match nth % 7 {
            0 | 1 => "call_completed",
            2 => "call_transferred",
            4 | 5 => "call_missed",
            _ => continue,
        };
        expected.push((call.created_at, call.call_id.to_string(), kind));
    }
    for (nth, call) in seeded.calls.iter().enumerate() {
        for place in [0, 1].into_iter().filter(|place| nth.is_multiple_of(5 * (place + 1))) {
            let chance = u64::try_from(nth * 4 + place).unwrap();
            let id = Entropy::seeded(chance).uuid(call.created_at).to_string();
            expected.push((call.created_at, id, "appointment_booked"));
        }
    }
    for (nth, kind) in Kind::ALL.into_iter().enumerate() {
        let told_at = at(DAYS[0].now) - SignedDuration::from_mins(i64::try_from(nth).unwrap() * 200 + 5);
        let call_id = CallId::parse("call-1-of-many").unwrap();
        let text = Personal::new("The words of a patient, and £12.34.".to_owned());
        let said = Said { kind, is_urgent: false, text, fingerprint: format!("f{nth}") };
        let told = Notification::of_call((ORG, call_id), None, said, told_at);
        book(&harness, None, Some(&told)).await;
        expected.push((told_at, told.notification_id.to_string(), kind.as_str()));
    }
    expected.sort_by_key(|(at, id, _)| (std::cmp::Reverse(*at), id.clone()));
    for (query, limit) in [("", 20), ("?limit=1", 1), ("?limit=50", 50)] {
        let (status, activity) =
            harness.get(&format!("{ACTIVITY}{query}"), &harness.token(ORG, "staff")).await;
        assert_eq!((status, &activity["is_cut"]), (200, &json!(false)), "{activity}");
        let events = activity["events"].as_array().unwrap();
        let shown: Vec<Value> =
            events.iter().map(|event| json!([event["timestamp"], event["id"], event["type"]])).collect();
        let newest = expected.iter().take(limit);
        let newest: Vec<Value> =
            newest.map(|(at, id, kind)| json!([rfc3339_millis(*at), id, kind])).collect();
        assert_eq!(shown, newest, "{query}");
        for event in events {
            let summary = event["summary"].as_str().unwrap();
            assert!(summary.ends_with('.') && summary.len() < 100, "{summary}");
            for hidden in ["£", "pence", "7700900", "Ada", "words of"] {
                assert!(!summary.contains(hidden), "{summary}");
            }
        }
    }
    let (_, others) = harness.get(ACTIVITY, &harness.token(OTHER_ORG, "owner")).await;
    assert_eq!(others, json!({"events": [], "is_cut": false}));
}

#[tokio::test]
async fn figures_of_more_than_is_looked_at_say_so() {
    // What broke off is no event: the newest of 301 are looked at, and then no more.
    let harness = Harness::with_wallet(2_500, 600).await;
    for nth in 0..301_usize {
        let at = harness.clock.now() - SignedDuration::from_mins(i64::try_from(nth).unwrap());
        let broken = call(nth * 7 + 3, at);
        harness.calls.open(&broken).await.unwrap();
    }
    let (_, activity) = harness.get(ACTIVITY, &harness.owner()).await;
    assert_eq!(activity, json!({"events": [], "is_cut": true}));
    let harness = Harness::with_wallet(2_500, 600).await;
    harness.ring(91);
    harness.pass(120).await;
    crate::dashboard::copies(&harness, 10_100).await;
    let (status, pulse) = harness.get(PULSE, &harness.owner()).await;
    assert_eq!(status, 200, "{pulse}");
    assert_eq!((&pulse["total_calls"], &pulse["is_cut"]), (&json!(10_000), &json!(true)), "{pulse}");
    assert_eq!(pulse["spent_pence"], json!(85), "the ledger is not cut");
}

#[tokio::test]
async fn what_cannot_be_shown_is_refused_by_name() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let cases = [
        (format!("{PULSE}?days=0"), 400, "invalid_value", "days "),
        (format!("{PULSE}?days=32"), 400, "invalid_value", "days "),
        (format!("{PULSE}?days=1.5"), 400, "invalid_value", "days "),
        (format!("{PULSE}?timeWindow=7d"), 400, "invalid_value", "timeWindow "),
        (format!("{ACTIVITY}?limit=51"), 400, "invalid_value", "limit "),
        (format!("{ACTIVITY}?cursor=first"), 400, "invalid_value", "cursor "),
        (format!("{SPEND}?from=20260101"), 400, "invalid_value", "from "),
        (format!("{SPEND}?to=2026-02-30"), 400, "invalid_value", "to "),
        (format!("{SPEND}?to=2026-01-01T00:00:00Z"), 400, "invalid_value", "to "),
        (format!("{SPEND}?startDate=2026-01-01"), 400, "invalid_value", "startDate "),
        (format!("{SPEND}?from=2025-12-18&to=2025-12-17"), 400, "invalid_value", "The first day "),
        (format!("{SPEND}?from=2025-09-01&to=2025-12-18"), 422, "period_too_large", "The period "),
    ];
    for (path, status, code, begin) in cases {
        let (got, problem) = harness.get(&path, &harness.owner()).await;
        assert_eq!((got, problem["code"].as_str()), (status, Some(code)), "{path}: {problem}");
        assert!(problem["detail"].as_str().unwrap().starts_with(begin), "{path}: {problem}");
    }
    harness.stack.aws.set_plan(|_| local::aws::Outcome::Fail("InternalServerError"));
    for path in [PULSE, ACTIVITY, SPEND] {
        let (status, problem) = harness.get(path, &harness.owner()).await;
        assert_eq!((status, &problem["code"]), (500, &json!("internal")), "{path}");
    }
}
