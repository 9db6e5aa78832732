//! Auto-recharge: one shortage, one charge of the card, whatever fails or dies in between.
//!
//! The episode in the wallet's record says how far a charge has come. Before anything is sent, the attempt is written
//! down; a check that finds one that was begun looks at Stripe before sending anything, and sends it under the same key.

mod episode;

use std::sync::Arc;

use jiff::SignedDuration;

use crate::payments::{self, PaymentError, Payments};
use base::clock::Clock;
use base::config::Reader;
use base::entropy::Entropy;
use domain::{
    ids::{EpisodeId, EventId, OrgId},
    recharge::{Decision, Episode, Notice},
    wallet::Wallet,
};
use platform::Platform;
use store::{
    ChangeError, StoreError,
    queue::{Notification, NotificationQueue},
};
use vendors::stripe::StripeError;

/// How many steps, repeated ones among them, one check does at the most; an episode has fewer.
const MOST_STEPS: usize = 8;
/// How long an attempt may be sent again under its key: Stripe keeps keys for 24 hours at least.
const SENT_AGAIN_FOR: SignedDuration = SignedDuration::from_hours(23);
/// When an attempt of which Stripe shows nothing is taken for one that never came to be.
const NEVER_CAME: SignedDuration = SignedDuration::from_hours(25);
/// How long after an attempt without any trace the next may be begun: a request in flight has long ended by then, also by clocks
/// that differ by minutes.
const NEXT_ATTEMPT: SignedDuration = SignedDuration::from_mins(30);

/// Charges cards by themselves, and tells orgs of a low balance.
#[derive(Debug)]
pub struct Recharge {
    /// Who receives payments, and books them.
    pub payments: Payments,
    notifications: NotificationQueue,
    dashboard_origin: String,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
}

/// Settings of it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Those of payments.
    pub payments: payments::Settings,
    /// Where notifications go.
    pub notification_queue_url: String,
    /// Where the dashboard is served from: a customer who must act comes back there.
    pub dashboard_origin: String,
}

impl Settings {
    /// Reads them.
    pub fn read(reader: &mut Reader<'_>, platform: &Platform) -> Self {
        Self {
            payments: payments::Settings::read(reader, platform),
            notification_queue_url: reader.required("NOTIFICATIONS_QUEUE_URL"),
            dashboard_origin: reader.required("DASHBOARD_ORIGIN").trim_end_matches('/').to_owned(),
        }
    }
}

/// Why a look at a wallet was not finished. It is to be done again.
#[derive(Debug, thiserror::Error)]
pub enum RechargeError {
    /// The store or a queue did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A payment could not be made or booked.
    #[error(transparent)]
    Payment(#[from] PaymentError),
    /// Others kept changing the wallet.
    #[error("the wallet was changed by others until the time was up")]
    Contended,
}

impl From<StripeError> for RechargeError {
    fn from(error: StripeError) -> Self {
        Self::Payment(error.into())
    }
}

/// What a step came to.
enum Step {
    /// The wallet has changed: decide again.
    Again,
    /// Nothing more is to be done now.
    Done,
}

impl Recharge {
    /// Puts it together from a function's platform and settings.
    pub fn deployed(platform: &Platform, settings: Settings) -> Self {
        Self {
            payments: Payments::deployed(platform, settings.payments),
            notifications: NotificationQueue::new(platform.sqs.clone(), settings.notification_queue_url),
            dashboard_origin: settings.dashboard_origin,
            clock: Arc::clone(&platform.clock),
            entropy: Arc::clone(&platform.entropy),
        }
    }

    /// Does whatever is due for an org's wallet: tells of a low balance, opens an episode, goes on with the one that is open.
    /// Doing it again, or twice at once, charges once.
    ///
    /// # Errors
    /// When Stripe, the store or a queue does not do its part. Nothing is lost: the record says how far it has come.
    pub async fn check(&self, org: OrgId) -> Result<(), RechargeError> {
        // Who cannot be told is charged all the same.
        let mut untold = None;
        let mut rounds = self.payments.db.rounds("the wallet");
        for _ in 0..MOST_STEPS {
            let Some(wallet) = self.payments.wallets.get(org).await? else { return Ok(()) };
            match self.step(&wallet, &mut untold).await {
                Ok(Step::Again) => {}
                Ok(Step::Done) => return untold.map_or(Ok(()), Err),
                Err(StepError::Moved) => rounds.again().await?,
                Err(StepError::Failed(error)) => return Err(error),
            }
        }
        Err(RechargeError::Contended)
    }

