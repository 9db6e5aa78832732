//! The seams: whatever leaves a function leaves by AWS's SDK, by the vendors' HTTP, or is time or chance.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use aws_smithy_async::{
    rt::sleep::{AsyncSleep, SharedAsyncSleep, Sleep, TokioSleep},
    time::TimeSource,
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};
use jiff::{SignedDuration, Timestamp};

use base::clock::Clock;
use base::config::{Environment, Invalid, StripeSettings, TwilioSettings, VapiSettings};
use base::entropy::Entropy;
use domain::time::whole_millis;
use store::{Dynamo, guard::Guard};
use vendors::{
    http::{Http, HttpError},
    stripe::Stripe,
    twilio::Twilio,
    vapi::Vapi,
};

/// The three seams by which anything leaves a function: AWS, the vendors, and time and chance.
#[derive(Clone, Debug)]
pub struct Platform {
    /// The settings.
    pub environment: Environment,
    /// DynamoDB.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// SQS.
    pub sqs: aws_sdk_sqs::Client,
    /// Secrets Manager.
    pub secrets: aws_sdk_secretsmanager::Client,
    /// The vendors.
    pub vendors: Http,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Ids and chance.
    pub entropy: Arc<Entropy>,
    /// A host that may take a call's commands although it is not Vapi's: the local stack's sandbox. Set in code
    /// there, and by no setting.
    pub local_control_host: Option<String>,
}

/// How AWS is reached.
pub struct Aws {
    /// Region and credentials.
    pub config: aws_config::SdkConfig,
    /// What carries the requests, if not the network.
    pub transport: Option<SharedHttpClient>,
    /// The longest one attempt may take; none where the transport times out by itself.
    pub attempt_timeout: Option<Duration>,
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws").field("transport", &self.transport).finish_non_exhaustive()
    }
}

/// Why a function cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its settings are not usable.
    #[error(transparent)]
    Settings(#[from] Invalid),
    /// No client for the vendors can be made.
    #[error("no client for the vendors can be made")]
    Http(#[from] HttpError),
}

impl Platform {
    /// The platform of a deployed function.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub async fn deployed() -> Result<Self, StartError> {
        let config = aws_config::load_defaults(aws_config::BehaviorVersion::latest()).await;
        let aws = Aws { config, transport: None, attempt_timeout: Some(Duration::from_millis(1_500)) };
        let vendors = Http::network(Duration::from_secs(5))?;
        Ok(Self::new(
            &aws,
            Environment::of_process(),
            vendors,
            Arc::new(SystemClock),
            Arc::new(Entropy::System),
        ))
    }

    /// A platform of given parts.
    pub fn new(
        aws: &Aws,
        environment: Environment,
        vendors: Http,
        clock: Arc<dyn Clock>,
        entropy: Arc<Entropy>,
    ) -> Self {
        let dynamodb = dynamodb(aws, &clock);
        let sqs = sqs(aws, &clock);
        let secrets = secrets(aws, &clock);
        Self { environment, dynamodb, sqs, secrets, vendors, clock, entropy, local_control_host: None }
    }

    /// Vapi's API, and the commands of live calls.
    pub fn vapi(&self, settings: VapiSettings) -> Vapi {
        let vapi = Vapi::new(self.vendors.clone(), settings.base_url, settings.key);
        match &self.local_control_host {
            Some(host) => vapi.with_local_control_host(host),
            None => vapi,
        }
    }

    /// Stripe's API, for `environment`.
    pub fn stripe(&self, settings: StripeSettings, environment: impl Into<String>) -> Stripe {
        Stripe::new(self.vendors.clone(), settings.base_url, settings.key, environment)
    }

    /// Twilio's API, for accounts that are given with each request.
    pub fn twilio(&self, settings: TwilioSettings) -> Twilio {
        Twilio::new(self.vendors.clone(), settings.base_url, settings.voice_base_url)
    }

    /// The database, its tables' names starting with `prefix`.
    pub fn database(&self, prefix: &str) -> Dynamo {
        let (clock, entropy) = (Arc::clone(&self.clock), Arc::clone(&self.entropy));
        Dynamo::new(self.dynamodb.clone(), prefix, clock, entropy)
    }
}

/// A DynamoDB client: no retries of its own (ours are in the store), the time from the seam, and the guard in front
/// of the ledger. Its idempotency tokens are given by the store, from the seam too.
fn dynamodb(aws: &Aws, clock: &Arc<dyn Clock>) -> aws_sdk_dynamodb::Client {
    let mut config = aws_sdk_dynamodb::config::Builder::from(&aws.config)
        .retry_config(RetryConfig::disabled())
        .time_source(Seam(Arc::clone(clock)))
        .interceptor(Guard)
        .timeout_config(aws.attempt_timeout.map_or_else(TimeoutConfig::disabled, timeouts));
    config.set_http_client(aws.transport.clone().or_else(|| aws.config.http_client()));
    config.set_sleep_impl(Some(sleeper(aws)));
    aws_sdk_dynamodb::Client::from_conf(config.build())
}

/// An SQS client, likewise.
fn sqs(aws: &Aws, clock: &Arc<dyn Clock>) -> aws_sdk_sqs::Client {
    let mut config = aws_sdk_sqs::config::Builder::from(&aws.config)
        .retry_config(RetryConfig::disabled())
        .time_source(Seam(Arc::clone(clock)))
        .timeout_config(aws.attempt_timeout.map_or_else(TimeoutConfig::disabled, timeouts));
    config.set_http_client(aws.transport.clone().or_else(|| aws.config.http_client()));
    config.set_sleep_impl(Some(sleeper(aws)));
    aws_sdk_sqs::Client::from_conf(config.build())
}

/// A Secrets Manager client, likewise.
fn secrets(aws: &Aws, clock: &Arc<dyn Clock>) -> aws_sdk_secretsmanager::Client {
    let mut config = aws_sdk_secretsmanager::config::Builder::from(&aws.config)
        .retry_config(RetryConfig::disabled())
        .time_source(Seam(Arc::clone(clock)))
        .timeout_config(aws.attempt_timeout.map_or_else(TimeoutConfig::disabled, timeouts));
    config.set_http_client(aws.transport.clone().or_else(|| aws.config.http_client()));
    config.set_sleep_impl(Some(sleeper(aws)));
    aws_sdk_secretsmanager::Client::from_conf(config.build())
}

/// What the SDK waits by. All it waits for is its own time-outs: over a transport that needs none, they never come.
fn sleeper(aws: &Aws) -> SharedAsyncSleep {
    if aws.attempt_timeout.is_some() {
        SharedAsyncSleep::new(TokioSleep::new())
    } else {
        SharedAsyncSleep::new(Never)
    }
}

fn timeouts(attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(attempt)
        .build()
}

/// Our clock, as the SDK's.
#[derive(Debug)]
struct Seam(Arc<dyn Clock>);

impl TimeSource for Seam {
    fn now(&self) -> std::time::SystemTime {
        // Fails only beyond what the system's clock can say.
        self.0.now().try_into().unwrap_or(std::time::SystemTime::UNIX_EPOCH)
    }
}

/// A wait without an end.
#[derive(Debug)]
struct Never;

impl AsyncSleep for Never {
    fn sleep(&self, _: Duration) -> Sleep {
        Sleep::new(std::future::pending())
    }
}

/// The system's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the one clock that reads the system's")]
        whole_millis(Timestamp::now())
    }

    fn sleep(&self, duration: SignedDuration) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        Box::pin(tokio::time::sleep(duration.unsigned_abs()))
    }
}
