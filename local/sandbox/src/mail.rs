//! Stands in for SES: takes letters from senders that it knows to be ours, keeps them, and sends none.
//! <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html>

use std::path::PathBuf;

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use domain::{email::EmailAddress, time::rfc3339_millis};
use http::{Method, Request, Response, StatusCode, header};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::kept::Kept;

/// The host of SES's API.
pub const HOST: &str = "email.ses.sandbox";
/// The one sender that is known to be ours.
pub const SENDER: &str = "appointments@voxanne.example";
/// The fields that a request may have, of those that SES documents.
const FIELDS: [&str; 11] = [
    "ConfigurationSetName",
    "Content",
    "Destination",
    "EmailTags",
    "EndpointId",
    "FeedbackForwardingEmailAddress",
    "FeedbackForwardingEmailAddressIdentityArn",
    "FromEmailAddress",
    "FromEmailAddressIdentityArn",
    "ListManagementOptions",
    "ReplyToAddresses",
];

/// SES.
#[derive(Debug)]
pub struct MailSandbox {
    taken: Kept<Vec<Letter>>,
}

/// A letter that was taken.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Letter {
    /// As SES names it.
    pub message_id: String,
    /// When it was taken.
    pub at: String,
    /// From whom, as the header has it.
    pub from: String,
    /// To whom.
    pub to: Vec<String>,
    /// The line that is seen first.
    pub subject: String,
    /// The words.
    pub text: String,
    /// The other headers, by their names.
    pub headers: Vec<(String, String)>,
}

/// A refusal: its status, and SES's name for it.
type Refusal = (StatusCode, &'static str, String);

impl MailSandbox {
    /// Returns the letters that are kept in this file, or none.
    pub fn new(kept_in: Option<PathBuf>) -> Self {
        Self { taken: Kept::open(kept_in) }
    }

    /// Returns every letter that was taken, oldest first.
    pub fn letters(&self) -> Vec<Letter> {
        self.taken.lock().clone()
    }

    /// Answers a request as SES would.
    pub fn answer(&self, request: &Request<Bytes>, now: Timestamp) -> Response<Bytes> {
        match self.take(request, now) {
            Ok(id) => json_answer(StatusCode::OK, None, &json!({"MessageId": id})),
            Err((status, kind, message)) => refuse(status, kind, &message),
        }
    }

    fn take(&self, request: &Request<Bytes>, now: Timestamp) -> Result<String, Refusal> {
        let bad = |message: &str| (StatusCode::BAD_REQUEST, "BadRequestException", message.to_owned());
        signed(request)?;
        if request.uri().path() != "/v2/email/outbound-emails" || request.method() != Method::POST {
            return Err((StatusCode::NOT_FOUND, "UnknownOperationException", String::new()));
        }
        let body: Value = serde_json::from_slice(request.body()).map_err(|_| bad("The body is no JSON."))?;
        let fields = body.as_object().into_iter().flatten().map(|(name, _)| name.as_str());
        if let Some(unknown) = fields.clone().find(|name| !FIELDS.contains(name)) {
            return Err(bad(&format!("Unexpected field {unknown}.")));
        }
        let from = body["FromEmailAddress"].as_str().unwrap_or_default();
        if !from.is_ascii() || from.contains(['\r', '\n']) {
            return Err(bad("Illegal address."));
        }
        if address_of(from) != SENDER {
            let message =
                format!("Email address is not verified. The following identities failed the check: {from}");
            return Err((StatusCode::BAD_REQUEST, "MessageRejected", message));
        }
        let to = to(&body).ok_or_else(|| bad("Missing final '@domain'"))?;
        let simple = &body["Content"]["Simple"];
        let data = |part: &Value| part["Data"].as_str().map(str::to_owned);
        let (Some(subject), Some(text)) = (data(&simple["Subject"]), data(&simple["Body"]["Text"])) else {
            return Err(bad("Content is required."));
        };
        let headers = headers(simple).ok_or_else(|| bad("Illegal header."))?;
        let mut taken = self.taken.lock();
        let message_id = format!("0107{:012}-sandbox-000000", taken.len());
        let (from, at) = (from.to_owned(), rfc3339_millis(now));
        taken.push(Letter { message_id: message_id.clone(), at, from, to, subject, text, headers });
        Ok(message_id)
    }
}

/// The addresses that a letter goes to: one to fifty, each a single address.
fn to(body: &Value) -> Option<Vec<String>> {
    let to = body["Destination"]["ToAddresses"].as_array()?;
    let to: Vec<String> = to.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect();
    let is_address = |one: &String| EmailAddress::parse(address_of(one)).is_ok();
    ((1..=50).contains(&to.len()) && to.iter().all(is_address)).then_some(to)
}

/// The headers that a letter adds: at most fifteen, and none of those that SES writes itself.
fn headers(simple: &Value) -> Option<Vec<(String, String)>> {
    let given = simple["Headers"].as_array().map_or(&[][..], Vec::as_slice);
    let read = given.iter().map(|header| {
        let (name, value) = (header["Name"].as_str()?, header["Value"].as_str()?);
        let is_name =
            (1..=126).contains(&name.len()) && name.bytes().all(|c| c.is_ascii_graphic() && c != b':');
        let is_own = ["from", "to", "subject", "date", "message-id"].contains(&name.to_lowercase().as_str());
        let is_value = (1..=870).contains(&value.len()) && value.is_ascii() && !value.contains(['\r', '\n']);
        (is_name && is_value && !is_own).then(|| (name.to_owned(), value.to_owned()))
    });
    let read: Option<Vec<_>> = read.collect();
    read.filter(|read| read.len() <= 15)
}

/// The address of a header that may have a name in front.
fn address_of(header: &str) -> &str {
    header.rsplit_once('<').map_or(header, |(_, rest)| rest.trim_end_matches('>'))
}

/// Refuses a request that is not signed for SES, or whose body is not the one that was signed.
fn signed(request: &Request<Bytes>) -> Result<(), Refusal> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let is_signed = header("authorization").is_some_and(|signature| {
        signature.starts_with("AWS4-HMAC-SHA256 Credential=") && signature.contains("/ses/aws4_request")
    });
    let hash = hex::encode(digest(&SHA256, request.body()));
    if !is_signed || header("x-amz-content-sha256").is_some_and(|stated| stated != hash) {
        let message = "The request signature we calculated does not match.".to_owned();
        return Err((StatusCode::FORBIDDEN, "InvalidSignatureException", message));
    }
    Ok(())
}

/// A refusal in SES's shape.
pub(crate) fn refuse(status: StatusCode, kind: &str, message: &str) -> Response<Bytes> {
    json_answer(status, Some(kind), &json!({"message": message}))
}

fn json_answer(status: StatusCode, kind: Option<&str>, body: &Value) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::from(body.to_string()));
    *answer.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    answer.headers_mut().insert(header::CONTENT_TYPE, json);
    if let Some(kind) = kind.and_then(|kind| http::HeaderValue::from_str(kind).ok()) {
        answer.headers_mut().insert("x-amzn-errortype", kind);
    }
    answer
}
