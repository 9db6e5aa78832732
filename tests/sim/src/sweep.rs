//! Runs many worlds at once, one to a thread, and finds the shortest way to a failure.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use indicatif::ProgressBar;

use crate::{
    driver::{self, Config, Outcome},
    faults::Kind,
    monitor::Violation,
};

/// How often a failing world is run again to find a shorter way to the failure.
const MOST_RERUNS: usize = 60;
/// Futures of whole handlers are polled on these threads.
const STACK_BYTES: usize = 16 * 1024 * 1024;

/// Runs one world. A panic of ours is found like anything else.
pub fn attempt(config: &Config) -> Outcome {
    catch_unwind(AssertUnwindSafe(|| driver::run(config))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        let violation = Violation {
            invariant: "nothing panics",
            detail: text.unwrap_or_else(|| "a panic without a word".into()),
            at: local::stack::test_epoch(),
        };
        Outcome { violation: Some(violation), ..Outcome::default() }
    })
}

/// Runs all of `configs` on `jobs` threads. With `stops`, no more are begun once one has failed. Returns the outcomes, each
/// with its place in the list, in that order.
pub fn all(configs: &[Config], jobs: usize, bar: &ProgressBar, stops: bool) -> Vec<(usize, Outcome)> {
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let outcomes = Mutex::new(Vec::new());
    let work = || {
        while !(stops && failed.load(Ordering::SeqCst)) {
            let at = next.fetch_add(1, Ordering::SeqCst);
            let Some(config) = configs.get(at) else { return };
            let outcome = attempt(config);
            failed.fetch_or(outcome.violation.is_some(), Ordering::SeqCst);
            outcomes.lock().unwrap_or_else(PoisonError::into_inner).push((at, outcome));
            bar.inc(1);
        }
    };
    on_threads(jobs, work);
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|(at, _)| *at);
    outcomes
}

/// Runs each list of worlds until one of it fails, on `jobs` threads: a list is one thread's, from its first world on. Returns for each
/// list how many worlds that took and what was found.
pub fn hunt(lists: &[Vec<Config>], jobs: usize, bar: &ProgressBar) -> Vec<Option<(usize, u64, Violation)>> {
    let next = AtomicUsize::new(0);
    let found = Mutex::new(vec![None; lists.len()]);
    let work = || {
        while let Some((at, list)) =
            Some(next.fetch_add(1, Ordering::SeqCst)).and_then(|at| Some((at, lists.get(at)?)))
        {
            let worlds = list.iter().zip(1_usize..);
            let first = worlds
                .into_iter()
                .find_map(|(config, nth)| Some((nth, config.seed, attempt(config).violation?)));
            if let Some(place) = found.lock().unwrap_or_else(PoisonError::into_inner).get_mut(at) {
                *place = first;
            }
            bar.inc(1);
        }
    };
    on_threads(jobs, work);
    found.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Does the same on so many threads, whose stacks are large enough.
fn on_threads(jobs: usize, work: impl Fn() + Sync) {
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            let spawned = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, &work);
            spawned.expect("a thread");
        }
    });
}

/// Leaves out of a failing world whatever the failure does not need: kinds of faults one by one, then actions by ever
/// smaller parts. Returns what is left, and its outcome.
pub fn shrink(config: &Config, outcome: Outcome, bar: &ProgressBar) -> (Config, Outcome) {
    let Some(invariant) = outcome.violation.as_ref().map(|violation| violation.invariant) else {
        return (config.clone(), outcome);
    };
    let (mut best, mut shown) = (config.clone(), outcome);
    let mut reruns = 0;
    let mut try_out = |candidate: &Config| -> Option<Outcome> {
        reruns += 1;
        bar.set_message(format!("looking for a shorter way: run {reruns} of {MOST_RERUNS}"));
        let outcome = on_a_thread(candidate);
        let is_same = outcome.violation.as_ref().is_some_and(|violation| violation.invariant == invariant);
        is_same.then_some(outcome)
    };
    let mut left = MOST_RERUNS;
    let struck: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| shown.faults.get(kind) > Some(&0)).collect();
    for kind in struck {
        if left == 0 {
            return (best, shown);
        }
        left -= 1;
        let mut candidate = best.clone();
        candidate.masked.insert(kind);
        if let Some(outcome) = try_out(&candidate) {
            (best, shown) = (candidate, outcome);
        }
    }
    let mut part = shown.actions.div_euclid(2);
    while part > 0 && left > 0 {
        let kept: Vec<usize> = (0..shown.actions).filter(|at| !best.removed.contains(at)).collect();
        let mut has_shrunk = false;
        for chunk in kept.chunks(part) {
            if left == 0 {
                break;
            }
            left -= 1;
            let mut candidate = best.clone();
            candidate.removed.extend(chunk);
            if let Some(outcome) = try_out(&candidate) {
                (best, shown) = (candidate, outcome);
                has_shrunk = true;
            }
        }
        if !has_shrunk || part == 1 {
            part = part.div_euclid(2);
        }
    }
    (best, shown)
}

/// Runs one world on a thread of its own, whose stack is large enough.
pub fn on_a_thread(config: &Config) -> Outcome {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(STACK_BYTES);
        let running = builder.spawn_scoped(scope, || attempt(config)).expect("a thread");
        running.join().expect("a world never panics past its own catch")
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// How many of its actions a world keeps here, so that it is soon over.
    const KEPT: usize = 12;
    /// More than any world has.
    const ALL: usize = 10_000;

    fn is_replayed_exactly(config: &Config) {
        let (first, second) = (on_a_thread(config), on_a_thread(config));
        for outcome in [&first, &second] {
            assert!(outcome.violation.is_none(), "{:?}: {:#?}", outcome.violation, outcome.trace);
        }
        assert_eq!(first.trace, second.trace);
        assert_eq!(first.requests, second.requests);
        assert_eq!(first.operations, second.operations);
        assert_eq!(first.entries, second.entries);
        assert_eq!(first.faults, second.faults);
        for kind in &config.masked {
            assert_eq!(first.faults.get(kind), Some(&0), "{kind:?} is left out");
        }
        assert!(first.faults.values().sum::<u64>() > 0, "something goes wrong");
    }

    #[test]
    fn a_seed_replays_exactly() {
        is_replayed_exactly(&Config { seed: 9, removed: (KEPT..ALL).collect(), ..Config::default() });
    }

    #[test]
    fn leaving_something_out_is_replayed_too() {
        let masked = BTreeSet::from([Kind::Crash, Kind::Duplicate]);
        let removed = [1, 4].into_iter().chain(KEPT..ALL).collect();
        is_replayed_exactly(&Config { seed: 11, masked, removed, ..Config::default() });
    }
}
