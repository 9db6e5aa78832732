//! Every wallet against its ledger. A wallet that is not right is frozen and shown to a person; nothing "fixes" it.

use jiff::SignedDuration;

use super::{Reconcile, ReconcileError, Run, Task};
use base::alarm;
use domain::{
    amount::Amount,
    ids::OrgId,
    ledger::{Entry, Head, flaws},
    wallet::Wallet,
};
use store::{StoreError, runs::Verified};

/// How long after a run that found something wrong the next one counts.
const SECOND_LOOK: SignedDuration = SignedDuration::from_secs(60);
/// How often a wallet that others change meanwhile is read again.
const TRIES: usize = 4;

/// What a look at one wallet's books came to.
enum Books {
    Right(Verified),
    /// Others kept changing the wallet.
    Busy,
    Wrong(String),
}

impl Reconcile {
    /// Checks every wallet, from where the last run ended.
    pub(super) async fn books(&self, run: &mut Run) -> Result<(), ReconcileError> {
        let task = Task::Books.as_str();
        let mut after: Option<OrgId> = self.runs.cursor(task).await?.and_then(|org| org.parse().ok());
        loop {
            let (wallets, next) = self.wallets.page(after).await?;
            for (org, _) in wallets {
                if run.is_out_of_time(self.clock.now()) {
                    return Ok(());
                }
                // One that cannot be checked does not keep the others from it.
                if let Err(error) = self.check_books(run, org, true).await {
                    run.failed("books_not_checked", org, &error);
                }
                self.runs.set_cursor(task, Some(&org.to_string())).await?;
            }
            after = next;
            if after.is_none() {
                return Ok(self.runs.set_cursor(task, None).await?);
            }
        }
    }

    /// Looks a second time at the wallets that were not right: twice a minute apart is no accident.
    pub(super) async fn check_failing_again(&self, run: &mut Run) -> Result<(), ReconcileError> {
        for (org, since) in self.runs.failing().await? {
            let now = self.clock.now();
            if now.duration_since(since) < SECOND_LOOK {
                continue;
            }
            if run.is_out_of_time(now) {
                return Ok(());
            }
            if let Err(error) = self.check_books(run, org, false).await {
                run.failed("books_not_checked", org, &error);
            }
        }
        Ok(())
    }

    async fn check_books(&self, run: &mut Run, org: OrgId, is_daily: bool) -> Result<(), ReconcileError> {
        run.checked(org);
        match self.verify(org).await {
            Ok(Books::Right(verified)) => {
                self.runs.note_verified(org, &verified).await?;
                self.runs.note_right(org).await?;
            }
            Ok(Books::Busy) => run.left("wallet_busy", org),
            Ok(Books::Wrong(why)) => self.wrong(run, org, &why, is_daily).await?,
            // A record that cannot be read is a flaw like any other; a database that does not answer is not.
            Err(ReconcileError::Store(error @ StoreError::Decode { .. })) => {
                self.wrong(run, org, &error.to_string(), is_daily).await?;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn wrong(
        &self,
        run: &mut Run,
        org: OrgId,
        why: &str,
        is_daily: bool,
    ) -> Result<(), ReconcileError> {
        let now = self.clock.now();
        let since = self.runs.note_failing(org, now).await?;
        let is_second = now.duration_since(since) >= SECOND_LOOK;
        let is_frozen =
            self.wallets.get(org).await.ok().flatten().is_some_and(|wallet| wallet.frozen.is_some());
        // Once it is frozen, once a day is enough: an alarm that never ends hides the others.
        if !is_frozen || is_daily {
            alarm!("books_wrong", org_id = %org, why, frozen = is_second, "a wallet does not agree with its ledger");
        }
        if !is_second {
            run.left("books_wrong", org);
            return Ok(());
        }
        match self.wallets.freeze(org, "books").await {
            Ok(()) => run.left("wallet_frozen", org),
            Err(error) => run.failed("wallet_not_frozen", org, &error),
        }
        Ok(())
    }

    /// Reads the ledger between two reads of the wallet: only what did not change meanwhile is judged.
    async fn verify(&self, org: OrgId) -> Result<Books, ReconcileError> {
        for _ in 0..TRIES {
            let Some(wallet) = self.wallets.get(org).await? else {
                return Ok(Books::Wrong("the wallet is gone".to_owned()));
            };
            let verified = self.runs.verified(org).await?.unwrap_or_else(|| Verified {
                head: Head::genesis(org),
                balance: domain::amount::Balance::ZERO,
            });
            let (entries, all) = self.ledger.since(org, verified.head.seq).await?;
            let orphan = self.hold_without_call(&wallet).await?;
            if self.wallets.get(org).await?.as_ref() != Some(&wallet) {
                continue;
            }
            if let Some(call) = orphan {
                return Ok(Books::Wrong(format!(
                    "money is set aside for call {call}, which is not going on"
                )));
            }
            return Ok(judge(&wallet, &verified, &entries, all));
        }
        Ok(Books::Busy)
    }

    /// A hold whose call is not open.
    async fn hold_without_call(&self, wallet: &Wallet) -> Result<Option<String>, ReconcileError> {
        for id in wallet.holds.keys() {
            let call = self.charging.calls.get(wallet.org_id, id).await?;
            if !call.is_some_and(|call| call.is_open()) {
                return Ok(Some(id.to_string()));
            }
        }
        Ok(None)
    }
}

/// Whether `entries`, those after what is verified, lead to the wallet; `all` is how many the ledger has.
fn judge(wallet: &Wallet, verified: &Verified, entries: &[Entry], all: u64) -> Books {
    if let Some(flaw) = flaws(entries).into_iter().next() {
        return Books::Wrong(flaw.to_string());
    }
    if let Some(first) = entries.first() {
        let follows = first.seq == verified.head.seq.saturating_add(1)
            && first.previous_hash == verified.head.hash
            && first.balance_before == verified.balance;
        if !follows {
            return Books::Wrong(format!(
                "entry {} does not follow the last one that was verified",
                first.seq
            ));
        }
    }
    let head = entries.last().map_or(verified.head, Entry::head);
    let balance = entries.last().map_or(verified.balance, |last| last.balance_after);
    let set_aside = wallet.holds.values().fold(Amount::ZERO, |sum, hold| sum.plus(hold.amount));
    if head != wallet.ledger {
        Books::Wrong(format!("the ledger ends at entry {}, the wallet at {}", head.seq, wallet.ledger.seq))
    } else if all != wallet.ledger.seq {
        Books::Wrong(format!("the ledger has {all} entries, and should have {}", wallet.ledger.seq))
    } else if balance != wallet.balance() {
        Books::Wrong(format!("the ledger sums to {balance}, the wallet to {}", wallet.balance()))
    } else if set_aside != wallet.held {
        Books::Wrong(format!("the holds sum to {set_aside}, and {} is held", wallet.held))
    } else {
        Books::Right(Verified { head, balance })
    }
}
