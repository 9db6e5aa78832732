//! Why Twilio did not do something, and what the clinic is told about it.

use http::StatusCode;

use crate::http::HttpError;

/// Why Twilio did not do something.
#[derive(Debug, thiserror::Error)]
pub enum TwilioError {
    /// Twilio has no such account, number or call.
    #[error("Twilio does not know it")]
    NotFound,
    /// The account is suspended or closed.
    #[error("the Twilio account is not active")]
    Inactive,
    /// Twilio refused the request.
    #[error("Twilio refused with status {status}, code {}", .code.unwrap_or_default())]
    Refused {
        /// The HTTP status of the answer.
        status: StatusCode,
        /// Twilio's own code (twilio.com/docs/api/errors), if it gave one.
        code: Option<u32>,
    },
    /// Twilio had trouble of its own, or too many requests.
    #[error("Twilio answered with status {status}")]
    Trouble {
        /// The HTTP status of the answer.
        status: StatusCode,
    },
    /// No answer came. Twilio may have acted.
    #[error("Twilio did not answer")]
    Unreachable(#[source] HttpError),
    /// The answer is not what Twilio's API describes. Twilio may have acted.
    #[error("Twilio's answer cannot be read")]
    Unreadable(#[source] serde_json::Error),
}

impl TwilioError {
    /// Returns whether it is certain that nothing was done, and that asking again changes nothing.
    pub const fn is_final(&self) -> bool {
        match self {
            Self::NotFound | Self::Inactive | Self::Refused { .. } => true,
            Self::Trouble { .. } | Self::Unreachable(_) | Self::Unreadable(_) => false,
        }
    }

    /// Returns whether Twilio refuses the number itself, which is not valid or belongs to another by now: another
    /// number may be had.
    pub const fn is_number_gone(&self) -> bool {
        matches!(self, Self::Refused { code: Some(21_421 | 21_422), .. })
    }

    /// Returns whether Twilio refuses the number that a text goes to: it is none, a landline, or has opted out.
    pub const fn is_about_recipient(&self) -> bool {
        matches!(self, Self::Refused { code: Some(21_211 | 21_610 | 21_614 | 21_635), .. })
    }

    /// Returns whether Twilio refuses the number that a text goes to because it wants none from this sender.
    pub const fn is_opted_out(&self) -> bool {
        matches!(self, Self::Refused { code: Some(21_610), .. })
    }

    /// Returns whether Twilio took too many requests to take this one: nothing was done, and it may be asked again later.
    pub const fn is_too_many(&self) -> bool {
        matches!(self, Self::Trouble { status: StatusCode::TOO_MANY_REQUESTS })
    }

    /// Returns whether Twilio refuses the account, rather than what was asked of it.
    pub const fn is_about_account(&self) -> bool {
        match self {
            Self::Inactive => true,
            Self::Refused { status, code } => {
                matches!(status.as_u16(), 401 | 403) || matches!(code, Some(20_003 | 20_005 | 21_404))
            }
            Self::NotFound | Self::Trouble { .. } | Self::Unreachable(_) | Self::Unreadable(_) => false,
        }
    }

    /// Returns what to tell the clinic: a whole sentence, without internals of ours or of Twilio's.
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
                (Some(21_649), _) => NO_PAPERS,
                (Some(21_631 | 21_650 | 21_651), _) => {
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

/// What to tell the clinic when Twilio sells a number under approved papers only, and there are none.
pub const NO_PAPERS: &str = "Twilio sells numbers of this country only to a business whose papers it has approved, and none are \
    approved at the moment. Ask us to have them approved, or choose a number of another country.";
const NOT_FOUND: &str = "Twilio does not know this account or number. Check both.";
