//! Settings: the only place that reads the environment. All problems are listed at once, at start.

use std::{collections::BTreeMap, fmt, str::FromStr};

use secrecy::SecretString;

use domain::amount::Amount;

/// The variables that a process was started with.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

/// Everything that is wrong with the settings, a sentence each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid(pub Vec<String>);

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the settings are not usable: {}", self.0.join("; "))
    }
}

impl std::error::Error for Invalid {}

/// Names only: values may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Environment {
    /// The variables of this process.
    pub fn of_process() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
        Self(std::env::vars().collect())
    }

    /// Given variables.
    pub fn of<K: Into<String>, V: Into<String>>(variables: impl IntoIterator<Item = (K, V)>) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// The same, with one variable set.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The same, with one variable gone.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    /// Starts to read settings.
    pub fn reader(&self) -> Reader<'_> {
        Reader { environment: self, problems: Vec::new() }
    }
}

/// Reads settings and gathers what is wrong with them.
#[derive(Debug)]
pub struct Reader<'a> {
    environment: &'a Environment,
    problems: Vec<String>,
}

impl Reader<'_> {
    fn value(&self, name: &str) -> Option<&str> {
        self.environment.0.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// A setting that must be there.
    pub fn required(&mut self, name: &str) -> String {
        let value = self.value(name).map(str::to_owned);
        value.unwrap_or_else(|| {
            self.problems.push(format!("{name} is not set"));
            String::new()
        })
    }

    /// A setting that may be left out.
    pub fn optional(&self, name: &str) -> Option<String> {
        self.value(name).map(str::to_owned)
    }

    /// A setting with a default.
    pub fn or<T: FromStr>(&mut self, name: &str, default: T) -> T {
        let Some(value) = self.optional(name) else { return default };
        value.parse().unwrap_or_else(|_| {
            self.problems.push(format!("{name} is not a usable value: {value}"));
            default
        })
    }

    /// An amount in whole pence, with a default.
    pub fn pence_or(&mut self, name: &str, default: Amount) -> Amount {
        let pence: i64 = self.or(name, default.pence());
        Amount::try_from(pence).unwrap_or_else(|error| {
            self.problems.push(format!("{name}: {error}"));
            default
        })
    }

    /// A key that must be there.
    pub fn secret(&mut self, name: &str) -> SecretString {
        self.required(name).into()
    }

    /// Webhook secrets, separated by commas. None is not a problem at start: such a webhook answers 503.
    pub fn webhook_secrets(&self, name: &str) -> Vec<SecretString> {
        let value = self.value(name).unwrap_or_default();
        value.split(',').map(str::trim).filter(|part| !part.is_empty()).map(SecretString::from).collect()
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// When anything was wrong; all of it.
    pub fn finish(self) -> Result<(), Invalid> {
        // What two parts of a function both need is missed once.
        let mut problems: Vec<String> = Vec::new();
        for problem in self.problems {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(Invalid(problems)) }
    }

    /// Notes a problem of the caller's own finding.
    pub fn problem(&mut self, sentence: impl Into<String>) {
        self.problems.push(sentence.into());
    }
}

/// What every function needs.
#[derive(Clone, Debug)]
pub struct Base {
    /// `development`, `staging`, `production`: the mark on everything a vendor keeps for us.
    pub environment: String,
    /// What table names start with.
    pub table_prefix: String,
}

impl Base {
    /// Reads them.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let environment = reader.required("VOXANNE_ENVIRONMENT");
        let plain = environment.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        if !plain || environment.len() > 20 {
            reader.problem("VOXANNE_ENVIRONMENT is up to 20 lower-case letters and digits, e.g. staging");
        }
        Self { table_prefix: format!("voxanne-{environment}-"), environment }
    }
}

/// Vapi's API, with our one key.
#[derive(Clone, Debug)]
pub struct VapiSettings {
    /// Where it is.
    pub base_url: String,
    /// Its key.
    pub key: SecretString,
}

impl VapiSettings {
    /// Reads them.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let base_url = reader.or("VAPI_BASE_URL", "https://api.vapi.ai".to_owned());
        Self { base_url, key: reader.secret("VAPI_API_KEY") }
    }
}

/// Stripe's API.
#[derive(Clone, Debug)]
pub struct StripeSettings {
    /// Where it is.
    pub base_url: String,
    /// Its key.
    pub key: SecretString,
}

impl StripeSettings {
    /// Reads them.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let base_url = reader.or("STRIPE_BASE_URL", "https://api.stripe.com".to_owned());
        Self { base_url, key: reader.secret("STRIPE_API_KEY") }
    }
}

/// Twilio's API.
#[derive(Clone, Debug)]
pub struct TwilioSettings {
    /// Where it is.
    pub base_url: String,
    /// Where its settings of calls are.
    pub voice_base_url: String,
}

impl TwilioSettings {
    /// Reads them.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            base_url: reader.or("TWILIO_BASE_URL", "https://api.twilio.com".to_owned()),
            voice_base_url: reader.or("TWILIO_VOICE_BASE_URL", "https://voice.twilio.com".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_are_listed_at_once() {
        let environment =
            Environment::of([("VOXANNE_ENVIRONMENT", "Prod!"), ("LIMIT", "many"), ("CREDIT", "-1")]);
        let mut reader = environment.reader();
        Base::read(&mut reader);
        reader.required("METER_QUEUE_URL");
        reader.or("LIMIT", 5_u32);
        reader.pence_or("CREDIT", Amount::ZERO);
        let Invalid(problems) = reader.finish().unwrap_err();
        assert_eq!(problems.len(), 4, "{problems:?}");
    }

    #[test]
    fn a_secret_is_not_printed() {
        let environment = Environment::of([("VAPI_API_KEY", "sk-very-secret")]);
        assert!(!format!("{environment:?}").contains("sk-very-secret"));
    }
}
