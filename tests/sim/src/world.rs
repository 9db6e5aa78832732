//! A simulated world: the whole stack in memory, some clinics with money, numbers and agents, and chance.

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use base::clock::Clock;
use base::entropy::Entropy;
use bytes::Bytes;
use domain::{
    call::Direction,
    ids::{OrgId, VapiAssistantId, VapiPhoneId},
    overspend::SKEW_SECS,
    phone_number::PhoneNumber,
};
use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use local::{
    clock::TestClock,
    stack::{Keys, Plan, Stack, Storage, test_epoch},
};
use sandbox::stripe::Act;
use serde_json::{Value, json};
use store::{
    mappings::{AssistantMapping, Mappings, PhoneNumberMapping},
    wallets::Wallets,
};
use uuid::Uuid;

use crate::{
    calendars::{self, Calendars},
    faults::{Dice, Kind},
    items::ENVIRONMENT,
    plant::Plant,
    rng::Stream,
};

/// What every agent of the simulation is told. It may be in no log line.
pub const PROMPT: &str = "SEEDED-PROMPT: you are the receptionist of a clinic";
/// The farthest that a function's clock is off. Webhook signatures are good for five minutes, so a clock that is farther off
/// would refuse every message, which is no news.
pub const MOST_SKEW_SECS: u32 = SKEW_SECS / 2;
/// The functions whose clocks may differ.
const FUNCTIONS: [&str; 8] = [
    "vapi-webhook",
    "stripe-webhook",
    "call-meter",
    "calls",
    "wallet",
    "provision-number",
    "auto-recharge",
    "reconcile",
];

/// A clinic of the simulation.
#[derive(Clone, Debug)]
pub struct Clinic {
    /// Who it is.
    pub org: OrgId,
    /// The same, as it is written.
    pub id: String,
    /// Its first number.
    pub number: String,
    /// The same, as Vapi names it.
    pub phone_id: String,
    /// Its first assistant.
    pub assistant_id: String,
}

/// What the transport and the vendors' side need to know of the step that is being done.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each says of one thing whether a step touched it")]
pub struct Now {
    /// The chance of every fault.
    pub dice: Dice,
    /// Which clinic's request or message is being worked on, where only one can be.
    pub acting: Option<usize>,
    /// Clinics that something was written about since they were last checked.
    pub dirty: BTreeSet<usize>,
    /// Whether something was written about purchases or numbers.
    pub is_about_numbers: bool,
    /// Whether something was written about appointments or what is offered.
    pub is_about_bookings: bool,
    /// Whether the slots that all clinics share were written.
    pub is_about_slots: bool,
    /// Whether something was written that the minutely run of reconciliation reads.
    pub is_about_live_calls: bool,
    /// Whether Vapi answers nothing for the time being.
    pub is_vapi_in_trouble: bool,
    /// How many requests AWS was sent.
    pub requests: u64,
    /// How many requests the vendors were sent.
    pub vendor_requests: u64,
    /// What a request did that it must not do.
    pub foul: Option<String>,
}

impl Now {
    /// Before anything was done.
    const fn before(dice: Dice) -> Self {
        Self {
            dice,
            acting: None,
            dirty: BTreeSet::new(),
            is_about_numbers: false,
            is_about_bookings: false,
            is_about_slots: false,
            is_about_live_calls: true,
            is_vapi_in_trouble: false,
            requests: 0,
            vendor_requests: 0,
            foul: None,
        }
    }
}

/// What is shared by the driver and everything that it drives.
pub type SharedNow = Arc<Mutex<Now>>;

/// Looks at what is shared.
pub fn locked(now: &SharedNow) -> MutexGuard<'_, Now> {
    now.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The world of one seed.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "a world is of several kinds at a time")]
