//! The routes, a file for each kind of record.

pub mod contacts;
pub mod messages;
