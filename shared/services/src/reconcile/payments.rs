//! Stripe's events against the ledger: what is missing is booked, what is there changes nothing.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Reconcile, ReconcileError, Run, Task};
use crate::payments::Outcome;
use base::alarm;
use vendors::stripe::event::Event;

/// How long Stripe keeps its events (docs.stripe.com/api/events).
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 30);
/// How far before the last run the events are read again.
const OVERLAP: SignedDuration = SignedDuration::from_hours(1);
/// How far the run may be behind before a person is told, while Stripe still has the events.
const BEHIND: SignedDuration = SignedDuration::from_hours(24);

impl Reconcile {
    /// Gives every event since the last run to the webhook's own rules, oldest first; then goes on with the cards that are to
    /// be charged.
    pub(super) async fn payments(&self, run: &mut Run, started_at: Timestamp) -> Result<(), ReconcileError> {
        let task = Task::Payments.as_str();
        let watermark = self.runs.watermark(task).await?;
        if watermark.is_some_and(|at| started_at.duration_since(at) >= BEHIND) {
            alarm!("payments_behind", since = ?watermark, "Stripe's events have not been gone through for a day");
        }
        let since = watermark.map_or(started_at - KEPT, |at| (at - OVERLAP).max(started_at - KEPT));
        // Up to here nothing is left: a run that is cut off, or fails at one, has come so far all the same.
        let mut done_until = None;
        let mut is_whole = true;
        for raw in self.events(since).await? {
            if run.is_out_of_time(self.clock.now()) {
                is_whole = false;
                break;
            }
            run.checked(raw["id"].as_str().unwrap_or("none"));
            is_whole &= self.event(run, &raw).await;
            if let (true, Some(second)) = (is_whole, raw["created"].as_i64()) {
                done_until = Timestamp::from_second(second).ok();
            }
        }
        if let Some(at) = if is_whole { Some(started_at) } else { done_until } {
            self.runs.advance(task, at).await?;
        }
        self.cards(run).await
    }

    /// All events since then, oldest first.
    async fn events(&self, since: Timestamp) -> Result<Vec<Value>, ReconcileError> {
        let mut events = Vec::new();
        let mut after = None;
        loop {
            let page = self.booking().stripe.events(since, after.as_ref()).await?;
            events.extend(page.events);
            after = page.next;
            if after.is_none() {
                events.reverse();
                return Ok(events);
            }
        }
    }

    /// Gives one event to the webhook's rules. Returns whether that is done.
    async fn event(&self, run: &mut Run, raw: &Value) -> bool {
        let event = match Event::of(raw) {
            Ok(event) => event,
            // Only a person can make anything of it: it does not hold up those after it.
            Err(error) => {
                run.failed("unreadable_event", raw["id"].as_str().unwrap_or("none"), &error);
                return match self.booking().keep_unreadable(raw).await {
                    Ok(()) => true,
                    Err(error) => {
                        run.failed("unreadable_event_not_kept", "none", &error);
                        false
                    }
                };
            }
        };
        match Box::pin(self.booking().take(&event, raw)).await {
            Ok(Some(Outcome::Booked)) => run.repaired("booked", &event.id),
            Ok(
                Some(Outcome::Repeated | Outcome::Nothing | Outcome::Foreign | Outcome::DeadLetter(_)) | None,
            ) => {}
            Err(error) => {
                run.failed("event_not_booked", &event.id, &error);
                return false;
            }
        }
        true
    }

    /// Goes on with every card that is being charged or is to be, in case its message is lost.
    async fn cards(&self, run: &mut Run) -> Result<(), ReconcileError> {
        let mut after = None;
        loop {
            let (wallets, next) = self.wallets.page(after).await?;
            for (org, wallet) in wallets {
                let wallet = match wallet {
                    Ok(wallet) => wallet,
                    Err(error) => {
                        run.failed("wallet_unreadable", org, &error);
                        continue;
                    }
                };
                let is_open = wallet.auto_recharge.episode.is_some();
                if !is_open && !wallet.needs_check(self.clock.now()) {
                    continue;
                }
                if run.is_out_of_time(self.clock.now()) {
                    return Ok(());
                }
                run.checked(org);
                if let Err(error) = Box::pin(self.recharge.check(org)).await {
                    run.failed("recharge_open", org, &error);
                    continue;
                }
                // One that waits for its bank or its customer is left to wait.
                match self.wallets.existing(org).await {
                    Ok(now) if is_open && now.auto_recharge.episode != wallet.auto_recharge.episode => {
                        run.repaired("recharge_resumed", org);
                    }
                    Ok(_) => {}
                    Err(error) => run.failed("recharge_unknown", org, &error),
                }
            }
            after = next;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}
