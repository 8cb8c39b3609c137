//! One environment on disk.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use super::tree::read_tree;
use super::{Identity, LABCTL, Origin, StateError, files};
use crate::spec::EnvironmentName;

/// The version of the files' form; a labctl that finds a later one refuses to touch it.
const VERSION: u32 = 2;

/// What an environment is, written once when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Record {
    /// The version of the form of this file and its neighbours.
    pub version: u32,
    /// The version of the labctl that wrote it first in this form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labctl: Option<String>,
    /// The environment's name: the cluster's, too.
    pub name: EnvironmentName,
    /// The lab's id.
    pub lab: String,
    /// Where the lab came from; none in an environment that an older labctl made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// What proves at the engine that something is its own; none in an environment that an older
    /// labctl made and this one has only read so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Identity>,
    /// When it was made.
    pub created: Timestamp,
    /// The bundle it is made from, if from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<PathBuf>,
    /// The values that the lab's parameters were given.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, String>,
}

/// What of a record is looked at before the rest is read: a later form may have other fields.
#[derive(Deserialize)]
struct Form {
    version: u32,
    #[serde(default)]
    labctl: Option<String>,
    #[serde(default)]
    name: String,
}

/// An environment's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The directory.
    pub dir: PathBuf,
    /// What it is.
    pub record: Record,
}

/// The file of all events of one run.
#[derive(Debug)]
pub struct RunLog {
    /// The file, open for writing.
    pub file: fs::File,
    /// Where it is.
    pub path: PathBuf,
}

impl Record {
    /// A new environment's record.
    #[must_use]
    pub fn new(name: &EnvironmentName, lab: &str, bundle: Option<PathBuf>, now: Timestamp) -> Self {
        Self {
            version: VERSION,
            labctl: Some(LABCTL.to_owned()),
            name: name.clone(),
            lab: lab.to_owned(),
            origin: None,
            id: None,
            created: now,
            bundle,
            set: BTreeMap::new(),
        }
    }
}

impl Environment {
    /// The other environments of the same state directory, as far as they can be read.
    #[must_use]
    pub fn others(&self) -> Vec<Self> {
        let beside = self.dir.parent().and_then(|envs| fs::read_dir(envs).ok());
        let dirs = beside.into_iter().flatten().flatten();
        let open = |entry: fs::DirEntry| Self::open(&entry.path()).ok().flatten();
        let mut others: Vec<Self> = dirs.filter_map(open).collect();
        others.retain(|other| other.dir != self.dir);
        others
    }

