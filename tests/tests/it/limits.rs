//! How many calls there may be: of a clinic at a time and a day, to one number, and of the whole account at Vapi.

use domain::{call::State, ids::CallId};
use futures::future::join_all;
use serde_json::{Value, json};
use tests::{ASSISTANT_ID, Harness, NUMBER, ORG, OTHER_ORG, bodies};

const BUSY: &str = "We're sorry, all our lines are busy at the moment. Please ring again in a few minutes.";
const PATIENT: &str = "+447700900123";
const OTHER_PATIENT: &str = "+447700900124";

/// A clinic that can call out.
async fn calling_clinic(settings: Vec<(String, String)>) -> Harness {
    let harness = Harness::empty(settings).await;
    harness.wallets.ensure(ORG).await.unwrap();
    harness.top_up(ORG, "pi_first", 6_000).await;
    harness.has_number("outbound").await;
    harness
}

async fn dial(harness: &Harness, to: &str, key: Option<&str>) -> (u16, Value) {
    harness.call_api(("POST", "/api/calls"), &harness.owner(), key, &json!({"phoneNumber": to})).await
}

fn rung(harness: &Harness) -> usize {
    harness.stack.vapi.outbound_calls().len()
}

#[tokio::test]
async fn a_clinic_has_five_calls_at_a_time_and_the_sixth_caller_hears_why() {
    // L2: twenty callers at once; the other clinic is unharmed.
    let harness = Harness::with_wallet(10_000, 600).await;
    harness.add_clinic(OTHER_ORG, "other-phone", "+442079460999", "other-assistant", 600).await;
    harness.top_up(OTHER_ORG, "pi_other", 2_500).await;
    let requests: Vec<Value> = (0..20).map(|i| bodies::request(&format!("call-{i}"))).collect();
    let answers = join_all(requests.iter().map(|request| harness.vapi(request))).await;
    let taken: Vec<usize> = (0..20).filter(|i| answers[*i].1.get("assistantId").is_some()).collect();
    assert_eq!(taken.len(), 5, "{answers:?}");
    let refused = answers.iter().filter(|answer| **answer == (200, json!({"error": BUSY}))).count();
    assert_eq!(refused, 15, "{answers:?}");
    assert_eq!(harness.money().await, (10_000 - 5 * 280, 5 * 280), "who is refused holds nothing");
    let mut other = bodies::request("other-1");
    other["message"]["call"]["phoneNumberId"] = json!("other-phone");
    assert_eq!(harness.vapi(&other).await.1["assistantId"], "other-assistant");
    // A repeat of either is answered as before, and the end of one call lets another in.
    assert!(harness.vapi(&requests[taken[0]]).await.1.get("assistantId").is_some());
    harness.vapi(&bodies::report(&format!("call-{}", taken[0]), 30)).await;
    assert_eq!(harness.vapi(&bodies::request("call-20")).await.1["assistantId"], ASSISTANT_ID);
    assert_eq!(harness.vapi(&bodies::request("call-21")).await.1, json!({"error": BUSY}));
    harness.assert_books(ORG).await;
    harness.assert_books(OTHER_ORG).await;
}

