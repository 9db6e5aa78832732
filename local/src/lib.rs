//! What stands in for AWS and the vendors: for `cargo run`, and for the tests.

pub mod agreement;
pub mod alarms;
pub mod aws;
pub mod clock;
pub mod crates;
pub mod dead_letters;
pub mod demo_clinic;
mod functions;
pub mod gateway;
pub mod iam;
pub mod month;
pub mod news;
pub mod openapi;
pub mod people;
pub mod queue;
pub mod running;
pub mod sam;
pub mod schedule;
pub mod secrets;
pub mod stack;
pub mod statement;
pub mod template;
pub mod token;
