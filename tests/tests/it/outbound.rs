//! Calls that we start: asked for once, rung once, billed once, and never on another's number.

use domain::{call::State, ids::CallId};
use futures::future::join_all;
use local::aws::Outcome;
use sandbox::faults::Mode;
use serde_json::{Value, json};
use tests::{Harness, ORG, OTHER_ORG, crashed_after};

const PATIENT: &str = "+447700900123";
const NEVER_ANSWERS: &str = "+447700900199";

/// A clinic that can call out, with so much left in its wallet.
async fn clinic(pence: u32) -> Harness {
    let harness = Harness::empty(vec![]).await;
    harness.wallets.ensure(ORG).await.unwrap();
    harness.top_up(ORG, "pi_first", 1_000 + pence).await;
    harness.has_number("outbound").await;
    harness
}

async fn dial(harness: &Harness, to: &str, key: Option<&str>) -> (u16, Value) {
    harness.call_api(("POST", "/api/calls"), &harness.owner(), key, &json!({"phoneNumber": to})).await
}

/// How many calls Vapi was made to place.
fn rung(harness: &Harness) -> usize {
    harness.stack.vapi.outbound_calls().len()
}

#[tokio::test]
async fn without_what_it_takes_nobody_is_rung() {
    // N7, N8: a table of what is missing.
    let harness = Harness::with_wallet(2_500, 600).await;
    let owner = harness.owner();
    let agent = json!({"outbound": {"name": "A", "systemPrompt": "B", "firstMessage": "C", "voiceId": "Elliot",
        "voiceProvider": "vapi", "language": "en", "maxDurationSeconds": 600}});
    harness.call_api(("POST", "/api/founder-console/agent/behavior"), &owner, None, &agent).await;
    harness.pass(10).await;
    let (status, problem) = dial(&harness, PATIENT, None).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("no_outbound_number")), "{problem}");
    // Not the inbound number, and not another org's outbound number.
    harness.top_up(OTHER_ORG, "pi_other", 0).await;
    harness.wallets.ensure(OTHER_ORG).await.unwrap();
    harness.top_up(OTHER_ORG, "pi_other", 1_000).await;
    let outbound = json!({"country": "US", "direction": "outbound"});
    assert_eq!(harness.buy_for(OTHER_ORG, &outbound, None).await.0, 201);
    let (status, problem) = dial(&harness, PATIENT, None).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("no_outbound_number")), "{problem}");
    for (body, code) in [
        (json!({}), "invalid_value"),
        (json!({"phoneNumber": "07700 900123"}), "invalid_value"),
        (json!({"phoneNumber": 447_700_900_123_u64}), "invalid_value"),
        (json!({"phoneNumber": "7c1d0b52-demo-number"}), "invalid_value"),
        (json!({"phoneNumber": "+33123456789"}), "country_not_allowed"),
        (json!({"phoneNumber": "+449098790123"}), "country_not_allowed"),
        (json!({"phoneNumber": "+18765550100"}), "country_not_allowed"),
        (json!({"phoneNumber": PATIENT, "agentRole": "both"}), "invalid_value"),
        (json!([]), "invalid_body"),
    ] {
        let (status, problem) = harness.call_api(("POST", "/api/calls"), &owner, None, &body).await;
        assert_eq!((status, problem["code"].as_str()), (400, Some(code)), "{body}: {problem}");
    }
    assert_eq!((rung(&harness), harness.money().await), (0, (2_500, 0)));
    let body = json!({"phoneNumber": PATIENT});
    harness.pass(10).await;
    let other = harness.token(OTHER_ORG, "owner");
    let (status, problem) = harness.call_api(("POST", "/api/calls"), &other, None, &body).await;
    assert_eq!(
        (status, problem["code"].as_str()),
        (402, Some("insufficient_funds")),
        "no money left: {problem}"
    );
    harness.fault(("vapi", "create_assistant"), Mode::Error, 100);
    let third = domain::ids::OrgId::new(uuid::Uuid::from_u128(0xC));
    harness.wallets.ensure(third).await.unwrap();
    harness.top_up(third, "pi_third", 2_000).await;
    assert_eq!(harness.buy_for(third, &outbound, None).await.0, 201);
    harness.pass(10).await;
    let third = harness.token(third, "owner");
    let (status, problem) = harness.call_api(("POST", "/api/calls"), &third, None, &body).await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("agent_not_ready")), "{problem}");
}

