//! The log of a function.

use crate::config::Environment;

/// Sets up JSON logs, one line each, on standard output, at the level that `LOG_LEVEL` names (`info` if
/// none).
pub fn logging() {
    let level = Environment::of_process().reader().optional("LOG_LEVEL").unwrap_or_else(|| "info".into());
    let filter = tracing_subscriber::EnvFilter::try_new(level).unwrap_or_default();
    // A second call finds a subscriber set, and keeps it.
    let _ = tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter).try_init();
}
