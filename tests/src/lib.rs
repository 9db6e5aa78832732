//! The harness of the whole-flow tests: a stack in memory whose clock the test turns.

#![expect(clippy::missing_panics_doc, reason = "a harness may panic")]

pub mod contract;

use std::{sync::Arc, task::Poll};

use base::clock::Clock;
use base::config::Environment;
use base::entropy::Entropy;
use bytes::Bytes;
use domain::{
    amount::Amount,
    call::{Call, Direction},
    ids::{CallId, OrgId, PaymentIntentId, VapiAssistantId, VapiPhoneId},
    ledger::{Entry, EntrySide, Posting, Reason, flaws},
    phone_number::PhoneNumber,
    wallet::Wallet,
};
use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use local::{
    alarms::Alarms,
    clock::TestClock,
    stack::{Keys, Plan, Stack, Storage, test_epoch},
    token::Issuer,
};
use sandbox::{
    faults::{Fault, Mode},
    vapi::{Placing, Turn},
};
use serde_json::{Value, json};
use services::provisioning::{Provisioning, Settings};
use services::reconcile::{Report, Task};
use store::{
    calls::Calls,
    ledger::Ledger,
    mappings::{AssistantMapping, Mappings, PhoneNumberMapping},
    wallets::Wallets,
};
use tracing_subscriber::layer::SubscriberExt;
use uuid::Uuid;
use vendors::http::Http;

/// The clinic of most tests.
pub const ORG: OrgId = OrgId::new(Uuid::from_u128(0xA));
/// Another clinic.
pub const OTHER_ORG: OrgId = OrgId::new(Uuid::from_u128(0xB));
/// The clinic's number.
pub const NUMBER: &str = "+442071838750";
/// The same, as Vapi names it: the one in the recorded bodies.
pub const PHONE_ID: &str = "48267b20-7372-4b51-a91e-e5c1e26109af";
/// The clinic's assistant: the one in the recorded bodies.
pub const ASSISTANT_ID: &str = "ef005c08-d978-4e38-9dd6-489078b59ba7";

/// Keeps every log line within hearing. While there is one subscriber, a line that is first logged on a thread without any is
/// taken for one that is never wanted (`tracing` keeps that), also by the thread of a test that listens. With two more that
/// want everything it asks them all.
fn hear_every_line() {
    static HEARING: std::sync::OnceLock<[tracing::Dispatch; 2]> = std::sync::OnceLock::new();
    HEARING.get_or_init(|| [(); 2].map(|()| tracing::Dispatch::new(tracing_subscriber::registry())));
}

/// Keeps the alarms that this thread raises while the guard lives.
pub fn alarms() -> (Alarms, tracing::subscriber::DefaultGuard) {
    let alarms = Alarms::default();
    let subscriber = tracing_subscriber::registry().with(alarms.clone());
    (alarms, tracing::subscriber::set_default(subscriber))
}

/// A stack, and the hands to work it with.
#[derive(Debug)]
pub struct Harness {
    /// The system.
    pub stack: Stack,
    /// Its clock.
    pub clock: Arc<TestClock>,
    /// Its wallets.
    pub wallets: Wallets,
    /// Its ledger.
    pub ledger: Ledger,
    /// Its calls.
    pub calls: Calls,
    /// Its mappings.
    pub mappings: Mappings,
}

impl Harness {
    /// A stack with the clinic, its number and assistant (limited to `agent_limit_secs`), and `pence` in its wallet.
    pub async fn with_wallet(pence: u32, agent_limit_secs: u32) -> Self {
        Self::with_settings(vec![], pence, agent_limit_secs).await
    }

    /// The same, where the limits across clinics let one caller have many calls of this one.
    pub async fn with_many_lines(pence: u32, agent_limit_secs: u32) -> Self {
        let names = ["CALL_SLOTS", "CALL_SLOTS_PER_ORG", "CALLS_PER_CALLER", "CALLS_PER_NUMBER"];
        let settings = names.map(|name| (name.to_owned(), "15".to_owned()));
        Self::with_settings(settings.to_vec(), pence, agent_limit_secs).await
    }

    async fn with_settings(settings: Vec<(String, String)>, pence: u32, agent_limit_secs: u32) -> Self {
        let harness = Self::empty(settings).await;
        harness.add_clinic(ORG, PHONE_ID, NUMBER, ASSISTANT_ID, agent_limit_secs).await;
        harness.top_up(ORG, "pi_first", pence).await;
        harness
    }

