//! The stack that runs on a data folder, as a command beside it reaches it.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use http::Request;
use local::gateway::KEY_HEADER;
use serde_json::{Value, json};
use vendors::http::Http;
use web::problem::chain;

use super::folder::{Folder, Taken};

/// How long the stack may take for one answer.
const PATIENCE: Duration = Duration::from_mins(1);

/// A stack that runs.
#[derive(Debug)]
pub(super) struct Stand {
    http: Http,
    base: String,
    key: String,
    token: String,
}

impl Stand {
    /// The stack that runs on the folder, for one who signs in as `who`: `{"role": "owner"}` of the demo clinic, or
    /// `{"operator": true}`. None when none runs on it.
    pub(super) async fn on(data_dir: &Path, who: &Value) -> Result<Option<Self>, String> {
        let Taken::By(process) = Folder::try_take(data_dir)? else { return Ok(None) };
        let (port, key) = Folder::port(data_dir).ok_or_else(|| {
            format!("The stack of process {process} is just starting or stopping. Try again in a moment.")
        })?;
        let http = Http::network(PATIENCE).map_err(|error| error.to_string())?;
        let base = format!("http://127.0.0.1:{port}");
        let mut stand = Self { http, base, key, token: String::new() };
        let given = stand.ask("POST", "/_sandbox/token", who).await?;
        given["token"].as_str().unwrap_or_default().clone_into(&mut stand.token);
        Ok(Some(stand))
    }

    /// The stack that runs on the folder, for the demo clinic's owner.
    pub(super) async fn of_owner(data_dir: &Path) -> Result<Self, String> {
        let stand = Self::on(data_dir, &json!({"role": "owner"})).await?;
        stand.ok_or_else(|| {
            format!(
                "No stack runs on {}: start one by `cargo run` in another terminal, or say its --data-dir.",
                data_dir.display()
            )
        })
    }

    /// Where it is.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// Asks it for something, with a body unless that is null. An answer that is no success is the sentence that it gives.
    pub(super) async fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let bytes = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        self.send(method, &format!("{}{path}", self.base), bytes).await
    }

    /// Pays on a page of the sandbox's.
    pub(super) async fn pay_at(&self, url: &str) -> Result<(), String> {
        self.send("POST", url, Bytes::from_static(b"act=pay")).await.map(|_| ())
    }

    async fn send(&self, method: &str, url: &str, body: Bytes) -> Result<Value, String> {
        let request = Request::builder().method(method).uri(url).header(KEY_HEADER, &self.key);
        let request = request.header("authorization", format!("Bearer {}", self.token)).body(body);
        let answer = self.http.send(request.map_err(|error| error.to_string())?).await;
        let answer = answer.map_err(|error| chain(&error))?;
        let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        if answer.status().is_client_error() || answer.status().is_server_error() {
            let silent = format!("The stack answered {} with {}.", url, answer.status());
            return Err(body["detail"].as_str().map_or(silent, str::to_owned));
        }
        Ok(body)
    }
}
