//! The slots that the calls of all clinics share: nobody takes them all, a flood is told why, and others are unharmed.

use base::clock::Clock;
use domain::{
    call::{RefusalReason, State},
    ids::{CallId, OrgId},
    slots::{Lease, Slots},
    time::plus_secs,
};
use futures::future::join_all;
use local::aws::{Outcome, Sent};
use serde_json::{Value, json};
use store::slots::CallSlots;
use tests::{ASSISTANT_ID, Harness, ORG, PHONE_ID, bodies};
use uuid::Uuid;

const BUSY: &str = "We're sorry, all our lines are busy at the moment. Please ring again in a few minutes.";
const PATIENT: &str = "+447700900123";
const WITHHELD: &str = "anonymous";

/// The clinic of this number; the first is that of most tests.
fn org(nth: usize) -> OrgId {
    if nth == 0 { ORG } else { OrgId::new(Uuid::from_u128(0x500 + u128::try_from(nth).unwrap())) }
}

/// Its number, as Vapi names it.
fn line(nth: usize) -> String {
    if nth == 0 { PHONE_ID.to_owned() } else { format!("phone-{nth}") }
}

/// So many clinics, each with money for its calls and a number; an operator lets them have fifteen calls at a time.
async fn clinics(count: usize, settings: &[(&str, &str)]) -> Harness {
    let settings = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let harness = Harness::empty(settings).await;
    for nth in 0..count {
        let number = format!("+4420718387{:02}", 50 + nth);
        let assistant = if nth == 0 { ASSISTANT_ID.to_owned() } else { format!("assistant-{nth}") };
        harness.add_clinic(org(nth), &line(nth), &number, &assistant, 600).await;
        harness.top_up(org(nth), &format!("pi_{nth}"), 10_000).await;
        harness.limit_calls(org(nth), 15).await;
    }
    harness
}

/// A patient nobody else is.
fn patient(nth: usize) -> String {
    format!("+4477009{nth:05}")
}

fn request(call: &str, caller: &str, line: &str) -> Value {
    let mut request = bodies::request(call);
    request["message"]["call"]["phoneNumberId"] = json!(line);
    request["message"]["call"]["customer"]["number"] = json!(caller);
    request
}

/// Whether a call gets in; who does not hears why.
async fn rings(harness: &Harness, call: &str, caller: &str, clinic: usize) -> bool {
    let (status, answer) = harness.vapi(&request(call, caller, &line(clinic))).await;
    let is_taken = answer.get("assistantId").is_some();
    assert!(status == 200 && (is_taken || answer == json!({"error": BUSY})), "{status} {answer}");
    is_taken
}

/// How many of so many callers get in, one after the other.
async fn ring_one_by_one(harness: &Harness, wanted: &[(String, String, usize)]) -> usize {
    let mut taken = 0;
    for (call, caller, clinic) in wanted {
        taken += usize::from(rings(harness, call, caller, *clinic).await);
    }
    taken
}

async fn slots(harness: &Harness) -> Slots {
    CallSlots::new(harness.stack.db()).read(harness.clock.now()).await.unwrap()
}

/// The calls that have a slot.
async fn have_slots(harness: &Harness) -> Vec<String> {
    slots(harness).await.leases.into_iter().map(|lease| lease.call_id.to_string()).collect()
}

async fn dial(harness: &Harness, to: &str, key: Option<&str>) -> (u16, Value) {
    harness.call_api(("POST", "/api/calls"), &harness.owner(), key, &json!({"phoneNumber": to})).await
}

fn is_about_slots(sent: &Sent, operation: &str) -> bool {
    sent.operation == operation
        && sent.body["TableName"].as_str().is_some_and(|name| name.ends_with("-call_slots"))
}

/// How many calls an org has money set aside for, by books that are right.
async fn holds_of(harness: &Harness, nth: usize) -> usize {
    harness.assert_books(org(nth)).await;
    harness.wallet_of(org(nth)).await.holds.len()
}

