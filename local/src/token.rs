//! Tokens of the local stack, as the dashboard's issuer makes them.

use domain::ids::OrgId;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::stack::{JWT_ISSUER, JWT_SECRET};

/// How long a token lasts.
const LASTS: SignedDuration = SignedDuration::from_hours(12);

/// A token for a member of `org` with `role`.
///
/// # Errors
/// Never for these claims; the library's own, should it change.
pub fn issue(org: OrgId, role: &str, now: Timestamp) -> Result<String, jsonwebtoken::errors::Error> {
    sign(&format!("user-{role}"), &json!({"org_id": org, "role": role}), now)
}

/// A token for an operator, who belongs to no org.
///
/// # Errors
/// As [`issue`].
pub fn issue_operator(now: Timestamp) -> Result<String, jsonwebtoken::errors::Error> {
    sign("user-operator", &json!({"operator": true}), now)
}

fn sign(subject: &str, app_metadata: &Value, now: Timestamp) -> Result<String, jsonwebtoken::errors::Error> {
    let claims = json!({
        "iss": JWT_ISSUER,
        "aud": "authenticated",
        "sub": subject,
        "iat": now.as_second(),
        "exp": (now + LASTS).as_second(),
        "role": "authenticated",
        "app_metadata": app_metadata,
    });
    encode(&Header::default(), &claims, &EncodingKey::from_secret(JWT_SECRET.as_bytes()))
}
