//! Copies of bundles' programs, where nobody else can write: a program that is run is the one of
//! which the bundle's index has the digest, whatever becomes of the bundle meanwhile.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use super::{Bundle, StateError, Store, files};
use crate::digest;

impl Store {
    /// Returns the directory with copies of all programs of `bundle`, by their names; `None` where
    /// it has none. They are copied, and their digests compared, unless they were before.
    pub fn programs(&self, bundle: &Bundle) -> Result<Option<PathBuf>, StateError> {
        if bundle.index.tools.is_empty() {
            return Ok(None);
        }
        let all = self.dir().join("programs");
        for dir in [self.dir(), &all] {
            files::private(dir)?;
        }
        files::no_link(&all)?;
        let dir = all.join(name(bundle));
        // A second try, as the `down` of the last environment takes the directory around it along.
        copy(bundle, &all, &dir).or_else(|error| match error {
            StateError::File { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                copy(bundle, &all, &dir)
            }
            error => Err(error),
        })?;
        Ok(Some(dir))
    }

    /// Removes the copies if there is no environment left that may need them.
    pub fn sweep(&self) {
        let envs = self.dir().join("envs");
        // One that is not empty stays. What cannot be removed is in nobody's way.
        let _ = fs::remove_dir(&envs);
        if !envs.exists() {
            let _ = fs::remove_dir_all(self.dir().join("programs"));
        }
    }
}

/// Names the directory after what is to be in it.
fn name(bundle: &Bundle) -> String {
    let tools = bundle.index.tools.iter();
    let mut lines: Vec<String> = tools
        .map(|tool| format!("{} {}\n", tool.name, tool.digest))
        .collect();
    lines.sort();
    digest::hex(lines.concat().as_bytes())
}

/// Puts the copies at `dir`, all at once, if it is not there.
fn copy(bundle: &Bundle, all: &Path, dir: &Path) -> Result<(), StateError> {
    files::no_link(dir)?;
    if dir.is_dir() {
        return Ok(());
    }
    // Nothing is made for a bundle that is damaged.
    for tool in &bundle.index.tools {
        bundle.verified(&tool.path, &tool.digest)?;
    }
    files::create_dir(all)?;
    let new = tempfile::tempdir_in(all).map_err(StateError::file("write", all))?;
    for tool in &bundle.index.tools {
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
