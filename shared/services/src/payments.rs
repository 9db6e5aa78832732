//! Money in and back by card: each payment is credited once, from what Stripe received, and each refund and each
//! movement of a dispute is booked once. Used by the webhook, by reconciliation and by auto-recharge; events only say which
//! payment to look at.

mod events;
mod movements;

use std::sync::Arc;

use self::movements::movements_of;
use crate::follow_up::FollowUp;
use base::alarm;
use base::clock::Clock;
use base::config::{Base, Reader, StripeSettings};
use domain::{
    amount::Amount,
    ids::{OrgId, PaymentIntentId},
    ledger::{Entry, EntrySide, Posting, Reason},
    payment::{Movement, next_movement},
    recharge::{AutoRecharge, Card, DisputeNews},
    wallet::Wallet,
};
use platform::Platform;
use store::{
    Attempt, ChangeError, Dynamo, StoreError, customers::Customers, ledger::Ledger, wallets::Wallets,
    webhook_events::WebhookEvents,
};
use vendors::stripe::{
    Currency, Dispute, Mark, PaymentIntent, PaymentStatus, Reference, Refund, Stripe, StripeError,
    event::Payment,
};

/// Everything that booking payments needs.
#[derive(Debug)]
pub struct Payments {
    /// The money.
    pub wallets: Wallets,
    /// What is booked already.
    pub ledger: Ledger,
    /// Whose a payment is.
    pub customers: Customers,
    /// Who received it.
    pub stripe: Stripe,
    /// What follows.
    pub follow_up: FollowUp,
    /// What came, and what became of it.
    pub events: WebhookEvents,
    pub(crate) db: Dynamo,
    clock: Arc<dyn Clock>,
}

/// The settings of the functions that book payments.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Environment and tables.
    pub base: Base,
    /// Who receives payments.
    pub stripe: StripeSettings,
    /// What follows every change of a wallet.
    pub follow_up: FollowUp,
}

impl Settings {
    /// Reads them.
    pub fn read(reader: &mut Reader<'_>, platform: &Platform) -> Self {
        Self {
            base: Base::read(reader),
            stripe: StripeSettings::read(reader),
            follow_up: FollowUp::read(reader, platform),
        }
    }
}

/// What became of news about a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Something was booked.
    Booked,
    /// All of it was booked before.
    Repeated,
    /// There is nothing to book, now.
    Nothing,
    /// It is of another environment or another product on the same account: nothing is kept of it.
    Foreign,
    /// It is not ours to book, for this reason. A person must look.
    DeadLetter(&'static str),
}

/// What one look at the movements of a payment came to.
enum Look {
    /// All that is to be booked is booked.
    NothingLeft,
    /// One was booked, and another look is due.
    Booked,
    /// One was booked, and what follows was seen to; no other is left.
    BookedTheLast,
}

/// Why news about a payment could not be dealt with. It is to be sent again.
#[derive(Debug, thiserror::Error)]
pub enum PaymentError {
    /// The store or the queue did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Stripe did not answer.
    #[error(transparent)]
    Stripe(#[from] StripeError),
}

impl Payments {
    /// Puts it together from a function's platform and settings.
    pub fn deployed(platform: &Platform, settings: Settings) -> Self {
        let db = platform.database(&settings.base.table_prefix);
        Self {
            wallets: Wallets::new(db.clone()),
            ledger: Ledger::new(db.clone()),
            customers: Customers::new(db.clone()),
            stripe: platform.stripe(settings.stripe, settings.base.environment),
            follow_up: settings.follow_up,
            events: WebhookEvents::stripe(db.clone()),
            db,
            clock: Arc::clone(&platform.clock),
        }
    }

    /// Credits a payment that Stripe says was made; asks Stripe what was received.
    ///
    /// # Errors
    /// When Stripe, the store or the queue does not do its part.
    pub async fn session_paid(&self, id: &PaymentIntentId) -> Result<Outcome, PaymentError> {
        match self.stripe.payment(id).await {
            Ok(payment) => self.received(&payment).await,
            Err(StripeError::NotFound) => Ok(UNKNOWN_PAYMENT),
            Err(error) => Err(error.into()),
        }
    }

