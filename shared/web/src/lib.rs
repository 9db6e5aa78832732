//! What every HTTP function has in common: who calls, how an error is told, and the Lambda glue.

pub mod auth;
pub mod contract;
pub mod problem;
pub mod queue;
pub mod request;
pub mod routes;
pub mod runtime;
