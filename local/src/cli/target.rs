//! Where a command works: on the local stack, through it when it runs and else on its data folder, or on a deployed one.

use std::{path::Path, sync::Arc, time::Duration};

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region, SharedCredentialsProvider};
use base::clock::Clock;
use base::config::Base;
use base::entropy::Entropy;
use jiff::Timestamp;
use local::{
    clock::RunningClock,
    stack::{Keys, Plan, Stack, Storage},
};
use platform::{Aws, Platform, SystemClock};
use web::problem::chain;

use super::{
    folder::{Folder, Taken},
    real_vendors,
    serve::environment,
};

/// Where a command says that vendors reach it. It asks them for nothing, so none is told.
const NOWHERE: &str = "https://voxanne.sandbox";
/// How long the running stack may take for one answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a command works on.
#[derive(Debug)]
pub(super) struct Target {
    /// The way there.
    pub(super) platform: Platform,
    /// Its name.
    pub(super) environment: String,
    // Ours until the command is done.
    _folder: Option<Folder>,
}

impl Target {
    /// The local stack of a data folder, with the settings of `.env` and `more` beside its own.
    pub(super) async fn local(data_dir: &Path, more: Option<(&str, String)>) -> Result<Self, String> {
        // Those of `.env` too where they seem of no use: a data folder of a real vendor's is not given a sandbox's secrets. There
        // is no network, so the vendor is not asked.
        let tunnel = Some(NOWHERE.to_owned());
        let vendors = real_vendors::read(Path::new("."), true, 1, tunnel)?;
        let is_real = vendors.is_real();
        let mut settings = vendors.settings;
        settings.extend(more.map(|(name, value)| (name.to_owned(), value)));
        let (folder, running) = match Folder::try_take(data_dir)? {
            Taken::Ours(folder) => (Some(folder), None),
            Taken::By(process) => (None, Some(through(data_dir, &process)?)),
        };
        let keys = Keys::of_folder(data_dir, &Entropy::System)?;
        let environment = environment(is_real, &keys);
        let storage = folder.as_ref().map(|folder| Storage::Folder(folder.path().to_owned()));
        let last = folder
            .as_ref()
            .and_then(|folder| Folder::last_time(folder.path()))
            .unwrap_or(Timestamp::UNIX_EPOCH);
        let stack = Stack::build(Plan {
            environment: environment.clone(),
            // Where another process has the data, this one is only there for its settings.
            storage: storage.unwrap_or(Storage::Memory),
            clock: Arc::new(RunningClock::starting_at(last.max(SystemClock.now()), 1)),
            entropy: Arc::new(Entropy::System),
            address: "127.0.0.1:0".into(),
            keys,
            settings,
            network: None,
            schedules: false,
            skews: vec![],
        })
        .await
        .map_err(|error| error.to_string())?;
        let platform = match running {
            Some(aws) => Platform::new(
                &aws,
                stack.platform.environment.clone(),
                stack.platform.vendors.clone(),
                Arc::new(SystemClock),
                Arc::new(Entropy::System),
            ),
            None => stack.platform,
        };
        Ok(Self { platform, environment, _folder: folder })
    }

    /// A deployed environment, by the AWS credentials and region of this process.
    pub(super) async fn deployed(environment: &str) -> Result<Self, String> {
        let mut platform = Platform::deployed().await.map_err(|error| error.to_string())?;
        platform.environment = platform.environment.with("VOXANNE_ENVIRONMENT", environment);
        let mut reader = platform.environment.reader();
        Base::read(&mut reader);
        reader.finish().map_err(|error| format!("--env {environment}: {error}."))?;
        Ok(Self { platform, environment: environment.to_owned(), _folder: None })
    }
}

/// The way to the tables and queues of the stack that runs on a data folder.
fn through(data_dir: &Path, process: &str) -> Result<Aws, String> {
    let (port, key) = Folder::port(data_dir).ok_or_else(|| {
        format!(
            "The data folder {} is in use by process {process}, which is just starting or stopping, or is a command like \
             this one. Try again in a moment.",
            data_dir.display()
        )
    })?;
    let config = aws_config::SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-2"))
        .endpoint_url(format!("http://127.0.0.1:{port}/_aws"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            key, "local", None, None, "local",
        )))
        .build();
    Ok(Aws { config, transport: None, attempt_timeout: Some(PATIENCE) })
}

/// A field of the environment's secret: what its functions were deployed with.
pub(super) async fn stored(platform: &Platform, environment: &str, field: &str) -> Result<String, String> {
    let id = format!("voxanne/{environment}");
    let answer = platform.secrets.get_secret_value().secret_id(&id).send().await.map_err(|error| {
        format!(
            "{field} cannot be read from the secret {id}: {}. Use AWS credentials that may read it.",
            chain(&error)
        )
    })?;
    let fields: serde_json::Value =
        serde_json::from_str(answer.secret_string().unwrap_or_default()).unwrap_or_default();
    let missing = || format!("The secret {id} has no field {field}: put it there.");
    fields[field].as_str().map(str::to_owned).ok_or_else(missing)
}
