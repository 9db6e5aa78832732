//! Stands in for Secrets Manager: what is made, read and written by name. Kept in a table of the same database where there
//! is one on disk, so that a secret that a vendor tells only once survives a kill.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use dynoxide::Database;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The service, as requests name it.
pub const SERVICE: &str = "secretsmanager";
/// The table that secrets are kept in.
const TABLE: &str = "local_secrets";

/// All secrets.
#[derive(Clone)]
pub struct Secrets {
    inner: Arc<Inner>,
}

struct Inner {
    secrets: Mutex<BTreeMap<String, Secret>>,
    kept_in: Option<Database>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Secret {
    text: String,
    /// The token of the request that wrote it: the same request again is answered as done.
    version: String,
}

/// Names only.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.lock().keys()).finish()
    }
}

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// No such secret.
    #[error("Secrets Manager can't find the specified secret.")]
    NotFound,
    /// There is one of that name.
    #[error("The operation failed because the secret already exists.")]
    Exists,
    /// An operation that is not stood in for.
    #[error("this store of secrets does not do that")]
    UnknownOperation,
}

impl SecretError {
    /// Secrets Manager's own name for it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotFound => "ResourceNotFoundException",
            Self::Exists => "ResourceExistsException",
            Self::UnknownOperation => "UnknownOperationException",
        }
    }
}

impl Secrets {
    /// Those that `kept_in` still has.
    pub fn open(kept_in: Option<Database>) -> Self {
        let secrets = kept_in.as_ref().map(|db| {
            create_table(db);
            load(db)
        });
        let inner = Inner { secrets: Mutex::new(secrets.unwrap_or_default()), kept_in };
        Self { inner: Arc::new(inner) }
    }

    /// The text of a secret, if there is one.
    pub fn get(&self, name: &str) -> Option<String> {
        self.lock().get(name).map(|secret| secret.text.clone())
    }

    /// Writes a secret, as an operator would by hand.
    pub fn put(&self, name: &str, text: &str) {
        self.keep(name, Secret { text: text.to_owned(), version: "by-hand".into() });
    }

    /// Takes a secret away, as an operator would by hand.
    pub fn delete(&self, name: &str) {
        if self.lock().remove(name).is_some()
            && let Some(db) = &self.inner.kept_in
        {
            let request = json!({"TableName": TABLE, "Key": {"name": {"S": name}}});
            if let Ok(request) = serde_json::from_value(request) {
                let _ = db.delete_item(request);
            }
        }
    }

