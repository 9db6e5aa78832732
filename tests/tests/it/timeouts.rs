//! Every function ends within its time, whatever vendor does not answer. No message is left to the queue's visibility, and no
//! lease to its end, because Lambda stopped a function that was waiting.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use base::clock::Clock;
use jiff::{SignedDuration, Timestamp};
use local::clock::TestClock;
use sandbox::{
    faults::{Fault, Mode},
    vapi::Placing,
};
use serde_json::json;
use store::queue::MeterMessage;
use tests::{Harness, ORG, fixture};

/// What of its time a function needs for its start and for all that is no waiting for vendors.
const MARGIN: SignedDuration = SignedDuration::from_secs(2);
const VENDORS: [&str; 3] = ["vapi", "twilio", "stripe"];

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Does something to its end, and turns the clock whenever all of it sleeps: what waits side by side waits once. Returns how long
/// it took by the clock.
async fn timed<T>(clock: &TestClock, doing: impl Future<Output = T>) -> (T, SignedDuration) {
    let began = clock.now();
    let mut doing = Box::pin(doing);
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    let waker = Waker::from(Arc::clone(&woken));
    loop {
        if woken.0.swap(false, Ordering::SeqCst) {
            if let Poll::Ready(done) = doing.as_mut().poll(&mut Context::from_waker(&waker)) {
                return (done, clock.now().duration_since(began));
            }
            // The runtime wakes what let others go first.
            tokio::task::yield_now().await;
            continue;
        }
        clock.turn_to(clock.next_waking().expect("what does not go on sleeps"));
    }
}

/// A vendor, and an operation of it.
type Operation = (String, String);

/// A stack some of whose vendors' operations hang, and the functions that did something there.
struct Watched {
    harness: Harness,
    hanging: Vec<Operation>,
    ran: RefCell<BTreeSet<String>>,
}

impl Watched {
    fn new(harness: Harness, hanging: Vec<Operation>, mode: Mode) -> Self {
        harness.stack.faults.forget_log();
        for (vendor, operation) in hanging.iter().cloned() {
            let fault = Fault { vendor, operation, mode, times: u32::MAX, after: 0 };
            harness.stack.faults.add(fault);
        }
        harness.clock.hold_sleepers();
        Self { harness, hanging, ran: RefCell::default() }
    }

    /// Does something of a function's, which must come to its end within its time.
    async fn within<T>(&self, function: &str, what: &str, doing: impl Future<Output = T>) -> T {
        let mut functions = self.harness.stack.template.functions.values();
        let declared = functions.find(|declared| declared.binary == function).unwrap();
        let allowed = SignedDuration::from_secs(declared.timeout_secs) - MARGIN;
        let (done, took) = timed(&self.harness.clock, doing).await;
        assert!(
            took <= allowed,
            "{function} took {took:#} of {allowed:#} for {what}; {:?} hung",
            self.hanging
        );
        self.ran.borrow_mut().insert(function.to_owned());
        done
    }

    /// Does what becomes due within so many seconds.
    async fn pass(&self, secs: i64) {
        let stack = &self.harness.stack;
        let end = self.harness.clock.now() + SignedDuration::from_secs(secs);
        loop {
            if let Some(step) = stack.vapi.step() {
                if let Some(post) = step {
                    let request = Box::pin(stack.request(post.request.clone()));
                    let answer = self.within("vapi-webhook", "a message", request).await;
                    stack.vapi.posted(post, Some(&answer));
                }
                continue;
            }
            if let Some(step) = stack.stripe.step() {
                if let Some(post) = step {
                    let request = Box::pin(stack.request(post.request.clone()));
                    let answer = self.within("stripe-webhook", post.body(), request).await;
                    stack.stripe.posted(post, Some(&answer));
                }
                continue;
            }
            let queues = stack.aws.queues();
            let received = queues.consumed().find_map(|(queue, consumer)| {
                queues.receive(queue, 1).pop().map(|message| (consumer.to_owned(), message))
            });
            if let Some((consumer, message)) = received {
                let what = message.body.clone();
                let consumed = Box::pin(stack.consume(&consumer, message));
                self.within(&consumer, &what, consumed).await;
                continue;
            }
            match stack.next_due().filter(|due| *due <= end) {
                Some(due) => self.harness.clock.turn_to(due),
                None => break,
            }
        }
        self.harness.clock.turn_to(end);
    }

