//! `docs/adding-a-function.md` names the files that a new route touches.

use super::{page, root};

/// How many files a new route may touch outside its function's folder.
const MOST_OUTSIDE: usize = 5;

#[test]
fn a_new_route_touches_few_files_and_those_that_are_named_exist() {
    let page = page("docs/adding-a-function.md");
    let block =
        page.split("```files\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a list of files");
    let mut outside = 0;
    for line in block.lines() {
        let (path, is_there) = line.strip_prefix("+ ").map_or((line, true), |new| (new, false));
        assert_eq!(root().join(path).exists(), is_there, "{line}");
        outside += usize::from(!path.starts_with("functions/"));
    }
    assert!((1..=MOST_OUTSIDE).contains(&outside), "{outside} files outside the function");
}
