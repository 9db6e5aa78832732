//! Consents: the page on which a person ticks what we may do, the code that it becomes, and its tokens.

use std::{collections::BTreeMap, fmt::Write as _};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use jiff::SignedDuration;
use serde_json::json;

use super::{
    ACCESS_LASTS, Code, GoogleSandbox, Opens,
    answer::{oauth_error, reply},
};

/// How long a code may be exchanged.
const CODE_LASTS: SignedDuration = SignedDuration::from_mins(10);

type Params = BTreeMap<String, String>;

impl GoogleSandbox {
    /// The page of `/o/oauth2/v2/auth`: shows what is asked for, and takes what was ticked.
    pub fn consent_page(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let asked = params(request.uri().query().unwrap_or_default().as_bytes());
        if let Err(sentence) = self.is_asked_rightly(&asked) {
            return page(StatusCode::BAD_REQUEST, &format!("<p>Error 400: {sentence}</p>"));
        }
        if request.method() != Method::POST {
            return page(StatusCode::OK, &self.form(&asked));
        }
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(request.body()).into_owned().collect();
        let one = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let scopes: Vec<&str> =
            pairs.iter().filter(|(key, _)| key == "scope").map(|(_, value)| value.as_str()).collect();
        let to = if one("act") == Some("allow") {
            self.decided(&asked, Some((one("account").unwrap_or_default(), &scopes)))
        } else {
            self.decided(&asked, None)
        };
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::FOUND;
        if let Ok(to) = HeaderValue::from_str(&to) {
            response.headers_mut().insert(header::LOCATION, to);
        }
        response
    }

    /// What a person does who was sent to `url`: allows it for an account, but for the scopes that end with one of `unticked`; or
    /// denies it, with no account. Returns where the browser is sent then.
    ///
    /// # Errors
    /// When Google would not show the page: a sentence.
    pub fn consent(&self, url: &str, account: Option<&str>, unticked: &[&str]) -> Result<String, String> {
        let asked = params(url.split_once('?').map_or("", |(_, query)| query).as_bytes());
        self.is_asked_rightly(&asked)?;
        let scopes: Vec<&str> = asked
            .get("scope")
            .map_or("", String::as_str)
            .split_whitespace()
            .filter(|scope| !unticked.iter().any(|end| scope.ends_with(end)))
            .collect();
        Ok(self.decided(&asked, account.map(|account| (account, scopes.as_slice()))))
    }

    fn is_asked_rightly(&self, asked: &Params) -> Result<(), String> {
        let is = |name: &str, value: &str| asked.get(name).is_some_and(|given| given == value);
        if !is("client_id", &self.settings.client_id) {
            return Err("invalid_client".into());
        }
        if !is("response_type", "code") || !is("code_challenge_method", "S256") {
            return Err("invalid_request".into());
        }
        if asked.get("redirect_uri").is_none_or(|uri| !uri.starts_with("http")) {
            return Err("redirect_uri_mismatch".into());
        }
        let scopes = asked.get("scope").map_or("", String::as_str);
        let is_known = |scope: &str| scope.starts_with("https://www.googleapis.com/auth/calendar");
        if scopes.is_empty() || !scopes.split_whitespace().all(is_known) {
            return Err("invalid_scope".into());
        }
        Ok(())
    }

    fn decided(&self, asked: &Params, allowed: Option<(&str, &[&str])>) -> String {
        let redirect_uri = asked.get("redirect_uri").cloned().unwrap_or_default();
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("state", asked.get("state").map_or("", String::as_str));
        match allowed {
            None => query.append_pair("error", "access_denied"),
            Some((account, scopes)) => {
                let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
                let code = self.word("4/");
                query.append_pair("code", &code).append_pair("scope", &scopes.join(" "));
                let code_of = Code {
                    opens: Opens { account: account.to_owned(), scopes },
                    challenge: asked.get("code_challenge").cloned().unwrap_or_default(),
                    redirect_uri: redirect_uri.clone(),
                    until: self.clock.now() + CODE_LASTS,
                };
                self.lock().codes.insert(code, code_of);
                &mut query
            }
        };
        format!("{redirect_uri}?{}", query.finish())
    }

