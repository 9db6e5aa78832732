//! Lets a world run: one thread, and a scheduler that the seed decides. Each step polls something that is underway once, or
//! begins something that is due; when there is neither, the clock is turned to whatever is due next.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    future::Future,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use bytes::Bytes;
use domain::{
    overspend::{Cause, MINUTELY_SECS},
    time::month_of,
};
use http::{Request, Response};
use jiff::{SignedDuration, Timestamp};
use local::{queue::Message, schedule::Schedule};
use sandbox::{
    google,
    stripe::{self, Act, Card},
    twilio, vapi,
};

use crate::{
    actions::{self, Action},
    asked_back::AskedBack,
    diary::Diaries,
    faults::Kind,
    lag::Indexes,
    monitor::{Monitor, Violation},
    pairs,
    plant::Plant,
    quiet::{Quiet, has_nothing_to_do, is_thorough, no_calendar_is_due},
    rest,
    rng::Stream,
    slots, weather,
    world::{World, locked},
};

/// How many things are underway at once, at the most.
const MOST_AT_ONCE: usize = 6;
/// A task that is polled more often than this will never end.
const MOST_POLLS: u32 = 20_000;
/// How late a schedule comes at the most, in seconds: within the minute that it is due in.
const LATEST_SCHEDULE_SECS: u32 = MINUTELY_SECS - 60;
/// The longest that a function may run, where the template does not say.
const LONGEST_RUN: SignedDuration = SignedDuration::from_mins(15);
/// A process that dies does so within so many polls.
const DIES_WITHIN: i64 = 30;
/// How long the world goes on after the last action, before the faults stop.
const AFTERMATH: SignedDuration = SignedDuration::from_hours(6);
/// How long it has to come to rest: webhooks are up to three days late, vendors are believed to act within one.
const TO_REST: SignedDuration = SignedDuration::from_hours(24 * 5);
/// How long after the last thing that happened the minutely schedule is still run each minute.
const STAYS_BUSY: SignedDuration = SignedDuration::from_mins(15);
/// Of so many runs of a schedule while nothing happens, one is done: of the one that comes every fifteen minutes one in five hours, of
/// the hourly one each fourth; where the minutely one is not left out for what it would find, it comes each hour then.
const IDLE_CALLS: u64 = 60;
const IDLE_LISTINGS: u64 = 20;
const IDLE_PAYMENTS: u64 = 4;
/// Calendars are asked each fourth hour then, and whether they have their channels each sixth.
const IDLE_POLLS: u64 = 48;
const IDLE_WATCHES: u64 = 6;
/// How often it is asked whether a world is at rest.
const ASKED: SignedDuration = SignedDuration::from_hours(6);
/// How long a world that is at rest goes on: each schedule comes once more, and finds it so.
const STAYS_AT_REST: SignedDuration = SignedDuration::from_hours(25);
/// How long a long world is, from its first action on, and when an entry of a ledger is altered in it: each entry is read anew within
/// thirty days.
const LONG: SignedDuration = SignedDuration::from_hours(24 * 40);
const ALTERED_AFTER: SignedDuration = SignedDuration::from_hours(24 * 8);
/// How many lines of a trace are kept, and shown of a failure.
const KEPT_LINES: usize = 60;

/// Which world to run, and what to leave out of it.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// What decides everything.
    pub seed: u64,
    /// Kinds of faults that do not happen.
    pub masked: BTreeSet<Kind>,
    /// Actions that are left out, by their places in the list.
    pub removed: BTreeSet<usize>,
    /// A bug that is planted.
    pub plant: Option<&'static Plant>,
    /// Whether each line of the trace is printed as it comes, with the system's own log lines.
    pub prints: bool,
}

