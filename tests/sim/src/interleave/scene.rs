//! The wallet and the diary that operations meet at: set up once for each combination of operations, and put back as it was for each
//! schedule.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, PoisonError},
    task::Poll,
};

use base::clock::Clock;
use base::entropy::Entropy;
use bytes::Bytes;
use domain::{
    call::Direction,
    ids::{CallId, CustomerId, OrgId, VapiAssistantId, VapiPhoneId},
    phone_number::PhoneNumber,
    time::plus_secs,
};
use http::Request;
use jiff::{SignedDuration, Timestamp};
use local::{
    queue::Message,
    stack::{Keys, Plan, Stack, Storage, test_epoch},
};
use serde_json::{Value, json};
use store::{
    customers::Customers,
    mappings::{AssistantMapping, Mappings, PhoneNumberMapping},
    queue::MeterMessage,
    wallets::Wallets,
};
use uuid::Uuid;

use super::{
    gate::Gate,
    operation::{Operation, Part, Wish},
    others::CALENDAR_QUEUE,
    records::{Place, Records},
};

/// The clinic whose wallet it is.
pub(super) const ORG: OrgId = OrgId::new(Uuid::from_u128(0xA));
/// What a top-up brings.
pub(super) const TOP_UP_PENCE: i64 = 3_000;
/// What a refund takes back.
pub(super) const REFUND_PENCE: i64 = 250;
/// What the settled call costs, which is talked for a minute.
pub(super) const SETTLED_PENCE: i64 = 56;
/// The queue that looks at live calls are ordered by.
pub(super) const METER_QUEUE: &str = "CallMeterQueue";
const ENVIRONMENT: &str = "interleave";
const NUMBER: &str = "+442071838750";
const PHONE_ID: &str = "48267b20-7372-4b51-a91e-e5c1e26109af";
const ASSISTANT_ID: &str = "ef005c08-d978-4e38-9dd6-489078b59ba7";
const AGENT_LIMIT_SECS: u32 = 3_600;
const SETTLED_SECS: i64 = 60;
/// What every call of the scene has on hold: five minutes.
const GRANT_PENCE: i64 = 280;
/// How long after they began the calls are met: one that is to be extended is due then.
const LATER_SECS: i64 = 230;
/// How long before the others the call began whose money is used up by then.
const EARLIER_SECS: i64 = 80;
/// What ids come from in every schedule.
const SEED: u64 = 7;
/// What Stripe's sandbox would announce by itself. The operations are these events, and come when they are chosen.
const ANNOUNCED: [&str; 5] =
    ["payment_intent.succeeded", "charge.succeeded", "refund.created", "refund.updated", "charge.refunded"];

/// How much the wallet has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Money {
    /// Not enough for all; nothing but what is held, where a call is to be ended because of that.
    Scarce,
    /// Enough for all; a call that is to be ended talks without a hold.
    Ample,
}

/// Operations that meet.
#[derive(Clone, Debug)]
pub(super) struct Combination {
    pub(super) parts: Vec<Part>,
    pub(super) money: Money,
    /// Whether one of them may die after any of its steps.
    pub(super) crashes: bool,
}

impl Combination {
    /// Whether any of them is this operation.
    pub(super) fn has(&self, operation: Operation) -> bool {
        self.parts.iter().any(|part| part.operation == operation)
    }

    /// Whether there are too many schedules to go through all: some are, as chance decides.
    pub(super) fn is_sampled(&self) -> bool {
        self.crashes && self.parts.len() > 2
    }

    /// Its parts, each once.
    pub(super) fn subjects(&self) -> BTreeSet<Part> {
        self.parts.iter().copied().collect()
    }

    /// What is available when they meet.
    fn available(&self) -> i64 {
        let price = if self.has(Operation::Purchase) { 1_000 } else { 0 };
        match self.money {
            Money::Ample => 20_000,
            Money::Scarce if self.has(Operation::End) => 0,
            Money::Scarce => 300_i64.saturating_add(price),
        }
    }

    /// The calls that have a hold when they meet.
    fn held_calls(&self) -> Vec<Part> {
        let is_held = |part: &Part| match part.operation {
            Operation::Extend | Operation::Settle | Operation::Release | Operation::Diary(_) => true,
            Operation::End => self.money == Money::Scarce,
            Operation::Authorize | Operation::TopUp | Operation::Refund | Operation::Purchase => false,
        };
        self.subjects().into_iter().filter(is_held).collect()
    }
}

