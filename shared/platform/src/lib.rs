//! What a function is made of when it starts: its clients of AWS and of the vendors, built over the three
//! seams.

pub mod bucket;
pub mod mail;
mod seams;
pub mod secrets;
mod signed;

pub use seams::{Aws, Platform, StartError, SystemClock};
pub use signed::SignedError;
