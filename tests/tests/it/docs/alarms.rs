//! Every alarm that the code can raise is on `docs/logging.md`, and has a page in `docs/runbook.md`.

use std::collections::BTreeSet;

use super::{page, sources};

/// The names of the alarms in `text`: what stands first in each `alarm!(`.
fn raised(text: &str) -> BTreeSet<&str> {
    let calls = text.split("alarm!(").skip(1);
    let names = calls.filter_map(|call| call.trim_start().strip_prefix('"')?.split('"').next());
    let is_name = |name: &&str| name.bytes().all(|c| c.is_ascii_lowercase() || c == b'_');
    names.filter(|name| name.contains('_')).filter(is_name).collect()
}

#[test]
fn every_alarm_is_listed_and_has_a_page_that_says_what_to_do() {
    let code = sources();
    let alarms = raised(&code);
    assert!(alarms.len() > 30, "alarms are found: {alarms:?}");
    let missing = |path: &str| {
        let text = page(path);
        alarms.iter().filter(|name| !text.contains(&format!("`{name}`"))).copied().collect::<Vec<_>>()
    };
    assert_eq!(missing("docs/logging.md"), Vec::<&str>::new(), "not on docs/logging.md");
    assert_eq!(missing("docs/runbook.md"), Vec::<&str>::new(), "without a page in docs/runbook.md");
}
