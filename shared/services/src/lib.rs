//! What several functions do together with the store and the vendors, each a module named for it.

pub mod appointments;
pub mod calendar;
pub mod charging;
pub mod facts;
pub mod follow_up;
pub mod messages;
pub mod operating;
pub mod payments;
pub mod provisioning;
pub mod reception;
pub mod recharge;
pub mod reconcile;
pub mod team;
pub mod voice;
