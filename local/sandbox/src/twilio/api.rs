//! The REST API: form-encoded requests, basic credentials, JSON answers, Twilio's errors.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Account, State, TwilioSandbox, bundles, page::page};

/// The longest friendly name.
const LONGEST_NAME: usize = 64;

/// The parameters of a form or a query.
pub(super) type Params = BTreeMap<String, String>;

/// What comes back.
pub(super) type Answer = Result<(StatusCode, Value), Refusal>;

/// A refusal, as Twilio words it.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    code: u32,
    message: String,
}

/// A request that cannot be carried out as it is: 400.
pub(super) fn bad(code: u32, message: impl Into<String>) -> Refusal {
    Refusal { status: StatusCode::BAD_REQUEST, code, message: message.into() }
}

/// Nothing is there: 404.
pub(super) fn missing(path: &str) -> Refusal {
    let message = format!("The requested resource {path} was not found");
    Refusal { status: StatusCode::NOT_FOUND, code: 20_404, message }
}

fn unauthenticated() -> Refusal {
    Refusal { status: StatusCode::UNAUTHORIZED, code: 20_003, message: "Authenticate".into() }
}

fn forbidden(code: u32, message: &str) -> Refusal {
    Refusal { status: StatusCode::FORBIDDEN, code, message: message.into() }
}

impl TwilioSandbox {
    /// Answers a request of the REST API (`/2010-04-01/…`), of the voice host (`/v1/Settings`) or of the numbers host
    /// (`/v2/RegulatoryCompliance/…`).
    pub fn answer(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let mut state = self.lock();
        let outcome = if state.faults.rest_is_down {
            let message = "Service unavailable".to_owned();
            Err(Refusal { status: StatusCode::SERVICE_UNAVAILABLE, code: 20_503, message })
        } else {
            self.route(&mut state, request)
        };
        match outcome {
            Ok((status, body)) => reply(status, &body),
            Err(refusal) => {
                let (status, code) = (refusal.status, refusal.code);
                let more_info = format!("https://www.twilio.com/docs/errors/{code}");
                let body = json!({"code": code, "message": refusal.message, "more_info": more_info,
                    "status": status.as_u16()});
                reply(status, &body)
            }
        }
    }

    fn route(&self, state: &mut State, request: &Request<Bytes>) -> Answer {
        let caller = caller(state, request.headers())?;
        let query = request.uri().query().unwrap_or_default().as_bytes();
        let is_form = request.method() == Method::POST;
        let text = if is_form { &request.body()[..] } else { query };
        let params: Params = url::form_urlencoded::parse(text).into_owned().collect();
        let path = request.uri().path();
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (request.method(), segments.as_slice()) {
            (&Method::GET, ["v1", "Settings"]) => settings(state, &caller, None),
            (&Method::POST, ["v1", "Settings"]) => {
                settings(state, &caller, params.get("DialingPermissionsInheritance"))
            }
            (method, ["v2", "RegulatoryCompliance", "Bundles", below @ ..]) => {
                self.of_bundles(state, &caller, (method, below), path, &params)
            }
            (&Method::GET, ["v2", "RegulatoryCompliance", "SupportingDocuments", sid]) => {
                bundles::document(state, &caller, sid).ok_or_else(|| missing(path))
            }
            (&Method::GET, ["2010-04-01", "Accounts.json"]) => {
                Ok((StatusCode::OK, list_accounts(state, &caller, path, &params)))
            }
            (&Method::POST, ["2010-04-01", "Accounts.json"]) => self.create_account(state, &caller, &params),
            (method, ["2010-04-01", "Accounts", account]) => {
                let account = account.strip_suffix(".json").ok_or_else(|| missing(path))?;
                may_see(state, &caller, account)?;
                match *method {
                    Method::GET => shown(state, account).ok_or_else(|| missing(path)),
                    Method::POST => update_account(state, &caller, account, &params),
                    _ => Err(missing(path)),
                }
            }
            (method, ["2010-04-01", "Accounts", account, below @ ..]) => {
                may_see(state, &caller, account)?;
                let is_active =
                    state.accounts.get(*account).is_some_and(|account| account.status == "active");
                if is_form && !is_active {
                    return Err(forbidden(20_005, "Account not active"));
                }
                self.below_account(state, account, (method, below), path, &params)
            }
            _ => Err(missing(path)),
        }
    }