#[tokio::test]
async fn a_web_call_above_the_limit_is_ended_at_once_and_charged_for_what_was_talked() {
    let harness = Harness::with_wallet(2_500, 600).await;
    harness.limit_calls(ORG, 1).await;
    harness.ring(60);
    harness.pass(5).await;
    let web = harness.ring_from_the_web(300);
    harness.pass(90).await;
    let call = harness.call(&web).await;
    let talked = match call.state {
        State::Released => 0,
        State::Settled(bill) => bill.duration_secs,
        other @ (State::Authorizing
        | State::Authorized
        | State::InProgress { .. }
        | State::Ended { .. }
        | State::Refused { .. }) => panic!("{other:?}"),
    };
    assert!(talked < 10, "{talked} s");
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_web_call_without_outage_credit_ends_two_seconds_before_its_money() {
    let harness = Harness::empty(vec![("OUTAGE_CREDIT_PENCE".into(), "0".into())]).await;
    harness.add_clinic(ORG, tests::PHONE_ID, NUMBER, ASSISTANT_ID, 600).await;
    harness.top_up(ORG, "pi_first", 280).await;
    let web = harness.ring_from_the_web(590);
    harness.pass(620).await;
    assert_eq!(harness.stack.vapi.call(&web).unwrap().ended_reason.as_deref(), Some("manually-canceled"));
    let call = harness.call(&web).await;
    let State::Settled(bill) = call.state else { panic!("{:?}", call.state) };
    assert_eq!(bill.duration_secs, 298, "280p pay 300 s");
    assert!(harness.wallet().await.available.pence() >= 0);
    // A top-up lengthens one: Vapi was told no limit that its money would set.
    harness.top_up(ORG, "pi_second", 278).await;
    let web = harness.ring_from_the_web(400);
    harness.pass(200).await;
    harness.top_up(ORG, "pi_third", 280).await;
    harness.pass(300).await;
    let ended = harness.stack.vapi.call(&web).unwrap();
    assert_eq!(ended.ended_reason.as_deref(), Some("customer-ended-call"));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn an_operator_sets_how_many_calls_a_clinic_may_have() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let operator = local::token::issue_operator(base::clock::Clock::now(&*harness.clock)).unwrap();
    let path = format!("/api/operations/wallets/{ORG}/call-limit");
    let body = |calls: i64| json!({"calls": calls, "reason": "agreed with the clinic"}).to_string();
    for calls in [0, 16, -1] {
        assert_eq!(harness.post(&path, &operator, body(calls)).await.0, 400, "{calls}");
    }
    assert_eq!(harness.post(&path, &operator, r#"{"calls": 2}"#).await.0, 400, "a reason is asked for");
    assert_eq!(harness.post(&path, &harness.owner(), body(2)).await.0, 403);
    let nobody = format!("/api/operations/wallets/{OTHER_ORG}/call-limit");
    assert_eq!(harness.post(&nobody, &operator, body(2)).await.0, 404);
    assert_eq!(harness.post(&path, &operator, body(2)).await, (200, json!({"calls": 2})));
    for call in ["call-1", "call-2"] {
        assert_eq!(harness.vapi(&bodies::request(call)).await.1["assistantId"], ASSISTANT_ID);
    }
    assert_eq!(harness.vapi(&bodies::request("call-3")).await.1, json!({"error": BUSY}));
}

#[tokio::test]
async fn a_call_out_above_the_limit_is_refused_with_a_sentence_and_uses_no_key_up() {
    let harness = calling_clinic(vec![]).await;
    harness.limit_calls(ORG, 1).await;
    assert_eq!(dial(&harness, PATIENT, Some("key-1")).await.0, 201);
    let (status, problem) = dial(&harness, OTHER_PATIENT, Some("key-2")).await;
    assert_eq!((status, problem["code"].as_str()), (429, Some("too_many_calls")), "{problem}");
    assert_eq!(rung(&harness), 1);
    harness.pass(100).await;
    let (status, answer) = dial(&harness, OTHER_PATIENT, Some("key-2")).await;
    assert_eq!((status, rung(&harness)), (201, 2), "{answer}");
    harness.pass(100).await;
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn nobody_is_rung_by_two_keys_at_a_time() {
    let harness = calling_clinic(vec![]).await;
    let keys = ["key-1", "key-2", "key-3"];
    let answers = join_all(keys.map(|key| dial(&harness, PATIENT, Some(key)))).await;
    let mut outcomes: Vec<_> =
        answers.iter().map(|(status, answer)| (*status, answer["code"].as_str())).collect();
    outcomes.sort_unstable();
    let refused = (409, Some("number_on_call"));
    assert_eq!(outcomes, [(201, None), refused, refused], "{answers:?}");
    assert_eq!(rung(&harness), 1);
    // While they talk too; when it is over, another key is another call, and the first one's is the same for ever.
    harness.pass(10).await;
    assert_eq!(dial(&harness, PATIENT, Some("key-4")).await.1["code"], "number_on_call");
    harness.pass(100).await;
    let (status, answer) = dial(&harness, PATIENT, Some("key-4")).await;
    assert_eq!((status, rung(&harness)), (201, 2), "{answer}");
    harness.pass(100).await;
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_clinic_begins_so_many_calls_a_day() {
    let harness = calling_clinic(vec![("CALLS_OUT_PER_DAY".into(), "2".into())]).await;
    for to in [PATIENT, OTHER_PATIENT] {
        assert_eq!(dial(&harness, to, None).await.0, 201);
        assert_eq!(dial(&harness, to, None).await.0, 201, "a repeat is no call");
        harness.pass(100).await;
    }
    let (status, problem) = dial(&harness, PATIENT, Some("key-3")).await;
    assert_eq!((status, problem["code"].as_str()), (429, Some("too_many_calls_today")), "{problem}");
    assert_eq!((rung(&harness), harness.wallet().await.holds.len()), (2, 0));
    harness.pass(86_400).await;
    assert_eq!(dial(&harness, PATIENT, Some("key-3")).await.0, 201, "the next day");
}

#[tokio::test]
async fn what_exceeds_vapis_slots_is_refused_there_and_costs_nothing() {
    let (alarms, _guard) = tests::alarms();
    let harness = calling_clinic(vec![]).await;
    harness.add_clinic(OTHER_ORG, tests::PHONE_ID, NUMBER, ASSISTANT_ID, 600).await;
    harness.top_up(OTHER_ORG, "pi_other", 2_500).await;
    harness.stack.vapi.set_slots(1);
    let first = harness.ring(60);
    harness.pass(5).await;
    let (status, problem) = dial(&harness, PATIENT, None).await;
    assert_eq!((status, problem["code"].as_str()), (422, Some("call_refused")), "{problem}");
    let second = harness.ring(60);
    harness.pass(100).await;
    let reason = |call: &str| harness.stack.vapi.call(call).unwrap().ended_reason;
    assert_eq!(reason(&first).as_deref(), Some("customer-ended-call"));
    assert_eq!(reason(&second).as_deref(), Some("call.start.error-subscription-concurrency-limit-reached"));
    let second = harness.calls.get(OTHER_ORG, &CallId::parse(second).unwrap()).await.unwrap().unwrap();
    assert_eq!(second.state, State::Released);
    assert_eq!(alarms.names().iter().filter(|name| *name == "vapi_account_refuses").count(), 2);
    assert!(harness.wallet().await.holds.is_empty());
    harness.assert_books(OTHER_ORG).await;
}
