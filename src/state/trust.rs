//! The labs that the user allowed to run. Each answer is a file, so that two at once lose none.

use std::{
    fs::Metadata,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::Serialize;

use super::{StateError, Store, files};
use crate::digest;

/// The subject of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A directory, with any content.
    Directory(Directory),
    /// The files with this digest of the tree, wherever they come from.
    Tree(String),
}

/// A directory, distinguished from another one that is made in its place later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directory {
    /// Its canonical path.
    pub path: PathBuf,
    /// Its owner, device and inode.
    identity: (u32, u64, u64),
    /// The nearest place, the directory itself or above it, or else one below it, in which others
    /// can write.
    pub open: Option<PathBuf>,
}

/// The content of an answer's file, for people: the file's name says all that labctl needs.
#[derive(Serialize)]
struct Answer<'a> {
    trusted: &'a str,
    since: Timestamp,
}

impl Directory {
    /// Looks at the directory at `path`.
    pub fn at(path: &Path) -> Result<Self, StateError> {
        let canonical = path.canonicalize();
        let path = canonical.map_err(StateError::file("read", path))?;
        let me = rustix::process::geteuid().as_raw();
        let mut open = None;
        let mut identity = None;
        for place in path.ancestors() {
            let metadata = place.symlink_metadata();
            let metadata = metadata.map_err(StateError::file("read", place))?;
            identity = identity.or(Some((metadata.uid(), metadata.dev(), metadata.ino())));
            if open.is_none() && is_open(&Access::of(&metadata), me) {
                open = Some(place.to_owned());
            }
        }
        let open = open.or_else(|| open_below(&path, me));
        Ok(Self {
            identity: identity.unwrap_or_default(),
            path,
            open,
        })
    }
}

/// Returns the first file or directory below `dir` in which others can write. One that cannot be
/// read counts as such.
fn open_below(dir: &Path, me: u32) -> Option<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Some(dir.to_owned());
    };
    entries.flatten().find_map(|entry| {
        let path = entry.path();
        match path.symlink_metadata() {
            Ok(metadata) if metadata.is_symlink() => None,
            Ok(metadata) if is_open(&Access::of(&metadata), me) => Some(path),
            Ok(metadata) if metadata.is_dir() => open_below(&path, me),
            Ok(_) => None,
            Err(_) => Some(path),
        }
    })
}

/// The facts that decide who may write to a file or directory.
struct Access {
    owner: u32,
    group: u32,
    mode: u32,
}

impl Access {
    fn of(metadata: &Metadata) -> Self {
        Self {
            owner: metadata.uid(),
            group: metadata.gid(),
            mode: metadata.mode(),
        }
    }
}

/// Tests whether anybody but the user `me` and root can write there. A directory in which everybody
/// may write, and nobody may remove the files of others (`/tmp`), counts as open: once users remove
/// their own files there, others can make these anew. A group with the user's own number has no
/// other members, by the convention of systems that make one for each user.
fn is_open(access: &Access, me: u32) -> bool {
    let Access { owner, group, mode } = *access;
    let is_own_group = group == me || group == 0;
    (owner != me && owner != 0) || mode & 0o002 != 0 || (mode & 0o020 != 0 && !is_own_group)
}

impl Subject {
    /// Returns the place in which others can write, which is the reason not to remember an answer
    /// about this.
    #[must_use]
    pub fn open(&self) -> Option<&Path> {
        match self {
            Self::Directory(directory) => directory.open.as_deref(),
            Self::Tree(_) => None,
        }
    }

    fn file(&self) -> String {
        match self {
            Self::Directory(Directory { path, identity, .. }) => {
                let (owner, device, inode) = identity;
                let mut bytes = format!("{owner} {device} {inode} ").into_bytes();
                bytes.extend(path.as_os_str().as_encoded_bytes());
                format!("directory-{}", digest::hex(&bytes))
            }
            Self::Tree(digest) => format!("tree-{digest}"),
        }
    }
}

