//! Listens to every log line of our crates: none may hold what people said, are called, or must keep secret.

use std::{cell::RefCell, io};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer, filter::Targets, fmt::MakeWriter, layer::SubscriberExt};

use crate::{
    actions::{CALLERS, PATIENTS},
    world::PROMPT,
};

/// What is said or kept secret in the simulated world.
const SECRETS: [&str; 8] = [
    PROMPT,
    "The caller asked about an appointment",
    "Hello, how can I help you",
    "sandbox-twilio-token",
    "sandbox-vapi",
    "whsec_sandbox",
    "sk_test_sandbox",
    "eyJ",
];

thread_local! {
    static LEAK: RefCell<Option<String>> = const { RefCell::new(None) };
    static LINES: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// Takes the first line with a secret in it that this thread has logged since it was last asked.
pub fn take_leak() -> Option<String> {
    LEAK.with_borrow_mut(Option::take)
}

/// Keeps this thread's lines from now on, or no longer.
pub fn keep_lines(keep: bool) {
    LINES.with_borrow_mut(|lines| *lines = keep.then(Vec::new));
}

/// Takes the lines that were kept.
pub fn take_lines() -> Vec<String> {
    LINES.with_borrow_mut(|lines| lines.as_mut().map(std::mem::take).unwrap_or_default())
}

/// Begins to listen, on every thread, for as long as the process lives.
pub fn listen() {
    let ours = local::crates::names().into_iter().chain([base::alarm::TARGET.to_owned()]);
    let targets = ours.fold(Targets::new().with_default(LevelFilter::OFF), |targets, ours| {
        targets.with_target(ours, LevelFilter::DEBUG)
    });
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .without_time()
        .with_writer(Listener)
        .with_filter(targets);
    // A second call finds the first one listening.
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer));
}

#[derive(Clone, Copy, Debug)]
struct Listener;

impl io::Write for Listener {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let is_secret = SECRETS.iter().chain(&CALLERS).chain(&PATIENTS).any(|secret| text.contains(secret));
        if is_secret {
            LEAK.with_borrow_mut(|leak| {
                leak.get_or_insert_with(|| text.trim_end().to_owned());
            });
        }
        LINES.with_borrow_mut(|lines| {
            if let Some(lines) = lines {
                lines.push(text.trim_end().to_owned());
            }
        });
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Listener {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        *self
    }
}
