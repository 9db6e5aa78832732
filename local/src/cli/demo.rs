//! `cargo run -- demo`: the story in the terminal.

mod appointments;
mod numbers;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use base::clock::Clock;
use base::entropy::Entropy;
use domain::ids::OrgId;
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use local::{
    clock::RunningClock,
    demo_clinic,
    people::People,
    running,
    stack::{Keys, Plan, Stack, Storage},
    statement,
};
use platform::SystemClock;
use sandbox::vapi::Call;
use serde_json::Value;
use tokio::sync::watch;

/// How many times faster than life the story runs.
const SPEED: u32 = 60;
/// How long each caller means to talk.
const TALKS_SECS: u32 = 1_680;
/// The story may not take longer than this.
const PATIENCE: Duration = Duration::from_secs(110);

pub(super) async fn run() -> Result<(), String> {
    let folder = std::env::temp_dir().join(format!("voxanne-demo-{}", std::process::id()));
    std::fs::create_dir_all(&folder).map_err(|error| format!("No folder for the demo: {error}"))?;
    let told = tell(&folder).await;
    let _ = std::fs::remove_dir_all(&folder);
    told
}

async fn tell(folder: &std::path::Path) -> Result<(), String> {
    let clock: Arc<dyn Clock> = Arc::new(RunningClock::starting_at(SystemClock.now(), SPEED));
    let stack = Stack::build(Plan {
        environment: "demo".into(),
        storage: Storage::Folder(folder.to_owned()),
        clock,
        entropy: Arc::new(Entropy::System),
        keys: Keys::known(),
        address: "127.0.0.1:3000".into(),
        settings: Vec::new(),
        network: None,
        schedules: true,
        skews: vec![],
    })
    .await
    .map_err(|error| error.to_string())?;
    stack.register().await;
    demo_clinic::seed(&stack).await.map_err(|error| error.to_string())?;
    let stack = Arc::new(stack);
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(running::run(Arc::clone(&stack), stopped));
    let story = Story { stack, bar: bar(), org: demo_clinic::ORG };
    let told = tokio::time::timeout(PATIENCE, story.tell()).await;
    story.bar.finish_and_clear();
    let _ = stop.send(true);
    let _ = running.await;
    told.map_err(|_| "The story did not end in time; try again on a quieter machine.".to_owned())?
}

struct Story {
    stack: Arc<Stack>,
    bar: ProgressBar,
    org: OrgId,
}

impl Story {
    async fn tell(&self) -> Result<(), String> {
        self.say(&format!(
            "A clinic with an empty wallet and one number, {}. Time runs {SPEED}×.",
            demo_clinic::NUMBER
        ));
        self.top_up().await?;
        self.say("£25.00 paid by card. Two patients ring; the agent may talk to each for up to an hour.");
        let one = self.ring(demo_clinic::NUMBER, "+447700900111", TALKS_SECS)?;
        let two = self.ring(demo_clinic::NUMBER, "+447700900222", TALKS_SECS)?;
        self.watch(&[("Call 1", &one), ("Call 2", &two)]).await?;
        self.say("The last entries of the ledger:");
        self.verify(4).await?;
        let another = OrgId::new(uuid::Uuid::from_u128(0xDE30_0000_0000_4000_8000_0000_0000_0002));
        let story = Self { stack: Arc::clone(&self.stack), bar: self.bar.clone(), org: another };
        story.tell_of_numbers().await?;
        self.tell_of_appointments(demo_clinic::NUMBER).await
    }

