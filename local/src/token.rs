//! Tokens of the local stack, as the dashboard's issuer makes them. Behind one that a stack issues for a clinic stands an account at the
//! issuer's sandbox, as behind every real one: who is no member by the clinic's own record is looked up there.

use std::sync::Arc;

use domain::ids::OrgId;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{EncodingKey, Header, encode};
use sandbox::supabase::SupabaseSandbox;
use serde_json::{Value, json};

use crate::stack::{JWT_ISSUER, JWT_SECRET, Stack};

/// How long a token lasts.
const LASTS: SignedDuration = SignedDuration::from_hours(12);

/// Who issues tokens, with the secret that its stack verifies them by.
#[derive(Clone)]
pub struct Issuer {
    secret: String,
    accounts: Option<Arc<SupabaseSandbox>>,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuer").finish_non_exhaustive()
    }
}

impl Issuer {
    /// The issuer of a stack.
    pub fn of(stack: &Stack) -> Self {
        let secret = stack.platform.environment.reader().optional("JWT_HS256_SECRET");
        Self { secret: secret.unwrap_or_default(), accounts: Some(Arc::clone(&stack.supabase)) }
    }

    /// A token for a member of `org` with `role`, whose account says the same.
    ///
    /// # Errors
    /// Never for these claims; the library's own, should it change.
    pub fn issue(
        &self,
        org: OrgId,
        role: &str,
        now: Timestamp,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let (subject, metadata) = (format!("user-{role}-{org}"), json!({"org_id": org, "role": role}));
        if let Some(accounts) = &self.accounts {
            accounts.stand_for(&subject, &format!("{role}@{org}.example"), &metadata);
        }
        self.sign(&subject, &metadata, now)
    }

    /// A token for an operator, who belongs to no org.
    ///
    /// # Errors
    /// As [`Issuer::issue`].
    pub fn issue_operator(&self, now: Timestamp) -> Result<String, jsonwebtoken::errors::Error> {
        self.sign("user-operator", &json!({"operator": true}), now)
    }

    fn sign(
        &self,
        subject: &str,
        app_metadata: &Value,
        now: Timestamp,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let claims = json!({
            "iss": JWT_ISSUER,
            "aud": "authenticated",
            "sub": subject,
            "iat": now.as_second(),
            "exp": (now + LASTS).as_second(),
            "role": "authenticated",
            "app_metadata": app_metadata,
        });
        encode(&Header::default(), &claims, &EncodingKey::from_secret(self.secret.as_bytes()))
    }
}

/// A token for a member of `org` with `role`, of a stack in memory; no account stands behind it.
///
/// # Errors
/// As [`Issuer::issue`].
pub fn issue(org: OrgId, role: &str, now: Timestamp) -> Result<String, jsonwebtoken::errors::Error> {
    Issuer { secret: JWT_SECRET.to_owned(), accounts: None }.issue(org, role, now)
}

/// A token for an operator, of a stack in memory.
///
/// # Errors
/// As [`Issuer::issue`].
pub fn issue_operator(now: Timestamp) -> Result<String, jsonwebtoken::errors::Error> {
    Issuer { secret: JWT_SECRET.to_owned(), accounts: None }.issue_operator(now)
}
