//! The rules, the store and the vendors' clients that every function uses.
//!
//! Arrows point one way, as `ARCHITECTURE.md` draws them: functions → [`runtime`], [`http`] and [`reconcile`] →
//! [`charging`], [`payments`], [`provisioning`] → [`follow_up`] → [`world`] → [`store`], [`providers`] → [`domain`].
//! [`recharge`] is above [`payments`], which it books by, and below [`reconcile`].

pub mod alarm;
pub mod charging;
pub mod config;
pub mod dead_letters;
pub mod domain;
pub mod follow_up;
pub mod http;
pub mod keyring;
pub mod payments;
pub mod planted;
pub mod providers;
pub mod provisioning;
pub mod recharge;
pub mod reconcile;
pub mod runtime;
pub mod secrets;
pub mod store;
pub mod voice;
pub mod world;
