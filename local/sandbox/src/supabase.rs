//! Supabase Auth (GoTrue): accounts and what their tokens say, invitations and links by e-mail, passwords, sessions whose refresh
//! tokens are replaced with each use, and the keys by which its tokens are verified (github.com/supabase/auth). Nobody can sign up
//! unless sign-ups are opened: an account is made by the admin API.

mod admin;
mod answer;
mod jwt;
mod links;
mod sessions;
mod sign_up;

use std::{
    collections::{BTreeMap, VecDeque},
    path::PathBuf,
    sync::Arc,
};

use aws_lc_rs::digest::{SHA224, SHA256, digest};
use base::{clock::Clock, entropy::Entropy};
use bytes::Bytes;
use http::{Method, Request, Response, header};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::kept::{Guard, Kept};
use answer::{Answer, Refusal, refused, written};

/// The host of the sandbox.
pub const HOST: &str = "auth.supabase.sandbox";
/// How long an access token is good (`GOTRUE_JWT_EXP`).
const ACCESS_LASTS: SignedDuration = SignedDuration::from_hours(1);
/// How long a link or a code is good (`GOTRUE_MAILER_OTP_EXP`).
const LINK_LASTS: SignedDuration = SignedDuration::from_hours(24);
/// How long between two letters to one person (`GOTRUE_SMTP_MAX_FREQUENCY`).
const BETWEEN_LETTERS: SignedDuration = SignedDuration::from_secs(60);
/// How many letters there are in an hour (`GOTRUE_RATE_LIMIT_EMAIL_SENT`).
const LETTERS_AN_HOUR: usize = 30;
/// How many tokens are asked for in five minutes (`GOTRUE_RATE_LIMIT_TOKEN_REFRESH`).
const TOKENS_IN_FIVE_MINUTES: usize = 150;
/// How many links and codes are tried in five minutes (`GOTRUE_RATE_LIMIT_VERIFY`).
const TRIES_IN_FIVE_MINUTES: usize = 30;
/// The shortest password (`GOTRUE_PASSWORD_MIN_LENGTH`).
const SHORTEST_PASSWORD: usize = 6;
/// How long an old refresh token is still taken (`GOTRUE_SECURITY_REFRESH_TOKEN_REUSE_INTERVAL`).
const REUSE: SignedDuration = SignedDuration::from_secs(10);

/// The sandbox.
#[derive(Debug)]
pub struct SupabaseSandbox {
    state: Kept<State>,
    settings: Settings,
    clock: Arc<dyn Clock>,
    entropy: Arc<Entropy>,
}

/// What the sandbox must know of the platform around it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What opens the admin API.
    pub service_key: String,
    /// What opens the rest, which browsers may know.
    pub publishable_key: String,
    /// What tokens are signed with.
    pub jwt_secret: String,
    /// Whom tokens name as their issuer.
    pub issuer: String,
    /// Where the links in letters lead.
    pub external_url: String,
    /// Where a person is sent who followed one that names no place.
    pub site_url: String,
    /// The file its state outlives the process in.
    pub kept_in: Option<PathBuf>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    accounts: BTreeMap<String, Account>,
    sessions: BTreeMap<String, Session>,
    refresh_tokens: BTreeMap<String, Refresh>,
    /// What a code of PKCE stands for.
    codes: BTreeMap<String, Code>,
    letters: Vec<Letter>,
    /// The key that tokens are signed with instead of the secret: PKCS #8, in base64.
    signing_key: Option<String>,
    tokens_asked: VecDeque<Timestamp>,
    links_tried: VecDeque<Timestamp>,
    made: u64,
    /// Whether people may make accounts by themselves.
    #[serde(default)]
    is_open: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Account {
    id: String,
    email: String,
    /// A hash of it: none while the person has set none.
    password: Option<String>,
    app_metadata: Value,
    user_metadata: Value,
    created_at: Timestamp,
    updated_at: Timestamp,
    email_confirmed_at: Option<Timestamp>,
    invited_at: Option<Timestamp>,
    last_sign_in_at: Option<Timestamp>,
    banned_until: Option<Timestamp>,
    /// The link of the invitation, until it is used.
    invitation: Option<Link>,
    /// The link to sign in by, until it is used.
    magic_link: Option<Link>,
    made: u64,
}

