//! What a number costs by the month. A period is a calendar month, UTC; the one in which a number was bought is covered by its
//! price.

use std::collections::{BTreeMap, BTreeSet};

use super::TASK;
use crate::reconcile::{Reconcile, ReconcileError, Run};
use base::alarm;
use domain::{
    ledger::{Posting, Reason},
    time::month_of,
};
use store::{
    Attempt, StoreError,
    numbers::{ManagedNumber, Status},
};

/// A month that was due and not paid: the key of its entry, `rental#<number>#<month>`.
const UNPAID: &str = "rental#";

/// What became of a charge.
enum Charged {
    /// It is paid, now or before.
    Paid,
    /// The money is not there, or the wallet is frozen.
    Unpaid,
    /// The wallet kept moving.
    Contended,
}

impl Reconcile {
    /// Charges each number that an org has of us for this month, and for the months that were due at earlier runs and could not
    /// be paid. A number that a vendor has lost is not charged until it is back.
    pub(super) async fn rentals(&self, run: &mut Run) -> Result<(), ReconcileError> {
        if self.rental.is_zero() {
            return Ok(());
        }
        let month = month_of(self.clock.now());
        let mut owed = self.owed_months().await?;
        for number in self.provisioning.numbers.all_managed().await? {
            if number.status != Status::Active {
                continue;
            }
            if run.is_out_of_time(self.clock.now()) {
                return Ok(());
            }
            let unpaid = owed.remove(number.number_id.as_str()).unwrap_or_default();
            if number.missing_since.is_some() {
                continue;
            }
            run.checked(&number.number_id);
            let mut due = unpaid.clone();
            if month_of(number.created_at) < month {
                due.insert(month.clone());
            }
            for month in due {
                let was_unpaid = unpaid.contains(&month);
                if let Err(error) = self.rent(&number, month, was_unpaid, run).await {
                    run.failed("rental", &number.number_id, &error);
                }
            }
        }
        // Of numbers that were given up since: there is nothing more to charge them for.
        for (number, months) in owed {
            for month in months {
                self.runs.forget(TASK, &format!("{UNPAID}{number}#{month}")).await?;
            }
        }
        Ok(())
    }

    /// The months that could not be paid, by number.
    async fn owed_months(&self) -> Result<BTreeMap<String, BTreeSet<String>>, ReconcileError> {
        let mut owed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (item, _) in self.runs.seen(TASK, UNPAID).await? {
            if let Some((number, month)) = item.strip_prefix(UNPAID).and_then(|rest| rest.rsplit_once('#')) {
                owed.entry(number.to_owned()).or_default().insert(month.to_owned());
            }
        }
        Ok(owed)
    }

    async fn rent(
        &self,
        number: &ManagedNumber,
        month: String,
        was_unpaid: bool,
        run: &mut Run,
    ) -> Result<(), ReconcileError> {
        let now = self.clock.now();
        let posting = Posting {
            description: format!("Rental of a phone number for {} calls, {month}", number.direction.as_str()),
            reason: Reason::Rental { number: number.number_id.clone(), month },
            amount: self.rental,
            at: now,
        };
        let key = posting.reason.key();
        match self.charge_rental(number, &posting).await? {
            Charged::Paid if was_unpaid => {
                run.repaired("rental", &key);
                self.runs.forget(TASK, key.as_str()).await?;
            }
            Charged::Paid => {}
            Charged::Unpaid => {
                alarm!("rental_unpaid", org_id = %number.org_id, entry_key = %key, pence = self.rental.pence(),
                    "an org cannot pay for a number that it has");
                run.left("rental", &key);
                self.runs.note_seen(TASK, key.as_str(), now).await?;
            }
            Charged::Contended => run.left("rental", &key),
        }
        Ok(())
    }

    /// Takes the rental once, if the money is there: an asset makes no debt.
    async fn charge_rental(
        &self,
        number: &ManagedNumber,
        posting: &Posting,
    ) -> Result<Charged, ReconcileError> {
        let key = posting.reason.key();
        let key = &key;
        let charge = || async move {
            if self.ledger.get(number.org_id, key).await?.is_some() {
                return Ok(Attempt::Done(Charged::Paid));
            }
            let wallet = self.wallets.existing(number.org_id).await?;
            if wallet.can_spend(posting.amount).is_err() {
                return Ok(Attempt::Done(Charged::Unpaid));
            }
            let charged = match Attempt::of(self.wallets.charge_rental(&wallet, posting).await)? {
                Attempt::Done(charged) => charged,
                Attempt::Moved => return Ok(Attempt::Moved),
            };
            tracing::info!(org_id = %number.org_id, entry_key = %key, pence = posting.amount.pence(),
                "the rental of a number was charged");
            self.follow_up(&charged).await?;
            Ok(Attempt::Done(Charged::Paid))
        };
        match self.db.until_written("the wallet", charge).await {
            Err(ReconcileError::Store(StoreError::Contended { .. })) => Ok(Charged::Contended),
            charged => charged,
        }
    }
}
