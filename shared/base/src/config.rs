//! Settings: the only place that reads the environment. All problems are listed at once, at start.

use std::{collections::BTreeMap, fmt, str::FromStr};

use secrecy::SecretString;

use domain::{amount::Amount, email::EmailAddress};

/// The environment variables that a process was started with.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

/// Everything that is wrong with the settings, one sentence each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid(pub Vec<String>);

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the settings are not usable: {}", self.0.join("; "))
    }
}

impl std::error::Error for Invalid {}

/// Writes names only: values may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Environment {
    /// Reads the variables of this process.
    pub fn of_process() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
        Self(std::env::vars().collect())
    }

    /// Makes an environment of the given variables, instead of the process's own.
    pub fn of<K: Into<String>, V: Into<String>>(variables: impl IntoIterator<Item = (K, V)>) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// Returns the same environment with one variable set.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Returns the same environment without one variable.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    /// Returns a reader of the settings, which has found no problem yet.
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

    /// Returns a setting that must be there. When it is not, that is a problem, and the value is empty.
    pub fn required(&mut self, name: &str) -> String {
        let value = self.value(name).map(str::to_owned);
        value.unwrap_or_else(|| {
            self.problems.push(format!("{name} is not set"));
            String::new()
        })
    }

    /// Returns a setting that may be left out; one that is blank counts as left out.
    pub fn optional(&self, name: &str) -> Option<String> {
        self.value(name).map(str::to_owned)
    }

    /// Returns a setting, or `default` when it is left out. A value that cannot be parsed is a problem.
    pub fn or<T: FromStr>(&mut self, name: &str, default: T) -> T {
        let Some(value) = self.optional(name) else { return default };
        value.parse().unwrap_or_else(|_| {
            self.problems.push(format!("{name} is not a usable value: {value}"));
            default
        })
    }

    /// Returns an amount in whole pence, or `default` when it is left out. One that is no amount is a
    /// problem.
    pub fn pence_or(&mut self, name: &str, default: Amount) -> Amount {
        let pence: i64 = self.or(name, default.pence());
        Amount::try_from(pence).unwrap_or_else(|error| {
            self.problems.push(format!("{name}: {error}"));
            default
        })
    }

    /// Returns a secret that must be there, such as an API key, in a form that is not printed.
    pub fn secret(&mut self, name: &str) -> SecretString {
        self.required(name).into()
    }

    /// Returns webhook secrets, which commas separate. None is not a problem at start: such a webhook answers
    /// 503.
    pub fn webhook_secrets(&self, name: &str) -> Vec<SecretString> {
        let value = self.value(name).unwrap_or_default();
        value.split(',').map(str::trim).filter(|part| !part.is_empty()).map(SecretString::from).collect()
    }

    /// Ends the reading, with each problem once.
    ///
    /// # Errors
    /// When anything was wrong: all of it together.
    pub fn finish(self) -> Result<(), Invalid> {
        // A setting that two parts of a function both need is reported as missing once.
        let mut problems: Vec<String> = Vec::new();
        for problem in self.problems {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(Invalid(problems)) }
    }

    /// Adds a problem that the caller has found itself.
    pub fn problem(&mut self, sentence: impl Into<String>) {
        self.problems.push(sentence.into());
    }
}

/// The settings that every function needs.
#[derive(Clone, Debug)]
pub struct Base {
    /// The name of the environment, `development`, `staging` or `production`: the mark on everything that a
    /// vendor keeps for us.
    pub environment: String,
    /// The beginning of every table's name: `voxanne-<environment>-`.
    pub table_prefix: String,
}

impl Base {
    /// Reads `VOXANNE_ENVIRONMENT`, which must be there.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let environment = reader.required("VOXANNE_ENVIRONMENT");
        let plain = environment.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        if !plain || environment.len() > 20 {
            reader.problem("VOXANNE_ENVIRONMENT is up to 20 lower-case letters and digits, e.g. staging");
        }
        Self { table_prefix: format!("voxanne-{environment}-"), environment }
    }
}

/// The settings of Vapi's API, where one key serves all orgs.
#[derive(Clone, Debug)]
pub struct VapiSettings {
    /// The address of the API (`VAPI_BASE_URL`).
    pub base_url: String,
    /// The API key (`VAPI_API_KEY`).
    pub key: SecretString,
}

impl VapiSettings {
    /// Reads the address, which has a default, and the key, which must be there.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let base_url = reader.or("VAPI_BASE_URL", "https://api.vapi.ai".to_owned());
        Self { base_url, key: reader.secret("VAPI_API_KEY") }
    }
}

/// The settings of Stripe's API.
#[derive(Clone, Debug)]
pub struct StripeSettings {
    /// The address of the API (`STRIPE_BASE_URL`).
    pub base_url: String,
    /// The API key (`STRIPE_API_KEY`).
    pub key: SecretString,
}

