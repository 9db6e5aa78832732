//! Why Google did not do what it was asked.

use http::StatusCode;
use serde::Deserialize;

use crate::http::{HttpError, is_transient_status};

/// Why Google did not do it. None of them says that anything is free, moved or gone, but those that say so by name.
#[derive(Debug, thiserror::Error)]
pub enum GoogleError {
    /// No answer came. Google may have done it.
    #[error("Google does not answer")]
    Unreachable(#[source] HttpError),
    /// The access token is not taken (401): a fresh one may be.
    #[error("Google does not take the access token")]
    Unauthorized,
    /// The refresh token or the code is not taken for good (`invalid_grant`): the clinic must consent anew.
    #[error("the clinic's consent has ended")]
    InvalidGrant,
    /// Too much was asked in a short time (403 `rateLimitExceeded` and its kind, or 429): to be asked later.
    #[error("Google was asked too often")]
    TooOften,
    /// The account may not do it: a scope or a role is missing (403).
    #[error("the account may not do it: {reason}")]
    Forbidden {
        /// Google's word for why.
        reason: String,
    },
    /// There is nothing of this name (404), or the account does not see it.
    #[error("there is no such thing at Google")]
    NotFound,
    /// Something has this id already, deleted or not (409).
    #[error("the id is taken")]
    AlreadyThere,
    /// It is deleted, or the sync token has expired (410).
    #[error("it is gone")]
    Gone,
    /// It has another etag by now (412).
    #[error("it was changed meanwhile")]
    Changed,
    /// Google will not do it as it was asked.
    #[error("Google refuses it with {status}: {reason}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// Google's word for why.
        reason: String,
    },
    /// Google is in trouble.
    #[error("Google is in trouble: {status}")]
    Trouble {
        /// The status.
        status: StatusCode,
    },
    /// The answer is not what it should be.
    #[error("Google's answer cannot be read")]
    Unreadable(#[source] serde_json::Error),
}

impl GoogleError {
    /// Returns whether asking again later can help.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable(_)
            | Self::Unauthorized
            | Self::TooOften
            | Self::Trouble { .. }
            | Self::Changed => true,
            Self::InvalidGrant
            | Self::Forbidden { .. }
            | Self::NotFound
            | Self::AlreadyThere
            | Self::Gone
            | Self::Refused { .. }
            | Self::Unreadable(_) => false,
        }
    }
}

/// The words by which Google says that too much was asked (developers.google.com/calendar/api/guides/errors).
const LIMITS: [&str; 4] =
    ["rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "calendarUsageLimitsExceeded"];

/// Reads a refusal: of the API, whose error is an object, or of the token endpoint, whose error is a word.
pub(super) fn refusal(status: StatusCode, body: &[u8]) -> GoogleError {
    #[derive(Deserialize)]
    struct Answer {
        error: Told,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Told {
        Word(String),
        Object {
            #[serde(default)]
            errors: Vec<One>,
        },
    }
    #[derive(Deserialize)]
    struct One {
        #[serde(default)]
        reason: String,
        #[serde(default)]
        domain: String,
    }
    let (reason, domain) = match serde_json::from_slice(body) {
        Ok(Answer { error: Told::Word(word) }) => (word, String::new()),
        Ok(Answer { error: Told::Object { errors } }) => {
            errors.into_iter().next().map(|one| (one.reason, one.domain)).unwrap_or_default()
        }
        Err(_) => Default::default(),
    };
    // The log has Google's word and nothing else that an answer may hold.
    let reason: String = reason.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(60).collect();
    match status {
        StatusCode::BAD_REQUEST if reason == "invalid_grant" => GoogleError::InvalidGrant,
        StatusCode::UNAUTHORIZED => GoogleError::Unauthorized,
        StatusCode::FORBIDDEN if domain == "usageLimits" || LIMITS.contains(&reason.as_str()) => {
            GoogleError::TooOften
        }
        StatusCode::FORBIDDEN => GoogleError::Forbidden { reason },
        StatusCode::NOT_FOUND => GoogleError::NotFound,
        StatusCode::CONFLICT => GoogleError::AlreadyThere,
        StatusCode::GONE => GoogleError::Gone,
        StatusCode::PRECONDITION_FAILED => GoogleError::Changed,
        StatusCode::TOO_MANY_REQUESTS => GoogleError::TooOften,
        status if is_transient_status(status) => GoogleError::Trouble { status },
        status => GoogleError::Refused { status, reason },
    }
}
