//! Reconciliation: what the vendors say against what we have. Webhooks are the fast path; this is the guarantee.
//!
//! Every task may run twice at once, die anywhere and be run again: it does nothing by itself, but has the rules of calls,
//! payments and numbers do once more what they would have done by webhook. It ends within its time, and the next run goes on.

mod appointments;
mod books;
mod calls;
mod listing;
mod numbers;
mod payments;
mod teams;

use std::{fmt::Display, sync::Arc};

use jiff::{SignedDuration, Timestamp};

use crate::charging::{self, Carrier, Charging, ChargingError};
use crate::payments::{PaymentError, Payments};
use crate::provisioning::{self, ProvisionError, Provisioning};
use crate::recharge::{self, Recharge, RechargeError};
use crate::team::{self, TeamKeeper};
use base::alarm;
use base::alarm::chain;
use base::clock::Clock;
use base::config::Reader;
use base::entropy::Entropy;
use base::keyring::Keyring;
use domain::{amount::Amount, wallet::Wallet};
use platform::{Platform, bucket::Bucket};
use store::{
    Dynamo, StoreError, booking::Bookings, doubts::Doubts, ledger::Ledger, runs::Runs, wallets::Wallets,
    webhook_events::WebhookEvents,
};
use vendors::{stripe::StripeError, twilio::TwilioError, vapi::VapiError};

pub use books::Anchors;
pub use numbers::LONGEST_STEP;

pub use store::runs::{Finding, Report};

/// Everything that reconciliation needs.
#[derive(Debug)]
pub struct Reconcile {
    db: Dynamo,
    /// The rules of calls.
    pub charging: Charging,
    /// The rules of cards that are charged by themselves; with it, of payments.
    pub recharge: Recharge,
    /// The rules of numbers.
    pub provisioning: Provisioning,
    /// The money.
    pub wallets: Wallets,
    /// Its movements.
    pub ledger: Ledger,
    /// Where the heads of ledgers are anchored.
    pub anchors: Anchors,
    /// What it remembers.
    pub runs: Runs,
    /// What vendors state of calls beyond what is billed.
    pub doubts: Doubts,
    /// Where calls are kept that no org is known for.
    pub dead_letters: WebhookEvents,
    bookings: Bookings,
    team: TeamKeeper,
    /// What a number costs a month.
    pub rental: Amount,
    /// Marks what is ours at the vendors.
    pub environment: String,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<Entropy>,
}

/// Settings of it.
#[derive(Debug)]
pub struct Settings {
    charging: charging::Settings,
    recharge: recharge::Settings,
    provisioning: provisioning::Settings,
    team: team::Settings,
    keyring: Keyring,
    anchors_url: String,
    rental: Amount,
}

impl Settings {
    /// Reads them.
    pub fn read(reader: &mut Reader<'_>, platform: &Platform) -> Self {
        Self {
            charging: charging::Settings::read(reader, platform),
            recharge: recharge::Settings::read(reader, platform),
            provisioning: provisioning::Settings::read(reader, platform),
            team: team::Settings::read(reader),
            keyring: Keyring::read(reader, Arc::clone(&platform.entropy)),
            anchors_url: reader.required("ANCHORS_URL"),
            rental: reader.pence_or("NUMBER_RENTAL_PENCE", Amount::ZERO),
        }
    }
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Live calls whose check is overdue, every minute.
    Calls,
    /// Vapi's list of calls against ours, every 15 minutes.
    Listing,
    /// Stripe's events against the ledger, every hour.
    Payments,
    /// The vendors' numbers against ours, every day.
    Numbers,
    /// Every wallet against its ledger, every day.
    Books,
    /// Every clinic's appointments against the times they take, every day.
    Appointments,
    /// Teams of whose people the issuer is still to be told, every five minutes: the token of one who was removed lasts longer.
    Teams,
}

