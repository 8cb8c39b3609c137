//! A lab as a tree of files in memory.

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
};

/// All files of a lab, by their path in it (`/`-separated, without `.` and `..`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabTree {
    /// The lab's origin, for messages: a directory, or `built-in lab 10.3`.
    pub origin: String,
    /// The files' contents by their paths.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// The file that describes a lab.
pub const LAB_FILE: &str = "lab.yaml";

/// Returns the path of a lab's `path` below `dir`. Only the parts of `path` that lead further down
/// count, so that the result is below `dir` for any `path`. Validation reports paths that lead out
/// of the lab; this function also holds where nobody validated.
#[must_use]
pub fn below(dir: &Path, path: impl AsRef<Path>) -> PathBuf {
    let down = path.as_ref().components();
    let down = down.filter(|part| matches!(part, Component::Normal(_)));
    dir.join(down.collect::<PathBuf>())
}

impl LabTree {
    /// Returns the text of the file at `path`, or `None` if it is missing or not UTF-8.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&str> {
        let bytes = self.files.get(path)?;
        std::str::from_utf8(bytes).ok()
    }

    /// Returns the file at `path`, or all files below the directory `path`, sorted by name.
    pub fn under<'a>(&'a self, path: &str) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let path = path.trim_end_matches('/').to_owned();
        self.files.iter().filter_map(move |(name, bytes)| {
            let rest = name.strip_prefix(&path)?;
            (rest.is_empty() || rest.starts_with('/')).then_some((name.as_str(), bytes.as_slice()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_out() {
        for (path, at) in [
            ("a/b.yaml", "/env/a/b.yaml"),
            ("../../x", "/env/x"),
            ("/etc/passwd", "/env/etc/passwd"),
            ("./a/.././b", "/env/a/b"),
            ("..", "/env"),
        ] {
            assert_eq!(below(Path::new("/env"), path), Path::new(at), "{path}");
        }
    }
}
