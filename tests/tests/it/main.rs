//! Whole flows through the handlers, on the embedded engine and the sandboxes.

#![expect(clippy::unwrap_used, reason = "a test may panic")]
#![expect(clippy::arithmetic_side_effects, reason = "a test may overflow")]

mod access;
mod agents;
mod appointments;
mod bodies;
mod booking;
mod calendar;
mod calls;
mod carrier;
mod clinic;
mod conditions;
mod console;
mod contacts;
mod contract;
mod cost;
mod dashboard;
mod docs;
mod endpoint;
mod events;
mod figures;
mod isolation;
mod issuer;
mod limits;
mod live;
mod messages;
mod numbers;
mod onboarding;
mod operations;
mod outbound;
mod payments;
mod races;
mod rates;
mod recharge;
mod reconcile;
mod recorded;
mod recordings;
mod session;
mod settings;
mod slots;
mod team;
mod texts;
mod timeouts;
mod vendors_word;
mod wallet;
mod webhooks;
