//! What a function is made of when it starts: its clients of AWS and of the vendors, built over the three seams.

pub mod secrets;
pub mod world;
