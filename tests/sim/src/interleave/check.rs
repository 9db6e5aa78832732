//! What must be true when everything that met is over: an operation that died is delivered again, what waits is done, and then each
//! effect is there once and the books are right.

use std::collections::BTreeMap;

use base::clock::Clock;
use domain::{
    amount::Amount,
    call::{Call, State},
    ids::CallId,
    ledger::{Entry, EntrySide, flaws},
    number::NUMBER_COST,
    wallet::Wallet,
};
use jiff::SignedDuration;
use services::provisioning::LEASE;
use store::{calls::Calls, ledger::Ledger, wallets::Wallets};

use super::{
    operation::{Operation, Part, Wish},
    scene::{METER_QUEUE, Money, ORG, REFUND_PENCE, SETTLED_PENCE, Scene, TOP_UP_PENCE, top_up_of},
};

/// How often an operation that was not acknowledged is delivered again.
const RETRIES: usize = 3;

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum End {
    /// It was acknowledged.
    Acknowledged,
    /// It was answered with an error.
    Failed,
    /// Its price was taken, and it was followed no further.
    Charged,
    /// It died.
    Crashed,
}

impl Scene {
    /// Has everything come to rest, then checks it.
    ///
    /// # Errors
    /// What is not as it must be.
    pub(super) async fn come_to_rest(&self, ends: &[(Part, End)]) -> Result<(), String> {
        for (part, end) in ends {
            self.deliver_again(*part, *end).await?;
        }
        Box::pin(self.stack.settle_down()).await;
        if self.wishes_for(Wish::Import) {
            self.read_on().await;
        }
        self.verdict().await
    }

    async fn deliver_again(&self, part: Part, end: End) -> Result<(), String> {
        // The message of an extension or an end is still in the queue.
        match (part.operation, end) {
            (Operation::Purchase, _) => {
                self.ask_again(part).await;
                Ok(())
            }
            (Operation::Extend | Operation::End | Operation::Diary(Wish::Import), _)
            | (_, End::Acknowledged | End::Charged) => Ok(()),
            (_, End::Failed | End::Crashed) => {
                for _ in 0..RETRIES {
                    if self.deliver(part).await {
                        return Ok(());
                    }
                }
                Err(format!("{part} is never acknowledged"))
            }
        }
    }

    /// The client asks for its number again: at once, and when no process can be at it any more.
    async fn ask_again(&self, part: Part) {
        if self.is_charged(part) {
            self.deliver(part).await;
            return;
        }
        self.until_charged(part).await;
        if self.claim(part)["state"]["S"] == "claimed" {
            self.gate.turn_to(self.gate.now() + LEASE + SignedDuration::from_secs(1));
            self.until_charged(part).await;
        }
    }

    async fn verdict(&self) -> Result<(), String> {
        let db = self.stack.db();
        let wallet = Wallets::new(db.clone()).existing(ORG).await.map_err(|error| error.to_string())?;
        let page = Ledger::new(db.clone()).page(ORG, None, None, 1_000).await;
        let mut entries = page.map_err(|error| error.to_string())?.entries;
        entries.reverse();
        check_books(&wallet, &entries)?;
        self.check_effects(&entries)?;
        let may_be_in_debt = self.combination.parts.iter().any(|part| part.operation.may_make_debt());
        demand(wallet.available.pence() >= 0 || may_be_in_debt, || {
            format!("{}p are available", wallet.available.pence())
        })?;
        let calls = Calls::new(db);
        for part in self.combination.subjects() {
            match part.operation {
                Operation::TopUp | Operation::Refund => {}
                Operation::Purchase => self.check_purchase(part)?,
                Operation::Authorize
                | Operation::Extend
                | Operation::End
                | Operation::Settle
                | Operation::Release
                | Operation::Diary(_) => {
                    let id = CallId::parse(part.call()).map_err(|error| error.to_string())?;
                    let call = calls.get(ORG, &id).await.map_err(|error| error.to_string())?;
                    let call = call.ok_or_else(|| format!("the record of call {id} is gone"))?;
                    self.check_call(part, &call, &wallet)?;
                }
            }
        }
        self.check_the_diary().await
    }

