//! What every change of a wallet is followed by.

use std::sync::Arc;

use crate::{
    alarm,
    domain::{amount::Amount, clock::Clock, wallet::Wallet},
    store::{
        StoreError,
        queue::{MeterQueue, Tick},
    },
};

/// Does what follows a commit, before it is acknowledged; doing it again changes nothing.
#[derive(Clone, Debug)]
pub struct FollowUp {
    /// The meter's messages.
    pub queue: MeterQueue,
    /// The debt at which an operator is alarmed.
    pub debt_limit: Amount,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl FollowUp {
    /// At nothing or below, every live call of the org is looked at now, and ended. A debt past the limit alarms.
    ///
    /// # Errors
    /// When the queue does not take the messages.
    pub async fn after(&self, wallet: &Wallet) -> Result<(), StoreError> {
        let balance = wallet.balance();
        if balance.is_positive() {
            return Ok(());
        }
        if balance.pence() < self.debt_limit.pence().saturating_neg() {
            alarm!("debt_limit", org_id = %wallet.org_id, balance_pence = balance.pence(),
                "an org is past its debt limit");
        }
        let now = self.clock.now();
        for call_id in wallet.holds.keys() {
            let tick = Tick { org_id: wallet.org_id, call_id: call_id.clone(), due_at: now, urgent: true };
            self.queue.send(&tick, now).await?;
        }
        Ok(())
    }
}
