//! The issuer of the dashboard's tokens: Supabase Auth (`GoTrue`), by its admin API (github.com/supabase/auth, `openapi.yaml`;
//! supabase.com/docs/reference/javascript/auth-admin-api). What an account may do stands in its `app_metadata`, which only this
//! API can set: the org and the role.

mod error;
mod sessions;
mod sessions_error;

use bytes::Bytes;
use domain::{email::EmailAddress, ids::UserId};
use http::{Method, Request, Response, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

pub use error::SupabaseError;
pub use sessions::{LinkKind, Session, Sessions};
pub use sessions_error::{PasswordFault, SessionError};

use super::http::{Http, HttpError};
use error::refusal;

/// How many accounts a page of the list has: the most that `GoTrue` gives.
const A_PAGE: usize = 50;
/// How many pages are read for one address. The list is filtered by it: more than one page means addresses that contain it.
const MOST_PAGES: usize = 20;

/// A client of the admin API.
#[derive(Clone, Debug)]
pub struct Supabase {
    http: Http,
    base_url: String,
    service_key: SecretString,
}

/// An account, with what we read of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Account {
    /// What its tokens have as `sub`.
    pub id: UserId,
    /// Where it is reached, in small letters; empty where it has none.
    #[serde(default)]
    pub email: String,
    /// When the person showed that the address is theirs.
    #[serde(default)]
    pub email_confirmed_at: Option<String>,
    /// When an invitation was sent.
    #[serde(default)]
    pub invited_at: Option<String>,
    /// When the person signed in last.
    #[serde(default)]
    pub last_sign_in_at: Option<String>,
    /// What its tokens say of org and role.
    #[serde(default)]
    pub app_metadata: AppMetadata,
}

/// What an account's tokens say of org and role.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct AppMetadata {
    /// The org, as text: one that is no org of ours is not ours to judge.
    #[serde(default)]
    pub org_id: Option<String>,
    /// The role.
    #[serde(default)]
    pub role: Option<String>,
    /// Whether the account is one of our own people's.
    #[serde(default)]
    pub operator: bool,
}

/// An org and a role, as an account is to have them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership<'a> {
    /// The org.
    pub org_id: &'a str,
    /// The role, as tokens name it.
    pub role: &'a str,
}

impl Account {
    /// Returns whether the person has shown that the address is theirs.
    pub const fn is_confirmed(&self) -> bool {
        self.email_confirmed_at.is_some()
    }

    /// Returns whether its tokens say just this.
    pub fn is(&self, membership: &Membership<'_>) -> bool {
        self.app_metadata.org_id.as_deref() == Some(membership.org_id)
            && self.app_metadata.role.as_deref() == Some(membership.role)
    }
}

impl Supabase {
    /// Returns a client of the admin API at `base_url` (`https://<project>.supabase.co/auth/v1`), by its service key.
    pub const fn new(http: Http, base_url: String, service_key: SecretString) -> Self {
        Self { http, base_url, service_key }
    }

    /// Makes an account that has not shown its address to be its own, and says what its tokens will say. No letter is sent.
    ///
    /// # Errors
    /// [`SupabaseError::EmailExists`] when the address has an account; see [`SupabaseError`].
    pub async fn create(
        &self,
        email: &EmailAddress,
        membership: &Membership<'_>,
    ) -> Result<Account, SupabaseError> {
        let body = json!({"email": email.reveal(), "app_metadata": metadata(Some(membership))});
        read(&self.ask(Method::POST, "admin/users", Some(&body)).await?)
    }

    /// Sends the invitation to an address. One that has no account yet is given one; one that was invited before is invited again.
    ///
    /// # Errors
    /// [`SupabaseError::EmailExists`] when its account has been confirmed; see [`SupabaseError`].
    pub async fn invite(
        &self,
        email: &EmailAddress,
        redirect_to: Option<&str>,
    ) -> Result<Account, SupabaseError> {
        let place = redirect_to.map_or_else(
            || "invite".to_owned(),
            |redirect_to| {
                let query = url::form_urlencoded::Serializer::new(String::new())
                    .append_pair("redirect_to", redirect_to)
                    .finish();
                format!("invite?{query}")
            },
        );
        read(&self.ask(Method::POST, &place, Some(&json!({"email": email.reveal()}))).await?)
    }

