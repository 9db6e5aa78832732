//! Why the issuer did not let somebody in.

use bytes::Bytes;
use http::{Response, StatusCode};

use super::error::word;
use crate::http::{HttpError, is_transient_status};

/// Why the issuer did not do what a person asked.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// No answer came. The issuer may have done it.
    #[error("the issuer does not answer")]
    Unreachable(#[source] HttpError),
    /// What was shown is not believed: a password, a link, a token (400, 401, 403, 404, 422).
    #[error("the issuer does not believe it, with {status}: {code}")]
    Refused {
        /// The status.
        status: StatusCode,
        /// The issuer's word for why.
        code: String,
    },
    /// The password is right, and the address has not been shown to be the person's (`email_not_confirmed`).
    #[error("the address has not been confirmed")]
    Unconfirmed,
    /// The issuer does not take a new password.
    #[error("the issuer does not take the password: {0:?}")]
    Password(PasswordFault),
    /// It was asked too often (429).
    #[error("the issuer was asked too often: {code}")]
    TooOften {
        /// The issuer's word for what was too often.
        code: String,
    },
    /// The publishable key is not taken (401 of the gateway, which has no word for it): a setting is wrong.
    #[error("the issuer does not take the publishable key")]
    Key,
    /// The issuer is in trouble.
    #[error("the issuer is in trouble: {status}")]
    Trouble {
        /// The status.
        status: StatusCode,
    },
    /// The answer is not what it should be.
    #[error("the issuer's answer cannot be read")]
    Unreadable,
}

/// What is wrong with a new password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordFault {
    /// It is too short, too simple or known to have leaked (`weak_password`).
    Weak,
    /// It is the one that the account has (`same_password`).
    Same,
    /// The person signed in too long ago to set one (`reauthentication_needed`).
    Stale,
}

/// Reads a refusal. Only the issuer's word is kept: a sentence may repeat what was sent.
pub(super) fn refusal(answer: &Response<Bytes>) -> SessionError {
    let status = answer.status();
    let code = word(answer);
    if is_transient_status(status) && status != StatusCode::TOO_MANY_REQUESTS {
        return SessionError::Trouble { status };
    }
    match (status, code.as_str()) {
        (StatusCode::TOO_MANY_REQUESTS, _) => SessionError::TooOften { code },
        (StatusCode::UNAUTHORIZED, "") => SessionError::Key,
        (_, "email_not_confirmed") => SessionError::Unconfirmed,
        (_, "weak_password") => SessionError::Password(PasswordFault::Weak),
        (_, "same_password") => SessionError::Password(PasswordFault::Same),
        (_, "reauthentication_needed") => SessionError::Password(PasswordFault::Stale),
        (status, _) if status.is_client_error() => SessionError::Refused { status, code },
        (status, _) => SessionError::Trouble { status },
    }
}
