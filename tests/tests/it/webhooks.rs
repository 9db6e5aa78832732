//! Vendors' messages: late, lost, doubled, forged, broken off, and with things in them that must not leak.

use std::{
    io::Write,
    sync::{Arc, Mutex},
};

use base::clock::Clock;
use domain::{
    call::State,
    ids::{CallId, EventId},
    time::plus_secs,
};
use local::aws::Outcome;
use serde_json::{Value, json};
use store::webhook_events::WebhookEvents;
use tests::{Harness, ORG, OTHER_ORG, PHONE_ID, alarms, bodies, crashed_after, fixture, web_report};

#[tokio::test]
async fn a_crash_between_any_two_writes_of_a_credit_is_healed_by_the_next_delivery() {
    // W1
    for polls in 0.. {
        let harness = Harness::with_wallet(0, 600).await;
        harness.stack.stripe.with_faults(|faults| {
            faults.lost.insert("checkout.session.completed".into());
            faults.lost.insert("payment_intent.succeeded".into());
        });
        let payment = harness.pay(2_500).await;
        let payment = harness.stack.stripe.object(&payment).unwrap();
        let event = harness.stack.stripe.event("payment_intent.succeeded", &payment);
        let outcome = crashed_after(polls, harness.stripe(&event)).await;
        assert_eq!(harness.stripe(&event).await.0, 200);
        assert_eq!(harness.money().await, (2_500, 0), "died at its poll {polls}");
        harness.assert_books(ORG).await;
        if outcome.is_some() {
            assert!(polls > 10, "there was something to die in");
            break;
        }
    }
}

#[tokio::test]
async fn a_crash_anywhere_in_a_credit_keeps_its_card_and_late_news_of_an_older_one_does_not_take_its_place() {
    for polls in 0.. {
        let harness = Harness::with_wallet(0, 600).await;
        let older = harness.pay(2_500).await;
        harness.stack.stripe.with_faults(|faults| {
            faults.lost.insert("checkout.session.completed".into());
            faults.lost.insert("payment_intent.succeeded".into());
        });
        let newer = harness.pay(2_600).await;
        let [older, newer] = [older, newer].map(|id| harness.stack.stripe.object(&id).unwrap());
        let event = |payment| harness.stack.stripe.event("payment_intent.succeeded", payment);
        let outcome = crashed_after(polls, harness.stripe(&event(&newer))).await;
        assert_eq!(harness.stripe(&event(&newer)).await.0, 200);
        assert_eq!(harness.stripe(&event(&older)).await.0, 200);
        assert_ne!(older["payment_method"], newer["payment_method"]);
        let kept = harness.wallet().await.payment_method;
        assert_eq!(kept.as_deref(), newer["payment_method"].as_str(), "died at its poll {polls}");
        if outcome.is_some() {
            break;
        }
    }
}

