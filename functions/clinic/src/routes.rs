//! The routes, a file for each kind of thing.

pub mod clinic;
pub mod onboarding;
pub mod team;
