//! Goes through every order of a combination's steps: depth first, each schedule run again from the start, and no state
//! that was seen explored again.
//!
//! Steps that cannot matter to each other are taken in one order only: a request that meets nothing of any other task goes
//! at once, and of two independent steps the second is not tried first where the other order was explored (sleep sets, as
//! Godefroid has them for stateful search: a state that is seen again with fewer sleeping steps has the difference explored).

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use base::clock::Clock as _;

use super::{
    check::End,
    days::Days,
    gate::Knock,
    operation::{Operation, Part},
    records::Records,
    scene::{Delivery, Scene},
};
use crate::rng::Stream;

/// How many polls one step may take. One that takes more waits for something that never comes.
const MOST_POLLS: u32 = 5_000;

/// How many of a thousand operations die, in a schedule that chance decides, after each thing that they have done.
const DIES: u64 = 250;

/// Something that was not as it must be, and how it came to that.
#[derive(Clone, Debug)]
pub(super) struct Violation {
    pub(super) schedule: Vec<String>,
    pub(super) what: String,
}

/// What is chosen at a point of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Move {
    /// A task goes on, to the next request that must wait.
    On,
    /// A request is let through, and its task goes on.
    Through(Knock),
    /// A task dies.
    Crash,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Act {
    task: usize,
    what: Move,
}

impl Act {
    /// Whether either order of the two leads to the same.
    fn is_independent(&self, other: &Self) -> bool {
        let meets = match (&self.what, &other.what) {
            (Move::Through(knock), Move::Through(other)) => knock.conflicts(other),
            // Between requests that must wait a task touches only what is its own.
            (Move::On | Move::Crash, _) | (_, Move::On | Move::Crash) => false,
        };
        self.task != other.task && !meets
    }
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::On => f.write_str("goes on"),
            Self::Through(knock) => write!(f, "{knock}"),
            Self::Crash => f.write_str("dies"),
        }
    }
}

/// An act as it was done: to be done again, it takes as many polls.
#[derive(Clone, Debug)]
struct Done {
    act: Act,
    polls: u32,
    /// The task was followed no further.
    is_cut: bool,
}

/// What a task has learned from the engine: all that its next steps rest on.
#[derive(Clone, Debug, Default)]
struct History {
    /// How often it has made each kind of request.
    asked: BTreeMap<u64, u32>,
    /// Of each request with its answer, in the order of its kind. The order between kinds is left out: a task is the same
    /// whichever of two requests that it had under way was answered first.
    learned: u64,
    /// How often it went on by itself.
    went_on: u32,
}

impl History {
    fn learn(&mut self, knock: &Knock, seen: u64) {
        let mut kind = DefaultHasher::new();
        (&knock.operation, &knock.accesses).hash(&mut kind);
        let kind = kind.finish();
        let asked = self.asked.entry(kind).or_default();
        *asked = asked.saturating_add(1);
        let mut lesson = DefaultHasher::new();
        (kind, *asked, knock.digest, seen).hash(&mut lesson);
        self.learned = self.learned.wrapping_add(lesson.finish());
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Status {
    /// It goes on when it is polled.
    Running,
    /// All that it does waits to be let through.
    Waiting,
    Over(End),
}

#[derive(Debug, Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

struct Task<'s> {
    part: Part,
    delivery: Option<Delivery<'s>>,
    status: Status,
    history: History,
    /// What its ids come from: the same whatever others do meanwhile.
    entropy: u64,
    /// It has just changed something that outlives it.
    has_acted: bool,
    flag: Arc<Flag>,
}

/// One schedule on its way.
struct Run<'s> {
    scene: &'s Scene,
    tasks: Vec<Task<'s>>,
    records: Records,
    available: i64,
    /// What is taken of the practitioner's time, where it is that which operations meet at.
    days: Option<Days>,
}

impl<'s> Run<'s> {
    fn begin(scene: &'s Scene) -> Self {
        scene.reset();
        let task = |(place, part): (usize, &Part)| Task {
            part: *part,
            delivery: Some(scene.deliver(*part)),
            status: Status::Running,
            history: History::default(),
            entropy: u64::try_from(place).unwrap_or_default().saturating_add(100),
            has_acted: false,
            flag: Arc::default(),
        };
        let tasks = scene.combination.parts.iter().enumerate().map(task).collect();
        let is_of_the_diary =
            matches!(scene.combination.parts[..], [Part { operation: Operation::Diary(_), .. }, ..]);
        let days = is_of_the_diary.then(Days::default);
        Self { scene, tasks, records: scene.baseline.clone(), available: 0, days }
    }

