//! Reading a lab's files from a directory, and the rules for their names.

use std::{
    collections::BTreeMap,
    ffi::{CStr, CString},
    fs::File,
    io::{self, Read},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, fstat, openat, statat},
    io::Errno,
};
use unicode_normalization::UnicodeNormalization;

use super::{StateError, error::Faults};
use crate::{event::untrusted::deceives, spec::LabTree};

/// The maximum number of files: more than any lab needs. It keeps a mistaken `labctl up /` from
/// reading a disk.
pub(super) const MOST_FILES: usize = 2_000;
/// The maximum size of all files together in bytes.
pub(super) const MOST_BYTES: u64 = 16 << 20;
/// The fault of a lab beyond these limits.
pub(super) const TOO_MUCH: &str = "it holds more than a lab does (16 MiB, 2000 files)";
/// The names that Windows takes for devices, with any extension.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// The flags for opening a directory.
const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC);
/// The flags for opening a file: never through a link, and without waiting for the writer of a
/// pipe.
const PLAIN: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);

/// Reads all files below `dir` into memory. Links are refused, not followed: a lab consists of its
/// own files. All faults are reported at once.
///
/// Everything is opened from the directory above it, and the opened file is checked, not the one
/// that its name leads to by then. So a user who may write in `dir` can change its content, and
/// cannot make it lead elsewhere.
pub fn read_tree(dir: &Path) -> Result<LabTree, StateError> {
    let mut reader = Reader::default();
    let read = reader.read(dir);
    read.map_err(|(path, error)| StateError::file("read", path)(error))?;
    reader.faults.extend(collisions(reader.files.keys()));
    refuse(&dir.display().to_string(), reader.faults)?;
    Ok(LabTree {
        origin: dir.display().to_string(),
        files: reader.files,
    })
}

/// Reads those of the files `names` below `dir` that exist, as safely as [`read_tree`] does.
/// Ignores all other files, and names that are no plain file.
pub(super) fn read_files<'a>(
    dir: &Path,
    names: impl Iterator<Item = &'a String>,
) -> Result<BTreeMap<String, Vec<u8>>, StateError> {
    let mut files = BTreeMap::new();
    let root = rustix::fs::open(dir, DIRECTORY, Mode::empty())
        .map_err(|error| StateError::file("read", dir)(error.into()))?;
    for whole in names {
        if !name_faults(whole).is_empty() {
            continue;
        }
        let (prefix, name) = whole.rsplit_once('/').unwrap_or(("", whole));
        let read = || -> io::Result<Option<Vec<u8>>> {
            let Some(open) = inside(&root, prefix)? else {
                return Ok(None);
            };
            content(&open, &CString::new(name)?, MOST_BYTES)
        };
        match read() {
            Ok(Some(content)) => drop(files.insert(whole.clone(), content)),
            Ok(None) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(StateError::file("read", dir.join(whole))(error)),
        }
    }
    Ok(files)
}

/// Fails if there are faults.
pub(super) fn refuse(origin: &str, faults: Vec<String>) -> Result<(), StateError> {
    if faults.is_empty() {
        return Ok(());
    }
    let origin = origin.to_owned();
    let faults = Faults(faults);
    Err(StateError::Hostile { origin, faults })
}

#[derive(Default)]
struct Reader {
    files: BTreeMap<String, Vec<u8>>,
    faults: Vec<String>,
}

