//! S4: a setting that is missing or wrong stops a function at its start, all problems at once.

use local::stack::{Keys, Plan, Stack, StackError, Storage};
use tests::Harness;

/// Each function's required settings, in the order they are read.
const REQUIRED: [(&str, &[&str]); 23] = [
    (
        "vapi-webhook",
        &[
            "VOXANNE_ENVIRONMENT",
            "METER_QUEUE_URL",
            "RECHARGE_QUEUE_URL",
            "VAPI_API_KEY",
            "LIMITS_KEY",
            "CALENDAR_SYNC_QUEUE_URL",
        ],
    ),
    (
        "call-meter",
        &[
            "VOXANNE_ENVIRONMENT",
            "METER_QUEUE_URL",
            "RECHARGE_QUEUE_URL",
            "VAPI_API_KEY",
            "LIMITS_KEY",
            "CREDENTIAL_KEYS",
        ],
    ),
    (
        "provision-number",
        &[
            "VOXANNE_ENVIRONMENT",
            "PUBLIC_URL",
            "VAPI_API_KEY",
            "TWILIO_ACCOUNT_SID",
            "TWILIO_AUTH_TOKEN",
            "CREDENTIAL_KEYS",
            "AGENT_SYNC_QUEUE_URL",
            "RECHARGE_QUEUE_URL",
            "JWT_ISSUER",
        ],
    ),
    ("agents", &["VOXANNE_ENVIRONMENT", "AGENT_SYNC_QUEUE_URL", "JWT_ISSUER"]),
    ("agent-sync", &["VOXANNE_ENVIRONMENT", "PUBLIC_URL", "VAPI_API_KEY", "AGENT_SYNC_QUEUE_URL"]),
    (
        "calls",
        &[
            "VOXANNE_ENVIRONMENT",
            "METER_QUEUE_URL",
            "RECHARGE_QUEUE_URL",
            "VAPI_API_KEY",
            "LIMITS_KEY",
            "JWT_ISSUER",
        ],
    ),
    ("stripe-endpoint", &["VOXANNE_ENVIRONMENT", "STRIPE_API_KEY", "PUBLIC_URL"]),
    ("stripe-webhook", &["VOXANNE_ENVIRONMENT", "METER_QUEUE_URL", "RECHARGE_QUEUE_URL", "STRIPE_API_KEY"]),
    (
        "wallet",
        &["VOXANNE_ENVIRONMENT", "JWT_ISSUER", "STRIPE_API_KEY", "DASHBOARD_ORIGIN", "RECHARGE_QUEUE_URL"],
    ),
    (
        "auto-recharge",
        &[
            "VOXANNE_ENVIRONMENT",
            "METER_QUEUE_URL",
            "RECHARGE_QUEUE_URL",
            "NOTIFICATIONS_QUEUE_URL",
            "STRIPE_API_KEY",
            "DASHBOARD_ORIGIN",
        ],
    ),
    (
        "reconcile",
        &[
            "VOXANNE_ENVIRONMENT",
            "METER_QUEUE_URL",
            "RECHARGE_QUEUE_URL",
            "NOTIFICATIONS_QUEUE_URL",
            "AGENT_SYNC_QUEUE_URL",
            "VAPI_API_KEY",
            "LIMITS_KEY",
            "STRIPE_API_KEY",
            "TWILIO_ACCOUNT_SID",
            "TWILIO_AUTH_TOKEN",
            "CREDENTIAL_KEYS",
            "PUBLIC_URL",
            "DASHBOARD_ORIGIN",
            "SUPABASE_SERVICE_KEY",
        ],
    ),
    ("appointments", &["VOXANNE_ENVIRONMENT", "JWT_ISSUER", "CALENDAR_SYNC_QUEUE_URL"]),
    (
        "calendar",
        &[
            "VOXANNE_ENVIRONMENT",
            "JWT_ISSUER",
            "GOOGLE_CLIENT_ID",
            "GOOGLE_CLIENT_SECRET",
            "CREDENTIAL_KEYS",
            "CALENDAR_SYNC_QUEUE_URL",
            "PUBLIC_URL",
            "DASHBOARD_ORIGIN",
        ],
    ),
    (
        "calendar-sync",
        &[
            "VOXANNE_ENVIRONMENT",
            "GOOGLE_CLIENT_ID",
            "GOOGLE_CLIENT_SECRET",
            "CREDENTIAL_KEYS",
            "CALENDAR_SYNC_QUEUE_URL",
            "PUBLIC_URL",
        ],
    ),
    ("calendar-watch", &["VOXANNE_ENVIRONMENT", "CALENDAR_SYNC_QUEUE_URL"]),
    ("console", &["VOXANNE_ENVIRONMENT", "JWT_ISSUER", "SUPABASE_PUBLISHABLE_KEY"]),
    ("clinic", &["VOXANNE_ENVIRONMENT", "JWT_ISSUER", "SUPABASE_SERVICE_KEY", "DASHBOARD_ORIGIN"]),
    ("notifications", &["VOXANNE_ENVIRONMENT", "JWT_ISSUER"]),
    ("operations", &["VOXANNE_ENVIRONMENT", "JWT_ISSUER", "SUPABASE_SERVICE_KEY", "DASHBOARD_ORIGIN"]),
    ("contacts", &["VOXANNE_ENVIRONMENT", "JWT_ISSUER"]),
    ("messenger", &["VOXANNE_ENVIRONMENT", "MAIL_URL", "MAIL_FROM", "PUBLIC_URL"]),
    ("twilio-webhook", &["VOXANNE_ENVIRONMENT", "PUBLIC_URL", "CREDENTIAL_KEYS"]),
    ("reminders", &["VOXANNE_ENVIRONMENT", "MESSAGES_QUEUE_URL"]),
];

