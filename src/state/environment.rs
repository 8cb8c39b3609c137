//! An environment on disk.

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

/// The version of the format of the files. A labctl refuses to touch files of a later one.
const VERSION: u32 = 2;

/// The description of an environment, written when it is created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Record {
    /// The version of the format of this file and its neighbours.
    pub version: u32,
    /// The version of the labctl that first wrote the file in this format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labctl: Option<String>,
    /// The name of the environment and of its cluster.
    pub name: EnvironmentName,
    /// The lab's id.
    pub lab: String,
    /// The origin of the lab; none in an environment that an older labctl made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The id that proves at the engine that something is the environment's; none in an environment
    /// that an older labctl made and this one has only read so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Identity>,
    /// The time of its creation.
    pub created: Timestamp,
    /// The bundle that it is made from, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<PathBuf>,
    /// The values that were set for the lab's parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, String>,
}

/// The part of a record that is read first: a later format may have other fields.
#[derive(Deserialize)]
struct Form {
    version: u32,
    #[serde(default)]
    labctl: Option<String>,
    #[serde(default)]
    name: String,
}

/// An environment with its directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The directory.
    pub dir: PathBuf,
    /// Its description.
    pub record: Record,
}

/// The file for the events of one run.
#[derive(Debug)]
pub struct RunLog {
    /// The file, open for writing.
    pub file: fs::File,
    /// Its path.
    pub path: PathBuf,
}

impl Record {
    /// Creates the record of a new environment.
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
    /// Returns the other environments of the same state directory, as far as they can be read.
    #[must_use]
    pub fn others(&self) -> Vec<Self> {
        let beside = self.dir.parent().and_then(|envs| fs::read_dir(envs).ok());
        let dirs = beside.into_iter().flatten().flatten();
        let open = |entry: fs::DirEntry| Self::open(&entry.path()).ok().flatten();
        let mut others: Vec<Self> = dirs.filter_map(open).collect();
        others.retain(|other| other.dir != self.dir);
        others
    }

    /// Opens the environment in `dir`. `None` if there is none: a directory without a record was
    /// left by a labctl that ended while it made or removed an environment.
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
        // Verbs act on the directory of the environment's name, which must be this one.
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

    /// Writes the record. From now on the environment exists.
    pub fn save(&self) -> Result<(), StateError> {
        let path = self.dir.join("environment.json");
        let text = serde_json::to_vec_pretty(&self.record).map_err(|e| StateError::Corrupt {
            path: path.clone(),
            why: e.to_string(),
        })?;
        files::write(&path, &text)
    }

    /// Upgrades an environment of an older format, which has no id, to the present one. The caller
    /// holds the environment's lock.
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

    /// Returns the name of the environment and of its cluster.
    #[must_use]
    pub fn name(&self) -> &EnvironmentName {
        &self.record.name
    }

    /// Returns the arguments that name the environment to the verbs: the lab, and `--env` unless
    /// the environment has the lab's default name.
    #[must_use]
    pub fn call(&self) -> String {
        let Record { lab, name, .. } = &self.record;
        if *name == EnvironmentName::of_lab(lab) {
            lab.clone()
        } else {
            format!("{lab} --env {name}")
        }
    }

    /// Returns the path of labctl's private kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.dir.join("kubeconfig")
    }

    /// Returns the path of the kubeconfig that students work with, and may change as they like.
    #[must_use]
    pub fn lent_kubeconfig(&self) -> PathBuf {
        self.dir.join("shell").join("kubeconfig")
    }

    /// Returns the directory of kubectl's cache.
    #[must_use]
    pub fn kubectl_cache(&self) -> PathBuf {
        self.dir.join("kubectl-cache")
    }

    /// Returns the directory of helm's own files.
    #[must_use]
    pub fn helm_home(&self) -> PathBuf {
        self.dir.join("helm")
    }

    /// Returns the directory of the tools that the lab brought.
    #[must_use]
    pub fn tools(&self) -> PathBuf {
        self.dir.join("tools")
    }

    /// Returns kind's name for the context of the cluster.
    #[must_use]
    pub fn context(&self) -> String {
        format!("kind-{}", self.record.name)
    }

    /// Returns the name of the nodes' Docker network, which is created before the cluster and
    /// removed after it. Part of the id is in the name, because environments of the same name may
    /// share an engine; a placeholder replaces it as long as there is no id.
    #[must_use]
    pub fn network(&self) -> String {
        let id = self.record.id.as_ref().map_or("<id>", Identity::short);
        format!("labctl-{}-{id}", self.record.name)
    }

    /// Returns the name of the Docker network that kind made for labctls that gave environments no
    /// id.
    #[must_use]
    pub fn former_network(&self) -> String {
        format!("labctl-{}", self.record.name)
    }

    /// Returns the path of the journal.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.dir.join("journal.jsonl")
    }

    /// Returns the path of the rendered kind configuration.
    #[must_use]
    pub fn kind_config(&self) -> PathBuf {
        self.dir.join("kind.yaml")
    }

    /// Returns the directory with the copy of the lab that is applied.
    #[must_use]
    pub fn lab_dir(&self) -> PathBuf {
        self.dir.join("lab")
    }

    /// Returns the directory that keeps fetched image archives while they are imported.
    #[must_use]
    pub fn images_dir(&self) -> PathBuf {
        self.dir.join("images")
    }

    /// Returns the event files of the runs, the oldest first.
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

    /// Creates a file for the events of a run that starts `now`, and removes all but the last runs'
    /// files. A number gives their order, because the machine's clock may be set back.
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

/// Returns the number at the start of a run's file name; 0 for a file that labctl did not name.
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
            // Each run begins an hour before the previous one.
            let at = now - jiff::Span::new().hours(run);
            let new = environment.new_run(at).unwrap();
            let runs = environment.runs().unwrap();
            assert_eq!(runs.last(), Some(&new.path), "{runs:?}");
            assert!(runs.len() <= 20, "{runs:?}");
        }
    }
}
