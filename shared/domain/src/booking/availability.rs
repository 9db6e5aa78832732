//! What can be booked. One function decides it, [`Offer::fit`]: what is offered is what it lets through, so what is offered can be
//! booked if nothing changed, and nothing else can.

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime, Time},
    tz::AmbiguousOffset,
};

use super::{
    catalog::{Resource, Service, Terms},
    diary::{Diary, Interval, Owner},
};
use crate::{clinic::ClinicZone, ids::ResourceId, time::plus_secs};

/// Who books. Callers are held to the service's notice and to what callers may book. A person who overbooks is held to neither
/// hours, nor the minutes at which the service begins, nor what is taken; but to what is past, too far ahead, and the needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Booker {
    /// A caller, by the receptionist.
    Caller,
    /// A person of the clinic's.
    Staff,
    /// A person of the clinic's who knows that the time is not free, and says why it is to be so.
    Overbooking,
}

/// A time for a service, with the resources that it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// When the patient is there.
    pub interval: Interval,
    /// The same with its buffers: what is taken of each resource.
    pub blocked: Interval,
    /// What it takes, one of each need, in the order of the needs.
    pub resources: Vec<ResourceId>,
    /// The zone whose wall clock says when it is: that of the first resource.
    pub zone: ClinicZone,
}

impl Slot {
    /// Returns what the wall clock shows when it begins.
    pub fn wall_clock(&self) -> DateTime {
        self.zone.wall_clock(self.interval.from)
    }
}

/// Why a time cannot be booked. The first that applies is the one that is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Callers may not book this service.
    #[error("this service is not booked by callers")]
    NotForCallers,
    /// The resources are not one of each need, or one of them is not known.
    #[error("the service is not given by these")]
    NotItsResources,
    /// The time is past, or begins now.
    #[error("that time is past")]
    Past,
    /// The service asks for more notice.
    #[error("that is too soon")]
    TooSoon,
    /// It lies beyond the days that can be booked yet.
    #[error("that is too far ahead")]
    TooFarAhead,
    /// The service does not begin at such a minute, or the clocks skip it.
    #[error("nothing begins at that minute")]
    NotAStart,
    /// A resource does not work then, or is away.
    #[error("the clinic is closed then")]
    Closed,
    /// The time is taken.
    #[error("that time is taken")]
    Taken,
}

/// A service, its resources, and what is taken of them, all as they were read: everything that a decision rests on.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// What is to be booked.
    pub service: &'a Service,
    /// The resources of its needs.
    pub resources: &'a [Resource],
    /// What is taken of them.
    pub diary: &'a Diary,
    /// Who books.
    pub booker: Booker,
    /// Whose entries do not count: those that the booking takes the place of.
    pub ignored: &'a [Owner<'a>],
    /// When it is decided.
    pub now: Timestamp,
}

