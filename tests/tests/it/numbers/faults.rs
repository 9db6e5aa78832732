//! Every request to a vendor, every write and every await of a purchase and of a release goes wrong once: one of two ends.

use std::sync::{Arc, Mutex};

use local::aws::Outcome;
use sandbox::faults::Mode;
use serde_json::Value;
use tests::{Harness, ORG, crashed_after};

use super::{OWN_SID, assert_one_of_two, at_twilio, at_vapi, own, paid, papers::abroad, resume, rich, us};

const MODES: [Mode; 5] = [Mode::Error, Mode::TimeoutBefore, Mode::TimeoutAfter, Mode::Slow, Mode::Refuse];

/// Ways to come to an inbound number: at the least and at the most it takes, and brought.
#[derive(Clone, Copy, Debug)]
enum Way {
    American,
    British,
    Brought,
}

impl Way {
    async fn go(self, harness: &Harness) -> (u16, Value) {
        match self {
            Self::American => harness.buy_for(ORG, &us("inbound"), None).await,
            Self::British => {
                let body = abroad("GB", "inbound");
                harness.buy_for(ORG, &body, None).await
            }
            Self::Brought => {
                let route = ("POST", "/api/integrations/twilio");
                harness.call_api(route, &harness.owner(), None, &own("own-token", "+14155550177")).await
            }
        }
    }
}

/// Every request to a vendor since the log was forgotten: its kind, and how many of that kind went before.
fn asked(harness: &Harness) -> Vec<((String, String), usize)> {
    let log = harness.stack.faults.log();
    let before = |at: usize| log.iter().take(at).filter(|kind| **kind == log[at]).count();
    (0..log.len()).map(|at| (log[at].clone(), before(at))).collect()
}

#[tokio::test]
async fn every_fault_at_every_vendor_leaves_a_purchase_at_one_of_two_ends() {
    // N4: each request that is made, in each way, once and again and again.
    for (way, least) in [(Way::American, 10), (Way::British, 18)] {
        let harness = rich().await;
        assert_eq!(way.go(&harness).await.0, 201);
        let requests = asked(&harness);
        assert!(requests.len() >= least, "{requests:?}");
        for ((vendor, operation), after) in &requests {
            for mode in MODES {
                for times in [1, 4] {
                    let what = format!("{way:?}: {vendor} {operation} after {after} {mode:?} {times} times");
                    let harness = rich().await;
                    harness.fault_after((vendor, operation), *after, mode, times);
                    let (status, answer) = way.go(&harness).await;
                    assert!([201, 202, 409, 422, 503].contains(&status), "{what}: {status} {answer}");
                    let was_active = status == 201;
                    harness.stack.faults.clear();
                    resume(&harness).await;
                    let is_active = assert_one_of_two(&harness, &what).await;
                    assert!(is_active || !was_active, "{what}: what was told stays");
                }
            }
        }
    }
}

#[tokio::test]
async fn every_fault_at_every_vendor_connects_a_brought_number_or_leaves_nothing_of_it() {
    let brought = || async {
        let harness = rich().await;
        harness.stack.twilio.add_account(OWN_SID, "own-token", &["+14155550177"]);
        harness
    };
    let harness = brought().await;
    assert_eq!(Way::Brought.go(&harness).await.0, 201);
    for ((vendor, operation), after) in asked(&harness) {
        for mode in MODES {
            let what = format!("{vendor} {operation} after {after} {mode:?}");
            let harness = brought().await;
            harness.fault_after((&vendor, &operation), after, mode, 2);
            let (status, answer) = Way::Brought.go(&harness).await;
            assert!([201, 202, 400, 409, 422, 503].contains(&status), "{what}: {status} {answer}");
            harness.stack.faults.clear();
            resume(&harness).await;
            let listed = harness.dropdown_of(ORG).await;
            assert_eq!(at_vapi(&harness), listed, "{what}");
            assert_eq!(at_twilio(&harness), ["+14155550177"], "{what}: it stays the clinic's");
            assert_eq!(Way::Brought.go(&harness).await.0, 201, "{what}: and can be connected");
            assert_eq!(harness.money().await, (5_000, 0), "{what}");
        }
    }
}

#[tokio::test]
async fn every_fault_at_every_vendor_leaves_a_release_to_be_finished() {
    // N6
    let harness = rich().await;
    let number = harness.has_number("inbound").await;
    harness.stack.faults.forget_log();
    assert_eq!(harness.give_up(&number).await.0, 200);
    let requests = asked(&harness);
    assert_eq!(requests.len(), 2, "{requests:?}");
    for ((vendor, operation), _) in &requests {
        for mode in MODES {
            let what = format!("{vendor} {operation} {mode:?}");
            let harness = rich().await;
            let number = harness.has_number("inbound").await;
            harness.fault((vendor, operation), mode, 1);
            let (status, answer) = harness.give_up(&number).await;
            let is_done = mode == Mode::Slow;
            assert_eq!(status, if is_done { 200 } else { 202 }, "{what}: {answer}");
            assert!(harness.dropdown_of(ORG).await.is_empty(), "{what}: off the dropdown at once");
            let (_, agents) = harness.get("/api/agents", &harness.owner()).await;
            assert!(agents["agents"][0]["vapiPhoneNumberId"].is_null(), "{what}: {agents}");
            let (status, _) = harness.buy_for(ORG, &us("inbound"), None).await;
            assert_eq!(status, if is_done { 201 } else { 409 }, "{what}: not while it may still cost");
            if !is_done {
                resume(&harness).await;
                assert!(at_twilio(&harness).is_empty() && at_vapi(&harness).is_empty(), "{what}");
                assert_eq!(harness.give_up(&number).await.0, 200, "{what}");
                assert_eq!(harness.buy_for(ORG, &us("inbound"), None).await.0, 201, "{what}: bought again");
            }
            assert_eq!(paid(&harness, ORG).await, 2_000, "{what}: a release gives nothing back");
        }
    }
}

