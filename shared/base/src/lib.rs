//! Settings, keys, alarms, logs, time and chance: what the store and the vendors' clients stand on.

pub mod alarm;
pub mod clock;
pub mod config;
pub mod entropy;
pub mod keyring;
pub mod logs;
pub mod marks;