    /// Credits a payment, once, however many events describe it.
    ///
    /// # Errors
    /// When the store or the queue does not do its part.
    pub async fn received(&self, payment: &PaymentIntent) -> Result<Outcome, PaymentError> {
        if payment.status != PaymentStatus::Succeeded {
            return Ok(Outcome::Nothing);
        }
        match self.owned(payment.clone()).await? {
            Ok(owned) => {
                self.keep_card(&owned).await?;
                self.book_all(&owned, &[owned.top_up()]).await
            }
            Err(outcome) => Ok(outcome),
        }
    }

    /// Books what was refunded and disputed of a payment, object by object, as Stripe lists it now.
    ///
    /// # Errors
    /// When Stripe, the store or the queue does not do its part.
    pub async fn reversed(&self, payment: &Payment) -> Result<Outcome, PaymentError> {
        let owned = match self.found(payment).await? {
            Ok(owned) => owned,
            Err(outcome) => return Ok(outcome),
        };
        let id = &owned.payment.id;
        let (refunds, disputes) =
            futures::future::try_join(self.stripe.refunds(id), self.stripe.disputes(id)).await?;
        alarm_unbookable(owned.org, &refunds, &disputes);
        // One whose payment was never credited books the top-up first.
        self.keep_card(&owned).await?;
        let news: Vec<DisputeNews> = disputes
            .iter()
            .map(|dispute| DisputeNews { id: dispute.id.clone(), stage: dispute.stage() })
            .collect();
        // Before the money moves: what it leaves is not to be charged to the card.
        if !news.is_empty() {
            let fingerprint = self.fingerprint(owned.card()).await?;
            let card = owned.card().map(|id| Card { id, fingerprint: fingerprint.as_deref() });
            self.note(owned.org, |wallet| wallet.heard_of_disputes(card, &news, self.clock.now())).await?;
        }
        let mut movements = vec![owned.top_up()];
        movements.extend(movements_of(id, &refunds, &disputes));
        self.book_all(&owned, &movements).await
    }

    /// Takes a warning of Stripe's, that a payment is likely to be fraud, into account: it moves no money.
    ///
    /// # Errors
    /// When Stripe or the store does not do its part.
    pub async fn warned(&self, warning: &str, payment: &Payment) -> Result<Outcome, PaymentError> {
        let owned = match self.found(payment).await? {
            Ok(owned) => owned,
            Err(outcome) => return Ok(outcome),
        };
        self.keep_card(&owned).await?;
        let fingerprint = self.fingerprint(owned.card()).await?;
        let card = owned.card().map(|id| Card { id, fingerprint: fingerprint.as_deref() });
        self.note(owned.org, |wallet| wallet.warned_of(warning, card, self.clock.now())).await?;
        tracing::warn!(org_id = %owned.org, payment_intent = %owned.payment.id, warning, "Stripe warned of a payment");
        Ok(Outcome::Nothing)
    }

    /// The payment that an event is about, and whose it is; or what becomes of the event without.
    async fn found(&self, payment: &Payment) -> Result<Result<Owned, Outcome>, PaymentError> {
        let id = match payment {
            Payment::Intent(id) => id.clone(),
            Payment::Charge(charge) => match self.stripe.payment_of_charge(charge).await {
                Ok(Some(id)) => id,
                // Every charge of ours belongs to a payment.
                Ok(None) => return Ok(Err(Outcome::Foreign)),
                Err(StripeError::NotFound) => return Ok(Err(UNKNOWN_PAYMENT)),
                Err(error) => return Err(error.into()),
            },
        };
        match self.stripe.payment(&id).await {
            Ok(payment) => Ok(self.owned(payment).await?),
            Err(StripeError::NotFound) => Ok(Err(UNKNOWN_PAYMENT)),
            Err(error) => Err(error.into()),
        }
    }

