//! The command lines of an action.

use std::{collections::BTreeMap, path::PathBuf};

use crate::{
    spec::{
        Action, Facts, PodFact, Undo,
        action::{Annotate, DeletePod, Node, Pinned},
        tree::below,
    },
    tool::{Invocation, kind, kubectl::Kubectl},
};

/// The part of an environment that command lines need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// kind's name of the cluster.
    pub cluster: String,
    /// The Docker network of its nodes.
    pub network: String,
    /// The rendered kind configuration.
    pub kind_config: PathBuf,
    /// The environment's directory.
    pub dir: PathBuf,
    /// The charts of a bundle, by their reference and version.
    pub charts: BTreeMap<(String, String), PathBuf>,
    /// The files of a bundle, by the URL that each one replaces.
    pub files: BTreeMap<String, PathBuf>,
    /// The directory of the tools that the lab brought.
    pub tools: PathBuf,
    /// The directory of the applied lab.
    pub lab_dir: PathBuf,
    /// The cluster's connection details for kubectl.
    pub kubectl: Kubectl,
    /// The node image to pass to kind; kind's default if absent.
    pub node_image: Option<String>,
}

/// Returns the command lines of `action`, in order. A fact that an earlier step has yet to record
/// is a placeholder in angle brackets, unless `facts` has it.
#[must_use]
pub fn commands(action: &Action, target: &Target, facts: &Facts) -> Vec<Invocation> {
    let kubectl = &target.kubectl;
    match action {
        Action::KindCluster(_) => vec![kind::create(
            &target.cluster,
            &target.network,
            target.node_image.as_deref(),
            &target.kind_config,
            &kubectl.kubeconfig,
        )],
        Action::Apply(apply) => {
            let (made, path) = match (&apply.output, apply.pinned()) {
                (Some(output), _) => {
                    let path = super::lab_tools::output_file(output, target);
                    (Some(super::lab_tools::output(output, target, &path)), path)
                }
                (None, Some(file)) => (None, pinned(&file, target)),
                (None, None) => (None, below(&target.lab_dir, apply.in_lab())),
            };
            let apply = kubectl.apply(&path, apply.server_side);
            made.into_iter().chain([apply]).collect()
        }
        // labctl itself does these.
        Action::Tool(_) | Action::Certificates(_) | Action::Observe => Vec::new(),
        Action::Helm(helm) => super::helm::commands(helm, target),
        Action::Exec(exec) => {
            vec![kubectl.exec(&exec.pod, exec.container.as_deref(), &exec.command)]
        }
        Action::DeletePod(DeletePod { name, since }) => {
            let uid = recorded(facts, since, |pod| &pod.uid)
                .unwrap_or_else(|| format!("<uid of the pod recorded as {since}>"));
            vec![kubectl.delete_pod(name, &uid)]
        }
        Action::Scale(scale) => vec![kubectl.scale(&scale.of.to_string(), scale.to)],
        Action::Drain(node) => vec![kubectl.drain(&named(node, &target.cluster, facts))],
        Action::Uncordon(node) => vec![kubectl.uncordon(&named(node, &target.cluster, facts))],
        Action::Annotate(Annotate { of, set, remove }) => vec![kubectl.annotate(of, set, remove)],
        Action::RolloutRestart(restart) => {
            let of: Vec<String> = restart.of.iter().map(ToString::to_string).collect();
            vec![kubectl.rollout_restart(&of)]
        }
        Action::Toxic(toxic) => vec![super::toxic::inject(toxic, kubectl)],
        Action::Load(load) => {
            let (from, container) = (load.from.to_string(), load.container.as_deref());
            vec![kubectl.exec(&from, container, &load.command())]
        }
    }
}

/// Returns the path of a file that the lab names by URL and digest: the bundle's, or the one that
/// the environment keeps.
#[must_use]
pub fn pinned(file: &Pinned<'_>, target: &Target) -> PathBuf {
    let kept = || below(&target.dir.join("files"), format!("{}.yaml", file.sha256));
    target.files.get(file.url).cloned().unwrap_or_else(kept)
}

/// Returns the command lines that heal a fault.
#[must_use]
pub fn undo(undo: &Undo, target: &Target, facts: &Facts) -> Vec<Invocation> {
    match undo {
        Undo::None => Vec::new(),
        Undo::Uncordon(node) => vec![
            target
                .kubectl
                .uncordon(&named(node, &target.cluster, facts)),
        ],
        Undo::RemoveToxic(placed) => vec![super::toxic::remove(placed, &target.kubectl)],
    }
}

/// Returns the node that `undo` uncordons.
#[must_use]
pub fn drained(undo: &Undo, cluster: &str, facts: &Facts) -> Option<String> {
    match undo {
        Undo::None | Undo::RemoveToxic(_) => None,
        Undo::Uncordon(of) => node(of, cluster, facts),
    }
}

/// Returns the node's name in the cluster with this name, or `None` if it is not yet recorded.
#[must_use]
pub fn node(of: &Node, cluster: &str, facts: &Facts) -> Option<String> {
    match of {
        Node::NodeOf(fact) => recorded(facts, fact, |pod| &pod.node),
        Node::Worker(1) => Some(format!("{cluster}-worker")),
        Node::Worker(number) => Some(format!("{cluster}-worker{number}")),
    }
}

fn named(of: &Node, cluster: &str, facts: &Facts) -> String {
    let fact = of.fact().unwrap_or_default();
    node(of, cluster, facts).unwrap_or_else(|| format!("<node of the pod recorded as {fact}>"))
}

fn recorded(facts: &Facts, name: &str, part: impl Fn(&PodFact) -> &String) -> Option<String> {
    facts.get(name)?.pod.as_ref().map(part).cloned()
}

/// Returns the name of the fact that `action` needs and `facts` lacks.
#[must_use]
pub fn missing_facts<'a>(action: &'a Action, facts: &Facts) -> Option<&'a str> {
    let name = match action {
        Action::DeletePod(DeletePod { since, .. }) => since,
        Action::Drain(node) | Action::Uncordon(node) => node.fact()?,
        _ => return None,
    };
    let known = facts.get(name).is_some_and(|fact| fact.pod.is_some());
    (!known).then_some(name)
}

/// Returns the name of the fact that `undo` needs and `facts` lacks.
#[must_use]
pub fn missing_for_undo<'a>(undo: &'a Undo, facts: &Facts) -> Option<&'a str> {
    let Undo::Uncordon(node) = undo else {
        return None;
    };
    let fact = node.fact()?;
    let known = recorded(facts, fact, |pod| &pod.node).is_some();
    (!known).then_some(fact)
}