impl Offer<'_> {
    /// Decides whether the service can be given at `start` by these resources, one of each need. This is the rule that every
    /// booking, hold and move is held to.
    ///
    /// # Errors
    /// [`Unfit`], the first reason that applies.
    pub fn fit(&self, start: Timestamp, resources: &[ResourceId]) -> Result<Slot, Unfit> {
        let terms = &self.service.terms;
        if self.booker == Booker::Caller && !terms.callers_may_book {
            return Err(Unfit::NotForCallers);
        }
        let resources = self.known(resources)?;
        self.timely(start)?;
        let zone =
            resources.first().map(|first| first.hours.time_zone.clone()).ok_or(Unfit::NotItsResources)?;
        let (interval, blocked) = intervals(terms, start).ok_or(Unfit::TooFarAhead)?;
        if self.booker != Booker::Overbooking {
            is_a_start(terms, &zone, start)?;
            self.free(&resources, &interval, &blocked)?;
        }
        let resources = resources.iter().map(|resource| resource.resource_id.clone()).collect();
        Ok(Slot { interval, blocked, resources, zone })
    }

    /// Whether all of these work then, and none of them is taken.
    fn free(&self, resources: &[&Resource], interval: &Interval, blocked: &Interval) -> Result<(), Unfit> {
        if !resources.iter().all(|resource| works(resource, interval, blocked)) {
            return Err(Unfit::Closed);
        }
        let is_taken = |resource: &&Resource| {
            self.diary.taken_by(&resource.resource_id, blocked, self.ignored, self.now).is_some()
        };
        if resources.iter().any(is_taken) { Err(Unfit::Taken) } else { Ok(()) }
    }

    /// Decides whether the service can be given at `start` by any choice of its resources, or by one that has `only`: the first
    /// that can.
    ///
    /// # Errors
    /// [`Unfit`], why the first choice cannot.
    pub fn fit_any(&self, start: Timestamp, only: Option<&ResourceId>) -> Result<Slot, Unfit> {
        let choices = choices(&self.service.terms);
        let wanted = choices.iter().filter(|choice| only.is_none_or(|only| choice.contains(only)));
        let mut first = None;
        for choice in wanted {
            match self.fit(start, choice) {
                Ok(slot) => return Ok(slot),
                Err(unfit) => first = first.or(Some(unfit)),
            }
        }
        Err(first.unwrap_or(Unfit::NotItsResources))
    }

    /// Returns what can be booked on these days, between two times of the wall clock, in order. A start that several could give is
    /// shown once, with the first of each need that is free; with `only`, none without that resource.
    pub fn openings(&self, days: &[Date], (from, to): (Time, Time), only: Option<&ResourceId>) -> Vec<Slot> {
        let mut slots: Vec<Slot> = Vec::new();
        for day in days {
            for time in starts_of_a_day(&self.service.terms).filter(|time| from <= *time && *time <= to) {
                slots.extend(self.opening(day.to_datetime(time), only));
            }
        }
        slots.sort_by_key(|slot| slot.interval.from);
        slots.dedup_by_key(|slot| slot.interval.from);
        slots
    }

    /// Returns the first choice of resources that can give the service when the wall clock shows this.
    fn opening(&self, wall_clock: DateTime, only: Option<&ResourceId>) -> Option<Slot> {
        let choices = choices(&self.service.terms);
        let mut wanted = choices.into_iter().filter(|choice| only.is_none_or(|only| choice.contains(only)));
        wanted.find_map(|choice| self.fit(self.start_of(wall_clock, &choice)?, &choice).ok())
    }

    /// Returns the instant when the wall clock of the first of these resources shows this: the first such, and none where the
    /// clocks skip it.
    fn start_of(&self, wall_clock: DateTime, choice: &[ResourceId]) -> Option<Timestamp> {
        let first = choice.first()?;
        let resource = self.resources.iter().find(|resource| resource.resource_id == *first)?;
        resource.hours.time_zone.first_instant(wall_clock)
    }

    fn known(&self, resources: &[ResourceId]) -> Result<Vec<&Resource>, Unfit> {
        let needs = &self.service.terms.needs;
        let fits_needs = needs.len() == resources.len()
            && needs.iter().zip(resources).all(|(need, resource)| need.0.contains(resource));
        let is_twice = resources
            .iter()
            .enumerate()
            .any(|(place, one)| resources.iter().skip(place).skip(1).any(|other| other == one));
        if !fits_needs || is_twice {
            return Err(Unfit::NotItsResources);
        }
        let find = |id: &ResourceId| self.resources.iter().find(|resource| resource.resource_id == *id);
        resources.iter().map(|id| find(id).ok_or(Unfit::NotItsResources)).collect()
    }

    /// Whether the start is neither past nor too soon nor too far ahead. Staff are held to no notice.
    fn timely(&self, start: Timestamp) -> Result<(), Unfit> {
        let terms = &self.service.terms;
        if start <= self.now {
            return Err(Unfit::Past);
        }
        let notice = i64::from(terms.min_notice_mins).saturating_mul(60);
        if self.booker == Booker::Caller && start < plus_secs(self.now, notice) {
            return Err(Unfit::TooSoon);
        }
        let horizon = i64::from(terms.horizon_days).saturating_mul(24 * 3_600);
        if start > plus_secs(self.now, horizon) { Err(Unfit::TooFarAhead) } else { Ok(()) }
    }
}

/// The times of the wall clock at which a service may begin.
fn starts_of_a_day(terms: &Terms) -> impl Iterator<Item = Time> {
    let every = i64::from(terms.start_interval_mins.max(1));
    let step = jiff::Span::new().minutes(every);
    Time::midnight().series(step)
}

/// Whether the wall clock shows a minute at which the service begins, and shows it for the first time that day.
fn is_a_start(terms: &Terms, zone: &ClinicZone, start: Timestamp) -> Result<(), Unfit> {
    let shown = zone.wall_clock(start);
    let minute =
        u32::try_from(i32::from(shown.hour()).saturating_mul(60).saturating_add(i32::from(shown.minute())));
    let is_on_time = minute.is_ok_and(|minute| minute.checked_rem(terms.start_interval_mins) == Some(0));
    let is_whole = shown.second() == 0 && shown.subsec_nanosecond() == 0;
    if is_on_time && is_whole && zone.first_instant(shown) == Some(start) {
        Ok(())
    } else {
        Err(Unfit::NotAStart)
    }
}

