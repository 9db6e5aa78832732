//! `cargo run`: everything on one port, until Ctrl-C.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use base::clock::Clock;
use base::config::Environment;
use base::entropy::Entropy;
use jiff::{SignedDuration, Timestamp};
use local::{
    alarms::Alarms,
    clock::RunningClock,
    demo_clinic,
    gateway::{self, Gateway, KEY_HEADER},
    running,
    stack::{KEYS_FILE, Keys, Plan, Stack, Storage, private},
};
use platform::SystemClock;
use tokio::sync::watch;
use tracing_subscriber::{Layer, layer::SubscriberExt, util::SubscriberInitExt};
use vendors::http::Http;

use super::real_vendors;

/// Said of a data folder that a real vendor's messages would seem old to.
const AHEAD: &str = "The data folder's time is ahead of the real one (it ran with --speed): a real vendor's messages would seem \
                     old. Take another folder with --data-dir, or start afresh with --reset.";
/// How often the clock's time is written down.
const NOTE_TIME_EVERY: Duration = Duration::from_millis(500);

pub(super) async fn run(options: super::Serve) -> Result<(), String> {
    let tunnel = real_vendors::tunnel(options.port).await;
    let vendors = real_vendors::read(Path::new("."), options.live, options.speed, tunnel)?;
    let folder = Folder::take(&options.data_dir, options.reset)?;
    let keys = Keys::of_folder(&folder.path, &Entropy::System)?;
    let alarms = Alarms::default();
    logging(&alarms);
    let address = format!("127.0.0.1:{}", options.port);
    let listener = match tokio::net::TcpListener::bind((options.listen, options.port)).await {
        Ok(listener) => listener,
        Err(error) => return Err(port_taken(&address, &error).await),
    };
    let resumed_at = Folder::last_time(&folder.path).unwrap_or(Timestamp::UNIX_EPOCH).max(SystemClock.now());
    let is_real = vendors.is_real();
    if is_real && resumed_at.duration_since(SystemClock.now()) > SignedDuration::from_mins(1) {
        return Err(AHEAD.into());
    }
    let clock: Arc<dyn Clock> = Arc::new(RunningClock::starting_at(resumed_at, options.speed));
    let origin = options.cors_origin.unwrap_or_else(|| format!("http://{address}"));
    let kinds = vendors.kinds();
    let mut settings = vendors.settings;
    settings.push(("DASHBOARD_ORIGIN".into(), origin.clone()));
    settings.push(("CONSOLE_SIGN_IN".into(), options.sign_in));
    let is_exposed = is_real || vendors.public_url.is_some();
    let stack = Stack::build(Plan {
        environment: environment(is_real, &keys),
        storage: Storage::Folder(folder.path.clone()),
        clock: Arc::clone(&clock),
        entropy: Arc::new(Entropy::System),
        address: address.clone(),
        keys: keys.clone(),
        settings,
        network: vendors.network,
        schedules: true,
        skews: vec![],
    })
    .await
    .map_err(|error| error.to_string())?;
    stack.register().await;
    let number = demo_clinic::seed(&stack)
        .await
        .map_err(|error| format!("the demo clinic cannot be set up: {error}"))?;
    let stack = Arc::new(stack);

    let port = listener.local_addr().map_err(|error| error.to_string())?.port();
    folder.note_port(port, &keys.folder)?;
    let (stop, stopped) = watch::channel(false);
    let folder_key = keys.folder.clone();
    let gateway = Gateway { stack: Arc::clone(&stack), alarms, cors_origin: origin, folder_key, is_exposed };
    let served = tokio::spawn(gateway::serve(gateway, listener, stopped.clone()));
    let ran = tokio::spawn(running::run(stack, stopped.clone()));
    let noted = tokio::spawn(note_time(folder, clock, stopped));
    println!("{}", greeting(&address, &options.data_dir, options.speed, &kinds, number));
    println!("\n{}", guarded_by(&keys, &options.data_dir, vendors.public_url.as_deref(), is_exposed));

    tokio::signal::ctrl_c().await.map_err(|error| error.to_string())?;
    println!("\nFinishing what is in hand …");
    let _ = stop.send(true);
    // The folder is ours until what is in hand is finished.
    let (_, _, _folder) = tokio::join!(served, ran, noted);
    println!("Stopped. The data stays in {}.", options.data_dir.display());
    Ok(())
}

/// The name of the environment. Where a vendor is real it is the data folder's own: the accounts there may be shared, and what
/// bears one stack's name is changed and given back by that stack.
pub(super) fn environment(is_real: bool, keys: &Keys) -> String {
    if is_real { keys.environment.clone() } else { "development".to_owned() }
}

