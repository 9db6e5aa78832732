//! `GET /api/onboarding/status`: what is still to be done before the receptionist answers, from what is so. And the test that shows
//! whether the clinic's line leads here.

use domain::{
    amount::Amount,
    booking::catalog::Span,
    calendar::ConnectionState,
    call::{Call, Direction},
    clinic::Clinic,
    onboarding::{CarrierCodes, Diversion, Facts, Standing, divert_codes, is_talk, standing},
    personal::Personal,
    phone_number::PhoneNumber,
    tariff::Tariff,
    time::{rfc3339_millis, whole_millis},
};
use futures::try_join;
use http::StatusCode;
use jiff::Timestamp;
use numbering::Fiction;
use serde::{Deserialize, Serialize};
use store::{Attempt, StoreError, numbers::Status};
use utoipa::ToSchema;
use web::{
    auth::Caller,
    problem::Problem,
    request::invalid,
    routes::{Answer, Input},
};

use super::clinic::own_line;
use crate::Deps;

/// How many of the latest calls are looked at.
const MOST_CALLS: usize = 50;
/// How many calls of the time of a test are looked at.
const MOST_OF_A_TEST: usize = 500;

/// A test that is to begin.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"main_line": "+442079460000", "from": "+447700900124"}))]
pub struct Wanted {
    /// The line that patients ring.
    main_line: String,
    /// The telephone that is going to ring it.
    from: String,
}
web::json_bodies!(Wanted);

/// What is still to be done.
#[derive(Debug, Serialize, ToSchema)]
pub struct Shown {
    /// Whether all is done that the clinic cannot do without.
    complete: bool,
    steps: Vec<Standing>,
    diversion: Diverted,
}

/// How the clinic's line is diverted.
#[derive(Debug, Serialize, ToSchema)]
struct Diverted {
    /// The number that it is to lead to.
    number: Option<PhoneNumber>,
    codes: Vec<CarrierCodes>,
    test: Option<Test>,
}

/// A test of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Test {
    main_line: PhoneNumber,
    from: String,
    /// `waiting`, `seen`, or `not_seen` within its time.
    status: &'static str,
    asked_at: String,
    ends_at: String,
    /// When this test saw the line lead here.
    seen_at: Option<String>,
    what_to_do: &'static str,
}

impl Test {
    /// `known` is the line that the clinic has said is its own.
    fn of(test: &Diversion, known: Option<&PhoneNumber>, calls: &[Call], now: Timestamp) -> Self {
        let seen_at = test.seen_at(calls);
        let (status, what_to_do) = match seen_at {
            Some(_) if known == Some(&test.main_line) => ("seen", "The clinic's line leads to your number."),
            Some(_) => (
                "seen",
                "A call came from that telephone. If the line that it rang is the clinic's, say so: it is the clinic's main_line.",
            ),
            None if test.waits(now) => (
                "waiting",
                "Ring the clinic's line now, from the telephone that you named, with your number shown.",
            ),
            None => (
                "not_seen",
                "No call arrived from that telephone. See that the diversion is on and leads to your number, then begin the test anew.",
            ),
        };
        Self {
            main_line: test.main_line.clone(),
            from: test.from.reveal().as_str().to_owned(),
            status,
            asked_at: rfc3339_millis(test.asked_at),
            ends_at: rfc3339_millis(test.ends_at()),
            seen_at: seen_at.map(rfc3339_millis),
            what_to_do,
        }
    }
}