    async fn poll(&mut self, place: usize) {
        let Some(task) = self.tasks.get_mut(place) else { return };
        let Some(delivery) = &mut task.delivery else { return };
        self.scene.gate.set_polled(Some(place));
        self.scene.set_entropy(task.entropy);
        task.flag.0.store(false, Ordering::SeqCst);
        let waker = Waker::from(Arc::clone(&task.flag));
        let polled = delivery.as_mut().poll(&mut Context::from_waker(&waker));
        task.entropy = self.scene.entropy();
        self.scene.gate.set_polled(None);
        // An operation that has yielded is woken with the runtime's next turn.
        tokio::task::yield_now().await;
        match polled {
            Poll::Ready(is_acknowledged) => {
                task.delivery = None;
                task.status = Status::Over(if is_acknowledged { End::Acknowledged } else { End::Failed });
            }
            Poll::Pending if task.flag.0.load(Ordering::SeqCst) => task.status = Status::Running,
            Poll::Pending => task.status = Status::Waiting,
        }
    }

    fn cut(&mut self, place: usize, end: End) {
        if let Some(task) = self.tasks.get_mut(place) {
            task.delivery = None;
            task.status = Status::Over(end);
        }
    }

    fn open(&self, act: &Act) {
        if let Move::Through(knock) = &act.what {
            self.scene.gate.open(act.task, knock);
        }
    }

    /// Does again what was done before.
    async fn repeat(&mut self, done: &Done) {
        self.open(&done.act);
        for _ in 0..done.polls {
            self.poll(done.act.task).await;
        }
        if done.act.what == Move::Crash {
            self.cut(done.act.task, End::Crashed);
        } else if done.is_cut {
            self.cut(done.act.task, End::Charged);
        }
    }

    /// Knows again what was known when this point was first come to.
    fn catch_up(&mut self, histories: &[History]) -> Result<(), String> {
        for (place, (task, history)) in self.tasks.iter_mut().zip(histories).enumerate() {
            task.history = history.clone();
            self.scene.gate.take_visit(place);
        }
        self.refresh();
        self.available = self.records.available()?;
        if let Some(days) = &mut self.days {
            *days = Days::of(&self.records, self.scene.gate.now())?;
        }
        Ok(())
    }

    /// Reads again what was written. Returns whether that changed anything.
    fn refresh(&mut self) -> bool {
        let mut has_changed = false;
        for (place, key) in self.scene.gate.take_fresh() {
            let item = self.scene.read(&place, &key);
            has_changed |= self.records.set(place, item);
        }
        has_changed
    }

    /// Does something for the first time.
    async fn act(&mut self, act: &Act) -> Result<Done, String> {
        let mut done = Done { act: act.clone(), polls: 0, is_cut: false };
        if act.what == Move::Crash {
            self.cut(act.task, End::Crashed);
            return Ok(done);
        }
        self.learn(act);
        self.open(act);
        loop {
            self.poll(act.task).await;
            done.polls = done.polls.saturating_add(1);
            if done.polls > MOST_POLLS {
                return Err("a step does not end".to_owned());
            }
            let visit = self.scene.gate.take_visit(act.task);
            let has_changed = self.refresh();
            let Some(task) = self.tasks.get_mut(act.task) else { return Ok(done) };
            let is_over = matches!(task.status, Status::Over(_));
            if visit.has_written && !is_over && self.scene.is_charged(task.part) {
                done.is_cut = true;
                self.cut(act.task, End::Charged);
                break;
            }
            task.has_acted = has_changed || visit.has_sent;
            let is_moment_to_die = self.scene.combination.crashes && task.has_acted;
            if task.status != Status::Running || is_moment_to_die {
                break;
            }
        }
        self.check(act.task)?;
        Ok(done)
    }

    /// Notes what the answer to a request will be: it follows from what the request can see.
    fn learn(&mut self, act: &Act) {
        let Some(task) = self.tasks.get_mut(act.task) else { return };
        match &act.what {
            Move::Through(knock) => {
                let seen = self.records.seen_by(&knock.accesses);
                task.history.learn(knock, seen);
            }
            Move::On => task.history.went_on = task.history.went_on.saturating_add(1),
            Move::Crash => {}
        }
    }

