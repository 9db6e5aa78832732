//! The settings of what deals with numbers.

use std::sync::Arc;

use crate::follow_up::Watch;
use crate::voice;
use base::config::{Base, Reader, TwilioSettings, VapiSettings};
use base::keyring::Keyring;
use domain::ids::AccountSid;
use platform::Platform;
use vendors::twilio::{Account, Twilio};

/// The settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Environment and tables.
    pub base: Base,
    /// Who runs the calls.
    pub vapi: VapiSettings,
    /// How Vapi reaches us.
    pub voice: voice::Settings,
    /// The carrier.
    pub twilio: TwilioSettings,
    /// Our own account there, above the orgs' subaccounts; there once the reader has found nothing wrong.
    pub account: Option<Account>,
    /// What opens secrets.
    pub keyring: Keyring,
    /// Where agents' messages go.
    pub sync_queue_url: String,
    /// Who looks at a wallet that was spent from.
    pub watch: Watch,
}

impl Settings {
    /// Reads them.
    pub fn read(reader: &mut Reader<'_>, platform: &Platform) -> Self {
        let base = Base::read(reader);
        Self {
            vapi: VapiSettings::read(reader),
            voice: voice::Settings::read(reader, &base.environment),
            twilio: TwilioSettings::read(reader),
            account: account(reader),
            keyring: Keyring::read(reader, Arc::clone(&platform.entropy)),
            sync_queue_url: reader.required("AGENT_SYNC_QUEUE_URL"),
            watch: Watch::read(reader, platform),
            base,
        }
    }

    /// The carrier's client, with our own account.
    pub(super) fn twilio(&self, platform: &Platform) -> Twilio {
        let twilio = platform.twilio(self.twilio.clone());
        match &self.account {
            Some(account) => twilio.with_parent(account.clone()),
            None => twilio,
        }
    }
}

fn account(reader: &mut Reader<'_>) -> Option<Account> {
    let sid = reader.required("TWILIO_ACCOUNT_SID");
    let token = reader.secret("TWILIO_AUTH_TOKEN");
    if let Ok(sid) = AccountSid::parse(sid) {
        return Some(Account { sid, token });
    }
    reader.problem("TWILIO_ACCOUNT_SID is the account's SID: AC and 32 hexadecimal digits");
    None
}