#[tokio::test]
async fn one_caller_has_three_calls_to_whichever_clinics_and_hears_why_the_fourth_is_refused() {
    let harness = clinics(4, &[]).await;
    let flood: Vec<_> = (0..12).map(|n| (format!("flood-{n}"), PATIENT.to_owned(), n % 4)).collect();
    assert_eq!(ring_one_by_one(&harness, &flood).await, 3);
    for clinic in 0..4 {
        assert!(rings(&harness, &format!("other-{clinic}"), &patient(clinic), clinic).await, "others get in");
    }
    let mut held = 0;
    for clinic in 0..4 {
        held += holds_of(&harness, clinic).await;
    }
    assert_eq!(held, 7, "who is refused holds nothing");
    let refused = harness.calls.get(org(3), &CallId::parse("flood-3").unwrap()).await.unwrap().unwrap();
    assert_eq!(refused.state, State::Refused { reason: RefusalReason::LinesBusy });
    // A repeat of either is answered as before, and the end of one call lets another in.
    assert!(!rings(&harness, "flood-3", PATIENT, 3).await && rings(&harness, "flood-0", PATIENT, 0).await);
    assert_eq!(have_slots(&harness).await.len(), 7);
    harness.vapi(&bodies::report("flood-0", 30)).await;
    assert!(rings(&harness, "flood-12", PATIENT, 3).await);
    assert!(!rings(&harness, "flood-13", PATIENT, 3).await);
}

#[tokio::test]
async fn one_number_has_five_calls_and_another_clinics_is_unharmed() {
    let harness = clinics(2, &[]).await;
    let flood: Vec<_> = (0..9).map(|n| (format!("flood-{n}"), patient(n), 0)).collect();
    assert_eq!(ring_one_by_one(&harness, &flood).await, 5);
    assert!(rings(&harness, "other", &patient(9), 1).await);
    assert_eq!((holds_of(&harness, 0).await, holds_of(&harness, 1).await), (5, 1));
}

#[tokio::test]
async fn one_clinic_has_six_calls_whatever_it_was_allowed_and_another_is_unharmed() {
    let harness = clinics(2, &[("CALLS_PER_NUMBER", "10")]).await;
    let flood: Vec<_> = (0..9).map(|n| (format!("flood-{n}"), patient(n), 0)).collect();
    assert_eq!(ring_one_by_one(&harness, &flood).await, 6);
    assert!(rings(&harness, "other", &patient(9), 1).await);
    assert_eq!((holds_of(&harness, 0).await, holds_of(&harness, 1).await), (6, 1));
}

#[tokio::test]
async fn the_eleventh_caller_hears_that_all_lines_are_busy() {
    let harness = clinics(6, &[]).await;
    let flood: Vec<_> = (0..18).map(|n| (format!("flood-{n}"), patient(n), n % 6)).collect();
    assert_eq!(ring_one_by_one(&harness, &flood).await, 10);
    assert_eq!(slots(&harness).await.leases.len(), 10);
    harness.vapi(&bodies::report("flood-0", 30)).await;
    assert!(rings(&harness, "next", &patient(20), 5).await);
    assert!(!rings(&harness, "one-more", &patient(21), 5).await);
}

#[tokio::test]
async fn callers_who_withhold_their_number_are_one_caller_for_each_number_that_is_dialled() {
    let harness = clinics(2, &[]).await;
    let withheld =
        |clinic: usize| (0..5).map(move |n| (format!("w-{clinic}-{n}"), WITHHELD.to_owned(), clinic));
    let (first, second): (Vec<_>, Vec<_>) = (withheld(0).collect(), withheld(1).collect());
    assert_eq!(ring_one_by_one(&harness, &first).await, 3);
    assert!(rings(&harness, "known", PATIENT, 0).await, "who shows a number is another caller");
    assert_eq!(ring_one_by_one(&harness, &second).await, 3);
}

