//! Dumps of the data of a lab's pods: those that `reset` restores, and those of data that it
//! replaced.
//!
//! A dump counts once it has a seal: a file beside it with its size and digest, which is written
//! when the dump is known to be complete.

use std::{
    fs,
    io::{self, Read, Seek, SeekFrom},
    ops::Deref,
    path::{Path, PathBuf},
};

use super::{Environment, StateError, files};
use crate::{digest, spec::tree::below};

/// The number of dumps of replaced data that are kept for each pod.
const REPLACED: usize = 2;
/// The size of the end of a dump that is read to find the last line, in bytes.
const END: u64 = 4 << 10;

impl Environment {
    /// Returns the path of the dump of `pod`'s data with this fingerprint.
    #[must_use]
    pub fn dump(&self, pod: &str, fingerprint: &str) -> PathBuf {
        let fingerprint = digest::hex(fingerprint.as_bytes());
        below(
            &self.dir.join("data"),
            format!("{pod}-{}", &fingerprint[..16]),
        )
    }

    /// Creates an empty file for a dump of `pod`. The dump does not count until it is sealed.
    pub fn new_dump(&self, pod: &str) -> Result<NewDump, StateError> {
        let new = below(&self.dir.join("data"), format!("{pod}.new"));
        files::create_dir(&self.dir.join("data"))?;
        files::write(&new, b"")?;
        Ok(NewDump(new))
    }

    /// Keeps the dump `new` of the data that `pod` held before `reset` replaced it, and returns its
    /// path. Only the last two dumps are kept, and the same data is kept once. Returns `None`, and
    /// removes `new`, if it equals the dump `wanted`.
    pub fn keep_replaced(
        &self,
        pod: &str,
        new: &Path,
        ends_with: &str,
        wanted: Option<&Path>,
    ) -> Result<Option<PathBuf>, StateError> {
        let dir = self.dir.join("replaced");
        files::create_dir(&dir)?;
        let mut kept = replaced(&dir, pod)?;
        let seal = Seal::of(new, ends_with)?;
        if let Some(wanted) = wanted
            && Seal::read(wanted)?.as_ref() == Some(&seal)
        {
            remove(new)?;
            return Ok(None);
        }
        let next = kept.last().map_or(1, |(number, _)| number + 1);
        let path = below(&dir, format!("{pod}-{next}"));
        let same = kept.iter().position(|(_, path)| {
            let read = Seal::read(path);
            read.is_ok_and(|known| known.as_ref() == Some(&seal))
        });
        seal.put(new, &path)?;
        if let Some(same) = same {
            remove(&kept.remove(same).1)?;
        }
        let old = kept.len().saturating_sub(REPLACED - 1);
        for (_, path) in kept.drain(..old) {
            remove(&path)?;
        }
        Ok(Some(path))
    }
}

/// A file into which a dump is written. It is removed with this, unless it was kept: half a dump may
/// fill the disk.
#[derive(Debug)]
pub struct NewDump(PathBuf);

impl Deref for NewDump {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for NewDump {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Moves the dump `new` to `path`, if it is complete: if it ends with the line `ends_with`.
pub fn keep(new: &Path, path: &Path, ends_with: &str) -> Result<(), StateError> {
    Seal::of(new, ends_with)?.put(new, path)
}

/// Returns true if a dump was sealed at `path` and still has its size.
#[must_use]
pub fn is_kept(path: &Path) -> bool {
    let size = path.metadata().map(|file| file.len());
    let seal = Seal::read(path).ok().flatten();
    seal.is_some_and(|seal| size.is_ok_and(|size| size == seal.size))
}

/// Checks that the dump at `path` is, byte for byte, the one that was sealed.
pub fn check(path: &Path) -> Result<(), StateError> {
    let corrupt = |why: &str| StateError::Corrupt {
        path: path.to_owned(),
        why: why.to_owned(),
    };
    let Some(seal) = Seal::read(path)? else {
        return Err(corrupt("it was never seen to be whole"));
    };
    let size = path.metadata().map_err(StateError::file("read", path))?;
    if size.len() != seal.size {
        let why = format!("it has {} bytes instead of {}", size.len(), seal.size);
        return Err(corrupt(&why));
    }
    let digest = digest::hex_of_file(path).map_err(StateError::file("read", path))?;
    if digest != seal.digest {
        return Err(corrupt("its digest is another one than when it was saved"));
    }
    Ok(())
}

/// The size and digest of a complete dump.
#[derive(Debug, PartialEq, Eq)]
struct Seal {
    size: u64,
    digest: String,
}

impl Seal {
    fn path(dump: &Path) -> PathBuf {
        let mut name = dump.file_name().unwrap_or_default().to_owned();
        name.push(".seal");
        dump.with_file_name(name)
    }

