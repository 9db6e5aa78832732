//! A client per vendor, each on the HTTP seam.

pub mod http;
pub mod signature;
pub mod stripe;
pub mod twilio;
pub mod vapi;
