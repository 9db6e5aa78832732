//! Who calls: a bearer token, verified, becomes an org, a person and a role. The only place besides our own records
//! that makes an [`OrgId`].

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http::{HeaderMap, Request, header};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    errors::ErrorKind,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::problem::{Code, Problem};
use base::alarm::chain;
use base::clock::Clock;
use base::config::Reader;
use domain::ids::{OrgId, UserId};
use platform::Platform;
use vendors::http::{Http, HttpError};

/// How long fetched keys are believed.
const KEYS_LAST: SignedDuration = SignedDuration::from_mins(10);
/// How long they are believed while the issuer does not answer.
const KEYS_TOLERATED: SignedDuration = SignedDuration::from_hours(1);
/// How long a key that is not among them is not asked for again.
const COOL_DOWN: SignedDuration = SignedDuration::from_secs(30);
/// How far the issuer's clock may be ahead of ours.
const LEEWAY_SECS: i64 = 5;

/// A verified caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Whose data it is.
    pub org: OrgId,
    /// Who asks.
    pub user: UserId,
    /// What they may do.
    pub role: Role,
}

/// What a caller may do.
pub use domain::team::MemberRole as Role;

impl Caller {
    /// Passes those who may pay and change.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for everybody else.
    pub fn may_change(&self) -> Result<(), Problem> {
        self.is_one_of(&[Role::Admin, Role::Owner])
    }

    /// Passes those who may keep the diary and the messages.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for a viewer.
    pub fn may_keep_the_diary(&self) -> Result<(), Problem> {
        self.is_one_of(&[Role::Staff, Role::Admin, Role::Owner])
    }

    /// Passes those who may see money, numbers and agents.
    ///
    /// # Errors
    /// [`Code::Forbidden`] for staff.
    pub fn may_see_the_business(&self) -> Result<(), Problem> {
        self.is_one_of(&[Role::Viewer, Role::Admin, Role::Owner]).map_err(|problem| {
            problem.saying("Your role keeps the diary and the messages. Ask an administrator or owner of the clinic for the rest.")
        })
    }

    fn is_one_of(&self, roles: &[Role]) -> Result<(), Problem> {
        if roles.contains(&self.role) { Ok(()) } else { Err(Problem::new(Code::Forbidden)) }
    }
}

/// One of ours, who looks after all orgs and belongs to none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// Who it is.
    pub user: UserId,
}

/// Verifies tokens.
#[derive(Debug)]
pub struct Auth {
    issuer: String,
    audience: String,
    shared_secret: Option<SecretString>,
    jwks: Option<Jwks>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug)]
struct Jwks {
    url: String,
    http: Http,
    fetched: Mutex<Fetched>,
}

