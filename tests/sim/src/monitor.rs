//! What must hold after every step: money is conserved, the ledger replays to the wallet, nothing is charged twice, nothing is
//! spent that is not there. Reads the records past every seam, and asks the vendors' sandboxes for the truth.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use domain::{
    call::{Bill, Call, State},
    ledger::{Entry, EntrySide, Head, Kind},
    overspend::Cause,
    tariff::{Tariff, TariffVersion},
    time::month_of,
    wallet::Wallet,
};
use jiff::Timestamp;
use sandbox::vapi;
use serde_json::Value;

use crate::{
    cards::Cards,
    carrier::Stops,
    doing::FROZEN_BY_HAND,
    items::{self, ENVIRONMENT},
    world::{MOST_SKEW_SECS, World},
};

/// Something that must hold and does not.
#[derive(Clone, Debug)]
pub struct Violation {
    /// What must hold.
    pub invariant: &'static str,
    /// What was found instead.
    pub detail: String,
    /// When, by the world's clock.
    pub at: Timestamp,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: {}", self.invariant, self.at, self.detail)
    }
}

/// What is known of one clinic's money.
#[derive(Debug)]
struct Book {
    head: Head,
    /// The sum of all movements, in pence.
    total: i64,
    wallet: Option<Wallet>,
    /// Times at which money was taken back by the card's bank or the operator.
    taken_at: Vec<Timestamp>,
}

/// What is known of all clinics' money.
#[derive(Debug)]
pub struct Monitor {
    books: Vec<Book>,
    /// Every entry's amount, by clinic and key.
    pub booked: BTreeMap<(usize, String), i64>,
    /// Purchases that were charged, and those that were given back.
    charged: BTreeSet<String>,
    refunded: BTreeSet<String>,
    credited: BTreeSet<String>,
    /// When ends of calls were ignored.
    pub ignored: Vec<(Timestamp, Timestamp)>,
    /// How many entries were checked.
    pub entries: u64,
    /// Unpaid seconds of each call that had some.
    pub unpaid: Vec<(Cause, u32)>,
    /// How many calls were billed.
    pub billed: u64,
    /// How many of them by our own times.
    pub estimated: u64,
    /// What calls were corrected by since they were charged, by clinic and call: a credit is below zero.
    corrected: BTreeMap<(usize, String), i64>,
    /// How many doubts were left to a person.
    pub doubts: u64,
    /// What must hold of charges that nobody asks for.
    pub cards: Cards,
    /// Who said that they want no more texts.
    pub stops: Stops,
    /// Clinics an entry of whose ledger was altered: their books are to be found wrong.
    pub altered: BTreeSet<usize>,
    /// Which call each call at Vapi is billed as.
    bills: BTreeMap<String, String>,
    /// How often what is rare was booked.
    pub tallies: BTreeMap<&'static str, u64>,
    /// What each wallet has of each payment, in pence, by clinic and payment.
    of_payments: BTreeMap<(usize, String), i64>,
    /// What the card of each clinic could be charged by itself, in pence, and since when.
    lent: BTreeMap<usize, Vec<(Timestamp, i64)>>,
}

/// How long a function that lets a call in may run, and a little.
const LONGEST_ASK: jiff::SignedDuration = jiff::SignedDuration::from_secs(10);

type Checked<T> = Result<T, Violation>;

fn broken<T>(world: &World, invariant: &'static str, detail: impl Into<String>) -> Checked<T> {
    Err(Violation { invariant, detail: detail.into(), at: world.time() })
}

/// The name that a purchase's number has at the carrier.
pub fn mark_of(purchase: &str) -> String {
    format!("voxanne/{ENVIRONMENT}/{purchase}")
}