/// A link that was sent: what it is known by, and the challenge of the browser that asked for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Link {
    hash: String,
    sent_at: Timestamp,
    challenge: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Session {
    account: String,
    created_at: Timestamp,
    method: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Refresh {
    session: String,
    /// The one that it took the place of.
    parent: Option<String>,
    is_revoked: bool,
    updated_at: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Code {
    account: String,
    challenge: String,
    until: Timestamp,
}

/// A letter that the issuer sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// When.
    pub at: Timestamp,
    /// To whom.
    pub to: String,
    /// `invite` or `magiclink`.
    pub kind: String,
    /// The link in it.
    pub link: String,
    /// What the link is known by, for a page of one's own (`{{ .TokenHash }}`).
    pub token_hash: String,
    /// The six digits in it (`{{ .Token }}`).
    pub code: String,
}

impl SupabaseSandbox {
    /// One with nobody in it.
    pub fn new(settings: Settings, clock: Arc<dyn Clock>, entropy: Arc<Entropy>) -> Self {
        Self { state: Kept::open(settings.kept_in.clone()), settings, clock, entropy }
    }

    fn lock(&self) -> Guard<'_, State> {
        self.state.lock()
    }

    /// The letters that were sent, oldest first.
    pub fn letters(&self) -> Vec<Letter> {
        self.lock().letters.clone()
    }

    /// The accounts as the admin API shows them, the newest first.
    pub fn accounts(&self) -> Vec<Value> {
        let state = self.lock();
        let mut accounts: Vec<&Account> = state.accounts.values().collect();
        accounts.sort_by_key(|account| std::cmp::Reverse(account.made));
        accounts.into_iter().map(shown).collect()
    }

    /// Makes an account that has been confirmed and has a password, as a person has it who took an invitation long ago. One that is
    /// there stays as it is.
    pub fn add_account(&self, email: &str, password: &str, app_metadata: &Value) {
        self.add(email, password, app_metadata, Some(self.clock.now()));
    }

    /// Makes an account that has a password and has not been confirmed, as where people may sign up.
    pub fn add_unconfirmed(&self, email: &str, password: &str) {
        self.add(email, password, &json!({}), None);
    }

    fn add(&self, email: &str, password: &str, app_metadata: &Value, confirmed_at: Option<Timestamp>) {
        let now = self.clock.now();
        let id = self.entropy.uuid(now).to_string();
        let mut state = self.lock();
        if state.account_of(email).is_some() {
            return;
        }
        let mut account = state.fresh(id, email, now);
        account.password = Some(hashed(password));
        account.email_confirmed_at = confirmed_at;
        merge(&mut account.app_metadata, app_metadata);
        state.accounts.insert(account.id.clone(), account);
    }

    /// Makes an account of this id, or says what the tokens of the one that is there are to say: the account behind a token that was
    /// made without signing in.
    pub fn stand_for(&self, id: &str, email: &str, app_metadata: &Value) {
        let now = self.clock.now();
        let mut state = self.lock();
        if !state.accounts.contains_key(id) {
            let account = state.fresh(id.to_owned(), email, now);
            state.accounts.insert(id.to_owned(), account);
        }
        if let Some(account) = state.accounts.get_mut(id) {
            account.email_confirmed_at = account.email_confirmed_at.or(Some(now));
            merge(&mut account.app_metadata, app_metadata);
        }
    }

    /// Has tokens signed from now on with a key of its own (ES256), which the JWKS shows, as newer projects have it.
    ///
    /// # Panics
    /// When the system makes no key.
    pub fn sign_with_a_key(&self) {
        self.lock().signing_key = Some(jwt::fresh_key());
    }

    /// Answers a request under `/auth/v1`, as the issuer.
    pub fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        written(self.route(request))
    }

    fn route(&self, request: &Request<Bytes>) -> Answer {
        let path = request.uri().path().trim_matches('/');
        let place: Vec<&str> = path.strip_prefix("auth/v1/").unwrap_or(path).split('/').collect();
        let body: Value = if request.body().is_empty() {
            json!({})
        } else {
            serde_json::from_slice(request.body())
                .map_err(|_| refused(400, "bad_json", "Could not parse request body as JSON"))?
        };
        let asked = Asked { request, query: query(request), body };
        self.passes_the_gateway(request, &place)?;
        match (request.method(), place.as_slice()) {
            (&Method::POST, ["token"]) => self.token(&asked),
            (&Method::POST, ["otp" | "magiclink"]) => self.otp(&asked),
            (&Method::POST, ["signup"]) => self.sign_up(&asked),
            (&Method::GET, ["settings"]) => Ok(self.shown_settings()),
            (&Method::POST, ["verify"]) => self.verify(&asked),
            (&Method::GET, ["verify"]) => Ok(self.follow(&asked)),
            (&Method::POST, ["logout"]) => self.logout(&asked),
            (&Method::GET, ["user"]) => self.user(&asked),
            (&Method::PUT, ["user"]) => self.change_user(&asked),
            (&Method::GET, [".well-known", "jwks.json"]) => Ok(answer::shown(&self.keys())),
            (&Method::GET, ["health"]) => Ok(answer::shown(&json!({"name": "GoTrue", "version": "sandbox"}))),
            (method, ["invite"] | ["admin", "users", ..]) => {
                self.is_service(request)?;
                let below = place.get(2..).unwrap_or_default();
                match (method, place.first().copied(), below) {
                    (&Method::POST, Some("invite"), _) => self.invite(&asked),
                    (&Method::GET, Some("admin"), []) => Ok(self.list(&asked)),
                    (&Method::POST, Some("admin"), []) => self.create(&asked),
                    (method, Some("admin"), [id]) => self.one(method, id, &asked),
                    _ => Err(refused(404, "not_found", "404 page not found")),
                }
            }
            _ => Err(refused(404, "not_found", "404 page not found")),
        }
    }

    /// Passes who shows the gateway in front of the issuer a key of the project's. A browser that follows a link has none, and whoever
    /// verifies tokens needs none.
    fn passes_the_gateway(&self, request: &Request<Bytes>, place: &[&str]) -> Result<(), Refusal> {
        let is_open =
            matches!((request.method(), place), (&Method::GET, ["verify"] | [".well-known", "jwks.json"]));
        let given = request.headers().get("apikey").and_then(|value| value.to_str().ok());
        let known = [self.settings.publishable_key.as_str(), self.settings.service_key.as_str()];
        match given {
            _ if is_open => Ok(()),
            None => Err(refused(401, "", "No API key found in request")),
            Some(key) if known.contains(&key) => Ok(()),
            Some(_) => Err(refused(401, "", "Invalid API key")),
        }
    }

    /// Passes who shows the service key, as the gateway in front of the issuer wants it and as the issuer does.
    fn is_service(&self, request: &Request<Bytes>) -> Result<(), Refusal> {
        let given = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        if given("apikey") != Some(&self.settings.service_key) {
            return Err(refused(401, "", "Invalid API key"));
        }
        match bearer(request) {
            None => Err(refused(401, "no_authorization", "This endpoint requires a Bearer token")),
            Some(key) if key == self.settings.service_key => Ok(()),
            Some(_) => Err(refused(403, "not_admin", "User not allowed")),
        }
    }

    /// A fresh word that nobody guesses.
    fn word(&self) -> String {
        format!("{:016x}{:016x}", self.entropy.bits(), self.entropy.bits())
    }

    /// Sends a letter with a link. `challenge` is the browser's that asked for it.
    fn send(
        &self,
        state: &mut State,
        id: &str,
        kind: &str,
        challenge: Option<String>,
        redirect_to: &str,
    ) -> Result<(), Refusal> {
        let now = self.clock.now();
        let an_hour_ago = now - SignedDuration::from_hours(1);
        if state.letters.iter().filter(|letter| letter.at > an_hour_ago).count() >= LETTERS_AN_HOUR {
            return Err(refused(429, "over_email_send_rate_limit", "email rate limit exceeded"));
        }
        let code = format!("{:06}", self.entropy.up_to(999_999));
        let account = state.accounts.get_mut(id).ok_or_else(answer::no_account)?;
        let hash = hex::encode(digest(&SHA224, format!("{}{code}", account.email).as_bytes()));
        let hash = if challenge.is_some() { format!("pkce_{hash}") } else { hash };
        let link = Link { hash: hash.clone(), sent_at: now, challenge };
        if kind == "invite" {
            account.invited_at = Some(now);
        }
        if ["invite", "signup"].contains(&kind) {
            account.invitation = Some(link);
        } else {
            account.magic_link = Some(link);
        }
        account.updated_at = now;
        let to = account.email.clone();
        let redirect_to = if redirect_to.is_empty() { &self.settings.site_url } else { redirect_to };
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("token", &hash)
            .append_pair("type", kind)
            .append_pair("redirect_to", redirect_to)
            .finish();
        let link = format!("{}/verify?{query}", self.settings.external_url);
        state.letters.push(Letter { at: now, to, kind: kind.to_owned(), link, token_hash: hash, code });
        Ok(())
    }
}

