//! The last step forward, and the way in for a number that an org brings.

use secrecy::ExposeSecret;

use super::{ProvisionError, Provisioned, Provisioning, Step, StepError, buy::about_to_ask};
use base::alarm;
use domain::{
    agent::{Agent, Sync},
    amount::Amount,
    call::Direction,
    ids::OrgId,
    phone_number::PhoneNumber,
    purchase::{NumberRequest, Purchase, Source, State},
};
use store::{
    ChangeError,
    mappings::PhoneNumberMapping,
    numbers::{ManagedNumber, OrgNumber, Status, provider_type},
    queue::Push,
};
use vendors::twilio::Account;

/// A number that an org has in an account of its own.
#[derive(Clone, Debug)]
pub struct Brought {
    /// The number.
    pub number: PhoneNumber,
    /// The account.
    pub account: Account,
}

impl Brought {
    /// Whether this is the number, of the same account, that a connection was made for; with whatever token.
    fn is_of(&self, claim: &Purchase) -> bool {
        claim.wanted().is_none()
            && claim.phone_number.as_ref() == Some(&self.number)
            && claim.account_sid.as_ref() == Some(&self.account.sid)
    }
}

/// What became of a number that was brought.
#[derive(Clone, Debug)]
pub enum Connected {
    /// What a purchase would say.
    Done(Provisioned),
    /// The carrier says no to the account, for this reason.
    AccountRefused(&'static str),
    /// The account does not have that number.
    NumberNotThere,
}

impl Provisioning {
    /// Gives the org its number: everything in one transaction.
    pub(super) async fn activate(&self, purchase: &Purchase) -> Result<Step, StepError> {
        let account = self.account_of(purchase).await?;
        let (Some(phone_number), Some(number_sid), Some(vapi_phone_id)) =
            (&purchase.phone_number, &purchase.number_sid, &purchase.vapi_phone_id)
        else {
            return Ok(Step::Wait);
        };
        let (org_id, direction, now) = (purchase.org_id, purchase.direction, self.clock.now());
        let agent = self.agents.ensure(org_id, direction, now).await?;
        let record = provider_type(direction);
        let number = OrgNumber {
            org_id,
            direction,
            version: 0,
            phone_number: phone_number.clone(),
            vapi_phone_id: vapi_phone_id.clone(),
            is_managed: purchase.wanted().is_some(),
            status: Status::Active,
            account_sid: account.sid.clone(),
            token: self.keyring.seal(org_id, &record, account.token.expose_secret())?,
            number_sid: number_sid.clone(),
            purchase_id: purchase.purchase_id.clone(),
            cost: purchase.charged.unwrap_or(Amount::ZERO),
            created_at: now,
        };
        let managed = purchase.wanted().map(|wanted| history(&number, wanted));
        let mapping = PhoneNumberMapping {
            vapi_phone_id: vapi_phone_id.clone(),
            org_id,
            phone_number: phone_number.clone(),
            direction,
            vapi_assistant_id: agent.vapi_assistant_id.clone(),
            agent_limit_secs: agent.behavior.max_duration_secs,
        };
        let version = agent.version.saturating_add(1);
        let linked_to = Some(vapi_phone_id.clone());
        let linked = Agent { vapi_phone_number_id: linked_to, sync: Sync::Pending, version, ..agent };
        let push = Push { org_id, role: direction };
        let after =
            Purchase { state: State::Active, active_at: Some(now), ..purchase.clone() }.without_token();
        let write = self.numbers.activate((purchase, after), &number, managed.as_ref(), &mapping, &linked);
        match self.queue.around(&[push], write).await {
            Ok(active) => {
                tracing::info!(%org_id, purchase_id = %purchase.purchase_id, direction = direction.as_str(),
                    "a number is active");
                Ok(Step::On(Box::new(active)))
            }
            Err(ChangeError::Moved) => self.not_activated(purchase).await,
            Err(ChangeError::Store(error)) => Err(error.into()),
        }
    }

