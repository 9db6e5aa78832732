//! The words of a time, read from left to right. Words that say nothing of a time are passed over.

use jiff::{
    ToSpan as _,
    civil::{Date, Time, Weekday},
};

use super::Unclear;

/// A time of day that was named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    /// About then.
    At(Time),
    /// Then or later.
    From(Time),
    /// Then or earlier.
    Until(Time),
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    /// One date.
    pub(super) date: Option<Date>,
    /// Days from the first to the last.
    pub(super) days: Option<(Date, Date)>,
    /// Days of the week.
    pub(super) weekdays: Vec<Weekday>,
    /// By how many weeks those lie later than the next such day.
    pub(super) weeks_later: u8,
    /// A time of day.
    pub(super) clock: Option<Clock>,
    /// A part of the day.
    pub(super) part: Option<(Time, Time)>,
    /// Whether any time at all will do.
    is_open: bool,
}

impl Reading {
    /// Reads the words.
    pub(super) fn of(words: &str, today: Date, is_month_first: bool) -> Result<Self, Unclear> {
        let words = tokens(words);
        let mut reader = Reader { rest: &words, today, is_month_first, reading: Self::default() };
        while let Some((_, rest)) = reader.rest.split_first() {
            if !reader.take()? {
                reader.rest = rest;
            }
        }
        Ok(reader.reading)
    }

    /// Whether they say anything of a time.
    pub(super) const fn is_anything(&self) -> bool {
        self.is_open || self.clock.is_some() || self.part.is_some()
    }
}

/// The words in small letters, without punctuation except where it is part of a date or a time, and `2pm` as `2 pm`.
fn tokens(text: &str) -> Vec<String> {
    let kept = |c: char| if c.is_alphanumeric() || matches!(c, ':' | '/' | '-' | '.') { c } else { ' ' };
    let text: String = text.chars().take(500).collect::<String>().to_lowercase();
    let text = text.replace(['\u{2019}', '\''], "").replace("a.m", "am").replace("p.m", "pm");
    let words: String = text.chars().map(kept).collect();
    let mut tokens = Vec::new();
    for word in words.split_whitespace().map(|word| word.trim_matches(['.', '-', ':', '/'])) {
        // An instant as a model writes it, 2026-12-01T14:30, is a date and a time.
        let parts: Vec<&str> = match word.split_once('t') {
            Some((date, time)) if date.len() == 10 && time.starts_with(|c: char| c.is_ascii_digit()) => {
                vec![date, time.get(..5).unwrap_or(time)]
            }
            _ => vec![word],
        };
        for part in parts {
            let figures = part.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            match part.strip_prefix(figures) {
                Some(half @ ("am" | "pm")) if !figures.is_empty() => {
                    tokens.extend([figures.to_owned(), half.to_owned()]);
                }
                _ if part.is_empty() => {}
                _ => tokens.push(part.to_owned()),
            }
        }
    }
    tokens
}

struct Reader<'a> {
    rest: &'a [String],
    today: Date,
    is_month_first: bool,
    reading: Reading,
}

