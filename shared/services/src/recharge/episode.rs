//! One episode: from the attempt that is written down to the outcome of its payment, and nothing else, ends it.

use http::StatusCode;
use jiff::Timestamp;

use super::{NEVER_CAME, NEXT_ATTEMPT, Recharge, SENT_AGAIN_FOR, Step, StepError};
use base::alarm;
use base::alarm::chain;
use domain::{
    recharge::{Decision, Episode, SuspensionReason},
    time::plus_secs,
    wallet::Wallet,
};
use vendors::stripe::{CardCharge, PaymentIntent, PaymentStatus, StripeError, TopUp};

/// How far Stripe's clock may be from ours.
const SKEW_SECS: i64 = 600;

impl Recharge {
    /// Brings the open episode as far as it comes.
    pub(super) async fn resume(&self, wallet: &Wallet, episode: &Episode) -> Result<Step, StepError> {
        if episode.attempt == 0 {
            return self.begin(wallet, episode).await;
        }
        // The process that sent it may have died, or is at it now: what is there is the truth.
        if let Some(payment) = self.found(episode).await? {
            return self.outcome(wallet, episode, &payment).await;
        }
        let now = self.clock.now();
        let since = |at: Option<Timestamp>| now.duration_since(at.unwrap_or(episode.opened_at));
        if since(episode.sent_at) >= NEVER_CAME {
            alarm!("recharge_never_came", org_id = %wallet.org_id, episode = %episode.id,
                "a card was to be charged, and Stripe shows nothing of it");
            self.payments.wallets.save_recharge(wallet, wallet.auto_recharge.given_up()).await?;
            return Ok(Step::Again);
        }
        // What was never seen at Stripe is not sent once more for a wallet that does not need it: it is only looked for.
        if since(episode.sent_at) >= SENT_AGAIN_FOR || !self.is_wanted(wallet) {
            return Ok(Step::Done);
        }
        if since(episode.attempt_at) >= NEXT_ATTEMPT {
            // Stripe answers a failure again under its key for a day: the next attempt has its own.
            let wallet = self.note_attempt(wallet, episode).await?;
            return self.send(&wallet).await;
        }
        self.send(wallet).await
    }

    /// Whether a card would be charged, were there no episode.
    fn is_wanted(&self, wallet: &Wallet) -> bool {
        let mut without = wallet.clone();
        without.auto_recharge = wallet.auto_recharge.given_up();
        matches!(without.recharge(self.clock.now()), Decision::Charge(_))
    }

    /// Writes the first attempt down and sends it, if this card is still the one to be charged.
    async fn begin(&self, wallet: &Wallet, episode: &Episode) -> Result<Step, StepError> {
        let is_replaced = wallet.payment_method.as_ref() != Some(&episode.payment_method);
        if is_replaced || !self.is_wanted(wallet) {
            self.payments.wallets.save_recharge(wallet, wallet.auto_recharge.given_up()).await?;
            return Ok(Step::Again);
        }
        let wallet = self.note_attempt(wallet, episode).await?;
        self.send(&wallet).await
    }

    async fn note_attempt(&self, wallet: &Wallet, episode: &Episode) -> Result<Wallet, StepError> {
        let now = self.clock.now();
        let mut after = wallet.auto_recharge.clone();
        after.episode = Some(Episode {
            attempt: episode.attempt.saturating_add(1),
            sent_at: episode.sent_at.or(Some(now)),
            attempt_at: Some(now),
            ..episode.clone()
        });
        Ok(self.payments.wallets.save_recharge(wallet, after).await?)
    }

