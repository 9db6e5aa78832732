//! A client per vendor, each on the HTTP seam.

pub mod google;
pub mod http;
pub mod marks;
pub mod signature;
pub mod stripe;
pub mod supabase;
pub mod twilio;
pub mod vapi;
