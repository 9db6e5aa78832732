//! `cargo sim`: the real handlers, store and rules in a simulated world that tries to break them. A seed decides everything:
//! what people do, what goes wrong, and in which order things happen. After every step the books must be right, and in the
//! end everything must come to rest.

#![expect(clippy::arithmetic_side_effects, reason = "a simulation counts what it did, far from any limit")]

mod actions;
mod asked_back;
mod calendars;
mod cards;
mod carrier;
mod desk;
mod diary;
mod doing;
mod driver;
mod faults;
mod hand;
mod interleave;
mod items;
mod lag;
mod letters;
mod logs;
mod monitor;
mod pairs;
mod plant;
mod quiet;
mod rare;
mod report;
mod rest;
mod returned;
mod rng;
mod slots;
mod sweep;
mod texts;
mod weather;
mod webhooks;
mod world;

use std::{collections::BTreeSet, process::ExitCode};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    driver::Config,
    faults::Kind,
    monitor::Violation,
    plant::{PLANTS, Plant},
    report::Totals,
};

/// Seeds that always run first.
const CORPUS: &str = include_str!("../corpus.txt");
/// In so many worlds everything that can go wrong has to.
const ENOUGH: u64 = 100;
/// How many worlds a planted bug has to be found in.
const PLANTED_WORLDS: u64 = 60;

/// Runs simulated worlds, and fails when anything in one is broken.
#[derive(Debug, Parser)]
#[command(name = "sim", about, long_about = None)]
struct Cli {
    /// How many worlds, beside those of the corpus.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// The first of their seeds.
    #[arg(long, default_value_t = Self::FIRST)]
    from: u64,
    /// Runs this one world, exactly as it ran before.
    #[arg(long)]
    seed: Option<u64>,
    /// Prints each step and each log line of that world.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Leaves kinds of faults out, by their places in the list.
    #[arg(long, value_delimiter = ',', requires = "seed")]
    without_faults: Vec<usize>,
    /// Leaves actions out, by their places in the list.
    #[arg(long, value_delimiter = ',', requires = "seed")]
    without_actions: Vec<usize>,
    /// Plants a bug in that world.
    #[arg(long, requires = "seed")]
    with_bug: Option<String>,
    /// Plants a bug, or all of them one at a time, and fails when one is not found.
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "all")]
    planted: Option<String>,
    /// Runs all interleavings of the operations on one wallet instead of samples.
    #[arg(long)]
    interleavings: bool,
    /// How many worlds run at once; as many as there are cores when nothing is said.
    #[arg(long)]
    jobs: Option<usize>,
    /// Prints the failure as it was found, without looking for a shorter way to it.
    #[arg(long)]
    as_found: bool,
}