    /// Whose a payment is and how much was received; or what becomes of news of it, because it is another's or cannot be booked.
    async fn owned(&self, payment: PaymentIntent) -> Result<Result<Owned, Outcome>, StoreError> {
        let org = match &payment.customer {
            Some(customer) => self.customers.org(customer.id()).await?,
            None => None,
        };
        let org = match (self.stripe.mark(&payment), org) {
            (Mark::Ours, Some(org)) => org,
            (Mark::AnotherEnvironments, _) | (Mark::None, None) => return Ok(Err(Outcome::Foreign)),
            (Mark::None, Some(_)) => {
                return Ok(Err(Outcome::DeadLetter("the payment does not bear our mark")));
            }
            (Mark::Ours, None) if payment.customer.is_none() => {
                return Ok(Err(Outcome::DeadLetter("the payment has no customer")));
            }
            (Mark::Ours, None) => {
                return Ok(Err(Outcome::DeadLetter("the payment's customer is not one of ours")));
            }
        };
        if payment.currency != Currency::Gbp {
            return Ok(Err(Outcome::DeadLetter("the payment is not in pounds")));
        }
        Ok(match Amount::try_from(payment.amount_received) {
            Ok(amount) if !amount.is_zero() => Ok(Owned { org, amount, payment }),
            Ok(_) | Err(_) => Err(Outcome::DeadLetter("the payment's amount is not one we can credit")),
        })
    }

    /// Books whatever of `movements` is not booked yet, in their order; each rests on a fresh read.
    async fn book_all(&self, owned: &Owned, movements: &[Movement]) -> Result<Outcome, PaymentError> {
        let (org, mut outcome) = (owned.org, Outcome::Repeated);
        let book_next = || async move {
            // The wallet first: whatever is booked after this read moves its ledger, and the write is refused.
            let wallet = self.wallets.existing(org).await?;
            let booked = self.booked(org, movements).await?;
            let Some((movement, amount)) = next_movement(movements, &booked) else {
                for (movement, _) in movements.iter().zip(&booked).filter(|(_, entry)| entry.is_none()) {
                    if movement.takes() {
                        alarm_beyond(org, movement, Amount::ZERO);
                    }
                }
                self.follow_up.after(&wallet).await?;
                return Ok::<_, PaymentError>(Attempt::Done(Look::NothingLeft));
            };
            if amount < movement.amount && movement.takes() {
                alarm_beyond(org, movement, amount);
            }
            let written = self.book(&wallet, owned, movement, amount).await;
            let Attempt::Done(after) = Attempt::of(written)? else {
                return Ok(Attempt::Moved);
            };
            // A debit is followed by another look: a call that began since the wallet was read is to be ended too.
            let is_last = booked.iter().filter(|entry| entry.is_none()).count() == 1;
            if !is_last || movement.reason.direction() == EntrySide::Debit {
                return Ok(Attempt::Done(Look::Booked));
            }
            self.follow_up.after(&after).await?;
            Ok(Attempt::Done(Look::BookedTheLast))
        };
        loop {
            match self.db.until_written("the wallet", book_next).await? {
                Look::NothingLeft => return Ok(outcome),
                Look::BookedTheLast => return Ok(Outcome::Booked),
                Look::Booked => outcome = Outcome::Booked,
            }
        }
    }

    async fn booked(&self, org: OrgId, movements: &[Movement]) -> Result<Vec<Option<Entry>>, StoreError> {
        let keys: Vec<_> = movements.iter().map(|movement| movement.reason.key()).collect();
        futures::future::try_join_all(keys.iter().map(|key| self.ledger.get(org, key))).await
    }

    /// Books one movement. Returns the wallet after it.
    async fn book(
        &self,
        wallet: &Wallet,
        owned: &Owned,
        movement: &Movement,
        amount: Amount,
    ) -> Result<Wallet, ChangeError> {
        let posting = Posting {
            reason: movement.reason.clone(),
            amount,
            description: movement.description.to_owned(),
            at: self.clock.now(),
        };
        let recharge = recharge_after(wallet, &owned.payment, &posting);
        let after = self.wallets.book_with(wallet, &posting, recharge).await?;
        tracing::info!(org_id = %wallet.org_id, entry_key = %posting.reason.key(), pence = amount.pence(), "a movement was booked");
        Ok(after)
    }

    /// Writes what news changes about an org's auto-recharge, if anything.
    async fn note(
        &self,
        org: OrgId,
        change: impl Fn(&Wallet) -> AutoRecharge + Copy,
    ) -> Result<(), StoreError> {
        let note = || async move {
            let wallet = self.wallets.existing(org).await?;
            let after = change(&wallet);
            if after == wallet.auto_recharge {
                return Ok(Attempt::Done(()));
            }
            Attempt::of(self.wallets.save_recharge(&wallet, after).await.map(|_| ()))
        };
        self.db.until_written("the wallet", note).await
    }

