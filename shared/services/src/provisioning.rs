//! Numbers: bought, brought, found, given up. Whatever fails or dies in between, a number is active and was charged once, or
//! it is nowhere and its price came back.

mod activate;
mod buy;
mod error;
mod inventory;
mod papers;
mod release;
mod renew;
mod rotate;
mod run;
mod settings;
mod undo;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

pub use activate::{Brought, Connected};
pub use error::ProvisionError;
use error::{Step, StepError};
pub use inventory::{Found, Location, Rows};
pub use release::Release;
pub use rotate::Rotated;
pub use settings::Settings;

use crate::follow_up::Watch;
use crate::voice::VapiResources;
use base::clock::Clock;
use base::entropy::Entropy;
use base::keyring::Keyring;
use domain::{
    amount::Amount,
    call::Direction,
    ids::{AccountSid, OrgId, PurchaseId, VapiPhoneId},
    number::NUMBER_COST,
    phone_number::PhoneNumber,
    purchase::{Failure, NumberRequest, Purchase, Source, State},
    rate::Costly,
    wallet::{Refusal, Wallet},
};
use platform::Platform;
use store::{
    Attempt, ChangeError, Dynamo,
    agents::Agents,
    made_once::{MadeOnce, Subaccount, VapiObject},
    numbers::{Numbers, Status},
    purchases::Purchases,
    queue::SyncQueue,
    rates::Rates,
    wallets::Wallets,
};
use vendors::twilio::Twilio;

/// How long one request may act on a purchase before another may go on with it: longer than the function may run
/// (`template.yaml`), so that no holder outlives its lease.
pub const LEASE: SignedDuration = SignedDuration::from_secs(35);
/// How long before the end of the lease the last step is begun: it has its time within the function's.
const LAST_STEP: SignedDuration = SignedDuration::from_secs(21);
/// How long the same request is answered with the number it bought, when it comes without a key.
const SAME_ANSWER: SignedDuration = SignedDuration::from_mins(10);
/// By when a purchase that failed should be undone; later, a person is told.
const UNDONE_BY: SignedDuration = SignedDuration::from_mins(15);
/// How long after a request without an answer a vendor may still carry it out.
const QUIET: SignedDuration = SignedDuration::from_secs(60);

/// Everything that numbers need.
#[derive(Debug)]
pub struct Provisioning {
    /// Where all of it is written.
    pub db: Dynamo,
    /// The sagas.
    pub purchases: Purchases,
    /// What orgs have.
    pub numbers: Numbers,
    /// Who answers.
    pub agents: Agents,
    /// The money.
    pub wallets: Wallets,
    /// The carrier.
    pub twilio: Twilio,
    /// What is shared at Vapi.
    pub voice: VapiResources,
    /// What opens secrets.
    pub keyring: Keyring,
    /// The agents' messages.
    pub queue: SyncQueue,
    /// Who looks at a wallet that was spent from.
    pub watch: Watch,
    /// How often what is done at the carrier.
    pub rates: Rates,
    subaccounts: MadeOnce<Subaccount>,
    environment: String,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
}

/// A request for a number.
#[derive(Clone, Debug)]
pub struct ProvisionRequest {
    /// Whose it shall be.
    pub org_id: OrgId,
    /// What for.
    pub direction: Direction,
    /// Which.
    pub wanted: NumberRequest,
    /// The client's idempotency key, if it gave one.
    pub key: Option<String>,
    /// What makes two requests the same.
    pub body_hash: String,
}

/// What became of a request for a number.
#[derive(Clone, Debug)]
pub enum Provisioned {
    /// The org has it, by this request or by an earlier copy of it.
    Active(Box<Purchase>),
    /// Another request is at it, or it waits for a vendor.
    Underway(Box<Purchase>),
    /// It came to nothing; nothing was charged, or all of it came back.
    Ended(Box<Purchase>),
    /// The org has a number of that direction.
    Taken(Option<PhoneNumber>),
    /// The client's key was used with another body.
    KeyReused,
    /// The wallet cannot pay for it.
    Short {
        /// What it costs.
        required: Amount,
        /// The wallet.
        wallet: Box<Wallet>,
    },
    /// The wallet is frozen.
    Frozen,
    /// The carrier sells it under approved papers only, and there are none.
    NoPapers,
    /// The org has tried too often of late: it may again after so long.
    TooOften(SignedDuration),
}

impl Provisioning {
    /// Puts it together from a function's platform and settings.
    pub fn deployed(platform: &Platform, settings: Settings) -> Self {
        let db = platform.database(&settings.base.table_prefix);
        let twilio = settings.twilio(platform);
        let vapi = platform.vapi(settings.vapi);
        let objects: MadeOnce<VapiObject> = MadeOnce::vapi_objects(db.clone());
        Self {
            purchases: Purchases::new(db.clone()),
            numbers: Numbers::new(db.clone()),
            agents: Agents::new(db.clone()),
            wallets: Wallets::new(db.clone()),
            twilio,
            voice: VapiResources::new(vapi, objects, settings.voice, Arc::clone(&platform.clock)),
            keyring: settings.keyring,
            queue: SyncQueue::new(platform.sqs.clone(), settings.sync_queue_url),
            watch: settings.watch,
            rates: Rates::new(db.clone()),
            subaccounts: MadeOnce::subaccounts(db.clone()),
            db,
            environment: settings.base.environment,
            clock: Arc::clone(&platform.clock),
            entropy: Arc::clone(&platform.entropy),
        }
    }