    /// Answers a request of the AWS SDK (`AwsJson1.1`).
    ///
    /// # Errors
    /// When there is no such secret or operation, or one is to be made that is there.
    pub fn answer(&self, operation: &str, body: &Value) -> Result<Value, SecretError> {
        let text_at = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
        let named = if operation == "CreateSecret" { "Name" } else { "SecretId" };
        let name = text_at(named);
        let found = self.lock().get(&name).cloned();
        let version = text_at("ClientRequestToken");
        match operation {
            "CreateSecret" => {
                let text = text_at("SecretString");
                match found {
                    Some(same) if same.version == version && same.text == text => {}
                    Some(_) => return Err(SecretError::Exists),
                    None => self.keep(&name, Secret { text, version: version.clone() }),
                }
                Ok(json!({"ARN": arn(&name), "Name": name, "VersionId": version}))
            }
            "ListSecrets" => {
                let secrets = self.lock();
                let listed = secrets.iter().map(|(name, secret)| {
                    json!({"ARN": arn(name), "Name": name,
                        "SecretVersionsToStages": {&secret.version: ["AWSCURRENT"]}})
                });
                Ok(json!({"SecretList": listed.collect::<Vec<Value>>()}))
            }
            "DescribeSecret" => {
                found.ok_or(SecretError::NotFound)?;
                Ok(json!({"ARN": arn(&name), "Name": name}))
            }
            "GetSecretValue" => {
                let Secret { text, version } = found.ok_or(SecretError::NotFound)?;
                Ok(json!({"ARN": arn(&name), "Name": name, "VersionId": version, "SecretString": text,
                    "VersionStages": ["AWSCURRENT"]}))
            }
            "PutSecretValue" => {
                found.ok_or(SecretError::NotFound)?;
                self.keep(&name, Secret { text: text_at("SecretString"), version: version.clone() });
                Ok(json!({"ARN": arn(&name), "Name": name, "VersionId": version,
                    "VersionStages": ["AWSCURRENT"]}))
            }
            _ => Err(SecretError::UnknownOperation),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Secret>> {
        self.inner.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a secret, on disk too. One that cannot be kept would be lost by a kill: that stops the process.
    fn keep(&self, name: &str, secret: Secret) {
        if let Some(db) = &self.inner.kept_in {
            let item = json!({"name": {"S": name}, "secret": {"S": json!(secret).to_string()}});
            let request = serde_json::from_value(json!({"TableName": TABLE, "Item": item}));
            let written = request
                .map_err(|error| error.to_string())
                .and_then(|request| db.put_item(request).map_err(|error| error.to_string()));
            if let Err(error) = written {
                panic!("a secret cannot be written to disk: {error}");
            }
        }
        self.lock().insert(name.to_owned(), secret);
    }
}

fn arn(name: &str) -> String {
    format!("arn:aws:secretsmanager:eu-west-2:000000000000:secret:{name}-local1")
}

fn create_table(db: &Database) {
    let request = json!({"TableName": TABLE, "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "name", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "name", "KeyType": "HASH"}]});
    if let Ok(request) = serde_json::from_value(request) {
        // It is there already after a restart.
        let _ = db.create_table(request);
    }
}

/// Every secret on disk: a handful.
fn load(db: &Database) -> BTreeMap<String, Secret> {
    let request = serde_json::from_value(json!({"TableName": TABLE}));
    let request = request.expect("a request of the engine's own form");
    let page = db.scan(request).expect("the secrets' table can be read");
    let page = serde_json::to_value(page).expect("an answer of the engine's own form");
    let mut secrets = BTreeMap::new();
    for item in page["Items"].as_array().into_iter().flatten() {
        let text_at = |field: &str| item[field]["S"].as_str().unwrap_or_default();
        let secret = serde_json::from_str(text_at("secret")).expect("a secret on disk can be read: --reset");
        secrets.insert(text_at("name").to_owned(), secret);
    }
    secrets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_made_once_written_and_read() {
        let secrets = Secrets::open(None);
        let get = json!({"SecretId": "voxanne/test"});
        let put = |text: &str| json!({"SecretId": "voxanne/test", "SecretString": text, "ClientRequestToken": "t2"});
        let create =
            |token: &str| json!({"Name": "voxanne/test", "SecretString": "one", "ClientRequestToken": token});
        assert_eq!(secrets.answer("GetSecretValue", &get), Err(SecretError::NotFound));
        assert_eq!(secrets.answer("PutSecretValue", &put("two")), Err(SecretError::NotFound));
        secrets.answer("CreateSecret", &create("t1")).unwrap();
        secrets.answer("CreateSecret", &create("t1")).expect("the same request, again");
        assert_eq!(secrets.answer("CreateSecret", &create("t3")), Err(SecretError::Exists));
        assert_eq!(secrets.answer("GetSecretValue", &get).unwrap()["SecretString"], "one");
        secrets.answer("PutSecretValue", &put("two")).unwrap();
        assert_eq!(secrets.answer("GetSecretValue", &get).unwrap()["SecretString"], "two");
        let listed = secrets.answer("ListSecrets", &json!({})).unwrap();
        assert_eq!(listed["SecretList"][0]["Name"], "voxanne/test");
        assert!(!listed.to_string().contains("two"), "a list has no text");
        assert_eq!(secrets.answer("DeleteSecret", &get), Err(SecretError::UnknownOperation));
        assert!(!format!("{secrets:?}").contains("two"));
    }

    #[test]
    fn secrets_outlive_the_process() {
        let db = Database::memory().unwrap();
        let before = Secrets::open(Some(db.clone()));
        before.put("kept", "one");
        before.put("gone", "two");
        before.delete("gone");
        let after = Secrets::open(Some(db));
        assert_eq!((after.get("kept").as_deref(), after.get("gone")), (Some("one"), None));
    }
}
