//! A contact: a person whom the clinic knows. A number leads to several people, so a person is found by the number and the whole
//! name; who withholds the number is never taken for anybody.

mod search;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use self::search::Search;
use crate::{
    booking::{
        appointment::{Patient, PatientName},
        intake::{Answered, learned},
    },
    email::EmailAddress,
    ids::{ContactId, OrgId},
    personal::{Number, Personal, Words},
    phone_number::PhoneNumber,
    time::whole_millis,
};

/// A contact, as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// The clinic's org.
    pub org_id: OrgId,
    /// Which it is, through all its changes.
    pub contact_id: ContactId,
    /// Raised by every write; 0 for one that is not written yet. A write names the one that it read.
    pub version: u64,
    /// The name.
    pub name: PatientName,
    /// The number: as the network showed it, or as staff noted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<Personal<PhoneNumber, Number>>,
    /// Where mail reaches them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<EmailAddress>,
    /// Since when the address is this one, or none; absent in records from before this was kept.
    #[serde(default, with = "crate::time::millis::option", skip_serializing_if = "Option::is_none")]
    pub email_since: Option<Timestamp>,
    /// What was last said of texts to the number: that they may be sent, or that none may; none where nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub may_text: Option<bool>,
    /// What they answered when they booked: the last to each question.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answered>,
    /// What the clinic notes of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<Personal<String, Words>>,
    /// When the clinic first knew of them.
    #[serde(with = "crate::time::millis")]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[serde(with = "crate::time::millis")]
    pub updated_at: Timestamp,
}

impl Contact {
    /// Returns the contact that a clinic has of a patient from `now` on.
    pub fn of(org_id: OrgId, contact_id: ContactId, patient: &Patient, now: Timestamp) -> Self {
        let now = whole_millis(now);
        Self {
            org_id,
            contact_id,
            version: 0,
            name: patient.name.clone(),
            phone_number: patient.phone_number.clone(),
            email: patient.email.clone(),
            email_since: Some(now),
            may_text: patient.may_text,
            answers: Vec::new(),
            notes: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// Returns the contact as it is when a patient gives an address that the clinic did not have, or says something else of texts; none
    /// when there is nothing new. An address that the clinic has is not replaced: on the telephone anybody may say anything. Of texts the
    /// last word counts.
    pub fn learning(&self, patient: &Patient, now: Timestamp) -> Option<Self> {
        let email = self.email.clone().or_else(|| patient.email.clone());
        let may_text = patient.may_text.or(self.may_text);
        let is_news = email != self.email || may_text != self.may_text;
        let updated_at = whole_millis(now);
        is_news.then(|| Self { may_text, updated_at, ..self.clone().with_email(email, now) })
    }

    /// Returns it with this address. Since when it has it is noted where that was not yet: of a record from before it was kept, the last
    /// change may have made it.
    #[must_use]
    pub fn with_email(self, email: Option<EmailAddress>, now: Timestamp) -> Self {
        let since =
            if email == self.email { self.email_since.unwrap_or(self.updated_at) } else { whole_millis(now) };
        Self { email, email_since: Some(since), ..self }
    }

    /// Returns whether the address was made this one after `at`.
    pub fn email_has_changed_since(&self, at: Timestamp) -> bool {
        self.email_since.unwrap_or(self.updated_at) > at
    }

    /// Returns the contact after they answered something; none when there is nothing new.
    pub fn answering(&self, answers: &[Answered], now: Timestamp) -> Option<Self> {
        let after = learned(&self.answers, answers);
        let is_new = after != self.answers;
        let email = self.email.clone();
        is_new.then(|| Self {
            answers: after,
            updated_at: whole_millis(now),
            ..self.clone().with_email(email, now)
        })
    }

    /// Returns it as the store has it once it is written.
    #[must_use]
    pub fn written(&self) -> Self {
        Self { version: self.version.saturating_add(1), ..self.clone() }
    }
}

/// Returns what all spellings of a name have in common and no other name has, in hexadecimal: half of a SHA-256.
pub fn spelled_alike(name: &PatientName) -> String {
    hex::encode(Sha256::digest(name.folded())).chars().take(32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> PatientName {
        PatientName::parse(text).unwrap()
    }

    #[test]
    fn a_name_is_one_in_all_its_spellings() {
        assert_eq!(spelled_alike(&name("Ada Lovelace")), spelled_alike(&name("ADA  lovelace.")));
        assert_ne!(spelled_alike(&name("Ada Lovelace")), spelled_alike(&name("Ida Lovelace")));
        assert_eq!(spelled_alike(&name("Ada Lovelace")).len(), 32);
    }

    #[test]
    fn an_address_is_learned_once_and_not_replaced_by_what_is_said() {
        let now: Timestamp = "2026-12-01T12:00:00Z".parse().unwrap();
        let address = |text: &str| EmailAddress::parse(text).unwrap();
        let patient = Patient { name: name("Ada Lovelace"), phone_number: None, email: None, may_text: None };
        let id = ContactId::parse("c1").unwrap();
        let known = Contact::of(OrgId::new(uuid::Uuid::nil()), id, &patient, now);
        assert_eq!(known.learning(&patient, now), None);
        let says = |email: &str| Patient { email: Some(address(email)), ..patient.clone() };
        let learned = known.learning(&says("ada@example.com"), now).unwrap();
        assert_eq!(learned.email, Some(address("ada@example.com")));
        assert_eq!(learned.learning(&says("eve@example.com"), now), None);
        // What else is noted later does not make the address newer.
        let later = now.checked_add(jiff::SignedDuration::from_mins(1)).unwrap();
        let texts = learned.learning(&Patient { may_text: Some(true), ..patient.clone() }, later).unwrap();
        assert!(texts.updated_at > now && !texts.email_has_changed_since(now));
        let old = Contact { email_since: None, ..texts };
        assert!(old.email_has_changed_since(now), "of old records the last change may have");
    }

    #[test]
    fn the_last_word_on_texts_counts_and_silence_is_none() {
        let now: Timestamp = "2026-12-01T12:00:00Z".parse().unwrap();
        let says =
            |may_text| Patient { name: name("Ada Lovelace"), phone_number: None, email: None, may_text };
        let id = ContactId::parse("c1").unwrap();
        let known = Contact::of(OrgId::new(uuid::Uuid::nil()), id, &says(None), now);
        let refused = known.learning(&says(Some(false)), now).unwrap();
        assert_eq!((refused.may_text, refused.learning(&says(None), now)), (Some(false), None));
        assert_eq!(refused.learning(&says(Some(true)), now).unwrap().may_text, Some(true));
    }
}
