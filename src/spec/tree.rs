//! A lab as a tree of files in memory.

use std::collections::BTreeMap;

/// All files of a lab, by their path inside it (`/`-separated, without `.` and `..`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LabTree {
    /// Where the lab came from, for messages: a directory, or `built-in lab 10.3`.
    pub origin: String,
    /// The files' contents.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// The file that describes a lab.
pub const LAB_FILE: &str = "lab.yaml";

impl LabTree {
    /// The text of the file at `path`; `None` if it is not there or not UTF-8.
    #[must_use]
    pub fn text(&self, path: &str) -> Option<&str> {
        let bytes = self.files.get(path)?;
        std::str::from_utf8(bytes).ok()
    }

    /// The files that `path` names: itself, or all files of the directory it is, sorted by name.
    pub fn under<'a>(&'a self, path: &str) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let path = path.trim_end_matches('/').to_owned();
        self.files.iter().filter_map(move |(name, bytes)| {
            let rest = name.strip_prefix(&path)?;
            (rest.is_empty() || rest.starts_with('/')).then_some((name.as_str(), bytes.as_slice()))
        })
    }
}
