//! The queue `messages`: one message, one thing that a patient is told of an appointment, or a clinic of an emergency.

#![recursion_limit = "256"]

use std::sync::Arc;

use base::{
    config::{Base, Invalid, MailSettings, TwilioSettings},
    keyring::Keyring,
};
use domain::{message::Due, number::Country, phone_number::PhoneNumber};
use numbering::{Fiction, takes_texts};
use platform::Platform;
use services::{
    follow_up::Watch,
    messages::{Carrier, Messenger},
};
use web::{
    queue::each_message,
    runtime::{SqsBatchResponse, SqsEvent},
};

/// What the function is built from, once per cold start.
#[derive(Debug)]
pub struct Deps {
    /// What sends.
    pub messenger: Messenger,
}

impl Deps {
    /// Builds them from the platform's settings.
    ///
    /// # Errors
    /// When settings are missing or unusable: all of them at once.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "every function is made of the platform that it is given"
    )]
    pub fn new(platform: Platform) -> Result<Self, Invalid> {
        let mut reader = platform.environment.reader();
        let base = Base::read(&mut reader);
        let mail = MailSettings::read(&mut reader);
        let twilio = TwilioSettings::read(&mut reader);
        let keyring = Keyring::read(&mut reader, Arc::clone(&platform.entropy));
        let watch = Watch::read(&mut reader, &platform);
        let public_url = reader.required("PUBLIC_URL").trim_end_matches('/').to_owned();
        reader.finish()?;
        let db = platform.database(&base.table_prefix);
        let carrier =
            Carrier { twilio: platform.twilio(twilio), public_url, keyring, watch, country: texted_country };
        Ok(Self { messenger: Messenger::new(&platform, &db, mail, carrier) })
    }
}

/// The country of a number that takes texts, or may.
pub fn texted_country(number: &PhoneNumber, rings_fiction: bool) -> Option<Country> {
    takes_texts(number, Fiction::rung_if(rings_fiction))
}

/// Tells each patient what a message says is due. Those that were not told are given back to the queue, alone.
pub async fn handle(deps: &Deps, event: SqsEvent) -> SqsBatchResponse {
    each_message(event, |due: Due| async move { deps.messenger.deliver(&due).await }).await
}
