//! What a caller's words for a time mean, in the clinic's zone. The words are the caller's, and the dates are ours: a model that
//! computes dates gets weeks and years wrong. What is past is refused and never moved; what contradicts itself is asked.

mod reading;

use jiff::{
    ToSpan as _,
    civil::{Date, DateTime, Time, Weekday},
};

use reading::{Clock, Reading};

/// How many days ahead are looked at for a caller to whom any time is right.
const SOON_DAYS: i64 = 14;
/// The last minute of a day.
const LAST_MINUTE: Time = Time::constant(23, 59, 0, 0);

/// When a caller would like to come: some days, and on each of them a part of the day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// The days, in order.
    pub days: Vec<Date>,
    /// The first time of the wall clock that is right.
    pub from: Time,
    /// The last one.
    pub to: Time,
    /// The time that the caller named, where it was one: what is offered lies around it.
    pub near: Option<Time>,
}

/// Why words for a time are not a time. Each leads to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unclear {
    /// There is no time in them.
    #[error("no time was understood")]
    Nothing,
    /// They say more of it than is understood, and to leave that out would turn them round: "not Monday", "after Tuesday".
    #[error("the words say more than is understood")]
    Beyond,
    /// They name a day that no calendar has, such as the 32nd.
    #[error("there is no such day")]
    NoSuchDay,
    /// They name a time that is past.
    #[error("that time is past")]
    Past,
    /// They name a day of the week and a date that is another one.
    #[error("the day of the week and the date are not the same day")]
    Disagree {
        /// The next such day of the week.
        weekday: Date,
        /// The date.
        date: Date,
    },
}

/// Returns what `words` mean when they are said at `now`, by the clinic's wall clock. `part_of_day` is what a model adds, such as
/// "morning"; the caller's own words count for more. Where dates are written in figures, `is_month_first` says how.
///
/// # Errors
/// [`Unclear`]: what is to be asked.
pub fn window(
    words: &str,
    part_of_day: Option<&str>,
    now: DateTime,
    is_month_first: bool,
) -> Result<Window, Unclear> {
    let mut reading = Reading::of(words, now.date(), is_month_first)?;
    let added = Reading::of(part_of_day.unwrap_or_default(), now.date(), is_month_first)?;
    reading.clock = reading.clock.or(added.clock);
    reading.part = reading.part.or(added.part);
    let today = now.date();
    let days = days(&reading, today)?;
    let (from, to, near) = times(&reading);
    let is_past = days.last().is_none_or(|last| last.to_datetime(to) <= now);
    if is_past {
        return Err(Unclear::Past);
    }
    Ok(Window { days, from, to, near })
}

/// The days that are meant, in order, none of them past.
fn days(reading: &Reading, today: Date) -> Result<Vec<Date>, Unclear> {
    let weekdays = &reading.weekdays;
    let days = match (reading.date, reading.days) {
        (Some(date), _) => {
            if let Some(weekday) = weekdays.iter().find(|weekday| **weekday != date.weekday()) {
                let weekday = coming(today, *weekday);
                return Err(Unclear::Disagree { weekday, date });
            }
            vec![date]
        }
        (None, Some((first, last))) => {
            let all = first.series(1.day()).take_while(|day| *day <= last);
            all.filter(|day| weekdays.is_empty() || weekdays.contains(&day.weekday())).collect()
        }
        (None, None) if !weekdays.is_empty() => {
            let later = i64::from(reading.weeks_later).saturating_mul(7);
            let day = |weekday: &Weekday| coming(today, *weekday).saturating_add(later.days());
            weekdays.iter().map(day).collect()
        }
        (None, None) if reading.is_anything() => {
            // A time of day alone, or no wish at all: what is next.
            today.series(1.day()).take(usize::try_from(SOON_DAYS).unwrap_or_default()).collect()
        }
        (None, None) => return Err(Unclear::Nothing),
    };
    let mut days: Vec<Date> = days.into_iter().filter(|day| *day >= today).collect();
    days.sort();
    days.dedup();
    if days.is_empty() { Err(Unclear::Past) } else { Ok(days) }
}

/// The next such day of the week after today.
fn coming(today: Date, weekday: Weekday) -> Date {
    today.nth_weekday(1, weekday).unwrap_or(today)
}

/// The part of the day that is meant. A time that was named is a wish: what lies within two hours of it will do.
fn times(reading: &Reading) -> (Time, Time, Option<Time>) {
    let (from, to) = reading.part.unwrap_or((Time::midnight(), LAST_MINUTE));
    match reading.clock {
        None => (from, to, None),
        Some(Clock::At(time)) => {
            (time.saturating_sub(2.hours()), time.saturating_add(2.hours()).min(LAST_MINUTE), Some(time))
        }
        Some(Clock::From(time)) => (time, to.max(time), None),
        Some(Clock::Until(time)) => (from.min(time), time, None),
    }
}

#[cfg(test)]
mod tests;