#[tokio::test]
async fn a_crash_between_any_two_writes_of_a_call_is_healed_by_the_next_delivery() {
    // W1: authorize, start and settle, each broken off at each await, then sent again.
    let steps: [fn(&str) -> Value; 3] =
        [bodies::request, bodies::in_progress, |call| bodies::report(call, 60)];
    for broken in 0..steps.len() {
        for polls in 0.. {
            let harness = Harness::with_wallet(2_500, 600).await;
            let mut died = false;
            for (i, step) in steps.iter().enumerate() {
                let body = step("call-1");
                if i == broken {
                    died = crashed_after(polls, harness.vapi(&body)).await.is_none();
                }
                assert_eq!(harness.vapi(&body).await.0, 200);
            }
            assert_eq!(harness.bills_of("call-1").await, [56], "step {broken} died at its poll {polls}");
            assert_eq!(harness.money().await, (2_444, 0));
            harness.assert_books(ORG).await;
            if !died {
                assert!(polls > 2, "there was something to die in at step {broken}");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_lost_answer_is_never_taken_for_a_lost_write() {
    // Every request of a call's life is done and not answered, once each.
    for nth in 1.. {
        let harness = Harness::with_wallet(2_500, 600).await;
        let sent = Arc::new(Mutex::new(0));
        let count = Arc::clone(&sent);
        harness.stack.aws.set_plan(move |_| {
            let mut sent = count.lock().unwrap();
            *sent += 1;
            if *sent == nth { Outcome::LoseAnswer } else { Outcome::Pass }
        });
        for body in [bodies::request("call-1"), bodies::in_progress("call-1"), bodies::report("call-1", 60)] {
            if harness.vapi(&body).await.0 != 200 {
                assert_eq!(harness.vapi(&body).await.0, 200, "sent again");
            }
        }
        let was_lost = *sent.lock().unwrap() >= nth;
        harness.stack.aws.clear_plan();
        assert_eq!(harness.bills_of("call-1").await, [56], "request {nth} was not answered");
        assert_eq!(harness.money().await, (2_444, 0));
        harness.assert_books(ORG).await;
        if !was_lost {
            assert!(nth > 10, "each of the requests was lost once");
            break;
        }
    }
}

#[tokio::test]
async fn nothing_is_acknowledged_that_is_not_durable() {
    // W2: the store down, the queue down; then redelivery does the work.
    for service in ["DynamoDB", "AmazonSQS"] {
        let harness = Harness::with_wallet(2_500, 600).await;
        let is_down = move |sent: &mut local::aws::Sent| {
            if sent.service.starts_with(service) {
                Outcome::Fail("InternalServerError")
            } else {
                Outcome::Pass
            }
        };
        harness.stack.aws.set_plan(is_down);
        for body in [bodies::request("call-1"), bodies::in_progress("call-1"), bodies::ended("call-1")] {
            let (status, problem) = harness.vapi(&body).await;
            assert_eq!(status, 500, "{service} is down");
            assert!(!problem.to_string().contains("injected"), "S3: {problem}");
        }
        harness.stack.aws.clear_plan();
        assert_eq!(
            harness.money().await,
            (2_500, 0),
            "nothing is set aside for a call that was not answered"
        );
        for body in [bodies::request("call-1"), bodies::in_progress("call-1"), bodies::report("call-1", 60)] {
            assert_eq!(harness.vapi(&body).await.0, 200);
        }
        assert_eq!(harness.bills_of("call-1").await, [56]);
    }
}

#[tokio::test]
async fn start_status_and_end_each_twice_in_every_order_are_billed_once() {
    // W3: all 90 orders.
    fn orders(left: [u8; 3], so_far: &mut Vec<usize>, all: &mut Vec<Vec<usize>>) {
        if left == [0; 3] {
            all.push(so_far.clone());
        }
        for kind in 0..3 {
            if left[kind] > 0 {
                let mut left = left;
                left[kind] -= 1;
                so_far.push(kind);
                orders(left, so_far, all);
                so_far.pop();
            }
        }
    }
    let mut all = Vec::new();
    orders([2; 3], &mut Vec::new(), &mut all);
    assert_eq!(all.len(), 90);
    for order in all {
        let harness = Harness::with_wallet(2_500, 600).await;
        harness.vapi(&bodies::request("call-1")).await;
        for kind in &order {
            // The end is heard of when it comes.
            if *kind == 1 {
                harness.clock.turn_to(plus_secs(local::stack::test_epoch(), 91));
            }
            let body = match kind {
                0 => bodies::in_progress("call-1"),
                1 => bodies::ended("call-1"),
                _ => bodies::report("call-1", 91),
            };
            assert_eq!(harness.vapi(&body).await.0, 200, "{order:?}");
        }
        assert_eq!(harness.bills_of("call-1").await, [85], "{order:?}");
        assert_eq!(harness.money().await, (2_415, 0), "{order:?}");
    }
}

#[tokio::test]
async fn a_ledger_write_that_fails_once_is_billed_once_and_one_that_fails_for_good_stays_open_and_alarms() {
    // B1
    let (alarms, _guard) = alarms();
    let harness = Harness::with_wallet(2_500, 600).await;
    harness.vapi(&bodies::request("call-1")).await;
    harness.vapi(&bodies::in_progress("call-1")).await;
    let mut failures = 1;
    harness.stack.aws.set_plan(move |sent| {
        if sent.operation == "TransactWriteItems" && failures > 0 {
            failures -= 1;
            return Outcome::Fail("ThrottlingException");
        }
        Outcome::Pass
    });
    assert_eq!(harness.vapi(&bodies::report("call-1", 60)).await.0, 200);
    assert_eq!(harness.bills_of("call-1").await, [56]);

    harness.stack.aws.clear_plan();
    harness.vapi(&bodies::request("call-2")).await;
    harness.vapi(&bodies::in_progress("call-2")).await;
    harness.stack.vapi.add_past_call(
        "call-2",
        Some(local::stack::test_epoch()),
        local::stack::test_epoch() + jiff::SignedDuration::from_secs(60),
    );
    harness.stack.aws.set_plan(|sent| {
        if sent.operation == "TransactWriteItems" {
            Outcome::Fail("InternalServerError")
        } else {
            Outcome::Pass
        }
    });
    assert_eq!(harness.vapi(&bodies::report("call-2", 60)).await.0, 500);
    harness.pass(120).await;
    assert!(alarms.names().contains(&"call_look_failed".to_owned()), "{:?}", alarms.names());
    assert!(harness.call("call-2").await.is_open(), "unbilled, and listed as open");
    harness.stack.aws.clear_plan();
    harness.pass(240).await;
    assert_eq!(harness.bills_of("call-2").await, [56], "the meter's own retries bill it, once");
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_call_that_never_connected_gives_its_hold_back_at_once() {
    // B7
    let harness = Harness::with_wallet(2_500, 600).await;
    harness.vapi(&bodies::request("call-1")).await;
    assert_eq!(harness.money().await, (2_220, 280));
    let report = json!({"message": {"type": "end-of-call-report", "endedReason": "customer-did-not-answer",
        "durationMs": 0, "call": {"id": "call-1", "phoneNumberId": PHONE_ID}}});
    assert_eq!(harness.vapi(&report).await.0, 200);
    assert_eq!(harness.money().await, (2_500, 0));
    assert_eq!(harness.call("call-1").await.state, State::Released);
    assert_eq!(harness.entries().await.len(), 1, "no ledger entry for nothing");
}

#[tokio::test]
async fn a_lost_end_is_found_within_two_minutes_and_never_under_a_live_call() {
    // B7: no report, no status; the call is asked after.
    for talk in [0, 40, 400] {
        let harness = Harness::with_wallet(2_500, 600).await;
        harness.stack.vapi.with_faults(|faults| {
            for name in ["status-update:in-progress", "status-update:ended", "end-of-call-report"] {
                faults.lost.insert(name.into());
            }
        });
        let call = harness.ring(talk);
        harness.pass(i64::from(talk) + 1).await;
        if talk > 100 {
            let (_, held) = harness.money().await;
            assert!(held > 0, "it is live, and held for");
        }
        harness.pass(120).await;
        let (_, held) = harness.money().await;
        assert_eq!(held, 0, "a call of {talk} s is closed two minutes after its end");
        let expected = domain::tariff::Tariff::at(harness.stack.clock.now()).charge(talk).pence();
        assert_eq!(harness.net_of(&call).await, expected);
        assert_eq!(harness.bills_of(&call).await.len(), usize::from(talk > 0), "no second, no entry");
        harness.assert_books(ORG).await;
    }
}

#[tokio::test]
async fn a_web_call_on_an_empty_wallet_is_ended_at_once() {
    // B11, web
    let harness = Harness::with_wallet(0, 600).await;
    let call = harness.ring_from_the_web(500);
    harness.pass(20).await;
    let there = harness.stack.vapi.call(&call).unwrap();
    assert_eq!(there.ended_reason.as_deref(), Some("manually-canceled"));
    let talked = there.ended_at.unwrap().duration_since(there.started_at.unwrap()).as_secs();
    assert!(talked <= 4, "{talked} s");
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_web_call_is_held_for_and_extended_like_any_other() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let call = harness.ring_from_the_web(500);
    harness.pass(10).await;
    assert_eq!(harness.money().await, (2_220, 280));
    harness.pass(300).await;
    assert_eq!(harness.money().await, (1_941, 559), "up to the agent's limit of 600 s, less two");
    harness.pass(300).await;
    assert_eq!(harness.bills_of(&call).await, [467]);
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn an_end_call_that_is_accepted_and_ignored_is_repeated_and_then_alarms() {
    let (alarms, _guard) = alarms();
    let harness = Harness::with_wallet(280, 3_600).await;
    harness.stack.vapi.with_faults(|faults| faults.ignores_end_call = true);
    let call = harness.ring(400);
    harness.pass(350).await;
    assert_eq!(harness.stack.vapi.call(&call).unwrap().status, "in-progress");
    let costs = alarms.raised().into_iter().filter(|alarm| alarm.name == "call_will_not_end").count();
    assert!(costs >= 3, "every fifteen seconds: {costs}");
    harness.pass(120).await;
    assert_eq!(harness.bills_of(&call).await, [374], "400 s: charged whole, into debt");
    assert_eq!(harness.money().await, (-94, 0));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_call_nobody_knows_any_more_is_released_or_estimated() {
    let (alarms, _guard) = alarms();
    let harness = Harness::with_wallet(2_500, 600).await;
    // Authorized, and Vapi has never heard of it: released ten minutes later.
    harness.vapi(&bodies::request("call-1")).await;
    harness.pass(500).await;
    assert_eq!(harness.money().await, (2_220, 280));
    harness.pass(200).await;
    assert_eq!(harness.money().await, (2_500, 0));
    // Seen to start: billed to its last sign of life, and an operator is told.
    let harness = Harness::with_wallet(2_500, 600).await;
    harness.vapi(&bodies::request("call-2")).await;
    harness.pass(30).await;
    harness.vapi(&bodies::in_progress("call-2")).await;
    harness.pass(1_000).await;
    assert_eq!(harness.money().await, (2_472, 0), "30 s");
    assert!(alarms.names().contains(&"call_billed_by_estimate".to_owned()));
    harness.assert_books(ORG).await;
}

#[tokio::test]
async fn a_message_of_nobodys_is_one_scrubbed_dead_letter_and_an_alarm() {
    // W6
    let (alarms, _guard) = alarms();
    let harness = Harness::with_wallet(2_500, 600).await;
    let mut report = web_report("web-9", "2025-12-17T00:00:00Z", "2025-12-17T00:01:00Z");
    report["message"]["call"]["assistantId"] = json!("a-stranger");
    report["message"]["transcript"] = json!("I have a rash");
    report["message"]["phoneNumber"] = json!({"twilioAuthToken": "very-secret"});
    for _ in 0..3 {
        assert_eq!(harness.vapi(&report).await.0, 200);
    }
    let events = WebhookEvents::vapi(harness.stack.db());
    let key = EventId::parse("web-9:end-of-call-report").unwrap();
    let letter = events.get(&key).await.unwrap().unwrap();
    let payload = letter.payload.unwrap();
    assert!(payload.contains("web-9") && payload.contains("customer-ended-call"), "{payload}");
    assert!(!payload.contains("rash") && !payload.contains("very-secret"), "{payload}");
    let told = || alarms.names().iter().filter(|name| *name == "vapi_dead_letter").count();
    assert_eq!(told(), 1, "three copies are one letter");
    assert_eq!(harness.entries().await.len(), 1);
    // An unknown number's caller hears a sentence.
    let mut request = bodies::request("call-9");
    request["message"]["call"]["phoneNumberId"] = json!("a-stranger");
    let (status, answer) = harness.vapi(&request).await;
    assert_eq!((status, answer["error"].as_str()), (200, Some("This number is not in service.")));
    assert_eq!(told(), 2, "another call's message is another letter");
}

#[tokio::test]
async fn a_status_without_a_call_is_a_dead_letter() {
    let (alarms, _guard) = alarms();
    let harness = Harness::with_wallet(2_500, 600).await;
    for _ in 0..3 {
        assert_eq!(harness.vapi(&fixture("status-update.ended.without-a-call")).await.0, 200);
    }
    assert_eq!(alarms.names(), ["vapi_dead_letter"], "three copies are one letter");
    let letters = WebhookEvents::vapi(harness.stack.db()).dead_letters(10).await.unwrap();
    assert_eq!(letters.len(), 1);
    let mut another = fixture("status-update.ended.without-a-call");
    another["message"]["endedReason"] = json!("another-reason");
    assert_eq!(harness.vapi(&another).await.0, 200);
    assert_eq!(alarms.names().len(), 2, "another message is another letter");
}

#[tokio::test]
async fn every_shape_of_a_body_is_understood() {
    // W7: where what is sent differs from what the vendor describes.
    let harness = Harness::with_wallet(2_500, 600).await;
    let inbound = "7f1c2a90-0b5e-4c6d-9b7a-51f0d2a3c401";
    let names = [
        "assistant-request",
        "status-update.in-progress.web",
        "end-of-call-report.web",
        "tool-calls.arguments-as-object",
        "tool-calls.arguments-as-text",
        "tool-calls.without-a-function-level",
        "tool-calls.with-the-call-beside",
        "end-of-call-report.inbound.without-times",
    ];
    for name in names {
        let body = fixture(name);
        if name.starts_with("end-of-call-report.inbound") {
            let start = harness.clock.now();
            harness.pass(37).await;
            harness.stack.vapi.add_past_call(inbound, Some(start), harness.clock.now());
        }
        let (status, answer) = harness.vapi(&body).await;
        assert_eq!(status, 200, "{name}: {answer}");
        if name.starts_with("tool-calls") {
            assert_each_is_answered(name, &body, &answer);
        }
    }
    let call = harness.call("5b0c9d1e-77aa-4a3f-8f10-2c4b6d8e0a12").await;
    assert_eq!(call.ended_reason.as_deref(), Some("customer-ended-call"));
    let content = harness.calls.content(ORG, &call.call_id).await.unwrap().unwrap();
    assert!(content.transcript.unwrap().reveal().starts_with("AI: Good morning."));
    assert_eq!(content.vendor_cost_usd.as_deref(), Some("0.0417"), "apart from what the customer pays");
    let content = harness.calls.content(ORG, &CallId::parse(inbound).unwrap()).await.unwrap().unwrap();
    assert_eq!(content.tools_used, ["find_slot", "look_up_older"]);
}

/// Each tool call has its answer, in order, on one line.
pub fn assert_each_is_answered(name: &str, body: &Value, answer: &Value) {
    let lists = [&body["message"]["toolCallList"], &body["message"]["toolCalls"]];
    let asked = lists.into_iter().find_map(Value::as_array).unwrap();
    let answered = answer["results"].as_array().unwrap();
    assert_eq!(asked.len(), answered.len(), "{name}");
    for (asked, answered) in asked.iter().zip(answered) {
        assert_eq!(asked["id"], answered["toolCallId"], "{name}");
        assert!(answered["result"].as_str().is_some_and(|result| !result.contains('\n')), "{name}");
    }
}

#[tokio::test]
async fn a_forged_org_changes_nothing() {
    // W8: in metadata, in the call, in a tool's arguments.
    let harness = Harness::with_wallet(2_500, 600).await;
    harness.wallets.ensure(OTHER_ORG).await.unwrap();
    let forged = OTHER_ORG.to_string();
    for (i, mut body) in
        [bodies::request("call-1"), bodies::in_progress("call-1"), bodies::report("call-1", 60)]
            .into_iter()
            .enumerate()
    {
        body["org_id"] = json!(forged);
        body["message"]["org_id"] = json!(forged);
        body["message"]["call"]["orgId"] = json!(forged);
        body["message"]["call"]["metadata"] = json!({"org_id": forged, "call_id": "somebody-elses"});
        body["message"]["assistant"] = json!({"metadata": {"org_id": forged}});
        assert_eq!(harness.vapi(&body).await.0, 200, "message {i}");
    }
    let tool = json!({"message": {"type": "tool-calls", "call": {"id": "call-1"},
        "toolCallList": [{"id": "t1", "function": {"name": "book", "arguments": {"org_id": forged}}}]}});
    assert_eq!(harness.vapi(&tool).await.0, 200);
    assert_eq!(harness.bills_of("call-1").await, [56]);
    assert_eq!(harness.entries_of(OTHER_ORG).await, []);
}

/// A writer that keeps what is written.
#[derive(Clone, Default)]
pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    /// Captures what is logged until the guard is dropped.
    pub(crate) fn start() -> (Self, tracing::subscriber::DefaultGuard) {
        let captured = Self::default();
        let writer = captured.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || writer.clone())
            .finish();
        (captured, tracing::subscriber::set_default(subscriber))
    }

    /// The lines of our own crates; the SDK's own are off in production, at info.
    pub(crate) fn our_lines(&self) -> Vec<String> {
        let lines = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let crates = local::crates::names();
        let ours = || crates.iter().map(String::as_str).chain([base::alarm::TARGET]);
        let is_ours = |line: &&str| {
            let line: Value = serde_json::from_str(line).unwrap();
            let of = line["target"].as_str().and_then(|target| target.split("::").next()).unwrap_or_default();
            ours().any(|own| own == of)
        };
        lines.lines().filter(is_ours).map(str::to_owned).collect()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_log_line_holds_a_secret_or_anybodys_words() {
    // W10: personal data and secrets in every field, through good and bad paths.
    let (captured, _guard) = Captured::start();
    let harness = Harness::with_wallet(2_500, 600).await;
    let seeded = ["+447700900999", "SEEDED-TRANSCRIPT", "SEEDED-TOKEN", "SEEDED-NAME", "SEEDED-CONTROL"];
    let dirty = |mut body: Value| {
        let message = &mut body["message"];
        message["customer"] = json!({"number": seeded[0], "name": seeded[3]});
        message["transcript"] = json!(seeded[1]);
        message["summary"] = json!(seeded[1]);
        message["analysis"] = json!({"summary": seeded[1]});
        message["phoneNumber"] = json!({"twilioAuthToken": seeded[2]});
        message["call"]["monitor"] = json!({"controlUrl": format!("https://x.vapi.ai/{}", seeded[4])});
        message["call"]["customer"] = json!({"number": seeded[0], "name": seeded[3]});
        body
    };
    for body in [
        bodies::request("call-1"),
        bodies::in_progress("call-1"),
        bodies::ended("call-1"),
        bodies::report("call-1", 60),
    ] {
        harness.vapi(&dirty(body.clone())).await;
        let mut stranger = dirty(body);
        stranger["message"]["call"]["phoneNumberId"] = json!("nobody");
        stranger["message"]["call"]["assistantId"] = json!("nobody");
        stranger["message"]["call"]["id"] = json!("stranger");
        harness.vapi(&stranger).await;
    }
    harness.pay(2_500).await;
    harness.get("/api/billing/wallet", "SEEDED-TOKEN").await;
    harness.pass(400).await;
    harness.stack.aws.set_plan(|_| Outcome::Fail("InternalServerError"));
    harness.vapi(&dirty(bodies::request("call-3"))).await;
    let lines = captured.our_lines();
    for line in &lines {
        for secret in seeded {
            assert!(!line.contains(secret), "{line}");
        }
    }
    assert!(lines.len() > 10, "there were lines to look at");
}

#[tokio::test]
async fn bodies_that_are_no_messages_are_named_problems() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    for body in [
        "",
        "{",
        "[]",
        "null",
        "{}",
        r#"{"message": 5}"#,
        r#"{"message": {}}"#,
        r#"{"message": {"type": 5}}"#,
        &deep,
    ] {
        let request = harness.stack.vapi.signed(body);
        let (status, problem) = tests::parts(&harness.send(request).await);
        assert_eq!((status, problem["code"].as_str()), (400, Some("invalid_body")), "{body:.40}");
    }
    for body in
        [r#"{"message": {"type": "call.deleted"}}"#, r#"{"message": {"type": "no-such-thing", "call": 5}}"#]
    {
        assert_eq!(tests::parts(&harness.send(harness.stack.vapi.signed(body)).await).0, 200);
    }
    let huge = format!(r#"{{"message": {{"type": "{}"}}}}"#, "x".repeat(7 * 1024 * 1024));
    assert_eq!(tests::parts(&harness.send(harness.stack.vapi.signed(&huge)).await).0, 413);
    let (status, problem) = harness.stripe(&json!({"id": "evt_1"})).await;
    assert_eq!((status, problem["code"].as_str()), (400, Some("invalid_body")));
    assert_eq!(harness.entries().await.len(), 1);
}
