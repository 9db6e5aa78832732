//! Who is let in: `/api` guards itself and the console's pages are anybody's; the rest is for this machine, or for who has the data
//! folder's key.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use serde_json::json;

use super::{Gateway, say, with_path};
use crate::stack::KEYS_FILE;

/// The header that the data folder's key is shown in.
pub const KEY_HEADER: &str = "x-sandbox-key";
/// What a path begins with that has the data folder's key in it, for a client that sends no header of ours: `/_key/<key>/v1/…`.
pub const KEY_PATH: &str = "/_key/";
/// What the addresses begin with that are no API's and no page's of ours, but the sandboxes' and AWS's.
const GUARDED: [&str; 3] = ["/_", "/v1/", "/2010-04-01/"];
/// The pages that a browser is sent to. They have no key, and are found by their random names alone, as Stripe's are and the links
/// in the issuer's letters.
const PAGES: [&str; 3] =
    ["/_sandbox/stripe/pay/", "/_sandbox/stripe/authenticate/", "/_sandbox/supabase/auth/v1/verify"];

/// Takes a key out of a request's path, and returns whether the request shows the data folder's key there or in its header.
pub(super) fn show_key(gateway: &Gateway, request: Request<Bytes>) -> (Request<Bytes>, bool) {
    let in_header = request.headers().get(KEY_HEADER).is_some_and(|key| is_key(gateway, key.as_bytes()));
    let path = request.uri().path().to_owned();
    match path.strip_prefix(KEY_PATH).and_then(|rest| rest.split_once('/')) {
        Some((key, rest)) if is_key(gateway, key.as_bytes()) => {
            (with_path(request, &format!("/{rest}")), true)
        }
        _ => (request, in_header),
    }
}

/// Whether a request is AWS's own and bears the data folder's key as its access key.
pub(super) fn is_command(gateway: &Gateway, request: &Request<Bytes>) -> bool {
    let shown = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = shown
        .and_then(|shown| shown.strip_prefix("AWS4-HMAC-SHA256 Credential="))
        .and_then(|credential| credential.split('/').next())
        .unwrap_or_default();
    is_key(gateway, key.as_bytes())
}

fn is_key(gateway: &Gateway, shown: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(shown, gateway.folder_key.as_bytes()).is_ok()
}

/// Why a request that shows no key comes no further; none when it may. `/api` guards itself, and the console's pages hold nothing.
/// What gives tokens away and moves the sandboxes is open to this machine alone, while nothing leads here from outside.
pub(super) fn refused(
    gateway: &Gateway,
    peer: SocketAddr,
    request: &Request<Bytes>,
) -> Option<Response<Bytes>> {
    let path = request.uri().path();
    let is_page = PAGES.iter().any(|page| path.starts_with(page));
    let is_guarded = GUARDED.iter().any(|guarded| path.starts_with(guarded));
    // AWS's clients show the key in their own way.
    let is_aws = path == "/_aws" || path.starts_with("/_aws/");
    if !is_guarded || is_page || (is_aws && is_command(gateway, request)) {
        return None;
    }
    if !is_from_here(peer, request) {
        let detail = "Only the console and /api are reached from outside.";
        return Some(say(StatusCode::FORBIDDEN, &json!({ "detail": detail })));
    }
    (gateway.is_exposed && !is_aws).then(|| {
        let detail = format!(
            "This stack may be reached from outside, so {path} wants the data folder's key: -H '{KEY_HEADER}: …'. \
             It was printed at the start, and stands in the folder's {KEYS_FILE}."
        );
        say(StatusCode::FORBIDDEN, &json!({"detail": detail}))
    })
}

/// Whether a request comes from this machine: by the address of its socket, which its sender cannot choose. One that was passed
/// on, or names another machine (a page whose name was made to lead here), does not.
fn is_from_here(peer: SocketAddr, request: &Request<Bytes>) -> bool {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let name = host.map(|host| host.rsplit_once(':').map_or(host, |(name, _)| name));
    let is_passed_on =
        ["forwarded", "x-forwarded-for"].iter().any(|name| request.headers().contains_key(*name));
    peer.ip().is_loopback() && !is_passed_on && matches!(name, Some("127.0.0.1" | "localhost"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_request_is_known_by_its_socket_and_not_by_its_host() {
        let here: SocketAddr = "127.0.0.1:50000".parse().unwrap();
        let (also_here, there): (SocketAddr, SocketAddr) =
            ("[::1]:50000".parse().unwrap(), "192.0.2.1:50000".parse().unwrap());
        let cases = [
            (here, "127.0.0.1:3000", None, true),
            (also_here, "localhost:3000", None, true),
            (there, "127.0.0.1:3000", None, false),
            (there, "localhost", None, false),
            (here, "tunnel.example", None, false),
            (here, "127.0.0.1:3000", Some("x-forwarded-for"), false),
            (here, "127.0.0.1:3000", Some("forwarded"), false),
        ];
        for (peer, host, passed_on, expected) in cases {
            let mut request = Request::get("/_sandbox").header("host", host);
            if let Some(name) = passed_on {
                request = request.header(name, "127.0.0.1");
            }
            let request = request.body(Bytes::new()).unwrap();
            assert_eq!(is_from_here(peer, &request), expected, "{peer} {host} {passed_on:?}");
        }
    }
}
