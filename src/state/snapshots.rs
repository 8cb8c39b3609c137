//! The snapshots that `reset` compares with: one for each verified step.

use std::{fs, io, path::PathBuf};

use super::{Environment, StateError, files};
use crate::{snapshot::Snapshot, spec::StepId};

impl Environment {
    fn snapshot_path(&self, step: &StepId) -> PathBuf {
        self.dir.join("snapshots").join(format!("{step}.json"))
    }

    /// Returns the snapshot that was taken when `step` was verified; `None` if none was.
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

    /// Saves `snapshot` for `step`.
    pub fn keep_snapshot(&self, step: &StepId, snapshot: &Snapshot) -> Result<(), StateError> {
        let path = self.snapshot_path(step);
        let bytes = serde_json::to_vec(snapshot).map_err(|error| StateError::Corrupt {
            path: path.clone(),
            why: error.to_string(),
        })?;
        files::create_dir(path.parent().unwrap_or(&self.dir))?;
        files::write(&path, &bytes)
    }
}
