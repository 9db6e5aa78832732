//! Sessions (`internal/api/token.go`, `token_refresh.go`, `logout.go`, `user.go`). A refresh token is good once; one that is shown
//! again later, by whoever has it, ends the session.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use super::{
    ACCESS_LASTS, Account, Asked, REUSE, Refresh, SHORTEST_PASSWORD, Session, State, SupabaseSandbox,
    TOKENS_IN_FIVE_MINUTES,
    answer::{self, Answer, Refusal, no_account, refused, weak_password},
    bearer, hashed, is_too_often, merge, shown,
};

impl SupabaseSandbox {
    /// `POST /token?grant_type=…`.
    pub(super) fn token(&self, asked: &Asked<'_>) -> Answer {
        let now = self.clock.now();
        if is_too_often(&mut self.lock().tokens_asked, TOKENS_IN_FIVE_MINUTES, now) {
            return Err(refused(429, "over_request_rate_limit", "Request rate limit reached"));
        }
        match asked.query("grant_type") {
            "password" => self.by_password(asked),
            "refresh_token" => self.refreshed(asked.field("refresh_token")),
            "pkce" => self.exchanged(asked),
            _ => Err(refused(400, "validation_failed", "unsupported_grant_type")),
        }
    }

    fn by_password(&self, asked: &Asked<'_>) -> Answer {
        let wrong = || refused(400, "invalid_credentials", "Invalid login credentials");
        let (now, password) = (self.clock.now(), hashed(asked.field("password")));
        let state = self.lock();
        let account = state.account_of(asked.field("email").trim()).ok_or_else(wrong)?;
        if account.password.as_ref() != Some(&password) {
            return Err(wrong());
        }
        if account.is_banned(now) {
            return Err(refused(400, "user_banned", "User is banned"));
        }
        if account.email_confirmed_at.is_none() {
            return Err(refused(400, "email_not_confirmed", "Email not confirmed"));
        }
        let id = account.id.clone();
        drop(state);
        self.signed_in(&id, "password")
    }

