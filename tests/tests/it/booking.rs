//! Appointments by voice: what is offered, held and booked on a call, and what is not.

mod changes;
mod messages;

use std::sync::atomic::{AtomicU64, Ordering};

use base::clock::Clock;
use bytes::Bytes;
use domain::{
    call::ToolUse,
    ids::{CallId, OrgId},
    personal::Personal,
    phone_number::PhoneNumber,
};
use futures::future::join_all;
use local::aws::Outcome;
use sandbox::vapi::{Placing, Turn};
use serde_json::{Value, json};
use services::reception::{Line, Reception};
use tests::{Harness, NUMBER, ORG, OTHER_ORG, bodies};
use vendors::vapi::message::ToolCall;

const ANN: &str = "+447700900101";
const CHECK: &str = "checkAvailability";
const BOOK: &str = "bookClinicAppointment";

/// A clinic on a Monday at nine, with a check-up of half an hour that Dr Rahman gives on weekdays from nine to noon.
pub(crate) async fn clinic() -> Harness {
    let harness = Harness::with_wallet(10_000, 600).await;
    harness.clock.turn_to("2026-01-05T09:00:00Z".parse().unwrap());
    offers(&harness, ORG, &["Dr Rahman"]).await;
    harness
}

pub(crate) async fn offers(harness: &Harness, org: OrgId, names: &[&str]) {
    let owner = harness.token(org, "owner");
    let spans = json!([{"from": "09:00", "to": "12:00"}]);
    let mut ids = Vec::new();
    for name in names {
        let hours = json!({"name": name, "time_zone": "Europe/London", "weekly": {"monday": spans, "tuesday": spans,
            "wednesday": spans, "thursday": spans, "friday": spans}});
        let (status, resource) = harness.post("/api/resources", &owner, hours.to_string()).await;
        assert_eq!(status, 201, "{resource}");
        ids.push(resource["id"].clone());
    }
    let terms = json!({"name": "Check-up", "duration_mins": 30, "start_interval_mins": 30, "needs": [ids]});
    let (status, service) = harness.post("/api/services", &owner, terms.to_string()).await;
    assert_eq!(status, 201, "{service}");
}

fn asks(when: &str) -> (&'static str, Value) {
    (CHECK, json!({"service": "a check-up", "when": when}))
}

fn books(option: &str, name: &str) -> (&'static str, Value) {
    (BOOK, json!({"option": option, "patient_name": name}))
}

/// What the tools answered on a call, in order.
fn answers(harness: &Harness, call: &str) -> Vec<String> {
    harness.stack.vapi.call(call).unwrap().heard.into_iter().skip(1).collect()
}

pub(crate) async fn appointments(harness: &Harness, org: OrgId) -> Vec<Value> {
    let path = "/api/appointments?startDate=2026-01-01&endDate=2026-12-31";
    let (status, page) = harness.get(path, &harness.token(org, "viewer")).await;
    assert_eq!(status, 200, "{page}");
    page["appointments"].as_array().unwrap().clone()
}

/// A call that may use tools, without Vapi between.
pub(crate) fn line(org: OrgId, call: &str) -> Line {
    Line { org_id: org, call_id: CallId::parse(call).unwrap(), caller: None }
}

/// A caller whose number the network shows.
pub(crate) fn caller(call: &str, number: &str) -> Line {
    let caller = Some(Personal::new(PhoneNumber::parse(number).unwrap()));
    Line { caller, ..line(ORG, call) }
}

pub(crate) fn reception(harness: &Harness) -> Reception {
    Reception::new(&harness.stack.platform, harness.stack.db())
}

/// What a tool answers, used once more: each use has an id of its own, as at Vapi.
pub(crate) async fn uses(reception: &Reception, line: &Line, used: (&str, Value)) -> String {
    static USES: AtomicU64 = AtomicU64::new(0);
    let id = format!("use-{}", USES.fetch_add(1, Ordering::Relaxed));
    delivered(reception, line, &id, used).await
}

