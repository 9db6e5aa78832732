//! `/api/session/*`: how one signs in.

use base::config::{Base, Reader};
use serde::Serialize;
use utoipa::ToSchema;
use web::{
    problem::Problem,
    routes::{Answer, Input},
};

use crate::Deps;

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
