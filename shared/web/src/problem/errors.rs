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

impl From<services::team::TeamError> for Problem {
    fn from(error: services::team::TeamError) -> Self {
        use domain::team::TeamRefusal;
        use services::team::TeamError;
        match &error {
            TeamError::Refused(TeamRefusal::Unknown) => {
                Self::new(Code::NotFound).saying("The clinic has no such person: choose one of its team.")
            }
            TeamError::Refused(TeamRefusal::NotYours) => Self::new(Code::Forbidden)
                .saying("You may not change who works here, whatever you could when you signed in. Ask an owner of the clinic."),
            TeamError::Refused(TeamRefusal::OwnersOnly) => Self::new(Code::Forbidden)
                .saying("Only an owner of the clinic decides who is an owner. Ask one."),
            TeamError::Refused(TeamRefusal::LastOwner) => Self::new(Code::LastOwner),
            TeamError::Refused(TeamRefusal::OtherRole) => Self::new(Code::MemberExists),
            TeamError::Refused(TeamRefusal::Full) => Self::new(Code::InvalidValue).saying(format!(
                "A clinic has at most {} people. Remove somebody first.",
                domain::team::MOST_MEMBERS
            )),
            TeamError::OtherOwner => Self::new(Code::ClinicExists),
            TeamError::TooOften(wait) => Self::too_often(*wait)
                .saying("So many invitations are not sent in a day. Wait, and try again."),
            TeamError::Issuer(_) => Self::new(Code::SignInUnavailable).because(&error),
            TeamError::Store(_) => Self::internal(&error),
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