/// What a tool answers to the message of this use of it, however often it is delivered.
async fn delivered(reception: &Reception, line: &Line, id: &str, (name, arguments): (&str, Value)) -> String {
    reception.answer(line, &ToolCall { id: id.into(), name: name.into(), arguments }).await
}

#[tokio::test]
async fn a_caller_is_offered_times_holds_one_and_books_it() {
    // A9, T2
    let harness = clinic().await;
    let turns = [asks("next Tuesday morning"), (BOOK, json!({"option": "B"})), books("B", "Ada Lovelace")];
    let call = harness.ring_and_ask(ANN, &turns);
    harness.pass(60).await;
    let said = answers(&harness, &call);
    assert_eq!(
        said[0],
        "FREE for Check-up. A: Tuesday the 13th of January at nine o'clock in the morning with Dr Rahman. \
         B: Tuesday the 13th of January at ten o'clock in the morning with Dr Rahman. \
         C: Tuesday the 13th of January at half past eleven in the morning with Dr Rahman. \
         Say the times in words, without the letters. For the one that is chosen use bookClinicAppointment with its letter."
    );
    assert!(
        said[1].starts_with("HELD for two minutes. Check-up on Tuesday the 13th of January at ten o'clock"),
        "{}",
        said[1]
    );
    assert_eq!(
        said[2],
        "BOOKED. Check-up on Tuesday the 13th of January at ten o'clock in the morning with Dr Rahman, for Ada Lovelace. Say so, \
         and ask whether there is anything else."
    );
    let all = appointments(&harness, ORG).await;
    let [one] = &all[..] else { panic!("{all:?}") };
    let fields = [
        "contact_name",
        "phone_number",
        "call_id",
        "scheduled_time",
        "ends_at",
        "status",
        "service_type",
        "time_zone",
    ];
    let shown = fields.map(|field| one[field].as_str().unwrap_or_default().to_owned());
    let wanted = [
        "Ada Lovelace",
        ANN,
        &call,
        "2026-01-13T10:00:00.000Z",
        "2026-01-13T10:30:00.000Z",
        "confirmed",
        "Check-up",
        "Europe/London",
    ];
    assert_eq!(shown, wanted);
    assert_eq!((one["revision"].as_u64(), one["duration_minutes"].as_u64()), (Some(1), Some(30)));
    harness.pass(300).await;
    let (status, detail) = harness.get(&format!("/api/calls-dashboard/{call}"), &harness.owner()).await;
    assert_eq!((status, &detail["appointment_ids"]), (200, &json!([one["id"]])), "{detail}");
    let tools: Vec<_> =
        detail["tools"].as_array().unwrap().iter().map(|used| (&used["tool"], &used["outcome"])).collect();
    let check = (&json!("checkAvailability"), &json!("FREE"));
    let (holds, booked) = ((&json!(BOOK), &json!("HELD")), (&json!(BOOK), &json!("BOOKED")));
    assert_eq!(tools, [check, holds, booked], "{detail}");
    assert_eq!(
        detail["tools_used"],
        json!(["checkAvailability", BOOK, BOOK]),
        "as the vendor's report has it"
    );
    let given = detail["tools"][2]["arguments"].as_str().unwrap();
    assert!(given.contains("Ada Lovelace") && detail["tools"][2]["milliseconds"].is_u64(), "{detail}");
    assert_eq!(appointments(&harness, OTHER_ORG).await.len(), 0, "they are the org's own");
}

