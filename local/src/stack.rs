//! The whole system in one process: every function behind the template's routes and queues, on stand-ins for AWS and
//! the vendors. `cargo run` lets it run by a running clock; the tests turn the clock themselves.

mod keys;
mod plan;

use std::{sync::Arc, time::Duration};

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use base::clock::Clock;
use base::config::Invalid;
use bytes::Bytes;
use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use lambda_http::{Body, Context, RequestExt};
use platform::Platform;
use serde_json::Value;
use services::reconcile::{ReconcileError, Report, Task};
use store::Dynamo;
use web::problem::{Code, Problem, chain};

pub use self::keys::{KEYS_FILE, Keys, private};
pub use self::plan::{JWT_ISSUER, JWT_SECRET, PUBLISHABLE_KEY, Plan, Storage, TWILIO_SID};
pub(crate) use self::plan::{SANDBOXES, SUPABASE_PATH};
use self::plan::{hosts, platform, sdk_config, seed_secrets, transport, vendors};
use crate::{
    aws::Transport,
    clock::{SkewedClock, TestClock},
    functions::{self, Functions, InvocationError, UnknownFunction},
    queue::Message,
    schedule::{Schedule, Schedules},
    template::{Template, TemplateError},
};
use sandbox::{
    bucket::BucketSandbox,
    faults::Faults,
    google::{self, GoogleSandbox},
    hosts::Hosts,
    mail::MailSandbox,
    stripe::{self, StripeSandbox},
    supabase::SupabaseSandbox,
    twilio::{self, TwilioSandbox},
    vapi::{self, VapiSandbox},
};

/// How long Vapi waits for the answer to an assistant-request. Never sped up: it is the network's time.
const VAPI_PATIENCE: Duration = Duration::from_millis(7_500);

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
    /// Google.
    pub google: Arc<GoogleSandbox>,
    /// Supabase Auth.
    pub supabase: Arc<SupabaseSandbox>,
    /// S3, where heads of ledgers are anchored.
    pub bucket: Arc<BucketSandbox>,
    /// SES.
    pub mail: Arc<MailSandbox>,
    /// What goes wrong on the way to the vendors.
    pub faults: Arc<Faults>,
    /// What the template declares.
    pub template: Template,
    schedules: Option<Schedules>,
    functions: Box<Functions>,
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
        let Hosts { vapi, stripe, twilio, google, supabase, bucket, mail, faults, .. } = hosts.clone();
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
        let functions = Box::new(Functions::build(at)?);
        let schedules =
            plan.schedules.then(|| Schedules::starting_at(template.schedules.clone(), plan.clock.now()));
        let clock = plan.clock;
        Ok(Self {
            clock,
            platform,
            aws,
            vapi,
            stripe,
            twilio,
            google,
            supabase,
            bucket,
            mail,
            faults,
            template,
            schedules,
            functions,
        })
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

    /// The function behind the route of a request; that of `$default` where there is none.
    pub fn function_of(&self, request: &Request<Bytes>) -> Option<&str> {
        let (method, path) = (request.method().as_str(), request.uri().path());
        let mut routes = self.template.routes.iter();
        let route = routes.find(|route| route.method == method && is_match(&route.path, path));
        route.map(|route| &*route.function).or(self.template.default_function.as_deref())
    }

    /// Answers a request as API Gateway and the function behind the route would.
    pub async fn request(&self, request: Request<Bytes>) -> Response<Bytes> {
        let function = self.function_of(&request).map(str::to_owned);
        let request_id = self.platform.entropy.uuid(self.clock.now()).to_string();
        let response = match function.as_deref() {
            Some(function) => {
                let answer = self.functions.answer(function, lambda_request(request, &request_id)).await;
                answer.unwrap_or_else(|| Problem::new(Code::NotFound).answer(&request_id))
            }
            None => Problem::new(Code::NotFound).answer(&request_id),
        };
        response.map(|body| match body {
            Body::Text(text) => Bytes::from(text),
            Body::Binary(bytes) => Bytes::from(bytes),
            Body::Empty | _ => Bytes::new(),
        })
    }

    /// Gives an event to a function, by the name of its binary, as `sam local invoke` does.
    ///
    /// # Errors
    /// When there is no such function, the event is of another kind, or a schedule's run fails.
    pub async fn invoke(&self, function: &str, event: &Value) -> Result<Value, InvocationError> {
        Box::pin(self.functions.invoke(function, event)).await
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

    /// Posts what a step of the Google sandbox leads to: a word that something changed, which is not repeated.
    pub async fn post_google(&self, post: google::Post) {
        self.request(post.request).await;
    }

    /// Posts what a step of the Twilio sandbox leads to, once.
    pub async fn post_twilio(&self, post: twilio::Post) {
        self.request(post.request).await;
    }

    /// When anything next happens by itself.
    pub fn next_due(&self) -> Option<Timestamp> {
        let scheduled = self.schedules.as_ref().and_then(Schedules::next_due);
        let (google, twilio) = (self.google.next_due(), self.twilio.next_due());
        [
            self.aws.queues().next_due(),
            self.vapi.next_due(),
            self.stripe.next_due(),
            google,
            twilio,
            scheduled,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Turns `clock`, which is this stack's, to `end`: whatever becomes due by then is done at its time.
    pub async fn run_until(&self, clock: &TestClock, end: Timestamp) {
        loop {
            Box::pin(self.settle_down()).await;
            match self.next_due().filter(|due| *due <= end) {
                Some(due) => clock.turn_to(due),
                None => break,
            }
        }
        clock.turn_to(end);
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
            if let Some(step) = self.google.step() {
                if let Some(post) = step {
                    Box::pin(self.post_google(post)).await;
                }
                continue;
            }
            if let Some(step) = self.twilio.step() {
                if let Some(post) = step {
                    Box::pin(self.post_twilio(post)).await;
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
