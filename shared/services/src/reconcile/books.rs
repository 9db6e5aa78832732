//! Every wallet against its ledger. A wallet that is not right is frozen and shown to a person; nothing "fixes" it.
//!
//! The wallet is read once. Entries are only ever added, so those up to the number that it then bore can be read afterwards,
//! a page at a time, however much is booked meanwhile. What was verified is read anew in rounds ([`rota`]), and held against
//! what was anchored outside the tables ([`anchors`]).

mod anchors;

use jiff::{SignedDuration, Timestamp};

use super::{Reconcile, ReconcileError, Run, Task};
use base::{alarm, alarm::chain};
use domain::{
    amount::Amount,
    ids::{CallId, OrgId},
    ledger::{Entry, flaws, rota},
    wallet::Wallet,
};
use store::{
    StoreError,
    runs::{Checked, Rota, Verified},
};

pub use anchors::Anchors;

/// How long after a run that found something wrong the next one counts.
const SECOND_LOOK: SignedDuration = SignedDuration::from_secs(60);
/// How long a wallet may have gone unverified before a person is told: its run came two times and did not get to it.
const LONGEST_UNVERIFIED: SignedDuration = SignedDuration::from_hours(72);

/// What a look at one wallet's books came to.
enum Books {
    Right,
    /// The run's time was over before the end; what it read is noted.
    Cut,
    Wrong(String),
}

impl Reconcile {
    /// Checks every wallet, from where the last run ended, and says how long one has waited.
    pub(super) async fn books(&self, run: &mut Run) -> Result<(), ReconcileError> {
        self.check_all_books(run).await?;
        self.tell_longest_waiting().await
    }

