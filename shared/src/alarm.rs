//! Alarms: what a person must look at. Each is one log line that a metric filter of `template.yaml` counts.

/// The `target` of every alarm's log line.
pub const TARGET: &str = "alarm";

/// Raises an alarm: a stable name, and fields that hold ids, amounts and outcomes only.
#[macro_export]
macro_rules! alarm {
    ($name:literal, $($fields:tt)*) => {
        tracing::error!(target: $crate::alarm::TARGET, alarm = $name, $($fields)*)
    };
}
