//! The clinic that the local stack starts with: a wallet, an agent, and a number of its own that leads to it.

use std::collections::BTreeMap;

use base::config::Invalid;
use bytes::Bytes;
use domain::{
    agent::{Agent, Behavior, Sync},
    audit::{Actor, ActorRole},
    booking::{
        catalog::{Day, Hours, Need, Resource, Service, Span, Terms},
        intake::{Kind, Question},
    },
    call::Direction,
    clinic::{Clinic, ClinicName, ClinicZone},
    email::EmailAddress,
    ids::{AccountSid, IdError, OrgId, ResourceId, ServiceId, UserId},
    phone_number::{PhoneNumber, PhoneNumberError},
    team::MemberRole,
};
use http::Request;
use jiff::{SignedDuration, civil::Time};
use secrecy::ExposeSecret as _;
use serde_json::json;
use services::{
    calendar::{self, CalendarSync, SyncError},
    provisioning::{Brought, Connected, ProvisionError, Provisioned, Provisioning, Settings},
    team::{self, TeamError, TeamKeeper},
};
use store::{ChangeError, StoreError, booking::Bookings, clinics::Clinics, queue::Push};
use uuid::Uuid;
use vendors::twilio::Account;

use crate::stack::Stack;

/// The clinic.
pub const ORG: OrgId = OrgId::new(Uuid::from_u128(0xDE30_0000_0000_4000_8000_0000_0000_0001));
/// Its number, in an account of its own at the Twilio sandbox.
pub const NUMBER: &str = "+442071838750";
const ACCOUNT_SID: &str = "ACde300000000000000000000000000001";
const ACCOUNT_TOKEN: &str = "sandbox-demo-clinic-token";
/// Its account at the Google sandbox.
pub const GOOGLE_ACCOUNT: &str = "front.desk@demo-clinic.example";
/// The calendars of that account, and whose time each is.
pub const CALENDARS: [(&str, &str, &str); 2] = [
    ("rahman@group.calendar.example", "Dr Rahman", "demo-rahman"),
    ("jones@group.calendar.example", "Dr Jones", "demo-jones"),
];
/// Its owner, and the password of the owner's account at the issuer's sandbox.
pub const OWNER: &str = "owner@demo-clinic.example";
/// The same.
pub const OWNER_PASSWORD: &str = "demo clinic";
/// The longest its agent talks: an hour.
const AGENT_LIMIT_SECS: u32 = 3_600;

