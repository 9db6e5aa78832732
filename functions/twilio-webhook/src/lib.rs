//! `POST /api/webhooks/twilio/{statuses,texts}`: what became of texts, and what patients write to clinics.

#![recursion_limit = "256"]

use base::{
    config::{Base, Invalid},
    keyring::Keyring,
};
use domain::{
    ids::{AccountSid, MessageId, OrgId},
    phone_number::PhoneNumber,
};
use http::{StatusCode, request::Parts};
use lambda_http::{Body, Request, Response};
use platform::Platform;
use services::messages::{Heard, STATUSES, Status, TEXTS, TextError};
use vendors::twilio::{SIGNATURE_HEADER, TwilioWebhook};
use web::{
    contract::{Content, For, Operation, Route},
    problem::{Code, Problem, respond},
};

/// The largest body read: a text of ten segments in Twilio's form is a few kilobytes.
const LARGEST_BODY: usize = 64 * 1024;
/// What is answered to a text that came: nothing is sent back by the carrier itself (twilio.com/docs/messaging/twiml).
const NO_ANSWER: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response/>";

/// What the function is built from, once per cold start.
#[derive(Debug)]
pub struct Deps {
    /// What is done with the carrier's words.
    pub heard: Heard,
    /// Where the carrier reaches us: part of what it signs.
    pub public_url: String,
}

impl Deps {
    /// Builds them from the platform's settings.
    ///
    /// # Errors
    /// When settings are missing or unusable: all of them at once.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "every function is made of the platform that it is given"
    )]
    pub fn new(platform: Platform) -> Result<Self, Invalid> {
        let mut reader = platform.environment.reader();
        let base = Base::read(&mut reader);
        let keyring = Keyring::read(&mut reader, std::sync::Arc::clone(&platform.entropy));
        let public_url = reader.required("PUBLIC_URL").trim_end_matches('/').to_owned();
        reader.finish()?;
        let db = platform.database(&base.table_prefix);
        Ok(Self { heard: Heard::new(&platform, &db, keyring), public_url })
    }
}

/// What [`handle`] reads and answers.
pub fn contract() -> Vec<Operation> {
    let route = |path, about| Route {
        method: "POST",
        path,
        about,
        who: For::Anyone,
        statuses: &[200],
        codes: &[Code::InvalidSignature, Code::InvalidBody, Code::BodyTooLarge],
    };
    let org = ("org", "The org that it is for.");
    let status = route(STATUSES, &["Takes what Twilio says became of a text, which its signature proves."]);
    let text = route(
        TEXTS,
        &["Takes a text that a patient has written to a clinic: `STOP` and `START` count at once."],
    );
    let of_status = [org, ("item", "The text's record."), ("message", "Which sending of it.")];
    vec![
        Operation::beside(status, vec![Content::bytes("application/json")]).with_query(&of_status),
        Operation::beside(text, vec![Content::bytes("text/xml")]).with_query(&[org]),
    ]
}

/// Answers one word of the carrier's, whose signature by an account of the org's is checked before anything is done. It is answered
/// only after its effect is committed.
///
/// # Errors
/// When it is not the carrier's, cannot be read, or its effect could not be committed.
pub async fn handle(deps: &Deps, request: Request) -> Result<Response<Body>, Problem> {
    let (parts, body) = request.into_parts();
    let body: &[u8] = &body;
    if body.len() > LARGEST_BODY {
        return Err(Problem::new(Code::BodyTooLarge));
    }
    let query = pairs(parts.uri.query().unwrap_or_default().as_bytes());
    let form = pairs(body);
    let org = signed_for(deps, &parts, &query, &form).await?;
    let given = |name: &str| value(&form, name).ok_or_else(|| unreadable(name));
    if parts.uri.path() == STATUSES {
        let named = |name: &str| value(&query, name).ok_or_else(|| unreadable(name));
        let message = MessageId::parse(named("message")?).map_err(|_| unreadable("message"))?;
        let status = Status {
            org,
            item: named("item")?,
            message: &message,
            vendor_id: given("MessageSid")?,
            status: given("MessageStatus")?,
            code: value(&form, "ErrorCode"),
        };
        deps.heard.status(&status).await?;
        return Ok(respond(StatusCode::OK, "application/json", "{}".to_owned()));
    }
    let number = |name: &str| PhoneNumber::parse(given(name)?).map_err(|_| unreadable(name));
    // Who writes without a number of the world's, as a short code does, is no patient.
    if let (Ok(from), Ok(to)) = (number("From"), number("To")) {
        let said = value(&form, "Body").unwrap_or_default();
        deps.heard.received((org, given("MessageSid")?), (from, to), said).await?;
    }
    Ok(respond(StatusCode::OK, "text/xml", NO_ANSWER.to_owned()))
}

/// The org that a word is for: its address names it, and an account of that org's signs it.
async fn signed_for(
    deps: &Deps,
    parts: &Parts,
    query: &[(String, String)],
    form: &[(String, String)],
) -> Result<OrgId, Problem> {
    let refused = || Problem::new(Code::InvalidSignature);
    let org: OrgId = value(query, "org").and_then(|org| org.parse().ok()).ok_or_else(refused)?;
    let account =
        value(form, "AccountSid").and_then(|sid| AccountSid::parse(sid).ok()).ok_or_else(refused)?;
    let signature = parts.headers.get(SIGNATURE_HEADER).and_then(|value| value.to_str().ok());
    let signature = signature.ok_or_else(refused)?;
    let token = deps.heard.token(org, &account).await.map_err(problem)?.ok_or_else(refused)?;
    let address = parts.uri.path_and_query().map_or("", |address| address.as_str());
    let url = format!("{}{address}", deps.public_url);
    let webhook = TwilioWebhook { tokens: vec![token] };
    webhook.verify(signature, &url, form).map_err(|error| refused().because(&error))?;
    Ok(org)
}

fn problem(error: TextError) -> Problem {
    match error {
        TextError::Store(error) => error.into(),
        error @ (TextError::Keyring(_)
        | TextError::NotNow(_)
        | TextError::Unsearched(_)
        | TextError::NoAccount) => Problem::new(Code::Internal).because(&error),
    }
}

fn unreadable(name: &str) -> Problem {
    Problem::new(Code::InvalidBody).saying(format!("{name} is missing, or cannot be read."))
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text).into_owned().collect()
}

fn value<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}
