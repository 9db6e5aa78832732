//! Forward: charge, then buy at the carrier, then hand to Vapi.

use jiff::SignedDuration;
use secrecy::ExposeSecret;

use super::{ProvisionError, Provisioning, QUIET, Step, StepError};
use crate::messages::texts_url;
use base::alarm::chain;
use domain::{
    ids::OrgId,
    ledger::{Posting, Reason},
    number::{NUMBER_COST, NumberType, Search},
    phone_number::PhoneNumber,
    purchase::{Failure, NumberRequest, Purchase, Source, State},
    wallet::Refusal,
};
use store::{
    ChangeError,
    made_once::{SUBACCOUNT_RECORD, Slot, Subaccount},
    numbers::provider_type,
};
use vendors::{
    twilio::{Account, Order, Owned, TwilioError},
    vapi::numbers::Import,
};

/// How long one may take to find or make an org's subaccount.
const SUBACCOUNT_LEASE: SignedDuration = SignedDuration::from_secs(20);
/// How many numbers that turn out to be sold already are tried.
const MOST_TRIED: usize = 3;
/// Numbers that were shown may go; a few more are looked at than are needed.
const CANDIDATES: u32 = 10;

impl Provisioning {
    /// Takes the price: wallet, ledger and claim in one transaction, which is also the check.
    pub(super) async fn charge(&self, purchase: &Purchase) -> Result<Step, StepError> {
        let wallet = self.wallets.ensure(purchase.org_id).await?;
        match wallet.can_spend(NUMBER_COST) {
            Ok(()) => {}
            Err(Refusal::Frozen) => return self.end_uncharged(purchase, Failure::WalletFrozen).await,
            Err(Refusal::InsufficientFunds { .. } | Refusal::NoWallet | Refusal::TooManyCalls { .. }) => {
                return self.end_uncharged(purchase, Failure::InsufficientFunds).await;
            }
        }
        let posting = Posting {
            reason: Reason::Number { purchase: purchase.purchase_id.clone() },
            amount: NUMBER_COST,
            description: describe(purchase),
            at: self.clock.now(),
        };
        let after = Purchase { state: State::Charged, charged: Some(NUMBER_COST), ..purchase.clone() };
        match self.wallets.charge_number(&wallet, &posting, purchase, after).await {
            Ok(charged) => {
                tracing::info!(org_id = %purchase.org_id, purchase_id = %purchase.purchase_id,
                    pence = NUMBER_COST.pence(), "a number was charged");
                self.watch.after_or_later(&wallet.booked(&posting).wallet).await;
                Ok(Step::On(Box::new(charged)))
            }
            // The wallet has moved on, or this has been done: what is true now says which.
            Err(ChangeError::Moved) => self.decided_again(purchase).await,
            Err(ChangeError::Store(error)) => Err(error.into()),
        }
    }

    /// Nothing was charged and nothing was asked of a vendor: there is nothing to undo.
    async fn end_uncharged(&self, purchase: &Purchase, failure: Failure) -> Result<Step, StepError> {
        let after = Purchase { state: State::Refunded, failed: Some(failure), ..purchase.clone() };
        self.save(purchase, after).await
    }

