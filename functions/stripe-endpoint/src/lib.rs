//! `stripe-endpoint`: the address that Stripe posts our events to. CloudFormation has it made, changed and taken away with
//! the rest, as a custom resource; once a day it is looked whether it is still as it should be.

#![recursion_limit = "256"]

use std::{collections::BTreeSet, error::Error};

use base::alarm;
use base::config::{Base, Invalid, StripeSettings};
use bytes::Bytes;
use domain::ids::StackMark;
use http::{Request, StatusCode, Uri, header};
use jiff::{SignedDuration, Timestamp};
use platform::Platform;
use platform::secrets::{EndpointSecret, PreviousSecret, Secrets, SecretsError, stripe_webhook_id};
use serde_json::{Value, json};
use store::{StoreError, stack::Stack};
use vendors::{
    http::HttpError,
    stripe::{API_VERSION, Stripe, StripeError, endpoints::WebhookEndpoint, events::TYPES},
};
use web::problem::chain;

/// Where Stripe's events are answered.
const PATH: &str = "/api/webhooks/stripe";
/// How long messages are believed that an endpoint signed which another has taken the place of: as long as Stripe goes on
/// delivering one.
const BELIEVED_FOR: SignedDuration = SignedDuration::from_hours(72);
/// How often what may pass is tried, in all.
const TRIES: u32 = 3;
/// How long after the first try another may begin: CloudFormation is to be answered before the function's time is over.
const TRIED_FOR: SignedDuration = SignedDuration::from_secs(10);
/// The pause between two tries.
const PAUSE: SignedDuration = SignedDuration::from_secs(1);

/// What the function is built from, once per cold start.
#[derive(Debug)]
pub struct Deps {
    /// Where the endpoint is.
    pub stripe: Stripe,
    /// Where its signing secret is kept.
    pub secrets: Secrets,
    /// Under which name.
    pub secret_id: String,
    /// Where events are to be posted.
    pub url: String,
    /// The name of the environment, which its endpoint bears.
    pub environment: String,
    /// The mark of this deployment, which the endpoint bears as well.
    pub stack: Stack,
    /// Time and chance, and the way to CloudFormation.
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
        let environment = base.environment;
        let settings = StripeSettings::read(&mut reader);
        let public_url = reader.required("PUBLIC_URL").trim_end_matches('/').to_owned();
        if !public_url.is_empty() && !public_url.starts_with("https://") {
            reader.problem("PUBLIC_URL is the https address of our API, e.g. https://api.example.com");
        }
        let secret_id = stripe_webhook_id(&mut reader, &environment);
        reader.finish()?;
        Ok(Self {
            stripe: platform.stripe(settings, environment.clone()),
            secrets: Secrets::of(&platform),
            secret_id,
            url: format!("{public_url}{PATH}"),
            environment,
            stack: Stack::new(platform.database(&base.table_prefix)),
            platform,
        })
    }
}

/// An endpoint that is as it should be, and whose secret is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// Stripe's id of it.
    pub endpoint_id: String,
    /// What had to be done for it.
    pub change: Change,
}

/// What a registration did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    Nothing,
    /// Something of the endpoint was put right.
    Updated,
    /// It was made.
    Made,
}

/// Why there is no endpoint that is as it should be.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// Stripe did not do its part.
    #[error(transparent)]
    Stripe(#[from] StripeError),
    /// The secret was not read or written.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The mark of this deployment was not read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was made is gone again.
    #[error("another registration is under way")]
    Raced,
    /// Another deployment of this name is at work on the account, or was.
    #[error(
        "the endpoint {endpoint_id} at Stripe has this environment's name and another deployment's mark: give this deployment \
         an environment name of its own, or delete that endpoint at Stripe if its deployment is gone"
    )]
    AnotherStack {
        /// Stripe's id of its endpoint.
        endpoint_id: String,
    },
    /// There is an endpoint of this environment's name, no record of ours says which deployment made it, and we hold no secret of
    /// it.
    #[error(
        "the endpoint {endpoint_id} at Stripe has this environment's name and bears no deployment's mark, and its secret is not \
         kept here: delete it at Stripe and deploy again, if this is the only deployment of the name, or give this one a name of \
         its own"
    )]
    Unmarked {
        /// Stripe's id of the endpoint.
        endpoint_id: String,
    },
}

impl RegisterError {
    const fn is_transient(&self) -> bool {
        match self {
            Self::Stripe(error) => error.is_transient(),
            Self::Secrets(_) | Self::Store(_) | Self::Raced => true,
            Self::AnotherStack { .. } | Self::Unmarked { .. } => false,
        }
    }
}

