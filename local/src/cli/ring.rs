//! `cargo run -- ring "a check-up next Tuesday afternoon"`: a patient rings the demo clinic, and books the first time that is offered.

use std::{path::Path, time::Duration};

use domain::amount::Balance;
use local::{
    demo_clinic,
    people::{books, turn},
};
use serde_json::{Value, json};

use super::stand::Stand;

/// How long the patient talks, and who only talks.
const TALKS_SECS: u32 = 40;
const ONLY_TALKS_SECS: u32 = 20;
/// How often, and how many times, it is looked what was said.
const LOOK_EVERY: Duration = Duration::from_millis(200);
const MOST_LOOKS: u32 = 900;

/// Who rings, and what for.
#[derive(Debug)]
pub(super) struct Patient {
    pub(super) wish: Option<String>,
    pub(super) name: String,
    pub(super) from: String,
}

pub(super) async fn run(data_dir: &Path, patient: &Patient) -> Result<(), String> {
    let stand = Stand::of_owner(data_dir).await?;
    let says = match &patient.wish {
        Some(wish) => {
            let (service, when) = understood(&stand, wish).await?;
            let arguments = json!({"service": service, "when": when});
            vec![turn(wish, "checkAvailability", arguments), books("A", &patient.name)]
        }
        None => Vec::new(),
    };
    let talks = if says.is_empty() { ONLY_TALKS_SECS } else { TALKS_SECS };
    let says: Vec<Value> = says
        .iter()
        .map(|turn| json!({"says": turn.says, "tool": turn.tool, "arguments": turn.arguments}))
        .collect();
    let placing =
        json!({"to": demo_clinic::NUMBER, "from": patient.from, "talk_seconds": talks, "says": says});
    let placed = stand.ask("POST", "/_sandbox/vapi/calls", &placing).await?;
    let watch = placed["watch"].as_str().unwrap_or_default();
    let mut told = 0;
    for _ in 0..MOST_LOOKS {
        let call = stand.ask("GET", watch, &Value::Null).await?;
        let heard: Vec<&str> =
            call["heard"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for line in heard.iter().skip(told) {
            println!("{line}");
        }
        told = heard.len();
        if call["status"] == "ended" {
            return what_it_cost(&stand, &patient.from).await;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err("The call goes on longer than it should: the console shows it.".into())
}

/// The service that is wished for, as the model would hear it in the words, and when.
async fn understood(stand: &Stand, wish: &str) -> Result<(String, String), String> {
    let offered = stand.ask("GET", "/api/services", &Value::Null).await?;
    let services = offered["services"].as_array().cloned().unwrap_or_default();
    let names: Vec<&str> = services.iter().filter_map(|service| service["name"].as_str()).collect();
    let said = as_said(wish);
    let wished = names.iter().find_map(|name| Some((*name, said.split_once(&as_said(name))?.1.trim())));
    match wished {
        Some((name, "")) => Ok((name.to_owned(), "as soon as possible".to_owned())),
        Some((name, when)) => Ok((name.to_owned(), when.to_owned())),
        None => Err(format!("The clinic offers {}: say one of them, and when.", names.join(" and "))),
    }
}

/// A text without what is not heard.
fn as_said(text: &str) -> String {
    text.to_lowercase().replace('-', " ")
}

/// What the call came to, once its report is billed.
async fn what_it_cost(stand: &Stand, from: &str) -> Result<(), String> {
    for _ in 0..MOST_LOOKS {
        let listed = stand.ask("GET", "/api/calls-dashboard?cursor=first&limit=20", &Value::Null).await?;
        let mut calls = listed["calls"].as_array().into_iter().flatten();
        let call = calls.find(|call| call["phone_number"] == from).unwrap_or(&Value::Null);
        if call["status"].is_string() && call["status"] != "in-progress" {
            let cost = Balance::from_pence(call["cost_pence"].as_i64().unwrap_or_default());
            println!("{} s, {cost}. The console has the rest: {}/", call["duration_seconds"], stand.base());
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err("The call is over and not billed yet: the console shows it when it is.".into())
}

#[cfg(test)]
mod tests {
    use super::as_said;

    #[test]
    fn a_service_is_heard_however_it_is_written() {
        assert_eq!(as_said("A Check-up next Tuesday"), "a check up next tuesday");
    }
}
