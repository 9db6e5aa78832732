//! Vapi's list of calls against ours: a call that we never heard of is recorded and billed, once, like any other.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{Reconcile, ReconcileError, Run, Task};
use crate::charging::Closed;
use base::alarm;
use domain::{
    call::{State, Verdict},
    ids::{EventId, VapiPhoneId},
};
use store::webhook_events::{DEAD_LETTER, Scrubber, WebhookEvent};
use vendors::vapi::{VapiCall, VapiError, message::CallRef};

/// How far back a run looks that has nothing to go on from.
const FIRST: SignedDuration = SignedDuration::from_hours(24);
/// How far before the last run the list is read again: what Vapi was late to show.
const OVERLAP: SignedDuration = SignedDuration::from_hours(1);
/// The most doubts that one run asks about, the oldest first.
const MOST_DOUBTS: usize = 200;
/// How far a list may be behind before a person is told.
const BEHIND: SignedDuration = SignedDuration::from_hours(6);

impl Reconcile {
    /// Compares what Vapi has changed since the last run, and goes on with the purchases and releases that a request has left
    /// half way: a clinic does not wait a day for its number, or for its money.
    pub(super) async fn listing(&self, run: &mut Run, started_at: Timestamp) -> Result<(), ReconcileError> {
        let compared = self.compare_calls(run, started_at).await;
        let doubted = self.compare_doubts(run).await;
        let finished = self.unfinished_numbers(run).await;
        compared.and(doubted).and(finished).and(self.alarm_if_silent(started_at).await)
    }

    /// Asks Vapi's record about every call of which more is stated than is billed: it may say less by now, or have said less all
    /// along, and only not have been to be had.
    async fn compare_doubts(&self, run: &mut Run) -> Result<(), ReconcileError> {
        for doubt in self.doubts.open(self.clock.now(), MOST_DOUBTS).await? {
            if run.is_out_of_time(self.clock.now()) {
                break;
            }
            run.checked(&doubt.call_id);
            if let Err(error) = self.charging.compare_with_record(doubt.org_id, &doubt.call_id).await {
                run.failed("doubt_not_compared", &doubt.call_id, &error);
            }
        }
        Ok(())
    }

    /// A task that is killed each time leaves no report, and says nothing itself.
    async fn alarm_if_silent(&self, now: Timestamp) -> Result<(), ReconcileError> {
        for task in Task::ALL {
            let last = self.runs.last(task.as_str(), 1).await?.into_iter().next();
            // One that has never run yet has a period to do so.
            if let Some(last) =
                last.filter(|last| now.duration_since(last.finished_at) >= task.longest_silence())
            {
                alarm!("reconciliation_silent", task = task.as_str(), since = %last.finished_at,
                    "a task of reconciliation has left no report for twice its period");
            }
        }
        Ok(())
    }

    /// The next run begins where this one did, if nothing is left of it.
    async fn compare_calls(&self, run: &mut Run, started_at: Timestamp) -> Result<(), ReconcileError> {
        let task = Task::Listing.as_str();
        let watermark = self.runs.watermark(task).await?;
        let since = watermark.unwrap_or(started_at - FIRST);
        if watermark.is_some_and(|at| started_at.duration_since(at) >= BEHIND) {
            alarm!("listing_behind", since = %since, "Vapi's list of calls has not been gone through for long");
        }
        let listed = self.charging.vapi.calls_updated(since - OVERLAP).await?;
        let mut names = BTreeMap::new();
        for entry in listed {
            if run.is_out_of_time(self.clock.now()) {
                break;
            }
            let id = entry["id"].as_str().unwrap_or("a call without an id").to_owned();
            run.checked(&id);
            if let Err(error) = Box::pin(self.listed(run, &entry, &mut names)).await {
                run.failed("call_not_reconciled", &id, &error);
            }
        }
        if !run.has_left_something() {
            self.runs.advance(task, started_at).await?;
        }
        Ok(())
    }