    fn form(&self, asked: &Params) -> String {
        let mut accounts = String::new();
        for email in &self.lock().accounts {
            let _ = write!(accounts, "<option>{}</option>", escaped(email));
        }
        let mut scopes = String::new();
        for scope in asked.get("scope").map_or("", String::as_str).split_whitespace().map(escaped) {
            let _ = write!(
                scopes,
                "<label><input type=checkbox name=scope value=\"{scope}\" checked> {scope}</label><br>"
            );
        }
        format!(
            "<h1>Voxanne wants access to your Google Account</h1><p>This is the sandbox's page: nobody is asked but you.</p>\
             <form method=post><p><select name=account>{accounts}</select></p><p>{scopes}</p>\
             <button name=act value=allow>Continue</button> <button name=act value=deny>Cancel</button></form>"
        )
    }

    /// Answers `oauth2.googleapis.com`: `POST /token` and `POST /revoke`.
    pub fn token_endpoint(&self, request: &Request<Bytes>) -> Response<Bytes> {
        let fields = params(request.body());
        let field = |name: &str| fields.get(name).map_or("", String::as_str);
        match (request.method(), request.uri().path()) {
            (&Method::POST, "/revoke") => {
                let mut state = self.lock();
                let token = field("token");
                if state.refresh_tokens.remove(token).is_none() {
                    return oauth_error(400, "invalid_token", "Token expired or revoked");
                }
                state.access_tokens.retain(|_, (refresh, _)| refresh != token);
                reply(StatusCode::OK, Bytes::from_static(b"{}"))
            }
            (&Method::POST, "/token") => {
                let is_ours = field("client_id") == self.settings.client_id
                    && field("client_secret") == self.settings.client_secret;
                match field("grant_type") {
                    _ if !is_ours => oauth_error(401, "invalid_client", "Unauthorized"),
                    "authorization_code" => self.exchanged(&fields),
                    "refresh_token" => self.refreshed(field("refresh_token")),
                    _ => oauth_error(400, "unsupported_grant_type", "Invalid grant_type"),
                }
            }
            _ => oauth_error(404, "not_found", "Not Found"),
        }
    }

    fn exchanged(&self, fields: &Params) -> Response<Bytes> {
        let field = |name: &str| fields.get(name).map_or("", String::as_str);
        // A code is taken once, whatever comes of it.
        let code = self.lock().codes.remove(field("code"));
        let hash = digest(&SHA256, field("code_verifier").as_bytes());
        let is_right = |code: &Code| {
            self.clock.now() < code.until
                && code.redirect_uri == field("redirect_uri")
                && code.challenge == URL_SAFE_NO_PAD.encode(hash)
        };
        let Some(code) = code.filter(is_right) else {
            return oauth_error(400, "invalid_grant", "Malformed auth code.");
        };
        let refresh = self.word("1//");
        self.lock().refresh_tokens.insert(refresh.clone(), code.opens);
        self.opened(&refresh, true)
    }

    fn refreshed(&self, refresh: &str) -> Response<Bytes> {
        if self.lock().refresh_tokens.contains_key(refresh) {
            return self.opened(refresh, false);
        }
        oauth_error(400, "invalid_grant", "Token has been expired or revoked.")
    }

    fn opened(&self, refresh: &str, is_first: bool) -> Response<Bytes> {
        let access = self.word("ya29.");
        let until = self.clock.now() + ACCESS_LASTS;
        let mut state = self.lock();
        state.access_tokens.insert(access.clone(), (refresh.to_owned(), until));
        let scopes = state.refresh_tokens.get(refresh).map(|opens| opens.scopes.join(" "));
        let mut body = json!({"access_token": access, "expires_in": ACCESS_LASTS.as_secs(), "scope": scopes,
            "token_type": "Bearer"});
        // Google sends it with the code, and usually never again.
        if is_first {
            body["refresh_token"] = json!(refresh);
        }
        reply(StatusCode::OK, Bytes::from(body.to_string()))
    }
}

fn params(text: &[u8]) -> Params {
    url::form_urlencoded::parse(text).into_owned().collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

fn page(status: StatusCode, body: &str) -> Response<Bytes> {
    let text = format!("<!doctype html><meta charset=utf-8><title>Google sandbox</title>{body}");
    let mut response = Response::new(Bytes::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response
}
