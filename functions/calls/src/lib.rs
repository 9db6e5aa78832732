//! The dashboard's calls: the way to ring a person, the list, one call, the clinic's figures, and what goes on now.

#![recursion_limit = "256"]

pub mod routes;
pub mod ticket;

use base::config::{Invalid, Reader};
use domain::number::Country;
use http::Response;
use platform::Platform;
use secrecy::SecretString;
use services::charging::{Charging, Settings};
use store::{
    agents::Agents, booking::Bookings, clinics::Clinics, ledger::Ledger, notifications::Notifications,
    numbers::Numbers,
};
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
    /// The rules of calls and money, and their records.
    pub charging: Charging,
    /// The money's movements.
    pub ledger: Ledger,
    /// The numbers that orgs have.
    pub numbers: Numbers,
    /// Who talks.
    pub agents: Agents,
    /// Where a clinic's days begin and end.
    pub clinics: Clinics,
    /// What was booked on calls.
    pub bookings: Bookings,
    /// What the clinic was told.
    pub notifications: Notifications,
    /// Where calls may go.
    pub allowed: Vec<Country>,
    /// What tickets for recordings are signed with.
    pub ticket_key: SecretString,
    /// Where a browser reaches this API, e.g. `https://api.example.com`.
    pub origin: String,
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
        let allowed = countries(&mut reader);
        // Where there is one address for vendors and another for browsers, as on the local stack.
        let origin = reader.optional("API_ORIGIN").unwrap_or_else(|| reader.required("PUBLIC_URL"));
        let ticket_key = settings.vapi.key.clone();
        reader.finish()?;
        let db = platform.database(&settings.base.table_prefix);
        Ok(Self {
            auth,
            charging: Charging::deployed(&platform, settings),
            ledger: Ledger::new(db.clone()),
            numbers: Numbers::new(db.clone()),
            agents: Agents::new(db.clone()),
            clinics: Clinics::new(db.clone()),
            bookings: Bookings::new(db.clone()),
            notifications: Notifications::new(db),
            allowed,
            ticket_key,
            origin: origin.trim_end_matches('/').to_owned(),
            platform,
        })
    }
}

/// `OUTBOUND_COUNTRIES`: codes, separated by commas.
fn countries(reader: &mut Reader<'_>) -> Vec<Country> {
    let Some(setting) = reader.optional("OUTBOUND_COUNTRIES") else { return Country::ALL.to_vec() };
    let named = |code: &str| Country::ALL.into_iter().find(|country| country.code() == code);
    let allowed: Option<Vec<Country>> = setting.split(',').map(|code| named(code.trim())).collect();
    allowed.unwrap_or_else(|| {
        let known = Country::ALL.map(Country::code).join(", ");
        reader.problem(format!("OUTBOUND_COUNTRIES is a list of {known}, separated by commas"));
        Vec::new()
    })
}

web::routes! { Deps, Caller;
    /// Has the agent ring somebody. A repeat with the same `Idempotency-Key` answers the call that was begun.
    POST "/api/calls" => routes::create::create, for Change, answers 201 | 202, fails InsufficientFunds | WalletFrozen | AgentNotReady
        | NoOutboundNumber | CountryNotAllowed | CallRefused | TooManyCalls | LinesBusy | TooManyCallsToday | NumberOnCall
        | IdempotencyKeyReused | VoiceUnavailable;
    /// Ends a call that goes on.
    POST "/api/calls/{id}/end" => routes::end::end, for Diary, answers 200, fails CallNotBegun;
    /// Shows what goes on now, and how soon to ask again: live calls, today's appointments, the money. Staff see no money.
    GET "/api/live" => routes::now::show, for Members, answers 200;
    /// Lists calls, the newest first, page by page. Staff are not shown what they cost.
    GET "/api/calls-dashboard" => routes::list::list, for Members, answers 200, fails InvalidCursor | PeriodTooLarge;
    /// Counts the calls of a period, up to 10,000.
    GET "/api/calls-dashboard/total" => routes::list::total, for Members, answers 200, fails PeriodTooLarge;
    /// Counts the calls of a time.
    GET "/api/calls-dashboard/stats" => routes::stats::show, for Business, answers 200, fails PeriodTooLarge;
    /// Lists the calls that are going on, with the money that is held for each.
    GET "/api/calls-dashboard/live" => routes::live::list, for Business, answers 200;
    /// Shows the clinic's figures of the last days: calls, what came of them, and, but to staff, what was spent.
    GET "/api/analytics/dashboard-pulse" => routes::pulse::show, for Members, answers 200;
    /// Lists what happened last, the newest first: calls, appointments that were booked on them, and what the clinic was told.
    GET "/api/analytics/recent-activity" => routes::activity::list, for Members, answers 200;
    /// Shows what was spent on which day of the clinic, and on what.
    GET "/api/analytics/spend" => routes::spend::show, for Business, answers 200, fails PeriodTooLarge;
    /// Shows a call with what was said.
    GET "/api/calls-dashboard/{id}" => routes::detail::show, for Members, answers 200;
    /// Gives an address at which the recording of a call can be heard for a while.
    GET "/api/calls-dashboard/{id}/recording" => routes::recording::show, for Members, answers 200;
}

/// What each route of this function reads and answers.
pub fn contract() -> Vec<Operation> {
    let mut all = tabled();
    all.push(routes::recording::operation());
    all
}

/// Answers a request of the dashboard's, for the caller's own org only; or of a player, for what its ticket says.
///
/// # Errors
/// When the caller is not known, may not do it, or asks for what cannot be; or something of ours failed.
pub async fn handle(deps: &Deps, request: Request) -> Result<Response<Body>, Problem> {
    if let Some(ticket) = routes::recording::ticket_of(&request)? {
        return routes::recording::play(deps, &ticket, request.headers()).await;
    }
    let caller = deps.auth.caller(request.headers()).await?;
    dispatch(deps, &caller, request).await
}