impl StripeSettings {
    /// Reads the address, which has a default, and the key, which must be there.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let base_url = reader.or("STRIPE_BASE_URL", "https://api.stripe.com".to_owned());
        Self { base_url, key: reader.secret("STRIPE_API_KEY") }
    }
}

/// The settings of Twilio's APIs. The accounts are given with each request.
#[derive(Clone, Debug)]
pub struct TwilioSettings {
    /// The address of the REST API (`TWILIO_BASE_URL`).
    pub base_url: String,
    /// The address of the Voice API, which holds an account's dialling permissions (`TWILIO_VOICE_BASE_URL`).
    pub voice_base_url: String,
    /// The address of the Numbers API, which holds an account's regulatory bundles (`TWILIO_NUMBERS_BASE_URL`).
    pub numbers_base_url: String,
}

impl TwilioSettings {
    /// Reads the addresses, each of which has a default.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            base_url: reader.or("TWILIO_BASE_URL", "https://api.twilio.com".to_owned()),
            voice_base_url: reader.or("TWILIO_VOICE_BASE_URL", "https://voice.twilio.com".to_owned()),
            numbers_base_url: reader.or("TWILIO_NUMBERS_BASE_URL", "https://numbers.twilio.com".to_owned()),
        }
    }
}

/// The settings of mail.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// The address of SES's API (`MAIL_URL`).
    pub base_url: String,
    /// The address that mail to patients comes from (`MAIL_FROM`): one that SES knows to be ours.
    pub from: String,
}

impl MailSettings {
    /// Reads both, which must be there. A sender that is no address is a problem.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let base_url = reader.required("MAIL_URL");
        let from = reader.required("MAIL_FROM");
        if let (false, Err(error)) = (from.is_empty(), EmailAddress::parse(&from)) {
            reader.problem(format!("MAIL_FROM: {error}"));
        }
        Self { base_url, from }
    }
}

/// The settings of Google's APIs, where one application serves all orgs; what opens an org's calendars is its own.
#[derive(Clone, Debug)]
pub struct GoogleSettings {
    /// The application that clinics consent to (`GOOGLE_CLIENT_ID`).
    pub client_id: String,
    /// What the application shows with a code or a refresh token (`GOOGLE_CLIENT_SECRET`).
    pub client_secret: SecretString,
    /// Where a person consents (`GOOGLE_ACCOUNTS_URL`).
    pub accounts_url: String,
    /// Where tokens come from (`GOOGLE_TOKENS_URL`).
    pub tokens_url: String,
    /// Where the Calendar API is (`GOOGLE_API_URL`).
    pub api_url: String,
}

impl GoogleSettings {
    /// Reads the addresses, which have a default, and the application, which must be there.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            client_id: reader.required("GOOGLE_CLIENT_ID"),
            client_secret: reader.secret("GOOGLE_CLIENT_SECRET"),
            accounts_url: reader.or("GOOGLE_ACCOUNTS_URL", "https://accounts.google.com".to_owned()),
            tokens_url: reader.or("GOOGLE_TOKENS_URL", "https://oauth2.googleapis.com".to_owned()),
            api_url: reader.or("GOOGLE_API_URL", "https://www.googleapis.com".to_owned()),
        }
    }
}

/// The settings of the issuer's admin API, which makes accounts and says what their tokens say.
#[derive(Clone, Debug)]
pub struct SupabaseSettings {
    /// Where the issuer is (`SUPABASE_AUTH_URL`); where that is left out, as its tokens name it (`JWT_ISSUER`).
    pub base_url: String,
    /// What opens its admin API (`SUPABASE_SERVICE_KEY`).
    pub key: SecretString,
    /// Where a person who took an invitation is sent (`DASHBOARD_ORIGIN`).
    pub welcome: String,
}

impl SupabaseSettings {
    /// Reads the key and the dashboard's origin, which must be there, and the address, which has a default.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let base_url = issuer_url(reader);
        let key = reader.secret("SUPABASE_SERVICE_KEY");
        Self { base_url, key, welcome: reader.required("DASHBOARD_ORIGIN") }
    }
}

/// The settings of the issuer's public API, by which people sign in.
#[derive(Clone, Debug)]
pub struct SessionSettings {
    /// Where the issuer is (`SUPABASE_AUTH_URL`); where that is left out, as its tokens name it (`JWT_ISSUER`).
    pub base_url: String,
    /// What opens its public API (`SUPABASE_PUBLISHABLE_KEY`). Browsers may know it: it lets nobody do anything by itself.
    pub publishable_key: String,
}

impl SessionSettings {
    /// Reads the key, which must be there, and the address, which has a default.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let base_url = issuer_url(reader);
        Self { base_url, publishable_key: reader.required("SUPABASE_PUBLISHABLE_KEY") }
    }
}

/// Where the issuer is asked.
fn issuer_url(reader: &mut Reader<'_>) -> String {
    match reader.optional("SUPABASE_AUTH_URL") {
        Some(url) => url,
        None => reader.required("JWT_ISSUER"),
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