impl Reader<'_> {
    /// Takes what the next words say; `false` when they say nothing.
    fn take(&mut self) -> Result<bool, Unclear> {
        if self.is_beyond() {
            return Err(Unclear::Beyond);
        }
        // "A fortnight on Tuesday" comes before "a fortnight"; "first thing" and "first available" before "the first".
        Ok(self.take_weekday()
            || self.take_relative()
            || self.take_part()
            || self.take_open()
            || self.take_date()?
            || self.take_clock())
    }

    fn word(&self, place: usize) -> &str {
        self.rest.get(place).map_or("", String::as_str)
    }

    /// Goes past so many words.
    fn pass(&mut self, count: usize) -> bool {
        self.rest = self.rest.get(count..).unwrap_or_default();
        true
    }

    fn starts_with(&self, words: &str) -> Option<usize> {
        self.starts_at(0, words).then(|| words.split(' ').count())
    }

    /// Whether these words stand at `place`.
    fn starts_at(&self, place: usize, words: &str) -> bool {
        words.split(' ').enumerate().all(|(at, word)| self.word(place.saturating_add(at)) == word)
    }

    /// Whether the next words turn what follows into something that is not understood here: "not Monday", "after Tuesday", "the first
    /// week of May". To leave them out would be to offer what was not asked for.
    fn is_beyond(&self) -> bool {
        let is_turned = ["not", "except", "besides", "without", "other than", "apart from", "anything but"]
            .into_iter()
            .any(|words| self.starts_with(words).is_some());
        let the = 1_usize.saturating_add(usize::from(self.word(1) == "the"));
        let is_day = |word: &str| weekday(word).is_some() || month(word).is_some() || ordinal(word).is_some();
        let is_side = matches!(self.word(0), "after" | "before" | "since") && is_day(self.word(the));
        let nth = usize::from(self.word(0) == "the");
        let is_nth = ordinal(self.word(nth)).is_some() || self.word(nth) == "last";
        let is_week_of = is_nth && self.starts_at(nth.saturating_add(1), "week of");
        is_turned || is_side || is_week_of
    }

    /// Days that are counted from today.
    fn take_relative(&mut self) -> bool {
        let day = |days: i64| self.today.saturating_add(days.days());
        let since_monday = i64::from(self.today.weekday().to_monday_zero_offset());
        let monday = self.today.saturating_sub(since_monday.days());
        let week = |weeks: i64| {
            let first = monday.saturating_add((weeks.saturating_mul(7)).days());
            (first.max(self.today), first.saturating_add(6.days()))
        };
        let weekend = |weeks: i64| {
            let first = monday.saturating_add(weeks.saturating_mul(7).saturating_add(5).days());
            (first.max(self.today), first.saturating_add(1.day()))
        };
        let month = |months: i64| {
            let first = self.today.first_of_month().saturating_add(months.months());
            (first.max(self.today), first.last_of_month())
        };
        let phrases: [(&str, (Date, Date)); 24] = [
            ("day after tomorrow", (day(2), day(2))),
            ("a week tomorrow", (day(8), day(8))),
            ("tomorrow week", (day(8), day(8))),
            ("today week", (day(7), day(7))),
            ("a fortnight today", (day(14), day(14))),
            ("a fortnight tomorrow", (day(15), day(15))),
            ("weekend after next", weekend(2)),
            ("tomorrow", (day(1), day(1))),
            ("today", (day(0), day(0))),
            ("tonight", (day(0), day(0))),
            ("this morning", (day(0), day(0))),
            ("this afternoon", (day(0), day(0))),
            ("this evening", (day(0), day(0))),
            ("week after next", week(2)),
            ("next week", week(1)),
            ("this week", week(0)),
            ("next weekend", weekend(1)),
            ("this weekend", weekend(0)),
            ("weekend", weekend(0)),
            ("next month", month(1)),
            ("this month", month(0)),
            ("a fortnight", (day(14), day(14))),
            ("a week today", (day(7), day(7))),
            ("week today", (day(7), day(7))),
        ];
        let found =
            phrases.into_iter().find_map(|(words, days)| Some((words, days, self.starts_with(words)?)));
        if let Some((words, days, count)) = found {
            self.reading.days = Some(days);
            // "This afternoon" and "tonight" say a part of the day too, which is read next.
            let rest = if words.starts_with("this ") && is_part(self.word(1)) { 1 } else { count };
            if words == "tonight" {
                self.reading.part = part("evening");
            }
            return self.pass(rest);
        }
        self.take_counted()
    }

    /// "In three days", "in 2 weeks", "two weeks from now".
    fn take_counted(&mut self) -> bool {
        let place = usize::from(self.word(0) == "in");
        let Some(count) = cardinal(self.word(place)).filter(|count| (1..=60).contains(count)) else {
            return false;
        };
        let unit = place.saturating_add(1);
        let days = match self.word(unit) {
            "day" | "days" if place == 1 || self.word(unit.saturating_add(1)) == "from" => 1,
            "week" | "weeks"
                if place == 1 || matches!(self.word(unit.saturating_add(1)), "from" | "time") =>
            {
                7
            }
            _ => return false,
        };
        let day = self.today.saturating_add(i64::from(count).saturating_mul(days).days());
        // "In two weeks" is a week, not a day.
        self.reading.days = Some(if days == 7 {
            (day.saturating_sub(1.day()), day.saturating_add(3.days()))
        } else {
            (day, day)
        });
        self.pass(unit.saturating_add(1))
    }

    /// "Tuesday", "next Tuesday", "Tuesday week", "a week on Tuesday", "a fortnight on Tuesday", "the Tuesday after next".
    fn take_weekday(&mut self) -> bool {
        let before = [
            "a week on",
            "week on",
            "a fortnight on",
            "fortnight on",
            "two weeks on",
            "2 weeks on",
            "next",
            "this coming",
            "this",
            "coming",
            "on",
            "every",
        ];
        let (modifier, count) =
            before.into_iter().find_map(|words| Some((words, self.starts_with(words)?))).unwrap_or(("", 0));
        let Some(weekday) = weekday(self.word(count)) else { return false };
        let after = count.saturating_add(1);
        // The one of next week, Monday to Sunday. On a Sunday that is the next one anyway.
        let today = self.today.weekday();
        let next = u8::from(weekday.to_monday_zero_offset() > today.to_monday_zero_offset());
        let (weeks_later, more) = match (self.word(after), self.word(after.saturating_add(1))) {
            ("week", _) => (1, 1),
            ("fortnight", _) => (2, 1),
            ("after", "next") => (next.saturating_add(1), 2),
            _ if modifier.ends_with("week on") => (1, 0),
            _ if modifier.ends_with("fortnight on") || modifier.ends_with("weeks on") => (2, 0),
            _ if modifier == "next" => (next, 0),
            _ => (0, 0),
        };
        self.reading.weekdays.push(weekday);
        self.reading.weeks_later = self.reading.weeks_later.max(weeks_later);
        self.pass(after.saturating_add(more))
    }

    /// A date in words or figures.
    fn take_date(&mut self) -> Result<bool, Unclear> {
        if self.take_figures()? {
            return Ok(true);
        }
        // "14 March", "the 14th of March", "14th"; "March 14", "March the 14th", "March".
        let the = usize::from(self.word(0) == "the");
        let (first, second) = (self.word(the), self.word(the.saturating_add(1)));
        let of = usize::from(second == "of");
        let (day, named) = (ordinal(first), month(self.word(the.saturating_add(1).saturating_add(of))));
        if let (Some(day), Some(month)) = (day.or_else(|| cardinal(first)), named) {
            let count = the.saturating_add(2).saturating_add(of);
            return self.dated(day, month, count);
        }
        if let Some(day) = day {
            self.reading.date = Some(self.day_of_month(day)?);
            return Ok(self.pass(the.saturating_add(1)));
        }
        let Some(month) = month(self.word(0)) else { return Ok(false) };
        let the = usize::from(self.word(1) == "the");
        let day = self.word(the.saturating_add(1));
        if let Some(day) = ordinal(day).or_else(|| cardinal(day)) {
            return self.dated(day, month, the.saturating_add(2));
        }
        // May, March and the like are also other words: a month alone needs "in".
        let first = Date::new(self.today.year(), month, 1).map_err(|_| Unclear::NoSuchDay)?;
        let first = if first.last_of_month() < self.today { first.saturating_add(1.year()) } else { first };
        self.reading.days = Some((first.max(self.today), first.last_of_month()));
        Ok(self.pass(1))
    }

    /// A day and a month in words, and the year after them if there is one.
    fn dated(&mut self, day: i16, month: i8, count: usize) -> Result<bool, Unclear> {
        let year = self.word(count).parse::<i16>().ok().filter(|year| (2000..2200).contains(year));
        self.reading.date = Some(match year {
            Some(year) => date(year, month, day)?,
            None => self.nearest(month, day)?,
        });
        Ok(self.pass(count.saturating_add(usize::from(year.is_some()))))
    }

    /// `2026-12-01`, `1/12`, `1.12.2026`.
    fn take_figures(&mut self) -> Result<bool, Unclear> {
        let word = self.word(0).to_owned();
        let numbers = |by: char| word.split(by).map(str::parse::<i16>).collect::<Result<Vec<_>, _>>().ok();
        let small = |number: i16| i8::try_from(number).map_err(|_| Unclear::NoSuchDay);
        let found = match (numbers('-').as_deref(), numbers('/').as_deref(), numbers('.').as_deref()) {
            (Some([year, month, day]), _, _) if *year > 31 => date(*year, small(*month)?, *day)?,
            (_, Some([first, second]), _) => {
                let (day, month) = if self.is_month_first { (second, first) } else { (first, second) };
                self.nearest(small(*month)?, *day)?
            }
            (_, Some([first, second, year]), _) | (_, _, Some([first, second, year])) => {
                let (day, month) = if self.is_month_first { (second, first) } else { (first, second) };
                let year = if *year < 100 { year.saturating_add(2000) } else { *year };
                date(year, small(*month)?, *day)?
            }
            _ => return Ok(false),
        };
        self.reading.date = Some(found);
        Ok(self.pass(1))
    }

    /// The day of this month; of the next one when it is over.
    fn day_of_month(&self, day: i16) -> Result<Date, Unclear> {
        let in_month = |first: Date| date(first.year(), first.month(), day);
        let this = in_month(self.today.first_of_month());
        match this {
            Ok(day) if day >= self.today => Ok(day),
            _ => in_month(self.today.first_of_month().saturating_add(1.month())),
        }
    }

    /// The nearest such day, before or after today: one that was last week is past, and not next year.
    fn nearest(&self, month: i8, day: i16) -> Result<Date, Unclear> {
        let years = [-1, 0, 1].map(|later| self.today.year().saturating_add(later));
        let days = years.into_iter().filter_map(|year| date(year, month, day).ok());
        let distance =
            |date: &Date| date.since(self.today).map_or(i32::MAX, |span| span.get_days().saturating_abs());
        days.min_by_key(distance).ok_or(Unclear::NoSuchDay)
    }

    /// A time of day, with what says whether it is the first or the last.
    fn take_clock(&mut self) -> bool {
        let before = self.word(0).to_owned();
        let place = usize::from(matches!(
            before.as_str(),
            "at" | "around" | "about" | "after" | "from" | "before" | "by" | "until" | "past"
        ));
        let Some((time, count)) = self.clock(place) else { return false };
        self.reading.clock = Some(match before.as_str() {
            "after" | "from" | "past" => Clock::From(time),
            "before" | "by" | "until" => Clock::Until(time),
            _ => Clock::At(time),
        });
        self.pass(count)
    }

    /// The time that stands at `place`, and how many words that takes in all.
    fn clock(&self, place: usize) -> Option<(Time, usize)> {
        let word = |after: usize| self.word(place.saturating_add(after));
        let taken = |more: usize| place.saturating_add(more);
        if let "noon" | "midday" = word(0) {
            return Some((Time::constant(12, 0, 0, 0), taken(1)));
        }
        // "Half past two", "quarter to three", "ten past four".
        let parted = match (word(0), word(1)) {
            ("half", "past") => Some(30),
            ("quarter", "past") => Some(15),
            ("quarter", "to") => Some(-15),
            (minutes, "past") => cardinal(minutes),
            (minutes, "to") => cardinal(minutes).and_then(i16::checked_neg),
            _ => None,
        };
        if let Some(minutes) = parted {
            let (hour, half) = (hour(word(2))?, word(3));
            let time = in_words(hour, half, self.is_morning())?.wrapping_add(i64::from(minutes).minutes());
            return Some((time, taken(if matches!(half, "am" | "pm") { 4 } else { 3 })));
        }
        if let Some((hours, minutes)) = word(0).split_once([':', '.']) {
            let (hours, minutes) = (hours.parse().ok()?, minutes.parse().ok()?);
            let half = word(1);
            // With two figures of an hour, or one beyond noon, it is the clock of 24 hours.
            let time = if matches!(half, "am" | "pm") || hours < 8 && !word(0).starts_with('0') {
                in_words(hours, half, self.is_morning())?
            } else {
                Time::new(hours, 0, 0, 0).ok()?
            };
            let time = Time::new(time.hour(), minutes, 0, 0).ok()?;
            return Some((time, taken(if matches!(half, "am" | "pm") { 2 } else { 1 })));
        }
        let (hour, after) = (hour(word(0))?, word(1));
        let is_said = place > 0 || matches!(after, "am" | "pm" | "oclock");
        // "Two thirty".
        let minutes =
            cardinal(after).filter(|minutes| (10..60).contains(minutes) && word(0).parse::<i8>().is_err());
        if let Some(minutes) = minutes {
            let half = word(2);
            let time = in_words(hour, half, self.is_morning())?;
            let time = Time::new(time.hour(), i8::try_from(minutes).ok()?, 0, 0).ok()?;
            return Some((time, taken(if matches!(half, "am" | "pm") { 3 } else { 2 })));
        }
        let time = in_words(hour, after, self.is_morning())?;
        is_said.then(|| (time, taken(if matches!(after, "am" | "pm" | "oclock") { 2 } else { 1 })))
    }

    /// Whether any of the words that follow says that it is a morning.
    fn is_morning(&self) -> bool {
        self.rest.iter().any(|word| word == "morning")
    }

    fn take_part(&mut self) -> bool {
        let phrases = [
            ("first thing", "first thing"),
            ("end of the day", "late"),
            ("late", "late"),
            ("early", "early"),
        ];
        let found = phrases.into_iter().find_map(|(words, part)| Some((part, self.starts_with(words)?)));
        let (name, count) = found.unwrap_or((self.word(0), 1));
        // "Early next week" is no hour.
        if matches!(name, "early" | "late") && matches!(self.word(1), "next" | "this" | "in") {
            return self.pass(1);
        }
        let Some(part) = part(name) else { return false };
        // "Late afternoon" is an afternoon.
        self.reading.part = Some(part);
        self.pass(count)
    }

    fn take_open(&mut self) -> bool {
        let phrases = [
            "as soon as possible",
            "as early as possible",
            "asap",
            "soonest",
            "soon",
            "earliest",
            "first available",
            "next available",
            "anytime",
            "any time",
            "any day",
            "any",
            "whenever",
            "dont mind",
            "next appointment",
            "first appointment",
            "next slot",
        ];
        let found = phrases.into_iter().find_map(|words| self.starts_with(words));
        self.reading.is_open |= found.is_some();
        found.is_some_and(|count| self.pass(count))
    }
}

