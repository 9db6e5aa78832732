//! What a browser is given: the page, its files, and with each what it may do with it.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use web::{
    problem::{Code, Problem},
    runtime::{Body, Request},
};

use crate::assets::{self, Asset, PAGE};

/// Where the files are: `/assets/<build>/<path>`.
const ASSETS: &str = "/assets/";
/// What stands in the page for `/assets/<build>`.
const PLACEHOLDER: &str = "{{assets}}";
/// What a page may load and do: only what is of its own origin, and nothing that is written inside it.
pub const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
                          object-src 'none'";
/// What bears these with every answer: a page is not framed, tells nobody where it was, and asks for no camera.
const GUARDS: [(&str, &str); 7] = [
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    // Read over TLS alone; where there is none, as on this machine, a browser ignores it.
    ("strict-transport-security", "max-age=31536000"),
];
/// A file whose address has a hash of its build never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// A page is asked for again each time, and mostly answered 304.
pub(crate) const ASKED_EACH_TIME: &str = "no-cache";
/// The smallest file that is worth compressing, in bytes.
const SMALLEST_COMPRESSED: usize = 1_024;

/// Answers a request outside `/api/`.
///
/// # Errors
/// [`Code::NotFound`] where there is neither a page nor a file, [`Code::MethodNotAllowed`] where there is, for another method.
pub fn answer(request: &Request) -> Result<Response<Body>, Problem> {
    let path = request.uri().path();
    let found = match path.strip_prefix(ASSETS) {
        Some(rest) => asset(rest).map(|asset| (asset, FOR_EVER)),
        None if is_page(request) => page().map(|page| (page, ASKED_EACH_TIME)),
        None => None,
    };
    let (asset, caching) = found.ok_or_else(|| Problem::new(Code::NotFound))?;
    if request.method() != Method::GET {
        return Err(Problem::not_allowed(&["GET", "HEAD"]));
    }
    Ok(served(&asset, caching, request.headers()))
}

/// The file at `<build>/<path>`, if it is of this build.
fn asset(rest: &str) -> Option<Asset> {
    let (build, path) = rest.split_once('/')?;
    // The page has addresses of its own, where its placeholder is filled in.
    if build != assets::build() || path == PAGE { None } else { assets::get(path) }
}

/// The page, which names the files of this build.
fn page() -> Option<Asset> {
    let page = assets::get(PAGE)?;
    let build = assets::build();
    let text = String::from_utf8_lossy(&page.bytes).replace(PLACEHOLDER, &format!("{ASSETS}{build}"));
    Some(Asset { kind: page.kind, hash: build, bytes: text.into_bytes().into() })
}

/// Whether a person looks at this address: the root, or one without a dot at its end that HTML is asked of.
fn is_page(request: &Request) -> bool {
    let path = request.uri().path();
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let wants_page = accept.is_some_and(|accept| accept.contains("text/html"));
    let is_file = path.rsplit('/').next().is_some_and(|last| last.contains('.'));
    path == "/" || (wants_page && !is_file)
}

/// A file, or that the client has it already.
pub(crate) fn served(asset: &Asset, caching: &'static str, asked: &HeaderMap) -> Response<Body> {
    let tag = format!("W/\"{}\"", asset.hash);
    let is_known = is_known(asked, &asset.hash);
    let mut response = Response::new(Body::Empty);
    let headers = response.headers_mut();
    for (name, value) in GUARDS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    if let Some(compressed) = compressed(asset, asked) {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        *response.body_mut() = Body::Binary(compressed);
        return response;
    }
    *response.body_mut() = match std::str::from_utf8(&asset.bytes) {
        Ok(text) => Body::Text(text.to_owned()),
        Err(_) => Body::Binary(asset.bytes.to_vec()),
    };
    response
}

/// Whether the client has it already (RFC 9110, 13.1.2).
fn is_known(asked: &HeaderMap, hash: &str) -> bool {
    let Some(known) = asked.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    let mut tags = known.split(',').map(str::trim);
    tags.any(|tag| tag == "*" || tag.trim_start_matches("W/").trim_matches('"') == hash)
}

/// The bytes in gzip, where the client takes it and it pays.
fn compressed(asset: &Asset, asked: &HeaderMap) -> Option<Vec<u8>> {
    let takes = asked.get(header::ACCEPT_ENCODING)?.to_str().ok()?;
    let is_text = std::str::from_utf8(&asset.bytes).is_ok();
    let takes_gzip = takes.split(',').any(|coding| coding.trim().split(';').next() == Some("gzip"));
    if !takes_gzip || !is_text || asset.bytes.len() < SMALLEST_COMPRESSED {
        return None;
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&asset.bytes).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests;