/// What became of a world.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What was found broken first.
    pub violation: Option<Violation>,
    /// The last lines of its trace.
    pub trace: Vec<String>,
    /// How many actions it had.
    pub actions: usize,
    /// How many clinics.
    pub clinics: usize,
    /// How long it ran, by its own clock.
    pub lasted: SignedDuration,
    /// How often each fault struck.
    pub faults: BTreeMap<Kind, u64>,
    /// Requests to AWS and to the vendors.
    pub requests: u64,
    /// Requests, messages and schedules that were begun.
    pub operations: u64,
    /// Ledger entries that were checked.
    pub entries: u64,
    /// Seconds of talk that nothing paid for, by cause: each call's.
    pub unpaid: Vec<(Cause, u32)>,
    /// Calls that were billed by our own times.
    pub estimated: u64,
    /// Calls that were billed.
    pub billed: u64,
    /// How many appointments were made.
    pub booked: usize,
    /// The most slots that were taken at a time.
    pub most_slots: usize,
    /// How often what is rare came about.
    pub tallies: BTreeMap<&'static str, u64>,
}

type Doing = Pin<Box<dyn Future<Output = Option<Response<Bytes>>>>>;

/// What follows when something underway is done, or its process has died.
pub(crate) enum After {
    /// And when the post was begun.
    Vapi(vapi::Post, Timestamp),
    Stripe(stripe::Post),
    TopUp {
        act: Act,
        wait_secs: i64,
    },
    Forged,
    Look {
        clinic: usize,
    },
    /// What the carrier calls the text that it speaks of.
    Twilio(String),
    /// The clinic is told where to consent.
    Consent {
        clinic: usize,
    },
    Nothing,
}

/// Something underway.
struct Task {
    name: String,
    acting: Option<usize>,
    doing: Doing,
    after: After,
    polls: u32,
    dies_at: Option<u32>,
    /// When the function's time is over, and it is stopped wherever it is.
    stopped_at: Timestamp,
    woken: Arc<Woken>,
}

/// Whether something underway can go on, or waits.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Something that happens at a time.
pub(crate) enum Due {
    Act(usize),
    Pay { session: String, act: Act },
    FailRefund(String),
    ArriveRefund(String),
    Reinstate { dispute: String, pence: i64 },
    Decide { dispute: String, is_won: bool },
    EndInquiry { inquiry: String, is_escalated: bool },
    PutThrough { call: String, secs: u32 },
    ChangeRecord(String),
    RecordsAreShown,
    Alter,
    Unfreeze(usize),
    EndsAreHeard,
    VapiRecovers,
    Vapi(vapi::Post),
    VapiCopy(String),
    Stripe(stripe::Post),
    StripeCopy(stripe::Post),
    Google(google::Post),
    Twilio(twilio::Post),
    Consent(usize),
    Again { consumer: String, message: Message },
    Scheduled(Schedule),
}

/// What can be begun now.
#[derive(Clone, Copy)]
enum Source {
    Agenda,
    Vapi,
    Stripe,
    Google,
    Twilio,
    Queue,
    Schedule,
    Late,
}

/// A world that runs.
pub(crate) struct Driver {
    pub(crate) world: World,
    pub(crate) actions: Vec<Action>,
    pub(crate) monitor: Monitor,
    pub(crate) diaries: Diaries,
    slots: slots::Seen,
    /// What was asked back of which payment.
    pub(crate) asked_back: BTreeMap<String, AskedBack>,
    tallies: BTreeMap<&'static str, u64>,
    /// Webhooks that were seen on their way, for an attacker that replays them.
    pub(crate) seen: Vec<(Timestamp, Request<Bytes>)>,
    pub(crate) chance: Stream,
    agenda: BTreeMap<(Timestamp, u64), Due>,
    entered: u64,
    tasks: Vec<Task>,
    pub(crate) choice: Stream,
    busy_until: Timestamp,
    idle_runs: BTreeMap<String, u64>,
    quiet: Quiet,
    /// Whether no minutely run is left out for what it would find, and the world runs to its very end.
    is_thorough: bool,
    operations: u64,
    trace: VecDeque<String>,
    prints: bool,
    violation: Option<Violation>,
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("underway", &self.tasks.len()).finish_non_exhaustive()
    }
}

/// Runs the world of a seed to its end, or to the first thing that is found broken. The same configuration always does
/// exactly the same.
pub fn run(config: &Config) -> Outcome {
    crate::logs::keep_lines(config.prints);
    drop(crate::logs::take_leak());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let outcome = runtime.block_on(Box::pin(run_world(config)));
    domain::tariff::price_change::set(None);
    outcome
}

