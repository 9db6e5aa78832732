//! Clocks: one that runs, as fast as asked, and one that a test turns.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
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

/// A clock that stands still until it is turned. What sleeps on it turns it.
#[derive(Debug)]
pub struct TestClock {
    now: Mutex<Timestamp>,
}

impl TestClock {
    /// Stands at `at`.
    pub fn at(at: Timestamp) -> Self {
        Self { now: Mutex::new(at) }
    }

    /// Turns it to `at`, never back.
    pub fn turn_to(&self, at: Timestamp) {
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        *now = at.max(*now);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sleep(&self, duration: SignedDuration) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
        let until = self.now().saturating_add(duration).unwrap_or(Timestamp::MAX);
        self.turn_to(until);
        Box::pin(tokio::task::yield_now())
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