impl fmt::Display for Combination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = self.parts.iter().map(Part::to_string).collect();
        let money = match self.money {
            Money::Scarce => "money short",
            Money::Ample => "money enough",
        };
        write!(f, "{} ({money})", parts.join(" + "))
    }
}

/// An operation on its way. Returns whether it was acknowledged: what was not comes again.
pub(super) type Delivery<'a> = Pin<Box<dyn Future<Output = bool> + 'a>>;

/// See the module.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) stack: Stack,
    pub(super) gate: Gate,
    pub(super) combination: Combination,
    /// The payment that the wallet was filled by, and how much it was.
    pub(super) first_payment: (String, i64),
    /// The refund of it, where there is one.
    pub(super) refund: Option<String>,
    /// The records when the operations meet.
    pub(super) baseline: Records,
    entropy: Arc<Entropy>,
    /// What Stripe posts.
    events: BTreeMap<Part, Value>,
    /// When they meet.
    now: Timestamp,
    /// The messages that wait when they meet: queue, body, and in how long they are due.
    waiting: Vec<(String, String, SignedDuration)>,
    /// The messages that are operations.
    looks: RefCell<BTreeMap<Part, Message>>,
    /// The practitioner, as the dashboard shows it, where there is a diary.
    pub(super) resource: RefCell<Value>,
    /// When all want to come, where that is shut by one of the operations.
    pub(super) wanted: RefCell<Timestamp>,
}

impl Scene {
    /// Sets the scene for a combination; with a planted bug, if that is asked for.
    pub(super) async fn build(combination: &Combination, is_planted: bool) -> Self {
        let gate = Gate::at(test_epoch(), combination.crashes, is_planted);
        let entropy = Arc::new(Entropy::seeded(SEED));
        let plan = Plan {
            environment: ENVIRONMENT.into(),
            storage: Storage::Memory,
            clock: Arc::new(gate.clone()),
            entropy: Arc::clone(&entropy),
            keys: Keys::known(),
            address: "127.0.0.1:3000".into(),
            settings: Vec::new(),
            network: None,
            schedules: false,
            skews: Vec::new(),
        };
        let stack = Stack::build(plan).await.expect("the stack comes up");
        stack.register().await;
        gate.learn_keys(&stack.template.tables);
        let hook = gate.clone();
        stack.aws.set_plan(move |sent| hook.decide(sent));
        let mut scene = Self {
            stack,
            gate,
            combination: combination.clone(),
            first_payment: (String::new(), 0),
            refund: None,
            baseline: Records::default(),
            entropy,
            events: BTreeMap::new(),
            now: plus_secs(test_epoch(), LATER_SECS),
            waiting: Vec::new(),
            looks: RefCell::default(),
            resource: RefCell::default(),
            wanted: RefCell::default(),
        };
        scene.add_clinic().await;
        let credit = scene.pay_and_refund().await;
        scene.begin_calls(&credit).await;
        scene.open_the_diary().await;
        scene.gate.turn_to(scene.now);
        scene.keep_baseline();
        // What functions remember between requests, they know from here on: every schedule finds them the same.
        scene.reset();
        for part in scene.combination.subjects() {
            scene.until_charged(part).await;
        }
        scene.reset();
        scene
    }

    async fn add_clinic(&self) {
        let db = self.stack.db();
        let vapi_assistant_id = VapiAssistantId::parse(ASSISTANT_ID).expect("an id");
        let number = PhoneNumberMapping {
            vapi_phone_id: VapiPhoneId::parse(PHONE_ID).expect("an id"),
            org_id: ORG,
            phone_number: PhoneNumber::parse(NUMBER).expect("a number"),
            direction: Direction::Inbound,
            vapi_assistant_id: Some(vapi_assistant_id.clone()),
            agent_limit_secs: AGENT_LIMIT_SECS,
        };
        let assistant = AssistantMapping {
            vapi_assistant_id,
            org_id: ORG,
            role: Direction::Inbound,
            agent_limit_secs: AGENT_LIMIT_SECS,
        };
        let mappings = Mappings::new(db.clone());
        mappings.add_phone_number(&number).await.expect("the store works");
        mappings.add_assistant(&assistant).await.expect("the store works");
        Wallets::new(db).ensure(ORG).await.expect("the store works");
    }