    /// A stack with nothing in it.
    pub async fn empty(settings: Vec<(String, String)>) -> Self {
        Self::with_network(settings, None).await
    }

    /// A stack with nothing in it, and something that answers for hosts that no sandbox stands in for.
    pub async fn with_network(settings: Vec<(String, String)>, network: Option<Http>) -> Self {
        hear_every_line();
        let clock = Arc::new(TestClock::at(test_epoch()));
        let storage = Environment::of_process()
            .reader()
            .optional("VOXANNE_TEST_DYNAMODB")
            .map_or(Storage::Memory, Storage::Elsewhere);
        // Another endpoint is shared by all tests: each has tables of its own there.
        let environment = match &storage {
            Storage::Elsewhere(_) => format!("t{:x}", Entropy::System.bits()),
            Storage::Memory | Storage::Folder(_) => "test".to_owned(),
        };
        let plan = Plan {
            environment,
            storage,
            clock: Arc::<TestClock>::clone(&clock),
            entropy: Arc::new(Entropy::seeded(7)),
            keys: Keys::known(),
            address: "127.0.0.1:3000".into(),
            settings,
            network,
            schedules: false,
            skews: vec![],
        };
        let stack = Stack::build(plan).await.expect("the stack comes up");
        stack.register().await;
        let db = stack.db();
        Self {
            wallets: Wallets::new(db.clone()),
            ledger: Ledger::new(db.clone()),
            calls: Calls::new(db.clone()),
            mappings: Mappings::new(db),
            stack,
            clock,
        }
    }

    /// Whether the database is the embedded engine, and not another that the tests were pointed at.
    pub fn is_embedded(&self) -> bool {
        self.stack.aws.is_embedded()
    }

    /// What a table is called here.
    pub fn table(&self, name: &str) -> String {
        let environment = self.stack.platform.environment.reader().optional("VOXANNE_ENVIRONMENT");
        format!("voxanne-{}-{name}", environment.unwrap_or_default())
    }

    /// Adds a clinic with a number and an assistant; its wallet too, empty.
    pub async fn add_clinic(&self, org: OrgId, phone_id: &str, number: &str, assistant_id: &str, limit: u32) {
        self.add_mappings(org, phone_id, number, assistant_id, limit).await;
        self.wallets.ensure(org).await.expect("the store works");
    }

    /// Adds a clinic's number and assistant, and no wallet.
    pub async fn add_mappings(
        &self,
        org: OrgId,
        phone_id: &str,
        number: &str,
        assistant_id: &str,
        limit: u32,
    ) {
        self.stack.vapi.add_number(phone_id, number, Some("+442079460000"));
        let vapi_assistant_id = VapiAssistantId::parse(assistant_id).expect("an id");
        let number = PhoneNumberMapping {
            vapi_phone_id: VapiPhoneId::parse(phone_id).expect("an id"),
            org_id: org,
            phone_number: PhoneNumber::parse(number).expect("a number"),
            direction: Direction::Inbound,
            vapi_assistant_id: Some(vapi_assistant_id.clone()),
            agent_limit_secs: limit,
        };
        let assistant = AssistantMapping {
            vapi_assistant_id,
            org_id: org,
            role: Direction::Inbound,
            agent_limit_secs: limit,
        };
        assert!(self.mappings.add_phone_number(&number).await.expect("the store works"));
        assert!(self.mappings.add_assistant(&assistant).await.expect("the store works"));
    }

    /// Books a top-up, as if its payment had come.
    pub async fn top_up(&self, org: OrgId, payment_intent: &str, pence: u32) {
        if pence == 0 {
            return;
        }
        let wallet = self.wallet_of(org).await;
        let posting = Posting {
            reason: Reason::TopUp { payment_intent: PaymentIntentId::parse(payment_intent).expect("an id") },
            amount: Amount::from_pence(pence),
            description: "Top-up".into(),
            at: self.clock.now(),
        };
        self.wallets.book(&wallet, &posting).await.expect("the store works");
    }

    /// The mark that payments of this stack's environment bear.
    pub fn mark(&self) -> Value {
        let environment = self.stack.platform.environment.reader().optional("VOXANNE_ENVIRONMENT");
        json!({"voxanne_environment": environment})
    }

    /// The clinic's wallet.
    pub async fn wallet(&self) -> Wallet {
        self.wallet_of(ORG).await
    }

    /// An org's wallet.
    pub async fn wallet_of(&self, org: OrgId) -> Wallet {
        self.wallets.existing(org).await.expect("the store works and the wallet exists")
    }