    /// Does one run of every schedule.
    async fn run_schedules(&self) {
        let stack = &self.harness.stack;
        for schedule in stack.template.schedules.clone() {
            let (function, what) = (schedule.function.clone(), schedule.input.to_string());
            self.within(&function, &what, Box::pin(stack.run_scheduled(schedule))).await;
        }
    }
}

/// Plays something once with nothing wrong, then with each operation that it asked of a vendor hanging, each vendor, and all of
/// them; and with every vendor slow, so that one answer is waited for after the other. Returns the functions that had something to do.
async fn with_each_hanging(
    begin: impl AsyncFn() -> Harness,
    play: impl AsyncFn(&Watched),
) -> BTreeSet<String> {
    let watched = Watched::new(Box::pin(begin()).await, vec![], Mode::Hang);
    Box::pin(play(&watched)).await;
    let mut ran = watched.ran.take();
    let asked: BTreeSet<Operation> = watched.harness.stack.faults.log().into_iter().collect();
    let all: Vec<Operation> = VENDORS.map(|vendor| (vendor.to_owned(), "*".to_owned())).into();
    let single = asked.into_iter().chain(all.clone()).map(|operation| vec![operation]);
    let hanging = single.chain([all.clone()]).map(|operations| (operations, Mode::Hang));
    for (operations, mode) in hanging.chain([(all, Mode::Slow)]) {
        let watched = Watched::new(Box::pin(begin()).await, operations, mode);
        Box::pin(play(&watched)).await;
        ran.append(&mut watched.ran.borrow_mut());
    }
    ran
}

/// A call that talks, of a clinic whose money is all held for it, and which does not end when Vapi is told to end it.
async fn talking(pence: u32, lost: &[&str]) -> Harness {
    let harness = Harness::empty(vec![]).await;
    harness.wallets.ensure(ORG).await.unwrap();
    harness.top_up(ORG, "pi_first", 1_000 + pence).await;
    let number = harness.has_number("inbound").await;
    harness.stack.vapi.with_faults(|faults| {
        faults.ignores_end_call = true;
        faults.lost.extend(lost.iter().map(|name| (*name).to_owned()));
    });
    let placing = Placing { talk_seconds: 400, ..crate::numbers::placing(&number) };
    harness.stack.vapi.place(&placing).unwrap();
    harness.pass(5).await;
    harness
}

#[tokio::test]
async fn a_look_at_a_call_ends_in_time_whoever_hangs() {
    // Extended, warned and told to end, rung by rung, until the patient hangs up, and billed.
    for lost in [&[][..], &["status-update:in-progress", "end-of-call-report"]] {
        let ran = with_each_hanging(
            async || talking(330, lost).await,
            async |watched| {
                watched.pass(700).await;
                watched.run_schedules().await;
                watched.pass(200).await;
            },
        )
        .await;
        for function in ["call-meter", "vapi-webhook", "reconcile", "stripe-endpoint"] {
            assert!(ran.contains(function), "{function} had something to do");
        }
    }
}

#[tokio::test]
async fn a_look_that_comes_late_ends_in_time_too() {
    // What is due may be another thing once Vapi was waited for: the warning, or the end.
    for lost in [&[][..], &["status-update:in-progress"]] {
        // Warned 30 seconds before its money ends, a minute after it began, and told to end 2 seconds before.
        for late in (24..34).chain(52..62).step_by(3) {
            let begin = async || {
                let harness = talking(56, lost).await;
                let queues = harness.stack.aws.queues();
                let messages = queues.messages().into_iter();
                messages
                    .filter(|message| message.queue == "CallMeterQueue")
                    .for_each(|message| queues.delete(&message.id));
                harness.pass(late).await;
                harness
            };
            with_each_hanging(begin, async |watched| {
                let calls = watched.harness.calls.due(Timestamp::MAX, 10).await.unwrap().calls;
                let look = MeterMessage {
                    org_id: ORG,
                    call_id: calls[0].call_id.clone(),
                    due_at: Timestamp::MAX,
                    urgent: false,
                };
                let body = serde_json::to_string(&look).unwrap();
                let queues = watched.harness.stack.aws.queues();
                queues.send("CallMeterQueue", &body, SignedDuration::ZERO).unwrap();
                watched.pass(30).await;
            })
            .await;
        }
    }
}