#[derive(Debug, Default)]
struct Fetched {
    keys: HashMap<String, (Algorithm, Jwk)>,
    /// When they were last asked for.
    at: Option<Timestamp>,
    /// When they last came.
    good_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Claims {
    sub: UserId,
    exp: i64,
    #[serde(default)]
    nbf: Option<i64>,
    #[serde(default)]
    app_metadata: AppMetadata,
}

#[derive(Default, Deserialize)]
struct AppMetadata {
    #[serde(default)]
    org_id: Option<String>,
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    operator: bool,
}

/// Why a token is not accepted.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("the token is not accepted: {0}")]
    Token(&'static str),
    #[error("the token's algorithm is not one this key is for")]
    Algorithm,
    #[error("no key of the issuer has the token's key id")]
    UnknownKey,
    #[error("the token has expired or is not valid yet")]
    Time,
    #[error("the issuer's keys cannot be fetched")]
    Keys(#[source] HttpError),
    #[error("the issuer's keys cannot be read")]
    KeysUnreadable,
}

/// What is wrong with a token, and nothing of what its sender wrote in it: the log has only this.
impl From<jsonwebtoken::errors::Error> for Refused {
    #[expect(clippy::wildcard_enum_match_arm, reason = "what else is wrong with it makes no difference")]
    fn from(error: jsonwebtoken::errors::Error) -> Self {
        Self::Token(match error.kind() {
            ErrorKind::InvalidSignature => "its signature is wrong",
            ErrorKind::InvalidAudience => "its audience is wrong",
            ErrorKind::InvalidIssuer => "its issuer is wrong",
            ErrorKind::MissingRequiredClaim(_) => "a claim is missing",
            _ => "it cannot be read",
        })
    }
}

impl Auth {
    /// Reads the settings: issuer, audience, and a shared secret, a JWKS address, or both.
    pub fn read(reader: &mut Reader<'_>, platform: &Platform) -> Self {
        let shared_secret = reader.optional("JWT_HS256_SECRET").map(SecretString::from);
        let jwks_url = reader.optional("JWT_JWKS_URL");
        if shared_secret.is_none() && jwks_url.is_none() {
            reader.problem("one of JWT_HS256_SECRET and JWT_JWKS_URL must be set");
        }
        if jwks_url.as_ref().is_some_and(|url| !url.starts_with("https://")) {
            reader
                .problem("JWT_JWKS_URL must begin with https://: whoever can change its answer signs tokens");
        }
        if shared_secret.as_ref().is_some_and(|secret| secret.expose_secret().len() < 32) {
            reader.problem("JWT_HS256_SECRET is shorter than 32 bytes");
        }
        Self {
            issuer: reader.required("JWT_ISSUER"),
            audience: reader.or("JWT_AUDIENCE", "authenticated".to_owned()),
            shared_secret,
            jwks: jwks_url.map(|url| Jwks { url, http: platform.vendors.clone(), fetched: Mutex::default() }),
            clock: Arc::clone(&platform.clock),
        }
    }

    /// Verifies the bearer token: signature, `exp`, `aud`, `iss`; the org and role from its `app_metadata`, which
    /// only the issuer's server can set. A key is bound to one algorithm.
    ///
    /// # Errors
    /// A problem that says what to do; never why exactly a token was refused.
    pub async fn caller(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let claims = self.claims(headers).await?;
        if claims.app_metadata.operator {
            return Err(Problem::new(Code::Forbidden)
                .saying("Operators have their own addresses. Sign in as a member of the clinic."));
        }
        let org = claims.app_metadata.org_id.and_then(|org| org.parse().ok());
        let Some(org) = org else { return Err(Problem::new(Code::NoOrg)) };
        let role = claims.app_metadata.role.as_deref().and_then(Role::parse);
        let role = role.ok_or_else(|| {
            Problem::new(Code::Forbidden)
                .saying("This account has no role at the clinic. Ask an administrator or owner of the clinic for one.")
        })?;
        Ok(Caller { org, user: claims.sub, role })
    }

    /// Verifies the bearer token in the same way, and that it is an operator's: one of ours, who looks after all orgs and
    /// belongs to none. Such a token names no org, and whatever it names is not looked at.
    ///
    /// # Errors
    /// As [`Auth::caller`]; [`Code::Forbidden`] for every other token.
    pub async fn operator(&self, headers: &HeaderMap) -> Result<Operator, Problem> {
        let claims = self.claims(headers).await?;
        if !claims.app_metadata.operator {
            return Err(Problem::new(Code::Forbidden).saying("This address is for our operators."));
        }
        Ok(Operator { user: claims.sub })
    }

    async fn claims(&self, headers: &HeaderMap) -> Result<Claims, Problem> {
        let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        let Some(token) = token else { return Err(Problem::new(Code::MissingToken)) };
        self.verified(token).await.map_err(|refused| match &refused {
            Refused::Keys(_) | Refused::KeysUnreadable => Problem::internal(&refused),
            Refused::Token(_) | Refused::Algorithm | Refused::UnknownKey | Refused::Time => {
                Problem::new(Code::InvalidToken).because(&refused)
            }
        })
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "every other algorithm is refused, those to come too")]
    async fn verified(&self, token: &str) -> Result<Claims, Refused> {
        let header = decode_header(token)?;
        let (algorithm, key) = match header.alg {
            Algorithm::HS256 => {
                let secret = self.shared_secret.as_ref().ok_or(Refused::Algorithm)?;
                (Algorithm::HS256, DecodingKey::from_secret(secret.expose_secret().as_bytes()))
            }
            Algorithm::ES256 | Algorithm::RS256 => {
                let jwks = self.jwks.as_ref().ok_or(Refused::Algorithm)?;
                let kid = header.kid.ok_or(Refused::UnknownKey)?;
                let (bound_to, jwk) = jwks.key(&kid, self.clock.now()).await?;
                (bound_to, DecodingKey::from_jwk(&jwk)?)
            }
            _ => return Err(Refused::Algorithm),
        };
        if header.alg != algorithm {
            return Err(Refused::Algorithm);
        }
        let mut validation = Validation::new(algorithm);
        validation.set_audience(&[&self.audience]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        // By our own clock, below: the library reads the system's.
        validation.validate_exp = false;
        let claims = decode::<Claims>(token, &key, &validation)?.claims;
        let now = self.clock.now().as_second();
        let is_early = claims.nbf.is_some_and(|nbf| nbf > now.saturating_add(LEEWAY_SECS));
        if claims.exp <= now || is_early { Err(Refused::Time) } else { Ok(claims) }
    }
}

impl Jwks {
    /// The key named `kid`, and the one algorithm it is for. Fetched anew after ten minutes, or when it is not
    /// among the known ones, but then only every half minute.
    async fn key(&self, kid: &str, now: Timestamp) -> Result<(Algorithm, Jwk), Refused> {
        let (known, is_fresh, may_ask, has_none, is_tolerable) = {
            let fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
            let age = fetched.at.map(|at| now.duration_since(at));
            let good = fetched.good_at.map(|at| now.duration_since(at));
            (
                fetched.keys.get(kid).cloned(),
                good.is_some_and(|good| good < KEYS_LAST),
                age.is_none_or(|age| age >= COOL_DOWN),
                fetched.keys.is_empty(),
                good.is_some_and(|good| good < KEYS_TOLERATED),
            )
        };
        match known {
            Some(key) if is_fresh || (is_tolerable && !may_ask) => return Ok(key),
            Some(_) if !may_ask => return Err(Refused::KeysUnreadable),
            // Without any key nothing can be said of the token: that is our trouble, not the caller's.
            None if !may_ask && has_none => return Err(Refused::KeysUnreadable),
            None if !may_ask => return Err(Refused::UnknownKey),
            Some(_) | None => {}
        }
        // Noted before it is tried: an issuer that is down is not asked by every request.
        self.fetched.lock().unwrap_or_else(PoisonError::into_inner).at = Some(now);
        match (self.fetch().await, known) {
            (Ok(keys), _) => {
                let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
                fetched.keys = keys;
                fetched.good_at = Some(now);
                fetched.keys.get(kid).cloned().ok_or(Refused::UnknownKey)
            }
            // A key that was good a while ago is believed meanwhile, but not for ever: it may have been withdrawn.
            (Err(error), Some(key)) if is_tolerable => {
                tracing::warn!(
                    cause = chain(&error),
                    "the issuer's keys cannot be fetched; the known ones are used"
                );
                Ok(key)
            }
            (Err(error), _) => Err(error),
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "a key of any other kind is none of ours")]
    async fn fetch(&self) -> Result<HashMap<String, (Algorithm, Jwk)>, Refused> {
        let request = Request::get(&self.url).body(Bytes::new());
        let request = request.map_err(|error| Refused::Keys(HttpError::Connection(Box::new(error))))?;
        let answer = self.http.send(request).await.map_err(Refused::Keys)?;
        if !answer.status().is_success() {
            return Err(Refused::KeysUnreadable);
        }
        let set: JwkSet = serde_json::from_slice(answer.body()).map_err(|_| Refused::KeysUnreadable)?;
        let bound = set.keys.into_iter().filter_map(|jwk| {
            let algorithm = match &jwk.algorithm {
                AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
                    Algorithm::ES256
                }
                AlgorithmParameters::RSA(_) => Algorithm::RS256,
                // A symmetric key in a public set is no key.
                _ => return None,
            };
            Some((jwk.common.key_id.clone()?, (algorithm, jwk)))
        });
        Ok(bound.collect())
    }
}
