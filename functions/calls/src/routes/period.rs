//! The time that a list covers.

use domain::{call::Call, clinic::ClinicZone, ids::OrgId, ledger::Entry, time::whole_millis};
use jiff::{SignedDuration, Timestamp, civil::Date};
use store::ledger::StatementError;
use web::problem::{Code, Problem};

use crate::Deps;

/// The most calls looked at for one answer.
pub const MOST_CALLS: usize = 10_000;
/// The period when none is asked for.
const DEFAULT: SignedDuration = SignedDuration::from_hours(24 * 30);
/// The longest period: 92 days, one of which may have an hour more where the clocks go back.
const LONGEST: SignedDuration = SignedDuration::from_hours(24 * 92 + 1);
/// How far another function's clock may be ahead of ours.
pub const LARGEST_SKEW: SignedDuration = SignedDuration::from_mins(5);
/// How a day is written: 2026-01-31.
const DAY_LENGTH: usize = 10;

/// From an instant until before another, both in whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// The first instant inside.
    pub from: Timestamp,
    /// The first one after.
    pub to: Timestamp,
}

impl Period {
    /// The period from `start` to `end`: days in the clinic's zone, the last one included, or instants. Without
    /// an end it is up to now, without a start the last thirty days.
    ///
    /// # Errors
    /// When one is not readable, they are in the wrong order, or too far apart.
    pub fn parse(
        start: Option<&str>,
        end: Option<&str>,
        now: Timestamp,
        zone: &ClinicZone,
    ) -> Result<Self, Problem> {
        let to =
            end.map_or(Ok(now + LARGEST_SKEW), |text| instant("endDate", text, |day| zone.end_of(day)))?;
        // What is still to come holds no calls, and does not count.
        let last = to.min(now);
        let from =
            start.map_or(Ok(last - DEFAULT), |text| instant("startDate", text, |day| zone.start_of(day)))?;
        let period = Self { from: whole_millis(from), to: whole_millis(to) };
        if period.from >= period.to {
            return Err(Problem::new(Code::InvalidValue).saying("startDate must lie before endDate."));
        }
        if last.duration_since(period.from) > LONGEST {
            return Err(too_long());
        }
        Ok(period)
    }

    /// The last so many hours, up to now.
    pub fn last_hours(hours: i64, now: Timestamp) -> Self {
        let from = now - SignedDuration::from_hours(hours);
        Self { from: whole_millis(from), to: whole_millis(now + LARGEST_SKEW) }
    }

    /// The whole days from `first` to `last`, both included, in the clinic's zone.
    ///
    /// # Errors
    /// When they are in the wrong order, more than 92, or beyond all that can be written.
    pub fn of_days((first, last): (Date, Date), zone: &ClinicZone) -> Result<Self, Problem> {
        match (zone.start_of(first), zone.end_of(last)) {
            (Some(from), Some(to)) if to.duration_since(from) > LONGEST => Err(too_long()),
            (Some(from), Some(to)) if from < to => Ok(Self { from, to }),
            _ => Err(Problem::new(Code::InvalidValue).saying("The first day must not lie after the last.")),
        }
    }

    /// Whether `at` lies inside.
    pub fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }

    /// The org's calls inside, newest first.
    ///
    /// # Errors
    /// When there are more than one answer can look at, or the store does not answer.
    pub async fn calls(&self, deps: &Deps, org: OrgId) -> Result<Vec<Call>, Problem> {
        let (calls, is_cut) = self.newest(deps, org).await?;
        if is_cut { Err(Problem::new(Code::PeriodTooLarge)) } else { Ok(calls) }
    }

    /// The newest of the org's calls inside, as many as one answer looks at, and whether there are more.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn newest(&self, deps: &Deps, org: OrgId) -> Result<(Vec<Call>, bool), Problem> {
        Ok(deps.charging.calls.between(org, self.from, self.to, MOST_CALLS).await?)
    }

    /// The org's ledger entries inside, the oldest first.
    ///
    /// # Errors
    /// When there are more than one answer can look at, or the store does not answer.
    pub async fn entries(&self, deps: &Deps, org: OrgId) -> Result<Vec<Entry>, StatementError> {
        let last = deps.charging.wallets.ensure(org).await?.ledger.seq;
        let mut run = deps.ledger.statement(org, last, self.from, self.to, MOST_CALLS).await?;
        // A statement has no gaps, so it may hold entries from outside.
        run.retain(|entry| self.holds(entry.created_at));
        Ok(run)
    }
}

/// What an answer is whose ledger entries cannot be read.
pub fn unreadable(error: StatementError) -> Problem {
    match error {
        StatementError::TooMany { .. } => Problem::new(Code::PeriodTooLarge),
        StatementError::Store(error) => error.into(),
    }
}

fn too_long() -> Problem {
    Problem::new(Code::PeriodTooLarge).saying("The period is longer than 92 days. Ask for a shorter one.")
}

