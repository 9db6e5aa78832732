//! Links by e-mail (`internal/api/magic_link.go`, `verify.go`): one to sign in by, and what becomes of one that is followed.

use bytes::Bytes;
use http::Response;
use jiff::SignedDuration;

use super::{
    Account, Asked, BETWEEN_LETTERS, Code, LINK_LASTS, Link, SupabaseSandbox, TRIES_IN_FIVE_MINUTES,
    answer::{self, Answer, Refusal, refused},
    is_too_often,
};

/// How long a code of PKCE may be exchanged (`GOTRUE_EXTERNAL_FLOW_STATE_EXPIRY_DURATION`).
const CODE_LASTS: SignedDuration = SignedDuration::from_mins(5);

impl SupabaseSandbox {
    /// `POST /otp`: a link to sign in by, for an address that has an account.
    pub(super) fn otp(&self, asked: &Asked<'_>) -> Answer {
        let email = asked.email()?;
        let challenge =
            Some(asked.field("code_challenge").to_owned()).filter(|challenge| !challenge.is_empty());
        if challenge.is_some() && !asked.field("code_challenge_method").eq_ignore_ascii_case("s256") {
            let sentence = "PKCE flow requires code_challenge_method and code_challenge";
            return Err(refused(400, "validation_failed", sentence));
        }
        let now = self.clock.now();
        let mut state = self.lock();
        let Some(account) = state.account_of(&email) else {
            return Err(if asked.body["create_user"] == false {
                refused(422, "otp_disabled", "Signups not allowed for otp")
            } else {
                refused(422, "signup_disabled", "Signups not allowed for this instance")
            });
        };
        let last = account.magic_link.as_ref().map(|link| link.sent_at);
        if let Some(wait) = last.map(|last| BETWEEN_LETTERS - now.duration_since(last))
            && wait > SignedDuration::ZERO
        {
            let secs = wait.as_secs().max(1);
            let sentence = format!("For security purposes, you can only request this after {secs} seconds.");
            return Err(refused(429, "over_email_send_rate_limit", &sentence));
        }
        let id = account.id.clone();
        let redirect_to = match asked.query("redirect_to") {
            "" => asked.field("redirect_to"),
            place => place,
        };
        self.send(&mut state, &id, "magiclink", challenge, redirect_to)?;
        Ok(answer::shown(&serde_json::json!({})))
    }

    /// `POST /verify`: a code with its address, or the hash of a link, for a session.
    pub(super) fn verify(&self, asked: &Asked<'_>) -> Answer {
        let (id, _) = self.taken(asked, asked.field("type"), asked.field("token_hash"), true)?;
        self.signed_in(&id, "otp")
    }

    /// `GET /verify`: the link in a letter. The browser is sent on, with a session, a code of PKCE or an error.
    pub(super) fn follow(&self, asked: &Asked<'_>) -> Response<Bytes> {
        let place = match asked.query("redirect_to") {
            "" => self.settings.site_url.as_str(),
            place => place,
        };
        let taken = self.taken(asked, asked.query("type"), asked.query("token"), false);
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        match taken {
            Err(refusal) => {
                let is_expired = refusal.code == "otp_expired";
                let sentence = "Email link is invalid or has expired";
                query
                    .append_pair("error", "access_denied")
                    .append_pair("error_code", refusal.code)
                    .append_pair("error_description", if is_expired { sentence } else { &refusal.sentence });
                answer::sent_to(&format!("{place}#{}", query.finish()))
            }
            Ok((account, Some(challenge))) => {
                let code = self.word();
                let until = self.clock.now() + CODE_LASTS;
                self.lock().codes.insert(code.clone(), Code { account, challenge, until });
                query.append_pair("code", &code);
                answer::sent_to(&format!("{place}?{}", query.finish()))
            }
            Ok((id, None)) => match self.session(&id, "otp") {
                Ok(session) => {
                    for name in ["access_token", "refresh_token", "token_type"] {
                        query.append_pair(name, session[name].as_str().unwrap_or_default());
                    }
                    query.append_pair("expires_in", &session["expires_in"].to_string());
                    query.append_pair("type", asked.query("type"));
                    answer::sent_to(&format!("{place}#{}", query.finish()))
                }
                Err(refusal) => answer::written(Err(refusal)),
            },
        }
    }

    /// Takes a link or a code: once, within its time. Returns whose it is, and the challenge of the browser that asked for it.
    fn taken(
        &self,
        asked: &Asked<'_>,
        kind: &str,
        hash: &str,
        may_be_code: bool,
    ) -> Result<(String, Option<String>), Refusal> {
        let now = self.clock.now();
        let mut state = self.lock();
        if is_too_often(&mut state.links_tried, TRIES_IN_FIVE_MINUTES, now) {
            return Err(refused(429, "over_request_rate_limit", "Request rate limit reached"));
        }
        let expired = || refused(403, "otp_expired", "Token has expired or is invalid");
        let hash = if hash.is_empty() && may_be_code {
            let text = format!("{}{}", asked.email()?, asked.field("token"));
            hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA224, text.as_bytes()))
        } else {
            hash.to_owned()
        };
        if hash.is_empty() {
            return Err(refused(400, "validation_failed", "Verify requires a token or a token hash"));
        }
        let fits = |link: &Option<Link>| {
            let plain = |text: &str| text.trim_start_matches("pkce_").to_owned();
            link.as_ref()
                .is_some_and(|link| link.hash == hash || may_be_code && plain(&link.hash) == plain(&hash))
        };
        let is_invitation = match kind {
            "invite" | "signup" => true,
            "magiclink" | "recovery" => false,
            // An address and a code, of whichever letter.
            "email" if may_be_code => state.accounts.values().any(|account| fits(&account.invitation)),
            _ => return Err(refused(400, "validation_failed", "Invalid email verification type")),
        };
        let link_of = |account: &Account| {
            if is_invitation { account.invitation.clone() } else { account.magic_link.clone() }
        };
        let account = state.accounts.values_mut().find(|account| fits(&link_of(account)));
        let account = account.ok_or_else(expired)?;
        let link = link_of(account).ok_or_else(expired)?;
        if account.is_banned(now) {
            return Err(refused(403, "user_banned", "User is banned"));
        }
        if now.duration_since(link.sent_at) > LINK_LASTS {
            return Err(expired());
        }
        if is_invitation {
            account.invitation = None;
        } else {
            account.magic_link = None;
        }
        account.email_confirmed_at = account.email_confirmed_at.or(Some(now));
        Ok((account.id.clone(), link.challenge))
    }
}
