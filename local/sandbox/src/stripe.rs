//! Stripe: customers, Checkout with a small payment page, saved cards, payments, refunds, disputes, webhook endpoints
//! and the events they are sent, signed and with retries, idempotency keys. The real `stripe` SDK can talk to it.

mod api;
mod customers;
mod deliveries;
mod endpoints;
mod listing;
mod page;
mod payments;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::PathBuf,
    sync::Arc,
};

use base::clock::Clock;
use base::entropy::Entropy;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vendors::stripe::API_VERSION;

use self::deliveries::Delivery;
pub use self::{deliveries::Post, payments::Card};
use super::{
    agenda::Agenda,
    kept::{Guard, Kept},
};

/// How long a delayed payment method takes.
const PAY_LATER: SignedDuration = SignedDuration::from_secs(60);

/// The sandbox.
#[derive(Debug)]
pub struct StripeSandbox {
    state: Kept<State>,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
    settings: Settings,
}

/// What the sandbox must know of the platform around it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The key its REST API takes.
    pub api_key: String,
    /// What the first webhook endpoint signs with; later ones have secrets of their own.
    pub webhook_secret: String,
    /// `http://127.0.0.1:3000`: where its payment page is.
    pub page_base: String,
    /// The file its state outlives the process in.
    pub kept_in: Option<PathBuf>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    /// Every object but the events, by id: `cus_…`, `cs_…`, `pi_…`, `ch_…`, `re_…`, `dp_…`, `pm_…`, `we_…`.
    objects: BTreeMap<String, Value>,
    /// Ids in the order of their making: lists answer the newest first.
    order: Vec<String>,
    /// What was announced in the last thirty days, oldest first, whether or not an endpoint was told.
    #[serde(default)]
    events: VecDeque<Value>,
    /// The ids of the webhook endpoints, oldest first.
    #[serde(default)]
    endpoints: Vec<String>,
    #[serde(default)]
    had_endpoint: bool,
    /// The cards that do not simply pay, by payment method.
    #[serde(default)]
    cards: BTreeMap<String, Card>,
    answered: BTreeMap<String, Answered>,
    agenda: Agenda<Task>,
    #[serde(skip)]
    faults: Faults,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Answered {
    parameters: String,
    status: u16,
    body: Value,
    /// In seconds: an answer is not remembered for ever.
    #[serde(default)]
    at: i64,
}

/// What goes wrong on purpose.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fault of its own, and any may come with any other"
)]
pub struct Faults {
    /// Event types that are never delivered.
    pub lost: BTreeSet<String>,
    /// Every event is delivered this many times more.
    pub extra_copies: u32,
    /// The REST API answers 503.
    pub rest_is_down: bool,
    /// A customer that is made is gone at once.
    pub customers_vanish: bool,
    /// What disputes move is stated in euros, as on an account that settles in them.
    pub settles_in_euros: bool,
    /// Refunds are pending until [`StripeSandbox::arrive_refund`] or [`StripeSandbox::fail_refund`] says what became of them.
    pub refunds_are_pending: bool,
    /// A list of refunds is empty once a dispute has given money back: a bug of ours that reads none, as a simulation plants it.
    pub hides_refunds_of_reinstated: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Task {
    /// A delayed payment comes in.
    PaidLater { session: String },
    /// A charge of a saved card that was on its way arrives.
    Clear { intent: String },
    /// Post an event.
    Deliver(Delivery),
}

/// What a customer does on the payment page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Pays by card.
    Pay,
    /// The card is declined.
    Decline,
    /// Pays by a method that takes its time.
    PayLater,
}

