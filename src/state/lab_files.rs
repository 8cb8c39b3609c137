//! The copy of the lab in an environment. A list with digests names the files that labctl put
//! there, so that files that a student added or edited are recognised, and never lost.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use super::{Environment, StateError, files, tree};
use crate::{digest, spec::LabTree};

/// The files that labctl put there: digests by name.
type Put = BTreeMap<String, String>;

/// A file of a student's that was in the place of one of the lab's, and is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its path before.
    pub was: PathBuf,
    /// Its path now.
    pub is: PathBuf,
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (was, is) = (self.was.display(), self.is.display());
        if self.was == self.is {
            write!(
                f,
                "{was} was edited, and the lab no longer has it; it stays"
            )
        } else {
            write!(
                f,
                "{was} was edited; it is the lab's again, and what you wrote is kept in {is}"
            )
        }
    }
}

impl Environment {
    fn list_of_lab(&self) -> PathBuf {
        self.dir.join("lab-files.json")
    }

    /// Returns the files that labctl last put there; `None` in an environment of a labctl that kept
    /// no list.
    fn put_before(&self) -> Result<Option<Put>, StateError> {
        let path = self.list_of_lab();
        match fs::read(&path) {
            // If the list is damaged, each file counts as the student's.
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes).unwrap_or_default())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StateError::file("read", path)(source)),
        }
    }

    /// Puts the lab's files into [`Environment::lab_dir`], unless they are there already. Files
    /// that labctl did not put there stay. A file of the lab's that was edited is kept beside the
    /// new one. Returns the edited files.
    pub fn put_lab(&self, tree: &LabTree) -> Result<Vec<Kept>, StateError> {
        let dir = self.lab_dir();
        let before = self.put_before()?;
        let list: Put = tree
            .files
            .iter()
            .map(|(name, bytes)| (name.clone(), digest::hex(bytes)))
            .collect();
        if before.as_ref() == Some(&list) && self.lab()?.files == tree.files {
            return Ok(Vec::new());
        }
        let before = before.unwrap_or_default();
        files::create_dir(&dir)?;
        let putting = Putting {
            there: tree::read_files(&dir, before.keys().chain(tree.files.keys()))?,
            dir: &dir,
            before: &before,
        };
        let mut kept = Vec::new();
        for name in before.keys().filter(|name| !tree.files.contains_key(*name)) {
            kept.extend(putting.obsolete(name)?);
        }
        for (name, bytes) in &tree.files {
            kept.extend(putting.put(name, bytes)?);
        }
        let json = serde_json::to_vec_pretty(&list).map_err(|error| StateError::Corrupt {
            path: self.list_of_lab(),
            why: error.to_string(),
        })?;
        files::write(&self.list_of_lab(), &json)?;
        Ok(kept)
    }

    /// Returns the lab as it was last applied here: the files that labctl put there, with their
    /// present content.
    pub fn lab(&self) -> Result<LabTree, StateError> {
        let dir = self.lab_dir();
        if !dir.exists() {
            let origin = format!("the environment \"{}\"", self.record.name);
            return Ok(LabTree {
                origin,
                files: BTreeMap::new(),
            });
        }
        match self.put_before()? {
            Some(put) => Ok(LabTree {
                origin: dir.display().to_string(),
                files: tree::read_files(&dir, put.keys())?,
            }),
            None => tree::read_tree(&dir),
        }
    }
}

/// The operation of putting files into a directory.
struct Putting<'a> {
    dir: &'a Path,
    /// The files that labctl put there before.
    before: &'a Put,
    /// The files that are there, of those that were put before or are put now.
    there: BTreeMap<String, Vec<u8>>,
}