#[tokio::test]
async fn the_time_that_a_call_has_kept_is_free_when_its_report_comes() {
    let harness = clinic().await;
    // A time is kept, and the caller hangs up before anything is booked.
    let turns = [asks("tomorrow"), (BOOK, json!({"option": "A"}))];
    let turns = turns.map(|(tool, arguments)| Turn { says: None, tool: tool.into(), arguments, repeats: 0 });
    let call = harness.place(&Placing {
        to: Some(NUMBER.into()),
        from: ANN.into(),
        talk_seconds: 25,
        web_assistant_id: None,
        max_duration_seconds: None,
        says: turns.into(),
    });
    harness.pass(20).await;
    let said = answers(&harness, &call);
    assert!(said[1].starts_with("HELD"), "{said:?}");
    let kept = said[0].split_once("A: ").and_then(|(_, rest)| rest.split_once('.')).unwrap().0;
    let reception = reception(&harness);
    let other = uses(&reception, &line(ORG, "call-2"), asks("tomorrow")).await;
    assert!(other.starts_with("FREE") && !other.contains(kept), "{other}");
    harness.pass(20).await;
    let free = uses(&reception, &line(ORG, "call-3"), asks("tomorrow")).await;
    assert!(free.contains(kept), "{free}");
    // Once more, and for a call that kept nothing.
    for id in [call.as_str(), "call-3"] {
        reception.give_back_time(ORG, &CallId::parse(id).unwrap()).await.unwrap();
    }
    let booked = uses(&reception, &line(ORG, "call-3"), books("A", "Ada Lovelace")).await;
    assert!(booked.starts_with("BOOKED"), "{booked}");
}