impl Reader {
    fn read(&mut self, dir: &Path) -> Result<(), (PathBuf, io::Error)> {
        let at = |inside: &str| {
            let path = dir.join(inside);
            move |error: Errno| (path, error.into())
        };
        let root = rustix::fs::open(dir, DIRECTORY, Mode::empty()).map_err(at(""))?;
        let mut pending = vec![String::new()];
        let (mut entries, mut bytes) = (0, 0);
        while let Some(prefix) = pending.pop() {
            let Some(open) = inside(&root, &prefix).map_err(at(&prefix))? else {
                self.no_plain_file(prefix.trim_end_matches('/'));
                continue;
            };
            for entry in Dir::read_from(&open).map_err(at(&prefix))? {
                let entry = entry.map_err(at(&prefix))?;
                let name = entry.file_name();
                // Files that editors and version control leave behind are no part of a lab.
                if name.to_bytes().starts_with(b".") {
                    continue;
                }
                let Ok(text) = name.to_str() else {
                    let shown = format!("{prefix}{}", name.to_string_lossy());
                    self.faults
                        .push(format!("`{}` is not UTF-8", shown.escape_debug()));
                    continue;
                };
                let whole = format!("{prefix}{text}");
                self.faults.extend(name_faults(&whole));
                entries += 1;
                let there = statat(&open, name, AtFlags::SYMLINK_NOFOLLOW).map_err(at(&whole))?;
                match FileType::from_raw_mode(there.st_mode) {
                    FileType::Directory => pending.push(format!("{whole}/")),
                    FileType::RegularFile => {
                        let left = MOST_BYTES.saturating_sub(bytes);
                        match content(&open, name, left) {
                            Ok(Some(content)) => {
                                bytes += content.len() as u64;
                                self.files.insert(whole, content);
                            }
                            Ok(None) => self.no_plain_file(&whole),
                            Err(error) => return Err((dir.join(&whole), error)),
                        }
                    }
                    _ => self.no_plain_file(&whole),
                }
                if entries > MOST_FILES || bytes > MOST_BYTES {
                    self.faults.push(TOO_MUCH.to_owned());
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn no_plain_file(&mut self, name: &str) {
        let shown = name.escape_debug();
        self.faults.push(format!("`{shown}` is not a plain file"));
    }
}

/// Opens the directory at `path` below `root`; each part of `path` ends in a slash. `None` if a
/// part is no directory, or a link to one. Each directory is opened from the one above it, and only
/// one is open at a time: there may be more of them than the process may have open.
fn inside(root: &OwnedFd, path: &str) -> Result<Option<OwnedFd>, Errno> {
    let mut open = openat(root, ".", DIRECTORY, Mode::empty())?;
    for part in path.split_terminator('/') {
        let found = openat(&open, part, DIRECTORY | OFlags::NOFOLLOW, Mode::empty());
        open = match found {
            Err(Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            found => found?,
        };
    }
    Ok(Some(open))
}

/// Returns the content of the plain file `name` in the directory `dir`, cut one byte after `most`;
/// `None` if it is no plain file.
fn content(dir: &OwnedFd, name: &CStr, most: u64) -> io::Result<Option<Vec<u8>>> {
    let open = match openat(dir, name, PLAIN, Mode::empty()) {
        Err(Errno::LOOP) => return Ok(None),
        open => open?,
    };
    let opened = fstat(&open)?;
    if FileType::from_raw_mode(opened.st_mode) != FileType::RegularFile {
        return Ok(None);
    }
    let mut content = Vec::new();
    File::from(open).take(most + 1).read_to_end(&mut content)?;
    Ok(Some(content))
}

/// Returns the faults of a file's name: it has to mean the same file, inside the lab, on every
/// disk.
pub(super) fn name_faults(name: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut fault = |what: &str| faults.push(format!("`{}` {what}", name.escape_debug()));
    let drive = name.as_bytes();
    let has_drive = drive.len() > 1 && drive[1] == b':' && drive[0].is_ascii_alphabetic();
    if name.starts_with('/') || has_drive {
        fault("is an absolute path");
    }
    if name.contains('\\') {
        fault("has a backslash in it, which is a separator elsewhere");
    }
    if name.chars().any(deceives) {
        fault("has control or invisible characters in it");
    }
    let parts = || {
        name.split('/')
            .filter(|part| !part.is_empty() && *part != ".")
    };
    if parts().any(|part| part == "..") {
        fault("leads out of the lab");
    }
    if parts().any(is_device) {
        fault("has a name that Windows reserves");
    }
    if parts().any(|part| part != ".." && part.ends_with(['.', ' '])) {
        fault("ends in a dot or a space, which Windows leaves away");
    }
    if name.len() > 1024 || parts().any(|part| part.len() > 255) {
        fault("is too long");
    }
    faults
}

fn is_device(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or_default().trim_end();
    let stem = stem.to_lowercase();
    let numbered = ["com", "lpt"].iter().any(|device| {
        let number = stem.strip_prefix(device);
        number.is_some_and(|n| {
            n.chars().count() == 1 && n.contains(|c: char| "0123456789¹²³".contains(c))
        })
    });
    numbered || DEVICES.contains(&stem.as_str())
}

/// Returns the faults of names, of files or of directories above them, that collide on a disk that
/// does not distinguish case or several spellings of a character; and of files that are
/// directories, too.
pub(super) fn collisions<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut faults = Vec::new();
    // By folded path: its spelling, and true for a file.
    let mut known: BTreeMap<String, (&str, bool)> = BTreeMap::new();
    for name in names {
        let ends = name.match_indices('/').map(|(at, _)| at);
        for end in ends.chain([name.len()]) {
            let (path, is_file) = (&name[..end], end == name.len());
            match known.get(&folded(path)) {
                None => drop(known.insert(folded(path), (path, is_file))),
                Some((other, _)) if *other != path => {
                    let (path, other) = (path.escape_debug(), other.escape_debug());
                    faults.push(format!("`{other}` and `{path}` are one file on some disks"));
                }
                Some((_, was_file)) if is_file || *was_file => {
                    let path = path.escape_debug();
                    faults.push(format!("`{path}` is a file and a directory"));
                }
                Some(_) => {}
            }
        }
    }
    faults.dedup();
    faults
}

/// Returns `name` without differences of case and of the spelling of a character.
fn folded(name: &str) -> String {
    // Upper case first: then `ß` equals `SS`, and the two small sigmas are equal.
    let upper: String = name.nfkd().flat_map(char::to_uppercase).collect();
    let lower: String = upper.chars().flat_map(char::to_lowercase).collect();
    lower.nfkd().collect()
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        os::unix::fs::symlink,
        sync::atomic::{AtomicBool, Ordering},
        time::{Duration, Instant},
    };

    use super::*;

    #[test]
    fn a_link_that_is_put_there_while_it_is_read_leads_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::create_dir_all(path("elsewhere")).unwrap();
        fs::create_dir_all(path("lab/inner")).unwrap();
        fs::write(path("elsewhere/file"), "not of the lab").unwrap();
        fs::write(path("lab/inner/file"), "of the lab").unwrap();
        fs::write(path("lab/file"), "of the lab").unwrap();
        symlink(path("elsewhere/file"), path("link")).unwrap();
        symlink(path("elsewhere"), path("links")).unwrap();
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    for (a, b) in [("link", "lab/file"), ("links", "lab/inner")] {
                        swap(&path(a), &path(b));
                    }
                }
            });
            let began = Instant::now();
            let mut read = 0;
            while began.elapsed() < Duration::from_millis(500) || read == 0 {
                let Ok(tree) = read_tree(&path("lab")) else {
                    continue;
                };
                read += 1;
                for (name, content) in tree.files {
                    assert_eq!(content, b"of the lab", "{name}");
                }
            }
            over.store(true, Ordering::Relaxed);
        });
    }

    /// Swaps two names, so that both exist all the time.
    fn swap(a: &Path, b: &Path) {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).unwrap();
    }

    #[test]
    fn a_pipe_is_no_plain_file_and_is_not_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("pipe");
        let mode = Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, mode, 0).unwrap();
        let error = read_tree(dir.path()).unwrap_err();
        let faults = std::error::Error::source(&error).unwrap().to_string();
        assert!(faults.contains("`pipe` is not a plain file"), "{faults}");
    }

    #[test]
    fn names_that_mean_something_else_elsewhere_are_faults() {
        for (name, told) in [
            ("/etc/passwd", "absolute"),
            ("C:x", "absolute"),
            ("a/../../b", "leads out"),
            ("a\\b", "backslash"),
            ("a\nb", "control"),
            ("a\u{202e}b", "control or invisible"),
            ("a/aux.yaml", "reserves"),
            ("COM1", "reserves"),
            ("lpt².txt", "reserves"),
            ("a./b", "dot or a space"),
            (&"x".repeat(300), "too long"),
        ] {
            let faults = name_faults(name);
            assert_eq!(faults.len(), 1, "{name:?}: {faults:?}");
            assert!(faults[0].contains(told), "{faults:?}");
        }
        for name in [
            "lab.yaml",
            "./a/b.yaml",
            "auxiliary",
            "com10",
            "a..b",
            "größe.md",
            "⚠\u{fe0f}",
        ] {
            assert_eq!(name_faults(name), [""; 0], "{name:?}");
        }
    }

    #[test]
    fn names_that_fall_on_each_other_are_faults() {
        for (a, b) in [
            ("Lab.yaml", "lab.yaml"),
            ("a/x", "A/y"),
            ("stra\u{df}e", "STRASSE"),
            ("caf\u{e9}", "cafe\u{301}"),
            ("a", "a/b"),
        ] {
            let names = [a.to_owned(), b.to_owned()];
            assert_eq!(collisions(names.iter()).len(), 1, "{a} {b}");
        }
        let names = ["a/x", "a/y", "b", "ab"].map(ToOwned::to_owned);
        assert_eq!(collisions(names.iter()), [""; 0]);
    }
}
