//! All interleavings, not samples: for every two of the operations that move a wallet's money, or take a practitioner's time, and for
//! every three, each order
//! of their steps is gone through on the real handlers and the embedded engine.
//!
//! A step of an operation is one request to a record that another of them also touches; what lies between is its own, and its
//! place in the order cannot matter. Two operations meet with every possible crash of one of them after each write and each
//! message, once with too little money and once with enough; three meet without crashes and with too little, and, in
//! schedules that chance decides, with one crash. A state that was
//! seen (all records, all messages, and what each operation has learned) is not explored again.
//!
//! The time stands still while operations meet, and messages are taken by their queue in the moment they are sent. A purchase
//! is followed as far as its price: what comes after is its own. When all are over, an operation that died or was answered with an error
//! is delivered again, the queues are emptied, and each effect must be there exactly once.

mod check;
mod days;
mod diary;
mod explore;
mod gate;
mod operation;
mod others;
mod records;
mod scene;

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

use self::{
    explore::{Explorer, Violation},
    operation::{Operation, Part, Wish},
    scene::{Combination, Money, Scene},
};
use crate::rng::Stream;

/// The stack of a thread that explores: handlers are deep, and builds without optimisation deeper.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// How many schedules of three operations are gone through, one of which may die: all of them would take hours.
const SAMPLES: u64 = 20;

/// What exploring one combination came to.
struct Outcome {
    combination: Combination,
    states: usize,
    schedules: u64,
    violation: Option<Violation>,
}

/// Explores all combinations on so many threads, shows that a planted bug would be found, and prints what it came to. Answers
/// whether all is as it must be.
pub fn run(jobs: usize) -> bool {
    let (outcomes, took) = explore_all(combinations(), jobs);
    print_table(&outcomes, took);
    for outcome in &outcomes {
        if let Some(violation) = &outcome.violation {
            print_violation(&outcome.combination, violation);
        }
    }
    let is_right = outcomes.iter().all(|outcome| outcome.violation.is_none());
    run_planted() && is_right
}

/// Shows that it can fail: lets a top-up meet a refund, and an import a booking, while neither cares any more whether the ledger or the day
/// is as it was read, and prints what that comes to. Returns whether both were found.
pub fn run_planted() -> bool {
    let book = part(Operation::Diary(Wish::Book));
    let planted = [
        ("a movement is booked whatever the ledger was when it was decided", part(Operation::Refund)),
        ("others' busy time is written whatever the day was when it was read", book),
    ];
    let firsts = [part(Operation::TopUp), part(Operation::Diary(Wish::Import))];
    let found = planted.into_iter().zip(firsts).map(|((what, second), first)| {
        let combination = Combination { parts: vec![first, second], money: Money::Scarce, crashes: false };
        let outcome = thread::scope(|scope| {
            let explorer = thread::Builder::new().stack_size(STACK_BYTES);
            let explorer = explorer.spawn_scoped(scope, || explore(combination, true)).expect("a thread");
            explorer.join().expect("the exploration ends")
        });
        println!("\nPlanted: {what}.");
        match &outcome.violation {
            Some(violation) => print_violation(&outcome.combination, violation),
            None => println!("{}: the planted bug is not found", outcome.combination),
        }
        outcome.violation.is_some()
    });
    // Each is looked for, whatever became of the one before.
    found.filter(|is_found| !is_found).count() == 0
}

const fn part(operation: Operation) -> Part {
    Part { operation, subject: 0 }
}

/// Every two operations, one with itself too (the same message twice, and where that is another call, payment or direction, two
/// of them), with little money and with enough; then every three.
fn combinations() -> Vec<Combination> {
    let mut all = Vec::new();
    for money in [Money::Scarce, Money::Ample] {
        let crashes = true;
        for (place, first) in Operation::OF_MONEY.into_iter().enumerate() {
            for second in Operation::OF_MONEY.into_iter().skip(place) {
                all.push(Combination { parts: vec![part(first), part(second)], money, crashes });
            }
        }
        for operation in [Operation::Authorize, Operation::Settle, Operation::TopUp, Operation::Purchase] {
            let another = Part { operation, subject: 1 };
            all.push(Combination { parts: vec![part(operation), another], money, crashes });
        }
    }
    let money = Money::Scarce;
    for (place, first) in Operation::OF_MONEY.into_iter().enumerate() {
        let after_first = place.saturating_add(1);
        for (place, second) in Operation::OF_MONEY.into_iter().enumerate().skip(after_first) {
            for third in Operation::OF_MONEY.into_iter().skip(place.saturating_add(1)) {
                let parts = vec![part(first), part(second), part(third)];
                all.extend([false, true].map(|crashes| Combination { parts: parts.clone(), money, crashes }));
            }
        }
    }
    all.extend(of_the_diary());
    all
}

