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

/// Returns whether `expected` is the HMAC-SHA256 of `parts`, one after another, under `secret`. The
/// comparison takes constant time.
pub fn is_hmac_sha256(secret: &SecretString, parts: &[&[u8]], expected: &[u8]) -> bool {
    let tag = hmac_sha256(secret, parts);
    tag.as_ref().ct_eq(expected).into()
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
