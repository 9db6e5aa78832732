//! Tokens of the local stack, as the dashboard's issuer makes them.

use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;
use shared::domain::ids::OrgId;

use crate::stack::{JWT_ISSUER, JWT_SECRET};

/// How long a token lasts.
const LASTS: SignedDuration = SignedDuration::from_hours(12);

/// A token for a member of `org` with `role`.
///
/// # Errors
/// Never for these claims; the library's own, should it change.
pub fn issue(org: OrgId, role: &str, now: Timestamp) -> Result<String, jsonwebtoken::errors::Error> {
    let claims = json!({
        "iss": JWT_ISSUER,
        "aud": "authenticated",
        "sub": format!("user-{role}"),
        "iat": now.as_second(),
        "exp": (now + LASTS).as_second(),
        "role": "authenticated",
        "app_metadata": {"org_id": org, "role": role},
    });
    encode(&Header::default(), &claims, &EncodingKey::from_secret(JWT_SECRET.as_bytes()))
}
