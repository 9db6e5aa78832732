//! Promises of the crate as a whole.

mod errors;
mod layering;
