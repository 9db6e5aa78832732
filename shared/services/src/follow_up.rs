//! What every change of a wallet is followed by.

use std::sync::Arc;

use jiff::Timestamp;

use base::alarm;
use base::alarm::chain;
use base::clock::Clock;
use base::config::Reader;
use domain::{amount::Amount, wallet::Wallet};
use platform::Platform;
use store::{
    StoreError,
    queue::{MeterMessage, MeterQueue, RechargeQueue},
};

/// Has a wallet looked at when its card is to be charged, or its org is to be told of a low balance.
#[derive(Clone, Debug)]
pub struct Watch {
    queue: RechargeQueue,
    clock: Arc<dyn Clock>,
}

impl Watch {
    /// Reads where its messages go.
    pub fn read(reader: &mut Reader<'_>, platform: &Platform) -> Self {
        let queue = RechargeQueue::new(platform.sqs.clone(), reader.required("RECHARGE_QUEUE_URL"));
        Self { queue, clock: Arc::clone(&platform.clock) }
    }

    /// Orders a look at the wallet, if it needs one. The look decides by itself what is to be done.
    ///
    /// # Errors
    /// When the queue does not take the message.
    pub async fn after(&self, wallet: &Wallet) -> Result<(), StoreError> {
        if wallet.needs_check(self.clock.now()) {
            self.queue.check(wallet.org_id).await?;
        }
        Ok(())
    }

    /// The same where a caller or a client is waiting for an answer: a queue in trouble does not keep it from them. The next check of
    /// the call orders it again.
    pub async fn after_or_later(&self, wallet: &Wallet) {
        if let Err(error) = self.after(wallet).await {
            tracing::warn!(org_id = %wallet.org_id, cause = chain(&error), "a wallet is looked at later");
        }
    }

    /// Has the wallet looked at, whatever it stands at.
    ///
    /// # Errors
    /// When the queue does not take the message.
    pub async fn check_now(&self, wallet: &Wallet) -> Result<(), StoreError> {
        self.queue.check(wallet.org_id).await
    }
}

/// Does what follows a commit, before it is acknowledged; doing it again changes nothing.
#[derive(Clone, Debug)]
pub struct FollowUp {
    meter: MeterQueue,
    /// What else looks at wallets.
    pub watch: Watch,
    debt_limit: Amount,
    clock: Arc<dyn Clock>,
}

impl FollowUp {
    /// Reads where its messages go, and the debt at which an operator is alarmed.
    pub fn read(reader: &mut Reader<'_>, platform: &Platform) -> Self {
        Self {
            meter: MeterQueue::new(platform.sqs.clone(), reader.required("METER_QUEUE_URL")),
            debt_limit: reader.pence_or("DEBT_LIMIT_PENCE", Amount::from_pence(500)),
            watch: Watch::read(reader, platform),
            clock: Arc::clone(&platform.clock),
        }
    }

    /// At nothing or below, every live call of the org is looked at now, and ended. A debt past the limit alarms. A card is
    /// charged, and the org told, where it is due.
    ///
    /// # Errors
    /// When a queue does not take the messages.
    pub async fn after(&self, wallet: &Wallet) -> Result<(), StoreError> {
        self.end_calls(wallet, self.clock.now()).await?;
        self.watch.after(wallet).await
    }

    async fn end_calls(&self, wallet: &Wallet, now: Timestamp) -> Result<(), StoreError> {
        let balance = wallet.balance();
        if balance.is_positive() {
            return Ok(());
        }
        if balance.pence() < self.debt_limit.pence().saturating_neg() {
            alarm!("debt_limit", org_id = %wallet.org_id, balance_pence = balance.pence(),
                "an org is past its debt limit");
        }
        for call_id in wallet.holds.keys() {
            let message =
                MeterMessage { org_id: wallet.org_id, call_id: call_id.clone(), due_at: now, urgent: true };
            self.meter.send(&message, now).await?;
        }
        Ok(())
    }
}
