//! Stands in for AWS behind the SDK's own HTTP seam: DynamoDB by the embedded engine, SQS by [`crate::queue`], Secrets
//! Manager by [`crate::secrets`]. The same place injects faults, counts requests and reads what they cost.

mod engine;

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use aws_smithy_runtime_api::{
    client::{
        http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use dynoxide::Database;
use http_body_util::Full;
use serde_json::{Value, json};

use self::engine::{elsewhere, evaluate, peek_elsewhere};
use crate::{
    iam::Permissions,
    queue::Queues,
    secrets::{self, Secrets},
};

/// A request on its way.
#[derive(Clone, Debug)]
pub struct Sent {
    /// `DynamoDB_20120810`, `AmazonSQS` or `secretsmanager`.
    pub service: String,
    /// `UpdateItem`, `SendMessage`, …
    pub operation: String,
    /// What is asked. A plan may change it.
    pub body: Value,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done and answered.
    Pass,
    /// It is not done, and answered with this error of the service's. `TransactionConflict` is answered as DynamoDB
    /// answers it: a transaction is cancelled for that reason, another request has a conflict.
    Fail(&'static str),
    /// It is not done, and not answered.
    LoseRequest,
    /// It is done, and not answered.
    LoseAnswer,
    /// It is not answered, and done when [`Transport::apply_late`] is called. A read, or a request of a queue, is lost.
    Later,
    /// It is not done, and answered as if it were: a message that goes missing.
    Pretend,
}

/// Decides what becomes of each request, and may change it.
pub type Plan = dyn FnMut(&mut Sent) -> Outcome + Send;

/// What was asked and what it cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Spent {
    /// `UpdateItem`, `SendMessage`, …
    pub operation: String,
    /// Capacity units, as the engine counts them.
    pub units: f64,
    /// Which round trip it was part of: requests that are under way together share one.
    pub trip: usize,
}

/// Where DynamoDB requests go.
#[derive(Clone)]
enum Engine {
    /// Answered on the calling thread.
    Memory(Database),
    /// Answered on a thread that may wait for the disk.
    Disk(Database),
    /// Sent on to another endpoint: a second opinion.
    Elsewhere(String, reqwest::Client),
}

/// The transport.
#[derive(Clone)]
pub struct Transport {
    inner: Arc<Inner>,
    /// What may be asked by this way; anything, where nothing is said.
    permissions: Option<Arc<Permissions>>,
}

struct Inner {
    engine: Engine,
    queues: Queues,
    secrets: Secrets,
    plan: Mutex<Option<Box<Plan>>>,
    spent: Mutex<Vec<Spent>>,
    under_way: AtomicUsize,
    trips: AtomicUsize,
    late: Mutex<Vec<(String, Value)>>,
    counts: bool,
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}

impl Transport {
    /// An engine in memory, which counts what is asked of it.
    pub fn memory(db: Database, queues: Queues) -> Self {
        Self::over(Engine::Memory(db), queues, true)
    }

    /// An engine on disk.
    pub fn disk(db: Database, queues: Queues) -> Self {
        Self::over(Engine::Disk(db), queues, false)
    }

    /// Another endpoint.
    pub fn elsewhere(url: String, queues: Queues) -> Self {
        #[expect(clippy::disallowed_methods, reason = "a test's own way to another engine")]
        let client = reqwest::Client::new();
        Self::over(Engine::Elsewhere(url, client), queues, true)
    }

    fn over(engine: Engine, queues: Queues, counts: bool) -> Self {
        let secrets = Secrets::open(match &engine {
            Engine::Disk(db) => Some(db.clone()),
            Engine::Memory(_) | Engine::Elsewhere(..) => None,
        });
        let (plan, spent) = (Mutex::new(None), Mutex::default());
        let (under_way, trips) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let late = Mutex::default();
        let inner = Inner { engine, queues, secrets, plan, spent, under_way, trips, late, counts };
        Self { inner: Arc::new(inner), permissions: None }
    }

    /// The same for a function that may do just this.
    #[must_use]
    pub fn of_function(&self, permissions: Permissions) -> Self {
        Self { inner: Arc::clone(&self.inner), permissions: Some(Arc::new(permissions)) }
    }

    /// The queues behind it.
    pub fn queues(&self) -> &Queues {
        &self.inner.queues
    }

    /// The secrets behind it.
    pub fn secrets(&self) -> &Secrets {
        &self.inner.secrets
    }

    /// Lets `plan` decide what becomes of each request from now on.
    pub fn set_plan(&self, plan: impl FnMut(&mut Sent) -> Outcome + Send + 'static) {
        *self.inner.plan.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(plan));
    }

    /// Lets every request pass from now on.
    pub fn clear_plan(&self) {
        *self.inner.plan.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// What was asked since the last time this was called.
    pub fn take_spent(&self) -> Vec<Spent> {
        self.inner.trips.store(0, Ordering::SeqCst);
        std::mem::take(&mut *self.inner.spent.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How many requests are still to be done late.
    pub fn late(&self) -> usize {
        self.inner.late.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Does the request that has been kept as the `nth`: long after the process that asked for it has given up, or asked again. Its
    /// conditions decide as ever. Returns whether there was one.
    pub fn apply_late(&self, nth: usize) -> bool {
        let mut late = self.inner.late.lock().unwrap_or_else(PoisonError::into_inner);
        if nth >= late.len() {
            return false;
        }
        let (operation, body) = late.remove(nth);
        drop(late);
        self.peek(&operation, body);
        true
    }

    /// Whether the engine is this process's own.
    pub fn is_embedded(&self) -> bool {
        !matches!(self.inner.engine, Engine::Elsewhere(..))
    }

    /// Asks the engine directly: no plan, no faults. Another endpoint is waited for.
    pub fn peek(&self, operation: &str, mut body: Value) -> Value {
        if let (true, Some(fields)) = (operation == "TransactWriteItems", body.as_object_mut()) {
            fields.remove("ClientRequestToken");
        }
        match &self.inner.engine {
            Engine::Memory(db) | Engine::Disk(db) => evaluate(db, operation, body).1,
            Engine::Elsewhere(url, _) => peek_elsewhere(url, operation, &body).1,
        }
    }

    /// Creates a table, where it is not there.
    ///
    /// # Errors
    /// When the engine refuses, or the table that is there lacks an index that this one has: a data folder of an older version.
    pub async fn create_table(&self, table: &Value) -> Result<(), String> {
        let (status, body) = self.dynamodb("CreateTable", table.clone()).await;
        let exists = body["__type"].as_str().is_some_and(|kind| kind.ends_with("ResourceInUseException"));
        match (status, exists) {
            (200, _) => Ok(()),
            (_, true) => self.has_indexes_of(table).await,
            (_, false) => Err(body.to_string()),
        }
    }

    async fn has_indexes_of(&self, table: &Value) -> Result<(), String> {
        let name = &table["TableName"];
        let (_, there) = self.dynamodb("DescribeTable", json!({"TableName": name})).await;
        let there = indexes_of(&there["Table"]);
        match indexes_of(table).into_iter().find(|index| !there.contains(index)) {
            Some(index) => Err(format!(
                "the data folder is of an older version: {name} has no index {index}. Start afresh with --reset"
            )),
            None => Ok(()),
        }
    }

    async fn answer(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let target = request.headers().get("x-amz-target").unwrap_or_default().to_owned();
        let (service, operation) = target.split_once('.').unwrap_or_default();
        let body: Value =
            serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap_or_default();
        let missing =
            self.permissions.as_ref().and_then(|allowed| allowed.missing(service, operation, &body));
        if let Some((action, resource)) = missing {
            tracing::error!(action, resource, "template.yaml does not allow a function to do this");
            return response(failure("AccessDeniedException"));
        }
        let mut sent = Sent { service: service.to_owned(), operation: operation.to_owned(), body };
        tokio::task::yield_now().await;
        let fate = {
            let mut plan = self.inner.plan.lock().unwrap_or_else(PoisonError::into_inner);
            plan.as_mut().map_or(Outcome::Pass, |plan| plan(&mut sent))
        };
        let answer = match fate {
            Outcome::Fail("TransactionConflict") => conflict(&sent),
            Outcome::Fail(code) => failure(code),
            Outcome::Later => {
                if sent.service != "AmazonSQS" && is_write(&sent.operation) {
                    let mut late = self.inner.late.lock().unwrap_or_else(PoisonError::into_inner);
                    late.push((sent.operation, sent.body));
                }
                return Err(ConnectorError::timeout("the request is late".into()));
            }
            Outcome::Pretend => (200, json!({"MessageId": "pretended"})),
            Outcome::LoseRequest => return Err(ConnectorError::timeout("the request was lost".into())),
            Outcome::Pass | Outcome::LoseAnswer => self.done(sent).await,
        };
        tokio::task::yield_now().await;
        if fate == Outcome::LoseAnswer {
            return Err(ConnectorError::timeout("the answer was lost".into()));
        }
        response(answer)
    }

    async fn done(&self, sent: Sent) -> (u16, Value) {
        if sent.service == secrets::SERVICE {
            return match self.inner.secrets.answer(&sent.operation, &sent.body) {
                Ok(answer) => (200, answer),
                Err(error) => (400, json!({"__type": error.code(), "message": error.to_string()})),
            };
        }
        if sent.service != "AmazonSQS" {
            return self.dynamodb(&sent.operation, sent.body).await;
        }
        self.count(&sent.operation, &Value::Null);
        match self.inner.queues.answer(&sent.operation, &sent.body) {
            Ok(answer) => (200, answer),
            Err(error) => {
                let (shape, code) = error.codes();
                let kind = format!("com.amazonaws.sqs#{shape}");
                (400, json!({"__type": kind, "message": error.to_string(), "QueryErrorCode": code}))
            }
        }
    }

    async fn dynamodb(&self, operation: &str, mut body: Value) -> (u16, Value) {
        if self.inner.counts && operation != "CreateTable" {
            body["ReturnConsumedCapacity"] = json!("TOTAL");
        }
        // The engine searches the tokens of ten minutes at every transaction; the conditions are the guard.
        if let (true, Some(fields)) = (operation == "TransactWriteItems", body.as_object_mut()) {
            fields.remove("ClientRequestToken");
        }
        let answer = match &self.inner.engine {
            Engine::Memory(db) => evaluate(db, operation, body),
            Engine::Disk(db) => {
                let (db, operation) = (db.clone(), operation.to_owned());
                tokio::task::spawn_blocking(move || evaluate(&db, &operation, body))
                    .await
                    .unwrap_or_else(|_| failure("InternalServerError"))
            }
            Engine::Elsewhere(url, client) => elsewhere(client, url, operation, &body).await,
        };
        self.count(operation, &answer.1["ConsumedCapacity"]);
        answer
    }

    fn count(&self, operation: &str, consumed: &Value) {
        if !self.inner.counts {
            return;
        }
        let one = |value: &Value| value["CapacityUnits"].as_f64().unwrap_or_default();
        let units = consumed.as_array().map_or_else(|| one(consumed), |all| all.iter().map(one).sum());
        let trip = self.inner.trips.load(Ordering::SeqCst);
        let spent = Spent { operation: operation.to_owned(), units, trip };
        self.inner.spent.lock().unwrap_or_else(PoisonError::into_inner).push(spent);
    }
}

impl HttpConnector for Transport {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let transport = self.clone();
        HttpConnectorFuture::new(async move {
            let target = request.headers().get("x-amz-target").unwrap_or_default();
            if target.starts_with(secrets::SERVICE) {
                // Read once in a while, by no step of a call: no trip of any.
                return transport.answer(request).await;
            }
            if transport.inner.under_way.fetch_add(1, Ordering::SeqCst) == 0 {
                transport.inner.trips.fetch_add(1, Ordering::SeqCst);
            }
            let answer = transport.answer(request).await;
            transport.inner.under_way.fetch_sub(1, Ordering::SeqCst);
            answer
        })
    }
}

impl HttpClient for Transport {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

fn failure(code: &str) -> (u16, Value) {
    let status = if code.starts_with("Internal") || code == "ServiceUnavailable" { 500 } else { 400 };
    (status, json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "injected"}))
}

/// Whether it may change something.
fn is_write(operation: &str) -> bool {
    matches!(operation, "PutItem" | "UpdateItem" | "DeleteItem" | "TransactWriteItems")
}

/// Another request has hold of the same record.
fn conflict(sent: &Sent) -> (u16, Value) {
    let items = sent.body["TransactItems"].as_array().map_or(0, Vec::len);
    if sent.operation != "TransactWriteItems" {
        return failure("TransactionConflictException");
    }
    let reason = |at: usize| json!({"Code": if at == 0 { "TransactionConflict" } else { "None" }});
    let reasons: Vec<Value> = (0..items).map(reason).collect();
    let kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException";
    (400, json!({"__type": kind, "Message": "injected", "CancellationReasons": reasons}))
}

fn response((status, body): (u16, Value)) -> Result<HttpResponse, ConnectorError> {
    let status = StatusCode::try_from(status).map_err(|error| ConnectorError::other(error.into(), None))?;
    // As over the network, where an answer's bytes are there only once they are read.
    let streamed = SdkBody::from_body_1_x(Full::new(Bytes::from(body.to_string())));
    let mut response = HttpResponse::new(status, streamed);
    response.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    if let Some(code) = body["QueryErrorCode"].as_str() {
        response.headers_mut().insert("x-amzn-query-error", format!("{code};Sender"));
    }
    Ok(response)
}

/// The names of a table's indexes, of either kind.
fn indexes_of(table: &Value) -> Vec<String> {
    let lists = [&table["LocalSecondaryIndexes"], &table["GlobalSecondaryIndexes"]];
    let indexes = lists.into_iter().filter_map(Value::as_array).flatten();
    indexes.filter_map(|index| index["IndexName"].as_str().map(str::to_owned)).collect()
}

#[cfg(test)]
mod tests {
    use base::entropy::Entropy;

    use super::*;
    use crate::clock::TestClock;

    #[tokio::test]
    async fn a_data_folder_of_an_older_version_says_what_to_do() {
        let table = |indexes: &[&str]| {
            let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
            let index = |name: &&str| {
                json!({"IndexName": name, "KeySchema": [key("org", "HASH"), key("at", "RANGE")],
                    "Projection": {"ProjectionType": "ALL"}})
            };
            let attribute = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
            let mut table = json!({"TableName": "table", "BillingMode": "PAY_PER_REQUEST",
                "KeySchema": [key("org", "HASH"), key("id", "RANGE")],
                "AttributeDefinitions": [attribute("org"), attribute("id")]});
            if !indexes.is_empty() {
                table["LocalSecondaryIndexes"] = indexes.iter().map(index).collect();
                table["AttributeDefinitions"] = json!([attribute("org"), attribute("id"), attribute("at")]);
            }
            table
        };
        let clock = Arc::new(TestClock::at(jiff::Timestamp::UNIX_EPOCH));
        let queues = Queues::open(Vec::new(), "127.0.0.1:3000", None, clock, Arc::new(Entropy::seeded(1)));
        let aws = Transport::memory(Database::memory().unwrap(), queues);
        aws.create_table(&table(&[])).await.unwrap();
        aws.create_table(&table(&[])).await.unwrap();
        let error = aws.create_table(&table(&["by_at"])).await.unwrap_err();
        assert!(error.contains("has no index by_at. Start afresh with --reset"), "{error}");
    }
}
