//! Writing files so that they are there whole or not at all, and for their owner only.

use std::{
    fs::{self, File, Permissions},
    io::Write,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::Path,
};

use super::StateError;

/// Creates `path` and what is missing above it, for its owner only.
pub fn create_dir(path: &Path) -> Result<(), StateError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(StateError::file("create", path))
}

/// Puts `bytes` at `path`, replacing what was there in one step.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), StateError> {
    let failed = |source| StateError::File {
        what: "write",
        path: path.to_owned(),
        source,
    };
    let parent = path.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(parent).map_err(failed)?;
    new.as_file()
        .set_permissions(Permissions::from_mode(0o600))
        .map_err(failed)?;
    new.write_all(bytes).map_err(failed)?;
    new.as_file().sync_all().map_err(failed)?;
    new.persist(path).map_err(|e| failed(e.error))?;
    sync_dir(parent).map_err(failed)
}

/// Makes what was created or renamed in `path` outlive a power cut.
pub fn sync_dir(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}