/// What guards the stack, for the person who runs it.
fn guarded_by(keys: &Keys, folder: &Path, public_url: Option<&str>, is_exposed: bool) -> String {
    let file = folder.join(KEYS_FILE);
    let secrets = format!(
        "The sandboxes' secrets, of this data folder alone ({file}):\n   \
         export VAPI_SECRET={vapi} STRIPE_SECRET={stripe} STRIPE_KEY={stripe_key}",
        file = file.display(),
        vapi = keys.vapi_webhook_secret,
        stripe = keys.stripe_webhook_secret,
        stripe_key = keys.stripe_api_key,
    );
    if !is_exposed {
        return secrets;
    }
    let reached = public_url.map_or_else(String::new, |url| format!(" at {url}"));
    format!(
        "This stack may be reached from outside{reached}. /_sandbox wants the folder's key: add to the lines above\n   \
         -H '{KEY_HEADER}: {key}'\n{secrets}",
        key = keys.folder,
    )
}

/// Who has the port, if it says so.
async fn port_taken(address: &str, error: &std::io::Error) -> String {
    let asked = async {
        let request =
            http::Request::get(format!("http://{address}/_sandbox")).body(bytes::Bytes::new()).ok()?;
        let answer = Http::network(Duration::from_secs(1)).ok()?.send(request).await.ok()?;
        serde_json::from_slice::<serde_json::Value>(answer.body()).ok()?["process"].as_u64()
    };
    let holder = match asked.await {
        Some(process) => format!("another Voxanne has it, process {process}"),
        None => error.to_string(),
    };
    format!("{address} cannot be had: {holder}. Stop it, or take another port with --port.")
}

fn greeting(address: &str, folder: &Path, speed: u32, kinds: &str, number: Option<&str>) -> String {
    let base = format!("http://{address}");
    let token =
        format!("T=$(curl -s -XPOST {base}/_sandbox/token | sed -n 's/.*\"token\": \"\\(.*\\)\".*/\\1/p')");
    let url = "sed -n 's/.*\"url\": *\"\\([^\"]*\\)\".*/\\1/p'";
    let has =
        number.map_or_else(|| "without a number: buy one".to_owned(), |number| format!("number {number}"));
    let number = number.unwrap_or("<its number>");
    format!(
        "The console: {base}/\n\n\
         Voxanne {version} at {base}   ({kinds}, data in {folder}, speed {speed}×)\n\
         Demo clinic {org}, {has}. GET {base}/_sandbox lists everything.\n\n\
         Five things to try, each a line to paste:\n\n\
         1. Pay £25 in, and look at the wallet:\n   \
         {token}; curl -s -d act=pay $(curl -s -H \"authorization: Bearer $T\" -d '{{\"amount_pence\":2500}}' {base}/api/billing/wallet/topup | {url}); sleep 1; curl -s -H \"authorization: Bearer $T\" {base}/api/billing/wallet\n\n\
         2. Ring the clinic for 20 seconds, and see what the caller heard:\n   \
         W=$(curl -s -XPOST {base}/_sandbox/vapi/calls -d '{{\"to\":\"{number}\",\"talk_seconds\":20}}' | sed -n 's/.*\"watch\": \"\\(.*\\)\".*/\\1/p'); sleep 3; curl -s {base}$W\n\n\
         3. Download the statement and verify it:\n   \
         {token}; curl -s -H \"authorization: Bearer $T\" {base}/api/billing/wallet/statement > statement.json; cargo run -q -- verify-statement statement.json\n\n\
         4. Buy a number to call from, and let the agent ring a patient:\n   \
         {token}; curl -s -H \"authorization: Bearer $T\" -d '{{\"country\":\"US\",\"direction\":\"outbound\"}}' {base}/api/managed-telephony/provision; sleep 8; curl -s -H \"authorization: Bearer $T\" -d '{{\"phoneNumber\":\"+447700900123\"}}' {base}/api/calls; sleep 5; curl -s -H \"authorization: Bearer $T\" {base}/api/calls-dashboard/live\n\n\
         5. Ring and book a check-up by voice, and see it in the diary:\n   \
         W=$(curl -s -XPOST {base}/_sandbox/vapi/calls -d '{{\"to\":\"{number}\",\"talk_seconds\":40,\"says\":[{{\"says\":\"A check-up next Tuesday afternoon?\",\"tool\":\"checkAvailability\",\"arguments\":{{\"service\":\"check-up\",\"when\":\"next Tuesday afternoon\"}}}},{{\"says\":\"The second one. I am Ada Lovelace.\",\"tool\":\"bookClinicAppointment\",\"arguments\":{{\"option\":\"B\",\"patient_name\":\"Ada Lovelace\"}}}}]}}' | sed -n 's/.*\"watch\": \"\\(.*\\)\".*/\\1/p'); sleep 15; curl -s {base}$W; {token}; curl -s -H \"authorization: Bearer $T\" {base}/api/appointments\n\n\
         Ctrl-C stops; --help shows more; `cargo run -- demo` tells the whole story in under a minute.",
        version = env!("CARGO_PKG_VERSION"),
        folder = folder.display(),
        org = demo_clinic::ORG,
    )
}

