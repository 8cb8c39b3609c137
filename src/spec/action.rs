//! Actions: what a step does, and how a fault is taken back.

use serde::{Deserialize, Serialize};

/// How a fault is taken back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undo {
    /// The system heals itself.
    None,
    /// A drained node takes pods again.
    Uncordon(NodeOf),
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Creates a kind cluster from a template.
    KindCluster(KindCluster),
    /// Applies a manifest file, or every manifest of a directory, as `kubectl apply -f` does.
    Apply(Apply),
    /// Runs a command in a pod. It must be repeatable: it is run again when what the step expects
    /// no longer holds.
    Exec(Exec),
    /// Deletes a pod, with the recorded uid as a precondition.
    DeletePod(DeletePod),
    /// Drains the node on which a recorded pod ran.
    Drain(NodeOf),
    /// Lets a drained node take pods again.
    Uncordon(NodeOf),
    /// Nothing to do, only something to see.
    Observe,
}

impl Action {
    /// The action's name as written in `lab.yaml`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::KindCluster(_) => "kind-cluster",
            Self::Apply(_) => "apply",
            Self::Exec(_) => "exec",
            Self::DeletePod(_) => "delete-pod",
            Self::Drain(_) => "drain",
            Self::Uncordon(_) => "uncordon",
            Self::Observe => "observe",
        }
    }

    /// Whether doing it again leads to the same state, so that it may be redone when a lasting
    /// expectation broke. A cluster is never recreated and a fault never injected again unasked.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        matches!(self, Self::Apply(_) | Self::Exec(_) | Self::Uncordon(_))
    }
}

/// `kind-cluster`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct KindCluster {
    /// The name of a kind configuration under `templates/kind/`.
    pub template: String,
    /// The node image, with its digest; kind's own default if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
}

/// `apply`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Apply {
    /// A file or a directory inside the lab.
    pub path: String,
}

/// `exec`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Exec {
    /// The pod.
    #[serde(rename = "in")]
    pub pod: String,
    /// The container; the pod's default one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The program and its arguments, not passed through a shell.
    pub command: Vec<String>,
}

/// `delete-pod`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DeletePod {
    /// The pod.
    pub name: String,
    /// The fact that holds the uid of the pod to delete: its replacement is never deleted.
    pub since: String,
}

/// The node on which a recorded pod ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NodeOf {
    /// The fact that holds the pod.
    pub node_of: String,
}
