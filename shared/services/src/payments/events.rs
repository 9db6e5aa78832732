//! What follows from an event of Stripe's: from the webhook, or from Stripe's own list of them.

use serde_json::Value;

use super::{Outcome, PaymentError, Payments};
use base::alarm;
use domain::ids::EventId;
use store::{
    StoreError,
    webhook_events::{DEAD_LETTER, Scrubber, WebhookEvent},
};
use vendors::stripe::{
    Mark, PaymentIntent,
    event::{Event, Kind},
};

impl Payments {
    /// Does what follows from an event, and records last what became of it. None for an event that moves no money.
    ///
    /// `raw` is the event as it came.
    ///
    /// # Errors
    /// When its effect could not be committed. It is to come again.
    pub async fn take(&self, event: &Event, raw: &Value) -> Result<Option<Outcome>, PaymentError> {
        let outcome = match &event.kind {
            Kind::SessionPaid(payment) => Some(self.session_paid(payment).await?),
            Kind::PaymentSucceeded(payment) => Some(self.received(payment).await?),
            Kind::PaymentFailed(payment) => Some(self.failed(payment).await?),
            Kind::Reversed(payment) => Some(self.reversed(payment).await?),
            Kind::Warned { warning, payment } => Some(self.warned(warning, payment).await?),
            Kind::Other => None,
        };
        if outcome == Some(Outcome::Foreign) {
            tracing::debug!(event_id = %event.id, "an event is another's");
        } else {
            self.record(event, outcome, raw).await?;
        }
        Ok(outcome)
    }

    /// Keeps an event of Stripe's own list that cannot be read, and tells a person, once.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn keep_unreadable(&self, raw: &Value) -> Result<(), StoreError> {
        let id = raw["id"].as_str().and_then(|id| EventId::parse(id).ok());
        let Some(event_key) = id else { return Ok(()) };
        if self.events.get(&event_key).await?.is_some() {
            return Ok(());
        }
        alarm!("stripe_unreadable", event_id = %event_key, "an event in Stripe's list cannot be read");
        let letter = WebhookEvent {
            event_key,
            kind: raw["type"].as_str().unwrap_or("unknown").chars().take(100).collect(),
            outcome: DEAD_LETTER.to_owned(),
            reason: Some("it does not say which payment it is about".to_owned()),
            payload: Some(Scrubber::STRIPE.payload(raw)),
            received_at: self.clock.now(),
        };
        self.events.record(&letter).await
    }

    /// A payment that was not received moves no money; an auto-recharge that waited for it goes on.
    async fn failed(&self, payment: &PaymentIntent) -> Result<Outcome, StoreError> {
        if self.stripe.mark(payment) != Mark::Ours {
            return Ok(Outcome::Foreign);
        }
        let (Some(_), Some(customer)) = (payment.episode(), &payment.customer) else {
            return Ok(Outcome::Nothing);
        };
        if let Some(org) = self.customers.org(customer.id()).await?
            && let Some(wallet) = self.wallets.get(org).await?
        {
            self.follow_up.watch.check_now(&wallet).await?;
        }
        Ok(Outcome::Nothing)
    }

    async fn record(&self, event: &Event, outcome: Option<Outcome>, raw: &Value) -> Result<(), StoreError> {
        let (outcome, reason) = match outcome {
            None => ("ignored", None),
            Some(Outcome::Booked) => ("booked", None),
            Some(Outcome::Repeated) => ("repeated", None),
            Some(Outcome::Nothing) => ("nothing", None),
            Some(Outcome::Foreign) => ("foreign", None),
            Some(Outcome::DeadLetter(reason)) => (DEAD_LETTER, Some(reason)),
        };
        tracing::info!(event_id = %event.id, kind = event.type_name, outcome, reason, "an event of Stripe's was taken");
        // Reconciliation brings it again: one letter is one alarm.
        let known = match reason {
            Some(_) => self.events.get(&event.id).await?,
            None => None,
        };
        let is_known = known.is_some_and(|known| known.outcome == outcome);
        if let (Some(reason), false) = (reason, is_known) {
            alarm!("stripe_dead_letter", event_id = %event.id, kind = event.type_name, reason,
                "a payment cannot be booked");
        }
        self.events
            .record(&WebhookEvent {
                event_key: event.id.clone(),
                kind: event.type_name.clone(),
                outcome: outcome.to_owned(),
                reason: reason.map(str::to_owned),
                // The body of a dead letter is what a person will look at.
                payload: reason.map(|_| Scrubber::STRIPE.payload(raw)),
                received_at: self.clock.now(),
            })
            .await
    }
}