    /// Buys the number. The one to buy is written down before it is bought, and looked for before every try: the carrier has
    /// no idempotency key.
    pub(super) async fn buy(&self, purchase: &Purchase) -> Result<Step, StepError> {
        let Source::Managed(wanted) = &purchase.source else { return Ok(Step::Wait) };
        if Self::lacks_papers(purchase, wanted) {
            return self.lay_out_papers(purchase, wanted).await;
        }
        // Until this round asks for the number, no round has: whatever fails before is certain.
        let is_first = !may_have_been_asked(purchase);
        let account =
            self.subaccount(purchase.org_id).await.map_err(|obstacle| obstacle.certain_if(is_first))?;
        let there = self.twilio.bought_as(&account, &self.mark(purchase)).await;
        if let Some(owned) = there.map_err(|error| StepError::from(error).certain_if(is_first))? {
            return self.bought(purchase, &account, owned).await;
        }
        let Some(number) = &purchase.phone_number else {
            let bundle_address_sid = match &purchase.bundle_sid {
                Some(bundle) => self.twilio.address_of_bundle(&account, bundle).await?,
                None => None,
            };
            let chosen = self.choose(wanted, purchase).await?;
            let after = Purchase {
                phone_number: Some(chosen),
                account_sid: Some(account.sid),
                bundle_address_sid,
                ..purchase.clone()
            };
            return self.save(purchase, about_to_ask(after)).await;
        };
        let address = match (&purchase.bundle_address_sid, &wanted.address) {
            (Some(of_bundle), _) => Some(of_bundle.clone()),
            (None, Some(address)) => {
                let made = self.twilio.ensure_address(&account, wanted.country, address).await;
                Some(made.map_err(|error| StepError::from(error).certain_if(is_first))?)
            }
            (None, None) => None,
        };
        let mark = self.mark(purchase);
        let texts_url = texts_url(self.voice.public_url(), purchase.org_id);
        let order = Order {
            number,
            friendly_name: &mark,
            address_sid: address.as_deref(),
            bundle_sid: purchase.bundle_sid.as_ref(),
            texts_url: &texts_url,
        };
        let mut is_unsure = !is_first;
        for _ in 0..2 {
            let error = match self.twilio.buy(&account, &order).await {
                Ok(owned) => return self.bought(purchase, &account, owned).await,
                Err(error) => error,
            };
            // Whatever was answered: what is there is the truth. One number is bought once, so a second try is safe.
            if let Some(owned) = self.twilio.bought_as(&account, &mark).await? {
                return self.bought(purchase, &account, owned).await;
            }
            let is_taken = error.is_number_gone();
            match (error.is_final(), is_unsure) {
                (true, false) if is_taken => return self.taken(purchase, wanted, number).await,
                (true, false) => return Err(StepError::from(error).certain_if(true)),
                // A no to this try says nothing of an earlier one that was not answered.
                (true, true) => break,
                (false, _) => is_unsure = true,
            }
            tracing::warn!(cause = chain(&error), purchase_id = %purchase.purchase_id,
                "a number was asked for, without an answer");
        }
        Err(StepError::Failed(Failure::VendorTrouble))
    }

    async fn bought(&self, purchase: &Purchase, account: &Account, owned: Owned) -> Result<Step, StepError> {
        let after = Purchase {
            state: State::Bought,
            phone_number: Some(owned.phone_number),
            number_sid: Some(owned.sid),
            account_sid: Some(account.sid.clone()),
            ..purchase.clone()
        };
        self.save(purchase, about_to_ask(after)).await
    }

    /// The number was sold to another customer. The one the client named is never replaced by another.
    async fn taken(
        &self,
        purchase: &Purchase,
        wanted: &NumberRequest,
        number: &PhoneNumber,
    ) -> Result<Step, StepError> {
        if wanted.phone_number.is_some() {
            return Err(StepError::Certain(Failure::NumberTaken));
        }
        let mut tried = purchase.tried.clone();
        tried.push(number.clone());
        if tried.len() >= MOST_TRIED {
            return Err(StepError::Certain(Failure::NoNumber));
        }
        self.save(purchase, Purchase { tried, phone_number: None, ..purchase.clone() }).await
    }

    async fn choose(&self, wanted: &NumberRequest, purchase: &Purchase) -> Result<PhoneNumber, StepError> {
        if let Some(number) = &wanted.phone_number {
            return Ok(number.clone());
        }
        let search = Search {
            country: wanted.country,
            number_type: wanted.number_type,
            area_code: wanted.area_code.clone(),
            limit: CANDIDATES,
        };
        let found = self.twilio.search(&search).await?;
        let free =
            found.into_iter().map(|found| found.phone_number).find(|number| !purchase.tried.contains(number));
        free.ok_or(StepError::Certain(Failure::NoNumber))
    }

    /// Hands the number to Vapi, with the account it lies in and our webhook; looked for before every try.
    pub(super) async fn import(&self, purchase: &Purchase) -> Result<Step, StepError> {
        let Some(number) = &purchase.phone_number else { return Ok(Step::Wait) };
        // As above: until this round asks, no round has.
        let is_first = !may_have_been_asked(purchase);
        let sure = |obstacle: StepError| obstacle.certain_if(is_first);
        let account = self.account_of(purchase).await.map_err(sure)?;
        let mut found = self.imported(purchase, number, &account.sid).await.map_err(sure)?;
        if found.is_none() {
            let webhook = self.voice.webhook().await.map_err(|error| sure(StepError::of_voice(error)))?;
            let import = Import {
                number,
                account: &account,
                name: &self.short_mark(purchase),
                webhook: &webhook,
                fallback: purchase.wanted().and_then(|wanted| wanted.fallback_number.as_ref()),
            };
            match self.voice.vapi.import_number(&import).await {
                Ok(id) => found = Some(id),
                Err(error) => {
                    // Whatever was answered: what is there is the truth.
                    found = self.imported(purchase, number, &account.sid).await?;
                    if found.is_none() && error.is_final() && is_first {
                        return Err(sure(StepError::of_vapi(&error)));
                    }
                }
            }
        }
        let id = found.ok_or(StepError::Failed(Failure::VendorTrouble))?;
        self.save(purchase, Purchase { state: State::Imported, vapi_phone_id: Some(id), ..purchase.clone() })
            .await
    }

