//! `cargo run`: everything on one port, until Ctrl-C.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use base::clock::Clock;
use base::{config::Environment, entropy::Entropy};
use jiff::{SignedDuration, Timestamp};
use local::{
    alarms::Alarms,
    clock::{RunningClock, TestClock},
    demo_clinic,
    gateway::{self, Gateway, KEY_HEADER},
    month, news, running,
    stack::{KEYS_FILE, Keys, Plan, Stack, Storage},
};
use platform::SystemClock;
use tokio::sync::watch;
use tracing::{instrument::WithSubscriber as _, subscriber::NoSubscriber};
use tracing_subscriber::{Layer, layer::SubscriberExt, util::SubscriberInitExt};
use vendors::http::Http;

use super::{folder::Folder, real_vendors};

/// Said of a data folder that a real vendor's messages would seem old to.
const AHEAD: &str = "The data folder's time is ahead of the real one (it ran with --speed): a real vendor's messages would seem \
                     old. Take another folder with --data-dir, or start afresh with --reset.";
/// How often the clock's time is written down.
const NOTE_TIME_EVERY: Duration = Duration::from_millis(500);

pub(super) async fn run(options: super::Serve) -> Result<(), String> {
    let tunnel = real_vendors::tunnel(options.port).await;
    let vendors = real_vendors::read(Path::new("."), options.live, options.speed, tunnel)?;
    let folder = Folder::take(&options.data_dir, options.reset)?;
    let keys = Keys::of_folder(folder.path(), &Entropy::System)?;
    let alarms = Alarms::default();
    logging(&alarms);
    let address = format!("127.0.0.1:{}", options.port);
    let listener = match tokio::net::TcpListener::bind((options.listen, options.port)).await {
        Ok(listener) => listener,
        Err(error) => return Err(port_taken(&address, &error).await),
    };
    let resumed_at = Folder::last_time(folder.path()).unwrap_or(Timestamp::UNIX_EPOCH).max(SystemClock.now());
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
    let plan = Plan {
        environment: environment(is_real, &keys),
        storage: Storage::Folder(folder.path().to_owned()),
        clock: Arc::clone(&clock),
        entropy: Arc::new(Entropy::System),
        address: address.clone(),
        keys: keys.clone(),
        settings,
        network: vendors.network,
        schedules: true,
        skews: vec![],
    };
    println!("The console: http://{address}/\n");
    if folder.is_fresh() && !options.empty && !is_real {
        fill(&folder, &plan, options.seed).await?;
    }
    let stack = Stack::build(plan).await.map_err(|error| error.to_string())?;
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
    let ran = tokio::spawn(running::run(Arc::clone(&stack), stopped.clone()));
    let told = tokio::spawn(news::tell(stack, stopped.clone(), |line| println!("{line}")));
    let noted = tokio::spawn(note_time(folder, clock, stopped));
    let speed = options.speed;
    let commands = Commands { folder: &options.data_dir };
    println!("{}", greeting(&address, &commands, speed, &kinds, number));
    println!("\n{}", guarded_by(&keys, &options.data_dir, vendors.public_url.as_deref(), is_exposed));

    tokio::signal::ctrl_c().await.map_err(|error| error.to_string())?;
    println!("\nFinishing what is in hand …");
    let _ = stop.send(true);
    // The folder is ours until what is in hand is finished.
    let (_, _, _, _folder) = tokio::join!(served, ran, told, noted);
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

/// How the commands beside this stack are typed.
#[derive(Debug)]
struct Commands<'a> {
    folder: &'a Path,
}

impl Commands<'_> {
    fn line(&self, command: &str) -> String {
        let usual = Path::new(super::DATA_DIR);
        let place = if self.folder == usual {
            String::new()
        } else {
            format!(" --data-dir {}", self.folder.display())
        };
        format!("   cargo run -q -- {command}{place}")
    }
}

fn greeting(address: &str, commands: &Commands, speed: u32, kinds: &str, number: Option<&str>) -> String {
    let has =
        number.map_or_else(|| "without a number: buy one".to_owned(), |number| format!("number {number}"));
    format!(
        "Voxanne {version} at http://{address}   ({kinds}, data in {folder}, speed {speed}×)\n\
         Demo clinic {org}, {has}. GET http://{address}/_sandbox lists everything.\n\n\
         Three things to try, each a line for another terminal; what happens is told here:\n\n\
         {ring}\n{pay}\n{check}\n\n\
         Ctrl-C stops; --help shows more; `cargo run -- demo` tells the whole story in under a minute.",
        version = env!("CARGO_PKG_VERSION"),
        folder = commands.folder.display(),
        org = demo_clinic::ORG,
        ring = commands.line("ring \"a check-up next Tuesday afternoon\""),
        pay = commands.line("pay 25"),
        check = commands.line("check"),
    )
}

/// Plays a month of the demo clinic's life into a fresh folder, that ends now.
async fn fill(folder: &Folder, plan: &Plan, seed: u64) -> Result<(), String> {
    let begun = Instant::now();
    let until = plan.clock.now();
    println!("A month of the demo clinic's life is played into the folder, once (--empty: none) …");
    folder.is_being_filled(true)?;
    let clock = Arc::new(TestClock::at(month::beginning(until)));
    let turned: Arc<dyn Clock> = clock.clone();
    let plan =
        Plan { clock: turned, entropy: Arc::new(Entropy::seeded(seed)), schedules: false, ..plan.clone() };
    let played = async {
        let stack = Stack::build(plan).await.map_err(|error| error.to_string())?;
        stack.register().await;
        month::play(&stack, &clock, seed, until).await.map_err(|error| error.to_string())
    };
    // What was logged then is of no use to who reads the log now.
    played.with_subscriber(NoSubscriber::default()).await?;
    folder.is_being_filled(false)?;
    println!("… {:.1} s.\n", begun.elapsed().as_secs_f32());
    Ok(())
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
