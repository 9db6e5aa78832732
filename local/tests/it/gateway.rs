//! L4: what guards the port.

use std::{net::SocketAddr, sync::Arc};

use base::entropy::Entropy;
use local::{
    alarms::Alarms,
    clock::RunningClock,
    gateway::{self, Gateway, KEY_HEADER},
    stack::{Keys, Plan, Stack, Storage},
    token,
};
use platform::SystemClock;
use serde_json::{Value, json};
use tokio::sync::watch;
use vendors::{http::Http, signature::hmac_sha256};

use super::kill::folder;

struct Port {
    address: SocketAddr,
    keys: Keys,
    http: Http,
    stop: watch::Sender<bool>,
}

impl Drop for Port {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
    }
}

impl Port {
    /// A stack with the keys of a data folder, behind a port.
    async fn serve(name: &str, is_exposed: bool) -> Self {
        let keys = Keys::of_folder(&folder(name), &Entropy::System).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let now = base::clock::Clock::now(&SystemClock);
        let plan = Plan {
            environment: "development".into(),
            storage: Storage::Memory,
            clock: Arc::new(RunningClock::starting_at(now, 1)),
            entropy: Arc::new(Entropy::System),
            address: address.to_string(),
            keys: keys.clone(),
            settings: vec![],
            network: None,
            schedules: false,
            skews: vec![],
        };
        let stack = Arc::new(Stack::build(plan).await.unwrap());
        let (stop, stopped) = watch::channel(false);
        let gateway = Gateway {
            stack,
            alarms: Alarms::default(),
            cors_origin: "http://localhost:5173".into(),
            folder_key: keys.folder.clone(),
            is_exposed,
        };
        tokio::spawn(gateway::serve(gateway, listener, stopped));
        Self { address, keys, http: Http::network(std::time::Duration::from_secs(10)).unwrap(), stop }
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
        let mut request =
            http::Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(bytes::Bytes::from(body.to_owned())).unwrap();
        let answer = self.http.send(request).await.unwrap();
        (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or_default())
    }
}

