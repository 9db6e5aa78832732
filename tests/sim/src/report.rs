//! What is shown at the end.

use std::collections::BTreeMap;

use domain::overspend::Cause;

use crate::{
    driver::{Config, Outcome},
    faults::Kind,
};

/// Hours of a year.
const HOURS_A_YEAR: i64 = 8_766;
/// The bounds of the histogram of unpaid seconds.
const BOUNDS: [u32; 6] = [1, 5, 15, 60, 300, 1_800];

/// What must come about in many worlds, so that what holds of it is known to hold.
const RARE: [&str; 23] = [
    "refunds pending, then failed",
    "payments refunded twice",
    "payments refunded and disputed",
    "disputes given back in part",
    "inquiries",
    "inquiries that became disputes",
    "fraud warnings",
    "automatic charges",
    "rentals charged",
    "records that became shorter",
    "records that became longer",
    "bills corrected",
    "callers told of a move",
    "callers told of a cancellation",
    "worlds that cross a month's end",
    "worlds of forty days",
    "entries altered",
    "worlds with calendars",
    "appointments moved by a hand",
    "appointments cancelled by a hand",
    "appointments to be looked at",
    "consents withdrawn",
    "patients who said stop",
];

/// The sums over many worlds.
#[derive(Debug, Default)]
pub struct Totals {
    worlds: u64,
    org_hours: i64,
    operations: u64,
    requests: u64,
    entries: u64,
    billed: u64,
    estimated: u64,
    booked: usize,
    most_slots: usize,
    violations: u64,
    faults: BTreeMap<Kind, u64>,
    tallies: BTreeMap<&'static str, u64>,
    unpaid: BTreeMap<Cause, Vec<u32>>,
}

impl Totals {
    /// Adds a world.
    pub fn add(&mut self, outcome: &Outcome) {
        self.worlds += 1;
        let clinics = i64::try_from(outcome.clinics).unwrap_or_default();
        self.org_hours += clinics * outcome.lasted.as_hours();
        self.operations += outcome.operations;
        self.requests += outcome.requests;
        self.entries += outcome.entries;
        self.billed += outcome.billed;
        self.estimated += outcome.estimated;
        self.booked += outcome.booked;
        self.most_slots = self.most_slots.max(outcome.most_slots);
        self.violations += u64::from(outcome.violation.is_some());
        for (kind, times) in &outcome.faults {
            *self.faults.entry(*kind).or_default() += times;
        }
        for (what, times) in &outcome.tallies {
            *self.tallies.entry(what).or_default() += times;
        }
        for (cause, secs) in &outcome.unpaid {
            self.unpaid.entry(*cause).or_default().push(*secs);
        }
    }

    /// Prints all of it.
    pub fn print(&self) {
        let hundredths = (self.org_hours * 100).div_euclid(HOURS_A_YEAR);
        println!("worlds                            {:>12}", self.worlds);
        println!(
            "simulated org-years               {:>9}.{:02}",
            hundredths.div_euclid(100),
            hundredths.rem_euclid(100)
        );
        println!("operations                        {:>12}", self.operations);
        println!("requests to AWS and vendors       {:>12}", self.requests);
        println!("ledger entries checked            {:>12}", self.entries);
        println!("calls billed                      {:>12}", self.billed);
        println!("  of them by our own times        {:>12}", self.estimated);
        println!("appointments booked               {:>12}", self.booked);
        println!("most slots taken at a time        {:>12}", self.most_slots);
        println!("faults");
        for (kind, times) in &self.faults {
            println!("  {:<32}{times:>12}", kind.name());
        }
        println!("what is rare");
        for what in RARE {
            println!("  {what:<32}{:>12}", self.tallies.get(what).copied().unwrap_or_default());
        }
        println!("violations                        {:>12}", self.violations);
        self.print_unpaid();
    }

    /// What never came about although it is there to come about: faults by their names, and what is rare.
    pub fn missing(&self) -> Vec<&'static str> {
        let kinds =
            Kind::ALL.into_iter().filter(|kind| self.faults.get(kind).copied().unwrap_or_default() == 0);
        let rare = RARE.into_iter().filter(|what| self.tallies.get(what).copied().unwrap_or_default() == 0);
        kinds.map(Kind::name).chain(rare).collect()
    }

    fn print_unpaid(&self) {
        println!("unpaid seconds of a call, by cause (of {} calls)", self.billed);
        if self.unpaid.is_empty() {
            println!("  none");
        }
        for (cause, secs) in &self.unpaid {
            let most = secs.iter().max().copied().unwrap_or_default();
            let mut below = 0;
            let counts: Vec<String> = BOUNDS
                .iter()
                .map(|bound| {
                    let count = secs.iter().filter(|secs| **secs > below && **secs <= *bound).count();
                    below = *bound;
                    format!("<={bound}s: {count}")
                })
                .collect();
            let (bound, calls) = (cause.most_secs(), secs.len());
            println!("  {cause:<46} {calls:>4} calls, most {most} s of {bound} s ({})", counts.join(", "));
        }
    }
}

/// Prints a failure and the shortest way to it that was found.
pub fn print_failure(config: &Config, outcome: &Outcome, shortest: &Config, shown: &Outcome) {
    let seed = config.seed;
    println!("\nseed {seed} at commit {} fails", commit());
    if let Some(violation) = &outcome.violation {
        println!("{violation}");
    }
    let masked: Vec<&str> = shortest.masked.iter().map(|kind| kind.name()).collect();
    let kept: Vec<String> =
        (0..shown.actions).filter(|at| !shortest.removed.contains(at)).map(|at| at.to_string()).collect();
    let left: Vec<&str> = Kind::ALL
        .into_iter()
        .filter(|kind| !shortest.masked.contains(kind) && shown.faults.get(kind) > Some(&0))
        .map(Kind::name)
        .collect();
    println!("the shortest way found needs these faults: {}", left.join(", "));
    println!("and these of its {} actions: {}", shown.actions, kept.join(", "));
    println!("it leaves out: {}", masked.join(", "));
    println!("the last lines of its trace:");
    for line in &shown.trace {
        println!("  {line}");
    }
    println!("again: cargo sim --seed {seed} --trace{}", replay_flags(shortest));
}

/// The flags that leave the same things out.
fn replay_flags(config: &Config) -> String {
    let mut flags = String::new();
    if !config.masked.is_empty() {
        let places: Vec<String> = Kind::ALL
            .into_iter()
            .enumerate()
            .filter(|(_, kind)| config.masked.contains(kind))
            .map(|(at, _)| at.to_string())
            .collect();
        flags.extend([format!(" --without-faults {}", places.join(","))]);
    }
    if !config.removed.is_empty() {
        let places: Vec<String> = config.removed.iter().map(ToString::to_string).collect();
        flags.extend([format!(" --without-actions {}", places.join(","))]);
    }
    if let Some(plant) = config.plant {
        flags.extend([format!(" --with-bug {}", plant.name)]);
    }
    flags
}

/// The commit that is checked out while this runs, as far as git knows it.
pub fn commit() -> String {
    let asked = std::process::Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
    let text = asked.ok().filter(|answer| answer.status.success());
    text.map_or_else(
        || "unknown".to_owned(),
        |answer| String::from_utf8_lossy(&answer.stdout).trim().to_owned(),
    )
}