    /// Returns an account; `None` when there is none of this id.
    ///
    /// # Errors
    /// See [`SupabaseError`].
    pub async fn get(&self, id: &UserId) -> Result<Option<Account>, SupabaseError> {
        match self.ask(Method::GET, &format!("admin/users/{id}"), None).await {
            Ok(answer) => read(&answer).map(Some),
            Err(SupabaseError::NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Looks for the account of an address, in capitals or not.
    ///
    /// # Errors
    /// [`SupabaseError::TooMany`] when the list does not come to its end; see [`SupabaseError`].
    pub async fn find(&self, email: &EmailAddress) -> Result<Option<Account>, SupabaseError> {
        #[derive(Deserialize)]
        struct Listed {
            users: Vec<Account>,
        }
        let wanted = email.reveal().to_ascii_lowercase();
        for page in 1..=MOST_PAGES {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("page", &page.to_string())
                .append_pair("per_page", &A_PAGE.to_string())
                .append_pair("filter", &wanted)
                .finish();
            let listed: Listed = read(&self.ask(Method::GET, &format!("admin/users?{query}"), None).await?)?;
            let is_last = listed.users.len() < A_PAGE;
            let found = listed.users.into_iter().find(|user| user.email.eq_ignore_ascii_case(&wanted));
            if found.is_some() || is_last {
                return Ok(found);
            }
        }
        Err(SupabaseError::TooMany)
    }

    /// Sets what an account's tokens say of org and role, from the next that it is given; without a membership they name none.
    ///
    /// # Errors
    /// [`SupabaseError::NotFound`] when there is no such account; see [`SupabaseError`].
    pub async fn set_membership(
        &self,
        id: &UserId,
        membership: Option<&Membership<'_>>,
    ) -> Result<Account, SupabaseError> {
        let body = json!({"app_metadata": metadata(membership)});
        read(&self.ask(Method::PUT, &format!("admin/users/{id}"), Some(&body)).await?)
    }

    /// Deletes an account, with its sessions and the links that were sent to it. One that is gone is no error.
    ///
    /// # Errors
    /// See [`SupabaseError`].
    pub async fn delete(&self, id: &UserId) -> Result<(), SupabaseError> {
        match self.ask(Method::DELETE, &format!("admin/users/{id}"), None).await {
            Ok(_) | Err(SupabaseError::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Returns whether people may make accounts by themselves.
    ///
    /// # Errors
    /// See [`SupabaseError`].
    pub async fn takes_sign_ups(&self) -> Result<bool, SupabaseError> {
        #[derive(Deserialize)]
        struct Settings {
            disable_signup: bool,
        }
        let settings: Settings = read(&self.ask(Method::GET, "settings", None).await?)?;
        Ok(!settings.disable_signup)
    }

    async fn ask(
        &self,
        method: Method,
        place: &str,
        body: Option<&Value>,
    ) -> Result<Response<Bytes>, SupabaseError> {
        let key = self.service_key.expose_secret();
        // The gateway in front of GoTrue wants the one, and GoTrue the other.
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/{place}", self.base_url.trim_end_matches('/')))
            .header("apikey", key)
            .header(header::AUTHORIZATION, format!("Bearer {key}"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string())))
            .map_err(|error| SupabaseError::Unreachable(HttpError::Connection(Box::new(error))))?;
        let answer = self.http.send(request).await.map_err(SupabaseError::Unreachable)?;
        if answer.status() == StatusCode::OK { Ok(answer) } else { Err(refusal(&answer)) }
    }
}

/// What is written of a membership. A field that is `null` is taken away; what else an account has there stays.
fn metadata(membership: Option<&Membership<'_>>) -> Value {
    match membership {
        Some(membership) => json!({"org_id": membership.org_id, "role": membership.role}),
        None => json!({"org_id": null, "role": null}),
    }
}

fn read<T: DeserializeOwned>(answer: &Response<Bytes>) -> Result<T, SupabaseError> {
    serde_json::from_slice(answer.body()).map_err(SupabaseError::Unreadable)
}

#[cfg(test)]
mod tests;