    /// Buys a number for an org, or goes on with the purchase that is underway, as far as it comes in one request. What it
    /// leaves undone is done by the next, or by [`Provisioning::resume`].
    ///
    /// # Errors
    /// When something of ours did not do its part. Nothing is lost: the purchase says how far it has come.
    pub async fn provision(&self, asked: &ProvisionRequest) -> Result<Provisioned, ProvisionError> {
        self.db.until_written("the purchase", || self.try_to_provision(asked)).await
    }

    async fn try_to_provision(
        &self,
        asked: &ProvisionRequest,
    ) -> Result<Attempt<Provisioned>, ProvisionError> {
        let began = self.clock.now();
        if let Some(key) = &asked.key
            && let Some(used) = self.purchases.key_use(asked.org_id, key).await?
        {
            if used.body_hash != asked.body_hash {
                return Ok(Attempt::Done(Provisioned::KeyReused));
            }
            let named = self.purchases.find(asked.org_id, &used.purchase_id).await?;
            return self.resume_purchase(named.ok_or(ProvisionError::Contended)?).await.map(Attempt::Done);
        }
        let claim = self.purchases.claim_of(asked.org_id, asked.direction).await?;
        match &claim {
            Some(claim) if claim.is_open() && asked.key.is_none() => {
                return self.resume_purchase(claim.clone()).await.map(Attempt::Done);
            }
            Some(_) if self.is_key_known(asked).await? => return Ok(Attempt::Moved),
            // Another key names another purchase, and the direction has one already.
            Some(claim) if claim.is_open() => return Ok(Attempt::Done(Provisioned::Taken(None))),
            Some(claim) if claim.state == State::Active => {
                return Ok(Attempt::Done(if self.is_same(claim, asked) && self.is_in_use(claim).await? {
                    Provisioned::Active(Box::new(claim.clone()))
                } else {
                    Provisioned::Taken(claim.phone_number.clone())
                }));
            }
            Some(_) | None => {}
        }
        let wallet = self.wallets.ensure(asked.org_id).await?;
        match wallet.can_spend(NUMBER_COST) {
            Ok(()) => {}
            Err(Refusal::Frozen) => return Ok(Attempt::Done(Provisioned::Frozen)),
            Err(Refusal::InsufficientFunds { .. } | Refusal::NoWallet | Refusal::TooManyCalls { .. }) => {
                let wallet = Box::new(wallet);
                return Ok(Attempt::Done(Provisioned::Short { required: NUMBER_COST, wallet }));
            }
        }
        let has_failed = claim.as_ref().is_some_and(|claim| claim.failed.is_some());
        if has_failed
            && let Some(wait) =
                self.rates.take(asked.org_id, Costly::PurchaseAfterFailure, self.clock.now()).await?
        {
            return Ok(Attempt::Done(Provisioned::TooOften(wait)));
        }
        if let Some(refused) = self.refused_for_papers(asked).await? {
            return Ok(Attempt::Done(refused));
        }
        let source = Source::Managed(asked.wanted.clone());
        let body_hash = asked.body_hash.clone();
        let purchase = self.new_purchase((asked.org_id, asked.direction), source, body_hash, claim.as_ref());
        // The carrier may have been asked for papers by now, and the function has its time from the beginning.
        let purchase = Purchase { lease_until: began + LEASE, ..purchase };
        match self.purchases.claim(&purchase, claim.as_ref(), asked.key.as_deref()).await {
            Ok(()) => self.outcome(self.run(purchase).await?).await.map(Attempt::Done),
            Err(ChangeError::Moved) => Ok(Attempt::Moved),
            Err(ChangeError::Store(error)) => Err(error.into()),
        }
    }

    /// Whether the client's key was used since this request looked it up: by a copy of it, in the same moment.
    async fn is_key_known(&self, asked: &ProvisionRequest) -> Result<bool, ProvisionError> {
        let Some(key) = &asked.key else { return Ok(false) };
        Ok(self.purchases.key_use(asked.org_id, key).await?.is_some())
    }

    /// Whether the number of an active purchase is not being given up.
    async fn is_in_use(&self, claim: &Purchase) -> Result<bool, ProvisionError> {
        let number = self.numbers.of_direction(claim.org_id, claim.direction).await?;
        Ok(number.is_some_and(|number| number.status == Status::Active))
    }

    /// A request that comes again without a key, soon after it has succeeded.
    fn is_same(&self, claim: &Purchase, asked: &ProvisionRequest) -> bool {
        let is_recent = claim.active_at.is_some_and(|at| self.clock.now().duration_since(at) < SAME_ANSWER);
        asked.key.is_none() && claim.body_hash == asked.body_hash && is_recent
    }