    async fn listed(
        &self,
        run: &mut Run,
        entry: &Value,
        names: &mut BTreeMap<VapiPhoneId, Option<String>>,
    ) -> Result<(), ReconcileError> {
        let call: VapiCall = serde_json::from_value(entry.clone()).map_err(VapiError::Unreadable)?;
        let Some(about) = CallRef::listed(entry) else { return Ok(()) };
        let known = self.charging.calls.mapping(&call.id).await?;
        if let Some(known) = &known
            && let Some(record) = self.charging.calls.get(known.org_id, &known.call_id).await?
        {
            let is_told = match &record.state {
                // What it says now may differ from what was billed.
                State::Settled(bill) => !(call.is_ended() && bill.differs_from(&call.testimony())),
                // Nothing was charged for it: Vapi's word on whether they talked is asked once more.
                State::Released | State::Refused { .. } => {
                    let talked = matches!(call.testimony().verdict(false), Verdict::Talked(_));
                    !talked && call.talks_since(self.clock.now()).is_none()
                }
                // Its own looks deal with it, unless it is over and they have not noticed.
                State::Authorizing | State::Authorized | State::InProgress { .. } | State::Ended { .. } => {
                    !call.is_ended()
                }
            };
            if is_told {
                // Whoever settled it may have died before the text was kept.
                if call.is_ended() {
                    self.charging.keep_recorded(known.org_id, &known.call_id, &call).await;
                }
                return Ok(());
            }
        }
        let Some(owner) = self.charging.owner_of(&about).await? else {
            return self.nobodys(run, &call, &about, entry, names).await;
        };
        if call.is_ended() {
            self.charging.keep_recorded(owner.org_id, &owner.call_id, &call).await;
            match self.charging.report(&owner, &about, &call.testimony()).await? {
                Closed::Settled(_) => run.repaired("call_billed", &owner.call_id),
                Closed::Released => run.repaired("call_released", &owner.call_id),
                Closed::Refused | Closed::Pending => {}
            }
        } else if let Some(at) = call.talks_since(self.clock.now()) {
            self.charging.start(&owner, &about, at).await?;
            run.repaired("call_found_live", &owner.call_id);
        }
        Ok(())
    }

    /// Keeps a call that belongs to no org of ours, and tells a person, once; one of another environment is none of our business.
    async fn nobodys(
        &self,
        run: &mut Run,
        call: &VapiCall,
        about: &CallRef,
        entry: &Value,
        names: &mut BTreeMap<VapiPhoneId, Option<String>>,
    ) -> Result<(), ReconcileError> {
        if self.is_of_another_environment(about, entry, names).await? {
            return Ok(());
        }
        let now = self.clock.now();
        let key = format!("{}:listed", call.id);
        let event_key = EventId::parse(key.chars().take(128).collect::<String>());
        let Ok(event_key) = event_key else { return Ok(()) };
        if self.dead_letters.get(&event_key).await?.is_some() {
            return Ok(());
        }
        // Told before it is noted: a run that dies in between tells it twice, and not never.
        alarm!("vapi_dead_letter", vapi_call_id = %call.id, "a call at Vapi belongs to no org");
        let letter = WebhookEvent {
            event_key,
            kind: "listed call".to_owned(),
            outcome: DEAD_LETTER.to_owned(),
            reason: Some("no record of ours says whose it is".to_owned()),
            payload: Some(Scrubber::VAPI.payload(entry)),
            received_at: now,
        };
        self.dead_letters.record(&letter).await?;
        run.repaired("dead_letter", &call.id);
        Ok(())
    }

    /// Environments may share a vendor's account: what bears another's mark is another's.
    async fn is_of_another_environment(
        &self,
        about: &CallRef,
        entry: &Value,
        names: &mut BTreeMap<VapiPhoneId, Option<String>>,
    ) -> Result<bool, ReconcileError> {
        let marked = &entry["assistantOverrides"]["metadata"]["voxanne_environment"];
        if let Some(environment) = marked.as_str() {
            return Ok(environment != self.environment);
        }
        let Some(id) = &about.parties.vapi_phone_id else { return Ok(false) };
        if !names.contains_key(id) {
            names.insert(id.clone(), self.charging.vapi.number_name(id).await?);
        }
        let ours = format!("voxanne/{}/", self.environment);
        let name = names.get(id).and_then(Option::as_deref).unwrap_or_default();
        Ok(name.starts_with("voxanne/") && !name.starts_with(&ours))
    }
}
