//! The signature of Twilio's webhooks.

use std::collections::BTreeSet;

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret, SecretString};

use crate::signature::{Unverified, usable};

/// The header that carries a webhook's signature.
pub const SIGNATURE_HEADER: &str = "x-twilio-signature";

/// The auth tokens that prove a webhook comes from Twilio: the current one, and during rotation the one
/// before.
#[derive(Clone, Debug)]
pub struct TwilioWebhook {
    /// The tokens, of which any may have signed.
    pub tokens: Vec<SecretString>,
}

impl TwilioWebhook {
    /// Checks that a webhook to our public `url` with these form parameters was signed by a holder of a
    /// token: the signature is the Base64 of the HMAC-SHA1 over the URL and each parameter's name and value,
    /// sorted, each pair once (twilio.com/docs/usage/security). Twilio signs the URL with or without its
    /// scheme's port, so both are tried, as its own libraries do.
    ///
    /// The signature has no time, so the caller must stop a replay by what the message names.
    ///
    /// # Errors
    /// See [`Unverified`].
    pub fn verify(
        &self,
        signature: &str,
        url: &str,
        parameters: &[(String, String)],
    ) -> Result<(), Unverified> {
        let tokens = usable(&self.tokens)?;
        if signature.is_empty() {
            return Err(Unverified::Unsigned);
        }
        let tag = STANDARD.decode(signature).map_err(|_| Unverified::Malformed)?;
        let sorted: BTreeSet<(&str, &str)> =
            parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let parameters: String = sorted.into_iter().flat_map(|(name, value)| [name, value]).collect();
        let texts: Vec<String> =
            spellings(url).into_iter().map(|spelling| format!("{spelling}{parameters}")).collect();
        let matches = |token: &&SecretString| {
            let token = token.expose_secret().as_bytes();
            let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token);
            texts.iter().any(|text| hmac::verify(&key, text.as_bytes(), &tag).is_ok())
        };
        if tokens.iter().any(matches) { Ok(()) } else { Err(Unverified::Mismatch) }
    }
}

/// Returns a URL as it is, and with its scheme's own port added or taken away.
pub(super) fn spellings(url: &str) -> Vec<String> {
    let mut spellings = vec![url.to_owned()];
    if let Some((scheme, rest)) = url.split_once("://") {
        let port = if scheme == "https" { ":443" } else { ":80" };
        let (host, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        if let Some(bare) = host.strip_suffix(port) {
            spellings.push(format!("{scheme}://{bare}{tail}"));
        } else if !host.contains(':') {
            spellings.push(format!("{scheme}://{host}{port}{tail}"));
        }
    }
    spellings
}