    /// Sends the attempt that is written down. The key is the attempt's own: sent twice, it charges once.
    async fn send(&self, wallet: &Wallet) -> Result<Step, StepError> {
        let Some(episode) = &wallet.auto_recharge.episode else { return Ok(Step::Again) };
        let charge = CardCharge {
            customer: &episode.customer,
            payment_method: &episode.payment_method,
            amount: episode.amount,
            episode: &episode.id,
            return_url: &format!("{}/dashboard/wallet", self.dashboard_origin),
            idempotency_key: &format!("{}#{}", episode.id, episode.attempt),
        };
        match self.payments.stripe.charge_card(&charge).await {
            Ok(payment) => self.outcome(wallet, episode, &payment).await,
            // What became of its payment is Stripe's to say.
            Err(StripeError::Declined { payment_intent: Some(id), .. }) => {
                let payment = self.payments.stripe.payment(&id).await?;
                self.outcome(wallet, episode, &payment).await
            }
            Err(StripeError::Declined { code, payment_intent: None }) => {
                self.declined(wallet, episode, code).await
            }
            Err(error) if error.is_of_the_card() => self.unusable(wallet, episode).await,
            // The same attempt is being sent by another look at this moment.
            Err(StripeError::Trouble { status }) if status == StatusCode::CONFLICT => Ok(Step::Done),
            Err(error @ StripeError::Refused { .. }) => self.refused(wallet, episode, error).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Stripe refuses the request as such. That says nothing of a card that is still there and the customer's: it is charged once the
    /// request is right.
    async fn refused(
        &self,
        wallet: &Wallet,
        episode: &Episode,
        error: StripeError,
    ) -> Result<Step, StepError> {
        // One key with two bodies: what the first one asked for may have been done, and is looked for.
        if error.is_final() {
            let card = self.payments.stripe.payment_method(&episode.payment_method).await?;
            if !card.is_some_and(|card| card.is_of(&episode.customer)) {
                return self.unusable(wallet, episode).await;
            }
        }
        alarm!("recharge_refused", org_id = %wallet.org_id, episode = %episode.id, cause = chain(&error),
            "Stripe refuses a charge, and not for its card's sake");
        Err(error.into())
    }

    /// Stripe does not charge this card at all: it is left alone until the clinic asks anew, or has another.
    async fn unusable(&self, wallet: &Wallet, episode: &Episode) -> Result<Step, StepError> {
        tracing::warn!(org_id = %wallet.org_id, episode = %episode.id, "Stripe does not charge a card at all");
        let after = wallet.auto_recharge.refused(SuspensionReason::Unusable, self.clock.now(), None);
        self.payments.wallets.save_recharge(wallet, after).await?;
        Ok(Step::Again)
    }

    /// The payment of an episode, by its own name or by the mark it bears; the one that counts, when there are several.
    async fn found(&self, episode: &Episode) -> Result<Option<PaymentIntent>, StepError> {
        let stripe = &self.payments.stripe;
        if let Some(id) = &episode.payment_intent {
            return Ok(Some(stripe.payment(id).await?));
        }
        let since = plus_secs(episode.opened_at, SKEW_SECS.saturating_neg());
        let found = match stripe.episode_payments(&episode.customer, &episode.id, since).await {
            // A customer that Stripe does not know has no payments there.
            Err(error) if error.is_customer_gone() => Vec::new(),
            found => found?,
        };
        Ok(found.into_iter().max_by_key(|payment| weight(payment.status)))
    }

    /// Does what follows from how the episode's payment stands.
    async fn outcome(
        &self,
        wallet: &Wallet,
        episode: &Episode,
        payment: &PaymentIntent,
    ) -> Result<Step, StepError> {
        match payment.status {
            PaymentStatus::Succeeded => {
                self.payments.received(payment).await?;
                self.close_if_credited(wallet, episode, payment).await
            }
            // The customer has not acted for a day: it must not succeed later, when it is not expected.
            PaymentStatus::RequiresAction if self.is_late(episode) => {
                self.call_off(wallet, episode, payment, "authentication_required").await
            }
            PaymentStatus::Processing | PaymentStatus::RequiresAction | PaymentStatus::RequiresCapture => {
                self.wait(wallet, episode, payment).await
            }
            PaymentStatus::Canceled if payment.is_declined() => {
                self.declined(wallet, episode, payment.failure_code().to_owned()).await
            }
            PaymentStatus::Canceled if episode.action_url.is_some() => {
                self.declined(wallet, episode, "authentication_required".to_owned()).await
            }
            PaymentStatus::Canceled => {
                self.payments.wallets.save_recharge(wallet, wallet.auto_recharge.given_up()).await?;
                Ok(Step::Again)
            }
            PaymentStatus::RequiresPaymentMethod | PaymentStatus::RequiresConfirmation
                if payment.is_declined() =>
            {
                self.call_off(wallet, episode, payment, payment.failure_code()).await
            }
            // The bank has not said no: the process that sent it may be at it now. Later it is called off, and that is no word on the card.
            PaymentStatus::RequiresPaymentMethod | PaymentStatus::RequiresConfirmation => {
                let since = episode.attempt_at.unwrap_or(episode.opened_at);
                if self.clock.now().duration_since(since) < NEXT_ATTEMPT {
                    return Ok(Step::Done);
                }
                let key = format!("{}#cancel", payment.id);
                self.payments.stripe.cancel_payment(&payment.id, &key).await?;
                Ok(Step::Again)
            }
            PaymentStatus::Unknown => {
                alarm!("recharge_status_unknown", org_id = %wallet.org_id, episode = %episode.id,
                    "a payment is in a state that is not known here");
                self.wait(wallet, episode, payment).await
            }
        }
    }

    fn is_late(&self, episode: &Episode) -> bool {
        self.clock.now().duration_since(episode.opened_at) >= SENT_AGAIN_FOR
    }

    /// Cancels a payment that was not received, so that it can never succeed once the episode is over; then ends that.
    async fn call_off(
        &self,
        wallet: &Wallet,
        episode: &Episode,
        payment: &PaymentIntent,
        reason: &str,
    ) -> Result<Step, StepError> {
        let key = format!("{}#cancel", payment.id);
        let cancelled = self.payments.stripe.cancel_payment(&payment.id, &key).await?;
        let is_over = cancelled.status == PaymentStatus::Canceled;
        if is_over { self.declined(wallet, episode, reason.to_owned()).await } else { Ok(Step::Again) }
    }

    /// The credit closes its episode in its own transaction. One that was booked while the episode was not this one is over too.
    async fn close_if_credited(
        &self,
        wallet: &Wallet,
        episode: &Episode,
        payment: &PaymentIntent,
    ) -> Result<Step, StepError> {
        let now = self.payments.wallets.existing(wallet.org_id).await?;
        if now.auto_recharge.episode.as_ref().is_some_and(|open| open.id == episode.id) {
            // What was received is not ours to credit, and a dead letter says why; it must not be charged again.
            alarm!("recharge_not_credited", org_id = %wallet.org_id, episode = %episode.id, payment_intent = %payment.id,
                "a card was charged, and the payment cannot be credited");
            return Ok(Step::Done);
        }
        tracing::info!(org_id = %wallet.org_id, episode = %episode.id, "a recharge has succeeded");
        Ok(Step::Again)
    }

    /// Notes the payment, and where its customer must act; its outcome comes by webhook, or is looked for again.
    async fn wait(
        &self,
        wallet: &Wallet,
        episode: &Episode,
        payment: &PaymentIntent,
    ) -> Result<Step, StepError> {
        let noted = Episode {
            payment_intent: Some(payment.id.clone()),
            action_url: payment.action_url().map(str::to_owned),
            ..episode.clone()
        };
        if noted != *episode {
            let mut after = wallet.auto_recharge.clone();
            after.episode = Some(noted);
            self.payments.wallets.save_recharge(wallet, after).await?;
        }
        Ok(Step::Done)
    }

    /// The bank said no: nothing more is charged until the card changes. Where the customer can still pay, there is a link.
    async fn declined(&self, wallet: &Wallet, episode: &Episode, reason: String) -> Result<Step, StepError> {
        let action_url = match reason.as_str() {
            "authentication_required" => self.link(episode).await,
            _ => None,
        };
        tracing::warn!(org_id = %wallet.org_id, episode = %episode.id, reason, "a recharge was declined");
        let reason = SuspensionReason::Declined(reason);
        let after = wallet.auto_recharge.refused(reason, self.clock.now(), action_url);
        self.payments.wallets.save_recharge(wallet, after).await?;
        Ok(Step::Again)
    }

    /// A page where the customer pays by hand, and the card is kept anew.
    async fn link(&self, episode: &Episode) -> Option<String> {
        let back = format!("{}/dashboard/wallet", self.dashboard_origin);
        let top_up = TopUp {
            customer: &episode.customer,
            amount: episode.amount,
            success_url: &back,
            cancel_url: &back,
            fingerprint: episode.id.as_str(),
            idempotency_key: &format!("{}#link", episode.id),
        };
        match self.payments.stripe.create_session(&top_up).await {
            Ok(session) => session.url,
            // The dashboard's own way to top up is there all the same.
            Err(error) => {
                tracing::warn!(episode = %episode.id, cause = chain(&error), "there is no link to pay by hand");
                None
            }
        }
    }
}

/// Which of several payments of one episode counts: one that was received, else one that may still be.
fn weight(status: PaymentStatus) -> u8 {
    match status {
        PaymentStatus::Succeeded => 3,
        PaymentStatus::Processing | PaymentStatus::RequiresAction | PaymentStatus::RequiresCapture => 2,
        PaymentStatus::RequiresPaymentMethod
        | PaymentStatus::RequiresConfirmation
        | PaymentStatus::Unknown => 1,
        PaymentStatus::Canceled => 0,
    }
}
