//! Money in and back by card: each payment is credited once, from what Stripe received, and each refund and each
//! movement of a dispute is booked once. Used by the webhook, by reconciliation and by auto-recharge; events only say which
//! payment to look at.

mod events;
mod movements;

use std::sync::Arc;

use self::movements::{Movement, movements_of, next_movement, top_up};
use crate::follow_up::FollowUp;
use base::alarm;
use base::clock::Clock;
use base::config::{Base, Reader, StripeSettings};
use domain::{
    amount::Amount,
    ids::{OrgId, PaymentIntentId},
    ledger::{Entry, EntrySide, Posting, Reason},
    recharge::{ASKED_BACK, AutoRecharge},
    wallet::Wallet,
};
use platform::Platform;
use store::{
    Attempt, ChangeError, Dynamo, StoreError, customers::Customers, ledger::Ledger, wallets::Wallets,
    webhook_events::WebhookEvents,
};
use vendors::stripe::{Currency, Dispute, PaymentIntent, PaymentStatus, Stripe, StripeError, event::Payment};

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
    /// It is not ours to book, for this reason. A person must look.
    DeadLetter(&'static str),
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
            Err(error) => Err(unknown_alarmed(id, error)),
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
        let (org, amount) = match self.whose(payment).await? {
            Ok(found) => found,
            Err(reason) => return Ok(Outcome::DeadLetter(reason)),
        };
        self.wallets.ensure(org).await?;
        let top_up = top_up(&payment.id, amount, payment.episode());
        self.keep_card(org, payment, &top_up).await?;
        self.book_all(org, &[top_up]).await
    }

    /// Books what was refunded and disputed of a payment, object by object, as Stripe lists it now.
    ///
    /// # Errors
    /// When Stripe, the store or the queue does not do its part.
    pub async fn reversed(&self, payment: &Payment) -> Result<Outcome, PaymentError> {
        let id = match payment {
            Payment::Intent(id) => Some(id.clone()),
            Payment::Charge(charge) => match self.stripe.payment_of_charge(charge).await {
                Ok(found) => found,
                Err(StripeError::NotFound) => None,
                Err(error) => return Err(error.into()),
            },
        };
        let Some(id) = id else { return Ok(Outcome::DeadLetter("no payment belongs to this charge")) };
        let payment = match self.stripe.payment(&id).await {
            Ok(payment) => payment,
            Err(error) => return Err(unknown_alarmed(&id, error)),
        };
        let (org, amount) = match self.whose(&payment).await? {
            Ok(found) => found,
            Err(reason) => return Ok(Outcome::DeadLetter(reason)),
        };
        let (refunds, disputes) =
            futures::future::try_join(self.stripe.refunds(&id), self.stripe.disputes(&id)).await?;
        if disputes
            .iter()
            .flat_map(|dispute| &dispute.balance_transactions)
            .any(|moved| moved.currency != Currency::Gbp)
        {
            return Ok(Outcome::DeadLetter("a dispute moved another currency than pounds"));
        }
        for refund in refunds.iter().filter(|refund| !refund.is_bookable()) {
            alarm!("refund_not_bookable", org_id = %org, refund = %refund.id, status = ?refund.status,
                "a refund has a state or an amount that is not known here, and is not booked");
        }
        self.wallets.ensure(org).await?;
        self.note_disputes(org, &disputes).await?;
        // One whose payment was never credited books the top-up first.
        let top_up = top_up(&id, amount, payment.episode());
        self.keep_card(org, &payment, &top_up).await?;
        let mut movements = vec![top_up];
        let reversals = movements_of(&id, &refunds, &disputes);
        movements.extend(
            reversals.into_iter().map(|movement| Movement { episode: payment.episode(), ..movement }),
        );
        self.book_all(org, &movements).await
    }

    /// Whose a payment is and how much was received; or why it is not ours to credit.
    async fn whose(
        &self,
        payment: &PaymentIntent,
    ) -> Result<Result<(OrgId, Amount), &'static str>, StoreError> {
        if !self.stripe.is_ours(payment) {
            return Ok(Err("the payment does not bear this environment's mark"));
        }
        if payment.currency != Currency::Gbp {
            return Ok(Err("the payment is not in pounds"));
        }
        let Some(customer) = &payment.customer else { return Ok(Err("the payment has no customer")) };
        let Some(org) = self.customers.org(customer.id()).await? else {
            return Ok(Err("the payment's customer is not one of ours"));
        };
        Ok(match Amount::try_from(payment.amount_received) {
            Ok(amount) if !amount.is_zero() => Ok((org, amount)),
            Ok(_) | Err(_) => Err("the payment's amount is not one we can credit"),
        })
    }

    /// Books whatever of `movements` is not booked yet, in their order; each rests on a fresh read.
    async fn book_all(&self, org: OrgId, movements: &[Movement]) -> Result<Outcome, PaymentError> {
        let mut outcome = Outcome::Repeated;
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
                return Ok::<_, PaymentError>(Attempt::Done(false));
            };
            if amount < movement.amount && movement.takes() {
                alarm_beyond(org, movement, amount);
            }
            Ok(Attempt::of(self.book(&wallet, movement, amount).await)?.map(|()| true))
        };
        while self.db.until_written("the wallet", book_next).await? {
            outcome = Outcome::Booked;
        }
        Ok(outcome)
    }

    async fn booked(&self, org: OrgId, movements: &[Movement]) -> Result<Vec<Option<Entry>>, StoreError> {
        let keys: Vec<_> = movements.iter().map(|movement| movement.reason.key()).collect();
        futures::future::try_join_all(keys.iter().map(|key| self.ledger.get(org, key))).await
    }

    async fn book(&self, wallet: &Wallet, movement: &Movement, amount: Amount) -> Result<(), ChangeError> {
        let posting = Posting {
            reason: movement.reason.clone(),
            amount,
            description: movement.description.to_owned(),
            at: self.clock.now(),
        };
        let recharge = recharge_after(wallet, movement, &posting);
        self.wallets.book_with(wallet, &posting, recharge).await?;
        tracing::info!(org_id = %wallet.org_id, entry_key = %posting.reason.key(), pence = amount.pence(), "a movement was booked");
        Ok(())
    }

    /// Remembers which disputes are open: while one is, no card of the org is charged by itself.
    async fn note_disputes(&self, org: OrgId, disputes: &[Dispute]) -> Result<(), StoreError> {
        let note = || async move {
            let wallet = self.wallets.existing(org).await?;
            let mut after = wallet.auto_recharge.clone();
            for dispute in disputes {
                if dispute.is_open() {
                    after.disputes.insert(dispute.id.clone());
                } else {
                    after.disputes.remove(&dispute.id);
                }
            }
            if after == wallet.auto_recharge {
                return Ok(Attempt::Done(()));
            }
            Attempt::of(self.wallets.save_recharge(&wallet, after).await.map(|_| ()))
        };
        self.db.until_written("the wallet", note).await
    }

    /// Remembers the card that may be charged again, before its payment is credited: an event whose process dies in between is repeated
    /// whole. News of a payment that is credited already leaves the card of a newer one in its place.
    async fn keep_card(
        &self,
        org: OrgId,
        payment: &PaymentIntent,
        top_up: &Movement,
    ) -> Result<(), StoreError> {
        let (Some(method), Some("off_session")) =
            (&payment.payment_method, payment.setup_future_usage.as_deref())
        else {
            return Ok(());
        };
        match self.ledger.get(org, &top_up.reason.key()).await? {
            Some(_) => Ok(()),
            None => self.wallets.note_payment_method(org, method.id(), payment.created).await,
        }
    }
}

