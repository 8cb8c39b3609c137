//! What a run works on.

use std::{collections::BTreeMap, time::Duration};

use super::Secrets;
use crate::{
    assert::LoginPrograms,
    plan::Target,
    spec::{Lab, LabTree, Step, Within},
    state::{Bundle, Environment, bundle::Role},
    tool::{Toolbox, kubectl::Kubectl},
};

/// Everything a run is handed. There is nothing else: no globals, no ambient settings.
#[derive(Debug, Clone)]
pub struct Context {
    /// The environment.
    pub environment: Environment,
    /// The lab.
    pub lab: Lab,
    /// The lab's files.
    pub tree: LabTree,
    /// The kind configurations, by name, as templates.
    pub kind_templates: BTreeMap<String, String>,
    /// What images can be built from without the lab bringing it along: files by their path, by the
    /// name of the whole.
    pub image_sources: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    /// The programs.
    pub toolbox: Toolbox,
    /// The bundle, if the environment is made from one.
    pub bundle: Option<Bundle>,
    /// By how much every deadline is multiplied.
    pub timeout_scale: f64,
    /// Whether the kubeconfig may run a program to log in.
    pub login_programs: LoginPrograms,
}

impl Context {
    /// The environment's and its cluster's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.environment.name()
    }

    /// What names the environment to the verbs: the lab, and `--env` unless it is the lab's default.
    #[must_use]
    pub fn call(&self) -> String {
        self.environment.call()
    }

    /// What must not be shown of the environment.
    #[must_use]
    pub fn secrets(&self) -> Secrets {
        let target = self.target();
        let applied = self.lab.steps.iter().filter_map(|step| match &step.action {
            crate::spec::Action::Apply(apply) => apply.pinned(),
            _ => None,
        });
        let applied = applied.map(|file| crate::plan::pinned(&file, &target));
        Secrets::new(&self.tree, &self.environment).and_manifests(applied)
    }

    /// How command lines reach the environment.
    #[must_use]
    pub fn target(&self) -> Target {
        let environment = &self.environment;
        let bundle = self.bundle.as_ref();
        let charts = bundle.iter().flat_map(|b| {
            let entries = b.index.charts.iter();
            entries.map(|c| ((c.chart.clone(), c.version.clone()), b.dir.join(&c.path)))
        });
        let files = bundle.iter().flat_map(|b| {
            let entries = b.index.files.iter();
            entries.map(|f| (f.url.clone(), b.dir.join(&f.path)))
        });
        Target {
            dir: environment.dir.clone(),
            tools: environment.tools(),
            charts: charts.collect(),
            files: files.collect(),
            cluster: environment.name().to_string(),
            network: environment.network(),
            kind_config: environment.kind_config(),
            lab_dir: environment.lab_dir(),
            kubectl: Kubectl {
                kubeconfig: environment.kubeconfig(),
                context: environment.context(),
                namespace: self.lab.namespace.clone(),
            },
            node_image: self.node_image(),
        }
    }

    /// What kind is told to use as node image: an image of the bundle by its id, which names
    /// exactly what was loaded and takes no tag away from another image; otherwise what the lab
    /// names.
    fn node_image(&self) -> Option<String> {
        let wanted = self.lab.steps.iter().find_map(|step| match &step.action {
            crate::spec::Action::KindCluster(cluster) => cluster.image.as_ref(),
            _ => None,
        })?;
        let bundled = self
            .bundle
            .as_ref()
            .and_then(|b| b.image(Role::Node, wanted));
        let image = bundled.and_then(|image| image.id.as_deref());
        Some(image.unwrap_or(wanted.as_str()).to_owned())
    }

    /// The fingerprint of `step` on the cluster with this uid.
    #[must_use]
    pub fn fingerprint(&self, step: &Step, cluster: &str) -> String {
        let template = match &step.action {
            crate::spec::Action::KindCluster(kind) => self.kind_templates.get(&kind.template),
            _ => None,
        };
        crate::plan::fingerprint(step, &self.tree, template.map(String::as_str), cluster)
    }

    /// `within`, multiplied as asked for.
    #[must_use]
    pub fn scaled(&self, within: Within) -> Duration {
        within.0.mul_f64(self.timeout_scale)
    }
}
