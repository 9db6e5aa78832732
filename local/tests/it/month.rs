//! The month that a fresh data folder begins with.

use std::sync::Arc;

use base::{clock::Clock, entropy::Entropy};
use domain::booking::appointment::Status;
use jiff::{SignedDuration, Timestamp};
use local::{
    agreement,
    clock::TestClock,
    demo_clinic::ORG,
    month,
    people::People,
    stack::{Keys, Plan, Stack, Storage, test_epoch},
};
use serde_json::Value;

/// A stack in memory on which a month was played.
async fn played(seed: u64) -> (Stack, Timestamp) {
    let until = test_epoch() + SignedDuration::from_hours(24 * 200);
    let clock = Arc::new(TestClock::at(month::beginning(until)));
    let turned: Arc<dyn Clock> = clock.clone();
    let stack = Stack::build(Plan {
        environment: "development".into(),
        storage: Storage::Memory,
        clock: turned,
        entropy: Arc::new(Entropy::seeded(seed)),
        address: "127.0.0.1:3000".into(),
        keys: Keys::known(),
        settings: vec![],
        network: None,
        schedules: false,
        skews: vec![],
    })
    .await
    .unwrap();
    stack.register().await;
    month::play(&stack, &clock, seed, until).await.unwrap();
    (stack, until)
}

async fn statement(stack: &Stack) -> Value {
    People::of(stack, ORG).get("/api/billing/wallet/statement?from=2020-01-01").await.unwrap()
}

fn entries(statement: &Value) -> &[Value] {
    statement["entries"].as_array().unwrap()
}

#[tokio::test]
async fn a_month_ends_now_has_something_of_everything_and_agrees() {
    let (stack, until) = played(1).await;
    for finding in agreement::look(&stack).await {
        assert!(finding.agrees, "{finding:?}");
    }
    let statement = statement(&stack).await;
    let of = |kind: &str| entries(&statement).iter().filter(|entry| entry["type"] == kind).count();
    assert!(of("top_up") >= 2 && of("call") >= 25, "{} and {}", of("top_up"), of("call"));
    assert_eq!(stack.clock.now(), until);
    let people = People::of(&stack, ORG);
    let listed = people.get("/api/appointments").await.unwrap();
    let to_come = listed["appointments"].as_array().unwrap().iter();
    let stands = to_come.filter(|one| one["status"] != Status::Cancelled.as_str()).count();
    assert!(stands >= 3, "appointments to come: {listed}");
    let unread = people.get("/api/notifications?status=unread").await.unwrap();
    assert!(!unread["notifications"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn a_month_is_the_same_for_the_same_seed_to_the_last_hash() {
    let (one, _) = played(2).await;
    let (again, _) = played(2).await;
    assert_eq!(statement(&one).await, statement(&again).await);
    let (other, _) = played(3).await;
    assert_ne!(statement(&one).await, statement(&other).await);
}
