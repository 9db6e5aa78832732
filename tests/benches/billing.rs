//! Authorize and settle through the whole handler, beside the same bare requests sent by hand over the same client and
//! engine. `cargo bench -p tests` prints both, and the ratio of their medians, measured in turns in one run.

#![expect(clippy::unwrap_used, reason = "a bench may panic")]
#![expect(clippy::arithmetic_side_effects, clippy::float_arithmetic, reason = "a bench computes ratios")]

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};
use criterion::{Criterion, criterion_group, criterion_main};
use tests::{Harness, ORG, bodies};
use tokio::runtime::Runtime;

/// How many of each are measured in turns for the ratio.
const TURNS: usize = 400;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// One call through the handlers: how long authorize took, and how long settle took.
async fn through_the_handler(harness: &Harness, call: &str) -> (Duration, Duration) {
    let request = harness.stack.vapi.signed(&bodies::request(call).to_string());
    let mut report = bodies::report(call, 60);
    report["message"]["transcript"] = "AI: Hello.".into();
    let report = harness.stack.vapi.signed(&report.to_string());
    let began = Instant::now();
    let answer = harness.send(request).await;
    let authorized = began.elapsed();
    assert_eq!(black_box(answer).status(), 200);
    let began = Instant::now();
    let answer = harness.send(report).await;
    let settled = began.elapsed();
    assert_eq!(black_box(answer).status(), 200);
    (authorized, settled)
}

/// The same requests to the store and the queue, written by hand: no rules, no decoding.
struct Bare<'a> {
    harness: &'a Harness,
    db: aws_sdk_dynamodb::Client,
    seq: u64,
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