#[tokio::test]
async fn two_slots_are_kept_for_callers_and_a_call_out_is_told_so_and_uses_no_key_up() {
    let harness = clinics(4, &[]).await;
    harness.has_number("outbound").await;
    let callers: Vec<_> = (0..8).map(|n| (format!("in-{n}"), patient(n), 1 + n % 3)).collect();
    assert_eq!(ring_one_by_one(&harness, &callers).await, 8);
    let (status, problem) = dial(&harness, PATIENT, Some("key-1")).await;
    assert_eq!((status, problem["code"].as_str()), (429, Some("lines_busy")), "{problem}");
    assert!(
        problem["detail"].as_str().is_some_and(|detail| detail.starts_with("All lines are busy")),
        "{problem}"
    );
    assert_eq!((harness.stack.vapi.outbound_calls().len(), holds_of(&harness, 0).await), (0, 0));
    // Callers get in all the same, up to the last slot.
    assert!(rings(&harness, "in-8", &patient(8), 0).await && rings(&harness, "in-9", &patient(9), 0).await);
    assert!(!rings(&harness, "in-10", &patient(10), 0).await);
    for call in ["in-0", "in-1", "in-2"] {
        harness.vapi(&bodies::report(call, 30)).await;
    }
    assert_eq!(dial(&harness, PATIENT, Some("key-1")).await.0, 201, "the same key, once there is a line");
    assert_eq!(have_slots(&harness).await.len(), 8);
    harness.pass(100).await;
    assert_eq!(have_slots(&harness).await.len(), 7, "the call out has given its slot back");
}

/// Four clinics, and of two callers of the last one's at once the one who got the last slot, and the other.
async fn after_the_race() -> (Harness, &'static str, &'static str) {
    let harness = clinics(4, &[]).await;
    let callers: Vec<_> = (0..9).map(|n| (format!("in-{n}"), patient(n), n % 3)).collect();
    assert_eq!(ring_one_by_one(&harness, &callers).await, 9);
    let at_once = [("last-0", 10, 3), ("last-1", 11, 3)];
    let answers = join_all(at_once.map(|(call, caller, clinic)| {
        let harness = &harness;
        async move { rings(harness, call, &patient(caller), clinic).await }
    }))
    .await;
    assert_eq!(answers.iter().filter(|is_taken| **is_taken).count(), 1, "{answers:?}");
    let (winner, loser) = if answers[0] { ("last-0", "last-1") } else { ("last-1", "last-0") };
    (harness, winner, loser)
}

/// The caller who rings as `call` in [`after_the_race`].
fn caller_of(call: &str) -> String {
    patient(if call == "last-0" { 10 } else { 11 })
}

#[tokio::test]
async fn of_two_at_once_one_has_the_last_slot_and_the_other_hears_why() {
    let (alarms, _guard) = tests::alarms();
    let (harness, winner, loser) = after_the_race().await;
    // However often either is asked.
    for _ in 0..2 {
        assert!(!rings(&harness, loser, &caller_of(loser), 3).await);
        assert!(rings(&harness, winner, &caller_of(winner), 3).await);
    }
    assert_eq!(slots(&harness).await.leases.len(), 10);
    // What was set aside for the other goes back when Vapi says that its call is over.
    assert_eq!(holds_of(&harness, 3).await, 2);
    let mut over = bodies::ended(loser);
    over["message"]["type"] = json!("end-of-call-report");
    over["message"]["endedReason"] = json!("assistant-request-returned-error");
    harness.vapi(&over).await;
    assert_eq!(holds_of(&harness, 3).await, 1);
    assert!(!have_slots(&harness).await.contains(&loser.to_owned()));
    assert_eq!(alarms.names(), Vec::<String>::new(), "the limiter did its part");
}

#[tokio::test]
async fn one_that_lost_the_race_is_let_in_with_a_slot_once_there_is_one() {
    let (alarms, _guard) = tests::alarms();
    let (harness, winner, loser) = after_the_race().await;
    harness.vapi(&bodies::report(winner, 30)).await;
    let copies = join_all((0..3).map(|_| {
        let harness = &harness;
        async move { rings(harness, loser, &caller_of(loser), 3).await }
    }));
    assert_eq!(copies.await, [true; 3], "three copies of the question at once");
    let have = have_slots(&harness).await;
    assert_eq!((have.len(), have.iter().filter(|call| *call == loser).count()), (10, 1), "{have:?}");
    assert!(!rings(&harness, "late", &patient(12), 3).await, "it counts");
    harness.vapi(&bodies::report(loser, 30)).await;
    assert_eq!(holds_of(&harness, 3).await, 0);
    let record = harness.calls.get(org(3), &CallId::parse(loser).unwrap()).await.unwrap().unwrap();
    assert!(matches!(record.state, State::Settled(_)), "{record:?}");
    assert_eq!(alarms.names(), Vec::<String>::new());
}

