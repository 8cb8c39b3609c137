//! The real holders of a lock, as the kernel tells. The lock's file does not tell: a labctl that
//! was killed may have signed it, or nobody may have signed it yet.
//!
//! Linux shows for each descriptor of a process the lock on it (`/proc/PID/fdinfo/FD`), with the
//! process that took it. An inherited descriptor shows the same lock. So a child that outlived its
//! labctl is found even if the journal never heard of it. On other systems nobody is found, and
//! only the lock's file is known.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// The processes that have a lock.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Holders {
    /// The process that took it, if it still has it.
    pub taker: Option<u32>,
    /// The other processes that have it, by inheritance.
    pub heirs: Vec<u32>,
}

/// Returns the holders of the lock at `path`, as far as this user may see.
#[must_use]
pub fn of(path: &Path) -> Holders {
    let Ok(lock) = fs::metadata(path) else {
        return Holders::default();
    };
    let id = (lock.dev(), lock.ino());
    let mut holders = Holders::default();
    for (pid, dir) in processes() {
        match taker(&dir, id) {
            Some(taker) if taker == pid => holders.taker = Some(pid),
            Some(_) => holders.heirs.push(pid),
            None => {}
        }
    }
    holders
}

fn processes() -> impl Iterator<Item = (u32, PathBuf)> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        Some((pid, entry.path()))
    })
}

/// Returns the process that took the lock on the file `id`, if the process in `dir` has that lock.
fn taker(dir: &Path, id: (u64, u64)) -> Option<u32> {
    // Descriptors of other users cannot be read, and processes end meanwhile.
    let descriptors = fs::read_dir(dir.join("fd")).ok()?;
    descriptors.flatten().find_map(|descriptor| {
        let file = fs::metadata(descriptor.path()).ok()?;
        if (file.dev(), file.ino()) != id {
            return None;
        }
        let info = dir.join("fdinfo").join(descriptor.file_name());
        flock(&fs::read_to_string(info).ok()?)
    })
}

/// Returns the process in a line such as `lock: 1: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF`.
fn flock(info: &str) -> Option<u32> {
    let mut locks = info.lines().filter_map(|line| line.strip_prefix("lock:"));
    locks.find_map(|lock| {
        let words: Vec<&str> = lock.split_whitespace().collect();
        match words.as_slice() {
            [_, "FLOCK", _, "WRITE", pid, ..] => pid.parse().ok(),
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::lock::{Attempt, Lock};

    #[test]
    fn the_one_that_took_it_is_found_and_whoever_only_has_the_file_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let Attempt::Held(lock) = Lock::attempt(&path).unwrap() else {
            panic!("a new lock is free");
        };
        let file = fs::File::open(&path).unwrap();
        if cfg!(target_os = "linux") {
            assert_eq!(of(&path).taker, Some(std::process::id()));
        }
        drop(lock);
        assert_eq!(of(&path), Holders::default());
        drop(file);
    }

    #[test]
    fn the_lock_among_what_the_kernel_tells_of_a_descriptor() {
        let info = "pos:\t0\nflags:\t02100002\nmnt_id:\t29\nino:\t1234\n\
                    lock:\t1: POSIX  ADVISORY  WRITE 1 fe:00:1234 0 EOF\n\
                    lock:\t2: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF\n";
        assert_eq!(flock(info), Some(4711));
        assert_eq!(flock("pos:\t0\n"), None);
    }
}