/// Sees to it that this environment has one endpoint at Stripe, that it is as it should be, and that its secret is kept.
/// Doing it again changes nothing.
///
/// Stripe tells an endpoint's secret once, and never changes its API version: one whose secret we do not hold, or of another
/// version, is replaced. The secret of the replaced one is believed for three days more; that of one that was deleted at
/// Stripe is not, so that deleting it there withdraws a secret. Endpoints of other environments are not touched, and neither are
/// those of another deployment of this one, nor one without a mark whose secret we do not hold: while there is such an endpoint and
/// we have none, none is made.
///
/// # Errors
/// When Stripe, Secrets Manager or the database did not do its part, three times; or when another deployment has the name, or may
/// have it. Nothing is left then whose secret is not kept, unless Stripe did not delete it: that is done the next time.
pub async fn register(deps: &Deps) -> Result<Registered, RegisterError> {
    tried(deps, || register_once(deps)).await
}

async fn register_once(deps: &Deps) -> Result<Registered, RegisterError> {
    let now = deps.platform.clock.now();
    let stored = stored(deps).await?;
    let stack = stack(deps).await?;
    let ours = endpoints_of(deps, stack, stored.as_ref()).await?;
    let held =
        stored.as_ref().and_then(|stored| ours.iter().find(|endpoint| endpoint.id == stored.endpoint_id));
    let registered = match (&stored, held) {
        (Some(stored), Some(endpoint)) if endpoint.api_version.as_deref() == Some(API_VERSION) => {
            keep(deps, stack, stored, endpoint).await?
        }
        (Some(stored), held) => replace(deps, stack, remembered(stored, held.is_some(), now)).await?,
        (None, _) => replace(deps, stack, Vec::new()).await?,
    };
    for other in ours.iter().filter(|endpoint| endpoint.id != registered.endpoint_id) {
        delete(deps, &other.id).await?;
    }
    if registered.change == Change::Made {
        confirm(deps, &registered.endpoint_id).await?;
    }
    Ok(registered)
}

/// The mark of this deployment.
async fn stack(deps: &Deps) -> Result<StackMark, StoreError> {
    let now = deps.platform.clock.now();
    let fresh = StackMark::new(deps.platform.entropy.uuid(now));
    deps.stack.mark(fresh, now).await
}

/// This deployment's endpoints: those that bear its mark, and the one whose secret is stored, if an earlier release made it
/// without a mark.
async fn endpoints_of(
    deps: &Deps,
    stack: StackMark,
    stored: Option<&EndpointSecret>,
) -> Result<Vec<WebhookEndpoint>, RegisterError> {
    let is_ours = |endpoint: &WebhookEndpoint| match endpoint.stack() {
        Some(mark) => mark == stack.to_string(),
        None => stored.is_some_and(|stored| stored.endpoint_id == endpoint.id),
    };
    let found = deps.stripe.webhook_endpoints().await?;
    let (ours, others): (Vec<_>, Vec<_>) = found.into_iter().partition(is_ours);
    if ours.is_empty()
        && let Some(other) = others.iter().find(|other| other.stack().is_some()).or(others.first())
    {
        let endpoint_id = other.id.clone();
        return Err(match other.stack() {
            Some(_) => RegisterError::AnotherStack { endpoint_id },
            None => RegisterError::Unmarked { endpoint_id },
        });
    }
    for other in &others {
        alarm!(
            "stripe_endpoint_of_another_stack",
            endpoint_id = other.id,
            url = other.url,
            is_marked = other.stack().is_some(),
            "an endpoint at Stripe has this environment's name and was not made by this deployment"
        );
    }
    Ok(ours)
}

/// What is stored of the endpoint; none when it is lost.
async fn stored(deps: &Deps) -> Result<Option<EndpointSecret>, SecretsError> {
    let Some(text) = deps.secrets.get(&deps.secret_id).await? else { return Ok(None) };
    let read = EndpointSecret::parse(&text);
    Ok(read.inspect_err(|error| tracing::warn!(%error, "the Stripe endpoint is replaced")).ok())
}

/// Puts right what can be changed of an endpoint, and forgets the secrets before it whose time is over.
async fn keep(
    deps: &Deps,
    stack: StackMark,
    stored: &EndpointSecret,
    endpoint: &WebhookEndpoint,
) -> Result<Registered, RegisterError> {
    let previous = living(&stored.previous, deps.platform.clock.now());
    if previous.len() < stored.previous.len() {
        let record = EndpointSecret { previous, ..stored.clone() };
        deps.secrets.put(&deps.secret_id, &record.written()).await?;
    }
    let given: BTreeSet<&str> = endpoint.enabled_events.iter().map(String::as_str).collect();
    let is_right = endpoint.url == deps.url
        && given == BTreeSet::from(TYPES)
        && endpoint.status == "enabled"
        && endpoint.stack() == Some(stack.to_string().as_str());
    let change = if is_right {
        Change::Nothing
    } else {
        deps.stripe.update_webhook_endpoint(&endpoint.id, &deps.url, stack).await?;
        Change::Updated
    };
    Ok(Registered { endpoint_id: endpoint.id.clone(), change })
}