    /// What must be true after every step.
    fn check(&mut self, place: usize) -> Result<(), String> {
        if let Some(days) = &mut self.days {
            days.follow(Days::of(&self.records, self.scene.gate.now())?)?;
        }
        let before = std::mem::replace(&mut self.available, self.records.available()?);
        let may_make_debt = self.tasks.get(place).is_some_and(|task| task.part.operation.may_make_debt());
        if self.available < 0 && self.available < before && !may_make_debt {
            return Err(format!("available goes from {before}p to {}p", self.available));
        }
        Ok(())
    }

    /// What can be done next: all of it, or as much as must be tried before anything else.
    fn choices(&self) -> Result<BTreeSet<Act>, String> {
        let has_crashed = self.tasks.iter().any(|task| task.status == Status::Over(End::Crashed));
        let running = self.tasks.iter().enumerate().find(|(_, task)| task.status == Status::Running);
        if let Some((place, task)) = running {
            let may_die = self.scene.combination.crashes && task.has_acted && !has_crashed;
            let dies = may_die.then_some(Act { task: place, what: Move::Crash });
            return Ok(dies.into_iter().chain([Act { task: place, what: Move::On }]).collect());
        }
        let places = self.tasks.iter().enumerate().filter(|(_, task)| task.status == Status::Waiting);
        let waiting: Vec<usize> = places.map(|(place, _)| place).collect();
        let mut all = BTreeSet::new();
        for place in &waiting {
            let parked = self.scene.gate.parked(*place);
            if parked.is_empty() {
                return Err("an operation waits for something that never comes".to_owned());
            }
            let others: Vec<usize> = waiting.iter().copied().filter(|other| other != place).collect();
            let act = |knock: &Knock| Act { task: *place, what: Move::Through(knock.clone()) };
            let own = parked.iter().filter(|knock| !self.scene.gate.meets(knock, &others));
            let own: BTreeSet<Act> = own.map(act).collect();
            if !own.is_empty() {
                return Ok(own);
            }
            all.extend(parked.iter().map(act));
        }
        Ok(all)
    }

    /// A number for everything that what comes after rests on.
    fn state(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.records.feed(&mut hasher);
        let messages = self.scene.stack.aws.queues().messages().into_iter();
        let mut messages: Vec<_> = messages
            .map(|message| (message.queue, message.body, message.visible_at.as_millisecond()))
            .collect();
        messages.sort();
        messages.hash(&mut hasher);
        self.scene.gate.now().as_millisecond().hash(&mut hasher);
        for task in &self.tasks {
            task.status.hash(&mut hasher);
            match task.status {
                Status::Running | Status::Waiting => {
                    (task.history.learned, task.history.went_on, task.has_acted).hash(&mut hasher);
                }
                Status::Over(_) => {}
            }
        }
        hasher.finish()
    }

    fn histories(&self) -> Vec<History> {
        self.tasks.iter().map(|task| task.history.clone()).collect()
    }

    fn ends(&self) -> Vec<(Part, End)> {
        let end = |task: &Task<'_>| match task.status {
            Status::Over(end) => Some((task.part, end)),
            Status::Running | Status::Waiting => None,
        };
        self.tasks.iter().filter_map(end).collect()
    }
}

/// A point of the schedule that is being explored.
struct Frame {
    /// What is still to be tried from here.
    todo: BTreeSet<Act>,
    /// What need not be tried from here.
    asleep: BTreeSet<Act>,
    histories: Vec<History>,
    /// What was tried last.
    done: Option<Done>,
}

/// Explores one combination.
pub(super) struct Explorer<'s> {
    scene: &'s Scene,
    /// The states that were seen, each with what was asleep in it.
    seen: HashMap<u64, BTreeSet<Act>>,
    /// How many schedules were run.
    pub(super) schedules: u64,
}

impl<'s> Explorer<'s> {
    pub(super) fn of(scene: &'s Scene) -> Self {
        Self { scene, seen: HashMap::new(), schedules: 0 }
    }

    /// How many states were explored.
    pub(super) fn states(&self) -> usize {
        self.seen.len()
    }

    /// Goes through all schedules, or as far as the first violation.
    ///
    /// What operations have in common is learned on the way: when one touches what it never touched, all begins anew.
    pub(super) async fn explore(&mut self) -> Result<(), Violation> {
        let mut path = vec![self.root()];
        while let Some(deepest) = path.iter().rposition(|frame| !frame.todo.is_empty()) {
            path.truncate(deepest.saturating_add(1));
            self.schedules = self.schedules.saturating_add(1);
            if let Err(what) = self.run(&mut path).await {
                return Err(Violation { schedule: self.tale(&path), what });
            }
            if self.scene.gate.take_grown() {
                self.seen.clear();
                path = vec![self.root()];
            }
        }
        Ok(())
    }

