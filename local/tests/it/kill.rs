//! `kill -9` in the middle of traffic: the stack comes up again with the same data, and the books balance.

use std::{
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use domain::tariff::Tariff;
use serde_json::{Value, json};

/// The process, killed when dropped: `kill -9`, no goodbye.
pub(super) struct Voxanne {
    process: Child,
    base: String,
    client: reqwest::Client,
}

impl Drop for Voxanne {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Voxanne {
    /// Starts it with the demo clinic alone.
    pub(super) async fn start(folder: &Path) -> Self {
        Self::start_with(folder, &["--empty"]).await
    }

    pub(super) async fn start_with(folder: &Path, more: &[&str]) -> Self {
        // A port that was free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(env!("CARGO_BIN_EXE_voxanne"))
            .args(["--port", &port.to_string(), "--speed", "60", "--data-dir"])
            .arg(folder.join("data"))
            .args(more)
            .current_dir(folder)
            .env("LOG_LEVEL", "warn")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        #[expect(clippy::disallowed_methods, reason = "a test's own client, on loopback")]
        let client = reqwest::Client::new();
        let voxanne = Self { process, base: format!("http://127.0.0.1:{port}"), client };
        voxanne.until("it is up", async |voxanne| voxanne.get("/_sandbox").await.is_some()).await;
        voxanne
    }

    pub(super) fn process_id(&self) -> u32 {
        self.process.id()
    }

    pub(super) fn port(&self) -> String {
        self.base.rsplit(':').next().unwrap().to_owned()
    }

    /// Asks again and again, for at most a minute of real time: another process cannot be awaited otherwise.
    async fn until(&self, what: &str, is_so: impl AsyncFn(&Self) -> bool) {
        let began = Instant::now();
        while !is_so(self).await {
            assert!(began.elapsed() < Duration::from_mins(1), "waited in vain until {what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(super) async fn get(&self, path: &str) -> Option<Value> {
        let token = self.token().await?;
        self.client
            .get(format!("{}{path}", self.base))
            .bearer_auth(token)
            .send()
            .await
            .ok()?
            .json()
            .await
            .ok()
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Option<Value> {
        let token = self.token().await?;
        let request =
            self.client.post(format!("{}{path}", self.base)).bearer_auth(token).body(body.to_string());
        request.send().await.ok()?.json().await.ok()
    }

    async fn token(&self) -> Option<String> {
        let answer = self.client.post(format!("{}/_sandbox/token", self.base)).send().await.ok()?;
        let body: Value = answer.json().await.ok()?;
        body["token"].as_str().map(str::to_owned)
    }

    async fn pay(&self) {
        let answer = self.post("/api/billing/wallet/topup", &json!({"amount_pence": 2_500})).await.unwrap();
        let url = answer["url"].as_str().unwrap().to_owned();
        // The page sends the browser back to the dashboard, which is not here.
        let _ = self.client.post(url).body("act=pay").send().await;
    }

    async fn ring(&self, talk_seconds: u32) -> String {
        let placing = json!({"to": "+442071838750", "talk_seconds": talk_seconds});
        self.post("/_sandbox/vapi/calls", &placing).await.unwrap()["id"].as_str().unwrap().to_owned()
    }

    async fn balance(&self) -> i64 {
        self.get("/api/billing/wallet")
            .await
            .and_then(|wallet| wallet["balance_pence"].as_i64())
            .unwrap_or_default()
    }
}

pub(super) fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[tokio::test]
async fn killed_in_the_middle_of_traffic_it_comes_up_again_and_the_books_balance() {
    let folder = folder("kill");
    let mut calls = Vec::new();
    for round in 0..4 {
        let voxanne = Voxanne::start(&folder).await;
        let before = voxanne.balance().await;
        voxanne.pay().await;
        voxanne.until("the payment is credited", async |voxanne| voxanne.balance().await > before).await;
        for talk in [20, 90, 200] {
            calls.push(voxanne.ring(talk).await);
        }
        // Killed a little later each round: while it rings, talks, ends, settles.
        tokio::time::sleep(Duration::from_millis(400 * round + 100)).await;
    }
    let voxanne = Voxanne::start(&folder).await;
    voxanne
        .until("no call is live", async |voxanne| {
            voxanne
                .get("/api/billing/wallet")
                .await
                .is_some_and(|wallet| wallet["live_calls"] == 0 && wallet["held_pence"] == 0)
        })
        .await;
    let statement = voxanne.get("/api/billing/wallet/statement?from=2020-01-01").await.unwrap();
    let verdict = local::statement::verify(&[statement.to_string()]).unwrap();
    assert_eq!(verdict.flaws, [], "{verdict}");
    let entries = statement["entries"].as_array().unwrap();
    let credits = entries.iter().filter(|entry| entry["type"] == "top_up").count();
    assert_eq!(credits, 4, "every payment once");
    let wallet = voxanne.get("/api/billing/wallet").await.unwrap();
    assert_eq!(wallet["balance_pence"], entries.last().unwrap()["balance_after_pence"]);
    for call in &calls {
        let there = voxanne.get(&format!("/_sandbox/vapi/calls/{call}")).await.unwrap();
        let instant = |name: &str| there[name].as_str().map(|text| text.parse::<jiff::Timestamp>().unwrap());
        let billed: Vec<i64> = entries
            .iter()
            .filter(|entry| entry["call_id"] == **call)
            .map(|entry| entry["amount_pence"].as_i64().unwrap())
            .collect();
        let expected: Vec<i64> =
            instant("startedAt").zip(instant("endedAt")).map_or_else(Vec::new, |(start, end)| {
                let secs = u32::try_from(end.duration_since(start).as_millis()).unwrap().div_ceil(1_000);
                vec![Tariff::at(start).charge(secs).pence()]
            });
        assert_eq!(billed, expected, "billed once, by its own seconds: {there}");
    }
}
