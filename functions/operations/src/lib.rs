//! What operators see: how the schedules' runs went. No org's member comes in, and no operator gets further.

#![recursion_limit = "256"]

use base::config::{Base, Invalid};
use domain::time::rfc3339_millis;
use http::{Method, StatusCode};
use lambda_http::{Body, Request, Response};
use platform::Platform;
use serde_json::{Value, json};
use services::reconcile::Task;
use store::runs::{Report, Runs};
use web::{
    auth::Auth,
    problem::{Code, Problem, json_answer},
    request::{Query, invalid},
};

const DEFAULT_LIMIT: u8 = 20;
const LARGEST_LIMIT: u8 = 100;

/// What the function is built from, once per cold start.
#[derive(Debug)]
pub struct Deps {
    /// Who calls.
    pub auth: Auth,
    /// The runs' reports.
    pub runs: Runs,
    /// Time and chance.
    pub platform: Platform,
}

impl Deps {
    /// Builds them from the platform's settings.
    ///
    /// # Errors
    /// When settings are missing or unusable: all of them at once.
    pub fn new(platform: Platform) -> Result<Self, Invalid> {
        let mut reader = platform.environment.reader();
        let base = Base::read(&mut reader);
        let auth = Auth::read(&mut reader, &platform);
        reader.finish()?;
        let runs = Runs::new(platform.database(&base.table_prefix));
        Ok(Self { auth, runs, platform })
    }
}

/// Answers a request of an operator's.
///
/// # Errors
/// When the caller is not an operator, or asks for what cannot be; or something of ours failed.
pub async fn handle(deps: &Deps, request: Request) -> Result<Response<Body>, Problem> {
    deps.auth.operator(request.headers()).await?;
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/api/operations/reconciliation") => reports(deps, request.uri().query()).await,
        _ => Err(Problem::new(Code::NotFound)),
    }
}

/// `GET /api/operations/reconciliation`: the reports of the last runs, newest first, of one task or of all; so many of each, so
/// that what runs every minute does not hide what runs every day.
async fn reports(deps: &Deps, query: Option<&str>) -> Result<Response<Body>, Problem> {
    let query = Query::parse(query, &["limit", "task"])?;
    let limit = query.get("limit").map_or(Ok(DEFAULT_LIMIT), limit)?;
    let tasks = match query.get("task") {
        Some(name) => vec![task(name)?],
        None => Task::ALL.to_vec(),
    };
    let mut reports = Vec::new();
    for task in tasks {
        reports.extend(deps.runs.last(task.as_str(), i32::from(limit)).await?);
    }
    reports.sort_by_key(|report| std::cmp::Reverse(report.started_at));
    let runs: Vec<Value> = reports.iter().map(run).collect();
    Ok(json_answer(StatusCode::OK, &json!({ "runs": runs })))
}

/// A report as it is shown.
fn run(report: &Report) -> Value {
    json!({
        "task": report.task,
        "startedAt": rfc3339_millis(report.started_at),
        "finishedAt": rfc3339_millis(report.finished_at),
        "checked": report.checked,
        "checkedIds": report.checked_ids,
        "repaired": report.repaired,
        "left": report.left,
        "complete": report.complete,
    })
}

fn limit(text: &str) -> Result<u8, Problem> {
    let limit = text.parse().ok().filter(|limit| (1..=LARGEST_LIMIT).contains(limit));
    limit.ok_or_else(|| invalid(format!("limit is a whole number from 1 to {LARGEST_LIMIT}.")))
}

fn task(text: &str) -> Result<Task, Problem> {
    Task::parse(text).ok_or_else(|| {
        let known: Vec<&str> = Task::ALL.iter().map(|task| task.as_str()).collect();
        invalid(format!("task is one of {}.", known.join(", ")))
    })
}
