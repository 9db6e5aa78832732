//! The files of `web`, as they are in this build.

use std::borrow::Cow;

use aws_lc_rs::digest::{Context, SHA256};
use rust_embed::Embed;

/// The page.
pub const PAGE: &str = "index.html";
/// How much of a hash stands in an address.
const SHOWN_BYTES: usize = 8;

/// The kinds of files that there may be, by the end of their name, and what a browser is told of each.
pub const KINDS: [(&str, &str); 11] = [
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("svg", "image/svg+xml"),
    ("json", "application/json"),
    ("md", "text/markdown; charset=utf-8"),
    ("txt", "text/plain; charset=utf-8"),
    // Types for whoever checks the scripts; no browser asks for them.
    ("ts", "text/plain; charset=utf-8"),
    ("woff2", "font/woff2"),
    ("png", "image/png"),
    ("ico", "image/x-icon"),
];

#[derive(Embed)]
#[folder = "web"]
struct Web;

/// A file.
#[derive(Clone, Debug)]
pub struct Asset {
    /// What a browser is told that it is.
    pub kind: &'static str,
    /// A hash of its bytes, in hexadecimal digits.
    pub hash: String,
    /// Its bytes.
    pub bytes: Cow<'static, [u8]>,
}

/// The file at a path of the folder, if there is one, of a known kind.
pub fn get(path: &str) -> Option<Asset> {
    let kind = kind(path)?;
    // The list first: only a name that is in it leads to the folder.
    let file = Web::iter().any(|known| known == path).then(|| Web::get(path))??;
    Some(Asset { kind, hash: hex::encode(file.metadata.sha256_hash()), bytes: file.data })
}

/// Every path of the folder, in order.
pub fn paths() -> Vec<String> {
    let mut paths: Vec<String> = Web::iter().map(Cow::into_owned).collect();
    paths.sort_unstable();
    paths
}

/// The name of this build: a hash of every file, and of where each is.
pub fn build() -> String {
    let mut context = Context::new(&SHA256);
    for path in paths() {
        let Some(file) = Web::get(&path) else { continue };
        context.update(path.as_bytes());
        context.update(&[0]);
        context.update(&file.metadata.sha256_hash());
    }
    let digest = context.finish();
    hex::encode(digest.as_ref().get(..SHOWN_BYTES).unwrap_or_default())
}

/// What a browser is told of a file with this name, if its kind is known.
fn kind(path: &str) -> Option<&'static str> {
    let (_, end) = path.rsplit_once('.')?;
    KINDS.iter().find(|(known, _)| *known == end).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_of_a_known_kind_and_is_found() {
        let paths = paths();
        assert!(paths.iter().any(|path| path == PAGE) && paths.iter().any(|path| path == "app.js"));
        for path in &paths {
            assert!(get(path).is_some(), "web/{path} is of a kind that assets::KINDS does not have");
        }
        for other in ["", "../Cargo.toml", "index", "none.js", "./app.js", "app.exe"] {
            assert!(get(other).is_none(), "{other}");
        }
    }

    #[test]
    fn the_page_has_no_script_or_style_of_its_own_and_names_nothing_elsewhere() {
        let page = String::from_utf8(get(PAGE).unwrap().bytes.into_owned()).unwrap();
        assert!(page.contains("{{assets}}/app.js"), "{page}");
        assert!(!page.contains("<style") && !page.contains(" style="), "{page}");
        assert!(!page.contains("://"), "{page}");
        for script in page.split("<script").skip(1) {
            let (tag, body) = script.split_once('>').unwrap();
            assert!(tag.contains("src=") && body.starts_with("</script>"), "<script{script}");
        }
    }
}
