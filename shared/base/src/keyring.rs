//! The keys that seal secrets in records: AES-256-GCM, the org and the record as associated data.

use std::{fmt, sync::Arc};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret, SecretString};

use crate::config::Reader;
use crate::entropy::Entropy;
use domain::{ids::OrgId, sealed::Sealed};

/// The keys by their ids: the first one seals, and each one opens what it sealed.
#[derive(Clone)]
pub struct Keyring {
    keys: Arc<Vec<(String, LessSafeKey)>>,
    entropy: Arc<Entropy>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|(id, _)| id)).finish()
    }
}

/// Why a secret cannot be opened or sealed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// No key of this id is configured.
    #[error("the key {0} that sealed a secret is not configured")]
    UnknownKey(String),
    /// The secret was sealed by another key or for another record, or its bytes were altered.
    #[error("a sealed secret does not open: it was sealed for another record, by another key, or altered")]
    Unopenable,
    /// No key is configured, so nothing can be sealed.
    #[error("there is no key to seal with")]
    NoKey,
}

impl Keyring {
    /// Reads `CREDENTIAL_KEYS`: `<id>:<32 bytes in base64>`, separated by commas, the current key first.
    pub fn read(reader: &mut Reader<'_>, entropy: Arc<Entropy>) -> Self {
        let setting = reader.secret("CREDENTIAL_KEYS");
        let mut keys: Vec<(String, LessSafeKey)> = Vec::new();
        for part in setting.expose_secret().split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let key = part.split_once(':').and_then(|(id, key)| {
                let is_id = !id.is_empty() && id.bytes().all(|c| c.is_ascii_alphanumeric());
                let bytes = STANDARD.decode(key).ok().filter(|_| is_id)?;
                Some((id.to_owned(), LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes).ok()?)))
            });
            match key {
                Some((id, _)) if keys.iter().any(|(known, _)| *known == id) => {
                    reader.problem(format!("CREDENTIAL_KEYS names the key {id} twice"));
                }
                Some(key) => keys.push(key),
                // The value is a key, so it is not told.
                None => reader
                    .problem("CREDENTIAL_KEYS is a list of <id>:<32 bytes in base64>, separated by commas"),
            }
        }
        Self { keys: Arc::new(keys), entropy }
    }

    /// Returns the id of the key that seals now.
    pub fn current(&self) -> Option<&str> {
        self.keys.first().map(|(id, _)| id.as_str())
    }

    /// Seals `secret` for one record of one org.
    ///
    /// # Errors
    /// When no key is configured.
    pub fn seal(&self, org: OrgId, record: &str, secret: &str) -> Result<Sealed, KeyringError> {
        let (key_id, key) = self.keys.first().ok_or(KeyringError::NoKey)?;
        let mut nonce = [0; NONCE_LEN];
        let random = self.entropy.bits().to_le_bytes().into_iter().chain(self.entropy.bits().to_le_bytes());
        for (to, from) in nonce.iter_mut().zip(random) {
            *to = from;
        }
        let mut text = secret.as_bytes().to_vec();
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            aad(org, record, key_id),
            &mut text,
        )
        .map_err(|_| KeyringError::Unopenable)?;
        Ok(Sealed {
            key_id: key_id.clone(),
            nonce: STANDARD.encode(nonce),
            ciphertext: STANDARD.encode(text),
        })
    }

    /// Opens what was sealed for this record of this org, by the key that sealed it.
    ///
    /// # Errors
    /// When its key is not configured, or it was sealed for another record or altered.
    pub fn open(&self, org: OrgId, record: &str, sealed: &Sealed) -> Result<SecretString, KeyringError> {
        let key = self.keys.iter().find(|(id, _)| *id == sealed.key_id).map(|(_, key)| key);
        let key = key.ok_or_else(|| KeyringError::UnknownKey(sealed.key_id.clone()))?;
        let decoded = STANDARD.decode(&sealed.nonce).ok().zip(STANDARD.decode(&sealed.ciphertext).ok());
        let (nonce, mut text) = decoded.ok_or(KeyringError::Unopenable)?;
        let nonce = Nonce::try_assume_unique_for_key(&nonce).map_err(|_| KeyringError::Unopenable)?;
        let opened = key
            .open_in_place(nonce, aad(org, record, &sealed.key_id), &mut text)
            .map_err(|_| KeyringError::Unopenable)?;
        let opened = std::str::from_utf8(opened).map_err(|_| KeyringError::Unopenable)?;
        Ok(opened.to_owned().into())
    }
}

