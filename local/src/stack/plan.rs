//! How to build a stack, and what it is built of: AWS's stand-in, the vendors' sandboxes, the seams of a function.

use std::{path::PathBuf, sync::Arc};

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use base::{clock::Clock, config::Environment, entropy::Entropy};
use bytes::Bytes;
use dynoxide::Database;
use http::Request;
use jiff::SignedDuration;
use platform::{Aws, Platform};
use vendors::http::Http;

use super::{StackError, keys::Keys};
use crate::{aws::Transport, queue::Queues, template::Template};
use sandbox::{
    bucket::{self, BucketSandbox},
    google::{self, GoogleSandbox},
    hosts::Hosts,
    mail::{self, MailSandbox},
    stripe::{self, StripeSandbox},
    supabase::{self, SupabaseSandbox},
    twilio::{self, TwilioSandbox},
    vapi::{self, OnConnect, TwilioOwns, VapiSandbox},
};

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
    /// What guards it.
    pub keys: Keys,
    /// Settings beside the usual ones.
    pub settings: Vec<(String, String)>,
    /// The way to real vendors, where any is real.
    pub network: Option<Http>,
    /// Whether the template's schedules run by themselves.
    pub schedules: bool,
    /// Functions whose clocks go wrong, and by how much.
    pub skews: Vec<(String, SignedDuration)>,
}

const VAPI_BASE: &str = "http://api.vapi.sandbox";
const STRIPE_BASE: &str = "http://api.stripe.sandbox";
/// Our own account at the Twilio sandbox, above every subaccount.
pub const TWILIO_SID: &str = "AC00000000000000000000000000000001";
const TWILIO_BASE: &str = "http://api.twilio.sandbox";
const TWILIO_VOICE_BASE: &str = "http://voice.twilio.sandbox";
const TWILIO_NUMBERS_BASE: &str = "http://numbers.twilio.sandbox";
const MAIL_BASE: &str = "http://email.ses.sandbox";
const GOOGLE_TOKENS: &str = "http://oauth2.googleapis.sandbox";
const GOOGLE_API: &str = "http://www.googleapis.sandbox";
const SUPABASE_BASE: &str = "http://auth.supabase.sandbox/auth/v1";
/// The path of the port under which the issuer's sandbox is.
pub(crate) const SUPABASE_PATH: &str = "/_sandbox/supabase/auth/v1";
/// What opens the public API of the issuer's sandbox. It is no secret.
pub const PUBLISHABLE_KEY: &str = "sb_publishable_sandbox";
/// Our application at the Google sandbox.
const GOOGLE_CLIENT_ID: &str = "voxanne.apps.googleusercontent.sandbox";
/// The sandboxes' addresses for a function of this process, and the paths of the port that they have for one of another.
pub(crate) const SANDBOXES: [(&str, &str); 9] = [
    (VAPI_BASE, "/_sandbox/vapi/api"),
    (STRIPE_BASE, ""),
    (TWILIO_BASE, ""),
    (TWILIO_VOICE_BASE, "/_sandbox/twilio/voice"),
    (TWILIO_NUMBERS_BASE, "/_sandbox/twilio/numbers"),
    (MAIL_BASE, "/_sandbox/ses"),
    (GOOGLE_TOKENS, "/_sandbox/google/tokens"),
    (GOOGLE_API, "/_sandbox/google/api"),
    (SUPABASE_BASE, SUPABASE_PATH),
];
/// Where the sandboxes believe our API to be.
const PUBLIC_URL: &str = "https://voxanne.sandbox";
/// What the tokens of stacks in memory are signed with.
pub const JWT_SECRET: &str = "the-local-stack-signs-its-tokens-with-this";
/// The issuer of the local stack's tokens.
pub const JWT_ISSUER: &str = "http://voxanne.local/auth/v1";