fn date(year: i16, month: i8, day: i16) -> Result<Date, Unclear> {
    let day = i8::try_from(day).map_err(|_| Unclear::NoSuchDay)?;
    Date::new(year, month, day).map_err(|_| Unclear::NoSuchDay)
}

/// An hour as it is said: the half of the day that is named, else the one in which clinics are open.
fn in_words(hour: i8, half: &str, is_morning: bool) -> Option<Time> {
    let hour = match (hour, half) {
        (12, "am") => 0,
        (1..=11, "pm") => hour.checked_add(12)?,
        (_, "am" | "pm") => hour,
        (1..=7, _) if !is_morning => hour.checked_add(12)?,
        _ => hour,
    };
    Time::new(hour, 0, 0, 0).ok()
}

fn is_part(word: &str) -> bool {
    part(word).is_some()
}

fn part(word: &str) -> Option<(Time, Time)> {
    let span = |from: i8, to: i8, minute: i8| {
        Some((Time::constant(from, 0, 0, 0), Time::constant(to, minute, 0, 0)))
    };
    match word {
        "morning" | "mornings" => span(0, 11, 59),
        "lunchtime" | "lunch" => span(12, 13, 59),
        "afternoon" | "afternoons" => span(12, 17, 0),
        "evening" | "evenings" | "night" => span(17, 23, 59),
        "first thing" => span(0, 9, 59),
        "early" => span(0, 10, 59),
        "late" => span(15, 23, 59),
        _ => None,
    }
}

