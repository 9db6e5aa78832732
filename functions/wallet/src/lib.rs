//! The dashboard's wallet: what is there, what moved, the statement, and the way to pay more in.

#![recursion_limit = "256"]

pub mod routes;

use base::config::{Base, Invalid, StripeSettings};
use domain::{amount::Amount, wallet::LEAST_TOP_UP};
use http::Response;
use platform::Platform;
use services::follow_up::Watch;
use store::{
    Dynamo, calls::Calls, clinics::Clinics, customers::Customers, ledger::Ledger, numbers::Numbers,
    rates::Rates, wallets::Wallets,
};
use vendors::stripe::Stripe;
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
    /// The money.
    pub wallets: Wallets,
    /// Its movements.
    pub ledger: Ledger,
    /// Where a clinic's days begin and end.
    pub clinics: Clinics,
    /// Whose number a call was with.
    pub calls: Calls,
    /// The numbers that were paid for.
    pub numbers: Numbers,
    /// Whose a payment is.
    pub customers: Customers,
    /// How often pages to pay at are asked for.
    pub rates: Rates,
    /// Who takes payments.
    pub stripe: Stripe,
    /// Who looks at a wallet whose card may be charged.
    pub watch: Watch,
    /// `https://…`: where the dashboard is served from.
    pub dashboard_origin: String,
    /// The least and the most one top-up may be.
    pub top_up_limits: (Amount, Amount),
    /// Where all of it is written.
    pub db: Dynamo,
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
        let base = Base::read(&mut reader);
        let auth = Auth::read(&mut reader, &platform);
        let stripe = StripeSettings::read(&mut reader);
        let watch = Watch::read(&mut reader, &platform);
        let dashboard_origin = reader.required("DASHBOARD_ORIGIN").trim_end_matches('/').to_owned();
        let most = reader.pence_or("TOP_UP_MAX_PENCE", Amount::from_pence(100_000));
        if most < LEAST_TOP_UP {
            reader.problem("TOP_UP_MAX_PENCE is below the least top-up, 2500");
        }
        reader.finish()?;
        let db = platform.database(&base.table_prefix);
        Ok(Self {
            auth,
            wallets: Wallets::new(db.clone()),
            ledger: Ledger::new(db.clone()),
            clinics: Clinics::new(db.clone()),
            calls: Calls::new(db.clone()),
            numbers: Numbers::new(db.clone()),
            customers: Customers::new(db.clone()),
            rates: Rates::new(db.clone()),
            db,
            stripe: platform.stripe(stripe, base.environment),
            watch,
            dashboard_origin,
            top_up_limits: (LEAST_TOP_UP, most),
            platform,
        })
    }
}

web::routes! { Deps, Caller;
    /// Shows what the clinic has, what is held, and how it is recharged.
    GET "/api/billing/wallet" => routes::show::show, for Business, answers 200;
    /// Lists what moved the balance, the newest first, page by page.
    GET "/api/billing/wallet/transactions" => routes::transactions::list, for Business, answers 200, fails InvalidCursor;
    /// Gives the statement of a period, whose hashes `verify-statement` checks, as JSON or as a spreadsheet.
    GET "/api/billing/wallet/statement" => routes::statement::download, for Business, answers 200, fails PeriodTooLarge;
    /// Begins a payment by card: the address of its page.
    POST "/api/billing/wallet/topup" => routes::top_up::create, for Change, answers 200, fails InvalidAmount | PaymentProviderUnavailable;
    /// Says whether and how the card on file is charged when the balance is low.
    POST "/api/billing/wallet/auto-recharge" => routes::auto_recharge::save, for Change, answers 200, fails InvalidAmount | NoPaymentMethod;
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
