//! Giving a number up: off the dropdown first, then at both vendors, and gone only when both have confirmed.

use super::{ProvisionError, Provisioning};
use base::alarm::chain;
use domain::{
    agent::{Agent, Sync},
    call::Direction,
    ids::OrgId,
    phone_number::PhoneNumber,
    purchase::{Purchase, State},
};
use store::{
    Attempt, ChangeError,
    numbers::{OrgNumber, Status, provider_type},
    queue::Push,
};
use vendors::twilio::Account;

/// What became of a number that was to be given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Release {
    /// It is gone, by this request or an earlier one.
    Released,
    /// A vendor has not confirmed yet; it is tried again.
    Releasing,
    /// The org has and had no such number.
    NotFound,
}

impl Provisioning {
    /// Gives a number of an org up, as far as it comes in one request.
    ///
    /// # Errors
    /// When something of ours did not do its part. Nothing is lost: what is left is done by the next request, or by
    /// [`Provisioning::resume_release`].
    pub async fn release(&self, org: OrgId, number: &PhoneNumber) -> Result<Release, ProvisionError> {
        let step = || async move {
            let there =
                self.numbers.of_org(org).await?.into_iter().find(|there| there.phone_number == *number);
            let Some(there) = there else {
                let was_there = self.had(org, number).await?;
                let release = if was_there { Release::Released } else { Release::NotFound };
                return Ok(Attempt::Done(release));
            };
            self.release_step(&there).await
        };
        self.db.until_written("the number", step).await
    }

    /// Whether an org had a number before: bought of us, or brought and given up last.
    async fn had(&self, org: OrgId, number: &PhoneNumber) -> Result<bool, ProvisionError> {
        for direction in Direction::ALL {
            let claim = self.purchases.claim_of(org, direction).await?;
            let was_it = |claim: &Purchase| {
                claim.state == State::Released && claim.phone_number.as_ref() == Some(number)
            };
            if claim.as_ref().is_some_and(was_it) {
                return Ok(true);
            }
        }
        let managed = self.numbers.managed(org).await?;
        Ok(managed.iter().any(|managed| managed.phone_number == *number))
    }

    /// Goes on with a number that is being given up, if one of this direction is.
    ///
    /// # Errors
    /// As [`Provisioning::release`].
    pub async fn resume_release(&self, org: OrgId, direction: Direction) -> Result<(), ProvisionError> {
        let there = self.numbers.of_direction(org, direction).await?;
        if let Some(there) = there.filter(|there| there.status == Status::Releasing) {
            self.release_step(&there).await?;
        }
        Ok(())
    }

    /// Gives a number up as far as it comes in one go.
    async fn release_step(&self, number: &OrgNumber) -> Result<Attempt<Release>, ProvisionError> {
        let releasing = match number.status {
            Status::Active => match self.mark_releasing(number).await {
                Ok(releasing) => releasing,
                Err(ChangeError::Moved) => return Ok(Attempt::Moved),
                Err(ChangeError::Store(error)) => return Err(error.into()),
            },
            Status::Releasing | Status::Released => number.clone(),
        };
        if !self.is_gone_at_the_vendors(&releasing).await? {
            return Ok(Attempt::Done(Release::Releasing));
        }
        let Some(claim) = self.purchases.claim_of(number.org_id, number.direction).await? else {
            return Err(ProvisionError::Contended);
        };
        if claim.purchase_id != releasing.purchase_id {
            // Another request has finished this, and the direction was claimed anew.
            return Ok(Attempt::Moved);
        }
        let after = Purchase { state: State::Released, ..claim.clone() }.without_token();
        match self.numbers.release(&releasing, (&claim, after), self.clock.now()).await {
            Ok(()) => {
                tracing::info!(org_id = %number.org_id, purchase_id = %number.purchase_id, "a number was given up");
                Ok(Attempt::Done(Release::Released))
            }
            Err(ChangeError::Moved) => Ok(Attempt::Moved),
            Err(ChangeError::Store(error)) => Err(error.into()),
        }
    }

    /// Takes an active number off the dropdown and off its agent. What Vapi has of the agent follows by the outbox.
    async fn mark_releasing(&self, number: &OrgNumber) -> Result<OrgNumber, ChangeError> {
        let agent = self.agents.ensure(number.org_id, number.direction, self.clock.now()).await?;
        if agent.vapi_phone_number_id.as_ref() != Some(&number.vapi_phone_id) {
            return self.numbers.give_up(number, &agent).await;
        }
        let version = agent.version.saturating_add(1);
        let unlinked = Agent { vapi_phone_number_id: None, sync: Sync::Pending, version, ..agent };
        let push = Push { org_id: number.org_id, role: number.direction };
        self.queue.around(&[push], self.numbers.give_up(number, &unlinked)).await
    }

    /// Vapi first, so that nothing rings there any more; then the carrier, unless the number is the org's own.
    async fn is_gone_at_the_vendors(&self, number: &OrgNumber) -> Result<bool, ProvisionError> {
        if let Err(error) = self.voice.vapi.delete_number(&number.vapi_phone_id).await {
            tracing::warn!(purchase_id = %number.purchase_id, cause = chain(&error), "Vapi has not given a number up");
            return Ok(false);
        }
        if !number.is_managed {
            return Ok(true);
        }
        let token = self.keyring.open(number.org_id, &provider_type(number.direction), &number.token)?;
        let account = Account { sid: number.account_sid.clone(), token };
        match self.twilio.release(&account, &number.number_sid).await {
            Ok(()) => Ok(true),
            Err(error) => {
                tracing::warn!(purchase_id = %number.purchase_id, cause = chain(&error), "the carrier has not taken a number back");
                Ok(false)
            }
        }
    }
}
