//! Time, as an argument.

use std::{fmt, future::Future, pin::Pin};

use jiff::{SignedDuration, Timestamp};

/// Where a function gets the time and waits between retries: the system's clock when deployed, a test's otherwise.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time, in whole milliseconds.
    fn now(&self) -> Timestamp;

    /// Waits.
    fn sleep(&self, duration: SignedDuration) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>>;
}
