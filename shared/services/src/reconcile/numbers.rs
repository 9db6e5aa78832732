//! Numbers, daily: what was left half way is finished, the month's rental is charged, and what the vendors have is compared
//! with what our records say.

mod rental;

use std::{collections::BTreeSet, time::Duration};

use jiff::SignedDuration;

use super::{Reconcile, ReconcileError, Run, Task};
use crate::provisioning::{Found, Location, Rows};
use base::alarm;
use domain::{
    ids::{NumberSid, VapiPhoneId},
    ownership::{Orphan, Tally, Treatment},
    purchase::Purchase,
};
use store::{
    Attempt, StoreError,
    numbers::{OrgNumber, Status},
};
use vendors::twilio::{Account, Listed};

/// What this task's items are kept under.
const TASK: &str = Task::Numbers.as_str();
/// How much of a run's time is kept for the orphans once the vendors' lists are read.
const FOR_ORPHANS: SignedDuration = SignedDuration::from_secs(30);
/// What the places of Vapi's numbers begin with.
const AT_VAPI: &str = "vapi#";

/// One comparison of the vendors with our records.
struct Look {
    rows: Rows,
    /// What Vapi has; none when it did not say.
    at_vapi: Option<BTreeSet<VapiPhoneId>>,
    /// The orphans of all places that were listed.
    orphans: Vec<Found>,
    /// What the places begin with that were listed whole.
    listed: Vec<String>,
    /// What those begin with that should have been listed and were not: the vendor did not tell all, or the time was over.
    missed: Vec<String>,
}

impl Look {
    /// Keeps what no org claims of a place's numbers, all of which were listed.
    fn note_orphans(&mut self, place: String, found: Vec<Found>, run: &mut Run) {
        self.listed.push(place);
        for found in found {
            run.checked(&found.place);
            if !self.rows.claims(&found) {
                self.orphans.push(found);
            }
        }
    }
}

/// What the places of an account's numbers begin with.
fn at_twilio(account: &Account) -> String {
    format!("twilio#{}#", account.sid)
}

/// How long one purchase or release is acted on at a time: no longer than a request may (`template.yaml`), so that no process
/// outlives a lease, and an announced push comes after its write.
pub const LONGEST_STEP: Duration = Duration::from_secs(29);

impl Reconcile {
    /// Finishes what was left half way, charges the rental, compares. Each is done although another fails.
    pub(super) async fn numbers(&self, run: &mut Run) -> Result<(), ReconcileError> {
        let unfinished = Box::pin(self.unfinished_numbers(run)).await;
        // Before the inventories, which may take all the time there is.
        let charged = Box::pin(self.rentals(run)).await;
        let compared = Box::pin(self.inventories(run)).await;
        unfinished.and(charged).and(compared)
    }

    /// Goes on with purchases and releases at which no request is.
    pub(super) async fn unfinished_numbers(&self, run: &mut Run) -> Result<(), ReconcileError> {
        for claim in self.provisioning.purchases.open().await? {
            let now = self.clock.now();
            if run.is_out_of_time(now) {
                return Ok(());
            }
            run.checked(&claim.purchase_id);
            if claim.lease_until > now {
                continue;
            }
            match self.is_purchase_finished(&claim).await {
                Ok(true) => run.repaired("purchase", &claim.purchase_id),
                Ok(false) => run.left("purchase", &claim.purchase_id),
                Err(error) => run.failed("purchase", &claim.purchase_id, &error),
            }
        }
        for number in self.provisioning.numbers.all().await? {
            if number.status != Status::Releasing {
                continue;
            }
            if run.is_out_of_time(self.clock.now()) {
                return Ok(());
            }
            run.checked(&number.purchase_id);
            match self.is_release_finished(&number).await {
                Ok(true) => run.repaired("release", &number.purchase_id),
                Ok(false) => run.left("release", &number.purchase_id),
                Err(error) => run.failed("release", &number.purchase_id, &error),
            }
        }
        Ok(())
    }

    async fn is_purchase_finished(&self, claim: &Purchase) -> Result<bool, ReconcileError> {
        let (org, direction) = (claim.org_id, claim.direction);
        match tokio::time::timeout(LONGEST_STEP, self.provisioning.resume(org, direction)).await {
            Ok(resumed) => resumed?,
            // Broken off, as a function is that runs too long: the next run goes on.
            Err(_) => return Ok(false),
        }
        let now = self.provisioning.purchases.claim_of(org, direction).await?;
        Ok(now.is_none_or(|now| now.purchase_id != claim.purchase_id || !now.is_open()))
    }

    async fn is_release_finished(&self, number: &OrgNumber) -> Result<bool, ReconcileError> {
        let (org, direction) = (number.org_id, number.direction);
        match tokio::time::timeout(LONGEST_STEP, self.provisioning.resume_release(org, direction)).await {
            Ok(gone_on) => gone_on?,
            Err(_) => return Ok(false),
        }
        let now = self.provisioning.numbers.of_direction(org, direction).await?;
        Ok(now.is_none_or(|now| now.purchase_id != number.purchase_id))
    }

