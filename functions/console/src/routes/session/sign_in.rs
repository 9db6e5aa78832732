//! Signing in: by password, and by a link that the issuer sends.

use domain::email::EmailAddress;
use http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vendors::supabase::{LinkKind, SessionError};
use web::{
    problem::{Code, Problem, chain},
    request::invalid,
    routes::{Answer, Input, Origin},
};

use super::{Secret, SignedIn, longest_password, problem, signed_in};
use crate::Deps;

/// The longest that a link's hash, or a token in its place, may be, in bytes.
const LONGEST_TOKEN: usize = 1_024;

/// Address and password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "ada@example.com", "password": "correct horse battery"}))]
pub struct Credentials {
    /// The address of the account.
    #[schema(value_type = String)]
    email: Secret,
    /// Its password.
    #[schema(value_type = String)]
    password: Secret,
}

/// Whom to send a link to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"email": "ada@example.com"}))]
pub struct Addressee {
    /// The address of the account.
    #[schema(value_type = String)]
    email: Secret,
}

/// What a link has left in the address that it led to: the hash that it is known by with what it was sent for, or, where the letter is
/// the issuer's own, a refresh token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"token_hash": "8c1e5d", "type": "magiclink"}))]
pub struct Followed {
    /// What the link is known by.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    token_hash: Option<Secret>,
    /// What it was sent for.
    #[serde(default, rename = "type")]
    kind: Option<Kind>,
    /// The token in its place. It is replaced at once.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    refresh_token: Option<Secret>,
}

/// What a link was sent for.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = LinkKind)]
pub enum Kind {
    /// Signing in.
    Magiclink,
    /// Taking an invitation.
    Invite,
    /// Choosing another password.
    Recovery,
    /// Signing in or taking an invitation.
    Email,
}

web::json_bodies!(Credentials, Addressee, Followed);

/// That a link was asked for. It is the same whether or not the address has an account.
#[derive(Debug, Serialize, ToSchema)]
pub struct Asked {
    /// What the person may expect.
    detail: &'static str,
}

/// Signs in by address and password.
///
/// # Errors
/// [`Code::SignInRefused`] when they are not an account's: which of the two is wrong is not said. Else [`Code::SignInUnavailable`] or [`Code::TooManyRequests`].
pub async fn by_password(
    deps: &Deps,
    (): &(),
    input: Input<(), Credentials>,
) -> Result<Answer<SignedIn>, Problem> {
    admit(deps, &input.headers, &input.origin)?;
    let email = address(&input.body.email)?;
    longest_password(&input.body.password)?;
    let session = deps.sessions.by_password(&email, &input.body.password.0).await;
    signed_in(deps, session.map_err(|error| problem(&error, Code::SignInRefused)))
}

/// Has a link to sign in by sent. Whether the address has an account is not said, and neither is that it had a letter just now.
///
/// # Errors
/// When nobody is asked, whatever the address: too many tries, an issuer that does not answer.
pub async fn magic_link(deps: &Deps, (): &(), input: Input<(), Addressee>) -> Result<Answer<Asked>, Problem> {
    admit(deps, &input.headers, &input.origin)?;
    let email = address(&input.body.email)?;
    match deps.sessions.send_link(&email, &format!("{}/", deps.place.origin())).await {
        Ok(()) | Err(SessionError::Refused { .. }) => {}
        // It counts the requests of ours, and has not looked at the address.
        Err(SessionError::TooOften { code }) if code == "over_request_rate_limit" => {
            return Err(problem(&SessionError::TooOften { code }, Code::SignInUnavailable));
        }
        Err(error @ (SessionError::Unreachable(_) | SessionError::Key)) => {
            return Err(problem(&error, Code::SignInUnavailable));
        }
        // Only an address that has an account comes so far: the letter could not be sent.
        Err(
            error @ (SessionError::TooOften { .. }
            | SessionError::Trouble { .. }
            | SessionError::Unconfirmed
            | SessionError::Password(_)
            | SessionError::Unreadable),
        ) => tracing::warn!(cause = chain(&error), "the issuer sent no letter with a link"),
    }
    let detail = "If that address has an account, a letter with a link comes within minutes. If none comes, wait a \
                  minute and ask again.";
    Ok(Answer::with(StatusCode::ACCEPTED, Asked { detail }))
}

/// Signs in by a link that was followed, which is good once.
///
/// # Errors
/// [`Code::LinkRefused`] when it is not taken. Else [`Code::SignInUnavailable`] or [`Code::TooManyRequests`].
pub async fn verify(deps: &Deps, (): &(), input: Input<(), Followed>) -> Result<Answer<SignedIn>, Problem> {
    admit(deps, &input.headers, &input.origin)?;
    let Followed { token_hash, kind, refresh_token } = input.body;
    let session = match (token_hash, kind, refresh_token) {
        (Some(hash), Some(kind), None) if is_token(&hash.0) => {
            let kind = match kind {
                Kind::Magiclink => LinkKind::MagicLink,
                Kind::Invite => LinkKind::Invite,
                Kind::Recovery => LinkKind::Recovery,
                Kind::Email => LinkKind::Email,
            };
            deps.sessions.by_link(kind, hash.0.expose_secret()).await
        }
        (None, None, Some(token)) if is_token(&token.0) => deps.sessions.refresh(&token.0).await,
        _ => return Err(invalid("Send token_hash and type, or refresh_token, as the link has them.")),
    };
    signed_in(deps, session.map_err(|error| problem(&error, Code::LinkRefused)))
}

/// Passes what a page of ours sends, as often as an address may try.
fn admit(deps: &Deps, headers: &http::HeaderMap, origin: &Origin) -> Result<(), Problem> {
    deps.place.is_own(headers)?;
    deps.throttle.admit(origin.source.as_deref(), deps.clock.now())
}

fn address(given: &Secret) -> Result<EmailAddress, Problem> {
    EmailAddress::parse(given.0.expose_secret()).map_err(|error| invalid(format!("email: {error}.")))
}

fn is_token(text: &SecretString) -> bool {
    (1..=LONGEST_TOKEN).contains(&text.expose_secret().len())
}
