//! SES: mail to patients and clinics. One request of its API, version 2.
//! <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html>

use base::config::MailSettings;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use domain::{email::EmailAddress, ids::MessageId, message::Letter};
use http::{Request, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    Platform,
    signed::{Signed, SignedError},
};

/// The most bytes of text in one word of a header that is not ASCII: encoded, it stays under the 75 characters that a word may have
/// (RFC 2047, section 2).
const ENCODED_WORD: usize = 45;
/// What SES answers with when it will never take this letter. Whatever else it refuses may be mended: a role, a clock, a domain.
const FINAL: [&str; 2] = ["MessageRejected", "BadRequestException"];

/// The sender of mail.
#[derive(Clone, Debug)]
pub struct Mail {
    signed: Signed,
    settings: MailSettings,
}

/// Why a letter was not taken.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// It was certainly not sent; later it may be.
    #[error("SES takes no mail at the moment: {0}")]
    NotNow(String),
    /// It was certainly not sent, and never will be so.
    #[error("SES refuses the letter: {0}")]
    Refused(String),
    /// No answer came, or one that says nothing. It may have been sent.
    #[error("it is not known whether SES took the letter")]
    Unknown(#[source] Option<SignedError>),
}

impl Mail {
    /// Returns the sender that the settings name.
    pub fn of(platform: &Platform, settings: MailSettings) -> Self {
        Self { signed: Signed::of(platform, "ses"), settings }
    }

    /// Sends a letter in the name of a clinic. Returns the id by which SES knows it. Nothing keeps SES from sending it again when it
    /// is asked again.
    ///
    /// # Errors
    /// See [`MailError`].
    pub async fn send(
        &self,
        clinic: &str,
        to: &EmailAddress,
        letter: &Letter,
        id: &MessageId,
    ) -> Result<String, MailError> {
        let body = json!({
            "FromEmailAddress": format!("{} <{}>", phrase(clinic), self.settings.from),
            "Destination": {"ToAddresses": [to.reveal()]},
            "Content": {"Simple": {
                "Subject": {"Data": letter.subject, "Charset": "UTF-8"},
                "Body": {"Text": {"Data": letter.text, "Charset": "UTF-8"}},
                // RFC 3834: no machine is to answer it.
                "Headers": [
                    {"Name": "Auto-Submitted", "Value": "auto-generated"},
                    {"Name": "X-Message", "Value": id.as_str()},
                ],
            }},
        });
        let request = Request::post(format!("{}/v2/email/outbound-emails", self.settings.base_url))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Bytes::from(body.to_string()))
            .map_err(|error| MailError::NotNow(error.to_string()))?;
        let answer = self.signed.send(request).await.map_err(|error| match error {
            SignedError::Unsigned(error) => MailError::NotNow(error.to_string()),
            unanswered @ SignedError::Http(_) => MailError::Unknown(Some(unanswered)),
        })?;
        outcome(answer.status(), answer.headers(), answer.body())
    }
}

/// What an answer says of a letter.
fn outcome(status: StatusCode, headers: &http::HeaderMap, body: &[u8]) -> Result<String, MailError> {
    #[derive(Deserialize)]
    struct Taken {
        #[serde(rename = "MessageId")]
        message_id: String,
    }
    if status == StatusCode::OK {
        let taken: Option<Taken> = serde_json::from_slice(body).ok();
        return taken.map(|taken| taken.message_id).ok_or(MailError::Unknown(None));
    }
    let kind = headers.get("x-amzn-errortype").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(':').next().unwrap_or_default().to_owned();
    if status.is_server_error() {
        return Err(MailError::Unknown(None));
    }
    if FINAL.contains(&kind.as_str()) {
        return Err(MailError::Refused(kind));
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let said = body["message"].as_str().unwrap_or_default();
    Err(MailError::NotNow(format!("{status} {kind} {said}")))
}

/// A name in front of an address: in quotes, or in encoded words where it is not ASCII (RFC 5322, section 3.4; RFC 2047).
fn phrase(name: &str) -> String {
    if name.is_ascii() {
        return format!("\"{}\"", name.replace(['"', '\\'], ""));
    }
    let mut words: Vec<String> = vec![String::new()];
    for c in name.chars() {
        match words.last_mut() {
            Some(word) if word.len().saturating_add(c.len_utf8()) <= ENCODED_WORD => word.push(c),
            _ => words.push(c.to_string()),
        }
    }
    let words = words.iter().map(|word| format!("=?UTF-8?B?{}?=", STANDARD.encode(word)));
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    #[test]
    fn a_clinics_name_is_written_as_a_header_may_have_it() {
        assert_eq!(phrase("Hill Street Dental"), "\"Hill Street Dental\"");
        assert_eq!(phrase("Zahnärzte"), "=?UTF-8?B?WmFobsOkcnp0ZQ==?=");
        let long = phrase(&"ж".repeat(60));
        assert!(long.split(' ').all(|word| word.len() <= 75), "{long}");
        assert_eq!(long.split(' ').count(), 3);
    }

    #[test]
    fn an_answer_says_whether_the_letter_was_sent() {
        let of = |status: u16, kind: &str, body: &str| {
            let mut headers = HeaderMap::new();
            if !kind.is_empty() {
                headers.insert("x-amzn-errortype", kind.parse().unwrap());
            }
            outcome(StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes())
        };
        assert_eq!(of(200, "", r#"{"MessageId": "m-1"}"#).unwrap(), "m-1");
        assert!(matches!(of(200, "", "<html>"), Err(MailError::Unknown(None))));
        assert!(matches!(of(500, "InternalServiceError", "{}"), Err(MailError::Unknown(None))));
        assert!(matches!(of(503, "", "{}"), Err(MailError::Unknown(None))));
        assert!(matches!(of(429, "TooManyRequestsException", "{}"), Err(MailError::NotNow(_))));
        assert!(matches!(of(400, "SendingPausedException", "{}"), Err(MailError::NotNow(_))));
        assert!(matches!(of(403, "", r#"{"message": "Missing token"}"#), Err(MailError::NotNow(_))));
        // What may be mended keeps the letter.
        for kind in
            ["MailFromDomainNotVerifiedException", "AccountSuspendedException", "ExpiredTokenException", ""]
        {
            assert!(matches!(of(400, kind, "{}"), Err(MailError::NotNow(_))), "{kind}");
        }
        for kind in ["MessageRejected", "BadRequestException:"] {
            assert!(matches!(of(400, kind, "{}"), Err(MailError::Refused(_))), "{kind}");
        }
    }
}