    /// Has the first payment made at Stripe, and refunded in part, where that is an operation. Returns the event that
    /// credits it. Nothing is booked yet.
    async fn pay_and_refund(&mut self) -> Value {
        self.stack.stripe.with_faults(|faults| faults.lost.extend(ANNOUNCED.map(str::to_owned)));
        let customer = self.at_stripe("/v1/customers", "description=clinic");
        let customer = customer["id"].as_str().expect("a customer").to_owned();
        let id = CustomerId::parse(customer.as_str()).expect("an id");
        Customers::new(self.stack.db()).add(&id, ORG).await.expect("the store works");
        let held = self.combination.held_calls().iter().fold(0_i64, |sum, _| sum.saturating_add(GRANT_PENCE));
        let pence = self.combination.available().saturating_add(held);
        let mark = format!("metadata[voxanne_environment]={ENVIRONMENT}");
        let form = format!(
            "amount={pence}&currency=gbp&customer={customer}&payment_method=pm_card_visa&confirm=true&{mark}"
        );
        let payment = self.at_stripe("/v1/payment_intents", &form);
        let id = payment["id"].as_str().expect("a payment").to_owned();
        for part in self.combination.subjects() {
            let event = match part.operation {
                Operation::Refund => {
                    let form = format!("payment_intent={id}&amount={REFUND_PENCE}");
                    let refund = self.at_stripe("/v1/refunds", &form);
                    self.refund = refund["id"].as_str().map(str::to_owned);
                    self.stack.stripe.event("refund.created", &refund)
                }
                Operation::TopUp => {
                    let payment = json!({"id": top_up_of(part), "object": "payment_intent", "status": "succeeded",
                        "amount": TOP_UP_PENCE, "amount_received": TOP_UP_PENCE, "currency": "gbp",
                        "customer": customer, "metadata": {"voxanne_environment": ENVIRONMENT}});
                    self.stack.stripe.event("payment_intent.succeeded", &payment)
                }
                Operation::Authorize
                | Operation::Extend
                | Operation::End
                | Operation::Settle
                | Operation::Purchase
                | Operation::Release
                | Operation::Diary(_) => continue,
            };
            self.events.insert(part, event);
        }
        self.first_payment = (id, pence);
        Box::pin(self.stack.settle_down()).await;
        self.stack.stripe.event("payment_intent.succeeded", &payment)
    }

    fn at_stripe(&self, path: &str, form: &str) -> Value {
        let request = Request::post(format!("http://api.stripe.sandbox{path}"))
            .header("authorization", "Bearer sk_test_sandbox")
            .body(Bytes::from(form.to_owned()));
        let answer = self.stack.stripe.answer(&request.expect("a request"));
        serde_json::from_slice(answer.body()).expect("the sandbox answers in JSON")
    }

    /// Books the first payment, and begins the calls that are underway when the operations meet.
    async fn begin_calls(&self, credit: &Value) {
        let unpaid = |part: &Part| part.operation == Operation::End && self.combination.money == Money::Ample;
        for part in self.combination.subjects().into_iter().filter(unpaid) {
            self.must_take(self.vapis(&started(&part.call(), test_epoch()))).await;
        }
        self.must_take(self.stack.stripe.signed(&credit.to_string())).await;
        for part in self.combination.held_calls() {
            let call = part.call();
            self.must_take(self.vapis(&message("assistant-request", &call, &json!({})))).await;
            match part.operation {
                Operation::End => {
                    let at = plus_secs(test_epoch(), EARLIER_SECS.saturating_neg());
                    self.must_take(self.vapis(&started(&call, at))).await;
                }
                Operation::Extend | Operation::Settle | Operation::Diary(_) => {
                    self.must_take(self.vapis(&started(&call, test_epoch()))).await;
                }
                Operation::Authorize
                | Operation::TopUp
                | Operation::Refund
                | Operation::Purchase
                | Operation::Release => {}
            }
        }
    }

    async fn must_take(&self, request: Request<Bytes>) {
        let answer = Box::pin(self.stack.request(request)).await;
        assert_eq!(answer.status(), 200, "the scene cannot be set: {:?}", answer.body());
    }

