//! `GET /api/analytics/spend`.

use std::collections::BTreeMap;

use domain::{
    clinic::ClinicZone,
    ledger::{Entry, Kind},
};
use jiff::{SignedDuration, civil::Date};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use web::{
    auth::Caller,
    problem::Problem,
    routes::{Answer, Input},
};

use super::period::{Period, day, unreadable};
use crate::Deps;

/// How long before the last day the first is, where it is not asked for: thirty days in all.
const DEFAULT: SignedDuration = SignedDuration::from_hours(24 * 29);

/// Which days are asked for: 92 at the most.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// The first day in the clinic's zone (2026-01-31); where it is left out, 29 days before the last.
    from: Option<String>,
    /// The last day, which is included; where it is left out, today.
    to: Option<String>,
}
web::query_values!(Asked);

/// What was spent.
#[derive(Debug, Serialize, ToSchema)]
pub struct Spend {
    /// Each day up to today, the first first.
    days: Vec<Day>,
    total_pence: i64,
    kinds: Kinds,
}

/// What was spent on one day.
#[derive(Debug, Serialize, ToSchema)]
struct Day {
    #[expect(clippy::struct_field_names, reason = "the name that the dashboard knows")]
    day: String,
    kinds: Kinds,
    total_pence: i64,
}

/// What was spent on what, in pence: debits, less what was given back. It is below zero on a day on which more was given back than spent.
#[derive(Clone, Copy, Debug, Default, Serialize, ToSchema)]
struct Kinds {
    /// Calls, and corrections of what they cost.
    call: i64,
    /// Numbers that were bought, and their rental.
    phone_number: i64,
    /// Texts.
    sms: i64,
}

impl Kinds {
    const fn with(self, entry: &Entry) -> Self {
        let pence = entry.spent_pence();
        match entry.kind {
            Kind::Call => Self { call: self.call.saturating_add(pence), ..self },
            Kind::PhoneNumber => Self { phone_number: self.phone_number.saturating_add(pence), ..self },
            Kind::Sms => Self { sms: self.sms.saturating_add(pence), ..self },
            Kind::TopUp | Kind::Refund | Kind::Dispute | Kind::DisputeReversal | Kind::Adjustment => self,
        }
    }

    const fn total(self) -> i64 {
        self.call.saturating_add(self.phone_number).saturating_add(self.sms)
    }
}

/// Shows what was spent, day by day in the clinic's zone, as the ledger says.
///
/// # Errors
/// When a day is not usable, the period is too long or holds too many entries, or the store does not answer: an error, never a nought.
pub async fn show(deps: &Deps, caller: &Caller, input: Input<Asked>) -> Result<Answer<Spend>, Problem> {
    caller.may_see_the_business()?;
    let zone = deps.clinics.zone(caller.org).await?;
    let today = zone.day_of(deps.platform.clock.now());
    let last = input.query.to.as_deref().map_or(Ok(today), |text| day("to", text))?;
    let first =
        input.query.from.as_deref().map_or(Ok(last.saturating_sub(DEFAULT)), |text| day("from", text))?;
    let period = Period::of_days((first, last), &zone)?;
    let entries = period.entries(deps, caller.org).await.map_err(unreadable)?;
    Ok(Answer::ok(Spend::of(&entries, (first, last.min(today)), &zone)))
}

impl Spend {
    fn of(entries: &[Entry], (first, last): (Date, Date), zone: &ClinicZone) -> Self {
        let all = std::iter::successors(Some(first), |day| day.tomorrow().ok());
        let mut days: BTreeMap<Date, Kinds> =
            all.take_while(|day| *day <= last).map(|day| (day, Kinds::default())).collect();
        for entry in entries {
            let of_day = days.entry(zone.day_of(entry.created_at)).or_default();
            *of_day = of_day.with(entry);
        }
        let kinds = entries.iter().fold(Kinds::default(), Kinds::with);
        let shown =
            |(day, kinds): (Date, Kinds)| Day { day: day.to_string(), total_pence: kinds.total(), kinds };
        Self { days: days.into_iter().map(shown).collect(), total_pence: kinds.total(), kinds }
    }
}