impl Putting<'_> {
    /// Returns true if the file of this name is as labctl left it.
    fn is_as_left(&self, name: &str) -> bool {
        let there = self.there.get(name).map(|bytes| digest::hex(bytes));
        there.is_some() && there.as_ref() == self.before.get(name)
    }

    /// Removes a file that the lab no longer has, and the directories that are empty then. An
    /// edited file stays.
    fn obsolete(&self, name: &str) -> Result<Option<Kept>, StateError> {
        let path = self.dir.join(name);
        if !self.there.contains_key(name) {
            return Ok(None);
        }
        if !self.is_as_left(name) {
            let (was, is) = (path.clone(), path);
            return Ok(Some(Kept { was, is }));
        }
        files::remove(&path)?;
        let above = path.ancestors().skip(1);
        for above in above.take_while(|above| *above != self.dir) {
            // A directory that is not empty stays.
            if fs::remove_dir(above).is_err() {
                break;
            }
        }
        Ok(None)
    }

    /// Puts a file of the lab in its place. Returns the student's file that was in the way.
    fn put(&self, name: &str, bytes: &[u8]) -> Result<Option<Kept>, StateError> {
        let path = self.dir.join(name);
        let above = path.ancestors().skip(1);
        let above: Vec<&Path> = above.take_while(|above| *above != self.dir).collect();
        let mut kept = None;
        for above in above.into_iter().rev() {
            let there = above.symlink_metadata();
            if there.is_ok_and(|there| !there.is_dir()) {
                kept = Some(aside(above)?);
            }
            files::create_dir(above)?;
        }
        if self.there.get(name).is_some_and(|there| there == bytes) && kept.is_none() {
            return Ok(None);
        }
        match path.symlink_metadata() {
            Ok(there) if there.is_file() && self.is_as_left(name) => {}
            // Empty directories of an earlier version of the lab are left here.
            Ok(there) if there.is_dir() && fs::remove_dir(&path).is_ok() => {}
            Ok(_) => kept = Some(aside(&path)?),
            Err(_) => {}
        }
        files::write(&path, bytes)?;
        Ok(kept)
    }
}