    /// Compares what Vapi has, then what each account at the carrier has, then deals with the orphans of them all. A vendor that does
    /// not tell all it has is taken to have said nothing.
    async fn inventories(&self, run: &mut Run) -> Result<(), ReconcileError> {
        let rows = self.provisioning.rows().await?;
        let mut look =
            Look { rows, at_vapi: None, orphans: Vec::new(), listed: Vec::new(), missed: Vec::new() };
        look.at_vapi = self.look_at_vapi(&mut look, run).await?;
        let accounts = Box::pin(self.look_at_accounts(&mut look, run)).await;
        let orphans = Box::pin(self.orphans(&look, run)).await;
        accounts.and(orphans)
    }

    async fn look_at_accounts(&self, look: &mut Look, run: &mut Run) -> Result<(), ReconcileError> {
        let accounts = match self.provisioning.listed_accounts().await {
            Ok(accounts) => accounts,
            Err(error) => {
                look.missed.push("twilio#".to_owned());
                run.failed("twilio_list", &self.environment, &error);
                return Ok(());
            }
        };
        let mut accounts = self.in_turn(accounts).await?.into_iter();
        while let Some(listed) = accounts.next() {
            let sid = &listed.account.sid;
            if run.is_out_of_time(self.clock.now() + FOR_ORPHANS) {
                look.missed.push(at_twilio(&listed.account));
                look.missed.extend(accounts.map(|listed| at_twilio(&listed.account)));
                self.runs.set_cursor(TASK, Some(sid.as_str())).await?;
                return Ok(());
            }
            if !listed.is_active {
                run.left("subaccount", sid);
                continue;
            }
            if let Err(error) = self.look_at_account(&listed.account, look, run).await {
                run.failed("subaccount", sid, &error);
            }
        }
        Ok(self.runs.set_cursor(TASK, None).await?)
    }

    /// The accounts, from the one that the last run had no time for, so that each has its turn.
    async fn in_turn(&self, mut accounts: Vec<Listed>) -> Result<Vec<Listed>, StoreError> {
        accounts.sort_by(|one, other| one.account.sid.cmp(&other.account.sid));
        if let Some(next) = self.runs.cursor(TASK).await? {
            let at = accounts.partition_point(|listed| listed.account.sid.as_str() < next.as_str());
            accounts.rotate_left(at);
        }
        Ok(accounts)
    }

    async fn look_at_vapi(
        &self,
        look: &mut Look,
        run: &mut Run,
    ) -> Result<Option<BTreeSet<VapiPhoneId>>, ReconcileError> {
        let vapi = &self.provisioning.voice.vapi;
        let numbers = match vapi.imported_numbers().await {
            Ok(numbers) => numbers,
            Err(error) => {
                look.missed.push(AT_VAPI.to_owned());
                run.failed("vapi_list", &self.environment, &error);
                return Ok(None);
            }
        };
        look.note_orphans(AT_VAPI.to_owned(), self.provisioning.marked_at_vapi(&numbers), run);
        let mut there: BTreeSet<VapiPhoneId> = numbers.into_iter().map(|number| number.id).collect();
        for number in look.rows.active() {
            if run.is_out_of_time(self.clock.now()) {
                return Ok(Some(there));
            }
            run.checked(&number.purchase_id);
            if there.contains(&number.vapi_phone_id) {
                continue;
            }
            // No single list is believed.
            let checked = match vapi.has_number(&number.vapi_phone_id).await {
                Ok(true) => {
                    there.insert(number.vapi_phone_id.clone());
                    Ok(())
                }
                Ok(false) => self.gone(number, "vapi", run).await,
                Err(error) => Err(error.into()),
            };
            if let Err(error) = checked {
                run.failed("number_gone", &number.purchase_id, &error);
            }
        }
        Ok(Some(there))
    }

    async fn look_at_account(
        &self,
        account: &Account,
        look: &mut Look,
        run: &mut Run,
    ) -> Result<(), ReconcileError> {
        let twilio = &self.provisioning.twilio;
        let owned = match twilio.all_owned(account).await {
            Ok(owned) => owned,
            Err(error) => {
                look.missed.push(at_twilio(account));
                return Err(error.into());
            }
        };
        look.note_orphans(at_twilio(account), self.provisioning.marked_at_twilio(account, &owned), run);
        let listed: BTreeSet<&NumberSid> = owned.iter().map(|owned| &owned.sid).collect();
        for number in look.rows.managed_in(&account.sid) {
            run.checked(&number.purchase_id);
            // As above.
            if listed.contains(&number.number_sid) || twilio.has_number(account, &number.number_sid).await? {
                self.there(number, look, run).await?;
            } else {
                self.gone(number, "twilio", run).await?;
            }
        }
        Ok(())
    }

