//! `docs/errors.md` is true.

use std::fmt::Write as _;

use web::problem::Code;

use super::page;

#[test]
fn the_documentation_lists_every_code_with_its_status_and_sentence() {
    let documented = page("docs/errors.md");
    let rows: Vec<&str> = documented.lines().filter(|line| line.starts_with("| `")).collect();
    let mut expected = String::new();
    for code in Code::ALL {
        let (name, status, sentence) = code.parts();
        let _ = writeln!(expected, "| `{name}` | {} | {sentence} |", status.as_u16());
    }
    assert_eq!(rows, expected.lines().collect::<Vec<_>>(), "the table should be:\n{expected}");
}
