//! Arrows point one way (`ARCHITECTURE.md`). A `use` that points the other way fails here.

use std::{fs, path::Path};

/// Each module, and those of the crate that it may use.
const MAY_USE: [(&str, &[&str]); 19] = [
    ("planted", &[]),
    ("domain", &["domain", "planted"]),
    ("alarm", &["alarm"]),
    ("config", &["domain"]),
    ("store", &["domain", "store"]),
    ("providers", &["domain", "providers"]),
    ("world", &["config", "domain", "providers", "store"]),
    ("keyring", &["config", "domain"]),
    ("dead_letters", &["domain", "store", "world"]),
    ("secrets", &["alarm", "config", "domain", "providers", "secrets", "world"]),
    ("voice", &["alarm", "config", "domain", "providers", "store", "voice"]),
    (
        "provisioning",
        &[
            "alarm",
            "config",
            "domain",
            "follow_up",
            "keyring",
            "planted",
            "providers",
            "provisioning",
            "store",
            "voice",
            "world",
        ],
    ),
    ("follow_up", &["alarm", "config", "domain", "store", "world"]),
    (
        "charging",
        &[
            "alarm",
            "charging",
            "config",
            "domain",
            "follow_up",
            "keyring",
            "planted",
            "providers",
            "store",
            "world",
        ],
    ),
    (
        "payments",
        &["alarm", "config", "domain", "follow_up", "payments", "planted", "providers", "store", "world"],
    ),
    (
        "recharge",
        &["alarm", "config", "domain", "payments", "planted", "providers", "recharge", "store", "world"],
    ),
    (
        "reconcile",
        &[
            "alarm",
            "charging",
            "config",
            "domain",
            "keyring",
            "payments",
            "providers",
            "provisioning",
            "recharge",
            "reconcile",
            "store",
            "world",
        ],
    ),
    (
        "http",
        &[
            "alarm",
            "charging",
            "config",
            "domain",
            "http",
            "payments",
            "providers",
            "provisioning",
            "store",
            "world",
        ],
    ),
    ("runtime", &["config", "http"]),
];

fn files(folder: &Path, into: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            into.push(path);
        }
    }
}

/// The modules of the crate that a file names: `crate::x`, alone or in a group.
fn used(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0_u32;
            let mut name = String::new();
            let mut is_first_segment = true;
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => (is_first_segment, name) = (true, String::new()),
                    ':' if depth == 0 && is_first_segment => {
                        names.push(std::mem::take(&mut name));
                        is_first_segment = false;
                    }
                    c if depth == 0 && is_first_segment && !c.is_whitespace() => name.push(c),
                    _ => {}
                }
            }
            if is_first_segment && !name.is_empty() {
                names.push(name);
            }
        } else {
            names.push(rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect());
        }
    }
    names
}

#[test]
fn no_module_uses_one_above_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    files(&root, &mut all);
    assert!(all.len() > 30, "the sources are here");
    for path in all {
        let within = path.strip_prefix(&root).expect("below the root");
        let module =
            within.iter().next().and_then(|part| part.to_str()).expect("a name").trim_end_matches(".rs");
        if module == "lib" {
            continue;
        }
        let (_, allowed) = MAY_USE
            .iter()
            .find(|(name, _)| *name == module)
            .unwrap_or_else(|| panic!("{module} has no place in the order yet: add it to MAY_USE"));
        for name in used(&fs::read_to_string(&path).expect("a source")) {
            let is_module = MAY_USE.iter().any(|(module, _)| *module == name);
            assert!(
                !is_module || allowed.contains(&name.as_str()),
                "{} uses {name}, which is above it",
                within.display()
            );
        }
    }
}