    /// What the clinic's wallet has: available, held.
    pub async fn money(&self) -> (i64, i64) {
        let wallet = self.wallet().await;
        (wallet.available.pence(), wallet.held.pence())
    }

    /// The clinic's ledger, oldest first.
    pub async fn entries(&self) -> Vec<Entry> {
        self.entries_of(ORG).await
    }

    /// An org's ledger, oldest first.
    pub async fn entries_of(&self, org: OrgId) -> Vec<Entry> {
        let mut page = self.ledger.page(org, None, None, 100_000).await.expect("the store works").entries;
        page.reverse();
        page
    }

    /// The entries for one call.
    pub async fn bills_of(&self, call: &str) -> Vec<i64> {
        let entries = self.entries().await;
        let of_call =
            entries.iter().filter(|entry| entry.call_id.as_ref().is_some_and(|id| id.as_str() == call));
        of_call.map(|entry| entry.amount.pence()).collect()
    }

    /// What the clinic's ledger says that a call cost: its charge, and what was corrected since.
    pub async fn net_of(&self, call: &str) -> i64 {
        let entries = self.entries().await;
        let of_call =
            entries.iter().filter(|entry| entry.call_id.as_ref().is_some_and(|id| id.as_str() == call));
        of_call.fold(0_i64, |sum, entry| match entry.direction {
            EntrySide::Debit => sum.saturating_add(entry.amount.pence()),
            EntrySide::Credit => sum.saturating_sub(entry.amount.pence()),
        })
    }

    /// The record of one of the clinic's calls.
    pub async fn call(&self, call: &str) -> Call {
        let id = CallId::parse(call).expect("an id");
        self.calls.get(ORG, &id).await.expect("the store works").expect("the call is recorded")
    }

    /// Fails unless an org's books are right: the ledger is without flaw, sums to the balance, and ends where the
    /// wallet says; what is held is the sum of the holds.
    ///
    /// # Panics
    /// When they are not.
    pub async fn assert_books(&self, org: OrgId) {
        let wallet = self.wallet_of(org).await;
        let entries = self.entries_of(org).await;
        assert_eq!(flaws(&entries), vec![], "the ledger has flaws");
        let last = entries.last();
        assert_eq!(wallet.ledger.seq, last.map_or(0, |last| last.seq), "the wallet's last entry");
        assert_eq!(
            wallet.balance(),
            last.map_or_else(Default::default, |last| last.balance_after),
            "the balance"
        );
        if let Some(last) = last {
            assert_eq!(wallet.ledger.hash, last.hash, "the wallet's head");
        }
        let holds = wallet.holds.values().fold(Amount::ZERO, |sum, hold| sum.plus(hold.amount));
        assert_eq!(wallet.held, holds, "what is held is the sum of the holds");
    }

    /// Rings the clinic's number; the caller means to talk for so long. Returns the call's id.
    pub fn ring(&self, talk_seconds: u32) -> String {
        self.place(&Placing {
            to: Some(NUMBER.into()),
            from: "+447700900123".into(),
            talk_seconds,
            web_assistant_id: None,
            max_duration_seconds: None,
            says: vec![],
        })
    }

    /// Calls the clinic's assistant from a web page; the caller means to talk for so long. Returns the call's id.
    pub fn ring_from_the_web(&self, talk_seconds: u32) -> String {
        self.place(&Placing {
            to: None,
            from: "web".into(),
            talk_seconds,
            web_assistant_id: Some(ASSISTANT_ID.into()),
            max_duration_seconds: Some(600),
            says: vec![],
        })
    }

    /// Rings the clinic's number from `from`, and has the assistant use tools, one after the other. Returns the call's id.
    pub fn ring_and_ask(&self, from: &str, turns: &[(&str, Value)]) -> String {
        let turn = |(tool, arguments): &(&str, Value)| Turn {
            says: None,
            tool: (*tool).to_owned(),
            arguments: arguments.clone(),
            repeats: 0,
        };
        self.place(&Placing {
            to: Some(NUMBER.into()),
            from: from.to_owned(),
            talk_seconds: 120,
            web_assistant_id: None,
            max_duration_seconds: None,
            says: turns.iter().map(turn).collect(),
        })
    }

    /// Places a call at the sandbox. Returns its id.
    pub fn place(&self, placing: &Placing) -> String {
        self.stack.vapi.place(placing).expect("the call is placed")
    }

