//! A module per family of routes.

pub mod openapi;
pub mod session;
