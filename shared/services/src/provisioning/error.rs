//! Why a purchase, or a step of it, was not done.

use crate::voice::VoiceError;
use base::alarm;
use base::alarm::chain;
use base::keyring::KeyringError;
use domain::purchase::{Failure, Purchase};
use store::{ChangeError, StoreError};
use vendors::{twilio::TwilioError, vapi::VapiError};

/// Why nothing can be said yet: to be tried again.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// The store or the queue did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A secret does not open.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The carrier did not do its part.
    #[error(transparent)]
    Twilio(#[from] TwilioError),
    /// Vapi did not do its part.
    #[error(transparent)]
    Vapi(#[from] VapiError),
    /// Others kept changing the same purchase.
    #[error("the purchase was changed by others until the time was up")]
    Contended,
}

impl From<ChangeError> for ProvisionError {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Moved => Self::Contended,
            ChangeError::Store(error) => error.into(),
        }
    }
}

/// What a step came to.
pub(super) enum Step {
    /// The purchase has moved on.
    On(Box<Purchase>),
    /// Nothing more can be done now.
    Wait,
}

/// Why a step was not done.
pub(super) enum StepError {
    /// A vendor, or another request that is making the same thing.
    Failed(Failure),
    /// The same, and nothing that a vendor was asked for can still come to be.
    Certain(Failure),
    /// Another request is making something that this one needs.
    Busy,
    /// Ours: to be tried again.
    Ours(ProvisionError),
}

impl<E: Into<ProvisionError>> From<E> for StepError {
    fn from(error: E) -> Self {
        match error.into() {
            ProvisionError::Twilio(error) => {
                tracing::warn!(cause = chain(&error), "the carrier did not do its part of a number");
                Self::Failed(of_twilio(&error))
            }
            ProvisionError::Vapi(error) => Self::of_vapi(&error),
            ours @ (ProvisionError::Store(_) | ProvisionError::Keyring(_) | ProvisionError::Contended) => {
                Self::Ours(ours)
            }
        }
    }
}

/// What a purchase came to by the carrier's answer. A no to our own account is ours to mend, not the clinic's.
fn of_twilio(error: &TwilioError) -> Failure {
    if error.is_about_account() {
        alarm!("carrier_account_refused", cause = chain(error), "the carrier refuses an account of ours");
        return Failure::VendorTrouble;
    }
    if error.is_final() {
        Failure::CarrierRefused { sentence: error.sentence().to_owned() }
    } else {
        Failure::VendorTrouble
    }
}

impl StepError {
    /// A failure is certain, if it is.
    pub(super) fn certain_if(self, is_certain: bool) -> Self {
        match self {
            Self::Failed(failure) if is_certain => Self::Certain(failure),
            Self::Failed(_) | Self::Certain(_) | Self::Busy | Self::Ours(_) => self,
        }
    }

    pub(super) fn of_vapi(error: &VapiError) -> Self {
        tracing::warn!(cause = chain(error), "Vapi did not do its part of a number");
        Self::Failed(if error.is_final() { Failure::VoiceRefused } else { Failure::VendorTrouble })
    }

    pub(super) fn of_voice(error: VoiceError) -> Self {
        match error {
            VoiceError::Vapi(error) => Self::of_vapi(&error),
            VoiceError::Busy { .. } => Self::Busy,
            VoiceError::NoSecret => Self::Failed(Failure::VoiceRefused),
            VoiceError::Store(error) => Self::Ours(error.into()),
        }
    }
}