    /// Follows both calls to their ends; tops up once one has been ended and the other is warned.
    async fn watch(&self, calls: &[(&str, &String)]) -> Result<(), String> {
        let mut told = BTreeSet::new();
        let mut topped_up = false;
        loop {
            let wallet = self.get("/api/billing/wallet").await?;
            self.bar.set_position(wallet["available_pence"].as_u64().unwrap_or_default());
            self.bar.set_message(format!(
                "available {:>5}p, held {:>5}p, live calls {}",
                wallet["available_pence"], wallet["held_pence"], wallet["live_calls"]
            ));
            let now: Vec<(&str, Call)> =
                calls.iter().filter_map(|(name, id)| Some((*name, self.stack.vapi.call(id)?))).collect();
            for (name, call) in &now {
                self.tell_news(name, call, &mut told);
            }
            let is_over = |call: &Call| call.status == "ended";
            let is_warned = |call: &Call| call.heard.iter().any(|said| said.contains("thirty seconds"));
            if !topped_up
                && now.iter().any(|(_, call)| is_over(call))
                && now.iter().any(|(_, call)| !is_over(call) && is_warned(call))
            {
                topped_up = true;
                self.top_up().await?;
                self.say("          The clinic tops up £25.00: the call goes on.");
            }
            if now.iter().all(|(_, call)| is_over(call)) && wallet["live_calls"] == 0 {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn tell_news(&self, name: &str, call: &Call, told: &mut BTreeSet<String>) {
        let at = |instant: Timestamp| {
            let secs = call.started_at.map_or(0, |start| instant.duration_since(start).as_secs());
            format!("{:02}:{:02}", secs.div_euclid(60), secs.rem_euclid(60))
        };
        for said in &call.heard {
            if told.insert(format!("{name}{said}")) {
                self.say(&format!("  {name}, {}: \u{201c}{said}\u{201d}", at(self.stack.clock.now())));
            }
        }
        if let (Some(ended_at), Some(reason)) = (call.ended_at, &call.ended_reason)
            && told.insert(format!("{name} ended"))
        {
            let why = match reason.as_str() {
                "manually-canceled" => "ended by us: its money is used up",
                "customer-ended-call" => "the patient hangs up",
                other => other,
            };
            self.say(&format!("  {name}, {}: {why}.", at(ended_at)));
        }
    }

    async fn verify(&self, entries: usize) -> Result<(), String> {
        // The last report is billed a moment after the call's end.
        let mut body = self.get("/api/billing/wallet/statement").await?;
        while body["entries"].as_array().map_or(0, Vec::len) < entries {
            tokio::time::sleep(Duration::from_millis(50)).await;
            body = self.get("/api/billing/wallet/statement").await?;
        }
        for entry in body["entries"].as_array().into_iter().flatten() {
            let hash: String = entry["hash"].as_str().unwrap_or_default().chars().take(12).collect();
            self.say(&format!(
                "  {:>2}  {:<7} {:<44} {:>6}p  balance {:>6}p  {hash}…",
                entry["seq"],
                entry["direction"].as_str().unwrap_or_default(),
                entry["description"].as_str().unwrap_or_default(),
                entry["amount_pence"],
                entry["balance_after_pence"],
            ));
        }
        let verdict = statement::verify(&[body.to_string()]).map_err(|error| error.to_string())?;
        self.say(&verdict.to_string());
        if verdict.flaws.is_empty() { Ok(()) } else { Err("The statement is not intact.".into()) }
    }

    /// Pays £25.00 in, and waits until it is there.
    async fn top_up(&self) -> Result<(), String> {
        let before = self.get("/api/billing/wallet").await?["balance_pence"].as_i64();
        self.people().pay(2_500).await?;
        while self.get("/api/billing/wallet").await?["balance_pence"].as_i64() == before {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    fn people(&self) -> People<'_> {
        People::of(&self.stack, self.org)
    }

    fn ring(&self, to: &str, from: &str, talk_seconds: u32) -> Result<String, String> {
        Ok(self.people().ring(to, from, talk_seconds, Vec::new())?)
    }

    async fn get(&self, path: &str) -> Result<Value, String> {
        Ok(self.people().get(path).await?)
    }

    async fn send(&self, method: &str, path: &str, body: &Value) -> Result<(u16, Value), String> {
        Ok(self.people().send(method, path, body).await?)
    }

    /// Prints a line above the bar; where there is no terminal for the bar, just the line.
    fn say(&self, line: &str) {
        if self.bar.is_hidden() { println!("{line}") } else { self.bar.println(line) }
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new(2_500);
    if let Ok(style) = ProgressStyle::with_template("  wallet [{bar:40.green/white}] {msg}") {
        bar.set_style(style.progress_chars("█▉ "));
    }
    bar
}
