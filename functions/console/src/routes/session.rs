//! `/api/session/*`: how one signs in, goes on and signs out. The refresh token is in a cookie that no script reads; what a page has
//! is the access token, in its memory.

pub mod keep;
pub mod sign_in;

use base::config::{Base, Reader};
use domain::time::{plus_secs, rfc3339_millis};
use jiff::SignedDuration;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vendors::supabase::{Session, SessionError};
use web::{
    problem::{Code, Problem},
    request::invalid,
    routes::{Answer, Input},
};

use crate::Deps;

/// The longest password that the issuer takes, in bytes: bcrypt looks at no more.
const LONGEST_PASSWORD: usize = 72;
/// When to ask again where the issuer was asked too often. It does not say.
const ISSUERS_PATIENCE: SignedDuration = SignedDuration::from_mins(1);

/// What a page must know before anybody has signed in. None of it is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Config {
    /// `production`, or `sandbox` everywhere else: the page says which.
    environment: Environment,
    /// How one signs in here.
    sign_in: SignIn,
    /// Whose tokens are accepted.
    issuer: String,
}

/// Whether what is done here is real.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// Clinics run on it.
    Production,
    /// Nobody does.
    Sandbox,
}

/// How one signs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SignIn {
    /// By choosing a clinic and a role: `/_sandbox/clinics` and `/_sandbox/token` of the local stack.
    Local,
    /// By e-mail and password, or a link by mail, at the issuer.
    Password,
}

impl Config {
    /// Reads it. `CONSOLE_SIGN_IN` is `local` where the local stack says so, and `password` where it is not set.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let name = Base::read(reader).environment;
        let environment = if name == "production" { Environment::Production } else { Environment::Sandbox };
        let sign_in = match reader.optional("CONSOLE_SIGN_IN").as_deref() {
            None | Some("password") => SignIn::Password,
            Some("local") => SignIn::Local,
            Some(other) => {
                reader.problem(format!("CONSOLE_SIGN_IN is password or local, and not {other}"));
                SignIn::Password
            }
        };
        Self { environment, sign_in, issuer: reader.required("JWT_ISSUER") }
    }
}

/// Says how one signs in.
///
/// # Errors
/// When a query value is given: it takes none.
pub async fn config(deps: &Deps, (): &(), _: Input) -> Result<Answer<Config>, Problem> {
    Ok(Answer::ok(deps.sign_in.clone()))
}

/// A text of a body that no log line shows: a password, a token, an address.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "String")]
pub struct Secret(SecretString);

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

/// Who has signed in has this. The refresh token is in the cookie.
#[derive(Serialize, ToSchema)]
pub struct SignedIn {
    /// What the other routes take as their bearer token.
    access_token: String,
    /// When it runs out.
    expires_at: String,
    /// The same, in seconds from now.
    expires_in_secs: i64,
}

/// The answer to somebody whom the issuer let in.
fn signed_in(deps: &Deps, session: Result<Session, Problem>) -> Result<Answer<SignedIn>, Problem> {
    let session = session?;
    let kept = deps.place.keeps(&session.refresh_token);
    let kept = kept.ok_or_else(|| problem(&SessionError::Unreadable, Code::SignInUnavailable))?;
    let expires_in_secs = session.lasts.as_secs();
    let answer = SignedIn {
        access_token: session.access_token.expose_secret().to_owned(),
        expires_at: rfc3339_millis(plus_secs(deps.clock.now(), expires_in_secs)),
        expires_in_secs,
    };
    Ok(Answer::ok(answer).with_cookie(&kept))
}

/// What a person is told whom the issuer did not let in; `refused` where it does not believe what was shown. Only the issuer's word
/// gets into the log.
///
/// # Errors
/// It is the error: [`Code::SignInUnavailable`] when the issuer does not answer as it should, [`Code::TooManyRequests`].
fn problem(error: &SessionError, refused: Code) -> Problem {
    match error {
        SessionError::Refused { .. } => Problem::new(refused),
        SessionError::Unconfirmed => Problem::new(refused).saying(
            "That address has not been confirmed yet. Follow the link in the invitation, or have a link sent to you.",
        ),
        SessionError::TooOften { .. } => Problem::too_often(ISSUERS_PATIENCE),
        SessionError::Unreachable(_)
        | SessionError::Password(_)
        | SessionError::Key
        | SessionError::Trouble { .. }
        | SessionError::Unreadable => Problem::new(Code::SignInUnavailable)
            .saying("The sign-in service does not answer at the moment. Try again in a minute."),
    }
    .because(error)
}

/// Passes a password that the issuer looks at whole.
fn longest_password(password: &Secret) -> Result<(), Problem> {
    if (1..=LONGEST_PASSWORD).contains(&password.0.expose_secret().len()) {
        return Ok(());
    }
    Err(invalid(format!("password: it has 1 to {LONGEST_PASSWORD} letters.")))
}
