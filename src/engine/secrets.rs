//! What must not be shown of an environment: known before a run from the lab, and from the
//! kubeconfig as soon as there is one.

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use crate::{
    event::Redactor,
    spec::{self, LabTree},
};

/// The secrets of an environment.
#[derive(Debug)]
pub struct Secrets {
    of_lab: spec::Secrets,
    kubeconfig: PathBuf,
    /// The length of the kubeconfig and when it was written, as it was read.
    seen: Option<(u64, SystemTime)>,
    redactor: Redactor,
}

impl Secrets {
    /// Those of the lab in `tree` and of the kubeconfig at this path, which need not exist yet.
    #[must_use]
    pub fn new(tree: &LabTree, kubeconfig: &Path) -> Self {
        let of_lab = spec::Secrets::of_lab(tree);
        let redactor = Redactor::new(&of_lab.values, &of_lab.public);
        Self {
            of_lab,
            kubeconfig: kubeconfig.to_owned(),
            seen: None,
            redactor,
        }
    }

    /// What takes them out of text. A run makes the kubeconfig, and tools rewrite it: it is looked
    /// at each time, and read again if it is another one.
    pub fn redactor(&mut self) -> &Redactor {
        let metadata = fs::metadata(&self.kubeconfig);
        let now = metadata.and_then(|m| Ok((m.len(), m.modified()?))).ok();
        if now.is_some()
            && now != self.seen
            && let Ok(text) = fs::read_to_string(&self.kubeconfig)
        {
            let mut all = self.of_lab.clone();
            all.add_kubeconfig(&text);
            self.redactor = Redactor::new(&all.values, &all.public);
            self.seen = now;
        }
        &self.redactor
    }
}