/// Stripe names a payment in a signed event and then does not know it: our key is of another account. The event is not
/// acknowledged, so that it comes again once that is put right.
fn unknown_alarmed(id: &PaymentIntentId, error: StripeError) -> PaymentError {
    if matches!(error, StripeError::NotFound) {
        alarm!("stripe_payment_unknown", payment_intent = %id, "Stripe does not know a payment that its own event names");
    }
    error.into()
}

/// A person must look at a refund or dispute that takes more than is left of its payment.
fn alarm_beyond(org: OrgId, movement: &Movement, booked: Amount) {
    alarm!("reversal_beyond_payment", org_id = %org, entry_key = %movement.reason.key(),
        pence = movement.amount.pence(), booked_pence = booked.pence(),
        "more was refunded or disputed than can be booked");
}

/// What a movement changes about the org's auto-recharge, if anything.
///
/// An org that asks the money of an automatic charge back does not want the next: the card is left alone until the org has said so
/// again, or there is another card.
fn recharge_after(wallet: &Wallet, movement: &Movement, posting: &Posting) -> Option<AutoRecharge> {
    let before = &wallet.auto_recharge;
    match (&posting.reason, &movement.episode, &wallet.payment_method) {
        (Reason::TopUp { .. }, episode, _) => before.credited(episode.as_ref(), posting.amount, posting.at),
        (Reason::Refund { .. }, Some(_), Some(card)) => Some(before.left_alone(ASKED_BACK, card, posting.at)),
        (Reason::Dispute { direction: EntrySide::Debit, .. }, Some(_), Some(card)) => {
            Some(before.left_alone(ASKED_BACK, card, posting.at))
        }
        (
            Reason::Refund { .. }
            | Reason::Dispute { .. }
            | Reason::RefundFailed { .. }
            | Reason::Call { .. }
            | Reason::CallCorrection { .. }
            | Reason::Adjustment { .. }
            | Reason::Number { .. }
            | Reason::NumberRefund { .. }
            | Reason::Rental { .. },
            _,
            _,
        ) => None,
    }
}