#[tokio::test]
async fn a_copy_of_the_question_that_fails_takes_no_slot_from_the_other() {
    let harness = clinics(1, &[]).await;
    let mut holds = 0;
    harness.stack.aws.set_plan(move |sent| {
        holds += usize::from(sent.operation == "TransactWriteItems");
        let is_first = sent.operation == "TransactWriteItems" && holds == 1;
        if is_first { Outcome::Fail("ValidationException") } else { Outcome::Pass }
    });
    let asked = request("call-1", PATIENT, &line(0));
    let answers = join_all((0..2).map(|_| harness.vapi(&asked))).await;
    let mut statuses: Vec<_> = answers.iter().map(|(status, _)| *status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 500], "{answers:?}");
    assert!(answers.iter().any(|(_, answer)| answer.get("assistantId").is_some()), "{answers:?}");
    assert_eq!(have_slots(&harness).await, ["call-1"]);
}

#[tokio::test]
async fn of_two_calls_out_at_once_one_has_the_last_slot_and_nothing_is_set_aside_for_the_other() {
    let harness = clinics(4, &[]).await;
    harness.has_number("outbound").await;
    let callers: Vec<_> = (0..7).map(|n| (format!("in-{n}"), patient(n), 1 + n % 3)).collect();
    assert_eq!(ring_one_by_one(&harness, &callers).await, 7);
    let people = [patient(20), patient(21)];
    let answers = join_all(people.iter().map(|to| dial(&harness, to, None))).await;
    let mut outcomes: Vec<_> =
        answers.iter().map(|(status, answer)| (*status, answer["code"].as_str())).collect();
    outcomes.sort_unstable();
    assert_eq!(outcomes, [(201, None), (429, Some("lines_busy"))], "{answers:?}");
    assert_eq!((harness.stack.vapi.outbound_calls().len(), holds_of(&harness, 0).await), (1, 1));
    // Nobody was rung by the other: once there is a line, the same request is a call.
    harness.vapi(&bodies::report("in-0", 30)).await;
    let refused = if answers[0].0 == 429 { &people[0] } else { &people[1] };
    assert_eq!(dial(&harness, refused, None).await.0, 201);
}

#[tokio::test]
async fn a_call_out_that_was_crowded_out_may_be_tried_again_with_its_key_which_rings_once() {
    let harness = clinics(4, &[]).await;
    harness.has_number("outbound").await;
    let callers: Vec<_> = (0..7).map(|n| (format!("in-{n}"), patient(n), 1 + n % 3)).collect();
    assert_eq!(ring_one_by_one(&harness, &callers).await, 7);
    let wanted = [(patient(20), "key-0"), (patient(21), "key-1")];
    let answers = join_all(wanted.iter().map(|(to, key)| dial(&harness, to, Some(key)))).await;
    let (to, key) = if answers[0].0 == 429 { &wanted[0] } else { &wanted[1] };
    assert_eq!(answers.iter().filter(|(status, _)| *status == 429).count(), 1, "{answers:?}");
    assert!(harness.calls.dial_key(ORG, key).await.unwrap().is_some(), "a call was begun by it");
    let again = dial(&harness, to, Some(key)).await;
    assert_eq!((again.0, again.1["code"].as_str()), (429, Some("lines_busy")), "no line yet: {again:?}");
    assert_eq!(dial(&harness, &patient(22), Some(key)).await.0, 422, "the key is of the first body");
    harness.vapi(&bodies::report("in-0", 30)).await;
    let copies = join_all((0..4).map(|_| dial(&harness, to, Some(key)))).await;
    let calls: std::collections::BTreeSet<_> =
        copies.iter().map(|(_, answer)| answer["callId"].to_string()).collect();
    assert!(copies.iter().all(|(status, _)| [201, 202].contains(status)), "{copies:?}");
    assert_eq!((calls.len(), harness.stack.vapi.outbound_calls().len()), (1, 2), "{copies:?}");
    harness.pass(100).await;
    let (status, answer) = dial(&harness, to, Some(key)).await;
    assert_eq!((status, calls.contains(&answer["callId"].to_string())), (201, true), "{answer}");
    assert_eq!((harness.stack.vapi.outbound_calls().len(), holds_of(&harness, 0).await), (2, 0));
}

