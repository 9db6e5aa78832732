//! Doubts: what a vendor states of a call beyond what is billed. It moves no money, and no card is charged for
//! it, until a person accepts it.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    amount::Amount,
    call::Bill,
    ids::{CallId, OrgId},
    tariff::TariffVersion,
};

/// How long a person may accept a doubt.
pub const LASTS: SignedDuration = SignedDuration::from_hours(24 * 14);

/// A stated duration that is longer than what was billed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// The org that would pay.
    pub org_id: OrgId,
    /// The call that the doubt is about.
    pub call_id: CallId,
    /// The seconds that are billed.
    pub billed_secs: u32,
    /// The seconds that the vendor states.
    pub stated_secs: u32,
    /// The price of the difference.
    pub amount: Amount,
    /// The version of the price list that the call is billed by.
    pub tariff: TariffVersion,
    /// Why a person is to decide.
    pub why: Why,
    /// When the doubt arose.
    #[serde(with = "crate::time::millis")]
    pub raised_at: Timestamp,
}

/// Why a person is to decide about a stated duration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Our own records cannot confirm so long a call.
    Unconfirmed,
    /// The call was billed, and a later word of the vendor makes it longer.
    LaterWord,
}

impl Doubt {
    /// Returns the doubt about a call that is billed as `bill` and stated to have lasted `stated_secs`; `None`
    /// when no more money is in it.
    pub fn about(
        org_id: OrgId,
        call_id: CallId,
        bill: &Bill,
        stated_secs: u32,
        why: Why,
        raised_at: Timestamp,
    ) -> Option<Self> {
        let price = bill.tariff.tariff().charge(stated_secs);
        let amount = price.minus_or_zero(bill.charged);
        let billed_secs = bill.duration_secs;
        let doubt =
            Self { org_id, call_id, billed_secs, stated_secs, amount, tariff: bill.tariff, why, raised_at };
        (!amount.is_zero()).then_some(doubt)
    }

    /// Returns when the doubt lapses: from then on it cannot be accepted any more.
    pub fn lapses_at(&self) -> Timestamp {
        self.raised_at.saturating_add(LASTS).unwrap_or(Timestamp::MAX)
    }

    /// Returns whether a person may still accept the doubt.
    pub fn is_open(&self, now: Timestamp) -> bool {
        now < self.lapses_at()
    }
}
