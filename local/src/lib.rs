//! What stands in for AWS and the vendors: for `cargo run`, and for the tests.

pub mod aws;
pub mod clock;
pub mod queue;
pub mod sandbox;
pub mod stack;
pub mod template;
pub mod token;