    /// Goes through so many schedules, each step of which chance decides, or as far as the first violation. What operations have in common
    /// is learned on the way: the first schedules, in which they learn it, are not counted.
    pub(super) async fn sample(&mut self, schedules: u64, chance: &mut Stream) -> Result<(), Violation> {
        while self.schedules < schedules {
            let mut path = Vec::new();
            if let Err(what) = self.run_at_random(&mut path, chance).await {
                return Err(Violation { schedule: self.tale(&path), what });
            }
            if !self.scene.gate.take_grown() {
                self.schedules = self.schedules.saturating_add(1);
            }
        }
        Ok(())
    }

    async fn run_at_random(&mut self, path: &mut Vec<Frame>, chance: &mut Stream) -> Result<(), String> {
        let mut run = Run::begin(self.scene);
        run.catch_up(&self.root().histories)?;
        let mut choices = self.root().todo;
        loop {
            let (dies, on): (Vec<Act>, Vec<Act>) =
                choices.into_iter().partition(|act| act.what == Move::Crash);
            let is_last = dies.into_iter().next().filter(|_| chance.chance(DIES));
            let Some(act) = is_last.or_else(|| on.get(chance.index(on.len())).cloned()) else { break };
            path.push(Frame {
                done: Some(Done { act: act.clone(), polls: 0, is_cut: false }),
                ..self.root()
            });
            run.act(&act).await?;
            choices = run.choices()?;
            self.seen.insert(run.state(), BTreeSet::new());
        }
        let ends = run.ends();
        drop(run);
        self.scene.come_to_rest(&ends).await
    }

    fn root(&self) -> Frame {
        let todo = BTreeSet::from([Act { task: 0, what: Move::On }]);
        let histories = vec![History::default(); self.scene.combination.parts.len()];
        Frame { todo, asleep: BTreeSet::new(), histories, done: None }
    }

    async fn run(&mut self, path: &mut Vec<Frame>) -> Result<(), String> {
        let mut run = Run::begin(self.scene);
        if let Some((last, before)) = path.split_last() {
            for done in before.iter().filter_map(|frame| frame.done.as_ref()) {
                run.repeat(done).await;
            }
            run.catch_up(&last.histories)?;
        }
        while let Some(frame) = path.last_mut() {
            let Some(act) = frame.todo.pop_first() else { return Ok(()) };
            let asleep = frame.asleep.iter().filter(|other| other.is_independent(&act)).cloned().collect();
            frame.asleep.insert(act.clone());
            frame.done = Some(Done { act: act.clone(), polls: 0, is_cut: false });
            frame.done = Some(run.act(&act).await?);
            let choices = run.choices()?;
            let state = run.state();
            if choices.is_empty() {
                let is_new = self.seen.insert(state, BTreeSet::new()).is_none();
                let ends = run.ends();
                drop(run);
                return if is_new { self.scene.come_to_rest(&ends).await } else { Ok(()) };
            }
            path.push(self.arrive(state, &choices, asleep, run.histories()));
        }
        Ok(())
    }

    /// Decides what is to be tried at a point, and remembers that it was come to.
    fn arrive(
        &mut self,
        state: u64,
        choices: &BTreeSet<Act>,
        asleep: BTreeSet<Act>,
        histories: Vec<History>,
    ) -> Frame {
        let (todo, asleep): (BTreeSet<Act>, BTreeSet<Act>) = match self.seen.get(&state) {
            None => (choices.difference(&asleep).cloned().collect(), asleep),
            Some(before) => (
                before.difference(&asleep).cloned().collect(),
                before.intersection(&asleep).cloned().collect(),
            ),
        };
        self.seen.insert(state, asleep.clone());
        Frame { todo, asleep, histories, done: None }
    }

    /// The schedule, a sentence for each step.
    fn tale(&self, path: &[Frame]) -> Vec<String> {
        let parts = &self.scene.combination.parts;
        let name = |place: usize| {
            let part =
                parts.get(place).copied().unwrap_or(Part { operation: Operation::Authorize, subject: 0 });
            let is_copy = parts.iter().take(place).any(|before| *before == part);
            if is_copy { format!("{part}, the second copy") } else { part.to_string() }
        };
        let done = path.iter().filter_map(|frame| frame.done.as_ref());
        done.map(|done| format!("{}: {}", name(done.act.task), done.act.what)).collect()
    }
}
