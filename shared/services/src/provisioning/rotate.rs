//! Sealing every secret anew with the current key.

use secrecy::ExposeSecret;

use super::{ProvisionError, Provisioning};
use domain::purchase::{Purchase, Source};
use store::{
    Attempt,
    calendars::{CalendarCredential, CalendarCredentials, GOOGLE_CALENDAR},
    made_once::{SUBACCOUNT_RECORD, Slot, Subaccount},
    numbers::provider_type,
};

/// What a rotation did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotated {
    /// Secrets that are sealed by the current key now, and were not before.
    pub resealed: usize,
    /// Secrets that the current key had sealed already.
    pub current: usize,
    /// Secrets that others changed in the same moment: to be run again.
    pub missed: usize,
}

impl Rotated {
    const fn note(&mut self, written: Attempt<()>) {
        match written {
            Attempt::Done(()) => self.resealed = self.resealed.saturating_add(1),
            Attempt::Moved => self.missed = self.missed.saturating_add(1),
        }
    }
}

impl Provisioning {
    /// Opens every secret and seals it with the current key. It may run beside everything else, and as often as one likes;
    /// a key may be taken away once a run reports nothing resealed and nothing missed.
    ///
    /// # Errors
    /// When the store does not do its part, or a secret opens by no key.
    pub async fn rotate_keys(&self) -> Result<Rotated, ProvisionError> {
        let current = self.keyring.current().unwrap_or_default().to_owned();
        let mut rotated = Rotated::default();
        for number in self.numbers.all().await? {
            if number.token.key_id == current {
                rotated.current = rotated.current.saturating_add(1);
                continue;
            }
            let record = provider_type(number.direction);
            let token = self.keyring.open(number.org_id, &record, &number.token)?;
            let token = self.keyring.seal(number.org_id, &record, token.expose_secret())?;
            rotated.note(Attempt::of(self.numbers.reseal(&number, token).await)?);
        }
        for (org, slot) in self.subaccounts.all().await? {
            let Some(made) = &slot.made else { continue };
            if made.token.key_id == current {
                rotated.current = rotated.current.saturating_add(1);
                continue;
            }
            let token = self.keyring.open(org, SUBACCOUNT_RECORD, &made.token)?;
            let token = self.keyring.seal(org, SUBACCOUNT_RECORD, token.expose_secret())?;
            let made = Some(Subaccount { token, ..made.clone() });
            let saved = self.subaccounts.save(&org.to_string(), &Slot { made, ..slot }).await;
            rotated.note(Attempt::of(saved.map(|_| ()))?);
        }
        self.rotate_calendars(&current, &mut rotated).await?;
        for claim in self.purchases.with_secrets().await? {
            let Source::Own { own_token: Some(own_token) } = &claim.source else { continue };
            if own_token.key_id == current {
                rotated.current = rotated.current.saturating_add(1);
                continue;
            }
            let record = provider_type(claim.direction);
            let token = self.keyring.open(claim.org_id, &record, own_token)?;
            let own_token = Some(self.keyring.seal(claim.org_id, &record, token.expose_secret())?);
            let after = Purchase { source: Source::Own { own_token }, ..claim.clone() };
            let saved = self.purchases.save(&claim, after).await;
            rotated.note(Attempt::of(saved.map(|_| ()))?);
        }
        Ok(rotated)
    }

    async fn rotate_calendars(&self, current: &str, rotated: &mut Rotated) -> Result<(), ProvisionError> {
        let calendars = CalendarCredentials::new(self.db.clone());
        for credential in calendars.all().await? {
            if credential.refresh_token.key_id == current {
                rotated.current = rotated.current.saturating_add(1);
                continue;
            }
            let (org, record) = (credential.org_id, GOOGLE_CALENDAR);
            let token = self.keyring.open(org, record, &credential.refresh_token)?;
            let refresh_token = self.keyring.seal(org, record, token.expose_secret())?;
            // What lasts an hour is asked for again instead.
            let after = CalendarCredential { refresh_token, access_token: None, ..credential };
            rotated.note(Attempt::of(calendars.save(&after).await.map(|_| ()))?);
        }
        Ok(())
    }
}
