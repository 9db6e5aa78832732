//! The SHA-256 that seals an entry, and the end of a ledger that the next entry is chained to.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use crate::ids::OrgId;

/// A SHA-256, written in lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String)]
pub struct Hash([u8; 32]);

impl Hash {
    /// Returns the hash of `fields`, each written as its length in bytes (decimal), a colon, and its bytes.
    /// The lengths make it impossible to move a character from one field to the next.
    pub(super) fn of<'a>(fields: impl IntoIterator<Item = &'a str>) -> Self {
        let mut digest = Sha256::new();
        for field in fields {
            digest.update(field.len().to_string().as_bytes());
            digest.update(b":");
            digest.update(field.as_bytes());
        }
        Self(digest.finalize().into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Hash {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, hex::FromHexError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map(|()| Self(bytes))
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> Self {
        hash.to_string()
    }
}

/// The end of an org's ledger, which the next entry is chained to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The number of the last entry; 0 before the first.
    #[serde(rename = "ledger_seq")]
    pub seq: u64,
    /// The hash of the last entry; before the first, the hash of the org's id.
    #[serde(rename = "ledger_head")]
    pub hash: Hash,
}

impl Head {
    /// Returns the head of a ledger without entries.
    pub fn genesis(org: OrgId) -> Self {
        Self { seq: 0, hash: Hash::of([org.to_string().as_str()]) }
    }
}