/// Returns the time of a patient whose service begins then, and the same with its buffers; none beyond the end of time.
pub fn intervals(terms: &Terms, start: Timestamp) -> Option<(Interval, Interval)> {
    let mins = |mins: u32| SignedDuration::from_mins(i64::from(mins));
    let end = start.checked_add(mins(terms.duration_mins)).ok()?;
    let blocked = Interval {
        from: start.checked_sub(mins(terms.buffer_before_mins)).ok()?,
        to: end.checked_add(mins(terms.buffer_after_mins)).ok()?,
    };
    Some((Interval { from: start, to: end }, blocked))
}

/// Whether a resource works for all of the patient's time, and is not away for any of what is blocked.
fn works(resource: &Resource, interval: &Interval, blocked: &Interval) -> bool {
    let zone = &resource.hours.time_zone;
    let instant = |day: Date, time: Time| zone.first_instant_from(day.to_datetime(time));
    let day = zone.day_of(interval.from);
    // A span that reaches the last minute of its day reaches its midnight.
    let end =
        |time: Time| if time >= Time::constant(23, 59, 0, 0) { zone.end_of(day) } else { instant(day, time) };
    let is_in_a_span = resource.hours.spans_of(day).iter().any(|span| {
        let work = instant(day, span.from).zip(end(span.to));
        work.is_some_and(|(from, to)| Interval { from, to }.contains(interval))
    });
    let is_away =
        |closure: &super::catalog::Closure| Interval { from: closure.from, to: closure.to }.overlaps(blocked);
    is_in_a_span && !resource.hours.closures.iter().any(is_away)
}

/// Returns at most three of the openings, for a caller to choose from: those nearest to the time that the caller named, else spread
/// over all of them.
pub fn spread(openings: &[Slot], near: Option<Time>) -> Vec<Slot> {
    const OFFERED: usize = 3;
    let mut places: Vec<usize> = (0..openings.len()).collect();
    if let Some(near) = near {
        let distance = |place: &usize| {
            let time = openings.get(*place).map(|slot| slot.wall_clock().time());
            time.map_or(i64::MAX, |time| time.duration_since(near).as_mins().saturating_abs())
        };
        places.sort_by_key(distance);
        places.truncate(OFFERED);
        places.sort_unstable();
    } else if let (true, Some(last)) = (places.len() > OFFERED, places.len().checked_sub(1)) {
        places = vec![0, last.div_euclid(2), last];
    }
    places.into_iter().filter_map(|place| openings.get(place).cloned()).collect()
}

/// All choices of one resource of each need, in the order that the clinic wrote them; at most 200, so that no catalog is slow.
fn choices(terms: &Terms) -> Vec<Vec<ResourceId>> {
    const MOST: usize = 200;
    let mut choices: Vec<Vec<ResourceId>> = vec![Vec::new()];
    for need in &terms.needs {
        let longer = choices.iter().flat_map(|chosen| {
            let free = need.0.iter().filter(|id| !chosen.contains(id));
            free.map(|id| chosen.iter().cloned().chain([id.clone()]).collect::<Vec<_>>())
        });
        choices = longer.take(MOST).collect();
    }
    choices
}

impl ClinicZone {
    /// Returns what the wall clock shows at an instant.
    pub fn wall_clock(&self, at: Timestamp) -> DateTime {
        at.to_zoned_datetime(self.zone().clone()).datetime()
    }

    /// Returns the instant when the wall clock shows this: the first, where it is set back and shows it twice; none, where it is
    /// set forward and skips it.
    pub fn first_instant(&self, wall_clock: DateTime) -> Option<Timestamp> {
        let ambiguous = self.zone().to_ambiguous_timestamp(wall_clock);
        match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => ambiguous.earlier().ok(),
            AmbiguousOffset::Gap { .. } => None,
        }
    }

    /// Returns whether a date in figures is written with its month first where the zone is.
    pub fn writes_month_first(&self) -> bool {
        self.name().starts_with("America/") || self.name() == "Pacific/Honolulu"
    }

    /// Returns the same, and where the clocks skip it the instant when they go on.
    pub(crate) fn first_instant_from(&self, wall_clock: DateTime) -> Option<Timestamp> {
        let before = self.zone().to_ambiguous_timestamp(wall_clock).earlier().ok()?;
        let goes_on = || self.zone().following(before).next().map(|transition| transition.timestamp());
        self.first_instant(wall_clock).or_else(goes_on)
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "a test may overflow")]
mod tests;
