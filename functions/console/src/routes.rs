//! A module per family of routes.

pub mod session;