/// Why the clinic cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The store did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another process changed the agent at the same time.
    #[error(transparent)]
    Agent(#[from] ChangeError),
    /// The number could not be connected.
    #[error(transparent)]
    Number(#[from] ProvisionError),
    /// Its calendars could not be connected.
    #[error(transparent)]
    Calendar(#[from] SyncError),
    /// Its owner could not be put into its team.
    #[error(transparent)]
    Team(#[from] TeamError),
    /// The settings are not usable.
    #[error(transparent)]
    Settings(#[from] Invalid),
    /// One of the constants above is no id.
    #[error(transparent)]
    Id(#[from] IdError),
    /// The number above is none.
    #[error(transparent)]
    PhoneNumber(#[from] PhoneNumberError),
    /// A message could not be sent.
    #[error("a message could not be sent: {0}")]
    Queue(String),
    /// The sandboxes did not take the number, or the account.
    #[error("something was not connected: {0}")]
    NotConnected(String),
}

/// What the clinic offers: a check-up by either of two practitioners, and a visit to the hygienist.
async fn offer(bookings: &Bookings) -> Result<(), SeedError> {
    let catalog = bookings.catalog(ORG).await?;
    if !catalog.services.is_empty() {
        return Ok(());
    }
    let mut ids = Vec::new();
    for (id, name) in
        [("demo-rahman", "Dr Rahman"), ("demo-jones", "Dr Jones"), ("demo-hygienist", "the hygienist")]
    {
        let resource_id = ResourceId::parse(id)?;
        ids.push(resource_id.clone());
        if catalog.resource(&resource_id).is_none() {
            let hours = working_hours(name);
            bookings
                .save_resource(&Resource { org_id: ORG, resource_id, version: 0, is_former: false, hours })
                .await?;
        }
    }
    let (practitioners, hygienist) = ids.split_at(2);
    for (id, name, duration_mins, price, need) in [
        ("demo-check-up", "Check-up", 30, "60 pounds", practitioners),
        ("demo-hygiene", "Hygienist visit", 45, "75 pounds", hygienist),
    ] {
        let terms = Terms {
            name: name.to_owned(),
            duration_mins,
            buffer_before_mins: 0,
            buffer_after_mins: 10,
            start_interval_mins: 15,
            needs: vec![Need(need.to_vec())],
            price_shown: Some(price.to_owned()),
            min_notice_mins: 60,
            horizon_days: 90,
            callers_may_book: true,
            intake: intake(id),
        };
        let service =
            Service { org_id: ORG, service_id: ServiceId::parse(id)?, version: 0, is_former: false, terms };
        bookings.save_service(&service, &[]).await?;
    }
    Ok(())
}

/// What the clinic wants to know before a check-up.
fn intake(service: &str) -> Vec<Question> {
    if service != "demo-check-up" {
        return Vec::new();
    }
    let question = |ask: &str, kind| Question { ask: ask.to_owned(), kind, choices: Vec::new() };
    vec![question("Are you in pain?", Kind::YesNo), question("When were you last here?", Kind::Text)]
}

/// It is in London, and says so: only then is a caller with an emergency told a number. What else it says the receptionist knows.
async fn say_where_it_is(clinics: &Clinics) -> Result<(), SeedError> {
    let clinic = clinics.get(ORG).await?;
    if clinic.version == 0 {
        let said = Clinic {
            name: ClinicName::parse("Hill Street Dental").ok(),
            address: Some("12 Hill Street, London".to_owned()),
            alert_emails: EmailAddress::parse("desk@hillstreet.example").into_iter().collect(),
            ..clinic
        };
        clinics.save(&said).await?;
    }
    Ok(())
}

/// Its owner has an account at the issuer's sandbox, and stands in its team.
async fn has_an_owner(stack: &Stack) -> Result<(), SeedError> {
    let mut reader = stack.platform.environment.reader();
    let settings = team::Settings::read(&mut reader);
    reader.finish()?;
    if !settings.supabase.base_url.contains(".sandbox/") {
        return Ok(());
    }
    let keeper = TeamKeeper::deployed(&stack.platform, &settings);
    if !keeper.people(ORG).await?.is_empty() {
        return Ok(());
    }
    let metadata = json!({"org_id": ORG, "role": MemberRole::Owner});
    stack.supabase.add_account(OWNER, OWNER_PASSWORD, &metadata);
    let by = Actor {
        user: UserId::parse("demo")?,
        role: ActorRole::Operator,
        source: None,
        request_id: stack.platform.entropy.uuid(stack.clock.now()).to_string(),
    };
    let owner = EmailAddress::parse(OWNER).map_err(|error| SeedError::NotConnected(error.to_string()))?;
    keeper.invite(ORG, (&owner, MemberRole::Owner), &by).await?;
    Ok(())
}

/// Connects its account at the Google sandbox, as its owner would in a browser, and keeps each practitioner's time in a calendar.
async fn connect_calendars(stack: &Stack) -> Result<(), SeedError> {
    let mut reader = stack.platform.environment.reader();
    let settings = calendar::Settings::read(&mut reader, &stack.platform);
    let api = reader.optional("GOOGLE_API_URL").unwrap_or_default();
    reader.finish()?;
    let sync = CalendarSync::deployed(&stack.platform, settings);
    if !api.ends_with(".sandbox") || sync.calendars.connection(ORG).await?.is_some() {
        return Ok(());
    }
    stack.google.add_account(GOOGLE_ACCOUNT, ClinicZone::DEFAULT);
    for (id, name, _) in CALENDARS {
        stack.google.add_calendar(GOOGLE_ACCOUNT, id, name, ClinicZone::DEFAULT);
    }
    let (url, browser) = sync.authorize(ORG, &UserId::parse("demo-owner")?).await?;
    let back = stack.google.consent(&url, Some(GOOGLE_ACCOUNT), &[]).map_err(SeedError::NotConnected)?;
    let path = back.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
    let cookie = format!("google_consent={}", browser.expose_secret());
    let request = Request::get(format!("/{path}")).header("cookie", cookie).body(Bytes::new());
    let request = request.map_err(|error| SeedError::NotConnected(error.to_string()))?;
    stack.request(request).await;
    let standing = sync.standing(ORG, false).await?;
    for (_, name, resource) in CALENDARS {
        let there = standing.calendars.iter().find(|there| there.name.reveal() == name);
        let there = there.ok_or_else(|| SeedError::NotConnected(format!("the calendar {name}")))?;
        sync.map(ORG, (&there.calendar_id, there.version), vec![ResourceId::parse(resource)?]).await?;
    }
    stack.settle_down().await;
    Ok(())
}

/// From nine to one and from two to half past five, on weekdays.
fn working_hours(name: &str) -> Hours {
    let span = |from: (i8, i8), to: (i8, i8)| Span {
        from: Time::constant(from.0, from.1, 0, 0),
        to: Time::constant(to.0, to.1, 0, 0),
    };
    let spans = vec![span((9, 0), (13, 0)), span((14, 0), (17, 30))];
    let weekdays = [Day::Monday, Day::Tuesday, Day::Wednesday, Day::Thursday, Day::Friday];
    Hours {
        name: name.to_owned(),
        time_zone: ClinicZone::default(),
        weekly: weekdays.map(|day| (day, spans.clone())).into(),
        overrides: BTreeMap::new(),
        closures: Vec::new(),
    }
}

/// Sets the clinic up, by the same steps as any other. Doing it again changes nothing. Returns its number; none where a vendor is
/// real: then the clinic starts without.
///
/// # Errors
/// When the store or a sandbox does not do its part.
pub async fn seed(stack: &Stack) -> Result<Option<&'static str>, SeedError> {
    let mut reader = stack.platform.environment.reader();
    let settings = Settings::read(&mut reader, &stack.platform);
    let bases = ["VAPI_BASE_URL", "TWILIO_BASE_URL"].map(|name| reader.optional(name).unwrap_or_default());
    reader.finish()?;
    let provisioning = Provisioning::deployed(&stack.platform, settings);
    provisioning.wallets.ensure(ORG).await?;
    offer(&Bookings::new(stack.db())).await?;
    say_where_it_is(&Clinics::new(stack.db())).await?;
    Box::pin(has_an_owner(stack)).await?;
    Box::pin(connect_calendars(stack)).await?;
    if bases.iter().any(|base| !base.ends_with(".sandbox")) {
        return Ok(None);
    }
    let claim = provisioning.purchases.claim_of(ORG, Direction::Inbound).await?;
    if claim.is_some_and(|claim| !claim.is_open()) {
        return Ok(Some(NUMBER));
    }
    let agent = provisioning.agents.ensure(ORG, Direction::Inbound, stack.clock.now()).await?;
    let behavior = Behavior { max_duration_secs: AGENT_LIMIT_SECS, ..agent.behavior.clone() };
    let longer = Agent { behavior, sync: Sync::Pending, version: agent.version.saturating_add(1), ..agent };
    provisioning.agents.save(&longer).await?;
    stack.twilio.add_account(ACCOUNT_SID, ACCOUNT_TOKEN, &[NUMBER]);
    let account = Account { sid: AccountSid::parse(ACCOUNT_SID)?, token: ACCOUNT_TOKEN.into() };
    let brought = Brought { number: PhoneNumber::parse(NUMBER)?, account };
    let connected = provisioning.connect(ORG, Direction::Inbound, &brought, "demo".to_owned()).await?;
    if !matches!(connected, Connected::Done(Provisioned::Active(_))) {
        return Err(SeedError::NotConnected(format!("{connected:?}")));
    }
    let push = json!(Push { org_id: ORG, role: Direction::Inbound }).to_string();
    stack
        .aws
        .queues()
        .send("AgentSyncQueue", &push, SignedDuration::ZERO)
        .map_err(|error| SeedError::Queue(error.to_string()))?;
    stack.settle_down().await;
    Ok(Some(NUMBER))
}