#[tokio::test]
async fn the_carriers_word_is_noted_without_waiting_for_vapi() {
    let harness = talking(56, &["status-update:ended", "end-of-call-report"]).await;
    let watched = Watched::new(harness, vec![("vapi".into(), "*".into())], Mode::Hang);
    watched.pass(100).await;
    let call = watched.harness.calls.due(Timestamp::MAX, 10).await.unwrap().calls[0].call_id.to_string();
    let record = watched.harness.call(&call).await;
    assert_eq!(record.ended_reason.as_deref(), Some("carrier-completed"));
    let heard_after = record.end_heard_at.unwrap().duration_since(record.ending_at.unwrap());
    assert_eq!(
        heard_after.as_secs(),
        8,
        "with the rung on which the carrier is asked, while Vapi still hangs"
    );
}

#[tokio::test]
async fn a_report_without_times_is_answered_in_time_whether_or_not_vapi_is() {
    let begin = async || {
        let harness = Harness::with_wallet(2_500, 600).await;
        assert_eq!(harness.vapi(&fixture("assistant-request")).await.0, 200);
        let start = harness.clock.now();
        harness.pass(37).await;
        harness.stack.vapi.add_past_call(
            "7f1c2a90-0b5e-4c6d-9b7a-51f0d2a3c401",
            Some(start),
            harness.clock.now(),
        );
        harness
    };
    let ran = with_each_hanging(begin, async |watched| {
        let report = fixture("end-of-call-report.inbound.without-times");
        watched.within("vapi-webhook", "a report", watched.harness.vapi_as_it_is(&report)).await;
        watched.pass(100).await;
    })
    .await;
    assert!(ran.contains("call-meter"));
}

#[tokio::test]
async fn an_agent_is_given_to_vapi_in_time_or_later() {
    let begin = async || {
        let harness = talking(330, &[]).await;
        let agent = json!({"name": "One", "systemPrompt": "You are One.", "firstMessage": "Hello", "voiceId": "Elliot",
            "voiceProvider": "vapi", "language": "en-GB", "maxDurationSeconds": 900});
        let path = "/api/founder-console/agent/behavior";
        let body = harness.as_loaded(&json!({ "inbound": agent })).await;
        let (status, saved) = harness.post(path, &harness.owner(), body.to_string()).await;
        assert_eq!(status, 200, "{saved}");
        harness
    };
    let ran = with_each_hanging(begin, async |watched| watched.pass(30).await).await;
    assert!(ran.contains("agent-sync"));
}

#[tokio::test]
async fn a_card_is_charged_in_time_or_later() {
    // The card is charged; or the charge is looked for that was sent before.
    for is_sent in [false, true] {
        let begin = async || {
            if is_sent {
                Box::pin(crate::recharge::sent_and_lost()).await
            } else {
                Box::pin(crate::recharge::low()).await
            }
        };
        let ran = with_each_hanging(begin, async |watched| {
            watched.run_schedules().await;
            watched.pass(400).await;
        })
        .await;
        assert!(ran.contains("auto-recharge"));
    }
}

#[tokio::test]
async fn what_a_dashboard_asks_for_is_answered_in_time_whoever_hangs() {
    let us = |direction: &str| json!({"country": "US", "numberType": "local", "direction": direction});
    let own = crate::numbers::own::own("own-token", "+14155550177");
    let routes = [
        ("provision-number", "POST", "/api/managed-telephony/provision", us("inbound")),
        (
            "provision-number",
            "POST",
            "/api/managed-telephony/provision",
            crate::numbers::papers::abroad("GB", "inbound"),
        ),
        ("provision-number", "POST", "/api/integrations/twilio", own),
        ("provision-number", "GET", "/api/managed-telephony/available-numbers?country=US", json!(null)),
        ("wallet", "POST", "/api/billing/wallet/topup", json!({"amount_pence": 2_500})),
        ("calls", "POST", "/api/calls", json!({"phoneNumber": "+447700900123"})),
    ];
    for (function, method, path, body) in routes {
        let begin = async || {
            let harness = Harness::empty(vec![]).await;
            harness.wallets.ensure(ORG).await.unwrap();
            harness.top_up(ORG, "pi_first", 5_000).await;
            harness.stack.twilio.add_account(crate::numbers::own::OWN_SID, "own-token", &["+14155550177"]);
            harness.stack.twilio.add_address_to_bundles(local::stack::TWILIO_SID);
            harness.has_number("outbound").await;
            harness
        };
        let ran = with_each_hanging(begin, async |watched| {
            let harness = &watched.harness;
            let owner = harness.owner();
            watched.within(function, path, harness.call_api((method, path), &owner, None, &body)).await;
        })
        .await;
        assert!(ran.contains(function));
    }
}
