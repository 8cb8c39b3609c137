//! Actions: the `do` of a step, and the `undo` that heals a fault.

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

/// The way in which a fault is healed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Undo {
    /// No action: the system heals itself.
    None,
    /// Uncordons a drained node.
    Uncordon(Node),
    /// Removes a toxic, or enables a disabled proxy. Follows from the action and is not written in
    /// labs.
    RemoveToxic(PlacedToxic),
}

/// The action of a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Creates a kind cluster from a template.
    KindCluster(KindCluster),
    /// Puts a program that the lab pins into the environment's tools.
    Tool(Tool),
    /// Makes a trust anchor and an issuer.
    Certificates(Certificates),
    /// Applies a manifest file, or every manifest of a directory, as `kubectl apply -f` does.
    Apply(Apply),
    /// Installs or upgrades a release of a chart.
    Helm(Helm),
    /// Runs a command in a Pod. The command must be repeatable: it runs again when an expectation
    /// of the step no longer holds.
    Exec(Exec),
    /// Deletes a Pod, with the recorded uid as a precondition.
    DeletePod(DeletePod),
    /// Sets and removes annotations of an object.
    Annotate(Annotate),
    /// Replaces all Pods of workloads, as `kubectl rollout restart` does.
    RolloutRestart(RolloutRestart),
    /// Changes the number of replicas, as `kubectl scale` does.
    Scale(Scale),
    /// Drains a node.
    Drain(Node),
    /// Uncordons a node.
    Uncordon(Node),
    /// Has Toxiproxy inject a fault.
    Toxic(Toxic),
    /// Sends requests from a Pod and records the measurement.
    Load(ClientLoad),
    /// Does nothing: the step only shows something.
    Observe,
}

impl Action {
    /// Returns the action's name as written in `lab.yaml`.
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

    /// Tests whether repeating the action leads to the same state, so that it may be redone when a
    /// lasting expectation no longer holds. labctl never recreates a cluster or injects a fault
    /// again unasked.
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

    /// Tests whether the action runs even if the step's expectations already hold. `observe` exists
    /// to show something each time, and expectations about a fault or a measurement are true only
    /// while it is new.
    #[must_use]
    pub fn is_always_done(&self) -> bool {
        matches!(self, Self::Observe | Self::Toxic(_) | Self::Load(_))
    }
}

/// The arguments of `kind-cluster`.
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
    /// The name that assertions use. `http` and `https` are shown as URLs.
    pub name: String,
    /// The preferred port of 127.0.0.1. labctl chooses another one if it is in use.
    pub host: u16,
    /// The port of the node: a Pod's host port, or a Service's node port.
    pub node: u16,
}

/// The arguments of `apply`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Apply {
    /// A file or a directory inside the lab.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The URL of a file elsewhere, instead of `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The SHA-256 that the file at `url` must have, in hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The output of a tool of the lab, instead of `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Output>,
    /// True to apply on the API server, which has no limit on the manifest's size. Fields that
    /// somebody changed by other means get the manifest's values again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub server_side: bool,
}

/// A file identified by its URL and its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pinned<'a> {
    /// Its URL.
    pub url: &'a str,
    /// Its SHA-256, in hexadecimal digits.
    pub sha256: &'a str,
}

impl Apply {
    /// Returns the file at `url`, if this applies one.
    #[must_use]
    pub fn pinned(&self) -> Option<Pinned<'_>> {
        Some(Pinned {
            url: self.url.as_deref()?,
            sha256: self.sha256.as_deref().unwrap_or_default(),
        })
    }

    /// Returns the path of the file or directory in the lab, or an empty text if there is none.
    #[must_use]
    pub fn in_lab(&self) -> &str {
        self.path.as_deref().unwrap_or_default()
    }
}

/// The arguments of `exec`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Exec {
    /// The Pod.
    #[serde(rename = "in")]
    pub pod: String,
    /// The container; the Pod's default one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// The program and its arguments, not passed through a shell.
    pub command: Vec<String>,
    /// The time limit of the command; 5m if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Within>,
}

impl Exec {
    /// Returns the time limit of the command.
    #[must_use]
    pub fn within(&self) -> Within {
        self.within.unwrap_or(Within::seconds(300))
    }
}

/// The arguments of `delete-pod`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DeletePod {
    /// The Pod.
    pub name: String,
    /// The fact that holds the uid of the Pod to delete, so that its replacement is never deleted.
    pub since: String,
}

/// A node, as a lab can name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Node {
    /// The node on which a recorded Pod ran, by the name of the fact.
    NodeOf(String),
    /// A worker of the lab's kind cluster, by its number, counted from 1. kind calls the workers
    /// `NAME-worker`, `NAME-worker2`, and so on.
    Worker(u8),
}

impl Node {
    /// Returns the fact that names the node, if one does.
    #[must_use]
    pub fn fact(&self) -> Option<&str> {
        match self {
            Self::NodeOf(fact) => Some(fact),
            Self::Worker(_) => None,
        }
    }
}

/// The arguments of `scale`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Scale {
    /// The workload.
    pub of: Workload,
    /// The number of replicas.
    pub to: u32,
}

/// The arguments of `annotate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Annotate {
    /// The object, as kubectl names it: `namespace/shop`, `service/api`.
    pub of: String,
    /// Annotations to set, with their values; existing values are overwritten.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, String>,
    /// Annotations to remove.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<String>,
}

/// The arguments of `rollout-restart`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RolloutRestart {
    /// The workloads.
    pub of: Vec<Workload>,
}