#[tokio::test]
async fn a_call_out_that_was_turned_away_once_begun_may_be_tried_again_with_its_key() {
    let harness = clinics(4, &[]).await;
    harness.has_number("outbound").await;
    for polls in 0.. {
        let outcome = tests::crashed_after(polls, dial(&harness, PATIENT, Some("key-1"))).await;
        assert_eq!(outcome, None, "it is broken off before it is begun");
        if harness.calls.dial_key(ORG, "key-1").await.unwrap().is_some() {
            break;
        }
    }
    let callers: Vec<_> = (0..8).map(|n| (format!("in-{n}"), patient(n), 1 + n % 3)).collect();
    assert_eq!(ring_one_by_one(&harness, &callers).await, 8);
    for _ in 0..2 {
        let (status, problem) = dial(&harness, PATIENT, Some("key-1")).await;
        assert_eq!((status, problem["code"].as_str()), (429, Some("lines_busy")), "{problem}");
    }
    harness.vapi(&bodies::report("in-0", 30)).await;
    assert_eq!(dial(&harness, PATIENT, Some("key-1")).await.0, 201);
    assert_eq!((harness.stack.vapi.outbound_calls().len(), holds_of(&harness, 0).await), (1, 1));
}

#[tokio::test]
async fn a_flood_at_once_takes_no_more_than_there_is_and_each_without_a_slot_is_told_of() {
    let (alarms, _guard) = tests::alarms();
    let harness = clinics(5, &[]).await;
    let flood: Vec<_> = (0..20).map(|n| (format!("flood-{n}"), patient(n), n % 5)).collect();
    let answers = join_all(flood.iter().map(|(call, caller, clinic)| rings(&harness, call, caller, *clinic)));
    let answers = answers.await;
    let leases = have_slots(&harness).await;
    assert!((1..=10).contains(&leases.len()), "{leases:?}");
    let told: Vec<_> =
        alarms.raised().into_iter().filter(|alarm| alarm.name == "call_without_slot").collect();
    for ((call, ..), is_taken) in flood.iter().zip(answers) {
        let is_told = told.iter().any(|alarm| alarm.fields.contains(&format!("call_id={call}")));
        assert!(!is_taken || leases.contains(call) || is_told, "{call} is let in, and nobody knows");
    }
    for clinic in 0..5 {
        holds_of(&harness, clinic).await;
    }
}

#[tokio::test]
async fn a_limiter_that_fails_refuses_nobody_and_an_operator_is_told() {
    for (operation, fate, why) in [
        ("GetItem", Outcome::Fail("InternalServerError"), "not_read"),
        ("GetItem", Outcome::LoseRequest, "not_read"),
        ("PutItem", Outcome::Fail("ThrottlingException"), "not_written"),
        ("PutItem", Outcome::Fail("ConditionalCheckFailedException"), "lost_races"),
    ] {
        let (alarms, _guard) = tests::alarms();
        let harness = clinics(1, &[]).await;
        let began = harness.clock.now();
        let mut tries = 0;
        let seen = std::sync::Arc::new(std::sync::Mutex::new(0));
        let count = std::sync::Arc::clone(&seen);
        harness.stack.aws.set_plan(move |sent| {
            if is_about_slots(sent, operation) {
                tries += 1;
                *count.lock().unwrap() = tries;
                fate
            } else {
                Outcome::Pass
            }
        });
        assert!(rings(&harness, "call-1", PATIENT, 0).await, "{operation} {why}");
        let waited = harness.clock.now().duration_since(began);
        assert!(waited.as_millis() < 1_000, "{operation} {why}: {waited}");
        if why == "lost_races" {
            assert_eq!(*seen.lock().unwrap(), 3, "three races");
        }
        let raised = alarms.raised();
        assert_eq!(alarms.names(), ["call_without_slot"], "{operation} {why}");
        assert!(raised[0].fields.iter().any(|field| field.contains(why)), "{:?}", raised[0]);
        // It is held for and billed like any other, and its end is not kept up by the limiter.
        assert_eq!(holds_of(&harness, 0).await, 1);
        harness.vapi(&bodies::report("call-1", 30)).await;
        assert_eq!((holds_of(&harness, 0).await, harness.bills_of("call-1").await.len()), (0, 1));
    }
}

