//! Failures in the log, and alarms: what a person must look into. Each alarm is one log line that a metric
//! filter of `template.yaml` counts.

#[doc(hidden)]
pub use tracing;

/// The `target` of every alarm's log line.
pub const TARGET: &str = "alarm";

/// Raises an alarm. It takes a stable name, and fields that hold ids, amounts and outcomes only.
#[macro_export]
macro_rules! alarm {
    ($name:literal, $($fields:tt)*) => {
        $crate::alarm::tracing::error!(target: $crate::alarm::TARGET, alarm = $name, $($fields)*)
    };
}

/// Returns an error with everything behind it, outermost first: JSON logs print only the outermost message.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut written = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        written.push_str(": ");
        written.push_str(&inner.to_string());
        source = inner.source();
    }
    written
}