impl Task {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Calls,
        Self::Listing,
        Self::Payments,
        Self::Numbers,
        Self::Books,
        Self::Appointments,
        Self::Teams,
    ];

    /// Its name, in the schedule and in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Listing => "listing",
            Self::Payments => "payments",
            Self::Numbers => "numbers",
            Self::Books => "books",
            Self::Appointments => "appointments",
            Self::Teams => "teams",
        }
    }

    /// The task of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|task| task.as_str() == name)
    }

    /// How long it may be since the last report: twice its period, and a little.
    const fn longest_silence(self) -> SignedDuration {
        match self {
            Self::Calls => SignedDuration::from_mins(10),
            Self::Teams => SignedDuration::from_mins(20),
            Self::Listing => SignedDuration::from_mins(40),
            Self::Payments => SignedDuration::from_mins(130),
            Self::Numbers | Self::Books | Self::Appointments => SignedDuration::from_hours(49),
        }
    }

    /// How long a run may begin new things: well within the function's time (`template.yaml`), and within the minute for
    /// what runs every minute.
    pub const fn budget(self) -> SignedDuration {
        match self {
            Self::Calls => SignedDuration::from_secs(45),
            Self::Listing
            | Self::Payments
            | Self::Numbers
            | Self::Books
            | Self::Appointments
            | Self::Teams => SignedDuration::from_secs(200),
        }
    }
}

