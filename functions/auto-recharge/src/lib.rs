//! The queue `recharge`: one message, one look at one wallet, which may be low, and whose card may be to be charged.

#![recursion_limit = "256"]

use base::alarm;
use base::config::Invalid;
use platform::Platform;
use services::recharge::{Recharge, Settings};
use store::queue::CheckWallet;
use web::{
    queue::each_message,
    runtime::{SqsBatchResponse, SqsEvent},
};

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
    #[expect(
        clippy::needless_pass_by_value,
        reason = "every function is made of the platform that it is given"
    )]
    pub fn new(platform: Platform) -> Result<Self, Invalid> {
        let mut reader = platform.environment.reader();
        let settings = Settings::read(&mut reader, &platform);
        reader.finish()?;
        Ok(Self { recharge: Recharge::deployed(&platform, settings) })
    }
}

/// Checks each wallet that a message names. Those that could not be checked are given back to the queue, alone.
pub async fn handle(deps: &Deps, event: SqsEvent) -> SqsBatchResponse {
    each_message(event, |CheckWallet { org_id }| async move {
        deps.recharge.check(org_id).await.inspect_err(|_| {
            alarm!("recharge_failed", %org_id, "a wallet could not be looked at for its recharge");
        })
    })
    .await
}
