//! Days and times as they are said on the telephone: a voice reads `14:30` badly.

use jiff::civil::{Date, DateTime, Time, Weekday};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const HOURS: [&str; 13] = [
    "twelve", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve",
];

/// Returns a time as it is said: "half past two in the afternoon".
pub fn time(at: Time) -> String {
    let (hour, minute) = (at.hour(), at.minute());
    match (hour, minute) {
        (12, 0) => return "twelve noon".to_owned(),
        (0, 0) => return "midnight".to_owned(),
        _ => {}
    }
    let name = |hour: i8| {
        usize::try_from(hour.rem_euclid(12)).ok().and_then(|hour| HOURS.get(hour)).copied().unwrap_or("")
    };
    let (this, next) = (name(hour), name(hour.saturating_add(1)));
    let said = match minute {
        0 => format!("{this} o'clock"),
        15 => format!("quarter past {this}"),
        30 => format!("half past {this}"),
        45 => format!("quarter to {next}"),
        1..=30 => format!("{minute} minutes past {this}"),
        _ => format!("{} minutes to {next}", 60_i8.saturating_sub(minute)),
    };
    let half = match hour {
        0..=11 => "in the morning",
        12..=17 => "in the afternoon",
        _ => "in the evening",
    };
    format!("{said} {half}")
}

/// Returns a day as it is said: "Tuesday the 8th of December", with its year where that is not the year of `today`.
pub fn day(day: Date, today: Date) -> String {
    let month = usize::try_from(day.month().saturating_sub(1)).ok().and_then(|place| MONTHS.get(place));
    let year = if day.year() == today.year() { String::new() } else { format!(" {}", day.year()) };
    let end = match day.day() {
        1 | 21 | 31 => "st",
        2 | 22 => "nd",
        3 | 23 => "rd",
        _ => "th",
    };
    format!(
        "{} the {}{end} of {}{year}",
        weekday(day.weekday()),
        day.day(),
        month.copied().unwrap_or_default()
    )
}

/// Returns both: "Tuesday the 8th of December at half past two in the afternoon".
pub fn instant(at: DateTime, today: Date) -> String {
    format!("{} at {}", day(at.date(), today), time(at.time()))
}

const fn weekday(weekday: Weekday) -> &'static str {
    match weekday {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_said_in_words() {
        for (at, said) in [
            ("14:30", "half past two in the afternoon"),
            ("09:00", "nine o'clock in the morning"),
            ("09:15", "quarter past nine in the morning"),
            ("11:45", "quarter to twelve in the morning"),
            ("12:00", "twelve noon"),
            ("12:10", "10 minutes past twelve in the afternoon"),
            ("12:45", "quarter to one in the afternoon"),
            ("17:50", "10 minutes to six in the afternoon"),
            ("18:05", "5 minutes past six in the evening"),
            ("00:30", "half past twelve in the morning"),
            ("23:45", "quarter to twelve in the evening"),
        ] {
            assert_eq!(time(at.parse().unwrap()), said, "{at}");
        }
    }

    #[test]
    fn a_day_is_said_with_its_year_when_it_is_another() {
        let today: Date = "2026-11-27".parse().unwrap();
        for (on, said) in [
            ("2026-12-01", "Tuesday the 1st of December"),
            ("2026-12-22", "Tuesday the 22nd of December"),
            ("2026-12-11", "Friday the 11th of December"),
            ("2027-01-23", "Saturday the 23rd of January 2027"),
        ] {
            assert_eq!(day(on.parse().unwrap(), today), said);
        }
        let at: DateTime = "2026-12-08T14:30".parse().unwrap();
        assert_eq!(instant(at, today), "Tuesday the 8th of December at half past two in the afternoon");
    }
}
