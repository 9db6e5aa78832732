use super::*;

/// What is understood, in short: the days, and the part of the day where it is not all of it.
fn read(words: &str, now: &str) -> String {
    shown(window(words, None, now.parse().unwrap(), false))
}

fn shown(window: Result<Window, Unclear>) -> String {
    let window = match window {
        Ok(window) => window,
        Err(Unclear::Disagree { weekday, date }) => return format!("{weekday} or {date}?"),
        Err(unclear) => return format!("{unclear:?}"),
    };
    let is_run = window.days.windows(2).all(|pair| pair[0].tomorrow().unwrap() == pair[1]);
    let days = match &window.days[..] {
        [one] => one.to_string(),
        [first, .., last] if is_run => format!("{first}..{last}"),
        days => days.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
    };
    let hours = format!("{}-{}", window.from.strftime("%H:%M"), window.to.strftime("%H:%M"));
    match (hours.as_str(), window.near) {
        ("00:00-23:59", _) => days,
        (_, Some(near)) => format!("{days} ~{}", near.strftime("%H:%M")),
        (hours, None) => format!("{days} {hours}"),
    }
}

/// Said on a Monday, a Wednesday, a Friday, a Sunday, and on the last day of a year, a Thursday; each at nine in the morning.
const SAID: [&str; 5] =
    ["2026-11-30T09:00", "2026-12-02T09:00", "2026-12-04T09:00", "2026-12-06T09:00", "2026-12-31T09:00"];
/// What is said, and the days that it means on each of those.
const PHRASES: &[(&str, [&str; 5])] = &[
    ("today", ["2026-11-30", "2026-12-02", "2026-12-04", "2026-12-06", "2026-12-31"]),
    ("tomorrow", ["2026-12-01", "2026-12-03", "2026-12-05", "2026-12-07", "2027-01-01"]),
    ("the day after tomorrow", ["2026-12-02", "2026-12-04", "2026-12-06", "2026-12-08", "2027-01-02"]),
    ("on Tuesday", ["2026-12-01", "2026-12-08", "2026-12-08", "2026-12-08", "2027-01-05"]),
    ("this Tuesday", ["2026-12-01", "2026-12-08", "2026-12-08", "2026-12-08", "2027-01-05"]),
    ("next Tuesday", ["2026-12-08", "2026-12-08", "2026-12-08", "2026-12-08", "2027-01-05"]),
    ("next Friday", ["2026-12-11", "2026-12-11", "2026-12-11", "2026-12-11", "2027-01-08"]),
    ("Tuesday next week", ["2026-12-08", "2026-12-08", "2026-12-08", "2026-12-08", "2027-01-05"]),
    ("Tuesday week", ["2026-12-08", "2026-12-15", "2026-12-15", "2026-12-15", "2027-01-12"]),
    ("a week on Tuesday", ["2026-12-08", "2026-12-15", "2026-12-15", "2026-12-15", "2027-01-12"]),
    ("Monday", ["2026-12-07", "2026-12-07", "2026-12-07", "2026-12-07", "2027-01-04"]),
    (
        "next week",
        [
            "2026-12-07..2026-12-13",
            "2026-12-07..2026-12-13",
            "2026-12-07..2026-12-13",
            "2026-12-07..2026-12-13",
            "2027-01-04..2027-01-10",
        ],
    ),
    (
        "this week",
        [
            "2026-11-30..2026-12-06",
            "2026-12-02..2026-12-06",
            "2026-12-04..2026-12-06",
            "2026-12-06",
            "2026-12-31..2027-01-03",
        ],
    ),
    (
        "the weekend",
        [
            "2026-12-05..2026-12-06",
            "2026-12-05..2026-12-06",
            "2026-12-05..2026-12-06",
            "2026-12-06",
            "2027-01-02..2027-01-03",
        ],
    ),
    (
        "the week after next",
        [
            "2026-12-14..2026-12-20",
            "2026-12-14..2026-12-20",
            "2026-12-14..2026-12-20",
            "2026-12-14..2026-12-20",
            "2027-01-11..2027-01-17",
        ],
    ),
    ("in three days", ["2026-12-03", "2026-12-05", "2026-12-07", "2026-12-09", "2027-01-03"]),
    ("in a fortnight", ["2026-12-14", "2026-12-16", "2026-12-18", "2026-12-20", "2027-01-14"]),
    (
        "Tuesday or Thursday",
        [
            "2026-12-01,2026-12-03",
            "2026-12-03,2026-12-08",
            "2026-12-08,2026-12-10",
            "2026-12-08,2026-12-10",
            "2027-01-05,2027-01-07",
        ],
    ),
    ("the 14th", ["2026-12-14", "2026-12-14", "2026-12-14", "2026-12-14", "2027-01-14"]),
    ("14 March", ["2027-03-14"; 5]),
    ("March the 14th", ["2027-03-14"; 5]),
    ("the fourteenth of March 2028", ["2028-03-14"; 5]),
    ("29 February 2028", ["2028-02-29"; 5]),
    ("in January", ["2027-01-01..2027-01-31"; 5]),
    ("14/3", ["2027-03-14"; 5]),
    ("2027-01-05", ["2027-01-05"; 5]),
    ("Tuesday 2027-01-05", ["2027-01-05"; 5]),
];