impl Monitor {
    /// Knows nothing yet.
    pub fn over(world: &World) -> Self {
        let book = |clinic: &crate::world::Clinic| Book {
            head: Head::genesis(clinic.org),
            total: 0,
            wallet: None,
            taken_at: Vec::new(),
        };
        Self {
            stops: Stops::default(),
            books: world.clinics.iter().map(book).collect(),
            booked: BTreeMap::new(),
            charged: BTreeSet::new(),
            refunded: BTreeSet::new(),
            credited: BTreeSet::new(),
            ignored: Vec::new(),
            entries: 0,
            unpaid: Vec::new(),
            billed: 0,
            estimated: 0,
            corrected: BTreeMap::new(),
            doubts: 0,
            cards: Cards::default(),
            altered: BTreeSet::new(),
            bills: BTreeMap::new(),
            tallies: BTreeMap::new(),
            lent: BTreeMap::new(),
            of_payments: BTreeMap::new(),
        }
    }

    /// Whether any money is set aside.
    pub fn is_holding(&self) -> bool {
        self.books.iter().any(|book| book.wallet.as_ref().is_some_and(|wallet| !wallet.holds.is_empty()))
    }

    /// Checks one clinic's books from where they were checked last. Returns what is new, a line each.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn check(&mut self, world: &World, at: usize) -> Checked<Vec<String>> {
        let Some(clinic) = world.clinics.get(at) else { return Ok(Vec::new()) };
        let aws = &world.stack.aws;
        let record = items::get(aws, "wallets", &[("org_id", &clinic.id)]);
        if record.is_null() {
            return Ok(Vec::new());
        }
        let wallet: Wallet = match items::typed(&record) {
            Ok(wallet) => wallet,
            Err(error) => return broken(world, "every record can be read", error),
        };
        let first = self.books.get(at).map_or(1, |book| book.head.seq.saturating_add(1));
        let mut news = Vec::new();
        let mut entries = Vec::new();
        let has_moved = self.books.get(at).is_none_or(|book| book.head != wallet.ledger);
        if has_moved {
            for record in items::entries_from(aws, &clinic.id, first) {
                match items::typed::<Entry>(&record) {
                    Ok(entry) => entries.push(entry),
                    Err(error) => return broken(world, "every record can be read", error),
                }
            }
        }
        let before = self.books.get(at).and_then(|book| book.wallet.clone());
        for entry in &entries {
            self.follow(world, at, entry)?;
            self.know(world, at, entry, before.as_ref())?;
            news.push(format!(
                "clinic {at} books {} {} {} -> {}",
                entry.entry_key,
                entry.direction.as_str(),
                entry.amount,
                entry.balance_after.pence()
            ));
        }
        self.compare(world, at, &wallet)?;
        self.check_frozen(world, at, &wallet)?;
        Self::check_spending(world, before.as_ref(), &wallet, &entries)?;
        Self::check_holds(world, before.as_ref(), &wallet)?;
        self.check_limits(world, at, (before.as_ref(), &wallet))?;
        if let Err((invariant, detail)) = self.cards.follow(world, at, (before.as_ref(), &wallet), &entries) {
            return broken(world, invariant, format!("clinic {at}: {detail}"));
        }
        if before
            .as_ref()
            .is_none_or(|before| before.available != wallet.available || before.held != wallet.held)
        {
            let (available, held) = (wallet.available.pence(), wallet.held.pence());
            news.push(format!("clinic {at} has {available}p available, {held}p held"));
        }
        if let Some(book) = self.books.get_mut(at) {
            book.wallet = Some(wallet);
        }
        Ok(news)
    }

    /// An entry follows the one before it.
    fn follow(&mut self, world: &World, at: usize, entry: &Entry) -> Checked<()> {
        const INVARIANT: &str = "the ledger has no gaps and its chain is intact";
        let Some(book) = self.books.get_mut(at) else { return Ok(()) };
        let amount = entry.amount.pence();
        let moved = match entry.direction {
            EntrySide::Credit => amount,
            EntrySide::Debit => -amount,
        };
        let is_next = entry.seq == book.head.seq + 1 && entry.previous_hash == book.head.hash;
        let is_whole = entry.computed_hash() == entry.hash;
        let adds_up =
            entry.balance_before.pence() == book.total && entry.balance_after.pence() == book.total + moved;
        if !(is_next && is_whole && adds_up) {
            let detail = format!("after entry {} and {}p comes {entry:?}", book.head.seq, book.total);
            return broken(world, INVARIANT, detail);
        }
        book.head = entry.head();
        book.total += moved;
        self.entries += 1;
        let key = (at, entry.entry_key.as_str().to_owned());
        if self.booked.insert(key, amount).is_some() {
            return broken(
                world,
                "what happened is booked once",
                format!("{} is booked twice", entry.entry_key),
            );
        }
        Ok(())
    }

    /// The wallet is what its ledger says.
    fn compare(&self, world: &World, at: usize, wallet: &Wallet) -> Checked<()> {
        let Some(book) = self.books.get(at) else { return Ok(()) };
        if wallet.ledger != book.head {
            let detail = format!("the wallet's head is {:?}, the ledger's {:?}", wallet.ledger, book.head);
            return broken(world, "the ledger replays to the wallet", detail);
        }
        if wallet.balance().pence() != book.total {
            let detail = format!(
                "clinic {at}: all movements make {}p, and {}p are available and {}p held",
                book.total,
                wallet.available.pence(),
                wallet.held.pence()
            );
            return broken(world, "money is conserved", detail);
        }
        Ok(())
    }

    /// What the entry says is what the vendors know to be true.
    fn know(&mut self, world: &World, at: usize, entry: &Entry, before: Option<&Wallet>) -> Checked<()> {
        self.follow_payment(world, at, entry)?;
        match entry.kind {
            Kind::TopUp => self.know_top_up(world, at, entry),
            Kind::Refund => self.know_refund(world, at, entry),
            Kind::Dispute | Kind::DisputeReversal => self.know_dispute(world, at, entry),
            Kind::Call => self.know_call(world, at, entry, before),
            Kind::PhoneNumber => self.know_number(world, entry),
            Kind::Sms => match crate::texts::flaw(world, entry) {
                Some(detail) => broken(world, "only what happened is booked", detail),
                None => Ok(()),
            },
            Kind::Adjustment => {
                broken(world, "only what happened is booked", format!("nobody asked for {entry:?}"))
            }
        }
    }

    /// A wallet never has less than nothing of a payment, nor more than was received.
    fn follow_payment(&mut self, world: &World, at: usize, entry: &Entry) -> Checked<()> {
        let Some(id) = entry.payment_intent.as_ref().map(ToString::to_string) else { return Ok(()) };
        let received = world.stack.stripe.object(&id).and_then(|payment| payment["amount_received"].as_i64());
        let has = self.of_payments.entry((at, id)).or_default();
        match entry.direction {
            EntrySide::Credit => *has += entry.amount.pence(),
            EntrySide::Debit => *has -= entry.amount.pence(),
        }
        let (has, received) = (*has, received.unwrap_or_default());
        if (0..=received).contains(&has) {
            return Ok(());
        }
        let detail = format!("the wallet has {has}p of the {received}p that were received, by {entry:?}");
        broken(world, "a wallet has of a payment what Stripe holds of it", detail)
    }

    /// What a clinic's wallet has of a payment, in pence.
    pub fn of_payment(&self, at: usize, payment: &str) -> i64 {
        self.of_payments.get(&(at, payment.to_owned())).copied().unwrap_or_default()
    }

    fn know_top_up(&mut self, world: &World, at: usize, entry: &Entry) -> Checked<()> {
        const INVARIANT: &str = "each payment is credited once, with what Stripe received";
        let id = entry.payment_intent.as_ref().map(ToString::to_string).unwrap_or_default();
        let Some(payment) = world.stack.stripe.object(&id) else {
            return broken(world, INVARIANT, format!("Stripe knows no payment {id}"));
        };
        let is_received =
            payment["status"] == "succeeded" && payment["amount_received"] == entry.amount.pence();
        let customer = payment["customer"].as_str().unwrap_or_default();
        let is_its = world.customers().get(customer) == Some(&at);
        if !is_received || !is_its || !self.credited.insert(id) {
            return broken(world, INVARIANT, format!("clinic {at} is credited {entry:?} for {payment}"));
        }
        Ok(())
    }

    fn know_refund(&mut self, world: &World, at: usize, entry: &Entry) -> Checked<()> {
        let key = entry.entry_key.as_str();
        let id = key.split('#').nth(1).unwrap_or_default();
        let Some(refund) = world.stack.stripe.object(id) else {
            return broken(world, "only what happened is booked", format!("Stripe knows no refund {id}"));
        };
        let is_failed = refund["status"] == "failed";
        let is_back = entry.direction == EntrySide::Credit;
        let is_no_more = refund["amount"].as_i64() >= Some(entry.amount.pence());
        if !is_no_more || is_back && !is_failed {
            return broken(world, "only what happened is booked", format!("{entry:?} for {refund}"));
        }
        self.note_taken(at, entry, is_back);
        Ok(())
    }

    fn know_dispute(&mut self, world: &World, at: usize, entry: &Entry) -> Checked<()> {
        let mut parts = entry.entry_key.as_str().split('#').skip(1);
        let (id, moved) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let dispute = world.stack.stripe.object(id).unwrap_or_default();
        let movements = dispute["balance_transactions"].as_array();
        let found = movements.into_iter().flatten().find(|movement| movement["id"] == moved);
        let signed = match entry.direction {
            EntrySide::Credit => entry.amount.pence(),
            EntrySide::Debit => -entry.amount.pence(),
        };
        let moved = found.and_then(|found| found["amount"].as_i64()).unwrap_or_default();
        if moved.signum() != signed.signum() || moved.abs() < signed.abs() {
            return broken(world, "only what happened is booked", format!("{entry:?} for {dispute}"));
        }
        self.note_taken(at, entry, entry.direction == EntrySide::Credit);
        Ok(())
    }

    fn note_taken(&mut self, at: usize, entry: &Entry, is_back: bool) {
        if let (Some(book), false) = (self.books.get_mut(at), is_back) {
            book.taken_at.push(entry.created_at);
        }
    }

    fn know_number(&mut self, world: &World, entry: &Entry) -> Checked<()> {
        let mut parts = entry.entry_key.as_str().split('#');
        let (kind, purchase) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        if kind == "rental" {
            *self.tallies.entry("rentals charged").or_default() += 1;
            return Self::know_rental(world, entry, purchase, parts.next().unwrap_or_default());
        }
        if kind != "number" {
            return Ok(());
        }
        if entry.direction == EntrySide::Debit {
            self.charged.insert(purchase.to_owned());
            return Ok(());
        }
        let mark = mark_of(purchase);
        if world.stack.twilio.numbers().iter().any(|(_, _, name)| *name == mark) {
            let detail = format!("purchase {purchase} is given back, and the carrier has its number");
            return broken(world, "no number is there and unpaid", detail);
        }
        self.refunded.insert(purchase.to_owned());
        Ok(())
    }

    /// The rental of a month is charged for a number that the clinic had before that month, and for no month that is to come.
    fn know_rental(world: &World, entry: &Entry, number: &str, month: &str) -> Checked<()> {
        let org = entry.org_id.to_string();
        let key = [("org_id", org.as_str()), ("number_id", number)];
        let record = items::get(&world.stack.aws, "managed_phone_numbers", &key);
        let bought = record["created_at"].as_str().and_then(|at| at.parse::<Timestamp>().ok());
        let ahead = world.time() + jiff::SignedDuration::from_secs(MOST_SKEW_SECS.into());
        let is_due = bought.is_some_and(|bought| month_of(bought).as_str() < month)
            && month <= month_of(ahead).as_str();
        if is_due && entry.amount.pence() == world.rental {
            return Ok(());
        }
        let detail = format!("{entry:?} for {record}");
        broken(world, "a number is rented month by month, from the month after it was bought", detail)
    }

    /// The purchases that were charged and not given back.
    pub fn kept(&self) -> impl Iterator<Item = &String> {
        self.charged.difference(&self.refunded)
    }

    /// What a call cost in all: its charge, and what was corrected since; none when it was not charged.
    pub fn net_of(&self, at: usize, call: &str) -> Option<i64> {
        let charged = self.booked.get(&(at, format!("call#{call}")))?;
        Some(charged + self.corrected.get(&(at, call.to_owned())).copied().unwrap_or_default())
    }

    /// Whether a purchase was given back.
    pub fn is_given_back(&self, purchase: &str) -> bool {
        self.refunded.contains(purchase)
    }

    /// No number that we have at the carrier is unpaid.
    ///
    /// # Errors
    /// When one is.
    pub fn check_numbers(&self, world: &World) -> Checked<()> {
        for (_, number, name) in world.stack.twilio.numbers() {
            let Some(purchase) = name.strip_prefix(&mark_of("")) else { continue };
            if !self.charged.contains(purchase) || self.refunded.contains(purchase) {
                let detail = format!("the carrier has {number} for purchase {purchase}, which is not paid");
                return broken(world, "no number is there and unpaid", detail);
            }
        }
        Ok(())
    }

    /// A finished call is charged what its seconds cost.
    fn know_call(&mut self, world: &World, at: usize, entry: &Entry, before: Option<&Wallet>) -> Checked<()> {
        const INVARIANT: &str = "a call of known duration costs exactly its tariff's price";
        let id = entry.call_id.as_ref().map(ToString::to_string).unwrap_or_default();
        let (record, truth) = call_of(world, at, &id)?;
        let State::Settled(bill) = &record.state else {
            return broken(
                world,
                INVARIANT,
                format!("{id} is charged, and its record is {:?}", record.state),
            );
        };
        if entry.entry_key.as_str().contains("#correction#") {
            *self.tallies.entry("bills corrected").or_default() += 1;
            let pence = entry.amount.pence();
            let pence = if entry.direction == EntrySide::Credit { -pence } else { pence };
            *self.corrected.entry((at, id.clone())).or_default() += pence;
        } else {
            self.billed += 1;
            let vapi = truth.as_ref().map(|truth| truth.id.clone()).unwrap_or_default();
            if let Some(other) = self.bills.insert(vapi.clone(), id.clone()) {
                let detail = format!("{vapi} is billed as {other} and as {id}");
                return broken(world, "one call at Vapi is one bill", detail);
            }
        }
        let price = bill.tariff.tariff().charge(bill.duration_secs).pence();
        if Some(price) != self.net_of(at, &id) || entry.tariff != Some(bill.tariff) {
            return broken(world, INVARIANT, format!("{bill:?} is booked as {entry:?}"));
        }
        self.doubts += u64::from(bill.doubted_secs.is_some());
        let Some(truth) = truth else {
            return broken(world, INVARIANT, format!("Vapi knows no call {id}, which is charged"));
        };
        if truth.status != "ended" && !bill.estimated {
            return broken(
                world,
                "no call is settled that goes on",
                format!("{id}: {bill:?}, and {truth:?}"),
            );
        }
        let secs = talked_secs(&truth);
        self.estimated += u64::from(bill.estimated);
        // Where Vapi says what is not true, or changes its record, a bill is right at the end: a later word of its record corrects it.
        let is_changed = world.changed.contains(&truth.id);
        if !world.is_untrue && !is_changed && !is_exact(world, bill, &truth) {
            return broken(world, INVARIANT, format!("{id} talked for {secs:?} s, and its bill is {bill:?}"));
        }
        if !is_in_force(world, &record, &truth, bill.tariff) {
            return broken(
                world,
                INVARIANT,
                format!("{id} is billed by prices that were not in force: {bill:?}"),
            );
        }
        if entry.entry_key.as_str().contains("#correction#") {
            return Ok(());
        }
        self.measure(world, at, entry, &truth, before)
    }

    /// How many seconds of a call nothing paid for: neither its hold nor what else was available. They have a bound.
    fn measure(
        &mut self,
        world: &World,
        at: usize,
        entry: &Entry,
        truth: &vapi::Call,
        before: Option<&Wallet>,
    ) -> Checked<()> {
        let (Some(book), Some(before)) = (self.books.get(at), before) else { return Ok(()) };
        let held =
            entry.call_id.as_ref().and_then(|id| before.holds.get(id)).map_or(0, |hold| hold.amount.pence());
        let paid = held + before.available.pence().max(0);
        let charge = entry.amount.pence();
        let tariff = entry.tariff.map_or_else(|| Tariff::at(truth.created_at), TariffVersion::tariff);
        let secs = |pence: i64| {
            tariff.affordable_seconds(domain::amount::Amount::try_from(pence).unwrap_or_default())
        };
        let talked = talked_secs(truth).unwrap_or_default();
        let unheld = if held > 0 { talked.saturating_sub(secs(held)) } else { 0 };
        let unpaid = if charge > paid { talked.saturating_sub(secs(paid)) } else { 0 };
        if unheld == 0 && unpaid == 0 || world.changed.contains(&truth.id) {
            return Ok(());
        }
        let (start, end) = (truth.started_at.unwrap_or(truth.created_at), world.time());
        let is_taken = book.taken_at.iter().any(|taken| *taken >= start && *taken <= end);
        let last = truth.ended_at.unwrap_or(end);
        let is_ignored = self.ignored.iter().any(|(from, to)| *from <= last && *to >= start);
        // Where there are several, the one that may cost most.
        let cause = if truth.kind == "webCall" {
            Cause::Web
        } else if world.is_skewed {
            Cause::Skew
        } else if is_ignored {
            Cause::EndIgnored
        } else if is_taken {
            Cause::MoneyTaken
        } else if world.is_faultless {
            Cause::Nothing
        } else {
            Cause::Faults
        };
        if unpaid > 0 {
            self.unpaid.push((cause, unpaid));
        }
        check_bound(world, "unpaid seconds have a bound", entry, (cause, unpaid))?;
        // However much there is beside the hold: a call that goes on is held for, or ended.
        check_bound(world, "a call that goes on is held for", entry, (cause, unheld))
    }

    /// No books are found wrong but those that somebody altered.
    fn check_frozen(&self, world: &World, at: usize, wallet: &Wallet) -> Checked<()> {
        let reason = wallet.frozen.as_deref().filter(|reason| *reason != FROZEN_BY_HAND);
        match reason.filter(|_| !self.altered.contains(&at)) {
            Some(reason) => {
                broken(world, "the books are never found wrong", format!("frozen because {reason}"))
            }
            None => Ok(()),
        }
    }

    /// A call may last no longer than the money that is there, and what may be lent to it, pay for. What a card can still be charged is
    /// no condition of the hold: it is what it was when the wallet was read, some seconds before.
    fn check_limits(
        &mut self,
        world: &World,
        at: usize,
        (before, wallet): (Option<&Wallet>, &Wallet),
    ) -> Checked<()> {
        // A function's clock may be in another month.
        let skew = jiff::SignedDuration::from_secs(MOST_SKEW_SECS.into());
        let times = [world.time() - skew, world.time(), world.time() + skew];
        let by_card = |wallet: &Wallet| {
            times.map(|at| wallet.card_credit(at).pence()).into_iter().max().unwrap_or_default()
        };
        let lent = self.lent.entry(at).or_default();
        let mut recent = Vec::new();
        for (since, pence) in lent.iter().rev() {
            recent.push(*pence);
            if world.time().duration_since(*since) > LONGEST_ASK {
                break;
            }
        }
        let now = by_card(wallet);
        if lent.last().is_none_or(|(_, last)| *last != now) {
            lent.push((world.time(), now));
        }
        let Some(before) = before else { return Ok(()) };
        let by_card = recent.into_iter().chain([by_card(before)]).max().unwrap_or_default();
        let org = wallet.org_id.to_string();
        for (call, hold) in wallet.holds.iter().filter(|(call, _)| !before.holds.contains_key(*call)) {
            let key = [("org_id", org.as_str()), ("call_id", call.as_str())];
            let record = items::get(&world.stack.aws, "calls", &key);
            // One that began without us was told no limit of ours.
            let limit = record["provider_limit_secs"].as_u64().filter(|_| record["state"] == "authorized");
            let Some(limit) = limit else { continue };
            let money = before.available.pence().max(0) + world.outage_credit.max(by_card);
            let money = domain::amount::Amount::try_from(money).unwrap_or_default();
            let paid = hold.tariff.tariff().affordable_seconds(money);
            if limit > u64::from(paid) {
                let detail = format!("{call} may last {limit} s, and {money} pay for {paid} s: {record}");
                return broken(world, "a call's limit is what its money pays for", detail);
            }
        }
        Ok(())
    }

    /// Nothing is spent that is not there, and nothing new by a wallet that is frozen.
    fn check_spending(
        world: &World,
        before: Option<&Wallet>,
        wallet: &Wallet,
        entries: &[Entry],
    ) -> Checked<()> {
        let Some(before) = before else { return Ok(()) };
        let (was, is) = (before.available.pence(), wallet.available.pence());
        let may_owe = |entry: &Entry| matches!(entry.kind, Kind::Call | Kind::Refund | Kind::Dispute);
        if is < 0 && is < was && !entries.iter().any(may_owe) {
            let detail = format!("available went from {was}p to {is}p by {entries:?}");
            return broken(world, "available goes below zero only by a call, refund or dispute", detail);
        }
        if before.frozen.is_some() && wallet.frozen.is_some() {
            let grown = wallet.holds.iter().find(|(call, hold)| {
                before.holds.get(*call).is_none_or(|before| before.amount < hold.amount)
            });
            let bought = entries
                .iter()
                .find(|entry| entry.kind == Kind::PhoneNumber && entry.direction == EntrySide::Debit);
            if grown.is_some() || bought.is_some() {
                let detail = format!("it spends on {grown:?} {bought:?}");
                return broken(world, "a frozen wallet spends nothing new", detail);
            }
        }
        Ok(())
    }

    /// What is held is the sum of the holds; each is of a call that may still go on, and none is taken from one that does.
    fn check_holds(world: &World, before: Option<&Wallet>, wallet: &Wallet) -> Checked<()> {
        let sum: i64 = wallet.holds.values().map(|hold| hold.amount.pence()).sum();
        if sum != wallet.held.pence() {
            let detail = format!("{}p are held, and the holds are {:?}", wallet.held.pence(), wallet.holds);
            return broken(world, "what is held is the sum of the holds", detail);
        }
        let org = wallet.org_id.to_string();
        for call in wallet.holds.keys() {
            let record =
                items::get(&world.stack.aws, "calls", &[("org_id", &org), ("call_id", call.as_str())]);
            let state = record["state"].as_str().unwrap_or("missing");
            if matches!(state, "settled" | "released" | "refused" | "missing") {
                let detail = format!("call {call} is {state} and has a hold");
                return broken(world, "no hold of a call that is over", detail);
            }
        }
        let gone = before.into_iter().flat_map(|before| before.holds.keys());
        for call in gone.filter(|call| !wallet.holds.contains_key(*call)) {
            let record =
                items::get(&world.stack.aws, "calls", &[("org_id", &org), ("call_id", call.as_str())]);
            let id = record["vapi_call_id"].as_str().unwrap_or_else(|| call.as_str());
            let is_estimated = record["estimated"] == true;
            // One whose Vapi call has another record gives its hold back: that one's is there for the talk.
            let mapping = items::get(&world.stack.aws, "call_mapping", &[("vapi_call_id", id)]);
            let is_anothers = mapping["call_id"].as_str().is_some_and(|billed| billed != call.as_str());
            let goes_on = |truth: &vapi::Call| truth.status == "in-progress" && !is_estimated && !is_anothers;
            if let Some(truth) = world.stack.vapi.call(id).filter(goes_on) {
                let detail = format!("{record}, and Vapi: {truth:?}");
                return broken(world, "no hold is taken from a call that goes on", detail);
            }
        }
        Ok(())
    }
}

