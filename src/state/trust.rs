//! Which labs the user said may be run: a file for each answer, so that two at once lose none.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use super::{StateError, Store, files};
use crate::digest;

/// What an answer is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A directory, whatever is in it: by its canonical path.
    Directory(PathBuf),
    /// These files, wherever they come from: by the digest of the tree.
    Tree(String),
}

/// What is written down; for people, as the file's name says it all.
#[derive(Serialize)]
struct Answer<'a> {
    trusted: &'a str,
    since: Timestamp,
}

impl Subject {
    /// The lab in the directory `dir`.
    pub fn directory(dir: &Path) -> Result<Self, StateError> {
        let canonical = dir.canonicalize();
        let canonical = canonical.map_err(StateError::file("read", dir))?;
        Ok(Self::Directory(canonical))
    }

    fn file(&self) -> String {
        match self {
            Self::Directory(path) => {
                format!("dir-{}", digest::hex(path.as_os_str().as_encoded_bytes()))
            }
            Self::Tree(digest) => format!("tree-{digest}"),
        }
    }
}

impl Store {
    /// Whether the user trusts this.
    pub fn trusts(&self, subject: &Subject) -> Result<bool, StateError> {
        let path = self.trust()?.join(subject.file());
        files::no_link(&path)?;
        Ok(path.is_file())
    }

    /// Remembers that the user trusts this, which `origin` names.
    pub fn remember(
        &self,
        subject: &Subject,
        origin: &str,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let dir = self.trust()?;
        files::create_dir(&dir)?;
        let answer = Answer {
            trusted: origin,
            since: now,
        };
        let path = dir.join(subject.file());
        let text = serde_json::to_vec(&answer).map_err(|e| StateError::Corrupt {
            path: path.clone(),
            why: e.to_string(),
        })?;
        files::write(&path, &text)
    }

    /// The directory of the answers, which nobody else can have put there.
    fn trust(&self) -> Result<PathBuf, StateError> {
        files::private(self.dir())?;
        let dir = self.dir().join("trust");
        files::no_link(&dir)?;
        files::private(&dir)?;
        Ok(dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_about_what_was_asked_and_nothing_else() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().to_owned());
        let a = Subject::Directory("/a".into());
        let tree = Subject::Tree("00ff".into());
        store.remember(&a, "/a", Timestamp::UNIX_EPOCH).unwrap();
        assert!(store.trusts(&a).unwrap() && !store.trusts(&tree).unwrap());
        assert!(!store.trusts(&Subject::Directory("/a/b".into())).unwrap());
        let everybody = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(dir.path().join("trust"), everybody).unwrap();
        assert!(matches!(store.trusts(&a), Err(StateError::Exposed { .. })));
    }
}