impl Plan {
    /// The environment variables of every function: those of the sandboxes and of the stack, and over them the plan's settings.
    pub fn functions_environment(&self) -> Environment {
        let keys = &self.keys;
        let usual = [
            ("VOXANNE_ENVIRONMENT", self.environment.clone()),
            ("ANCHORS_URL", format!("http://{}", bucket::HOST)),
            ("METER_QUEUE_URL", Queues::url(&self.address, "CallMeterQueue")),
            ("VAPI_BASE_URL", VAPI_BASE.to_owned()),
            ("VAPI_API_KEY", keys.vapi_api_key.clone()),
            ("VAPI_WEBHOOK_SECRETS", keys.vapi_webhook_secret.clone()),
            ("STRIPE_BASE_URL", STRIPE_BASE.to_owned()),
            ("STRIPE_API_KEY", keys.stripe_api_key.clone()),
            ("TWILIO_BASE_URL", TWILIO_BASE.to_owned()),
            ("TWILIO_VOICE_BASE_URL", TWILIO_VOICE_BASE.to_owned()),
            ("TWILIO_NUMBERS_BASE_URL", TWILIO_NUMBERS_BASE.to_owned()),
            ("TWILIO_ACCOUNT_SID", TWILIO_SID.to_owned()),
            ("TWILIO_AUTH_TOKEN", keys.twilio_auth_token.clone()),
            ("GOOGLE_CLIENT_ID", GOOGLE_CLIENT_ID.to_owned()),
            ("GOOGLE_CLIENT_SECRET", google_secret(keys)),
            ("GOOGLE_ACCOUNTS_URL", format!("http://{}/_sandbox/google", self.address)),
            ("GOOGLE_TOKENS_URL", GOOGLE_TOKENS.to_owned()),
            ("GOOGLE_API_URL", GOOGLE_API.to_owned()),
            ("PUBLIC_URL", PUBLIC_URL.to_owned()),
            ("API_ORIGIN", format!("http://{}", self.address)),
            ("CREDENTIAL_KEYS", keys.credential_keys.clone()),
            ("LIMITS_KEY", format!("limits-{}", keys.jwt_secret)),
            ("AGENT_SYNC_QUEUE_URL", Queues::url(&self.address, "AgentSyncQueue")),
            ("CALENDAR_SYNC_QUEUE_URL", Queues::url(&self.address, "CalendarSyncQueue")),
            ("RECHARGE_QUEUE_URL", Queues::url(&self.address, "RechargeQueue")),
            ("NOTIFICATIONS_QUEUE_URL", Queues::url(&self.address, "NotificationsQueue")),
            ("MESSAGES_QUEUE_URL", Queues::url(&self.address, "MessagesQueue")),
            ("MAIL_URL", MAIL_BASE.to_owned()),
            ("MAIL_FROM", mail::SENDER.to_owned()),
            ("JWT_HS256_SECRET", keys.jwt_secret.clone()),
            ("JWT_ISSUER", JWT_ISSUER.to_owned()),
            ("CONSOLE_SIGN_IN", "local".to_owned()),
            ("SUPABASE_AUTH_URL", SUPABASE_BASE.to_owned()),
            ("SUPABASE_SERVICE_KEY", service_key(keys)),
            ("SUPABASE_PUBLISHABLE_KEY", PUBLISHABLE_KEY.to_owned()),
            ("DASHBOARD_ORIGIN", format!("http://{}", self.address)),
        ];
        let usual = usual.map(|(name, value)| (name.to_owned(), value));
        Environment::of(usual.into_iter().chain(self.settings.iter().cloned()))
    }
}