#[tokio::test]
async fn where_the_port_may_be_reached_from_outside_the_sandbox_wants_the_folders_key() {
    let port = Port::serve("exposed", true).await;
    let key = (KEY_HEADER, port.keys.folder.as_str());
    let known = Keys::known();
    for path in ["/_sandbox", "/_sandbox/vapi", "/_sandbox/faults", "/_sandbox/twilio"] {
        for headers in
            [&[][..], &[("host", "127.0.0.1:3000")], &[(KEY_HEADER, "x")], &[(KEY_HEADER, &known.folder)]]
        {
            let (status, refused) = port.send("GET", path, headers, "").await;
            assert_eq!(status, 403, "{path} {headers:?}");
            assert!(refused["detail"].as_str().unwrap().contains(KEY_HEADER), "{refused}");
        }
        assert_eq!(port.send("GET", path, &[key], "").await.0, 200, "{path}");
        assert_eq!(port.send("GET", path, &[key, ("host", "tunnel.example")], "").await.0, 200, "{path}");
    }
    assert_eq!(port.send("POST", "/_sandbox/token", &[], r#"{"operator": true}"#).await.0, 403);
    let stripe = format!("Bearer {}", port.keys.stripe_api_key);
    assert_eq!(port.send("GET", "/v1/events", &[("authorization", &stripe)], "").await.0, 403);
    assert_eq!(port.send("GET", "/v1/events", &[("authorization", &stripe), key], "").await.0, 200);
    assert_eq!(port.send("POST", "/_sandbox/stripe/disputes", &[], "payment_intent=pi_1").await.0, 403);
    let (status, issued) = port.send("POST", "/_sandbox/token", &[key], "").await;
    assert_eq!(status, 200, "{issued}");
    let bearer = format!("Bearer {}", issued["token"].as_str().unwrap());
    let wallet = "/api/billing/wallet";
    let outside = ("host", "tunnel.example");
    assert_eq!(port.send("GET", wallet, &[outside, ("authorization", &bearer)], "").await.0, 200);
}

#[tokio::test]
async fn the_consoles_pages_are_there_for_everybody() {
    for is_exposed in [false, true] {
        let port = Port::serve(if is_exposed { "pages-out" } else { "pages-in" }, is_exposed).await;
        for headers in [&[][..], &[("host", "tunnel.example")], &[("x-forwarded-for", "192.0.2.1")]] {
            assert_eq!(port.send("GET", "/", headers, "").await.0, 200, "{headers:?}");
            let (status, config) = port.send("GET", "/api/session/config", headers, "").await;
            assert_eq!((status, &config["sign_in"]), (200, &json!("local")), "{headers:?}");
        }
        assert_eq!(port.send("HEAD", "/", &[], "").await.0, 200);
    }
}

#[tokio::test]
async fn one_signs_in_by_choosing_a_clinic_and_a_role() {
    let port = Port::serve("sign-in", false).await;
    let (_, none) = port.send("GET", "/_sandbox/clinics", &[], "").await;
    assert_eq!(none["clinics"], json!([]), "nobody has asked for anything yet");
    let as_role = async |org: &str, role: &str| {
        let wanted = json!({"org_id": org, "role": role}).to_string();
        let (status, issued) = port.send("POST", "/_sandbox/token", &[], &wanted).await;
        assert_eq!(status, 200, "{issued}");
        assert_eq!(issued["role"], role);
        format!("Bearer {}", issued["token"].as_str().unwrap())
    };
    let others = "00000000-0000-4000-8000-00000000000b";
    let demo = local::demo_clinic::ORG.to_string();
    for (role, may_look, may_pay) in [
        ("owner", 200, 200),
        ("admin", 200, 200),
        ("viewer", 200, 403),
        ("staff", 403, 403),
        ("operator", 403, 403),
    ] {
        for org in [others, &demo] {
            let bearer = as_role(org, role).await;
            let headers = [("authorization", bearer.as_str())];
            assert_eq!(port.send("GET", "/api/billing/wallet", &headers, "").await.0, may_look, "{role}");
            let top_up = r#"{"amount_pence": 2500}"#;
            let paid = port.send("POST", "/api/billing/wallet/topup", &headers, top_up).await;
            assert_eq!(paid.0, may_pay, "{role}: {}", paid.1);
        }
    }
    let named = ("authorization", as_role(others, "owner").await);
    let headers = [(named.0, named.1.as_str())];
    let (status, clinic) = port
        .send(
            "PATCH",
            "/api/clinic",
            &headers,
            r#"{"name": "Mill Lane Dental", "time_zone": "Europe/London"}"#,
        )
        .await;
    assert_eq!(status, 200, "{clinic}");
    let (_, listed) = port.send("GET", "/_sandbox/clinics", &[], "").await;
    let expected = json!([{"org_id": demo, "name": null}, {"org_id": others, "name": "Mill Lane Dental"}]);
    assert_eq!(listed["clinics"], expected, "the demo clinic is first");
    assert_eq!(listed["roles"], json!(["owner", "admin", "staff", "viewer"]));
    let (status, refused) = port.send("POST", "/_sandbox/token", &[], r#"{"role": "king"}"#).await;
    assert_eq!(status, 400);
    assert!(refused["detail"].as_str().unwrap().contains("owner|admin|staff|viewer|operator"), "{refused}");
    assert_eq!(port.send("GET", "/_sandbox/clinics", &[("host", "tunnel.example")], "").await.0, 403);
}

#[tokio::test]
async fn what_can_be_read_in_the_source_opens_nothing() {
    let port = Port::serve("forged", false).await;
    let now = base::clock::Clock::now(&SystemClock);
    let forged = token::issue(local::demo_clinic::ORG, "owner", now).unwrap();
    let bearer = format!("Bearer {forged}");
    assert_eq!(port.send("GET", "/api/billing/wallet", &[("authorization", &bearer)], "").await.0, 401);
    let known = Keys::known();
    let stamp = now.as_millisecond().to_string();
    let body = json!({"message": {"type": "hang"}}).to_string();
    let signed =
        |secret: &str| hex::encode(hmac_sha256(&secret.into(), &[stamp.as_bytes(), b".", body.as_bytes()]));
    for (secret, expected) in [(&known.vapi_webhook_secret, 401), (&port.keys.vapi_webhook_secret, 200)] {
        let signature = signed(secret);
        let headers = [("x-vapi-timestamp", stamp.as_str()), ("x-vapi-signature", signature.as_str())];
        assert_eq!(port.send("POST", "/api/vapi/webhook", &headers, &body).await.0, expected);
    }
    let stripe = format!("Bearer {}", known.stripe_api_key);
    assert_eq!(port.send("GET", "/v1/events", &[("authorization", &stripe)], "").await.0, 401);
}

#[tokio::test]
async fn without_a_way_in_from_outside_only_this_machine_is_answered() {
    let port = Port::serve("inside", false).await;
    assert_eq!(port.send("GET", "/_sandbox", &[], "").await.0, 200);
    for outside in
        [("host", "tunnel.example"), ("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")]
    {
        assert_eq!(port.send("GET", "/_sandbox", &[outside], "").await.0, 403, "{outside:?}");
        assert_eq!(port.send("GET", "/v1/events", &[outside], "").await.0, 403, "{outside:?}");
    }
    let key = (KEY_HEADER, port.keys.folder.as_str());
    assert_eq!(port.send("GET", "/_sandbox", &[("host", "tunnel.example"), key], "").await.0, 200);
}

#[tokio::test]
async fn a_container_shows_the_folders_key_in_its_addresses() {
    // What a function under SAM is given: it sends no header of ours, and to it this machine has another name.
    let port = Port::serve("container", true).await;
    let docker = ("host", "host.docker.internal:3000");
    let stripe = format!("Bearer {}", port.keys.stripe_api_key);
    let stripe = ("authorization", stripe.as_str());
    let of = |key: &str| format!("/_key/{key}/v1/events?limit=1");
    assert_eq!(port.send("GET", &of(&port.keys.folder), &[docker, stripe], "").await.0, 200);
    assert_eq!(port.send("GET", &of("another"), &[docker, stripe], "").await.0, 403);
    assert_eq!(port.send("GET", "/v1/events?limit=1", &[docker, stripe], "").await.0, 403);
    let tables = ("x-amz-target", "DynamoDB_20120810.ListTables");
    for (key, expected) in [(port.keys.folder.as_str(), 200), ("another", 403)] {
        let signed = format!("AWS4-HMAC-SHA256 Credential={key}/20260101/eu-west-2/dynamodb/aws4_request");
        let headers = [docker, tables, ("authorization", signed.as_str())];
        let (status, answer) = port.send("POST", "/_aws", &headers, "{}").await;
        assert_eq!(status, expected, "{answer}");
        assert_eq!(answer["TableNames"].is_array(), expected == 200, "{answer}");
    }
}
