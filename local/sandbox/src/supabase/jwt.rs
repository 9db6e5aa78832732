//! Its tokens: signed with the project's secret (HS256), or with a key of its own (ES256), which the JWKS shows.

use aws_lc_rs::{
    digest::{SHA256, digest},
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{ACCESS_LASTS, Account, SupabaseSandbox};

/// A fresh key, as it is kept.
pub(super) fn fresh_key() -> String {
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    STANDARD.encode(key.expect("the system makes keys"))
}

impl SupabaseSandbox {
    /// `GET /.well-known/jwks.json`: public keys alone. A secret is not shown.
    pub(super) fn keys(&self) -> Value {
        let key = self.lock().signing_key.as_deref().and_then(opened);
        let keys: Vec<Value> = key.iter().map(jwk).collect();
        json!({ "keys": keys })
    }

    /// An access token for an account's session.
    pub(super) fn access_token(
        &self,
        key: Option<&str>,
        account: &Account,
        (session, method): (&str, &str),
        now: Timestamp,
    ) -> String {
        let exp = (now + ACCESS_LASTS).as_second();
        let claims = json!({"iss": self.settings.issuer, "sub": account.id, "aud": "authenticated", "exp": exp,
            "iat": now.as_second(), "email": account.email, "phone": "", "app_metadata": account.app_metadata,
            "user_metadata": account.user_metadata, "role": "authenticated", "aal": "aal1",
            "amr": [{"method": method, "timestamp": now.as_second()}], "session_id": session, "is_anonymous": false});
        self.signed(key, &claims)
    }

    fn signed(&self, key: Option<&str>, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        if let Some(key) = key.and_then(opened) {
            let header = json!({"alg": "ES256", "typ": "JWT", "kid": jwk(&key)["kid"]});
            let text = format!("{}.{}", part(&header), part(claims));
            let signature = key.sign(&SystemRandom::new(), text.as_bytes()).expect("the key signs");
            return format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature));
        }
        let text = format!("{}.{}", part(&json!({"alg": "HS256", "typ": "JWT"})), part(claims));
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.settings.jwt_secret.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&key, text.as_bytes())))
    }

    /// The claims of an access token of ours that has not expired.
    pub(super) fn claims(&self, key: Option<&str>, token: &str, now: Timestamp) -> Option<Value> {
        let (text, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        let is_signed = if let Some(key) = key.and_then(opened) {
            let public = aws_lc_rs::signature::UnparsedPublicKey::new(
                &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED,
                key.public_key().as_ref().to_vec(),
            );
            public.verify(text.as_bytes(), &signature).is_ok()
        } else {
            let key = hmac::Key::new(hmac::HMAC_SHA256, self.settings.jwt_secret.as_bytes());
            hmac::verify(&key, text.as_bytes(), &signature).is_ok()
        };
        let (_, claims) = text.split_once('.')?;
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
        let is_good = claims["exp"].as_i64().is_some_and(|exp| exp > now.as_second());
        (is_signed && is_good).then_some(claims)
    }
}

fn opened(kept: &str) -> Option<EcdsaKeyPair> {
    let key = STANDARD.decode(kept).ok()?;
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key).ok()
}

/// The public half, as a JWK (RFC 7517): its two coordinates follow a byte that says so.
fn jwk(key: &EcdsaKeyPair) -> Value {
    let public = key.public_key().as_ref();
    let coordinates = public.get(1..).unwrap_or_default();
    let (x, y) = coordinates.split_at(coordinates.len().div_euclid(2));
    let kid: String = hex::encode(digest(&SHA256, public)).chars().take(16).collect();
    json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "key_ops": ["verify"], "kid": kid,
        "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y)})
}