    fn new_purchase(
        &self,
        (org_id, direction): (OrgId, Direction),
        source: Source,
        body_hash: String,
        before: Option<&Purchase>,
    ) -> Purchase {
        let now = self.clock.now();
        let id = self.entropy.uuid(now).to_string();
        Purchase {
            org_id,
            direction,
            purchase_id: PurchaseId::parse(id).unwrap_or_else(|_| unreachable!("a UUID is an id")),
            source,
            body_hash,
            state: State::Claimed,
            version: before.map_or(0, |before| before.version.saturating_add(1)),
            lease_until: now + LEASE,
            created_at: now,
            active_at: None,
            charged: None,
            phone_number: None,
            tried: Vec::new(),
            account_sid: None,
            bundle_sid: None,
            bundle_address_sid: None,
            number_sid: None,
            vapi_phone_id: None,
            quiet_until: None,
            failed: None,
        }
    }

    /// Goes on with what is open for one direction of an org, if anything is and no other request is at it.
    ///
    /// # Errors
    /// As [`Provisioning::provision`].
    pub async fn resume(&self, org: OrgId, direction: Direction) -> Result<(), ProvisionError> {
        if let Some(claim) = self.purchases.claim_of(org, direction).await?.filter(Purchase::is_open) {
            self.resume_purchase(claim).await?;
        }
        Ok(())
    }

    async fn resume_purchase(&self, claim: Purchase) -> Result<Provisioned, ProvisionError> {
        let now = self.clock.now();
        if !claim.is_open() || claim.lease_until > now {
            return self.outcome(claim).await;
        }
        let leased = Purchase { lease_until: now + LEASE, ..claim.clone() };
        match self.purchases.save(&claim, leased).await {
            Ok(leased) => self.outcome(self.run(leased).await?).await,
            Err(ChangeError::Moved) => self.outcome(self.reload(&claim).await?).await,
            Err(ChangeError::Store(error)) => Err(error.into()),
        }
    }

    /// The purchase as it is now.
    async fn reload(&self, purchase: &Purchase) -> Result<Purchase, ProvisionError> {
        let found = self.purchases.find(purchase.org_id, &purchase.purchase_id).await?;
        found.ok_or(ProvisionError::Contended)
    }

    async fn outcome(&self, purchase: Purchase) -> Result<Provisioned, ProvisionError> {
        Ok(match (&purchase.state, &purchase.failed) {
            (State::Refunded, Some(Failure::InsufficientFunds)) => {
                let wallet = Box::new(self.wallets.ensure(purchase.org_id).await?);
                Provisioned::Short { required: NUMBER_COST, wallet }
            }
            (State::Refunded, Some(Failure::WalletFrozen)) => Provisioned::Frozen,
            (State::Refunded, _) => Provisioned::Ended(Box::new(purchase)),
            // Its number was given up since; this request did buy it.
            (State::Active | State::Released, _) => Provisioned::Active(Box::new(purchase)),
            (State::Claimed | State::Charged | State::Bought | State::Imported | State::Compensating, _) => {
                Provisioned::Underway(Box::new(purchase))
            }
        })
    }

    /// A booking was refused: the wallet has moved on, and it is done again; or the purchase has, by another's hand.
    async fn decided_again(&self, purchase: &Purchase) -> Result<Step, StepError> {
        let now = self.reload(purchase).await?;
        let is_as_read = now.version == purchase.version;
        if is_as_read { Ok(Step::On(Box::new(now))) } else { Err(ProvisionError::Contended.into()) }
    }

    /// What marks a number at the carrier as this purchase's.
    fn mark(&self, purchase: &Purchase) -> String {
        format!("voxanne/{}/{}", self.environment, purchase.purchase_id)
    }

    /// The same for Vapi, whose names are 40 characters at the most: the end of the id, which is chance.
    fn short_mark(&self, purchase: &Purchase) -> String {
        let id = purchase.purchase_id.as_str();
        let end = id.get(id.len().saturating_sub(11)..).unwrap_or(id);
        format!("voxanne/{}/{end}", self.environment)
    }

    /// What Vapi has of a number, by its carrier's account: this purchase's own import, known by its mark. Another's, be it of
    /// the same org, is never touched.
    async fn imported(
        &self,
        purchase: &Purchase,
        number: &PhoneNumber,
        account: &AccountSid,
    ) -> Result<Option<VapiPhoneId>, StepError> {
        let found = self.voice.vapi.imported_number(number, account).await;
        match found.map_err(|error| StepError::of_vapi(&error))? {
            None => Ok(None),
            Some(found) if found.name.as_deref() == Some(&*self.short_mark(purchase)) => Ok(Some(found.id)),
            Some(_) => Err(StepError::Failed(Failure::NumberTaken)),
        }
    }
}

/// When a purchase may be taken as quiet: nothing that was asked for can still come to be.
fn is_quiet(purchase: &Purchase, now: Timestamp) -> bool {
    purchase.quiet_until.is_none_or(|until| until <= now)
}