/// A request, read.
struct Asked<'a> {
    request: &'a Request<Bytes>,
    query: BTreeMap<String, String>,
    body: Value,
}

impl Asked<'_> {
    fn query(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    fn field(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_default()
    }

    /// The address in the body, in small letters.
    fn email(&self) -> Result<String, Refusal> {
        let email = self.field("email").trim().to_ascii_lowercase();
        if domain::email::EmailAddress::parse(&email).is_ok() {
            return Ok(email);
        }
        Err(refused(400, "validation_failed", "Unable to validate email address: invalid format"))
    }
}

impl State {
    fn account_of(&self, email: &str) -> Option<&Account> {
        self.accounts.values().find(|account| account.email.eq_ignore_ascii_case(email))
    }

    fn fresh(&mut self, id: String, email: &str, now: Timestamp) -> Account {
        self.made = self.made.saturating_add(1);
        Account {
            id,
            email: email.to_ascii_lowercase(),
            password: None,
            app_metadata: json!({"provider": "email", "providers": ["email"]}),
            user_metadata: json!({}),
            created_at: now,
            updated_at: now,
            email_confirmed_at: None,
            invited_at: None,
            last_sign_in_at: None,
            banned_until: None,
            invitation: None,
            magic_link: None,
            made: self.made,
        }
    }

