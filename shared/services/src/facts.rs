//! What the receptionist is told of the clinic at the beginning of each call, and whether she answers it.

use std::sync::Arc;

use base::{alarm::chain, clock::Clock};
use domain::{
    answering::line_instead, clinic::ClinicName, facts::facts, ids::OrgId, phone_number::PhoneNumber,
};
use jiff::SignedDuration;
use store::{Dynamo, StoreError, booking::Bookings, clinics::Clinics};

/// How long it may be asked for. A caller hears it ring meanwhile.
const PATIENCE: SignedDuration = SignedDuration::from_millis(300);

/// What is so of a clinic as a call begins. Of one that cannot be read nothing is known, and its receptionist answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// What she is told of it.
    pub facts: String,
    /// What it is called, which she says first.
    pub name: Option<String>,
    /// Where the call is to be put through, because she does not answer at this time.
    pub line: Option<PhoneNumber>,
}

/// Reads what is so of clinics.
#[derive(Clone, Debug)]
pub struct Facts {
    bookings: Bookings,
    clinics: Clinics,
    clock: Arc<dyn Clock>,
}

impl Facts {
    /// Puts it together.
    pub fn new(db: &Dynamo, clock: Arc<dyn Clock>) -> Self {
        let db = db.within(PATIENCE);
        Self { bookings: Bookings::new(db.clone()), clinics: Clinics::new(db), clock }
    }

    /// What is so of an org's clinic now; nothing when it cannot be read: no call waits for it, and none fails by it.
    pub async fn of(&self, org: OrgId) -> Known {
        match self.read(org).await {
            Ok(known) => known,
            Err(error) => {
                tracing::warn!(org_id = %org, cause = chain(&error), "a receptionist is told nothing of the clinic");
                Known::default()
            }
        }
    }

    async fn read(&self, org: OrgId) -> Result<Known, StoreError> {
        let (clinic, catalog) = futures::try_join!(self.clinics.get(org), self.bookings.catalog(org))?;
        let now = self.clock.now();
        Ok(Known {
            facts: facts(&clinic, &catalog.services, &catalog.resources, now),
            name: clinic.name.as_ref().map(ClinicName::as_str).map(str::to_owned),
            line: line_instead(&clinic, &catalog.resources, now).cloned(),
        })
    }
}
