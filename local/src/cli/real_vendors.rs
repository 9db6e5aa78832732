//! `.env`: real keys switch each vendor to the real one, each on its own.

use std::{collections::BTreeMap, path::Path, time::Duration};

use vendors::http::Http;

/// What `.env` says about the vendors.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "one for each vendor")]
pub struct Vendors {
    /// Settings to put in the place of the sandboxes'.
    pub settings: Vec<(String, String)>,
    /// The way to the network, when any vendor is real.
    pub network: Option<Http>,
    /// Whether Vapi is real.
    pub real_vapi: bool,
    /// Whether Stripe is real.
    pub real_stripe: bool,
    /// Whether Twilio is real.
    pub real_twilio: bool,
    /// Whether Google is real.
    pub real_google: bool,
    /// Where this machine is reached from outside, if it is.
    pub public_url: Option<String>,
}

impl Vendors {
    /// Whether any vendor is real.
    pub const fn is_real(&self) -> bool {
        self.real_vapi || self.real_stripe || self.real_twilio || self.real_google
    }

    /// What each is, for the person who runs the stack.
    pub fn kinds(&self) -> String {
        let kind = |real: bool| if real { "REAL" } else { "sandbox" };
        let (vapi, twilio, stripe) = (kind(self.real_vapi), kind(self.real_twilio), kind(self.real_stripe));
        let google = kind(self.real_google);
        format!("Vapi: {vapi}, Twilio: {twilio}, Stripe: {stripe}, Google: {google}")
    }
}

/// The settings that are handed on as they are.
const HANDED_ON: [&str; 12] = [
    "OUTAGE_CREDIT_PENCE",
    "DEBT_LIMIT_PENCE",
    "TOP_UP_MAX_PENCE",
    "NUMBER_RENTAL_PENCE",
    "OUTBOUND_COUNTRIES",
    "CALL_SLOTS",
    "CALL_SLOTS_FOR_INBOUND",
    "CALL_SLOTS_PER_ORG",
    "CALLS_PER_CALLER",
    "CALLS_PER_NUMBER",
    "CREDENTIAL_KEYS",
    "JWT_HS256_SECRET",
];

/// Where the real Google is.
const GOOGLE: [(&str, &str); 3] = [
    ("GOOGLE_ACCOUNTS_URL", "https://accounts.google.com"),
    ("GOOGLE_TOKENS_URL", "https://oauth2.googleapis.com"),
    ("GOOGLE_API_URL", "https://www.googleapis.com"),
];

/// Reads `.env` in `folder`, if there is one. `tunnel` is where a tunnel leads here from, for want of `PUBLIC_URL` there.
///
/// # Errors
/// A sentence: the file cannot be read, a live key came without `--live`, or a real vendor has no way to reach us.
pub fn read(folder: &Path, allow_live: bool, speed: u32, tunnel: Option<String>) -> Result<Vendors, String> {
    let file = folder.join(".env");
    if !file.exists() {
        return Ok(Vendors { public_url: tunnel, ..Vendors::default() });
    }
    let pairs =
        dotenvy::from_path_iter(&file).and_then(Iterator::collect::<Result<BTreeMap<String, String>, _>>);
    let mut pairs = pairs.map_err(|error| format!(".env cannot be read: {error}"))?;
    pairs.retain(|_, value| !value.trim().is_empty());
    if let Some(tunnel) = tunnel {
        pairs.entry("PUBLIC_URL".into()).or_insert(tunnel);
    }
    from(&pairs, allow_live, speed)
}

