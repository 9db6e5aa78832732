//! `POST /api/webhooks/stripe`: top-ups, refunds and disputes.

use std::sync::Arc;

use http::StatusCode;
use lambda_http::{Body, Request, Response};
use serde_json::{Value, json};
use shared::{
    alarm,
    charging::FollowUp,
    config::{Base, Invalid},
    domain::amount::Amount,
    http::problem::{Code, Problem, json_answer},
    payments::{Fate, Payments},
    providers::stripe::{
        Stripe, StripeWebhook,
        event::{Event, Kind},
    },
    store::{
        queue::MeterQueue,
        webhook_events::{Scrubber, WebhookEvent, WebhookEvents},
    },
    world::World,
};

/// The largest body read; Stripe's events are a few kilobytes.
const LARGEST_BODY: usize = 1024 * 1024;

/// What the function is built from, once per cold start.
#[derive(Debug)]
pub struct Deps {
    /// The rules of money in and back.
    pub payments: Payments,
    /// Proves that an event comes from Stripe.
    pub webhook: StripeWebhook,
    /// What came, and what became of it.
    pub events: WebhookEvents,
    /// Time and chance.
    pub world: World,
}

impl Deps {
    /// Builds them from the world's settings.
    ///
    /// # Errors
    /// When settings are missing or unusable: all of them at once.
    pub fn new(world: World) -> Result<Self, Invalid> {
        let mut reader = world.environment.reader();
        let base = Base::read(&mut reader);
        let queue_url = reader.required("METER_QUEUE_URL");
        let debt_limit = reader.pence_or("DEBT_LIMIT_PENCE", Amount::from_pence(500));
        let base_url = reader.or("STRIPE_BASE_URL", "https://api.stripe.com".to_owned());
        let key = reader.secret("STRIPE_API_KEY");
        let secrets = reader.webhook_secrets("STRIPE_WEBHOOK_SECRETS");
        reader.finish()?;
        let db = world.database(&base.table_prefix);
        let queue = MeterQueue::new(world.sqs.clone(), queue_url);
        let follow_up = FollowUp { queue, debt_limit, clock: Arc::clone(&world.clock) };
        let stripe = Stripe::new(world.vendors.clone(), base_url, key, base.environment);
        Ok(Self {
            payments: Payments::new(&db, stripe, follow_up, Arc::clone(&world.clock)),
            webhook: StripeWebhook { secrets },
            events: WebhookEvents::stripe(db),
            world,
        })
    }
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
    deps.webhook.verify(&parts.headers, body, deps.world.clock.now())?;
    let event = Event::parse(body)
        .inspect_err(|_| alarm!("stripe_unreadable", "a signed event from Stripe cannot be read"))
        .map_err(|error| Problem::new(Code::InvalidBody).because(&error))?;
    let fate = match &event.kind {
        Kind::SessionPaid(payment) => Some(deps.payments.session_paid(payment).await?),
        Kind::PaymentSucceeded(payment) => Some(deps.payments.received(payment).await?),
        Kind::Reversed(payment) => Some(deps.payments.reversed(payment).await?),
        Kind::Other => None,
    };
    record(deps, &event, fate, body).await?;
    Ok(json_answer(StatusCode::OK, &json!({ "received": true })))
}

async fn record(deps: &Deps, event: &Event, fate: Option<Fate>, body: &[u8]) -> Result<(), Problem> {
    let (outcome, reason) = match fate {
        None => ("ignored", None),
        Some(Fate::Booked) => ("booked", None),
        Some(Fate::Repeated) => ("repeated", None),
        Some(Fate::Nothing) => ("nothing", None),
        Some(Fate::DeadLetter(reason)) => ("dead_letter", Some(reason)),
    };
    tracing::info!(event_id = %event.id, kind = event.type_name, outcome, reason, "an event from Stripe");
    // The body of a dead letter is what a person will look at; it was parsed once already.
    let payload = reason.and_then(|_| serde_json::from_slice::<Value>(body).ok());
    if let Some(reason) = reason {
        alarm!("stripe_dead_letter", event_id = %event.id, kind = event.type_name, reason, "a payment cannot be booked");
    }
    deps.events
        .record(&WebhookEvent {
            event_key: event.id.clone(),
            kind: event.type_name.clone(),
            outcome: outcome.to_owned(),
            reason: reason.map(str::to_owned),
            payload: payload.map(|payload| Scrubber::STRIPE.payload(&payload)),
            received_at: deps.world.clock.now(),
        })
        .await?;
    Ok(())
}