/// Lets the request numbered `at` to the database or a queue go wrong, and counts them all.
pub(crate) fn one_fault(harness: &Harness, at: usize, fate: Outcome) -> Arc<Mutex<usize>> {
    let count = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&count);
    harness.stack.aws.set_plan(move |sent| {
        let is_write = !matches!(sent.operation.as_str(), "GetItem" | "Query");
        if !is_write {
            return Outcome::Pass;
        }
        let mut count = counted.lock().unwrap();
        *count += 1;
        if *count == at + 1 { fate } else { Outcome::Pass }
    });
    count
}

#[tokio::test]
async fn every_write_that_fails_or_is_not_answered_leaves_a_purchase_at_one_of_two_ends() {
    // N4
    for fate in [Outcome::Fail("ValidationException"), Outcome::LoseRequest, Outcome::LoseAnswer] {
        for at in 0.. {
            let what = format!("write {at} {fate:?}");
            let harness = rich().await;
            let count = one_fault(&harness, at, fate);
            let (status, answer) = harness.buy_for(ORG, &us("inbound"), None).await;
            assert!([201, 202, 500].contains(&status), "{what}: {status} {answer}");
            harness.stack.aws.clear_plan();
            let writes = *count.lock().unwrap();
            resume(&harness).await;
            assert_one_of_two(&harness, &what).await;
            if at >= writes {
                assert!(writes > 8, "{writes} writes");
                break;
            }
        }
    }
}

#[tokio::test]
async fn every_write_that_fails_or_is_not_answered_leaves_a_release_to_be_finished() {
    // N6
    for fate in [Outcome::Fail("ValidationException"), Outcome::LoseRequest, Outcome::LoseAnswer] {
        for at in 0.. {
            let what = format!("write {at} {fate:?}");
            let harness = rich().await;
            let number = harness.has_number("inbound").await;
            let count = one_fault(&harness, at, fate);
            let (status, answer) = harness.give_up(&number).await;
            assert!([200, 202, 500].contains(&status), "{what}: {status} {answer}");
            harness.stack.aws.clear_plan();
            let writes = *count.lock().unwrap();
            resume(&harness).await;
            assert_eq!(harness.give_up(&number).await.0, 200, "{what}");
            assert!(at_twilio(&harness).is_empty() && at_vapi(&harness).is_empty(), "{what}");
            assert!(harness.dropdown_of(ORG).await.is_empty(), "{what}");
            if at >= writes {
                assert_eq!(writes, 4, "the agent's message, give up, its message again, and release");
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_purchase_that_dies_after_any_await_ends_at_one_of_two() {
    // N4
    for polls in 0.. {
        let harness = rich().await;
        let outcome = crashed_after(polls, harness.buy_for(ORG, &us("inbound"), None)).await;
        if polls % 2 == 0 {
            // The client comes again; half of the time reconciliation is first.
            harness.pass(30).await;
            let (status, answer) = harness.buy_for(ORG, &us("inbound"), None).await;
            assert!([201, 202, 422].contains(&status), "poll {polls}: {answer}");
        }
        resume(&harness).await;
        assert_one_of_two(&harness, &format!("died at its poll {polls}")).await;
        if outcome.is_some() {
            assert!(polls > 50, "there was something to die in: {polls}");
            break;
        }
    }
}

#[tokio::test]
async fn a_purchase_that_dies_while_it_is_undone_ends_at_nothing() {
    // N4: the import is refused for good, so everything is undone; and that dies too.
    for polls in 0.. {
        let harness = rich().await;
        harness.fault(("vapi", "import_number"), Mode::Refuse, 10);
        let outcome = crashed_after(polls, harness.buy_for(ORG, &us("inbound"), None)).await;
        resume(&harness).await;
        assert!(!assert_one_of_two(&harness, &format!("died at its poll {polls}")).await);
        if outcome.is_some() {
            break;
        }
    }
}

#[tokio::test]
async fn a_release_that_dies_after_any_await_is_finished() {
    for polls in 0.. {
        let harness = rich().await;
        let number = harness.has_number("inbound").await;
        let outcome = crashed_after(polls, harness.give_up(&number)).await;
        let before = harness.dropdown_of(ORG).await.len();
        resume(&harness).await;
        if before == 1 {
            assert_one_of_two(&harness, &format!("died at its poll {polls}, before anything was written"))
                .await;
        }
        assert_eq!(harness.give_up(&number).await.0, 200, "died at its poll {polls}");
        assert!(at_twilio(&harness).is_empty() && at_vapi(&harness).is_empty(), "died at its poll {polls}");
        assert_eq!(harness.buy_for(ORG, &us("inbound"), None).await.0, 201, "died at its poll {polls}");
        if outcome.is_some() {
            break;
        }
    }
}
