//! Sandboxes that keep state and behave as the vendors document, failures included.

pub mod agenda;
pub mod bucket;
pub mod faults;
pub mod google;
pub mod hosts;
pub mod kept;
pub mod mail;
pub mod stripe;
pub mod supabase;
pub mod twilio;
pub mod vapi;
