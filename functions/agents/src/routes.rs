//! A file for what is shown, and one for what is saved.

pub mod save;
pub mod show;