    /// Lets `secs` pass: whatever becomes due is done at its time.
    pub async fn pass(&self, secs: i64) {
        self.run_until(self.clock.now() + SignedDuration::from_secs(secs)).await;
    }

    /// Lets time pass until `end`.
    pub async fn run_until(&self, end: Timestamp) {
        Box::pin(self.stack.run_until(&self.clock, end)).await;
    }

    /// Posts a body to `/api/vapi/webhook`, signed, as Vapi would: a report comes no sooner than the talk that it states can be
    /// over, and of a call that Vapi has a record of.
    pub async fn vapi(&self, body: &Value) -> (u16, Value) {
        let message = &body["message"];
        let instant = |name: &str| message[name].as_str().and_then(|text| text.parse::<Timestamp>().ok());
        if let (Some(ended_at), Some(call)) = (instant("endedAt"), message["call"]["id"].as_str()) {
            let started_at = instant("startedAt");
            let talked =
                started_at.map_or(SignedDuration::ZERO, |started_at| ended_at.duration_since(started_at));
            let heard_at = match CallId::parse(call) {
                Ok(id) => self.calls.get(ORG, &id).await.ok().flatten().map(|record| record.created_at),
                Err(_) => None,
            };
            let no_sooner = heard_at.map_or(ended_at, |heard_at| heard_at + talked);
            if self.clock.now() < no_sooner {
                self.clock.turn_to(no_sooner);
            }
            if self.stack.vapi.call(call).is_none() {
                let reason = message["endedReason"].as_str().unwrap_or("customer-ended-call");
                self.stack.vapi.add_ended_call(call, started_at, ended_at, reason);
            }
        }
        self.vapi_as_it_is(body).await
    }

    /// Posts a body to `/api/vapi/webhook`, signed, whatever it says.
    pub async fn vapi_as_it_is(&self, body: &Value) -> (u16, Value) {
        let request = self.stack.vapi.signed(&body.to_string());
        parts(&self.send(request).await)
    }

    /// Sends a request through the gateway. Its answer is one that the document of the API says there may be.
    ///
    /// # Panics
    /// When it is not.
    pub async fn send(&self, request: Request<Bytes>) -> Response<Bytes> {
        let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
        // Boxed, as below: in a test that sends many, each future would have its own place on the stack.
        let answer = Box::pin(self.stack.request(request)).await;
        contract::hold(&method, &path, &answer);
        answer
    }
}

impl Harness {
    /// A token of the clinic's owner.
    pub fn owner(&self) -> String {
        self.token(ORG, "owner")
    }

    /// A token.
    pub fn token(&self, org: OrgId, role: &str) -> String {
        Issuer::of(&self.stack).issue(org, role, self.clock.now()).expect("a token")
    }

    /// Asks the dashboard's API.
    pub async fn get(&self, path: &str, token: &str) -> (u16, Value) {
        let request =
            Request::get(path).header("authorization", format!("Bearer {token}")).body(Bytes::new());
        parts(&self.send(request.expect("a request")).await)
    }

    /// Posts to the dashboard's API.
    pub async fn post(&self, path: &str, token: &str, body: impl Into<Bytes>) -> (u16, Value) {
        let request =
            Request::post(path).header("authorization", format!("Bearer {token}")).body(body.into());
        parts(&self.send(request.expect("a request")).await)
    }