    /// Every movement that there must be, once, and none besides.
    fn check_effects(&self, entries: &[Entry]) -> Result<(), String> {
        let (first, pence) = &self.first_payment;
        let mut wanted = BTreeMap::from([(format!("topup#{first}"), *pence)]);
        for part in self.combination.subjects() {
            let movement = match part.operation {
                Operation::TopUp => Some((format!("topup#{}", top_up_of(part)), TOP_UP_PENCE)),
                Operation::Refund => {
                    let refund = self.refund.clone().unwrap_or_default();
                    Some((format!("refund#{refund}"), REFUND_PENCE.saturating_neg()))
                }
                Operation::Settle => Some((format!("call#{}", part.call()), SETTLED_PENCE.saturating_neg())),
                Operation::Purchase => {
                    let claim = self.claim(part);
                    let id = claim["purchase_id"]["S"].as_str().unwrap_or_default();
                    let price = NUMBER_COST.pence().saturating_neg();
                    is_paid(&claim).then(|| (format!("number#{id}"), price))
                }
                Operation::Authorize
                | Operation::Extend
                | Operation::End
                | Operation::Release
                | Operation::Diary(_) => None,
            };
            wanted.extend(movement);
        }
        let signed = |entry: &Entry| match entry.direction {
            EntrySide::Credit => entry.amount.pence(),
            EntrySide::Debit => entry.amount.pence().saturating_neg(),
        };
        let booked: BTreeMap<String, i64> =
            entries.iter().map(|entry| (entry.entry_key.to_string(), signed(entry))).collect();
        demand(booked == wanted && booked.len() == entries.len(), || {
            format!("booked is {booked:?}, and it should be {wanted:?}")
        })
    }

    /// A number that was charged has its claim; one that was not leaves nothing underway.
    fn check_purchase(&self, part: Part) -> Result<(), String> {
        let claim = self.claim(part);
        let state = claim["state"]["S"].as_str().unwrap_or("none");
        let is_charged = is_paid(&claim);
        let is_over = is_charged || matches!(state, "none" | "refunded");
        demand(is_over, || format!("the {} purchase is {state}", part.direction()))?;
        let can_pay = self.combination.money == Money::Ample;
        demand(is_charged || !can_pay, || "a purchase that can be paid is not charged".to_owned())
    }

    fn check_call(&self, part: Part, call: &Call, wallet: &Wallet) -> Result<(), String> {
        let hold = wallet.holds.get(&call.call_id);
        let has_money = self.combination.money == Money::Ample;
        let is_right = match part.operation {
            Operation::Authorize => match &call.state {
                State::Authorized => hold.is_some(),
                State::Refused { .. } => hold.is_none() && !has_money,
                State::Authorizing
                | State::InProgress { .. }
                | State::Ended { .. }
                | State::Settled(_)
                | State::Released => false,
            },
            Operation::Settle => {
                let charged = match &call.state {
                    State::Settled(bill) => Some(bill.charged.pence()),
                    State::Authorizing
                    | State::Authorized
                    | State::InProgress { .. }
                    | State::Ended { .. }
                    | State::Released
                    | State::Refused { .. } => None,
                };
                hold.is_none() && charged == Some(SETTLED_PENCE)
            }
            Operation::Release => hold.is_none() && call.state == State::Released,
            Operation::Extend => {
                let may_be_short =
                    self.combination.has(Operation::Refund) || self.combination.has(Operation::End);
                // No more than one unit beyond the first, however often it was asked.
                let is_once = hold.is_some_and(|hold| hold.amount <= Amount::from_pence(840));
                let is_extended = hold.is_some_and(|hold| hold.step > 0);
                is_once && (is_extended || may_be_short && !has_money)
            }
            Operation::End => {
                let is_saved = hold.is_some_and(|hold| hold.step > 0);
                call.ending_at.is_some() || is_saved && !has_money
            }
            Operation::TopUp | Operation::Refund | Operation::Purchase => true,
            Operation::Diary(_) => hold.is_some(),
        };
        demand(is_right, || format!("after {part} the call is {:?}, its hold {hold:?}", call.state))?;
        let messages = self.stack.aws.queues().messages();
        let is_watched = messages
            .iter()
            .any(|message| message.queue == METER_QUEUE && message.body.contains(call.call_id.as_str()));
        demand(is_watched || !call.is_open(), || format!("nobody looks at call {} any more", call.call_id))
    }
}

/// Whether a purchase has its price. Who comes back after the lease has run out takes it further than the price.
fn is_paid(claim: &serde_json::Value) -> bool {
    matches!(claim["state"]["S"].as_str(), Some("charged" | "bought" | "imported" | "active"))
}

fn check_books(wallet: &Wallet, entries: &[Entry]) -> Result<(), String> {
    let flaws = flaws(entries);
    demand(flaws.is_empty(), || format!("the ledger has flaws: {flaws:?}"))?;
    let last = entries.last();
    demand(wallet.ledger.seq == last.map_or(0, |last| last.seq), || "the wallet ends elsewhere".to_owned())?;
    demand(last.is_none_or(|last| wallet.ledger.hash == last.hash), || {
        "the wallet's head is another".to_owned()
    })?;
    let balance = last.map_or_else(Default::default, |last| last.balance_after);
    demand(wallet.balance() == balance, || {
        format!("the wallet stands at {}p, its last entry at {}p", wallet.balance().pence(), balance.pence())
    })?;
    let holds = wallet.holds.values().fold(Amount::ZERO, |sum, hold| sum.plus(hold.amount));
    demand(wallet.held == holds, || format!("{:?} is held, and the holds are {holds:?}", wallet.held))
}

fn demand(is_so: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if is_so { Ok(()) } else { Err(otherwise()) }
}