async fn run_world(config: &Config) -> Outcome {
    domain::tariff::price_change::set(None);
    let world = World::build(config.seed, &config.masked, config.plant).await;
    let mut driver = Driver::over(world, config);
    let began = driver.world.time();
    driver.let_faults_begin(config);
    let last = driver.actions.iter().map(|action| action.after).max().unwrap_or(SignedDuration::ZERO);
    driver.run_until(began + last + AFTERMATH).await;
    driver.let_faults_end();
    driver.run_to_rest(began).await;
    driver.come_to_rest(config);
    driver.outcome(began)
}

impl Driver {
    fn over(world: World, config: &Config) -> Self {
        let actions = actions::plan(config.seed, &world);
        let now = world.time();
        let mut driver = Self {
            monitor: Monitor::over(&world),
            diaries: Diaries::default(),
            slots: slots::Seen::default(),
            world,
            actions,
            asked_back: BTreeMap::new(),
            tallies: BTreeMap::new(),
            seen: Vec::new(),
            chance: Stream::of(config.seed, "doing"),
            agenda: BTreeMap::new(),
            entered: 0,
            tasks: Vec::new(),
            choice: Stream::of(config.seed, "scheduler"),
            busy_until: now + STAYS_BUSY,
            idle_runs: BTreeMap::new(),
            quiet: Quiet::default(),
            is_thorough: is_thorough(config.seed),
            operations: 0,
            trace: VecDeque::new(),
            prints: config.prints,
            violation: None,
        };
        let planned: Vec<(usize, SignedDuration)> =
            driver.actions.iter().enumerate().map(|(at, action)| (at, action.after)).collect();
        for (at, after) in planned {
            if !config.removed.contains(&at) {
                driver.enter(now + after, Due::Act(at));
            }
        }
        driver
    }

    fn let_faults_begin(&mut self, config: &Config) {
        let ids = self.world.clinics.iter().map(|clinic| clinic.id.clone()).collect();
        let lags = locked(&self.world.now).dice.has(Kind::IndexBehind);
        let indexes = lags.then(|| Indexes::of(&self.world));
        let over_aws = weather::over_aws(self.world.now.clone(), ids, config.plant, indexes);
        self.world.stack.aws.set_plan(over_aws);
        let google = &self.world.stack.google;
        let lies = config.plant.is_some_and(Plant::shows_failures_as_deletions).then(|| Arc::clone(google));
        self.world.stack.faults.set_plan(weather::over_vendors(self.world.now.clone(), lies));
        if self.world.is_long {
            self.enter(self.world.time() + ALTERED_AFTER, Due::Alter);
        }
        // A function that waits lets the others go on.
        self.world.clock.hold_sleepers();
        let mut now = locked(&self.world.now);
        now.dice.set_calm(false);
        now.is_about_bookings = true;
        now.is_about_slots = true;
        drop(now);
        for at in 0..self.world.clinics.len() {
            self.check(at);
        }
    }

    /// Nothing goes wrong any more; what was held up still comes.
    fn let_faults_end(&mut self) {
        self.say("the faults stop");
        locked(&self.world.now).dice.set_calm(true);
        self.hear_ends();
        self.recover_vapi();
        self.prove_cards(true);
        for at in 0..self.world.clinics.len() {
            self.unfreeze(at);
            self.set_card(at, Card::Good);
        }
        self.mend_calendars();
    }

    /// Runs until all is at rest and has stayed so for a day; a thorough world, and a long one, to the very end.
    async fn run_to_rest(&mut self, began: Timestamp) {
        let end = if self.world.is_long { began + LONG } else { self.world.time() + TO_REST };
        while self.world.time() < end && self.violation.is_none() {
            if !self.is_thorough && !self.world.is_long && self.is_at_rest() {
                return self.run_until(end.min(self.world.time() + STAYS_AT_REST)).await;
            }
            self.run_until(end.min(self.world.time() + ASKED)).await;
            self.mend_calendars();
        }
    }

    /// Whether nothing is on its way any more, and what must hold in the end holds already.
    fn is_at_rest(&self) -> bool {
        let stack = &self.world.stack;
        let is_planned = self.agenda.values().any(|due| !matches!(due, Due::Scheduled(_)));
        let sent = [stack.aws.queues().next_due(), stack.vapi.next_due(), stack.stripe.next_due()];
        !is_planned
            && sent.iter().all(Option::is_none)
            && rest::check(&self.world, &self.monitor, self.tasks.len()).is_ok()
    }