    /// Lets an org have so many calls at a time, as an operator does.
    pub async fn limit_calls(&self, org: OrgId, calls: u32) {
        let operator = local::token::issue_operator(self.clock.now()).expect("a token");
        let body = json!({"calls": calls, "reason": "as the test wants"}).to_string();
        let path = format!("/api/operations/wallets/{org}/call-limit");
        let (status, answer) = self.post(&path, &operator, body).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// Begins a top-up of the clinic's. Returns its Checkout session.
    pub async fn begin_top_up(&self, pence: u32) -> String {
        let body = json!({ "amount_pence": pence }).to_string();
        let (status, answer) = self.post("/api/billing/wallet/topup", &self.owner(), body).await;
        assert_eq!(status, 200, "{answer}");
        let url = answer["url"].as_str().expect("an address");
        url.rsplit('/').next().unwrap_or_default().to_owned()
    }

    /// Tops the clinic's wallet up by card. Returns the payment.
    pub async fn pay(&self, pence: u32) -> String {
        let session = self.begin_top_up(pence).await;
        self.stack.stripe.act(&session, sandbox::stripe::Act::Pay).expect("the session is open");
        self.pass(0).await;
        self.stack.stripe.object(&session).expect("the session")["payment_intent"]
            .as_str()
            .expect("paid")
            .to_owned()
    }

    /// Sends any request to the dashboard's API.
    pub async fn call_api(
        &self,
        (method, path): (&str, &str),
        token: &str,
        key: Option<&str>,
        body: &Value,
    ) -> (u16, Value) {
        let mut request =
            Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        parts(&self.send(request.body(body).expect("a request")).await)
    }

    /// Buys a number for an org. Returns what it was answered.
    pub async fn buy_for(&self, org: OrgId, body: &Value, key: Option<&str>) -> (u16, Value) {
        let token = self.token(org, "owner");
        self.call_api(("POST", "/api/managed-telephony/provision"), &token, key, body).await
    }

    /// Buys the clinic an American number of one direction, and lets its agent become ready. Returns the number.
    pub async fn has_number(&self, direction: &str) -> String {
        let body = json!({"country": "US", "numberType": "local", "direction": direction});
        let (status, answer) = self.buy_for(ORG, &body, None).await;
        assert_eq!(status, 201, "{answer}");
        self.pass(10).await;
        answer["phoneNumber"].as_str().expect("a number").to_owned()
    }

    /// Gives one of the clinic's numbers up.
    pub async fn give_up(&self, number: &str) -> (u16, Value) {
        let path = format!("/api/managed-telephony/numbers/{number}");
        self.call_api(("DELETE", &path), &self.owner(), None, &Value::Null).await
    }

    /// The clinic's agents as a page would save them that has just been loaded: each bears the version that is there.
    pub async fn as_loaded(&self, body: &Value) -> Value {
        let agents = store::agents::Agents::new(self.stack.db());
        let mut body = body.clone();
        for role in Direction::ALL {
            let wanted = &mut body[role.as_str()];
            if wanted.is_object()
                && wanted["version"].is_null()
                && let Some(there) = agents.get(ORG, role).await.expect("the store works")
            {
                wanted["version"] = json!(there.version);
            }
        }
        // What was not there is not sent.
        if let Some(fields) = body.as_object_mut() {
            fields.retain(|_, agent| !agent.is_null());
        }
        body
    }

    /// The numbers in an org's dropdown.
    pub async fn dropdown_of(&self, org: OrgId) -> Vec<String> {
        let (status, answer) = self.get("/api/integrations/vapi/numbers", &self.token(org, "owner")).await;
        assert_eq!(status, 200, "{answer}");
        let listed = answer.as_array().expect("a list").iter();
        listed.map(|number| number["phoneNumber"].as_str().expect("a number").to_owned()).collect()
    }

    /// Lets the next `times` requests of this kind to a vendor go wrong.
    pub fn fault(&self, (vendor, operation): (&str, &str), mode: Mode, times: u32) {
        self.fault_after((vendor, operation), 0, mode, times);
    }

    /// The same, after so many of them have gone well.
    pub fn fault_after(&self, (vendor, operation): (&str, &str), after: usize, mode: Mode, times: u32) {
        let after = u32::try_from(after).expect("not so many");
        let fault = Fault { vendor: vendor.to_owned(), operation: operation.to_owned(), mode, times, after };
        fault.check().expect("the vendor has this operation");
        self.stack.faults.add(fault);
    }

    /// Runs a task of reconciliation: `calls`, `listing`, `payments`, `numbers`, `books`, `appointments`.
    pub async fn reconcile(&self, task: &str) -> Report {
        let task = Task::parse(task).expect("a task");
        self.stack.reconcile(task).await.expect("the run comes to its end")
    }

    /// The rules of numbers, as a scheduled function would have them.
    pub fn provisioning(&self) -> Provisioning {
        let mut reader = self.stack.platform.environment.reader();
        let settings = Settings::read(&mut reader, &self.stack.platform);
        reader.finish().expect("the settings are usable");
        Provisioning::deployed(&self.stack.platform, settings)
    }

    /// Changes something at the Vapi sandbox, as an operator in Vapi's dashboard would.
    pub fn vapi_patch(&self, path: &str, body: &Value) {
        let request = Request::patch(format!("http://api.vapi.sandbox{path}"))
            .header("authorization", "Bearer sandbox-vapi-key")
            .body(Bytes::from(body.to_string()));
        let answer = self.stack.vapi.answer(&request.expect("a request"));
        assert_eq!(answer.status(), 200, "{answer:?}");
    }

    /// Asks the Stripe sandbox's REST API, as an operator at Stripe's dashboard would.
    pub fn stripe_post(&self, path: &str, form: &str) -> Value {
        let request = Request::post(format!("http://api.stripe.sandbox{path}"))
            .header("authorization", "Bearer sk_test_sandbox")
            .body(Bytes::from(form.to_owned()));
        parts(&self.stack.stripe.answer(&request.expect("a request"))).1
    }

    /// Takes something away at Stripe, as an operator at Stripe's dashboard would.
    pub fn stripe_delete(&self, path: &str) -> Value {
        let request = Request::delete(format!("http://api.stripe.sandbox{path}"))
            .header("authorization", "Bearer sk_test_sandbox")
            .body(Bytes::new());
        parts(&self.stack.stripe.answer(&request.expect("a request"))).1
    }

    /// Posts a body to `/api/webhooks/stripe`, signed.
    pub async fn stripe(&self, body: &Value) -> (u16, Value) {
        let request = self.stack.stripe.signed(&body.to_string());
        parts(&self.send(request).await)
    }
}

/// The status and JSON body of an answer.
pub fn parts(response: &Response<Bytes>) -> (u16, Value) {
    (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or(Value::Null))
}

/// Polls `future` so many times, then drops it: a process that dies at that point. None when it died.
pub async fn crashed_after<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    let mut left = polls;
    std::future::poll_fn(move |context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left = left.saturating_sub(1);
            Poll::Pending
        }
    })
    .await
}

