//! The lock of an environment: one command at a time may change it.
//!
//! It is a kernel lock: it is free as soon as nobody has its descriptor any more, whatever ended
//! them. Children inherit the descriptor on purpose: while a `kind create` that outlived its labctl
//! still runs, the environment is not free.

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

/// The command that holds an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Holder {
    /// Its process.
    pub pid: u32,
    /// The start of the process, in clock ticks since boot: by now another process may have its id.
    pub started: u64,
    /// Its verb: `up`.
    pub verb: String,
    /// The time at which it took the environment.
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

/// A held lock. It is released once this value is dropped and no child that inherited it is left.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

/// The outcome of an attempt to take a lock.
#[derive(Debug)]
pub enum Attempt {
    /// The lock is taken.
    Held(Lock),
    /// Another process holds the lock.
    Busy,
}

impl Lock {
    /// Tries to take the lock at `path`, without waiting.
    pub fn attempt(path: &Path) -> Result<Attempt, StateError> {
        let failed = |source| StateError::file("lock", path)(source);
        loop {
            let file = open(path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(Attempt::Busy),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
            // `down` removes the file while it holds the lock: the locked file may no longer be the
            // one at `path`.
            let locked = file.metadata().map_err(failed)?.ino();
            if std::fs::metadata(path).map(|m| m.ino()).ok() != Some(locked) {
                continue;
            }
            fcntl_setfd(&file, FdFlags::empty()).map_err(|e| failed(e.into()))?;
            let path = path.to_owned();
            return Ok(Attempt::Held(Self { file, path }));
        }
    }

    /// Writes `holder` into the lock's file, for those who find the lock taken.
    pub fn sign(&mut self, holder: &Holder) -> Result<(), StateError> {
        let text = serde_json::to_string(holder).unwrap_or_default();
        let mut signed = || {
            self.file.set_len(0)?;
            self.file.seek(SeekFrom::Start(0))?;
            self.file.write_all(text.as_bytes())
        };
        signed().map_err(StateError::file("lock", &self.path))
    }

    /// Waits until the lock that is at `path` now was free for a moment, or does not exist any
    /// more. Blocks the thread until the kernel wakes it, without polling.
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

/// Returns the last holder that signed the lock at `path`. [`holders`](super::holders) tells who
/// has the lock now.
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
