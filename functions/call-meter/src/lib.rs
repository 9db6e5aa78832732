//! The queue `call-meter`: one message, one look at one live call.

use std::sync::Arc;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent};
use base::alarm;
use base::config::{Invalid, TwilioSettings};
use base::keyring::Keyring;
use platform::Platform;
use services::charging::{Carrier, Charging, Settings};
use store::queue::MeterMessage;
use web::problem::chain;

/// What the function is built from, once per cold start.
#[derive(Debug)]
pub struct Deps {
    /// The rules of calls and money.
    pub charging: Charging,
}

impl Deps {
    /// Builds them from the platform's settings.
    ///
    /// # Errors
    /// When settings are missing or unusable: all of them at once.
    pub fn new(platform: &Platform) -> Result<Self, Invalid> {
        let mut reader = platform.environment.reader();
        let settings = Settings::read(&mut reader, platform);
        let twilio = TwilioSettings::read(&mut reader);
        let keyring = Keyring::read(&mut reader, Arc::clone(&platform.entropy));
        reader.finish()?;
        let db = platform.database(&settings.base.table_prefix);
        let mut charging = Charging::deployed(platform, settings);
        charging.carrier = Some(Carrier::new(&db, platform.twilio(twilio), keyring));
        Ok(Self { charging })
    }
}

/// Looks at each call that a message names. Those that could not be looked at are given back to the queue, alone.
pub async fn handle(deps: &Deps, event: SqsEvent) -> SqsBatchResponse {
    let mut failed = SqsBatchResponse::default();
    for message in event.records {
        let id = message.message_id.unwrap_or_default();
        if let Err(error) = check(deps, message.body.as_deref().unwrap_or_default()).await {
            tracing::error!(message_id = id, cause = chain(&*error), "a look is to be done again");
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = id;
            failed.batch_item_failures.push(failure);
        }
    }
    failed
}

async fn check(deps: &Deps, body: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // A message that is not ours fails until it is a dead letter, where somebody sees it.
    let message: MeterMessage = serde_json::from_str(body)?;
    deps.charging.check(&message).await.inspect_err(|_| {
        alarm!("call_look_failed", org_id = %message.org_id, call_id = %message.call_id, "a look at a live call failed");
    })?;
    Ok(())
}