#[tokio::test]
async fn each_required_setting_is_missed_at_start() {
    let harness = Harness::empty(vec![]).await;
    for (function, names) in REQUIRED {
        let start = |world: platform::Platform| match function {
            "vapi-webhook" => vapi_webhook::Deps::new(world).map(|_| ()),
            "call-meter" => call_meter::Deps::new(world).map(|_| ()),
            "stripe-endpoint" => stripe_endpoint::Deps::new(world).map(|_| ()),
            "stripe-webhook" => stripe_webhook::Deps::new(world).map(|_| ()),
            "provision-number" => provision_number::Deps::new(world).map(|_| ()),
            "agents" => agents::Deps::new(world).map(|_| ()),
            "agent-sync" => agent_sync::Deps::new(world).map(|_| ()),
            "calendar" => calendar::Deps::new(world).map(|_| ()),
            "calendar-sync" => calendar_sync::Deps::new(world).map(|_| ()),
            "calendar-watch" => calendar_watch::Deps::new(world).map(|_| ()),
            "calls" => calls::Deps::new(world).map(|_| ()),
            "auto-recharge" => auto_recharge::Deps::new(world).map(|_| ()),
            "reconcile" => reconcile::Deps::new(world).map(|_| ()),
            "appointments" => appointments::Deps::new(world).map(|_| ()),
            "clinic" => clinic::Deps::new(world).map(|_| ()),
            "notifications" => notifications::Deps::new(world).map(|_| ()),
            "operations" => operations::Deps::new(world).map(|_| ()),
            "console" => console::Deps::new(world).map(|_| ()),
            "contacts" => contacts::Deps::new(world).map(|_| ()),
            "messenger" => messenger::Deps::new(world).map(|_| ()),
            "twilio-webhook" => twilio_webhook::Deps::new(world).map(|_| ()),
            "reminders" => reminders::Deps::new(world).map(|_| ()),
            _ => wallet::Deps::new(world).map(|_| ()),
        };
        start(harness.stack.platform.clone()).unwrap();
        let mut without_all = harness.stack.platform.clone();
        for name in names {
            let mut world = harness.stack.platform.clone();
            world.environment = world.environment.without(name);
            let problems = start(world).unwrap_err().0;
            assert!(
                problems.iter().any(|problem| problem.contains(name)),
                "{function} without {name}: {problems:?}"
            );
            without_all.environment = without_all.environment.without(name);
        }
        let problems = start(without_all).unwrap_err().0;
        assert!(problems.len() >= names.len(), "{function}: all at once: {problems:?}");
    }
}

#[tokio::test]
async fn settings_that_cannot_be_are_said() {
    let cases = [
        ("TOP_UP_MAX_PENCE", "100"),
        ("TOP_UP_MAX_PENCE", "lots"),
        ("OUTAGE_CREDIT_PENCE", "-1"),
        ("JWT_HS256_SECRET", "short"),
        ("JWT_JWKS_URL", "http://issuer.example.com/jwks.json"),
        ("PUBLIC_URL", "http://api.example.com"),
        ("CREDENTIAL_KEYS", "k1:c2hvcnQ="),
        ("TWILIO_ACCOUNT_SID", "a b"),
        ("OUTBOUND_COUNTRIES", "US,FR"),
        ("LIMITS_KEY", "short"),
        ("CALL_SLOTS", "0"),
        ("CALL_SLOTS_FOR_INBOUND", "11"),
        ("CALLS_PER_CALLER", "-1"),
        ("NUMBER_RENTAL_PENCE", "-1"),
        ("CONSOLE_SIGN_IN", "guess"),
    ];
    for (name, value) in cases {
        let clock = std::sync::Arc::new(local::clock::TestClock::at(local::stack::test_epoch()));
        let built = Stack::build(Plan {
            environment: "test".into(),
            storage: Storage::Memory,
            clock,
            entropy: std::sync::Arc::new(base::entropy::Entropy::seeded(1)),
            keys: Keys::known(),
            address: "127.0.0.1:3000".into(),
            settings: vec![(name.into(), value.into())],
            network: None,
            schedules: false,
            skews: vec![],
        })
        .await;
        let Err(StackError::Settings(invalid)) = built else { panic!("{name}={value} was taken") };
        assert!(invalid.to_string().contains(name), "{invalid}");
    }
}

/// The `Timeout` of a function, in seconds, as the template has it.
fn timeout_secs(function: &str) -> i64 {
    let template = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml")).unwrap();
    let (_, after) = template.split_once(&format!("CodeUri: functions/{function}\n")).unwrap();
    let (_, after) = after.split_once("Timeout: ").unwrap();
    after.lines().next().unwrap().trim().parse().unwrap()
}

#[test]
fn no_holder_of_a_lease_outlives_it() {
    assert!(timeout_secs("provision-number") < services::provisioning::LEASE.as_secs());
    assert!(timeout_secs("agent-sync") < agent_sync::LEASE.as_secs());
    assert!(timeout_secs("clinic") < services::team::LEASE.as_secs());
    assert!(timeout_secs("operations") < services::team::LEASE.as_secs());
    assert!(timeout_secs("calendar-sync") < services::calendar::LEASE.as_secs());
    let announced = i64::from(store::outbox::AFTER_THE_WRITE_SECS);
    let by_reconcile = i64::try_from(services::reconcile::LONGEST_STEP.as_secs()).unwrap();
    assert!(by_reconcile < services::provisioning::LEASE.as_secs() && by_reconcile < announced);
    for function in ["agents", "provision-number", "appointments", "vapi-webhook", "calendar"] {
        assert!(timeout_secs(function) < announced, "{function}: a push comes after the write it is about");
    }
}