/// Whether a bill is for all that was talked, or as much of it as our records can confirm: where clocks differ they may confirm
/// less, and where Vapi has said less before, more is for a person to accept. The rest is a doubt.
pub fn is_exact(world: &World, bill: &Bill, truth: &vapi::Call) -> bool {
    let talked_secs = talked_secs(truth).unwrap_or_default();
    let is_changed = world.changed.contains(&truth.id);
    // Seconds that cost nothing more are no doubt.
    let is_same_price = bill.tariff.tariff().charge(talked_secs) == bill.charged;
    let is_told = bill.doubted_secs == Some(talked_secs) || is_same_price;
    let is_doubted = is_told && bill.duration_secs < talked_secs;
    bill.estimated
        || bill.duration_secs == talked_secs
        || is_doubted && (world.is_skewed || world.is_untrue || is_changed)
}

/// Whether these prices were in force when the call was authorized; for one that began without us, when Vapi made it.
///
/// A call of ours is authorized between the making of its record and its dialling.
pub fn is_in_force(world: &World, record: &Call, truth: &vapi::Call, tariff: TariffVersion) -> bool {
    let made = record.dialled_at.map(|_| record.created_at);
    let times = [made, Some(record.begun_at()), Some(truth.created_at), truth.started_at];
    world.is_skewed || times.into_iter().flatten().any(|at| Tariff::at(at).version == tariff)
}

