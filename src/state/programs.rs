//! Copies of bundles' programs in a place where nobody else can write. So the program that runs is
//! the one whose digest the bundle's index has, even if the bundle's file changes meanwhile.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

use super::{Bundle, StateError, Store, bundle::ToolEntry, files};
use crate::digest;

/// A directory with copies of programs. They stay there at least as long as this value lives.
#[derive(Debug)]
pub struct Programs {
    /// The directory.
    pub dir: PathBuf,
    /// A shared lock, which keeps [`Store::sweep`] away: that needs an exclusive one.
    _lock: File,
}

impl Store {
    /// Returns copies, by name, of those programs of `bundle` that are `named`; `None` if it has
    /// none of them. Copies them and compares their digests, unless an earlier call did.
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
            // A damaged bundle leaves no directory behind.
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

    /// Removes the copies, if no environment may need them and nobody runs one.
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
        // Renamed first: a sweep that is killed leaves nothing that looks complete. Files that
        // cannot be removed are in nobody's way.
        let _ = fs::remove_dir_all(&going);
        let _ = fs::rename(&all, &going);
        let _ = fs::remove_dir_all(&going);
    }
}

/// Returns the name of the directory for `tools`, a digest of their names and digests.
fn name(tools: &[&ToolEntry]) -> String {
    let lines = tools.iter();
    let mut lines: Vec<String> = lines
        .map(|tool| format!("{} {}\n", tool.name, tool.digest))
        .collect();
    lines.sort();
    digest::hex(lines.concat().as_bytes())
}

/// Copies the programs of `tools` to `dir`, all at once.
fn copy(bundle: &Bundle, tools: &[&ToolEntry], all: &Path, dir: &Path) -> Result<(), StateError> {
    files::create_dir(all)?;
    let new = tempfile::tempdir_in(all).map_err(StateError::file("write", all))?;
    for tool in tools {
        let from = bundle.dir.join(&tool.path);
        let to = new.path().join(tool.name.as_str());
        let program = File::open(&from).map_err(StateError::file("read", &from))?;
        files::write_program(&to, program)?;
        // Compares the copy: the bundle's own file may have changed by now.
        bundle.compare(&tool.path, &to, &tool.digest)?;
    }
    match fs::rename(new.path(), dir) {
        // Another labctl was first.
        Err(_) if dir.is_dir() => Ok(()),
        done => done.map_err(StateError::file("write", dir)),
    }
}
