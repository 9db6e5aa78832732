//! The binary itself, as a person starts it.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::arithmetic_side_effects, reason = "a test may overflow")]

mod command_line;
mod dead_letters;
mod gateway;
mod kill;
mod month;
