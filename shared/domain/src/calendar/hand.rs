//! What an event of ours means that comes back from a calendar: our own echo, or the clinic's hand.

use super::{
    busy::{Told, When},
    record::{Mirror, MirrorState},
};
use crate::booking::{
    appointment::{Appointment, Status},
    diary::Interval,
};

/// What an event that comes back means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// It says what we put there, or what stands here already: nothing is to be done, whatever its etag is.
    Echo,
    /// The clinic moved it here, its length included.
    Moved(Interval),
    /// The clinic changed a sight of it that was older than ours: ours stands, and a person is to look.
    Outdated,
    /// The clinic deleted it.
    Cancelled,
    /// It cannot be told: nothing is to be done.
    Unknown,
    /// It is not our event, but a copy of it or another's: it counts as an event of others.
    Strangers,
}

/// Returns what an event means that a calendar tells, where `mirror` is what we know of our event there.
///
/// Its identity is its id: a copy bears our marks and has another id. It bears the revision that it shows; where its times are those
/// that we pushed for it, nobody has touched it.
pub fn meaning(told: &Told, mirror: &Mirror, appointment: &Appointment) -> Meaning {
    if told.id != mirror.event_id.as_str() {
        return Meaning::Strangers;
    }
    if told.is_cancelled {
        let is_known = appointment.status == Status::Cancelled || mirror.state == MirrorState::Removed;
        return if is_known { Meaning::Echo } else { Meaning::Cancelled };
    }
    let When::Timed(interval) = told.when else {
        // An appointment that was made a whole day is nothing that we can follow.
        return if told.when == When::Unknown { Meaning::Unknown } else { Meaning::Outdated };
    };
    if appointment.status == Status::Cancelled {
        // It is still to be taken out.
        return Meaning::Echo;
    }
    if is_same(interval, appointment.interval) {
        return Meaning::Echo;
    }
    let Some(mark) = told.mark.as_ref() else { return Meaning::Outdated };
    let is_as_pushed = mirror
        .pushed
        .iter()
        .any(|pushed| pushed.revision == mark.revision && is_same(pushed.interval, interval));
    if is_as_pushed {
        // Ours of an older revision: the newer is on its way.
        return Meaning::Echo;
    }
    if mark.revision == appointment.revision && interval.from < interval.to {
        Meaning::Moved(interval)
    } else {
        Meaning::Outdated
    }
}

/// Whether two times are the same to the second, which is as exact as a vendor keeps them.
fn is_same(one: Interval, other: Interval) -> bool {
    let seconds = |interval: Interval| (interval.from.as_second(), interval.to.as_second());
    seconds(one) == seconds(other)
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::{
        calendar::{Mark, Pushed, event_id},
        ids::{AppointmentId, CalendarId, OrgId},
    };

    fn interval(minutes: i64, length: i64) -> Interval {
        let from = "2026-01-05T10:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minutes);
        Interval { from, to: from + SignedDuration::from_mins(length) }
    }

    fn appointment(revision: u64, interval: Interval) -> Appointment {
        let json = serde_json::json!({
            "org_id": "00000000-0000-0000-0000-00000000000a", "appointment_id": "a1", "version": 3,
            "revision": revision, "status": "confirmed", "service_id": "s1", "service_name": "Check-up",
            "resource_ids": ["r1"], "from": interval.from, "to": interval.to, "blocked": interval,
            "time_zone": "Europe/London", "wall_clock": "2026-01-05T10:00:00", "patient_name": "Ada Lovelace",
            "made": {"by": "staff", "user_id": "u1"}, "created_at": "2026-01-01T10:00:00Z"});
        serde_json::from_value(json).unwrap()
    }

    fn mirror(pushed: &[(u64, Interval)]) -> Mirror {
        let org = OrgId::new(uuid::Uuid::from_u128(10));
        let (appointment, calendar) = (AppointmentId::parse("a1").unwrap(), CalendarId::parse("c1").unwrap());
        let pushed =
            pushed.iter().map(|(revision, interval)| Pushed { revision: *revision, interval: *interval });
        Mirror { pushed: pushed.collect(), ..Mirror::begun(org, appointment, calendar) }
    }

    fn told(revision: u64, interval: Interval) -> Told {
        let (appointment, calendar) = (AppointmentId::parse("a1").unwrap(), CalendarId::parse("c1").unwrap());
        let id = event_id(OrgId::new(uuid::Uuid::from_u128(10)), &appointment, &calendar, 0);
        Told {
            id: id.to_string(),
            etag: "\"9\"".into(),
            is_cancelled: false,
            when: When::Timed(interval),
            is_transparent: false,
            is_declined: false,
            is_working_location: false,
            is_series: false,
            series: None,
            mark: Some(Mark { appointment_id: appointment, revision, environment: "test".into() }),
        }
    }

    #[test]
    fn what_comes_back_is_our_echo_or_the_clinics_hand() {
        let (at, later, longer) = (interval(0, 30), interval(60, 30), interval(0, 45));
        let one = appointment(1, at);
        let moved = appointment(2, later);
        let known = mirror(&[(1, at)]);
        let both = mirror(&[(1, at), (2, later)]);
        let gone = Told { is_cancelled: true, when: When::Unknown, mark: None, ..told(1, at) };
        let cancelled = Appointment { status: Status::Cancelled, ..one.clone() };
        let table = [
            ("as pushed", told(1, at), &known, &one, Meaning::Echo),
            ("dragged", told(1, later), &known, &one, Meaning::Moved(later)),
            ("made longer", told(1, longer), &known, &one, Meaning::Moved(longer)),
            ("ours of before, the push of the newer on its way", told(1, at), &both, &moved, Meaning::Echo),
            ("dragged by who saw the older", told(1, longer), &both, &moved, Meaning::Outdated),
            ("dragged to where it is by now", told(1, later), &both, &moved, Meaning::Echo),
            ("dragged after both", told(2, longer), &both, &moved, Meaning::Moved(longer)),
            ("of a revision that we never had", told(7, longer), &both, &moved, Meaning::Outdated),
            ("deleted", gone.clone(), &known, &one, Meaning::Cancelled),
            ("deleted by us", gone, &known, &cancelled, Meaning::Echo),
            ("not deleted yet", told(1, at), &known, &cancelled, Meaning::Echo),
            ("a copy", Told { id: "another".into(), ..told(1, later) }, &known, &one, Meaning::Strangers),
            ("without our marks", Told { mark: None, ..told(1, later) }, &known, &one, Meaning::Outdated),
            ("unreadable", Told { when: When::Unknown, ..told(1, at) }, &known, &one, Meaning::Unknown),
        ];
        for (name, event, mirror, appointment, expected) in table {
            assert_eq!(meaning(&event, mirror, appointment), expected, "{name}");
        }
    }

    #[test]
    fn whatever_the_etag_an_echo_is_one() {
        let at = interval(0, 30);
        for etag in ["", "\"1\"", "\"another\""] {
            let event = Told { etag: etag.into(), ..told(1, at) };
            assert_eq!(meaning(&event, &mirror(&[(1, at)]), &appointment(1, at)), Meaning::Echo);
        }
    }
}