    /// Computes the seal of the dump `new`, which has to end with the line `ends_with`.
    fn of(new: &Path, ends_with: &str) -> Result<Self, StateError> {
        let failed = |source| StateError::File {
            what: "read",
            path: new.to_owned(),
            source,
        };
        let mut file = fs::File::open(new).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        let size = file.metadata().map_err(failed)?.len();
        file.seek(SeekFrom::Start(size.saturating_sub(END)))
            .map_err(failed)?;
        let mut end = Vec::new();
        file.read_to_end(&mut end).map_err(failed)?;
        let end = String::from_utf8_lossy(&end);
        if end.lines().next_back() != Some(ends_with) {
            return Err(StateError::Corrupt {
                path: new.to_owned(),
                why: format!(
                    "what was saved is not whole: of {size} bytes the last line is not `{ends_with}`"
                ),
            });
        }
        let digest = digest::hex_of_file(new).map_err(failed)?;
        Ok(Self { size, digest })
    }

    fn read(dump: &Path) -> Result<Option<Self>, StateError> {
        let path = Self::path(dump);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StateError::file("read", path)(source)),
        };
        let parsed = text.trim().split_once(' ').and_then(|(digest, size)| {
            let size = size.parse().ok()?;
            Some(Self {
                size,
                digest: digest.to_owned(),
            })
        });
        Ok(parsed)
    }

    /// Moves the dump `new`, which has this seal, to `path`.
    fn put(&self, new: &Path, path: &Path) -> Result<(), StateError> {
        let text = format!("{} {}\n", self.digest, self.size);
        files::write(&Self::path(path), text.as_bytes())?;
        fs::rename(new, path).map_err(StateError::file("rename", new))?;
        let dir = path.parent().unwrap_or(path);
        files::sync_dir(dir).map_err(StateError::file("write", dir))
    }
}

/// Returns the dumps of replaced data of `pod` with their numbers, the oldest first.
fn replaced(dir: &Path, pod: &str) -> Result<Vec<(u64, PathBuf)>, StateError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(StateError::file("read", dir))? {
        let path = entry.map_err(StateError::file("read", dir))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let number = name.strip_prefix(pod).and_then(|rest| {
            let number = rest.strip_prefix('-')?;
            number.parse().ok()
        });
        if let Some(number) = number {
            found.push((number, path.clone()));
        }
    }
    found.sort();
    Ok(found)
}

fn remove(dump: &Path) -> Result<(), StateError> {
    for path in [dump, &Seal::path(dump)] {
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(StateError::file("remove", path)(e));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::state::Record;

    fn environment(dir: &tempfile::TempDir) -> Environment {
        Environment {
            dir: dir.path().to_owned(),
            record: Record::new(&"a".parse().unwrap(), "a", None, Timestamp::UNIX_EPOCH),
        }
    }

    fn written(environment: &Environment, text: &str) -> NewDump {
        let new = environment.new_dump("db-0").unwrap();
        fs::write(&*new, text).unwrap();
        new
    }

    #[test]
    fn what_is_not_whole_is_not_kept_and_what_is_no_longer_whole_is_not_restored() {
        let dir = tempfile::tempdir().unwrap();
        let environment = environment(&dir);
        let path = environment.dump("db-0", "f");
        for text in ["", "rows\n", "rows\nend of it\n", "end\nrows\n"] {
            let new = written(&environment, text);
            assert!(keep(&new, &path, "end").is_err(), "{text:?}");
            assert!(!is_kept(&path));
        }
        let new = written(&environment, "rows\nend\n");
        keep(&new, &path, "end").unwrap();
        assert!(is_kept(&path));
        check(&path).unwrap();
        for text in ["", "rows\n", "rows\nend", "sowr\nend\n"] {
            fs::write(&path, text).unwrap();
            assert!(check(&path).is_err(), "{text:?}");
        }
        fs::remove_file(Seal::path(&path)).unwrap();
        fs::write(&path, "rows\nend\n").unwrap();
        assert!(check(&path).is_err() && !is_kept(&path));
    }

    #[test]
    fn the_last_two_that_differ_are_kept_of_what_was_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let environment = environment(&dir);
        let mut last = PathBuf::new();
        for text in ["a\nend\n", "b\nend\n", "b\nend\n", "b\nend\n"] {
            let new = written(&environment, text);
            let kept = environment.keep_replaced("db-0", &new, "end", None);
            last = kept.unwrap().unwrap();
            assert_eq!(fs::read_to_string(&last).unwrap(), text);
        }
        let texts = || -> Vec<String> {
            let kept = replaced(&dir.path().join("replaced"), "db-0").unwrap();
            kept.iter()
                .map(|(_, path)| fs::read_to_string(path).unwrap())
                .collect()
        };
        assert_eq!(texts(), ["a\nend\n", "b\nend\n"]);
        assert!(is_kept(&last));
        let new = written(&environment, "c\nend\n");
        environment
            .keep_replaced("db-0", &new, "end", None)
            .unwrap();
        let new = written(&environment, "c\nend\n");
        let again = environment.keep_replaced("db-0", &new, "end", Some(&last));
        assert!(again.unwrap().is_some());
        let new = written(&environment, "b\nend\n");
        let same = environment.keep_replaced("db-0", &new, "end", Some(&last));
        assert_eq!(same.unwrap(), None);
        assert_eq!(texts(), ["b\nend\n", "c\nend\n"]);
        assert!(
            replaced(&dir.path().join("replaced"), "db")
                .unwrap()
                .is_empty()
        );
    }
}