    async fn check_all_books(&self, run: &mut Run) -> Result<(), ReconcileError> {
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
        match self.verify(run, org).await {
            Ok(Books::Right) => self.runs.note_right(org).await?,
            // The next run goes on where this one came to.
            Ok(Books::Cut) => {}
            Ok(Books::Wrong(why)) => self.wrong(run, org, &why, is_daily).await?,
            // A record that this build cannot read says nothing of the money: a person looks, and the clinic's calls go on.
            Err(ReconcileError::Store(error @ StoreError::Decode { .. })) => {
                if is_daily {
                    alarm!("books_unreadable", org_id = %org, cause = chain(&error), "a wallet or its ledger cannot be read, and is not verified");
                }
                run.failed("books_unreadable", org, &error);
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

    /// Tells how long ago the wallet was verified that has waited longest, and how long the slowest round has gone on.
    async fn tell_longest_waiting(&self) -> Result<(), ReconcileError> {
        let Some(waiting) = self.runs.longest_waiting().await? else { return Ok(()) };
        let now = self.clock.now();
        let (verified_at, unverified) = waiting.verified;
        let (began_at, slowest) = waiting.round;
        let (oldest, round) = (now.duration_since(verified_at), now.duration_since(began_at));
        tracing::info!(
            oldest_unverified_secs = oldest.as_secs(),
            longest_round_secs = round.as_secs(),
            "how long the books have waited to be verified"
        );
        if oldest > LONGEST_UNVERIFIED {
            alarm!("books_unverified", org_id = %unverified, since = %verified_at, "a wallet has not been verified for days");
        }
        if round > rota::LONGEST_ROUND {
            alarm!("books_not_read_anew", org_id = %slowest, since = %began_at, "a ledger's old entries have not been hashed again for a month");
        }
        Ok(())
    }

    /// Verifies a wallet as it stands at one moment, then reads on in the round of what was verified before.
    async fn verify(&self, run: &mut Run, org: OrgId) -> Result<Books, ReconcileError> {
        let now = self.clock.now();
        // Both before the wallet: what was verified and anchored is never ahead of a wallet that is read later.
        let mut checked = self.runs.verified(org).await?.unwrap_or_else(|| Checked::nothing(org));
        let mut rota = checked.rota.unwrap_or_else(|| Rota::begin(org, now));
        if checked.rota.is_none() {
            // One that is never verified is known to wait all the same.
            checked.rota = Some(rota);
            self.runs.note_verified(org, &checked).await?;
        }
        let last = self.last_anchor(run, org, checked.is_anchored).await;
        let Some(wallet) = self.wallets.get(org).await? else {
            return Ok(Books::Wrong("the wallet is gone".to_owned()));
        };
        let mut outcome = self.follow(run, &mut checked.verified, &wallet, wallet.ledger.seq).await?;
        if matches!(outcome, Books::Right) {
            outcome = self.judge(&wallet, &checked.verified).await?;
        }
        if matches!(outcome, Books::Right) {
            outcome = self.hold_against(&last, &checked.verified).await?;
        }
        if matches!(outcome, Books::Right) {
            rota.verified_at = now;
            checked.is_anchored |= self.anchor(run, &last, org, checked.verified).await;
            outcome = self.read_anew(run, &mut rota, &checked.verified, &wallet, now).await?;
        }
        // Both points are before whatever is wrong: the next look sees it again.
        checked.rota = Some(rota);
        self.runs.note_verified(org, &checked).await?;
        Ok(outcome)
    }

    /// Reads the entries of a wallet from `point` to the one numbered `last`, and moves `point` as far as they are right.
    async fn follow(
        &self,
        run: &mut Run,
        point: &mut Verified,
        wallet: &Wallet,
        last: u64,
    ) -> Result<Books, ReconcileError> {
        if point.head.seq > last {
            return Ok(Books::Wrong(format!(
                "entry {} was verified, the wallet is at {last}",
                point.head.seq
            )));
        }
        let mut has_more = point.head.seq < last;
        while has_more {
            if run.is_out_of_time(self.clock.now()) {
                return Ok(Books::Cut);
            }
            // The one that is verified comes once more: the next must follow it, and no other may bear its number.
            let range = self.ledger.range(wallet.org_id, point.head.seq, last).await?;
            let next = match following(point, &range.entries) {
                Ok(next) => next,
                Err(why) => return Ok(Books::Wrong(why)),
            };
            has_more = range.has_more && next != *point;
            *point = next;
        }
        if point.head.seq < last {
            let (end, at) = (point.head.seq, wallet.ledger.seq);
            return Ok(Books::Wrong(format!("the ledger ends at entry {end}, the wallet at {at}")));
        }
        Ok(Books::Right)
    }

    /// Reads as much of what was verified anew as is due by now; at the end of a round begins the next.
    async fn read_anew(
        &self,
        run: &mut Run,
        rota: &mut Rota,
        verified: &Verified,
        wallet: &Wallet,
        now: Timestamp,
    ) -> Result<Books, ReconcileError> {
        let elapsed = now.duration_since(rota.round_began_at);
        let due = rota::due(verified.head.seq, elapsed).max(rota.read.head.seq);
        match self.follow(run, &mut rota.read, wallet, due).await? {
            Books::Right => {}
            stopped @ (Books::Cut | Books::Wrong(_)) => return Ok(stopped),
        }
        if rota.read.head.seq < verified.head.seq || elapsed < rota::ROUND {
            return Ok(Books::Right);
        }
        if rota.read != *verified {
            return Ok(Books::Wrong(format!(
                "read anew, entry {} is not what was verified",
                verified.head.seq
            )));
        }
        rota.round_began_at = now;
        rota.read = Verified::nothing(wallet.org_id);
        Ok(Books::Right)
    }

    /// Whether a wallet is what its ledger came to at `end`, its last entry as the wallet has it.
    async fn judge(&self, wallet: &Wallet, end: &Verified) -> Result<Books, ReconcileError> {
        if let Some(why) = disagreement(wallet, end) {
            return Ok(Books::Wrong(why));
        }
        if let Some(call) = self.hold_without_call(wallet).await? {
            return Ok(Books::Wrong(format!("money is set aside for call {call}, which is not going on")));
        }
        if let Some(beyond) = self.ledger.first_after(wallet.org_id, wallet.ledger.seq).await? {
            // Entry and wallet are written together: one that is in the ledger is in the wallet that is read after it.
            let later = self.wallets.get(wallet.org_id).await?;
            if later.is_none_or(|later| later.ledger.seq < beyond) {
                let at = wallet.ledger.seq;
                return Ok(Books::Wrong(format!("the ledger has an entry {beyond}, the wallet is at {at}")));
            }
        }
        Ok(Books::Right)
    }

    /// A hold whose call is not open.
    async fn hold_without_call(&self, wallet: &Wallet) -> Result<Option<CallId>, ReconcileError> {
        for id in wallet.holds.keys() {
            let call = self.charging.calls.get(wallet.org_id, id).await?;
            if call.is_some_and(|call| call.is_open()) {
                continue;
            }
            // A call and its hold end together: where it has just ended, the wallet read after it has no hold of it.
            let later = self.wallets.get(wallet.org_id).await?;
            if later.is_some_and(|later| later.holds.contains_key(id)) {
                return Ok(Some(id.clone()));
            }
        }
        Ok(None)
    }
}

/// The point to which `entries` lead from `point`; they begin with its own entry, where it has one. Or what is wrong.
fn following(point: &Verified, entries: &[Entry]) -> Result<Verified, String> {
    if let Some(flaw) = flaws(entries).into_iter().next() {
        return Err(flaw.to_string());
    }
    let first = entries.first();
    let is_rooted = match point.head.seq {
        // `flaws` sees what the first entry follows.
        0 => first.is_none_or(|first| first.seq == 1),
        _ => first.is_some_and(|first| point_after(first) == *point),
    };
    if !is_rooted {
        let seq = point.head.seq;
        return Err(format!("what was verified up to entry {seq} is not what the ledger has there"));
    }
    Ok(entries.last().map_or(*point, point_after))
}

fn point_after(entry: &Entry) -> Verified {
    Verified { head: entry.head(), balance: entry.balance_after }
}

/// What in a wallet is not as its ledger says, which ends at `end`.
fn disagreement(wallet: &Wallet, end: &Verified) -> Option<String> {
    let set_aside = wallet.holds.values().fold(Amount::ZERO, |sum, hold| sum.plus(hold.amount));
    if end.head != wallet.ledger {
        Some(format!("entry {} of the ledger is not the one that the wallet names", end.head.seq))
    } else if end.balance != wallet.balance() {
        Some(format!("the ledger sums to {}, the wallet to {}", end.balance, wallet.balance()))
    } else if set_aside != wallet.held {
        Some(format!("the holds sum to {set_aside}, and {} is held", wallet.held))
    } else {
        None
    }
}