impl Store {
    /// Returns true if the user trusts `subject`.
    pub fn trusts(&self, subject: &Subject) -> Result<bool, StateError> {
        let path = self.trust()?.join(subject.file());
        files::no_link(&path)?;
        Ok(subject.open().is_none() && path.is_file())
    }

    /// Remembers that the user trusts `subject`, which `origin` names, unless others can put
    /// something else in its place.
    pub fn remember(
        &self,
        subject: &Subject,
        origin: &str,
        now: Timestamp,
    ) -> Result<(), StateError> {
        if subject.open().is_some() {
            return Ok(());
        }
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

    /// Returns the directory of the answers. Refuses one that somebody else can have put there.
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

    fn directory(path: &str, identity: (u32, u64, u64)) -> Subject {
        Subject::Directory(Directory {
            path: path.into(),
            identity,
            open: None,
        })
    }

    #[test]
    fn an_answer_is_about_what_was_asked_and_nothing_else() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().to_owned());
        let a = directory("/a", (1000, 1, 2));
        let tree = Subject::Tree("00ff".into());
        store.remember(&a, "/a", Timestamp::UNIX_EPOCH).unwrap();
        assert!(store.trusts(&a).unwrap() && !store.trusts(&tree).unwrap());
        for other in [
            directory("/a/b", (1000, 1, 2)),
            directory("/a", (1001, 1, 2)),
            directory("/a", (1000, 2, 2)),
            directory("/a", (1000, 1, 3)),
        ] {
            assert!(!store.trusts(&other).unwrap(), "{other:?}");
        }
        let everybody = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(dir.path().join("trust"), everybody).unwrap();
        assert!(matches!(store.trusts(&a), Err(StateError::Exposed { .. })));
    }

    #[test]
    fn an_answer_by_the_path_alone_does_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().to_owned());
        let a = directory("/a", (1000, 1, 2));
        let old = dir.path().join("trust");
        files::create_dir(&old).unwrap();
        files::write(&old.join(format!("dir-{}", digest::hex(b"/a"))), b"{}").unwrap();
        assert!(!store.trusts(&a).unwrap());
    }

    #[test]
    fn a_place_where_others_can_write_is_never_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::new(dir.path().to_owned());
        // Temporary directories are below one that everybody may write in.
        let here = Directory::at(dir.path()).unwrap();
        assert_eq!(
            here.open.as_deref(),
            std::env::temp_dir().canonicalize().ok().as_deref()
        );
        let here = Subject::Directory(here);
        store
            .remember(&here, "/tmp", Timestamp::UNIX_EPOCH)
            .unwrap();
        assert!(!store.trusts(&here).unwrap());
        assert!(!dir.path().join("trust").exists());
    }

    #[test]
    fn a_file_that_others_can_write_is_found_however_deep() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let me = rustix::process::geteuid().as_raw();
        let deep = dir.path().join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        let file = deep.join("lab.yaml");
        std::fs::write(&file, "").unwrap();
        assert_eq!(open_below(dir.path(), me), None);
        let everybody = std::fs::Permissions::from_mode(0o666);
        std::fs::set_permissions(&file, everybody).unwrap();
        assert_eq!(open_below(dir.path(), me), Some(file));
    }

    #[test]
    fn whoever_may_write_besides_the_user_and_root_is_an_other() {
        let access = |owner, group, mode| Access { owner, group, mode };
        for (access, open) in [
            (access(1000, 1000, 0o755), false),
            (access(0, 0, 0o775), false),
            // The group of the user alone.
            (access(1000, 1000, 0o775), false),
            (access(1000, 100, 0o775), true),
            (access(1001, 1001, 0o755), true),
            (access(0, 0, 0o1777), true),
            (access(1000, 1000, 0o777), true),
        ] {
            let Access { owner, group, mode } = access;
            assert_eq!(is_open(&access, 1000), open, "{owner} {group} {mode:o}");
        }
    }
}