    /// Makes the wallet, and remembers the card that may be charged again, before its payment is credited: an event whose process
    /// dies in between is repeated whole. News of a payment that is credited already leaves the card of a newer one in its place, and
    /// a card goes with its customer.
    async fn keep_card(&self, owned: &Owned) -> Result<(), PaymentError> {
        let Owned { org, payment, .. } = owned;
        let wallet = self.wallets.ensure(*org).await?;
        let (Some(card), Some("off_session")) = (owned.card(), payment.setup_future_usage.as_deref()) else {
            return Ok(());
        };
        let payer = payment.customer.as_ref().map(Reference::id);
        if wallet.stripe_customer.as_ref().is_some_and(|customer| payer != Some(customer)) {
            return Ok(());
        }
        if self.ledger.get(*org, &owned.top_up().reason.key()).await?.is_none() {
            let fingerprint = self.fingerprint(Some(card)).await?;
            let card = Card { id: card, fingerprint: fingerprint.as_deref() };
            self.wallets.note_payment_method(*org, card, payment.created).await?;
        }
        Ok(())
    }

    /// What Stripe calls a card's number by, where it says.
    async fn fingerprint(&self, card: Option<&str>) -> Result<Option<String>, PaymentError> {
        let Some(card) = card else { return Ok(None) };
        let found = self.stripe.payment_method(card).await?;
        Ok(found.and_then(|found| found.fingerprint().map(str::to_owned)))
    }
}

/// A payment of an org's, and what Stripe received for it.
struct Owned {
    org: OrgId,
    amount: Amount,
    payment: PaymentIntent,
}

impl Owned {
    /// The card that it was paid with, where Stripe names it.
    fn card(&self) -> Option<&str> {
        self.payment.payment_method.as_ref().map(|card| card.id().as_str())
    }

    fn top_up(&self) -> Movement {
        Movement::top_up(&self.payment.id, self.amount, self.payment.episode().is_some())
    }
}

/// Stripe names a payment in a signed event and then does not know it: our key is of another account or mode.
const UNKNOWN_PAYMENT: Outcome = Outcome::DeadLetter("Stripe does not know this payment");

/// A person must look at what Stripe shows in a way that is not known here, and that is therefore not booked.
fn alarm_unbookable(org: OrgId, refunds: &[Refund], disputes: &[Dispute]) {
    for refund in refunds.iter().filter(|refund| !refund.is_bookable()) {
        alarm!("refund_not_bookable", org_id = %org, refund = %refund.id, status = ?refund.status,
            "a refund has a state or an amount that is not known here, and is not booked");
    }
    for dispute in disputes {
        let is_bookable = |moved| dispute.pence_of(moved).is_some();
        if !dispute.balance_transactions.iter().all(is_bookable) {
            alarm!("dispute_not_bookable", org_id = %org, dispute = %dispute.id,
                "what a dispute moved cannot be told in pounds, and is not booked");
        }
    }
}

/// A person must look at a refund or dispute that takes more than is left of its payment.
fn alarm_beyond(org: OrgId, movement: &Movement, booked: Amount) {
    alarm!("reversal_beyond_payment", org_id = %org, entry_key = %movement.reason.key(),
        pence = movement.amount.pence(), booked_pence = booked.pence(),
        "more was refunded or disputed than can be booked");
}

/// What a movement of a payment changes about the org's auto-recharge, if anything. Of a dispute the wallet has heard before its
/// money moves.
fn recharge_after(wallet: &Wallet, payment: &PaymentIntent, posting: &Posting) -> Option<AutoRecharge> {
    let before = &wallet.auto_recharge;
    match &posting.reason {
        Reason::TopUp { .. } => before.credited(payment.episode().as_ref(), posting.amount, posting.at),
        Reason::Refund { .. } => {
            let card = payment.payment_method.as_ref().map(|card| card.id().as_str());
            Some(wallet.asked_back(card, posting.at)).filter(|after| after != before)
        }
        Reason::RefundFailed { .. }
        | Reason::Dispute { .. }
        | Reason::Call { .. }
        | Reason::CallCorrection { .. }
        | Reason::Adjustment { .. }
        | Reason::Number { .. }
        | Reason::NumberRefund { .. }
        | Reason::Text { .. }
        | Reason::TextRefund { .. }
        | Reason::Rental { .. } => None,
    }
}