/// Returns what a secret is bound to: each part with its length, so that no character can move to the next
/// part.
fn aad(org: OrgId, record: &str, key_id: &str) -> Aad<Vec<u8>> {
    let org = org.to_string();
    let parts = [org.as_str(), record, key_id];
    Aad::from(parts.map(|part| format!("{}:{part}", part.len())).concat().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;

    fn keyring(setting: &str) -> Result<Keyring, crate::config::Invalid> {
        let environment = Environment::of([("CREDENTIAL_KEYS", setting)]);
        let mut reader = environment.reader();
        let keyring = Keyring::read(&mut reader, Arc::new(Entropy::seeded(1)));
        reader.finish().map(|()| keyring)
    }

    fn key(id: &str, byte: u8) -> String {
        format!("{id}:{}", STANDARD.encode([byte; 32]))
    }

    const ORG: OrgId = OrgId::new(uuid::Uuid::from_u128(1));
    const OTHER: OrgId = OrgId::new(uuid::Uuid::from_u128(2));

    #[test]
    fn a_secret_opens_for_its_record_alone() {
        let ring = keyring(&key("k1", 1)).unwrap();
        let sealed = ring.seal(ORG, "twilio#inbound", "token").unwrap();
        assert_eq!(ring.open(ORG, "twilio#inbound", &sealed).unwrap().expose_secret(), "token");
        for (org, record) in [(OTHER, "twilio#inbound"), (ORG, "twilio#outbound")] {
            assert_eq!(ring.open(org, record, &sealed).unwrap_err(), KeyringError::Unopenable);
        }
        let altered = Sealed { ciphertext: STANDARD.encode([0; 21]), ..sealed.clone() };
        assert_eq!(ring.open(ORG, "twilio#inbound", &altered).unwrap_err(), KeyringError::Unopenable);
        let same_id = keyring(&key("k1", 2)).unwrap();
        assert_eq!(same_id.open(ORG, "twilio#inbound", &sealed).unwrap_err(), KeyringError::Unopenable);
        let again = ring.seal(ORG, "twilio#inbound", "token").unwrap();
        assert!(again.nonce != sealed.nonce && again.ciphertext != sealed.ciphertext);
        assert!(!format!("{sealed:?}{ring:?}").contains(&sealed.ciphertext));
    }

    #[test]
    fn the_first_key_seals_and_an_older_one_still_opens() {
        let old = keyring(&key("k1", 1)).unwrap().seal(ORG, "r", "token").unwrap();
        let ring = keyring(&format!("{}, {}", key("k2", 2), key("k1", 1))).unwrap();
        assert_eq!(ring.open(ORG, "r", &old).unwrap().expose_secret(), "token");
        assert_eq!(ring.seal(ORG, "r", "token").unwrap().key_id, "k2");
        let without = keyring(&key("k2", 2)).unwrap();
        assert_eq!(without.open(ORG, "r", &old).unwrap_err(), KeyringError::UnknownKey("k1".into()));
    }

    #[test]
    fn keys_that_are_none_are_said_without_their_value() {
        for bad in ["", "k1", "k1:short", "k-1:AAAA", &format!("{0},{0}", key("k1", 1))] {
            let problems = keyring(bad).unwrap_err().0;
            assert!(problems.iter().all(|problem| problem.contains("CREDENTIAL_KEYS")), "{problems:?}");
            assert!(problems.iter().all(|problem| !problem.contains("short")), "{problems:?}");
        }
    }
}
