//! One changing command an environment at a time.
//!
//! A kernel lock: it is gone when all that hold its descriptor are, whatever ended them. Children
//! inherit the descriptor on purpose: while a `kind create` that outlived its labctl still runs,
//! the environment is not free.

use std::{
    fmt,
    fs::{File, OpenOptions, TryLockError},
    io::{Seek, SeekFrom, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rustix::io::{FdFlags, fcntl_setfd};
use serde::{Deserialize, Serialize};

use super::{StateError, files};

/// Who holds an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// When it started, in clock ticks since boot: another process may have its id by now.
    pub started: u64,
    /// What it does: `up`.
    pub verb: String,
    /// Since when.
    pub since: Timestamp,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pid, verb, since, ..
        } = self;
        write!(f, "`labctl {verb}` (process {pid}, since {since:.0})")
    }
}

/// A held lock; it is released when this is dropped and no child that inherited it is left.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

/// What an attempt to take a lock came to.
#[derive(Debug)]
pub enum Attempt {
    /// It is ours.
    Held(Lock),
    /// Somebody else has it.
    Busy,
}

impl Lock {
    /// Takes the lock at `path`, without waiting.
    pub fn attempt(path: &Path) -> Result<Attempt, StateError> {
        let failed = |source| StateError::file("lock", path)(source);
        loop {
            let file = open(path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(Attempt::Busy),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
            // `down` removes the file while it holds it: what was locked may be no lock any more.
            let locked = file.metadata().map_err(failed)?.ino();
            if std::fs::metadata(path).map(|m| m.ino()).ok() != Some(locked) {
                continue;
            }
            fcntl_setfd(&file, FdFlags::empty()).map_err(|e| failed(e.into()))?;
            let path = path.to_owned();
            return Ok(Attempt::Held(Self { file, path }));
        }
    }

    /// Writes down who holds it, for those who find it taken.
    pub fn sign(&mut self, holder: &Holder) -> Result<(), StateError> {
        let text = serde_json::to_string(holder).unwrap_or_default();
        let mut signed = || {
            self.file.set_len(0)?;
            self.file.seek(SeekFrom::Start(0))?;
            self.file.write_all(text.as_bytes())
        };
        signed().map_err(StateError::file("lock", &self.path))
    }

    /// Returns once the lock at `path`, as it is now, was free for a moment, or is no lock any
    /// more. Blocks the thread: the kernel wakes it, nothing is asked again and again.
    pub fn released(path: &Path) -> std::io::Result<()> {
        match File::open(path) {
            Ok(file) => file.lock_shared(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(files::NO_FOLLOW)
        .open(path)
}

/// Who wrote down last that the lock at `path` is theirs. Whether they still have it is another
/// question, which [`holders`](super::holders) answers.
#[must_use]
pub fn signed(path: &Path) -> Option<Holder> {
    let text = std::fs::read_to_string(path).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> Holder {
        Holder {
            pid: std::process::id(),
            started: 0,
            verb: "up".into(),
            since: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn the_second_is_told_who_holds_it_and_gets_it_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let Attempt::Held(mut lock) = Lock::attempt(&path).unwrap() else {
            panic!("a new lock is free");
        };
        lock.sign(&me()).unwrap();
        assert!(matches!(Lock::attempt(&path).unwrap(), Attempt::Busy));
        assert_eq!(signed(&path), Some(me()));
        drop(lock);
        assert!(matches!(Lock::attempt(&path).unwrap(), Attempt::Held(_)));
    }

    #[test]
    fn whoever_waits_is_woken_by_its_release() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let Attempt::Held(lock) = Lock::attempt(&path).unwrap() else {
            panic!("a new lock is free");
        };
        let same = path.clone();
        let waiter = std::thread::spawn(move || Lock::released(&same));
        drop(lock);
        waiter.join().unwrap().unwrap();
    }
}