impl Bare<'_> {
    fn table(name: &str) -> String {
        format!("voxanne-test-{name}")
    }

    fn record(call: &str, version: u64) -> Put {
        let long = "2026-01-01T00:00:00.000Z";
        let put = Put::builder().table_name(Self::table("calls")).item("org_id", text(&ORG.to_string()));
        let put = put.item("call_id", text(call)).item("live", text("open#0")).item("due_at", text(long));
        let put = put
            .item("created_at", text(long))
            .item("last_seen_at", text(long))
            .item("state", text("authorized"));
        let put = put.item("direction", text("inbound")).item("vapi_call_id", text(call));
        let put = put
            .item("customer_number", text("+447700900123"))
            .item("control_url", text("https://control.vapi.ai/call/control"))
            .item("vapi_phone_id", text(tests::PHONE_ID))
            .item("vapi_assistant_id", text(tests::ASSISTANT_ID))
            .item("started_at", text(long))
            .item("ended_at", text(long))
            .item("duration_secs", number(60))
            .item("charged", number(56))
            .item("tariff", number(1))
            .item("provider_limit_secs", number(598))
            .item("ended_reason", text("customer-ended-call"))
            .item("version", number(version));
        put.item("agent_limit_secs", number(600))
            .condition_expression("attribute_not_exists(call_id) OR version = :read")
            .expression_attribute_values(":read", number(version.saturating_sub(1)))
            .build()
            .unwrap()
    }

    async fn authorize(&self, call: &str) {
        let db = &self.db;
        let record = Self::record(call, 0);
        let wallet = db
            .get_item()
            .table_name(Self::table("wallets"))
            .key("org_id", text(&ORG.to_string()))
            .consistent_read(true);
        let opened = db
            .put_item()
            .table_name(Self::table("calls"))
            .set_item(Some(record.item().clone()))
            .condition_expression("attribute_not_exists(call_id)");
        let mapped = db
            .put_item()
            .table_name(Self::table("call_mapping"))
            .item("vapi_call_id", text(call))
            .item("org_id", text(&ORG.to_string()))
            .item("call_id", text(call))
            .condition_expression("attribute_not_exists(vapi_call_id)");
        let sent = self
            .harness
            .stack
            .platform
            .sqs
            .send_message()
            .queue_url(local::queue::Queues::url("127.0.0.1:3000", "CallMeterQueue"))
            .message_body("{\"org_id\": \"\", \"call_id\": \"\", \"due_at\": \"2026-01-01T00:00:00.000Z\"}")
            .delay_seconds(60);
        let (wallet, opened, mapped, sent, (), ()) = futures::join!(
            wallet.send(),
            opened.send(),
            mapped.send(),
            sent.send(),
            self.read_slots(),
            self.read_facts()
        );
        black_box((wallet.unwrap(), opened.unwrap(), mapped.unwrap(), sent.unwrap()));
        let hold =
            AttributeValue::M([("amount".to_owned(), number(280)), ("step".to_owned(), number(0))].into());
        let set_aside = Update::builder()
            .table_name(Self::table("wallets"))
            .key("org_id", text(&ORG.to_string()))
            .update_expression(
                "SET available = available - :grant, held = held + :grant, holds.#call = :hold",
            )
            .condition_expression(
                "available >= :grant AND attribute_not_exists(holds.#call) AND attribute_not_exists(frozen)",
            )
            .expression_attribute_names("#call", call)
            .expression_attribute_values(":grant", number(280))
            .expression_attribute_values(":hold", hold)
            .build()
            .unwrap();
        let items = [
            TransactWriteItem::builder().update(set_aside).build(),
            TransactWriteItem::builder().put(Self::record(call, 1)).build(),
        ];
        let authorized = db.transact_write_items().set_transact_items(Some(items.into())).send();
        let (authorized, ()) = futures::join!(authorized, self.write_slots(Some(call)));
        black_box(authorized.unwrap());
    }

    /// Reads what the clinic says of itself and what it offers.
    async fn read_facts(&self) {
        let clinic =
            self.db.get_item().table_name(Self::table("clinics")).key("org_id", text(&ORG.to_string()));
        let catalog = self
            .db
            .query()
            .table_name(Self::table("booking_catalog"))
            .key_condition_expression("org_id = :org")
            .expression_attribute_values(":org", text(&ORG.to_string()));
        let (clinic, catalog) =
            futures::join!(clinic.consistent_read(true).send(), catalog.consistent_read(true).send());
        black_box((clinic.unwrap(), catalog.unwrap()));
    }

    /// Reads the slots of all clinics.
    async fn read_slots(&self) {
        let slots = self.db.get_item().table_name(Self::table("call_slots")).key("name", text("vapi"));
        black_box(slots.consistent_read(true).send().await.unwrap());
    }

    /// Writes them, with this call's or with none.
    async fn write_slots(&self, call: Option<&str>) {
        let lease = |call: &str| {
            let fields = [
                ("org_id", text(&ORG.to_string())),
                ("call_id", text(call)),
                ("direction", text("inbound")),
                ("caller", text("0123456789abcdef")),
                ("dialled", text("0123456789abcdef")),
                ("until", text("2026-01-01T00:00:00.000Z")),
            ];
            AttributeValue::M(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
        };
        let put = self.db.put_item().table_name(Self::table("call_slots")).item("name", text("vapi"));
        let put = put
            .item("version", number(1))
            .item("leases", AttributeValue::L(call.map(lease).into_iter().collect()));
        let put = put.condition_expression("attribute_not_exists(version) OR version = :read");
        black_box(put.expression_attribute_values(":read", number(1)).send().await.unwrap());
    }

    async fn settle(&mut self, call: &str) {
        let db = &self.db;
        self.seq += 1;
        let wallet = db
            .get_item()
            .table_name(Self::table("wallets"))
            .key("org_id", text(&ORG.to_string()))
            .consistent_read(true);
        let record = db
            .get_item()
            .table_name(Self::table("calls"))
            .key("org_id", text(&ORG.to_string()))
            .key("call_id", text(call))
            .consistent_read(true);
        let (wallet, record) = futures::join!(wallet.send(), record.send());
        black_box((wallet.unwrap(), record.unwrap()));
        let hash = "0".repeat(64);
        let settled = Update::builder()
            .table_name(Self::table("wallets"))
            .key("org_id", text(&ORG.to_string()))
            .update_expression("SET available = available + :back, held = held - :held, ledger_seq = :seq, ledger_head = :head REMOVE holds.#call")
            .condition_expression("attribute_exists(ledger_seq) AND holds.#call.amount = :held")
            .expression_attribute_names("#call", call)
            .expression_attribute_values(":back", number(224))
            .expression_attribute_values(":held", number(280))
            .expression_attribute_values(":seq", number(self.seq))
            .expression_attribute_values(":head", text(&hash))
            .build()
            .unwrap();
        let entry = Put::builder()
            .table_name(Self::table("ledger_entries"))
            .item("org_id", text(&ORG.to_string()))
            .item("entry_key", text(&format!("bare#{call}")))
            .item("seq", number(1_000_000_000 + self.seq))
            .item("hash", text(&hash))
            .item("previous_hash", text(&hash))
            .item("description", text("Inbound call, 1 min 0 s"))
            .item("created_at", text("2026-01-01T00:00:00.000Z"))
            .item("amount", number(56))
            .item("kind", text("call"))
            .item("direction", text("debit"))
            .item("call_id", text(call))
            .item("tariff", number(1))
            .item("balance_before", number(2_000_000_000))
            .item("balance_after", number(1_999_999_944))
            .condition_expression("attribute_not_exists(entry_key)")
            .build()
            .unwrap();
        let items = [
            TransactWriteItem::builder().update(settled).build(),
            TransactWriteItem::builder().put(entry).build(),
            TransactWriteItem::builder().put(Self::record(call, 2)).build(),
        ];
        let settled = db.transact_write_items().set_transact_items(Some(items.into())).send();
        let given_back = async {
            self.read_slots().await;
            self.write_slots(None).await;
        };
        let (settled, ()) = futures::join!(settled, given_back);
        black_box(settled.unwrap());
        self.keep_content(call).await;
    }

    async fn keep_content(&self, call: &str) {
        let db = &self.db;
        let text_key = text(&format!("{call}#content"));
        let before = db
            .get_item()
            .table_name(Self::table("calls"))
            .key("org_id", text(&ORG.to_string()))
            .key("call_id", text_key.clone())
            .consistent_read(true);
        black_box(before.send().await.unwrap());
        let content = db
            .put_item()
            .table_name(Self::table("calls"))
            .item("org_id", text(&ORG.to_string()))
            .item("call_id", text_key)
            .item("content", text(&"x".repeat(150)));
        black_box(content.send().await.unwrap());
    }

    async fn both(&mut self, call: &str) -> (Duration, Duration) {
        let began = Instant::now();
        self.authorize(call).await;
        let authorized = began.elapsed();
        let began = Instant::now();
        self.settle(call).await;
        (authorized, began.elapsed())
    }
}