pub(super) fn transport(plan: &Plan, template: &Template) -> Result<Transport, StackError> {
    let open = |db: Result<Database, dynoxide::DynoxideError>| {
        db.map_err(|error| StackError::Database(error.to_string()))
    };
    let queues = |kept_in| {
        let (clock, entropy) = (Arc::clone(&plan.clock), Arc::clone(&plan.entropy));
        Queues::open(template.queues.clone(), &plan.address, kept_in, clock, entropy)
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

pub(super) fn platform(plan: &Plan, transport: &Transport, vendors: Http) -> Platform {
    let aws = Aws {
        config: sdk_config(),
        transport: Some(SharedHttpClient::new(transport.clone())),
        attempt_timeout: None,
    };
    let mut platform = Platform::new(
        &aws,
        plan.functions_environment(),
        vendors,
        Arc::clone(&plan.clock),
        Arc::clone(&plan.entropy),
    );
    platform.local_control_host = Some(plan.address.clone());
    platform.rings_fiction = true;
    platform
}

/// Returns a configuration whose region and credentials mean nothing: no request leaves the process.
pub(super) fn sdk_config() -> aws_config::SdkConfig {
    aws_config::SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-2"))
        .credentials_provider(aws_sdk_dynamodb::config::SharedCredentialsProvider::new(Credentials::new(
            "local", "local", None, None, "local",
        )))
        .build()
}

/// Puts into the deployment's secret what an operator puts there, as far as a function reads it while it runs.
pub(super) fn seed_secrets(platform: &Platform, aws: &Transport) {
    let mut reader = platform.environment.reader();
    let environment = reader.optional("VOXANNE_ENVIRONMENT").unwrap_or_default();
    let id = reader.or("VAPI_WEBHOOK_SECRET_ID", format!("voxanne/{environment}/vapi-webhook"));
    let vapi = reader.optional("VAPI_WEBHOOK_SECRETS").unwrap_or_default();
    aws.secrets().put(&id, &serde_json::json!({ "VAPI_WEBHOOK_SECRETS": vapi }).to_string());
}

/// The sandboxes, each told of the others what it must know.
pub(super) fn hosts(plan: &Plan) -> Hosts {
    let seams = || (Arc::clone(&plan.clock), Arc::clone(&plan.entropy));
    let keys = &plan.keys;
    let settings = twilio::Settings {
        account_sid: TWILIO_SID.into(),
        auth_token: keys.twilio_auth_token.clone(),
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
        api_key: keys.vapi_api_key.clone(),
        webhook_secret: keys.vapi_webhook_secret.clone(),
        control_base: format!("http://{}", plan.address),
        kept_in: kept_in(plan, "vapi.json"),
        twilio_owns: Some(twilio_owns),
        on_connect: Some(on_connect),
    };
    let (clock, entropy) = seams();
    let vapi = Arc::new(VapiSandbox::new(settings, clock, entropy));
    let settings = stripe::Settings {
        api_key: keys.stripe_api_key.clone(),
        webhook_secret: keys.stripe_webhook_secret.clone(),
        page_base: format!("http://{}", plan.address),
        kept_in: kept_in(plan, "stripe.json"),
    };
    let (clock, entropy) = seams();
    let stripe = Arc::new(StripeSandbox::new(settings, clock, entropy));
    let settings = google::Settings {
        client_id: GOOGLE_CLIENT_ID.to_owned(),
        client_secret: google_secret(keys),
        kept_in: kept_in(plan, "google.json"),
    };
    let (clock, entropy) = seams();
    let google = Arc::new(GoogleSandbox::new(settings, clock, entropy));
    let settings = supabase::Settings {
        service_key: service_key(keys),
        publishable_key: PUBLISHABLE_KEY.to_owned(),
        jwt_secret: keys.jwt_secret.clone(),
        issuer: JWT_ISSUER.to_owned(),
        external_url: format!("http://{}{SUPABASE_PATH}", plan.address),
        site_url: format!("http://{}", plan.address),
        kept_in: kept_in(plan, "supabase.json"),
    };
    let (clock, entropy) = seams();
    let supabase = Arc::new(SupabaseSandbox::new(settings, clock, entropy));
    let bucket = Arc::new(BucketSandbox::new(kept_in(plan, "anchors.json")));
    let mail = Arc::new(MailSandbox::new(kept_in(plan, "mail.json")));
    let (faults, clock) = (Arc::default(), Arc::clone(&plan.clock));
    Hosts { vapi, stripe, twilio, google, supabase, bucket, mail, faults, clock }
}

/// What our application shows at the Google sandbox: of the data folder's own keys.
fn google_secret(keys: &Keys) -> String {
    format!("google-{}", keys.stripe_webhook_secret)
}

/// What opens the admin API of the issuer's sandbox: of the data folder's own keys.
fn service_key(keys: &Keys) -> String {
    format!("service-{}", keys.stripe_webhook_secret)
}

/// The vendors' HTTP: each host to its sandbox, any other over the network, where there is one.
pub(super) fn vendors(hosts: Hosts, network: Option<Http>) -> Http {
    Http::Sandbox(Arc::new(move |request: Request<Bytes>| {
        let (hosts, network) = (hosts.clone(), network.clone());
        Box::pin(async move {
            tokio::task::yield_now().await;
            hosts.send(request, network).await
        })
    }))
}
