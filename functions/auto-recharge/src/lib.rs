//! The queue `recharge`: one message, one look at one wallet, which may be low, and whose card may be to be charged.

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use base::alarm;
use base::config::Invalid;
use platform::Platform;
use services::recharge::{Recharge, Settings};
use store::queue::CheckWallet;
use web::problem::chain;

/// What the function is built from, once per cold start.
#[derive(Debug)]
pub struct Deps {
    /// The rules of auto-recharge and of low balances.
    pub recharge: Recharge,
}

impl Deps {
    /// Builds them from the platform's settings.
    ///
    /// # Errors
    /// When settings are missing or unusable: all of them at once.
    pub fn new(platform: &Platform) -> Result<Self, Invalid> {
        let mut reader = platform.environment.reader();
        let settings = Settings::read(&mut reader, platform);
        reader.finish()?;
        Ok(Self { recharge: Recharge::deployed(platform, settings) })
    }
}

/// Looks at each wallet that a message names. Those that could not be looked at are given back to the queue, alone.
pub async fn handle(deps: &Deps, event: SqsEvent) -> SqsBatchResponse {
    let mut failed = SqsBatchResponse::default();
    for message in event.records {
        let id = message.message_id.unwrap_or_default();
        if let Err(error) = check(deps, message.body.as_deref().unwrap_or_default()).await {
            tracing::error!(message_id = id, cause = chain(&*error), "a wallet is to be looked at again");
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = id;
            failed.batch_item_failures.push(failure);
        }
    }
    failed
}

async fn check(deps: &Deps, body: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // A message that is not ours fails until it is a dead letter, where somebody sees it.
    let CheckWallet { org_id } = serde_json::from_str(body)?;
    deps.recharge.check(org_id).await.inspect_err(|_| {
        alarm!("recharge_failed", %org_id, "a wallet could not be looked at for its recharge");
    })?;
    Ok(())
}
