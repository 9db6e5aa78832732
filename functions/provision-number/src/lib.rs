//! The clinic's numbers: searched, bought, brought, shown, given to agents, given up.

#![recursion_limit = "256"]

pub mod routes;

use base::config::Invalid;
use domain::rate::Costly;
use http::Response;
use platform::Platform;
use services::provisioning::{Provisioning, Settings};
use web::{
    auth::{Auth, Caller},
    contract::Operation,
    problem::Problem,
    runtime::{Body, Request},
};

/// What the function is built from, once per cold start.
#[derive(Debug)]
pub struct Deps {
    /// Who calls.
    pub auth: Auth,
    /// The rules of numbers.
    pub provisioning: Provisioning,
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
        let auth = Auth::read(&mut reader, &platform);
        reader.finish()?;
        Ok(Self { auth, provisioning: Provisioning::deployed(&platform, settings), platform })
    }

    /// Counts one more of what costs us something at the carrier.
    ///
    /// # Errors
    /// When the caller's clinic has done it too often of late, or the store does not answer.
    async fn count(&self, caller: &Caller, what: Costly) -> Result<(), Problem> {
        let now = self.platform.clock.now();
        match self.provisioning.rates.take(caller.org, what, now).await? {
            Some(wait) => Err(Problem::too_often(wait)),
            None => Ok(()),
        }
    }
}

web::routes! { Deps, Caller;
    /// Searches the numbers that are for sale.
    GET "/api/managed-telephony/available-numbers" => routes::search::search, for Business, answers 200, fails CarrierUnavailable;
    /// Buys a number and connects it. A repeat with the same `Idempotency-Key` answers the purchase that was begun.
    POST "/api/managed-telephony/provision" => routes::provision::provision, for Change, answers 201 | 202, fails AddressRequired
        | BundleRequired | NumberExists | NumberTaken | NoNumberAvailable | PurchaseUnderway | PurchaseFailed | IdempotencyKeyReused | InsufficientFunds
        | WalletFrozen | CarrierUnavailable | VoiceUnavailable;
    /// Shows the clinic's numbers, and the purchases that are underway.
    GET "/api/managed-telephony/phone-status" => routes::show::phone_status, for Business, answers 200;
    /// Gives a number up.
    DELETE "/api/managed-telephony/numbers/{phoneNumber}" => routes::release::release, for Change, answers 200 | 202,
        fails CarrierUnavailable | VoiceUnavailable;
    /// Shows the number of each direction.
    GET "/api/phone-settings/status" => routes::show::settings, for Business, answers 200;
    /// Lists the numbers that an agent can be given.
    GET "/api/integrations/vapi/numbers" => routes::show::dropdown, for Business, answers 200;
    /// Gives an agent a number.
    POST "/api/integrations/vapi/assign-number" => routes::assign::assign, for Change, answers 200, fails NotFound | VoiceUnavailable;
    /// Connects a number of the clinic's own account at Twilio.
    POST "/api/integrations/twilio" => routes::connect::connect, for Change, answers 201 | 202, fails CredentialsRefused | NumberExists
        | NumberTaken | PurchaseUnderway | PurchaseFailed | IdempotencyKeyReused | CarrierUnavailable | VoiceUnavailable
        | NoNumberAvailable | AddressRequired | BundleRequired | InsufficientFunds | WalletFrozen;
}

/// What each route of this function reads and answers.
pub fn contract() -> Vec<Operation> {
    tabled()
}

/// Answers a request of the dashboard's, for the caller's own org only.
///
/// # Errors
/// When the caller is not known, may not do it, or asks for what cannot be; or something of ours failed.
pub async fn handle(deps: &Deps, request: Request) -> Result<Response<Body>, Problem> {
    let caller = deps.auth.caller(request.headers()).await?;
    caller.may_see_the_business()?;
    dispatch(deps, &caller, request).await
}