pub struct World {
    /// The system.
    pub stack: Rc<Stack>,
    /// Its clock.
    pub clock: Arc<TestClock>,
    /// The clinics.
    pub clinics: Vec<Clinic>,
    /// What is shared with the transport.
    pub now: SharedNow,
    /// Whether the functions' clocks differ.
    pub is_skewed: bool,
    /// Whether Vapi says what is not true in this world.
    pub is_untrue: bool,
    /// Whether nothing ever goes wrong: no kind of fault has a rate.
    pub is_faultless: bool,
    /// The calls whose record Vapi changed once they were over.
    pub changed: BTreeSet<String>,
    /// Whether it goes on for forty days.
    pub is_long: bool,
    /// The calendars that its clinics have at Google.
    pub calendars: Calendars,
    /// What a number costs a month, and what is lent to a call beyond its clinic's money, in pence.
    pub rental: i64,
    /// See [`World::rental`].
    pub outage_credit: i64,
}

/// How many worlds of a thousand go on for forty days.
const LONG: u64 = 20;
/// What a number costs a month, and what is lent to a call, where the settings say so; in half of the worlds they say nothing.
const RENTALS: [&str; 3] = ["0", "100", "250"];
const OUTAGE_CREDITS: [&str; 4] = ["500", "0", "100", "2000"];
/// In which hours after the usual time a world begins, in half of them: before the ends of a year and of months.
const BEGINNINGS: [i64; 4] = [13 * 24, 13 * 24 + 20, 44 * 24 - 10, 72 * 24 - 20];
/// How many worlds of a thousand are crowded.
const CROWDED: u64 = 40;
/// How many clinics there are in such a world.
const CROWD: usize = 12;

impl World {
    /// Builds the world of a seed: two to four clinics, or in a crowded one twelve, each with a number, an assistant and money; some
    /// with a number for calling out and with auto-recharge. A plant may have its functions told what is not so.
    pub async fn build(seed: u64, masked: &BTreeSet<Kind>, plant: Option<&'static Plant>) -> Self {
        let mut chance = Stream::of(seed, "world");
        let mut dice = Dice::of(seed, masked);
        let is_faultless = dice.has_none();
        let is_skewed = dice.has(Kind::Skew) && dice.rolls(Kind::Skew).is_some_and(|rolls| rolls.chance(400));
        let is_untrue = dice.has(Kind::Untrue);
        let skews = if is_skewed { skews(&mut dice) } else { Vec::new() };
        let mut drawn = Stream::of(seed, "settings");
        let hours = drawn.pick(&BEGINNINGS).filter(|_| drawn.chance(500)).unwrap_or_default();
        let clock = Arc::new(TestClock::at(test_epoch() + SignedDuration::from_hours(hours)));
        let rental = drawn.pick(&RENTALS).filter(|_| drawn.chance(500)).unwrap_or("0");
        let outage_credit = drawn.pick(&OUTAGE_CREDITS).filter(|_| drawn.chance(500)).unwrap_or("500");
        let drawn = [("NUMBER_RENTAL_PENCE", rental), ("OUTAGE_CREDIT_PENCE", outage_credit)];
        let settings = drawn.iter().chain(plant.map_or(&[][..], Plant::settings));
        let plan = Plan {
            environment: ENVIRONMENT.into(),
            storage: Storage::Memory,
            clock: Arc::<TestClock>::clone(&clock),
            entropy: Arc::new(Entropy::seeded(seed)),
            keys: Keys::known(),
            address: "127.0.0.1:3000".into(),
            settings: settings.map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            network: None,
            schedules: true,
            skews,
        };
        let stack = Rc::new(Stack::build(plan).await.expect("the stack comes up"));
        stack.register().await;
        if plant.is_some_and(Plant::hides_refunds) {
            stack.stripe.with_faults(|faults| faults.hides_refunds_of_reinstated = true);
        }
        let mut crowd = Stream::of(seed, "scarcity");
        let is_crowded = crowd.chance(CROWDED);
        if is_crowded {
            // What we let in is bounded by Vapi too, or by us alone.
            stack.vapi.set_slots(crowd.pick(&[10, 20, 20]).unwrap_or(20));
        }
        let few = usize::try_from(chance.between(2, 4)).unwrap_or(2);
        let count = if is_crowded { CROWD } else { few };
        let clinics = (0..count).map(clinic).collect();
        let mut world = Self {
            stack,
            clock,
            clinics,
            now: Arc::new(Mutex::new(Now::before(dice))),
            is_skewed,
            is_untrue,
            is_faultless,
            changed: BTreeSet::new(),
            is_long: !is_crowded && Stream::of(seed, "long").chance(LONG),
            calendars: Calendars::default(),
            rental: rental.parse().unwrap_or_default(),
            outage_credit: outage_credit.parse().unwrap_or_default(),
        };
        for at in 0..count {
            world.set_up(at, &mut chance).await;
        }
        calendars::set_up(&mut world, seed).await;
        world
    }

