//! What each error of the crates below is to a client.

use super::{Code, Problem};

impl From<store::StoreError> for Problem {
    fn from(error: store::StoreError) -> Self {
        Self::internal(&error)
    }
}

impl From<services::charging::ChargingError> for Problem {
    fn from(error: services::charging::ChargingError) -> Self {
        Self::internal(&error)
    }
}

impl From<services::provisioning::ProvisionError> for Problem {
    fn from(error: services::provisioning::ProvisionError) -> Self {
        use services::provisioning::ProvisionError;
        match &error {
            ProvisionError::Twilio(_) => Self::new(Code::CarrierUnavailable).because(&error),
            ProvisionError::Vapi(_) => Self::new(Code::VoiceUnavailable).because(&error),
            ProvisionError::Store(_) | ProvisionError::Keyring(_) | ProvisionError::Contended => {
                Self::internal(&error)
            }
        }
    }
}

impl From<store::numbers::NotListed> for Problem {
    fn from(error: store::numbers::NotListed) -> Self {
        use store::numbers::NotListed;
        match error {
            NotListed::Unknown => Self::new(Code::NotFound)
                .saying("The clinic has no such number: choose one that its list of numbers shows."),
            NotListed::OfDirection(direction) => {
                let kind = direction.as_str();
                Self::new(Code::InvalidValue)
                    .saying(format!("That number is for {kind} calls: give it to the {kind} agent."))
            }
        }
    }
}

impl From<services::payments::PaymentError> for Problem {
    fn from(error: services::payments::PaymentError) -> Self {
        Self::internal(&error)
    }
}

impl From<vendors::signature::Unverified> for Problem {
    fn from(error: vendors::signature::Unverified) -> Self {
        use vendors::signature::Unverified;
        match error {
            Unverified::NoSecret => {
                base::alarm!(
                    "webhook_secret_missing",
                    "a webhook came and there is no secret to verify it by"
                );
                Self::new(Code::WebhookNotConfigured).because(&error)
            }
            Unverified::Unsigned | Unverified::Malformed | Unverified::Stale | Unverified::Mismatch => {
                Self::new(Code::InvalidSignature).because(&error)
            }
        }
    }
}