    /// The transaction was refused: another request has done it, the agent was saved meanwhile, or something is there that must
    /// not be. The last is for a person: nothing is undone that may be another's.
    async fn not_activated(&self, purchase: &Purchase) -> Result<Step, StepError> {
        let now = self.reload(purchase).await?;
        if now.version != purchase.version {
            return Err(ProvisionError::Contended.into());
        }
        if self.numbers.of_direction(purchase.org_id, purchase.direction).await?.is_some() {
            alarm!("number_cannot_be_activated", org_id = %purchase.org_id, purchase_id = %purchase.purchase_id,
                "a purchase is complete, and the org has a number of that direction by another way");
            return Ok(Step::Wait);
        }
        // The agent was saved in the same moment: again, while the lease lasts.
        Ok(Step::On(Box::new(now)))
    }

    /// Connects a number that an org has in its own account at the carrier. The account and the number are checked there before
    /// anything is stored; nothing is bought or charged. A number that is connected already stays so, without a gap, and whatever
    /// the org has in that account gets the token that was given: the clinic may have changed it there.
    ///
    /// # Errors
    /// When something of ours did not do its part, or the carrier does not answer.
    pub async fn connect(
        &self,
        org: OrgId,
        direction: Direction,
        brought: &Brought,
        body_hash: String,
    ) -> Result<Connected, ProvisionError> {
        match self.twilio.check(&brought.account).await {
            Ok(()) => {}
            Err(error) if error.is_final() => return Ok(Connected::AccountRefused(error.sentence())),
            Err(error) => return Err(error.into()),
        }
        let Some(owned) = self.twilio.owned(&brought.account, &brought.number).await? else {
            return Ok(Connected::NumberNotThere);
        };
        self.renew_token(org, &brought.account).await?;
        let claim = self.purchases.claim_of(org, direction).await?;
        let same = |claim: &Purchase| claim.body_hash == body_hash && claim.wanted().is_none();
        match &claim {
            Some(claim) if claim.is_open() && same(claim) => {
                return self.resume_purchase(claim.clone()).await.map(Connected::Done);
            }
            Some(claim)
                if claim.state == State::Active && brought.is_of(claim) && self.is_in_use(claim).await? =>
            {
                return Ok(Connected::Done(Provisioned::Active(Box::new(claim.clone()))));
            }
            Some(claim) if claim.is_open() => return Ok(Connected::Done(Provisioned::Taken(None))),
            Some(claim) if claim.state == State::Active => {
                return Ok(Connected::Done(Provisioned::Taken(claim.phone_number.clone())));
            }
            Some(_) | None => {}
        }
        let token = brought.account.token.expose_secret();
        let source =
            Source::Own { own_token: Some(self.keyring.seal(org, &provider_type(direction), token)?) };
        let purchase = about_to_ask(Purchase {
            state: State::Bought,
            phone_number: Some(brought.number.clone()),
            number_sid: Some(owned.sid),
            account_sid: Some(brought.account.sid.clone()),
            ..self.new_purchase((org, direction), source, body_hash, claim.as_ref())
        });
        match self.purchases.claim(&purchase, claim.as_ref(), None).await {
            Ok(()) => {
                let done = self.run(purchase).await?;
                self.outcome(done).await.map(Connected::Done)
            }
            Err(ChangeError::Moved) => Ok(Connected::Done(Provisioned::Taken(None))),
            Err(ChangeError::Store(error)) => Err(error.into()),
        }
    }
}

fn history(number: &OrgNumber, wanted: &NumberRequest) -> ManagedNumber {
    ManagedNumber {
        org_id: number.org_id,
        number_id: number.purchase_id.clone(),
        version: 0,
        phone_number: number.phone_number.clone(),
        direction: number.direction,
        status: Status::Active,
        account_sid: number.account_sid.clone(),
        number_sid: number.number_sid.clone(),
        vapi_phone_id: number.vapi_phone_id.clone(),
        country: wanted.country,
        number_type: wanted.number_type,
        cost: number.cost,
        created_at: number.created_at,
        released_at: None,
        missing_since: None,
    }
}