fn logging(alarms: &Alarms) {
    let level = Environment::of_process().reader().optional("LOG_LEVEL").unwrap_or_else(|| "info".into());
    let filter = tracing_subscriber::EnvFilter::try_new(level).unwrap_or_default();
    let lines = tracing_subscriber::fmt::layer().compact().with_target(false).with_writer(std::io::stderr);
    // A second subscriber is refused; there is none here.
    let _ = tracing_subscriber::registry().with(alarms.clone()).with(lines.with_filter(filter)).try_init();
}

/// Writes the time down, so that a clock that ran ahead does not go back after a restart. Returns the folder in the end.
async fn note_time(folder: Folder, clock: Arc<dyn Clock>, mut stop: watch::Receiver<bool>) -> Folder {
    while !*stop.borrow() {
        folder.note_time(clock.now());
        tokio::select! {
            () = tokio::time::sleep(NOTE_TIME_EVERY) => {}
            _ = stop.changed() => {}
        }
    }
    folder.note_time(clock.now());
    folder.forget_port();
    folder
}

/// The data folder, taken: one process has it at a time.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    // The lock goes with the process, however it ends.
    _lock: File,
}

fn cannot_use(path: &Path, error: &std::io::Error) -> String {
    format!("The data folder {} cannot be used: {error}.", path.display())
}

/// Who has the data folder.
#[derive(Debug)]
pub(super) enum Taken {
    /// We do, now.
    Ours(Folder),
    /// This process.
    By(String),
}

impl Folder {
    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the folder, empty if it is to be `reset`, or says who has it.
    pub(super) fn take(path: &Path, reset: bool) -> Result<Self, String> {
        let folder = match Self::try_take(path)? {
            Taken::Ours(folder) => folder,
            Taken::By(process) => {
                return Err(format!(
                    "The data folder {} is in use by process {process}. Stop it, or take another with --data-dir.",
                    path.display(),
                ));
            }
        };
        if reset {
            folder.empty()?;
        }
        Ok(folder)
    }

    /// Takes the folder if no other process has it.
    pub(super) fn try_take(path: &Path) -> Result<Taken, String> {
        let cannot = |error: std::io::Error| cannot_use(path, &error);
        std::fs::create_dir_all(path).map_err(cannot)?;
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join("lock"))
            .map_err(cannot)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = lock.read_to_string(&mut holder);
                return Ok(Taken::By(holder.trim().to_owned()));
            }
            Err(TryLockError::Error(error)) => return Err(cannot(error)),
        }
        lock.set_len(0).and_then(|()| lock.rewind()).map_err(cannot)?;
        write!(lock, "{}", std::process::id()).map_err(cannot)?;
        let folder = Self { path: path.to_owned(), _lock: lock };
        // Of a process that was killed.
        folder.forget_port();
        Ok(Taken::Ours(folder))
    }

    fn empty(&self) -> Result<(), String> {
        for name in [
            "voxanne.db",
            "voxanne.db-wal",
            "voxanne.db-shm",
            "vapi.json",
            "stripe.json",
            "twilio.json",
            "google.json",
            "supabase.json",
            "mail.json",
            "anchors.json",
            KEYS_FILE,
            "time",
            "port",
            "sam-env.json",
        ] {
            match std::fs::remove_file(self.path.join(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(cannot_use(&self.path, &error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes down where commands beside this process reach it, and what they show it.
    fn note_port(&self, port: u16, key: &str) -> Result<(), String> {
        private(&self.path.join("port"))
            .and_then(|mut file| write!(file, "{port} {key}"))
            .map_err(|error| cannot_use(&self.path, &error))
    }

    fn forget_port(&self) {
        let _ = std::fs::remove_file(self.path.join("port"));
    }

    /// Where the process that has the folder at `path` is reached, and what it wants to be shown.
    pub(super) fn port(path: &Path) -> Option<(u16, String)> {
        let noted = std::fs::read_to_string(path.join("port")).ok()?;
        let (port, key) = noted.split_once(' ')?;
        Some((port.parse().ok()?, key.to_owned()))
    }

    /// The time that the stack on the folder at `path` has, or had when it last ran.
    pub(super) fn last_time(path: &Path) -> Option<Timestamp> {
        std::fs::read_to_string(path.join("time")).ok()?.trim().parse().ok()
    }

    fn note_time(&self, now: Timestamp) {
        let _ = std::fs::write(self.path.join("time"), now.to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_real_keys_a_data_folder_has_an_environment_of_its_own() {
        let keys = Keys { environment: "local0a1b2c3d".into(), ..Keys::known() };
        assert_eq!(environment(true, &keys), "local0a1b2c3d");
        assert_eq!(environment(false, &keys), "development");
    }

    #[test]
    fn who_runs_it_is_shown_the_secrets_and_the_key_where_it_is_needed() {
        let keys = Keys::known();
        let inside = guarded_by(&keys, Path::new(".voxanne"), None, false);
        assert!(inside.contains(&keys.vapi_webhook_secret) && !inside.contains(&keys.folder), "{inside}");
        let exposed = guarded_by(&keys, Path::new(".voxanne"), Some("https://tunnel.example"), true);
        assert!(exposed.contains(&keys.folder) && exposed.contains("https://tunnel.example"), "{exposed}");
    }
}