    /// The environment in `dir`; `None` if there is none (a directory without a record was left by
    /// a labctl that ended while it made or removed it).
    pub fn open(dir: &Path) -> Result<Option<Self>, StateError> {
        let path = dir.join("environment.json");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StateError::file("read", path)(source)),
        };
        let corrupt = |why: String| StateError::Corrupt {
            path: path.clone(),
            why,
        };
        let form: Form = serde_json::from_str(&text).map_err(|e| corrupt(e.to_string()))?;
        // What is done to an environment is done to the directory of its name.
        if dir.file_name().is_none_or(|own| *own != *form.name) {
            let why = format!(
                "it names the environment `{}`, which is another directory",
                form.name.escape_debug()
            );
            return Err(StateError::Exposed { path, why });
        }
        if form.version > VERSION {
            return Err(StateError::Later {
                what: format!("form {}", form.version),
                labctl: form.labctl,
                path,
            });
        }
        let record: Record = serde_json::from_str(&text).map_err(|e| corrupt(e.to_string()))?;
        let dir = dir.to_owned();
        Ok(Some(Self { dir, record }))
    }

    /// Writes the record. The environment exists from now on.
    pub fn save(&self) -> Result<(), StateError> {
        let path = self.dir.join("environment.json");
        let text = serde_json::to_vec_pretty(&self.record).map_err(|e| StateError::Corrupt {
            path: path.clone(),
            why: e.to_string(),
        })?;
        files::write(&path, &text)
    }

    /// Gives an environment of an older form the present one: it gets an id. The caller holds it.
    pub fn upgrade(&mut self) -> Result<(), StateError> {
        if self.record.id.is_some() && self.record.version == VERSION {
            return Ok(());
        }
        self.record.version = VERSION;
        self.record.labctl = Some(LABCTL.to_owned());
        if self.record.id.is_none() {
            self.record.id = Some(Identity::random()?);
        }
        self.save()
    }

    /// The environment's, and its cluster's, name.
    #[must_use]
    pub fn name(&self) -> &EnvironmentName {
        &self.record.name
    }

    /// What names it to the verbs: the lab, and `--env` unless it has the lab's default name.
    #[must_use]
    pub fn call(&self) -> String {
        let Record { lab, name, .. } = &self.record;
        if *name == EnvironmentName::of_lab(lab) {
            lab.clone()
        } else {
            format!("{lab} --env {name}")
        }
    }

    /// The kubeconfig of labctl's own.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.join("kubeconfig")
    }

    /// The copy of it that students work with, and may change as they like.
    #[must_use]
    pub fn lent_kubeconfig(&self) -> PathBuf {
        self.dir.join("shell").join("kubeconfig")
    }

    /// Where kubectl keeps what it learns of the cluster.
    #[must_use]
    pub fn kubectl_cache(&self) -> PathBuf {
        self.dir.join("kubectl-cache")
    }

    /// Where helm keeps what it fetches and is told.
    #[must_use]
    pub fn helm_home(&self) -> PathBuf {
        self.dir.join("helm")
    }

    /// Where the tools are that the lab brought.
    #[must_use]
    pub fn tools(&self) -> PathBuf {
        self.dir.join("tools")
    }

    /// kind's name for the context of the cluster.
    #[must_use]
    pub fn context(&self) -> String {
        format!("kind-{}", self.record.name)
    }

    /// The Docker network of the nodes, made before the cluster and removed after it. A part of the
    /// id keeps apart what environments of one name have on one engine; a placeholder stands for it
    /// as long as there is none.
    #[must_use]
    pub fn network(&self) -> String {
        let id = self.record.id.as_ref().map_or("<id>", Identity::short);
        format!("labctl-{}-{id}", self.record.name)
    }

    /// The Docker network that kind made for the clusters of labctls that gave environments no id.
    #[must_use]
    pub fn former_network(&self) -> String {
        format!("labctl-{}", self.record.name)
    }

    /// The journal.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.dir.join("journal.jsonl")
    }

    /// The kind configuration, rendered.
    #[must_use]
    pub fn kind_config(&self) -> PathBuf {
        self.dir.join("kind.yaml")
    }

    /// The copy of the lab that is applied.
    #[must_use]
    pub fn lab_dir(&self) -> PathBuf {
        self.dir.join("lab")
    }

    /// Where fetched image archives are kept while they are imported.
    #[must_use]
    pub fn images_dir(&self) -> PathBuf {
        self.dir.join("images")
    }

    /// The events of each run, the oldest first.
    pub fn runs(&self) -> Result<Vec<PathBuf>, StateError> {
        let dir = self.dir.join("runs");
        let mut runs = Vec::new();
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(runs),
            Err(source) => return Err(StateError::file("read", dir)(source)),
        };
        for entry in entries {
            runs.push(entry.map_err(StateError::file("read", &dir))?.path());
        }
        runs.sort_by_key(|path| (number(path), path.clone()));
        Ok(runs)
    }

    /// A new file for the events of a run that starts `now`; only the last runs are kept. Which one
    /// is the last is told by a number: the machine's clock may be set back.
    pub fn new_run(&self, now: Timestamp) -> Result<RunLog, StateError> {
        const KEPT: usize = 20;
        let runs = self.runs()?;
        for old in runs.iter().take(runs.len().saturating_sub(KEPT - 1)) {
            fs::remove_file(old).map_err(StateError::file("remove", old))?;
        }
        let dir = self.dir.join("runs");
        files::create_dir(&dir)?;
        let next = runs.last().map_or(0, |last| number(last)) + 1;
        let time = now.strftime("%Y%m%dT%H%M%SZ");
        let path = dir.join(format!("{next:06}-{time}.ndjson"));
        let file = fs::File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .map_err(StateError::file("create", &path))?;
        Ok(RunLog { file, path })
    }
}

/// The number that the name of a run's file begins with; 0 if it is none of ours.
fn number(run: &Path) -> u64 {
    let name = run.file_name().and_then(|name| name.to_str());
    let number = name.and_then(|name| name.split_once('-')?.0.parse().ok());
    number.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_run_is_the_last_whatever_the_clock_says() {
        let dir = tempfile::tempdir().unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let environment = Environment {
            dir: dir.path().to_owned(),
            record: Record::new(&"a".into(), "a", None, now),
        };
        for run in 0..25 {
            // Each begins an hour before the one before it.
            let at = now - jiff::Span::new().hours(run);
            let new = environment.new_run(at).unwrap();
            let runs = environment.runs().unwrap();
            assert_eq!(runs.last(), Some(&new.path), "{runs:?}");
            assert!(runs.len() <= 20, "{runs:?}");
        }
    }
}
