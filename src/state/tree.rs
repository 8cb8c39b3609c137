//! A lab's files read from a directory, and what their names may be.

use std::{collections::BTreeMap, fs, path::Path};

use unicode_normalization::UnicodeNormalization;

use super::{StateError, error::Faults};
use crate::{event::untrusted::deceives, spec::LabTree};

/// More than any lab needs; keeps a mistaken `labctl up /` from reading a disk.
pub(super) const MOST_FILES: usize = 2_000;
/// The most bytes of all files together.
pub(super) const MOST_BYTES: u64 = 16 << 20;
/// What is said of more.
pub(super) const TOO_MUCH: &str = "it holds more than a lab does (16 MiB, 2000 files)";
/// What Windows takes for a device, whatever its extension.
const DEVICES: [&str; 6] = ["con", "prn", "aux", "nul", "conin$", "conout$"];

/// Reads all files below `dir` into memory. Links are not followed, and refused: a lab is what its
/// own files say. All faults are told at once.
pub fn read_tree(dir: &Path) -> Result<LabTree, StateError> {
    let mut reader = Reader::default();
    reader.read(dir)?;
    reader.faults.extend(collisions(reader.files.keys()));
    refuse(&dir.display().to_string(), reader.faults)?;
    Ok(LabTree {
        origin: dir.display().to_string(),
        files: reader.files,
    })
}

/// An error, if there are faults.
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
    fn read(&mut self, dir: &Path) -> Result<(), StateError> {
        let mut pending = vec![(dir.to_owned(), String::new())];
        let (mut entries, mut bytes) = (0, 0);
        while let Some((path, prefix)) = pending.pop() {
            for entry in fs::read_dir(&path).map_err(StateError::file("read", &path))? {
                let entry = entry.map_err(StateError::file("read", &path))?;
                let path = entry.path();
                let name = entry.file_name();
                // What editors and version control leave behind is no part of a lab.
                if name.as_encoded_bytes().starts_with(b".") {
                    continue;
                }
                let Some(name) = name.to_str() else {
                    let shown = format!("{prefix}{}", name.to_string_lossy());
                    self.faults
                        .push(format!("`{}` is not UTF-8", shown.escape_debug()));
                    continue;
                };
                let whole = format!("{prefix}{name}");
                self.faults.extend(name_faults(&whole));
                let kind = entry.file_type().map_err(StateError::file("read", &path))?;
                entries += 1;
                if kind.is_dir() {
                    pending.push((path, format!("{whole}/")));
                } else if kind.is_file() {
                    bytes += entry.metadata().map_or(0, |m| m.len());
                } else {
                    let shown = whole.escape_debug();
                    self.faults.push(format!("`{shown}` is not a plain file"));
                    continue;
                }
                if entries > MOST_FILES || bytes > MOST_BYTES {
                    self.faults.push(TOO_MUCH.to_owned());
                    return Ok(());
                }
                if kind.is_file() {
                    let content =
                        fs::read(entry.path()).map_err(StateError::file("read", entry.path()))?;
                    self.files.insert(whole, content);
                }
            }
        }
        Ok(())
    }
}

/// What is wrong with the name of a file in a lab: it has to mean the same file, inside the lab, on
/// every disk.
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

/// Names, of files or of directories above them, that fall on each other on a disk that takes
/// letters of both cases, or several spellings of a character, for the same; and files that are
/// directories, too.
pub(super) fn collisions<'a>(names: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut faults = Vec::new();
    // What each folded path is spelled like, and whether it is a file.
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

/// `name` without the difference between cases and between spellings of a character.
fn folded(name: &str) -> String {
    // Upper case first: `ß` and `SS` are the same then, as are the two small sigmas.
    let upper: String = name.nfkd().flat_map(char::to_uppercase).collect();
    let lower: String = upper.chars().flat_map(char::to_lowercase).collect();
    lower.nfkd().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