    /// The account that a purchase's number lies in.
    pub(super) async fn account_of(&self, purchase: &Purchase) -> Result<Account, StepError> {
        match &purchase.source {
            Source::Managed(_) => self.subaccount(purchase.org_id).await,
            Source::Own { own_token } => {
                // An open claim has both.
                let own_token = own_token.as_ref().ok_or(ProvisionError::Contended)?;
                let sid = purchase.account_sid.clone().ok_or(ProvisionError::Contended)?;
                let token =
                    self.keyring.open(purchase.org_id, &provider_type(purchase.direction), own_token)?;
                Ok(Account { sid, token })
            }
        }
    }

    /// The org's subaccount, if it has one.
    pub(super) async fn known_subaccount(&self, org: OrgId) -> Result<Option<Account>, ProvisionError> {
        let slot = self.subaccounts.get(&org.to_string()).await?;
        slot.and_then(|slot| slot.made).map(|made| self.opened(org, &made)).transpose()
    }

    fn opened(&self, org: OrgId, made: &Subaccount) -> Result<Account, ProvisionError> {
        let token = self.keyring.open(org, SUBACCOUNT_RECORD, &made.token)?;
        Ok(Account { sid: made.account_sid.clone(), token })
    }

    /// The org's subaccount at the carrier: known, else found by its name, else made. One of each org's purchases at a time.
    pub(super) async fn subaccount(&self, org: OrgId) -> Result<Account, StepError> {
        if let Some(account) = self.known_subaccount(org).await? {
            return Ok(account);
        }
        let key = org.to_string();
        let now = self.clock.now();
        let Some(slot) = self.subaccounts.lease(&key, now, now + SUBACCOUNT_LEASE).await? else {
            return Err(StepError::Busy);
        };
        if let Some(made) = &slot.made {
            let account = self.opened(org, made)?;
            self.subaccounts.give_back(&key, slot, now).await?;
            return Ok(account);
        }
        let account = match self.find_or_make_subaccount(org).await {
            Ok(account) => account,
            Err(error) => {
                self.subaccounts.give_back(&key, slot, now).await?;
                return Err(error.into());
            }
        };
        let token = self.keyring.seal(org, SUBACCOUNT_RECORD, account.token.expose_secret())?;
        let made = Some(Subaccount { account_sid: account.sid.clone(), token });
        let is_noted = self.subaccounts.give_back(&key, Slot { made, ..slot }, now).await?;
        // The lease ran out, and another has it: what they note is the org's account.
        if !is_noted {
            return Err(StepError::Busy);
        }
        Ok(account)
    }

    async fn find_or_make_subaccount(&self, org: OrgId) -> Result<Account, TwilioError> {
        let name = format!("voxanne/{}/{org}", self.environment);
        let account = match self.twilio.subaccount_named(&name).await? {
            Some(found) => found,
            None => self.twilio.create_subaccount(&name).await?,
        };
        self.twilio.inherit_dialling_permissions(&account).await?;
        Ok(account)
    }
}

/// Written before a vendor is asked to make something: until when that may still come to be, if nothing more is heard. No
/// request outlasts its lease.
pub(super) fn about_to_ask(purchase: Purchase) -> Purchase {
    Purchase { quiet_until: Some(purchase.lease_until + QUIET), ..purchase }
}

/// Whether a round before this one may have asked already, and died: then a no to this round's request is not the last word.
fn may_have_been_asked(purchase: &Purchase) -> bool {
    purchase.phone_number.is_some() && purchase.quiet_until != Some(purchase.lease_until + QUIET)
}

/// What the statement says. Not the number: that is chosen after it is paid.
fn describe(purchase: &Purchase) -> String {
    let kind = match purchase.wanted() {
        Some(NumberRequest { number_type: NumberType::TollFree, country, .. }) => {
            format!("toll-free, {}", country.code())
        }
        Some(NumberRequest { number_type: NumberType::Local, country, .. }) => {
            format!("local, {}", country.code())
        }
        None => "own".to_owned(),
    };
    format!("Phone number for {} calls ({kind})", purchase.direction.as_str())
}
