//! What every HTTP function has in common: who calls, and how an error is told.

pub mod auth;
pub mod problem;
pub mod request;
