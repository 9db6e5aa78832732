//! What went wrong, as a client reads it: a code, a status, a sentence.

use http::StatusCode;

/// Every code there is. `docs/errors.md` lists them; a test compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// No route answers this path.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// The body cannot be read.
    InvalidBody,
    /// The body is too large.
    BodyTooLarge,
    /// A field or a query value is not usable.
    InvalidValue,
    /// An amount is not usable.
    InvalidAmount,
    /// A page's cursor is not one of ours.
    InvalidCursor,
    /// A period holds more than one answer can.
    PeriodTooLarge,
    /// No token came.
    MissingToken,
    /// The token is not accepted.
    InvalidToken,
    /// The token is good and names no org.
    NoOrg,
    /// The token's role may not do this.
    Forbidden,
    /// A webhook without a signature, or with a wrong one.
    InvalidSignature,
    /// A webhook that cannot be verified because we have no secret.
    WebhookNotConfigured,
    /// The payment provider did not do its part.
    PaymentProviderUnavailable,
    /// The wallet cannot pay for it.
    InsufficientFunds,
    /// The wallet is frozen by the books check.
    WalletFrozen,
    /// There is no card that may be charged again.
    NoPaymentMethod,
    /// The org has a number of that direction.
    NumberExists,
    /// The number was sold to another customer.
    NumberTaken,
    /// No number of that kind and place is to be had.
    NoNumberAvailable,
    /// The country demands an address, and none came.
    AddressRequired,
    /// The carrier sells numbers of the country under approved papers only, and there are none.
    BundleRequired,
    /// A purchase came to nothing; whatever was charged came back.
    PurchaseFailed,
    /// Another purchase of that direction is underway.
    PurchaseUnderway,
    /// The client's idempotency key was used with another body.
    IdempotencyKeyReused,
    /// The carrier does not take the account's credentials.
    CredentialsRefused,
    /// The carrier did not answer.
    CarrierUnavailable,
    /// Vapi does not answer.
    VoiceUnavailable,
    /// Another request saved meanwhile.
    VersionConflict,
    /// The time is not free.
    TimeNotFree,
    /// The appointment cannot stand as is asked.
    WrongStatus,
    /// The agent has no assistant at the voice service yet.
    AgentNotReady,
    /// The org has no outbound number.
    NoOutboundNumber,
    /// Calls to that country are not allowed.
    CountryNotAllowed,
    /// The voice service will not start the call.
    CallRefused,
    /// The org has as many calls as it may have at a time.
    TooManyCalls,
    /// The lines that all orgs share are taken, or the org or the person rung has as many calls as there may be.
    LinesBusy,
    /// The org has begun as many calls as it may on one day.
    TooManyCallsToday,
    /// The org is on a call with that number already.
    NumberOnCall,
    /// The call has not begun to talk.
    CallNotBegun,
    /// The doubt about a call can no longer be accepted.
    DoubtLapsed,
    /// The voice service does not give the recording.
    RecordingUnavailable,
    /// The clinic's calendar cannot be had.
    CalendarUnavailable,
    /// The issuer of tokens did not do its part.
    SignInUnavailable,
    /// The address and the password are not those of an account.
    SignInRefused,
    /// A link to sign in by is not taken.
    LinkRefused,
    /// The session of the console has ended, or there is none.
    SessionEnded,
    /// A new password is not taken.
    PasswordRefused,
    /// The person's account belongs to another clinic.
    AccountElsewhere,
    /// The person is in the team with another role.
    MemberExists,
    /// A clinic keeps an owner.
    LastOwner,
    /// The clinic exists, with another owner.
    ClinicExists,
    /// It was done too often in a short time.
    TooManyRequests,
    /// Something of ours failed.
    Internal,
}

