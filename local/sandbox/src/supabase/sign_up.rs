//! Accounts that people make by themselves (`internal/api/signup.go`), where the project lets them.

use bytes::Bytes;
use http::Response;
use serde_json::json;

use super::{
    Asked, SHORTEST_PASSWORD, SupabaseSandbox,
    answer::{self, Answer, no_account, refused, weak_password},
    hashed, merge, shown,
};

impl SupabaseSandbox {
    /// Lets people make accounts by themselves from now on, as a project does until that is turned off.
    pub fn open_sign_ups(&self) {
        self.lock().is_open = true;
    }

    /// `GET /settings`: what anybody may know of the project.
    pub(super) fn shown_settings(&self) -> Response<Bytes> {
        let is_open = self.lock().is_open;
        answer::shown(
            &json!({"external": {"email": true}, "disable_signup": !is_open, "mailer_autoconfirm": false}),
        )
    }

    /// `POST /signup`: an account with a password, whose address is still to be confirmed by a letter. One that is there stays as it
    /// is: of one that was not confirmed nobody knows whose it is, and of one that was nobody is told.
    pub(super) fn sign_up(&self, asked: &Asked<'_>) -> Answer {
        let email = asked.email()?;
        if asked.field("password").chars().count() < SHORTEST_PASSWORD {
            return Err(weak_password(SHORTEST_PASSWORD));
        }
        let now = self.clock.now();
        let fresh = self.entropy.uuid(now).to_string();
        let mut state = self.lock();
        if !state.is_open {
            return Err(refused(422, "signup_disabled", "Signups not allowed for this instance"));
        }
        let id = match state.account_of(&email) {
            Some(account) if account.email_confirmed_at.is_some() => {
                return Ok(answer::shown(&json!({"id": fresh, "aud": "authenticated", "email": email})));
            }
            Some(account) => account.id.clone(),
            None => {
                let mut account = state.fresh(fresh.clone(), &email, now);
                account.password = Some(hashed(asked.field("password")));
                merge(&mut account.user_metadata, &asked.body["data"]);
                state.accounts.insert(fresh.clone(), account);
                fresh
            }
        };
        self.send(&mut state, &id, "signup", None, asked.query("redirect_to"))?;
        state.accounts.get(&id).map(|account| answer::shown(&shown(account))).ok_or_else(no_account)
    }
}
