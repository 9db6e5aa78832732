//! The data folder: what lies in it, and which process has it.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use local::stack::{KEYS_FILE, private};

/// The tables.
const DATABASE: &str = "voxanne.db";
/// There while a fresh folder is filled.
const UNFINISHED: &str = "unfinished";

/// The data folder, taken: one process has it at a time.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    // The lock goes with the process, however it ends.
    _lock: File,
}

fn cannot_use(path: &Path, error: &std::io::Error) -> String {
    format!("The data folder {} cannot be used: {error}.", path.display())
}

/// Who has the data folder.
#[derive(Debug)]
pub(super) enum Taken {
    /// We do, now.
    Ours(Folder),
    /// This process.
    By(String),
}

impl Folder {
    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the folder, or says who has it: empty if it is to be `reset`, or if what was to stand in it first is not whole.
    pub(super) fn take(path: &Path, reset: bool) -> Result<Self, String> {
        let folder = match Self::try_take(path)? {
            Taken::Ours(folder) => folder,
            Taken::By(process) => {
                return Err(format!(
                    "The data folder {} is in use by process {process}. Stop it, or take another with --data-dir.",
                    path.display(),
                ));
            }
        };
        if reset || folder.path.join(UNFINISHED).exists() {
            folder.empty()?;
        }
        Ok(folder)
    }

    /// Takes the folder if no other process has it.
    pub(super) fn try_take(path: &Path) -> Result<Taken, String> {
        let cannot = |error: std::io::Error| cannot_use(path, &error);
        std::fs::create_dir_all(path).map_err(cannot)?;
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join("lock"))
            .map_err(cannot)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = lock.read_to_string(&mut holder);
                return Ok(Taken::By(holder.trim().to_owned()));
            }
            Err(TryLockError::Error(error)) => return Err(cannot(error)),
        }
        lock.set_len(0).and_then(|()| lock.rewind()).map_err(cannot)?;
        write!(lock, "{}", std::process::id()).map_err(cannot)?;
        let folder = Self { path: path.to_owned(), _lock: lock };
        // Of a process that was killed.
        folder.forget_port();
        Ok(Taken::Ours(folder))
    }

    /// Whether nothing ran on it yet.
    pub(super) fn is_fresh(&self) -> bool {
        !self.path.join(DATABASE).exists()
    }

    /// Notes whether what is to stand in it first is being written: a folder where that broke off is begun anew.
    pub(super) fn is_being_filled(&self, is_being_filled: bool) -> Result<(), String> {
        let note = self.path.join(UNFINISHED);
        let noted = if is_being_filled { std::fs::write(&note, "") } else { std::fs::remove_file(&note) };
        noted.map_err(|error| cannot_use(&self.path, &error))
    }

    fn empty(&self) -> Result<(), String> {
        for name in [
            DATABASE,
            "voxanne.db-wal",
            "voxanne.db-shm",
            "vapi.json",
            "stripe.json",
            "twilio.json",
            "google.json",
            "supabase.json",
            "mail.json",
            "anchors.json",
            KEYS_FILE,
            "time",
            "port",
            "sam-env.json",
            UNFINISHED,
        ] {
            match std::fs::remove_file(self.path.join(name)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(cannot_use(&self.path, &error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes down where commands beside this process reach it, and what they show it.
    pub(super) fn note_port(&self, port: u16, key: &str) -> Result<(), String> {
        private(&self.path.join("port"))
            .and_then(|mut file| write!(file, "{port} {key}"))
            .map_err(|error| cannot_use(&self.path, &error))
    }

    pub(super) fn forget_port(&self) {
        let _ = std::fs::remove_file(self.path.join("port"));
    }

    /// Where the process that has the folder at `path` is reached, and what it wants to be shown.
    pub(super) fn port(path: &Path) -> Option<(u16, String)> {
        let noted = std::fs::read_to_string(path.join("port")).ok()?;
        let (port, key) = noted.split_once(' ')?;
        Some((port.parse().ok()?, key.to_owned()))
    }

    /// The time that the stack on the folder at `path` has, or had when it last ran.
    pub(super) fn last_time(path: &Path) -> Option<Timestamp> {
        std::fs::read_to_string(path.join("time")).ok()?.trim().parse().ok()
    }

    pub(super) fn note_time(&self, now: Timestamp) {
        let _ = std::fs::write(self.path.join("time"), now.to_string());
    }
}
