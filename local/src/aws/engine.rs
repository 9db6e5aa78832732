//! The embedded engine behind DynamoDB's own requests and answers, or another endpoint that answers them.

use dynoxide::Database;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::failure;

/// Returns the embedded engine's answer to one request.
pub(super) fn evaluate(db: &Database, operation: &str, body: Value) -> (u16, Value) {
    fn run<I: DeserializeOwned, O: Serialize>(
        body: Value,
        act: impl FnOnce(I) -> dynoxide::Result<O>,
    ) -> (u16, Value) {
        let input = match serde_json::from_value(body) {
            Ok(input) => input,
            Err(error) => {
                return (
                    400,
                    json!({"__type": "com.amazon.coral.service#SerializationException", "message": error.to_string()}),
                );
            }
        };
        match act(input) {
            Ok(output) => (200, serde_json::to_value(output).unwrap_or_default()),
            Err(error) => (error.status_code(), serde_json::from_str(&error.to_json()).unwrap_or_default()),
        }
    }
    match operation {
        "CreateTable" => run(body, |input| db.create_table(input)),
        "ListTables" => run(body, |input| db.list_tables(input)),
        "DescribeTable" => run(body, |input| db.describe_table(input)),
        "DescribeTimeToLive" => run(body, |input| db.describe_time_to_live(input)),
        "GetItem" => run(body, |input| db.get_item(input)),
        "PutItem" => run(body, |input| db.put_item(input)),
        "UpdateItem" => run(body, |input| db.update_item(input)),
        "DeleteItem" => run(body, |input| db.delete_item(input)),
        "Query" => run(body, |input| db.query(input)),
        "Scan" => run(body, |input| db.scan(input)),
        "BatchGetItem" => run(body, |input| db.batch_get_item(input)),
        "TransactWriteItems" => run(body, |input| db.transact_write_items(input)),
        "TransactGetItems" => run(body, |input| db.transact_get_items(input)),
        _ => failure("UnknownOperationException"),
    }
}

/// Returns what the endpoint at `url` answers; no answer is an `InternalServerError`.
pub(super) async fn elsewhere(
    client: &reqwest::Client,
    url: &str,
    operation: &str,
    body: &Value,
) -> (u16, Value) {
    let answer = client
        .post(url)
        .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
        .header("content-type", "application/x-amz-json-1.0")
        .header("authorization", "AWS4-HMAC-SHA256 Credential=local/20260101/eu-west-2/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
        .body(body.to_string())
        .send()
        .await;
    match answer {
        Ok(answer) => (answer.status().as_u16(), answer.json().await.unwrap_or_default()),
        Err(_) => failure("InternalServerError"),
    }
}

/// The same for a caller that is not async: on a thread and by a client of its own, because the caller's cannot wait.
pub(super) fn peek_elsewhere(url: &str, operation: &str, body: &Value) -> (u16, Value) {
    let asked = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
        #[expect(clippy::disallowed_methods, reason = "a test's own way to another engine")]
        let client = reqwest::Client::new();
        Some(runtime.block_on(elsewhere(&client, url, operation, body)))
    };
    let answered = std::thread::scope(|scope| scope.spawn(asked).join());
    answered.ok().flatten().unwrap_or_else(|| failure("InternalServerError"))
}
