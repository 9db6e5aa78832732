//! The seams: all that a function does to the outside goes by AWS's SDK, by the vendors' HTTP, or is time or
//! chance.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use aws_sdk_dynamodb::config::{Region, SharedCredentialsProvider};
use aws_smithy_async::{
    rt::sleep::{AsyncSleep, SharedAsyncSleep, Sleep, TokioSleep},
    time::TimeSource,
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::{retry::RetryConfig, timeout::TimeoutConfig};
use jiff::{SignedDuration, Timestamp};

use base::clock::Clock;
use base::config::{
    Environment, GoogleSettings, Invalid, StripeSettings, SupabaseSettings, TwilioSettings, VapiSettings,
};
use base::entropy::Entropy;
use domain::time::whole_millis;
use store::{Dynamo, guard::Guard};
use vendors::{
    google::{self, Google},
    http::{Http, HttpError},
    stripe::Stripe,
    supabase::Supabase,
    twilio::Twilio,
    vapi::Vapi,
};

/// The three seams by which a function reaches the outside: AWS, the vendors, and time and chance.
#[derive(Clone, Debug)]
pub struct Platform {
    /// The environment variables that settings are read from.
    pub environment: Environment,
    /// The client of DynamoDB, behind the guard of the store.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// The client of SQS.
    pub sqs: aws_sdk_sqs::Client,
    /// The client of Secrets Manager.
    pub secrets: aws_sdk_secretsmanager::Client,
    /// The region, for requests that no client of the SDK makes.
    pub region: Option<Region>,
    /// The credentials of the function's role, for the same.
    pub credentials: Option<SharedCredentialsProvider>,
    /// The HTTP transport to all vendors.
    pub vendors: Http,
    /// Where the time comes from.
    pub clock: Arc<dyn Clock>,
    /// Where ids and jitter come from.
    pub entropy: Arc<Entropy>,
    /// A host that may take a call's commands although it is not Vapi's: the local stack's sandbox. Set in
    /// code there, and by no setting.
    pub local_control_host: Option<String>,
    /// Whether the numbers that regulators keep for films and examples may be rung: on the local stack, whose
    /// callers have them. Set in code there, and by no setting.
    pub rings_fiction: bool,
}

/// How the clients reach AWS.
pub struct Aws {
    /// The region and the credentials.
    pub config: aws_config::SdkConfig,
    /// What carries the requests; absent for the network.
    pub transport: Option<SharedHttpClient>,
    /// The longest that one attempt may take; absent where the transport times out by itself.
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
    /// The settings are not usable.
    #[error(transparent)]
    Settings(#[from] Invalid),
    /// The HTTP client for the vendors cannot be made.
    #[error("no client for the vendors can be made")]
    Http(#[from] HttpError),
}

impl Platform {
    /// Returns the platform of a deployed function. An attempt at AWS may take 1.5 s, an exchange with a
    /// vendor 5 s.
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

    /// Returns a platform of the given parts.
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
        Self {
            environment,
            dynamodb,
            sqs,
            secrets,
            region: aws.config.region().cloned(),
            credentials: aws.config.credentials_provider(),
            vendors,
            clock,
            entropy,
            local_control_host: None,
            rings_fiction: false,
        }
    }

    /// Returns a client of Vapi's API, which also sends the commands of live calls.
    pub fn vapi(&self, settings: VapiSettings) -> Vapi {
        let vapi = Vapi::new(self.vendors.clone(), settings.base_url, settings.key);
        match &self.local_control_host {
            Some(host) => vapi.with_local_control_host(host),
            None => vapi,
        }
    }

    /// Returns a client of Stripe's API, which marks what it makes with `environment`.
    pub fn stripe(&self, settings: StripeSettings, environment: impl Into<String>) -> Stripe {
        Stripe::new(self.vendors.clone(), settings.base_url, settings.key, environment)
    }

    /// Returns a client of Twilio's APIs, for accounts that are given with each request.
    pub fn twilio(&self, settings: TwilioSettings) -> Twilio {
        let http = self.vendors.clone();
        Twilio::new(http, settings.base_url, settings.voice_base_url, settings.numbers_base_url)
    }

    /// Returns a client of Google's APIs, for accounts whose tokens are given with each request.
    pub fn google(&self, settings: GoogleSettings) -> Google {
        let addresses = google::Addresses {
            accounts: settings.accounts_url,
            tokens: settings.tokens_url,
            api: settings.api_url,
        };
        Google::new(self.vendors.clone(), addresses, settings.client_id, settings.client_secret)
    }

    /// Returns a client of the issuer's admin API.
    pub fn supabase(&self, settings: &SupabaseSettings) -> Supabase {
        Supabase::new(self.vendors.clone(), settings.base_url.clone(), settings.key.clone())
    }

    /// Returns the database whose tables' names start with `prefix`.
    pub fn database(&self, prefix: &str) -> Dynamo {
        let (clock, entropy) = (Arc::clone(&self.clock), Arc::clone(&self.entropy));
        Dynamo::new(self.dynamodb.clone(), prefix, clock, entropy)
    }
}

/// Returns a DynamoDB client: no retries of its own (ours are in the store), the time from the seam, and the
/// store's guard in front. Its idempotency tokens are given by the store, from the seam too.
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

/// Returns an SQS client, also without retries of its own and with the time from the seam.
fn sqs(aws: &Aws, clock: &Arc<dyn Clock>) -> aws_sdk_sqs::Client {
    let mut config = aws_sdk_sqs::config::Builder::from(&aws.config)
        .retry_config(RetryConfig::disabled())
        .time_source(Seam(Arc::clone(clock)))
        .timeout_config(aws.attempt_timeout.map_or_else(TimeoutConfig::disabled, timeouts));
    config.set_http_client(aws.transport.clone().or_else(|| aws.config.http_client()));
    config.set_sleep_impl(Some(sleeper(aws)));
    aws_sdk_sqs::Client::from_conf(config.build())
}

/// Returns a Secrets Manager client, also without retries of its own and with the time from the seam.
fn secrets(aws: &Aws, clock: &Arc<dyn Clock>) -> aws_sdk_secretsmanager::Client {
    let mut config = aws_sdk_secretsmanager::config::Builder::from(&aws.config)
        .retry_config(RetryConfig::disabled())
        .time_source(Seam(Arc::clone(clock)))
        .timeout_config(aws.attempt_timeout.map_or_else(TimeoutConfig::disabled, timeouts));
    config.set_http_client(aws.transport.clone().or_else(|| aws.config.http_client()));
    config.set_sleep_impl(Some(sleeper(aws)));
    aws_sdk_secretsmanager::Client::from_conf(config.build())
}

/// Returns what the SDK waits by. It waits only for its own time-outs: over a transport that needs none, they
/// never come.
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

/// Our clock in the form that the SDK takes.
#[derive(Debug)]
struct Seam(Arc<dyn Clock>);

impl TimeSource for Seam {
    fn now(&self) -> std::time::SystemTime {
        // The conversion fails only beyond what the system's clock can express.
        self.0.now().try_into().unwrap_or(std::time::SystemTime::UNIX_EPOCH)
    }
}

/// A sleep that never ends, where no time-out is wanted.
#[derive(Debug)]
struct Never;

impl AsyncSleep for Never {
    fn sleep(&self, _: Duration) -> Sleep {
        Sleep::new(std::future::pending())
    }
}

/// The system's clock, read in whole milliseconds.
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