/// Shows what is still to be done.
///
/// # Errors
/// When the caller may not see it, or the store does not answer.
pub async fn status(deps: &Deps, caller: &Caller, _: Input) -> Result<Answer<Shown>, Problem> {
    caller.may_see_the_business()?;
    let (org, now) = (caller.org, deps.platform.clock.now());
    let direction = Direction::Inbound;
    let (wallet, number, agent, catalog, connection, calendars, clinic, (calls, _)) = try_join!(
        deps.wallets.get(org),
        deps.numbers.of_direction(org, direction),
        deps.agents.get(org, direction),
        deps.bookings.catalog(org),
        deps.calendars.connection(org),
        deps.calendars.of_org(org),
        deps.clinics.get(org),
        deps.calls.between(org, Timestamp::UNIX_EPOCH, now, MOST_CALLS),
    )?;
    let of_test = of_test(deps, &clinic).await?;
    let a_minute = Tariff::at(now).charge(60);
    let number = number.filter(|number| number.status == Status::Active).map(|number| number.phone_number);
    let is_connected = connection.is_some_and(|connection| connection.state == ConnectionState::Connected);
    let works = |spans: &Vec<Span>| !spans.is_empty();
    let steps = standing(&Facts {
        has_money: wallet.is_some_and(|wallet| {
            Amount::try_from(wallet.available.pence()).is_ok_and(|has| has >= a_minute)
        }),
        number: number.as_ref(),
        agent: agent.as_ref(),
        has_service: catalog.services.iter().any(|service| service.terms.callers_may_book),
        has_hours: catalog.resources.iter().any(|resource| resource.hours.weekly.values().any(works)),
        has_calendar: is_connected && calendars.iter().any(|calendar| !calendar.resource_ids.is_empty()),
        is_diverted: clinic.diversion.as_ref().is_some_and(|test| {
            clinic.main_line.as_ref() == Some(&test.main_line) && test.proved_at(&of_test, now).is_some()
        }),
        has_talked: calls.iter().any(is_talk),
    });
    let complete = steps.iter().all(|step| step.done || step.optional);
    let codes = divert_codes(number.as_ref());
    let test = clinic.diversion.as_ref().map(|test| Test::of(test, clinic.main_line.as_ref(), &of_test, now));
    Ok(Answer::ok(Shown { complete, steps, diversion: Diverted { number, codes, test } }))
}

/// Begins a test: who then rings the clinic's line from the telephone named is seen to arrive here. A repeat finds the test that waits.
///
/// # Errors
/// When the caller may not change, a number is not usable, or the store does not answer.
pub async fn test(deps: &Deps, caller: &Caller, input: Input<(), Wanted>) -> Result<Answer<Test>, Problem> {
    caller.may_change()?;
    let main_line = own_line(&input.body.main_line, Fiction::rung_if(deps.platform.rings_fiction))?;
    let from = PhoneNumber::parse(&input.body.from).map_err(|error| invalid(format!("from: {error}.")))?;
    let ours = deps.numbers.of_direction(caller.org, Direction::Inbound).await?;
    if from == main_line || ours.is_some_and(|ours| [&main_line, &from].contains(&&ours.phone_number)) {
        return Err(invalid(
            "main_line is the clinic's own line, and from is the telephone that rings it: neither is the other, or your number here.",
        ));
    }
    let (main_line, from, now) = (&main_line, &Personal::new(from), whole_millis(deps.platform.clock.now()));
    let begin = || async move {
        let clinic = deps.clinics.get(caller.org).await?;
        // Who has an emergency is told the number of the clinic's country: only the clinic says where it is.
        if clinic.version == 0 {
            return Err(invalid("Say the clinic's time_zone first, such as Europe/London."));
        }
        let there = clinic.diversion.as_ref();
        let is_same =
            |test: &&Diversion| test.main_line == *main_line && test.from == *from && test.waits(now);
        let calls = of_test(deps, &clinic).await?;
        if let Some(waiting) = there.filter(is_same).filter(|test| test.seen_at(&calls).is_none()) {
            return Ok(Attempt::Done((Test::of(waiting, clinic.main_line.as_ref(), &calls, now), false)));
        }
        // Of another line it says nothing that this one was seen.
        let proved_at =
            there.filter(|test| test.main_line == *main_line).and_then(|test| test.proved_at(&calls, now));
        let test = Diversion { main_line: main_line.clone(), from: from.clone(), asked_at: now, proved_at };
        // A line that is only tried takes no calls from the one that is known.
        let main_line = clinic.main_line.clone().or_else(|| Some(main_line.clone()));
        let shown = Test::of(&test, main_line.as_ref(), &[], now);
        let after = Clinic { diversion: Some(test), main_line, ..clinic };
        Ok::<_, Problem>(Attempt::of(deps.clinics.save(&after).await)?.map(|_| (shown, true)))
    };
    let (test, is_new) = deps.db.until_written("the clinic", begin).await?;
    tracing::info!(org_id = %caller.org, user = %caller.user, is_new, "a test of a diversion begins");
    Ok(Answer::with(if is_new { StatusCode::CREATED } else { StatusCode::OK }, test))
}

/// The calls of the time in which a clinic's test waits, or waited.
async fn of_test(deps: &Deps, clinic: &Clinic) -> Result<Vec<Call>, StoreError> {
    match &clinic.diversion {
        Some(test) => {
            let calls = deps.calls.between(clinic.org_id, test.asked_at, test.ends_at(), MOST_OF_A_TEST);
            Ok(calls.await?.0)
        }
        None => Ok(Vec::new()),
    }
}
