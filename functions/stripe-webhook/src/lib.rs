//! `POST /api/webhooks/stripe`: top-ups, refunds and disputes.

#![recursion_limit = "256"]

use base::alarm;
use base::config::Invalid;
use http::StatusCode;
use lambda_http::{Body, Request, Response};
use platform::Platform;
use platform::secrets::WebhookSecrets;
use serde_json::{Value, json};
use services::payments::{Payments, Settings};
use vendors::stripe::{StripeWebhook, event::Event};
use web::{
    contract::{Content, For, Operation, Route},
    problem::{Code, Problem, json_answer},
};

/// The largest body read; Stripe's events are a few kilobytes.
const LARGEST_BODY: usize = 1024 * 1024;

/// What the function is built from, once per cold start.
#[derive(Debug)]
pub struct Deps {
    /// The rules of money in and back.
    pub payments: Payments,
    /// What proves that an event comes from Stripe.
    pub secrets: WebhookSecrets,
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
        let secrets = WebhookSecrets::stripe(&mut reader, &settings.base.environment, &platform);
        reader.finish()?;
        Ok(Self { payments: Payments::deployed(&platform, settings), secrets, platform })
    }
}

/// What [`handle`] reads and answers.
pub fn contract() -> Vec<Operation> {
    let route = Route {
        method: "POST",
        path: "/api/webhooks/stripe",
        about: &["Takes an event of Stripe's, which its signature proves."],
        who: For::Anyone,
        statuses: &[200],
        codes: &[Code::InvalidSignature, Code::InvalidBody, Code::BodyTooLarge, Code::WebhookNotConfigured],
    };
    vec![Operation::beside(route, vec![Content::bytes("application/json")])]
}

/// Answers one event of Stripe's.
///
/// The signature is checked over the raw body, before anything is parsed. An event is acknowledged only after its
/// effect is committed; until then Stripe sends it again. What became of it is recorded last, and stands in front of
/// nothing. Events of other kinds are acknowledged.
///
/// # Errors
/// When the event is not Stripe's, cannot be read, or its effect could not be committed.
pub async fn handle(deps: &Deps, request: Request) -> Result<Response<Body>, Problem> {
    let (parts, body) = request.into_parts();
    let body: &[u8] = &body;
    if body.len() > LARGEST_BODY {
        return Err(Problem::new(Code::BodyTooLarge));
    }
    let now = deps.platform.clock.now();
    deps.secrets
        .verified(now, |secrets| {
            StripeWebhook { secrets: secrets.to_vec() }.verify(&parts.headers, body, now)
        })
        .await?;
    let raw: Value = serde_json::from_slice(body).map_err(|error| unreadable(&error))?;
    let event = Event::of(&raw).map_err(|error| unreadable(&error))?;
    deps.payments.take(&event, &raw).await?;
    Ok(json_answer(StatusCode::OK, &json!({ "received": true })))
}

/// Signed by Stripe, and not an event: only a person can make anything of it.
fn unreadable(error: &(dyn std::error::Error + 'static)) -> Problem {
    alarm!("stripe_unreadable", "a signed event from Stripe cannot be read");
    Problem::new(Code::InvalidBody).because(error)
}
