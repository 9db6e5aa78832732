//! Stripe: customers, Checkout with a small payment page, payments, refunds, disputes, signed events with retries,
//! idempotency keys. The real `stripe` SDK can talk to it.

mod api;
mod page;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::{
    domain::{clock::Clock, entropy::Entropy},
    providers::{
        signature::hmac_sha256,
        stripe::{API_VERSION, SIGNATURE_HEADER},
    },
};

use super::{
    agenda::Agenda,
    kept::{Guard, Kept},
};

/// How long a delayed payment method takes.
const PAY_LATER: SignedDuration = SignedDuration::from_secs(60);
/// When a delivery that was not taken is tried again, one after another.
const RETRIES_SECS: [i64; 6] = [5, 30, 300, 3_600, 4 * 3_600, 24 * 3_600];

/// The sandbox.
#[derive(Debug)]
pub struct StripeSandbox {
    state: Kept<State>,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
    settings: Settings,
}

/// What the sandbox must know of the world around it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The key its REST API takes.
    pub api_key: String,
    /// What it signs with.
    pub webhook_secret: String,
    /// `http://127.0.0.1:3000`: where its payment page is.
    pub page_base: String,
    /// The file its state outlives the process in.
    pub kept_in: Option<PathBuf>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    /// Every object, by id: `cus_…`, `cs_…`, `pi_…`, `ch_…`, `re_…`, `dp_…`, `pm_…`.
    objects: BTreeMap<String, Value>,
    /// Ids in the order of their making: lists answer the newest first.
    order: Vec<String>,
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
}

/// What goes wrong on purpose.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Event types that are never delivered.
    pub lost: BTreeSet<String>,
    /// Every event is delivered this many times more.
    pub extra_copies: u32,
    /// The REST API answers 503.
    pub rest_is_down: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Task {
    /// A delayed payment comes in.
    PaidLater { session: String },
    /// Post an event.
    Deliver { type_name: String, body: String, attempt: usize },
}