#[tokio::test]
async fn a_slot_is_given_back_by_the_report_of_the_call_and_by_its_release() {
    let harness = clinics(1, &[]).await;
    for call in ["talked", "never-answered"] {
        assert!(rings(&harness, call, PATIENT, 0).await);
        assert!(rings(&harness, call, PATIENT, 0).await, "however often it is asked");
    }
    assert_eq!(have_slots(&harness).await, ["talked", "never-answered"]);
    harness.vapi(&bodies::report("talked", 30)).await;
    assert_eq!(have_slots(&harness).await, ["never-answered"]);
    let mut report = bodies::ended("never-answered");
    report["message"]["type"] = json!("end-of-call-report");
    report["message"]["endedReason"] = json!("customer-did-not-answer");
    harness.vapi(&report).await;
    assert_eq!(have_slots(&harness).await, Vec::<String>::new());
    assert_eq!(harness.call("never-answered").await.state, State::Released);
}

#[tokio::test]
async fn reconciliation_takes_back_the_slots_of_calls_that_are_over_and_of_those_that_have_lapsed() {
    let harness = clinics(2, &[]).await;
    assert!(rings(&harness, "over", PATIENT, 0).await && rings(&harness, "live", PATIENT, 1).await);
    harness.stack.aws.set_plan(|sent| {
        if is_about_slots(sent, "PutItem") { Outcome::Fail("InternalServerError") } else { Outcome::Pass }
    });
    harness.vapi(&bodies::report("over", 30)).await;
    harness.stack.aws.clear_plan();
    assert_eq!(harness.bills_of("over").await.len(), 1, "the limiter keeps no call from being billed");
    assert_eq!(have_slots(&harness).await, ["over", "live"]);
    let report = harness.reconcile("calls").await;
    assert_eq!(have_slots(&harness).await, ["live"]);
    assert!(report.repaired.iter().any(|found| found.what == "slot_given_back" && found.id == "over"));
    // One that has lapsed although its call is live, and one whose call was never written down, go with the next run.
    let store = CallSlots::new(harness.stack.db());
    let there = slots(&harness).await;
    let live = there.leases[0].clone();
    let lapsed = Lease { until: harness.clock.now(), ..live.clone() };
    let unwritten = Lease { call_id: CallId::parse("never-written").unwrap(), ..live };
    let leases = vec![lapsed, unwritten];
    store.save(&Slots { leases, ..there }, harness.clock.now()).await.unwrap();
    let report = harness.reconcile("calls").await;
    assert_eq!(have_slots(&harness).await, Vec::<String>::new());
    let freed: Vec<_> =
        report.repaired.iter().map(|found| (found.what.as_str(), found.id.as_str())).collect();
    assert_eq!(freed, [("slot_given_back", "live"), ("slot_given_back", "never-written")]);
    let live = harness.calls.get(org(1), &CallId::parse("live").unwrap()).await.unwrap().unwrap();
    assert_eq!(live.state, State::Authorized);
}

#[tokio::test]
async fn a_slot_that_has_lapsed_keeps_nobody_out() {
    let harness = clinics(1, &[]).await;
    for call in ["a", "b", "c"] {
        assert!(rings(&harness, call, PATIENT, 0).await);
    }
    assert!(!rings(&harness, "d", PATIENT, 0).await);
    let until = slots(&harness).await.leases[0].until;
    assert_eq!(until, plus_secs(harness.clock.now(), 598 + 120), "Vapi's limit, and two minutes");
    // Nothing is heard of any of them, and nothing of ours runs.
    harness.clock.turn_to(until);
    assert!(rings(&harness, "e", PATIENT, 0).await);
    assert_eq!(have_slots(&harness).await, ["e"]);
}