    fn come_to_rest(&mut self, config: &Config) {
        if self.violation.is_some() {
            return;
        }
        for at in 0..self.world.clinics.len() {
            self.check(at);
        }
        if self.violation.is_none()
            && let Err(detail) = rest::check(&self.world, &self.monitor, self.tasks.len())
        {
            self.violate("everything comes to rest", detail);
        }
        if let (true, Some(violation)) = (config.prints, &self.violation) {
            println!("{violation}");
        }
    }

    fn outcome(mut self, began: Timestamp) -> Outcome {
        self.tasks.clear();
        // It holds on to the transport that holds on to it.
        self.world.stack.aws.clear_plan();
        let now = locked(&self.world.now);
        Outcome {
            violation: self.violation.take(),
            trace: self.trace.iter().cloned().collect(),
            actions: self.actions.len(),
            clinics: self.world.clinics.len(),
            lasted: self.world.time().duration_since(began),
            faults: now.dice.counts(),
            requests: now.requests.saturating_add(now.vendor_requests),
            operations: self.operations,
            entries: self.monitor.entries,
            unpaid: self.monitor.unpaid.clone(),
            estimated: self.monitor.estimated,
            billed: self.monitor.billed,
            booked: self.diaries.count(),
            most_slots: self.slots.most,
            tallies: std::mem::take(&mut self.monitor.tallies)
                .into_iter()
                .chain(std::mem::take(&mut self.tallies))
                .chain(std::mem::take(&mut self.diaries.tallies))
                .chain([
                    ("automatic charges", self.monitor.cards.begun()),
                    ("worlds with calendars", u64::from(!self.world.calendars.of.is_empty())),
                    ("appointments to be looked at", pairs::looked_at(&self.world)),
                    ("worlds of forty days", u64::from(self.world.is_long)),
                    (
                        "worlds that cross a month's end",
                        u64::from(month_of(began) != month_of(self.world.time())),
                    ),
                ])
                .collect(),
        }
    }

    /// Notes a line of the trace.
    pub(crate) fn say(&mut self, line: &str) {
        let line = format!("{} {line}", self.world.time());
        if self.prints {
            for logged in crate::logs::take_lines() {
                println!("      {logged}");
            }
            println!("{line}");
        }
        if self.trace.len() == KEPT_LINES {
            self.trace.pop_front();
        }
        self.trace.push_back(line);
    }

    /// Counts something rare that came about.
    pub(crate) fn tally(&mut self, what: &'static str) {
        *self.tallies.entry(what).or_default() += 1;
    }

    /// Notes that something is broken. Only the first thing counts: others follow from it.
    pub(crate) fn violate(&mut self, invariant: &'static str, detail: String) {
        self.say(&format!("BROKEN: {invariant}: {detail}"));
        let at = self.world.time();
        self.violation.get_or_insert(Violation { invariant, detail, at });
    }

    /// Enters something to happen at a time.
    pub(crate) fn enter(&mut self, at: Timestamp, due: Due) {
        self.entered = self.entered.saturating_add(1);
        self.agenda.insert((at, self.entered), due);
    }

    /// Begins something that takes its time.
    pub(crate) fn begin(
        &mut self,
        (function, name): (&str, String),
        acting: Option<usize>,
        after: After,
        doing: impl Future<Output = Option<Response<Bytes>>> + 'static,
    ) {
        let mut functions = self.world.stack.template.functions.values();
        let allowed = functions.find(|declared| declared.binary == function);
        let allowed =
            allowed.map_or(LONGEST_RUN, |declared| SignedDuration::from_secs(declared.timeout_secs));
        let stopped_at = self.world.time() + allowed;
        let mut now = locked(&self.world.now);
        let dies = now.dice.strikes(Kind::Crash);
        let dies_at = dies.then(|| now.dice.between(Kind::Crash, 1, DIES_WITHIN));
        drop(now);
        let dies_at = dies_at.and_then(|polls| u32::try_from(polls).ok());
        self.operations = self.operations.saturating_add(1);
        self.say(&format!("begin {name}"));
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let doing = Box::pin(doing);
        self.tasks.push(Task { name, acting, doing, after, polls: 0, dies_at, stopped_at, woken });
    }