    async fn set_up(&self, at: usize, chance: &mut Stream) {
        let Some(clinic) = self.clinics.get(at) else { return };
        self.stack.vapi.add_number(&clinic.phone_id, &clinic.number, Some("+442079460000"));
        let mappings = Mappings::new(self.stack.db());
        let vapi_assistant_id = VapiAssistantId::parse(clinic.assistant_id.as_str()).expect("an id");
        let limit = chance.pick(&[600, 1_800, 3_600]).unwrap_or(600);
        let number = PhoneNumberMapping {
            vapi_phone_id: VapiPhoneId::parse(clinic.phone_id.as_str()).expect("an id"),
            org_id: clinic.org,
            phone_number: PhoneNumber::parse(clinic.number.as_str()).expect("a number"),
            direction: Direction::Inbound,
            vapi_assistant_id: Some(vapi_assistant_id.clone()),
            agent_limit_secs: limit,
        };
        let assistant = AssistantMapping {
            vapi_assistant_id,
            org_id: clinic.org,
            role: Direction::Inbound,
            agent_limit_secs: limit,
        };
        mappings.add_phone_number(&number).await.expect("the store works");
        mappings.add_assistant(&assistant).await.expect("the store works");
        Wallets::new(self.stack.db()).ensure(clinic.org).await.expect("the store works");
        let pence = chance.pick(&[2_500, 2_500, 5_000, 20_000]).unwrap_or(2_500);
        self.pay(at, pence).await;
        self.offer(at, chance).await;
        let agent = json!({"name": "Receptionist", "systemPrompt": PROMPT, "firstMessage": "Hello",
            "voiceId": "Elliot", "voiceProvider": "vapi", "language": "en-GB", "maxDurationSeconds": limit});
        let body = json!({"inbound": agent, "outbound": agent});
        self.ask(at, "/api/founder-console/agent/behavior", &body).await;
        self.pass(20).await;
        if pence > 2_500 || chance.chance(300) {
            let body = json!({"country": "US", "numberType": "local", "direction": "outbound"});
            self.ask(at, "/api/managed-telephony/provision", &body).await;
            self.pass(20).await;
        }
        if chance.chance(500) {
            let threshold = chance.pick(&[200, 1_000, 2_000]).unwrap_or(1_000);
            let body = json!({"enabled": true, "amount_pence": 2_500, "threshold_pence": threshold});
            self.ask(at, "/api/billing/wallet/auto-recharge", &body).await;
        }
        self.pass(20).await;
    }

    /// The clinic has one or two practitioners, at work around the clock, so that what they take crosses UTC's midnight, and a service
    /// that either gives.
    async fn offer(&self, at: usize, chance: &mut Stream) {
        let zone =
            chance.pick(&["Europe/London", "America/New_York", "Asia/Kolkata"]).unwrap_or("Europe/London");
        let day = json!([{"from": "00:00", "to": "23:59"}]);
        let weekly = json!({"monday": day, "tuesday": day, "wednesday": day, "thursday": day, "friday": day,
            "saturday": day, "sunday": day});
        let names = ["Dr Rahman", "Dr Jones"];
        let count = if chance.chance(500) { 1 } else { 2 };
        let mut ids = Vec::new();
        for name in names.iter().take(count) {
            let hours = json!({"name": name, "time_zone": zone, "weekly": weekly});
            let answer = self.ask(at, "/api/resources", &hours).await;
            let made: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
            ids.push(made["id"].clone());
        }
        self.ask(at, "/api/services", &service(SHORT_MINS, &json!([ids]))).await;
        // Most clinics pay for texts, from whatever number they have bought.
        if !at.is_multiple_of(5) || at == 0 {
            let said = json!({"time_zone": zone, "name": "Hill Street Dental", "sender_name": "Hill Street"});
            Box::pin(self.stack.request(self.request(at, "PATCH", "/api/clinic", &said))).await;
        }
    }

