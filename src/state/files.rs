//! Writing files so that they are there whole or not at all, and for their owner only.

use std::{
    fs::{self, File, Permissions},
    io::{self, Read},
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::Path,
};

use super::StateError;

/// Creates `path` and what is missing above it, for its owner only.
pub fn create_dir(path: &Path) -> Result<(), StateError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(StateError::file("create", path))?;
    no_link(path)
}

/// Given to `open`: a link in the place of the file is an error, and is not followed.
pub const NO_FOLLOW: i32 = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();

/// Refuses `path` if it is a link: what is written there would go somewhere else.
pub fn no_link(path: &Path) -> Result<(), StateError> {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_symlink() => Err(StateError::Exposed {
            path: path.to_owned(),
            why: "it is a link to somewhere else".to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Refuses the directory `path` if somebody else could put files into it: it is another user's, or
/// everybody may write in it. One that is not there is fine.
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

/// Puts `bytes` at `path`, replacing what was there in one step.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), StateError> {
    put(path, bytes, 0o600)
}

/// Puts what `program` reads, which its owner may run, at `path`, replacing what was there in one
/// step.
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

/// Removes the file at `path`; one that is not there is no error.
pub fn remove(path: &Path) -> Result<(), StateError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(StateError::file("remove", path)(e)),
        _ => Ok(()),
    }
}

/// Makes what was created or renamed in `path` outlive a power cut.
pub fn sync_dir(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}