    pub(super) fn vapis(&self, body: &Value) -> Request<Bytes> {
        self.stack.vapi.signed(&body.to_string())
    }

    fn keep_baseline(&mut self) {
        for table in self.gate.tables() {
            let mut request = json!({"TableName": table, "ConsistentRead": true});
            loop {
                let page = self.stack.aws.peek("Scan", request.clone());
                for item in page["Items"].as_array().into_iter().flatten() {
                    let place = self.gate.place_of(&table, item).expect("the table's keys are known");
                    self.baseline.set(place, Some(item.clone()));
                }
                match page.get("LastEvaluatedKey").filter(|key| key.is_object()) {
                    Some(key) => request["ExclusiveStartKey"] = key.clone(),
                    None => break,
                }
            }
        }
        let messages = self.stack.aws.queues().messages().into_iter();
        let waits = |message: Message| {
            let due_in = message.visible_at.duration_since(self.now);
            (message.queue, message.body, due_in)
        };
        self.waiting = messages.map(waits).collect();
        // All that was written so far is the baseline.
        self.gate.take_written();
    }

    /// Puts everything back as it was when the operations met.
    pub(super) fn reset(&self) {
        for (place, key) in self.gate.take_written() {
            let table = &place.table;
            let answer = match self.baseline.get(&place) {
                Some(item) => self.stack.aws.peek("PutItem", json!({"TableName": table, "Item": item})),
                None => self.stack.aws.peek("DeleteItem", json!({"TableName": table, "Key": key})),
            };
            assert!(answer["__type"].is_null(), "a record cannot be put back: {answer}");
        }
        self.set_entropy(SEED);
        self.gate.begin(self.now, self.combination.parts.len());
        let queues = self.stack.aws.queues();
        for message in queues.messages() {
            queues.delete(&message.id);
        }
        for (queue, body, due_in) in &self.waiting {
            queues.send(queue, body, *due_in).expect("the queue is declared");
        }
        let looks = self.combination.subjects().into_iter().filter_map(|part| Some((part, self.look(part)?)));
        *self.looks.borrow_mut() = looks.collect();
        self.stack.aws.take_spent();
    }

    /// Puts the message into its queue that is this operation, if it is one.
    fn look(&self, part: Part) -> Option<Message> {
        if part.operation == Operation::Diary(Wish::Import) {
            return Some(self.put(CALENDAR_QUEUE, &Self::pull()));
        }
        if !matches!(part.operation, Operation::Extend | Operation::End) {
            return None;
        }
        let call_id = CallId::parse(part.call()).expect("an id");
        let message = MeterMessage { org_id: ORG, call_id, due_at: self.now, urgent: true };
        Some(self.put(METER_QUEUE, &message))
    }

    fn put(&self, queue: &str, message: &impl serde::Serialize) -> Message {
        let body = serde_json::to_string(message).expect("a message is JSON");
        let queues = self.stack.aws.queues();
        let id = queues.send(queue, &body, SignedDuration::ZERO).expect("the queue is declared");
        queues.messages().into_iter().find(|message| message.id == id).expect("the message is there")
    }

    /// What the next id comes from.
    pub(super) fn entropy(&self) -> u64 {
        match &*self.entropy {
            Entropy::Seeded(state) => *state.lock().unwrap_or_else(PoisonError::into_inner),
            Entropy::System => 0,
        }
    }

    /// Changes that.
    pub(super) fn set_entropy(&self, to: u64) {
        match &*self.entropy {
            Entropy::Seeded(state) => *state.lock().unwrap_or_else(PoisonError::into_inner) = to,
            Entropy::System => {}
        }
    }

    /// The record that lies there now.
    pub(super) fn read(&self, place: &Place, key: &Value) -> Option<Value> {
        let request = json!({"TableName": place.table, "Key": key, "ConsistentRead": true});
        let answer = self.stack.aws.peek("GetItem", request);
        answer.get("Item").filter(|item| item.is_object()).cloned()
    }