fn from(pairs: &BTreeMap<String, String>, allow_live: bool, speed: u32) -> Result<Vendors, String> {
    let mut vendors = Vendors {
        real_vapi: pairs.contains_key("VAPI_API_KEY"),
        real_stripe: pairs.contains_key("STRIPE_API_KEY"),
        real_twilio: pairs.contains_key("TWILIO_AUTH_TOKEN"),
        real_google: pairs.contains_key("GOOGLE_CLIENT_ID"),
        public_url: pairs.get("PUBLIC_URL").cloned(),
        ..Vendors::default()
    };
    let hand_on = |vendors: &mut Vendors, name: &str| {
        if let Some(value) = pairs.get(name) {
            vendors.settings.push((name.to_owned(), value.clone()));
        }
    };
    for name in HANDED_ON {
        hand_on(&mut vendors, name);
    }
    if !vendors.is_real() {
        return Ok(vendors);
    }
    if vendors.real_twilio != vendors.real_vapi {
        return Err("Vapi and Twilio are real together or not at all: Vapi rings the numbers that Twilio has. Set both \
                    VAPI_API_KEY and TWILIO_AUTH_TOKEN in .env, or neither."
            .into());
    }
    if speed > 1 {
        return Err(
            "A real vendor's time cannot be sped up: leave --speed out, or take the keys out of .env.".into(),
        );
    }
    if !pairs.get("PUBLIC_URL").is_some_and(|url| url.starts_with("https://")) {
        return Err(
            "A real vendor must be able to reach this machine: start a tunnel to this port (one that tells its \
                    address at 127.0.0.1:4040, such as `ngrok http 3000`, is asked), or set PUBLIC_URL in .env to its \
                    https address, or take the vendor's key out of .env to use its sandbox."
                .into(),
        );
    }
    hand_on(&mut vendors, "PUBLIC_URL");
    let needs = |name: &str| {
        let missing =
            format!("{name} is missing in .env: without it nothing the vendor sends can be verified.");
        pairs.get(name).map(|_| ()).ok_or(missing)
    };
    if vendors.real_vapi {
        needs("VAPI_WEBHOOK_SECRETS")?;
        vendors.settings.push(("VAPI_BASE_URL".into(), "https://api.vapi.ai".into()));
        hand_on(&mut vendors, "VAPI_API_KEY");
        hand_on(&mut vendors, "VAPI_WEBHOOK_SECRETS");
        hand_on(&mut vendors, "VAPI_WEBHOOK_CREDENTIAL_ID");
    }
    if vendors.real_twilio {
        real_twilio(pairs, &mut vendors)?;
    }
    if vendors.real_stripe {
        let is_live = pairs.get("STRIPE_API_KEY").is_some_and(|key| key.contains("_live_"));
        if is_live && !allow_live {
            return Err("STRIPE_API_KEY in .env is a live key, which moves real money. Say --live if you mean it, or \
                        use a test key."
                .into());
        }
        vendors.settings.push(("STRIPE_BASE_URL".into(), "https://api.stripe.com".into()));
        hand_on(&mut vendors, "STRIPE_API_KEY");
    }
    if vendors.real_google {
        real_google(pairs, &mut vendors)?;
    }
    let network = Http::network(Duration::from_secs(5)).map_err(|error| error.to_string())?;
    vendors.network = Some(network);
    Ok(vendors)
}

/// Hands a real Twilio account on, with what seals the orgs' secrets.
fn real_twilio(pairs: &BTreeMap<String, String>, vendors: &mut Vendors) -> Result<(), String> {
    vendors.settings.push(("TWILIO_BASE_URL".into(), "https://api.twilio.com".into()));
    vendors.settings.push(("TWILIO_VOICE_BASE_URL".into(), "https://voice.twilio.com".into()));
    vendors.settings.push(("TWILIO_NUMBERS_BASE_URL".into(), "https://numbers.twilio.com".into()));
    for name in ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "CREDENTIAL_KEYS"] {
        let missing = format!("{name} is missing in .env: it is needed with a real Twilio account.");
        vendors.settings.push((name.to_owned(), pairs.get(name).cloned().ok_or(missing)?));
    }
    Ok(())
}

/// Hands a real client at Google on.
fn real_google(pairs: &BTreeMap<String, String>, vendors: &mut Vendors) -> Result<(), String> {
    for name in ["GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET"] {
        let missing = format!("{name} is missing in .env: no consent can be exchanged without it.");
        vendors.settings.push((name.to_owned(), pairs.get(name).cloned().ok_or(missing)?));
    }
    vendors.settings.extend(GOOGLE.map(|(name, url)| (name.to_owned(), url.to_owned())));
    Ok(())
}

/// Asks a tunnel on this machine for the https address by which it leads to `port`; none when there is no such tunnel.
pub async fn tunnel(port: u16) -> Option<String> {
    let http = Http::network(Duration::from_secs(1)).ok()?;
    let request = http::Request::get("http://127.0.0.1:4040/api/tunnels").body(bytes::Bytes::new()).ok()?;
    let answer = http.send(request).await.ok()?;
    leading_to(port, &serde_json::from_slice(answer.body()).ok()?)
}

