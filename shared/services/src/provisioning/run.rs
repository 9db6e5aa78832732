//! One step after another, each conditioned on the last.

use super::{LAST_STEP, ProvisionError, Provisioning, QUIET, Step, StepError, UNDONE_BY};
use base::alarm;
use domain::purchase::{Purchase, State};
use store::ChangeError;

impl Provisioning {
    /// Does one step after another, while the lease lasts, until the purchase is over or must wait.
    pub(super) async fn run(&self, leased: Purchase) -> Result<Purchase, ProvisionError> {
        let mut purchase = leased;
        while purchase.is_open() && self.clock.now() + LAST_STEP <= purchase.lease_until {
            let step = match self.step(&purchase).await {
                Ok(step) => step,
                Err(obstacle @ (StepError::Failed(_) | StepError::Certain(_)))
                    if purchase.state != State::Compensating =>
                {
                    let failed = give_up(&purchase, obstacle);
                    match self.purchases.save(&purchase, failed).await {
                        Ok(failed) => Step::On(Box::new(failed)),
                        Err(ChangeError::Moved) => return self.reload(&purchase).await,
                        Err(ChangeError::Store(error)) => return Err(error.into()),
                    }
                }
                Err(StepError::Failed(failure) | StepError::Certain(failure)) => {
                    let now = self.clock.now();
                    if now.duration_since(purchase.created_at) >= UNDONE_BY {
                        alarm!("purchase_not_undone", org_id = %purchase.org_id, ?failure,
                            purchase_id = %purchase.purchase_id, "a purchase that failed cannot be undone");
                    }
                    Step::Wait
                }
                Err(StepError::Busy) => Step::Wait,
                Err(StepError::Ours(ProvisionError::Contended)) => return self.reload(&purchase).await,
                Err(StepError::Ours(error)) => return Err(error),
            };
            match step {
                Step::On(next) => purchase = *next,
                Step::Wait => break,
            }
        }
        if !purchase.is_open() {
            return Ok(purchase);
        }
        let given_back = Purchase { lease_until: self.clock.now(), ..purchase.clone() };
        match self.purchases.save(&purchase, given_back).await {
            Ok(given_back) => Ok(given_back),
            Err(ChangeError::Moved) => self.reload(&purchase).await,
            Err(ChangeError::Store(error)) => Err(error.into()),
        }
    }

    /// Boxed, each: together they would be a future too large for a small stack.
    async fn step(&self, purchase: &Purchase) -> Result<Step, StepError> {
        match purchase.state {
            State::Claimed => Box::pin(self.charge(purchase)).await,
            State::Charged => Box::pin(self.buy(purchase)).await,
            State::Bought => Box::pin(self.import(purchase)).await,
            State::Imported => Box::pin(self.activate(purchase)).await,
            State::Compensating => Box::pin(self.undo(purchase)).await,
            State::Active | State::Refunded | State::Released => Ok(Step::Wait),
        }
    }

    pub(super) async fn save(&self, before: &Purchase, after: Purchase) -> Result<Step, StepError> {
        Ok(Step::On(Box::new(self.purchases.save(before, after).await?)))
    }
}

/// The purchase as it is from now on: to be undone. What is not certain is undone only when nothing more can come of it.
fn give_up(purchase: &Purchase, obstacle: StepError) -> Purchase {
    let (failure, is_certain) = match obstacle {
        StepError::Certain(failure) => (failure, true),
        StepError::Failed(failure) => (failure, purchase.phone_number.is_none()),
        // Neither is a failure: there is nothing to give up.
        StepError::Busy | StepError::Ours(_) => return purchase.clone(),
    };
    tracing::warn!(org_id = %purchase.org_id, purchase_id = %purchase.purchase_id, ?failure,
        state = purchase.state.as_str(), "a purchase has failed and is being undone");
    let quiet_until = (!is_certain).then(|| purchase.lease_until + QUIET);
    Purchase { quiet_until, ..purchase.clone() }.failed(failure)
}