/// Makes an endpoint and stores its secret: both, or neither.
async fn replace(
    deps: &Deps,
    stack: StackMark,
    previous: Vec<PreviousSecret>,
) -> Result<Registered, RegisterError> {
    let now = deps.platform.clock.now();
    // A key of its own each time: under an older one Stripe would answer with an endpoint that is deleted since.
    let key = deps.platform.entropy.uuid(now).to_string();
    let (endpoint, secret) = deps.stripe.create_webhook_endpoint(&deps.url, stack, &key).await?;
    let record = EndpointSecret { endpoint_id: endpoint.id.clone(), secret, previous };
    if let Err(error) = deps.secrets.put(&deps.secret_id, &record.written()).await {
        if let Err(left) = delete(deps, &endpoint.id).await {
            tracing::warn!(
                endpoint_id = endpoint.id,
                cause = chain(&left),
                "a Stripe endpoint without a secret is left for the next time"
            );
        }
        return Err(error.into());
    }
    Ok(Registered { endpoint_id: endpoint.id, change: Change::Made })
}

/// The secrets that are believed beside a new endpoint's.
fn remembered(stored: &EndpointSecret, is_replaced: bool, now: Timestamp) -> Vec<PreviousSecret> {
    let mut previous = living(&stored.previous, now);
    if is_replaced {
        previous.push(PreviousSecret { secret: stored.secret.clone(), until: now + BELIEVED_FOR });
    }
    previous
}

fn living(previous: &[PreviousSecret], now: Timestamp) -> Vec<PreviousSecret> {
    previous.iter().filter(|previous| now < previous.until).cloned().collect()
}

/// Checks that what was made is still there. Of two registrations at the same time each may have deleted what the other made,
/// or stored its own secret last: the later of the two to end finds it here.
async fn confirm(deps: &Deps, endpoint_id: &str) -> Result<(), RegisterError> {
    let is_stored = stored(deps).await?.is_some_and(|stored| stored.endpoint_id == endpoint_id);
    let ours = deps.stripe.webhook_endpoints().await?;
    let is_there = ours.iter().any(|endpoint| endpoint.id == endpoint_id);
    if is_stored && is_there { Ok(()) } else { Err(RegisterError::Raced) }
}

