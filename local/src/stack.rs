//! The whole system in one process: every function behind the template's routes and queues, on stand-ins for AWS and
//! the vendors. `cargo run` lets it run by a running clock; the tests turn the clock themselves.

use std::{path::PathBuf, sync::Arc, time::Duration};

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use base::clock::Clock;
use base::config::{Environment, Invalid};
use base::entropy::Entropy;
use bytes::Bytes;
use dynoxide::Database;
use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use lambda_http::{Body, Context, RequestExt};
use platform::{Aws, Platform};
use services::reconcile::{ReconcileError, Report, Task};
use store::Dynamo;
use vendors::http::Http;
use web::problem::{Code, Problem, chain};

use crate::{
    aws::Transport,
    clock::SkewedClock,
    functions::{self, Functions, UnknownFunction},
    queue::{Message, Queues},
    schedule::{Schedule, Schedules},
    template::{Template, TemplateError},
};
use sandbox::{
    faults::Faults,
    hosts::Hosts,
    stripe::{self, StripeSandbox},
    twilio::{self, TwilioSandbox},
    vapi::{self, OnConnect, TwilioOwns, VapiSandbox},
};

/// How long Vapi waits for the answer to an assistant-request. Never sped up: it is the network's time.
const VAPI_PATIENCE: Duration = Duration::from_millis(7_500);

/// Where the data lies.
#[derive(Clone, Debug)]
pub enum Storage {
    /// In memory.
    Memory,
    /// In a file in this folder.
    Folder(PathBuf),
    /// At another DynamoDB endpoint.
    Elsewhere(String),
}

/// How to build a stack.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The environment that names the tables.
    pub environment: String,
    /// Where the data lies.
    pub storage: Storage,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Ids and chance.
    pub entropy: Arc<Entropy>,
    /// Where the gateway listens, for URLs that point back to it.
    pub address: String,
    /// Settings beside the usual ones.
    pub settings: Vec<(String, String)>,
    /// The way to real vendors, where any is real.
    pub network: Option<Http>,
    /// Whether the template's schedules run by themselves.
    pub schedules: bool,
    /// Functions whose clocks go wrong, and by how much.
    pub skews: Vec<(String, SignedDuration)>,
}

/// The secrets of the sandboxes. They guard nothing.
pub const VAPI_SECRET: &str = "sandbox-vapi-webhook-secret";
const VAPI_KEY: &str = "sandbox-vapi-key";
const VAPI_BASE: &str = "http://api.vapi.sandbox";
/// What the Stripe sandbox signs with.
pub const STRIPE_SECRET: &str = "whsec_sandbox";
const STRIPE_KEY: &str = "sk_test_sandbox";
const STRIPE_BASE: &str = "http://api.stripe.sandbox";
/// Our own account at the Twilio sandbox, above every subaccount.
pub const TWILIO_SID: &str = "AC00000000000000000000000000000001";
/// What opens our own account at the Twilio sandbox.
pub const TWILIO_TOKEN: &str = "sandbox-twilio-token";
const TWILIO_BASE: &str = "http://api.twilio.sandbox";
const TWILIO_VOICE_BASE: &str = "http://voice.twilio.sandbox";
/// Where the sandboxes believe our API to be.
const PUBLIC_URL: &str = "https://voxanne.sandbox";
/// What seals the local stack's secrets: 32 bytes that anyone can read here.
const CREDENTIAL_KEYS: &str = "local1:dm94YW5uZS1sb2NhbC1jcmVkZW50aWFsLWtleS0wMDE=";
/// What the local stack's tokens are signed with, and who issues them.
pub const JWT_SECRET: &str = "the-local-stack-signs-its-tokens-with-this";
/// The issuer of the local stack's tokens.
pub const JWT_ISSUER: &str = "http://voxanne.local/auth/v1";