    fn exchanged(&self, asked: &Asked<'_>) -> Answer {
        // A code is taken once, whatever comes of it.
        let code = self.lock().codes.remove(asked.field("auth_code"));
        let code = code.ok_or_else(|| {
            refused(404, "flow_state_not_found", "invalid flow state, no valid flow state found")
        })?;
        if code.until <= self.clock.now() {
            return Err(refused(403, "flow_state_expired", "invalid flow state, flow state has expired"));
        }
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, asked.field("code_verifier").as_bytes()));
        if challenge != code.challenge {
            let sentence = "code challenge does not match previously saved code verifier";
            return Err(refused(400, "bad_code_verifier", sentence));
        }
        self.signed_in(&code.account, "otp")
    }

    /// A new token for an old one. The old one is still taken while its successor has not been used, so that an answer may be lost;
    /// else, after a few seconds, it is somebody else's, and the session ends.
    fn refreshed(&self, shown: &str) -> Answer {
        if shown.is_empty() {
            return Err(refused(400, "validation_failed", "refresh_token required"));
        }
        let missing =
            || refused(400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found");
        let (now, fresh) = (self.clock.now(), self.word());
        let mut state = self.lock();
        let token = state.refresh_tokens.get(shown).cloned().ok_or_else(missing)?;
        let session = state.sessions.get(&token.session).cloned().ok_or_else(missing)?;
        let account = state.accounts.get(&session.account).cloned().ok_or_else(missing)?;
        if account.is_banned(now) {
            return Err(refused(400, "user_banned", "Invalid Refresh Token: User Banned"));
        }
        let mut of_session = state.refresh_tokens.iter().filter(|(_, other)| other.session == token.session);
        let active = of_session
            .find(|(_, other)| !other.is_revoked)
            .map(|(name, other)| (name.clone(), other.clone()));
        let successor = active.filter(|(_, active)| active.parent.as_deref() == Some(shown));
        let given = if let Some((name, _)) = successor.filter(|_| token.is_revoked) {
            name
        } else if token.is_revoked && now.duration_since(token.updated_at) > REUSE {
            for other in state.refresh_tokens.values_mut().filter(|other| other.session == token.session) {
                other.is_revoked = true;
            }
            let sentence = "Invalid Refresh Token: Already Used";
            return Err(refused(400, "refresh_token_already_used", sentence));
        } else {
            if let Some(token) = state.refresh_tokens.get_mut(shown) {
                token.is_revoked = true;
                token.updated_at = now;
            }
            let next = Refresh {
                session: token.session.clone(),
                parent: Some(shown.to_owned()),
                is_revoked: false,
                updated_at: now,
            };
            state.refresh_tokens.insert(fresh.clone(), next);
            fresh
        };
        Ok(answer::shown(&self.granted(&state, &account, (&token.session, &session.method), &given)))
    }

    /// A session for an account that has shown who it is.
    pub(super) fn signed_in(&self, id: &str, method: &str) -> Answer {
        self.session(id, method).map(|session| answer::shown(&session))
    }

    pub(super) fn session(&self, id: &str, method: &str) -> Result<Value, Refusal> {
        let now = self.clock.now();
        let (session, token) = (self.entropy.uuid(now).to_string(), self.word());
        let mut state = self.lock();
        let account = state.accounts.get_mut(id).ok_or_else(no_account)?;
        account.last_sign_in_at = Some(now);
        let account = account.clone();
        let begun = Session { account: id.to_owned(), created_at: now, method: method.to_owned() };
        state.sessions.insert(session.clone(), begun);
        let first = Refresh { session: session.clone(), parent: None, is_revoked: false, updated_at: now };
        state.refresh_tokens.insert(token.clone(), first);
        Ok(self.granted(&state, &account, (&session, method), &token))
    }

    fn granted(&self, state: &State, account: &Account, session: (&str, &str), refresh: &str) -> Value {
        let now = self.clock.now();
        let access = self.access_token(state.signing_key.as_deref(), account, session, now);
        json!({"access_token": access, "token_type": "bearer", "expires_in": ACCESS_LASTS.as_secs(),
            "expires_at": (now + ACCESS_LASTS).as_second(), "refresh_token": refresh, "user": shown(account)})
    }

    /// Whose access token came, and its session, which has not ended.
    fn asked_by(&self, state: &State, asked: &Asked<'_>) -> Result<(String, String), Refusal> {
        let Some(token) = bearer(asked.request) else {
            return Err(refused(401, "no_authorization", "This endpoint requires a Bearer token"));
        };
        let claims = self.claims(state.signing_key.as_deref(), token, self.clock.now());
        let claims = claims.ok_or_else(|| {
            refused(403, "bad_jwt", "invalid JWT: unable to parse or verify signature, token is expired")
        })?;
        let text = |name: &str| claims[name].as_str().unwrap_or_default().to_owned();
        let (account, session) = (text("sub"), text("session_id"));
        if !state.accounts.contains_key(&account) {
            return Err(refused(403, "user_not_found", "User from sub claim in JWT does not exist"));
        }
        if !state.sessions.contains_key(&session) {
            let sentence = "Session from session_id claim in JWT does not exist";
            return Err(refused(403, "session_not_found", sentence));
        }
        Ok((account, session))
    }

    /// `POST /logout?scope=global|local|others`.
    pub(super) fn logout(&self, asked: &Asked<'_>) -> Answer {
        let mut state = self.lock();
        let (account, session) = self.asked_by(&state, asked)?;
        match asked.query("scope") {
            "" | "global" => state.end_sessions(&account, |_| true),
            "local" => state.end_sessions(&account, |id| id == session),
            "others" => state.end_sessions(&account, |id| id != session),
            other => {
                let sentence = format!("Unsupported logout scope {other:?}");
                return Err(refused(400, "validation_failed", &sentence));
            }
        }
        let mut answer = Response::new(Bytes::new());
        *answer.status_mut() = StatusCode::NO_CONTENT;
        Ok(answer)
    }

    /// `GET /user`.
    pub(super) fn user(&self, asked: &Asked<'_>) -> Answer {
        let state = self.lock();
        let (account, _) = self.asked_by(&state, asked)?;
        state.accounts.get(&account).map(|account| answer::shown(&shown(account))).ok_or_else(no_account)
    }

    /// `PUT /user`: the password and what people say of themselves. What tokens say of org and role, nobody can set here.
    pub(super) fn change_user(&self, asked: &Asked<'_>) -> Answer {
        let now = self.clock.now();
        let mut state = self.lock();
        let (account, session) = self.asked_by(&state, asked)?;
        if asked.body.get("app_metadata").is_some() {
            let sentence = "Updating app_metadata requires admin privileges";
            return Err(refused(403, "not_admin", sentence));
        }
        let record = state.accounts.get_mut(&account).ok_or_else(no_account)?;
        if let Some(password) = asked.body["password"].as_str() {
            if password.chars().count() < SHORTEST_PASSWORD {
                return Err(weak_password(SHORTEST_PASSWORD));
            }
            let password = Some(hashed(password));
            if record.password == password {
                let sentence = "New password should be different from the old password.";
                return Err(refused(422, "same_password", sentence));
            }
            record.password = password;
        }
        merge(&mut record.user_metadata, &asked.body["data"]);
        record.updated_at = now;
        let answer = answer::shown(&shown(record));
        if asked.body["password"].is_string() {
            // Whoever else is signed in knows an old password.
            state.end_sessions(&account, |id| id != session);
        }
        Ok(answer)
    }
}
