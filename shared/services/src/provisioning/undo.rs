//! Backward: what was done is undone, in reverse, and the price goes back once both vendors have confirmed that nothing is left.

use super::{Provisioning, Step, StepError, is_quiet};
use domain::{
    ledger::{Posting, Reason},
    purchase::{Failure, Purchase, Source, State},
};
use store::ChangeError;
use vendors::twilio::Account;

/// How many numbers under one mark are given back: there is one, or none.
const MOST_UNDER_ONE_MARK: usize = 3;

impl Provisioning {
    /// Undoes a purchase. Vendors in trouble make it wait; the next request, or reconciliation, goes on.
    pub(super) async fn undo(&self, purchase: &Purchase) -> Result<Step, StepError> {
        let account = match &purchase.source {
            Source::Managed(_) => self.known_subaccount(purchase.org_id).await?,
            Source::Own { .. } => Some(self.account_of(purchase).await?),
        };
        // What is seen before is no proof: something may still come to be after the look.
        let is_quiet = is_quiet(purchase, self.clock.now());
        // Without an account nothing was ever bought.
        if let Some(account) = account.as_ref() {
            if !self.is_absent_at_vapi(purchase, account).await? {
                return Ok(Step::Wait);
            }
            if purchase.wanted().is_some() && !self.is_absent_at_twilio(purchase, account).await? {
                return Ok(Step::Wait);
            }
        }
        if !is_quiet {
            return Ok(Step::Wait);
        }
        let after = Purchase { state: State::Refunded, ..purchase.clone() }.without_token();
        let Some(charged) = purchase.charged else { return self.save(purchase, after).await };
        let wallet = self.wallets.existing(purchase.org_id).await?;
        let posting = Posting {
            reason: Reason::NumberRefund { purchase: purchase.purchase_id.clone() },
            amount: charged,
            description: "Phone number that could not be provided".to_owned(),
            at: self.clock.now(),
        };
        match self.wallets.refund_number(&wallet, &posting, purchase, after).await {
            Ok(refunded) => {
                tracing::info!(org_id = %purchase.org_id, purchase_id = %purchase.purchase_id,
                    pence = charged.pence(), "the price of a number was given back");
                Ok(Step::On(Box::new(refunded)))
            }
            Err(ChangeError::Moved) => self.decided_again(purchase).await,
            Err(ChangeError::Store(error)) => Err(error.into()),
        }
    }

    /// Takes the number from Vapi, and looks that it is gone.
    async fn is_absent_at_vapi(&self, purchase: &Purchase, account: &Account) -> Result<bool, StepError> {
        let Some(number) = &purchase.phone_number else { return Ok(true) };
        match self.imported(purchase, number, &account.sid).await {
            Ok(Some(id)) => {
                self.voice.vapi.delete_number(&id).await.map_err(|error| StepError::of_vapi(&error))?;
            }
            // There is none; or it is another's: not ours to take, and not of this purchase.
            Ok(None) | Err(StepError::Failed(Failure::NumberTaken)) => return Ok(true),
            Err(obstacle) => return Err(obstacle),
        }
        Ok(self.imported(purchase, number, &account.sid).await?.is_none())
    }

    /// Gives the number back to the carrier, and looks that it is gone.
    async fn is_absent_at_twilio(&self, purchase: &Purchase, account: &Account) -> Result<bool, StepError> {
        let mark = self.mark(purchase);
        if let Some(sid) = &purchase.number_sid {
            self.twilio.release(account, sid).await?;
        }
        for _ in 0..MOST_UNDER_ONE_MARK {
            match self.twilio.bought_as(account, &mark).await? {
                None => return Ok(true),
                Some(owned) => self.twilio.release(account, &owned.sid).await?,
            }
        }
        Ok(false)
    }
}
