//! `cargo run -- pay 25`: the demo clinic's owner pays in by the sandbox's card.

use std::{path::Path, time::Duration};

use domain::amount::Balance;
use serde_json::{Value, json};

use super::stand::Stand;

/// How often, and how many times, it is looked whether the money is there.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const MOST_LOOKS: u32 = 300;

pub(super) async fn run(data_dir: &Path, pounds: u32) -> Result<(), String> {
    let stand = Stand::of_owner(data_dir).await?;
    let before = balance(&stand).await?;
    let wanted = json!({"amount_pence": pounds.saturating_mul(100)});
    let session = stand.ask("POST", "/api/billing/wallet/topup", &wanted).await?;
    let url = session["url"].as_str().unwrap_or_default();
    if !url.starts_with(stand.base()) {
        return Err(format!("Stripe is real here, and so is the money: pay at {url}"));
    }
    stand.pay_at(url).await?;
    for _ in 0..MOST_LOOKS {
        let after = balance(&stand).await?;
        if after != before {
            println!(
                "Paid. The balance was {}, and is {}.",
                Balance::from_pence(before),
                Balance::from_pence(after)
            );
            return Ok(());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Err("It is paid, and not in the wallet yet: Stripe's event has not come. Look again in a minute.".into())
}

async fn balance(stand: &Stand) -> Result<i64, String> {
    let wallet = stand.ask("GET", "/api/billing/wallet", &Value::Null).await?;
    wallet["balance_pence"].as_i64().ok_or_else(|| format!("The wallet has no balance: {wallet}"))
}
