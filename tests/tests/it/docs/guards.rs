//! `docs/guards.md` names tests that exist.

use std::{fs, path::Path};

fn sources(folder: &Path, into: &mut String) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        let name = entry.file_name();
        if path.is_dir() && name != "target" && !name.to_string_lossy().starts_with('.') {
            sources(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            into.push_str(&fs::read_to_string(&path).expect("a source"));
        }
    }
}

#[test]
fn every_test_that_guards_a_row_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page = fs::read_to_string(root.join("docs/guards.md")).expect("docs/guards.md is there");
    let mut text = String::new();
    sources(&root, &mut text);
    let mut rows = 0;
    for row in page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| id") && !line.starts_with("| --"))
    {
        let guards = row.rsplit("| ").next().expect("a last column");
        let names: Vec<&str> = guards.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test guards: {row}");
        for name in names {
            assert!(
                text.contains(&format!("fn {name}(")),
                "{name} is named in docs/guards.md and does not exist"
            );
        }
        rows += 1;
    }
    assert!(rows >= 27, "{rows} rows");
}