    /// Delivers an operation, as its vendor, its queue or the dashboard would.
    pub(super) fn deliver(&self, part: Part) -> Delivery<'_> {
        let call = part.call();
        match part.operation {
            Operation::Authorize => {
                self.answered(self.vapis(&message("assistant-request", &call, &json!({}))))
            }
            Operation::Settle => {
                let (start, end) = (test_epoch(), plus_secs(test_epoch(), SETTLED_SECS));
                let more = json!({"startedAt": start.to_string(), "endedAt": end.to_string(),
                    "endedReason": "customer-ended-call"});
                self.answered(self.vapis(&message("end-of-call-report", &call, &more)))
            }
            Operation::Release => {
                let more = json!({"durationSeconds": 0, "endedReason": "customer-did-not-answer"});
                self.answered(self.vapis(&message("end-of-call-report", &call, &more)))
            }
            Operation::TopUp | Operation::Refund => {
                let event = self.events.get(&part).map(Value::to_string).unwrap_or_default();
                self.answered(self.stack.stripe.signed(&event))
            }
            Operation::Purchase => self.answered(self.asks_for_a_number(part)),
            Operation::Extend | Operation::End | Operation::Diary(Wish::Import) => self.looked(part),
            Operation::Diary(Wish::Expire) => self.runs_out(),
            Operation::Diary(wish) => self.answered(self.use_of(part, wish)),
        }
    }

    /// A message that is dealt with is gone from its queue.
    fn looked(&self, part: Part) -> Delivery<'_> {
        let look = self.looks.borrow().get(&part).cloned();
        Box::pin(async move {
            let Some(look) = look else { return false };
            let id = look.id.clone();
            let consumer = if look.queue == METER_QUEUE { "call-meter" } else { "calendar-sync" };
            self.stack.consume(consumer, look).await;
            !self.stack.aws.queues().messages().iter().any(|message| message.id == id)
        })
    }

    fn answered(&self, request: Request<Bytes>) -> Delivery<'_> {
        Box::pin(async move { self.stack.request(request).await.status().as_u16() < 500 })
    }

    fn asks_for_a_number(&self, part: Part) -> Request<Bytes> {
        let token = local::token::issue(ORG, "owner", self.gate.now()).expect("a token");
        let body = json!({"country": "US", "numberType": "local", "direction": part.direction()});
        Request::post("/api/managed-telephony/provision")
            .header("authorization", format!("Bearer {token}"))
            .header("idempotency-key", format!("purchase-{}", part.subject))
            .body(Bytes::from(body.to_string()))
            .expect("a request")
    }

    /// The claim that a purchase has on its direction; null when there is none.
    pub(super) fn claim(&self, part: Part) -> Value {
        let table = format!("voxanne-{ENVIRONMENT}-number_purchases");
        let key = json!({"org_id": {"S": ORG.to_string()}, "item": {"S": part.direction()}});
        let request = json!({"TableName": table, "Key": key, "ConsistentRead": true});
        self.stack.aws.peek("GetItem", request)["Item"].clone()
    }

    /// Whether a purchase has come as far as it is followed here: its price is taken.
    pub(super) fn is_charged(&self, part: Part) -> bool {
        part.operation == Operation::Purchase && self.claim(part)["state"]["S"] == "charged"
    }

    /// Delivers an operation to its end, a purchase as far as its price.
    pub(super) async fn until_charged(&self, part: Part) {
        let mut delivery = self.deliver(part);
        loop {
            let polled = std::future::poll_fn(|context| Poll::Ready(delivery.as_mut().poll(context))).await;
            if polled.is_ready() || self.is_charged(part) {
                return;
            }
            tokio::task::yield_now().await;
        }
    }
}

/// The payment of a top-up.
pub(super) fn top_up_of(part: Part) -> String {
    format!("pi_second_{}", part.subject)
}

fn started(call: &str, at: Timestamp) -> Value {
    message("status-update", call, &json!({"status": "in-progress", "startedAt": at.to_string()}))
}

/// What Vapi posts about one of the clinic's calls.
pub(super) fn message(kind: &str, call: &str, more: &Value) -> Value {
    let about = json!({"id": call, "type": "inboundPhoneCall", "status": "ringing", "phoneNumberId": PHONE_ID,
        "assistantId": ASSISTANT_ID, "customer": {"number": "+447700900123"},
        "monitor": {"controlUrl": format!("https://control.vapi.ai/{call}/control")}});
    let mut message = json!({"type": kind, "call": about});
    for (name, value) in more.as_object().into_iter().flatten() {
        message[name] = value.clone();
    }
    json!({ "message": message })
}