    /// Tops a clinic up by card, while nothing goes wrong.
    async fn pay(&self, at: usize, pence: i64) {
        let answer = self.ask(at, "/api/billing/wallet/topup", &json!({"amount_pence": pence})).await;
        let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        let session = session_of(&body).expect("a session");
        self.stack.stripe.act(&session, Act::Pay).expect("the session is open");
        self.pass(20).await;
    }

    async fn ask(&self, at: usize, path: &str, body: &Value) -> Response<Bytes> {
        let request = self.request(at, "POST", path, body);
        Box::pin(self.stack.request(request)).await
    }

    /// Lets some seconds pass while nothing goes wrong.
    pub async fn pass(&self, secs: i64) {
        let end = self.clock.now() + SignedDuration::from_secs(secs);
        loop {
            Box::pin(self.stack.settle_down()).await;
            match self.stack.next_due().filter(|due| *due <= end) {
                Some(due) => self.clock.turn_to(due),
                None => break,
            }
        }
        self.clock.turn_to(end);
    }

    /// A request of a clinic's owner.
    pub fn request(&self, at: usize, method: &str, path: &str, body: &Value) -> Request<Bytes> {
        let clinic = self.clinics.get(at).expect("one of the clinics");
        // Issued before, so that no clock finds it to be of the future.
        let issued_at = self.clock.now() - SignedDuration::from_mins(10);
        let token = local::token::issue(clinic.org, "owner", issued_at).expect("a token");
        request_with(&token, method, path, body)
    }

    /// Whether many clinics share the slots.
    pub const fn is_crowded(&self) -> bool {
        self.clinics.len() == CROWD
    }

    /// Which clinic an org is.
    pub fn clinic_of(&self, org: &str) -> Option<usize> {
        self.clinics.iter().position(|clinic| clinic.id == org)
    }

    /// The time.
    pub fn time(&self) -> Timestamp {
        self.clock.now()
    }

    /// Which clinic each Stripe customer is.
    pub fn customers(&self) -> BTreeMap<String, usize> {
        let rows = crate::items::all(&self.stack.aws, "stripe_customers");
        let known = rows.iter().filter_map(|row| {
            Some((row["customer_id"].as_str()?.to_owned(), self.clinic_of(row["org_id"].as_str()?)?))
        });
        known.collect()
    }
}

/// How long the clinics' service takes, in minutes, as staff change it to and fro.
pub const SHORT_MINS: u32 = 35;
/// The longer of the two.
pub const LONG_MINS: u32 = 50;

/// The clinics' service.
pub fn service(duration_mins: u32, needs: &Value) -> Value {
    json!({"name": "Check-up", "duration_mins": duration_mins, "buffer_after_mins": 10, "needs": needs})
}

fn clinic(at: usize) -> Clinic {
    let nth = u128::try_from(at).unwrap_or_default();
    let org = OrgId::new(Uuid::from_u128(0x5100_0000_0000_4000_8000_0000_0000_0000 + nth));
    Clinic {
        org,
        id: org.to_string(),
        number: format!("+4420718387{:02}", 50 + at),
        phone_id: format!("phone-of-clinic-{at}"),
        assistant_id: format!("assistant-of-clinic-{at}"),
    }
}

fn skews(dice: &mut Dice) -> Vec<(String, SignedDuration)> {
    let mut skews = Vec::new();
    for function in FUNCTIONS {
        let most = i64::from(MOST_SKEW_SECS);
        let secs = dice.between(Kind::Skew, -most, most);
        dice.note(Kind::Skew);
        skews.push((function.to_owned(), SignedDuration::from_secs(secs)));
    }
    skews
}

/// The Checkout session that an answer leads to.
pub fn session_of(answer: &Value) -> Option<String> {
    let url = answer["url"].as_str()?;
    url.rsplit('/').next().map(str::to_owned)
}

/// A request of whoever has this token; without a body where that is null.
pub fn request_with(token: &str, method: &str, path: &str, body: &Value) -> Request<Bytes> {
    let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
    Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {token}"))
        .body(body)
        .expect("a request")
}