/// Every two operations on the diary, one with itself too and with another caller's, and every three: all callers want one time.
fn of_the_diary() -> Vec<Combination> {
    let (money, operations) = (Money::Ample, Operation::OF_THE_DIARY);
    let mut all = Vec::new();
    for (place, first) in operations.into_iter().enumerate() {
        let crashes = true;
        let another = Part { operation: first, subject: 1 };
        if matches!(first, Operation::Diary(wish) if wish.is_a_callers()) {
            all.push(Combination { parts: vec![part(first), another], money, crashes });
        }
        for second in operations.into_iter().skip(place) {
            all.push(Combination { parts: vec![part(first), part(second)], money, crashes });
        }
        for (after, second) in operations.into_iter().enumerate().skip(place.saturating_add(1)) {
            for third in operations.into_iter().skip(after.saturating_add(1)) {
                let parts = vec![part(first), part(second), part(third)];
                all.extend([false, true].map(|crashes| Combination { parts: parts.clone(), money, crashes }));
            }
        }
    }
    all
}

fn explore_all(combinations: Vec<Combination>, jobs: usize) -> (Vec<Outcome>, Duration) {
    let bar = bar(u64::try_from(combinations.len()).unwrap_or_default());
    let waiting = Mutex::new(VecDeque::from(combinations));
    let outcomes = Mutex::new(Vec::new());
    thread::scope(|scope| {
        let work = || {
            while let Some(combination) = next(&waiting) {
                bar.set_message(combination.to_string());
                let outcome = explore(combination, false);
                outcomes.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
                bar.inc(1);
            }
        };
        for _ in 0..jobs.max(1) {
            thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work).expect("a thread");
        }
    });
    let took = bar.elapsed();
    bar.finish_and_clear();
    (outcomes.into_inner().unwrap_or_else(PoisonError::into_inner), took)
}

fn next(waiting: &Mutex<VecDeque<Combination>>) -> Option<Combination> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
}

/// Explores one combination, on this thread.
fn explore(combination: Combination, is_planted: bool) -> Outcome {
    // What is logged is the simulation's to look at; here it would only take time.
    let _quiet = tracing::dispatcher::set_default(&tracing::Dispatch::none());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    runtime.block_on(Box::pin(async move {
        let scene = Scene::build(&combination, is_planted).await;
        let mut explorer = Explorer::of(&scene);
        let violation = if combination.is_sampled() {
            let mut chance = Stream::of(0, &combination.to_string());
            explorer.sample(SAMPLES, &mut chance).await.err()
        } else {
            explorer.explore().await.err()
        };
        Outcome { states: explorer.states(), schedules: explorer.schedules, violation, combination }
    }))
}

fn bar(combinations: u64) -> ProgressBar {
    let bar = ProgressBar::new(combinations);
    if let Ok(style) =
        ProgressStyle::with_template("  interleavings [{bar:40.green/white}] {pos}/{len} {msg}")
    {
        bar.set_style(style.progress_chars("█▉ "));
    }
    bar
}

fn print_table(outcomes: &[Outcome], took: Duration) {
    println!(
        "{:<44} {:>12} {:>9} {:>10} {:>11}",
        "what", "combinations", "states", "schedules", "violations"
    );
    /// Which outcomes a row counts.
    type Row = (&'static str, fn(&Outcome) -> bool);
    let rows: [Row; 4] = [
        ("two operations, one may die after each step", |outcome| {
            outcome.combination.crashes && !outcome.combination.is_sampled()
        }),
        ("three operations", |outcome| !outcome.combination.crashes),
        ("three, one of which dies, by chance", |outcome| outcome.combination.is_sampled()),
        ("all", |_| true),
    ];
    for (name, is_in) in rows {
        let group: Vec<&Outcome> = outcomes.iter().filter(|outcome| is_in(outcome)).collect();
        let states = group.iter().fold(0_usize, |sum, outcome| sum.saturating_add(outcome.states));
        let schedules = group.iter().fold(0_u64, |sum, outcome| sum.saturating_add(outcome.schedules));
        let violations = group.iter().filter(|outcome| outcome.violation.is_some()).count();
        println!("{name:<44} {:>12} {states:>9} {schedules:>10} {violations:>11}", group.len());
    }
    println!("explored in {} s", took.as_secs());
}

fn print_violation(combination: &Combination, violation: &Violation) {
    println!("\n{combination}: {}", violation.what);
    for (place, step) in violation.schedule.iter().enumerate() {
        println!("  {:>3}. {step}", place.saturating_add(1));
    }
}