/// Why a run did not come to its end. What it did is done, and the next run does the rest.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// The store or a queue did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A call could not be dealt with.
    #[error(transparent)]
    Charging(#[from] ChargingError),
    /// A payment could not be dealt with.
    #[error(transparent)]
    Payment(#[from] PaymentError),
    /// A card could not be dealt with.
    #[error(transparent)]
    Recharge(#[from] RechargeError),
    /// A number could not be dealt with.
    #[error(transparent)]
    Provision(#[from] ProvisionError),
    /// The carrier did not do its part.
    #[error(transparent)]
    Twilio(#[from] TwilioError),
    /// Vapi did not do its part.
    #[error(transparent)]
    Vapi(#[from] VapiError),
    /// Stripe did not do its part.
    #[error(transparent)]
    Stripe(#[from] StripeError),
}

/// What a run has seen and done so far.
#[derive(Debug)]
pub struct Run {
    give_up_at: Timestamp,
    checked: u64,
    checked_ids: Vec<String>,
    repaired: Vec<Finding>,
    left: Vec<Finding>,
    was_cut: bool,
}

/// The most things that a report names among those that were looked at; it counts all.
const MOST_CHECKED_IDS: usize = 500;
/// The most findings of a kind that a report names; the log has all.
const MOST_FINDINGS: usize = 500;

impl Run {
    const fn new(give_up_at: Timestamp) -> Self {
        Self {
            give_up_at,
            checked: 0,
            checked_ids: Vec::new(),
            repaired: Vec::new(),
            left: Vec::new(),
            was_cut: false,
        }
    }

    /// One more thing was looked at.
    pub fn checked(&mut self, id: impl Display) {
        self.checked = self.checked.saturating_add(1);
        if self.checked_ids.len() < MOST_CHECKED_IDS {
            self.checked_ids.push(id.to_string());
        }
    }

    /// Something was put right.
    pub fn repaired(&mut self, what: &'static str, id: impl Display) {
        tracing::info!(what, %id, "reconciliation put something right");
        note(&mut self.repaired, what, &id);
    }

    /// Something is left, for a person or the next run.
    pub fn left(&mut self, what: &'static str, id: impl Display) {
        tracing::warn!(what, %id, "reconciliation left something");
        note(&mut self.left, what, &id);
    }

    /// The same, for this reason.
    pub fn failed(
        &mut self,
        what: &'static str,
        id: impl Display,
        error: &(dyn std::error::Error + 'static),
    ) {
        tracing::warn!(what, %id, cause = chain(error), "reconciliation could not deal with something");
        note(&mut self.left, what, &id);
    }

    /// Whether nothing new is to be begun: the next run goes on.
    pub fn is_out_of_time(&mut self, now: Timestamp) -> bool {
        let is_out = now >= self.give_up_at;
        self.was_cut |= is_out;
        is_out
    }

    /// Notes that there is more than this run takes, if there is.
    pub fn cut_if(&mut self, is_cut: bool) {
        self.was_cut |= is_cut;
    }

    const fn has_left_something(&self) -> bool {
        !self.left.is_empty() || self.was_cut
    }
}

fn note(findings: &mut Vec<Finding>, what: &str, id: &impl Display) {
    if findings.len() < MOST_FINDINGS {
        findings.push(Finding { what: what.to_owned(), id: id.to_string() });
    }
}

impl Reconcile {
    /// Puts it together from a function's platform and settings.
    pub fn deployed(platform: &Platform, settings: Settings) -> Self {
        let db = platform.database(&settings.charging.base.table_prefix);
        let environment = settings.charging.base.environment.clone();
        let provisioning = Provisioning::deployed(platform, settings.provisioning);
        let mut charging = Charging::deployed(platform, settings.charging);
        charging.carrier = Some(Carrier::new(&db, provisioning.twilio.clone(), settings.keyring));
        Self {
            charging,
            doubts: Doubts::new(db.clone()),
            bookings: Bookings::new(db.clone()),
            team: TeamKeeper::deployed(platform, &settings.team),
            recharge: Recharge::deployed(platform, settings.recharge),
            provisioning,
            wallets: Wallets::new(db.clone()),
            ledger: Ledger::new(db.clone()),
            anchors: Anchors::new(Bucket::of(platform, settings.anchors_url)),
            runs: Runs::new(db.clone()),
            dead_letters: WebhookEvents::vapi(db.clone()),
            db,
            rental: settings.rental,
            environment,
            clock: Arc::clone(&platform.clock),
            entropy: Arc::clone(&platform.entropy),
        }
    }

    /// Runs a task within its time, and keeps the report of it.
    ///
    /// # Errors
    /// When something of ours did not do its part. The report of what was done before is kept all the same.
    pub async fn run(&self, task: Task) -> Result<Report, ReconcileError> {
        let started_at = self.clock.now();
        let mut run = Run::new(started_at + task.budget());
        let outcome = match task {
            Task::Calls => Box::pin(self.calls(&mut run)).await,
            Task::Listing => Box::pin(self.listing(&mut run, started_at)).await,
            Task::Payments => Box::pin(self.payments(&mut run, started_at)).await,
            Task::Numbers => Box::pin(self.numbers(&mut run)).await,
            Task::Books => Box::pin(self.books(&mut run)).await,
            Task::Appointments => Box::pin(self.appointments(&mut run)).await,
            Task::Teams => Box::pin(self.teams(&mut run)).await,
        };
        if outcome.is_err() {
            note(&mut run.left, "run_failed", &task.as_str());
        }
        let report = Report {
            task: task.as_str().to_owned(),
            started_at,
            finished_at: self.clock.now(),
            checked: run.checked,
            checked_ids: run.checked_ids,
            repaired: run.repaired,
            left: run.left,
            complete: outcome.is_ok() && !run.was_cut,
        };
        tracing::info!(
            task = report.task,
            checked = report.checked,
            repaired = report.repaired.len(),
            left = report.left.len(),
            complete = report.complete,
            "a reconciliation run"
        );
        if let Err(error) = &outcome {
            alarm!(
                "reconciliation_failed",
                task = task.as_str(),
                cause = chain(error),
                "a reconciliation run did not come to its end"
            );
        }
        let id = self.entropy.uuid(started_at).to_string();
        let kept = self.runs.keep(&report, &id).await;
        outcome?;
        kept?;
        Ok(report)
    }

    /// What books payments.
    fn booking(&self) -> &Payments {
        &self.recharge.payments
    }

    pub(super) async fn follow_up(&self, wallet: &Wallet) -> Result<(), ReconcileError> {
        Ok(self.charging.follow_up.after(wallet).await?)
    }
}
