//! What guards a local stack. Each data folder has keys of its own: a tunnel to the port, or a real vendor behind it, would open
//! a stack whose keys can be read in its source to anyone.

use std::{fmt, io::Write, path::Path};

use base::entropy::Entropy;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

/// The file of a data folder that has them.
pub const KEYS_FILE: &str = "keys.json";
/// What sealed the secrets of data folders from before they had keys of their own. It still opens them.
const OLD_CREDENTIAL_KEYS: &str = "local1:dm94YW5uZS1sb2NhbC1jcmVkZW50aWFsLWtleS0wMDE=";

/// The keys of a local stack.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// What opens `/_sandbox` where the request is not local, and the tables to the commands beside the stack.
    pub folder: String,
    /// The environment's name where a vendor is real: what is made there bears it.
    pub environment: String,
    /// What the Vapi sandbox's API takes.
    pub vapi_api_key: String,
    /// What the Vapi sandbox signs with.
    pub vapi_webhook_secret: String,
    /// What the Stripe sandbox's API takes.
    pub stripe_api_key: String,
    /// What the Stripe sandbox signs with where no endpoint has a secret of its own.
    pub stripe_webhook_secret: String,
    /// What opens our own account at the Twilio sandbox.
    pub twilio_auth_token: String,
    /// What seals stored secrets, as the setting `CREDENTIAL_KEYS` has it.
    pub credential_keys: String,
    /// What tokens are signed with.
    pub jwt_secret: String,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("environment", &self.environment).finish_non_exhaustive()
    }
}

impl Keys {
    /// Those of stacks in memory, which nothing outside the process reaches: tests know them, and they guard nothing.
    pub fn known() -> Self {
        Self {
            folder: "sandbox-folder-key".into(),
            environment: "development".into(),
            vapi_api_key: "sandbox-vapi-key".into(),
            vapi_webhook_secret: "sandbox-vapi-webhook-secret".into(),
            stripe_api_key: "sk_test_sandbox".into(),
            stripe_webhook_secret: "whsec_sandbox".into(),
            twilio_auth_token: "sandbox-twilio-token".into(),
            credential_keys: OLD_CREDENTIAL_KEYS.into(),
            jwt_secret: super::plan::JWT_SECRET.into(),
        }
    }

    /// Fresh ones.
    fn random(entropy: &Entropy) -> Self {
        let bytes = |words: usize| (0..words).flat_map(|_| entropy.bits().to_le_bytes()).collect::<Vec<u8>>();
        let digits = |words: usize| hex::encode(bytes(words));
        let short: String = digits(1).chars().take(8).collect();
        Self {
            folder: digits(2),
            environment: format!("local{short}"),
            vapi_api_key: format!("vapi-{}", digits(2)),
            vapi_webhook_secret: digits(4),
            stripe_api_key: format!("sk_test_{}", digits(2)),
            stripe_webhook_secret: format!("whsec_{}", digits(4)),
            twilio_auth_token: digits(2),
            credential_keys: format!("local{short}:{}", STANDARD.encode(bytes(4))),
            jwt_secret: digits(4),
        }
    }

    /// Those of a data folder, made when it has none yet. What an older stack sealed there can still be opened.
    ///
    /// # Errors
    /// A sentence: the folder cannot be used, or its file of keys cannot be read.
    pub fn of_folder(folder: &Path, entropy: &Entropy) -> Result<Self, String> {
        let file = folder.join(KEYS_FILE);
        let cannot = |error: &dyn fmt::Display| format!("{} cannot be used: {error}.", file.display());
        match std::fs::read(&file) {
            Ok(text) => return serde_json::from_slice(&text).map_err(|error| cannot(&error)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(cannot(&error)),
        }
        let mut keys = Self::random(entropy);
        if folder.join("voxanne.db").exists() {
            keys.credential_keys = format!("{},{OLD_CREDENTIAL_KEYS}", keys.credential_keys);
        }
        let text = serde_json::to_string_pretty(&keys).map_err(|error| cannot(&error))?;
        private(&file)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| cannot(&error))?;
        Ok(keys)
    }
}

/// Makes a new file that its owner alone can read, where the system knows owners.
///
/// # Errors
/// When there is one of that name, or the folder cannot be written to.
pub fn private(path: &Path) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("voxanne-keys-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn each_data_folder_has_keys_of_its_own_and_keeps_them() {
        let (one, other) = (folder("one"), folder("other"));
        let keys = Keys::of_folder(&one, &Entropy::System).unwrap();
        assert_eq!(Keys::of_folder(&one, &Entropy::System).unwrap(), keys, "kept");
        let others = Keys::of_folder(&other, &Entropy::System).unwrap();
        let all = |keys: &Keys| serde_json::to_value(keys).unwrap().as_object().unwrap().clone();
        for (name, value) in all(&keys) {
            assert_ne!(all(&others)[&name], value, "{name} is another folder's too");
            assert_ne!(all(&Keys::known())[&name], value, "{name} can be read in the source");
        }
        assert!(keys.environment.len() <= 20 && keys.environment.bytes().all(|c| c.is_ascii_alphanumeric()));
        assert!(!format!("{keys:?}").contains(&keys.jwt_secret));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(one.join(KEYS_FILE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        for folder in [one, other] {
            std::fs::remove_dir_all(folder).unwrap();
        }
    }

    #[test]
    fn what_an_older_stack_sealed_can_still_be_opened() {
        let folder = folder("older");
        std::fs::write(folder.join("voxanne.db"), "").unwrap();
        let keys = Keys::of_folder(&folder, &Entropy::System).unwrap();
        let (first, rest) = keys.credential_keys.split_once(',').unwrap();
        assert!(first.starts_with("local") && rest == OLD_CREDENTIAL_KEYS);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