fn harness(runtime: &Runtime) -> Harness {
    runtime.block_on(Harness::with_wallet(2_000_000_000, 600))
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e6
}

/// The ratio, from measurements in turns: whatever else the machine does, it does to both.
fn ratios(_: &mut Criterion) {
    let runtime = runtime();
    let (ours, theirs) = (harness(&runtime), harness(&runtime));
    let mut bare = Bare { harness: &theirs, db: theirs.stack.unguarded(), seq: 1 };
    let mut times: [Vec<Duration>; 4] = Default::default();
    for turn in 0..TURNS {
        let call = format!("call-{turn}");
        let (authorized, settled) = runtime.block_on(through_the_handler(&ours, &call));
        let (bare_authorized, bare_settled) = runtime.block_on(bare.both(&call));
        for (kept, time) in times.iter_mut().zip([authorized, bare_authorized, settled, bare_settled]) {
            kept.push(time);
        }
    }
    let [authorize, bare_authorize, settle, bare_settle] = times.map(median);
    println!(
        "authorize: handler {authorize:.0} µs, bare {bare_authorize:.0} µs, ratio {:.2}",
        authorize / bare_authorize
    );
    println!(
        "settle:    handler {settle:.0} µs, bare {bare_settle:.0} µs, ratio {:.2}",
        settle / bare_settle
    );
}

fn handlers(criterion: &mut Criterion) {
    let runtime = runtime();
    let harness = harness(&runtime);
    let mut call = 0_u64;
    criterion.bench_function("a call through the handlers: authorize and settle", |bencher| {
        bencher.iter(|| {
            call += 1;
            runtime.block_on(through_the_handler(&harness, &format!("bench-{call}")))
        });
    });
}

criterion_group!(benches, ratios, handlers);
criterion_main!(benches);