    /// Ends the sessions of an account that `ends` names.
    fn end_sessions(&mut self, account: &str, ends: impl Fn(&str) -> bool) {
        self.sessions.retain(|id, session| session.account != account || !ends(id));
        let sessions = &self.sessions;
        self.refresh_tokens.retain(|_, token| sessions.contains_key(&token.session));
    }
}

impl Account {
    fn is_banned(&self, now: Timestamp) -> bool {
        self.banned_until.is_some_and(|until| until > now)
    }
}

/// An account as the issuer shows it, to its owner and to the admin API alike.
fn shown(account: &Account) -> Value {
    let at = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let mut shown = json!({"id": account.id, "aud": "authenticated", "role": "authenticated", "email": account.email,
        "phone": "", "app_metadata": account.app_metadata, "user_metadata": account.user_metadata, "identities": [],
        "created_at": account.created_at.to_string(), "updated_at": account.updated_at.to_string(),
        "is_anonymous": false});
    for (name, value) in [
        ("email_confirmed_at", at(account.email_confirmed_at)),
        ("confirmed_at", at(account.email_confirmed_at)),
        ("invited_at", at(account.invited_at)),
        ("confirmation_sent_at", at(account.invitation.as_ref().map(|link| link.sent_at))),
        ("recovery_sent_at", at(account.magic_link.as_ref().map(|link| link.sent_at))),
        ("last_sign_in_at", at(account.last_sign_in_at)),
        ("banned_until", at(account.banned_until)),
    ] {
        if let Some(value) = value {
            shown[name] = json!(value);
        }
    }
    shown
}

/// Notes one more request of a kind at `now`. Returns whether there were too many in five minutes.
fn is_too_often(asked: &mut VecDeque<Timestamp>, most: usize, now: Timestamp) -> bool {
    let since = now - SignedDuration::from_mins(5);
    while asked.front().is_some_and(|at| *at <= since) {
        asked.pop_front();
    }
    if asked.len() >= most {
        return true;
    }
    asked.push_back(now);
    false
}

/// Adds the fields of `more`; one that is `null` is taken away.
fn merge(into: &mut Value, more: &Value) {
    let Some(fields) = into.as_object_mut() else { return };
    for (name, value) in more.as_object().into_iter().flatten() {
        if value.is_null() {
            fields.remove(name);
        } else {
            fields.insert(name.clone(), value.clone());
        }
    }
}

/// What stands for a password. The sandbox guards nothing: the issuer hashes slowly.
fn hashed(password: &str) -> String {
    hex::encode(digest(&SHA256, password.as_bytes()))
}

fn bearer(request: &Request<Bytes>) -> Option<&str> {
    request.headers().get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

fn query(request: &Request<Bytes>) -> BTreeMap<String, String> {
    let query = request.uri().query().unwrap_or_default();
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}
