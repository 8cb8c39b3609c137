//! One changing command an environment at a time.
//!
//! A kernel lock: it is gone when all that hold its descriptor are, whatever ended them. Children
//! inherit the descriptor on purpose: while a `kind create` that outlived its labctl still runs,
//! the environment is not free.

use std::{
    fmt,
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
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
    _file: File,
}

/// What an attempt to take a lock came to.
#[derive(Debug)]
pub enum Attempt {
    /// It is ours.
    Held(Lock),
    /// Somebody else has it; who, as far as the file says.
    Busy(Option<Holder>),
}

impl Lock {
    /// Takes the lock at `path` for `holder`, without waiting.
    pub fn attempt(path: &Path, holder: &Holder) -> Result<Attempt, StateError> {
        loop {
            let failed = |source| StateError::File {
                what: "lock",
                path: path.to_owned(),
                source,
            };
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .custom_flags(files::NO_FOLLOW)
                .open(path)
                .map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    let mut text = String::new();
                    let read = file.read_to_string(&mut text);
                    let holder = read.ok().and_then(|_| serde_json::from_str(&text).ok());
                    return Ok(Attempt::Busy(holder));
                }
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
            // `down` removes the file while it holds it: what was locked may be no lock any more.
            let locked = file.metadata().map_err(failed)?.ino();
            if std::fs::metadata(path).map(|m| m.ino()).ok() != Some(locked) {
                continue;
            }
            let text = serde_json::to_string(holder).map_err(|e| failed(e.into()))?;
            file.set_len(0).map_err(failed)?;
            file.seek(SeekFrom::Start(0)).map_err(failed)?;
            file.write_all(text.as_bytes()).map_err(failed)?;
            fcntl_setfd(&file, FdFlags::empty()).map_err(|e| failed(e.into()))?;
            return Ok(Attempt::Held(Self { _file: file }));
        }
    }
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
        let Attempt::Held(lock) = Lock::attempt(&path, &me()).unwrap() else {
            panic!("a new lock is free");
        };
        let Attempt::Busy(holder) = Lock::attempt(&path, &me()).unwrap() else {
            panic!("a held lock is not free");
        };
        assert_eq!(holder, Some(me()));
        drop(lock);
        assert!(matches!(
            Lock::attempt(&path, &me()).unwrap(),
            Attempt::Held(_)
        ));
    }
}