#[tokio::test]
async fn a_use_of_a_tool_is_kept_once_and_keeps_no_caller_from_the_answer() {
    let harness = clinic().await;
    let (reception, line) = (reception(&harness), line(ORG, "call-1"));
    let calls = &harness.calls;
    for _ in 0..2 {
        delivered(&reception, &line, "use-once", asks("tomorrow")).await;
    }
    let kept = calls.tools(ORG, &line.call_id).await.unwrap();
    let [used] = &kept[..] else { panic!("{kept:?}") };
    assert_eq!((used.tool.as_str(), used.outcome.as_str()), ("checkAvailability", "FREE"));
    assert_eq!(calls.tools(OTHER_ORG, &line.call_id).await.unwrap(), []);
    // Another call, whose id begins with this one's.
    assert_eq!(calls.tools(ORG, &CallId::parse("call-").unwrap()).await.unwrap(), []);
    harness.stack.aws.set_plan(|sent| {
        if sent.operation == "PutItem" { Outcome::Fail("InternalServerError") } else { Outcome::Pass }
    });
    let answer = delivered(&reception, &line, "use-twice", asks("tomorrow")).await;
    harness.stack.aws.clear_plan();
    assert!(answer.starts_with("FREE"), "{answer}");
    // The same use, delivered again, is answered otherwise: the last answer is what was heard.
    for outcome in ["NOT BOOKED", "FREE"] {
        let used = ToolUse::of("checkAvailability", "", outcome, harness.clock.now(), harness.clock.now());
        calls.note_tool(ORG, &CallId::parse("call-9").unwrap(), "mark", &used).await.unwrap();
    }
    let kept = calls.tools(ORG, &CallId::parse("call-9").unwrap()).await.unwrap();
    assert_eq!(kept.iter().map(|used| used.outcome.as_str()).collect::<Vec<_>>(), ["FREE"]);
    assert_eq!(calls.tools(ORG, &line.call_id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_model_that_repeats_itself_books_once_and_hears_the_same() {
    // A2
    let harness = clinic().await;
    let mut turns: Vec<Turn> = [asks("tomorrow"), books("A", "Ada Lovelace"), books("A", "ada LOVELACE")]
        .into_iter()
        .map(|(tool, arguments)| Turn { says: None, tool: tool.into(), arguments, repeats: 0 })
        .collect();
    turns[1].repeats = 2;
    let call = harness.place(&Placing {
        to: Some(NUMBER.into()),
        from: ANN.into(),
        talk_seconds: 120,
        web_assistant_id: None,
        max_duration_seconds: None,
        says: turns,
    });
    harness.pass(60).await;
    let said = answers(&harness, &call);
    assert_eq!(said.len(), 5, "{said:?}");
    assert!(said[1].starts_with("BOOKED"), "{}", said[1]);
    assert!(said[1..].iter().all(|answer| *answer == said[1]), "{said:?}");
    assert_eq!(appointments(&harness, ORG).await.len(), 1);
}

#[tokio::test]
async fn a_second_one_for_the_same_patient_is_asked_for_and_a_name_is_not_changed_by_a_repeat() {
    let harness = clinic().await;
    let (reception, line) = (reception(&harness), line(ORG, "call-1"));
    uses(&reception, &line, asks("tomorrow")).await;
    assert!(uses(&reception, &line, books("A", "Ada Lovelace")).await.starts_with("BOOKED"));
    let other = uses(&reception, &line, books("A", "Charles Babbage")).await;
    assert!(other.starts_with("NOT BOOKED. This time is booked on this call for Ada Lovelace."), "{other}");
    let again = uses(&reception, &line, books("B", "Ada Lovelace")).await;
    assert!(
        again.starts_with("NOT BOOKED. Ada Lovelace has an appointment from this call on Tuesday the 6th"),
        "{again}"
    );
    assert!(
        uses(&reception, &line, books("B", "Charles Babbage")).await.starts_with("BOOKED"),
        "a second person"
    );
    let more = json!({"option": "C", "patient_name": "Ada Lovelace", "another": true});
    assert!(uses(&reception, &line, (BOOK, more)).await.starts_with("BOOKED"));
    uses(&reception, &line, asks("Wednesday")).await;
    let fourth = uses(&reception, &line, books("D", "Grace Hopper")).await;
    assert!(fourth.starts_with("NOT BOOKED. This call has booked as much as one call may."), "{fourth}");
    assert_eq!(appointments(&harness, ORG).await.len(), 3);
}

#[tokio::test]
async fn two_callers_who_want_the_last_time_get_it_once_and_the_other_hears_of_another() {
    // A1, A7
    let harness = clinic().await;
    let reception = reception(&harness);
    let (ann, ben) = (line(ORG, "call-ann"), line(ORG, "call-ben"));
    for line in [&ann, &ben] {
        let offered = uses(&reception, line, asks("tomorrow at 9")).await;
        assert!(
            offered.starts_with("FREE for Check-up. A: Tuesday the 6th of January at nine o'clock"),
            "{offered}"
        );
    }
    assert!(uses(&reception, &ann, books("A", "Ann Canary")).await.starts_with("BOOKED"));
    let taken = uses(&reception, &ben, books("A", "Ben Other")).await;
    assert_eq!(taken, "NOT BOOKED. That time was just taken. Say so, ask for another time, and check again.");
    let next = uses(&reception, &ben, asks("tomorrow at 9")).await;
    assert!(next.starts_with("FREE for Check-up. B: Tuesday the 6th of January at half past nine"), "{next}");
    assert!(!taken.contains("Canary") && !next.contains("Canary"), "nobody hears of another patient");
    assert!(uses(&reception, &ben, books("B", "Ben Other")).await.starts_with("BOOKED"));
}

#[tokio::test]
async fn a_hold_keeps_a_time_for_two_minutes_and_a_new_pick_lets_the_first_go() {
    let harness = clinic().await;
    let reception = reception(&harness);
    let (ann, ben) = (line(ORG, "call-ann"), line(ORG, "call-ben"));
    for line in [&ann, &ben] {
        uses(&reception, line, asks("tomorrow")).await;
    }
    let pick = |option: &str| (BOOK, json!({ "option": option }));
    assert!(uses(&reception, &ann, pick("A")).await.starts_with("HELD"));
    assert!(
        uses(&reception, &ben, books("A", "Ben Other"))
            .await
            .starts_with("NOT BOOKED. That time was just taken.")
    );
    assert!(uses(&reception, &ann, pick("B")).await.starts_with("HELD"), "she takes another");
    assert!(
        uses(&reception, &ben, books("A", "Ben Other")).await.starts_with("BOOKED"),
        "so the first is free"
    );
    let cy = line(ORG, "call-cy");
    uses(&reception, &cy, asks("tomorrow at 10")).await;
    harness.clock.turn_to(harness.clock.now() + jiff::SignedDuration::from_secs(120));
    let dee = line(ORG, "call-dee");
    let free = uses(&reception, &dee, asks("tomorrow at 10:30")).await;
    assert!(free.contains("half past ten"), "the hold has lapsed: {free}");
}

#[tokio::test]
async fn what_a_model_invents_books_nothing_and_is_answered_with_a_question() {
    // T1, A3
    let harness = clinic().await;
    harness.wallets.ensure(OTHER_ORG).await.unwrap();
    offers(&harness, OTHER_ORG, &["Dr Other"]).await;
    let reception = reception(&harness);
    let (mine, theirs) = (line(ORG, "call-1"), line(OTHER_ORG, "call-2"));
    uses(&reception, &mine, asks("tomorrow")).await;
    uses(&reception, &theirs, asks("tomorrow")).await;
    let long = "x".repeat(5_000);
    let cases = [
        (CHECK, json!({"service": "check-up", "when": "32 February"})),
        (CHECK, json!({"service": "check-up", "when": "yesterday, 4 January"})),
        (CHECK, json!({"service": "check-up", "when": long})),
        (CHECK, json!({"service": "check-up", "when": "tomorrow", "practitioner": "Dr Other"})),
        (CHECK, json!({"service": "check-up"})),
        (CHECK, json!({"service": 5, "when": {"a": 1}})),
        (CHECK, Value::Null),
        (BOOK, json!({"option": "Q", "patient_name": "Ada Lovelace"})),
        (BOOK, json!({"option": "tomorrow at nine", "patient_name": "Ada Lovelace"})),
        (BOOK, json!({"patient_name": "Ada Lovelace"})),
        (BOOK, json!({"option": "A", "patient_name": long})),
        (BOOK, json!({"option": "A", "patient_name": "+44 7700 900123"})),
        (BOOK, json!({"option": "A", "patient_name": "\u{202e}\u{202e}"})),
        (BOOK, json!([1, 2])),
        (BOOK, Value::Null),
    ];
    for (tool, arguments) in cases {
        let answer = uses(&reception, &mine, (tool, arguments.clone())).await;
        let shown = arguments.to_string().chars().take(80).collect::<String>();
        assert!(answer.starts_with("NOT BOOKED. ") && !answer.contains('\n'), "{tool} {shown}: {answer}");
        assert!(answer.contains("Ask") || answer.contains("Use"), "it says what to ask next: {answer}");
    }
    let unasked = line(ORG, "call-3");
    let answer = uses(&reception, &unasked, books("A", "Ada Lovelace")).await;
    assert!(
        answer.starts_with("NOT BOOKED. That option was never offered on this call."),
        "another call's letter: {answer}"
    );
    for org in [ORG, OTHER_ORG] {
        assert_eq!(appointments(&harness, org).await.len(), 0);
    }
}

#[tokio::test]
async fn a_tool_is_answered_on_a_live_call_of_ours_alone() {
    // T1, T2
    let harness = clinic().await;
    let tool = |id: &str, call: &str| {
        json!({"message": {"type": "tool-calls", "call": {"id": call},
            "toolCallList": [{"id": id, "type": "function", "function": {"name": CHECK,
                "arguments": json!({"service": "check-up", "when": "tomorrow"}).to_string()}},
                {"id": "second", "function": {"name": "openTheDoor", "arguments": {}}}]}})
    };
    let (status, unknown) = harness.vapi(&tool("t1", "call-unknown")).await;
    assert_eq!(
        (status, unknown["results"][0]["result"].as_str()),
        (200, Some(services::reception::NOT_LIVE))
    );
    assert_eq!(harness.vapi_as_it_is(&bodies::request("call-1")).await.0, 200);
    let (status, live) = harness.vapi(&tool("t2", "call-1")).await;
    assert_eq!((status, live["results"][0]["toolCallId"].as_str()), (200, Some("t2")));
    assert!(live["results"][0]["result"].as_str().unwrap().starts_with("FREE"), "arguments as text: {live}");
    assert_eq!(
        live["results"][1],
        json!({"toolCallId": "second", "name": "openTheDoor", "result": "This tool is not available."})
    );
    let unsigned =
        http::Request::post("/api/vapi/webhook").body(Bytes::from(tool("t3", "call-1").to_string())).unwrap();
    assert_eq!(harness.send(unsigned).await.status(), 401, "forged");
    harness.vapi(&bodies::in_progress("call-1")).await;
    harness.pass(30).await;
    harness.vapi(&bodies::report("call-1", 20)).await;
    let (status, over) = harness.vapi(&tool("t4", "call-1")).await;
    assert_eq!(
        (status, over["results"][0]["result"].as_str()),
        (200, Some(services::reception::NOT_LIVE)),
        "it is billed"
    );
}

#[tokio::test]
async fn booked_is_said_only_of_what_is_written_whatever_write_fails() {
    // A3, A2
    for outcome in [Outcome::Fail("InternalServerError"), Outcome::LoseRequest, Outcome::LoseAnswer] {
        for times in [1, 200] {
            let harness = clinic().await;
            let (reception, line) = (reception(&harness), line(ORG, "call-1"));
            uses(&reception, &line, asks("tomorrow")).await;
            let mut left = times;
            harness.stack.aws.set_plan(move |sent| {
                let fails = sent.operation == "TransactWriteItems" && left > 0;
                left -= i32::from(fails);
                if fails { outcome } else { Outcome::Pass }
            });
            let first = uses(&reception, &line, books("A", "Ada Lovelace")).await;
            harness.stack.aws.clear_plan();
            let booked = appointments(&harness, ORG).await.len();
            assert!(!first.starts_with("BOOKED") || booked == 1, "{outcome:?} {times}: {first}");
            assert!(first.starts_with("BOOKED") || first.starts_with("NOT BOOKED"), "{outcome:?}: {first}");
            let again = uses(&reception, &line, books("A", "Ada Lovelace")).await;
            assert!(again.starts_with("BOOKED"), "{outcome:?} {times}: {again}");
            assert_eq!(appointments(&harness, ORG).await.len(), 1, "{outcome:?} {times}");
        }
    }
}

#[tokio::test]
async fn a_thousand_callers_who_want_one_time_book_it_once() {
    // A1
    let harness = clinic().await;
    let reception = reception(&harness);
    let lines: Vec<Line> = (0..1_000).map(|n| line(ORG, &format!("call-{n}"))).collect();
    join_all(lines.iter().map(|line| uses(&reception, line, asks("tomorrow at 9")))).await;
    let said = join_all(lines.iter().map(|line| uses(&reception, line, books("A", "Ada Lovelace")))).await;
    let booked = said.iter().filter(|answer| answer.starts_with("BOOKED")).count();
    assert_eq!((booked, appointments(&harness, ORG).await.len()), (1, 1));
    assert!(said.iter().all(|answer| answer.starts_with("BOOKED") || answer.starts_with("NOT BOOKED")));
}

#[tokio::test]
async fn what_staff_see_as_free_is_what_is_free() {
    let harness = clinic().await;
    let owner = harness.owner();
    let service =
        harness.get("/api/services", &owner).await.1["services"][0]["id"].as_str().unwrap().to_owned();
    let path =
        format!("/api/appointments/available-slots?service_id={service}&from=2026-01-06&to=2026-01-06");
    let free = async || {
        let (status, answer) = harness.get(&path, &owner).await;
        assert_eq!(status, 200, "{answer}");
        answer["slots"]
            .as_array()
            .unwrap()
            .iter()
            .map(|slot| slot["starts_at"].as_str().unwrap()[11..16].to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(free().await, ["09:00", "09:30", "10:00", "10:30", "11:00", "11:30"]);
    let (reception, line) = (reception(&harness), line(ORG, "call-1"));
    uses(&reception, &line, asks("tomorrow at 10")).await;
    assert!(uses(&reception, &line, books("B", "Ada Lovelace")).await.starts_with("BOOKED"));
    assert_eq!(free().await, ["09:00", "09:30", "10:30", "11:00", "11:30"]);
    for (query, why) in [
        ("from=2026-01-06&to=2026-01-06", "service_id"),
        (&*format!("service_id={service}&from=2026-01-06"), "from and to"),
        (&*format!("service_id={service}&from=2026-01-06&to=2026-03-06"), "from and to"),
        (&*format!("service_id={service}&from=2026-01-06&to=2026-01-05"), "from and to"),
    ] {
        let (status, problem) =
            harness.get(&format!("/api/appointments/available-slots?{query}"), &owner).await;
        assert_eq!(status, 400, "{query}");
        assert!(problem["detail"].as_str().unwrap().starts_with(why), "{problem}");
    }
}

#[tokio::test]
async fn appointments_are_listed_in_order_page_by_page() {
    let harness = clinic().await;
    let reception = reception(&harness);
    for n in 0..5 {
        let line = line(ORG, &format!("call-{n}"));
        uses(&reception, &line, asks("tomorrow")).await;
        assert!(uses(&reception, &line, books("A", "Ada Lovelace")).await.starts_with("BOOKED"), "{n}");
    }
    let owner = harness.owner();
    let (mut path, mut starts) = ("/api/appointments?limit=2".to_owned(), Vec::new());
    loop {
        let (status, page) = harness.get(&path, &owner).await;
        assert_eq!(status, 200, "{page}");
        let rows = page["appointments"].as_array().unwrap();
        assert!(rows.len() <= 2, "{page}");
        starts.extend(rows.iter().map(|row| row["scheduled_time"].as_str().unwrap()[11..16].to_owned()));
        let Some(next) = page["pagination"]["next_cursor"].as_str() else { break };
        path = format!("/api/appointments?limit=2&cursor={next}");
    }
    assert_eq!(starts, ["09:00", "09:30", "10:00", "10:30", "11:00"]);
    for (query, count) in [
        ("status=confirmed", 5),
        ("status=cancelled", 0),
        ("endDate=2026-01-05", 0),
        ("startDate=2026-01-06&endDate=2026-01-06", 5),
    ] {
        let (status, page) = harness.get(&format!("/api/appointments?{query}"), &owner).await;
        assert_eq!((status, page["appointments"].as_array().unwrap().len()), (200, count), "{query}");
    }
    for bad in [
        "limit=0",
        "limit=101",
        "status=gone",
        "cursor=x",
        "startDate=soon",
        "startDate=2026-02-01&endDate=2026-01-01",
    ] {
        assert_eq!(harness.get(&format!("/api/appointments?{bad}"), &owner).await.0, 400, "{bad}");
    }
}

#[tokio::test]
async fn a_service_and_hours_are_saved_as_read_or_not_at_all() {
    let harness = clinic().await;
    let owner = harness.owner();
    let service = harness.get("/api/services", &owner).await.1["services"][0].clone();
    let path = format!("/api/services/{}", service["id"].as_str().unwrap());
    let terms = |mins: u32| json!({"name": "Check-up", "duration_mins": mins, "start_interval_mins": 30, "needs": service["needs"]});
    let change = async |version: u64, mins: u32| {
        let body = json!({"version": version, "terms": terms(mins)});
        harness.call_api(("PATCH", &path), &owner, None, &body).await
    };
    let (status, changed) = change(1, 45).await;
    assert_eq!(
        (status, changed["version"].as_u64(), changed["duration_mins"].as_u64()),
        (200, Some(2), Some(45))
    );
    let (status, problem) = change(1, 60).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("version_conflict")));
    assert_eq!(change(1, 45).await.0, 200, "a repeat of what is saved is done already");
    let (status, problem) = change(2, 4).await;
    assert_eq!(status, 400);
    assert!(problem["detail"].as_str().unwrap().starts_with("duration_mins"), "{problem}");
    let again = harness.post("/api/services", &owner, terms(45).to_string()).await;
    assert_eq!(
        (again.0, again.1["id"] == service["id"]),
        (200, true),
        "a browser that heard nothing asks again"
    );
    assert_eq!(
        harness.post("/api/services", &owner, terms(50).to_string()).await.0,
        400,
        "another of that name"
    );
}

#[tokio::test]
async fn what_a_patient_answers_stands_on_the_appointment_and_the_contact() {
    let harness = clinic().await;
    let owner = harness.owner();
    let (_, services) = harness.get("/api/services", &owner).await;
    let service = &services["services"][0];
    let intake = json!([{"ask": "Are you in pain?", "kind": "yes_no"}, {"ask": "Since when?"},
        {"ask": "Have you been here?", "kind": "choice", "choices": ["never", "this year"]}]);
    let mut terms = service.clone();
    for name in ["id", "version"] {
        terms.as_object_mut().unwrap().remove(name);
    }
    let path = format!("/api/services/{}", service["id"].as_str().unwrap());
    let save = async |intake: &Value| {
        let mut terms = terms.clone();
        terms["intake"] = intake.clone();
        let body = json!({"version": service["version"], "terms": terms});
        harness.call_api(("PATCH", &path), &owner, None, &body).await
    };
    for bad in [
        json!([{"ask": "x", "kind": "choice"}]),
        json!(vec![json!({"ask": "x"}); 9]),
        json!([{"ask": "x", "kind": "date"}]),
    ] {
        let (status, problem) = save(&bad).await;
        assert_eq!((status, &problem["code"]), (400, &json!("invalid_value")), "{bad}");
    }
    let (status, saved) = save(&intake).await;
    assert_eq!((status, &saved["intake"][1]["kind"]), (200, &json!("text")), "{saved}");
    // She is told what to ask as the call begins, and again when a time is held.
    let (_, answer) = harness.vapi(&bodies::request("call-0")).await;
    let facts = answer["assistantOverrides"]["variableValues"]["clinic_facts"].as_str().unwrap().to_owned();
    let asked = "1) Are you in pain? (yes or no) 2) Since when? 3) Have you been here? (never, this year)";
    assert!(facts.contains(&format!("Ask before you book it: {asked}")), "{facts}");
    let reception = reception(&harness);
    let line = caller("call-1", ANN);
    uses(&reception, &line, asks("tomorrow")).await;
    let held = uses(&reception, &line, (BOOK, json!({"option": "A"}))).await;
    assert!(held.starts_with("HELD") && held.contains(asked), "{held}");
    let with = |option: &str, answers: &str| {
        (BOOK, json!({"option": option, "patient_name": "Ada Lovelace", "answers": answers, "another": true}))
    };
    let booked = uses(&reception, &line, with("A", "1: yes, a bit; 2: since Monday; 3: perhaps; 9: x")).await;
    assert!(booked.starts_with("BOOKED"), "what does not fit keeps nobody from booking: {booked}");
    let first = json!([{"question": "Are you in pain?", "answer": "yes"}, {"question": "Since when?", "answer": "since Monday"}]);
    let made = appointments(&harness, ORG).await;
    assert_eq!(made[0]["answers"], first, "{made:?}");
    let contact = async || {
        let path = format!("/api/contacts/{}", made[0]["contact_id"].as_str().unwrap());
        harness.get(&path, &owner).await.1["answers"].clone()
    };
    assert_eq!(contact().await, first);
    // The next time: the last answer to each question is known of her.
    let booked = uses(&reception, &line, with("B", "1: no; 3: this year")).await;
    assert!(booked.starts_with("BOOKED"), "{booked}");
    assert_eq!(
        contact().await,
        json!([{"question": "Since when?", "answer": "since Monday"}, {"question": "Are you in pain?", "answer": "no"},
            {"question": "Have you been here?", "answer": "this year"}])
    );
}
