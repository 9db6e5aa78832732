//! What the vendors' webhook signatures have in common.

use aws_lc_rs::hmac;
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

/// How old, or how far ahead, a signed message may be.
pub const TOLERANCE: SignedDuration = SignedDuration::from_secs(300);

/// Why a webhook is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// No secret is configured: nothing can be verified, so nothing is accepted.
    #[error("no webhook secret is configured")]
    NoSecret,
    /// No signature came with it.
    #[error("the request is not signed")]
    Unsigned,
    /// The signature header cannot be read.
    #[error("the signature header cannot be read")]
    Malformed,
    /// It was signed more than five minutes ago, or ahead of our clock.
    #[error("the signature's time is more than five minutes from now")]
    Stale,
    /// The signature is another's, or the body was changed.
    #[error("the signature does not match")]
    Mismatch,
}

/// Whether the HMAC-SHA256 of `parts`, one after another, under `secret` is `expected`. In constant time.
pub fn is_hmac_sha256(secret: &SecretString, parts: &[&[u8]], expected: &[u8]) -> bool {
    let tag = hmac_sha256(secret, parts);
    tag.as_ref().ct_eq(expected).into()
}

/// The HMAC-SHA256 of `parts`, one after another, under `secret`.
pub fn hmac_sha256(secret: &SecretString, parts: &[&[u8]]) -> hmac::Tag {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    let mut context = hmac::Context::with_key(&key);
    for part in parts {
        context.update(part);
    }
    context.sign()
}

/// Whether `at` is within the tolerance of `now`, either way; the limit itself is.
pub fn is_fresh(at: Timestamp, now: Timestamp) -> bool {
    now.duration_since(at).abs() <= TOLERANCE
}

/// The secrets that can sign: those that are not empty.
///
/// # Errors
/// [`Unverified::NoSecret`] when none is left.
pub fn usable(secrets: &[SecretString]) -> Result<Vec<&SecretString>, Unverified> {
    let usable: Vec<_> = secrets.iter().filter(|secret| !secret.expose_secret().trim().is_empty()).collect();
    if usable.is_empty() { Err(Unverified::NoSecret) } else { Ok(usable) }
}
