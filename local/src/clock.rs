//! Clocks: one that runs, as fast as asked, and one that is turned: by a test, or by what plays a month.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Instant,
};

use base::clock::Clock;
use domain::time::whole_millis;
use jiff::{SignedDuration, Timestamp};

/// A clock that runs `speed` times as fast as the system's.
#[derive(Debug)]
pub struct RunningClock {
    started: Instant,
    started_at: Timestamp,
    speed: u32,
}

impl RunningClock {
    /// Starts at `at`.
    pub fn starting_at(at: Timestamp, speed: u32) -> Self {
        Self { started: Instant::now(), started_at: at, speed: speed.max(1) }
    }
}

impl Clock for RunningClock {
    fn now(&self) -> Timestamp {
        let passed = self.started.elapsed().saturating_mul(self.speed);
        let passed = SignedDuration::try_from(passed).unwrap_or(SignedDuration::ZERO);
        whole_millis(self.started_at.saturating_add(passed).unwrap_or(self.started_at))
    }

    fn sleep(&self, duration: SignedDuration) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        let real = duration.unsigned_abs().checked_div(self.speed).unwrap_or_default();
        Box::pin(tokio::time::sleep(real))
    }
}

/// A clock that stands still until it is turned. What sleeps on it turns it, unless sleepers are held: then they sleep side by
/// side until it is turned.
#[derive(Debug)]
pub struct TestClock(Arc<Mutex<Standing>>);

#[derive(Debug)]
struct Standing {
    now: Timestamp,
    holds_sleepers: bool,
    begun: u64,
    sleepers: BTreeMap<(Timestamp, u64), Waker>,
}

impl TestClock {
    /// Stands at `at`.
    pub fn at(at: Timestamp) -> Self {
        let standing = Standing { now: at, holds_sleepers: false, begun: 0, sleepers: BTreeMap::new() };
        Self(Arc::new(Mutex::new(standing)))
    }

    /// Lets what sleeps from now on sleep until the clock is turned.
    pub fn hold_sleepers(&self) {
        lock(&self.0).holds_sleepers = true;
    }

    /// When the first of those that sleep wants to be woken.
    pub fn next_waking(&self) -> Option<Timestamp> {
        lock(&self.0).sleepers.keys().next().map(|(until, _)| *until)
    }

    /// Turns it to `at`, never back, and wakes whoever wanted to be woken by then.
    pub fn turn_to(&self, at: Timestamp) {
        let mut standing = lock(&self.0);
        let now = at.max(standing.now);
        standing.now = now;
        let still_asleep = standing.sleepers.split_off(&(now, u64::MAX));
        let woken = std::mem::replace(&mut standing.sleepers, still_asleep);
        drop(standing);
        woken.into_values().for_each(Waker::wake);
    }
}

fn lock(standing: &Mutex<Standing>) -> MutexGuard<'_, Standing> {
    standing.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        lock(&self.0).now
    }

    fn sleep(&self, duration: SignedDuration) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        let mut standing = lock(&self.0);
        let until = standing.now.saturating_add(duration).unwrap_or(Timestamp::MAX);
        if standing.holds_sleepers {
            standing.begun = standing.begun.saturating_add(1);
            return Box::pin(Sleeper { standing: Arc::clone(&self.0), key: (until, standing.begun) });
        }
        drop(standing);
        self.turn_to(until);
        Box::pin(tokio::task::yield_now())
    }
}

/// Someone who sleeps until a clock is turned.
struct Sleeper {
    standing: Arc<Mutex<Standing>>,
    key: (Timestamp, u64),
}

impl Future for Sleeper {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut standing = lock(&self.standing);
        if standing.now >= self.key.0 {
            return Poll::Ready(());
        }
        standing.sleepers.insert(self.key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        lock(&self.standing).sleepers.remove(&self.key);
    }
}

/// A clock that goes wrong by a fixed time.
#[derive(Debug)]
pub struct SkewedClock {
    right: Arc<dyn Clock>,
    ahead: SignedDuration,
}

impl SkewedClock {
    /// `right`, ahead by so much; behind, when that is negative.
    pub fn of(right: Arc<dyn Clock>, ahead: SignedDuration) -> Self {
        Self { right, ahead }
    }
}

impl Clock for SkewedClock {
    fn now(&self) -> Timestamp {
        let right = self.right.now();
        right.saturating_add(self.ahead).unwrap_or(right)
    }

    fn sleep(&self, duration: SignedDuration) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        self.right.sleep(duration)
    }
}