fn leading_to(port: u16, tunnels: &serde_json::Value) -> Option<String> {
    let here = [format!("{port}"), format!("localhost:{port}"), format!("127.0.0.1:{port}")];
    let leads_here = |tunnel: &&serde_json::Value| {
        let to = tunnel["config"]["addr"].as_str().unwrap_or_default();
        let to = to.strip_prefix("http://").unwrap_or(to).trim_end_matches('/');
        here.iter().any(|address| address == to)
    };
    let urls = tunnels["tunnels"]
        .as_array()?
        .iter()
        .filter(leads_here)
        .filter_map(|tunnel| tunnel["public_url"].as_str());
    urls.filter(|url| url.starts_with("https://")).map(str::to_owned).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(given: &[(&str, &str)]) -> BTreeMap<String, String> {
        given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_real_vendor_is_refused_with_a_sentence_until_all_is_there() {
        let key = ("STRIPE_API_KEY", "sk_test_1");
        let url = ("PUBLIC_URL", "https://tunnel.example");
        let refused = |given: &[(&str, &str)], live, speed| from(&pairs(given), live, speed).unwrap_err();
        assert!(refused(&[key], false, 1).contains("PUBLIC_URL"));
        assert!(refused(&[key, url], false, 10).contains("--speed"));
        let live = ("STRIPE_API_KEY", "sk_live_1");
        assert!(refused(&[live, url], false, 1).contains("--live"));
        let real = from(&pairs(&[live, url]), true, 1).unwrap();
        assert!(real.real_stripe && !real.real_vapi && real.network.is_some());
        let url_given = |(name, value): &(String, String)| (name.as_str(), value.as_str()) == url;
        assert!(real.settings.iter().any(url_given), "Stripe is told to post there");
        let id = ("GOOGLE_CLIENT_ID", "id");
        assert!(refused(&[id, url], false, 1).contains("GOOGLE_CLIENT_SECRET"));
        let google = from(&pairs(&[id, ("GOOGLE_CLIENT_SECRET", "s"), url]), false, 1).unwrap();
        assert!(google.real_google && !google.real_stripe && google.network.is_some());
        let vapi = [("VAPI_API_KEY", "k"), ("VAPI_WEBHOOK_SECRETS", "s"), url];
        assert!(refused(&vapi, false, 1).contains("TWILIO_AUTH_TOKEN"));
        let with_token = [vapi[0], vapi[1], url, ("TWILIO_AUTH_TOKEN", "t")];
        assert!(refused(&with_token, false, 1).contains("TWILIO_ACCOUNT_SID"));
        let with_sid = [with_token.as_slice(), &[("TWILIO_ACCOUNT_SID", "AC1")]].concat();
        assert!(refused(&with_sid, false, 1).contains("CREDENTIAL_KEYS"));
        let both =
            from(&pairs(&[with_sid.as_slice(), &[("CREDENTIAL_KEYS", "k:x")]].concat()), false, 1).unwrap();
        assert!(
            both.real_vapi && both.real_twilio && both.settings.iter().any(|(name, _)| name == "PUBLIC_URL")
        );
        let sandboxes = from(&pairs(&[("OUTAGE_CREDIT_PENCE", "0")]), false, 50).unwrap();
        assert!(sandboxes.network.is_none() && sandboxes.settings.len() == 1);
    }

    #[test]
    fn a_tunnel_to_this_port_is_found_and_no_other() {
        let tunnels = serde_json::json!({"tunnels": [
            {"public_url": "https://other.example", "config": {"addr": "http://localhost:13000"}},
            {"public_url": "http://plain.example", "config": {"addr": "http://localhost:3000"}},
            {"public_url": "tcp://bare.example:1", "config": {"addr": "localhost:3000"}},
            {"public_url": "https://here.example", "config": {"addr": "http://localhost:3000"}},
        ]});
        assert_eq!(leading_to(3000, &tunnels).as_deref(), Some("https://here.example"));
        assert_eq!(leading_to(3001, &tunnels), None);
        for odd in [serde_json::json!({}), serde_json::json!([]), serde_json::json!({"tunnels": [{}]})] {
            assert_eq!(leading_to(3000, &odd), None);
        }
    }

    #[test]
    fn the_tokens_secret_is_set_and_a_public_address_is_known_with_sandboxes_too() {
        let given = [
            ("JWT_HS256_SECRET", "a-secret-of-thirty-two-bytes-0001"),
            ("PUBLIC_URL", "https://tunnel.example"),
        ];
        let vendors = from(&pairs(&given), false, 1).unwrap();
        assert!(vendors.settings.iter().any(|(name, value)| (name.as_str(), value.as_str()) == given[0]));
        assert_eq!(vendors.public_url.as_deref(), Some("https://tunnel.example"));
        assert!(!vendors.is_real());
    }
}
