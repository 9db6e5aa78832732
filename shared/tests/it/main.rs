//! Promises of the crate as a whole.

mod errors;
mod guards;
mod layering;