impl Code {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 55] = [
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::InvalidBody,
        Self::BodyTooLarge,
        Self::InvalidValue,
        Self::InvalidAmount,
        Self::InvalidCursor,
        Self::PeriodTooLarge,
        Self::MissingToken,
        Self::InvalidToken,
        Self::NoOrg,
        Self::Forbidden,
        Self::InvalidSignature,
        Self::WebhookNotConfigured,
        Self::PaymentProviderUnavailable,
        Self::InsufficientFunds,
        Self::WalletFrozen,
        Self::NoPaymentMethod,
        Self::NumberExists,
        Self::NumberTaken,
        Self::NoNumberAvailable,
        Self::AddressRequired,
        Self::BundleRequired,
        Self::PurchaseFailed,
        Self::PurchaseUnderway,
        Self::IdempotencyKeyReused,
        Self::CredentialsRefused,
        Self::CarrierUnavailable,
        Self::VoiceUnavailable,
        Self::VersionConflict,
        Self::TimeNotFree,
        Self::WrongStatus,
        Self::AgentNotReady,
        Self::NoOutboundNumber,
        Self::CountryNotAllowed,
        Self::CallRefused,
        Self::TooManyCalls,
        Self::LinesBusy,
        Self::TooManyCallsToday,
        Self::NumberOnCall,
        Self::CallNotBegun,
        Self::DoubtLapsed,
        Self::RecordingUnavailable,
        Self::CalendarUnavailable,
        Self::SignInUnavailable,
        Self::SignInRefused,
        Self::LinkRefused,
        Self::SessionEnded,
        Self::PasswordRefused,
        Self::AccountElsewhere,
        Self::MemberExists,
        Self::LastOwner,
        Self::ClinicExists,
        Self::TooManyRequests,
        Self::Internal,
    ];

    /// What a 401 asks for (RFC 9110, 11.6.1, and RFC 6750, 3).
    pub(super) const fn challenge(self) -> Option<&'static str> {
        if self.parts().1.as_u16() != StatusCode::UNAUTHORIZED.as_u16() {
            return None;
        }
        Some(if matches!(self, Self::InvalidSignature) {
            "Signature"
        } else if matches!(self, Self::InvalidToken) {
            "Bearer error=\"invalid_token\""
        } else {
            "Bearer"
        })
    }

    /// The code, its status, and its sentence. A problem may have a more exact sentence.
    #[expect(clippy::too_many_lines, reason = "a table, a row for each code")]
    pub const fn parts(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Self::NotFound => ("not_found", StatusCode::NOT_FOUND, "There is nothing at this address."),
            Self::MethodNotAllowed => (
                "method_not_allowed",
                StatusCode::METHOD_NOT_ALLOWED,
                "This address does not take that method.",
            ),
            Self::InvalidBody => (
                "invalid_body",
                StatusCode::BAD_REQUEST,
                "The body is not the JSON object that this address takes.",
            ),
            Self::BodyTooLarge => (
                "body_too_large",
                StatusCode::PAYLOAD_TOO_LARGE,
                "The body is larger than this address takes.",
            ),
            Self::InvalidValue => {
                ("invalid_value", StatusCode::BAD_REQUEST, "A value is not one this address takes.")
            }
            Self::InvalidAmount => (
                "invalid_amount",
                StatusCode::BAD_REQUEST,
                "The amount is not whole pence within the limits.",
            ),
            Self::InvalidCursor => (
                "invalid_cursor",
                StatusCode::BAD_REQUEST,
                "The cursor is not one this list gave. Start again without it.",
            ),
            Self::PeriodTooLarge => (
                "period_too_large",
                StatusCode::UNPROCESSABLE_ENTITY,
                "The period holds more entries than one answer can (10,000, or 4.5 MB). Ask for a shorter one.",
            ),
            Self::MissingToken => {
                ("missing_token", StatusCode::UNAUTHORIZED, "Sign in: no bearer token came with the request.")
            }
            Self::InvalidToken => {
                ("invalid_token", StatusCode::UNAUTHORIZED, "Sign in again: the token is not accepted.")
            }
            Self::NoOrg => (
                "no_org",
                StatusCode::FORBIDDEN,
                "This account does not belong to a clinic. Ask your administrator.",
            ),
            Self::Forbidden => (
                "forbidden",
                StatusCode::FORBIDDEN,
                "Your role may not do that. Ask an administrator or owner of the clinic.",
            ),
            Self::InvalidSignature => {
                ("invalid_signature", StatusCode::UNAUTHORIZED, "The webhook's signature is not accepted.")
            }
            Self::WebhookNotConfigured => (
                "webhook_not_configured",
                StatusCode::SERVICE_UNAVAILABLE,
                "Webhooks cannot be verified at the moment. Send it again later.",
            ),
            Self::PaymentProviderUnavailable => (
                "payment_provider_unavailable",
                StatusCode::BAD_GATEWAY,
                "The payment provider did not do it. Nothing was charged. Try again in a moment.",
            ),
            Self::InsufficientFunds => (
                "insufficient_funds",
                StatusCode::PAYMENT_REQUIRED,
                "There is not enough money in the wallet. Top it up and try again.",
            ),
            Self::WalletFrozen => (
                "wallet_frozen",
                StatusCode::CONFLICT,
                "The wallet is being checked and cannot be spent from at the moment. Tell us the request id.",
            ),
            Self::NoPaymentMethod => (
                "no_payment_method",
                StatusCode::CONFLICT,
                "There is no card to charge. Top up by card once; that card can then be charged by itself.",
            ),
            Self::NumberExists => (
                "number_exists",
                StatusCode::CONFLICT,
                "The clinic has a number for these calls already. Release it first.",
            ),
            Self::NumberTaken => (
                "number_taken",
                StatusCode::CONFLICT,
                "That number is no longer to be had. Nothing was charged. Search again and choose another.",
            ),
            Self::NoNumberAvailable => (
                "no_number_available",
                StatusCode::CONFLICT,
                "No number of that kind is to be had there. Nothing was charged. Try another area or kind.",
            ),
            Self::AddressRequired => (
                "address_required",
                StatusCode::BAD_REQUEST,
                "Numbers of this country need the clinic's address: send it with the request. Nothing was charged.",
            ),
            Self::BundleRequired => (
                "bundle_required",
                StatusCode::CONFLICT,
                "Numbers of this country are sold only to a business whose papers Twilio has approved, and none are \
                 approved for this kind. Nothing was charged. Ask us to have the clinic's papers approved, or bring a \
                 number from the clinic's own Twilio account.",
            ),
            Self::PurchaseFailed => (
                "purchase_failed",
                StatusCode::UNPROCESSABLE_ENTITY,
                "The number could not be provided. Whatever was charged is back in the wallet. Try another number.",
            ),
            Self::PurchaseUnderway => (
                "purchase_underway",
                StatusCode::CONFLICT,
                "Another purchase for these calls is underway. Wait for it, or repeat the request it began with.",
            ),
            Self::IdempotencyKeyReused => (
                "idempotency_key_reused",
                StatusCode::UNPROCESSABLE_ENTITY,
                "This Idempotency-Key came with another body before. Send the same body, or take a new key.",
            ),
            Self::CredentialsRefused => (
                "credentials_refused",
                StatusCode::BAD_REQUEST,
                "Twilio does not take these credentials. Check the account SID and the auth token.",
            ),
            Self::CarrierUnavailable => (
                "carrier_unavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                "The carrier does not answer at the moment. Try again in a minute.",
            ),
            Self::VoiceUnavailable => (
                "voice_unavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                "The voice service does not answer at the moment. Try again in a minute.",
            ),
            Self::VersionConflict => (
                "version_conflict",
                StatusCode::CONFLICT,
                "Somebody saved this agent meanwhile. Load it again, and make your change to that.",
            ),
            Self::TimeNotFree => (
                "time_not_free",
                StatusCode::CONFLICT,
                "That time cannot be booked. Take one of the alternatives, or overbook with a reason.",
            ),
            Self::WrongStatus => (
                "wrong_status",
                StatusCode::CONFLICT,
                "The appointment cannot stand so from how it stands now. Load it again.",
            ),
            Self::AgentNotReady => (
                "agent_not_ready",
                StatusCode::CONFLICT,
                "The agent is not ready at the voice service yet. Save it, and try again in a minute.",
            ),
            Self::NoOutboundNumber => (
                "no_outbound_number",
                StatusCode::CONFLICT,
                "The clinic has no number to call from. Buy or connect an outbound number first.",
            ),
            Self::CountryNotAllowed => (
                "country_not_allowed",
                StatusCode::BAD_REQUEST,
                "Calls to that country, or to that kind of number, are not allowed.",
            ),
            Self::CallRefused => (
                "call_refused",
                StatusCode::UNPROCESSABLE_ENTITY,
                "The voice service would not start the call. Nothing was charged. Check the number and the agent.",
            ),
            Self::TooManyCalls => (
                "too_many_calls",
                StatusCode::TOO_MANY_REQUESTS,
                "The clinic has as many calls at a time as it may have. Try again when one of them is over.",
            ),
            Self::LinesBusy => (
                "lines_busy",
                StatusCode::TOO_MANY_REQUESTS,
                "All lines are busy at the moment. Nobody was rung and nothing was charged. Try again in a few minutes.",
            ),
            Self::TooManyCallsToday => (
                "too_many_calls_today",
                StatusCode::TOO_MANY_REQUESTS,
                "The clinic has begun as many calls as it may on one day. Try again tomorrow, or ask us for more.",
            ),
            Self::NumberOnCall => (
                "number_on_call",
                StatusCode::CONFLICT,
                "The clinic is calling that number already. Try again when that call is over.",
            ),
            Self::CallNotBegun => (
                "call_not_begun",
                StatusCode::CONFLICT,
                "The call rings and has not begun. End it when somebody has answered.",
            ),
            Self::DoubtLapsed => (
                "doubt_lapsed",
                StatusCode::CONFLICT,
                "This doubt has lapsed: a doubt can be accepted for 14 days after it arose.",
            ),
            Self::RecordingUnavailable => (
                "recording_unavailable",
                StatusCode::BAD_GATEWAY,
                "The recording cannot be had at this moment. Please try again.",
            ),
            Self::CalendarUnavailable => (
                "calendar_unavailable",
                StatusCode::BAD_GATEWAY,
                "The calendar's vendor did not do it. Try again in a moment, or connect the calendar anew.",
            ),
            Self::SignInUnavailable => (
                "sign_in_unavailable",
                StatusCode::BAD_GATEWAY,
                "It is written down, and the sign-in service was not told yet. Send the same again in a minute to have it done.",
            ),
            Self::SignInRefused => {
                ("sign_in_refused", StatusCode::UNAUTHORIZED, "The address or the password is not right.")
            }
            Self::LinkRefused => (
                "link_refused",
                StatusCode::UNAUTHORIZED,
                "That link has been used, or is too old. Ask for another.",
            ),
            Self::SessionEnded => (
                "session_ended",
                StatusCode::UNAUTHORIZED,
                "Nobody is signed in here, or the session has ended. Sign in.",
            ),
            Self::PasswordRefused => (
                "password_refused",
                StatusCode::UNPROCESSABLE_ENTITY,
                "That password is too short, or too easily guessed. Choose a longer one.",
            ),
            Self::AccountElsewhere => (
                "account_elsewhere",
                StatusCode::CONFLICT,
                "That address has an account that is not this clinic's, and an address signs in to one. Take another address.",
            ),
            Self::MemberExists => (
                "member_exists",
                StatusCode::CONFLICT,
                "That person is in the team with another role. Change the role there.",
            ),
            Self::LastOwner => (
                "last_owner",
                StatusCode::CONFLICT,
                "A clinic keeps an owner. Make somebody else an owner first.",
            ),
            Self::ClinicExists => (
                "clinic_exists",
                StatusCode::CONFLICT,
                "That clinic exists and has another owner. Name its owner, or give another id.",
            ),
            Self::TooManyRequests => (
                "too_many_requests",
                StatusCode::TOO_MANY_REQUESTS,
                "That was done too often in a short time. Try again when Retry-After says.",
            ),
            Self::Internal => (
                "internal",
                StatusCode::INTERNAL_SERVER_ERROR,
                "Something went wrong on our side. Try again; if it stays, tell us the request id.",
            ),
        }
    }
}