/// Deletes this deployment's endpoints. What is stored stays.
async fn remove(deps: &Deps) -> Result<(), RegisterError> {
    let stored = stored(deps).await?;
    let stack = stack(deps).await?;
    match endpoints_of(deps, stack, stored.as_ref()).await {
        Ok(ours) => {
            for endpoint in ours {
                delete(deps, &endpoint.id).await?;
            }
            Ok(())
        }
        // There is nothing of ours to delete.
        Err(RegisterError::AnotherStack { .. } | RegisterError::Unmarked { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn delete(deps: &Deps, endpoint_id: &str) -> Result<(), StripeError> {
    deps.stripe.delete_webhook_endpoint(endpoint_id).await?;
    tracing::info!(endpoint_id, "an endpoint at Stripe is deleted");
    Ok(())
}

/// Does `once` until it succeeds or fails for good, a few times at most.
async fn tried<T, F: Future<Output = Result<T, RegisterError>>>(
    deps: &Deps,
    once: impl Fn() -> F,
) -> Result<T, RegisterError> {
    let give_up_at = deps.platform.clock.now() + TRIED_FOR;
    for _ in 1..TRIES {
        match once().await {
            Err(error) if error.is_transient() && deps.platform.clock.now() < give_up_at => {
                tracing::warn!(cause = chain(&error), "the Stripe endpoint is tried again");
                deps.platform.clock.sleep(PAUSE).await;
            }
            outcome => return outcome,
        }
    }
    once().await
}

/// Does what CloudFormation asks for, and returns it; or, for `{"task": "check"}`, sees to the endpoint.
///
/// # Errors
/// When the endpoint could not be checked, CloudFormation could not be answered, or the event is neither.
pub async fn handle(deps: &Deps, event: Value) -> Result<(), Box<dyn Error + Send + Sync>> {
    if event["RequestType"].is_string() {
        return Ok(custom_resource(deps, &event).await?);
    }
    if event["task"] != "check" {
        return Err("the event is neither CloudFormation's nor a check".into());
    }
    let registered = register(deps).await.inspect_err(|error| {
        alarm!("stripe_endpoint_failed", cause = chain(error), "the Stripe endpoint could not be checked");
    })?;
    if registered.change != Change::Nothing {
        let (endpoint_id, change) = (&registered.endpoint_id, registered.change);
        tracing::warn!(endpoint_id, ?change, "the Stripe endpoint was not as it should be, and is again");
    }
    Ok(())
}

/// Why CloudFormation was not answered.
#[derive(Debug, thiserror::Error)]
enum AnswerError {
    /// It wants its answer somewhere else than at AWS.
    #[error("the address for the answer is not one of AWS's")]
    Address,
    /// It did not take the answer.
    #[error("the answer was refused with status {0}")]
    Refused(StatusCode),
    /// It could not be reached.
    #[error("the answer could not be delivered")]
    Unreachable(#[source] HttpError),
}

/// Returns whatever came of it: a deployment waits three minutes for an answer that does not come.
async fn custom_resource(deps: &Deps, event: &Value) -> Result<(), AnswerError> {
    let to = answer_address(event)?;
    let asked = event["RequestType"].as_str().unwrap_or_default();
    let done: Result<(), Box<dyn Error + Send + Sync>> = match asked {
        "Create" | "Update" => register(deps).await.map(|_| ()).map_err(Into::into),
        "Delete" => tried(deps, || remove(deps)).await.map_err(Into::into),
        _ => Err("CloudFormation asks for something else than to create, update or delete".into()),
    };
    let (status, reason) = match &done {
        Ok(()) => ("SUCCESS", "Done."),
        Err(error) => {
            let cause = chain(&**error);
            alarm!("stripe_endpoint_failed", asked, cause, "the Stripe endpoint could not be dealt with");
            ("FAILED", "Stripe's endpoint could not be dealt with. The log of stripe-endpoint says why.")
        }
    };
    // One name for ever: at another one CloudFormation would have the endpoint of the old one deleted.
    let own = || format!("voxanne-{}-stripe-endpoint", deps.environment);
    let name = event["PhysicalResourceId"].as_str().map_or_else(own, str::to_owned);
    let answer = json!({"Status": status, "Reason": reason, "PhysicalResourceId": name,
        "StackId": event["StackId"], "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"]});
    let answered = put(deps, &to, &answer).await;
    answered.inspect_err(|error| {
        alarm!("stripe_endpoint_unanswered", cause = chain(error), "CloudFormation could not be answered");
    })
}

fn answer_address(event: &Value) -> Result<Uri, AnswerError> {
    let given = event["ResponseURL"].as_str().and_then(|url| url.parse::<Uri>().ok());
    let is_amazons = |uri: &Uri| {
        let host = uri.host().unwrap_or_default().to_ascii_lowercase();
        uri.scheme_str() == Some("https") && host.ends_with(".amazonaws.com")
    };
    given.filter(is_amazons).ok_or(AnswerError::Address)
}

async fn put(deps: &Deps, to: &Uri, answer: &Value) -> Result<(), AnswerError> {
    let body = Bytes::from(answer.to_string());
    let mut left = TRIES;
    loop {
        // The address is signed for an empty content type.
        let request = Request::put(to.clone()).header(header::CONTENT_TYPE, "").body(body.clone());
        let request = request.map_err(|_| AnswerError::Address)?;
        let error = match deps.platform.vendors.send(request).await {
            Ok(taken) if taken.status().is_success() => return Ok(()),
            Ok(refused) => AnswerError::Refused(refused.status()),
            Err(error) => AnswerError::Unreachable(error),
        };
        left = left.saturating_sub(1);
        if left == 0 {
            return Err(error);
        }
        deps.platform.clock.sleep(PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_of_awss_is_answered() {
        let cases = [
            ("https://response-eu.s3.eu-west-2.amazonaws.com/arn?X-Amz-Signature=1", true),
            ("https://S3.AMAZONAWS.COM/x", true),
            ("http://response-eu.s3.eu-west-2.amazonaws.com/x", false),
            ("https://amazonaws.com/x", false),
            ("https://evil.example/.amazonaws.com", false),
            ("https://evil.example?.amazonaws.com", false),
            ("https://a.amazonaws.com@evil.example/x", false),
            ("https://a.amazonaws.com.evil.example/x", false),
            ("https://evilamazonaws.com/x", false),
            ("not an address", false),
        ];
        for (url, expected) in cases {
            assert_eq!(answer_address(&json!({ "ResponseURL": url })).is_ok(), expected, "{url}");
        }
        assert!(answer_address(&json!({})).is_err());
    }
}