/// Renames the file at `path` to a name that marks it as the student's.
fn aside(path: &Path) -> Result<Kept, StateError> {
    let mut number = 1;
    let is = loop {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".yours-{number}"));
        let name = PathBuf::from(name);
        if name.symlink_metadata().is_err() {
            break name;
        }
        number += 1;
    };
    fs::rename(path, &is).map_err(StateError::file("rename", path))?;
    let was = path.to_owned();
    Ok(Kept { was, is })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::state::Record;

    fn environment(dir: &Path) -> Environment {
        Environment {
            dir: dir.to_owned(),
            record: Record::new(&"a".into(), "a", None, Timestamp::UNIX_EPOCH),
        }
    }

    fn lab<const N: usize>(files: [(&str, &str); N]) -> LabTree {
        let file = |(name, text): (&str, &str)| (name.to_owned(), text.as_bytes().to_vec());
        LabTree {
            origin: String::new(),
            files: files.map(file).into(),
        }
    }

    /// Returns the content of the environment's copy of the lab, by file name.
    fn there(environment: &Environment) -> BTreeMap<String, String> {
        let read = tree::read_tree(&environment.lab_dir()).unwrap();
        let text = |(name, bytes)| (name, String::from_utf8(bytes).unwrap());
        read.files.into_iter().map(text).collect()
    }

    fn map<const N: usize>(files: [(&str, &str); N]) -> BTreeMap<String, String> {
        files
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .into()
    }

    #[test]
    fn a_file_that_becomes_a_directory_is_replaced_and_the_other_way_round() {
        let dir = tempfile::tempdir().unwrap();
        let environment = environment(dir.path());
        for names in [
            &["lab.yaml", "app", "deep/er/file"][..],
            &["lab.yaml", "app/a.yaml", "app/b/c.yaml", "deep"],
            &["lab.yaml", "app", "deep/er/file/s"],
            &["lab.yaml", "deep/er/file"],
        ] {
            let lab = LabTree {
                origin: String::new(),
                files: names
                    .iter()
                    .map(|name| ((*name).to_owned(), name.as_bytes().to_vec()))
                    .collect(),
            };
            assert_eq!(environment.put_lab(&lab).unwrap(), []);
            assert_eq!(environment.lab().unwrap().files, lab.files);
        }
        let left = fs::read_dir(environment.lab_dir()).unwrap();
        assert_eq!(left.count(), 2, "an empty directory is left");
    }

    #[test]
    fn what_a_student_wrote_is_kept_and_what_labctl_wrote_is_renewed() {
        let dir = tempfile::tempdir().unwrap();
        let environment = environment(dir.path());
        let first = lab([
            ("lab.yaml", "1"),
            ("m/a.yaml", "1"),
            ("m/b.yaml", "1"),
            ("old", "1"),
        ]);
        assert_eq!(environment.put_lab(&first).unwrap(), []);
        let at = |name: &str| environment.lab_dir().join(name);
        fs::write(at("m/a.yaml"), "mine").unwrap();
        fs::write(at("m/notes.txt"), "strange").unwrap();
        // The added file is no part of the lab, and the edited one is.
        let applied = environment.lab().unwrap().files;
        assert_eq!(applied.len(), 4);
        assert_eq!(applied["m/a.yaml"], b"mine");
        let second = lab([("lab.yaml", "2"), ("m/a.yaml", "1"), ("m/b.yaml", "2")]);
        let kept = environment.put_lab(&second).unwrap();
        let (was, is) = (at("m/a.yaml"), at("m/a.yaml.yours-1"));
        assert_eq!(kept, [Kept { was, is }]);
        let expected = map([
            ("lab.yaml", "2"),
            ("m/a.yaml", "1"),
            ("m/a.yaml.yours-1", "mine"),
            ("m/b.yaml", "2"),
            ("m/notes.txt", "strange"),
        ]);
        assert_eq!(there(&environment), expected);
        assert_eq!(environment.put_lab(&second).unwrap(), [], "once is enough");
        // After another edit, the first is not lost either.
        fs::write(at("m/a.yaml"), "mine again").unwrap();
        assert_eq!(environment.put_lab(&second).unwrap().len(), 1);
        assert_eq!(there(&environment)["m/a.yaml.yours-2"], "mine again");
    }

    #[test]
    fn what_is_in_the_way_of_a_new_file_is_kept_too() {
        let dir = tempfile::tempdir().unwrap();
        let environment = environment(dir.path());
        environment
            .put_lab(&lab([("lab.yaml", "1"), ("a", "1")]))
            .unwrap();
        let at = |name: &str| environment.lab_dir().join(name);
        fs::write(at("new"), "mine").unwrap();
        fs::write(at("dir"), "mine, too").unwrap();
        fs::write(at("a"), "edited").unwrap();
        std::os::unix::fs::symlink("/etc/hostname", at("link")).unwrap();
        let next = lab([
            ("lab.yaml", "1"),
            ("new", "2"),
            ("dir/x", "2"),
            ("link", "2"),
        ]);
        let kept = environment.put_lab(&next).unwrap();
        assert_eq!(kept.len(), 4, "{kept:?}");
        for (name, text) in [
            ("new", "2"),
            ("new.yours-1", "mine"),
            ("dir/x", "2"),
            ("dir.yours-1", "mine, too"),
            ("a", "edited"),
            ("link", "2"),
        ] {
            assert_eq!(fs::read_to_string(at(name)).unwrap(), text, "{name}");
        }
        assert!(at("link.yours-1").is_symlink());
        assert_eq!(environment.lab().unwrap().files, next.files);
    }

    #[test]
    fn without_a_list_whatever_differs_counts_as_the_students() {
        let dir = tempfile::tempdir().unwrap();
        let environment = environment(dir.path());
        let first = lab([("lab.yaml", "1"), ("a", "1")]);
        environment.put_lab(&first).unwrap();
        fs::remove_file(environment.list_of_lab()).unwrap();
        assert_eq!(environment.lab().unwrap().files, first.files);
        let kept = environment
            .put_lab(&lab([("lab.yaml", "2"), ("a", "1")]))
            .unwrap();
        assert_eq!(kept.len(), 1);
        assert_eq!(there(&environment)["lab.yaml.yours-1"], "1");
    }
}