/// Why the stack does not come up.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// The template is not usable.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The settings are not.
    #[error(transparent)]
    Settings(#[from] Invalid),
    /// The template names a function that there is not.
    #[error(transparent)]
    Function(#[from] UnknownFunction),
    /// The database cannot be opened.
    #[error("the database cannot be opened: {0}")]
    Database(String),
}

/// The system.
#[derive(Debug)]
pub struct Stack {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The seams that every function has.
    pub platform: Platform,
    /// AWS.
    pub aws: Transport,
    /// Vapi.
    pub vapi: Arc<VapiSandbox>,
    /// Stripe.
    pub stripe: Arc<StripeSandbox>,
    /// Twilio.
    pub twilio: Arc<TwilioSandbox>,
    /// What goes wrong on the way to the vendors.
    pub faults: Arc<Faults>,
    /// What the template declares.
    pub template: Template,
    schedules: Option<Schedules>,
    functions: Functions,
}

impl Stack {
    /// Builds it, and creates the tables that are not there yet.
    ///
    /// # Errors
    /// When template, settings or database are not usable.
    pub async fn build(plan: Plan) -> Result<Self, StackError> {
        let template = Template::read(&plan.environment)?;
        functions::check(&template)?;
        let aws = transport(&plan, &template)?;
        for table in &template.tables {
            aws.create_table(table).await.map_err(StackError::Database)?;
        }
        let hosts = hosts(&plan);
        let platform = platform(&plan, &aws, vendors(hosts.clone(), plan.network.clone()));
        let Hosts { vapi, stripe, twilio, faults, .. } = hosts.clone();
        seed_secrets(&platform, &aws);
        let at = |function: &str| {
            let skew = plan.skews.iter().find(|(name, _)| name == function);
            let permissions = template.permissions.get(function).cloned().unwrap_or_default();
            let aws = aws.of_function(permissions);
            let mut platform = self::platform(&plan, &aws, vendors(hosts.clone(), plan.network.clone()));
            if let Some((_, ahead)) = skew {
                platform.clock = Arc::new(SkewedClock::of(Arc::clone(&platform.clock), *ahead));
            }
            platform
        };
        let functions = Functions::build(at)?;
        let schedules =
            plan.schedules.then(|| Schedules::starting_at(template.schedules.clone(), plan.clock.now()));
        let clock = plan.clock;
        Ok(Self { clock, platform, aws, vapi, stripe, twilio, faults, template, schedules, functions })
    }

    /// Registers the endpoint at Stripe, as a deployment does. Without one everything else works, and its webhook answers 503.
    pub async fn register(&self) {
        if let Err(error) = Box::pin(stripe_endpoint::register(&self.functions.stripe_endpoint)).await {
            tracing::warn!(
                cause = chain(&error),
                "there is no endpoint of ours at Stripe: it cannot post here"
            );
        }
    }

    /// The database, as the functions see it.
    pub fn db(&self) -> Dynamo {
        let environment =
            self.platform.environment.reader().optional("VOXANNE_ENVIRONMENT").unwrap_or_default();
        self.platform.database(&format!("voxanne-{environment}-"))
    }

    /// A client of the same database without the guard in front of it: for what changes records behind the system's back.
    pub fn unguarded(&self) -> aws_sdk_dynamodb::Client {
        let http = SharedHttpClient::new(self.aws.clone());
        aws_sdk_dynamodb::Client::new(&sdk_config().into_builder().http_client(http).build())
    }

    /// Answers a request as API Gateway and the function behind the route would.
    pub async fn request(&self, request: Request<Bytes>) -> Response<Bytes> {
        let path = request.uri().path().to_owned();
        let at_path: Vec<_> =
            self.template.routes.iter().filter(|route| is_match(&route.path, &path)).collect();
        let route = at_path.iter().find(|route| route.method == request.method().as_str());
        let function = route.map(|route| route.function.clone());
        let request_id = self.platform.entropy.uuid(self.clock.now()).to_string();
        let response = match function.as_deref() {
            Some(function) => {
                let answer = self.functions.answer(function, lambda_request(request, &request_id)).await;
                answer.unwrap_or_else(|| Problem::new(Code::NotFound).answer(&request_id))
            }
            None if at_path.is_empty() => Problem::new(Code::NotFound).answer(&request_id),
            None => Problem::new(Code::MethodNotAllowed).answer(&request_id),
        };
        response.map(|body| match body {
            Body::Text(text) => Bytes::from(text),
            Body::Binary(bytes) => Bytes::from(bytes),
            Body::Empty | _ => Bytes::new(),
        })
    }

    /// Gives one message to the function that reads its queue. Deletes it when it was dealt with; else it comes
    /// again when its visibility ends.
    pub async fn consume(&self, consumer: &str, message: Message) {
        let mut record = SqsMessage::default();
        record.message_id = Some(message.id.clone());
        record.body = Some(message.body.clone());
        let mut event = SqsEvent::default();
        event.records = vec![record];
        let failed = self.functions.consume(consumer, event).await;
        let is_dealt_with = failed.is_some_and(|failed| failed.batch_item_failures.is_empty());
        if is_dealt_with {
            self.aws.queues().delete(&message.id);
        }
    }

    /// Takes a schedule that is due, if one is and they run here.
    pub fn take_scheduled(&self) -> Option<Schedule> {
        self.schedules.as_ref()?.take_due(self.clock.now())
    }

    /// Does one run of a schedule. One that fails is logged; the next comes at its time.
    pub async fn run_scheduled(&self, schedule: Schedule) {
        let outcome = self.functions.run(&schedule.function, schedule.input).await;
        if let Some(Err(error)) = outcome {
            tracing::error!(function = schedule.function, cause = chain(&*error), "a scheduled run failed");
        }
    }

    /// Runs a task of reconciliation, as its schedule would.
    ///
    /// # Errors
    /// When it did not come to its end.
    pub async fn reconcile(&self, task: Task) -> Result<Report, ReconcileError> {
        Box::pin(self.functions.reconcile.reconcile.run(task)).await
    }

    /// Posts what a step of the Vapi sandbox leads to.
    pub async fn post_vapi(&self, post: vapi::Post) {
        let answer = tokio::time::timeout(VAPI_PATIENCE, self.request(post.request.clone())).await.ok();
        self.vapi.posted(post, answer.as_ref());
    }

    /// Posts what a step of the Stripe sandbox leads to.
    pub async fn post_stripe(&self, post: stripe::Post) {
        let answer = self.request(post.request.clone()).await;
        self.stripe.posted(post, Some(&answer));
    }

    /// When anything next happens by itself.
    pub fn next_due(&self) -> Option<Timestamp> {
        let scheduled = self.schedules.as_ref().and_then(Schedules::next_due);
        [self.aws.queues().next_due(), self.vapi.next_due(), self.stripe.next_due(), scheduled]
            .into_iter()
            .flatten()
            .min()
    }

    /// Does everything that is due now, one thing after another, until nothing is.
    pub async fn settle_down(&self) {
        loop {
            if let Some(step) = self.vapi.step() {
                if let Some(post) = step {
                    self.post_vapi(post).await;
                }
                continue;
            }
            if let Some(step) = self.stripe.step() {
                if let Some(post) = step {
                    self.post_stripe(post).await;
                }
                continue;
            }
            if let Some(schedule) = self.take_scheduled() {
                Box::pin(self.run_scheduled(schedule)).await;
                continue;
            }
            let queues = self.aws.queues();
            let due = queues.consumed().find_map(|(queue, consumer)| {
                queues.receive(queue, 1).pop().map(|message| (consumer.to_owned(), message))
            });
            let Some((consumer, message)) = due else { return };
            self.consume(&consumer, message).await;
        }
    }
}

fn transport(plan: &Plan, template: &Template) -> Result<Transport, StackError> {
    let open = |db: Result<Database, dynoxide::DynoxideError>| {
        db.map_err(|error| StackError::Database(error.to_string()))
    };
    let queues = |kept_in| {
        Queues::open(template.queues.clone(), kept_in, Arc::clone(&plan.clock), Arc::clone(&plan.entropy))
    };
    Ok(match &plan.storage {
        Storage::Memory => Transport::memory(open(Database::memory())?, queues(None)),
        Storage::Folder(folder) => {
            let path = folder.join("voxanne.db");
            let db = open(Database::new(&path.to_string_lossy()))?;
            let queues = queues(Some(db.clone()));
            Transport::disk(db, queues)
        }
        Storage::Elsewhere(url) => Transport::elsewhere(url.clone(), queues(None)),
    })
}

/// The file that a sandbox's state outlives the process in, where the data lies in a folder.
fn kept_in(plan: &Plan, name: &str) -> Option<PathBuf> {
    match &plan.storage {
        Storage::Folder(folder) => Some(folder.join(name)),
        Storage::Memory | Storage::Elsewhere(_) => None,
    }
}

fn platform(plan: &Plan, transport: &Transport, vendors: Http) -> Platform {
    let aws = Aws {
        config: sdk_config(),
        transport: Some(SharedHttpClient::new(transport.clone())),
        attempt_timeout: None,
    };
    let usual = [
        ("VOXANNE_ENVIRONMENT", plan.environment.clone()),
        ("METER_QUEUE_URL", Queues::url("CallMeterQueue")),
        ("VAPI_BASE_URL", VAPI_BASE.to_owned()),
        ("VAPI_API_KEY", VAPI_KEY.to_owned()),
        ("VAPI_WEBHOOK_SECRETS", VAPI_SECRET.to_owned()),
        ("STRIPE_BASE_URL", STRIPE_BASE.to_owned()),
        ("STRIPE_API_KEY", STRIPE_KEY.to_owned()),
        ("TWILIO_BASE_URL", TWILIO_BASE.to_owned()),
        ("TWILIO_VOICE_BASE_URL", TWILIO_VOICE_BASE.to_owned()),
        ("TWILIO_ACCOUNT_SID", TWILIO_SID.to_owned()),
        ("TWILIO_AUTH_TOKEN", TWILIO_TOKEN.to_owned()),
        ("PUBLIC_URL", PUBLIC_URL.to_owned()),
        ("CREDENTIAL_KEYS", CREDENTIAL_KEYS.to_owned()),
        ("AGENT_SYNC_QUEUE_URL", Queues::url("AgentSyncQueue")),
        ("RECHARGE_QUEUE_URL", Queues::url("RechargeQueue")),
        ("NOTIFICATIONS_QUEUE_URL", Queues::url("NotificationsQueue")),
        ("JWT_HS256_SECRET", JWT_SECRET.to_owned()),
        ("JWT_ISSUER", JWT_ISSUER.to_owned()),
        ("DASHBOARD_ORIGIN", format!("http://{}", plan.address)),
    ];
    let usual = usual.map(|(name, value)| (name.to_owned(), value));
    let environment = Environment::of(usual.into_iter().chain(plan.settings.iter().cloned()));
    let mut platform =
        Platform::new(&aws, environment, vendors, Arc::clone(&plan.clock), Arc::clone(&plan.entropy));
    platform.local_control_host = Some(plan.address.clone());
    platform
}

/// A region and credentials that mean nothing: no request leaves the process.
fn sdk_config() -> aws_config::SdkConfig {
    aws_config::SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-2"))
        .credentials_provider(aws_sdk_dynamodb::config::SharedCredentialsProvider::new(Credentials::new(
            "local", "local", None, None, "local",
        )))
        .build()
}

/// Puts into the deployment's secret what an operator puts there, as far as a function reads it while it runs.
fn seed_secrets(platform: &Platform, aws: &Transport) {
    let mut reader = platform.environment.reader();
    let environment = reader.optional("VOXANNE_ENVIRONMENT").unwrap_or_default();
    let id = reader.or("VAPI_WEBHOOK_SECRET_ID", format!("voxanne/{environment}/vapi-webhook"));
    let vapi = reader.optional("VAPI_WEBHOOK_SECRETS").unwrap_or_default();
    aws.secrets().put(&id, &serde_json::json!({ "VAPI_WEBHOOK_SECRETS": vapi }).to_string());
}

/// The sandboxes, each told of the others what it must know.
fn hosts(plan: &Plan) -> Hosts {
    let seams = || (Arc::clone(&plan.clock), Arc::clone(&plan.entropy));
    let settings = twilio::Settings {
        account_sid: TWILIO_SID.into(),
        auth_token: TWILIO_TOKEN.into(),
        kept_in: kept_in(plan, "twilio.json"),
    };
    let (clock, entropy) = seams();
    let twilio = Arc::new(TwilioSandbox::new(settings, clock, entropy));
    let carrier = Arc::clone(&twilio);
    let twilio_owns: TwilioOwns =
        Arc::new(move |account: &str, token: &str, number: &str| carrier.owns(account, token, number));
    let carrier = Arc::clone(&twilio);
    let on_connect: OnConnect = Arc::new(move |account: &str, call: &str| carrier.connect(account, call));
    let settings = vapi::Settings {
        api_key: VAPI_KEY.into(),
        webhook_secret: VAPI_SECRET.into(),
        control_base: format!("http://{}", plan.address),
        kept_in: kept_in(plan, "vapi.json"),
        twilio_owns: Some(twilio_owns),
        on_connect: Some(on_connect),
    };
    let (clock, entropy) = seams();
    let vapi = Arc::new(VapiSandbox::new(settings, clock, entropy));
    let settings = stripe::Settings {
        api_key: STRIPE_KEY.into(),
        webhook_secret: STRIPE_SECRET.into(),
        page_base: format!("http://{}", plan.address),
        kept_in: kept_in(plan, "stripe.json"),
    };
    let (clock, entropy) = seams();
    let stripe = Arc::new(StripeSandbox::new(settings, clock, entropy));
    Hosts { vapi, stripe, twilio, faults: Arc::default(), clock: Arc::clone(&plan.clock) }
}

/// The vendors' HTTP: each host to its sandbox, any other over the network, where there is one.
fn vendors(hosts: Hosts, network: Option<Http>) -> Http {
    Http::Sandbox(Arc::new(move |request: Request<Bytes>| {
        let (hosts, network) = (hosts.clone(), network.clone());
        Box::pin(async move {
            tokio::task::yield_now().await;
            hosts.send(request, network).await
        })
    }))
}

fn lambda_request(request: Request<Bytes>, request_id: &str) -> lambda_http::Request {
    let mut context = Context::default();
    request_id.clone_into(&mut context.request_id);
    // API Gateway passes text as text, and what is not UTF-8 in base64, which becomes bytes again.
    let request = request.map(|body| match String::from_utf8(body.to_vec()) {
        Ok(text) if text.is_empty() => Body::Empty,
        Ok(text) => Body::Text(text),
        Err(bytes) => Body::Binary(bytes.into_bytes()),
    });
    request.with_lambda_context(context)
}

/// Whether a path fits a route's pattern: `{name}` stands for one segment.
fn is_match(pattern: &str, path: &str) -> bool {
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return true,
            (Some(wanted), Some(given)) if wanted == given => {}
            (Some(wanted), Some(given)) if wanted.starts_with('{') && !given.is_empty() => {}
            _ => return false,
        }
    }
}

/// A time that all tests start at.
pub fn test_epoch() -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * 365 * 56)
}
