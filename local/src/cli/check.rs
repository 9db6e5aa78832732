//! `cargo run -- check`: whether the demo clinic's ledger, wallet, diary and calendars agree.

use std::{path::Path, process::ExitCode};

use serde_json::Value;

use super::stand::Stand;

pub(super) async fn run(data_dir: &Path) -> Result<ExitCode, String> {
    let stand = Stand::of_owner(data_dir).await?;
    let found = stand.ask("GET", "/_sandbox/check", &Value::Null).await?;
    let findings = found["findings"].as_array().filter(|findings| !findings.is_empty());
    let findings = findings.ok_or_else(|| format!("The stack does not say what it found: {found}"))?;
    for finding in findings {
        let text = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
        println!("{:<9} {}", text("of"), text("says"));
    }
    let agrees = findings.iter().all(|finding| finding["agrees"] == true);
    Ok(if agrees { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
