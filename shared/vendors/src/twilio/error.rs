//! Why Twilio did not do something, and what the clinic is told.

use http::StatusCode;

use crate::http::HttpError;

/// Why Twilio did not do something.
#[derive(Debug, thiserror::Error)]
pub enum TwilioError {
    /// It has no such thing.
    #[error("Twilio does not know it")]
    NotFound,
    /// The account is suspended or closed.
    #[error("the Twilio account is not active")]
    Inactive,
    /// It said no.
    #[error("Twilio refused with status {status}, code {}", .code.unwrap_or_default())]
    Refused {
        /// Its status.
        status: StatusCode,
        /// Its own code (twilio.com/docs/api/errors), if it gave one.
        code: Option<u32>,
    },
    /// It had trouble of its own, or too many requests.
    #[error("Twilio answered with status {status}")]
    Trouble {
        /// Its status.
        status: StatusCode,
    },
    /// Nothing came. It may have acted.
    #[error("Twilio did not answer")]
    Unreachable(#[source] HttpError),
    /// It answered something else than its API describes. It may have acted.
    #[error("Twilio's answer cannot be read")]
    Unreadable(#[source] serde_json::Error),
}

impl TwilioError {
    /// Whether it is certain that nothing was done, and that asking again changes nothing.
    pub const fn is_final(&self) -> bool {
        match self {
            Self::NotFound | Self::Inactive | Self::Refused { .. } => true,
            Self::Trouble { .. } | Self::Unreachable(_) | Self::Unreadable(_) => false,
        }
    }

    /// Whether the account is refused, rather than what was asked of it.
    pub const fn is_about_account(&self) -> bool {
        match self {
            Self::Inactive => true,
            Self::Refused { status, code } => {
                matches!(status.as_u16(), 401 | 403) || matches!(code, Some(20_003 | 20_005 | 21_404))
            }
            Self::NotFound | Self::Trouble { .. } | Self::Unreachable(_) | Self::Unreadable(_) => false,
        }
    }

    /// What to tell the clinic: a whole sentence, without anything of ours or of Twilio's inside.
    pub const fn sentence(&self) -> &'static str {
        match self {
            Self::NotFound => NOT_FOUND,
            Self::Inactive => "The Twilio account is suspended or closed. Reactivate it at Twilio first.",
            Self::Refused { status, code } => match (*code, status.as_u16()) {
                (Some(20_003), _) | (None, 401) => {
                    "Twilio did not accept the account SID and auth token. Check both."
                }
                (Some(20_404), _) => NOT_FOUND,
                (Some(21_404), _) => "A Twilio trial account cannot buy another number.",
                (Some(21_408), _) => "The Twilio account has no permission for this region.",
                (Some(21_421), _) => "Twilio says that this number is not valid. Choose another.",
                (Some(21_422), _) => "The number is no longer available; please choose another.",
                (Some(21_631 | 21_649 | 21_651), _) => {
                    "This number needs an approved address or documents for its country."
                }
                _ => "Twilio refused it. Check the number and the account, and try again.",
            },
            Self::Trouble { .. } | Self::Unreachable(_) | Self::Unreadable(_) => {
                "Twilio cannot be reached at the moment; please try again later."
            }
        }
    }
}

const NOT_FOUND: &str = "Twilio does not know this account or number. Check both.";
