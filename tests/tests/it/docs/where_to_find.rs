//! `docs/where-to-find.md` names files and names that exist, and each name is in a file of its own row.

use std::{fs, path::Path};

use super::{page, quoted, root, sources};

/// What the sources in a file or a folder say.
fn text_of(path: &Path) -> String {
    if path.is_dir() {
        let entries =
            fs::read_dir(path).expect("a folder that can be read").map(|entry| entry.expect("an entry"));
        return entries.map(|entry| text_of(&entry.path())).collect();
    }
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_file_and_every_name_of_the_page_exists() {
    let (page, text) = (page("docs/where-to-find.md"), sources());
    let mut files = 0;
    for row in page.lines().filter(|line| line.starts_with("| ")) {
        let (paths, names): (Vec<_>, Vec<_>) = quoted(row).partition(|name| name.contains('/'));
        for path in &paths {
            assert!(root().join(path).exists(), "{path} does not exist");
            files += 1;
        }
        let of_row: String = paths.iter().map(|path| text_of(&root().join(path))).collect();
        for name in names.into_iter().filter(|name| !name.contains('.')) {
            let own = name.rsplit("::").next().expect("a name").trim_end_matches('!');
            let kinds = ["fn", "struct", "enum", "const", "type", "mod", "macro_rules!"];
            let exists = kinds.iter().any(|kind| text.contains(&format!("{kind} {own}")));
            assert!(exists, "{name} is not defined anywhere");
            assert!(of_row.contains(own), "{name} is in none of {paths:?}");
        }
    }
    assert!(files >= 40, "{files} files");
}