/// What a step needs posted.
#[derive(Debug)]
pub struct Post {
    /// The signed request, for `/api/webhooks/stripe`.
    pub request: Request<Bytes>,
    type_name: String,
    body: String,
    attempt: usize,
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
        self.lock().objects.get(id).cloned()
    }

    /// All objects of one kind (`checkout.session`, `customer`, …), oldest first.
    pub fn all(&self, kind: &str) -> Vec<Value> {
        let state = self.lock();
        state
            .order
            .iter()
            .filter_map(|id| state.objects.get(id))
            .filter(|o| o["object"] == kind)
            .cloned()
            .collect()
    }

    /// When the sandbox next does something by itself.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.lock().agenda.next_due()
    }

    /// Does the next thing that is due. Answers the post it leads to, if it leads to one; [`StripeSandbox::posted`]
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
            Task::Deliver { type_name, body, attempt } => {
                let is_lost = state.faults.lost.contains(&type_name);
                (!is_lost).then(|| Post { request: self.signed(&body), type_name, body, attempt })
            }
        })
    }

    /// Takes the outcome of a post: the answer, or none when none came in time.
    pub fn posted(&self, post: Post, answer: Option<&Response<Bytes>>) {
        let is_taken = answer.is_some_and(|answer| answer.status().is_success());
        let Some(wait) = RETRIES_SECS.get(post.attempt).filter(|_| !is_taken) else { return };
        let at = self.clock.now() + SignedDuration::from_secs(*wait);
        let attempt = post.attempt.saturating_add(1);
        self.lock().agenda.enter(at, Task::Deliver { type_name: post.type_name, body: post.body, attempt });
    }

    /// A body, signed as Stripe signs it.
    pub fn signed(&self, body: &str) -> Request<Bytes> {
        let stamp = self.clock.now().as_second().to_string();
        let secret = self.settings.webhook_secret.as_str().into();
        let tag = hmac_sha256(&secret, &[stamp.as_bytes(), b".", body.as_bytes()]);
        let mut request = Request::new(Bytes::from(body.to_owned()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = http::Uri::from_static("/api/webhooks/stripe");
        if let Ok(value) = HeaderValue::from_str(&format!("t={stamp},v1={}", hex::encode(tag))) {
            request.headers_mut().insert(SIGNATURE_HEADER, value);
        }
        request
    }

    /// An event about an object, as it would be posted.
    pub fn event(&self, type_name: &str, object: &Value) -> Value {
        let now = self.clock.now();
        json!({"id": self.id("evt"), "object": "event", "type": type_name, "api_version": API_VERSION,
            "created": now.as_second(), "livemode": false, "pending_webhooks": 1, "data": {"object": object}})
    }

    /// Does on the payment page what a customer would. Answers where the browser goes, or why it cannot be done.
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

    /// The bank takes back a payment, whole or in part. Answers the dispute's id.
    ///
    /// # Errors
    /// When there is no such payment.
    pub fn dispute(&self, intent: &str, pence: Option<i64>) -> Result<String, String> {
        let mut state = self.lock();
        let payment = state.objects.get(intent).filter(|found| found["object"] == "payment_intent");
        let payment = payment.cloned().ok_or("There is no such payment.")?;
        let pence = pence.or(payment["amount_received"].as_i64()).unwrap_or_default();
        let moved = self.balance_transaction(pence.saturating_neg());
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

    /// The bank decides a dispute: for the clinic, and gives the money back; or against it.
    ///
    /// # Errors
    /// When there is no such dispute.
    pub fn decide_dispute(&self, id: &str, is_won: bool) -> Result<(), String> {
        let mut state = self.lock();
        let moved = self.balance_transaction(
            state
                .objects
                .get(id)
                .and_then(|dispute| dispute["amount"].as_i64())
                .ok_or("There is no such dispute.")?,
        );
        if let Some(dispute) = state.objects.get_mut(id) {
            dispute["status"] = json!(if is_won { "won" } else { "lost" });
            if let (true, Some(all)) = (is_won, dispute["balance_transactions"].as_array_mut()) {
                all.push(moved);
            }
        }
        if is_won {
            self.announce(&mut state, "charge.dispute.funds_reinstated", id);
        }
        self.announce(&mut state, "charge.dispute.closed", id);
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
        }
        self.announce(state, type_name, session);
        self.announce(state, "payment_intent.succeeded", &intent);
    }

    fn make_intent(&self, state: &mut State, session: &str, status: &str) -> String {
        let session = state.objects.get(session).cloned().unwrap_or_default();
        let given = &session["payment_intent_data"];
        let intent = json!({"object": "payment_intent", "status": status, "amount": session["amount_total"],
            "amount_received": 0, "currency": session["currency"], "customer": session["customer"],
            "metadata": given["metadata"].as_object().cloned().unwrap_or_default(),
            "setup_future_usage": given["setup_future_usage"], "payment_method": Value::Null, "latest_charge": Value::Null});
        self.put(state, "pi", intent)
    }

    /// Money is received for a payment.
    fn succeed(&self, state: &mut State, intent: &str) {
        let payment = state.objects.get(intent).cloned().unwrap_or_default();
        let method = match payment["payment_method"].as_str() {
            Some(method) => method.to_owned(),
            None => self.put(
                state,
                "pm",
                json!({"object": "payment_method", "type": "card", "customer": payment["customer"],
                    "card": {"brand": "visa", "last4": "4242"}}),
            ),
        };
        let charge = self.put(
            state,
            "ch",
            json!({"object": "charge", "status": "succeeded", "paid": true, "amount": payment["amount"],
                "amount_refunded": 0, "refunded": false, "currency": payment["currency"],
                "customer": payment["customer"], "payment_intent": intent}),
        );
        if let Some(payment) = state.objects.get_mut(intent) {
            payment["status"] = json!("succeeded");
            payment["amount_received"] = payment["amount"].clone();
            payment["payment_method"] = json!(method);
            payment["latest_charge"] = json!(charge);
        }
    }

    /// Plans the delivery of an event about an object as it is now.
    fn announce(&self, state: &mut State, type_name: &str, id: &str) {
        let object = state.objects.get(id).map(api::shown).unwrap_or_default();
        let body = self.event(type_name, &object).to_string();
        for _ in 0..=state.faults.extra_copies {
            let task = Task::Deliver { type_name: type_name.to_owned(), body: body.clone(), attempt: 0 };
            state.agenda.enter(self.clock.now(), task);
        }
    }

    fn balance_transaction(&self, pence: i64) -> Value {
        json!({"id": self.id("txn"), "object": "balance_transaction", "amount": pence, "currency": "gbp",
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