#[test]
fn words_mean_what_people_mean_by_them_whatever_the_day_they_are_said_on() {
    for (words, meant) in PHRASES {
        for (said, meant) in SAID.iter().zip(meant) {
            assert_eq!(read(words, said), *meant, "{words:?}, said on {said}");
        }
    }
}

#[test]
fn times_of_day_are_those_at_which_clinics_are_open() {
    let now = "2026-11-30T09:00";
    for (words, meant) in [
        ("tomorrow at 2", "2026-12-01 ~14:00"),
        ("tomorrow at two", "2026-12-01 ~14:00"),
        ("tomorrow at 2pm", "2026-12-01 ~14:00"),
        ("tomorrow 2 p.m.", "2026-12-01 ~14:00"),
        ("tomorrow at 9", "2026-12-01 ~09:00"),
        ("tomorrow at 11:30", "2026-12-01 ~11:30"),
        ("tomorrow at 2.30", "2026-12-01 ~14:30"),
        ("tomorrow 14:30", "2026-12-01 ~14:30"),
        ("2026-12-01T14:30:00Z", "2026-12-01 ~14:30"),
        ("half past two tomorrow", "2026-12-01 ~14:30"),
        ("quarter to three tomorrow", "2026-12-01 ~14:45"),
        ("quarter past ten tomorrow", "2026-12-01 ~10:15"),
        ("tomorrow at two thirty", "2026-12-01 ~14:30"),
        ("tomorrow around noon", "2026-12-01 ~12:00"),
        ("tomorrow, 3 o'clock", "2026-12-01 ~15:00"),
        ("tomorrow 7 in the morning", "2026-12-01 00:00-11:59"),
        ("tomorrow at 7 in the morning", "2026-12-01 ~07:00"),
        ("tomorrow after 3", "2026-12-01 15:00-23:59"),
        ("tomorrow before 11", "2026-12-01 00:00-11:00"),
        ("tomorrow morning", "2026-12-01 00:00-11:59"),
        ("tomorrow afternoon please", "2026-12-01 12:00-17:00"),
        ("this afternoon", "2026-11-30 12:00-17:00"),
        ("tonight", "2026-11-30 17:00-23:59"),
        ("first thing on Tuesday", "2026-12-01 00:00-09:59"),
        ("Tuesday lunchtime", "2026-12-01 12:00-13:59"),
        ("next Tuesday afternoon, with Dr Rahman", "2026-12-08 12:00-17:00"),
        ("as soon as possible", "2026-11-30..2026-12-13"),
        ("any time", "2026-11-30..2026-12-13"),
        ("in the morning", "2026-11-30..2026-12-13 00:00-11:59"),
    ] {
        assert_eq!(read(words, now), meant, "{words:?}");
    }
}

#[test]
fn what_is_past_is_refused_and_never_moved() {
    let now = "2026-11-30T14:00";
    for words in [
        "20 November",
        "2026-11-29",
        "2024-12-03",
        "29 November 2026",
        "today at 9",
        "this morning",
        "1 August",
    ] {
        assert_eq!(read(words, now), "Past", "{words:?}");
    }
}

#[test]
fn what_no_calendar_has_and_what_says_nothing_is_asked() {
    let now = "2026-11-30T14:00";
    for words in
        ["32 February", "the 32nd", "29 February 2027", "2026-13-01", "31/11", "the 30th of February"]
    {
        assert_eq!(read(words, now), "NoSuchDay", "{words:?}");
    }
    for words in ["", "hello", "with Dr Rahman", "\u{202e}", &"x".repeat(5_000)] {
        assert_eq!(read(words, now), "Nothing", "{words:?}");
    }
}

#[test]
fn a_day_of_the_week_and_a_date_that_is_another_is_asked() {
    let now = "2026-11-30T14:00";
    assert_eq!(read("Tuesday 2026-12-09", now), "2026-12-01 or 2026-12-09?");
    assert_eq!(read("Friday the 12th", now), "2026-12-04 or 2026-12-12?");
    assert_eq!(read("Friday the 11th", now), "2026-12-11");
}

#[test]
fn a_models_part_of_the_day_counts_where_the_caller_named_none() {
    let now = "2026-11-30T09:00".parse().unwrap();
    let with = |words: &str, part: &str| shown(window(words, Some(part), now, false));
    assert_eq!(with("tomorrow", "afternoon"), "2026-12-01 12:00-17:00");
    assert_eq!(with("tomorrow morning", "afternoon"), "2026-12-01 00:00-11:59");
    assert_eq!(with("tomorrow", "whatever it is"), "2026-12-01");
}

#[test]
fn figures_are_read_as_the_country_writes_them() {
    let now = "2026-11-30T09:00".parse().unwrap();
    assert_eq!(shown(window("3/4/2027", None, now, false)), "2027-04-03");
    assert_eq!(shown(window("3/4/2027", None, now, true)), "2027-03-04");
    assert_eq!(shown(window("12/25", None, now, true)), "2026-12-25");
}
