//! What becomes of a session: it goes on, it ends, its person chooses a password.

use http::{HeaderMap, header};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vendors::supabase::{PasswordFault, SessionError};
use web::{
    problem::{Code, Problem, chain},
    routes::{Answer, Input, Origin},
};

use super::{Secret, SignedIn, longest_password, problem, signed_in};
use crate::Deps;

/// Whether the session is over at the issuer, too.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignedOut {
    /// Whether the issuer has ended the session. Where it has not, the session is out of this browser's hands all the same.
    revoked: bool,
}

/// A new password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"password": "correct horse battery"}))]
pub struct Wanted {
    /// The password.
    #[schema(value_type = String)]
    password: Secret,
}

web::json_bodies!(Wanted);

/// That the password is set.
#[derive(Debug, Serialize, ToSchema)]
pub struct PasswordSet {
    /// Always `true`.
    set: bool,
}

/// Takes the next access token by the cookie, whose refresh token is replaced.
///
/// # Errors
/// [`Code::SessionEnded`] without a cookie, or when the issuer does not take it: then the browser drops it. Else [`Code::SignInUnavailable`] or [`Code::TooManyRequests`], and
/// the browser keeps it.
pub async fn refresh(deps: &Deps, (): &(), input: Input) -> Result<Answer<SignedIn>, Problem> {
    deps.place.is_own(&input.headers)?;
    let Some(token) = deps.place.kept(&input.headers) else {
        return Err(Problem::new(Code::SessionEnded));
    };
    // What has no cookie asks the issuer nothing, and is not counted.
    admit(deps, &input.origin)?;
    let session = deps.sessions.refresh(&token).await;
    signed_in(
        deps,
        session.map_err(|error| {
            let told = problem(&error, Code::SessionEnded);
            if matches!(error, SessionError::Refused { .. }) {
                told.with_cookie(&deps.place.drops())
            } else {
                told
            }
        }),
    )
}

/// Signs out: the issuer ends this session, and the browser drops the cookie in any case.
///
/// # Errors
/// When another origin asks for it; [`Code::TooManyRequests`], with which the browser drops the cookie all the same.
pub async fn sign_out(deps: &Deps, (): &(), input: Input) -> Result<Answer<SignedOut>, Problem> {
    deps.place.is_own(&input.headers)?;
    // The browser drops the cookie also where the issuer is not to be asked.
    admit(deps, &input.origin).map_err(|problem| problem.with_cookie(&deps.place.drops()))?;
    let revoked = is_ended(deps, &input.headers).await.unwrap_or_else(|error| {
        tracing::warn!(cause = chain(&error), "the issuer did not end a session whose person signed out");
        false
    });
    Ok(Answer::ok(SignedOut { revoked }).with_cookie(&deps.place.drops()))
}

/// Counts what those at an address ask of the issuer, who counts all that comes from us as one.
fn admit(deps: &Deps, origin: &Origin) -> Result<(), Problem> {
    deps.renewals.admit(origin.source.as_deref(), deps.clock.now())
}

/// Ends the session of the access token; where that is not taken, of the cookie. Returns whether there is none any more.
async fn is_ended(deps: &Deps, headers: &HeaderMap) -> Result<bool, SessionError> {
    if let Some(token) = bearer(headers) {
        match deps.sessions.sign_out(&token).await {
            Err(SessionError::Refused { code, .. }) if code != "session_not_found" => {}
            Ok(()) | Err(SessionError::Refused { .. }) => return Ok(true),
            Err(error) => return Err(error),
        }
    }
    let Some(kept) = deps.place.kept(headers) else { return Ok(true) };
    match deps.sessions.refresh(&kept).await {
        Ok(session) => deps.sessions.sign_out(&session.access_token).await.map(|()| true),
        // The session is none of the issuer's any more.
        Err(SessionError::Refused { .. }) => Ok(true),
        Err(error) => Err(error),
    }
}

/// Sets the password of the person whose access token it is, as one does who has taken an invitation.
///
/// # Errors
/// [`Code::MissingToken`] and [`Code::InvalidToken`]; [`Code::PasswordRefused`] when the issuer does not take it. Else [`Code::SignInUnavailable`] or [`Code::TooManyRequests`].
pub async fn set_password(
    deps: &Deps,
    (): &(),
    input: Input<(), Wanted>,
) -> Result<Answer<PasswordSet>, Problem> {
    deps.place.is_own(&input.headers)?;
    let token = bearer(&input.headers).ok_or_else(|| Problem::new(Code::MissingToken))?;
    longest_password(&input.body.password)?;
    match deps.sessions.set_password(&token, &input.body.password.0).await {
        Ok(()) => Ok(Answer::ok(PasswordSet { set: true })),
        Err(SessionError::Password(fault)) => Err(refused(fault)),
        Err(error) => Err(problem(&error, Code::InvalidToken)),
    }
}

fn refused(fault: PasswordFault) -> Problem {
    let problem = Problem::new(Code::PasswordRefused);
    match fault {
        PasswordFault::Weak => problem,
        PasswordFault::Same => problem.saying("That is your password already. Choose another."),
        PasswordFault::Stale => problem
            .saying("You signed in too long ago to choose a password. Sign in again, and choose it then."),
    }
}

/// The access token that came with a request, if one did. The issuer says whether it is good.
fn bearer(headers: &HeaderMap) -> Option<SecretString> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned().into())
}
