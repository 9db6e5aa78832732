//! How often an org may do what costs us money or a share of a vendor's patience, or tells a guesser something, whatever comes of it.

use jiff::{SignedDuration, Timestamp};

use crate::time::rfc3339_millis;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Costly {
    /// A page to pay at is made at Stripe.
    Checkout,
    /// Numbers for sale are searched at Twilio.
    NumberSearch,
    /// A number is bought after a purchase that came to nothing: each such trial costs us, and the clinic nothing.
    PurchaseAfterFailure,
    /// An account at Twilio is tried with a token: unbounded, we would tell anyone which tokens are good.
    AccountConnect,
    /// A caller says a patient's name to hear of appointments; counted for each caller's number.
    PatientSearch,
    /// A text is sent to a patient; counted for each number.
    TextToNumber,
    /// A text is sent to any patient: a token that falls into other hands must not empty the wallet so.
    Text,
    /// A letter is sent to a patient; counted for each address.
    LetterToAddress,
    /// A letter is sent to any patient: all clinics send from one address, which the vendor shuts where it is misused.
    Letter,
    /// A person is invited: the issuer's letters of an hour are those of all clinics together.
    Invitation,
    /// A person is invited; counted for each address, whoever was removed in between.
    InvitationTo,
}

/// At most so often in a window. Windows follow one another, the first from 1970 on, so that across the seam of two the most
/// may be done twice in less than a window's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How often.
    pub most: u32,
    /// How long a window is, in seconds; above zero.
    window_secs: i64,
}

/// The window that an instant lies in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// What it is counted under.
    pub key: String,
    /// When the next one begins.
    pub ends_at: Timestamp,
}

impl Costly {
    /// Everything that is counted.
    pub const ALL: [Self; 11] = [
        Self::Checkout,
        Self::NumberSearch,
        Self::PurchaseAfterFailure,
        Self::AccountConnect,
        Self::PatientSearch,
        Self::TextToNumber,
        Self::Text,
        Self::LetterToAddress,
        Self::Letter,
        Self::Invitation,
        Self::InvitationTo,
    ];

    /// The name it is counted under.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Checkout => "checkout",
            Self::NumberSearch => "number_search",
            Self::PurchaseAfterFailure => "purchase_after_failure",
            Self::AccountConnect => "account_connect",
            Self::PatientSearch => "patient_search",
            Self::TextToNumber => "text_to_number",
            Self::Text => "text",
            Self::LetterToAddress => "letter_to_address",
            Self::Letter => "letter",
            Self::Invitation => "invitation",
            Self::InvitationTo => "invitation_to",
        }
    }

    /// How often an org may do it, or one of those that are counted apart.
    pub const fn rate(self) -> Rate {
        match self {
            Self::Checkout => Rate { most: 30, window_secs: 3_600 },
            Self::NumberSearch => Rate { most: 60, window_secs: 600 },
            Self::PurchaseAfterFailure | Self::AccountConnect => Rate { most: 10, window_secs: 3_600 },
            Self::PatientSearch => Rate { most: 5, window_secs: 86_400 },
            Self::TextToNumber | Self::LetterToAddress => Rate { most: 10, window_secs: 86_400 },
            Self::Text | Self::Letter => Rate { most: 1_000, window_secs: 86_400 },
            Self::Invitation => Rate { most: 20, window_secs: 86_400 },
            Self::InvitationTo => Rate { most: 3, window_secs: 86_400 },
        }
    }

    /// The window in which it is counted at `now`.
    pub fn window(self, now: Timestamp) -> Window {
        let length = self.rate().window_secs;
        let begins = now.as_second().div_euclid(length).saturating_mul(length);
        let begins_at = Timestamp::from_second(begins).unwrap_or(now);
        let ends_at = begins_at.saturating_add(SignedDuration::from_secs(length)).unwrap_or(Timestamp::MAX);
        Window { key: format!("{}#{}", self.as_str(), rfc3339_millis(begins_at)), ends_at }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_instant_is_in_one_window_that_ends_after_it(second in 0_i64..4_000_000_000) {
            let now = Timestamp::from_second(second).unwrap();
            for costly in Costly::ALL {
                let window = costly.window(now);
                prop_assert!(window.ends_at > now);
                let ends = window.ends_at.as_second();
                prop_assert!(ends.saturating_sub(second) <= costly.rate().window_secs);
                let last = Timestamp::from_second(ends.saturating_sub(1)).unwrap();
                prop_assert_eq!(costly.window(last), window.clone());
                prop_assert_ne!(costly.window(window.ends_at), window);
            }
        }
    }
}