/// A day of the query.
///
/// # Errors
/// When it is none.
pub fn day(name: &str, text: &str) -> Result<Date, Problem> {
    // Within these centuries no sum leaves what a day can be.
    let read = Some(text).filter(|text| text.len() == DAY_LENGTH).and_then(|text| text.parse::<Date>().ok());
    read.filter(|day| (1970..2199).contains(&day.year())).ok_or_else(|| {
        let detail = format!("{name} is a day, such as 2026-01-31, between 1970 and 2199.");
        Problem::new(Code::InvalidValue).saying(detail)
    })
}

/// An instant, or a day, which stands for the instant that `of_day` says.
fn instant(
    name: &str,
    text: &str,
    of_day: impl FnOnce(Date) -> Option<Timestamp>,
) -> Result<Timestamp, Problem> {
    // Within these centuries no sum leaves what an instant can be.
    let is_near = |at: &Timestamp| (0..=7_258_118_400).contains(&at.as_second());
    let read = if text.len() == DAY_LENGTH {
        text.parse::<Date>().ok().and_then(of_day).filter(is_near)
    } else {
        text.parse::<Timestamp>().ok().filter(is_near)
    };
    read.ok_or_else(|| {
        let detail = format!(
            "{name} is a day (2026-01-31) or an instant (2026-01-31T09:00:00Z), between 1970 and 2199."
        );
        Problem::new(Code::InvalidValue).saying(detail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn parse(start: Option<&str>, end: Option<&str>) -> Result<(Timestamp, Timestamp), String> {
        let zone = ClinicZone::parse("Etc/UTC").unwrap();
        let period = Period::parse(start, end, at("2026-04-10T12:00:00Z"), &zone);
        period.map(|period| (period.from, period.to)).map_err(|problem| {
            let answer = problem.answer("request");
            let web::runtime::Body::Text(body) = answer.body() else { return String::new() };
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            body["code"].as_str().unwrap().to_owned()
        })
    }

    #[test]
    fn days_are_whole_and_the_last_one_is_included() {
        let cases = [
            (None, None, "2026-03-11T12:00:00Z", "2026-04-10T12:05:00Z"),
            (Some("2026-04-01"), None, "2026-04-01T00:00:00Z", "2026-04-10T12:05:00Z"),
            (None, Some("2026-02-28"), "2026-01-30T00:00:00Z", "2026-03-01T00:00:00Z"),
            (Some("2026-01-31"), Some("2026-01-31"), "2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z"),
            (Some("2026-01-01"), Some("2026-04-02"), "2026-01-01T00:00:00Z", "2026-04-03T00:00:00Z"),
            (Some("2026-01-08T12:00:00Z"), None, "2026-01-08T12:00:00Z", "2026-04-10T12:05:00Z"),
            (Some("2026-04-10"), Some("2026-12-31"), "2026-04-10T00:00:00Z", "2027-01-01T00:00:00Z"),
            (
                Some("2026-01-31T09:00:00.1239Z"),
                Some("2026-01-31T11:00:00+01:00"),
                "2026-01-31T09:00:00.123Z",
                "2026-01-31T10:00:00Z",
            ),
        ];
        for (start, end, from, to) in cases {
            assert_eq!(parse(start, end), Ok((at(from), at(to))), "{start:?} to {end:?}");
        }
    }

    #[test]
    fn ninety_two_days_are_given_also_where_the_clocks_go_back() {
        let zone = ClinicZone::parse("Europe/London").unwrap();
        let now = at("2026-12-31T12:00:00Z");
        let period = Period::parse(Some("2026-09-20"), Some("2026-12-20"), now, &zone).unwrap();
        assert_eq!((period.from, period.to), (at("2026-09-19T23:00:00Z"), at("2026-12-21T00:00:00Z")));
        assert!(Period::parse(Some("2026-09-19"), Some("2026-12-20"), now, &zone).is_err());
    }

    #[test]
    fn what_is_not_a_period_is_told_why() {
        let cases = [
            (Some("yesterday"), None, "invalid_value"),
            (None, Some("2026-02-30"), "invalid_value"),
            (None, Some("20260230"), "invalid_value"),
            (Some("2026-01-31T09:00:00"), None, "invalid_value"),
            (Some("0001-01-01"), None, "invalid_value"),
            (None, Some("9999-12-30"), "invalid_value"),
            (Some("2026-02-01"), Some("2026-01-30"), "invalid_value"),
            (Some("2026-02-01T00:00:00.0001Z"), Some("2026-02-01T00:00:00.0009Z"), "invalid_value"),
            (Some("2026-01-01"), Some("2026-04-03"), "period_too_large"),
            (Some("2026-01-08T10:59:59Z"), None, "period_too_large"),
        ];
        for (start, end, code) in cases {
            assert_eq!(parse(start, end), Err(code.to_owned()), "{start:?} to {end:?}");
        }
    }

    #[test]
    fn a_window_holds_its_start_and_not_its_end() {
        let now = at("2026-04-10T12:00:00Z");
        let day = Period::last_hours(24, now);
        assert!(day.holds(at("2026-04-09T12:00:00Z")) && day.holds(now));
        assert!(!day.holds(at("2026-04-09T11:59:59.999Z")) && !day.holds(day.to));
    }
}
