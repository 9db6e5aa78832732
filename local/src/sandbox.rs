//! Sandboxes that keep state and behave as the vendors document, failures included.

pub mod agenda;
pub mod kept;
pub mod stripe;
pub mod vapi;