    /// Begins a request to our API.
    pub(crate) fn begin_request(
        &mut self,
        name: String,
        acting: Option<usize>,
        after: After,
        request: Request<Bytes>,
    ) {
        let stack = Rc::clone(&self.world.stack);
        let function = stack.function_of(&request).unwrap_or_default().to_owned();
        self.begin((&function, name), acting, after, async move { Some(stack.request(request).await) });
    }

    /// Something happened: the minutely schedule is not skipped for some time.
    pub(crate) fn stay_busy(&mut self) {
        self.busy_until = self.world.time() + STAYS_BUSY;
    }

    async fn run_until(&mut self, end: Timestamp) {
        while self.violation.is_none() {
            let can_begin = self.tasks.len() < MOST_AT_ONCE;
            let goes_on: Vec<usize> = self.that_go_on();
            if can_begin && (goes_on.is_empty() || self.choice.chance(250)) && self.begin_one() {
                self.look_after_step();
                continue;
            }
            let Some(at) = self.choice.pick(&goes_on) else {
                if !self.turn(end, can_begin) {
                    return;
                }
                continue;
            };
            self.poll_one(at);
            self.look_after_step();
            // What a task has woken is woken between two steps.
            tokio::task::yield_now().await;
        }
    }

    /// The places of those that are underway and do not wait.
    fn that_go_on(&self) -> Vec<usize> {
        let tasks = self.tasks.iter().enumerate();
        tasks.filter(|(_, task)| task.woken.0.load(Ordering::Relaxed)).map(|(at, _)| at).collect()
    }

    /// Turns the clock to what is due next, and to who waits no longer. Returns whether there is anything before the end.
    fn turn(&mut self, end: Timestamp, can_begin: bool) -> bool {
        let planned = self.agenda.keys().next().map(|(at, _)| *at);
        let begins = [planned, self.world.stack.next_due()].into_iter().flatten().filter(|_| can_begin);
        let next = begins.chain(self.world.clock.next_waking()).min();
        if self.world.stack.aws.late() > 0 && self.choice.chance(300) {
            self.apply_late();
            return true;
        }
        let due = next.filter(|next| *next <= end);
        self.world.clock.turn_to(due.unwrap_or(end));
        due.is_some()
    }

    fn apply_late(&mut self) {
        let nth = self.choice.index(self.world.stack.aws.late());
        self.say("a write that timed out is applied");
        self.world.stack.aws.apply_late(nth);
        let all = 0..self.world.clinics.len();
        let mut now = locked(&self.world.now);
        now.dirty.extend(all);
        now.is_about_live_calls = true;
        now.is_about_bookings = true;
    }

    fn poll_one(&mut self, at: usize) {
        let time = self.world.time();
        let Some(task) = self.tasks.get_mut(at) else { return };
        if time >= task.stopped_at {
            let Task { name, after, doing, .. } = self.tasks.swap_remove(at);
            drop(doing);
            self.say(&format!("{name} is stopped: its time is over"));
            return self.done(&name, after, None);
        }
        locked(&self.world.now).acting = task.acting;
        task.woken.0.store(false, Ordering::Relaxed);
        let waker = Waker::from(Arc::clone(&task.woken));
        let polled = task.doing.as_mut().poll(&mut Context::from_waker(&waker));
        locked(&self.world.now).acting = None;
        task.polls = task.polls.saturating_add(1);
        let (polls, is_dead) = (task.polls, task.dies_at.is_some_and(|dies_at| task.polls >= dies_at));
        match polled {
            Poll::Ready(answer) => {
                let task = self.tasks.swap_remove(at);
                self.done(&task.name, task.after, answer.as_ref());
            }
            Poll::Pending if is_dead => {
                let Task { name, after, doing, .. } = self.tasks.swap_remove(at);
                drop(doing);
                self.say(&format!("crash of {name} after {polls} polls"));
                self.done(&name, after, None);
            }
            Poll::Pending if polls > MOST_POLLS => {
                let detail = task.name.clone();
                self.violate("whatever is begun ends", detail);
            }
            Poll::Pending => {
                let mut now = locked(&self.world.now);
                if now.dice.strikes(Kind::Slow) {
                    let passed = SignedDuration::from_millis(now.dice.between(Kind::Slow, 1, 2_000));
                    drop(now);
                    self.world.clock.turn_to(self.world.time() + passed);
                }
            }
        }
    }

