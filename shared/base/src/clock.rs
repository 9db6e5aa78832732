//! Time, as an argument: a function never asks the system for it, so that a test can decide it.

use std::{fmt, future::Future, pin::Pin};

use jiff::{SignedDuration, Timestamp};

/// Where a function gets the time and waits between retries: the system's clock when deployed, a test's
/// otherwise.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Returns the time, in whole milliseconds.
    fn now(&self) -> Timestamp;

    /// Waits until `duration` has passed on this clock.
    fn sleep(&self, duration: SignedDuration) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>>;
}