#[tokio::test]
async fn an_empty_wallet_rings_nobody() {
    // B11
    let harness = clinic(55).await;
    let (status, problem) = dial(&harness, PATIENT, None).await;
    let (required, current, short) = (&problem["required"], &problem["current"], &problem["shortfallPence"]);
    assert_eq!((status, required, current, short), (402, &json!(56), &json!(55), &json!(1)), "{problem}");
    let (status, problem) = dial(&harness, PATIENT, Some("key-1")).await;
    assert_eq!((status, problem["code"].as_str(), rung(&harness)), (402, Some("insufficient_funds"), 0));
    harness.top_up(ORG, "pi_more", 100).await;
    assert_eq!(dial(&harness, PATIENT, Some("key-1")).await.0, 201, "topped up, the same request rings");
}

#[tokio::test]
async fn a_call_out_is_held_metered_and_billed_under_one_id() {
    let harness = clinic(2_500).await;
    harness.stack.vapi.set_outbound_talk_secs(400);
    let (status, answer) = dial(&harness, PATIENT, None).await;
    assert_eq!(status, 201, "{answer}");
    let id = answer["callId"].as_str().unwrap().to_owned();
    assert_eq!(harness.money().await, (2_500 - 280, 280));
    harness.pass(300).await;
    assert_eq!(
        harness.money().await,
        (2_500 - 559, 559),
        "extended as any call, to what its limit of 598 s needs"
    );
    assert!(harness.wallet().await.holds.contains_key(&CallId::parse(id.as_str()).unwrap()));
    harness.pass(200).await;
    assert_eq!(harness.bills_of(&id).await, [374], "400 s");
    assert_eq!(harness.money().await, (2_500 - 374, 0));
    let (_, detail) = harness.get(&format!("/api/calls-dashboard/{id}"), &harness.owner()).await;
    assert_eq!(
        (&detail["call_direction"], &detail["cost_pence"], &detail["status"], &detail["phone_number"]),
        (&json!("outbound"), &json!(374), &json!("completed"), &json!(PATIENT)),
        "{detail}"
    );
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn the_callers_id_is_the_orgs_own_number() {
    // N7
    let harness = clinic(2_500).await;
    let number = harness.dropdown_of(ORG).await.remove(0);
    dial(&harness, PATIENT, None).await;
    let call = harness.stack.vapi.outbound_calls().remove(0);
    let from =
        harness.stack.vapi.numbers().into_iter().find(|known| known["id"] == json!(call.phone_number_id));
    assert_eq!(from.unwrap()["number"], json!(number));
    let (status, _) = dial(&harness, &number, None).await;
    assert_eq!(status, 400, "an org does not ring itself");
}

#[tokio::test]
async fn a_call_that_is_not_answered_costs_nothing() {
    let harness = clinic(2_500).await;
    let (_, answer) = dial(&harness, NEVER_ANSWERS, None).await;
    assert_eq!(harness.money().await, (2_220, 280));
    harness.pass(60).await;
    assert_eq!(harness.money().await, (2_500, 0));
    assert_eq!(harness.call(answer["callId"].as_str().unwrap()).await.state, State::Released);
    let (_, page) = harness.get("/api/calls-dashboard?status=missed", &harness.owner()).await;
    assert_eq!(page["pagination"]["total"], 1, "{page}");
}

#[tokio::test]
async fn a_repeated_request_rings_nobody_twice() {
    let harness = clinic(2_500).await;
    harness.stack.vapi.set_outbound_talk_secs(10);
    let answers = join_all((0..10).map(|_| dial(&harness, PATIENT, None))).await;
    let ids: std::collections::BTreeSet<String> =
        answers.iter().filter_map(|(_, answer)| answer["callId"].as_str().map(str::to_owned)).collect();
    assert!(answers.iter().all(|(status, _)| [201, 202].contains(status)), "{answers:?}");
    assert_eq!((ids.len(), rung(&harness)), (1, 1), "ten at once");
    harness.pass(20).await;
    assert_eq!(
        (dial(&harness, PATIENT, None).await.0, rung(&harness)),
        (201, 1),
        "just begun, although over"
    );
    harness.pass(20).await;
    assert_eq!((dial(&harness, PATIENT, None).await.0, rung(&harness)), (201, 2), "half a minute later");
    harness.pass(100).await;
    // By a key: the same call for ever, whatever else is rung.
    let (_, first) = dial(&harness, PATIENT, Some("key-1")).await;
    harness.pass(1_000).await;
    let (status, again) = dial(&harness, PATIENT, Some("key-1")).await;
    assert_eq!((status, &again["callId"], rung(&harness)), (201, &first["callId"], 3));
    let (status, problem) = dial(&harness, "+447700900124", Some("key-1")).await;
    assert_eq!((status, problem["code"].as_str()), (422, Some("idempotency_key_reused")));
    let (status, other) = dial(&harness, PATIENT, Some("key-2")).await;
    assert_eq!((status, rung(&harness)), (201, 4), "another key is another call: {other}");
    assert_ne!(other["callId"], first["callId"]);
    harness.pass(100).await;
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_time_out_is_looked_up_and_never_dialled_again() {
    let harness = clinic(2_500).await;
    // It rang, and the answer was lost: found by the mark it was dialled with.
    harness.fault(("vapi", "dial"), Mode::TimeoutAfter, 1);
    let (status, answer) = dial(&harness, PATIENT, None).await;
    assert_eq!((status, answer["vapiCallId"].is_string(), rung(&harness)), (201, true, 1), "{answer}");
    harness.pass(200).await;
    assert_eq!(harness.bills_of(answer["callId"].as_str().unwrap()).await, [28], "30 s");

    // It rang, the answer was lost and the list too: what Vapi posts names the call.
    harness.fault(("vapi", "dial"), Mode::TimeoutAfter, 1);
    harness.fault(("vapi", "list_calls"), Mode::Error, 1);
    let (status, answer) = dial(&harness, PATIENT, None).await;
    assert_eq!((status, &answer["status"], rung(&harness)), (202, &json!("unknown"), 2), "{answer}");
    harness.pass(200).await;
    assert_eq!(harness.bills_of(answer["callId"].as_str().unwrap()).await, [28]);

    // It never rang: the hold is kept for ten minutes, then Vapi has not heard of it.
    harness.fault(("vapi", "dial"), Mode::TimeoutBefore, 1);
    let before = harness.money().await.0;
    let (status, answer) = dial(&harness, PATIENT, None).await;
    assert_eq!((status, rung(&harness)), (202, 2), "{answer}");
    assert_eq!(dial(&harness, PATIENT, None).await.0, 202, "a repeat finds it open");
    harness.pass(500).await;
    assert_eq!(
        (harness.money().await, rung(&harness)),
        ((before - 280, 280), 2),
        "kept, and not dialled again"
    );
    harness.pass(300).await;
    assert_eq!(harness.money().await, (before, 0));
    assert_eq!(harness.call(answer["callId"].as_str().unwrap()).await.state, State::Released);

    // A confirmed no gives the hold back at once.
    harness.fault(("vapi", "dial"), Mode::Refuse, 1);
    let (status, problem) = dial(&harness, PATIENT, None).await;
    assert_eq!((status, problem["code"].as_str()), (422, Some("call_refused")), "{problem}");
    assert_eq!((harness.money().await, rung(&harness)), ((before, 0), 2));
    assert_eq!(
        (dial(&harness, PATIENT, None).await.0, rung(&harness)),
        (201, 3),
        "nobody was rung: it may be tried"
    );
    harness.pass(200).await;
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_call_out_that_dies_after_any_await_rings_once_and_is_billed_once() {
    for polls in 0.. {
        let harness = clinic(2_500).await;
        let outcome = crashed_after(polls, dial(&harness, PATIENT, Some("key-1"))).await;
        let (status, answer) = dial(&harness, PATIENT, Some("key-1")).await;
        assert!([201, 202].contains(&status), "died at its poll {polls}: {answer}");
        harness.pass(1_500).await;
        let bills = harness.bills_of(answer["callId"].as_str().unwrap()).await;
        let rung = rung(&harness);
        assert!(rung <= 1, "died at its poll {polls}: rung {rung} times");
        assert_eq!(bills, vec![28; rung], "died at its poll {polls}");
        assert_eq!(harness.wallet().await.holds.len(), 0, "died at its poll {polls}");
        harness.assert_books(ORG).await;
        if outcome.is_some() {
            assert!(polls > 20 && rung == 1, "there was something to die in");
            break;
        }
    }
}

#[tokio::test]
async fn a_store_that_fails_anywhere_in_a_call_out_loses_no_money_and_rings_once() {
    for fate in [Outcome::Fail("ValidationException"), Outcome::LoseRequest, Outcome::LoseAnswer] {
        for at in 0.. {
            let harness = clinic(2_500).await;
            let count = crate::numbers::one_fault(&harness, at, fate);
            let (first, _) = dial(&harness, PATIENT, Some("key-1")).await;
            harness.stack.aws.clear_plan();
            let writes = *count.lock().unwrap();
            let (status, answer) = dial(&harness, PATIENT, Some("key-1")).await;
            assert!([201, 202].contains(&status), "{fate:?} at write {at}: {first}, {answer}");
            harness.pass(1_500).await;
            assert!(rung(&harness) <= 1, "{fate:?} at write {at}");
            let bills = harness.bills_of(answer["callId"].as_str().unwrap()).await;
            assert_eq!(bills, vec![28; rung(&harness)], "{fate:?} at write {at}");
            assert_eq!(harness.wallet().await.holds.len(), 0, "{fate:?} at write {at}");
            if at >= writes {
                assert!(writes >= 5 && rung(&harness) == 1, "{writes} writes");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_call_that_vapi_will_not_end_is_hung_up_at_the_carrier() {
    let harness = clinic(56).await;
    harness.stack.vapi.set_outbound_talk_secs(3_000);
    harness.stack.vapi.with_faults(|faults| faults.ignores_end_call = true);
    let (status, answer) = dial(&harness, PATIENT, None).await;
    assert_eq!(status, 201, "{answer}");
    harness.pass(200).await;
    let call = harness.stack.vapi.outbound_calls().remove(0);
    assert_eq!(call.status, "ended");
    let talked = call.ended_at.unwrap().duration_since(call.started_at.unwrap()).as_secs();
    assert!(
        (64..=68).contains(&talked),
        "the money pays 60 s, the carrier hangs up 8 s after the first try: {talked}"
    );
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn the_carrier_hangs_up_although_vapi_answers_nothing() {
    let harness = clinic(56).await;
    harness.stack.vapi.set_outbound_talk_secs(3_000);
    assert_eq!(dial(&harness, PATIENT, None).await.0, 201);
    harness.pass(10).await;
    harness.stack.vapi.with_faults(|faults| faults.rest_is_down = true);
    harness.fault(("vapi", "command"), Mode::TimeoutBefore, 1_000);
    harness.pass(200).await;
    let call = harness.stack.vapi.outbound_calls().remove(0);
    assert_eq!(call.status, "ended");
    let talked = call.ended_at.unwrap().duration_since(call.started_at.unwrap()).as_secs();
    assert!((64..=70).contains(&talked), "{talked}");
}

#[tokio::test]
async fn a_call_that_only_the_meter_finds_is_known_from_then_on() {
    let harness = clinic(2_500).await;
    harness.stack.vapi.set_outbound_talk_secs(400);
    harness.stack.vapi.with_faults(|faults| {
        for label in ["status-update:ringing", "status-update:in-progress", "status-update:ended"] {
            faults.lost.insert(label.into());
        }
        faults.lost.insert("end-of-call-report".into());
    });
    harness.fault(("vapi", "dial"), Mode::TimeoutAfter, 1);
    harness.fault(("vapi", "list_calls"), Mode::Error, 1);
    let (status, answer) = dial(&harness, PATIENT, None).await;
    assert_eq!(status, 202, "{answer}");
    let id = answer["callId"].as_str().unwrap();
    harness.pass(100).await;
    let record = harness.call(id).await;
    assert!(record.parties.vapi_call_id.is_some() && record.parties.carrier_sid.is_some(), "{record:?}");
    assert!(matches!(record.state, State::InProgress { .. }));
    harness.stack.faults.forget_log();
    harness.pass(600).await;
    assert_eq!(harness.bills_of(id).await, [374]);
    let asked = harness.stack.faults.log();
    assert!(
        !asked.iter().any(|(_, operation)| operation == "list_calls"),
        "never searched for again: {asked:?}"
    );
}

#[tokio::test]
async fn a_call_that_rings_after_it_was_given_up_is_paid_or_ended() {
    let harness = clinic(2_500).await;
    harness.fault(("vapi", "dial"), Mode::TimeoutBefore, 1);
    let (_, answer) = dial(&harness, PATIENT, None).await;
    let id = answer["callId"].as_str().unwrap().to_owned();
    harness.pass(800).await;
    assert_eq!(harness.call(&id).await.state, State::Released);
    let number = harness.stack.vapi.numbers().remove(0);
    let late = json!({"message": {"type": "status-update", "status": "in-progress", "call": {"id": "late-1",
        "type": "outboundPhoneCall", "phoneNumberId": number["id"], "name": id,
        "monitor": {"controlUrl": "https://control.vapi.ai/late"}}}});
    assert_eq!(harness.vapi(&late).await.0, 200);
    let record = harness.call(&id).await;
    assert!(matches!(record.state, State::InProgress { .. }), "{record:?}");
    assert!(harness.wallet().await.holds.contains_key(&record.call_id), "it has its hold again");
}

#[tokio::test]
async fn a_forged_mark_leads_to_no_other_call() {
    // W8: metadata names a call only within the org of the number, and only one that was dialled and has no Vapi call yet.
    let harness = clinic(2_500).await;
    let (_, answer) = dial(&harness, PATIENT, None).await;
    let id = answer["callId"].as_str().unwrap().to_owned();
    harness.add_clinic(OTHER_ORG, "other-phone", "+442079460999", "other-assistant", 600).await;
    harness.top_up(OTHER_ORG, "pi_other", 2_500).await;
    let forged = json!({"message": {"type": "end-of-call-report", "startedAt": "2026-01-01T00:00:00Z",
        "endedAt": "2026-01-01T01:00:00Z", "call": {"id": "forged-1", "type": "outboundPhoneCall",
        "phoneNumberId": "other-phone", "assistantOverrides": {"metadata": {"call_id": id, "org_id": ORG}}}}});
    assert_eq!(harness.vapi(&forged).await.0, 200);
    assert_eq!(harness.bills_of(&id).await, Vec::<i64>::new());
    assert_eq!(
        harness.wallet_of(OTHER_ORG).await.balance().pence(),
        2_500 - 3_360,
        "it is the other org's call"
    );
    let mut own = forged.clone();
    own["message"]["call"]["id"] = json!("forged-2");
    own["message"]["call"]["phoneNumberId"] = json!(harness.stack.vapi.outbound_calls()[0].phone_number_id);
    assert_eq!(harness.vapi(&own).await.0, 200);
    assert_eq!(harness.bills_of(&id).await, Vec::<i64>::new(), "it has a Vapi call of its own already");
    assert_eq!(harness.bills_of("forged-2").await, [3_360]);
}
