//! Why the issuer did not do what it was asked.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::Value;

use crate::http::{HttpError, is_transient_status};

/// Why the issuer did not do it.
#[derive(Debug, thiserror::Error)]
pub enum SupabaseError {
    /// No answer came. The issuer may have done it.
    #[error("the issuer does not answer")]
    Unreachable(#[source] HttpError),
    /// The address has an account, which for an invitation has been confirmed (422 `email_exists`).
    #[error("the address has an account")]
    EmailExists,
    /// There is no such account (404).
    #[error("there is no such account")]
    NotFound,
    /// More letters were asked for, or more was asked, than the issuer does in a while (429): to be asked later.
    #[error("the issuer was asked too often: {code}")]
    TooOften {
        /// The issuer's word for what was too often.
        code: String,
    },
    /// The service key is not taken (401, 403): a setting is wrong.
    #[error("the issuer does not take the service key: {code}")]
    Unauthorized {
        /// The issuer's word for why.
        code: String,
    },
    /// The issuer will not do it as it was asked.
    #[error("the issuer refuses it with {status}: {code}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// The issuer's word for why.
        code: String,
    },
    /// The issuer is in trouble.
    #[error("the issuer is in trouble: {status}")]
    Trouble {
        /// The status.
        status: StatusCode,
    },
    /// The list of accounts whose address contains the one that is looked for does not come to its end.
    #[error("the issuer lists too many accounts for one address")]
    TooMany,
    /// The answer is not what it should be.
    #[error("the issuer's answer cannot be read")]
    Unreadable(#[source] serde_json::Error),
}

impl SupabaseError {
    /// Returns whether asking again later can help.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::TooOften { .. } | Self::Trouble { .. } => true,
            Self::EmailExists
            | Self::NotFound
            | Self::Unauthorized { .. }
            | Self::Refused { .. }
            | Self::TooMany
            | Self::Unreadable(_) => false,
        }
    }
}

/// Reads a refusal. Its word is `error_code`, or `code` of an issuer that answers by API version 2024-01-01; an older one has the
/// status there, and a sentence alone.
pub(super) fn refusal(answer: &Response<Bytes>) -> SupabaseError {
    let status = answer.status();
    let code = word(answer);
    match status {
        StatusCode::UNPROCESSABLE_ENTITY | StatusCode::BAD_REQUEST
            if ["email_exists", "user_already_exists"].contains(&code.as_str()) =>
        {
            SupabaseError::EmailExists
        }
        StatusCode::NOT_FOUND => SupabaseError::NotFound,
        StatusCode::TOO_MANY_REQUESTS => SupabaseError::TooOften { code },
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => SupabaseError::Unauthorized { code },
        status if is_transient_status(status) => SupabaseError::Trouble { status },
        status => SupabaseError::Refused { status, code },
    }
}

/// The issuer's word for a refusal; empty where it has none. The log has it, and nothing else that an answer may hold.
pub(super) fn word(answer: &Response<Bytes>) -> String {
    let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let word = body["error_code"].as_str().or_else(|| body["code"].as_str());
    let sentence = body["msg"].as_str().or_else(|| body["message"].as_str()).unwrap_or_default();
    let word = word.unwrap_or(if sentence.contains("already been registered") { "email_exists" } else { "" });
    word.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(60).collect()
}
