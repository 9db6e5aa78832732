//! Promises of the crate as a whole.

#![expect(clippy::arithmetic_side_effects, reason = "a test may overflow")]

mod errors;
mod guards;
mod layering;