fn weekday(word: &str) -> Option<Weekday> {
    let word = word.strip_suffix('s').unwrap_or(word);
    Some(match word {
        "monday" | "mon" => Weekday::Monday,
        "tuesday" | "tue" => Weekday::Tuesday,
        "wednesday" | "wed" => Weekday::Wednesday,
        "thursday" | "thur" | "thu" => Weekday::Thursday,
        "friday" | "fri" => Weekday::Friday,
        "saturday" | "sat" => Weekday::Saturday,
        "sunday" | "sun" => Weekday::Sunday,
        _ => return None,
    })
}

fn month(word: &str) -> Option<i8> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let is_it = |name: &&str| *name == word || word.len() == 3 && name.starts_with(word);
    let place = MONTHS.iter().position(is_it).or_else(|| (word == "sept").then_some(8))?;
    i8::try_from(place.saturating_add(1)).ok()
}

const NUMBERS: [&str; 21] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
];
const ORDINALS: [&str; 21] = [
    "zeroth",
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
    "twentieth",
];

/// A number in figures or in words.
fn cardinal(word: &str) -> Option<i16> {
    if let Ok(number) = word.parse::<i16>() {
        return Some(number).filter(|number| (0..=99).contains(number));
    }
    let in_words = NUMBERS.iter().position(|name| *name == word).and_then(|place| i16::try_from(place).ok());
    let more = match word {
        "a" | "an" => Some(1),
        "thirty" => Some(30),
        "forty" => Some(40),
        "fifty" => Some(50),
        "twenty-five" => Some(25),
        "forty-five" => Some(45),
        _ => None,
    };
    in_words.or(more)
}

/// A day of a month, as `14th` or `fourteenth`.
fn ordinal(word: &str) -> Option<i16> {
    let figures =
        ["st", "nd", "rd", "th"].into_iter().find_map(|end| word.strip_suffix(end)?.parse::<i16>().ok());
    let in_words =
        || ORDINALS.iter().position(|name| *name == word).and_then(|place| i16::try_from(place).ok());
    let compound = || {
        let (tens, rest) = word.split_once('-')?;
        let tens = match tens {
            "twenty" => 20,
            "thirty" => 30,
            _ => return None,
        };
        let rest =
            ORDINALS.iter().position(|name| *name == rest).and_then(|place| i16::try_from(place).ok())?;
        rest.checked_add(tens)
    };
    figures.or_else(in_words).or_else(compound).or_else(|| (word == "thirtieth").then_some(30))
}

/// An hour of a clock, in figures or in words.
fn hour(word: &str) -> Option<i8> {
    let hour = cardinal(word).filter(|hour| (0..=23).contains(hour) && !matches!(word, "a" | "an"))?;
    i8::try_from(hour).ok()
}
