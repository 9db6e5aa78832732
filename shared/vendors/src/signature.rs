//! What the vendors' webhook signatures have in common.

use aws_lc_rs::hmac;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// How old a signed message may be, or how far ahead of our clock.
pub const TOLERANCE: SignedDuration = SignedDuration::from_secs(300);

/// Why a webhook is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// No secret is configured: nothing can be verified, so nothing is accepted.
    #[error("no webhook secret is configured")]
    NoSecret,
    /// The request carries no signature.
    #[error("the request is not signed")]
    Unsigned,
    /// The signature header cannot be read.
    #[error("the signature header cannot be read")]
    Malformed,
    /// The message was signed more than five minutes ago, or that far ahead of our clock.
    #[error("the signature's time is more than five minutes from now")]
    Stale,
    /// Another secret made the signature, or the body was changed.
    #[error("the signature does not match")]
    Mismatch,
}

/// The most signatures of one message that are looked at. A vendor sends one for each secret that is valid.
pub const MOST_TAGS: usize = 10;

/// Returns whether `expected` is the HMAC-SHA256 of `parts`, one after another, under `secret`. The
/// comparison takes constant time.
pub fn is_hmac_sha256(secret: &SecretString, parts: &[&[u8]], expected: &[u8]) -> bool {
    is_one_hmac_sha256(secret, parts, &[expected])
}

/// Returns whether any of `expected` is the HMAC-SHA256 of `parts` under `secret`. The message is hashed once,
/// however many there are, so that a sender who knows no secret makes no work.
pub fn is_one_hmac_sha256(secret: &SecretString, parts: &[&[u8]], expected: &[impl AsRef<[u8]>]) -> bool {
    let tag = hmac_sha256(secret, parts);
    expected.iter().any(|expected| bool::from(tag.as_ref().ct_eq(expected.as_ref())))
}

/// Returns the tags among `texts`, each 64 hexadecimal digits, at most [`MOST_TAGS`]. What cannot be a tag is left
/// out.
pub fn tags<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<[u8; 32]> {
    let tag = |text: &str| {
        let mut tag = [0; 32];
        hex::decode_to_slice(text, &mut tag).ok().map(|()| tag)
    };
    texts.into_iter().filter_map(tag).take(MOST_TAGS).collect()
}

/// Returns the HMAC-SHA256 of `parts`, one after another, under `secret`.
pub fn hmac_sha256(secret: &SecretString, parts: &[&[u8]]) -> hmac::Tag {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    let mut context = hmac::Context::with_key(&key);
    for part in parts {
        context.update(part);
    }
    context.sign()
}

/// Returns whether `at` is within [`TOLERANCE`] of `now`, either way, the limit included.
pub fn is_fresh(at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at).abs() <= TOLERANCE
}

/// Returns the secrets that can sign: those that are not blank.
///
/// # Errors
/// [`Unverified::NoSecret`] when none is left.
pub fn usable(secrets: &[SecretString]) -> Result<Vec<&SecretString>, Unverified> {
    let usable: Vec<_> = secrets.iter().filter(|secret| !secret.expose_secret().trim().is_empty()).collect();
    if usable.is_empty() { Err(Unverified::NoSecret) } else { Ok(usable) }
}