/// What Vapi posts about one of the clinic's calls, by hand.
pub mod bodies {
    use domain::time::plus_secs;
    use serde_json::{Value, json};

    use crate::{ASSISTANT_ID, PHONE_ID};

    fn call(id: &str) -> Value {
        json!({"id": id, "type": "inboundPhoneCall", "status": "ringing", "phoneNumberId": PHONE_ID,
            "assistantId": ASSISTANT_ID, "customer": {"number": "+447700900123"},
            "monitor": {"controlUrl": format!("https://control.vapi.ai/{id}/control")}})
    }

    fn message(kind: &str, id: &str, more: &Value) -> Value {
        let mut message = json!({"type": kind, "call": call(id)});
        for (name, value) in more.as_object().into_iter().flatten() {
            message[name] = value.clone();
        }
        json!({ "message": message })
    }

    /// An assistant-request.
    pub fn request(id: &str) -> Value {
        message("assistant-request", id, &json!({}))
    }

    /// A status-update: in progress.
    pub fn in_progress(id: &str) -> Value {
        let started_at = local::stack::test_epoch().to_string();
        message("status-update", id, &json!({"status": "in-progress", "startedAt": started_at}))
    }

    /// A status-update: ended.
    pub fn ended(id: &str) -> Value {
        message("status-update", id, &json!({"status": "ended", "endedReason": "customer-ended-call"}))
    }

    /// An end-of-call-report for a call of so many seconds.
    pub fn report(id: &str, secs: i64) -> Value {
        let start = local::stack::test_epoch();
        let more = json!({"startedAt": start.to_string(), "endedAt": plus_secs(start, secs).to_string(),
            "endedReason": "customer-ended-call"});
        message("end-of-call-report", id, &more)
    }
}

/// A body that was written for these tests after the shapes and oddities of what vendors send: `tests/fixtures/<name>.json`.
///
/// # Panics
/// When there is none, or it is not JSON.
pub fn fixture(name: &str) -> Value {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    read_json(&folder.join(format!("{name}.json")))
}

/// A file of a folder that lies beside the project, and that this setting names. Only tests that are ignored read any: they are
/// run where the folder is, and nowhere pass without it.
///
/// # Panics
/// When the setting is missing, or the file is, or is not JSON.
pub fn papers(setting: &str, name: &str) -> Value {
    let folder = Environment::of_process().reader().optional(setting);
    let folder = folder.unwrap_or_else(|| panic!("{setting} names the folder that this test reads"));
    read_json(&std::path::Path::new(&folder).join(name))
}

fn read_json(path: &std::path::Path) -> Value {
    let text = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A web call's report by hand, after the recorded one.
pub fn web_report(call: &str, started_at: &str, ended_at: &str) -> Value {
    json!({"message": {"type": "end-of-call-report", "timestamp": 1_749_546_450_909_u64, "startedAt": started_at,
        "endedAt": ended_at, "endedReason": "customer-ended-call",
        "call": {"id": call, "type": "webCall", "status": "queued", "assistantId": ASSISTANT_ID}}})
}
