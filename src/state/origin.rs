//! The origin of an environment's lab.

use std::{fmt, path::Path};

use serde::{Deserialize, Serialize};

use super::{Environment, StateError};
use crate::spec::LabTree;

/// The source of a lab. Two labs may have the same id; they have different origins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// The lab came with labctl.
    BuiltIn,
    /// The directory of this canonical path, even if its content has changed.
    Directory(String),
    /// An archive, or the content of a URL: files of this digest, wherever they are.
    Digest(String),
}

impl Origin {
    /// Returns the origin of a lab in the directory at `canonical`.
    #[must_use]
    pub fn directory(canonical: &Path) -> Self {
        let bytes = canonical.as_os_str().as_encoded_bytes();
        let text = canonical.to_str().map(ToOwned::to_owned);
        Self::Directory(text.unwrap_or_else(|| bytes.escape_ascii().to_string()))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("the one that came with labctl"),
            Self::Directory(path) => write!(f, "the one in {}", path.escape_debug()),
            Self::Digest(digest) => write!(f, "the one with the digest sha256:{digest}"),
        }
    }
}

impl Environment {
    /// Returns true if the environment was made from the lab in `tree`, which came from `origin`. A
    /// lab with the very files that are applied here counts, wherever it is.
    ///
    /// Older versions of labctl recorded no origin. Such an environment belongs to the built-in
    /// lab, which changes with each version of labctl, or to a lab with the same files.
    pub fn is_of(&self, origin: &Origin, tree: &LabTree) -> Result<bool, StateError> {
        let is_recorded = match &self.record.origin {
            Some(recorded) => recorded == origin,
            None => *origin == Origin::BuiltIn,
        };
        Ok(is_recorded || self.lab()?.files == tree.files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Record;

    #[test]
    fn another_origin_is_another_lab_unless_its_files_are_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let now = jiff::Timestamp::UNIX_EPOCH;
        let mut environment = Environment {
            dir: dir.path().to_owned(),
            record: Record::new(&"lab-t".into(), "t", None, now),
        };
        let tree = |text: &str| LabTree {
            origin: String::new(),
            files: [("lab.yaml".to_owned(), text.as_bytes().to_vec())].into(),
        };
        environment.put_lab(&tree("applied")).unwrap();
        let is_of = |environment: &Environment, origin: &Origin, text: &str| {
            environment.is_of(origin, &tree(text)).unwrap()
        };
        let here = Origin::directory(Path::new("/here"));
        let there = Origin::directory(Path::new("/there"));
        // No recorded origin, as in an environment of an older labctl.
        assert!(is_of(&environment, &Origin::BuiltIn, "newer"));
        assert!(is_of(&environment, &here, "applied"));
        assert!(!is_of(&environment, &here, "other"));
        environment.record.origin = Some(here.clone());
        assert!(is_of(&environment, &here, "other"));
        assert!(is_of(&environment, &there, "applied"));
        assert!(!is_of(&environment, &there, "other"));
        assert!(!is_of(&environment, &Origin::BuiltIn, "other"));
        environment.record.origin = Some(Origin::Digest("00".into()));
        assert!(is_of(&environment, &Origin::Digest("00".into()), "other"));
        assert!(!is_of(&environment, &Origin::Digest("11".into()), "other"));
    }
}