#[tokio::test]
async fn who_is_refused_for_another_reason_or_not_held_for_leaves_no_slot() {
    let harness = clinics(1, &[]).await;
    harness.add_clinic(org(1), &line(1), "+442071838751", "assistant-1", 600).await;
    let (_, answer) = harness.vapi(&request("poor", PATIENT, &line(1))).await;
    assert!(answer["error"].is_string() && answer["error"] != BUSY, "{answer}");
    assert_eq!(have_slots(&harness).await, Vec::<String>::new());
    harness.stack.aws.set_plan(|sent| {
        if sent.operation == "TransactWriteItems" {
            Outcome::Fail("InternalServerError")
        } else {
            Outcome::Pass
        }
    });
    let (status, _) = harness.vapi(&request("unheld", PATIENT, &line(0))).await;
    assert_eq!(status, 500);
    harness.stack.aws.clear_plan();
    // It is not known what came of it, and another copy may have let it in: the slot goes back once the call is known to be over.
    assert_eq!(have_slots(&harness).await, ["unheld"]);
    harness.pass(1_500).await;
    harness.reconcile("calls").await;
    assert_eq!(have_slots(&harness).await, Vec::<String>::new());
    assert_eq!(holds_of(&harness, 0).await, 0);
}

#[tokio::test]
async fn a_web_call_has_a_slot_and_is_ended_at_once_where_there_is_none() {
    let harness = clinics(1, &[("CALL_SLOTS", "2"), ("CALL_SLOTS_FOR_INBOUND", "0")]).await;
    assert!(rings(&harness, "in-0", PATIENT, 0).await);
    let first = harness.ring_from_the_web(60);
    harness.pass(5).await;
    assert_eq!(have_slots(&harness).await, ["in-0".to_owned(), first.clone()]);
    let second = harness.ring_from_the_web(300);
    harness.pass(90).await;
    let ended = harness.stack.vapi.call(&second).unwrap().ended_reason;
    assert_eq!(ended.as_deref(), Some("manually-canceled"));
    assert!(!have_slots(&harness).await.contains(&first), "the first is over");
    harness.assert_books(ORG).await;
}

/// That a web call to a clinic's assistant talks.
fn talks(call: &str, clinic: usize) -> Value {
    let mut message = bodies::in_progress(call);
    let of = &mut message["message"]["call"];
    of["type"] = json!("webCall");
    of["assistantId"] =
        json!(if clinic == 0 { ASSISTANT_ID.to_owned() } else { format!("assistant-{clinic}") });
    for phone in ["phoneNumberId", "customer"] {
        of.as_object_mut().unwrap().remove(phone);
    }
    message
}

#[tokio::test]
async fn of_two_web_calls_at_once_the_one_without_a_slot_goes_on_and_an_operator_is_told() {
    let (alarms, _guard) = tests::alarms();
    let harness = clinics(2, &[("CALL_SLOTS", "1"), ("CALL_SLOTS_FOR_INBOUND", "0")]).await;
    let started = [talks("web-0", 0), talks("web-1", 1)];
    let answers = join_all(started.iter().map(|started| harness.vapi(started))).await;
    assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
    let have = have_slots(&harness).await;
    assert_eq!(have.len(), 1, "{have:?}");
    let lost = if have[0] == "web-0" { "web-1" } else { "web-0" };
    assert_eq!((holds_of(&harness, 0).await, holds_of(&harness, 1).await), (1, 1), "each is paid for");
    let raised = alarms.raised();
    assert_eq!(alarms.names(), ["call_without_slot"], "{raised:?}");
    for field in [format!("call_id={lost}"), "why=lost".into(), "limit=slots".into()] {
        assert!(raised[0].fields.iter().any(|there| there.replace('"', "") == field), "{field}: {raised:?}");
    }
    // A third finds the lines busy before it is held for: it is ended, and nobody need be told.
    harness.vapi(&talks("web-2", 1)).await;
    assert_eq!((holds_of(&harness, 1).await, alarms.names().len()), (1, 1));
}

#[tokio::test]
async fn what_is_kept_of_callers_and_numbers_names_nobody() {
    let harness = clinics(1, &[]).await;
    harness.has_number("outbound").await;
    assert!(rings(&harness, "in-0", PATIENT, 0).await);
    assert_eq!(dial(&harness, &patient(1), None).await.0, 201);
    let table = harness.table("call_slots");
    let kept = harness.stack.aws.peek("Scan", json!({"TableName": table})).to_string();
    assert!(kept.contains("in-0") && kept.contains("\"caller\""), "{kept}");
    for secret in ["7700900123", "77009", "2071838750", PHONE_ID] {
        assert!(!kept.contains(secret), "{secret} in {kept}");
    }
}