    /// Checks what the step may have broken.
    fn look_after_step(&mut self) {
        let mut now = locked(&self.world.now);
        let dirty = std::mem::take(&mut now.dirty);
        let is_about_numbers = std::mem::take(&mut now.is_about_numbers);
        let is_about_bookings = std::mem::take(&mut now.is_about_bookings);
        let is_about_slots = std::mem::take(&mut now.is_about_slots);
        let foul = now.foul.take();
        drop(now);
        if let Some(foul) = foul {
            self.violate("no key of another org is touched", foul);
        }
        if let Some(leak) = crate::logs::take_leak() {
            self.violate("no personal data in a log line", leak);
        }
        for at in dirty {
            self.check(at);
        }
        if is_about_numbers
            && self.violation.is_none()
            && let Err(violation) = self.monitor.check_numbers(&self.world)
        {
            self.violate(violation.invariant, violation.detail);
        }
        if is_about_slots
            && self.violation.is_none()
            && let Err((invariant, detail)) = self.slots.check(&self.world)
        {
            self.violate(invariant, detail);
        }
        if is_about_bookings
            && self.violation.is_none()
            && let Err((invariant, detail)) = self.diaries.check(&self.world)
        {
            self.violate(invariant, detail);
        }
    }

    fn check(&mut self, at: usize) {
        if self.violation.is_some() {
            return;
        }
        match self.monitor.check(&self.world, at) {
            Ok(news) => news.iter().for_each(|line| self.say(line)),
            Err(violation) => self.violate(violation.invariant, violation.detail),
        }
    }

    /// Begins one of the things that are due, if there is one.
    fn begin_one(&mut self) -> bool {
        let now = self.world.time();
        let stack = Rc::clone(&self.world.stack);
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        let mut sources = Vec::new();
        if is_due(self.agenda.keys().next().map(|(at, _)| *at)) {
            sources.push(Source::Agenda);
        }
        if is_due(stack.vapi.next_due()) {
            sources.push(Source::Vapi);
        }
        if is_due(stack.stripe.next_due()) {
            sources.push(Source::Stripe);
        }
        if is_due(stack.google.next_due()) {
            sources.push(Source::Google);
        }
        if is_due(stack.twilio.next_due()) {
            sources.push(Source::Twilio);
        }
        if is_due(stack.aws.queues().next_due()) {
            sources.push(Source::Queue);
        }
        if stack.aws.late() > 0 && self.choice.chance(50) {
            sources.push(Source::Late);
        }
        if sources.is_empty() || self.choice.chance(200) {
            sources.push(Source::Schedule);
        }
        let source = self.choice.pick(&sources).unwrap_or(Source::Schedule);
        match source {
            Source::Agenda => self.follow_agenda(now),
            Source::Vapi => self.step_vapi(),
            Source::Stripe => self.step_stripe(),
            Source::Google => self.step_google(),
            Source::Twilio => self.step_twilio(),
            Source::Queue => self.take_message(),
            Source::Late => {
                self.apply_late();
                true
            }
            // Nothing scheduled, and something else due: that is begun the next time.
            Source::Schedule => self.take_schedule() || sources.len() > 1,
        }
    }

    fn follow_agenda(&mut self, now: Timestamp) -> bool {
        let is_due = self.agenda.keys().next().is_some_and(|(at, _)| *at <= now);
        let Some((_, due)) = (if is_due { self.agenda.pop_first() } else { None }) else { return false };
        if !matches!(due, Due::Scheduled(_)) {
            self.stay_busy();
        }
        self.happens(due);
        true
    }