    fn below_account(
        &self,
        state: &mut State,
        account: &str,
        asked: (&Method, &[&str]),
        path: &str,
        params: &Params,
    ) -> Answer {
        match asked {
            (&Method::GET, ["AvailablePhoneNumbers", country, kind]) => {
                let kind = kind.strip_suffix(".json").ok_or_else(|| missing(path))?;
                Self::search(state, country, kind, path, params)
            }
            (&Method::GET, ["IncomingPhoneNumbers.json"]) => {
                Ok((StatusCode::OK, Self::list_numbers(state, account, path, params)))
            }
            (&Method::POST, ["IncomingPhoneNumbers.json"]) => self.buy(state, account, params),
            (&Method::GET, ["IncomingPhoneNumbers", sid]) => Self::number(state, account, sid, path),
            (&Method::DELETE, ["IncomingPhoneNumbers", sid]) => Self::release(state, account, sid, path),
            (&Method::GET, ["Addresses.json"]) => {
                Ok((StatusCode::OK, Self::list_addresses(state, account, path, params)))
            }
            (&Method::POST, ["Addresses.json"]) => self.create_address(state, account, params),
            (&Method::POST, ["Messages.json"]) => self.send_text(state, account, params),
            (&Method::GET, ["Messages.json"]) => {
                Ok((StatusCode::OK, Self::list_texts(state, account, path, params)))
            }
            (&Method::GET, ["Messages", sid]) => Self::text(state, account, sid, path),
            (method, ["Calls", sid]) if *method == Method::GET || *method == Method::POST => {
                let sid = sid.strip_suffix(".json").ok_or_else(|| missing(path))?;
                call(state, account, sid, path, params, self.clock.now())
            }
            _ => Err(missing(path)),
        }
    }

    fn create_account(&self, state: &mut State, caller: &str, params: &Params) -> Answer {
        let is_parent = state.accounts.get(caller).is_some_and(|account| account.owner == caller);
        if !is_parent {
            return Err(forbidden(20_006, "Access Denied: a subaccount cannot have subaccounts"));
        }
        let now = self.clock.now();
        let usual = || format!("SubAccount Created at {}", now.strftime("%Y-%m-%d %H:%M"));
        let friendly_name = friendly_name(params)?.unwrap_or_else(usual);
        let account = Account {
            sid: self.sid("AC"),
            auth_token: self.sid(""),
            owner: caller.to_owned(),
            friendly_name,
            status: "active".into(),
            inherits_dialling_permissions: false,
            made: state.made(now),
        };
        let body = account_json(&account);
        state.accounts.insert(account.sid.clone(), account);
        Ok((StatusCode::CREATED, body))
    }
}

/// The account whose credentials these are.
fn caller(state: &State, headers: &HeaderMap) -> Result<String, Refusal> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let encoded = given.and_then(|value| value.strip_prefix("Basic ")).ok_or_else(unauthenticated)?;
    let plain = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let plain = plain.ok_or_else(unauthenticated)?;
    let (sid, token) = plain.split_once(':').ok_or_else(unauthenticated)?;
    let account = state.accounts.get(sid).filter(|account| account.auth_token == token);
    let account = account.ok_or_else(unauthenticated)?;
    match account.status.as_str() {
        "active" => Ok(account.sid.clone()),
        "suspended" => Err(forbidden(20_005, "Account not active")),
        _ => Err(unauthenticated()),
    }
}

/// An account's own credentials open it, and its parent's do.
fn may_see(state: &State, caller: &str, account: &str) -> Result<(), Refusal> {
    let account = state.accounts.get(account);
    let is_open = account.is_some_and(|account| account.sid == caller || account.owner == caller);
    if is_open { Ok(()) } else { Err(unauthenticated()) }
}

fn shown(state: &State, account: &str) -> Option<(StatusCode, Value)> {
    state.accounts.get(account).map(|account| (StatusCode::OK, account_json(account)))
}

fn list_accounts(state: &State, caller: &str, path: &str, params: &Params) -> Value {
    let is = |name: &str, value: &str| params.get(name).is_none_or(|wanted| wanted == value);
    let mine = state.accounts.values().filter(|account| {
        (account.owner == caller || account.sid == caller)
            && is("FriendlyName", &account.friendly_name)
            && is("Status", &account.status)
    });
    let mut mine: Vec<&Account> = mine.collect();
    mine.sort_by_key(|account| std::cmp::Reverse(account.made));
    let rows: Vec<(u64, Value)> =
        mine.into_iter().map(|account| (account.made.order, account_json(account))).collect();
    page(path, params, "accounts", &rows)
}

