//! What the receptionist is told of the clinic at the beginning of each call.

use std::sync::Arc;

use base::{alarm::chain, clock::Clock};
use domain::{facts::facts, ids::OrgId};
use jiff::SignedDuration;
use store::{Dynamo, StoreError, booking::Bookings, clinics::Clinics};

/// How long it may be asked for. A caller hears it ring meanwhile.
const PATIENCE: SignedDuration = SignedDuration::from_millis(300);

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
    pub async fn of(&self, org: OrgId) -> Option<String> {
        match self.read(org).await {
            Ok(facts) => Some(facts),
            Err(error) => {
                tracing::warn!(org_id = %org, cause = chain(&error), "a receptionist is told nothing of the clinic");
                None
            }
        }
    }

    async fn read(&self, org: OrgId) -> Result<String, StoreError> {
        let (clinic, catalog) = futures::try_join!(self.clinics.get(org), self.bookings.catalog(org))?;
        Ok(facts(&clinic, &catalog.services, &catalog.resources, self.clock.now()))
    }
}
