//! The table of unpaid seconds in `docs/limits.md` is the one that the simulation asserts.

use domain::overspend::{Cause, LOST_AFTER_SECS, MINUTELY_SECS};

use super::page;

#[test]
fn the_documented_bounds_are_those_that_the_simulation_asserts() {
    let documented = page("docs/limits.md");
    let rows = |header: &str| {
        let table = documented.split_once(header).expect("the page has the table").1;
        let rows = table.lines().skip(2).take_while(|line| line.starts_with("| "));
        rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect::<Vec<_>>())
            .collect::<Vec<_>>()
    };
    let seen = rows("| cause | at most | calls | seen |");
    let stated: Vec<(&str, &str)> = seen.iter().map(|row| (row[0], row[1])).collect();
    let asserted = Cause::ALL.map(|cause| (cause.to_string(), format!("{} s", cause.most_secs())));
    let asserted: Vec<(&str, &str)> =
        asserted.iter().map(|(cause, most)| (cause.as_str(), most.as_str())).collect();
    assert_eq!(stated, asserted);
    for row in &seen {
        let secs = |text: &str| text.trim_end_matches(" s").parse::<u32>().expect("whole seconds");
        assert!(secs(row[3]) <= secs(row[1]), "more was seen than the bound: {row:?}");
    }
    let found = format!("{} s: up to {MINUTELY_SECS} s", MINUTELY_SECS + LOST_AFTER_SECS);
    assert!(documented.contains(&found), "the page says {found:?}");
}
