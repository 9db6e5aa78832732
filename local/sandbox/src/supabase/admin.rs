//! The admin API (`internal/api/admin.go`, `invite.go`): accounts made, listed, changed and deleted, and invitations.

use bytes::Bytes;
use http::{Method, Response};
use serde_json::{Value, json};

use super::{
    Asked, SHORTEST_PASSWORD, SupabaseSandbox,
    answer::{self, Answer, no_account, refused, weak_password},
    hashed, merge, shown,
};

/// What is said of an address that has an account.
const EXISTS: &str = "A user with this email address has already been registered";

impl SupabaseSandbox {
    /// `POST /admin/users`: an account that nobody is told of.
    pub(super) fn create(&self, asked: &Asked<'_>) -> Answer {
        let email = asked.email()?;
        let now = self.clock.now();
        let id = self.entropy.uuid(now).to_string();
        let mut state = self.lock();
        if state.account_of(&email).is_some() {
            return Err(refused(422, "email_exists", EXISTS));
        }
        let mut account = state.fresh(id, &email, now);
        if let Some(password) = asked.body["password"].as_str() {
            if password.chars().count() < SHORTEST_PASSWORD {
                return Err(weak_password(SHORTEST_PASSWORD));
            }
            account.password = Some(hashed(password));
        }
        if asked.body["email_confirm"] == true {
            account.email_confirmed_at = Some(now);
        }
        merge(&mut account.app_metadata, &asked.body["app_metadata"]);
        merge(&mut account.user_metadata, &asked.body["user_metadata"]);
        let answer = answer::shown(&shown(&account));
        state.accounts.insert(account.id.clone(), account);
        Ok(answer)
    }

    /// `POST /invite`: the letter, to an address without an account or whose account was never confirmed.
    pub(super) fn invite(&self, asked: &Asked<'_>) -> Answer {
        let email = asked.email()?;
        let now = self.clock.now();
        let fresh = self.entropy.uuid(now).to_string();
        let mut state = self.lock();
        let id = match state.account_of(&email) {
            Some(account) if account.email_confirmed_at.is_some() => {
                return Err(refused(422, "email_exists", EXISTS));
            }
            Some(account) => account.id.clone(),
            None => {
                let mut account = state.fresh(fresh.clone(), &email, now);
                merge(&mut account.user_metadata, &asked.body["data"]);
                state.accounts.insert(fresh.clone(), account);
                fresh.clone()
            }
        };
        let redirect_to = asked.query("redirect_to");
        if let Err(refusal) = self.send(&mut state, &id, "invite", None, redirect_to) {
            // One transaction: an account that could not be told is not made.
            state.accounts.remove(&fresh);
            return Err(refusal);
        }
        state.accounts.get(&id).map(|account| answer::shown(&shown(account))).ok_or_else(no_account)
    }

    /// `GET /admin/users`: the newest first, those whose address contains `filter`.
    pub(super) fn list(&self, asked: &Asked<'_>) -> Response<Bytes> {
        let number = |name: &str, default: usize| {
            asked.query(name).parse().ok().filter(|number| *number > 0).unwrap_or(default)
        };
        let (page, per_page) = (number("page", 1), number("per_page", 50));
        let filter = asked.query("filter");
        let has = |user: &Value| user["email"].as_str().is_some_and(|email| email.contains(filter));
        let users: Vec<Value> = self.accounts().into_iter().filter(has).collect();
        let skipped = page.saturating_sub(1).saturating_mul(per_page);
        let total = users.len();
        let users: Vec<Value> = users.into_iter().skip(skipped).take(per_page).collect();
        let mut answer = answer::shown(&json!({"users": users, "aud": "authenticated"}));
        if let Ok(total) = total.to_string().parse() {
            answer.headers_mut().insert("x-total-count", total);
        }
        answer
    }

    /// `GET`, `PUT` and `DELETE /admin/users/{id}`.
    pub(super) fn one(&self, method: &Method, id: &str, asked: &Asked<'_>) -> Answer {
        let now = self.clock.now();
        let mut state = self.lock();
        if !state.accounts.contains_key(id) {
            return Err(no_account());
        }
        match *method {
            Method::GET => {}
            Method::DELETE => {
                state.accounts.remove(id);
                state.end_sessions(id, |_| true);
                return Ok(answer::shown(&json!({})));
            }
            Method::PUT => {
                let account = state.accounts.get_mut(id).ok_or_else(no_account)?;
                if let Some(password) = asked.body["password"].as_str() {
                    if password.chars().count() < SHORTEST_PASSWORD {
                        return Err(weak_password(SHORTEST_PASSWORD));
                    }
                    account.password = Some(hashed(password));
                }
                if let Some(ban) = asked.body["ban_duration"].as_str() {
                    account.banned_until = match ban {
                        "none" => None,
                        hours => {
                            let hours = hours.strip_suffix('h').and_then(|hours| hours.parse().ok());
                            let hours = hours.ok_or_else(|| {
                                let sentence = "invalid format for ban duration";
                                refused(400, "validation_failed", sentence)
                            })?;
                            Some(now + jiff::SignedDuration::from_hours(hours))
                        }
                    };
                }
                if asked.body["email_confirm"] == true && account.email_confirmed_at.is_none() {
                    account.email_confirmed_at = Some(now);
                }
                merge(&mut account.app_metadata, &asked.body["app_metadata"]);
                merge(&mut account.user_metadata, &asked.body["user_metadata"]);
                account.updated_at = now;
            }
            _ => return Err(refused(405, "", "Method Not Allowed")),
        }
        state.accounts.get(id).map(|account| answer::shown(&shown(account))).ok_or_else(no_account)
    }
}
