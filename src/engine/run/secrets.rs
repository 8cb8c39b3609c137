//! The secrets of an environment, which no output may show. Those of the lab are known before a
//! run, those of the kubeconfig and of the keys as soon as these files exist.

use std::{fs, path::PathBuf, time::SystemTime};

use crate::{
    event::Redactor,
    spec::{self, LabTree, tool::CertificateFile},
    state::Environment,
};

/// The secrets of an environment. A secret that was seen once stays one, even if its file changes.
#[derive(Debug)]
pub struct Secrets {
    known: spec::Secrets,
    files: Vec<Seen>,
    /// The directory of manifests that appear during a run: fetched, or printed by a tool.
    manifests: PathBuf,
    redactor: Redactor,
}

/// A file with secrets, as it was last read.
#[derive(Debug)]
struct Seen {
    path: PathBuf,
    /// Adds the secrets in the file's text.
    add: fn(&mut spec::Secrets, &str),
    /// The length of the file, and the time of its last change.
    at: Option<(u64, SystemTime)>,
}

impl Secrets {
    /// Collects the secrets of the lab in `tree` and of the files of `environment`, which need not
    /// exist yet.
    #[must_use]
    pub fn new(tree: &LabTree, environment: &Environment) -> Self {
        let known = spec::Secrets::of_lab(tree);
        let redactor = Redactor::new(&known.values, &known.public);
        let seen = |path, add| Seen {
            path,
            add,
            at: None,
        };
        let keys = CertificateFile::ALL.into_iter().filter(|f| f.is_key());
        let keys = keys.map(|key| {
            seen(
                key.path_in(&environment.dir),
                spec::Secrets::add_key as fn(&mut _, &_),
            )
        });
        let kubeconfig = seen(environment.kubeconfig(), spec::Secrets::add_kubeconfig);
        Self {
            files: std::iter::once(kubeconfig).chain(keys).collect(),
            manifests: environment.dir.join("files"),
            known,
            redactor,
        }
    }

    /// Adds the Secrets in the manifests at `paths`, which need not exist yet.
    #[must_use]
    pub fn and_manifests(mut self, paths: impl IntoIterator<Item = PathBuf>) -> Self {
        for path in paths {
            self.see_manifest(path);
        }
        self
    }

    fn see_manifest(&mut self, path: PathBuf) {
        if self.files.iter().all(|file| file.path != path) {
            self.files.push(Seen {
                path,
                add: spec::Secrets::add_manifests,
                at: None,
            });
        }
    }

    /// Returns the redactor that removes the secrets from text. A run makes the files with secrets,
    /// and tools rewrite the kubeconfig: so each call reads the files again that have changed.
    pub fn redactor(&mut self) -> &Redactor {
        let mut is_new = false;
        for entry in fs::read_dir(&self.manifests)
            .into_iter()
            .flatten()
            .flatten()
        {
            self.see_manifest(entry.path());
        }
        for file in &mut self.files {
            let metadata = fs::metadata(&file.path);
            let now = metadata.and_then(|m| Ok((m.len(), m.modified()?))).ok();
            if now.is_some()
                && now != file.at
                && let Ok(text) = fs::read_to_string(&file.path)
            {
                (file.add)(&mut self.known, &text);
                file.at = now;
                is_new = true;
            }
        }
        if is_new {
            self.redactor = Redactor::new(&self.known.values, &self.known.public);
        }
        &self.redactor
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::state::Record;

    #[test]
    fn what_was_seen_stays_secret_when_its_file_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let environment = Environment {
            dir: dir.path().to_owned(),
            record: Record::new(&"a".into(), "a", None, jiff::Timestamp::UNIX_EPOCH),
        };
        let tree = LabTree {
            origin: String::new(),
            files: BTreeMap::new(),
        };
        let mut secrets = Secrets::new(&tree, &environment);
        let text = "with token-in-the-kubeconfig and line-of-a-private-key";
        assert_eq!(secrets.redactor().text(text), text);
        let kubeconfig = "users: [{user: {token: token-in-the-kubeconfig}}]";
        fs::write(environment.kubeconfig(), kubeconfig).unwrap();
        assert!(!secrets.redactor().text(text).contains("token-in"));
        fs::remove_file(environment.kubeconfig()).unwrap();
        let key = CertificateFile::IssuerKey.path_in(&environment.dir);
        fs::create_dir_all(key.parent().unwrap()).unwrap();
        fs::write(key, "-----BEGIN PRIVATE KEY-----\nline-of-a-private-key\n").unwrap();
        let shown = secrets.redactor().text(text).clone();
        assert!(
            !shown.contains("token-in") && !shown.contains("line-of"),
            "{shown}"
        );
        // A fetched manifest, and one of the bundle.
        let elsewhere = dir.path().join("bundle.yaml");
        let mut secrets = secrets.and_manifests([elsewhere.clone()]);
        for (path, value) in [
            (dir.path().join("files/a.yaml"), "of-a-fetched-file"),
            (elsewhere, "of-a-file-of-the-bundle"),
        ] {
            assert_eq!(secrets.redactor().text(value), value);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let text = format!("kind: Secret\nstringData: {{a: {value}}}\n");
            fs::write(path, text).unwrap();
            assert!(!secrets.redactor().text(value).contains(value));
        }
    }
}