impl Cli {
    /// The first seed, where nothing is said.
    const FIRST: u64 = 1_000;
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    logs::listen();
    let is_right = if cli.interleavings {
        interleave::run(jobs(&cli))
    } else if let Some(name) = &cli.planted {
        planted(&cli, name)
    } else if let Some(seed) = cli.seed {
        one(&cli, seed)
    } else {
        many(&cli)
    };
    if is_right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn jobs(cli: &Cli) -> usize {
    cli.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}

fn bar(length: u64, of: &str) -> ProgressBar {
    let style =
        ProgressStyle::with_template(&format!("{{elapsed_precise}} {{bar:40}} {{pos}}/{{len}} {of} {{msg}}"));
    let bar = ProgressBar::new(length);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// The seeds of the corpus, in its order. A line that cannot be read must not be left out unseen.
fn corpus() -> Vec<u64> {
    let lines = CORPUS.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let seed = |line: &str| line.split_whitespace().next().and_then(|seed| seed.parse::<u64>().ok());
    lines.map(|line| seed(line).expect("every line of corpus.txt begins with a seed")).collect()
}

fn many(cli: &Cli) -> bool {
    let seeds = corpus().into_iter().chain(cli.from..cli.from.saturating_add(cli.seeds));
    let configs: Vec<Config> = seeds.map(|seed| Config { seed, ..Config::default() }).collect();
    let bar = bar(u64::try_from(configs.len()).unwrap_or_default(), "worlds");
    let outcomes = sweep::all(&configs, jobs(cli), &bar, true);
    let mut totals = Totals::default();
    for (_, outcome) in &outcomes {
        totals.add(outcome);
    }
    let failed = outcomes.into_iter().find(|(_, outcome)| outcome.violation.is_some());
    let found = failed.and_then(|(at, outcome)| Some((configs.get(at)?.clone(), outcome)));
    let is_right = found.is_none();
    if let Some((config, outcome)) = found {
        explain(cli, &config, outcome, &bar);
    }
    bar.finish_and_clear();
    totals.print();
    let missing = if cli.seeds < ENOUGH { Vec::new() } else { totals.missing() };
    for what in &missing {
        println!("never came about: {what}");
    }
    is_right && missing.is_empty()
}

fn one(cli: &Cli, seed: u64) -> bool {
    let masked = cli.without_faults.iter().filter_map(|at| Kind::ALL.get(*at).copied());
    let plant = cli.with_bug.as_deref().and_then(Plant::named);
    if cli.with_bug.is_some() && plant.is_none() {
        println!("There is no such bug; --planted lists them.");
        return false;
    }
    let config = Config {
        seed,
        masked: masked.collect(),
        removed: cli.without_actions.iter().copied().collect::<BTreeSet<_>>(),
        plant,
        prints: cli.trace,
    };
    let outcome = sweep::on_a_thread(&config);
    let mut totals = Totals::default();
    totals.add(&outcome);
    totals.print();
    let Some(violation) = &outcome.violation else { return true };
    println!("\n{violation}");
    if !cli.trace {
        explain(cli, &config, outcome, &bar(1, "worlds"));
    }
    false
}

/// Prints a failure, with the shortest way to it.
fn explain(cli: &Cli, config: &Config, outcome: driver::Outcome, bar: &ProgressBar) {
    let violation = outcome.violation.clone();
    let (shortest, shown) =
        if cli.as_found { (config.clone(), outcome) } else { sweep::shrink(config, outcome, bar) };
    bar.suspend(|| {
        let found = driver::Outcome { violation, ..driver::Outcome::default() };
        report::print_failure(config, &found, &shortest, &shown);
    });
}

/// Plants bugs one at a time, and prints where each was found.
fn planted(cli: &Cli, name: &str) -> bool {
    let plants: Vec<&'static Plant> =
        PLANTS.iter().filter(|plant| name == "all" || plant.name == name).collect();
    if plants.is_empty() {
        println!("There is no such bug. There are:");
        for plant in &PLANTS {
            println!("  {}", plant.name);
        }
        return false;
    }
    let bar = bar(u64::try_from(plants.len()).unwrap_or_default(), "bugs");
    let seeds = cli.from..cli.from.saturating_add(PLANTED_WORLDS);
    let worlds_of = |plant: &&'static Plant| {
        // What found it before comes first, unless other worlds are asked for.
        let known = std::iter::once(plant.seed).filter(|_| cli.from == Cli::FIRST);
        let config = |seed| Config { seed, plant: Some(plant), ..Config::default() };
        known.chain(seeds.clone()).map(config).collect()
    };
    let lists: Vec<Vec<Config>> = plants.iter().map(worlds_of).collect();
    let found = sweep::hunt(&lists, jobs(cli), &bar);
    bar.finish_and_clear();
    println!("{:<46} {:<46} {:>6} {:>8}  found by", "bug", "where", "worlds", "seed");
    for (plant, found) in plants.iter().zip(&found) {
        println!("{}", planted_row(plant, found.as_ref()));
    }
    let missed = found.iter().filter(|found| found.is_none()).count();
    println!("{} of {} planted bugs found", plants.len() - missed, plants.len());
    missed == 0
}

fn planted_row(plant: &Plant, found: Option<&(usize, u64, Violation)>) -> String {
    let (worlds, seed, invariant) = match found {
        Some((worlds, seed, violation)) => (worlds.to_string(), seed.to_string(), violation.invariant),
        None => ("-".to_owned(), "-".to_owned(), "NOT FOUND"),
    };
    format!("{:<46} {:<46} {worlds:>6} {seed:>8}  {invariant}", plant.name, plant.place)
}