    async fn step(&self, wallet: &Wallet, untold: &mut Option<RechargeError>) -> Result<Step, StepError> {
        if untold.is_none() {
            match self.tell(wallet).await {
                Ok(Some(step)) => return Ok(step),
                Ok(None) => {}
                Err(StepError::Moved) => return Err(StepError::Moved),
                Err(StepError::Failed(error)) => *untold = Some(error),
            }
        }
        match &wallet.auto_recharge.episode {
            Some(episode) => self.resume(wallet, episode).await,
            None => self.open(wallet).await,
        }
    }

    /// Tells the org once for each crossing. It is noted before it is told, and told until it is noted.
    async fn tell(&self, wallet: &Wallet) -> Result<Option<Step>, StepError> {
        let before = &wallet.auto_recharge.notice;
        let is_low = wallet.is_balance_low();
        if before.is_low != is_low {
            let crossings = before.crossings.saturating_add(u32::from(is_low));
            let notice = Notice { is_low, crossings, ..*before };
            return self.save_notice(wallet, notice).await.map(Some);
        }
        if before.told >= before.crossings {
            return Ok(None);
        }
        // One that is over before it could be told is not told any more.
        if is_low {
            let id = format!("low_balance:{}:{}", wallet.org_id, before.crossings);
            let event_id = EventId::parse(id).unwrap_or_else(|_| unreachable!("a UUID and a number"));
            let is_on = wallet.auto_recharge.settings.as_ref().is_some_and(|settings| settings.enabled);
            let notification = Notification {
                event_id,
                org_id: wallet.org_id,
                kind: "low_balance".to_owned(),
                available_pence: wallet.available.pence(),
                low_balance_pence: wallet.low_balance.pence(),
                auto_recharge: is_on,
                at: self.clock.now(),
            };
            self.notifications.send(&notification).await?;
            tracing::info!(org_id = %wallet.org_id, crossing = before.crossings, "an org was told of a low balance");
        }
        self.save_notice(wallet, Notice { told: before.crossings, ..*before }).await.map(Some)
    }

    async fn save_notice(&self, wallet: &Wallet, notice: Notice) -> Result<Step, StepError> {
        let mut after = wallet.auto_recharge.clone();
        after.notice = notice;
        self.payments.wallets.save_recharge(wallet, after).await?;
        Ok(Step::Again)
    }

    /// Opens an episode, if the card is to be charged.
    async fn open(&self, wallet: &Wallet) -> Result<Step, StepError> {
        let now = self.clock.now();
        let amount = match wallet.recharge(now) {
            Decision::NotNeeded => return Ok(Step::Done),
            Decision::Skip(skip) => {
                tracing::info!(org_id = %wallet.org_id, reason = skip.as_str(), "the card is not charged");
                return Ok(Step::Done);
            }
            Decision::Charge(amount) => amount,
        };
        let (Some(customer), Some(payment_method)) = (&wallet.stripe_customer, &wallet.payment_method) else {
            return Ok(Step::Done);
        };
        let id = EpisodeId::parse(self.entropy.uuid(now).to_string());
        let episode = Episode {
            id: id.unwrap_or_else(|_| unreachable!("a UUID is an id")),
            amount,
            customer: customer.clone(),
            payment_method: payment_method.clone(),
            opened_at: now,
            attempt: 0,
            sent_at: None,
            attempt_at: None,
            payment_intent: None,
            action_url: None,
        };
        tracing::info!(org_id = %wallet.org_id, episode = %episode.id, pence = amount.pence(), "a recharge was opened");
        self.payments.wallets.open_episode(wallet, wallet.auto_recharge.opened(episode)).await?;
        Ok(Step::Again)
    }
}

/// Why a step was not done.
enum StepError {
    /// Others have changed the wallet: decide again.
    Moved,
    /// It is to be tried again later.
    Failed(RechargeError),
}

impl From<ChangeError> for StepError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Moved => Self::Moved,
            ChangeError::Store(error) => Self::Failed(error.into()),
        }
    }
}

impl<E: Into<RechargeError>> From<E> for StepError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}
