//! Writing files whole or not at all, and for their owner only.

use std::{
    fs::{self, File, Permissions},
    io::{self, Read},
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::Path,
};

use super::StateError;

/// Creates `path` and its missing parents, for their owner only.
pub fn create_dir(path: &Path) -> Result<(), StateError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(StateError::file("create", path))?;
    no_link(path)
}

/// A flag for `open`: a link in the place of the file is an error, and is not followed.
pub const NO_FOLLOW: i32 = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();

/// Refuses `path` if it is a link: a write would go somewhere else.
pub fn no_link(path: &Path) -> Result<(), StateError> {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_symlink() => Err(StateError::Exposed {
            path: path.to_owned(),
            why: "it is a link to somewhere else".to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Refuses the directory `path` if somebody else could put files into it: if it is another user's,
/// or if everybody may write in it. A missing directory is fine.
pub fn private(path: &Path) -> Result<(), StateError> {
    let exposed = |why: &str| {
        let (path, why) = (path.to_owned(), why.to_owned());
        Err(StateError::Exposed { path, why })
    };
    match path.metadata() {
        Ok(metadata) if !metadata.is_dir() => Ok(()),
        Ok(metadata) if metadata.uid() != rustix::process::geteuid().as_raw() => {
            exposed("it belongs to another user")
        }
        Ok(metadata) if metadata.mode() & 0o002 != 0 => exposed("everybody may write in it"),
        _ => Ok(()),
    }
}

/// Writes `bytes` to `path`, replacing the file there in one step.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), StateError> {
    put(path, bytes, 0o600)
}

/// Writes the content of `program` to `path`, executable for its owner, replacing the file there in
/// one step.
pub fn write_program(path: &Path, program: impl Read) -> Result<(), StateError> {
    put(path, program, 0o700)
}

fn put(path: &Path, mut from: impl Read, mode: u32) -> Result<(), StateError> {
    let failed = |source| StateError::File {
        what: "write",
        path: path.to_owned(),
        source,
    };
    let parent = path.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::NamedTempFile::new_in(parent).map_err(failed)?;
    new.as_file()
        .set_permissions(Permissions::from_mode(mode))
        .map_err(failed)?;
    io::copy(&mut from, &mut new).map_err(failed)?;
    new.as_file().sync_all().map_err(failed)?;
    new.persist(path).map_err(|e| failed(e.error))?;
    sync_dir(parent).map_err(failed)
}

/// Removes the file at `path`. A missing file is no error.
pub fn remove(path: &Path) -> Result<(), StateError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(StateError::file("remove", path)(e)),
        _ => Ok(()),
    }
}

/// Syncs the directory `path`, so that files created or renamed in it outlive a power cut.
pub fn sync_dir(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}