/// Renames, suspends, closes an account, or makes it active again. A closed account stays closed, and its
/// numbers are gone.
fn update_account(state: &mut State, caller: &str, sid: &str, params: &Params) -> Answer {
    let name = friendly_name(params)?;
    let account = state.accounts.get_mut(sid).ok_or_else(unauthenticated)?;
    if let Some(name) = name {
        account.friendly_name = name;
    }
    if let Some(status) = params.get("Status") {
        if account.owner != caller || account.owner == sid {
            return Err(forbidden(20_006, "Access Denied: only a parent changes a subaccount's status"));
        }
        if !matches!(status.as_str(), "active" | "suspended" | "closed") {
            return Err(bad(20_001, format!("Invalid Status: {status}")));
        }
        if account.status == "closed" && status != "closed" {
            return Err(bad(20_001, "A closed account cannot be opened again"));
        }
        status.clone_into(&mut account.status);
    }
    let (body, is_closed) = (account_json(account), account.status == "closed");
    if is_closed {
        state.numbers.retain(|_, owned| owned.account != sid);
    }
    Ok((StatusCode::OK, body))
}

/// Whether a subaccount takes its parent's dialling permissions, on the voice host.
fn settings(state: &mut State, caller: &str, inherits: Option<&String>) -> Answer {
    let account = state.accounts.get_mut(caller).ok_or_else(unauthenticated)?;
    let status = if inherits.is_some() { StatusCode::ACCEPTED } else { StatusCode::OK };
    match inherits.map(|text| text.to_lowercase()).as_deref() {
        None => {}
        Some("true") => account.inherits_dialling_permissions = true,
        Some("false") => account.inherits_dialling_permissions = false,
        Some(_) => return Err(bad(20_001, "DialingPermissionsInheritance is true or false")),
    }
    let body = json!({"dialing_permissions_inheritance": account.inherits_dialling_permissions,
        "url": "https://voice.twilio.com/v1/Settings"});
    Ok((status, body))
}

/// Shows a call, or hangs it up when the parameters say so. What is over already stays as it is.
fn call(state: &mut State, account: &str, sid: &str, path: &str, params: &Params, now: Timestamp) -> Answer {
    let ignores_end = state.faults.ignores_end_call;
    let leg = state.calls.get_mut(sid).filter(|leg| leg.account == account);
    let leg = leg.ok_or_else(|| missing(path))?;
    let is_ended = match params.get("Status").map(String::as_str) {
        None => false,
        Some(status @ ("completed" | "canceled")) => {
            let is_live = leg.status == "in-progress";
            if is_live && !ignores_end {
                status.clone_into(&mut leg.status);
                leg.ended_at = (status == "completed").then_some(now);
            }
            is_live && !ignores_end
        }
        Some(status) => return Err(bad(20_001, format!("Invalid Status: {status}"))),
    };
    let made = date(leg.made.at);
    let ended = leg.ended_at.map(date);
    let body = json!({"sid": sid, "account_sid": account, "api_version": "2010-04-01", "status": leg.status,
        "date_created": made, "date_updated": ended.as_ref().unwrap_or(&made), "start_time": made,
        "end_time": ended, "uri": path});
    if is_ended {
        state.ended.push(sid.to_owned());
    }
    Ok((StatusCode::OK, body))
}

fn account_json(account: &Account) -> Value {
    let (sid, made) = (&account.sid, date(account.made.at));
    let uri = format!("/2010-04-01/Accounts/{sid}");
    json!({"sid": sid, "auth_token": account.auth_token, "friendly_name": account.friendly_name,
    "owner_account_sid": account.owner, "status": account.status, "type": "Full",
    "date_created": made, "date_updated": made, "uri": format!("{uri}.json"),
    "subresource_uris": {
        "available_phone_numbers": format!("{uri}/AvailablePhoneNumbers.json"),
        "incoming_phone_numbers": format!("{uri}/IncomingPhoneNumbers.json"),
        "calls": format!("{uri}/Calls.json"),
    }})
}

/// The friendly name that is asked for.
pub(super) fn friendly_name(params: &Params) -> Result<Option<String>, Refusal> {
    let name = params.get("FriendlyName").filter(|name| !name.is_empty());
    if name.is_some_and(|name| name.chars().count() > LONGEST_NAME) {
        return Err(bad(20_001, format!("FriendlyName is longer than {LONGEST_NAME} characters")));
    }
    Ok(name.cloned())
}

/// RFC 2822, as the 2010 API writes times.
pub(super) fn date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

fn reply(status: StatusCode, body: &Value) -> Response<Bytes> {
    let is_empty = status == StatusCode::NO_CONTENT;
    let mut response = Response::new(if is_empty { Bytes::new() } else { Bytes::from(body.to_string()) });
    *response.status_mut() = status;
    if !is_empty {
        let json = HeaderValue::from_static("application/json;charset=utf-8");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
    }
    response
}
