//! What `reset` goes back to: a snapshot for each verified step, and the data that was kept aside.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{Environment, StateError, files};
use crate::{
    digest,
    snapshot::Snapshot,
    spec::{StepId, tree::below},
};

impl Environment {
    fn snapshot_path(&self, step: &StepId) -> PathBuf {
        self.dir.join("snapshots").join(format!("{step}.json"))
    }

    /// The snapshot that was taken when `step` was verified; `None` if none was.
    pub fn snapshot(&self, step: &StepId) -> Result<Option<Snapshot>, StateError> {
        let path = self.snapshot_path(step);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StateError::file("read", path)(source)),
        };
        let snapshot = serde_json::from_slice(&bytes);
        snapshot.map(Some).map_err(|error| StateError::Corrupt {
            path,
            why: error.to_string(),
        })
    }

    /// Keeps `snapshot` for `step`.
    pub fn keep_snapshot(&self, step: &StepId, snapshot: &Snapshot) -> Result<(), StateError> {
        let path = self.snapshot_path(step);
        let bytes = serde_json::to_vec(snapshot).map_err(|error| StateError::Corrupt {
            path: path.clone(),
            why: error.to_string(),
        })?;
        files::create_dir(path.parent().unwrap_or(&self.dir))?;
        files::write(&path, &bytes)
    }

    /// Where the data of `pod` with this fingerprint is kept.
    #[must_use]
    pub fn data(&self, pod: &str, fingerprint: &str) -> PathBuf {
        let fingerprint = digest::hex(fingerprint.as_bytes());
        below(
            &self.dir.join("data"),
            format!("{pod}-{}", &fingerprint[..16]),
        )
    }

    /// Where data is written until it is whole. It is there whole or not at all once
    /// [`Environment::keep_data`] put it in its place.
    pub fn data_in_the_making(&self, kept: &Path) -> Result<PathBuf, StateError> {
        files::create_dir(kept.parent().unwrap_or(&self.dir))?;
        let new = kept.with_extension("new");
        files::write(&new, b"")?;
        Ok(new)
    }

    /// Puts the data that was written to `new` in its place.
    pub fn keep_data(&self, new: &Path, kept: &Path) -> Result<(), StateError> {
        let synced = fs::File::open(new).and_then(|file| file.sync_all());
        synced.map_err(StateError::file("write", new))?;
        fs::rename(new, kept).map_err(StateError::file("rename", new))
    }
}
