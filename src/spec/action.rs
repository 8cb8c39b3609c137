//! Actions: what a step does, and how a fault is taken back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    ImageRef, Within,
    client_load::ClientLoad,
    helm::Helm,
    tool::{Certificates, Output, Tool},
    toxic::{PlacedToxic, Toxic},
    workload::Workload,
};

/// How a fault is taken back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undo {
    /// The system heals itself.
    None,
    /// A drained node takes pods again.
    Uncordon(Node),
    /// A toxic is removed, or a proxy enabled again. Follows from the action, and is not written in
    /// labs.
    RemoveToxic(PlacedToxic),
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Creates a kind cluster from a template.
    KindCluster(KindCluster),
    /// Puts a program that the lab pins into the environment.
    Tool(Tool),
    /// Makes a trust anchor and an issuer.
    Certificates(Certificates),
    /// Applies a manifest file, or every manifest of a directory, as `kubectl apply -f` does.
    Apply(Apply),
    /// Installs or upgrades a release of a chart.
    Helm(Helm),
    /// Runs a command in a pod. It must be repeatable: it is run again when what the step expects
    /// no longer holds.
    Exec(Exec),
    /// Deletes a pod, with the recorded uid as a precondition.
    DeletePod(DeletePod),
    /// Sets and removes annotations of an object.
    Annotate(Annotate),
    /// Replaces all pods of workloads, as `kubectl rollout restart` does.
    RolloutRestart(RolloutRestart),
    /// Asks for another number of replicas, as `kubectl scale` does.
    Scale(Scale),
    /// Drains a node.
    Drain(Node),
    /// Lets a drained node take pods again.
    Uncordon(Node),
    /// Has Toxiproxy inject a fault.
    Toxic(Toxic),
    /// Sends requests from a pod, and records what came of them.
    Load(ClientLoad),
    /// Nothing to do, only something to see.
    Observe,
}

impl Action {
    /// The action's name as written in `lab.yaml`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::KindCluster(_) => "kind-cluster",
            Self::Tool(_) => "tool",
            Self::Certificates(_) => "certificates",
            Self::Apply(_) => "apply",
            Self::Helm(_) => "helm",
            Self::Exec(_) => "exec",
            Self::DeletePod(_) => "delete-pod",
            Self::Annotate(_) => "annotate",
            Self::RolloutRestart(_) => "rollout-restart",
            Self::Scale(_) => "scale",
            Self::Drain(_) => "drain",
            Self::Uncordon(_) => "uncordon",
            Self::Toxic(_) => "toxic",
            Self::Load(_) => "load",
            Self::Observe => "observe",
        }
    }

    /// Whether doing it again leads to the same state, so that it may be redone when a lasting
    /// expectation broke. A cluster is never recreated and a fault never injected again unasked.
    #[must_use]
    pub fn is_repeatable(&self) -> bool {
        matches!(
            self,
            Self::Tool(_)
                | Self::Apply(_)
                | Self::Helm(_)
                | Self::Exec(_)
                | Self::Annotate(_)
                | Self::RolloutRestart(_)
                | Self::Scale(_)
                | Self::Uncordon(_)
                | Self::Load(_)
        )
    }

    /// Whether it is done whatever holds already: what is only looked at is looked at, and what
    /// expectations say of a fault or of a measurement is true only while it is new.
    #[must_use]
    pub fn is_always_done(&self) -> bool {
        matches!(self, Self::Observe | Self::Toxic(_) | Self::Load(_))
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
    pub image: Option<ImageRef>,
    /// Ports of this machine, on 127.0.0.1 only, that lead to ports of the control plane's node. If
    /// there are any, that node carries the label `labctl.dev/ingress: "true"`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<PortMapping>,
}

/// A port of this machine that leads into the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PortMapping {
    /// What assertions name it by. `http` and `https` are shown as URLs.
    pub name: String,
    /// The port of 127.0.0.1 that is wished for. Another is chosen where it is in use.
    pub host: u16,
    /// The port of the node: a host port of a pod, or a Service's node port.
    pub node: u16,
}

/// `apply`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Apply {
    /// A file or a directory inside the lab.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// A file elsewhere, instead of `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The SHA-256 that the file at `url` has to have, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// What a tool of the lab prints, instead of `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Output>,
    /// Has the API server apply it, which knows no limit of size; what somebody changed by other
    /// means becomes the manifest's again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub server_side: bool,
}

/// A file that is named by where it is and by what it has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pinned<'a> {
    /// Where it is.
    pub url: &'a str,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: &'a str,
}

impl Apply {
    /// The file elsewhere, if it is one.
    #[must_use]
    pub fn pinned(&self) -> Option<Pinned<'_>> {
        Some(Pinned {
            url: self.url.as_deref()?,
            sha256: self.sha256.as_deref().unwrap_or_default(),
        })
    }

    /// The file or directory of the lab; empty, if it is a file elsewhere.
    #[must_use]
    pub fn in_lab(&self) -> &str {
        self.path.as_deref().unwrap_or_default()
    }
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
    /// How long it may take; by default 5m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Within>,
}

impl Exec {
    /// How long it may take.
    #[must_use]
    pub fn within(&self) -> Within {
        self.within.unwrap_or(Within::seconds(300))
    }
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

/// A node, by what a lab knows of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Node {
    /// The one on which a recorded pod ran: the fact that holds the pod.
    NodeOf(String),
    /// A worker of the lab's kind cluster, by its number from 1 on: kind calls them
    /// `NAME-worker`, `NAME-worker2`, and so on.
    Worker(u8),
}

impl Node {
    /// The fact without which it is not known.
    #[must_use]
    pub fn fact(&self) -> Option<&str> {
        match self {
            Self::NodeOf(fact) => Some(fact),
            Self::Worker(_) => None,
        }
    }
}

/// How many replicas a workload is to have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Scale {
    /// The workload.
    pub of: Workload,
    /// How many.
    pub to: u32,
}

/// `annotate`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Annotate {
    /// The object, as kubectl names it: `namespace/shop`, `service/api`.
    pub of: String,
    /// Annotations and their values; whatever they were before.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, String>,
    /// Annotations that it is not to have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
}

/// `rollout-restart`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RolloutRestart {
    /// The workloads.
    pub of: Vec<Workload>,
}