    /// Deals with the orphans of all places. What was noted before at a place that was listed, and is no orphan any more, is
    /// forgotten.
    async fn orphans(&self, look: &Look, run: &mut Run) -> Result<(), ReconcileError> {
        let there: BTreeSet<String> = look.orphans.iter().map(|found| found.place.to_string()).collect();
        let is_in = |places: &[String], place: &str| places.iter().any(|of| place.starts_with(of));
        let mut tally = Tally { purchases: look.rows.purchases(), orphans: there.len(), given_back: 0 };
        for place in self.runs.orphans(TASK).await?.into_keys() {
            if is_in(&look.missed, &place) {
                // Not seen by this run, and not known to be gone.
                tally.orphans = tally.orphans.saturating_add(1);
            } else if is_in(&look.listed, &place) && !there.contains(&place) {
                self.runs.forget_orphan(TASK, &place).await?;
            }
        }
        for found in &look.orphans {
            if run.is_out_of_time(self.clock.now()) {
                return Ok(());
            }
            match self.orphan(found, &tally, run).await {
                Ok(true) => tally.given_back = tally.given_back.saturating_add(1),
                Ok(false) => {}
                Err(error) => run.failed("orphan_number", &found.place, &error),
            }
        }
        Ok(())
    }

    /// A number at a vendor that no org claimed when this run began. It is told of, and dealt with as [`Tally::treatment`] says.
    /// Returns whether it was given back.
    async fn orphan(&self, found: &Found, tally: &Tally, run: &mut Run) -> Result<bool, ReconcileError> {
        let place = found.place.to_string();
        // As it is now: it may have been bought since the run began.
        let rows = self.provisioning.rows().await?;
        if rows.claims(found) {
            self.runs.forget_orphan(TASK, &place).await?;
            return Ok(false);
        }
        let now = self.clock.now();
        let first_seen_at = self.runs.note_orphan(TASK, &place, now).await?;
        let word = self.runs.word(TASK, &place).await?;
        let is_allowed = word.is_some_and(|word| word.is_about(first_seen_at));
        let orphan = Orphan { origin: rows.origin(found), is_allowed, first_seen_at };
        let treatment = tally.treatment(&orphan, now);
        if treatment != Treatment::GiveBack {
            let needs_a_person = treatment == Treatment::AskOperator;
            if needs_a_person || first_seen_at == now {
                alarm!("orphan_number", place, mark = %found.mark, needs_a_person,
                    "a vendor has a number of ours that nobody claims");
            }
            run.left("orphan_number", &place);
            return Ok(false);
        }
        match &found.place {
            Location::Twilio { account, sid } => self.provisioning.twilio.release(account, sid).await?,
            Location::Vapi { id } => self.provisioning.voice.vapi.delete_number(id).await?,
        }
        tracing::info!(place, mark = %found.mark, "a number that no org claims was given back");
        run.repaired("orphan_number", &place);
        self.runs.forget_orphan(TASK, &place).await?;
        Ok(true)
    }

    /// A vendor says that it has no such number, although an org may use it. The record stays: whether it is to be given up or
    /// got back is for a person.
    async fn gone(
        &self,
        number: &OrgNumber,
        vendor: &'static str,
        run: &mut Run,
    ) -> Result<(), ReconcileError> {
        let (org, store) = (number.org_id, &self.provisioning.numbers);
        // As it is now: it may have been given up since the run began.
        let now = store.of_direction(org, number.direction).await?;
        let is_in_use =
            now.is_some_and(|now| now.purchase_id == number.purchase_id && now.status == Status::Active);
        if !is_in_use {
            return Ok(());
        }
        alarm!("number_gone", org_id = %org, purchase_id = %number.purchase_id, vendor, is_managed = number.is_managed,
            "a vendor has lost a number that an org uses");
        run.left("number_gone", &number.purchase_id);
        let managed = store.managed_number(org, &number.purchase_id).await?;
        if let Some(managed) = managed.filter(|managed| managed.missing_since.is_none()) {
            // Not written when others have changed it in the same moment: the next run looks again.
            Attempt::of(store.note_missing(&managed, Some(self.clock.now())).await)?;
        }
        Ok(())
    }

    /// The carrier has it. If it was missing, and Vapi has it too, it is so no longer.
    async fn there(&self, number: &OrgNumber, look: &Look, run: &mut Run) -> Result<(), ReconcileError> {
        let is_at_vapi = look.at_vapi.as_ref().is_some_and(|there| there.contains(&number.vapi_phone_id));
        if !is_at_vapi || !look.rows.is_missing(&number.purchase_id) {
            return Ok(());
        }
        let store = &self.provisioning.numbers;
        let managed = store.managed_number(number.org_id, &number.purchase_id).await?;
        if let Some(managed) = managed.filter(|managed| managed.missing_since.is_some())
            && Attempt::of(store.note_missing(&managed, None).await)? == Attempt::Done(())
        {
            run.repaired("number_gone", &number.purchase_id);
        }
        Ok(())
    }
}
