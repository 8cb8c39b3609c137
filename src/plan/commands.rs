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

/// An environment, as far as command lines have to know it.
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
    /// The charts that a bundle has, by what names them and their version.
    pub charts: BTreeMap<(String, String), PathBuf>,
    /// The files that a bundle has, by the URL of the one they stand for.
    pub files: BTreeMap<String, PathBuf>,
    /// The directory of the tools that the lab brought.
    pub tools: PathBuf,
    /// The directory of the applied lab.
    pub lab_dir: PathBuf,
    /// How kubectl reaches the cluster.
    pub kubectl: Kubectl,
    /// What kind is told to use as node image, if anything.
    pub node_image: Option<String>,
}

/// The command lines of `action`, in order. What an earlier step has yet to record stands in them
/// as a placeholder in angle brackets, unless `facts` has it.
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
        // labctl does these itself.
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

/// Where a file that the lab names by URL and digest is: in the bundle, or kept by the environment.
#[must_use]
pub fn pinned(file: &Pinned<'_>, target: &Target) -> PathBuf {
    let kept = || below(&target.dir.join("files"), format!("{}.yaml", file.sha256));
    target.files.get(file.url).cloned().unwrap_or_else(kept)
}

/// The command lines that take a fault back.
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

/// The node that `undo` gives back.
#[must_use]
pub fn drained(undo: &Undo, cluster: &str, facts: &Facts) -> Option<String> {
    match undo {
        Undo::None | Undo::RemoveToxic(_) => None,
        Undo::Uncordon(of) => node(of, cluster, facts),
    }
}

/// The node's name in the cluster of this name; none as long as it is not recorded.
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

/// The names of the facts that `action` cannot be done without and that `facts` lacks.
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

/// The name of the fact that `undo` cannot be done without and that `facts` lacks.
#[must_use]
pub fn missing_for_undo<'a>(undo: &'a Undo, facts: &Facts) -> Option<&'a str> {
    let Undo::Uncordon(node) = undo else {
        return None;
    };
    let fact = node.fact()?;
    let known = recorded(facts, fact, |pod| &pod.node).is_some();
    (!known).then_some(fact)
}
