//! A secret in a record, which only the keyring opens.

use serde::{Deserialize, Serialize};

/// A secret as a record holds it: AES-256-GCM, bound to the org and the record it was sealed for. Without the
/// key it says nothing, so it may be stored and copied; copied to another record it does not open.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The id of the key that sealed it.
    pub key_id: String,
    /// The nonce, in base64.
    pub nonce: String,
    /// The ciphertext and its tag, in base64.
    pub ciphertext: String,
}

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sealed").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}