impl StripeSandbox {
    /// An empty one.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>, entropy: Arc<Entropy>) -> Self {
        Self { state: Kept::open(settings.kept_in.clone()), clock, entropy, settings }
    }

    fn lock(&self) -> Guard<'_, State> {
        self.state.lock()
    }

    /// Changes what goes wrong.
    pub fn with_faults(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.lock().faults);
    }

    /// An object, if there is one.
    pub fn object(&self, id: &str) -> Option<Value> {
        let state = self.lock();
        let event = || state.events.iter().rev().find(|event| event["id"] == id);
        state.objects.get(id).or_else(event).cloned()
    }

    /// All objects of one kind (`checkout.session`, `customer`, `event`, …), oldest first.
    pub fn all(&self, kind: &str) -> Vec<Value> {
        let state = self.lock();
        let objects = state.order.iter().filter_map(|id| state.objects.get(id));
        objects.chain(&state.events).filter(|object| object["object"] == kind).cloned().collect()
    }

    /// Has Stripe never have heard of an object, as after a change of account or of mode.
    pub fn forget(&self, id: &str) {
        let mut state = self.lock();
        state.objects.remove(id);
        state.order.retain(|known| known != id);
    }

    /// When the sandbox next does something by itself.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.lock().agenda.next_due()
    }

    /// Does the next thing that is due. Returns the post it leads to, if it leads to one; [`StripeSandbox::posted`]
    /// takes the outcome. None when nothing is due.
    pub fn step(&self) -> Option<Option<Post>> {
        let now = self.clock.now();
        let mut state = self.lock();
        // Looked at before it is touched: what is touched is written to disk.
        state.agenda.next_due().filter(|due| *due <= now)?;
        Some(match state.agenda.take_due(now)? {
            Task::PaidLater { session } => {
                self.pay(&mut state, &session, "checkout.session.async_payment_succeeded");
                None
            }
            Task::Clear { intent } => {
                self.clear(&mut state, &intent);
                None
            }
            Task::Deliver(delivery) => self.post_of(&mut state, delivery),
        })
    }

    /// An event about an object, as it would be posted.
    pub fn event(&self, type_name: &str, object: &Value) -> Value {
        let now = self.clock.now();
        json!({"id": self.id("evt"), "object": "event", "type": type_name, "api_version": API_VERSION,
            "created": now.as_second(), "livemode": false, "pending_webhooks": 1, "data": {"object": object}})
    }

    /// Does on the payment page what a customer would. Returns where the browser goes, or why it cannot be done.
    ///
    /// # Errors
    /// When the session is not open, or the card is declined.
    pub fn act(&self, session: &str, act: Act) -> Result<String, String> {
        let mut state = self.lock();
        let Some(found) = state.objects.get(session).filter(|found| found["object"] == "checkout.session")
        else {
            return Err("There is no such session.".into());
        };
        let is_late = found["expires_at"].as_i64().is_some_and(|at| at <= self.clock.now().as_second());
        if found["status"] != "open" || is_late {
            return Err("This session has been completed, or has expired.".into());
        }
        let success_url = found["success_url"].as_str().unwrap_or_default().to_owned();
        match act {
            Act::Decline => Err("Your card was declined.".into()),
            Act::Pay => {
                self.pay(&mut state, session, "checkout.session.completed");
                Ok(success_url)
            }
            Act::PayLater => {
                let intent = self.make_intent(&mut state, session, "processing");
                if let Some(found) = state.objects.get_mut(session) {
                    found["status"] = json!("complete");
                    found["url"] = Value::Null;
                    found["payment_status"] = json!("unpaid");
                    found["payment_intent"] = json!(intent);
                }
                self.announce(&mut state, "checkout.session.completed", session);
                let at = self.clock.now() + PAY_LATER;
                state.agenda.enter(at, Task::PaidLater { session: session.to_owned() });
                Ok(success_url)
            }
        }
    }

    /// The bank takes back a payment, whole or in part. Returns the dispute's id.
    ///
    /// # Errors
    /// When there is no such payment.
    pub fn dispute(&self, intent: &str, pence: Option<i64>) -> Result<String, String> {
        let mut state = self.lock();
        let payment = state.objects.get(intent).filter(|found| found["object"] == "payment_intent");
        let payment = payment.cloned().ok_or("There is no such payment.")?;
        let pence = pence.or(payment["amount_received"].as_i64()).unwrap_or_default();
        let moved = self.balance_transaction(&state, pence.saturating_neg());
        let id = self.put(
            &mut state,
            "dp",
            json!({"object": "dispute", "status": "needs_response", "amount": pence, "currency": payment["currency"],
                "charge": payment["latest_charge"], "payment_intent": intent, "reason": "fraudulent",
                "balance_transactions": [moved]}),
        );
        self.announce(&mut state, "charge.dispute.created", &id);
        self.announce(&mut state, "charge.dispute.funds_withdrawn", &id);
        Ok(id)
    }

    /// The bank decides a dispute: for the clinic, and gives back what it has not given back before; or against it.
    ///
    /// # Errors
    /// When there is no such dispute.
    pub fn decide_dispute(&self, id: &str, is_won: bool) -> Result<(), String> {
        let mut state = self.lock();
        let dispute = state.objects.get(id).ok_or("There is no such dispute.")?;
        let left =
            dispute["amount"].as_i64().ok_or("It disputes nothing.")?.saturating_sub(given_back(dispute));
        let gives_back = is_won && left > 0;
        let moved = self.balance_transaction(&state, left);
        if let Some(dispute) = state.objects.get_mut(id) {
            dispute["status"] = json!(if is_won { "won" } else { "lost" });
            if let (true, Some(all)) = (gives_back, dispute["balance_transactions"].as_array_mut()) {
                all.push(moved);
            }
        }
        if gives_back {
            self.announce(&mut state, "charge.dispute.funds_reinstated", id);
        }
        self.announce(&mut state, "charge.dispute.closed", id);
        Ok(())
    }

    /// The bank asks about a payment, and takes nothing yet. Returns the dispute's id.
    ///
    /// # Errors
    /// When there is no such payment.
    pub fn inquire(&self, intent: &str) -> Result<String, String> {
        let mut state = self.lock();
        let payment = state.objects.get(intent).filter(|found| found["object"] == "payment_intent");
        let payment = payment.cloned().ok_or("There is no such payment.")?;
        let inquiry = json!({"object": "dispute", "status": "warning_needs_response",
            "amount": payment["amount_received"], "currency": payment["currency"],
            "charge": payment["latest_charge"], "payment_intent": intent, "reason": "general",
            "balance_transactions": []});
        let id = self.put(&mut state, "dp", inquiry);
        self.announce(&mut state, "charge.dispute.created", &id);
        Ok(id)
    }

    /// The bank that asked about a payment takes the money: the inquiry is a dispute from now on.
    ///
    /// # Errors
    /// When there is no such dispute.
    pub fn escalate_inquiry(&self, id: &str) -> Result<(), String> {
        let mut state = self.lock();
        let inquiry = state.objects.get(id).ok_or("There is no such dispute.")?;
        let pence = inquiry["amount"].as_i64().ok_or("It disputes nothing.")?;
        let moved = self.balance_transaction(&state, pence.saturating_neg());
        let dispute = state.objects.get_mut(id).ok_or("There is no such dispute.")?;
        dispute["status"] = json!("needs_response");
        dispute["balance_transactions"] = json!([moved]);
        self.announce(&mut state, "charge.dispute.updated", id);
        self.announce(&mut state, "charge.dispute.funds_withdrawn", id);
        Ok(())
    }

    /// Nothing comes of an inquiry.
    ///
    /// # Errors
    /// When there is no such dispute.
    pub fn close_inquiry(&self, id: &str) -> Result<(), String> {
        let mut state = self.lock();
        state.objects.get_mut(id).ok_or("There is no such dispute.")?["status"] = json!("warning_closed");
        self.announce(&mut state, "charge.dispute.closed", id);
        Ok(())
    }

    /// The bank gives a part of what a dispute took back, before or without deciding it.
    ///
    /// # Errors
    /// When there is no such dispute.
    pub fn reinstate(&self, id: &str, pence: i64) -> Result<(), String> {
        let mut state = self.lock();
        let moved = self.balance_transaction(&state, pence);
        let dispute = state.objects.get_mut(id).ok_or("There is no such dispute.")?;
        dispute["balance_transactions"].as_array_mut().ok_or("It moved nothing.")?.push(moved);
        self.announce(&mut state, "charge.dispute.funds_reinstated", id);
        Ok(())
    }

    /// A card network warns that a payment is likely to be fraud. Returns the warning's id.
    ///
    /// # Errors
    /// When there is no such payment.
    pub fn warn(&self, intent: &str) -> Result<String, String> {
        let mut state = self.lock();
        let payment = state.objects.get(intent).filter(|found| found["object"] == "payment_intent");
        let charge = payment.ok_or("There is no such payment.")?["latest_charge"].clone();
        let warning = json!({"object": "radar.early_fraud_warning", "actionable": true, "charge": charge,
            "fraud_type": "made_with_stolen_card", "payment_intent": intent});
        let id = self.put(&mut state, "issfr", warning);
        self.announce(&mut state, "radar.early_fraud_warning.created", &id);
        Ok(id)
    }

    /// A refund that was pending arrives on the card.
    ///
    /// # Errors
    /// When there is no such refund.
    pub fn arrive_refund(&self, id: &str) -> Result<(), String> {
        let mut state = self.lock();
        state.objects.get_mut(id).ok_or("There is no such refund.")?["status"] = json!("succeeded");
        self.announce(&mut state, "refund.updated", id);
        Ok(())
    }

    /// A refund does not arrive.
    ///
    /// # Errors
    /// When there is no such refund.
    pub fn fail_refund(&self, id: &str) -> Result<(), String> {
        let mut state = self.lock();
        state.objects.get_mut(id).ok_or("There is no such refund.")?["status"] = json!("failed");
        self.announce(&mut state, "refund.failed", id);
        Ok(())
    }

    /// A session is paid: its payment, its charge, and the events that say so.
    fn pay(&self, state: &mut State, session: &str, type_name: &str) {
        let waiting =
            state.objects.get(session).and_then(|found| found["payment_intent"].as_str()).map(str::to_owned);
        let intent = waiting.unwrap_or_else(|| self.make_intent(state, session, "processing"));
        self.succeed(state, &intent);
        if let Some(found) = state.objects.get_mut(session) {
            found["status"] = json!("complete");
            found["url"] = Value::Null;
            found["payment_status"] = json!("paid");
            found["payment_intent"] = json!(intent);
            if found["invoice_creation"]["enabled"] == true {
                found["invoice"] = json!(self.id("in"));
            }
        }
        self.announce(state, type_name, session);
        self.announce(state, "payment_intent.succeeded", &intent);
    }

    fn balance_transaction(&self, state: &State, pence: i64) -> Value {
        let (amount, currency) = if state.faults.settles_in_euros {
            (pence.saturating_mul(6).div_euclid(5), "eur")
        } else {
            (pence, "gbp")
        };
        json!({"id": self.id("txn"), "object": "balance_transaction", "amount": amount, "currency": currency,
            "fee": 1_500, "type": "adjustment"})
    }

    /// Keeps an object under a new id.
    fn put(&self, state: &mut State, prefix: &str, mut object: Value) -> String {
        let id = self.id(prefix);
        object["id"] = json!(id);
        object["created"] = json!(self.clock.now().as_second());
        object["livemode"] = json!(false);
        state.objects.insert(id.clone(), object);
        state.order.push(id.clone());
        id
    }

    fn id(&self, prefix: &str) -> String {
        format!("{prefix}_{:016x}", self.entropy.bits())
    }
}

/// What a dispute has given back so far, in pence.
fn given_back(dispute: &Value) -> i64 {
    let moved = dispute["balance_transactions"].as_array().into_iter().flatten();
    let in_pence = moved.filter(|moved| moved["currency"] == "gbp");
    in_pence
        .filter_map(|moved| moved["amount"].as_i64())
        .filter(|pence| *pence > 0)
        .fold(0, i64::saturating_add)
}
