//! The queue `call-meter`: one message, one look at one live call.

#![recursion_limit = "256"]

use std::{sync::Arc, time::Duration};

use base::alarm;
use base::config::{Invalid, TwilioSettings};
use base::keyring::Keyring;
use platform::Platform;
use services::charging::{Carrier, Charging, Settings};
use store::queue::MeterMessage;
use web::{
    queue::each_message,
    runtime::{SqsBatchResponse, SqsEvent},
};

/// How long a vendor is waited for. A look waits for one vendor after another twice at the most, within the function's time
/// (`template.yaml`): what it has not heard by then, the next look hears.
const PATIENCE: Duration = Duration::from_secs(3);

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
    pub fn new(platform: Platform) -> Result<Self, Invalid> {
        let platform = Platform { vendors: platform.vendors.within(PATIENCE), ..platform };
        let mut reader = platform.environment.reader();
        let settings = Settings::read(&mut reader, &platform);
        let twilio = TwilioSettings::read(&mut reader);
        let keyring = Keyring::read(&mut reader, Arc::clone(&platform.entropy));
        reader.finish()?;
        let db = platform.database(&settings.base.table_prefix);
        let mut charging = Charging::deployed(&platform, settings);
        charging.carrier = Some(Carrier::new(&db, platform.twilio(twilio), keyring));
        Ok(Self { charging })
    }
}

/// Checks each call that a message names. Those that could not be checked are given back to the queue, alone.
pub async fn handle(deps: &Deps, event: SqsEvent) -> SqsBatchResponse {
    each_message(event, |message: MeterMessage| async move {
        deps.charging.check(&message).await.inspect_err(|_| {
            alarm!("call_look_failed", org_id = %message.org_id, call_id = %message.call_id, "a look at a live call failed");
        })
    })
    .await
}
