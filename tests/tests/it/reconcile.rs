//! What webhooks and messages left undone is found by the schedules, and done once.

mod appointments;
mod books;
mod calls;
mod listing;
mod numbers;
mod payments;
mod teams;

use std::collections::BTreeSet;

use domain::tariff::Tariff;
use local::{
    alarms::Alarms,
    aws::{Outcome, Sent},
};
use serde_json::Value;
use services::reconcile::{Finding, Report};
use store::{runs::Runs, table::Table};
use tests::{Harness, alarms};

fn count(alarms: &Alarms, name: &str) -> usize {
    alarms.names().iter().filter(|raised| *raised == name).count()
}

/// One run of a task.
async fn run(harness: &Harness, task: &str) -> Report {
    Box::pin(harness.reconcile(task)).await
}

/// What a list of findings is about, each once.
fn kinds(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.what.as_str()).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The ids of the findings of one kind.
fn ids<'a>(findings: &'a [Finding], what: &str) -> Vec<&'a str> {
    findings.iter().filter(|finding| finding.what == what).map(|finding| finding.id.as_str()).collect()
}

/// Whether a request sends a message to this queue.
fn is_message_for(sent: &Sent, queue: &str) -> bool {
    sent.operation == "SendMessage" && sent.body["QueueUrl"].as_str().is_some_and(|url| url.ends_with(queue))
}

/// What becomes of a request while the meter is dead: its messages go missing.
fn without_the_meter(sent: &Sent) -> Outcome {
    if is_message_for(sent, "CallMeterQueue") { Outcome::Pretend } else { Outcome::Pass }
}

/// From now on only the schedule looks at calls.
fn kill_the_meter(harness: &Harness) {
    harness.stack.aws.set_plan(|sent| without_the_meter(sent));
}

/// What Vapi posts under these labels never arrives.
fn lose(harness: &Harness, labels: &[&str]) {
    harness.stack.vapi.with_faults(|faults| {
        faults.lost.extend(labels.iter().map(|label| (*label).to_owned()));
    });
}

/// The same for all that Vapi posts of a call after it was asked for.
fn lose_everything(harness: &Harness) {
    let labels =
        ["status-update:ringing", "status-update:in-progress", "status-update:ended", "end-of-call-report"];
    lose(harness, &labels);
}

/// What a call costs, by the times that the sandbox has of it.
fn price_of(harness: &Harness, call: &str) -> i64 {
    let call = harness.stack.vapi.call(call).unwrap();
    let started_at = call.started_at.unwrap();
    let millis = call.ended_at.unwrap().duration_since(started_at).as_millis();
    let secs = u32::try_from((millis + 999) / 1_000).unwrap();
    Tariff::at(started_at).charge(secs).pence()
}

/// Does a request that the guard in front of the ledger may refuse: it takes the place of a harmless one that has passed it.
async fn tamper(harness: &Harness, operation: &'static str, table: Table, mut request: Value) {
    let db = harness.stack.db();
    request["TableName"] = Value::from(db.table_name(table));
    harness.stack.aws.set_plan(move |sent| {
        operation.clone_into(&mut sent.operation);
        sent.body = request.clone();
        Outcome::Pass
    });
    let client = &harness.stack.unguarded();
    let done = client.scan().table_name(db.table_name(Table::Wallets)).send().await;
    harness.stack.aws.clear_plan();
    done.unwrap();
}

#[tokio::test]
async fn the_report_of_every_run_is_kept() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let runs = Runs::new(harness.stack.db());
    for task in ["calls", "listing", "payments", "numbers", "books", "appointments", "teams"] {
        assert!(runs.last(task, 10).await.unwrap().is_empty(), "{task}");
        let first = run(&harness, task).await;
        assert_eq!((first.task.as_str(), first.complete), (task, true));
        harness.pass(60).await;
        let second = run(&harness, task).await;
        assert_eq!(runs.last(task, 1).await.unwrap(), std::slice::from_ref(&second));
        assert_eq!(runs.last(task, 10).await.unwrap(), [second, first], "the newest first");
    }
}

#[tokio::test]
async fn two_runs_of_one_moment_have_two_reports() {
    let harness = Harness::with_wallet(2_500, 600).await;
    let runs = futures::future::join(run(&harness, "books"), run(&harness, "books")).await;
    let kept = Runs::new(harness.stack.db()).last("books", 10).await.unwrap();
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert!(kept.contains(&runs.0) && kept.contains(&runs.1), "{kept:?}");
}
