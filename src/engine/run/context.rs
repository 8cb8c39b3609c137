//! The context of a run.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    assert::LoginPrograms,
    engine::run::secrets::Secrets,
    plan::Target,
    spec::{Lab, LabTree, Step, Within},
    state::{Bundle, Environment, bundle::Role},
    tool::{Toolbox, kubectl::Kubectl},
};

/// Everything that a run gets. There is nothing else: no globals, no ambient settings.
#[derive(Debug, Clone)]
pub struct Context {
    /// The environment.
    pub environment: Environment,
    /// The lab.
    pub lab: Lab,
    /// The lab's files.
    pub tree: LabTree,
    /// The templates of kind configurations, by name.
    pub kind_templates: BTreeMap<String, String>,
    /// Build contexts inside labctl, by name. Each maps the paths of its files to their contents.
    /// An image of a lab may be built from one without the lab having the files.
    pub image_sources: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    /// The programs that the run may start.
    pub toolbox: Toolbox,
    /// The bundle from which the environment is made, if any.
    pub bundle: Option<Bundle>,
    /// The factor by which every deadline is multiplied.
    pub timeout_scale: f64,
    /// The permission of the kubeconfig to run a program that logs in.
    pub login_programs: LoginPrograms,
}

impl Context {
    /// Returns the name of the environment and of its cluster.
    #[must_use]
    pub fn name(&self) -> &str {
        self.environment.name()
    }

    /// Returns the arguments that name the environment to the verbs: the lab, and `--env` unless
    /// the environment is the lab's default one.
    #[must_use]
    pub fn call(&self) -> String {
        self.environment.call()
    }

    /// Returns the environment's secrets, which no output may show.
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

    /// Returns the data that commands need to reach the environment.
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

    /// Returns the node image for kind. An image of the bundle is named by its id: that names
    /// exactly the loaded image, and takes no tag away from another one. Otherwise the name is the
    /// lab's.
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

    /// Returns the fingerprint of `step` on the cluster with the uid `cluster`.
    #[must_use]
    pub fn fingerprint(&self, step: &Step, cluster: &str) -> String {
        let template = match &step.action {
            crate::spec::Action::KindCluster(kind) => self.kind_templates.get(&kind.template),
            _ => None,
        };
        crate::plan::fingerprint(step, &self.tree, template.map(String::as_str), cluster)
    }

    /// Returns `within`, multiplied by the timeout scale.
    #[must_use]
    pub fn scaled(&self, within: Within) -> Duration {
        within.0.mul_f64(self.timeout_scale)
    }
}
