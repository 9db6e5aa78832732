//! `docs/where-to-find.md` names files and names that exist.

use super::{page, quoted, root, sources};

#[test]
fn every_file_and_every_name_of_the_page_exists() {
    let (page, text) = (page("docs/where-to-find.md"), sources());
    let mut files = 0;
    for name in page.lines().filter(|line| line.starts_with("| ")).flat_map(quoted) {
        if name.contains('/') {
            assert!(root().join(name).exists(), "{name} does not exist");
            files += 1;
        } else if !name.contains('.') {
            let own = name.rsplit("::").next().expect("a name").trim_end_matches('!');
            let kinds = ["fn", "struct", "enum", "const", "type", "mod", "macro_rules!"];
            let exists = kinds.iter().any(|kind| text.contains(&format!("{kind} {own}")));
            assert!(exists, "{name} is not defined anywhere");
        }
    }
    assert!(files >= 40, "{files} files");
}
