//! Whole flows through the handlers, on the embedded engine and the sandboxes.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod access;
mod calls;
mod payments;
mod wallet;
