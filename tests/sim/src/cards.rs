//! What must hold of charges that nobody asks for: none of a card that was disputed or warned of, none once money was asked back until
//! the clinic asks anew, and none above what the clinic lets be charged at a time and in a month.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    ledger::{Entry, EntrySide, Kind},
    recharge::Episode,
    time::month_of,
    wallet::Wallet,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::world::World;

/// Something that does not hold: what, and what was found instead.
pub type Broken = (&'static str, String);

/// How long a request of the clinic's may be on its way, a write that is done late included.
const ON_ITS_WAY: SignedDuration = SignedDuration::from_hours(2);

/// What is known of each clinic's cards, by what the vendor and the ledger say.
#[derive(Debug, Default)]
pub struct Cards(BTreeMap<usize, Clinic>);

#[derive(Debug, Default)]
struct Clinic {
    /// The cards that our system has heard to be disputed or warned of, by name and by fingerprint.
    barred: BTreeSet<String>,
    /// When money of the present card was last refunded, by the ledger.
    asked_back_at: Option<Timestamp>,
    /// When the clinic last asked for automatic charges.
    asked_at: Option<Timestamp>,
    /// What was charged by itself in each month, what is underway included, in pence.
    months: BTreeMap<String, i64>,
    /// How many automatic charges were begun.
    begun: u64,
}

impl Cards {
    /// The clinic asks for automatic charges.
    pub fn asks(&mut self, clinic: usize, now: Timestamp) {
        self.0.entry(clinic).or_default().asked_at = Some(now);
    }

    /// Our system has taken an event of Stripe's.
    pub fn heard(&mut self, world: &World, event: &Value) {
        let object = &event["data"]["object"];
        let status = object["status"].as_str().unwrap_or_default();
        let is_dispute = event["type"].as_str().is_some_and(|kind| kind.starts_with("charge.dispute."));
        let is_bad = event["type"] == "radar.early_fraud_warning.created"
            || is_dispute && !status.starts_with("warning_");
        let payment = object["payment_intent"].as_str().and_then(|id| world.stack.stripe.object(id));
        let Some(payment) = payment.filter(|_| is_bad) else { return };
        let clinic = world.customers().get(payment["customer"].as_str().unwrap_or_default()).copied();
        let card = payment["payment_method"].as_str();
        if let (Some(clinic), Some(card)) = (clinic, card) {
            self.0.entry(clinic).or_default().barred.extend(names_of(world, card));
        }
    }

    /// Follows a clinic's wallet from one state to the next.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn follow(
        &mut self,
        world: &World,
        at: usize,
        (before, wallet): (Option<&Wallet>, &Wallet),
        entries: &[Entry],
    ) -> Result<(), Broken> {
        let clinic = self.0.entry(at).or_default();
        let was = before.and_then(|before| before.auto_recharge.episode.as_ref());
        let is = wallet.auto_recharge.episode.as_ref();
        let mut is_paid = false;
        for entry in entries {
            let payment = entry.payment_intent.as_ref().and_then(|id| world.stack.stripe.object(id.as_str()));
            let payment = payment.unwrap_or_default();
            match (entry.kind, payment["metadata"]["voxanne_episode"].as_str()) {
                (Kind::TopUp, Some(episode)) if was.is_some_and(|was| was.id.to_string() == episode) => {
                    is_paid = true;
                }
                // It was given up, and succeeded after all.
                (Kind::TopUp, Some(_)) => {
                    *clinic.months.entry(month_of(entry.created_at)).or_default() += entry.amount.pence();
                }
                (Kind::Refund, _) if entry.direction == EntrySide::Debit => {
                    let is_present = payment["payment_method"].as_str() == wallet.payment_method.as_deref();
                    clinic.asked_back_at =
                        clinic.asked_back_at.filter(|_| !is_present).or(is_present.then(|| world.time()));
                }
                _ => {}
            }
        }
        if was.map(|was| &was.id) == is.map(|is| &is.id) {
            return Ok(());
        }
        if let Some(was) = was.filter(|_| !is_paid) {
            *clinic.months.entry(month_of(was.opened_at)).or_default() -= was.amount.pence();
        }
        is.map_or(Ok(()), |is| clinic.opens(world, wallet, is))
    }

    /// How many automatic charges were begun.
    pub fn begun(&self) -> u64 {
        self.0.values().map(|clinic| clinic.begun).sum()
    }
}

impl Clinic {
    /// An automatic charge is begun.
    fn opens(&mut self, world: &World, wallet: &Wallet, episode: &Episode) -> Result<(), Broken> {
        self.begun += 1;
        let card = &episode.payment_method;
        if names_of(world, card).iter().any(|name| self.barred.contains(name)) {
            return Err(("no disputed card is charged by itself", format!("{episode:?} charges {card}")));
        }
        let is_asked = |back: Timestamp| self.asked_at.is_some_and(|asked| asked + ON_ITS_WAY > back);
        if let Some(back) = self.asked_back_at.filter(|back| !is_asked(*back)) {
            let detail = format!("money was asked back at {back}, and {episode:?} is begun");
            return Err(("what is asked back stops automatic charges", detail));
        }
        let pence = episode.amount.pence();
        let charged = self.months.entry(month_of(episode.opened_at)).or_default();
        *charged += pence;
        let Some(settings) = &wallet.auto_recharge.settings else {
            return Err((
                "no more is charged than the clinic lets",
                format!("{episode:?}, and nobody asked for it"),
            ));
        };
        let (month, charge) = (settings.limit_per_month().pence(), settings.limit_per_charge().pence());
        if *charged > month || pence > charge {
            let detail =
                format!("{charged}p of {month}p in the month, {pence}p of {charge}p at a time: {episode:?}");
            return Err(("no more is charged than the clinic lets", detail));
        }
        Ok(())
    }
}

/// What a card is called: by Stripe's name, and by the number's fingerprint.
fn names_of(world: &World, card: &str) -> Vec<String> {
    let method = world.stack.stripe.object(card).unwrap_or_default();
    let fingerprint = method["card"]["fingerprint"].as_str().map(str::to_owned);
    fingerprint.into_iter().chain([card.to_owned()]).collect()
}