    fn take_message(&mut self) -> bool {
        let stack = Rc::clone(&self.world.stack);
        let queues = stack.aws.queues();
        let mut consumed: Vec<(String, String)> =
            queues.consumed().map(|(queue, consumer)| (queue.to_owned(), consumer.to_owned())).collect();
        let first = self.choice.index(consumed.len());
        consumed.rotate_left(first);
        for (queue, consumer) in consumed {
            if let Some(message) = queues.receive(&queue, 1).pop() {
                self.stay_busy();
                self.consume(consumer, message);
                return true;
            }
        }
        // What was due has gone to the dead letters.
        true
    }

    /// Gives a message to its function; some come once more.
    fn consume(&mut self, consumer: String, message: Message) {
        let mut now = locked(&self.world.now);
        if now.dice.strikes(Kind::QueueTwice) {
            let secs = now.dice.between(Kind::QueueTwice, 0, 900);
            drop(now);
            let again = Due::Again { consumer: consumer.clone(), message: message.clone() };
            self.enter(self.world.time() + SignedDuration::from_secs(secs), again);
        } else {
            drop(now);
        }
        self.consume_once(consumer, message);
    }

    /// Gives a message to its function.
    pub(crate) fn consume_once(&mut self, consumer: String, message: Message) {
        let body: serde_json::Value = serde_json::from_str(&message.body).unwrap_or_default();
        let acting = body["org_id"].as_str().and_then(|org| self.world.clinic_of(org));
        let name = format!("{consumer} with {}", message.body);
        let stack = Rc::clone(&self.world.stack);
        let function = consumer.clone();
        self.begin((&function, name), acting, After::Nothing, async move {
            stack.consume(&consumer, message).await;
            None
        });
    }

    fn take_schedule(&mut self) -> bool {
        let stack = Rc::clone(&self.world.stack);
        let Some(schedule) = stack.take_scheduled() else { return false };
        let task = schedule.input["task"].as_str().unwrap_or(&schedule.function).to_owned();
        let has_calendars = !self.world.calendars.of.is_empty();
        // While there is no talk and nothing has happened for some time, most runs of the schedules that compare with the vendors are
        // left out, for speed, as a schedule may fail to come.
        let one_of = match task.as_str() {
            "calls" | "reminders" if self.is_thorough => IDLE_CALLS,
            "listing" => IDLE_LISTINGS,
            "payments" if !self.is_thorough => IDLE_PAYMENTS,
            "poll" if has_calendars => IDLE_POLLS,
            "watch" if has_calendars => IDLE_WATCHES,
            _ => 1,
        };
        let is_idle =
            self.world.time() > self.busy_until && !stack.vapi.is_busy() && !self.monitor.is_holding();
        if one_of > 1 && is_idle {
            // Counted for each: of a number for all, the one that is done could always be the same schedule.
            let idle_runs = self.idle_runs.entry(task).or_default();
            *idle_runs = idle_runs.wrapping_add(1);
            if !idle_runs.is_multiple_of(one_of) {
                return true;
            }
        }
        // A schedule comes within the minute that it is due in: two runs may lie almost two periods apart.
        let late = SignedDuration::from_secs(self.choice.between(0, LATEST_SCHEDULE_SECS.into()));
        self.enter(self.world.time() + late, Due::Scheduled(schedule));
        true
    }

    /// Whether the minutely run would find nothing now.
    fn finds_nothing(&mut self) -> bool {
        if std::mem::take(&mut locked(&self.world.now).is_about_live_calls) {
            self.quiet.forget();
        }
        self.quiet.is_so(&self.world)
    }

    /// Does a run of a schedule.
    pub(crate) fn run_scheduled(&mut self, schedule: Schedule) {
        let task = schedule.input["task"].as_str().unwrap_or_default();
        if task == "calls" && !self.is_thorough && self.finds_nothing() {
            return;
        }
        if !self.is_thorough && has_nothing_to_do(&self.world, &schedule.function) {
            return;
        }
        let has_calendars = !self.world.calendars.of.is_empty();
        if task == "poll" && has_calendars && no_calendar_is_due(&self.world) {
            return;
        }
        let name = format!("{} {task} by schedule", schedule.function);
        let function = schedule.function.clone();
        let stack = Rc::clone(&self.world.stack);
        self.begin((&function, name), None, After::Nothing, async move {
            stack.run_scheduled(schedule).await;
            None
        });
    }
}
