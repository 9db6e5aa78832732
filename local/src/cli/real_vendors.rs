//! `.env`: real keys switch each vendor to the real one, each on its own.

use std::{collections::BTreeMap, path::Path, time::Duration};

use vendors::http::Http;

/// What `.env` says about the vendors.
#[derive(Debug, Default)]
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
}

impl Vendors {
    /// Whether any vendor is real.
    pub const fn is_real(&self) -> bool {
        self.real_vapi || self.real_stripe || self.real_twilio
    }
}

/// The settings that are handed on as they are.
const HANDED_ON: [&str; 6] = [
    "OUTAGE_CREDIT_PENCE",
    "DEBT_LIMIT_PENCE",
    "TOP_UP_MAX_PENCE",
    "NUMBER_RENTAL_PENCE",
    "OUTBOUND_COUNTRIES",
    "CREDENTIAL_KEYS",
];

/// Reads `.env` in `folder`, if there is one.
///
/// # Errors
/// A sentence: the file cannot be read, a live key came without `--live`, or a real vendor has no way to reach us.
pub fn read(folder: &Path, allow_live: bool, speed: u32) -> Result<Vendors, String> {
    let file = folder.join(".env");
    if !file.exists() {
        return Ok(Vendors::default());
    }
    let pairs =
        dotenvy::from_path_iter(&file).and_then(Iterator::collect::<Result<BTreeMap<String, String>, _>>);
    let mut pairs = pairs.map_err(|error| format!(".env cannot be read: {error}"))?;
    pairs.retain(|_, value| !value.trim().is_empty());
    from(&pairs, allow_live, speed)
}

fn from(pairs: &BTreeMap<String, String>, allow_live: bool, speed: u32) -> Result<Vendors, String> {
    let mut vendors = Vendors {
        real_vapi: pairs.contains_key("VAPI_API_KEY"),
        real_stripe: pairs.contains_key("STRIPE_API_KEY"),
        real_twilio: pairs.contains_key("TWILIO_AUTH_TOKEN"),
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
            "A real vendor must be able to reach this machine: set PUBLIC_URL in .env to the https address \
                    of a tunnel to this port, or take the vendor's key out of .env to use its sandbox."
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
    let network = Http::network(Duration::from_secs(5)).map_err(|error| error.to_string())?;
    vendors.network = Some(network);
    Ok(vendors)
}

/// Hands a real Twilio account on, with what seals the orgs' secrets.
fn real_twilio(pairs: &BTreeMap<String, String>, vendors: &mut Vendors) -> Result<(), String> {
    vendors.settings.push(("TWILIO_BASE_URL".into(), "https://api.twilio.com".into()));
    vendors.settings.push(("TWILIO_VOICE_BASE_URL".into(), "https://voice.twilio.com".into()));
    for name in ["TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "CREDENTIAL_KEYS"] {
        let missing = format!("{name} is missing in .env: it is needed with a real Twilio account.");
        vendors.settings.push((name.to_owned(), pairs.get(name).cloned().ok_or(missing)?));
    }
    Ok(())
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
}
