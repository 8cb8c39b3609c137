//! The build context of an image: its sources in a directory that the engine reads.

use std::{
    collections::BTreeMap,
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt,
    path::Path,
};

use super::{StateError, files};

/// Writes `sources` into the directory `dir`, replacing its content. Files that are copied into an
/// image keep their permissions, and another user reads them there. So all files are readable for
/// everybody, in a directory that only its owner reaches, and scripts are executable.
pub fn put(dir: &Path, sources: &BTreeMap<String, Vec<u8>>) -> Result<(), StateError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(StateError::file("remove", dir)(error));
        }
        _ => {}
    }
    files::create_dir(dir)?;
    for (name, bytes) in sources {
        let path = dir.join(name);
        let above = path.ancestors().skip(1).take_while(|above| *above != dir);
        let above: Vec<&Path> = above.collect();
        for above in above.into_iter().rev() {
            files::create_dir(above)?;
            permit(above, 0o755)?;
        }
        files::write(&path, bytes)?;
        let is_script = bytes.starts_with(b"#!");
        permit(&path, if is_script { 0o755 } else { 0o644 })?;
    }
    Ok(())
}

fn permit(path: &Path, mode: u32) -> Result<(), StateError> {
    fs::set_permissions(path, Permissions::from_mode(mode))
        .map_err(StateError::file("permit", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_may_read_what_is_there_and_nothing_is_left_of_before() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("build");
        let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
        put(&dir, &[file("old", "")].into()).unwrap();
        put(
            &dir,
            &[file("run.sh", "#!/bin/sh"), file("site/index.html", "x")].into(),
        )
        .unwrap();
        let mode = |name: &str| fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode("run.sh"), 0o755);
        assert_eq!(mode("site"), 0o755);
        assert_eq!(mode("site/index.html"), 0o644);
        assert_eq!(mode(""), 0o700);
        assert!(!dir.join("old").exists());
    }
}
