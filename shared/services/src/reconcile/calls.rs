//! Live calls whose check is overdue: their messages or webhooks are lost, or the process that had them died.

use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::{Reconcile, ReconcileError, Run};
use base::alarm;
use domain::{overspend::LOST_AFTER_SECS, time::plus_secs};
use store::{ChangeError, calls::Due, queue::MeterMessage};

/// How long after its last sign of life a call that is over stays in the live index.
const LEAVES_AFTER: SignedDuration = SignedDuration::from_mins(15);
/// How many calls one run takes, the longest due first.
const MOST: usize = 1_000;
/// How many are looked at side by side.
const AT_ONCE: usize = 8;

/// What became of a call that was due.
enum Outcome {
    Unchanged,
    Repaired(&'static str),
    Left(&'static str),
}

impl Reconcile {
    /// Looks at every call whose look is overdue, as its message would have done; and takes from the live index what has
    /// long been over.
    pub(super) async fn calls(&self, run: &mut Run) -> Result<(), ReconcileError> {
        let now = self.clock.now();
        let due = self
            .charging
            .calls
            .due(plus_secs(now, i64::from(LOST_AFTER_SECS).saturating_neg()), MOST)
            .await?;
        run.cut_if(due.is_cut);
        self.look_at(run, &due.calls).await;
        let over = self.charging.calls.over(now - LEAVES_AFTER, MOST).await?;
        self.look_at(run, &over.calls).await;
        self.free_slots(run).await;
        // After the calls: however wrong some books are, a live call is looked at.
        self.check_failing_again(run).await?;
        self.compare_differing_again(run).await
    }

    /// Takes slots back that are still taken for calls that are over: who closed them died before, or was not fast enough.
    async fn free_slots(&self, run: &mut Run) {
        match Box::pin(self.charging.free_slots()).await {
            Ok(freed) => freed.iter().for_each(|call| run.repaired("slot_given_back", call)),
            // The limiter's trouble keeps no call from being looked at.
            Err(error) => run.failed("slots_not_looked_at", "call_slots", &error),
        }
    }

    async fn look_at(&self, run: &mut Run, calls: &[Due]) {
        for some in calls.chunks(AT_ONCE) {
            if run.is_out_of_time(self.clock.now()) {
                break;
            }
            let outcomes = join_all(some.iter().map(|due| Box::pin(self.overdue(due)))).await;
            for (due, outcome) in some.iter().zip(outcomes) {
                run.checked(&due.call_id);
                match outcome {
                    Ok(Outcome::Unchanged) => {}
                    Ok(Outcome::Repaired(what)) => run.repaired(what, &due.call_id),
                    Ok(Outcome::Left(what)) => run.left(what, &due.call_id),
                    // One call does not keep the others from being looked at.
                    Err(error) => {
                        alarm!("call_look_failed", org_id = %due.org_id, call_id = %due.call_id,
                            "an overdue look at a call failed");
                        run.failed("look_failed", &due.call_id, &error);
                    }
                }
            }
        }
    }

    async fn overdue(&self, due: &Due) -> Result<Outcome, ReconcileError> {
        let calls = &self.charging.calls;
        // The index may be behind: the record says what is true.
        let Some(before) = calls.get(due.org_id, &due.call_id).await? else { return Ok(Outcome::Unchanged) };
        if !before.is_open() {
            return self.leaves(due, self.clock.now()).await;
        }
        if before.due_at > due.due_at {
            return Ok(Outcome::Unchanged);
        }
        let message = MeterMessage {
            org_id: due.org_id,
            call_id: due.call_id.clone(),
            due_at: before.due_at,
            urgent: false,
        };
        self.charging.check(&message).await?;
        let after = calls.get(due.org_id, &due.call_id).await?;
        Ok(match after {
            Some(after) if after.state.name() != before.state.name() => Outcome::Repaired(after.state.name()),
            Some(after) if after.due_at == before.due_at => Outcome::Left("still_due"),
            Some(_) | None => Outcome::Repaired("looked_at"),
        })
    }

    /// Takes a call that is over out of the live index, once no hold is left for it.
    async fn leaves(&self, due: &Due, now: Timestamp) -> Result<Outcome, ReconcileError> {
        let Some(call) = self.charging.calls.get(due.org_id, &due.call_id).await? else {
            return Ok(Outcome::Unchanged);
        };
        let is_recent = now.duration_since(call.last_seen_at.max(call.due_at)) < LEAVES_AFTER;
        if call.is_open() || is_recent {
            return Ok(Outcome::Unchanged);
        }
        let wallet = self.wallets.get(due.org_id).await?;
        if wallet.is_some_and(|wallet| wallet.holds.contains_key(&due.call_id)) {
            alarm!("hold_without_call", org_id = %due.org_id, call_id = %due.call_id,
                "a call is over, and money is still set aside for it");
            return Ok(Outcome::Left("hold_without_call"));
        }
        match self.charging.calls.retire(&call).await {
            Ok(()) | Err(ChangeError::Moved) => Ok(Outcome::Unchanged),
            Err(ChangeError::Store(error)) => Err(error.into()),
        }
    }
}
