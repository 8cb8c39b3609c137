//! Copies of bundles' programs, where nobody else can write: a program that is run is the one of
//! which the bundle's index has the digest, whatever becomes of the file in the bundle meanwhile.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

use super::{Bundle, StateError, Store, bundle::ToolEntry, files};
use crate::digest;

/// A directory with copies of programs. They are there at least as long as this value is.
#[derive(Debug)]
pub struct Programs {
    /// The directory.
    pub dir: PathBuf,
    /// Held by whoever may run one of them: [`Store::sweep`] takes it for itself.
    _lock: File,
}

impl Store {
    /// Returns copies of those programs of `bundle` that are `named`, by their names; `None` where it
    /// has none of them. They are copied, and their digests compared, unless they were before.
    pub fn programs<'a>(
        &self,
        bundle: &Bundle,
        named: impl IntoIterator<Item = &'a str>,
    ) -> Result<Option<Programs>, StateError> {
        let tools: Vec<&ToolEntry> = named.into_iter().filter_map(|n| bundle.tool(n)).collect();
        if tools.is_empty() {
            return Ok(None);
        }
        let all = self.dir().join("programs");
        for dir in [self.dir(), &all] {
            files::private(dir)?;
        }
        files::no_link(&all)?;
        let dir = all.join(name(&tools));
        files::no_link(&dir)?;
        if !dir.is_dir() {
            // Nothing is made for a bundle that is damaged.
            for tool in &tools {
                bundle.verified(&tool.path, &tool.digest)?;
            }
            files::create_dir(&all)?;
        }
        let lock = File::open(self.dir()).map_err(StateError::file("read", self.dir()))?;
        flock(&lock, FlockOperation::LockShared)
            .map_err(|error| StateError::file("lock", self.dir())(error.into()))?;
        if !dir.is_dir() {
            copy(bundle, &tools, &all, &dir)?;
        }
        Ok(Some(Programs { dir, _lock: lock }))
    }

    /// Removes the copies if there is no environment that may need them, and nobody who runs one.
    pub fn sweep(&self) {
        let all = self.dir().join("programs");
        let going = self.dir().join("programs.going");
        let is_needed = self.dir().join("envs").exists();
        if is_needed || !(all.exists() || going.exists()) {
            return;
        }
        let Ok(lock) = File::open(self.dir()) else {
            return;
        };
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            return;
        }
        // By another name first: a sweep that is killed leaves nothing that looks whole. What cannot be
        // removed is in nobody's way.
        let _ = fs::remove_dir_all(&going);
        let _ = fs::rename(&all, &going);
        let _ = fs::remove_dir_all(&going);
    }
}

/// Names the directory after what is to be in it.
fn name(tools: &[&ToolEntry]) -> String {
    let lines = tools.iter();
    let mut lines: Vec<String> = lines
        .map(|tool| format!("{} {}\n", tool.name, tool.digest))
        .collect();
    lines.sort();
    digest::hex(lines.concat().as_bytes())
}

/// Puts the copies at `dir`, all at once.
fn copy(bundle: &Bundle, tools: &[&ToolEntry], all: &Path, dir: &Path) -> Result<(), StateError> {
    files::create_dir(all)?;
    let new = tempfile::tempdir_in(all).map_err(StateError::file("write", all))?;
    for tool in tools {
        let from = bundle.dir.join(&tool.path);
        let to = new.path().join(tool.name.as_str());
        let program = File::open(&from).map_err(StateError::file("read", &from))?;
        files::write_program(&to, program)?;
        // The copy is compared: the bundle's own may be another by now.
        bundle.compare(&tool.path, &to, &tool.digest)?;
    }
    match fs::rename(new.path(), dir) {
        // Another labctl was first.
        Err(_) if dir.is_dir() => Ok(()),
        done => done.map_err(StateError::file("write", dir)),
    }
}
