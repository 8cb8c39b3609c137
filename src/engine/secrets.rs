//! What must not be shown of an environment: known before a run from the lab, and from the
//! kubeconfig and the keys as soon as there are any.

use std::{fs, path::PathBuf, time::SystemTime};

use crate::{
    event::Redactor,
    spec::{self, LabTree, tool::CertificateFile},
    state::Environment,
};

/// The secrets of an environment.
#[derive(Debug)]
pub struct Secrets {
    of_lab: spec::Secrets,
    kubeconfig: PathBuf,
    keys: Vec<PathBuf>,
    /// The lengths of those files and when they were written, as they were read.
    seen: Vec<Option<(u64, SystemTime)>>,
    redactor: Redactor,
}

impl Secrets {
    /// Those of the lab in `tree`, and of the files of `environment`, which need not exist yet.
    #[must_use]
    pub fn new(tree: &LabTree, environment: &Environment) -> Self {
        let keys = CertificateFile::ALL.into_iter().filter(|f| f.is_key());
        let of_lab = spec::Secrets::of_lab(tree);
        let redactor = Redactor::new(&of_lab.values, &of_lab.public);
        Self {
            of_lab,
            kubeconfig: environment.kubeconfig(),
            keys: keys.map(|key| key.path_in(&environment.dir)).collect(),
            seen: Vec::new(),
            redactor,
        }
    }

    /// What takes them out of text. A run makes those files, and tools rewrite the kubeconfig: they
    /// are looked at each time, and read again if one of them is another.
    pub fn redactor(&mut self) -> &Redactor {
        let written = |path: &PathBuf| {
            let metadata = fs::metadata(path);
            metadata.and_then(|m| Ok((m.len(), m.modified()?))).ok()
        };
        let files = std::iter::once(&self.kubeconfig).chain(&self.keys);
        let now: Vec<_> = files.map(written).collect();
        if now != self.seen && now.iter().any(Option::is_some) {
            let mut all = self.of_lab.clone();
            if let Ok(text) = fs::read_to_string(&self.kubeconfig) {
                all.add_kubeconfig(&text);
            }
            for text in self.keys.iter().flat_map(fs::read_to_string) {
                all.add_key(&text);
            }
            self.redactor = Redactor::new(&all.values, &all.public);
            self.seen = now;
        }
        &self.redactor
    }
}
