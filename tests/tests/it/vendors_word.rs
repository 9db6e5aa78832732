//! A vendor's word is bounded by what our own records can confirm: how long a call was, whether it is over, which call it is,
//! why it ended, and what Vapi says of it later.

use base::clock::Clock;
use domain::{
    call::State,
    ids::CallId,
    ledger::EntrySide,
    tariff::Tariff,
    time::{plus_secs, rfc3339_millis},
};
use jiff::{SignedDuration, Timestamp};
use sandbox::faults::Mode;
use serde_json::{Value, json};
use tests::{ASSISTANT_ID, Harness, ORG, PHONE_ID, alarms, bodies};

const DOUBTS: &str = "/api/operations/doubts";

fn operator(harness: &Harness) -> String {
    local::token::issue_operator(harness.clock.now()).unwrap()
}

fn price(harness: &Harness, secs: u32) -> i64 {
    Tariff::at(harness.clock.now()).charge(secs).pence()
}

async fn doubts(harness: &Harness) -> Vec<Value> {
    let (status, answer) = harness.get(DOUBTS, &operator(harness)).await;
    assert_eq!(status, 200, "{answer}");
    answer["doubts"].as_array().unwrap().clone()
}

/// What the log says that operators did to the org's money, from before an act if one is named.
async fn acts(harness: &Harness, before: &str) -> Value {
    let path = format!("/api/operations/wallets/{ORG}/acts?before={}", before.replace('#', "%23"));
    let (status, answer) = harness.get(&path, &operator(harness)).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

async fn accept(harness: &Harness, call: &str) -> (u16, Value) {
    harness.post(&format!("{DOUBTS}/{ORG}/{call}/accept"), &operator(harness), "").await
}

/// A report that states these times, as milliseconds after now.
fn report_between(harness: &Harness, call: &str, kind: &str, start: i64, end: i64, reason: &str) -> Value {
    let at = |millis: i64| rfc3339_millis(harness.clock.now() + SignedDuration::from_millis(millis));
    json!({"message": {"type": "end-of-call-report", "startedAt": at(start), "endedAt": at(end),
        "endedReason": reason, "call": {"id": call, "type": kind, "phoneNumberId": PHONE_ID,
        "assistantId": ASSISTANT_ID, "customer": {"number": "+447700900123"}}}})
}

#[tokio::test]
async fn a_duration_that_our_clock_cannot_have_seen_is_a_doubt_and_no_charge() {
    // V1: twenty hours, stated of a call that rang two seconds ago: starts before the ring, ends in the future, both.
    const HOURS_20: i64 = 72_000_000;
    for (start, end) in [(-HOURS_20, 0), (0, HOURS_20), (-HOURS_20 / 2, HOURS_20 / 2)] {
        let (alarms, _guard) = alarms();
        let harness = Harness::with_wallet(2_500, 600).await;
        harness.vapi(&bodies::request("call-1")).await;
        harness.vapi(&bodies::in_progress("call-1")).await;
        harness.pass(2).await;
        let body = report_between(&harness, "call-1", "inboundPhoneCall", start, end, "customer-ended-call");
        assert_eq!(harness.vapi_as_it_is(&body).await.0, 200);
        assert_eq!(
            harness.bills_of("call-1").await,
            [price(&harness, 7)],
            "two seconds, and five for the clocks"
        );
        assert_eq!(harness.money().await, (2_500 - price(&harness, 7), 0), "the rest is in no hold");
        assert!(alarms.names().contains(&"call_duration_doubted".to_owned()));
        assert!(harness.stack.stripe.all("payment_intent").is_empty(), "no card is charged for it");
        let listed = doubts(&harness).await;
        let expected = json!({"orgId": ORG, "callId": "call-1", "billedSecs": 7, "statedSecs": 72_000,
            "amountPence": price(&harness, 72_000) - price(&harness, 7), "why": "unconfirmed",
            "raisedAt": rfc3339_millis(harness.clock.now()),
            "lapsesAt": rfc3339_millis(harness.clock.now() + SignedDuration::from_hours(24 * 14))});
        assert_eq!(listed, [expected]);
        harness.vapi_as_it_is(&body).await;
        assert_eq!(
            (harness.bills_of("call-1").await.len(), doubts(&harness).await.len()),
            (1, 1),
            "a repeat"
        );
        harness.assert_books(ORG).await;
    }
}

#[tokio::test]
async fn no_more_is_believed_than_the_limit_that_vapi_was_told() {
    // V1: long after the ring, the clock could have seen it; Vapi was told to end it at 598 s.
    let harness = Harness::with_wallet(2_500, 600).await;
    harness.vapi(&bodies::request("call-1")).await;
    harness.clock.turn_to(harness.clock.now() + SignedDuration::from_secs(4_000));
    let body = report_between(&harness, "call-1", "inboundPhoneCall", -3_900_000, 0, "customer-ended-call");
    harness.vapi_as_it_is(&body).await;
    assert_eq!(harness.bills_of("call-1").await, [price(&harness, 618)]);
    assert_eq!(doubts(&harness).await[0]["statedSecs"], 3_900);
}

#[tokio::test]
async fn a_call_that_began_without_us_is_believed_since_vapi_made_it() {
    // V1: a web call of which no message came before its report.
    let harness = Harness::with_wallet(2_500, 600).await;
    let lost = ["status-update:in-progress", "status-update:ended", "end-of-call-report"];
    harness.stack.vapi.with_faults(|faults| faults.lost.extend(lost.map(str::to_owned)));
    let call = harness.ring_from_the_web(300);
    harness.pass(310).await;
    let ended_at = harness.stack.vapi.call(&call).unwrap().ended_at.unwrap();
    let ago = ended_at.duration_since(harness.clock.now()).as_millis();
    let ago = i64::try_from(ago).unwrap();
    let body = report_between(&harness, &call, "webCall", ago - 300_000, ago, "customer-ended-call");
    harness.vapi_as_it_is(&body).await;
    assert_eq!(harness.bills_of(&call).await, [price(&harness, 300)], "Vapi's record says when it was made");
    assert_eq!(doubts(&harness).await, Vec::<Value>::new());
    let impossible = harness.ring_from_the_web(1);
    harness.pass(5).await;
    let body = report_between(&harness, &impossible, "webCall", -36_000_000, 0, "customer-ended-call");
    harness.vapi_as_it_is(&body).await;
    let billed = harness.bills_of(&impossible).await;
    assert_eq!(billed, [price(&harness, 1)], "what Vapi's own record says, not the report");
}

#[tokio::test]
async fn a_call_out_is_believed_since_it_was_dialled() {
    let harness = outbound().await;
    harness.stack.vapi.with_faults(|faults| {
        for name in ["status-update:in-progress", "status-update:ended", "end-of-call-report"] {
            faults.lost.insert(name.into());
        }
    });
    let id = dialled(&harness).await;
    harness.pass(3).await;
    let vapi = harness.stack.vapi.outbound_calls().remove(0).id;
    // Vapi's record, which would be asked, cannot be had.
    harness.fault(("vapi", "get_call"), Mode::Error, 100);
    let body = report_between(&harness, &vapi, "outboundPhoneCall", -9_000_000, 0, "customer-ended-call");
    harness.vapi_as_it_is(&body).await;
    assert_eq!(harness.bills_of(&id).await, [price(&harness, 8)]);
}

#[tokio::test]
async fn a_doubt_is_booked_by_a_person_once_and_lapses_after_14_days() {
    let harness = Harness::with_wallet(2_500, 600).await;
    for call in ["call-1", "call-2"] {
        harness.vapi(&bodies::request(call)).await;
        let body = report_between(&harness, call, "inboundPhoneCall", -900_000, 0, "customer-ended-call");
        harness.vapi_as_it_is(&body).await;
    }
    let (status, _) = harness.post(&format!("{DOUBTS}/{ORG}/call-1/accept"), &harness.owner(), "").await;
    assert_eq!(status, 403, "a clinic does not decide about doubts");
    let (status, booked) = accept(&harness, "call-1").await;
    assert_eq!((status, &booked["durationSecs"]), (200, &json!(900)), "{booked}");
    assert_eq!(harness.net_of("call-1").await, price(&harness, 900));
    let entry = harness.entries().await.pop().unwrap();
    assert!(entry.description.contains("900 s instead of 5 s"), "both figures: {}", entry.description);
    let (money, again) = (harness.money().await, accept(&harness, "call-1").await);
    assert_eq!(
        (again, harness.money().await),
        ((200, booked), money),
        "once: again is answered with what is booked"
    );
    assert_eq!(doubts(&harness).await.len(), 1);
    harness.clock.turn_to(harness.clock.now() + SignedDuration::from_hours(24 * 14));
    let (status, problem) = accept(&harness, "call-2").await;
    assert_eq!((status, problem["code"].as_str()), (409, Some("doubt_lapsed")), "{problem}");
    assert_eq!(doubts(&harness).await.len(), 0);
    assert_eq!(accept(&harness, "call-3").await.0, 404);
    let acts = acts(&harness, "").await;
    assert_eq!(
        acts["acts"].as_array().unwrap().len(),
        1,
        "what was done, and nothing that was refused: {acts}"
    );
    assert_eq!(acts["acts"][0]["record"], json!({"kind": "call", "id": "call-1"}));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_stray_end_does_not_stop_the_meter() {
    // V2: the call goes on for 400 s after a message said that it is over.
    let harness = Harness::with_wallet(2_500, 3_600).await;
    let call = harness.ring(400);
    harness.pass(10).await;
    let mut stray = bodies::ended(&call);
    stray["message"]["call"]["id"] = json!(call);
    harness.vapi(&stray).await;
    harness.pass(340).await;
    let (_, held) = harness.money().await;
    assert!(held > 280, "it is held for and extended like any other: {held}");
    harness.pass(120).await;
    assert_eq!(harness.bills_of(&call).await, [price(&harness, 400)]);
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_call_that_lives_on_without_money_is_ended_all_the_same() {
    // V2
    let harness = Harness::with_wallet(280, 3_600).await;
    let call = harness.ring(1_200);
    harness.pass(10).await;
    harness.vapi(&bodies::ended(&call)).await;
    harness.pass(400).await;
    let there = harness.stack.vapi.call(&call).unwrap();
    let talked = there.ended_at.unwrap().duration_since(there.started_at.unwrap()).as_secs();
    assert!(talked <= 300, "ended when its money was: {talked} s");
    assert_eq!(harness.money().await, (280 - price(&harness, u32::try_from(talked).unwrap()), 0));
}

#[tokio::test]
async fn what_nothing_shows_for_ten_minutes_is_not_charged_and_the_rest_is_a_doubt() {
    // V2: 20 minutes of talk after a stray end, of which Vapi's record alone says something.
    let (alarms, _guard) = alarms();
    let harness = Harness::with_wallet(2_500, 3_600).await;
    let call = harness.ring(1_200);
    harness.pass(10).await;
    harness.vapi(&bodies::ended(&call)).await;
    harness.pass(800).await;
    assert_eq!(harness.bills_of(&call).await, [price(&harness, 9)], "what was shown");
    assert_eq!(harness.money().await.1, 0);
    assert_eq!(alarms.names().iter().filter(|name| *name == "ended_call_lives_on").count(), 1);
    harness.pass(600).await;
    assert_eq!(harness.bills_of(&call).await.len(), 1);
    assert_eq!(doubts(&harness).await[0]["statedSecs"], 1_200, "the report comes: a person decides");
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_message_from_within_the_call_shows_that_it_goes_on() {
    // V2: a tool is used every five minutes.
    let harness = Harness::with_wallet(2_500, 3_600).await;
    let call = harness.ring(1_200);
    harness.pass(10).await;
    harness.vapi(&bodies::ended(&call)).await;
    for _ in 0..3 {
        harness.pass(300).await;
        harness.vapi(&json!({"message": {"type": "hang", "call": {"id": call}}})).await;
    }
    harness.pass(400).await;
    assert_eq!(harness.bills_of(&call).await, [price(&harness, 1_200)]);
}

#[tokio::test]
async fn what_vapi_says_later_corrects_a_bill_in_the_clinics_favour_and_is_else_a_doubt() {
    // V3
    let (alarms, _guard) = alarms();
    let harness = Harness::with_wallet(2_500, 600).await;
    let call = harness.ring(100);
    harness.pass(110).await;
    assert_eq!(harness.net_of(&call).await, price(&harness, 100));
    let start = harness.stack.vapi.call(&call).unwrap().started_at.unwrap();
    let says = |secs: i64| harness.stack.vapi.add_past_call(&call, Some(start), plus_secs(start, secs));
    // A second report that differs has the record read, which agrees with the bill.
    let report = |secs: i64| {
        let ago = i64::try_from(harness.clock.now().duration_since(start).as_millis()).unwrap();
        report_between(&harness, &call, "inboundPhoneCall", -ago, secs * 1_000 - ago, "customer-ended-call")
    };
    harness.vapi_as_it_is(&report(40)).await;
    assert_eq!(harness.net_of(&call).await, price(&harness, 100), "the report alone changes nothing");
    says(40);
    harness.vapi_as_it_is(&report(40)).await;
    assert_eq!(harness.net_of(&call).await, price(&harness, 40));
    let entry = harness.entries().await.pop().unwrap();
    assert_eq!(entry.direction, EntrySide::Credit);
    assert!(entry.description.contains("40 s instead of 100 s"), "{}", entry.description);
    let (_, shown) = harness.get(&format!("/api/calls-dashboard/{call}"), &harness.owner()).await;
    assert_eq!((&shown["cost_pence"], &shown["duration_seconds"]), (&json!(price(&harness, 40)), &json!(40)));
    // No message comes of the next change: the list is compared.
    says(70);
    harness.reconcile("listing").await;
    assert_eq!(harness.net_of(&call).await, price(&harness, 40), "against the clinic only by a person");
    assert_eq!(doubts(&harness).await[0]["why"], "later_word");
    assert!(alarms.names().contains(&"call_duration_doubted".to_owned()));
    harness.reconcile("listing").await;
    assert_eq!(doubts(&harness).await.len(), 1);
    says(30);
    harness.reconcile("listing").await;
    assert_eq!(harness.net_of(&call).await, price(&harness, 30));
    assert_eq!(doubts(&harness).await, Vec::<Value>::new(), "a later word has settled it");
    harness.assert_books(ORG).await;
}

/// A clinic that can call out.
async fn outbound() -> Harness {
    let harness = Harness::empty(vec![]).await;
    harness.wallets.ensure(ORG).await.unwrap();
    harness.top_up(ORG, "pi_first", 3_500).await;
    harness.has_number("outbound").await;
    harness
}

/// Rings a patient. Returns our id of the call, whatever Vapi answered.
async fn dialled(harness: &Harness) -> String {
    let body = json!({"phoneNumber": "+447700900123"});
    let (status, answer) = harness.call_api(("POST", "/api/calls"), &harness.owner(), None, &body).await;
    assert!(status == 201 || status == 202, "{answer}");
    answer["callId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn one_vapi_call_is_one_record_and_one_bill() {
    // V4: the dial is not answered, and the first messages bear none of our marks.
    let harness = outbound().await;
    let (before, _) = harness.money().await;
    harness.fault(("vapi", "dial"), Mode::TimeoutAfter, 1);
    harness.fault(("vapi", "list_calls"), Mode::Error, 2);
    harness.stack.vapi.with_faults(|faults| {
        for name in ["status-update:in-progress", "status-update:ended", "end-of-call-report"] {
            faults.lost.insert(name.into());
        }
    });
    harness.stack.vapi.set_outbound_talk_secs(100);
    let ours = dialled(&harness).await;
    let call = harness.stack.vapi.outbound_calls().remove(0);
    harness.pass(3).await;
    let unmarked = |more: Value| {
        let mut message = json!({"call": {"id": call.id, "type": "outboundPhoneCall",
            "phoneNumberId": call.phone_number_id, "assistantId": call.assistant_id}});
        for (name, value) in more.as_object().unwrap() {
            message[name] = value.clone();
        }
        json!({ "message": message })
    };
    harness.vapi(&unmarked(json!({"type": "status-update", "status": "in-progress"}))).await;
    harness.pass(200).await;
    let there = harness.stack.vapi.call(&call.id).unwrap();
    let report = unmarked(json!({"type": "end-of-call-report", "endedReason": "customer-ended-call",
        "startedAt": rfc3339_millis(there.started_at.unwrap()),
        "endedAt": rfc3339_millis(there.ended_at.unwrap())}));
    harness.vapi_as_it_is(&report).await;
    harness.pass(1_000).await;
    let (after, held) = harness.money().await;
    assert_eq!((before - after, held), (price(&harness, 100), 0), "billed once, and nothing is held");
    let billed = [harness.bills_of(&ours).await.len(), harness.bills_of(&call.id).await.len()];
    assert_eq!(billed.into_iter().sum::<usize>(), 1);
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn what_was_not_answered_or_broken_by_the_vendor_costs_nothing() {
    // V5: both times of the ringing are stated.
    for (reason, status) in [
        ("customer-did-not-answer", "missed"),
        ("customer-busy", "missed"),
        ("call.in-progress.error-providerfault-outbound-sip-503-service-unavailable", "failed"),
        ("call.in-progress.error-vapifault-worker-not-available", "failed"),
    ] {
        let harness = Harness::with_wallet(2_500, 600).await;
        harness.vapi(&bodies::request("call-1")).await;
        harness.pass(31).await;
        harness
            .vapi_as_it_is(&report_between(&harness, "call-1", "inboundPhoneCall", -31_000, 0, reason))
            .await;
        assert_eq!(harness.money().await, (2_500, 0), "{reason}");
        assert_eq!(harness.entries().await.len(), 1, "{reason}: no entry");
        let (_, shown) = harness.get("/api/calls-dashboard/call-1", &harness.owner()).await;
        assert_eq!(shown["status"], status, "{reason}");
    }
    // A call that talked, and that the vendor broke, is not charged either (docs/decisions/0013).
    let harness = Harness::with_wallet(2_500, 600).await;
    harness.vapi(&bodies::request("call-1")).await;
    harness.vapi(&bodies::in_progress("call-1")).await;
    harness.pass(60).await;
    let fault = "call.in-progress.error-vapifault-worker-died";
    harness.vapi_as_it_is(&report_between(&harness, "call-1", "inboundPhoneCall", -60_000, 0, fault)).await;
    assert_eq!((harness.money().await, harness.call("call-1").await.state), ((2_500, 0), State::Released));
    // One that talked and that was not answered says two things: we saw the talk.
    let harness = Harness::with_wallet(2_500, 600).await;
    harness.vapi(&bodies::request("call-1")).await;
    harness.vapi(&bodies::in_progress("call-1")).await;
    harness.pass(60).await;
    let busy = report_between(&harness, "call-1", "inboundPhoneCall", -60_000, 0, "customer-busy");
    harness.vapi_as_it_is(&busy).await;
    assert_eq!(harness.bills_of("call-1").await, [price(&harness, 60)]);
}

#[tokio::test]
async fn a_call_released_free_beside_a_transcript_alarms() {
    // V5
    let (alarms, _guard) = alarms();
    let harness = Harness::with_wallet(2_500, 600).await;
    harness.vapi(&bodies::request("call-1")).await;
    let mut report =
        report_between(&harness, "call-1", "inboundPhoneCall", -31_000, 0, "customer-did-not-answer");
    harness.vapi_as_it_is(&report).await;
    assert!(!alarms.names().contains(&"call_free_with_words".to_owned()));
    report["message"]["transcript"] = json!("AI: Hello.");
    harness.vapi_as_it_is(&report).await;
    assert!(alarms.names().contains(&"call_free_with_words".to_owned()));
}

#[tokio::test]
async fn trouble_of_our_own_account_at_vapi_alarms_with_the_first_call_and_is_shown_as_failed() {
    // V9
    for (word, cause) in [
        ("insufficient-credits", "no_credit"),
        ("concurrency-limit-reached", "no_slot"),
        ("frozen", "stopped"),
    ] {
        let (alarms, _guard) = alarms();
        let harness = Harness::with_wallet(2_500, 600).await;
        let reason = format!("call.start.error-subscription-{word}");
        harness.vapi(&bodies::request("call-1")).await;
        let mut ended = bodies::ended("call-1");
        ended["message"]["endedReason"] = json!(reason);
        harness.vapi(&ended).await;
        let mut report = bodies::report("call-1", 0);
        report["message"] = json!({"type": "end-of-call-report", "endedReason": reason, "durationSeconds": 0,
            "call": report["message"]["call"]});
        harness.vapi_as_it_is(&report).await;
        let told: Vec<_> =
            alarms.raised().into_iter().filter(|alarm| alarm.name == "vapi_account_refuses").collect();
        assert_eq!(told.len(), 1, "{cause}: once");
        let (_, shown) = harness.get("/api/calls-dashboard/call-1", &harness.owner()).await;
        assert_eq!(shown["status"], "failed", "{cause}");
        assert_eq!(harness.money().await, (2_500, 0));
    }
}

#[tokio::test]
async fn an_adjustment_is_booked_once_and_a_frozen_wallet_is_unfrozen_by_an_operator() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let token = operator(&harness);
    let path = format!("/api/operations/wallets/{ORG}/adjustments");
    let body = |pence: i64, direction: &str| {
        json!({"id": "adj-1", "amountPence": pence, "direction": direction, "reason": "Goodwill for an outage"})
            .to_string()
    };
    for _ in 0..2 {
        let (status, answer) = harness.post(&path, &token, body(300, "credit")).await;
        assert_eq!((status, &answer["balanceAfterPence"]), (200, &json!(2_800)), "{answer}");
    }
    assert_eq!(harness.money().await, (2_800, 0), "once");
    assert_eq!(harness.post(&path, &token, body(301, "credit")).await.0, 422, "the id is used");
    for bad in [body(0, "credit"), body(-5, "credit"), body(100_001, "debit"), body(5, "sideways")] {
        assert_eq!(harness.post(&path, &token, bad.clone()).await.0, 400, "{bad}");
    }
    assert_eq!(harness.post(&path, &harness.owner(), body(300, "credit")).await.0, 403);
    harness.wallets.freeze(ORG, "books").await.unwrap();
    let path = format!("/api/operations/wallets/{ORG}/unfreeze");
    assert_eq!(harness.post(&path, &token, "{}").await.0, 400, "a reason is asked for");
    let reason = json!({"reason": "The ledger was checked by hand"}).to_string();
    assert_eq!(harness.post(&path, &token, reason).await.0, 200);
    assert_eq!(harness.wallet().await.frozen, None);
    let log = acts(&harness, "").await;
    let did: Vec<_> =
        log["acts"].as_array().unwrap().iter().map(|act| (&act["action"], &act["reason"])).collect();
    let reasons = [json!("The ledger was checked by hand"), json!("Goodwill for an outage")];
    let actions = [json!("unfreeze_wallet"), json!("adjust_wallet")];
    assert_eq!(did, actions.iter().zip(&reasons).collect::<Vec<_>>(), "once each, the newest first: {log}");
    assert_eq!(log["acts"][0]["user"], "user-operator");
    let older = acts(&harness, log["acts"][0]["id"].as_str().unwrap()).await;
    assert_eq!(older["acts"].as_array().unwrap(), &log["acts"].as_array().unwrap()[1..]);
    let held = CallId::parse(harness.ring(60)).unwrap();
    harness.pass(5).await;
    assert!(harness.wallet().await.holds.contains_key(&held));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_call_is_billed_by_the_prices_of_its_authorization() {
    // A call that is authorized in the instant before a price change and talks after it.
    let harness = Harness::with_wallet(2_500, 600).await;
    harness.vapi(&bodies::request("call-1")).await;
    let authorized: Timestamp = harness.call("call-1").await.begun_at();
    assert_eq!(Some(authorized), harness.call("call-1").await.asked_at);
    harness.pass(1).await;
    harness.vapi(&bodies::in_progress("call-1")).await;
    assert_eq!(harness.call("call-1").await.begun_at(), authorized);
}

#[tokio::test]
async fn too_many_calls_at_once_at_vapi_is_a_no_that_gives_the_hold_back() {
    // V9: a 429 on dialling is certain: no phone rings.
    let (alarms, _guard) = alarms();
    let harness = outbound().await;
    let before = harness.money().await;
    harness.fault(("vapi", "dial"), Mode::TooMany, 1);
    let body = json!({"phoneNumber": "+447700900123"});
    let (status, problem) = harness.call_api(("POST", "/api/calls"), &harness.owner(), None, &body).await;
    assert_eq!((status, problem["code"].as_str()), (422, Some("call_refused")), "{problem}");
    assert_eq!((harness.money().await, harness.stack.vapi.outbound_calls().len()), (before, 0));
    assert!(alarms.names().contains(&"vapi_account_refuses".to_owned()));
}
