//! What operators see and decide: clinics that are to exist, how the schedules' runs went, doubts, adjustments, frozen wallets, numbers that no record
//! claims. No org's member comes in, and no operator gets further.

#![recursion_limit = "256"]

mod clinics;
mod money;
mod orphans;

use base::config::Invalid;
use http::Response;
use jiff::Timestamp;
use platform::Platform;
use serde::{Deserialize, Serialize};
use services::{
    operating::{Operating, Settings},
    reconcile::Task,
    team::{self, TeamKeeper},
};
use store::runs::{self, Finding, Report};
use utoipa::{IntoParams, ToSchema};
use web::{
    auth::{Auth, Operator},
    contract::Operation,
    problem::Problem,
    request::invalid,
    routes::{Answer, Input},
    runtime::{Body, Request},
};

const DEFAULT_LIMIT: u8 = 20;
const LARGEST_LIMIT: u8 = 100;

/// What the function is built from, once per cold start.
#[derive(Debug)]
pub struct Deps {
    /// Who calls.
    pub auth: Auth,
    /// The runs' reports.
    pub runs: runs::Runs,
    /// What an operator decides about an org's money.
    pub operating: Operating,
    /// Who works at clinics.
    pub team: TeamKeeper,
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
        let settings = Settings::read(&mut reader, &platform);
        let team = team::Settings::read(&mut reader);
        let auth = Auth::read(&mut reader, &platform);
        reader.finish()?;
        let runs = runs::Runs::new(platform.database(&settings.base.table_prefix));
        let team = TeamKeeper::deployed(&platform, &team);
        let operating = Operating::deployed(&platform, settings);
        Ok(Self { auth, runs, operating, team, platform })
    }
}

web::routes! { Deps, Operator;
    /// Lists the last runs of reconciliation, with what they found.
    GET "/api/operations/reconciliation" => reports, for Operators, answers 200;
    /// Makes a clinic, and invites its owner.
    POST "/api/operations/clinics" => clinics::create, for Operators, answers 200 | 201, fails AccountElsewhere | ClinicExists | SignInUnavailable;
    /// Lists the calls of which a vendor states more talk than is billed.
    GET "/api/operations/doubts" => money::doubts, for Operators, answers 200;
    /// Bills what the vendor states of a call in doubt.
    POST "/api/operations/doubts/{orgId}/{callId}/accept" => money::accept, for Operators, answers 200, fails DoubtLapsed;
    /// Lists what operators did to an org, the newest first.
    GET "/api/operations/wallets/{orgId}/acts" => money::acts, for Operators, answers 200;
    /// Corrects a wallet by one more entry of its ledger.
    POST "/api/operations/wallets/{orgId}/adjustments" => money::adjust, for Operators, answers 200, fails InvalidAmount | IdempotencyKeyReused;
    /// Lets a wallet be spent from again.
    POST "/api/operations/wallets/{orgId}/unfreeze" => money::unfreeze, for Operators, answers 200;
    /// Says how many calls an org may have at a time.
    POST "/api/operations/wallets/{orgId}/call-limit" => money::limit_calls, for Operators, answers 200;
    /// Lists the numbers at vendors that no record claims.
    GET "/api/operations/orphans" => orphans::list, for Operators, answers 200;
    /// Lets such a number be given back.
    POST "/api/operations/orphans/give-back" => orphans::allow, for Operators, answers 202, fails NotFound;
    /// Takes that word back.
    DELETE "/api/operations/orphans/give-back" => orphans::withdraw, for Operators, answers 200, fails NotFound;
}

/// What each route of this function reads and answers.
pub fn contract() -> Vec<Operation> {
    tabled()
}

/// Answers a request of an operator's.
///
/// # Errors
/// When the caller is not an operator, or asks for what cannot be; or something of ours failed.
pub async fn handle(deps: &Deps, request: Request) -> Result<Response<Body>, Problem> {
    let operator = deps.auth.operator(request.headers()).await?;
    dispatch(deps, &operator, request).await
}

/// Which runs are shown.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct Shown {
    /// How many of each task, 1 to 100.
    #[param(value_type = Option<u32>, minimum = 1)]
    limit: Option<String>,
    /// Of this task only.
    task: Option<String>,
}
web::query_values!(Shown);

#[derive(Debug, Serialize, ToSchema)]
struct Runs {
    runs: Vec<Run>,
}

/// A report as it is shown.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Run {
    task: String,
    #[serde(with = "domain::time::millis")]
    started_at: Timestamp,
    #[serde(with = "domain::time::millis")]
    finished_at: Timestamp,
    checked: u64,
    checked_ids: Vec<String>,
    repaired: Vec<Finding>,
    left: Vec<Finding>,
    complete: bool,
}

impl From<Report> for Run {
    fn from(report: Report) -> Self {
        Self {
            task: report.task,
            started_at: report.started_at,
            finished_at: report.finished_at,
            checked: report.checked,
            checked_ids: report.checked_ids,
            repaired: report.repaired,
            left: report.left,
            complete: report.complete,
        }
    }
}

/// `GET /api/operations/reconciliation`: the reports of the last runs, newest first, of one task or of all; so many of each, so
/// that what runs every minute does not hide what runs every day.
async fn reports(deps: &Deps, _: &Operator, input: Input<Shown>) -> Result<Answer<Runs>, Problem> {
    let limit = input.query.limit.as_deref().map_or(Ok(DEFAULT_LIMIT), limit)?;
    let tasks = match &input.query.task {
        Some(name) => vec![task(name)?],
        None => Task::ALL.to_vec(),
    };
    let mut reports = Vec::new();
    for task in tasks {
        reports.extend(deps.runs.last(task.as_str(), i32::from(limit)).await?);
    }
    reports.sort_by_key(|report| std::cmp::Reverse(report.started_at));
    Ok(Answer::ok(Runs { runs: reports.into_iter().map(Run::from).collect() }))
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
