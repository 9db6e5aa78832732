//! A sandbox's state, written to a file whenever it may have changed, so that it outlives a kill as a vendor would.

use std::{
    ops::{Deref, DerefMut},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Serialize, de::DeserializeOwned};

/// State behind a lock, with a file behind it.
#[derive(Debug)]
pub struct Kept<T> {
    state: Mutex<T>,
    file: Option<PathBuf>,
}

/// The lock. When it is given back after a change, the state is written.
#[derive(Debug)]
pub struct Guard<'a, T: Serialize> {
    state: MutexGuard<'a, T>,
    file: Option<&'a Path>,
    changed: bool,
}

impl<T: Default + Serialize + DeserializeOwned> Kept<T> {
    /// The state that `file` holds, or a fresh one.
    ///
    /// # Panics
    /// When the file is there and cannot be read: it is another version's. `--reset` starts afresh.
    pub fn open(file: Option<PathBuf>) -> Self {
        let text = file.as_ref().and_then(|file| match std::fs::read_to_string(file) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            text => Some(text.expect("the sandbox's file can be read: start with --reset")),
        });
        let state = text.map_or_else(T::default, |text| {
            serde_json::from_str(&text).expect("the sandbox's file is of another version: start with --reset")
        });
        Self { state: Mutex::new(state), file }
    }

    /// Locks the state.
    pub fn lock(&self) -> Guard<'_, T> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Guard { state, file: self.file.as_deref(), changed: false }
    }
}

impl<T: Serialize> Deref for Guard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.state
    }
}

impl<T: Serialize> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.changed = true;
        &mut self.state
    }
}

impl<T: Serialize> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        let (Some(file), true) = (self.file, self.changed) else { return };
        let written = serde_json::to_vec(&*self.state).map_err(std::io::Error::from).and_then(|bytes| {
            // Beside it, then in its place: a kill leaves the old one or the new one.
            let beside = file.with_extension("new");
            std::fs::write(&beside, bytes)?;
            std::fs::rename(&beside, file)
        });
        if let Err(error) = written {
            tracing::error!(file = %file.display(), %error, "a sandbox's state cannot be written");
        }
    }
}