/// No more seconds are paid by nothing, or by nothing that is set aside, than their cause explains.
fn check_bound(
    world: &World,
    invariant: &'static str,
    entry: &Entry,
    (cause, unpaid): (Cause, u32),
) -> Checked<()> {
    if unpaid <= cause.most_secs() {
        return Ok(());
    }
    let detail =
        format!("{unpaid} s are paid by nothing, and {cause} explains {}: {entry:?}", cause.most_secs());
    broken(world, invariant, detail)
}

/// A call's record, and what Vapi knows of it.
fn call_of(world: &World, at: usize, id: &str) -> Checked<(Call, Option<vapi::Call>)> {
    let org = world.clinics.get(at).map(|clinic| clinic.id.clone()).unwrap_or_default();
    let record = items::get(&world.stack.aws, "calls", &[("org_id", &org), ("call_id", id)]);
    match items::typed::<Call>(&record) {
        Ok(call) => {
            let vapi_id = call.parties.vapi_call_id.as_ref().map_or(id, |id| id.as_str());
            let truth = world.stack.vapi.call(vapi_id);
            Ok((call, truth))
        }
        Err(error) => broken(world, "every record can be read", error),
    }
}

/// How long a call was talked, in whole seconds, rounded up; none when there was no talk, or it goes on.
pub fn talked_secs(call: &vapi::Call) -> Option<u32> {
    let millis = call.ended_at?.duration_since(call.started_at?).as_millis();
    let secs = u64::try_from(millis).ok()?.div_ceil(1_000);
    u32::try_from(secs).ok()
}

/// Whether a record says of itself that it is at rest.
pub fn is_closed(record: &Value) -> bool {
    matches!(record["state"].as_str(), Some("settled" | "released" | "refused"))
}
