//! `docs/invariants.md` names tests that exist, and each row by an id of its own.

use std::collections::BTreeSet;

use super::{page, quoted, sources};

#[test]
fn every_test_that_guards_a_row_exists() {
    let (page, text) = (page("docs/invariants.md"), sources());
    let rows = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| id") && !line.starts_with("| --"));
    let mut ids = BTreeSet::new();
    for row in rows {
        let id = row.split('|').nth(1).expect("an id").trim();
        assert!(ids.insert(id), "two rows are called {id}");
        let guards = row.rsplit("| ").next().expect("a last column");
        assert!(quoted(guards).next().is_some(), "no test guards: {row}");
        for name in quoted(guards) {
            let exists = text.contains(&format!("fn {name}("));
            assert!(exists, "{name} is named in docs/invariants.md and does not exist");
        }
    }
    assert!(ids.len() >= 100, "{} rows", ids.len());
}
