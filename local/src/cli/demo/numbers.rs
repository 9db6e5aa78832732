//! The second part of the story: numbers.

use std::time::Duration;

use serde_json::{Value, json};

use super::Story;

/// How long each side talks.
const TALKS_SECS: u32 = 90;

impl Story {
    /// Another clinic buys both numbers, is rung on one, calls out from the other, and gives one up.
    pub(super) async fn tell_of_numbers(&self) -> Result<(), String> {
        self.say("\nAnother clinic, without a number. It pays £25.00 in.");
        self.top_up().await?;
        self.say(&format!("  Its dropdown: {}", self.dropdown().await?));
        let inbound = self.buy("inbound").await?;
        let outbound = self.buy("outbound").await?;
        self.say(&format!(
            "  It buys {inbound} to be called on and {outbound} to call from, for £10.00 each."
        ));
        self.say(&format!("  Its dropdown: {}", self.dropdown().await?));
        self.until_agents_are_ready().await?;
        let call = self.ring(&inbound, "+447700900333", TALKS_SECS)?;
        self.until_billed(4).await?;
        let heard = self.stack.vapi.call(&call).map(|call| call.heard).unwrap_or_default();
        self.say(&format!(
            "  A patient rings it for {TALKS_SECS} s and hears: \u{201c}{}\u{201d}",
            heard.join(" ")
        ));
        self.stack.vapi.set_outbound_talk_secs(TALKS_SECS);
        let (status, answer) =
            self.send("POST", "/api/calls", &json!({"phoneNumber": "+447700900444"})).await?;
        if status != 201 {
            return Err(format!("The call out was answered with {status}: {answer}"));
        }
        self.until_billed(5).await?;
        self.say(&format!("  Its agent calls a patient from {outbound}, for as long."));
        let path = format!("/api/managed-telephony/numbers/{inbound}");
        let (status, answer) = self.send("DELETE", &path, &Value::Null).await?;
        if status != 200 {
            return Err(format!("Giving the number up was answered with {status}: {answer}"));
        }
        self.say(&format!("  It gives {inbound} up. Its dropdown: {}", self.dropdown().await?));
        self.verify(5).await
    }

    async fn buy(&self, direction: &str) -> Result<String, String> {
        let body = json!({"country": "US", "numberType": "local", "direction": direction});
        let (status, answer) = self.send("POST", "/api/managed-telephony/provision", &body).await?;
        let number = answer["phoneNumber"].as_str().map(str::to_owned);
        number.ok_or_else(|| format!("The purchase was answered with {status}: {answer}"))
    }

    async fn dropdown(&self) -> Result<String, String> {
        let listed = self.get("/api/integrations/vapi/numbers").await?;
        let shown: Vec<String> = listed
            .as_array()
            .into_iter()
            .flatten()
            .map(|number| format!("{} ({})", text(&number["phoneNumber"]), text(&number["type"])))
            .collect();
        Ok(if shown.is_empty() { "empty".to_owned() } else { shown.join(", ") })
    }

    async fn until_agents_are_ready(&self) -> Result<(), String> {
        loop {
            let agents = self.get("/api/agents").await?;
            let mut listed = agents["agents"].as_array().into_iter().flatten();
            if listed.all(|agent| agent["sync"] == "synced") {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the ledger has so many entries.
    async fn until_billed(&self, entries: usize) -> Result<(), String> {
        loop {
            let page = self.get("/api/billing/wallet/transactions").await?;
            if page["transactions"].as_array().map_or(0, Vec::len) >= entries {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
