//! What a function is made of when it starts: its clients of AWS and of the vendors, built over the three
//! seams.

pub mod bucket;
mod seams;
pub mod secrets;

pub use seams::{Aws, Platform, StartError, SystemClock};
