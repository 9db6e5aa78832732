//! What the vendors keep under this environment's mark, and what our records say of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::Provisioning;
use domain::{
    ids::{AccountSid, NumberSid, PurchaseId, VapiPhoneId},
    ownership::Origin,
    purchase::{Purchase, State},
};
use store::{
    StoreError,
    numbers::{OrgNumber, Status},
};
use vendors::{
    twilio::{Account, Listed, Owned, TwilioError},
    vapi::numbers::Imported,
};

/// A number that a vendor keeps under this environment's mark.
#[derive(Clone, Debug)]
pub struct Found {
    /// Where it is kept.
    pub place: Location,
    /// What it is called there: the mark of the purchase that asked for it.
    pub mark: String,
}

/// Where a number is kept, and as what.
#[derive(Clone, Debug)]
pub enum Location {
    /// At the carrier.
    Twilio {
        /// The account that owns it.
        account: Account,
        /// As the carrier names it.
        sid: NumberSid,
    },
    /// At Vapi.
    Vapi {
        /// As Vapi names it.
        id: VapiPhoneId,
    },
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Twilio { account, sid } => write!(f, "twilio#{}#{sid}", account.sid),
            Self::Vapi { id } => write!(f, "vapi#{id}"),
        }
    }
}

/// Every org's records of numbers, from one reading.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// The marks of the purchases that are open or have a number, as both vendors bear them.
    marks: BTreeSet<String>,
    /// The marks of those that came to nothing.
    came_to_nothing: BTreeSet<String>,
    /// How many purchases there are, of whatever state.
    purchases: usize,
    number_sids: BTreeSet<NumberSid>,
    vapi_phone_ids: BTreeSet<VapiPhoneId>,
    /// What orgs may use, by the account that it lies in.
    active: BTreeMap<AccountSid, Vec<OrgNumber>>,
    /// Those that a vendor did not have when it was last asked.
    missing: BTreeSet<PurchaseId>,
}

impl Rows {
    /// Whether any record claims what was found: by its mark, or by what the vendor calls it.
    pub fn claims(&self, found: &Found) -> bool {
        self.marks.contains(&found.mark)
            || match &found.place {
                Location::Twilio { sid, .. } => self.number_sids.contains(sid),
                Location::Vapi { id } => self.vapi_phone_ids.contains(id),
            }
    }

    /// What our records say of the purchase whose mark a number bears.
    pub fn origin(&self, found: &Found) -> Origin {
        if self.came_to_nothing.contains(&found.mark) { Origin::CameToNothing } else { Origin::Unknown }
    }

    /// How many purchases there are, of whatever state.
    pub const fn purchases(&self) -> usize {
        self.purchases
    }

    /// Every number that an org may use.
    pub fn active(&self) -> impl Iterator<Item = &OrgNumber> {
        self.active.values().flatten()
    }

    /// Those of them that we bought, in one account.
    pub fn managed_in(&self, account: &AccountSid) -> impl Iterator<Item = &OrgNumber> {
        self.active.get(account).into_iter().flatten().filter(|number| number.is_managed)
    }

    /// Whether a vendor did not have a number when it was last asked.
    pub fn is_missing(&self, number: &PurchaseId) -> bool {
        self.missing.contains(number)
    }

    fn note(&mut self, number_sid: NumberSid, vapi_phone_id: VapiPhoneId) {
        self.number_sids.insert(number_sid);
        self.vapi_phone_ids.insert(vapi_phone_id);
    }
}

impl Provisioning {
    /// What everything that a vendor keeps for this environment is called by: its mark begins so.
    fn prefix(&self) -> String {
        format!("voxanne/{}/", self.environment)
    }

    /// The orgs' accounts at the carrier: those below ours that bear this environment's mark.
    ///
    /// # Errors
    /// When the carrier does not tell them all.
    pub async fn listed_accounts(&self) -> Result<Vec<Listed>, TwilioError> {
        self.twilio.subaccounts(&self.prefix()).await
    }

    /// Which of an account's numbers bear this environment's mark.
    pub fn marked_at_twilio(&self, account: &Account, numbers: &[Owned]) -> Vec<Found> {
        let prefix = self.prefix();
        let marked = numbers.iter().filter(|number| number.friendly_name.starts_with(&prefix));
        let found = |number: &Owned| Found {
            place: Location::Twilio { account: account.clone(), sid: number.sid.clone() },
            mark: number.friendly_name.clone(),
        };
        marked.map(found).collect()
    }

    /// Which of the numbers at Vapi bear this environment's mark.
    pub fn marked_at_vapi(&self, numbers: &[Imported]) -> Vec<Found> {
        let prefix = self.prefix();
        let found = |number: &Imported| {
            let mark = number.name.clone().filter(|name| name.starts_with(&prefix))?;
            Some(Found { place: Location::Vapi { id: number.id.clone() }, mark })
        };
        numbers.iter().filter_map(found).collect()
    }

    /// All records of numbers. A purchase is recorded before a vendor is asked, and an active number is in two tables: purchases
    /// are read last, so that nothing slips from one state to the next between the readings.
    ///
    /// # Errors
    /// When the database does not answer, or a record does not decode.
    pub async fn rows(&self) -> Result<Rows, StoreError> {
        let mut rows = Rows::default();
        for number in self.numbers.all().await? {
            rows.note(number.number_sid.clone(), number.vapi_phone_id.clone());
            if number.status == Status::Active {
                rows.active.entry(number.account_sid.clone()).or_default().push(number);
            }
        }
        for managed in self.numbers.all_managed().await? {
            if managed.missing_since.is_some() {
                rows.missing.insert(managed.number_id);
            }
            if managed.status != Status::Released {
                rows.note(managed.number_sid, managed.vapi_phone_id);
            }
        }
        for purchase in self.purchases.all().await? {
            let marks = [self.mark(&purchase), self.short_mark(&purchase)];
            rows.purchases = rows.purchases.saturating_add(1);
            if has_or_wants_a_number(&purchase) {
                rows.marks.extend(marks);
            } else if purchase.state == State::Refunded {
                rows.came_to_nothing.extend(marks);
            }
        }
        Ok(rows)
    }
}

fn has_or_wants_a_number(claim: &Purchase) -> bool {
    claim.is_open() || claim.state == State::Active
}
